"""Routes of requests: each side has its own."""

from __future__ import annotations

from chalicelib.catalog.service import ProductNotFound
from chalicelib.checkout.schemas import QuoteView
from chalicelib.checkout.service import AddressNeeded, NotForSale, TotalTooLarge, seal
from chalicelib.complaints import service as complaints
from chalicelib.kernel.errors import Busy, IllegalTransition, NotFound
from chalicelib.orders.service import TooManyUnits
from chalicelib.requests import service
from chalicelib.requests.domain import (
    NothingToOrder,
    OfferChanged,
    OfferOver,
    Request,
    Side,
    TooManyOpen,
    TooMuchSaid,
)
from chalicelib.requests.schemas import (
    AcceptOffer,
    AskForSomething,
    FileLinkView,
    MakeOffer,
    Nothing,
    QuoteRequest,
    RequestPageView,
    RequestView,
    SaySomething,
)
from chalicelib.requests.service import Party, Statement
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

routes = Routes("requests")

_MOVES = (NotFound, IllegalTransition, TooMuchSaid, Busy)
_FILES = (complaints.files.EvidenceMissing, complaints.files.EvidenceRefused)


def _buyer(caller: Caller) -> Party:
    return Party(Side.BUYER, caller.account_id, caller.account_id)


def _merchant(caller: Caller) -> Party:
    return Party(Side.MERCHANT, caller.account_id, caller.owned_merchant())


def _reply(done: tuple[Request, bool], status: int = 200) -> Reply:
    request, replayed = done
    return Reply(RequestView.of(request), status, replayed_header(replayed))


