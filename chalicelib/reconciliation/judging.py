"""Judging lines: what the bill says against what our records say, healed by a question, or made a case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, ShopError
from chalicelib.ledger import service as ledger
from chalicelib.payments import service as payments
from chalicelib.payments.service import Payment, Refund, RefundStatus
from chalicelib.reconciliation import cases, domain, store
from chalicelib.reconciliation.domain import Finding, Judged, Kind, Line, Ours, Run, Verdict
from chalicelib.runtime import log
from chalicelib.runtime.db.work import UnitOfWork


def judge_piece(run: Run, lines: Sequence[Line]) -> list[Judged]:
    """Judge one piece of the bill: each line gets its finding and what follows from it (a question, a case, a fee)."""
    lines = [_with_our_number(run.provider, line) for line in lines]
    ours = _ours(line.record_id for line in lines)
    keys = {(run.run_id, line.key) for line in lines} | {
        (run.run_id, f"{line.key}~{line.number}") for line in lines if line.key
    }
    before = {key: found for (_, key), found in store.load_lines(keys).items()}
    first: dict[str, Line] = {}
    for key, found in before.items():
        if found.round == run.round and found.line is not None and "~" not in key:
            first[key] = found.line
    billed = _billed_on_their_own_day(run, lines, ours)
    judged = []
    for line in lines:
        known = first.setdefault(line.key, line)
        twin = known if known.number != line.number else billed.get(line.key)
        earlier = before.get(f"{line.key}~{line.number}" if twin else line.key)
        judged.append(_judge(run, line, ours.get(line.record_id), twin, earlier))
    return judged


def _with_our_number(provider: str, line: Line) -> Line:
    """Return the line of a refund made in the provider's console with our number, where an operator booked it."""
    numbers = {line.refund_id, line.provider_refund_id} - {""}
    if line.kind is not Kind.REFUND or line.record_id or not numbers:
        return line
    booked = payments.refund_booked(provider, line.payment_id, numbers)
    return replace(line, refund_id=booked) if booked else line


def _billed_on_their_own_day(run: Run, lines: Sequence[Line], ours: Mapping[str, Ours]) -> dict[str, Line]:
    """Return the lines of payments that stand on the bill of their own day already: here they are a second time."""
    days = {
        line.key: record.day
        for line in lines
        if line.kind is Kind.PAYMENT and (record := ours.get(line.record_id)) and record.day not in ("", run.day)
    }
    runs = {day: domain.run_id(run.provider, day) for day in days.values()}
    rounds = {run_id: found.round for run_id, found in store.load_runs(set(runs.values())).items()} if runs else {}
    found = store.load_lines((runs[day], key) for key, day in days.items()) if runs else {}
    return {key: one.line for (run_id, key), one in found.items() if one.line and one.round == rounds.get(run_id)}


def _judge(run: Run, line: Line, ours: Ours | None, twin: Line | None, earlier: Judged | None) -> Judged:
    verdict = domain.judge(line, ours, provider=run.provider, twin=twin)
    copy = line.number if twin else 0
    found = Judged(line.key, verdict.finding, verdict.why, run.round, line, ours, copy=copy)
    if verdict.ask and ours is not None:
        # Written down first: if we stop between the question and its note, the next try still knows what was missing.
        store.save_lines(run.run_id, [found])
        ours = _asked(ours)
        verdict = _after_asking(verdict, domain.judge(line, ours, provider=run.provider))
        found = replace(found, finding=verdict.finding, why=verdict.why, ours=ours)
    elif verdict.finding is Finding.MATCH and _was_missing_here(earlier) and ours is not None and ours.done:
        found = replace(found, finding=Finding.MISSING_HERE, why=earlier.why if earlier else "")
    if found.finding is Finding.MISSING_HERE and ours is not None and ours.done and not twin:
        found = replace(found, healed=True)
    return _concluded(run, line, found, earlier)


def _was_missing_here(earlier: Judged | None) -> bool:
    """Say whether the same line was found missing before: what is healed since stays told as healed, not as a match."""
    return earlier is not None and earlier.finding is Finding.MISSING_HERE


def _after_asking(before: Verdict, after: Verdict) -> Verdict:
    """Return what to say of a line whose record the provider was asked about."""
    if before.finding is Finding.MISSING_HERE and after.finding is Finding.MATCH:
        return before
    return after


def _concluded(run: Run, line: Line, found: Judged, earlier: Judged | None) -> Judged:
    """Open or settle its case, post its fee."""
    if found.finding in domain.CASES and not found.healed:
        subject = line.subject or f"{found.key}@{run.day}"
        if found.copy:
            subject = f"{found.key}~{found.copy}@{run.day}"
        return replace(found, case_id=cases.open_for(found.finding, run, subject, said=_said(line, found), found=found))
    if earlier is not None and earlier.case_id:
        cases.settle(earlier.case_id, f"bill of {run.day}")
    if found.ours is not None and found.ours.day and found.ours.day != run.day:
        cases.settle(domain.case_id(Finding.MISSING_THERE, run.provider, found.key), f"bill of {run.day}")
    return _with_fee(run, line, found)


def _said(line: Line, found: Judged) -> dict[str, str]:
    said = {
        "why": found.why,
        "line": str(line.number),
        "amount": line.money.text(),
        "at": clock.from_epoch_s(line.at_s).isoformat(),
        "payment_id": line.payment_id,
        "refund_id": line.refund_id,
        "transaction_id": line.transaction_id,
        "provider_refund_id": line.provider_refund_id,
        "status": line.status,
    }
    if found.ours is not None:
        said |= {"our_status": found.ours.status, "our_amount": found.ours.money.text()}
        if found.difference:
            said["difference"] = found.difference.text()
    return {name: value[:120] for name, value in said.items() if value}


