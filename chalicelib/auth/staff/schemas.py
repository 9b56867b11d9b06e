"""Wire models of roles, operators' requests and a merchant's people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from chalicelib.auth import domain, service
from chalicelib.auth.schemas import IdentityText, Language, PostView
from chalicelib.auth.service import staff
from chalicelib.kernel import clock
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.runtime.schema import Id, Schema, Timestamp


class GrantRole(Schema):
    """A role to give; ``merchant_staff`` needs the merchant."""

    role: Literal["merchant_staff", "operator"]
    merchant_id: Id | None = None


class RevokeQuery(Schema):
    """Where to take it from: one merchant, one desk; everywhere, if neither is named."""

    merchant_id: Id | None = None
    desk: Desk | None = None


class RolesView(Schema):
    """What an account may do. Nothing personal: an operator needs no more here."""

    account_id: Id
    roles: list[Role]
    merchant_id: Id | None
    posts: list[PostView]
    desks: list[Desk]

    @classmethod
    def of(cls, account: service.Account) -> RolesView:
        """Return the wire form."""
        held = account.employments
        return cls.model_construct(
            account_id=account.account_id,
            roles=list(account.roles),
            merchant_id=held[0].merchant_id if held else None,
            posts=[PostView.of(one) for one in held],
            desks=sorted(account.at_desks),
        )


Reason = Annotated[str, StringConstraints(min_length=3, max_length=200)]


class AskRole(Schema):
    """A role that takes two operators to give, and why this person should have it.

    A merchant's staff needs the merchant, and is owner there if no post is named; an operator is admin if no desk is.
    """

    role: Literal["merchant_staff", "operator"]
    reason: Reason
    merchant_id: Id | None = None
    post: Post | None = None
    desk: Desk | None = None


class DecideRole(Schema):
    """Why it is approved or rejected."""

    note: Annotated[str, StringConstraints(max_length=300)] = ""


class RoleRequestView(Schema):
    """A role that somebody is to have. Approving it gives the role; nobody answers after ``due_at``."""

    request_id: Id
    account_id: Id
    role: Role
    merchant_id: Id | None = None
    post: Post | None = None
    desk: Desk | None = None
    status: Literal["pending", "approved", "rejected", "expired"]
    reason: str
    asked_by: str
    asked_at: Timestamp
    due_at: Timestamp | None = None
    decided_by: str | None = None
    decided_at: Timestamp | None = None
    note: str | None = None

    @classmethod
    def of(cls, request: domain.RoleRequest, now: datetime) -> RoleRequestView:
        """Return the wire form as of a moment."""
        return cls(
            request_id=request.request_id,
            account_id=request.account_id,
            role=request.role,
            merchant_id=request.merchant_id,
            post=request.post,
            desk=request.desk,
            status=request.status_at(now).value,
            reason=request.reason,
            asked_by=request.asked_by,
            asked_at=request.asked_at,
            due_at=request.due_at,
            decided_by=request.decided_by or None,
            decided_at=request.decided_at,
            note=request.note or None,
        )


class RoleRequestsView(Schema):
    """One page of role requests, of any state."""

    items: list[RoleRequestView]
    next_cursor: str | None = None


class Invite(Schema):
    """The post that is offered, and the e-mail address or phone number of whom it is for; the message's language."""

    post: Post
    contact: IdentityText
    language: Language | None = None


class InvitationView(Schema):
    """An invitation that waits. ``contact`` is whom it went to, but for what only who knows it anyway can tell."""

    invitation_id: Id
    post: Post
    by: Id
    at: Timestamp
    expires_at: Timestamp
    contact: str | None = None

    @classmethod
    def of(cls, invitation: staff.Invitation, offer: staff.Offer | None) -> InvitationView:
        """Return the wire form."""
        return cls(
            invitation_id=invitation.invitation_id,
            post=invitation.post,
            by=invitation.by,
            at=invitation.at,
            expires_at=invitation.expires_at,
            contact=offer.hint if offer else None,
        )


class AcceptInvitation(Schema):
    """The token that came with an invitation, as it was read: blanks, hyphens and capitals do not matter."""

    token: Annotated[str, StringConstraints(min_length=20, max_length=40)]


class MovePerson(Schema):
    """The post that somebody is to have."""

    post: Post


class PersonView(Schema):
    """Somebody who works for the merchant; ``by`` let them in, or gave them this post."""

    account_id: Id
    post: Post
    since: Timestamp
    by: str
    nickname: str | None = None

    @classmethod
    def of(cls, member: staff.Member, nickname: str | None = None) -> PersonView:
        """Return the wire form."""
        return cls(account_id=member.account_id, post=member.post, since=member.since, by=member.by, nickname=nickname)


class StaffView(Schema):
    """A merchant's people, fifty at most, and the invitations that wait: no pages."""

    items: list[PersonView]
    invitations: list[InvitationView]

    @classmethod
    def of(cls, roster: staff.Roster, people: list[staff.Person], offers: dict[str, staff.Offer]) -> StaffView:
        """Return the wire form as of a moment."""
        return cls(
            items=[PersonView.of(one.member, one.nickname) for one in people],
            invitations=[InvitationView.of(one, offers.get(one.invitation_id)) for one in roster.waiting(clock.now())],
        )
