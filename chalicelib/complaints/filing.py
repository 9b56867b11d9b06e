"""Filing a complaint, and uploading what shows it."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.complaints import domain, events, evidence, limits, store
from chalicelib.complaints.cases import Party, Statement, line_of
from chalicelib.complaints.domain import FILED, Complaint, Entry
from chalicelib.complaints.evidence import Ticket
from chalicelib.complaints.grounds import Reason, Wish
from chalicelib.complaints.refusals import NotComplainable, OpenComplaint
from chalicelib.complaints.states import COMPLAINT, Turn
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, OrderStatus
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

_PAID = (
    OrderStatus.PAID,
    OrderStatus.PARTLY_SHIPPED,
    OrderStatus.SHIPPED,
    OrderStatus.TURNED_BACK,
    OrderStatus.DELIVERED,
    OrderStatus.COMPLETED,
)


@dataclass(frozen=True, slots=True)
class Filing:
    """What a buyer complains about, and wants."""

    order_id: str
    line_id: str
    reason: Reason
    statement: Statement
    wishes: tuple[Wish, ...] = ()
    wished: Money | None = None


def upload(party: Party, *, content_type: str, size: int, intent: Intent) -> Ticket:
    """Return a form to upload one file with, the same place for a repeat, counted once.

    Raises:
        EvidenceRefused: if the type or size is not taken.
        TooManyUploads: if the account had too many forms today.
        Busy: if it asked for many at once.
    """
    evidence_id = ids.derived_id("evd", intent.scope, intent.key, intent.fingerprint)
    return evidence.ticket(party.account_id, evidence_id, content_type=content_type, size=size)


def file(buyer: Party, filing: Filing, intent: Intent) -> tuple[Complaint, bool]:
    """File a complaint against a line of one of the buyer's paid orders; says whether the same intent filed it before.

    Raises:
        NotFound: if the order is not theirs, or has no such line.
        NotComplainable: if it is not paid, or long completed.
        AmountTooLarge, CurrencyMismatch: if more is wished for than the line cost.
        OpenComplaint: if the line has one that is open.
        TooManyComplaints: about the line, or of the buyer lately.
        EvidenceMissing, EvidenceRefused: as the files are.
        Busy: if it kept changing.
    """
    complaint_id = intent.record_id("cmp")

    def create() -> tuple[Complaint, bool]:
        earlier = store.find(complaint_id)
        if earlier is not None:
            intent.check(earlier.fingerprint)
            return earlier, True
        order = _of_buyer(buyer, filing)
        held = store.open_lines(filing.order_id)
        if filing.line_id in held.lines:
            raise OpenComplaint(complaint_id=held.lines[filing.line_id])
        _check_complainable(order)
        counts = {**held.filed, filing.line_id: held.filed.get(filing.line_id, 0) + 1}
        limits.check_line(held.filed.get(filing.line_id, 0))
        before = store.filed(buyer.account_id)
        moments = limits.counted(before.moments, clock.now())
        complaint = _new(complaint_id, buyer, order, filing, intent)
        fact = events.ComplaintFiled(complaint_id=complaint_id, order_id=order.order_id, number=1)
        with UnitOfWork(f"file#{complaint_id}") as work:
            store.save(work, complaint, [fact])
            store.save_open_lines(work, held, {**held.lines, filing.line_id: complaint_id}, filed=counts)
            store.save_filed(work, before, moments)
            orders.hold(work, order, complaint_id)
        return complaint, False

    return racing(create, otherwise=Busy)


def _of_buyer(buyer: Party, filing: Filing) -> Order:
    order = orders.load_order(filing.order_id)
    if order.buyer_id != buyer.owner_id:
        raise NotFound(what="order")
    line = line_of(order, filing.line_id)
    if filing.wished is not None:
        domain.check_amount(filing.wished, line_total=line.total, order_left=line.total)
    return order


def _check_complainable(order: Order) -> None:
    late = order.status is OrderStatus.COMPLETED and clock.now() - order.since > domain.COMPLAIN_WITHIN
    if order.status not in _PAID or late:
        raise NotComplainable


def _new(complaint_id: str, buyer: Party, order: Order, filing: Filing, intent: Intent) -> Complaint:
    files = evidence.attach(complaint_id, buyer.account_id, filing.statement.evidence)
    now = clock.now()
    return domain.begun(
        Complaint(
            complaint_id=complaint_id,
            order_id=order.order_id,
            line_id=filing.line_id,
            buyer_id=order.buyer_id,
            merchant_id=order.merchant_id,
            reason=filing.reason,
            status=COMPLAINT.initial,
            filed_at=now,
            since=now,
            turn_since=now,
            history=(Entry(now, Turn.BUYER, FILED, filing.statement.text, evidence=files),),
            unsent=order.unsent().get(filing.line_id, 0) if order.may_be_sent else 0,
            given_up=order.given_up().get(filing.line_id, 0),
            fingerprint=intent.fingerprint,
            wishes=filing.wishes,
            wished=filing.wished,
        )
    )
