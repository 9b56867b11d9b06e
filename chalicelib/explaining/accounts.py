"""How an account stands and what happened to it, from every room that knows; nothing of what a person is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chalicelib.auth import service as auth
from chalicelib.explaining import acts, texts
from chalicelib.explaining.domain import Kind, Step, by_time, woven
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Page, Window
from chalicelib.merchants import service as merchants
from chalicelib.orders import service as orders
from chalicelib.privacy import service as privacy

MOST: Final = 50
"""Of sessions and orders so many, the latest, are told; whether there are more is said."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What became of the person's wish to be forgotten."""

    status: str
    since: datetime
    due_at: datetime | None
    holds: tuple[str, ...]
    """Why something is not erased yet."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands at this moment."""

    account_id: str
    forgotten: bool
    roles: tuple[str, ...] = ()
    desks: tuple[str, ...] = ()
    posts: tuple[tuple[str, str], ...] = ()
    """Merchant and post."""
    suspended: tuple[str, ...] = ()
    """Those of its merchants that are suspended."""
    second_factor: bool = False
    email_verified: bool = False
    phone_verified: bool = False
    unpaid: int = 0
    """Purchases that count among those it did not pay."""
    paid: int = 0
    erasure: Erasure | None = None
    order_ids: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    """Of what there is more than is told: ``orders``, ``sessions``."""


def explained(account_id: str) -> tuple[Standing, list[Step]]:
    """Return how an account stands, and what happened to it.

    Raises:
        NotFound: if there is none, and was none that anybody did anything about.
    """
    try:
        account: auth.Account | None = auth.account(account_id)
    except NotFound:
        account = None
    done = acts.of(account_id)
    erasure = privacy.find_erasure(account_id)
    if account is None and erasure is None and not done:
        raise NotFound(what="account")
    window = Window(MOST)
    bought, sessions = orders.list_for_buyer(account_id, window), auth.all_sessions(account_id, window)
    lists = (("orders", bought), ("sessions", sessions))
    standing = _standing(
        account_id,
        account,
        erasure,
        order_ids=tuple(order.order_id for order in bought.items),
        cut=tuple(name for name, page in lists if page.after is not None),
    )
    steps = woven(
        done,
        by_time([*_of_account(account), *_of_sessions(sessions), *_of_orders(bought), *_of_erasure(erasure)]),
    )
    return standing, steps


def _standing(
    account_id: str,
    account: auth.Account | None,
    erasure: privacy.Erasure | None,
    *,
    order_ids: tuple[str, ...],
    cut: tuple[str, ...],
) -> Standing:
    held = orders.held_lookup(account_id).read()
    posts = account.employments if account else ()
    return Standing(
        account_id=account_id,
        forgotten=erasure is not None and erasure.status is privacy.Status.DONE,
        roles=tuple(role.value for role in account.roles) if account else (),
        desks=tuple(sorted(desk.value for desk in account.at_desks)) if account else (),
        posts=tuple((one.merchant_id, one.post.value) for one in posts),
        suspended=tuple(sorted(merchants.suspended_now(one.merchant_id for one in posts))) if posts else (),
        second_factor=bool(account and account.second_factor),
        email_verified=bool(account and account.email_verified_at),
        phone_verified=bool(account and account.phone_verified_at),
        unpaid=len(orders.standing(held).kept.unpaid()),
        paid=held.paid,
        erasure=_erasure(erasure),
        order_ids=order_ids,
        cut=cut,
    )


def _erasure(found: privacy.Erasure | None) -> Erasure | None:
    if found is None:
        return None
    holds = tuple(sorted({kind.value for kind, _ in found.holds}))
    return Erasure(found.status.value, found.since, found.due_at, holds)


def _of_account(account: auth.Account | None) -> Iterator[Step]:
    if account is None:
        return
    number = account.account_id
    yield Step(account.created_at, Kind.ACCOUNT, "account.registered", number, texts.ACCOUNT["account.registered"])
    for what, moment in (("email.verified", account.email_verified_at), ("phone.verified", account.phone_verified_at)):
        if moment is not None:
            yield Step(moment, Kind.ACCOUNT, what, number, texts.ACCOUNT[what])
    for change in account.history:
        what = "role.given" if change.gives else "role.taken"
        where = (change.post or change.desk or "", change.merchant_id or "")
        yield Step(
            change.at,
            Kind.ROLE,
            what,
            number,
            texts.ACCOUNT[what],
            status=change.role.value,
            by=change.by,
            note=" ".join(filter(None, (*where, change.approved_by and f"approved by {change.approved_by}"))),
        )


def _of_sessions(page: Page[auth.Session]) -> Iterator[Step]:
    for session in page.items:
        yield Step(
            session.created_at,
            Kind.SESSION,
            "session.began",
            session.session_id,
            texts.ACCOUNT["session.began"],
            status=session.status.value,
            note=" ".join(session.methods),
        )


def _of_orders(page: Page[orders.Order]) -> Iterator[Step]:
    for order in page.items:
        words = texts.ACCOUNT["order.placed"]
        yield Step(order.placed_at, Kind.ORDER, "order.placed", order.order_id, words, order.status.value, order.total)


def _of_erasure(found: privacy.Erasure | None) -> Iterator[Step]:
    if found is None:
        return
    number, words = privacy.erasure_id(found.account_id), texts.ACCOUNT
    yield Step(found.requested_at, Kind.ERASURE, "erasure.requested", number, words["erasure.requested"])
    if found.since != found.requested_at:
        text = words["erasure.moved"]
        yield Step(found.since, Kind.ERASURE, "erasure.moved", number, text, status=found.status.value)
