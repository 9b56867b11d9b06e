"""Running a provider's day: bounded steps, each of which can run again.

A step judges one piece of the bill or one page of our own records, writes its findings (the same when it runs again),
then saves the run with the event of the next step in one conditional write: a repeated message finds another step.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Final

from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate
from chalicelib.kernel.pages import Window
from chalicelib.payments import service as payments
from chalicelib.payments.service import Bill, BillUnavailable
from chalicelib.reconciliation import cases, domain, files, judging, store
from chalicelib.reconciliation.domain import RUN, DayNotOver, Finding, Judged, Kind, Line, Run, RunCause, RunStatus
from chalicelib.reconciliation.events import ReconciliationAdvanced
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

LINES_A_STEP: Final = 400
RECORDS_A_STEP: Final = 400
PARTS_A_STEP: Final = 200
FETCH_FOR: Final = timedelta(seconds=30)
"""A bill that comes in pages is read for so long in one step, and for one page more."""
READY: Final = time(10, 30)
"""By the provider's clock, on the day after: bills are made by ten."""
LOOK_BACK_DAYS: Final = 3
MAX_DEFECTS: Final = 200


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
    waits = run.status is RunStatus.WANTED and bool(run.why)
    fact = ReconciliationAdvanced(run_id=run.run_id, step=run.step)
    with UnitOfWork() as work:
        store.save_run(work, run, [] if ended or waits else [fact])
    return replace(run, version=run.version + 1)


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
    """Ask for a bill that was not there, or go on with a run that stands still, because its deadline passed."""
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
    """Write the bill down in pieces: all of it, or as many pages as a step may read; the next step reads on."""
    started = clock.now()
    draft = _Draft(run)
    try:
        parts = payments.fetch_bill(run.provider, date.fromisoformat(run.day), run.place)
        for number, part in enumerate(parts, 1):
            draft.add(part)
            if part.place and (number >= PARTS_A_STEP or clock.now() - started >= FETCH_FOR):
                return _save(domain.move(draft.so_far(part.place), RunCause.NEXT, now=clock.now()))
    except BillUnavailable as missing:
        return _missing(run, draft, str(missing.params.get("why") or missing.code)[:80])
    run = draft.so_far("")
    cases.settle(domain.case_id("bill_missing", run.provider, run.day), "the bill came")
    noted = _note_defects(run)
    run = replace(run, defects=(), cases=noted, parts=noted)
    return _save(domain.move(run, RunCause.FETCH, now=clock.now()))


def _missing(run: Run, draft: _Draft, why: str) -> Run:
    """Wait for a bill that is not there, from where it broke off if it can be asked for from there; give up in time."""
    now = clock.now()
    log.warning(
        "provider's bill is not available yet",
        provider=run.provider,
        day=run.day,
        why=why,
        asks=run.asks,
        lines=draft.lines,
    )
    if draft.place:
        return _save(replace(domain.move(draft.so_far(draft.place), RunCause.WAIT, now=now), asks=1, why=why))
    if run.asks + 1 < domain.ASKS:
        return _save(replace(domain.move(run, RunCause.WAIT, now=now), asks=run.asks + 1, why=why))
    cases.open_for("bill_missing", run, run.day, said={"why": why})
    metrics.count("bills_missing")
    return _save(replace(domain.move(run, RunCause.GIVE_UP, now=now), why=why, finished_at=now))


