"""Routes of operators' roles and of a merchant's people."""

from __future__ import annotations

from chalicelib.auth import domain, service
from chalicelib.auth.schemas import PostView
from chalicelib.auth.service import staff
from chalicelib.auth.staff.schemas import (
    AcceptInvitation,
    AskRole,
    DecideRole,
    GrantRole,
    InvitationView,
    Invite,
    MovePerson,
    PersonView,
    RevokeQuery,
    RoleRequestsView,
    RoleRequestView,
    RolesView,
    StaffView,
)
from chalicelib.kernel import clock, context
from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition, NotFound, Throttled
from chalicelib.kernel.roles import Role
from chalicelib.kernel.second_person import AskerGone, KinApproval, OwnApproval, SecondPersonNeeded
from chalicelib.notifications.service import ChannelMissing
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

routes = Routes("auth")
_SMALL = 4096


def _created(view: object, *, before: bool) -> Reply:
    return Reply(view, 201, replayed_header(before))


# --- operators and roles ----------------------------------------------------------------------------------------------


@routes.route(
    "POST",
    "/v1/operator/accounts/{account_id}/roles",
    access=Access.OPERATOR,
    body=GrantRole,
    returns=RolesView,
    raises=(
        NotFound,
        SecondPersonNeeded,
    ),
    idempotent=False,  # It gives nothing.
    cap_bytes=_SMALL,
)
def grant_role(account_id: str, body: GrantRole) -> RolesView:
    """Answer what an account is, if it has this role. Nobody gives one alone: ask for it."""
    found = service.account(account_id)
    if not service.has_role(found, Role(body.role), body.merchant_id):
        raise SecondPersonNeeded
    return RolesView.of(found)


@routes.route(
    "DELETE",
    "/v1/operator/accounts/{account_id}/roles/{role}",
    access=Access.OPERATOR,
    query=RevokeQuery,
    returns=RolesView,
    raises=(NotFound, domain.BadGrant),
)
def revoke_role(account_id: str, role: str, query: RevokeQuery, caller: Caller) -> RolesView:
    """Take a role from an account: at the merchant or desk that is named, or everywhere. It counts within a minute."""
    try:
        taken = Role(role)
    except ValueError:
        raise NotFound(what="role") from None
    return RolesView.of(service.revoke(account_id, taken, query.merchant_id, desk=query.desk, by=caller.account_id))


@routes.route(
    "POST",
    "/v1/operator/accounts/{account_id}/role-requests",
    access=Access.OPERATOR,
    body=AskRole,
    returns=RoleRequestView,
    status=201,
    raises=(NotFound, domain.BadGrant, staff.StaffElsewhere, domain.OperatorNotStaff, IdempotencyKeyReused),
    cap_bytes=_SMALL,
)
def ask_role(account_id: str, body: AskRole, caller: Caller, intent: Intent) -> Reply:
    """Ask another operator to let somebody in. Nothing is given until it is approved; it expires after a day."""
    request, before = service.ask_role(
        account_id,
        Role(body.role),
        body.reason,
        merchant_id=body.merchant_id,
        post=body.post,
        desk=body.desk,
        by=caller.account_id,
        intent=intent,
    )
    return _created(RoleRequestView.of(request, clock.now()), before=before)


@routes.route(
    "GET",
    "/v1/operator/role-requests",
    access=Access.OPERATOR,
    query=PageQuery,
    returns=RoleRequestsView,
    raises=(BadCursor,),
)
def list_role_requests(query: PageQuery, caller: Caller) -> RoleRequestsView:
    """List the roles that were asked for, with what became of them; in a page, the latest first."""
    scope = f"role-requests#{caller.account_id}"
    page = service.role_requests(cursors.window(query.limit, query.cursor, query=scope))
    now = clock.now()
    return RoleRequestsView(
        items=[RoleRequestView.of(one, now) for one in sorted(page.items, key=lambda one: one.asked_at, reverse=True)],
        next_cursor=cursors.seal(page.after, query=scope),
    )


@routes.route(
    "GET",
    "/v1/operator/role-requests/{request_id}",
    access=Access.OPERATOR,
    returns=RoleRequestView,
    raises=(NotFound,),
)
def get_role_request(request_id: str) -> RoleRequestView:
    """Read one request for a role."""
    return RoleRequestView.of(service.role_request(request_id), clock.now())


_DECIDING = (NotFound, IllegalTransition, ConcurrentUpdate, IdempotencyKeyReused)


@routes.route(
    "POST",
    "/v1/operator/role-requests/{request_id}/approve",
    access=Access.OPERATOR,
    body=DecideRole,
    returns=RoleRequestView,
    raises=(
        OwnApproval,
        KinApproval,
        AskerGone,
        domain.OperatorNotStaff,
        staff.StaffElsewhere,
        staff.StaffFull,
        *_DECIDING,
    ),
    cap_bytes=_SMALL,
)
def approve_role(request_id: str, body: DecideRole, caller: Caller, intent: Intent) -> Reply:
    """Approve as another operator than who asked: the role is given in the same transaction."""
    return _decided(request_id, body, caller, intent, approve=True)


