"""What is counted of whom, and rules that say when it is remarkable. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.clock import epoch_s, from_epoch_s
from chalicelib.kernel.errors import Conflict, Invalid

KEPT = timedelta(days=35)
"""A fact older than this counts nowhere and is dropped."""
MOST_KEPT = 60
"""Facts of one kind about one subject that are kept; beyond, "at least so many" is all that is known."""


class SubjectKind(StrEnum):
    """Whom or what facts are counted of. All but accounts and merchants are named by keyed digests."""

    ACCOUNT = "account"
    MERCHANT = "merchant"
    NETWORK = "network"
    DEVICE = "device"
    ADDRESS = "address"
    PHONE = "phone"
    PAYER = "payer"
    COUPON = "coupon"


class FactKind(StrEnum):
    """What is counted: each fact is the number of the record that it is about."""

    SIGNED_UP = "signed_up"
    USED_BY = "used_by"
    """An account that used it: of a device, address, phone, payer or coupon."""
    UNPAID = "unpaid"
    PAID = "paid"
    REFUNDED = "refunded"
    COMPLAINED = "complained"
    NOT_RECEIVED = "not_received"
    OPENED = "opened"
    SHARES_DEVICE = "shares_device"
    """An account that signed in on a device of this one's."""
    RING_PERSON = "ring_person"
    """An order whose buyer works for its merchant."""
    RING_DEVICE = "ring_device"
    RING_ADDRESS = "ring_address"
    RING_PHONE = "ring_phone"
    RING_PAYER = "ring_payer"
    """An order whose buyer shares this with somebody who works for its merchant."""


RINGS = (
    FactKind.RING_PERSON,
    FactKind.RING_DEVICE,
    FactKind.RING_ADDRESS,
    FactKind.RING_PHONE,
    FactKind.RING_PAYER,
)


class Mode(StrEnum):
    """How far a rule is in force."""

    OFF = "off"
    SHADOW = "shadow"
    """What it finds is counted and shown beside the rule, and nobody else hears of it."""
    REVIEW = "review"
    """What it finds is put before operators, and binds nobody."""


class NotInShadow(Conflict):
    """What a rule finds comes before people only after these very numbers ran in shadow."""

    code = "not_in_shadow"
    en = "These numbers must run in shadow for {days} days first; put them in force there, and ask again then."
    zh = "该规则的参数须先以影子模式运行 {days} 天，再申请启用。"
    shown = ("days",)


class BadRule(Invalid):
    """A rule says something that cannot be."""

    code = "bad_rule"
    en, zh = "The rule is not valid: look at {field}.", "规则不正确，请检查{field}。"
    shown = ("field",)
    texts_of = {  # noqa: RUF012
        "field": {
            "of": ("what it counts", "统计内容"),
            "window_h": ("its window", "统计窗口"),
            "least": ("from which number on it fires", "触发阈值"),
            "per": ("what it compares with", "对比项"),
            "subject": ("whom it is about", "统计对象"),
        }
    }


