"""What a line of a bill means against our record of it, and which states runs and cases take. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from chalicelib.kernel import ids
from chalicelib.kernel.errors import Conflict, NotFound
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import MINOR_DIGITS, Money

ASK_AGAIN = timedelta(minutes=30)
ASKS = 48
"""How often a bill that is not there is asked for: a day long."""
STALLED = timedelta(hours=1)
"""A step takes seconds. One whose message became a dead letter is done again by the clock, and the run goes on."""


class RunNotFound(NotFound):
    """No such reconciliation."""

    code = "reconciliation_not_found"
    en, zh = "There is no such reconciliation.", "没有该对账记录。"


class DayNotOver(Conflict):
    """The provider's day is still running."""

    code, status = "day_not_over", 422
    en, zh = "{day} is not over yet by the provider's clock.", "按支付渠道的时间，账单日 {day} 尚未结束。"
    shown = ("provider", "day")


class RunStatus(StrEnum):
    """States of a run."""

    WANTED = "wanted"
    """The bill is to be fetched, page by page where it has pages; it may not be there yet."""
    READING = "reading"
    """The bill's lines are judged, a piece a step."""
    CHECKING = "checking"
    """Our own records of the day are looked for on the bill, a page a step."""
    DONE = "done"
    FAILED = "failed"
    """The bill never came, or cannot be read."""


class RunCause(StrEnum):
    """What moves a run."""

    WAIT = "wait"
    FETCH = "fetch"
    NEXT = "next"
    READ = "read"
    FINISH = "finish"
    GIVE_UP = "give_up"
    AGAIN = "again"


RUN = StateMachine(
    name="reconciliation",
    initial=RunStatus.WANTED,
    edges={
        RunStatus.WANTED: {
            RunCause.WAIT: RunStatus.WANTED,
            RunCause.NEXT: RunStatus.WANTED,
            RunCause.FETCH: RunStatus.READING,
            RunCause.GIVE_UP: RunStatus.FAILED,
        },
        RunStatus.READING: {RunCause.NEXT: RunStatus.READING, RunCause.READ: RunStatus.CHECKING},
        RunStatus.CHECKING: {RunCause.NEXT: RunStatus.CHECKING, RunCause.FINISH: RunStatus.DONE},
        RunStatus.DONE: {RunCause.AGAIN: RunStatus.WANTED},
        RunStatus.FAILED: {RunCause.AGAIN: RunStatus.WANTED},
    },
    deadlines={
        RunStatus.WANTED: (ASK_AGAIN, RunCause.WAIT),
        RunStatus.READING: (STALLED, RunCause.NEXT),
        RunStatus.CHECKING: (STALLED, RunCause.NEXT),
    },
)


class Finding(StrEnum):
    """Classes of lines. Each line of a bill has exactly one, and each record of ours that no line speaks of."""

    MATCH = "match"
    MISSING_HERE = "missing_here"
    """The provider moved money of which our record does not know (yet)."""
    MISSING_THERE = "missing_there"
    """Our record says that money moved; the bill does not."""
    DIFFERS = "differs"
    """Both know it, and not as the same: ``why`` says amount, currency, state, transaction, provider."""
    UNKNOWN_REFUND = "unknown_refund"
    """A refund under a number that is none of ours: made in the provider's console."""
    DUPLICATE = "duplicate"
    """The same movement a second time."""
    DISPUTE = "dispute"
    """A payer's bank took the money back, or gave it back."""
    DISCOUNTED = "discounted"
    """Both say the same, and the provider settles less: the seller bears a discount that the provider gave."""
    OTHER = "other"
    """Of no attempt of ours by its kind: fees, payouts, corrections. Counted, no case."""
    UNREADABLE = "unreadable"
    """A line or a total that does not fit the format or the sum."""


FITS = frozenset({Finding.MATCH, Finding.DISCOUNTED})
CASES = frozenset(Finding) - FITS - {Finding.OTHER}
"""Findings that become an operator's case, unless they are healed."""


