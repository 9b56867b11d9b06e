"""People and merchants for tests, made without a password hash: ``buyer()``, ``staff(merchant_id)``, ``operator()``.

Each person is ``(account_id, token)``: a tuple to unpack.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from chalicelib.auth import passwords, store, tokens
from chalicelib.auth.domain import Account
from chalicelib.auth.employment import Employment, Employments
from chalicelib.auth.sessions import store as sessions
from chalicelib.auth.sessions.domain import IDLE, SESSIONS, Session
from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.merchants import service as merchants
from chalicelib.merchants.service import Contact, Merchant, NewMerchant
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller
from chalicelib.runtime.intents import system_intent


class Person(NamedTuple):
    """An account and a valid access token of it."""

    account_id: str
    token: str


def person(
    *roles: Role, merchant_id: str | None = None, posts: Employments = (), desks: tuple[Desk, ...] = ()
) -> Person:
    """Write an account (one call; no identity, no session) and sign a token for it."""
    account_id = ids.new_id("acc")
    held = (Role.BUYER, *roles)
    account = Account(
        account_id=account_id, created_at=clock.now(), roles=held, merchant_id=merchant_id, posts=posts, desks=desks
    )
    with UnitOfWork() as work:
        work.save(store.account_row(account))
    return Person(account_id, token(account_id, *held, merchant_id=merchant_id))


def token(
    account_id: str,
    *roles: Role,
    merchant_id: str | None = None,
    session_id: str | None = None,
    proved_ago: timedelta = timedelta(),
) -> str:
    """Sign a token for ten minutes from now (by the installed clock): also to renew one that ran out.

    It says that its person proved who they are ``proved_ago``; what wants a fresh proof takes the token of today.
    """
    return tokens.access_token(
        Caller(
            account_id=account_id,
            roles=frozenset(role.value for role in roles or (Role.BUYER,)),
            merchant_id=merchant_id,
            session_id=session_id or ids.new_id("ses"),
            auth_time=clock.epoch_s(clock.now() - proved_ago),
            amr=("pwd",),
        )
    )


def session(of: Person, *, started_ago: timedelta = timedelta()) -> Session:
    """Write the session that a person's token names, as if they had just signed in with a password; also once more."""
    caller = tokens.caller_of(of.token)
    account = store.load_account(of.account_id, consistent=True)
    assert account is not None
    at = clock.now() - started_ago
    made = Session(
        account_id=of.account_id,
        session_id=caller.session_id,
        status=SESSIONS.initial,
        epoch=account.epoch,
        current="",
        previous=None,
        rotated_at=at,
        created_at=at,
        expires_at=at + IDLE,
        proved_at=at,
        methods=caller.amr,
    )
    row = sessions.session_row(replace(made, version=1))
    aws.call("dynamodb", "PutItem", {"TableName": row.Meta.table_name, "Item": row.serialize()})
    return made


def with_password(of: Person, password: str) -> Person:
    """Give a person a password, and the session that their token names."""
    account = store.load_account(of.account_id, consistent=True)
    assert account is not None
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, password_hash=passwords.hashed(password))))
    session(of)
    return of


def reachable(contact: str) -> Person:
    """Return somebody who has shown that an e-mail address is theirs."""
    account = Account(
        account_id=ids.new_id("acc"), created_at=clock.now(), email=contact, email_verified_at=clock.now()
    )
    with UnitOfWork() as work:
        work.save(store.account_row(account))
    return Person(account.account_id, token(account.account_id))


def buyer() -> Person:
    """Return somebody who buys."""
    return person()


def staff(merchant_id: str, post: Post = Post.OWNER) -> Person:
    """Return somebody who works for a merchant. The merchant's roster does not know of it: ``auth.grant`` tells it."""
    owned = merchant_id if post is Post.OWNER else None
    return person(Role.MERCHANT_STAFF, merchant_id=owned, posts=(Employment(merchant_id, post),))


def operator(*desks: Desk) -> Person:
    """Return somebody who runs the platform, at these desks; without one, an admin of before there were desks."""
    return person(Role.OPERATOR, desks=desks)


def merchant(
    name: str = "Tea House 茶庄",
    *,
    freight: int = 800,
    free_from: int | None = 9900,
    commission_bps: int = 500,
    currency: str = "CNY",
) -> Merchant:
    """Create a merchant; amounts in minor units."""
    created, _ = merchants.create(
        NewMerchant(
            name=name,
            contact=Contact(person="Wang 王"),
            freight=Money(freight, currency),
            free_freight_from=Money(free_from, currency) if free_from is not None else None,
            commission_bps=commission_bps,
            currency=currency,
        ),
        intent=system_intent(f"test-merchant#{ids.random_bytes(12).hex()}"),
    )
    return created
