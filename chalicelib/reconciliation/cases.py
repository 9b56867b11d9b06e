"""Cases: opened once about one thing, settled by themselves, escalated when nobody acts, resolved by an operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Final

from chalicelib.kernel import clock, context, ids
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.kernel.history import remembered
from chalicelib.payments import service as payments
from chalicelib.payments.events import PaymentDisputed
from chalicelib.payments.service import DisputeStatus, Payment, Refund, RefundStatus
from chalicelib.reconciliation import domain, store
from chalicelib.reconciliation.domain import CASE, Case, CaseCause, CaseNotFound, Finding, Judged, Kind, Run, Turn
from chalicelib.reconciliation.events import CaseClosed, CaseEvent, CaseOpened
from chalicelib.runtime import log, metrics, parking
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

PARKED: Final = "deadline_parked"
CORRECTED: Final = "corrected"


def open_for(kind: str, run: Run, subject: str, *, said: dict[str, str], found: Judged | None = None) -> str:
    """Open a case that a run found, as :func:`open_case`."""
    purchase_id = found.ours.purchase_id if found and found.ours else ""
    if found and found.line and not purchase_id and ids.is_id("pay", found.line.payment_id):
        purchase_id = ids.parent_id("pur", found.line.payment_id)  # A refund of a stranger's number, a dispute.
    return open_case(kind, run.provider, run.day, subject, said=said, purchase_id=purchase_id)


def known(case_id: str) -> str:
    """Return the id of a case that was opened before, whatever became of it; empty if it never was."""
    return "".join(case.case_id for case in store.load_cases([case_id]))


def open_case(kind: str, provider: str, day: str, subject: str, *, said: dict[str, str], purchase_id: str = "") -> str:
    """Open a case about one thing, once; returns its id. One that was closed is opened again where that is news."""
    now = clock.now()
    case = Case(
        case_id=domain.case_id(str(kind), provider, subject),
        kind=str(kind),
        status=CASE.initial,
        provider=provider,
        day=day,
        subject=subject,
        opened_at=now,
        since=now,
        purchase_id=purchase_id,
        said=said,
    )
    try:
        with UnitOfWork() as work:
            store.save_case(work, case, [CaseOpened(case_id=case.case_id, kind=case.kind)])
    except AlreadyExists:
        if not _opened_again(case):
            return case.case_id
    log.error("bill and records differ; case opened", case_id=case.case_id, kind=case.kind, provider=provider)
    metrics.count("cases_opened")
    return case.case_id


def _opened_again(fresh: Case) -> bool:
    """Bring a case that is there up to what is said now; returns whether it was closed and is open again."""

    def renew() -> bool:
        known = store.load_case(fresh.case_id)
        renewed = replace(known, day=fresh.day, said=fresh.said, purchase_id=fresh.purchase_id or known.purchase_id)
        if known.is_open:
            if renewed != known:
                _write(renewed)
            return False
        if not domain.is_news(known, day=fresh.day, said=fresh.said):
            return False
        entry = Turn("", clock.now(), context.current().actor, note="found again")
        turn(replace(renewed, opened_at=fresh.opened_at), CaseCause.REOPEN, entry)
        return True

    return racing(renew)


def _write(case: Case, facts: Sequence[CaseEvent] = ()) -> None:
    with UnitOfWork() as work:
        store.save_case(work, case, facts)


def settle(case_id: str, note: str, *, day: str = "") -> None:
    """Close a case because it fits after all; one that is not open, or was never opened, stays as it is.

    With a day, only what that day's bill said.
    """

    def close() -> None:
        try:
            case = store.load_case(case_id)
        except CaseNotFound:
            return
        if case.is_open and day in ("", case.day):
            turn(case, CaseCause.SETTLE, Turn("", clock.now(), context.current().actor, "settled", note))

    racing(close)


def turn(case: Case, cause: CaseCause, entry: Turn) -> Case:
    """Take an edge of the case that was read and write it.

    Raises:
        IllegalTransition: if its state does not take the cause.
        ConcurrentUpdate: if somebody else was faster.
    """
    changed = domain.turn(case, cause, entry)
    facts: list[CaseEvent] = []
    if case.is_open and not changed.is_open:
        facts.append(CaseClosed(case_id=case.case_id, kind=case.kind, opening=case.opening, how=entry.how))
    elif changed.is_open and not case.is_open:
        facts.append(CaseOpened(case_id=case.case_id, kind=case.kind, opening=changed.opening))
    _write(changed, facts)
    return replace(changed, version=changed.version + 1)


def escalate(case_id: str) -> Case:
    """Escalate a case nobody acted on, because its deadline passed."""
    case = store.load_case(case_id)
    if case.due_at is None or case.due_at > clock.now():
        return case
    metrics.count("cases_escalated")
    return turn(case, CaseCause.ESCALATE, Turn("", clock.now(), context.current().actor, note="nobody acted"))


def resolve_case(case_id: str, *, how: str, note: str, by: str, intent: Intent) -> tuple[Case, bool]:
    """Close a case as an operator; returns it and whether the same request closed it before.

    A deadline that was parked is tried again once what refused it is said to be ``corrected``.

    Raises:
        CaseNotFound: if there is none.
        IllegalTransition: if it is closed.
        IdempotencyKeyReused: if the key closed it with another body.
    """

    def resolve() -> tuple[Case, bool]:
        case = store.load_case(case_id)
        if remembered(case.history, intent.token, intent.fingerprint):
            return case, True
        CASE.next(case.status, CaseCause.RESOLVE)
        if case.kind == PARKED and how == CORRECTED:
            parking.release(case.subject, case.said["parent_id"])
        entry = Turn("", clock.now(), by, how, note, intent.token, intent.fingerprint)
        return turn(case, CaseCause.RESOLVE, entry), False

    return racing(resolve)


def disputed(event: PaymentDisputed, at: datetime) -> None:
    """Keep a case about a dispute open while it can be answered and once it is lost; settle it where it costs nothing.

    Events come in any order: what counts is how the dispute stands by now.
    """
    record = payments.dispute(event.payment_id, event.dispute_id)
    if record is None:
        return
    if record.status in (DisputeStatus.WON, DisputeStatus.ENDED):
        settle(domain.case_id(Finding.DISPUTE, record.provider, record.dispute_id), f"the bank says: {record.status}")
        return
    said = {
        "status": record.status.value,
        "reason": record.reason,
        "amount": record.amount.text(),
        "payment_id": record.payment_id,
        "number": record.number,
    }
    if record.answer_by is not None:
        said["answer_by"] = record.answer_by.isoformat(timespec="seconds")
    day = payments.billing_day(record.provider, at).isoformat()
    open_case(Finding.DISPUTE, record.provider, day, record.dispute_id, said=said, purchase_id=record.purchase_id)


STUCK: Final = "refund_stuck"
OWED: Final = "refund_owed"


def refund_stuck(refund_id: str, status: str, reason: str, at: datetime) -> str:
    """Open a case about a refund that the provider will not finish; getting stuck once more opens it again."""
    record = _refund(refund_id)
    if record is None or record.status.value != status:
        return ""  # It moved on in the meantime.
    provider = _provider(record)
    said = {
        "status": status,
        "reason": reason,
        "amount": record.amount.text(),
        "payment_id": record.payment_id,
        "since": record.since.isoformat(timespec="seconds"),
    }
    day = payments.billing_day(provider, at).isoformat()
    case_id = open_case(STUCK, provider, day, refund_id, said=said, purchase_id=record.purchase_id)
    _settle_earlier(record, provider, f"{refund_id} took over")
    return case_id


def refund_owed(refund_id: str, reason: str, at: datetime) -> str:
    """Open a case about a refund that an operator has to pay another way, because the provider cannot."""
    record = _refund(refund_id)
    if record is None or record.status is not RefundStatus.OWED:
        return ""  # It was paid in the meantime.
    provider = _provider(record)
    said = {
        "why": reason,
        "amount": record.amount.text(),
        "payment_id": record.payment_id,
        "order_id": record.order_id or "",
        "since": record.since.isoformat(timespec="seconds"),
    }
    day = payments.billing_day(provider, at).isoformat()
    case_id = open_case(OWED, provider, day, refund_id, said=said, purchase_id=record.purchase_id)
    settle(domain.case_id(STUCK, provider, refund_id), "it is paid another way")
    _settle_earlier(record, provider, f"{refund_id} took over")
    after = _refund(refund_id)
    if after is not None and after.is_done:  # Paid between the two: whoever settles came before there was a case.
        settle(case_id, "the buyer has the money")
    return case_id


def _was_owed(record: Refund) -> bool:
    return any(status is RefundStatus.OWED for status, _ in record.past)


def refund_done(refund_id: str) -> None:
    """Settle what was open about a refund that went through after all, under its own number or an earlier one."""
    record = _refund(refund_id)
    if record is not None and not record.is_done:
        return  # It came back since: what is open about it stays open.
    if record is not None and record.external_number:
        _settle_unknown(record, _provider(record))
    if record is None or (record.version < 3 and not record.renews and not _was_owed(record)):
        return  # Requested, sent, done: it was never stuck.
    provider = _provider(record)
    if record.provider_refund_id and not record.external_number:  # A bill may have told of it before we knew this.
        _settle_unknown(record, provider)
    settle(domain.case_id(STUCK, provider, refund_id), "it went through")
    if _was_owed(record):
        settle(domain.case_id(OWED, provider, refund_id), "the buyer has the money")
    _settle_earlier(record, provider, f"{refund_id} went through")


def _settle_unknown(record: Refund, provider: str) -> None:
    """Settle the case of a bill's line of a refund that was nobody's: it is in the books now.

    A bill names it by its number there, by the one that it was made under, or by both.
    """
    theirs = {record.provider_refund_id or "", record.external_number or record.refund_id, ""}
    subjects = {domain.refund_key(Kind.REFUND, one, other) for one, other in product(theirs, repeat=2)}
    for subject in sorted(subjects | {record.external_number}):
        settle(domain.case_id(Finding.UNKNOWN_REFUND, provider, subject), f"taken into the books as {record.refund_id}")


def _settle_earlier(record: Refund, provider: str, note: str) -> None:
    """Settle the cases of the closed numbers whose money this refund carries."""
    for also in record.replaces:
        settle(domain.case_id(STUCK, provider, also), note)
    earlier = record.renews
    while earlier:
        settle(domain.case_id(STUCK, provider, earlier), note)
        before = _refund(earlier)
        earlier = before.renews if before else ""


def _refund(refund_id: str) -> Refund | None:
    record = payments.records_by_id([refund_id]).get(refund_id)
    return record if isinstance(record, Refund) else None


def _provider(record: Refund) -> str:
    parent = payments.records_by_id([record.payment_id]).get(record.payment_id)
    return parent.provider if isinstance(parent, Payment) else ""