@dataclass(frozen=True, slots=True)
class Subject:
    """One whom facts are counted of."""

    kind: SubjectKind
    name: str
    """The record's number, or a keyed digest."""

    @property
    def key(self) -> str:
        """Return it as one word."""
        return f"{self.kind}#{self.name}"

    @classmethod
    def of(cls, key: str) -> Subject:
        """Read the word again."""
        kind, _, name = key.partition("#")
        return cls(SubjectKind(kind), name)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened, of one subject; told twice it is the same fact."""

    subject: Subject
    kind: FactKind
    record: str
    at: datetime

    @property
    def member(self) -> str:
        """Return the fact as it is kept: its record, and the minute."""
        return f"{self.record}@{epoch_s(self.at) // 60}"


@dataclass(frozen=True, slots=True)
class Tally:
    """All that is kept of one subject: for each kind its records, and when each last was."""

    subject: Subject
    facts: Mapping[FactKind, Mapping[str, datetime]] = field(default_factory=dict)

    @classmethod
    def read(cls, subject: Subject, members: Mapping[FactKind, Iterable[str]]) -> Tally:
        """Return the tally of facts as they are kept. One record at several moments counts once, at the last."""
        facts: dict[FactKind, dict[str, datetime]] = {}
        for kind, found in members.items():
            for member in sorted(found):
                record, _, minute = member.rpartition("@")
                at, mine = from_epoch_s(int(minute) * 60), facts.setdefault(kind, {})
                mine[record] = max(mine.get(record, at), at)
        return cls(subject, facts)

    def until(self, moment: datetime) -> Tally:
        """Return what of it had happened by a moment."""
        return Tally(
            self.subject,
            {kind: {record: at for record, at in found.items() if at <= moment} for kind, found in self.facts.items()},
        )

    def moments(self) -> list[datetime]:
        """Return when something of it happened, in order."""
        return sorted({at for found in self.facts.values() for at in found.values()})


@dataclass(frozen=True, slots=True)
class Rule:
    """When something is remarkable: a version of a rule never changes."""

    rule_id: str
    version: int
    subject: SubjectKind
    of: tuple[FactKind, ...]
    window_h: int
    least: int
    """It fires at so many, or more."""
    half_life_h: int = 0
    """After each such time a fact counts half; 0: all within the window count whole."""
    per: FactKind | None = None
    per_mille: int = 0
    """With ``per``: it fires only if there are so many of a thousand of these."""
    young_h: int = 0
    """It is about those only who opened within this time; 0: about all."""
    mode: Mode = Mode.SHADOW


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version of a rule that an operator asks for, and another one decides on."""

    rule: Rule
    reason: str
    asked_by: str
    asked_s: int
    intent: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found of a subject at a moment, and all that it went by."""

    rule: Rule
    subject: Subject
    at: datetime
    worth: int
    """In thousandths of a fact: what was counted, faded."""
    compared_with: int
    """How many facts of ``per`` there were."""
    evidence: tuple[tuple[FactKind, str, datetime], ...]

    @property
    def period(self) -> int:
        """Return which window of the rule it falls into: what is found again within it is the same."""
        return epoch_s(self.at) // (self.rule.window_h * 3600)


def check(rule: Rule) -> Rule:
    """Return a rule that can be.

    Raises:
        BadRule: if it cannot.
    """
    wrong = {
        "of": not rule.of or len(set(rule.of)) < len(rule.of),
        "window_h": not 1 <= rule.window_h <= KEPT // timedelta(hours=1) or not 0 <= rule.half_life_h <= rule.window_h,
        "least": not 1 <= rule.least <= MOST_KEPT,
        "per": (rule.per is None) is not (rule.per_mille == 0) or not 0 <= rule.per_mille <= 1000,
        "subject": rule.young_h < 0 or (rule.young_h > 0 and rule.subject is not SubjectKind.MERCHANT),
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise BadRule(field=name)
    return rule


SHADOW_FIRST = timedelta(days=7)


def succeeds(before: Rule, since: datetime | None, wanted: Rule, now: datetime) -> Rule:
    """Return the version that follows a rule. ``since`` is when the one before came into force, if not with the code.

    Raises:
        BadRule: if it cannot be, or changes nothing.
        NotInShadow: if it would be put before people with numbers that did not run in shadow for long enough.
    """
    check(wanted)
    if replace(wanted, version=before.version) == before:
        raise BadRule(field="least")
    if wanted.mode is Mode.REVIEW and before.mode is not Mode.REVIEW:
        same = replace(wanted, version=before.version, mode=before.mode) == before and before.mode is Mode.SHADOW
        if not same or (since is not None and now < since + SHADOW_FIRST):
            raise NotInShadow(days=SHADOW_FIRST.days)
    if wanted.mode is Mode.REVIEW and before.mode is Mode.REVIEW:
        raise NotInShadow(days=SHADOW_FIRST.days)  # Other numbers go back into shadow first.
    return replace(wanted, version=before.version + 1)


def evaluate(rule: Rule, tally: Tally, now: datetime) -> Finding | None:
    """Return what a rule finds, if it fires."""
    if rule.mode is Mode.OFF or rule.subject is not tally.subject.kind or not _young(rule, tally, now):
        return None
    since = now - timedelta(hours=rule.window_h)
    counted = _within(tally, rule.of, since)
    worth = sum(_worth(rule, now - at) for _, at in counted.values())
    if worth < rule.least * 1000:
        return None
    compared = len(_within(tally, (rule.per,), since)) if rule.per is not None else 0
    if rule.per is not None and (compared >= MOST_KEPT or len(counted) * 1000 < rule.per_mille * max(compared, 1)):
        return None  # Of who has more than is kept, no share is known.
    evidence = tuple(sorted((kind, record, at) for record, (kind, at) in counted.items()))
    return Finding(rule, tally.subject, now, worth, compared, evidence)


def _young(rule: Rule, tally: Tally, now: datetime) -> bool:
    if not rule.young_h:
        return True
    return bool(_within(tally, (FactKind.OPENED,), now - timedelta(hours=rule.young_h)))


def _within(tally: Tally, kinds: tuple[FactKind, ...], since: datetime) -> dict[str, tuple[FactKind, datetime]]:
    """Return each record once, however many of the kinds it is of."""
    found: dict[str, tuple[FactKind, datetime]] = {}
    for kind in kinds:
        for record, at in tally.facts.get(kind, {}).items():
            if at > since and record not in found:
                found[record] = (kind, at)
    return found


def _worth(rule: Rule, age: timedelta) -> int:
    if not rule.half_life_h:
        return 1000
    return 1000 >> max(0, age // timedelta(hours=rule.half_life_h))


def replay(rule: Rule, tally: Tally) -> list[Finding]:
    """Return what a rule would have found as the facts came in, the first of each of its windows."""
    found: dict[int, Finding] = {}
    for moment in tally.moments():
        finding = evaluate(rule, tally.until(moment), moment)
        if finding is not None:
            found.setdefault(finding.period, finding)
    return list(found.values())
