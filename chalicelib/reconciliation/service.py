"""Use cases of reconciliation: bounded steps, each of which can run again; what does not fit becomes a case.

A step judges one piece of the bill or one page of our own records, writes its findings (the same when it runs again),
then saves the run with the event of the next step in one conditional write: a repeated message finds another step.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from chalicelib.kernel import clock, context
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, ShopError
from chalicelib.ledger import service as ledger
from chalicelib.payments import service as payments
from chalicelib.payments.service import Bill, BillUnavailable, Payment, Refund, RefundStatus
from chalicelib.reconciliation import domain, files, store
from chalicelib.reconciliation.domain import (
    CASE,
    RUN,
    Case,
    CaseCause,
    CaseNotFound,
    CaseStatus,
    DayNotOver,
    Finding,
    Judged,
    Kind,
    Line,
    Ours,
    Run,
    RunCause,
    RunNotFound,
    RunStatus,
    Turn,
    Verdict,
)
from chalicelib.reconciliation.events import CaseClosed, CaseOpened, ReconciliationAdvanced
from chalicelib.reconciliation.store import LinePage
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

__all__ = ["Case", "CaseNotFound", "CaseStatus", "DayNotOver", "Finding", "Judged", "Line", "Run", "RunNotFound"]

LINES_A_STEP: Final = 400
RECORDS_A_STEP: Final = 400
READY: Final = time(10, 30)
"""By the provider's clock, on the day after: bills are made by ten."""
LOOK_BACK_DAYS: Final = 3
MAX_DEFECTS: Final = 200
RACES: Final = 5


# --- beginning --------------------------------------------------------------------------------------------------------


def begin_due() -> list[str]:
    """Begin what the clock owes: each provider's last days whose bills should be ready. Returns the runs begun."""
    wanted: dict[str, tuple[str, date]] = {}
    for provider in payments.billing_providers():
        today = payments.billing_day(provider, clock.now())
        for back in range(1, LOOK_BACK_DAYS + 1):
            day = today - timedelta(days=back)
            if _ready(provider, day):
                wanted[domain.run_id(provider, day.isoformat())] = (provider, day)
    known = store.load_runs(wanted)
    begun = []
    for run_id, (provider, day) in wanted.items():
        if run_id not in known:
            begin(provider, day)
            begun.append(run_id)
    return begun


def _ready(provider: str, day: date) -> bool:
    """Say whether the bill of a day should be there: the next day has begun and READY is past, on the same clock."""
    now = clock.now()
    ready_on = payments.billing_day(provider, now - timedelta(hours=READY.hour, minutes=READY.minute))
    return ready_on > day


def begin(provider: str, day: date, *, again: bool = False, intent: Intent | None = None) -> tuple[Run, bool]:
    """Begin a provider's day; returns the run and whether it was begun before. ``again`` repeats one that has ended.

    Raises:
        UnknownProvider: if there is no such provider here.
        DayNotOver: if the day is still running.
    """
    now = clock.now()
    if payments.billing_day(provider, now) <= day:
        raise DayNotOver(provider=provider, day=day.isoformat())
    token = intent.token if intent else ""
    run_id = domain.run_id(provider, day.isoformat())
    run = Run(run_id, provider, day.isoformat(), RUN.initial, since=now, started_at=now, intent=token)
    try:
        return _save(run), False
    except AlreadyExists:
        run = store.load_run(run_id)
    if not again or run.status not in (RunStatus.DONE, RunStatus.FAILED) or (token and run.intent == token):
        return run, True
    fresh = replace(
        Run(run_id, provider, run.day, run.status, since=now, started_at=now, step=run.step, version=run.version),
        round=run.round + 1,
        intent=token,
    )
    return _save(domain.move(fresh, RunCause.AGAIN, now=now)), False


def _save(run: Run) -> Run:
    """Write the run; its next step, if it has one, rides along."""
    ended = run.status in (RunStatus.DONE, RunStatus.FAILED)
    waits = run.status is RunStatus.WANTED and run.asks > 0
    fact = ReconciliationAdvanced(run_id=run.run_id, step=run.step)
    with UnitOfWork() as work:
        store.save_run(work, run, [] if ended or waits else [fact])
    return replace(run, version=run.version + 1)


