"""A merchant's people: who works here at which post, who is invited, and that somebody always owns it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.auth.domain import Account, Identity, IdentityKind, Limit
from chalicelib.auth.employment import post_at
from chalicelib.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from chalicelib.kernel.policy import Rule
from chalicelib.kernel.roles import Desk, Post
from chalicelib.kernel.texts import Texts

MOST_MEMBERS = 50
MOST_INVITATIONS = 20
_KEPT_GONE = 40
INVITED_FOR = timedelta(days=3)
"""How long an invitation can be accepted."""
INVITERS = frozenset({Post.OWNER})
"""Who lets people in, and has to be that at the moment of it."""
INVITED_BY_MERCHANT = Limit("invite.merchant", attempts=50, window_s=86_400)
"""Each is a message that the platform pays for."""
INVITED_CONTACT = Limit("invite.contact", attempts=5, window_s=86_400)
"""To one contact, whoever invites: nobody is pestered."""
POSTS: Mapping[Post, Texts] = {
    Post.OWNER: ("owner", "店主"),
    Post.MANAGER: ("manager", "店长"),
    Post.CLERK: ("clerk", "店员"),
    Post.FINANCE: ("finance", "财务"),
}
"""What a post is called."""


class PostNeeded(Forbidden):
    """The caller works for the merchant, at another post than this takes."""

    code = "post_needed"
    en, zh = "This takes one of these posts: {posts}.", "此操作需要以下职位之一：{posts}。"
    shown = ("posts",)


class DeskNeeded(Forbidden):
    """The caller is an operator, at another desk than this takes."""

    code = "desk_needed"
    en, zh = "This takes one of these desks: {desks}.", "此操作需要以下岗位之一：{desks}。"
    shown = ("desks",)


class MerchantNotChosen(Conflict):
    """The caller works for several merchants and does not say for which one this is."""

    code = "merchant_not_chosen"
    en = "You work for several merchants: say for which one this is, in the header X-Merchant-Id."
    zh = "您任职于多家商家，请用请求头 X-Merchant-Id 指明商家。"
    shown = ("merchant_ids",)


class LastOwner(Conflict):
    """A merchant without an owner could let nobody in any more."""

    code = "last_owner"
    en, zh = "A merchant keeps one owner: make somebody else owner first.", "商家须保留一位店主，请先任命其他店主。"


class StaffFull(Conflict):
    """So many work here already."""

    code = "staff_full"
    en, zh = "A merchant has {most} people at most.", "商家员工最多 {most} 人。"
    shown = ("most",)


class TooManyInvitations(Conflict):
    """So many invitations wait for an answer."""

    code = "too_many_invitations"
    en = "At most {most} invitations wait for an answer: take one back first."
    zh = "待接受的邀请最多 {most} 个，请先撤回其中一个。"
    shown = ("most",)


class InvitedElsewhere(Conflict):
    """The invitation is good, for a contact that the account has not shown to be its own."""

    code = "invited_elsewhere"
    en = "This invitation is for another contact: sign in with the one it came to, or verify it first."
    zh = "该邀请发给了其他联系方式，请使用收到邀请的联系方式登录，或先完成验证。"


class BadInvitation(Invalid):
    """Not ours, used up, taken back, too old, or of somebody who may not invite any more: nobody is told which."""

    code = "bad_invitation"
    en, zh = "This invitation is not good any more: ask for another one.", "该邀请已失效，请重新索取。"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works here."""

    account_id: str
    post: Post
    since: datetime
    by: str
    """Who let them in."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A post that is offered to a contact. Whose it is stands in its :class:`Offer`, which is collected soon."""

    invitation_id: str
    post: Post
    digest: str
    by: str
    at: datetime
    fingerprint: str

    @property
    def expires_at(self) -> datetime:
        """Return until when it can be accepted."""
        return self.at + INVITED_FOR


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invitation's token leads to, and whom it is for: by the token's digest, kept while it is good."""

    digest: str
    merchant_id: str
    invitation_id: str
    contact_id: str
    """The keyed digest of the contact: who takes it has shown that this contact is theirs."""
    hint: str
    """The contact for whoever knows it anyway."""
    expires_at: datetime


def hint(contact: Identity) -> str:
    """Return a contact so that its owner's inviter knows it again, and nobody else learns it."""
    if contact.kind is IdentityKind.EMAIL:
        local, _, host = contact.value.partition("@")
        return f"{local[0]}***@{host}"
    return f"{contact.value[:-8]}****{contact.value[-4:]}"