def _page(party: Party, query: PageQuery) -> RequestPageView:
    scope = f"requests#{party.side}#{party.owner_id}"
    page = service.list_for(party, cursors.window(query.limit, query.cursor, query=scope))
    return RequestPageView(
        items=[RequestView.of(one) for one in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


def _link(party: Party, request_id: str, file_id: str) -> FileLinkView:
    url, expires_at = service.show_file(party, request_id, file_id)
    return FileLinkView(url=url, expires_at=expires_at)


@routes.route(
    "POST",
    "/v1/requests",
    access=Access.BUYER,
    body=AskForSomething,
    returns=RequestView,
    status=201,
    raises=(ProductNotFound, TooManyOpen, TooMuchSaid, *_FILES, Busy),
)
def ask_for_something(body: AskForSomething, caller: Caller, intent: Intent) -> Reply:
    """Ask a product's merchant to make something for the caller. Files are uploaded as evidence is."""
    return _reply(service.ask(_buyer(caller), body.product_id, Statement(body.text, body.files), intent), 201)


@routes.route("GET", "/v1/requests", access=Access.BUYER, query=PageQuery, returns=RequestPageView, raises=(BadCursor,))
def list_requests(query: PageQuery, caller: Caller) -> RequestPageView:
    """List the caller's requests."""
    return _page(_buyer(caller), query)


@routes.route("GET", "/v1/requests/{request_id}", access=Access.BUYER, returns=RequestView, raises=(NotFound,))
def get_request(request_id: str, caller: Caller) -> RequestView:
    """Read one of the caller's requests."""
    return RequestView.of(service.load(_buyer(caller), request_id))


@routes.route(
    "GET",
    "/v1/requests/{request_id}/files/{file_id}",
    access=Access.BUYER,
    returns=FileLinkView,
    raises=(NotFound,),
)
def get_request_file(request_id: str, file_id: str, caller: Caller) -> FileLinkView:
    """Get an address that downloads one file for five minutes."""
    return _link(_buyer(caller), request_id, file_id)


@routes.route(
    "POST",
    "/v1/requests/{request_id}/say",
    access=Access.BUYER,
    body=SaySomething,
    returns=RequestView,
    raises=(*_MOVES, *_FILES),
)
def say_in_request(request_id: str, body: SaySomething, caller: Caller, intent: Intent) -> Reply:
    """Write to the merchant; also after it was agreed on."""
    return _reply(service.say(_buyer(caller), request_id, Statement(body.text, body.files), intent))


@routes.route(
    "POST",
    "/v1/requests/{request_id}/accept",
    access=Access.BUYER,
    body=AcceptOffer,
    returns=RequestView,
    raises=(*_MOVES, OfferChanged, OfferOver, ProductNotFound),
)
def accept_offer(request_id: str, body: AcceptOffer, caller: Caller, intent: Intent) -> Reply:
    """Accept the offer of a number: it can be ordered by the caller alone, at the agreed price."""
    return _reply(service.accept(_buyer(caller), request_id, body.offer, intent))


@routes.route(
    "POST",
    "/v1/requests/{request_id}/withdraw",
    access=Access.BUYER,
    body=Nothing,
    returns=RequestView,
    raises=_MOVES,
)
def withdraw_request(request_id: str, caller: Caller, intent: Intent) -> Reply:
    """Take the request back."""
    return _reply(service.withdraw(_buyer(caller), request_id, intent))


@routes.route(
    "POST",
    "/v1/requests/{request_id}/quote",
    access=Access.BUYER,
    body=QuoteRequest,
    returns=QuoteView,
    idempotent=False,  # A quote is an answer, not a record: nothing is created.
    raises=(NotFound, NothingToOrder, NotForSale, AddressNeeded, TooManyUnits, TotalTooLarge),
)
def quote_request(request_id: str, body: QuoteRequest, caller: Caller) -> QuoteView:
    """Say what it costs to order what was agreed on; the answer's `quote` is ordered as any other."""
    quote = service.quote(_buyer(caller), request_id, address_id=body.address_id)
    return QuoteView.of(quote, seal(quote))


@routes.route(
    "GET",
    "/v1/merchant/requests",
    access=Access.MERCHANT,
    query=PageQuery,
    returns=RequestPageView,
    raises=(BadCursor,),
)
def list_merchant_requests(query: PageQuery, caller: Caller) -> RequestPageView:
    """List what the merchant was asked to make."""
    return _page(_merchant(caller), query)


@routes.route(
    "GET", "/v1/merchant/requests/{request_id}", access=Access.MERCHANT, returns=RequestView, raises=(NotFound,)
)
def get_merchant_request(request_id: str, caller: Caller) -> RequestView:
    """Read one request to the merchant."""
    return RequestView.of(service.load(_merchant(caller), request_id))


@routes.route(
    "GET",
    "/v1/merchant/requests/{request_id}/files/{file_id}",
    access=Access.MERCHANT,
    returns=FileLinkView,
    raises=(NotFound,),
)
def get_merchant_request_file(request_id: str, file_id: str, caller: Caller) -> FileLinkView:
    """Get an address that downloads one file for five minutes."""
    return _link(_merchant(caller), request_id, file_id)


@routes.route(
    "POST",
    "/v1/merchant/requests/{request_id}/say",
    access=Access.MERCHANT,
    body=SaySomething,
    returns=RequestView,
    raises=(*_MOVES, *_FILES),
)
def say_in_merchant_request(request_id: str, body: SaySomething, caller: Caller, intent: Intent) -> Reply:
    """Write to the buyer; also after it was agreed on."""
    return _reply(service.say(_merchant(caller), request_id, Statement(body.text, body.files), intent))


@routes.route(
    "POST",
    "/v1/merchant/requests/{request_id}/offer",
    access=Access.MERCHANT,
    body=MakeOffer,
    returns=RequestView,
    raises=(*_MOVES, *_FILES),
)
def make_offer(request_id: str, body: MakeOffer, caller: Caller, intent: Intent) -> Reply:
    """Offer to make it: for how much each, how many, by which day. Another offer takes the place of the one before."""
    said = Statement(body.text, body.files)
    return _reply(service.offer(_merchant(caller), request_id, body.terms(), said, intent))


@routes.route(
    "POST",
    "/v1/merchant/requests/{request_id}/decline",
    access=Access.MERCHANT,
    body=SaySomething,
    returns=RequestView,
    raises=(*_MOVES, *_FILES),
)
def decline_request(request_id: str, body: SaySomething, caller: Caller, intent: Intent) -> Reply:
    """Say that it will not be made, and why."""
    return _reply(service.decline(_merchant(caller), request_id, Statement(body.text, body.files), intent))
