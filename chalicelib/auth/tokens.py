"""Access tokens (EdDSA JWT, RFC 9068 profile) and refresh tokens (opaque). Crypto is imported by the first token."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.auth import passwords
from chalicelib.kernel import base64url, clock, ids
from chalicelib.kernel.errors import Misconfigured, Unauthenticated
from chalicelib.runtime import caches, metrics, secrets
from chalicelib.runtime.config import config
from chalicelib.runtime.http.access import Caller

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    Pairs = tuple[dict[str, Ed25519PrivateKey], dict[str, Ed25519PublicKey]]

LIFE = timedelta(minutes=10)
LEEWAY_S = 5
"""How far the clock that made a token may be ahead of the one that reads it."""
AUDIENCE = "biandan"
ALGORITHM = "EdDSA"
TYPE = "at+jwt"
"""RFC 9068, section 2.1: an access token never passes for another kind of JWT, nor another kind for it."""
LONGEST_TOKEN = 2048
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
REMEMBERED = 2048
"""Verified tokens kept in a process: some 2 MB at most."""

_verified: OrderedDict[str, tuple[float, Caller]] = OrderedDict()
_keys: tuple[Any, Pairs] | None = None


def issuer() -> str:
    """Return the issuer: a token of one stage means nothing in another."""
    return f"biandan/{config().stage}"


# --- keys -------------------------------------------------------------------------------------------------------


def _pairs() -> Pairs:
    """Return private and public keys by id, built anew when the secret was read anew."""
    global _keys
    entries = secrets.secret("auth").get("signing_keys")
    held = _keys
    if held is not None and held[0] is entries:
        return held[1]
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private: dict[str, Ed25519PrivateKey] = {}
    try:
        for entry in entries or ():
            seed = base64.b64decode(entry["seed"], validate=True)
            private[str(entry["kid"])] = Ed25519PrivateKey.from_private_bytes(seed)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise Misconfigured(why="secret auth: signing_keys is not [{kid, seed}] with 32 base64 bytes each") from None
    if not private:
        raise Misconfigured(why="secret auth has no signing_keys")
    public = {kid: key.public_key() for kid, key in private.items()}
    _keys = (entries, (private, public))
    return private, public


def jwks() -> dict[str, list[dict[str, str]]]:
    """Return the public keys as a JWK set (RFC 8037)."""
    _, public = _pairs()
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "use": "sig",
                "alg": ALGORITHM,
                "kid": kid,
                "x": base64url.encode(key.public_bytes_raw()),
            }
            for kid, key in public.items()
        ]
    }


# --- access tokens ----------------------------------------------------------------------------------------------


def access_token(caller: Caller, *, at: datetime | None = None) -> str:
    """Sign an access token for ten minutes with the first key, from ``at`` on: when what it says was read."""
    import jwt

    private, _ = _pairs()
    kid, key = next(iter(private.items()))
    now_s = clock.epoch_s(at or clock.now())
    claims: dict[str, Any] = {
        "iss": issuer(),
        "aud": AUDIENCE,
        "sub": caller.account_id,
        "sid": caller.session_id,
        "roles": sorted(caller.roles),
        "iat": now_s,
        "exp": now_s + int(LIFE.total_seconds()),
    }
    if caller.merchant_id is not None:
        claims["mer"] = caller.merchant_id
    if caller.epoch:
        claims["epo"] = caller.epoch
    if caller.auth_time:
        claims["auth_time"] = caller.auth_time
    if caller.amr:
        claims["amr"] = list(caller.amr)
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid, "typ": TYPE})


def caller_of(token: str) -> Caller:
    """Return who a token speaks for. A token seen before costs a dictionary look-up until it expires.

    Raises:
        Unauthenticated: if it is not ours, not an access token, or not of this moment.
    """
    now_s = clock.now().timestamp()
    remembered = _verified.get(token)
    if remembered is not None and now_s < remembered[0]:
        return remembered[1]
    expires_s, caller = _verify(token, now_s)
    if len(_verified) >= REMEMBERED:
        _verified.popitem(last=False)  # The oldest: it expires first.
    _verified[token] = (expires_s, caller)
    return caller


def _verify(token: str, now_s: float) -> tuple[float, Caller]:
    import jwt

    # Decoders of base64 skip what they do not know: a token has one spelling.
    if len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise Unauthenticated
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") != ALGORITHM or header.get("typ") != TYPE or set(header) != {"alg", "typ", "kid"}:
            raise Unauthenticated
        key = _pairs()[1].get(header["kid"])
        if key is None:
            raise Unauthenticated
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=issuer(),
            # Times are compared below, by our own clock.
            options={
                "require": ["iss", "aud", "exp", "iat", "sub", "sid", "roles"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        # No leeway after its end: ten minutes after a session was ended nobody is in any more.
        expires_s = float(claims["exp"])
        if now_s >= expires_s or float(claims["iat"]) > now_s + LEEWAY_S:
            raise Unauthenticated
        caller = Caller(
            account_id=str(claims["sub"]),
            roles=frozenset(claims["roles"]),
            merchant_id=claims.get("mer"),
            session_id=str(claims["sid"]),
            epoch=int(claims.get("epo", 0)),
            auth_time=int(claims.get("auth_time", 0)),
            amr=tuple(str(method) for method in claims.get("amr", ())),
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        if isinstance(error, jwt.InvalidSignatureError):
            metrics.count("tokens_forged")
        raise Unauthenticated from None
    return expires_s, caller


@caches.register
def forget() -> None:
    """Drop keys and verified tokens."""
    global _keys
    _verified.clear()
    _keys = None


# --- refresh tokens ---------------------------------------------------------------------------------------------

_PREFIX = "bdr1"


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token that carries our tag: issued by us for this session, at some time."""

    account_id: str
    session_id: str
    digest: str
    """All that is ever stored of it."""
    secret: str = field(repr=False)
    """The token itself."""


