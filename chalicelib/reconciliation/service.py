"""Use cases of reconciliation: what routes, consumers and tools call. The work is in the files it names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chalicelib.kernel import clock
from chalicelib.kernel.pages import Page, Window
from chalicelib.reconciliation import domain, files, store
from chalicelib.reconciliation.cases import (
    disputed,
    escalate,
    open_case,
    refund_done,
    refund_owed,
    refund_stuck,
    resolve_case,
)
from chalicelib.reconciliation.domain import (
    Case,
    CaseNotFound,
    CaseStatus,
    DayNotOver,
    Finding,
    Judged,
    Line,
    Run,
    RunNotFound,
    RunStatus,
)
from chalicelib.reconciliation.parked import deadline_parked
from chalicelib.reconciliation.runs import advance, ask_again, begin, begin_due
from chalicelib.reconciliation.strays import clear, unclear
from chalicelib.reconciliation.strays import heard as stray_heard
from chalicelib.reconciliation.strays import settled as stray_settled

__all__ = [
    "Case",
    "CaseNotFound",
    "CaseStatus",
    "DayNotOver",
    "Finding",
    "Judged",
    "Line",
    "Report",
    "Run",
    "RunNotFound",
    "advance",
    "ask_again",
    "begin",
    "begin_due",
    "clear",
    "deadline_parked",
    "disputed",
    "escalate",
    "get_case",
    "get_run",
    "list_cases",
    "list_lines",
    "list_runs",
    "open_case",
    "refund_done",
    "refund_owed",
    "refund_stuck",
    "report",
    "resolve_case",
    "stray_heard",
    "stray_settled",
    "unclear",
]


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


def list_lines(run_id: str, finding: Finding, window: Window) -> Page[Judged]:
    """Return one page of a run's findings of one class.

    Raises:
        RunNotFound: if there is no such run.
    """
    return store.list_lines(store.load_run(run_id), finding, window)


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
    return Report(files.download_url(run), clock.now() + files.WITHIN)


def get_case(case_id: str) -> Case:
    """Return a case.

    Raises:
        CaseNotFound: if there is none.
    """
    return store.load_case(case_id)


def list_cases(status: CaseStatus, window: Window) -> Page[Case]:
    """Return one page of the cases in a state, oldest first."""
    return store.list_cases(status, window)
