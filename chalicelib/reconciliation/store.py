"""Rows of reconciliations: a run and its lines in one partition, each case in its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.kernel.clock import from_epoch_ms
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Page, Window
from chalicelib.reconciliation.domain import (
    Case,
    CaseNotFound,
    CaseStatus,
    Finding,
    Judged,
    Run,
    RunNotFound,
    RunStatus,
    Turn,
)
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, region
from chalicelib.runtime.db.work import UnitOfWork

_LINE = "line#"


class _RunDoc(msgspec.Struct, omit_defaults=True):
    started_ms: int
    since_ms: int
    step: int
    round: int
    asks: int = 0
    pieces: int = 0
    piece: int = 0
    parts: int = 0
    shard: int = 0
    place: str = ""
    lines: int = 0
    counts: dict[str, int] = {}
    healed: int = 0
    cases: int = 0
    fees: dict[str, int] = {}
    fee_rest_millionths: int = 0
    stakes: dict[str, int] = {}
    totals: dict[str, str] = {}
    defects: tuple[str, ...] = ()
    why: str = ""
    finished_ms: int = 0
    intent: str = ""


class _CaseDoc(msgspec.Struct, omit_defaults=True):
    kind: str
    provider: str
    day: str
    subject: str
    since_ms: int
    purchase_id: str = ""
    said: dict[str, str] = {}
    history: tuple[Turn, ...] = ()


class ListedIndex(GlobalSecondaryIndex[Any]):
    """Sparse: lines that are no match, by run and finding in the bill's order; cases by state, oldest first."""

    class Meta:
        index_name = "listed"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    position = NumberAttribute(range_key=True)


class RunRow(DueRow):
    """Key: the run's id, twice."""

    class Meta:
        table_name = names.table_name("reconciliations")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    status = UnicodeAttribute()
    provider = UnicodeAttribute()
    day = UnicodeAttribute()
    doc = DocumentAttribute[_RunDoc](_RunDoc)
    due = DueIndex()
    lists = ListedIndex()


class LineRow(Row):
    """Key: the run's id, ``line#<movement>``. Written without conditions: judging it again comes out the same."""

    class Meta:
        table_name = names.table_name("reconciliations")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    finding = UnicodeAttribute()
    round = NumberAttribute()
    listed = UnicodeAttribute(null=True)
    position = NumberAttribute(null=True)
    doc = DocumentAttribute[Judged](Judged)


class CaseRow(DueRow):
    """Key: the case's id, twice."""

    class Meta:
        table_name = names.table_name("reconciliations")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    status = UnicodeAttribute()
    listed = UnicodeAttribute(null=True)
    position = NumberAttribute(null=True)
    doc = DocumentAttribute[_CaseDoc](_CaseDoc)
    due = DueIndex()


# --- runs -------------------------------------------------------------------------------------------------------------


def load_run(run_id: str) -> Run:
    """Read a run.

    Raises:
        RunNotFound: if there is none.
    """
    row = reads.get(RunRow, run_id, run_id, consistent=True) if ids.is_id("rec", run_id) else None
    if row is None:
        raise RunNotFound(what="reconciliation")
    return _run(row)


def load_runs(run_ids: Iterable[str]) -> dict[str, Run]:
    """Read runs by their ids; missing ones are absent."""
    found = reads.get_many([(RunRow, run_id, run_id) for run_id in run_ids])
    return {row.owner: _run(row) for row in found.values() if isinstance(row, RunRow)}


def save_run(work: UnitOfWork, run: Run, events: Sequence[Event] = ()) -> None:
    """Add the run's row to the work."""
    row = RunRow(
        owner=run.run_id,
        id=run.run_id,
        status=run.status.value,
        provider=run.provider,
        day=run.day,
        doc=_RunDoc(
            started_ms=_ms(run.started_at),
            since_ms=_ms(run.since),
            step=run.step,
            round=run.round,
            asks=run.asks,
            pieces=run.pieces,
            piece=run.piece,
            parts=run.parts,
            shard=run.shard,
            place=run.place,
            lines=run.lines,
            counts=dict(run.counts),
            healed=run.healed,
            cases=run.cases,
            fees=dict(run.fees),
            fee_rest_millionths=run.fee_rest_millionths,
            stakes=dict(run.stakes),
            totals=dict(run.totals),
            defects=run.defects,
            why=run.why,
            finished_ms=_ms(run.finished_at),
            intent=run.intent,
        ),
        version=run.version,
    )
    row.set_due(run.due_at, run.run_id)
    work.save(row, events=events, label=run.run_id)