@routes.route(
    "POST",
    "/v1/operator/role-requests/{request_id}/reject",
    access=Access.OPERATOR,
    body=DecideRole,
    returns=RoleRequestView,
    raises=_DECIDING,
    cap_bytes=_SMALL,
)
def reject_role(request_id: str, body: DecideRole, caller: Caller, intent: Intent) -> Reply:
    """Reject a request for a role, or take one's own back."""
    return _decided(request_id, body, caller, intent, approve=False)


def _decided(request_id: str, body: DecideRole, caller: Caller, intent: Intent, *, approve: bool) -> Reply:
    request, before = service.decide_role(
        request_id, approve=approve, by=caller.account_id, note=body.note, intent=intent
    )
    return Reply(RoleRequestView.of(request, clock.now()), 200, replayed_header(before))


# --- a merchant's people ----------------------------------------------------------------------------------------------


@routes.route("GET", "/v1/merchant/staff", access=Access.MERCHANT, returns=StaffView)
def list_staff(caller: Caller) -> StaffView:
    """List who works for the merchant, and the invitations that wait for an answer."""
    return StaffView.of(*staff.roster(caller.owned_merchant()))


@routes.route(
    "POST",
    "/v1/merchant/staff/invitations",
    access=Access.MERCHANT,
    body=Invite,
    returns=InvitationView,
    status=201,
    raises=(
        domain.BadIdentity,
        NotFound,
        staff.TooManyInvitations,
        ChannelMissing,
        Throttled,
        ConcurrentUpdate,
        IdempotencyKeyReused,
    ),
    cap_bytes=_SMALL,
)
def invite_person(body: Invite, caller: Caller, intent: Intent) -> Reply:
    """Offer a post by message to an e-mail address or phone number, once and for three days.

    The token is in the message alone. The answer is the same whether the contact has an account or not.
    """
    whom = staff.Invited(body.post, domain.identity(body.contact), body.language or context.current().language)
    invitation, offer, before = staff.invite(caller.owned_merchant(), whom, by=caller.account_id, intent=intent)
    return _created(InvitationView.of(invitation, offer), before=before)


@routes.route(
    "DELETE",
    "/v1/merchant/staff/invitations/{invitation_id}",
    access=Access.MERCHANT,
    status=204,
    raises=(NotFound, ConcurrentUpdate),
)
def take_back_invitation(invitation_id: str, caller: Caller) -> None:
    """Take an invitation back that nobody accepted."""
    staff.take_back(caller.owned_merchant(), invitation_id)


@routes.route(
    "PUT",
    "/v1/merchant/staff/{account_id}",
    access=Access.MERCHANT,
    body=MovePerson,
    returns=PersonView,
    raises=(NotFound, staff.LastOwner, ConcurrentUpdate),
    cap_bytes=_SMALL,
)
def move_person(account_id: str, body: MovePerson, caller: Caller) -> PersonView:
    """Give somebody who works here another post. It counts within a minute."""
    return PersonView.of(staff.move(caller.owned_merchant(), account_id, body.post, by=caller.account_id))


@routes.route(
    "DELETE",
    "/v1/merchant/staff/{account_id}",
    access=Access.MERCHANT,
    status=204,
    raises=(NotFound, staff.LastOwner, ConcurrentUpdate),
)
def dismiss_person(account_id: str, caller: Caller) -> None:
    """Take the post from somebody who works here. Within a minute they are out, whatever their token says."""
    staff.dismiss(caller.owned_merchant(), account_id, by=caller.account_id)


@routes.route(
    "POST",
    "/v1/me/posts",
    access=Access.SIGNED_IN,
    body=AcceptInvitation,
    returns=PostView,
    status=201,
    raises=(
        staff.BadInvitation,
        staff.InvitedElsewhere,
        domain.OperatorNotStaff,
        staff.StaffElsewhere,
        staff.StaffFull,
        staff.LastOwner,
        ConcurrentUpdate,
    ),
    idempotent=False,  # The token is its own key: used once, and a repeat by the same account is answered.
    cap_bytes=_SMALL,
)
def accept_invitation(body: AcceptInvitation, caller: Caller) -> PostView:
    """Take the post that an invitation offers: the caller works for that merchant from now on.

    It is for whom it went to: the caller has verified that very contact (`verify`), or signed in by it.
    """
    merchant_id, post = staff.accept(caller.account_id, body.token)
    return PostView(merchant_id=merchant_id, post=post)


@routes.route(
    "DELETE",
    "/v1/me/posts/{merchant_id}",
    access=Access.SIGNED_IN,
    status=204,
    raises=(NotFound, staff.LastOwner, ConcurrentUpdate),
)
def leave_post(merchant_id: str, caller: Caller) -> None:
    """Stop working for a merchant. Its last owner cannot."""
    staff.dismiss(merchant_id, caller.account_id, by=caller.account_id)
