"""Use cases of complaints: file, reply, accept, escalate, decide, withdraw, reopen; deadlines and refunds' ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from chalicelib.complaints import domain, events, evidence, limits, store
from chalicelib.complaints.domain import (
    COMPLAINT,
    FILED,
    Cause,
    Complaint,
    Entry,
    NotComplainable,
    OpenComplaint,
    Reason,
    Status,
    Turn,
)
from chalicelib.complaints.evidence import Ticket
from chalicelib.complaints.forgetting import complaints_of as complaints_of  # noqa: PLC0414 - whoever forgets asks here
from chalicelib.complaints.forgetting import files_of as files_of  # noqa: PLC0414 - whoever hands out asks here
from chalicelib.complaints.forgetting import forget as forget  # noqa: PLC0414 - as above
from chalicelib.complaints.forgetting import is_over as is_over  # noqa: PLC0414 - as above
from chalicelib.complaints.histories import of_order as of_order  # noqa: PLC0414 - whoever explains an order asks here
from chalicelib.complaints.histories import texts_of as texts_of  # noqa: PLC0414 - as above
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Window
from chalicelib.orders import service as orders
from chalicelib.orders.service import Line, Order, OrderStatus
from chalicelib.payments import service as payments
from chalicelib.payments.service import RefundContext, RefundRefused, RefundRequest, Requester, UnknownPayment
from chalicelib.runtime import log, metrics
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
class Statement:
    """What somebody says, and the files to it."""

    text: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filing:
    """What a buyer complains about."""

    order_id: str
    line_id: str
    reason: Reason
    statement: Statement


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts: the side, the account, and the id by which records are theirs (an account's or a merchant's)."""

    side: Turn
    account_id: str
    owner_id: str = ""

    def owns(self, complaint: Complaint) -> bool:
        """Say whether the complaint is theirs to see."""
        if self.side is Turn.OPERATOR:
            return True
        return self.owner_id == (complaint.buyer_id if self.side is Turn.BUYER else complaint.merchant_id)


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
    _line(order, filing.line_id)
    return order


def _check_complainable(order: Order) -> None:
    late = order.status is OrderStatus.COMPLETED and clock.now() - order.since > domain.COMPLAIN_WITHIN
    if order.status not in _PAID or late:
        raise NotComplainable


def _line(order: Order, line_id: str) -> Line:
    for line in order.lines:
        if line.line_id == line_id:
            return line
    raise NotFound(what="order line")


def _new(complaint_id: str, buyer: Party, order: Order, filing: Filing, intent: Intent) -> Complaint:
    files = evidence.attach(complaint_id, buyer.account_id, filing.statement.evidence)
    now = clock.now()
    return Complaint(
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
    )


def load(party: Party, complaint_id: str, *, consistent: bool = False) -> Complaint:
    """Return a complaint of this party.

    Raises:
        NotFound: if there is none of theirs.
    """
    complaint = store.load(complaint_id, consistent=consistent)
    if not party.owns(complaint):
        raise NotFound(what="complaint")
    return complaint


@dataclass(frozen=True, slots=True)
class Parties:
    """Whose affair a complaint is."""

    buyer_id: str
    merchant_id: str
    order_id: str
    reason: str = ""


def parties(complaint_id: str) -> Parties:
    """Return who must not judge a complaint.

    Raises:
        NotFound: if there is none.
    """
    found = store.load(complaint_id, consistent=False)
    return Parties(found.buyer_id, found.merchant_id, found.order_id, found.reason.value)


def show_evidence(party: Party, complaint_id: str, evidence_id: str) -> tuple[str, datetime]:
    """Return an address that shows one file of a complaint for some minutes.

    Raises:
        NotFound: if the complaint is not theirs, or has no such file.
    """
    for found in load(party, complaint_id).evidence:
        if found.evidence_id == evidence_id:
            return evidence.link(complaint_id, found)
    raise NotFound(what="evidence")


def list_for(party: Party, window: Window, *, waiting: bool) -> Page[Complaint]:
    """Return one page of a party's complaints: those that wait for it, most urgent first, or all, newest first.

    Operators see what waits for them.
    """
    if party.side is Turn.OPERATOR:
        return store.list_for("by_desk", store.OPERATORS, window)
    index = "by_desk" if waiting else party.side.value
    return store.list_for(index, party.owner_id, window)


