"""What a return does by itself: a turn that was missed, a parcel that moved, a refund that ended."""

from __future__ import annotations

from chalicelib.kernel import clock, ids
from chalicelib.payments import service as payments
from chalicelib.returns import acting, domain
from chalicelib.returns.acting import Case, Change
from chalicelib.returns.domain import RETURN, Cause, Entry, Return, Status
from chalicelib.runtime import log, metrics


def time_out(return_id: str) -> Return:
    """Fire the timeout of the return's state, if it really is past; a stale call is a no-op.

    Raises:
        NotFound: if there is no such return.
        RefundRefused: if what it is to pay back is not there: an operator must look.
        Busy: if it kept changing.
    """
    return acting.settle(return_id, _missed)


def _missed(case: Case, entry: Entry) -> Change | None:
    before = case.before
    cause = RETURN.timeout(before.status)
    if cause is None or before.due_at is None or before.due_at > clock.now():
        return None
    metrics.count(f"returns_missed_by_{before.turn.value}")
    status = RETURN.next(before.status, cause)
    if status is before.status:  # Still an operator's, or the money is still on its way: alarm again.
        log.warning("return is overdue", return_id=before.return_id, status=before.status.value)
        return Change(domain.chased(before, cause, entry.at))
    if status is not Status.REFUNDING:
        return Change(domain.move(before, cause, entry))
    return acting.paying(case, before, cause, entry, before.accepted())


def parcel_moved(return_id: str, shipment_id: str, *, arrived: bool) -> None:
    """Note that a parcel of the return arrived or turned back, once however often it is told.

    Raises:
        NotFound: if there is no such return; Busy: if it kept changing.
    """

    def moved(case: Case, entry: Entry) -> Change | None:
        before = case.before
        if shipment_id not in (before.shipment_id, before.replacement_id):
            return None
        back = before.status in (Status.SENT, Status.MISSING)
        if back is not (shipment_id == before.shipment_id):  # Of a parcel that nobody waits for any more.
            return None
        cause = Cause.ARRIVE if arrived else Cause.GO_ASTRAY
        if not RETURN.takes(before.status, cause):
            return None
        return Change(domain.move(before, cause, entry))

    acting.settle(return_id, moved)


def end_refund(return_id: str, numbers: tuple[str, ...], *, bounced: bool) -> None:
    """Note that the refund of a return went through, or came back; a no-op for any other, and the second time.

    ``numbers`` are the refund's own and, where an operator renewed it, its first: the one the return knows.

    Raises:
        NotFound: if there is no such return; Busy: if it kept changing.
    """

    def ended(case: Case, entry: Entry) -> Change | None:
        before = case.before
        cause = Cause.REFUND_BOUNCED if bounced else Cause.REFUND_DONE
        if before.refund_id not in numbers or not RETURN.takes(before.status, cause):
            return None
        if _stands(before) is bounced:  # Told late: by now its money is where it was not when that was said.
            return None
        return Change(domain.move(before, cause, entry))

    acting.settle(return_id, ended)


def _stands(found: Return) -> bool:
    """Say whether the return's refund, under its first number or a later one, has gone through."""
    first = found.refund_id
    refunds = payments.payment_records(ids.parent_id("pur", first)).refunds
    return any(refund.is_done and first in (refund.refund_id, refund.origin) for refund in refunds)
