"""Compares two OpenAPI documents: what of the second breaks a client that was written for the first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.checks.compat.shapes import Comparison, Way, resolved

Json = Mapping[str, Any]

_OPEN_TO_MORE = {"public", "optional"}


def api_breaks(old: Json, new: Json) -> list[str]:
    """Return every break, one sentence each, beginning with the route it is about."""
    found: list[str] = []
    now = {_shape(path): path for path in new["paths"]}
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            here = f"{method.upper()} {path}"
            path_now = now.get(_shape(path), path)
            there = new["paths"].get(path_now, {}).get(method)
            if there is None:
                found.append(f"{here}: the route is gone")
            else:
                found += _Route(old, new, here, path_now).breaks(operation, there)
    gone = _codes(old) - _codes(new)
    return found + [f"the error code `{code}` is gone" for code in sorted(gone)]


def _shape(path: str) -> str:
    """Return the path as a caller sees it: what a parameter is called is ours."""
    return re.sub(r"\{\w+\}", "{}", path)


def _codes(document: Json) -> set[str]:
    return set(document.get("components", {}).get("examples", {}))


class _Route:
    """One route of both documents."""

    def __init__(self, old: Json, new: Json, here: str, path_now: str) -> None:
        self.old, self.new, self.here, self.there = old, new, here, path_now
        self.compare = Comparison(old, new).breaks

    def breaks(self, had: Json, has: Json) -> list[str]:
        return [*self._access(had, has), *self._parameters(had, has), *self._body(had, has), *self._answers(had, has)]

    def _access(self, had: Json, has: Json) -> Iterator[str]:
        before, after = had.get("x-access"), has.get("x-access")
        if before != after and after not in _OPEN_TO_MORE:
            yield f"{self.here}: was for {before}, is for {after}"
        if had.get("operationId") != has.get("operationId"):
            yield f"{self.here}: was called {had.get('operationId')}, is {has.get('operationId')}"

    def _parameters(self, had: Json, has: Json) -> Iterator[str]:
        olds, news = self._named(self.old, had, self.here), self._named(self.new, has, self.there)
        for key, parameter in olds.items():
            where = f"{self.here}: {key[0]} parameter `{key[1]}`"
            if key not in news:
                yield f"{where} is gone"
                continue
            if news[key].get("required") and not parameter.get("required"):
                yield f"{where} must be there now"
            before, after = resolved(self.old, parameter["schema"]), resolved(self.new, news[key]["schema"])
            if before.get("default") != after.get("default"):
                yield f"{where}: default was {before.get('default')}, is {after.get('default')}"
            yield from self.compare(before, after, Way.ASKED, where)
        for key, parameter in news.items():
            if key not in olds and parameter.get("required"):
                yield f"{self.here}: new {key[0]} parameter `{key[1]}` must be there"

    def _named(self, document: Json, operation: Json, path: str) -> dict[tuple[str, str], Json]:
        """Return the parameters by place and name; those in the path by position: what they are called is ours."""
        positions = {name: str(number) for number, name in enumerate(re.findall(r"\{(\w+)\}", path), start=1)}
        found: dict[tuple[str, str], Json] = {}
        for parameter in (resolved(document, part) for part in operation.get("parameters", ())):
            name = str(parameter["name"])
            found[parameter["in"], positions.get(name, name) if parameter["in"] == "path" else name] = parameter
        return found

    def _body(self, had: Json, has: Json) -> Iterator[str]:
        before = resolved(self.old, had.get("requestBody", {}))
        after = resolved(self.new, has.get("requestBody", {}))
        if after.get("required") and not before.get("required"):
            yield f"{self.here}: a body must be there now"
        for kind, content in before.get("content", {}).items():
            if kind not in after.get("content", {}):
                yield f"{self.here}: takes no {kind} any more"
                continue
            yield from self.compare(
                content["schema"], after["content"][kind]["schema"], Way.ASKED, f"{self.here}: body"
            )

    def _answers(self, had: Json, has: Json) -> Iterator[str]:
        for status, response in had.get("responses", {}).items():
            if not status.startswith(("2", "3")):
                continue  # Whether a refusal of a known code still comes is no promise of a route.
            where = f"{self.here}: {status}"
            if status not in has.get("responses", {}):
                yield f"{where} is never answered any more"
                continue
            before, after = resolved(self.old, response), resolved(self.new, has["responses"][status])
            for name in before.get("headers", {}):
                if name not in after.get("headers", {}):
                    yield f"{where}: header {name} is gone"
            yield from self._contents(before.get("content", {}), after.get("content", {}), where)

    def _contents(self, before: Json, after: Json, where: str) -> Iterator[str]:
        for kind, content in before.items():
            if kind not in after:
                yield f"{where}: no {kind} any more"
            else:
                yield from self.compare(content["schema"], after[kind]["schema"], Way.ANSWERED, where)
