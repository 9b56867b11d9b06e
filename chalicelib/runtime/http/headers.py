"""Request headers as API Gateway hands them over, with what was sent twice."""

from __future__ import annotations

from typing import Any

from chalicelib.kernel.errors import Unauthenticated

NOSNIFF = {"X-Content-Type-Options": "nosniff"}
"""On every answer: a browser takes it for what its content type says, whatever its bytes look like."""


_KEPT = "biandan.headers"


class Headers(dict[str, str]):
    """Values by name in lower case. One that came several times is the list of them (RFC 9110, section 5.2).

    That is right for lists such as ``Accept-Language``; of a field that has one value, an Idempotency-Key say, the
    list is no value at all, so its reader refuses it instead of choosing one.
    """

    def __init__(self, values: dict[str, list[str]]) -> None:
        super().__init__({name: ", ".join(found) for name, found in values.items()})
        self._repeated = {name for name, found in values.items() if len(found) > 1}

    def is_repeated(self, name: str) -> bool:
        """Say whether a header came several times."""
        return name in self._repeated

    def only(self, name: str) -> str | None:
        """Return a value that must stand alone, or None if the header is not there.

        Raises:
            Unauthenticated: if it was sent more than once. Each reader on the way may take another one: none counts.
        """
        if name in self._repeated:
            raise Unauthenticated
        return self.get(name)


def headers_of(event: dict[str, Any]) -> Headers:
    """Return the headers of a proxy event. ``multiValueHeaders`` holds each value, ``headers`` only the last.

    They are read once and kept in the event: a request is asked for them three times.
    """
    kept = event.get(_KEPT)
    if isinstance(kept, Headers):
        return kept
    values: dict[str, list[str]] = {}
    for name, found in (event.get("multiValueHeaders") or {}).items():
        values.setdefault(name.lower(), []).extend(str(value) for value in found)
    for name, value in (event.get("headers") or {}).items():
        if str(value) not in values.setdefault(name.lower(), []):
            values[name.lower()].append(str(value))
    read = event[_KEPT] = Headers(values)
    return read