def new_refresh(account_id: str, session_id: str) -> tuple[str, Refresh]:
    """Return a session's first token, ``bdr1.<account>.<session>.<256 random bits>.<tag>``, and what to keep of it.

    Account and session find the row without an index. The tag (HMAC under a key of its own) tells a token that we
    issued once from an invented one: invented ones are refused without a database call, and nobody who merely knows
    a session's id can end it by "reusing" a token that never was.
    """
    return _refresh(account_id, session_id, ids.random_bytes(32))


def next_refresh(presented: Refresh, salt: str) -> tuple[str, Refresh]:
    """Return the token that follows another one: whoever repeats its use gets the same, though we keep none of them.

    It takes the token, our key and the session's row to work it out; each by itself tells nothing of it.
    """
    made = hmac.new(passwords.keyed("refresh-next"), f"{salt}.{presented.secret}".encode(), hashlib.sha256).digest()
    return _refresh(presented.account_id, presented.session_id, made)


def new_salt() -> str:
    """Return what makes one succession of refresh tokens another one."""
    return base64url.encode(ids.random_bytes(16))


def _refresh(account_id: str, session_id: str, secret: bytes) -> tuple[str, Refresh]:
    body = f"{_PREFIX}.{account_id}.{session_id}.{base64url.encode(secret)}"
    token = f"{body}.{_tag(body)}"
    return token, Refresh(account_id, session_id, _digest(token), token)


def open_refresh(token: str) -> Refresh | None:
    """Return what a token says, or None if we never issued it."""
    body, _, tag = token.rpartition(".")
    parts = body.split(".")
    if len(parts) != 4 or parts[0] != _PREFIX or not token.isascii():
        return None
    if not hmac.compare_digest(_tag(body), tag):
        return None
    return Refresh(parts[1], parts[2], _digest(token), token)


def _tag(body: str) -> str:
    return base64url.encode(hmac.new(passwords.keyed("refresh"), body.encode(), hashlib.sha256).digest()[:16])


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
