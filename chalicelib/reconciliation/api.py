"""Routes of reconciliation, for operators only."""

from __future__ import annotations

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition
from chalicelib.payments.service import UnknownProvider
from chalicelib.reconciliation import service
from chalicelib.reconciliation.domain import CaseNotFound, CaseStatus, DayNotOver, Finding, RunNotFound
from chalicelib.reconciliation.schemas import (
    BeginReconciliation,
    CasesQuery,
    CasesView,
    CaseView,
    JudgedView,
    LinesQuery,
    LinesView,
    ReportView,
    ResolveCase,
    RunsQuery,
    RunsView,
    RunView,
)
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("reconciliation")


@routes.route(
    "POST",
    "/v1/operator/reconciliations",
    access=Access.OPERATOR,
    body=BeginReconciliation,
    returns=RunView,
    status=202,
    raises=(UnknownProvider, DayNotOver, ConcurrentUpdate),
)
def begin_reconciliation(body: BeginReconciliation, intent: Intent) -> Reply:
    """Begin a provider's day, or repeat one that has ended. The daily job does the same by itself."""
    run, known = service.begin(body.provider, body.day, again=body.again, intent=intent)
    return Reply(RunView.of(run), 202, replayed_header(known))


@routes.route("GET", "/v1/operator/reconciliations", access=Access.OPERATOR, query=RunsQuery, returns=RunsView)
def list_reconciliations(query: RunsQuery) -> RunsView:
    """Read a provider's reconciled days up to a day, the latest first."""
    runs = service.list_runs(query.provider, until=query.day, days=query.days)
    return RunsView(items=[RunView.of(run) for run in runs])


@routes.route(
    "GET",
    "/v1/operator/reconciliations/{run_id}",
    access=Access.OPERATOR,
    returns=RunView,
    raises=(RunNotFound,),
)
def get_reconciliation(run_id: str) -> RunView:
    """Read how one day stands."""
    return RunView.of(service.get_run(run_id))


@routes.route(
    "GET",
    "/v1/operator/reconciliations/{run_id}/lines",
    access=Access.OPERATOR,
    query=LinesQuery,
    returns=LinesView,
    raises=(RunNotFound, BadCursor),
)
def list_reconciliation_lines(run_id: str, query: LinesQuery, caller: Caller) -> LinesView:
    """List the findings of one class, page by page."""
    scope = f"lines#{run_id}#{query.finding}#{caller.account_id}"
    window = cursors.window(query.limit, query.cursor, query=scope)
    page = service.list_lines(run_id, Finding(query.finding), window)
    return LinesView(
        items=[JudgedView.of(found) for found in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route(
    "GET",
    "/v1/operator/reconciliations/{run_id}/report",
    access=Access.OPERATOR,
    returns=ReportView,
    raises=(RunNotFound,),
)
def get_reconciliation_report(run_id: str) -> ReportView:
    """Get an address from which the whole report can be downloaded for five minutes."""
    found = service.report(run_id)
    return ReportView(url=found.url, expires_at=found.expires_at)


@routes.route(
    "GET",
    "/v1/operator/cases",
    access=Access.OPERATOR,
    query=CasesQuery,
    returns=CasesView,
    raises=(BadCursor,),
)
def list_cases(query: CasesQuery, caller: Caller) -> CasesView:
    """List cases by state, the oldest first."""
    scope = f"cases#{query.status}#{caller.account_id}"
    page = service.list_cases(CaseStatus(query.status), cursors.window(query.limit, query.cursor, query=scope))
    return CasesView(
        items=[CaseView.of(case) for case in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route("GET", "/v1/operator/cases/{case_id}", access=Access.OPERATOR, returns=CaseView, raises=(CaseNotFound,))
def get_case(case_id: str) -> CaseView:
    """Read one case with its history."""
    return CaseView.of(service.get_case(case_id))


@routes.route(
    "POST",
    "/v1/operator/cases/{case_id}/resolve",
    access=Access.OPERATOR,
    body=ResolveCase,
    returns=CaseView,
    raises=(CaseNotFound, IllegalTransition, ConcurrentUpdate, IdempotencyKeyReused),
)
def resolve_case(case_id: str, body: ResolveCase, caller: Caller, intent: Intent) -> Reply:
    """Say what became of a case; it is closed then."""
    case, replayed = service.resolve_case(case_id, how=body.how, note=body.note, by=caller.account_id, intent=intent)
    return Reply(CaseView.of(case), 200, replayed_header(replayed))
