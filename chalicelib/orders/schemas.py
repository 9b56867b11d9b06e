"""Wire models of purchases and orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.kernel import context
from chalicelib.kernel.texts import Texts, said
from chalicelib.orders import texts
from chalicelib.orders.contacts import MASK
from chalicelib.orders.domain import Change, Contact, Order, OrderStatus, Purchase, PurchaseStatus, Sale
from chalicelib.runtime.schema import MoneyView, PageQuery, Schema, Timestamp


class LineView(Schema):
    """One line of an order."""

    line_id: str
    sku_id: str
    product_id: str
    title: str
    options: list[str]
    quantity: int
    unit_price: MoneyView
    total: MoneyView
    kind: str
    no_return: str | None = None
    """Why it is not returned without a reason, as its buyer confirmed for this purchase."""


class ChangeView(Schema):
    """One entry of an order's history."""

    status: str
    text: str
    """What happened, for people, in the caller's language."""
    at: Timestamp
    note: str | None = None
    """The reason that somebody gave, the shipment, or a word for machines."""


class ParcelView(Schema):
    """A shipment of an order and the units in it."""

    shipment_id: str
    lines: dict[str, int]
    delivered_at: Timestamp | None = None
    turned_back_at: Timestamp | None = None
    """When it was refused, sent back or last seen: its units are to be sent again, or their money goes back."""
    lost: bool = False
    """Whether it went missing: its buyer need not wait for another one."""


class ContactView(Schema):
    """Where a purchase goes."""

    recipient: str
    phone: str
    country: str
    province: str
    city: str
    district: str
    street: str
    postcode: str
    masked: bool = False
    """Nobody needs to know any more: what is left is the first sign of the name, four digits, the city."""

    @classmethod
    def of(cls, contact: Contact) -> ContactView:
        """Return the wire form."""
        return cls(
            recipient=contact.recipient,
            phone=contact.phone,
            country=contact.country,
            province=contact.province,
            city=contact.city,
            district=contact.district,
            street=contact.street,
            postcode=contact.postcode,
            masked=contact.street == MASK,
        )


class OrderView(Schema):
    """One merchant's share of a purchase."""

    order_id: str
    purchase_id: str
    number: str
    merchant_id: str
    merchant_name: str
    status: str
    status_text: str
    """In the caller's language."""
    lines: list[LineView]
    goods: MoneyView
    freight: MoneyView
    discount: MoneyView
    total: MoneyView
    refunded: MoneyView
    """What went back to the buyer."""
    refunding: MoneyView
    """What is on its way back besides."""
    placed_at: Timestamp
    due_at: Timestamp | None = None
    """When the state times out; none while an open complaint or return keeps the order from confirming itself."""
    ship_by: Timestamp | None = None
    """Until when its merchant promised to send all of it, while something waits to be sent."""
    parcels: list[ParcelView]
    returned: dict[str, int] = Field(default={})
    """Units of lines that came back and were paid back."""
    returns: list[str] = Field(default=[])
    """Open returns of it."""
    given_up: dict[str, int]
    """Units of lines that will not be sent (any more): their money is back, or on its way."""
    history: list[ChangeView]
    contact: ContactView | None = None

    @classmethod
    def of(cls, order: Order, contact: Contact | None = None) -> OrderView:
        """Return the wire form of an order; ``contact`` where the reader may know it."""
        return cls(
            order_id=order.order_id,
            purchase_id=order.purchase_id,
            number=order.number,
            merchant_id=order.merchant_id,
            merchant_name=order.merchant_name,
            status=order.status.value,
            status_text=_said(texts.ORDERS[order.status]),
            lines=[
                LineView(
                    line_id=line.line_id,
                    sku_id=line.sku_id,
                    product_id=line.product_id,
                    title=line.title,
                    options=list(line.options),
                    quantity=line.quantity,
                    unit_price=MoneyView.of(line.unit),
                    total=MoneyView.of(line.total),
                    kind=line.kind,
                    no_return=line.no_return or None,
                )
                for line in order.lines
            ],
            goods=MoneyView.of(order.goods),
            freight=MoneyView.of(order.freight),
            discount=MoneyView.of(order.discount),
            total=MoneyView.of(order.total),
            refunded=MoneyView.of(order.refunded),
            refunding=MoneyView.of(order.under_way),
            placed_at=order.placed_at,
            due_at=order.due_at,
            ship_by=order.ship_by if order.waits_to_be_sent else None,
            parcels=[
                ParcelView(
                    shipment_id=parcel.shipment_id,
                    lines=dict(parcel.lines),
                    delivered_at=parcel.delivered_at,
                    turned_back_at=parcel.turned_back_at,
                    lost=parcel.lost,
                )
                for parcel in order.parcels
            ],
            returned=dict(order.returned),
            returns=list(dict.fromkeys(case for case, _, _ in order.returning)),
            given_up=order.given_up(),
            history=_history(
                ChangeView(status=OrderStatus.PLACED, text=_said(texts.ORDERS[OrderStatus.PLACED]), at=order.placed_at),
                order.history,
                texts.of_order_changes(order.history),
            ),
            contact=ContactView.of(contact) if contact else None,
        )


