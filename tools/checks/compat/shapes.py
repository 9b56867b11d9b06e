"""Compares two JSON schemas: what of the second breaks whoever was built against the first.

Which way the value goes decides. What is **asked** (a request) may become wider, never narrower. What is **answered**
may gain fields and lose none; new words of an enumeration are announced as such and break nobody. What is **kept** (a
row, an event on its way) is read by the release before and the one after: it may only gain fields that have a default.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]

_UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_FORMS = ("pattern", "format")


class Way(StrEnum):
    """Which way a value goes, from the shop's side."""

    ASKED = "asked"
    ANSWERED = "answered"
    KEPT = "kept"


@dataclass(frozen=True)
class Comparison:
    """Two documents whose schemas refer to parts of their own."""

    old: Json
    new: Json
    _under_way: set[tuple[int, int, Way]] = field(default_factory=set)

    def breaks(self, old: Json, new: Json, way: Way, where: str) -> list[str]:
        """Return what breaks at ``where``, one sentence each."""
        old, new = resolved(self.old, old), resolved(self.new, new)
        pair = (id(old), id(new), way)
        if pair in self._under_way:
            return []  # A schema that holds itself: the outer comparison says what there is to say.
        self._under_way.add(pair)
        try:
            return self._alternatives(old, new, way, where)
        finally:
            self._under_way.discard(pair)

    def _alternatives(self, old: Json, new: Json, way: Way, where: str) -> list[str]:
        olds, news = alternatives(self.old, old), alternatives(self.new, new)
        if len(olds) == len(news) == 1:
            return list(self._one(olds[0], news[0], way, where))
        found: list[str] = []
        if way is not Way.ANSWERED:
            for mine in olds:
                found += self._best(mine, [(mine, theirs) for theirs in news], way, where, "takes no {} any more")
        if way is Way.ANSWERED:
            for theirs in news:
                found += self._best(theirs, [(mine, theirs) for mine in olds], way, where, "may be {} now")
        if way is Way.KEPT:
            kinds = {_kind(mine) for mine in olds}
            found += [f"{where}: may be {_kind(theirs)} now" for theirs in news if _kind(theirs) not in kinds]
        return found

    def _best(self, wanted: Json, pairs: list[tuple[Json, Json]], way: Way, where: str, none: str) -> list[str]:
        """Return nothing if any pair fits, else what is wrong with the pair that is nearest."""
        answers = []
        for mine, theirs in pairs:
            answer = list(self._one(mine, theirs, way, where))
            if not answer:
                return []
            if _kind(mine) == _kind(theirs):
                answers.append(answer)
        return min(answers, key=len) if answers else [f"{where}: {none.format(_kind(wanted))}"]

    def _one(self, old: Json, new: Json, way: Way, where: str) -> Iterator[str]:
        if _retyped(old.get("type"), new.get("type"), way):
            yield f"{where}: was {_kind(old)}, is {_kind(new)}"
            return
        yield from _words(old, new, way, where)
        if way is not Way.ANSWERED:
            yield from _bounds(old, new, where)
        for form in _FORMS:
            looser = way is Way.ASKED and form not in new
            unsaid = way is Way.ANSWERED and (form == "pattern" or form not in old)
            if old.get(form) != new.get(form) and not looser and not unsaid:
                yield f"{where}: {form} was {old.get(form)}, is {new.get(form)}"
        yield from self._members(old, new, way, where)
        yield from self._items(old, new, way, where)

    def _members(self, old: Json, new: Json, way: Way, where: str) -> Iterator[str]:
        had, has = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        open_still = way is Way.ASKED and new.get("additionalProperties", True) is not False
        for name in had:
            if name not in has and not open_still:
                yield f"{where}: `{name}` is gone"
            elif name in has:
                yield from self.breaks(had[name], has[name], way, f"{where}.{name}")
                if way is not Way.ANSWERED and name in needs - needed:
                    yield f"{where}: `{name}` must be there now"
                if way is not Way.ASKED and name in needed - needs:
                    yield f"{where}: `{name}` may be missing now"
        if way is not Way.ANSWERED:
            yield from (f"{where}: new `{name}` must be there" for name in has if name in needs and name not in had)
        yield from self._others(
            old.get("additionalProperties", True), new.get("additionalProperties", True), way, where
        )

    def _others(self, old: Any, new: Any, way: Way, where: str) -> Iterator[str]:
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self.breaks(old, new, way, f"{where}.*")
        elif way is Way.ASKED and old is not False and new is False:
            yield f"{where}: takes no other fields any more"

    def _items(self, old: Json, new: Json, way: Way, where: str) -> Iterator[str]:
        had, has = old.get("prefixItems", []), new.get("prefixItems", [])
        names, renamed = old.get("x-fields", []), new.get("x-fields", [])
        if renamed[: len(names)] != names:
            yield f"{where}: positions were {', '.join(names)}, are {', '.join(renamed)}"
        elif len(has) < len(had):
            yield f"{where}: had {len(had)} positions, has {len(has)}"
        else:
            for number, (mine, theirs) in enumerate(zip(had, has, strict=False)):
                yield from self.breaks(mine, theirs, way, f"{where}[{names[number] if names else number}]")
        if isinstance(old.get("items"), Mapping) and isinstance(new.get("items"), Mapping):
            yield from self.breaks(old["items"], new["items"], way, f"{where}[]")


def resolved(document: Json, schema: Json) -> Json:
    """Follow a reference within the document."""
    while "$ref" in schema:
        found: Any = document
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def alternatives(document: Json, schema: Json) -> list[Json]:
    """Return the schemas of which a value fits one."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return [found for part in schema[key] for found in alternatives(document, resolved(document, part))]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": kind} for kind in schema["type"]]
    return [schema]


def _kind(schema: Json) -> str:
    if "const" in schema:
        return repr(schema["const"])
    return str(schema.get("type", "anything"))


def _retyped(old: Any, new: Any, way: Way) -> bool:
    if old == new:
        return False
    wider = {Way.ASKED: new is None or (old, new) == ("integer", "number")}
    narrower = {Way.ANSWERED: old is None or (old, new) == ("number", "integer")}
    return not (wider.get(way, False) or narrower.get(way, False))


def _words(old: Json, new: Json, way: Way, where: str) -> Iterator[str]:
    """Return what is wrong with the words that a value may be."""
    had, has = _listed(old), _listed(new)
    if had is None and has is not None and way is not Way.ANSWERED:
        yield f"{where}: takes only {', '.join(map(repr, has))} now"
    elif had is not None and has is not None:
        yield from (f"{where}: {word!r} is gone" for word in had if word not in has)


def _listed(schema: Json) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _bounds(old: Json, new: Json, where: str) -> Iterator[str]:
    for name in _UPPER:
        if name in new and new[name] < old.get(name, math.inf):
            yield f"{where}: {name} was {old.get(name, 'not bounded')}, is {new[name]}"
    for name in _LOWER:
        nothing = -math.inf if name in {"minimum", "exclusiveMinimum"} else 0
        if name in new and new[name] > old.get(name, nothing):
            yield f"{where}: {name} was {old.get(name, 'not bounded')}, is {new[name]}"