# --- stepping ---------------------------------------------------------------------------------------------------------


def advance(run_id: str, step: int) -> Run:
    """Do the step a run stands at; any other is a repeat and changes nothing."""
    run = store.load_run(run_id)
    if run.step != step:
        return run
    try:
        return _step(run)
    except ConcurrentUpdate:  # A copy of this message was faster, and did the same.
        return store.load_run(run_id)


def ask_again(run_id: str) -> Run:
    """Ask for a bill that was not there, because its deadline passed."""
    run = store.load_run(run_id)
    if run.due_at is None or run.due_at > clock.now():
        return run
    return advance(run_id, run.step)


def _step(run: Run) -> Run:
    match run.status:
        case RunStatus.WANTED:
            return _fetch(run)
        case RunStatus.READING:
            return _read(run)
        case RunStatus.CHECKING:
            return _check(run)
        case _:
            return run


def _fetch(run: Run) -> Run:
    now = clock.now()
    try:
        bill = payments.fetch_bill(run.provider, date.fromisoformat(run.day))
    except BillUnavailable as missing:
        why = str(missing.params.get("why", missing.code))[:80]
        log.warning("bill not there", provider=run.provider, day=run.day, why=why, asks=run.asks)
        if run.asks + 1 < domain.ASKS:
            return _save(replace(domain.move(run, RunCause.WAIT, now=now), asks=run.asks + 1, why=why))
        _open_case("bill_missing", run, run.day, said={"why": why})
        metrics.count("bills_missing")
        return _save(replace(domain.move(run, RunCause.GIVE_UP, now=now), why=why, finished_at=now))
    _settle(domain.case_id("bill_missing", run.provider, run.day), "the bill came")
    lines = [_line(number, found) for number, found in enumerate(bill.lines, 1)]
    pieces = [lines[start : start + LINES_A_STEP] for start in range(0, len(lines), LINES_A_STEP)]
    for number, piece in enumerate(pieces):
        files.put_piece(run, number, piece)
    counts = _note_defects(run, bill)
    run = replace(
        run,
        pieces=len(pieces),
        lines=len(lines),
        totals=dict(bill.totals),
        counts=counts,
        cases=1 if counts else 0,
        parts=1 if counts else 0,
        why="",
    )
    return _save(domain.move(run, RunCause.FETCH, now=now))


def _line(number: int, found: payments.BillLine) -> Line:
    return Line(
        number=found.line or number,
        kind=Kind(found.kind.value),
        payment_id=found.payment_id,
        transaction_id=found.transaction_id,
        minor=found.amount.minor,
        currency=found.amount.currency,
        fee=found.fee_text,
        at_s=clock.epoch_s(found.at),
        status=found.status,
        refund_id=found.refund_id,
        provider_refund_id=found.provider_refund_id,
    )


def _note_defects(run: Run, bill: Bill) -> dict[str, int]:
    """Keep what of the bill cannot be read or does not add up: one finding each, one case for all."""
    subject = run.day
    if not bill.defects:
        _settle(domain.case_id(Finding.UNREADABLE, run.provider, subject), "the bill is sound now")
        return {}
    said = {"defects": str(len(bill.defects)), **{str(n): text[:120] for n, text in enumerate(bill.defects[:5], 1)}}
    case = _open_case(Finding.UNREADABLE, run, subject, said=said)
    found = [
        Judged(f"d_{number:06d}", Finding.UNREADABLE, text[:120], run.round, None, None, case_id=case)
        for number, text in enumerate(bill.defects[:MAX_DEFECTS])
    ]
    store.save_lines(run.run_id, found)
    files.put_part(run, 0, found)
    return {Finding.UNREADABLE.value: len(bill.defects)}


# --- the bill's lines -------------------------------------------------------------------------------------------------


