"""How strong a password is, and Argon2id over a peppered one. Both libraries are imported by the first password."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import cache
from typing import TYPE_CHECKING

from chalicelib.auth import domain
from chalicelib.auth.domain import Identity, WeakPassword
from chalicelib.kernel import ids
from chalicelib.runtime import secrets

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
"""OWASP Password Storage Cheat Sheet, Argon2id: m=19 MiB, t=2, p=1. Lambda has no cores to spare for lanes."""


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${_b64(bytes(16))}${_b64(bytes(32))}"
"""Verifying against this costs what a real hash costs, and never succeeds: what an unknown identity is given."""


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, hash_len=32, salt_len=16)


STRONG = 3
"""Of 0 to 4: more than 10**8 guesses, by zxcvbn's lists of passwords, words, names and patterns."""
JUDGED_CHARACTERS = 64
"""What is looked at: the time it takes grows faster than the length (40 ms for 64 random ones)."""


def chosen(text: str, *, of: Identity | None = None, inputs: tuple[str, ...] = ()) -> str:
    """Return a new password as it is hashed. ``inputs`` are words that a guesser of this person tries first.

    Raises:
        WeakPassword: if it is too short, too long or too easily guessed.
    """
    folded = domain.password(text, of=of)
    from zxcvbn import zxcvbn

    named = [part for one in (*inputs, of.value if of else "") for part in _words(one)]
    if zxcvbn(folded[:JUDGED_CHARACTERS], user_inputs=named)["score"] < STRONG:
        raise WeakPassword
    return folded


def _words(text: str) -> list[str]:
    """Return what people make passwords of: a name itself, and a mailbox's or number's parts."""
    local = text.split("@", maxsplit=1)[0]
    return [part for part in (text, local, text.lstrip("+"), text.removeprefix("+86")) if part]


def _peppered(password: str) -> bytes:
    """Return what is hashed: 32 bytes however long the password, useless without the pepper if the table leaks."""
    return hmac.new(keyed("password"), password.encode(), hashlib.sha256).digest()


def keyed(purpose: str) -> bytes:
    """Return the key of one purpose, derived from the pepper."""
    return hmac.new(secrets.text("auth", "pepper").encode(), purpose.encode(), hashlib.sha256).digest()


def hashed(password: str) -> str:
    """Return the encoded Argon2id hash (28 ms and 19 MiB on purpose)."""
    return str(_hasher().hash(_peppered(password), salt=ids.random_bytes(16)))


def matches(encoded: str, password: str) -> bool:
    """Say whether the password has this hash."""
    from argon2.exceptions import VerificationError

    try:
        return bool(_hasher().verify(encoded, _peppered(password)))
    except VerificationError:
        return False


def outdated(encoded: str) -> bool:
    """Say whether the hash was made with other parameters than today's."""
    return bool(_hasher().check_needs_rehash(encoded))