def reply(
    merchant: Party, complaint_id: str, *, cause: Cause, amount: Money | None, said: Statement, intent: Intent
) -> tuple[Complaint, bool]:
    """Answer as the merchant: offer a refund (``amount``), offer a remedy, or reject.

    Raises:
        NotFound, IllegalTransition, AmountTooLarge, EvidenceMissing, EvidenceRefused: as named.
    """

    def change(case: _Case, entry: Entry) -> _Change:
        before = case.complaint
        COMPLAINT.next(before.status, cause)
        if amount is not None:
            _check_amount(case, amount, done=False)
        after = replace(domain.move(before, cause, replace(entry, amount=amount)), offer=amount)
        return _Change(after, [events.ComplaintReplied(**_subject(after), status=after.status.value)])

    return _act(merchant, complaint_id, said, intent, change)


def accept(buyer: Party, complaint_id: str, intent: Intent) -> tuple[Complaint, bool]:
    """Accept the merchant's answer as the buyer; an offered refund is requested in the same transaction.

    Raises:
        NotFound, IllegalTransition: as named.
    """

    def change(case: _Case, entry: Entry) -> _Change:
        return _agree(case.complaint, Cause.ACCEPT, entry)

    return _act(buyer, complaint_id, Statement(""), intent, change)


def escalate(buyer: Party, complaint_id: str, said: Statement, intent: Intent) -> tuple[Complaint, bool]:
    """Ask for the operator's decision as the buyer."""

    def change(case: _Case, entry: Entry) -> _Change:
        after = domain.move(case.complaint, Cause.ESCALATE, entry)
        return _Change(after, [events.ComplaintEscalated(**_subject(after), why=Cause.ESCALATE.value)])

    return _act(buyer, complaint_id, said, intent, change)


def withdraw(buyer: Party, complaint_id: str, intent: Intent) -> tuple[Complaint, bool]:
    """Call the complaint off as the buyer."""
    return _act(
        buyer,
        complaint_id,
        Statement(""),
        intent,
        lambda case, entry: _Change(domain.move(case.complaint, Cause.WITHDRAW, entry)),
    )


def reopen(buyer: Party, complaint_id: str, said: Statement, intent: Intent) -> tuple[Complaint, bool]:
    """Reopen a closed complaint as the buyer, once; it goes to the operator.

    Raises:
        NotFound, IllegalTransition, NotReopenable: as named.
        OpenComplaint: if the line has another one by now.
    """

    def change(case: _Case, entry: Entry) -> _Change:
        after = domain.reopen(case.complaint, entry)
        return _Change(after, [events.ComplaintReopened(**_subject(after))])

    return _act(buyer, complaint_id, said, intent, change)


