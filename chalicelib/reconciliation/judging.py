"""Judging lines: what the bill says against what our records say, healed by a question, or made a case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, RetryLater, ShopError
from chalicelib.ledger import service as ledger
from chalicelib.payments import service as payments
from chalicelib.payments.service import Dispute, DisputeStatus, Payment, Refund, RefundStatus
from chalicelib.reconciliation import cases, domain, store, strays
from chalicelib.reconciliation.domain import Finding, Judged, Kind, Line, Ours, Run, Verdict
from chalicelib.runtime import log
from chalicelib.runtime.db.work import UnitOfWork

JUDGE_FOR: Final = timedelta(seconds=45)
SILENCES: Final = 3
SILENT: Final = "silent"
"""Why a dispute is not judged: the provider does not say how it stands."""


def judge_piece(run: Run, lines: Sequence[Line]) -> list[Judged]:
    """Judge a piece of the bill: each line gets its finding and what follows from it (a question, a case, a fee).

    Questions take their time: after a while what is left of the piece is left for another step.
    """
    until = clock.now() + JUDGE_FOR
    ours = _ours(line.record_id for line in lines)
    silence = _Silence()
    lines = [_adopted(run, line, ours, silence) for line in lines]
    keys = {(run.run_id, line.key) for line in lines} | {
        (run.run_id, f"{line.key}~{line.number}") for line in lines if line.key
    }
    before = {key: found for (_, key), found in store.load_lines(keys).items()}
    first: dict[str, Line] = {}
    for key, found in before.items():
        if found.round == run.round and found.line is not None and "~" not in key:
            first[key] = found.line
    billed = _billed_on_their_own_day(run, lines, ours)
    judged: list[Judged] = []
    for line in lines:
        if judged and clock.now() >= until:
            break
        known = first.setdefault(line.key, line)
        twin = known if known.number != line.number else billed.get(line.key)
        earlier = before.get(f"{line.key}~{line.number}" if twin else line.key)
        record = ours.get(line.record_id)
        if line.dispute and not twin:
            judged.append(_judge_dispute(run, line, earlier, silence))
        else:
            judged.append(_judge(run, line, record, twin, earlier))
    return judged


class _Silence:
    """How often the provider did not answer in this step: it is not waited for four hundred times."""

    def __init__(self) -> None:
        self.times = 0

    @property
    def lasts(self) -> bool:
        """Say whether to stop asking."""
        return self.times >= SILENCES


def _adopted(run: Run, line: Line, ours: dict[str, Ours], silence: _Silence) -> Line:
    """Return a refund's line under no number of ours with the refund that it was taken into the books as.

    One that nobody took in yet is noted as its notice would have noted it, which may be lost.
    """
    refunds = (Kind.REFUND, Kind.REFUND_RETURNED)
    numbers = tuple(number for number in (line.refund_id, line.provider_refund_id) if number)
    if line.kind not in refunds or line.record_id in ours or not numbers or silence.lasts:
        return line
    billed = payments.BilledRefund(line.payment_id, numbers, line.money, line.kind is Kind.REFUND and not line.failed)
    try:
        placed = payments.note_external_refund(run.provider, billed)
    except (ShopError, RetryLater) as silent:
        silence.times += isinstance(silent, RetryLater)
        log.warning(
            "refund made in the provider's console could not be recorded", provider=run.provider, why=_why(silent)
        )
        return line
    line = replace(line, payment_id=line.payment_id or placed.payment_id)  # Its case names the purchase.
    if placed.refund is None:
        return line
    ours.update(_ours([placed.refund.refund_id]))
    return replace(line, adopted=placed.refund.refund_id)


def _why(error: ShopError | RetryLater) -> str:
    return error.why if isinstance(error, RetryLater) else error.code


def _judge_dispute(run: Run, line: Line, earlier: Judged | None, silence: _Silence) -> Judged:
    """Judge a movement of a dispute: the provider says how it stands, and what we had not heard is recorded.

    Its case is opened, and settled, by what it does (:func:`cases.disputed`). Where the provider is silent there is a
    case of the same name, so that there is one in the end; only a stranger's dispute is a case for each movement.
    """
    silent = silence.lasts
    record = None
    try:
        record = None if silent else payments.follow_dispute(run.provider, line.dispute)
    except (ShopError, RetryLater) as error:
        silent = not isinstance(error, payments.UnknownPayment)
        silence.times += isinstance(error, RetryLater)
        log.warning(
            "dispute on the bill could not be updated", provider=run.provider, number=line.dispute, why=_why(error)
        )
    ours = _our_dispute(record) if record else None
    verdict = domain.judge(line, ours, provider=run.provider)
    found = Judged(line.key, verdict.finding, SILENT if silent else verdict.why, run.round, line, ours)
    its_own = domain.case_id(Finding.DISPUTE, run.provider, payments.dispute_id(run.provider, line.dispute))
    if silent:
        said = _said(line, found)
        subject = payments.dispute_id(run.provider, line.dispute)
        case = cases.known(its_own) or cases.open_for(Finding.DISPUTE, run, subject, said=said, found=found)
        return replace(found, case_id=case)
    if earlier is not None and earlier.case_id == its_own:
        if record is None or record.status in (DisputeStatus.WON, DisputeStatus.ENDED):
            cases.settle(its_own, f"bill of {run.day}")
        earlier = replace(earlier, case_id="")
    return _concluded(run, line, found, earlier)


def _our_dispute(record: Dispute) -> Ours:
    return Ours(
        record_id=record.dispute_id,
        purchase_id=record.purchase_id,
        provider=record.provider,
        status=record.status.value,
        done=record.taken_minor > 0,
        open=record.status is DisputeStatus.OPEN,
        minor=record.amount.minor,
        currency=record.amount.currency,
        at_s=clock.epoch_s(record.since),
    )


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
        after = domain.judge(line, ours, provider=run.provider)
        if after.finding in domain.FITS and domain.healed(verdict, ours):
            found = replace(found, finding=Finding.MISSING_HERE, ours=ours, healed=True)
        else:
            found = replace(found, finding=after.finding, why=after.why, ours=ours)
    elif verdict.finding in domain.FITS and ours is not None and earlier is not None and _was_healed(earlier, ours):
        found = replace(found, finding=Finding.MISSING_HERE, why=earlier.why, healed=True)
    return _concluded(run, line, found, earlier)


def _was_healed(earlier: Judged, ours: Ours) -> bool:
    """Say whether the same line did not fit before: what is healed since stays told as healed, not as a match."""
    return earlier.healed or domain.healed(Verdict(earlier.finding, earlier.why), ours)


def _concluded(run: Run, line: Line, found: Judged, earlier: Judged | None) -> Judged:
    """Open or settle its case, post its fee and what the seller bears of it."""
    if found.finding in domain.CASES and not found.healed:
        subject = line.subject or f"{found.key}@{run.day}"
        if found.copy:
            subject = f"{found.key}~{found.copy}@{run.day}"
        said = _said(line, found)
        if found.finding is Finding.MISSING_HERE and found.ours is None and line.kind is Kind.PAYMENT:
            said["stray_id"] = strays.billed(run.provider, run.day, line, clock.from_epoch_s(line.at_s))
        case_id = cases.open_for(found.finding, run, subject, said=said, found=found)
        _settle_if_taken_in(line, found, case_id)
        return replace(found, case_id=case_id)
    if earlier is not None and earlier.case_id:
        cases.settle(earlier.case_id, f"bill of {run.day}")
    if found.ours is not None and found.ours.day and found.ours.day != run.day:
        cases.settle(domain.case_id(Finding.MISSING_THERE, run.provider, found.key), f"bill of {run.day}")
    _post_discount(run, line, found)
    return _with_fee(run, line, found)


def _settle_if_taken_in(line: Line, found: Judged, case_id: str) -> None:
    """Settle the case of a refund made elsewhere that was booked while it was judged: who booked it found no case."""
    numbers = tuple(number for number in (line.refund_id, line.provider_refund_id) if number)
    if found.finding is Finding.UNKNOWN_REFUND and line.payment_id and numbers:
        refund = payments.known_refund(line.payment_id, numbers)
        if refund is not None:
            cases.settle(case_id, f"taken into the books as {refund.refund_id}")


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
        "dispute": line.dispute,
    }
    if line.dispute:
        said["moved"] = "given back" if line.given_back else "taken"
    if line.discount:
        said["settled"] = (line.money - line.discount).text()
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
    if fee.money:
        _post_once(f"fee.billed#{run.provider}#{line.key}", found.ours, ledger.fee_postings(run.provider, fee.money))
    return noted


def _post_discount(run: Run, line: Line, found: Judged) -> None:
    """Post what the provider settles less than the amount, once; of a refund it comes back."""
    if not line.discount or found.ours is None or line.kind not in (Kind.PAYMENT, Kind.REFUND):
        return
    borne = line.discount if line.kind is Kind.PAYMENT else -line.discount
    entry_id = f"discount.billed#{run.provider}#{line.key}"
    _post_once(entry_id, found.ours, ledger.discount_postings(run.provider, borne))


def _post_once(entry_id: str, ours: Ours, postings: Sequence[ledger.Posting]) -> None:
    try:
        with UnitOfWork() as work:
            ledger.post(work, entry_id=entry_id, purchase_id=ours.purchase_id, at=clock.now(), postings=postings)
    except AlreadyExists:
        pass


def _ours(record_ids: Iterable[str]) -> dict[str, Ours]:
    found = payments.records_by_id({record_id for record_id in record_ids if record_id})
    of_refunds = {record.payment_id for record in found.values() if isinstance(record, Refund)} - set(found)
    parents = {**found, **payments.records_by_id(of_refunds)} if of_refunds else found
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
        came_back=record.bounced_at is not None,
    )


def _asked(ours: Ours) -> Ours:
    """Ask the provider about the record; what it proves is recorded by payments' own rules. Silence changes nothing."""
    try:
        if ours.record_id.startswith("pay_"):
            payments.query_now(ours.record_id)
        else:
            payments.query_refund_now(ours.record_id)
    except ShopError as refused:
        log.warning("difference on the bill could not be repaired", record_id=ours.record_id, why=refused.code)
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
    judged: list[Judged] = []
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
