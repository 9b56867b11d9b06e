"""What every adapter's function ``verify(headers, body)`` shares: recorded requests of any date, in any wrapping.

Recordings come from log lines, test fixtures and other people's tools: headers as a mapping or as pairs, names in any
case, texts or bytes. What authenticates them is the adapter's own ``verify``, the very one that the webhook calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime

from chalicelib.kernel import clock
from chalicelib.payments.ports import Body, Headers, Moment, Notice, lower


def replay(
    verify: Callable[[Mapping[str, str], bytes], Notice], headers: Headers, body: Body, now: Moment | None
) -> Notice:
    """Verify a recorded request as of ``now``; ``None`` is what ``kernel.clock`` says.

    A ``now`` moves the process's one clock for the length of the call: for recordings, not for a server's threads.

    Raises:
        NoticeRefused: one of its subclasses.
        ValueError: for a ``now`` without its zone.
    """
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
    with nullcontext() if now is None else clock.use(clock.Fixed(_moment(now))):
        return verify(lower(dict(_pairs(headers))), raw)


def _moment(now: Moment) -> datetime:
    if not isinstance(now, datetime):
        return datetime.fromtimestamp(now, UTC)
    if now.tzinfo is None:
        raise ValueError("now needs its time zone")
    return now.astimezone(UTC)


def _pairs(headers: Headers) -> Iterable[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        values = value if isinstance(value, (list, tuple)) else [value]
        found.setdefault(_text(name), []).extend(map(_text, values))
    for name, texts in found.items():
        yield name, ",".join(texts)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
