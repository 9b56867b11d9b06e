"""Owners let people in: a post is offered to a contact by message, and taken by whoever has shown that contact theirs.

The token goes to the contact and to nobody else: the inviter never sees it, and we keep a keyed digest.
Nothing is looked up of the contact, so nobody learns by inviting whether it has an account.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.auth import domain as accounts
from chalicelib.auth import in_office, throttles
from chalicelib.auth.domain import Account, Identity, IdentityKind, RoleChange
from chalicelib.auth.employment import post_at
from chalicelib.auth.identities import identity_id_of
from chalicelib.auth.staff import domain, staffing
from chalicelib.auth.staff import store as rosters
from chalicelib.auth.staff.domain import BadInvitation, Invitation, InvitedElsewhere, Offer, Roster
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.roles import Post
from chalicelib.kernel.texts import said
from chalicelib.notifications import service as notifications
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

_TOKEN_BITS = 100
_KINDS = {IdentityKind.EMAIL: notifications.Kind.EMAIL, IdentityKind.PHONE: notifications.Kind.SMS}


@dataclass(frozen=True, slots=True)
class Invited:
    """Whom an owner lets in: the post, where the message goes, and in which language."""

    post: Post
    contact: Identity
    language: str


def invite(merchant_id: str, whom: Invited, *, by: str, intent: Intent) -> tuple[Invitation, Offer, bool]:
    """Offer a post by message. Returns the invitation, what is kept of whom it is for, and whether it was there before.

    Another one to the same contact takes the place of the one that waits.

    Raises:
        ChannelMissing: if no message can be sent to such a contact here.
        Throttled: if this merchant invites too many, or this contact is invited too often.
        TooManyInvitations: if so many wait for an answer.
        IdempotencyKeyReused: if the key offered something else.
        NotFound: if the key's invitation is accepted, taken back or too old by now.
        Forbidden: if the inviter owns the merchant no more.
    """
    invitation_id = intent.record_id("inv")
    known = _known(rosters.load(merchant_id), invitation_id, intent)
    if known is not None:
        return known, _offer_of(known), True
    notifications.check_reaches(_KINDS[whom.contact.kind])
    contact_id = identity_id_of(whom.contact)
    throttles.count(domain.INVITED_BY_MERCHANT, merchant_id)
    throttles.count(domain.INVITED_CONTACT, contact_id)
    token = ids.spelled(int.from_bytes(ids.random_bytes(13)) >> 4, _TOKEN_BITS)
    at = clock.now()
    made = Invitation(invitation_id, whom.post, _digest(token), by, at, intent.fingerprint)
    offer = Offer(made.digest, merchant_id, invitation_id, contact_id, domain.hint(whom.contact), made.expires_at)

    def attempt() -> tuple[Invitation, Offer, bool]:
        found = rosters.load(merchant_id)
        rival = _known(found, invitation_id, intent)
        if rival is not None:
            return rival, _offer_of(rival), True
        waiting = rosters.offers(found.waiting(at))
        replaced = [one.invitation_id for one in waiting.values() if one.contact_id == contact_id]
        with UnitOfWork() as work:
            rosters.save(work, found.without_invitations(*replaced).invite(made))
            rosters.add_offer(work, offer)
            in_office.hold(work, merchant_id, by, domain.INVITERS)
            _tell(work, merchant_id, whom, made, token)
        log.info("post offered", merchant_id=merchant_id, post=whom.post.value, by=by)
        return made, offer, False

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
        InvitedElsewhere: if the account has not shown that the invited contact is its own; it stays good.
        OperatorNotStaff, StaffElsewhere, StaffFull, LastOwner: if the account cannot take it; it stays good.
    """
    offer = rosters.offer(_digest(domain.spelled_token(token)))
    if offer is None:
        raise BadInvitation
    merchant_id, invitation_id = offer.merchant_id, offer.invitation_id

    def attempt() -> tuple[str, Post]:
        account = staffing.loaded(account_id)
        if any(entry.token == invitation_id for entry in account.history):
            held = post_at(account.employments, merchant_id)
            if held is None:
                raise BadInvitation  # Used, and the post was taken again since.
            return merchant_id, held
        found = rosters.load(merchant_id)
        invitation = _good(found, offer)
        if offer.contact_id not in _shown_by(account):
            raise InvitedElsewhere
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


def _known(found: Roster, invitation_id: str, intent: Intent) -> Invitation | None:
    for one in found.invitations:
        if one.invitation_id == invitation_id:
            intent.check(one.fingerprint)
            return one
    return None


def _offer_of(invitation: Invitation) -> Offer:
    """Return what is kept of whom an invitation is for.

    Raises:
        NotFound: if it was collected: the invitation is too old.
    """
    found = rosters.offer(invitation.digest)
    if found is None:
        raise NotFound(what="invitation")
    return found


def _tell(work: UnitOfWork, merchant_id: str, whom: Invited, made: Invitation, token: str) -> None:
    from chalicelib.merchants import service as merchants

    notifications.ask(
        work,
        notifications.Asked(
            kind=_KINDS[whom.contact.kind],
            to=whom.contact.value,
            template="invitation",
            language=whom.language,
            fact=f"invitation#{made.invitation_id}",
            useless_at=made.expires_at,
            values={
                "merchant": merchants.load(merchant_id).name,
                "post": said(domain.POSTS[whom.post], whom.language),
                "token": token,
                "days": str(domain.INVITED_FOR.days),
            },
        ),
    )


def _shown_by(account: Account) -> set[str]:
    """Return the keys of the contacts that the account has shown to be its own."""
    shown = []
    if account.email and account.email_verified_at:
        shown.append(Identity(IdentityKind.EMAIL, account.email))
    if account.phone and account.phone_verified_at:
        shown.append(Identity(IdentityKind.PHONE, account.phone))
    return {identity_id_of(one) for one in shown}


def _entry(account: Account, merchant_id: str, invitation: Invitation) -> RoleChange:
    entry = staffing.change_of_post(account, merchant_id, invitation.by, gives=True, post=invitation.post)
    return replace(entry, token=invitation.invitation_id, fingerprint=invitation.fingerprint)


def _good(found: Roster, offer: Offer) -> Invitation:
    try:
        invitation = found.find(offer.invitation_id, now=clock.now())
    except NotFound:
        raise BadInvitation from None
    if invitation.digest != offer.digest:
        raise BadInvitation
    return invitation


def _digest(token: str) -> str:
    return throttles.keyed(token, "invitation")