def _run(row: RunRow) -> Run:
    doc = row.doc
    return Run(
        run_id=row.id,
        provider=row.provider,
        day=row.day,
        status=RunStatus(row.status),
        since=from_epoch_ms(doc.since_ms),
        started_at=from_epoch_ms(doc.started_ms),
        step=doc.step,
        round=doc.round,
        asks=doc.asks,
        pieces=doc.pieces,
        piece=doc.piece,
        parts=doc.parts,
        shard=doc.shard,
        place=doc.place,
        lines=doc.lines,
        counts=doc.counts,
        healed=doc.healed,
        cases=doc.cases,
        fees=doc.fees,
        fee_rest_millionths=doc.fee_rest_millionths,
        stakes=doc.stakes,
        totals=doc.totals,
        defects=doc.defects,
        why=doc.why,
        finished_at=from_epoch_ms(doc.finished_ms) if doc.finished_ms else None,
        intent=doc.intent,
        version=int(row.version),
    )


# --- lines ------------------------------------------------------------------------------------------------------------


def save_lines(run_id: str, judged: Iterable[Judged]) -> None:
    """Write findings, 25 a call."""
    reads.put_many([_line_row(run_id, found) for found in judged])


def load_lines(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Judged]:
    """Read findings by run and key of the movement, a hundred a call; missing ones are absent."""
    found = reads.get_many([(LineRow, run_id, _LINE + key) for run_id, key in wanted], consistent=True)
    return {(row.owner, row.id.removeprefix(_LINE)): row.doc for row in found.values() if isinstance(row, LineRow)}


def list_lines(run: Run, finding: Finding, window: Window) -> Page[Judged]:
    """Read one page of a run's findings of one class: matches by key, the others in the bill's order."""
    if finding is Finding.MATCH:
        page = reads.windowed(
            LineRow,
            run.run_id,
            window,
            range_condition=LineRow.id.startswith(_LINE),
            filter_condition=(LineRow.finding == finding.value) & (LineRow.round == run.round),
        )
        return Page([LineRow.from_raw_data(item).doc for item in page.items], page.after)
    listed = f"{run.run_id}#{run.round}#{finding.value}"
    page = reads.windowed(RunRow, listed, window, index=RunRow.lists)
    keys = [item["id"]["S"].removeprefix(_LINE) for item in page.items]
    found = load_lines((run.run_id, key) for key in keys)
    return Page([found[(run.run_id, key)] for key in keys if (run.run_id, key) in found], page.after)


def _line_row(run_id: str, found: Judged) -> LineRow:
    key = f"{found.key}~{found.copy}" if found.copy else found.key
    listed = found.finding is not Finding.MATCH
    return LineRow(
        owner=run_id,
        id=_LINE + key,
        finding=found.finding.value,
        round=found.round,
        listed=f"{run_id}#{found.round}#{found.finding.value}" if listed else None,
        position=found.position if listed else None,
        doc=found,
        version=1,
    )


# --- cases ------------------------------------------------------------------------------------------------------------


def load_case(case_id: str) -> Case:
    """Read a case.

    Raises:
        CaseNotFound: if there is none.
    """
    row = reads.get(CaseRow, case_id, case_id, consistent=True) if ids.is_id("cas", case_id) else None
    if row is None:
        raise CaseNotFound(what="case")
    return _case(row)


def load_cases(case_ids: Iterable[str]) -> list[Case]:
    """Read cases by their ids; missing ones are absent."""
    found = reads.get_many([(CaseRow, case_id, case_id) for case_id in case_ids])
    return [_case(row) for row in found.values() if isinstance(row, CaseRow)]


def save_case(work: UnitOfWork, case: Case, events: Sequence[Event] = ()) -> None:
    """Add the case's row to the work."""
    row = CaseRow(
        owner=case.case_id,
        id=case.case_id,
        status=case.status.value,
        listed=f"case#{case.status.value}",
        position=_ms(case.opened_at),
        doc=_CaseDoc(
            kind=case.kind,
            provider=case.provider,
            day=case.day,
            subject=case.subject,
            since_ms=_ms(case.since),
            purchase_id=case.purchase_id,
            said=dict(case.said),
            history=case.history,
        ),
        version=case.version,
    )
    row.set_due(case.due_at, case.case_id)
    work.save(row, events=events, label=case.case_id)


def list_cases(status: CaseStatus, window: Window) -> Page[Case]:
    """Read one page of the cases in a state, oldest first."""
    page = reads.windowed(RunRow, f"case#{status.value}", window, index=RunRow.lists)
    wanted = [item["id"]["S"] for item in page.items]
    found = reads.get_many([(CaseRow, case_id, case_id) for case_id in wanted])
    cases = {row.owner: _case(row) for row in found.values() if isinstance(row, CaseRow)}
    return Page([cases[case_id] for case_id in wanted if case_id in cases], page.after)


def _case(row: CaseRow) -> Case:
    doc = row.doc
    return Case(
        case_id=row.id,
        kind=doc.kind,
        status=CaseStatus(row.status),
        provider=doc.provider,
        day=doc.day,
        subject=doc.subject,
        opened_at=from_epoch_ms(row.position or 0),
        since=from_epoch_ms(doc.since_ms),
        purchase_id=doc.purchase_id,
        said=doc.said,
        history=doc.history,
        version=int(row.version),
    )


def _ms(moment: datetime | None) -> int:
    return round(moment.timestamp() * 1000) if moment else 0
