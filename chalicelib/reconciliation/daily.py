"""The clock of reconciliation: each hour it begins what is owed, so that a missed tick or an outage is made good."""

from __future__ import annotations

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib.kernel import context, ids

functions = Blueprint(__name__)


@functions.schedule("rate(1 hour)", name="reconcile")
def reconcile(event: CloudWatchEvent) -> dict[str, int]:  # noqa: ARG001 - Lambda passes it
    """Begin the days whose bills should be ready."""
    from chalicelib.kernel import clock
    from chalicelib.reconciliation import service
    from chalicelib.runtime import start
    from chalicelib.runtime.config import on_lambda

    if on_lambda():
        start.check()
    tick = f"reconcile#{clock.epoch_s(clock.now())}"
    with context.use(context.Context(request_id=ids.digest(tick), cause_id=tick, actor="job:reconcile")):
        return {"begun": len(service.begin_due())}