def _with_fee(run: Run, line: Line, found: Judged) -> Judged:
    """Post what the provider keeps for this line, once however often the line is read."""
    fee = domain.fee_of(line)
    if fee is None or found.ours is None:
        return found
    noted = replace(found, fee=fee.money.minor, fee_currency=fee.money.currency)
    if not fee.money:
        return noted
    try:
        with UnitOfWork() as work:
            ledger.post(
                work,
                entry_id=f"fee.billed#{run.provider}#{line.key}",
                purchase_id=found.ours.purchase_id,
                at=clock.now(),
                postings=ledger.fee_postings(run.provider, fee.money),
            )
    except AlreadyExists:
        pass
    return noted


def _ours(record_ids: Iterable[str]) -> dict[str, Ours]:
    found = payments.records({record_id for record_id in record_ids if record_id})
    of_refunds = {record.payment_id for record in found.values() if isinstance(record, Refund)} - set(found)
    parents = {**found, **payments.records(of_refunds)} if of_refunds else found
    return {record_id: _our(record, parents) for record_id, record in found.items()}


def _our(record: Payment | Refund, parents: dict[str, Payment | Refund]) -> Ours:
    day = record.booked_on.partition("#")[2]
    if isinstance(record, Payment):
        amount = record.captured or record.amount
        return Ours(
            record_id=record.payment_id,
            purchase_id=record.purchase_id,
            provider=record.provider,
            status=record.status.value,
            done=record.holds_money,
            open=not record.holds_money,
            minor=amount.minor,
            currency=amount.currency,
            transaction_id=record.transaction_id or "",
            day=day,
            asked_day=payments.billing_day(record.provider, record.created_at).isoformat(),
            at_s=clock.epoch_s(record.captured_at) if record.captured_at else 0,
        )
    parent = parents.get(record.payment_id)
    provider = parent.provider if isinstance(parent, Payment) else ""
    return Ours(
        record_id=record.refund_id,
        purchase_id=record.purchase_id,
        provider=provider,
        status=record.status.value,
        done=record.status is RefundStatus.SUCCEEDED,
        open=record.status in (RefundStatus.REQUESTED, RefundStatus.PENDING),
        minor=record.amount.minor,
        currency=record.amount.currency,
        day=day,
        asked_day=payments.billing_day(provider, record.requested_at).isoformat() if provider else "",
        at_s=clock.epoch_s(record.since),
    )


def _asked(ours: Ours) -> Ours:
    """Ask the provider about the record; what it proves is recorded by payments' own rules. Silence changes nothing."""
    try:
        if ours.record_id.startswith("pay_"):
            payments.query_now(ours.record_id)
        else:
            payments.query_refund_now(ours.record_id)
    except ShopError as refused:
        log.warning("not healed", record_id=ours.record_id, why=refused.code)
    return _ours([ours.record_id]).get(ours.record_id, ours)


def missing_there(run: Run, record_ids: Sequence[str]) -> list[Judged]:
    """Return those of our records of the run's day of which no bill speaks, each with its case."""
    on_bill = {
        key
        for (_, key), found in store.load_lines((run.run_id, key) for key in record_ids).items()
        if found.round == run.round and found.line is not None
    }
    missing = [record_id for record_id in record_ids if record_id not in on_bill]
    ours = {
        record_id: record
        for record_id, record in _ours(missing).items()
        if record.done and record.day == run.day and record.provider == run.provider
    }
    told = _told_elsewhere(run, ours)
    judged = []
    for record_id, record in ours.items():
        if record_id not in told:
            found = Judged(record_id, Finding.MISSING_THERE, record.status, run.round, None, record)
            said = {
                "our_status": record.status,
                "our_amount": record.money.text(),
                "record_id": record_id,
                "transaction_id": record.transaction_id,
                "at": clock.from_epoch_s(record.at_s).isoformat(),
            }
            case = cases.open_for(Finding.MISSING_THERE, run, record_id, said=said, found=found)
            judged.append(replace(found, case_id=case))
    return judged


LONGEST_WAIT: Final = timedelta(days=40)
"""How long before a refund is done its line may have been billed."""


def _told_elsewhere(run: Run, ours: Mapping[str, Ours]) -> set[str]:
    """Return those records of which another day's bill speaks.

    Around midnight the provider may book on the day before or after; a refund may be billed when it was asked for.
    """
    day = date.fromisoformat(run.day)
    beside = {record_id: _days_of(record, day) for record_id, record in ours.items()}
    runs = {other: domain.run_id(run.provider, other.isoformat()) for days in beside.values() for other in days}
    rounds = {run_id: found.round for run_id, found in store.load_runs(set(runs.values())).items()}
    lines = store.load_lines((runs[other], record_id) for record_id, days in beside.items() for other in days)
    return {
        key for (run_id, key), found in lines.items() if found.line is not None and found.round == rounds.get(run_id)
    }


def _days_of(record: Ours, day: date) -> list[date]:
    first = date.fromisoformat(record.asked_day) if record.asked_day else day
    first = max(min(first, day), day - LONGEST_WAIT) - timedelta(days=1)
    return [other for by in range((day - first).days + 2) if (other := first + timedelta(days=by)) != day]
