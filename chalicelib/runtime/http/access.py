"""Who calls: the caller a route sees, and the rule a route states."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from chalicelib.kernel.errors import Forbidden, Unauthenticated
from chalicelib.kernel.policy import Access, Rule
from chalicelib.kernel.roles import Role

__all__ = [
    "Access",
    "Act",
    "AdmitKey",
    "Authenticate",
    "Caller",
    "Oversee",
    "Present",
    "Proof",
    "Role",
    "Standing",
    "admit",
    "key_in",
]


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in account, as its access token says; or a merchant's own system, as its key does."""

    account_id: str
    """The account's id; of a system, its key's."""
    roles: frozenset[str]
    merchant_id: str | None = None
    session_id: str = ""
    epoch: int = 0
    """How often the person had signed out everywhere when the token was made; 0 in a token that does not say."""
    auth_time: int = 0
    """When the person last proved who they are, in seconds; 0 in a token that does not say."""
    amr: tuple[str, ...] = ()
    """By which methods (RFC 8176)."""
    post: str = ""
    """On a merchant's route: which post the caller has there, by what is known at this moment."""

    def owned_merchant(self) -> str:
        """Return the caller's merchant.

        Raises:
            Forbidden: if the caller is no merchant's staff.
        """
        if self.merchant_id is None or Role.MERCHANT_STAFF not in self.roles:
            raise Forbidden
        return self.merchant_id


@dataclass(frozen=True, slots=True)
class Act:
    """What an operator wants to do, as far as the runtime sees it."""

    operation: str
    reads: bool
    records: dict[str, str]
    """The path's parameters."""
    rule: Rule
    """The operation's line in the policy table."""
    body: bytes = b""


Oversee = Callable[[Caller, Act], AbstractContextManager[None]]
"""Runs an operator's call: refuses those who may not, and writes down what it changes."""

Authenticate = Callable[[str], Caller]
"""Turns a bearer token into its caller, or raises ``Unauthenticated``."""


Proof = Callable[[Caller, int], None]
"""Refuses a caller whose last proof (a password, a code, a passkey) is older than so many seconds."""


Present = Callable[[Caller, str | None, Rule], Caller]
"""Returns a signed-in caller as staff of the merchant that the request names, or of the only one they work for; refuses
whom the rule is not for."""


class Standing(Protocol):
    """Refuses what a merchant's staff may not do as its merchant stands now."""

    def __call__(self, merchant_id: str, rule: Rule, *, reads: bool) -> None:
        """Return if what the rule is about is open to it."""


class AdmitKey(Protocol):
    """Returns the merchant's system that shows a key, or refuses it."""

    def __call__(self, shown: str, asked: str | None, rule: Rule, source_ip: str) -> Caller:
        """Return who calls; ``asked`` is the merchant that the request names."""


KEY_SCHEME = "key"
"""What stands before a key in ``Authorization``, as ``Bearer`` stands before a token."""


def key_in(access: Access, authorization: str | None) -> str | None:
    """Return the key that a request shows where somebody has to call; None if it shows none, or nobody reads it."""
    if access in (Access.PUBLIC, Access.PROVIDER) or not authorization:
        return None
    scheme, _, shown = authorization.partition(" ")
    return shown.strip() if scheme.lower() == KEY_SCHEME else None


def admit(access: Access, authorization: str | None, authenticate: Authenticate) -> Caller | None:
    """Apply a route's rule to the ``Authorization`` header.

    Raises:
        Unauthenticated: if a token is needed and missing, or sent and not valid.
        Forbidden: if the caller lacks the role.
    """
    if access in (Access.PUBLIC, Access.PROVIDER):
        return None
    if not authorization:
        if access is Access.OPTIONAL:
            return None
        raise Unauthenticated
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    caller = authenticate(token.strip())
    if access in (Access.BUYER, Access.OPERATOR) and access.value not in caller.roles:
        raise Forbidden  # Of a merchant's staff the account itself is asked: see Present.
    return caller
