"""A merchant's owners let people in, move them to another post, and take posts from them; everybody may leave."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.auth import domain as accounts
from chalicelib.auth import store
from chalicelib.auth.domain import Account
from chalicelib.auth.employment import post_at
from chalicelib.auth.staff import staffing
from chalicelib.auth.staff import store as rosters
from chalicelib.auth.staff.domain import Member, Offer, Roster
from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.roles import Post
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works for a merchant, and what they call themselves."""

    member: Member
    nickname: str | None


def roster(merchant_id: str) -> tuple[Roster, list[Person], dict[str, Offer]]:
    """Return a merchant's roster, its people with their names, and whom each invitation that waits is for."""
    found = rosters.load(merchant_id)
    known = store.load_accounts([one.account_id for one in found.members]) if found.members else {}
    people = [Person(one, known[one.account_id].nickname if one.account_id in known else None) for one in found.members]
    return found, people, rosters.offers(found.waiting(clock.now()))


def members(merchant_id: str) -> tuple[Member, ...]:
    """Return who works for a merchant: one read."""
    return rosters.load(merchant_id).members


def move(merchant_id: str, account_id: str, post: Post, *, by: str) -> Member:
    """Give one of a merchant's people another post.

    Raises:
        NotFound: if they do not work here.
        LastOwner: if nobody would own the merchant any more.
    """

    def attempt() -> Member:
        account, held = _of(merchant_id, account_id)
        if held is not post:
            entry = staffing.change_of_post(account, merchant_id, by, gives=True, post=post)
            with UnitOfWork() as work:
                staffing.save(work, account, accounts.change_role(account, entry), keeps_owner=True)
        found = rosters.load(merchant_id).member(account_id)
        return found or Member(account_id, post, clock.now(), by)

    return racing(attempt)


def dismiss(merchant_id: str, account_id: str, *, by: str) -> None:
    """Take the post from one of a merchant's people, who may be the caller.

    Raises:
        NotFound: if they do not work here.
        LastOwner: if nobody would own the merchant any more.
    """

    def attempt() -> None:
        account, _ = _of(merchant_id, account_id)
        entry = staffing.change_of_post(account, merchant_id, by, gives=False, post=None)
        with UnitOfWork() as work:
            staffing.save(work, account, accounts.change_role(account, entry), keeps_owner=True)

    racing(attempt)


def _of(merchant_id: str, account_id: str) -> tuple[Account, Post]:
    account = store.load_account(account_id, consistent=True)
    held = post_at(account.employments, merchant_id) if account else None
    if account is None or held is None:
        raise NotFound(what="account")
    return account, held
