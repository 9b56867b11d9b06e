"""How a key is written, what is refused of it, and what may be asked for when one is made. Pure.

``bdk_`` and 62 characters: 24 of the key's id, 32 of the secret (160 bits), 6 of a checksum over all before them. A
scanner of secrets knows it by its form alone, and what was mistyped or cut off is refused without a read.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import zlib
from collections.abc import Iterable
from datetime import timedelta

from chalicelib.auth.domain import Limit
from chalicelib.kernel import ids
from chalicelib.kernel.errors import Forbidden, Unauthenticated

PREFIX = "bdk_"
_ID, _SECRET, _CHECK = 24, 32, 6
SHAPE = re.compile(rf"{PREFIX}[0-9a-hjkmnp-tv-z]{{{_ID + _SECRET + _CHECK}}}")
SECRET_BYTES = 20

DAYS = 90
"""How long a key counts unless its maker says otherwise."""
MOST_DAYS = 365
OVERLAP = timedelta(days=1)
"""How long the secret from before a rotation still counts unless who rotates says otherwise."""
MOST_OVERLAP = timedelta(days=7)
MOST_NETWORKS = 10

GUESSES = Limit("key.network", attempts=100, window_s=600)
"""Keys that open nothing, from one network. One that does is never asked about it."""


class BadKey(Unauthenticated):
    """Not a key of ours, mistyped, revoked or run out: nobody is told which."""

    code = "bad_key"
    en, zh = "This key opens nothing (any more).", "该密钥无效或已失效。"

    def challenge(self) -> str:
        """Return how to do better."""
        return 'Key realm="biandan"'


class PersonNeeded(Unauthenticated):
    """The operation is for people: no key gets in, whatever its scopes."""

    code = "person_needed"
    en, zh = "No key may do this: somebody has to sign in.", "密钥不能进行此操作，请由本人登录后操作。"


class ScopeNeeded(Forbidden):
    """The key is good, for other things."""

    code = "scope_needed"
    en, zh = "This takes a key with the scope {scope}.", "此操作需要具有 {scope} 权限的密钥。"
    shown = ("scope",)


class KeyFromElsewhere(Forbidden):
    """The key is good, from other networks."""

    code = "key_from_elsewhere"
    en, zh = "This key may not be used from this network.", "该密钥不允许在此网络使用。"


def written(key_id: str, secret: bytes) -> str:
    """Return a key as its merchant's system shows it."""
    text = f"{PREFIX}{ids.body(key_id)}{ids.spelled(int.from_bytes(secret), _SECRET * 5)}"
    return text + _checksum(text)


def read(shown: str) -> tuple[str, str]:
    """Return the id of a key and the digest of what was shown.

    Raises:
        BadKey: if nobody was ever given this: its form or its checksum is wrong.
    """
    if not SHAPE.fullmatch(shown) or _checksum(shown[:-_CHECK]) != shown[-_CHECK:]:
        raise BadKey
    return f"key_{shown[len(PREFIX) : len(PREFIX) + _ID]}", digest(shown)


def digest(shown: str) -> str:
    """Return what is kept of a key. Nobody guesses 160 bits, so it need not be a slow one."""
    return hashlib.sha256(shown.encode()).hexdigest()


def _checksum(text: str) -> str:
    return ids.spelled(zlib.crc32(text.encode()) & (1 << _CHECK * 5) - 1, _CHECK * 5)


def network(text: str) -> str | None:
    """Return a network in its normal form; None for what is none, has bits behind its length, or is everywhere."""
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        return None
    return str(found) if found.prefixlen else None


def is_within(source_ip: str, networks: Iterable[str]) -> bool:
    """Say whether an address lies in one of the networks; an IPv4 address in IPv6's clothes is what it is."""
    try:
        address = ipaddress.ip_address(source_ip.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in ipaddress.ip_network(one) for one in networks)
