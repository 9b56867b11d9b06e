"""What an act changes, before and after: read off its unit of work, without secrets and without what belongs to people.

A value is shown only if it cannot belong to anybody: whole numbers and flags, our own ids, times, and words out of
lists of ours (:data:`WORDS`). Of all others it is said that they changed, no more; so of what is sealed. What the act
itself read is the image before; a row that it did not read is read once more, at the version that the act replaces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from chalicelib.kernel import ids
from chalicelib.oversight.domain import Change
from chalicelib.runtime import names
from chalicelib.runtime.db import reads, witness
from chalicelib.runtime.db.work import Draft

MOST: Final = 24
"""Of one act so many changes are kept; what is left out is counted."""
LONGEST: Final = 60
HIDDEN: Final = "*"
"""Stands for a value that is not shown."""
CREATED: Final = "created"
DELETED: Final = "deleted"
_MACHINERY: Final = re.compile(
    r"(^|\.)(version|events|event_version|due_shard|parked|intent|token|fingerprints?)$|^events\."
)
"""How rows are kept; facts that ride in a row until they are told say again what its own fields say."""
_TELLING: Final = re.compile(
    r"phone|email|birth|\bage\b|gender|sex|latitude|longitude|geo|\bip\b|device|card|code|secret|password|hash|seed|salt"
    r"|key|pepper|note|text|name|person|contact|counter"
)
"""Names under which even a number or an id is not shown."""
WORDS: Final = frozenset(
    {
        "status",
        "kind",
        "currency",
        "provider",
        "role",
        "roles",
        "post",
        "posts",
        "desk",
        "desks",
        "how",
        "decision",
        "attention",
        "resolved",
        "origin",
        "second_factor",
        "stock",
        "what",
        "day",
    }
)
"""Names under which words stand that are ours."""
_WORD: Final = re.compile(r"[a-z][a-z0-9_.-]{0,39}\Z|[A-Z]{3}\Z")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T[0-9:.]+Z?)?\Z")
Item = Mapping[str, Any]


def of(drafts: list[Draft]) -> list[Change]:
    """Return what drafts change, in their order; of very many the first, and how many more."""
    found = [change for draft in drafts for change in _of_draft(draft)]
    if len(found) > MOST:
        return [*found[:MOST], Change("more", None, str(len(found) - MOST))]
    return found


def _of_draft(draft: Draft) -> Iterator[Change]:
    record = _record(draft)
    if draft.deletes:
        yield Change(record, DELETED, None)
    elif draft.item is None:
        for name in draft.attributes:
            if not _MACHINERY.search(name):
                yield Change(f"{record}.{name}", HIDDEN, HIDDEN)
    elif draft.item["version"]["N"] == "1":
        yield Change(record, None, CREATED)
        yield from _shown_only(record, _leaves(draft.item))
    else:
        yield from _differences(record, _leaves(_before(draft)), _leaves(draft.item))


def _before(draft: Draft) -> Item:
    """Return the row that a draft replaces, which the store lets it do only at this version."""
    replaced = str(int(draft.item["version"]["N"]) - 1) if draft.item else ""
    hash_key, range_key = _keys(draft)
    read = witness.read_before((draft.table, hash_key, range_key))
    if read is not None and read.get("version", {}).get("N") == replaced:
        return read
    return reads.get_by_key(draft.table, draft.key) or {}


def _keys(draft: Draft) -> tuple[str, str | None]:
    values = [str(next(iter(value.values()))) for value in draft.key.values()]
    return values[0], values[1] if len(values) > 1 else None


def _record(draft: Draft) -> str:
    table = names.table_of(draft.table)
    for key in reversed([key for key in _keys(draft) if key is not None]):
        if _is_ours(key):
            return f"{table}/{key}"
    return table


def _is_ours(text: str) -> bool:
    prefix = text.partition("_")[0]
    return len(prefix) == 3 and (ids.is_id(prefix, text) or text.startswith(("shp_", "req_")))


def _leaves(item: Item) -> dict[str, Any]:
    """Return the values of a row by their paths: documents are opened, lists keep their elements whole."""
    found: dict[str, Any] = {}
    for name, value in item.items():
        ((kind, raw),) = value.items()
        if kind == "S" and raw[:1] in "{[" and raw:
            found.update(_opened(name, raw))
        else:
            found[name] = int(raw) if kind == "N" and raw.lstrip("-").isdigit() else _plain(kind, raw)
    return {path: value for path, value in found.items() if not _MACHINERY.search(path)}


def _plain(kind: str, raw: Any) -> Any:
    return raw if kind in ("S", "BOOL") else (kind, str(raw))


def _opened(name: str, raw: str) -> Iterator[tuple[str, Any]]:
    try:
        document = json.loads(raw)
    except ValueError:
        yield name, raw
        return
    yield from _walk(name, document)


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(f"{path}.{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk(f"{path}.{number}", inner)
    else:
        yield path, value


def _differences(record: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    for path in dict.fromkeys((*after, *before)):
        was, now = before.get(path), after.get(path)
        if was != now or (path in before) is not (path in after):
            yield Change(f"{record}.{path}", _shown(path, was), _shown(path, now))


def _shown_only(record: str, after: dict[str, Any]) -> Iterator[Change]:
    """Yield of a new row what may be shown of it: that the rest is new goes without saying."""
    for path, value in after.items():
        shown = _shown(path, value)
        if shown not in (None, HIDDEN) and (_leaf(path) in WORDS or "minor" in path):
            yield Change(f"{record}.{path}", None, shown)


def _leaf(path: str) -> str:
    """Return the name that a value goes by: of an element of a list, the list's."""
    return next((part for part in reversed(path.split(".")) if not part.isdigit()), path)


def _shown(path: str, value: Any) -> str | None:
    """Return a value as it may be shown."""
    if value is None:
        return None
    return str(value)[:LONGEST] if may_show(path, value) else HIDDEN


def may_show(path: str, value: Any) -> bool:
    """Say whether a value under this path cannot belong to anybody."""
    leaf = _leaf(path)
    if _TELLING.search(leaf) or path.startswith("links."):  # By what somebody signs in elsewhere is theirs alone.
        return False
    if isinstance(value, (bool, int)):
        return True
    if not isinstance(value, str):
        return False
    return _is_ours(value) or bool(_DAY.match(value)) or (leaf in WORDS and bool(_WORD.match(value)))
