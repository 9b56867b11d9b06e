"""Who bears what a decision gave back: where it is the platform, the merchant is paid for it.

A refund takes its order's money from merchant and commission alike, whoever decided it. What it took from the merchant
is booked over to ``goodwill`` once it has, by the ledger's own entries, so that it is exact to the minor unit; what
bounces is booked back. For goods that are sent again the merchant gets what their sale had brought. Said again it
changes nothing: only what is missing is booked.
"""

from __future__ import annotations

from chalicelib.complaints.domain import Complaint
from chalicelib.complaints.grounds import Payer
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.orders.service import Order
from chalicelib.payments import service as payments
from chalicelib.runtime.db.work import UnitOfWork


def settle(work: UnitOfWork, order: Order, complaint: Complaint) -> bool:
    """Add to the work what is missing in the books of what the platform bears for a complaint; says if anything is."""
    payers = {one.refund_id: one.payer for one in complaint.decisions if one.refund_id}
    if Payer.PLATFORM not in (one.payer for one in complaint.decisions):
        return False
    ours = {refund_id for refund_id, payer in payers.items() if payer is Payer.PLATFORM}
    refunds = payments.payment_records(order.purchase_id).refunds
    numbers = {one.refund_id for one in refunds if ours & {one.refund_id, one.origin}}
    merchant, mark = ledger.merchant(order.merchant_id), f"complaint.borne#{complaint.complaint_id}"
    missing, booked = 0, 0
    for entry in ledger.entries(order.purchase_id):
        what, _, about = entry.entry_id.partition("#")
        taken = sum(posting.amount.minor for posting in entry.postings if posting.account == merchant)
        booked += entry.entry_id.startswith(mark)
        if (what.startswith("refund.") and about.split("#")[0] in numbers) or entry.entry_id.startswith(mark):
            missing += taken
    missing += _replaced(order, complaint)
    if missing:
        ledger.post(
            work,
            entry_id=f"{mark}#{booked + 1}",
            purchase_id=order.purchase_id,
            at=clock.now(),
            postings=ledger.borne_postings(order.merchant_id, Money(missing, order.total.currency)),
        )
    return bool(missing)


def _replaced(order: Order, complaint: Complaint) -> int:
    """Return what the units that are sent again at the platform's cost had brought their merchant."""
    last = complaint.decision
    if not complaint.replacement or last is None or last.payer is not Payer.PLATFORM:
        return 0
    line = next(line for line in order.lines if line.line_id == complaint.line_id)
    charged = Money(line.total.minor * complaint.units // line.quantity, line.total.currency)
    return (charged - ledger.commission_of(charged, order.commission_bps)).minor
