"""The whole story of a purchase's money: in time order, but never an effect before its cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import Texts
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.payments.domain import approval as approval_rules
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain.approval import Approval
from chalicelib.payments.domain.dispute import DISPUTE
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import REFUND, Refund
from chalicelib.payments.domain.story_order import Told, in_order
from chalicelib.payments.domain.story_texts import HAPPENINGS
from chalicelib.payments.store import records as store


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to a purchase or its money."""

    at: datetime
    what: str
    record_id: str
    status: str = ""
    amount: Money | None = None
    by: str = ""
    note: str = ""
    told_as: Texts | None = None
    """In words, where its kind alone does not say it."""

    @property
    def texts(self) -> Texts:
        """Return what it is, for people."""
        return self.told_as or HAPPENINGS[self.what]


PLACED = "purchase.placed"
_RANK = {
    name: rank
    for rank, name in enumerate(
        ("purchase", "payment", "quarantine", "order", "approval", "refund", "dispute", "ledger")
    )
}
"""At one moment, of what has nothing to do with each other."""


def story(purchase_id: str) -> list[Happening]:
    """Return all that happened to a purchase and its money: orders, payments, refunds, approvals, quarantined notices
    and the ledger. In time order, except where a cause bears a later time than what it led to.

    Raises:
        NotFound: if there is no such purchase.
    """
    sale = orders.load_sale(purchase_id)
    return in_order(told(sale, store.load_records(purchase_id), ledger.entries(purchase_id)))


def told(sale: orders.Sale, records: PaymentRecords, entries: Iterable[ledger.Entry]) -> Iterator[Told[Happening]]:
    """Yield what happened, each with what must have happened before it."""
    yield from _of_purchase(sale.purchase)
    for order in sale.orders:
        yield from _of_order(order, records)
    for payment in records.payments:
        yield from _of_payment(payment)
    for refund in records.refunds:
        yield from _of_refund(refund, records, sale)
    yield from _of_desk(records)
    for entry in entries:
        yield _of_entry(entry)


def _told(happening: Happening, name: str, *after: str) -> Told[Happening]:
    rank = _RANK.get(happening.what.split(".")[0], len(_RANK))
    return Told(happening, happening.at, name, after or (PLACED,), rank)


def _of_purchase(purchase: orders.Purchase) -> Iterator[Told[Happening]]:
    number, before = purchase.purchase_id, PLACED
    placed = Happening(purchase.placed_at, PLACED, number, amount=purchase.total)
    yield Told(placed, placed.at, PLACED)
    for change in purchase.history:
        texts = orders.PURCHASE_TEXTS[orders.PurchaseStatus(change.status)]
        happened = Happening(
            change.at, "purchase.changed", number, change.status, by=change.by, note=change.note, told_as=texts
        )
        name = f"{number} {change.status}"
        is_paid = change.status == orders.PurchaseStatus.PAID and purchase.settled_by  # A replacement is not paid.
        paid_by = (f"captured {purchase.settled_by}",) if is_paid else ()
        yield _told(happened, name, before, *paid_by)
        before = name


def _of_order(order: orders.Order, records: PaymentRecords) -> Iterator[Told[Happening]]:
    """Yield an order's changes: each after the last, and after what its purchase or a refund did to it."""
    number, before = order.order_id, PLACED
    texts = orders.of_order_changes(order.history)
    for count, (change, told_as) in enumerate(zip(order.history, texts, strict=True)):
        happened = Happening(
            change.at, "order.changed", number, change.status, by=change.by, note=change.note, told_as=told_as
        )
        why = change.note if change.status == orders.OrderStatus.CANCELLED else change.status
        causes = [f"{order.purchase_id} {why}"]
        if change.by_refund:
            causes += [
                f"requested {refund.refund_id}"
                for refund in records.refunds
                if refund.order_id == number and refund.requested_at <= change.at and not _is_by_itself(refund)
            ]
        name = _change(number, count)
        yield _told(happened, name, before, *causes)
        before = name


def _change(order_id: str, count: int) -> str:
    return f"{order_id} change {count}"


def _is_by_itself(refund: Refund) -> bool:
    """Say whether a refund is what an order's end brings with it, and nobody asked for it."""
    return not refund.by and not refund.about and not refund.external_number and refund.reason in ("cancel", "rest")


def _ends(order: orders.Order) -> Iterator[str]:
    """Name the changes that pay something back by themselves; the last that fits brought a refund with it."""
    for count, change in enumerate(order.history):
        if change.status == orders.OrderStatus.CANCELLED or change.note == orders.REST_REFUNDED:
            yield _change(order.order_id, count)