def _read(run: Run) -> Run:
    now = clock.now()
    if run.piece >= run.pieces:
        return _save(domain.move(run, RunCause.READ, now=now))
    lines = files.piece(run, run.piece)
    judged = _judge_piece(run, lines)
    store.save_lines(run.run_id, judged)
    files.put_part(run, run.parts, judged)
    run = replace(_counted(run, judged), piece=run.piece + 1, parts=run.parts + 1)
    return _save(domain.move(run, RunCause.NEXT if run.piece < run.pieces else RunCause.READ, now=now))


def _judge_piece(run: Run, lines: Sequence[Line]) -> list[Judged]:
    ours = _ours(line.record_id for line in lines)
    keys = {(run.run_id, line.key) for line in lines} | {
        (run.run_id, f"{line.key}~{line.number}") for line in lines if line.key
    }
    before = {key: found for (_, key), found in store.load_lines(keys).items()}
    first: dict[str, Line] = {}
    for key, found in before.items():
        if found.round == run.round and found.line is not None and "~" not in key:
            first[key] = found.line
    judged = []
    for line in lines:
        known = first.setdefault(line.key, line)
        twin = known if known.number != line.number else None
        earlier = before.get(f"{line.key}~{line.number}" if twin else line.key)
        judged.append(_judge(run, line, ours.get(line.record_id), twin, earlier))
    return judged


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
    elif verdict.finding is Finding.MATCH and _was_missing_here(earlier):
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
        subject = f"{found.key}~{found.copy}@{run.day}" if found.copy else found.key
        return replace(found, case_id=_open_case(found.finding, run, subject, said=_said(line, found), found=found))
    if earlier is not None and earlier.case_id:
        _settle(earlier.case_id, f"bill of {run.day}")
    if found.ours is not None and found.ours.day and found.ours.day != run.day:
        _settle(domain.case_id(Finding.MISSING_THERE, run.provider, found.key), f"bill of {run.day}")
    return _with_fee(run, line, found)


def _said(line: Line, found: Judged) -> dict[str, str]:
    said = {
        "why": found.why,
        "line": str(line.number),
        "amount": line.money.text(),
        "payment_id": line.payment_id,
        "refund_id": line.refund_id,
        "transaction_id": line.transaction_id,
        "provider_refund_id": line.provider_refund_id,
        "status": line.status,
    }
    if found.ours is not None:
        said |= {"our_status": found.ours.status, "our_amount": found.ours.money.text()}
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


def _counted(run: Run, judged: Sequence[Judged]) -> Run:
    counts = Counter(dict(run.counts))
    counts.update(found.finding.value for found in judged)
    fees: Counter[str] = Counter(dict(run.fees))
    rest = run.fee_rest_millionths
    for found in judged:
        if found.fee_currency and found.line is not None:
            fees[found.fee_currency] += found.fee
            fee = domain.fee_of(found.line)
            rest += fee.rest_millionths if fee else 0
    return replace(
        run,
        counts=dict(counts),
        healed=run.healed + sum(found.healed for found in judged),
        cases=run.cases + sum(bool(found.case_id) for found in judged),
        fees=dict(fees),
        fee_rest_millionths=rest,
    )