class Kind(StrEnum):
    """What a line is about; the words are those of ``payments.domain.bill``."""

    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"
    DISPUTE = "dispute"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a bill as it is kept between two steps."""

    number: int
    kind: Kind
    payment_id: str
    transaction_id: str
    minor: int
    currency: str
    fee: str
    at_s: int
    status: str = ""
    refund_id: str = ""
    provider_refund_id: str = ""
    dispute: str = ""
    """The provider's number of a dispute."""
    given_back: bool = False
    """Of a dispute: the money came back."""
    settled: int | None = None
    """What the provider settles of it, in minor units, where it says so."""
    borne: int | None = None
    """The discounts that may explain less than the amount, where it says them."""
    adopted: str = ""
    """Our number of a refund that was made in the provider's console and taken into our books."""

    @property
    def record_id(self) -> str:
        """Return the id of our record that the line speaks of; empty where it names none of ours."""
        if self.kind is Kind.PAYMENT:
            return self.payment_id if ids.is_id("pay", self.payment_id) else ""
        if self.kind in (Kind.REFUND, Kind.REFUND_RETURNED):
            if self.adopted:
                return self.adopted
            return self.refund_id if ids.is_id("ref", self.refund_id) else ""
        return ""

    @property
    def key(self) -> str:
        """Return what tells this movement from every other of its provider; a second line with it is a duplicate."""
        if self.record_id and self.kind is not Kind.REFUND_RETURNED:
            return self.record_id
        if self.kind in (Kind.REFUND, Kind.REFUND_RETURNED) and (self.provider_refund_id or self.refund_id):
            return refund_key(self.kind, self.provider_refund_id, self.refund_id)
        if self.kind is Kind.DISPUTE and self.dispute:
            return "x_" + ids.digest(self.kind, self.dispute, "back" if self.given_back else "taken")
        if self.kind in (Kind.PAYMENT, Kind.DISPUTE) and (self.transaction_id or self.payment_id):
            return "x_" + ids.digest(self.kind, self.transaction_id, self.payment_id)
        return f"x_{self.number:08d}"

    @property
    def failed(self) -> bool:
        """Say whether the bill itself says that no money moved."""
        return self.status.upper() in _NOT_DONE

    @property
    def subject(self) -> str:
        """Return what a case about this line is about, but for the day where only the day tells it from others.

        A dispute moves money more than once, and a line without any number is only known by its place in the file.
        """
        return "" if self.kind is Kind.DISPUTE or self.key == f"x_{self.number:08d}" else self.key

    @property
    def money(self) -> Money:
        """Return the amount."""
        return Money(self.minor, self.currency)

    @property
    def discount(self) -> Money:
        """Return what the provider settles less than the amount: the seller bears it."""
        return Money(0 if self.settled is None else self.minor - self.settled, self.currency)

    @property
    def is_explained(self) -> bool:
        """Say whether the discounts that the bill names account for what is settled less.

        Bills name them at payments; of a refund they only say what is settled.
        """
        most = self.borne if self.borne is not None else self.minor if self.kind is Kind.REFUND else 0
        return 0 <= self.discount.minor <= most


def refund_key(kind: Kind, provider_refund_id: str, refund_id: str) -> str:
    """Return the key of a refund's line under no number of ours, which is what its case is about."""
    return "x_" + ids.digest(kind, provider_refund_id, refund_id)


@dataclass(frozen=True, slots=True)
class Ours:
    """What our record says of the same movement. ``done``: the money moved, by our books."""

    record_id: str
    purchase_id: str
    provider: str
    status: str
    done: bool
    open: bool
    """Still on its way: a question may move it."""
    minor: int
    currency: str
    transaction_id: str = ""
    day: str = ""
    """The provider's day it should be billed on, once it is done."""
    asked_day: str = ""
    """The provider's day on which it was asked for: some bill a refund then, though the money moves days later."""
    at_s: int = 0
    """When the money moved, by our books."""
    came_back: bool = False
    """A refund that had gone through, and whose money came back."""

    @property
    def money(self) -> Money:
        """Return the amount."""
        return Money(self.minor, self.currency)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a line is. ``ask`` says that the provider's own answer may mend it: a question is the safe way to heal."""

    finding: Finding
    why: str = ""
    ask: bool = False


