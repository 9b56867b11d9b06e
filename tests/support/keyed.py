"""Merchants' own systems for tests: keys made at the use case, and calls that show one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from chalicelib.auth.keys import service as keys
from chalicelib.auth.keys.service import SCOPES, Key, Wanted
from chalicelib.runtime.intents import system_intent
from tests.support import people
from tests.support.http import Answer, call


def key(
    merchant_id: str,
    *scopes: str,
    by: str = "",
    lasts: timedelta = timedelta(days=1),
    networks: tuple[str, ...] = (),
) -> tuple[Key, str]:
    """Make a key with these scopes, or with all; returns it and what is shown."""
    wanted = Wanted("Stock system", scopes or SCOPES, lasts, networks)
    maker = by or people.staff(merchant_id).account_id
    made, shown = keys.make(merchant_id, wanted, by=maker, intent=system_intent(uuid4().hex))
    assert shown is not None
    return made, shown


def header(shown: str) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"authorization": f"Key {shown}"}


def ask(shown: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """Make one call by a key."""
    return call(method, path, body, headers={**headers, **header(shown)})
