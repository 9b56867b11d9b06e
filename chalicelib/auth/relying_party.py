"""Who we are to passkeys (WebAuthn's relying party): the domain they are bound to, the origins that may ask for them.

Both are settings, and strict: a passkey made for one domain works on no other, and what a page of another origin sends
is refused, whatever it signed. What a browser is told to ask for is made here, by hand; answers are checked by a
library (``auth.passkeys.ceremony``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib.kernel.errors import Misconfigured, NotFound
from chalicelib.runtime.config import config, setting

DOMAIN, ORIGINS = "BIANDAN_PASSKEY_DOMAIN", "BIANDAN_PASSKEY_ORIGINS"
NAME = "Biandan"
LOCALHOST = "localhost"
_LOOPBACK = re.compile(r"http://localhost(:[0-9]{1,5})?")
"""A laptop's pages: browsers know no passkeys of addresses in numbers."""


class PasskeysNotOffered(NotFound):
    """This installation has not said for which domain."""

    code = "passkeys_not_offered"
    en, zh = "Passkeys are not offered here.", "此处未提供通行密钥。"
    shown = ()


@dataclass(frozen=True, slots=True)
class Party:
    """A domain, and which pages speak for it."""

    domain: str
    origins: frozenset[str]
    is_local: bool = False

    def has(self, origin: str) -> bool:
        """Say whether a page of this origin may use the domain's passkeys."""
        return origin in self.origins or (self.is_local and _LOOPBACK.fullmatch(origin) is not None)


def is_offered() -> bool:
    """Say whether passkeys are offered here."""
    return bool(setting(DOMAIN)) or config().is_local


def party() -> Party:
    """Return whom passkeys of this installation are for.

    Raises:
        PasskeysNotOffered: if nobody said.
        Misconfigured: if an origin is none of the domain's.
    """
    domain = setting(DOMAIN)
    if not domain:
        if config().is_local:
            return Party(LOCALHOST, frozenset(), is_local=True)
        raise PasskeysNotOffered
    origins = frozenset(part.strip() for part in setting(ORIGINS).split(",") if part.strip())
    if not origins or not all(belongs(origin, domain) for origin in origins):
        raise Misconfigured(why=f"{ORIGINS} has to name origins (https://...) of {DOMAIN} or below it")
    return Party(domain, origins)


def belongs(origin: str, domain: str) -> bool:
    """Say whether an origin is written as browsers write it, and is of this domain or below it."""
    if domain == LOCALHOST:
        return _LOOPBACK.fullmatch(origin) is not None
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme != "https" or origin != f"https://{host}" + (f":{port}" if port and port != 443 else ""):
        return False
    return host == domain or host.endswith(f".{domain}")


def challenge_of(token: str) -> str:
    """Return what a passkey signs for an open step: the random part of its token, as base64url."""
    return token.partition(".")[2]


def asking(token: str, *, verifies: bool, seconds: int) -> dict[str, Any]:
    """Return what ``navigator.credentials.get`` takes, as JSON; the same for everybody: it names no passkey.

    Whoever holds one of this domain may answer, so nobody learns from it who has an account or a passkey.
    """
    return {
        "challenge": challenge_of(token),
        "rpId": party().domain,
        "allowCredentials": [],
        "userVerification": "required" if verifies else "preferred",
        "timeout": seconds * 1000,
    }