def _history(placed: ChangeView, history: Sequence[Change], texts: Iterable[Texts]) -> list[ChangeView]:
    """Return the placement, which is kept as a time of its own, and all that changed since."""
    return [
        placed,
        *(
            ChangeView(status=change.status, text=_said(text), at=change.at, note=change.note or None)
            for change, text in zip(history, texts, strict=True)
        ),
    ]


def _said(texts: Texts) -> str:
    return said(texts, context.current().language)


class PurchaseView(Schema):
    """A checkout: one total, one order for each merchant."""

    purchase_id: str
    number: str
    status: str
    status_text: str
    """In the caller's language."""
    total: MoneyView
    placed_at: Timestamp
    due_at: Timestamp | None = None
    order_ids: list[str]
    settled_by: str | None = None
    contact: ContactView | None = None
    address_asked: str | None = None
    """Why a merchant asks for another address, before anything is sent."""
    history: list[ChangeView]
    orders: list[OrderView] | None = None

    @classmethod
    def of(cls, purchase: Purchase, sale: Sale | None = None) -> PurchaseView:
        """Return the wire form, with the orders where they were read."""
        return cls(
            purchase_id=purchase.purchase_id,
            number=purchase.number,
            status=purchase.status.value,
            status_text=_said(texts.PURCHASES[purchase.status]),
            total=MoneyView.of(purchase.total),
            placed_at=purchase.placed_at,
            due_at=purchase.due_at,
            order_ids=list(purchase.order_ids),
            settled_by=purchase.settled_by,
            contact=ContactView.of(purchase.contact) if purchase.contact else None,
            address_asked=purchase.delivery().asked or None,
            history=_history(
                ChangeView(
                    status=PurchaseStatus.AWAITING_PAYMENT,
                    text=_said(texts.PURCHASES[PurchaseStatus.AWAITING_PAYMENT]),
                    at=purchase.placed_at,
                ),
                purchase.history,
                (texts.PURCHASES[PurchaseStatus(change.status)] for change in purchase.history),
            ),
            orders=[OrderView.of(order) for order in sale.orders] if sale else None,
        )


class PurchaseStatusView(Schema):
    """How a purchase stands, for a page that waits for its money: the least there is to read."""

    purchase_id: str
    status: str
    status_text: str
    """In the caller's language."""
    due_at: Timestamp | None = None
    """Until when it can be paid, while it waits."""
    settled_by: str | None = None
    """The attempt that paid it."""

    @classmethod
    def of(cls, purchase: Purchase) -> PurchaseStatusView:
        """Return the wire form."""
        return cls(
            purchase_id=purchase.purchase_id,
            status=purchase.status.value,
            status_text=_said(texts.PURCHASES[purchase.status]),
            due_at=purchase.due_at,
            settled_by=purchase.settled_by,
        )


class OrderPageView(Schema):
    """One page of orders."""

    items: list[OrderView]
    next_cursor: str | None = None


class MerchantOrdersQuery(PageQuery):
    """Which of the merchant's orders: all, newest first, or those to ship, oldest first."""

    view: Literal["all", "to_ship"] = "all"


class Confirm(Schema):
    """Nothing to say: the parcel arrived."""


class AskAddress(Schema):
    """Why the merchant cannot deliver to the address there is."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Reveal(Schema):
    """Why an operator needs to know where a purchase goes."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=200)]


class Cancel(Schema):
    """Why the order is called off."""

    reason: Annotated[str, StringConstraints(max_length=200)] = Field(default="")
