r"""Says who is concerned by a breach, and writes the notices that the law wants, with its clock.

    BIANDAN_STAGE=prod python -m tools.operate.breach --table orders --until 2026-11-29T08:00:00Z \
        --cause '...' --measures '...' --contact '...' --found 2026-11-29T10:00:00Z --into /secure/breach-1
    python -m tools.operate.breach --drill --into /tmp/drill        a shop in memory, with people in it

What was taken is named by ``--table`` (a table as it lay there), ``--objects`` (a prefix of the private bucket),
``--accounts`` (a file with an account a line: only these persons), ``--from`` and ``--until`` (only what was written
between: a row counts if one of its times is, or it has none). Which kinds of values that concerns is read from the
inventory; a kind counts for a person whose row holds something of it: looking takes the key of rows. ``--keys-safe``
says that what was sealed stays closed.

Written are ``authority.<zh|en>.md``, ``person-<n>.<zh|en>.md`` for each wording, ``concerned.csv`` (account, wording,
kinds; no contact), and ``clock.json``. Nothing is sent. The folder holds who is concerned: keep it as what it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from chalicelib.complaints import service as complaints
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.privacy.inventory import Holding, Text, matching
from chalicelib.runtime import aws, names
from chalicelib.runtime.config import config
from chalicelib.runtime.db.rows import Row
from tools.operate import breach_texts as texts
from tools.operate.erasure_scan import rows_of
from tools.shared import leaves, place

Raw = dict[str, Any]
SUBJECTS = ("account_id", "buyer_id", "owner_id", "holder")
"""Attributes that say whose row it is."""
LANGUAGES = ("zh", "en")
NOTHING: tuple[Any, ...] = (None, "", (), [], {}, 0, False, (Role.BUYER,))
"""What leaves hold that says nothing of their person; that somebody buys is no office."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What was taken."""

    tables: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    accounts: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    keys_safe: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """What somebody has to say of it."""

    found: datetime
    cause: str
    measures: str
    contact: str


@dataclass(slots=True)
class Concerned:
    """Who is concerned, by which kinds, and how much names nobody."""

    persons: dict[str, set[str]] = field(default_factory=dict)
    nobodys: int = 0

    def add(self, account_id: str | None, kinds: Iterable[str]) -> None:
        """Count one row or object."""
        found = set(kinds)
        if account_id is None:
            self.nobodys += bool(found)
        elif found:
            self.persons.setdefault(account_id, set()).update(found)

    def wordings(self) -> list[frozenset[str]]:
        """Return the different sets of kinds, the commonest first: everybody with one gets the same words."""
        sets = [frozenset(kinds) for kinds in self.persons.values()]
        return sorted(set(sets), key=lambda kinds: (-sets.count(kinds), sorted(kinds)))


def concerned(scope: Scope) -> Concerned:
    """Look at all that was taken."""
    found = Concerned()
    owners: dict[str, str | None] = {}
    for table in scope.tables:
        models = [model for of, model in leaves.models() if of == table]
        for raw in rows_of(names.table_name(table), None):
            account_id = _subject(raw, owners)
            if _was_taken(raw, scope) and _counts(account_id, scope):
                found.add(account_id, _kinds_of_row(table, models, raw))
    for prefix in scope.objects:
        kinds = [one.name for one in HOLDINGS for place in one.places if _is_in_bucket(place, prefix)]
        for key in _keys(prefix):
            account_id = _owner_of_key(key)
            if _counts(account_id, scope):
                found.add(account_id, kinds)
    return found


def _counts(account_id: str | None, scope: Scope) -> bool:
    return scope.accounts is None or account_id in scope.accounts


def _was_taken(raw: Raw, scope: Scope) -> bool:
    times = [int(value["N"]) for name, value in raw.items() if name.endswith("_ms") and "N" in value]
    since = clock.epoch_ms(scope.since) if scope.since else 0
    until = clock.epoch_ms(scope.until) if scope.until else 1 << 62
    return not times or any(since <= at <= until for at in times)


def _subject(raw: Raw, owners: dict[str, str | None]) -> str | None:
    for name in SUBJECTS:
        value = raw.get(name, {}).get("S", "")
        if ids.is_id("acc", value):
            return str(value)
    for name in ("purchase_id", "order_id"):
        value = raw.get(name, {}).get("S", "")
        if value.startswith(("pur_", "ord_")):
            purchase_id = ids.parent_id("pur", value) if value.startswith("ord_") else value
            if purchase_id not in owners:
                owners[purchase_id] = _buyer_of(purchase_id)
            return owners[purchase_id]
    return None