# --- our records ------------------------------------------------------------------------------------------------------


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
        )
    parent = parents.get(record.payment_id)
    return Ours(
        record_id=record.refund_id,
        purchase_id=record.purchase_id,
        provider=parent.provider if isinstance(parent, Payment) else "",
        status=record.status.value,
        done=record.status is RefundStatus.SUCCEEDED,
        open=record.status in (RefundStatus.REQUESTED, RefundStatus.PENDING),
        minor=record.amount.minor,
        currency=record.amount.currency,
        day=day,
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


def _check(run: Run) -> Run:
    """Look for a page of our own captures and refunds of the day on the bill."""
    now = clock.now()
    if run.shard >= payments.BOOKED_SHARDS:
        files.put_report(run)
        done = replace(domain.move(run, RunCause.FINISH, now=now), finished_at=now)
        saved = _save(done)
        log.info("reconciled", provider=run.provider, day=run.day, lines=run.lines, healed=run.healed, **run.counts)
        metrics.count("reconciliation_cases", run.cases)
        return saved
    day = date.fromisoformat(run.day)
    place = json.loads(run.place) if run.place else None
    record_ids, last = payments.booked(run.provider, day, shard=run.shard, limit=RECORDS_A_STEP, start_key=place)
    judged = _missing_there(run, record_ids)
    store.save_lines(run.run_id, judged)
    if judged:
        files.put_part(run, run.parts, judged)
    run = replace(
        _counted(run, judged),
        shard=run.shard if last else run.shard + 1,
        place=json.dumps(last) if last else "",
        parts=run.parts + bool(judged),
    )
    return _save(domain.move(run, RunCause.NEXT, now=now))


def _missing_there(run: Run, record_ids: Sequence[str]) -> list[Judged]:
    on_bill = {
        key
        for (_, key), found in store.load_lines((run.run_id, key) for key in record_ids).items()
        if found.round == run.round and found.line is not None
    }
    missing = [record_id for record_id in record_ids if record_id not in on_bill]
    if not missing:
        return []
    # Around midnight the provider may book on the day before or after: those bills speak for it as well.
    day = date.fromisoformat(run.day)
    beside = [domain.run_id(run.provider, (day + timedelta(days=by)).isoformat()) for by in (-1, 1)]
    elsewhere = store.load_lines((run_id, key) for run_id in beside for key in missing)
    told = {key for (_, key), found in elsewhere.items() if found.line is not None}
    ours = _ours(record_id for record_id in missing if record_id not in told)
    judged = []
    for record_id, record in ours.items():
        if record.done and record.day == run.day and record.provider == run.provider:
            found = Judged(record_id, Finding.MISSING_THERE, record.status, run.round, None, record)
            said = {"our_status": record.status, "our_amount": record.money.text(), "record_id": record_id}
            case = _open_case(Finding.MISSING_THERE, run, record_id, said=said, found=found)
            judged.append(replace(found, case_id=case))
    return judged


# --- cases ------------------------------------------------------------------------------------------------------------


def _open_case(kind: str, run: Run, subject: str, *, said: dict[str, str], found: Judged | None = None) -> str:
    purchase_id = found.ours.purchase_id if found and found.ours else ""
    return open_case(kind, run.provider, run.day, subject, said=said, purchase_id=purchase_id)


def open_case(kind: str, provider: str, day: str, subject: str, *, said: dict[str, str], purchase_id: str = "") -> str:
    """Open a case about one thing, once; returns its id. One that was closed stays closed."""
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
        return case.case_id
    log.error("money does not fit", case_id=case.case_id, kind=case.kind, provider=provider)
    metrics.count("cases_opened")
    return case.case_id


def _settle(case_id: str, note: str) -> None:
    """Close a case because it fits after all; one that is not open, or was never opened, stays as it is."""
    for _ in range(RACES):
        try:
            case = store.load_case(case_id)
        except CaseNotFound:
            return
        if not case.is_open:
            return
        try:
            _turn(case, CaseCause.SETTLE, Turn("", clock.now(), context.current().actor, "settled", note))
        except ConcurrentUpdate:
            continue
        return
    raise ConcurrentUpdate


def _turn(case: Case, cause: CaseCause, entry: Turn) -> Case:
    changed = domain.turn(case, cause, entry)
    facts: list[CaseClosed] = []
    if not changed.is_open:
        facts.append(CaseClosed(case_id=case.case_id, kind=case.kind, how=entry.how))
    with UnitOfWork() as work:
        store.save_case(work, changed, facts)
    return replace(changed, version=changed.version + 1)


def escalate(case_id: str) -> Case:
    """Escalate a case nobody acted on, because its deadline passed."""
    case = store.load_case(case_id)
    if case.due_at is None or case.due_at > clock.now():
        return case
    metrics.count("cases_escalated")
    return _turn(case, CaseCause.ESCALATE, Turn("", clock.now(), context.current().actor, note="nobody acted"))


def resolve_case(case_id: str, *, how: str, note: str, by: str, intent: Intent) -> tuple[Case, bool]:
    """Close a case as an operator; returns it and whether the same request closed it before.

    Raises:
        CaseNotFound: if there is none.
        IllegalTransition: if it is closed.
        IdempotencyKeyReused: if the key closed it with another body.
    """
    for _ in range(RACES):
        case = store.load_case(case_id)
        if domain.remembered(case, intent.token, intent.fingerprint):
            return case, True
        entry = Turn("", clock.now(), by, how, note, intent.token, intent.fingerprint)
        try:
            return _turn(case, CaseCause.RESOLVE, entry), False
        except ConcurrentUpdate:
            continue
    raise ConcurrentUpdate


STUCK: Final = "refund_stuck"


def refund_stuck(refund_id: str, status: str, reason: str, at: datetime) -> str:
    """Open a case about a refund that the provider will not finish."""
    record = payments.records([refund_id]).get(refund_id)
    if not isinstance(record, Refund) or record.status.value != status:
        return ""  # It moved on in the meantime.
    parent = payments.records([record.payment_id]).get(record.payment_id)
    provider = parent.provider if isinstance(parent, Payment) else ""
    said = {"status": status, "reason": reason, "amount": record.amount.text(), "payment_id": record.payment_id}
    day = payments.billing_day(provider, at).isoformat()
    subject = f"{refund_id}#{record.version}"
    return open_case(STUCK, provider, day, subject, said=said, purchase_id=record.purchase_id)


def refund_done(refund_id: str) -> None:
    """Settle what was open about a refund that went through after all."""
    record = payments.records([refund_id]).get(refund_id)
    if not isinstance(record, Refund) or record.version < 3:  # Requested, sent, done: it was never stuck.
        return
    parent = payments.records([record.payment_id]).get(record.payment_id)
    provider = parent.provider if isinstance(parent, Payment) else ""
    versions = range(max(1, record.version - 30), record.version)
    known = store.load_cases(domain.case_id(STUCK, provider, f"{refund_id}#{version}") for version in versions)
    for case in known:
        if case.is_open:
            _settle(case.case_id, "it went through")


# --- reading ----------------------------------------------------------------------------------------------------------


def get_run(run_id: str) -> Run:
    """Return a run.

    Raises:
        RunNotFound: if there is none.
    """
    return store.load_run(run_id)


def list_runs(provider: str, *, until: date, days: int) -> list[Run]:
    """Return a provider's runs of some days, the latest first: their keys follow from the days."""
    wanted = [domain.run_id(provider, (until - timedelta(days=back)).isoformat()) for back in range(days)]
    found = store.load_runs(wanted)
    return [found[run_id] for run_id in wanted if run_id in found]


def list_lines(run_id: str, finding: Finding, *, limit: int, start_key: dict[str, dict[str, str]] | None) -> LinePage:
    """Return one page of a run's findings of one class.

    Raises:
        RunNotFound: if there is no such run.
    """
    return store.list_lines(store.load_run(run_id), finding, limit=limit, start_key=start_key)


@dataclass(frozen=True, slots=True)
class Report:
    """Where the report of a run is for a few minutes."""

    url: str
    expires_at: datetime


def report(run_id: str) -> Report:
    """Return where a finished run's report can be fetched.

    Raises:
        RunNotFound: if there is no such run, or it is not done.
    """
    run = store.load_run(run_id)
    if run.status is not RunStatus.DONE:
        raise RunNotFound(what="report")
    return Report(files.download_url(run), clock.now() + timedelta(seconds=files.DOWNLOAD_S))


def get_case(case_id: str) -> Case:
    """Return a case.

    Raises:
        CaseNotFound: if there is none.
    """
    return store.load_case(case_id)


def list_cases(
    status: CaseStatus, *, limit: int, start_key: dict[str, dict[str, str]] | None
) -> tuple[list[Case], dict[str, dict[str, str]] | None]:
    """Return one page of the cases in a state, oldest first."""
    return store.list_cases(status, limit=limit, start_key=start_key)
