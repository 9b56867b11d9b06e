"""Changing who is what: the account, its history and the merchant's roster in one transaction."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from chalicelib.auth import domain, key_revoking, living, store
from chalicelib.auth import events as facts
from chalicelib.auth.domain import Account, RoleChange
from chalicelib.auth.employment import post_at
from chalicelib.auth.keyrings import HOLDERS
from chalicelib.auth.staff import store as rosters
from chalicelib.auth.staff.domain import LastOwner, Member, Roster, StaffFull
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, ConcurrentUpdate, NotFound
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


def change(
    account_id: str,
    role: Role,
    merchant_id: str | None,
    *,
    gives: bool,
    post: Post | None,
    desk: Desk | None,
    by: str,
    intent: Intent,
) -> Account:
    """Give or take a role, whoever decides it. What is there stays, what is not there is not missed.

    Raises:
        NotFound: if there is no such account.
        BadGrant, StaffElsewhere, StaffFull, OperatorNotStaff: if it cannot be given or taken like that.
        IdempotencyKeyReused: if the intent changed something else.
    """

    def attempt() -> Account:
        account = loaded(account_id)
        if was_done(account, intent):
            return account
        wanted = RoleChange(
            number=domain.next_change(account),
            at=clock.now(),
            by=by,
            gives=gives,
            role=role,
            merchant_id=merchant_id,
            token=intent.token,
            fingerprint=intent.fingerprint,
            post=post,
            desk=desk,
        )
        changed = domain.change_role(account, wanted)
        if changed is account:
            return account
        with UnitOfWork() as work:
            save(work, account, changed)
        log.info("role changed", account_id=account_id, role=role.value, gives=gives, by=by)
        return loaded(account_id)

    return racing(attempt)


def change_of_post(account: Account, merchant_id: str, by: str, *, gives: bool, post: Post | None) -> RoleChange:
    """Return the next entry of an account's history, about a post at a merchant."""
    return RoleChange(
        number=domain.next_change(account),
        at=clock.now(),
        by=by,
        gives=gives,
        role=Role.MERCHANT_STAFF,
        merchant_id=merchant_id,
        post=post,
    )


def was_done(account: Account, intent: Intent) -> bool:
    """Say whether this intent changed the account before, even if that was taken back since.

    Raises:
        IdempotencyKeyReused: if it changed something else.
    """
    for entry in account.history:
        if entry.token == intent.token:
            intent.check(entry.fingerprint)
            return True
    return False


def save(
    work: UnitOfWork, before: Account, after: Account, *, rosters_read: dict[str, Roster] | None = None,
    keeps_owner: bool = False,
) -> None:  # fmt: skip
    """Write a changed account and the rosters that it is in, in the caller's work.

    ``rosters_read`` are those that the caller changed already, by merchant; they are written with the rest.

    The keys that the account was shown are revoked with the post for them: who is out holds no way in.

    Raises:
        LastOwner: where ``keeps_owner``, if a merchant would be left without an owner. Without: an operator takes a
            post from whoever should not have it; two operators give it to somebody else.
        StaffFull: if a merchant has as many people as it can have.
    """
    known = before.history[-1].number if before.history else 0
    entries = [entry for entry in after.history if entry.number > known]
    work.save(store.account_row(after), events=[_fact(after.account_id, entry) for entry in entries], label="account")
    for entry in entries:
        if entry.merchant_id is None:
            continue
        roster = (rosters_read or {}).get(entry.merchant_id) or rosters.load(entry.merchant_id)
        changed = _changed(roster, after, entry)
        if keeps_owner and roster.is_owned and not changed.is_owned:
            raise LastOwner
        rosters.save(work, changed)
    for merchant_id in _gave_up(before, after):
        key_revoking.seen_by(work, merchant_id, after.account_id)
    work.after_commit(partial(living.forget_one, after.account_id))


def enter(account: Account) -> None:
    """Enter an account from before there were rosters into those of its merchants; where a rival is faster, later.

    It was staff as owners are, so it is one of them.
    """
    since = {entry.merchant_id: entry for entry in account.history if entry.gives}
    with suppress(ConcurrentUpdate, Busy, StaffFull), UnitOfWork() as work:
        work.save(store.account_row(replace(account, posts=account.employments)), label="account")
        for one in account.employments:
            entry = since.get(one.merchant_id)
            at, by = (entry.at, entry.by) if entry else (account.created_at, "system")
            roster = rosters.load(one.merchant_id)
            rosters.save(work, roster.with_member(Member(account.account_id, one.post, at, by)))
        work.after_commit(partial(living.forget_one, account.account_id))


def _gave_up(before: Account, after: Account) -> list[str]:
    """Return the merchants at which the account may hold keys no more."""
    held = [one.merchant_id for one in before.employments if one.post in HOLDERS]
    return [one for one in held if post_at(after.employments, one) not in HOLDERS]


def _changed(roster: Roster, account: Account, entry: RoleChange) -> Roster:
    post = post_at(account.employments, roster.merchant_id)
    if post is None:
        return roster.without(account.account_id)
    before = roster.member(account.account_id)
    return roster.with_member(Member(account.account_id, post, before.since if before else entry.at, entry.by))


def _fact(account_id: str, entry: RoleChange) -> facts.RoleGranted | facts.RoleRevoked:
    kind = facts.RoleGranted if entry.gives else facts.RoleRevoked
    return kind(
        account_id=account_id,
        role=entry.role.value,
        merchant_id=entry.merchant_id,
        change=entry.number,
        post=entry.post or "",
        desk=entry.desk or "",
    )


def loaded(account_id: str) -> Account:
    """Return an account as it is now.

    Raises:
        NotFound: if there is none.
    """
    account = store.load_account(account_id, consistent=True)
    if account is None:
        raise NotFound(what="account")
    return account


def check_merchant(merchant_id: str) -> None:
    """Check that there is such a merchant.

    Raises:
        NotFound: if not.
    """
    from chalicelib.merchants import service as merchants

    if merchant_id not in merchants.terms([merchant_id]):
        raise NotFound(what="merchant")
