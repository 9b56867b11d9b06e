"""Facts about purchases and orders."""

from __future__ import annotations

from chalicelib.kernel.events import Event


class PurchaseEvent(Event, frozen=True):
    """Base: a fact about one purchase."""

    purchase_id: str

    @property
    def subject(self) -> str:
        """The purchase."""
        return self.purchase_id


class PurchasePlaced(PurchaseEvent, frozen=True, tag="purchase.placed"):
    """A checkout went through; stock is held and payment awaited."""


class PurchasePaid(PurchaseEvent, frozen=True, tag="purchase.paid"):
    """The purchase was settled by this payment."""

    payment_id: str


class PurchaseExpired(PurchaseEvent, frozen=True, tag="purchase.expired"):
    """Nobody paid in time; stock is free again."""


class PurchaseCancelled(PurchaseEvent, frozen=True, tag="purchase.cancelled"):
    """The buyer called it off before paying."""


class OrderEvent(Event, frozen=True):
    """Base: a fact about one order (whose id computes its purchase's)."""

    order_id: str

    @property
    def subject(self) -> str:
        """The order."""
        return self.order_id


class OrderPaid(OrderEvent, frozen=True, tag="order.paid"):
    """The merchant may ship."""


class OrderShipped(OrderEvent, frozen=True, tag="order.shipped"):
    """The last unit is on its way."""


class OrderDelivered(OrderEvent, frozen=True, tag="order.delivered"):
    """Every parcel arrived."""


class OrderCompleted(OrderEvent, frozen=True, tag="order.completed"):
    """The buyer confirmed receipt, or the time for it ran out."""


class OrderTurnedBack(OrderEvent, frozen=True, tag="order.turned_back"):
    """A parcel was refused or is on its way back: the merchant sends its units again, or their money goes back."""

    shipment_id: str

    @property
    def subject(self) -> str:
        """The order and the parcel."""
        return f"{self.order_id}#{self.shipment_id}"


class ShippingDue(OrderEvent, frozen=True, tag="order.shipping_due"):
    """What is left of the order must be sent soon, or its merchant breaks the promise."""


class ShippingLate(OrderEvent, frozen=True, tag="order.shipping_late"):
    """The order, or a part of it, was not sent within the time that was promised."""


class AddressAsked(OrderEvent, frozen=True, tag="order.address_asked"):
    """A merchant cannot deliver to the address there is, and asks the buyer for another one."""

    request: str

    @property
    def subject(self) -> str:
        """The order and the request: it may ask again."""
        return f"{self.order_id}#{self.request}"


class AddressChanged(OrderEvent, frozen=True, tag="order.address_changed"):
    """The buyer named another address, before anything was sent."""

    change: int

    @property
    def subject(self) -> str:
        """The order and which change it was."""
        return f"{self.order_id}#{self.change}"


class OrderCancelled(OrderEvent, frozen=True, tag="order.cancelled"):
    """The order ended, and the buyer has nothing of it."""

    why: str


class AppointmentsVoid(OrderEvent, frozen=True, tag="order.appointments_void"):
    """Units for which times were agreed will not be provided: called off or paid back. Those times are free again."""

    number: int
    """Which change of the order it was: it may happen more than once."""

    @property
    def subject(self) -> str:
        """The order and the change."""
        return f"{self.order_id}#{self.number}"


class VirtualPaid(OrderEvent, frozen=True, tag="order.virtual_paid"):
    """An order with virtual goods was paid: they are owed now."""


class VirtualPaidBack(OrderEvent, frozen=True, tag="order.virtual_paid_back"):
    """Money of an order with virtual goods goes back, or it ended: ``what`` is the refund, or how it ended."""

    what: str

    @property
    def subject(self) -> str:
        """The order and what happened to it."""
        return f"{self.order_id}#{self.what}"


class ReplacementCancelled(OrderEvent, frozen=True, tag="order.replacement_cancelled"):
    """An order that was to replace goods ended, and the buyer has nothing of it: whoever had it placed must go on."""

    complaint_id: str