class _Draft:
    """The pieces of a bill that one step writes: held are the lines of one piece, however long the bill is."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.lines, self.pieces = run.lines, run.pieces
        self.totals = dict(run.totals)
        self.defects, self.unreadable = list(run.defects), run.counts.get(Finding.UNREADABLE.value, 0)
        self.place = ""
        """Behind the last part that came."""
        self._held: list[Line] = []

    def add(self, part: Bill) -> None:
        """Take a part of the bill."""
        for found in part.lines:
            self.lines += 1
            self._held.append(_line(self.lines, found))
            if len(self._held) >= LINES_A_STEP:
                self._put()
        self.totals |= part.totals
        self.defects += [text[:120] for text in part.defects[: MAX_DEFECTS - len(self.defects)]]
        self.unreadable += len(part.defects)
        self.place = part.place

    def _put(self) -> None:
        files.put_piece(self.run, self.pieces, self._held)
        self.pieces += 1
        self._held = []

    def so_far(self, place: str) -> Run:
        """Return the run with what was taken, and where to go on; the last piece may be a short one."""
        if self._held:
            self._put()
        return replace(
            self.run,
            place=place,
            pieces=self.pieces,
            lines=self.lines,
            totals=self.totals,
            defects=tuple(self.defects),
            counts={Finding.UNREADABLE.value: self.unreadable} if self.unreadable else {},
            asks=0,
            why="",
        )


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
        dispute=found.dispute,
        given_back=found.given_back,
        settled=found.settled.minor if found.settled else None,
        borne=found.borne.minor if found.borne else None,
    )


def _note_defects(run: Run) -> int:
    """Keep what of the bill cannot be read or does not add up: one finding each, one case for all. Returns how many."""
    if not run.defects:
        cases.settle(domain.case_id(Finding.UNREADABLE, run.provider, run.day), "the bill is sound now")
        return 0
    unreadable = run.counts[Finding.UNREADABLE.value]
    said = {"defects": str(unreadable), **{str(n): text for n, text in enumerate(run.defects[:5], 1)}}
    case = cases.open_for(Finding.UNREADABLE, run, run.day, said=said)
    found = [
        Judged(f"d_{number:06d}", Finding.UNREADABLE, text, run.round, None, None, case_id=case)
        for number, text in enumerate(run.defects)
    ]
    store.save_lines(run.run_id, found)
    files.put_part(run, 0, found)
    return 1


def _read(run: Run) -> Run:
    now = clock.now()
    if run.piece >= run.pieces:
        return _save(domain.move(run, RunCause.READ, now=now))
    begin_at = int(run.place or 0)
    lines = files.piece(run, run.piece)[begin_at:]
    judged = judging.judge_piece(run, lines)
    store.save_lines(run.run_id, judged)
    files.put_part(run, run.parts, judged)
    run = replace(_counted(run, judged), parts=run.parts + 1)
    if len(judged) < len(lines):
        return _save(domain.move(replace(run, place=str(begin_at + len(judged))), RunCause.NEXT, now=now))
    run = replace(run, piece=run.piece + 1, place="")
    return _save(domain.move(run, RunCause.NEXT if run.piece < run.pieces else RunCause.READ, now=now))


def _counted(run: Run, judged: Sequence[Judged]) -> Run:
    counts = Counter(dict(run.counts))
    counts.update(found.finding.value for found in judged)
    fees: Counter[str] = Counter(dict(run.fees))
    rest = run.fee_rest_millionths
    stakes = Counter(dict(run.stakes))
    for found in judged:
        if found.at_stake is not None:
            stakes[f"{found.finding.value} {found.at_stake.currency}"] += found.at_stake.minor
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
        stakes=dict(stakes),
    )


def _check(run: Run) -> Run:
    """Look for a page of our own captures and refunds of the day on the bill."""
    now = clock.now()
    left = _left_of(run)
    if left is not None:
        return _settle_left(run, *left)
    if run.shard >= payments.BOOKED_SHARDS:
        files.put_report(run)
        done = replace(domain.move(run, RunCause.FINISH, now=now), finished_at=now)
        saved = _save(done)
        log.info(
            "bill reconciled", provider=run.provider, day=run.day, lines=run.lines, healed=run.healed, **run.counts
        )
        metrics.count("reconciliation_cases", run.cases)
        return saved
    day = date.fromisoformat(run.day)
    place = json.loads(run.place) if run.place else None
    page = payments.booked(run.provider, day, Window(RECORDS_A_STEP, place), shard=run.shard)
    last = page.after
    judged = judging.missing_there(run, page.items)
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


_LEAVING: Final = tuple(finding for finding in Finding if finding in domain.CASES and finding is not Finding.UNREADABLE)


def _left_of(run: Run) -> tuple[int, Finding] | None:
    """Return the earlier round and class whose findings are to be looked through next, once all our records were.

    A bill that is not sound settles nothing: its lines may be missing because it was cut off.
    """
    number = run.shard - payments.BOOKED_SHARDS
    if number < 0 or Finding.UNREADABLE.value in run.counts:
        return None
    earlier, kind = divmod(number, len(_LEAVING))
    return (earlier + 1, _LEAVING[kind]) if earlier + 1 < run.round else None


def _settle_left(run: Run, earlier: int, finding: Finding) -> Run:
    """Settle the cases of a page of findings of an earlier round that this one did not make: the bill was corrected."""
    place = json.loads(run.place) if run.place else None
    page = store.list_lines(replace(run, round=earlier), finding, Window(RECORDS_A_STEP, place))
    for found in page.items:
        if found.case_id and found.round < run.round and found.why != judging.SILENT:  # A dispute's own case stays.
            cases.settle(found.case_id, f"not on the corrected bill of {run.day}", day=run.day)
    last = page.after
    run = replace(run, shard=run.shard if last else run.shard + 1, place=json.dumps(last) if last else "")
    return _save(domain.move(run, RunCause.NEXT, now=clock.now()))
