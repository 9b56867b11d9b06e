"""Routes of the audit, for operators only."""

from __future__ import annotations

from chalicelib.kernel import clock
from chalicelib.oversight import service
from chalicelib.oversight.schemas import AuditQuery, AuditView, LineView
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Routes

routes = Routes("oversight")


@routes.route(
    "GET", "/v1/operator/audit", access=Access.OPERATOR, query=AuditQuery, returns=AuditView, raises=(BadCursor,)
)
def list_audit(query: AuditQuery, caller: Caller) -> AuditView:
    """List what operators did on a day, the latest first. Lines are only ever added."""
    day = query.day or clock.now().date()
    scope = f"audit#{day.isoformat()}#{caller.account_id}"
    page = service.list_day(day, cursors.window(query.limit, query.cursor, query=scope))
    return AuditView(
        items=[LineView.of(line) for line in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )
