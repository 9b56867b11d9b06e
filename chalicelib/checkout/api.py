"""Routes of checkout: quote, place, cancel."""

from __future__ import annotations

from chalicelib.auth.service import GuardianNeeded, VerifiedPhoneNeeded
from chalicelib.cart.service import CartChanged, CartFull, NoSuchSku
from chalicelib.checkout import quotes, readdressing, service, waiting
from chalicelib.checkout.domain import (
    AddressNeeded,
    BadQuote,
    EmptyCart,
    MixedCurrencies,
    NotForSale,
    NothingToConfirm,
    PriceChanged,
    PurchaseTooLarge,
    QuoteChanged,
    QuoteExpired,
    QuoteUsed,
    TooManyMerchants,
    TotalTooLarge,
)
from chalicelib.checkout.schemas import AskQuote, ChangeAddress, Checkout, EndWaiting, PlacedView, QuoteView
from chalicelib.checkout.service import PaidMeanwhile, PaymentUnclear
from chalicelib.inventory.service import OutOfStock
from chalicelib.kernel.errors import Busy, IllegalTransition, NotFound
from chalicelib.orders.schemas import Cancel, OrderView, PurchaseView
from chalicelib.orders.service import (
    AddressSettled,
    AppointmentFixed,
    NotLate,
    TooManyCalledOff,
    TooManyUnits,
    TooManyUnpaid,
    TooManyUnpaidHere,
    TooManyUnpaidUnits,
)
from chalicelib.payments import service as payments
from chalicelib.payments.attempts.schemas import StartPayment
from chalicelib.payments.service import MethodNotOffered, UnknownProvider
from chalicelib.runtime import networks
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("checkout")


@routes.route(
    "POST",
    "/v1/quotes",
    access=Access.BUYER,
    body=AskQuote,
    returns=QuoteView,
    idempotent=False,  # A quote is an answer, not a record: nothing is created.
    raises=(
        AddressNeeded,
        Busy,
        CartFull,
        EmptyCart,
        GuardianNeeded,
        MixedCurrencies,
        NoSuchSku,
        NotForSale,
        NotFound,
        PurchaseTooLarge,
        TooManyMerchants,
        TooManyUnits,
        TotalTooLarge,
    ),
)
def ask_quote(body: AskQuote, caller: Caller) -> QuoteView:
    """Say what the caller's cart costs now, signed and valid for a quarter of an hour.

    Changes of the cart may come with the question; a refusal changes nothing. Nothing is held by a quote. Where fewer
    units are left than are wanted, the line says how many.
    """
    quote = service.quote(
        service.Asked(
            caller.account_id,
            address_id=body.address_id,
            sku_ids=tuple(body.sku_ids) if body.sku_ids is not None else None,
            changes=body.changes,
        )
    )
    return QuoteView.of(quote, quotes.seal(quote))


@routes.route(
    "POST",
    "/v1/purchases",
    access=Access.BUYER,
    body=Checkout,
    returns=PlacedView,
    status=201,
    raises=(
        AddressNeeded,
        BadQuote,
        Busy,
        CartChanged,
        MethodNotOffered,
        MixedCurrencies,
        NotForSale,
        NothingToConfirm,
        OutOfStock,
        PriceChanged,
        QuoteChanged,
        QuoteExpired,
        QuoteUsed,
        TooManyCalledOff,
        TooManyUnits,
        TooManyUnpaid,
        TooManyUnpaidHere,
        TooManyUnpaidUnits,
        TotalTooLarge,
        UnknownProvider,
        VerifiedPhoneNeeded,
    ),
)
def place_purchase(body: Checkout, caller: Caller, intent: Intent, request: Request) -> Reply:
    """Order what was quoted; its stock is held until it is paid or half an hour has passed.

    Where orders take a verified phone number, an account without one is refused, whatever it signed in by.

    An account may hold so many purchases and units unpaid; what ran out unpaid counts on for a day. A quote is ordered
    once: under another key it is refused, and the purchase named.

    With ``payment`` the first attempt to pay is written in the same transaction and answered with the purchase. A
    provider that refuses it or does not answer undoes nothing: the purchase can be paid by another attempt.
    """
    placed = service.place(
        service.Placing(
            token=body.quote,
            account_id=caller.account_id,
            intent=intent,
            note=body.note,
            network=networks.mark(request.source_ip, "purchases"),
            pay=_way_to_pay(body.payment, request),
            no_return=tuple(body.no_return),
        )
    )
    headers = {"Location": f"/v1/purchases/{placed.purchase.purchase_id}", **replayed_header(placed.repeated)}
    return Reply(PlacedView.of_placed(placed), 201, headers)