def decide(
    operator: Party, complaint_id: str, *, cause: Cause, amount: Money | None, said: Statement, intent: Intent
) -> tuple[Complaint, bool]:
    """Decide as the operator: grant a refund (``amount``), grant a remedy, or dismiss.

    Raises:
        NotFound, IllegalTransition, AmountTooLarge: as named.
        RefundRefused: if the money is not there; decide otherwise.
        ApprovalNeeded, DayLimitReached: if one operator alone may not give back so much: ask for approval of the
            refund, and decide ``remedy`` once it is made.
    """

    def change(case: _Case, entry: Entry) -> _Change:
        before = case.complaint
        COMPLAINT.next(before.status, cause)
        after = domain.move(before, cause, replace(entry, amount=amount))
        told: list[Event] = [events.ComplaintDecided(**_subject(after), decision=cause.value)]
        if amount is None:
            return _Change(after, told)
        _check_amount(case, amount, done=True)
        after = replace(after, refund=amount, refunds=before.refunds + 1)
        return _Change(after, told, refund=amount, granted_by=operator.account_id)

    return _act(operator, complaint_id, said, intent, change)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a use case wants to commit: the complaint as it will stand, its events, and the refund that goes with it.

    ``otherwise`` is committed instead where the refund is refused; without one, the refusal is the caller's.
    """

    after: Complaint
    events: Sequence[Event] = ()
    refund: Money | None = None
    granted_by: str = ""
    """The operator who gives the refund alone, up to what one person may."""
    otherwise: _Change | None = None


@dataclass(frozen=True)
class _Case:
    """What a use case decides by, each read at most once: the complaint; its order and its money where they matter."""

    complaint: Complaint

    @cached_property
    def order(self) -> Order:
        return orders.load_order(self.complaint.order_id)

    @cached_property
    def money(self) -> RefundContext:
        return payments.refund_context(self.order)


_Decide = Callable[[_Case, Entry], _Change]


def _act(party: Party, complaint_id: str, said: Statement, intent: Intent, change: _Decide) -> tuple[Complaint, bool]:
    """Load, check whose it is and whether this request did it before, decide, commit; again after a lost race."""

    def act() -> tuple[Complaint, bool]:
        before = load(party, complaint_id, consistent=True)
        if domain.remembered(before, intent.token, intent.fingerprint):
            return before, True
        entry = Entry(
            at=clock.now(), by=party.side, what="", text=said.text, intent=intent.token, fingerprint=intent.fingerprint
        )
        case = _Case(before)
        decided = change(case, entry)  # First without files: a refusal reads and copies none.
        if said.evidence:
            files = evidence.attach(complaint_id, party.account_id, said.evidence)
            decided = change(case, replace(entry, evidence=files))
        return _commit(case, decided), False

    return racing(act, otherwise=Busy)


def _commit(case: _Case, change: _Change) -> Complaint:
    try:
        return _write(case, change)
    except (RefundRefused, UnknownPayment) as refusal:
        if change.otherwise is None:
            raise
        log.warning(
            "agreed refund was refused by payments", complaint_id=case.complaint.complaint_id, code=refusal.code
        )
        return _write(case, change.otherwise)


def _write(case: _Case, change: _Change) -> Complaint:
    before, after, told = case.complaint, change.after, list(change.events)
    with UnitOfWork() as work:
        if change.refund is not None:
            after = replace(after, refund_id=_request_refund(work, case, change))
        if before.is_open and not after.is_open:
            told.append(events.ComplaintClosed(**_subject(after), status=after.status.value))
        if before.is_open is not after.is_open:
            _hold_line(work, case, after)
        store.save(work, after, told)
    return replace(after, version=before.version + 1)


def _hold_line(work: UnitOfWork, case: _Case, after: Complaint) -> None:
    held = store.open_lines(after.order_id)
    lines = dict(held.lines)
    holder = lines.get(after.line_id)
    if after.is_open:
        if holder is not None:
            raise OpenComplaint(complaint_id=holder)
        lines[after.line_id] = after.complaint_id
    elif holder == after.complaint_id:
        del lines[after.line_id]
    store.save_open_lines(work, held, lines)
    (orders.hold if after.is_open else orders.let_go)(work, case.order, after.complaint_id)


def _request_refund(work: UnitOfWork, case: _Case, change: _Change) -> str:
    complaint, amount = change.after, change.refund
    most = _most(case)
    if amount is None or (most is not None and amount.minor > most.minor):
        raise RefundRefused(why="paid_back_meanwhile", left=most.minor if most else 0)
    came = case.order.kept().get(complaint.line_id, 0)
    wanted = RefundRequest(
        order_id=complaint.order_id,
        reason=f"complaint {complaint.complaint_id}",
        amount=amount,
        line=complaint.line_id,
        compensation=domain.is_compensation(complaint.reason, came=came),
        never_came=complaint.reason in domain.NEVER_CAME,
    )
    requester = Requester(
        f"complaint#{complaint.complaint_id}#{complaint.refunds}", by=change.granted_by, about=complaint.complaint_id
    )
    return payments.request_refund(work, case.money, wanted, requester).refund_id


def _check_amount(case: _Case, amount: Money, *, done: bool) -> None:
    """Refuse more than is left for the line, not counting what is under way where only ``done`` refunds do."""
    line = _line(case.order, case.complaint.line_id)
    most = case.money.left_of(line.line_id, done=done)
    unsent = _most(case)
    if unsent is not None and unsent.minor < most.minor:
        most = unsent
    domain.check_amount(amount, line_total=line.total, order_left=most)


def _most(case: _Case) -> Money | None:
    """Return what may go back at most because units that were missing were paid back otherwise meanwhile.

    Nobody is paid twice for the same units: what still has not left may be paid for. None where nothing was missing
    when it was filed, nothing of it was given up since, or it is not about that.
    """
    complaint, order = case.complaint, case.order
    line_id = complaint.line_id
    compensation = domain.is_compensation(complaint.reason, came=order.kept().get(line_id, 0))
    if compensation or not complaint.unsent or order.given_up().get(line_id, 0) <= complaint.given_up:
        return None
    return case.money.charged_unsent(line_id)


def _subject(complaint: Complaint) -> dict[str, Any]:
    return {
        "complaint_id": complaint.complaint_id,
        "order_id": complaint.order_id,
        "number": len(complaint.history),
    }


def _agree(before: Complaint, cause: Cause, entry: Entry) -> _Change:
    """Carry out what the merchant offered. Money that is not there any more is an outcome: an operator decides."""
    after = domain.move(before, cause, entry)
    if after.status is not Status.REFUNDING or before.offer is None:
        return _Change(after)
    refused = domain.move(before, Cause.REFUND_REFUSED, entry)
    return _Change(
        replace(after, refund=before.offer, refunds=before.refunds + 1),
        refund=before.offer,
        otherwise=_Change(refused, [events.ComplaintEscalated(**_subject(refused), why=Cause.REFUND_REFUSED.value)]),
    )


def time_out(complaint_id: str) -> Complaint:
    """Fire the timeout of the complaint's state, if it really is past; a stale call is a no-op.

    Raises:
        NotFound: if there is no such complaint.
        Busy: if it kept changing.
    """

    def fire() -> Complaint:
        before = store.load(complaint_id)
        cause = COMPLAINT.timeout(before.status)
        if cause is None or before.due_at is None or before.due_at > clock.now():
            return before
        return _commit(_Case(before), _missed(before, cause))

    return racing(fire, otherwise=Busy)


def _missed(before: Complaint, cause: Cause) -> _Change:
    now = clock.now()
    entry = Entry(at=now, by=Turn.PLATFORM, what="")
    if cause is Cause.LAPSE:
        return _agree(before, cause, entry)
    metrics.count(f"complaints_missed_by_{before.turn.value}")
    if COMPLAINT.next(before.status, cause) is before.status:  # Overdue or refunding for another day: alarm again.
        log.warning("complaint is overdue", complaint_id=before.complaint_id, status=before.status.value)
        return _Change(domain.chased(before, cause, now))
    after = domain.move(before, cause, entry)
    return _Change(after, [events.ComplaintEscalated(**_subject(after), why=f"{before.turn.value}_{cause.value}")])


def end_refund(order_id: str | None, numbers: tuple[str, ...], *, succeeded: bool) -> None:
    """Note how a refund ended on the complaint that asked for it; a no-op for any other refund, and the second time.

    ``numbers`` are the refund's own and, where an operator renewed it, its first: the one the complaint knows.

    Raises:
        Busy: if it kept changing.
    """
    if order_id is None:
        return
    for complaint_id in store.open_lines(order_id).lines.values():
        _end_refund(complaint_id, numbers, Cause.REFUND_DONE if succeeded else Cause.REFUND_FAILED)


def undo_refund(complaint_id: str, numbers: tuple[str, ...]) -> None:
    """Give a complaint back to the operator because its refund came back; a no-op for any other.

    Raises:
        Busy: if it kept changing.
    """
    try:
        _end_refund(complaint_id, numbers, Cause.REFUND_BOUNCED)
    except OpenComplaint:  # The buyer complains about the line anew: that one has the operator's eye already.
        log.warning("refund of a closed complaint bounced", complaint_id=complaint_id)


def _end_refund(complaint_id: str, numbers: tuple[str, ...], cause: Cause) -> None:
    def end() -> None:
        before = store.load(complaint_id)
        if before.refund_id not in numbers:
            return
        overtaken = cause is Cause.REFUND_BOUNCED and before.status is Status.REFUNDING
        taken = Cause.REFUND_FAILED if overtaken else cause  # Its success was not told, or will be told too late.
        if not COMPLAINT.takes(before.status, taken) or (cause in _IN_ANY_ORDER and _overtaken(before, cause)):
            return
        entry = Entry(at=clock.now(), by=Turn.PLATFORM, what="", amount=before.refund)
        after = domain.move(before, taken, entry)
        failed = taken is not Cause.REFUND_DONE
        told = [events.ComplaintEscalated(**_subject(after), why=taken.value)] if failed else []
        _commit(_Case(before), _Change(after, told))

    racing(end, otherwise=Busy)


_IN_ANY_ORDER = (Cause.REFUND_DONE, Cause.REFUND_BOUNCED)
"""A refund that came back and was renewed is done more than once: what counts is where its money is by now."""


def _overtaken(complaint: Complaint, cause: Cause) -> bool:
    """Say whether the complaint's refund, under its first number or a later one, stands otherwise than was told."""
    first = complaint.refund_id or ""
    refunds = payments.payment_records(ids.parent_id("pur", first)).refunds
    stands = any(refund.is_done and first in (refund.refund_id, refund.origin) for refund in refunds)
    return stands is not (cause is Cause.REFUND_DONE)
