"""Cursors of lists: opaque, signed, bound to the query (and caller) they were given out for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from chalicelib.kernel import base64url
from chalicelib.kernel.errors import Invalid
from chalicelib.kernel.pages import Window
from chalicelib.runtime import secrets


class BadCursor(Invalid):
    """The cursor was changed, or belongs to another query."""

    code, status = "bad_cursor", 422
    en, zh = "This cursor does not belong to this list.", "分页游标无效或不属于此列表。"


def _mac(payload: bytes, query: str) -> bytes:
    key = secrets.text("http", "cursor_key").encode()
    return hmac.new(key, payload + b"\n" + query.encode(), hashlib.sha256).digest()[:16]


def window(limit: int, cursor: str | None, *, query: str) -> Window:
    """Return what a caller asks of the list that ``query`` describes.

    Raises:
        BadCursor: if the cursor was not given out by us for this query.
    """
    place = unseal(cursor, query=query)
    if place is not None and not isinstance(place, dict):  # Given out by a release before, whose places stood bare.
        place = {"at": place}
    return Window(limit, place)


def seal(place: Any, *, query: str) -> str | None:
    """Return the cursor after a place of the list that ``query`` describes; None where the list is at its end."""
    if place is None:
        return None
    payload = json.dumps(place, separators=(",", ":"), sort_keys=True).encode()
    return base64url.encode(_mac(payload, query) + payload)


def unseal(cursor: str | None, *, query: str) -> Any:
    """Return the key to go on from; None for no cursor.

    Raises:
        BadCursor: if it was not given out by us for this query.
    """
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    mac, payload = raw[:16], raw[16:]
    if not hmac.compare_digest(mac, _mac(payload, query)):
        raise BadCursor
    return json.loads(payload)