def _of_payment(payment: Payment) -> Iterator[Told[Happening]]:
    number = payment.payment_id
    started = Happening(payment.created_at, "payment.started", number, amount=payment.amount, note=payment.provider)
    yield _told(started, f"started {number}")
    if payment.ended_at is not None:
        word = "payment.failed" if payment.status is PaymentStatus.FAILED else "payment.closed"
        note = "" if payment.holds_money else payment.failure_code
        yield _told(Happening(payment.ended_at, word, number, note=note), f"ended {number}", f"started {number}")
    if payment.captured_at is not None:
        why = payment.surplus_reason
        word = "payment.surplus" if why else "payment.captured"
        captured = Happening(payment.captured_at, word, number, payment.status, payment.captured, note=why)
        yield _told(captured, f"captured {number}", f"started {number}")


def _of_refund(refund: Refund, records: PaymentRecords, sale: orders.Sale) -> Iterator[Told[Happening]]:
    number = refund.refund_id
    asked_by = refund.retried_by if refund.renews else refund.by
    before = f"requested {number}"
    requested = Happening(
        refund.requested_at, "refund.requested", number, amount=refund.amount, by=asked_by, note=refund.reason
    )
    yield _told(requested, before, f"captured {refund.payment_id}", *_led_to(refund, records, sale))
    for status, moment in refund.past[1:]:
        name = f"{number} {status.value}"
        yield _told(Happening(moment, f"refund.{status.value}", number), name, before)
        before = name
    if refund.status is not REFUND.initial:
        word = "bounced" if refund.bounced_at == refund.since else refund.status.value
        ended = Happening(refund.since, f"refund.{word}", number, refund.status, note=refund.code)
        yield _told(ended, f"{number} {word}", before)


def _led_to(refund: Refund, records: PaymentRecords, sale: orders.Sale) -> Iterator[str]:
    """Name what led to a refund: who approved it, the number that it renews, or the end of its order."""
    yield from (f"decided {one.approval_id}" for one in records.approvals if one.refund_id == refund.refund_id)
    if refund.renews:
        yield from (f"{refund.renews} {status.value}" for status in refund_rules.RefundStatus)
    elif _is_by_itself(refund):
        for order in sale.orders:
            if order.order_id == refund.order_id:
                yield from list(_ends(order))[-1:]


def _of_desk(records: PaymentRecords) -> Iterator[Told[Happening]]:
    """Yield what operators and banks did about a payment."""
    for found in records.quarantined:
        number = found.quarantine_id
        opened = Happening(found.at, "quarantine.opened", number, found.resolved, by=found.by, note=found.why)
        yield _told(opened, number, f"started {found.payment_id}")
    for dispute in records.disputes:
        number, opened_by = dispute.dispute_id, f"captured {dispute.payment_id}"
        opened = Happening(dispute.opened_at, "dispute.opened", number, amount=dispute.amount, note=dispute.reason)
        yield _told(opened, number, opened_by)
        if dispute.status is not DISPUTE.initial:
            word = f"dispute.{dispute.status.value}"
            yield _told(Happening(dispute.since, word, number, dispute.status), f"done {number}", number)
    for approval in records.approvals:
        yield from _of_approval(approval)


def _of_approval(approval: Approval) -> Iterator[Told[Happening]]:
    number, about = approval.approval_id, approval.settles
    asked = Happening(approval.asked_at, "approval.asked", number, amount=approval.amount, by=approval.asked_by)
    yield _told(asked, number, f"requested {about}" if about else PLACED)
    if approval.status is not approval_rules.APPROVAL.initial:
        word = f"approval.{approval.status.value}"
        decided = Happening(approval.since, word, number, by=approval.decided_by, note=approval.note)
        yield _told(decided, f"decided {number}", number)


def _of_entry(entry: ledger.Entry) -> Told[Happening]:
    """Return the booking of a fact (``payment.captured#pay_…``): after what it books."""
    fact, _, subject = entry.entry_id.partition("#")
    record_id = subject.partition("#")[0]
    note = ", ".join(f"{posting.account} {posting.amount.text()}" for posting in entry.postings)
    of, _, word = fact.partition(".")
    causes = {
        "payment": (f"captured {record_id}",),
        "refund": (f"requested {record_id}", f"{record_id} {word}"),
        "dispute": (record_id,),
    }.get(of, ())
    return _told(Happening(entry.at, "ledger.posted", entry.entry_id, note=note), f"entry {entry.entry_id}", *causes)