_UNDER_WAY = {"PROCESSING", "PENDING", "REQUIRES_ACTION"}
_NOT_DONE = {"FAIL", "FAILED", "CLOSED", "CANCELED", "CANCELLED", "CHANGE", "ABNORMAL"}


def judge(line: Line, ours: Ours | None, *, provider: str, twin: Line | None = None) -> Verdict:
    """Classify one line. ``twin`` is an earlier line of the same movement."""
    if line.kind is Kind.OTHER:
        return Verdict(Finding.OTHER)
    if line.kind is Kind.DISPUTE:
        return _compare(line, ours) if ours is not None else Verdict(Finding.DISPUTE, "dispute")
    if twin is not None:
        same = (twin.transaction_id, twin.provider_refund_id) == (line.transaction_id, line.provider_refund_id)
        return Verdict(Finding.DUPLICATE) if same else Verdict(Finding.DIFFERS, "transaction")
    if line.kind is Kind.REFUND_RETURNED:
        return _judge_returned(line, ours, provider)
    if line.kind is Kind.PAYMENT:
        return _judge_payment(line, ours, provider)
    return _judge_refund(line, ours, provider)


def _judge_payment(line: Line, ours: Ours | None, provider: str) -> Verdict:
    if ours is None:
        return Verdict(Finding.MISSING_HERE, "unknown_payment")
    if ours.provider != provider:
        return Verdict(Finding.DIFFERS, "provider")
    if line.failed:
        return Verdict(Finding.DIFFERS, "state") if ours.done else Verdict(Finding.MATCH, ask=ours.open)
    return _judge_moved(line, ours)


def _judge_returned(line: Line, ours: Ours | None, provider: str) -> Verdict:
    """Judge a refund's money that came back. A refund of ours that stands as done, or under way, is asked about."""
    if ours is None:
        return Verdict(Finding.DIFFERS, "returned")
    if ours.provider != provider:
        return Verdict(Finding.DIFFERS, "provider")
    if ours.done or ours.open:
        return Verdict(Finding.DIFFERS, "returned", ask=True)
    return _compare(line, ours)


def _judge_refund(line: Line, ours: Ours | None, provider: str) -> Verdict:
    if ours is None:
        return Verdict(Finding.UNKNOWN_REFUND)
    if ours.provider != provider:
        return Verdict(Finding.DIFFERS, "provider")
    if ours.came_back:  # It went through then; the line of its return comes on another day.
        return _compare(line, ours)
    if line.failed:
        return Verdict(Finding.DIFFERS, "state", ask=True) if ours.done else Verdict(Finding.MATCH, ask=ours.open)
    return _judge_moved(line, ours)


def _judge_moved(line: Line, ours: Ours) -> Verdict:
    """Judge a line that says that money moved, or is on its way: slow methods and refunds are booked before that."""
    if ours.done:
        return _compare(line, ours)
    if line.status.upper() in _UNDER_WAY and ours.open:
        return Verdict(Finding.MATCH)
    return Verdict(Finding.MISSING_HERE, ours.status, ask=True)


def healed(before: Verdict, ours: Ours) -> bool:
    """Say whether an answer made our record fit, given what the line was before: money moved, or came back."""
    if before.finding is Finding.MISSING_HERE:
        return ours.done
    return before.finding is Finding.DIFFERS and before.why in ("returned", "state") and not ours.done


def _compare(line: Line, ours: Ours) -> Verdict:
    why = [
        word
        for word, fits in (
            ("currency", line.currency == ours.currency),
            ("amount", line.minor == ours.minor),
            (
                "transaction",
                line.kind is not Kind.PAYMENT or not ours.transaction_id or line.transaction_id == ours.transaction_id,
            ),
        )
        if not fits
    ]
    if not line.is_explained:
        why.append("settled")
    if why:
        return Verdict(Finding.DIFFERS, "+".join(why))
    return Verdict(Finding.DISCOUNTED if line.discount else Finding.MATCH)


