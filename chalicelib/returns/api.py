"""Routes of returns: each side has its own, so that a role sees what it may do."""

from __future__ import annotations

from chalicelib.kernel.errors import Busy, IllegalTransition, NotFound
from chalicelib.logistics.service import PhoneNeeded, TooManyShipments, TrackingNumberUsed, UnknownCarrier
from chalicelib.payments.service import RefundRefused
from chalicelib.returns import service
from chalicelib.returns.acting import Party
from chalicelib.returns.domain import MoreThanSent, NotExchangeable, Return, TooManyReturned, TooManyReturns, Turn
from chalicelib.returns.schemas import (
    ApproveReturn,
    AskReturn,
    DecideReturn,
    InspectReturn,
    Nothing,
    PreviewView,
    ReturnPageView,
    ReturnsQuery,
    ReturnView,
    Say,
    SendParcel,
)
from chalicelib.returns.windows import NotReturnable
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

routes = Routes("returns")

_MOVES = (NotFound, IllegalTransition, Busy)
_ASKING = (NotFound, NotReturnable, TooManyReturned, TooManyReturns, NotExchangeable)
_PARCELS = (TrackingNumberUsed, TooManyShipments, UnknownCarrier, PhoneNeeded)


def _buyer(caller: Caller) -> Party:
    return Party(Turn.BUYER, caller.account_id, caller.account_id)


def _merchant(caller: Caller) -> Party:
    return Party(Turn.MERCHANT, caller.account_id, caller.owned_merchant())


def _operator(caller: Caller) -> Party:
    return Party(Turn.OPERATOR, caller.account_id)


def _reply(done: tuple[Return, bool], party: Party, status: int = 200) -> Reply:
    found, replayed = done
    return Reply(ReturnView.of(found, side=party.side), status, replayed_header(replayed))


def _page(party: Party, query: PageQuery, view: str) -> ReturnPageView:
    scope = f"returns#{view}#{party.side}#{party.owner_id}"
    page = service.list_for(party, cursors.window(query.limit, query.cursor, query=scope), waiting=view == "waiting")
    return ReturnPageView(
        items=[ReturnView.of(found, side=party.side) for found in page.items],
        next_cursor=cursors.seal(page.after, query=scope),
    )


@routes.route(
    "POST",
    "/v1/returns/preview",
    access=Access.BUYER,
    body=AskReturn,
    returns=PreviewView,
    idempotent=False,  # It only reads.
    raises=(*_ASKING, RefundRefused),
)
def preview_return(body: AskReturn, caller: Caller) -> PreviewView:
    """See what a return would pay back, until when it may be asked for, and who pays the parcel. Nothing is written."""
    return PreviewView.of(service.preview(_buyer(caller), body.asking()))


@routes.route(
    "POST",
    "/v1/returns",
    access=Access.BUYER,
    body=AskReturn,
    returns=ReturnView,
    status=201,
    raises=(*_ASKING, Busy),
)
def ask_return(body: AskReturn, caller: Caller, intent: Intent) -> Reply:
    """Ask to send units of an order back; the merchant has 48 hours to say where to, or why not."""
    return _reply(service.ask(_buyer(caller), body.asking(), intent), _buyer(caller), 201)


@routes.route(
    "GET", "/v1/returns", access=Access.BUYER, query=ReturnsQuery, returns=ReturnPageView, raises=(BadCursor,)
)
def list_returns(query: ReturnsQuery, caller: Caller) -> ReturnPageView:
    """List the caller's returns."""
    return _page(_buyer(caller), query, query.view)


@routes.route("GET", "/v1/returns/{return_id}", access=Access.BUYER, returns=ReturnView, raises=(NotFound,))
def get_return(return_id: str, caller: Caller) -> ReturnView:
    """Read one of the caller's returns."""
    return ReturnView.of(service.load(_buyer(caller), return_id), side=Turn.BUYER)


@routes.route(
    "POST",
    "/v1/returns/{return_id}/parcel",
    access=Access.BUYER,
    body=SendParcel,
    returns=ReturnView,
    raises=(*_MOVES, *_PARCELS),
)
def send_return(return_id: str, body: SendParcel, caller: Caller, intent: Intent) -> Reply:
    """Say under which number the parcel travels back; it is followed like any other."""
    return _reply(service.send(_buyer(caller), return_id, body.parcel(), intent), _buyer(caller))


@routes.route(
    "POST",
    "/v1/returns/{return_id}/accept",
    access=Access.BUYER,
    body=Nothing,
    returns=ReturnView,
    raises=(*_MOVES, RefundRefused),
)
def accept_inspection(return_id: str, caller: Caller, intent: Intent) -> Reply:
    """Accept what the merchant takes of what came; its money is under way with this very call."""
    return _reply(service.accept(_buyer(caller), return_id, intent), _buyer(caller))


