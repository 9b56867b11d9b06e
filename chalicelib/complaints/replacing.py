"""Carrying out a replacement: an order that costs nothing, placed in the transaction that grants it."""

from __future__ import annotations

from typing import Final

from chalicelib.complaints.domain import Complaint
from chalicelib.complaints.refusals import NotReplaceable
from chalicelib.inventory import service as inventory
from chalicelib.inventory.service import OutOfStock
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.runtime.db.work import UnitOfWork

REFUSALS: Final = (OutOfStock, NotReplaceable)
"""Why goods that were promised cannot be sent after all: an operator decides otherwise."""


def check(order: Order, line_id: str, units: int) -> None:
    """Refuse what cannot be replaced: units that the buyer has not, or that were paid back.

    Raises:
        NotReplaceable: then.
    """
    came = order.kept().get(line_id, 0)
    if not came:
        raise NotReplaceable(why="not_shipped")
    if order.is_paid_back or line_id in order.paid_lines:
        raise NotReplaceable(why="refunded")
    paid_back = dict(order.refunded_units).get(line_id, 0) - order.given_up().get(line_id, 0)
    if not 0 < units <= came - max(0, paid_back):
        raise NotReplaceable(why="units")


def place(work: UnitOfWork, order: Order, complaint: Complaint) -> str:
    """Add the order that replaces a complaint's units, and the taking of its stock; returns its id.

    Raises:
        NotReplaceable: if there is nothing to replace, or nobody knows any more where to.
        OutOfStock: if there is no such unit; now, or when the work is committed.
    """
    check(order, complaint.line_id, complaint.units)
    if not orders.has_address(order) and not _is_virtual(order, complaint.line_id):
        raise NotReplaceable(why="address")
    wanted = (complaint.line_id, complaint.units)
    made = orders.place_replacement(
        work, order, wanted, placed_for=complaint.complaint_id, number=complaint.replacements
    )
    inventory.take(work, made.quantities(), buckets=made.buckets(), sure=True)
    return made.order_id


def _is_virtual(order: Order, line_id: str) -> bool:
    return any(line.line_id == line_id and line.kind != "physical" for line in order.lines)
