"""Routes of shipments: merchants ship, buyers follow, hubs push."""

from __future__ import annotations

from chalicelib.kernel.errors import Busy, IllegalTransition, NotFound
from chalicelib.logistics import corrections, domain, doubting, links, pushes, recognising, service, settling, waybills
from chalicelib.logistics.carriers import CARRIERS
from chalicelib.logistics.domain import Status
from chalicelib.logistics.losing import TooSoonToBeLost
from chalicelib.logistics.numbers import NothingToRelease
from chalicelib.logistics.ports import BadSignature, Party, UnreadablePush
from chalicelib.logistics.refusals import (
    CodeAlreadyGiven,
    NumberSettled,
    PhoneNeeded,
    TooManyShipments,
    TrackingNumberUsed,
    UnknownCarrier,
    WrongDelivery,
)
from chalicelib.logistics.schemas import (
    CarriersView,
    CarrierView,
    CorrectNumber,
    DrawWaybill,
    GuestParcelView,
    LinkView,
    MakeLink,
    NumberView,
    Received,
    RecognisedView,
    ReleaseNumber,
    ReportLost,
    SettleParcel,
    ShipmentsView,
    ShipmentView,
    ShipOrder,
    WaybillView,
    WeighedShipmentsView,
    WeighedShipmentView,
    WhoseNumber,
)
from chalicelib.logistics.waybills import NothingToSend, NoWaybills, WaybillRefused, WaybillUnknown
from chalicelib.orders.service import OverShipped
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("logistics")

PUSH_CAP_BYTES = 256 * 1024
FORM = ("application/x-www-form-urlencoded",)


@routes.route(
    "GET", "/v1/carriers", access=Access.PUBLIC, returns=CarriersView, cache_control="public, max-age=3600", etag=True
)
def list_carriers() -> CarriersView:
    """List the carriers a merchant may ship with."""
    return CarriersView(items=[CarrierView.of(carrier) for carrier in CARRIERS.values()])


@routes.route(
    "GET",
    "/v1/merchant/carriers",
    access=Access.MERCHANT,
    query=WhoseNumber,
    returns=RecognisedView,
)
def recognise_carrier(query: WhoseNumber, caller: Caller) -> RecognisedView:
    """Say which carriers a tracking number may be of, the likeliest first: by its form, else as a carrier hub says."""
    found = recognising.recognise(query.tracking_number, asker=caller.owned_merchant())
    return RecognisedView(items=[CarrierView.of(CARRIERS[code]) for code in found.carriers], said_by=found.said_by)


@routes.route(
    "POST",
    "/v1/merchant/orders/{order_id}/shipments",
    access=Access.MERCHANT,
    body=ShipOrder,
    returns=ShipmentView,
    status=201,
    raises=(
        NotFound,
        IllegalTransition,
        OverShipped,
        TrackingNumberUsed,
        TooManyShipments,
        WrongDelivery,
        UnknownCarrier,
        PhoneNeeded,
        CodeAlreadyGiven,
        Busy,
    ),
)
def ship_order(order_id: str, body: ShipOrder, caller: Caller, intent: Intent) -> Reply:
    """Ship units of one of the merchant's orders: as a parcel, or digitally."""
    dispatch = service.Dispatch(
        lines=tuple((line.line_id, line.quantity) for line in body.lines),
        carrier=body.carrier,
        number=body.tracking_number,
        phone_tail=body.phone_tail or "",
        note=body.note,
        code=body.code,
    )
    shipment, replayed = service.ship(caller.owned_merchant(), order_id, dispatch, intent)
    return Reply(ShipmentView.of(shipment), 201, replayed_header(replayed))


@routes.route(
    "POST",
    "/v1/merchant/orders/{order_id}/shipments/{shipment_id}/correct",
    access=Access.MERCHANT,
    body=CorrectNumber,
    returns=ShipmentView,
    raises=(NotFound, NumberSettled, TrackingNumberUsed, UnknownCarrier, PhoneNeeded, Busy),
)
def correct_number(order_id: str, shipment_id: str, body: CorrectNumber, caller: Caller, intent: Intent) -> Reply:
    """Correct a mistyped tracking number, before the parcel was seen. The old one is free again."""
    wanted = corrections.Correction(body.carrier, body.tracking_number, body.phone_tail or "")
    shipment, replayed = corrections.correct(caller.owned_merchant(), order_id, shipment_id, wanted, intent)
    return Reply(ShipmentView.of(shipment), 200, replayed_header(replayed))


@routes.route(
    "GET",
    "/v1/operator/tracking-numbers/{carrier}/{number}",
    access=Access.OPERATOR,
    returns=NumberView,
    raises=(NotFound,),
)
def read_number(carrier: str, number: str) -> NumberView:
    """See which shipments hold a tracking number, and who released it before."""
    return NumberView.of(corrections.holders(carrier, number))


@routes.route(
    "POST",
    "/v1/operator/tracking-numbers/{carrier}/{number}/release",
    access=Access.OPERATOR,
    body=ReleaseNumber,
    returns=NumberView,
    raises=(NotFound, NothingToRelease, Busy),
)
def release_number(carrier: str, number: str, body: ReleaseNumber, caller: Caller, intent: Intent) -> NumberView:
    """Free a tracking number that a carrier gave out again, or that somebody typed who has no such parcel."""
    claim = corrections.release(carrier, number, reason=body.reason, by=caller.account_id, intent=intent)
    return NumberView.of(claim)


@routes.route(
    "GET",
    "/v1/merchant/orders/{order_id}/shipments",
    access=Access.MERCHANT,
    returns=ShipmentsView,
    raises=(NotFound,),
)
def list_merchant_shipments(order_id: str, caller: Caller) -> ShipmentsView:
    """List the shipments of one of the merchant's orders."""
    shipments = service.of_merchants_order(order_id, caller.owned_merchant())
    return ShipmentsView(items=[ShipmentView.of(shipment) for shipment in shipments])


@routes.route(
    "GET",
    "/v1/orders/{order_id}/shipments",
    access=Access.BUYER,
    returns=ShipmentsView,
    raises=(NotFound,),
    etag=True,
)
def follow_order(order_id: str, caller: Caller) -> ShipmentsView:
    """Follow the parcels of one of the caller's orders: state, estimate, events newest first."""
    shipments = service.of_buyers_order(order_id, caller.account_id)
    return ShipmentsView(items=[ShipmentView.of(shipment, for_buyer=True) for shipment in shipments])


@routes.route(
    "GET",
    "/v1/operator/orders/{order_id}/shipments",
    access=Access.OPERATOR,
    returns=WeighedShipmentsView,
    raises=(NotFound,),
)
def weigh_shipments(order_id: str) -> WeighedShipmentsView:
    """See any order's shipments, and what speaks against them: a score to look at, of which nothing follows."""
    return WeighedShipmentsView(items=[WeighedShipmentView.of(one) for one in doubting.of_order(order_id)])


@routes.route(
    "POST",
    "/v1/orders/{order_id}/shipments/{shipment_id}/received",
    access=Access.BUYER,
    body=Received,
    returns=ShipmentView,
    raises=(NotFound, IllegalTransition, Busy),
)
def confirm_parcel(order_id: str, shipment_id: str, caller: Caller, intent: Intent) -> Reply:
    """Say that a parcel is there, where its carrier does not: the buyer's own word."""
    parcel = settling.Named(order_id, shipment_id)
    shipment, replayed = settling.received(parcel, buyer_id=caller.account_id, intent=intent)
    return Reply(ShipmentView.of(shipment, for_buyer=True), 200, replayed_header(replayed))


@routes.route(
    "POST",
    "/v1/merchant/orders/{order_id}/shipments/{shipment_id}/lost",
    access=Access.MERCHANT,
    body=ReportLost,
    returns=ShipmentView,
    raises=(NotFound, IllegalTransition, TooSoonToBeLost, Busy),
)
def report_lost(order_id: str, shipment_id: str, body: ReportLost, caller: Caller, intent: Intent) -> Reply:
    """Say that a parcel of the merchant's went missing: it is sent again, or its units are paid back."""
    parcel = settling.Named(order_id, shipment_id)
    shipment, replayed = settling.lost(
        parcel, merchant_id=caller.owned_merchant(), by=caller.account_id, reason=body.reason, intent=intent
    )
    return Reply(ShipmentView.of(shipment), 200, replayed_header(replayed))