@routes.route(
    "POST",
    "/v1/returns/{return_id}/escalate",
    access=Access.BUYER,
    body=Say,
    returns=ReturnView,
    raises=_MOVES,
)
def escalate_return(return_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Object to a refusal or to an inspection: the platform decides."""
    return _reply(service.escalate(_buyer(caller), return_id, body.text, intent), _buyer(caller))


@routes.route(
    "POST",
    "/v1/returns/{return_id}/withdraw",
    access=Access.BUYER,
    body=Nothing,
    returns=ReturnView,
    raises=_MOVES,
)
def withdraw_return(return_id: str, caller: Caller, intent: Intent) -> Reply:
    """Call the return off, as long as nothing was sent."""
    return _reply(service.withdraw(_buyer(caller), return_id, intent), _buyer(caller))


@routes.route(
    "GET",
    "/v1/merchant/returns",
    access=Access.MERCHANT,
    query=ReturnsQuery,
    returns=ReturnPageView,
    raises=(BadCursor,),
)
def list_merchant_returns(query: ReturnsQuery, caller: Caller) -> ReturnPageView:
    """List the returns to the merchant."""
    return _page(_merchant(caller), query, query.view)


@routes.route("GET", "/v1/merchant/returns/{return_id}", access=Access.MERCHANT, returns=ReturnView, raises=(NotFound,))
def get_merchant_return(return_id: str, caller: Caller) -> ReturnView:
    """Read a return to the merchant."""
    return ReturnView.of(service.load(_merchant(caller), return_id), side=Turn.MERCHANT)


@routes.route(
    "POST",
    "/v1/merchant/returns/{return_id}/approve",
    access=Access.MERCHANT,
    body=ApproveReturn,
    returns=ReturnView,
    raises=_MOVES,
)
def approve_return(return_id: str, body: ApproveReturn, caller: Caller, intent: Intent) -> Reply:
    """Agree: say where it goes back to, and what the carrier needs where the merchant pays."""
    party = _merchant(caller)
    return _reply(service.approve(party, return_id, body.where(), body.text, intent), party)


@routes.route(
    "POST",
    "/v1/merchant/returns/{return_id}/leave",
    access=Access.MERCHANT,
    body=Say,
    returns=ReturnView,
    raises=(*_MOVES, RefundRefused),
)
def leave_return(return_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Pay back and let the buyer keep it; the money is under way with this very call."""
    party = _merchant(caller)
    return _reply(service.leave(party, return_id, body.text, intent), party)


@routes.route(
    "POST",
    "/v1/merchant/returns/{return_id}/refuse",
    access=Access.MERCHANT,
    body=Say,
    returns=ReturnView,
    raises=_MOVES,
)
def refuse_return(return_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Refuse, and say why; the buyer has 72 hours to take it to the platform."""
    party = _merchant(caller)
    return _reply(service.refuse(party, return_id, body.text, intent), party)


@routes.route(
    "POST",
    "/v1/merchant/returns/{return_id}/inspection",
    access=Access.MERCHANT,
    body=InspectReturn,
    returns=ReturnView,
    raises=(*_MOVES, MoreThanSent, RefundRefused),
)
def inspect_return(return_id: str, body: InspectReturn, caller: Caller, intent: Intent) -> Reply:
    """Say what came and how: it is paid back, or its replacement held, with this very call; less is asked of the buyer.

    What came as new is in stock again.
    """
    party = _merchant(caller)
    done = service.inspect(
        party, return_id, body.counted(), withholds=body.withhold_damaged, text=body.text, intent=intent
    )
    return _reply(done, party)


@routes.route(
    "POST",
    "/v1/merchant/returns/{return_id}/replacement",
    access=Access.MERCHANT,
    body=SendParcel,
    returns=ReturnView,
    raises=(*_MOVES, *_PARCELS),
)
def send_replacement(return_id: str, body: SendParcel, caller: Caller, intent: Intent) -> Reply:
    """Say under which number the replacement travels."""
    party = _merchant(caller)
    return _reply(service.replace_goods(party, return_id, body.parcel(), intent), party)


@routes.route(
    "GET",
    "/v1/operator/returns",
    access=Access.OPERATOR,
    query=PageQuery,
    returns=ReturnPageView,
    raises=(BadCursor,),
)
def list_operator_returns(query: PageQuery, caller: Caller) -> ReturnPageView:
    """List the returns that wait for the platform, most urgent first."""
    return _page(_operator(caller), query, "waiting")


@routes.route("GET", "/v1/operator/returns/{return_id}", access=Access.OPERATOR, returns=ReturnView, raises=(NotFound,))
def get_operator_return(return_id: str, caller: Caller) -> ReturnView:
    """Read any return."""
    return ReturnView.of(service.load(_operator(caller), return_id), side=Turn.OPERATOR)


@routes.route(
    "POST",
    "/v1/operator/returns/{return_id}/decision",
    access=Access.OPERATOR,
    body=DecideReturn,
    returns=ReturnView,
    raises=(*_MOVES, RefundRefused),
)
def decide_return(return_id: str, body: DecideReturn, caller: Caller, intent: Intent) -> Reply:
    """Decide: that it may go back, that it arrived, that all that came is paid back, or that it ends as it stands."""
    party = _operator(caller)
    if body.decision == "approve" and body.address is not None:
        where = service.Where(body.address.address())
        return _reply(service.approve(party, return_id, where, body.text, intent), party)
    if body.decision == "arrived":
        return _reply(service.arrived(party, return_id, body.text, intent), party)
    done = service.decide(party, return_id, pays=body.decision == "refund", text=body.text, intent=intent)
    return _reply(done, party)