def spelled_token(text: str) -> str:
    """Return a token as it was made, however somebody typed it: blanks, hyphens and capitals do not count."""
    return re.sub(r"[\s-]", "", text).lower()


@dataclass(frozen=True, slots=True)
class Roster:
    """All of a merchant's people and invitations: one record, so that there is an owner under any concurrency."""

    merchant_id: str
    members: tuple[Member, ...] = ()
    invitations: tuple[Invitation, ...] = ()
    gone: tuple[str, ...] = ()
    """The last invitations that were accepted or taken back: a late repeat does not bring one back."""
    version: int = 0

    def member(self, account_id: str) -> Member | None:
        """Return one of the people, or None."""
        return next((one for one in self.members if one.account_id == account_id), None)

    def with_member(self, member: Member) -> Roster:
        """Return the roster with somebody, or with somebody at another post.

        Raises:
            StaffFull: if there are as many as there can be.
        """
        others = tuple(one for one in self.members if one.account_id != member.account_id)
        if len(others) >= MOST_MEMBERS:
            raise StaffFull(most=MOST_MEMBERS)
        return replace(self, members=(*others, member), invitations=self._still_good(member.account_id, member.post))

    def without(self, account_id: str) -> Roster:
        """Return the roster without somebody, and without what they had offered."""
        others = tuple(one for one in self.members if one.account_id != account_id)
        return replace(self, members=others, invitations=self._still_good(account_id, None))

    def _still_good(self, account_id: str, post: Post | None) -> tuple[Invitation, ...]:
        """What an owner offered is void as soon as they own nothing."""
        return tuple(one for one in self.invitations if one.by != account_id or post is Post.OWNER)

    @property
    def is_owned(self) -> bool:
        """Say whether somebody owns the merchant."""
        return any(one.post is Post.OWNER for one in self.members)

    def waiting(self, now: datetime) -> tuple[Invitation, ...]:
        """Return the invitations that can still be accepted."""
        return tuple(one for one in self.invitations if now < one.expires_at)

    def invite(self, invitation: Invitation) -> Roster:
        """Return the roster with one more invitation; those that ran out go.

        Raises:
            TooManyInvitations: if so many wait already.
            NotFound: if there was an invitation of this id.
        """
        if invitation.invitation_id in self.gone:
            raise NotFound(what="invitation")
        waiting = self.waiting(invitation.at)
        if len(waiting) >= MOST_INVITATIONS:
            raise TooManyInvitations(most=MOST_INVITATIONS)
        return replace(self, invitations=(*waiting, invitation))

    def without_invitations(self, *invitation_ids: str) -> Roster:
        """Return the roster without some invitations, which are void from then on."""
        found = self
        for one in invitation_ids:
            found = found.take_back(one)
        return found

    def find(self, invitation_id: str, *, now: datetime) -> Invitation:
        """Return an invitation that can still be accepted.

        Raises:
            NotFound: if there is none.
        """
        for one in self.waiting(now):
            if one.invitation_id == invitation_id:
                return one
        raise NotFound(what="invitation")

    def take_back(self, invitation_id: str) -> Roster:
        """Return the roster without an invitation."""
        return replace(
            self,
            invitations=tuple(one for one in self.invitations if one.invitation_id != invitation_id),
            gone=(*self.gone, invitation_id)[-_KEPT_GONE:],
        )


def placed(account: Account, asked: str | None, rule: Rule) -> tuple[str, Post]:
    """Return for which merchant somebody acts, and at which post, if the rule is for that post.

    ``asked`` is the merchant that they named; who works for one merchant need not name it.

    Raises:
        Forbidden: if they do not work there, or nowhere.
        MerchantNotChosen: if they work for several and named none.
        PostNeeded: if it takes another post.
    """
    held = account.employments
    if asked is None and len(held) > 1:
        raise MerchantNotChosen(merchant_ids=[one.merchant_id for one in held])
    merchant_id = asked if asked is not None or not held else held[0].merchant_id
    post = post_at(held, merchant_id or "")
    if merchant_id is None or post is None:
        raise Forbidden
    if post not in rule.posts:
        raise PostNeeded(posts=", ".join(one for one in Post if one in rule.posts))
    return merchant_id, post


def check_desk(account: Account, rule: Rule) -> None:
    """Check that an operator sits at a desk that the rule is for.

    Raises:
        DeskNeeded: if not.
    """
    if not account.at_desks & rule.desks:
        raise DeskNeeded(desks=", ".join(one for one in Desk if one in rule.desks))
