"""Whose request this is: the address that the last hop we trust has seen, by configuration; never what a caller says.

The setting ``BIANDAN_CLIENT_ADDRESS`` says who stands before the gateway:

- ``gateway`` (or nothing): nobody. Who connects to the API is the client, and no header counts.
- ``header:CloudFront-Viewer-Address``: a CDN that writes the viewer's address into this header, over whatever was sent.
- ``forwarded:1``: so many proxies of ours, each of which appends to ``X-Forwarded-For`` whom it talked to.

Behind a CDN every request must carry the origin key (``http``.``origin_key``), which only the CDN knows and adds: one
that went around it could say anything, so it is refused.
"""

from __future__ import annotations

import hmac
import ipaddress
from functools import lru_cache
from typing import Any, NamedTuple

from chalicelib.kernel.errors import Forbidden, Misconfigured
from chalicelib.runtime import secrets
from chalicelib.runtime.config import setting
from chalicelib.runtime.http.headers import Headers

SETTING = "BIANDAN_CLIENT_ADDRESS"
GATEWAY = "gateway"
ORIGIN_KEY_HEADER = "X-Origin-Key"
"""The header in which the CDN shows the key; a CDN replaces one that its viewer sends."""
MOST_HOPS = 5
_WITH_PORT = "cloudfront-viewer-address"
"""CloudFront always adds the port, and writes IPv6 without brackets: ``2001:db8::1:46532``."""


class WentAround(Forbidden):
    """The request did not come through the CDN, or not as this CDN sends it on."""

    code = "went_around"
    en, zh = "Call this address through the shop's own domain.", "请通过商城域名访问。"


class _Rule(NamedTuple):
    header: str
    hops: int
    """How many proxies append to it; 0 for a header that holds the one address."""


def client_of(event: dict[str, Any], headers: Headers, *, signed: bool) -> str:
    """Return the client's address. A ``signed`` request (a provider's notice) need not come through the CDN.

    Raises:
        WentAround: if it must and did not, or the CDN did not say whose it is.
        Misconfigured: if the setting cannot be read, or the key it needs is not there.
    """
    peer = str(((event.get("requestContext") or {}).get("identity") or {}).get("sourceIp") or "")
    rule = _rule(setting(SETTING))
    if rule is None:
        return peer
    if not _shows_key(headers):
        if signed:
            return peer
        raise WentAround
    found = _forwarded(headers, rule, peer) if rule.hops else _named(headers, rule.header)
    if found is None:
        raise WentAround
    return found


def is_behind_cdn() -> bool:
    """Say whether callers reach us through a CDN, at its addresses.

    Raises:
        Misconfigured: as :func:`client_of`.
    """
    return _rule(setting(SETTING)) is not None


@lru_cache(maxsize=4)
def _rule(text: str) -> _Rule | None:
    kind, _, value = text.strip().partition(":")
    if kind in ("", GATEWAY) and not value:
        return None
    if kind == "header" and value.strip() and value.strip().lower() != "x-forwarded-for":
        return _Rule(value.strip().lower(), 0)
    if kind == "forwarded" and value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_HOPS:
        return _Rule("x-forwarded-for", int(value))
    raise Misconfigured(why=f"{SETTING} is neither gateway, header:<name> nor forwarded:<1 to {MOST_HOPS}>")


def _shows_key(headers: Headers) -> bool:
    """Say whether it came through the CDN. While a key is replaced, the one before counts too."""
    name = ORIGIN_KEY_HEADER.lower()
    shown = headers.get(name, "").encode()
    if headers.is_repeated(name) or not shown:
        return False
    known = [secrets.text("http", "origin_key"), secrets.secret("http").get("origin_key_before")]
    fits = [hmac.compare_digest(shown, key.encode()) for key in known if isinstance(key, str) and key]
    return any(fits)


def _named(headers: Headers, name: str) -> str | None:
    """Return the address in a header that a CDN writes itself; twice is what no CDN of ours sends."""
    text = headers.get(name, "").strip()
    if headers.is_repeated(name):
        return None
    return _address(_without_port(text, always=name == _WITH_PORT))


def _forwarded(headers: Headers, rule: _Rule, peer: str) -> str | None:
    """Return what the outermost trusted proxy has seen. The gateway itself appends its peer, which is the innermost."""
    seen = [_address(part.strip()) for part in headers.get(rule.header, "").split(",")]
    if seen[-1] is None or seen[-1] != _address(peer) or len(seen) <= rule.hops:
        return None
    return seen[-1 - rule.hops]


def _without_port(text: str, *, always: bool) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    if always or text.count(":") == 1:
        return text.rpartition(":")[0]
    return text


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
