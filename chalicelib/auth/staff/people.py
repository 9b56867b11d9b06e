"""A merchant's owners let people in, move them to another post, and take posts from them; everybody may leave."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace

from chalicelib.auth import domain as accounts
from chalicelib.auth import store
from chalicelib.auth.domain import Account, RoleChange
from chalicelib.auth.employment import post_at
from chalicelib.auth.staff import staffing
from chalicelib.auth.staff import store as rosters
from chalicelib.auth.staff.domain import BadInvitation, Invitation, Member, Roster
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.roles import Post, Role
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

_PREFIX = "bdi1"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works for a merchant, and what they call themselves."""

    member: Member
    nickname: str | None


def roster(merchant_id: str) -> tuple[Roster, list[Person]]:
    """Return a merchant's roster, and its people with their names."""
    found = rosters.load(merchant_id)
    known = store.load_accounts([one.account_id for one in found.members]) if found.members else {}
    return found, [
        Person(one, known[one.account_id].nickname if one.account_id in known else None) for one in found.members
    ]


def invite(merchant_id: str, post: Post, *, by: str, intent: Intent) -> tuple[Invitation, str | None]:
    """Offer a post. Returns the invitation and its token, which is shown once: none where this intent had offered it.

    Raises:
        TooManyInvitations: if so many wait for an answer.
        IdempotencyKeyReused: if the key offered something else.
        NotFound: if the key's invitation is accepted, taken back or too old by now.
    """
    invitation_id = intent.record_id("inv")
    token = f"{_PREFIX}.{merchant_id}.{invitation_id}.{ids.random_bytes(32).hex()}"

    def attempt() -> tuple[Invitation, str | None]:
        found = rosters.load(merchant_id)
        for known in found.invitations:
            if known.invitation_id == invitation_id:
                intent.check(known.fingerprint)
                return known, None
        made = Invitation(invitation_id, post, _digest(token), by, clock.now(), intent.fingerprint)
        with UnitOfWork() as work:
            rosters.save(work, found.invite(made))
        log.info("post offered", merchant_id=merchant_id, post=post.value, by=by)
        return made, token

    return racing(attempt)


def take_back(merchant_id: str, invitation_id: str) -> None:
    """Take an invitation back.

    Raises:
        NotFound: if none waits under this id.
    """

    def attempt() -> None:
        found = rosters.load(merchant_id)
        found.find(invitation_id, now=clock.now())
        with UnitOfWork() as work:
            rosters.save(work, found.take_back(invitation_id))

    racing(attempt)


def accept(account_id: str, token: str) -> tuple[str, Post]:
    """Take the post that an invitation offers; returns merchant and post. A repeat by the same account is answered.

    Raises:
        BadInvitation: if it is not good any more.
        OperatorNotStaff, StaffElsewhere, StaffFull: if the account cannot take it; the invitation stays good.
    """
    merchant_id, invitation_id = _parts(token)

    def attempt() -> tuple[str, Post]:
        account = staffing.loaded(account_id)
        if any(entry.token == invitation_id for entry in account.history):
            held = post_at(account.employments, merchant_id)
            if held is None:
                raise BadInvitation  # Used, and the post was taken again since.
            return merchant_id, held
        found = rosters.load(merchant_id)
        invitation = _good(found, invitation_id, token)
        changed = accounts.change_role(account, _entry(account, merchant_id, invitation))
        if changed is account:  # They have this very post.
            with UnitOfWork() as work:
                rosters.save(work, found.take_back(invitation_id))
            return merchant_id, invitation.post
        left = {merchant_id: found.take_back(invitation_id)}
        with UnitOfWork() as work:
            staffing.save(work, account, changed, rosters_read=left, keeps_owner=True)
        log.info("post taken", account_id=account_id, merchant_id=merchant_id, post=invitation.post.value)
        return merchant_id, invitation.post

    return racing(attempt)


def move(merchant_id: str, account_id: str, post: Post, *, by: str) -> Member:
    """Give one of a merchant's people another post.

    Raises:
        NotFound: if they do not work here.
        LastOwner: if nobody would own the merchant any more.
    """

    def attempt() -> Member:
        account, held = _of(merchant_id, account_id)
        if held is not post:
            entry = _change(account, merchant_id, by, gives=True, post=post)
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
        entry = _change(account, merchant_id, by, gives=False, post=None)
        with UnitOfWork() as work:
            staffing.save(work, account, accounts.change_role(account, entry), keeps_owner=True)

    racing(attempt)


def _of(merchant_id: str, account_id: str) -> tuple[Account, Post]:
    account = store.load_account(account_id, consistent=True)
    held = post_at(account.employments, merchant_id) if account else None
    if account is None or held is None:
        raise NotFound(what="account")
    return account, held


def _change(account: Account, merchant_id: str, by: str, *, gives: bool, post: Post | None) -> RoleChange:
    return RoleChange(
        number=accounts.next_change(account),
        at=clock.now(),
        by=by,
        gives=gives,
        role=Role.MERCHANT_STAFF,
        merchant_id=merchant_id,
        post=post,
    )


def _entry(account: Account, merchant_id: str, invitation: Invitation) -> RoleChange:
    entry = _change(account, merchant_id, invitation.by, gives=True, post=invitation.post)
    return replace(entry, token=invitation.invitation_id, fingerprint=invitation.fingerprint)


def _good(found: Roster, invitation_id: str, token: str) -> Invitation:
    try:
        invitation = found.find(invitation_id, now=clock.now())
    except NotFound:
        raise BadInvitation from None
    if not hmac.compare_digest(invitation.digest, _digest(token)):
        raise BadInvitation
    return invitation


def _parts(token: str) -> tuple[str, str]:
    prefix, *parts = token.split(".")
    if prefix != _PREFIX or len(parts) != 3 or not (ids.is_id("mer", parts[0]) and ids.is_id("inv", parts[1])):
        raise BadInvitation
    return parts[0], parts[1]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
