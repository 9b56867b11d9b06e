"""What the hubs' formats have in common: forms read as bytes, and times of China."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes, urlencode

from chalicelib.kernel.clock import CHINA
from chalicelib.logistics.ports import UnreadablePush

MAX_FIELDS = 20
FORM = "application/x-www-form-urlencoded"


def encode(fields: Mapping[str, str]) -> bytes:
    """Return the fields as a form."""
    return urlencode(fields).encode()


def decode(body: bytes) -> dict[str, bytes]:
    """Read a form into the exact bytes of its values: a signature covers those, not our reading of them.

    Raises:
        UnreadablePush: if a field is there twice (which one was signed?), or there are too many.
    """
    pairs = [pair for pair in body.split(b"&") if pair]
    if len(pairs) > MAX_FIELDS:
        raise UnreadablePush(why="too many fields")
    fields: dict[str, bytes] = {}
    for pair in pairs:
        raw_name, _, value = pair.partition(b"=")
        name = unquote_to_bytes(raw_name.replace(b"+", b" ")).decode("utf-8", "replace")
        if name in fields:
            raise UnreadablePush(why="a field is there twice")
        fields[name] = unquote_to_bytes(value.replace(b"+", b" "))
    return fields


def china_time(text: object) -> datetime | None:
    """Read a time, to the second; without a zone it is China's. None for what is no time."""
    if not isinstance(text, str) or not 8 <= len(text) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(text.strip().replace("/", "-")).replace(microsecond=0)
        return (moment if moment.tzinfo else moment.replace(tzinfo=CHINA)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