@routes.route(
    "POST",
    "/v1/operator/orders/{order_id}/shipments/{shipment_id}/settle",
    access=Access.OPERATOR,
    body=SettleParcel,
    returns=ShipmentView,
    raises=(NotFound, IllegalTransition, TooSoonToBeLost, Busy),
)
def settle_parcel(order_id: str, shipment_id: str, body: SettleParcel, caller: Caller, intent: Intent) -> Reply:
    """Say what became of a parcel of which its carrier is silent, as somebody who saw proof."""
    parcel = settling.Named(order_id, shipment_id)
    shipment, replayed = settling.settle(
        parcel, Status(body.how), by=caller.account_id, reason=body.reason, intent=intent
    )
    return Reply(ShipmentView.of(shipment), 200, replayed_header(replayed))


@routes.route(
    "POST",
    "/v1/orders/{order_id}/shipments/{shipment_id}/link",
    access=Access.BUYER,
    body=MakeLink,
    returns=LinkView,
    raises=(NotFound,),
    idempotent=False,  # It is signed and nothing is written: again it is the same link, or one that lasts longer.
)
def link_parcel(order_id: str, shipment_id: str, caller: Caller) -> LinkView:
    """Make a link by which somebody without an account follows one parcel of the caller's."""
    return LinkView.of(links.make(order_id, shipment_id, caller.account_id))


@routes.route(
    "GET",
    "/v1/parcels/{token}",
    access=Access.PUBLIC,
    returns=GuestParcelView,
    raises=(NotFound,),
    cache_control="public, max-age=60",
    etag=True,
)
def follow_parcel(token: str) -> GuestParcelView:
    """Follow the parcel of a link."""
    return GuestParcelView.of(links.follow(token))


@routes.route(
    "POST",
    "/v1/webhooks/logistics/kuaidi100/{shipment_id}",
    access=Access.PROVIDER,
    idempotent=False,  # The hub sends no key; a snapshot that comes again tells nothing new.
    cap_bytes=PUSH_CAP_BYTES,
    content_types=FORM,
    raises=(NotFound, BadSignature, UnreadablePush),
)
def kuaidi100_push(shipment_id: str, request: Request) -> Reply:
    """Take a push of Kuaidi100: verified, durable, then acknowledged."""
    if domain.order_of(shipment_id) is None:
        raise NotFound(what="address")
    answer = pushes.receive("kuaidi100", shipment_id=shipment_id, headers=request.headers, body=request.body)
    return Reply(answer.body, answer.status, answer.headers)


@routes.route(
    "POST",
    "/v1/webhooks/logistics/kdniao",
    access=Access.PROVIDER,
    idempotent=False,  # The hub sends no key; a snapshot that comes again tells nothing new.
    cap_bytes=PUSH_CAP_BYTES,
    content_types=(*FORM, "application/json"),
    raises=(UnreadablePush,),
)
def kdniao_push(request: Request) -> Reply:
    """Take a push of KDNiao, of many parcels: verified, durable, then acknowledged; refused in the hub's own words."""
    answer = pushes.receive("kdniao", headers=request.headers, body=request.body)
    return Reply(answer.body, answer.status, answer.headers)


@routes.route(
    "POST",
    "/v1/merchant/orders/{order_id}/waybills",
    access=Access.MERCHANT,
    body=DrawWaybill,
    returns=WaybillView,
    status=201,
    raises=(NotFound, UnknownCarrier, NoWaybills, NothingToSend, WaybillRefused, WaybillUnknown),
)
def draw_waybill(order_id: str, body: DrawWaybill, caller: Caller, intent: Intent) -> Reply:
    """Draw a tracking number of a carrier and the label to print. The label is shown once."""
    sender = Party(**body.sender.model_dump())
    account = {"customer": body.customer, "password": body.password, "month_code": body.month_code}
    wanted = waybills.Wanted(body.carrier, sender, body.goods, body.weight_g, **account)
    waybill, drawn = waybills.draw(caller.owned_merchant(), order_id, wanted, intent)
    view = WaybillView(
        waybill_id=waybill.waybill_id,
        carrier=waybill.carrier,
        tracking_number=waybill.number,
        label_html=drawn.label or None if drawn is not None else None,
    )
    return Reply(view, 201, replayed_header(drawn is None))
