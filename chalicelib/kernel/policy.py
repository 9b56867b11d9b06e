"""The words of the policy table (``chalicelib.policy``): who may do what, on whose record, with which second person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from chalicelib.kernel.roles import Desk, Post


class Access(StrEnum):
    """How a route learns who calls. What the caller may do there is said by the route's :class:`Rule`."""

    PUBLIC = "public"
    """Anybody; a token is neither needed nor read."""
    OPTIONAL = "optional"
    """Anybody; a token that is sent must be valid and names the caller."""
    SIGNED_IN = "signed_in"
    BUYER = "buyer"
    MERCHANT = "merchant_staff"
    """Staff of a merchant, or its own system with a key; the caller's ``merchant_id`` is set."""
    OPERATOR = "operator"
    PROVIDER = "provider"
    """A payment provider or carrier hub: authenticated by the signature on the raw body, not by a token."""


class Whose(StrEnum):
    """On whose records."""

    NOBODYS = "nobody's"
    """What everybody may see, or nothing that is there yet."""
    OWN = "own"
    MERCHANTS = "own merchant's"
    ANY = "any"
    """Of an operator: but never where the operator is a party (``oversight``)."""
    SIGNED = "named in what is signed"


class Second(StrEnum):
    """Which part of two persons' work an operation is."""

    NONE = ""
    ABOVE_LIMIT = "alone up to a limit, above it another decides"
    ASKS = "asks; another decides"
    DECIDES = "never who asked, nor kin"
    TAKES_BACK = "another decides, or who asked takes it back"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call an operation: one line of the table."""

    access: Access
    whose: Whose
    posts: frozenset[Post] = frozenset()
    """Of a merchant's staff: who of them."""
    desks: frozenset[Desk] = frozenset()
    """Of the operators: who of them."""
    second: Second = Second.NONE
    fresh: timedelta | None = None
    """How old the caller's last proof (a password, a code, a passkey) may be; None: as old as the session."""
    scope: str = ""
    """What a merchant's key must be allowed; empty: no key gets in."""
    while_suspended: bool = False
    """Changes something, and is open to a suspended merchant all the same: buyers wait for it."""

    def __post_init__(self) -> None:
        """Refuse a line that says nothing, or two things.

        Raises:
            ValueError: then.
        """
        if (self.access is Access.MERCHANT) is not bool(self.posts):
            raise ValueError("a merchant's route names posts, and no other does")
        if (self.access is Access.OPERATOR) is not bool(self.desks):
            raise ValueError("an operator's route names desks, and no other does")
        if (self.scope or self.while_suspended) and self.access is not Access.MERCHANT:
            raise ValueError("keys and suspensions are of merchants")
        if self.scope and (self.second is not Second.NONE or self.fresh is not None):
            raise ValueError("a key is no person: neither a second one nor one with a proof")
        if self.access in (Access.PUBLIC, Access.PROVIDER) and self.fresh is not None:
            raise ValueError("who is nobody has no proof")


def anybody() -> Rule:
    """What is everybody's: no token is read."""
    return Rule(Access.PUBLIC, Whose.NOBODYS)


def guest() -> Rule:
    """What a visitor may do with what a token of his own opens, signed in or not."""
    return Rule(Access.OPTIONAL, Whose.OWN)


def signed_in(*, fresh: timedelta | None = None) -> Rule:
    """What every account may do with what is its own."""
    return Rule(Access.SIGNED_IN, Whose.OWN, fresh=fresh)


def buyer(*, fresh: timedelta | None = None) -> Rule:
    """What a buyer may do with what is their own."""
    return Rule(Access.BUYER, Whose.OWN, fresh=fresh)


def staff(
    posts: Iterable[Post],
    *,
    scope: str = "",
    while_suspended: bool = False,
    second: Second = Second.NONE,
    fresh: timedelta | None = None,
) -> Rule:
    """What these of a merchant's staff may do with what is the merchant's."""
    return Rule(
        Access.MERCHANT,
        Whose.MERCHANTS,
        posts=frozenset(posts),
        second=second,
        fresh=fresh,
        scope=scope,
        while_suspended=while_suspended,
    )


def operator(desks: Iterable[Desk], *, second: Second = Second.NONE, fresh: timedelta | None = None) -> Rule:
    """What these of the operators may do; an admin may everything that any operator may."""
    return Rule(Access.OPERATOR, Whose.ANY, desks=frozenset((*desks, Desk.ADMIN)), second=second, fresh=fresh)


def provider() -> Rule:
    """What a provider or a hub may tell us, signed."""
    return Rule(Access.PROVIDER, Whose.SIGNED)