def _way_to_pay(asked: StartPayment | None, request: Request) -> payments.Wanted | None:
    if asked is None:
        return None
    return payments.Wanted(
        provider=asked.provider,
        method=asked.method,
        return_url=asked.return_url,
        payer=asked.payer,
        client_ip=request.source_ip or None,
    )


@routes.route(
    "POST",
    "/v1/purchases/{purchase_id}/cancel",
    access=Access.BUYER,
    body=Cancel,
    returns=PurchaseView,
    raises=(NotFound, IllegalTransition, PaidMeanwhile, PaymentUnclear),
)
def cancel_purchase(purchase_id: str, caller: Caller, intent: Intent) -> PurchaseView:
    """Call off a purchase that was not paid yet."""
    sale = service.cancel_purchase(purchase_id, account_id=caller.account_id, intent=intent)
    return PurchaseView.of(sale.purchase, sale)


@routes.route(
    "POST",
    "/v1/orders/{order_id}/cancel",
    access=Access.BUYER,
    body=Cancel,
    returns=OrderView,
    raises=(NotFound, IllegalTransition, AppointmentFixed),
)
def cancel_order(order_id: str, body: Cancel, caller: Caller, intent: Intent) -> OrderView:
    """Cancel a paid order of which nothing was shipped; the money goes back by itself."""
    return OrderView.of(service.cancel_order(order_id, buyer_id=caller.account_id, reason=body.reason, intent=intent))


@routes.route(
    "POST",
    "/v1/purchases/{purchase_id}/address",
    access=Access.BUYER,
    body=ChangeAddress,
    returns=PurchaseView,
    raises=(NotFound, AddressSettled, GuardianNeeded),
)
def change_address(purchase_id: str, body: ChangeAddress, caller: Caller, intent: Intent) -> PurchaseView:
    """Have a paid purchase sent to another address of the caller's book, before anything of it was sent."""
    sale = readdressing.change(purchase_id, account_id=caller.account_id, address_id=body.address_id, intent=intent)
    return PurchaseView.of(sale.purchase, sale)


@routes.route(
    "POST",
    "/v1/orders/{order_id}/end-waiting",
    access=Access.BUYER,
    body=EndWaiting,
    returns=OrderView,
    raises=(NotFound, NotLate, IllegalTransition),
)
def end_waiting(order_id: str, caller: Caller, intent: Intent) -> OrderView:
    """Wait no longer for what was lost: the order goes on without it, or ends, and its money goes back."""
    return OrderView.of(waiting.end(order_id, buyer_id=caller.account_id, intent=intent))


@routes.route(
    "POST",
    "/v1/merchant/orders/{order_id}/cancel",
    access=Access.MERCHANT,
    body=Cancel,
    returns=OrderView,
    raises=(NotFound, IllegalTransition),
)
def cancel_merchant_order(order_id: str, body: Cancel, caller: Caller, intent: Intent) -> OrderView:
    """Cancel a paid order that the merchant cannot ship; the buyer's money goes back by itself."""
    return OrderView.of(
        service.cancel_order(order_id, merchant_id=caller.owned_merchant(), reason=body.reason, intent=intent)
    )
