"""The clock of reconciliation: each hour it begins what is owed, so that a missed tick or an outage is made good."""

from __future__ import annotations

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib.kernel import context, ids

functions = Blueprint(__name__)


@functions.schedule("rate(1 hour)", name="reconcile")
def reconcile(event: CloudWatchEvent) -> dict[str, int]:
    """Begin the days whose bills should be ready."""
    from chalicelib.kernel import clock
    from chalicelib.reconciliation import service
    from chalicelib.runtime import lifetime, start
    from chalicelib.runtime.config import on_lambda

    tick = f"reconcile#{clock.epoch_s(clock.now())}"
    where = context.Context(request_id=ids.digest(tick), cause_id=tick, actor="job:reconcile")
    with lifetime.of(event.context), lifetime.keeping(1.0), context.use(where):
        if on_lambda():
            start.check()
        return {"begun": len(service.begin_due())}