_FEE = re.compile(r"\s*([+-]?)([0-9]{1,13})(?:\.([0-9]{1,8}))?(?:\s*([A-Z]{3}))?\s*")


@dataclass(frozen=True, slots=True)
class Fee:
    """A line's fee: what is posted (whole minor units) and what was lost in rounding (millionths of a minor unit)."""

    money: Money
    rest_millionths: int


def fee_of(line: Line) -> Fee | None:
    """Read a fee as providers write it: major units with up to eight decimals, or minor units with a currency.

    What a payment costs us is positive, what a refund gives back of it negative, whatever sign the provider writes.
    None where there is none or it cannot be read.
    """
    found = _FEE.fullmatch(line.fee)
    if found is None or line.kind not in (Kind.PAYMENT, Kind.REFUND):
        return None
    exact = Decimal(f"{found[2]}.{found[3] or 0}")
    currency = found[4] or line.currency
    if not found[4]:
        exact = exact.scaleb(MINOR_DIGITS.get(currency, 2))
    posted = int(exact.to_integral_value(ROUND_HALF_UP))
    sign = 1 if line.kind is Kind.PAYMENT else -1
    return Fee(Money(sign * posted, currency), sign * int((exact - posted) * 1_000_000))


# --- runs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """One provider's day."""

    run_id: str
    provider: str
    day: str
    status: RunStatus
    since: datetime
    started_at: datetime
    step: int = 0
    round: int = 1
    """Which time the day is reconciled."""
    asks: int = 0
    pieces: int = 0
    piece: int = 0
    parts: int = 0
    """Parts of the report written so far."""
    shard: int = 0
    place: str = ""
    """Where it goes on: the bill, in the provider's words, its piece, by line, or the page of our records, as JSON."""
    lines: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """Lines and records by finding."""
    healed: int = 0
    cases: int = 0
    """Findings of this round that stand as cases."""
    fees: Mapping[str, int] = field(default_factory=dict)
    """Fees of the bill's lines by currency, in minor units, as they were posted."""
    fee_rest_millionths: int = 0
    stakes: Mapping[str, int] = field(default_factory=dict)
    """How much is to be looked after, by finding and currency (``differs CNY``), in minor units."""
    totals: Mapping[str, str] = field(default_factory=dict)
    defects: tuple[str, ...] = ()
    """What of the bill could not be read, while it is being fetched; ``counts`` says how much there is."""
    why: str = ""
    """Why the bill is not there."""
    finished_at: datetime | None = None
    intent: str = ""
    version: int = 0

    @property
    def due_at(self) -> datetime | None:
        """Return when the current state times out."""
        return RUN.due_at(self.status, self.since)


def run_id(provider: str, day: str) -> str:
    """Return the id of a provider's day."""
    return ids.derived_id("rec", provider, day)


