"""Which pages of other origins may read our answers (CORS), by the setting ``BIANDAN_ORIGINS``.

Origins by name, separated by commas, or ``*`` alone for every page. Nobody's cookies count here: who calls is said by
the headers ``Authorization`` and ``X-Cart-Token``, which no page gets from a browser by itself. So credentials are
never allowed, ``*`` gives nobody more than a program has, and a browser refuses a page that asks with credentials.

Preflights are answered before a function runs: by the gateway (``infra/cors.py``), on a laptop by
``tools.dev.gateway``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Final

from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime.config import setting

SETTING: Final = "BIANDAN_ORIGINS"
EVERY: Final = "*"
METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
HEADERS: Final = (
    "Accept-Language, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Cart-Token, "
    "X-Merchant-Id, X-Request-Id"
)
EXPOSED: Final = "ETag, Idempotency-Replayed, Location, Retry-After, WWW-Authenticate, X-Request-Id"
KEPT_S: Final = 7_200
"""A browser need not ask again for two hours; longer none keeps it."""
ORIGIN: Final = r"https?://(\[[0-9a-f:]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?"
_ORIGIN: Final = re.compile(ORIGIN)


@lru_cache(maxsize=4)
def parse(text: str) -> frozenset[str]:
    """Return the origins that a setting names.

    Raises:
        Misconfigured: if one is no origin as browsers send it, or ``*`` stands beside others.
    """
    found = frozenset(part.strip() for part in text.split(",") if part.strip())
    if EVERY in found and len(found) > 1:
        raise Misconfigured(why=f"{SETTING} names origins beside *, which are all of them")
    for origin in found - {EVERY}:
        if not _ORIGIN.fullmatch(origin):
            raise Misconfigured(why=f"{SETTING} holds {origin[:80]!r}: an origin is scheme, name and port, no more")
    return found


def allowed(origin: str | None) -> str | None:
    """Return what to answer a page of this origin as allowed; None if it is not.

    Raises:
        Misconfigured: if the setting cannot be read.
    """
    known = parse(setting(SETTING))
    if EVERY in known:
        return EVERY
    return origin if origin is not None and origin in known else None


def add_to(answer: MutableMapping[str, str], origin: str | None) -> None:
    """Add to an answer's headers what lets a page of an allowed origin read it.

    Raises:
        Misconfigured: if the setting cannot be read; the answer stays as it was, for nobody else to read.
    """
    known = parse(setting(SETTING))
    if not known:
        return
    if EVERY not in known:  # Said on every answer: a cache must not give one origin's to another.
        answer["Vary"] = ", ".join(filter(None, (answer.get("Vary"), "Origin")))
    found = allowed(origin)
    if found is not None:
        answer["Access-Control-Allow-Origin"] = found
        answer["Access-Control-Expose-Headers"] = EXPOSED


def preflight(origin: str | None) -> Mapping[str, str]:
    """Return the headers of the answer to a preflight; a page of an origin that is not allowed is told no methods."""
    headers = {"Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
    found = allowed(origin)
    if found is not None:
        headers |= {
            "Access-Control-Allow-Origin": found,
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": str(KEPT_S),
        }
    return headers
