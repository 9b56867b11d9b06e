"""Orders whose parcels nobody showed to have arrived. Pure.

The risk of the way is the merchant's, and a deadline of the buyer's starts from what is proven only. So an order that
was shipped does not confirm itself; what was not delivered when its time is over is taken for lost.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.orders import units
from chalicelib.orders.domain import Change, Order, OrderCause, OrderStatus, Parcel


def unproven(order: Order) -> list[Parcel]:
    """Return the parcels of which nobody showed that they arrived, or turned back."""
    return [parcel for parcel in order.parcels if not parcel.delivered_at and not parcel.turned_back_at]


def presume_lost(order: Order, change: Change) -> Order:
    """Take for lost what did not arrive. Its merchant sends it again or pays it back, as if it had turned back.

    It counts as last seen when it was shipped: a signature that is heard of later still counts.

    Raises:
        IllegalTransition: if the order is not in a state that times out so.
    """
    found = {parcel.shipment_id for parcel in unproven(order)}
    noted = order
    for parcel in order.parcels:
        if parcel.shipment_id in found:
            lost = replace(parcel, turned_back_at=_shipped_at(order, parcel), lost=True)
            parcels = tuple(lost if one.shipment_id == parcel.shipment_id else one for one in noted.parcels)
            noted = units.paid_before(replace(noted, parcels=parcels), lost)
    return units.away(noted, OrderCause.UNPROVEN, change)


def may_end(order: Order, *, now: datetime) -> bool:
    """Say whether its buyer need not wait any longer for what is missing.

    A parcel of it was lost, or its rest was not sent in the time that was promised. What the buyer refused is on its
    way back; an order of which nothing was sent is called off as any other.
    """
    if order.status is OrderStatus.PARTLY_SHIPPED:
        return order.ship_by is not None and now >= order.ship_by
    return order.status is OrderStatus.TURNED_BACK and any(parcel.lost for parcel in order.parcels)


def _shipped_at(order: Order, parcel: Parcel) -> datetime:
    return next((entry.at for entry in order.history if entry.note == parcel.shipment_id), order.placed_at)