def move(run: Run, cause: RunCause, *, now: datetime) -> Run:
    """Take an edge; every step has a number of its own, so that a repeated message is told from the next one.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = RUN.next(run.status, cause)
    return replace(run, status=status, since=now, step=run.step + 1)


@dataclass(frozen=True, slots=True)
class Judged:
    """A line, or a record of ours without one, with its finding, as operators see it."""

    key: str
    finding: Finding
    why: str
    round: int
    line: Line | None
    ours: Ours | None
    healed: bool = False
    case_id: str = ""
    fee: int = 0
    fee_currency: str = ""
    copy: int = 0
    """Its line number where it repeats a movement; 0 for the first."""

    @property
    def position(self) -> int:
        """Return its place in lists: lines by number, then our records."""
        return self.line.number if self.line else 10**9

    @property
    def difference(self) -> Money | None:
        """Return what the bill has more than we have; None where they cannot be compared."""
        if self.line is None:
            return -self.ours.money if self.ours else None
        if self.finding is Finding.DISCOUNTED or self.why == "settled":
            return -self.line.discount
        if self.ours is None:
            return self.line.money
        return self.line.money - self.ours.money if self.line.currency == self.ours.currency else None

    @property
    def at_stake(self) -> Money | None:
        """Return how much money somebody has to look after; None where nobody has to."""
        if self.finding is Finding.DISCOUNTED and self.line is not None:
            return self.line.discount
        if self.finding not in CASES or self.healed or (self.line is None and self.ours is None):
            return None
        if self.why in ("amount", "settled") and self.difference is not None:
            return self.difference if self.difference.minor > 0 else -self.difference
        return self.line.money if self.line else self.ours.money if self.ours else None


# --- cases ------------------------------------------------------------------------------------------------------------


class CaseStatus(StrEnum):
    """States of a case."""

    OPEN = "open"
    ESCALATED = "escalated"
    """Nobody acted in time."""
    SETTLED = "settled"
    """It fits after all: a later bill or answer brought what was missing."""
    RESOLVED = "resolved"
    """An operator said what became of it."""


class CaseCause(StrEnum):
    """What moves a case."""

    ESCALATE = "escalate"
    SETTLE = "settle"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    """What had come to fit does not fit again, or something new is said of what an operator had closed."""


_ENDS = {CaseCause.SETTLE: CaseStatus.SETTLED, CaseCause.RESOLVE: CaseStatus.RESOLVED}

CASE = StateMachine(
    name="case",
    initial=CaseStatus.OPEN,
    edges={
        CaseStatus.OPEN: {CaseCause.ESCALATE: CaseStatus.ESCALATED, **_ENDS},
        CaseStatus.ESCALATED: dict(_ENDS),
        CaseStatus.SETTLED: {CaseCause.REOPEN: CaseStatus.OPEN},
        CaseStatus.RESOLVED: {CaseCause.REOPEN: CaseStatus.OPEN},
    },
    deadlines={CaseStatus.OPEN: (timedelta(days=2), CaseCause.ESCALATE)},
)


class CaseNotFound(NotFound):
    """No such case."""

    code = "case_not_found"
    en, zh = "There is no such case.", "没有该差错单。"


@dataclass(frozen=True, slots=True)
class Turn:
    """One entry of a case's history."""

    status: str
    at: datetime
    by: str
    how: str = ""
    note: str = ""
    intent: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Something an operator must look at. Its id follows from what it is about, so it is opened once."""

    case_id: str
    kind: str
    status: CaseStatus
    provider: str
    day: str
    subject: str
    """What it is about: a record's id, or the key of a line."""
    opened_at: datetime
    since: datetime
    purchase_id: str = ""
    said: Mapping[str, str] = field(default_factory=dict)
    """What the bill or the provider says, and what we have (``our_...``)."""
    history: tuple[Turn, ...] = ()
    version: int = 0

    @property
    def due_at(self) -> datetime | None:
        """Return when the current state times out."""
        return CASE.due_at(self.status, self.since)

    @property
    def is_open(self) -> bool:
        """Say whether somebody still has to look."""
        return self.status in (CaseStatus.OPEN, CaseStatus.ESCALATED)

    @property
    def opening(self) -> int:
        """Return how many times it was opened."""
        return 1 + sum(entry.status == CaseStatus.OPEN for entry in self.history)


_PASSING = ("line", "our_status", "at")
"""What may be said otherwise of the same trouble: the line moved in the file, a refund went on since."""


def is_news(known: Case, *, day: str, said: Mapping[str, str]) -> bool:
    """Say whether a closed case must be opened again: it had come to fit, or an operator judged something else.

    What an operator closed stays closed when the same is found again, as in a day that is repeated.
    """
    if known.status is CaseStatus.SETTLED:
        return True

    def lasting(what: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in what.items() if name not in _PASSING}

    return known.day != day or lasting(known.said) != lasting(said)


def case_id(kind: str, provider: str, subject: str) -> str:
    """Return the id of the case about one thing."""
    return ids.derived_id("cas", kind, provider, subject)


def turn(case: Case, cause: CaseCause, entry: Turn) -> Case:
    """Take an edge of the case's table and note it.

    Raises:
        IllegalTransition: if the state does not take the cause.
    """
    status = CASE.next(case.status, cause)
    return replace(case, status=status, since=entry.at, history=(*case.history, replace(entry, status=status.value)))