def _buyer_of(purchase_id: str) -> str | None:
    try:
        return orders.load_purchase(purchase_id).buyer_id
    except NotFound:
        return None


def _kinds_of_row(table: str, models: list[type[Row]], raw: Raw) -> set[str]:
    """Return the kinds that a row has: of each model it can be, the holdings of the leaves that hold something."""
    found = set()
    for model in models:
        attributes = {attribute.attr_name: attribute for attribute in model.get_attributes().values()}
        needed = {name for name, attribute in attributes.items() if not attribute.null and attribute.default is None}
        if needed <= set(raw) <= set(attributes):
            for path in _filled(model.from_raw_data(raw)):
                found |= {one.name for one in matching(f"{table}/{model.__name__}.{path}", HOLDINGS)}
    return found


def _filled(row: Row) -> Iterator[str]:
    """Yield the leaves of a row that hold something, opened where they are sealed."""
    for name in row.get_attributes():
        value = row.unopened(name)() if name in row.attribute_values else None
        yield from _leaves(name, value)


def _leaves(path: str, value: Any) -> Iterator[str]:
    if value in NOTHING:
        return
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield from _leaves(f"{path}.{one.name}", getattr(value, one.name))
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _leaves(f"{path}.{name}", getattr(value, name))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from _leaves(path, one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(path, one)
    else:
        yield path


def _is_in_bucket(declared: str, prefix: str) -> bool:
    stands = declared.removeprefix("bucket:")
    return declared.startswith("bucket:") and (stands.startswith(prefix) or prefix.startswith(stands))


def _keys(prefix: str) -> Iterator[str]:
    after = ""
    while True:
        wanted = {"Bucket": config().bucket, "Prefix": prefix, **({"StartAfter": after} if after else {})}
        page = aws.call("s3", "ListObjectsV2", wanted)
        for one in page.get("Contents", ()):
            after = one["Key"]
            yield after
        if not page.get("IsTruncated"):
            return


def _owner_of_key(key: str) -> str | None:
    for part in key.split("/"):
        if ids.is_id("acc", part):
            return part
        if ids.is_id("arc", part):
            return f"acc_{ids.body(part)}"
        if ids.is_id("cmp", part):
            try:
                return complaints.parties(part).buyer_id
            except NotFound:
                return None
    return None


# --- the notices ------------------------------------------------------------------------------------------------------


def written(found: Concerned, scope: Scope, story: Story) -> dict[str, str]:
    """Return the files, by name."""
    wordings = found.wordings()
    every = frozenset(kind for kinds in found.persons.values() for kind in kinds)
    closed = scope.keys_safe and bool(every) and all(one.sealed for one in _holdings(every))
    files = {f"authority.{one}.md": _authority(found, every, scope, story, one, closed=closed) for one in LANGUAGES}
    if not closed:
        for number, kinds in enumerate(wordings, 1):
            for language in LANGUAGES:
                files[f"person-{number}.{language}.md"] = _said(texts.PERSON, kinds, story, language)
    files["concerned.csv"] = _list(found, wordings)
    files["clock.json"] = json.dumps(_clock(found, story), indent=1) + "\n"
    return files


def _holdings(kinds: Iterable[str]) -> list[Holding]:
    wanted = set(kinds)
    return [holding for holding in HOLDINGS if holding.name in wanted]


def _authority(
    found: Concerned, kinds: frozenset[str], scope: Scope, story: Story, language: str, *, closed: bool
) -> str:
    count = len(found.persons)
    sealed = [one for one in _holdings(kinds) if one.sealed] if scope.keys_safe else []
    telling = texts.NOT_TOLD.said(language) if closed else texts.TOLD.said(language).format(count=len(found.wordings()))
    return _said(
        texts.AUTHORITY,
        kinds,
        story,
        language,
        persons=str(count),
        larger=texts.LARGER.said(language) if count >= texts.LARGER_FROM else "",
        nobodys=str(found.nobodys),
        sensitive=_words([one.words for one in _holdings(kinds) if one.sensitive], language),
        sealed=_words([one.words for one in sealed], language),
        telling=telling,
    )


def _said(template: Text, kinds: frozenset[str], story: Story, language: str, **more: str) -> str:
    harms = [harm for concerned, harm in texts.HARMS if concerned & kinds]
    advice = [words for concerned, words in texts.ADVICE if concerned & kinds]
    return template.said(language).format(
        found=_moment(story.found),
        cause=story.cause,
        measures=story.measures,
        contact=story.contact,
        kinds=_words([one.words for one in _holdings(kinds)], language),
        harms=_words(harms or [texts.OTHER_HARM], language),
        advice=" ".join(words.said(language) for words in advice or [texts.OTHER_ADVICE]),
        first=_moment(story.found + texts.FIRST_REPORT),
        critical=_moment(story.found + texts.CRITICAL_REPORT),
        days=str(texts.CLOSING_REPORT.days),
        closing=_moment(story.found + texts.CLOSING_REPORT),
        **more,
    )


def _words(parts: list[Text], language: str) -> str:
    return ("; " if language == "en" else "；").join(part.said(language) for part in parts) or texts.NONE.said(language)


def _moment(at: datetime) -> str:
    return at.astimezone(clock.CHINA).strftime("%Y-%m-%d %H:%M (UTC+8)")


def _list(found: Concerned, wordings: list[frozenset[str]]) -> str:
    numbers = {kinds: number for number, kinds in enumerate(wordings, 1)}
    lines = ["account,wording,kinds"]
    for account_id, kinds in sorted(found.persons.items()):
        lines.append(f"{account_id},{numbers[frozenset(kinds)]},{' '.join(sorted(kinds))}")
    return "\n".join(lines) + "\n"


def _clock(found: Concerned, story: Story) -> dict[str, str | int]:
    return {
        "found_at": story.found.isoformat(),
        "persons": len(found.persons),
        "first_report_until": (story.found + texts.FIRST_REPORT).isoformat(),
        "first_report_of_critical_infrastructure_until": (story.found + texts.CRITICAL_REPORT).isoformat(),
        "persons_told": "at once",
        "closing_report_within_days_of_closing": texts.CLOSING_REPORT.days,
    }


def keep(files: dict[str, str], into: Path) -> None:
    """Write the files into a folder that only its owner reads."""
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in files.items():
        place_of = os.open(into / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(place_of, "w", encoding="utf-8") as file:
            file.write(text)


# --- the command ------------------------------------------------------------------------------------------------------


def drill(into: Path, *, persons: int = 6) -> Concerned:
    """Play it over a shop in memory: its table of purchases was copied, and so were the files of complaints."""
    from tools.bench import erasure as trial

    with trial.world() as lab:
        trial.settle(lab, persons)
        scope = Scope(tables=("accounts", "orders"), objects=("evidence/kept/",))
        story = Story(
            found=clock.now(),
            cause="drill: a copy of the tables was readable from outside / 演练：数据表副本可被外部读取",
            measures="drill: access closed, keys renewed / 演练：已关闭访问并轮换密钥",
            contact="privacy@example.com",
        )
        found = concerned(scope)
        keep(written(found, scope, story), into)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write the notices from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--drill", action="store_true")
    parser.add_argument("--table", action="append", default=[])
    parser.add_argument("--objects", action="append", default=[], metavar="PREFIX")
    parser.add_argument("--accounts", type=Path)
    parser.add_argument("--from", dest="since", type=_time)
    parser.add_argument("--until", type=_time)
    parser.add_argument("--keys-safe", action="store_true")
    parser.add_argument("--found", type=_time)
    for name in ("cause", "measures", "contact"):
        parser.add_argument(f"--{name}", default="")
    options = parser.parse_args(arguments)
    if options.drill:
        from tools.dev.server import log_to
        from tools.sim.__main__ import environment

        log_to(None)
        environment()
        os.environ["AWS_ACCESS_KEY_ID"] = "0"  # By which the pump tells accounts apart.
        return _told(drill(options.into), options.into)
    if not (options.table or options.objects):
        parser.error("say what was taken: --table or --objects")
    if not (options.cause and options.measures and options.contact):
        parser.error("the law wants to know --cause, --measures and --contact")
    try:
        print(place.settle(), file=sys.stderr)
    except place.Nowhere as error:
        print(f"breach: {error}", file=sys.stderr)
        return 2
    scope = Scope(
        tuple(options.table),
        tuple(options.objects),
        frozenset(options.accounts.read_text(encoding="utf-8").split()) if options.accounts else None,
        options.since,
        options.until,
        options.keys_safe,
    )
    story = Story(options.found or clock.now(), options.cause, options.measures, options.contact)
    found = concerned(scope)
    keep(written(found, scope, story), options.into)
    return _told(found, options.into)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _told(found: Concerned, into: Path) -> int:
    print(f"{len(found.persons)} persons, {len(found.wordings())} wordings; rows that name nobody: {found.nobodys}")
    print(f"written into {into}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
