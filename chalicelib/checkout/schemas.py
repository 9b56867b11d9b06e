"""Wire models of checkout."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.cart.schemas import LineChanges, changes_of
from chalicelib.checkout import service
from chalicelib.checkout.domain import Quote
from chalicelib.checkout.service import Placed
from chalicelib.orders.schemas import PurchaseView
from chalicelib.payments.attempts.schemas import PaymentView, StartPayment
from chalicelib.runtime.schema import Id, MoneyView, Schema, Timestamp

QUOTE_CAP = 24_000


class AskQuote(Schema):
    """Price the cart, or the named SKUs of it, for an address (needed if anything is shipped).

    ``lines`` are set in the cart before, as ``PATCH /v1/cart`` does; nothing of it is if the quote is refused.
    """

    address_id: Id | None = None
    lines: LineChanges | None = None

    @property
    def changes(self) -> dict[str, int]:
        """Return the changes of the cart, units by SKU."""
        return changes_of(self.lines or [])

    sku_ids: Annotated[list[Id], Field(min_length=1, max_length=90)] | None = None


class QuoteLineView(Schema):
    """One SKU in a quote. ``available`` is there where fewer units are left than are wanted, as of the quote."""

    sku_id: str
    product_id: str
    title: str
    options: list[str]
    quantity: int
    unit_price: MoneyView
    total: MoneyView
    available: int | None = None
    no_return: str | None = None
    """Why it is not returned without a reason, once the buyer confirms that for this purchase; see ``no_return``."""
    no_return_text: str | None = None


class ShareView(Schema):
    """One merchant's share of a quote."""

    merchant_id: str
    merchant_name: str
    lines: list[QuoteLineView]
    goods: MoneyView
    freight: MoneyView
    total: MoneyView


class QuoteView(Schema):
    """What the cart costs now. ``quote`` is what a checkout sends back, unchanged, before ``expires_at``."""

    quote: str
    shares: list[ShareView]
    total: MoneyView
    expires_at: Timestamp

    @classmethod
    def of(cls, quote: Quote, token: str) -> QuoteView:
        """Return the wire form."""
        return cls(
            quote=token,
            shares=[
                ShareView(
                    merchant_id=share.merchant_id,
                    merchant_name=share.merchant_name,
                    lines=[
                        QuoteLineView(
                            sku_id=line.sku_id,
                            product_id=line.product_id,
                            title=line.title,
                            options=list(line.options),
                            quantity=line.quantity,
                            unit_price=MoneyView.of(line.unit),
                            total=MoneyView.of(line.total),
                            available=line.left,
                            no_return=line.no_return or None,
                            no_return_text=service.why_kept(line.no_return) or None,
                        )
                        for line in share.lines
                    ],
                    goods=MoneyView.of(share.goods),
                    freight=MoneyView.of(share.freight),
                    total=MoneyView.of(share.total),
                )
                for share in quote.shares
            ],
            total=MoneyView.of(quote.total),
            expires_at=quote.expires_at,
        )


class Checkout(Schema):
    """Order what was quoted. Prices cannot be sent: they are in the quote, which only we can sign."""

    quote: Annotated[str, StringConstraints(min_length=24, max_length=QUOTE_CAP, pattern=r"^[A-Za-z0-9_-]+$")]
    note: Annotated[str, StringConstraints(max_length=200)] = ""
    no_return: Annotated[list[Id], Field(max_length=90)] = Field(default=[])
    """SKUs of which the buyer confirms, for this purchase, that they are not returned without a reason. What is not
    confirmed is returned like any other: a box that confirms it is never ticked beforehand."""
    payment: StartPayment | None = None
    """How to pay it at once; without it the purchase waits for an attempt of its own."""


Checkout.model_config["str_max_length"] = QUOTE_CAP


class PlacedView(PurchaseView):
    """A purchase, and the first attempt to pay it where the checkout asked for one.

    An attempt without an instruction that is ``started`` was not answered by its provider: send the same request again,
    or start another attempt. One that ``failed`` was refused there: the purchase waits for another.
    """

    payment: PaymentView | None = None

    @classmethod
    def of_placed(cls, placed: Placed) -> PlacedView:
        """Return the wire form."""
        payment = PaymentView.of(placed.payment, []) if placed.payment is not None else None
        return cls(**dict(PurchaseView.of(placed.purchase)), payment=payment)


class EndWaiting(Schema):
    """Nothing to say: what is missing is not waited for."""


class ChangeAddress(Schema):
    """The address of the buyer's own book to which the purchase goes instead."""

    address_id: Id
