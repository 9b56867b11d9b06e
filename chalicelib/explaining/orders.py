"""What happened to an order, from every room that knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from chalicelib.complaints import service as complaints
from chalicelib.explaining import acts, texts
from chalicelib.explaining.domain import Fact, Kind, Step, by_time, woven
from chalicelib.explaining.facts import facts_of
from chalicelib.logistics import service as logistics
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.returns import service as returns
from chalicelib.runtime import queues

_KINDS: Final = {
    "purchase": Kind.PURCHASE,
    "order": Kind.ORDER,
    "payment": Kind.PAYMENT,
    "refund": Kind.REFUND,
    "ledger": Kind.LEDGER,
}
_CODED: Final = frozenset({"payment.started", "payment.closed", "payment.failed", "payment.surplus", "ledger.posted"})
"""Steps whose note is a code of ours or the provider's; in others it may be what a person wrote."""


def steps(order: orders.Order) -> list[Step]:
    """Return all that happened to an order, and to the purchase and payments that it is part of, in time order."""
    purchase_id = order.purchase_id
    return woven(
        acts.of(purchase_id),  # Of one moment they go first: the rest is what came of them.
        _of_money(payments.story(purchase_id), order),
        by_time(_of_parcels(order.order_id)),
        by_time(_of_complaints(order)),
        by_time(_of_returns(order)),
    )


def _of_money(story: Iterable[payments.Happening], order: orders.Order) -> Iterator[Step]:
    stock = _Stock(order)
    for one in story:
        of = one.what.partition(".")[0]
        if of == "order" and one.record_id != order.order_id:
            continue  # Another merchant's, paid together with it.
        step = Step(
            at=one.at,
            kind=_KINDS.get(of, Kind.DESK),
            what=one.what,
            record_id=one.record_id,
            texts=one.texts,
            status=one.status,
            amount=one.amount,
            by=one.by,
            note=one.note if one.what in _CODED else "",
            facts=_told(facts_of(one.what, one.record_id, one.status, one.note)),
        )
        yield step
        yield from stock.moved(step)


class _Stock:
    """What the order's changes do to stock: the order itself is the reservation, so each is told by its change."""

    def __init__(self, order: orders.Order) -> None:
        self._order_id = order.order_id
        self._units = ", ".join(f"{sku_id} x {units}" for sku_id, units in sorted(order.quantities().items()))
        self._before = orders.OrderStatus.PLACED.value

    def moved(self, step: Step) -> Iterator[Step]:
        """Yield what a step did to stock."""
        if step.what == "purchase.placed":
            yield self._step(step, "stock.taken")
        if step.kind is not Kind.ORDER:
            return
        before, self._before = self._before, step.status
        if (before, step.status) == (orders.OrderStatus.PLACED, orders.OrderStatus.CANCELLED):
            yield self._step(step, "stock.put_back")
        if (before, step.status) == (orders.OrderStatus.CANCELLED, orders.OrderStatus.PAID):
            yield self._step(step, "stock.taken")

    def _step(self, cause: Step, what: str) -> Step:
        return Step(cause.at, Kind.STOCK, what, self._order_id, texts.STOCK[what], by=cause.by, note=self._units)


def _of_parcels(order_id: str) -> Iterator[Step]:
    for shipment in logistics.of_order(order_id):
        number = shipment.shipment_id
        made = _told([f"shipment.{'return_sent' if shipment.about else 'created'}#{number}"])
        yield Step(shipment.shipped_at, Kind.PARCEL, "parcel.made", number, texts.PARCEL_MADE, facts=made)
        before = None
        for scan in sorted(shipment.scans, key=lambda found: found.at):
            if scan.status is None or scan.status is before:
                continue
            before = scan.status
            words = logistics.texts_of(scan.status)
            yield Step(scan.at, Kind.PARCEL, "parcel.moved", number, words, status=scan.status.value)


def _of_complaints(order: orders.Order) -> Iterator[Step]:
    for complaint in complaints.of_order(order.order_id, order.buyer_id):
        for entry in complaint.history:
            yield Step(
                at=entry.at,
                kind=Kind.COMPLAINT,
                what=f"complaint.{entry.what}",
                record_id=complaint.complaint_id,
                texts=complaints.texts_of(entry.what),
                amount=entry.amount,
                by=entry.by.value,
                note=complaint.reason.value if entry.what == "filed" else "",
            )


def _of_returns(order: orders.Order) -> Iterator[Step]:
    for found in returns.of_order(order.order_id, order.buyer_id):
        for entry in found.history:
            yield Step(
                at=entry.at,
                kind=Kind.RETURN,
                what=f"return.{entry.what}",
                record_id=found.return_id,
                texts=returns.texts_of(entry.what),
                amount=entry.amount,
                by=entry.by.value,
                note=found.reason.value if entry.what == "asked" else "",
            )


def _told(names: Iterable[str]) -> tuple[Fact, ...]:
    return tuple(Fact(name, queues.waiting_for(name.partition("#")[0])) for name in names)
