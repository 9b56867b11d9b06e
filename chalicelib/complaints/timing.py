"""What happens by itself: a missed turn escalates, or decides; refunds and replacements end."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.complaints import bearing, cases, domain, events, store
from chalicelib.complaints.answering import agree
from chalicelib.complaints.cases import Case, Change, commit
from chalicelib.complaints.deciding import forfeited
from chalicelib.complaints.domain import Complaint, Entry
from chalicelib.complaints.refusals import OpenComplaint
from chalicelib.complaints.states import COMPLAINT, Cause, Status, Turn
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


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
        if before.due and before.due.estimated:
            counted = domain.recounted(before)
            if counted.due_at is not None and counted.due_at > clock.now():
                return _put_off(counted)
        return commit(Case(before), _missed(Case(before), cause))

    return racing(fire, otherwise=Busy)


def _put_off(complaint: Complaint) -> Complaint:
    """Move a deadline that was estimated too early: the year's days of rest are known by now."""
    metrics.count("deadlines_put_off")
    with UnitOfWork() as work:
        store.save(work, complaint)
    return replace(complaint, version=complaint.version + 1)


def _missed(case: Case, cause: Cause) -> Change:
    before, now = case.complaint, clock.now()
    entry = Entry(at=now, by=Turn.PLATFORM, what="")
    if cause is Cause.LAPSE:
        return _lapsed(before, entry)
    metrics.count(f"complaints_missed_by_{before.turn.value}")
    counted = _counted(before)
    escalated = _escalated(before, counted, cause, entry)
    if before.turn is not Turn.PLATFORM and domain.forfeits(before) and COMPLAINT.takes(before.status, _FORFEIT):
        decided = forfeited(Case(counted), entry)
        if decided is not None:
            metrics.count("complaints_decided_by_clock")
            return replace(decided, otherwise=escalated)
    return escalated


_FORFEIT = Cause.FORFEIT_REFUND


def _escalated(before: Complaint, counted: Complaint, cause: Cause, entry: Entry) -> Change:
    if COMPLAINT.next(before.status, cause) is before.status:  # Overdue or refunding for another day: alarm again.
        log.warning("complaint is overdue", complaint_id=before.complaint_id, status=before.status.value)
        return Change(domain.chased(counted, cause, entry.at))
    after = domain.move(counted, cause, entry)
    why = f"{before.turn.value}_{cause.value}"
    return Change(after, [events.ComplaintEscalated(**cases.subject(after), why=why)])


def _counted(before: Complaint) -> Complaint:
    if before.turn is Turn.MERCHANT:
        return replace(before, misses=before.misses + 1)
    return replace(before, late=before.late + 1) if before.turn is Turn.OPERATOR else before


def _lapsed(before: Complaint, entry: Entry) -> Change:
    """Take a buyer's silence for agreement; an operator's case where a person was asked for, or the platform asked."""
    if before.person and COMPLAINT.takes(before.status, Cause.ESCALATE):
        after = domain.move(before, Cause.ESCALATE, entry)
    elif before.status is Status.BUYER_ASKED:
        after = domain.move(before, Cause.LAPSE, entry)
    else:
        return agree(before, Cause.LAPSE, entry)
    return Change(after, [events.ComplaintEscalated(**cases.subject(after), why=f"buyer_{Cause.SILENCE.value}")])


def end_refund(order_id: str | None, numbers: tuple[str, ...], *, succeeded: bool, about: str = "") -> None:
    """Note how a refund ended on the complaint that asked for it; a no-op for any other refund, and the second time.

    ``numbers`` are the refund's own and, where an operator renewed it, its first: the one the complaint knows. One
    that was mended after its complaint (``about``) was closed changes nothing in it but who bears it.

    Raises:
        Busy: if it kept changing.
    """
    if order_id is None:
        return
    waiting = store.open_lines(order_id).lines.values()
    for complaint_id in waiting:
        _end_refund(complaint_id, numbers, Cause.REFUND_DONE if succeeded else Cause.REFUND_FAILED)
    if succeeded and ids.is_id("cmp", about) and about not in waiting:
        racing(lambda: _settle(store.load(about)), otherwise=Busy)


def undo_refund(complaint_id: str, numbers: tuple[str, ...]) -> None:
    """Give a complaint back to the operator because its refund came back; a no-op for any other.

    Raises:
        Busy: if it kept changing.
    """
    try:
        _end_refund(complaint_id, numbers, Cause.REFUND_BOUNCED)
    except OpenComplaint:  # The buyer complains about the line anew: that one has the operator's eye already.
        log.warning("refund of a closed complaint bounced", complaint_id=complaint_id)
        racing(lambda: _settle(store.load(complaint_id)), otherwise=Busy)


def _settle(complaint: Complaint) -> None:
    if not complaint.decisions:
        return
    with UnitOfWork() as work:
        if bearing.settle(work, orders.load_order(complaint.order_id), complaint):
            store.save(work, complaint)


def _end_refund(complaint_id: str, numbers: tuple[str, ...], cause: Cause) -> None:
    def end() -> None:
        before = store.load(complaint_id)
        if before.refund_id not in numbers:
            return
        overtaken = cause is Cause.REFUND_BOUNCED and before.status is Status.REFUNDING
        taken = Cause.REFUND_FAILED if overtaken else cause  # Its success was not told, or will be told too late.
        if not COMPLAINT.takes(before.status, taken) or (cause in _IN_ANY_ORDER and _overtaken(before, cause)):
            return
        if taken is Cause.REFUND_DONE and before.status is not Status.REFUNDING and not before.last_refund_failed:
            return  # The old success told again, of a complaint that was opened again since.
        entry = Entry(at=clock.now(), by=Turn.PLATFORM, what="", amount=before.refund)
        after = domain.move(before, taken, entry)
        failed = taken is not Cause.REFUND_DONE
        told = [events.ComplaintEscalated(**cases.subject(after), why=taken.value)] if failed else []
        commit(Case(before), Change(after, told, settles=True))

    racing(end, otherwise=Busy)


_IN_ANY_ORDER = (Cause.REFUND_DONE, Cause.REFUND_BOUNCED)
"""A refund that came back and was renewed is done more than once: what counts is where its money is by now."""


def _overtaken(complaint: Complaint, cause: Cause) -> bool:
    """Say whether the complaint's refund, under its first number or a later one, stands otherwise than was told."""
    first = complaint.refund_id or ""
    refunds = payments.payment_records(ids.parent_id("pur", first)).refunds
    stands = any(refund.is_done and first in (refund.refund_id, refund.origin) for refund in refunds)
    return stands is not (cause is Cause.REFUND_DONE)


def end_replacement(complaint_id: str, order_id: str) -> None:
    """Give a complaint back to the operator because the order that was to replace its goods was called off.

    A no-op for any other order, and the second time.

    Raises:
        Busy: if it kept changing.
    """

    def end() -> None:
        before = store.load(complaint_id)
        if before.replacement != order_id or before.status is not Status.RESOLVED:
            return
        entry = Entry(at=clock.now(), by=Turn.PLATFORM, what="")
        after = replace(domain.move(before, Cause.REPLACEMENT_FAILED, entry), replacement="")
        why = Cause.REPLACEMENT_FAILED.value
        told = events.ComplaintEscalated(**cases.subject(after), why=why)
        commit(Case(before), Change(after, [told], settles=True))

    try:
        racing(end, otherwise=Busy)
    except OpenComplaint:
        log.warning("replacement of a closed complaint was called off", complaint_id=complaint_id)
