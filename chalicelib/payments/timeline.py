"""The whole story of a purchase's money, in time order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.payments import domain, store
from chalicelib.payments.dispute_rules import DISPUTE
from chalicelib.payments.domain import REFUND, Payment, PaymentStatus, Refund, Story


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


def timeline(purchase_id: str) -> list[Happening]:
    """Return all that happened to a purchase and its money, in time order: orders, payments, refunds, approvals,
    quarantined notices and the ledger.

    Raises:
        NotFound: if there is no such purchase.
    """
    sale = orders.load_sale(purchase_id)
    found = [
        Happening(sale.purchase.placed_at, "purchase.placed", purchase_id, amount=sale.purchase.total),
        *(
            Happening(change.at, "purchase.changed", purchase_id, change.status, by=change.by, note=change.note)
            for change in sale.purchase.history
        ),
        *(
            Happening(change.at, "order.changed", order.order_id, change.status, by=change.by, note=change.note)
            for order in sale.orders
            for change in order.history
        ),
        *_happenings(store.load_story(purchase_id)),
        *(
            Happening(
                entry.at,
                "ledger.posted",
                entry.entry_id,
                note=", ".join(f"{posting.account} {posting.amount.text()}" for posting in entry.postings),
            )
            for entry in ledger.entries(purchase_id)
        ),
    ]
    return sorted(found, key=lambda happening: (happening.at, _RANK.get(happening.what.split(".")[0], 9)))


_RANK = {
    name: rank
    for rank, name in enumerate(
        ("purchase", "payment", "quarantine", "order", "approval", "refund", "dispute", "ledger")
    )
}
"""At one moment: the cause before what it caused."""


def _happenings(story_: Story) -> Iterator[Happening]:
    for payment in story_.payments:
        yield from _of_payment(payment)
    for refund in story_.refunds:
        yield from _of_refund(refund)
    for found in story_.quarantined:
        yield Happening(found.at, "quarantine.opened", found.quarantine_id, found.resolved, by=found.by, note=found.why)
    for dispute in story_.disputes:
        number = dispute.dispute_id
        yield Happening(dispute.opened_at, "dispute.opened", number, amount=dispute.amount, note=dispute.reason)
        if dispute.status is not DISPUTE.initial:
            yield Happening(dispute.since, f"dispute.{dispute.status.value}", number, dispute.status)
    for approval in story_.approvals:
        number = approval.approval_id
        yield Happening(approval.asked_at, "approval.asked", number, amount=approval.amount, by=approval.asked_by)
        if approval.status is not domain.APPROVAL.initial:
            word = f"approval.{approval.status.value}"
            yield Happening(approval.since, word, number, by=approval.decided_by, note=approval.note)


def _of_payment(payment: Payment) -> Iterator[Happening]:
    number = payment.payment_id
    yield Happening(payment.created_at, "payment.started", number, amount=payment.amount, note=payment.provider)
    if payment.ended_at is not None:
        word = "payment.failed" if payment.status is PaymentStatus.FAILED else "payment.closed"
        yield Happening(payment.ended_at, word, number, note="" if payment.holds_money else payment.code)
    if payment.captured_at is not None:
        word = "payment.surplus" if payment.code else "payment.captured"
        yield Happening(payment.captured_at, word, number, payment.status, payment.captured, note=payment.code)


def _of_refund(refund: Refund) -> Iterator[Happening]:
    number = refund.refund_id
    asked_by = refund.retried_by if refund.renews else refund.by
    yield Happening(
        refund.requested_at, "refund.requested", number, amount=refund.amount, by=asked_by, note=refund.reason
    )
    for status, moment in refund.past[1:] if refund.past else ():
        yield Happening(moment, f"refund.{status.value}", number)
    if refund.status is not REFUND.initial:
        word = "bounced" if refund.bounced_at == refund.since else refund.status.value
        yield Happening(refund.since, f"refund.{word}", number, refund.status, note=refund.code)
