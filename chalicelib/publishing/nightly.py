"""The nightly clock of publishing: a sample is compared and healed, what is out of reach is deleted."""

from __future__ import annotations

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib.kernel import context, ids

functions = Blueprint(__name__)


@functions.schedule("rate(1 day)", name="published-check")
def published_check(event: CloudWatchEvent) -> dict[str, int]:  # noqa: ARG001 - Lambda passes it
    """Compare a sample of what is published with the tables, and begin the sweep."""
    from chalicelib.kernel import clock
    from chalicelib.publishing import service
    from chalicelib.runtime import metrics

    tick = f"published-check#{clock.epoch_s(clock.now())}"
    with context.use(context.Context(request_id=ids.digest(tick), cause_id=tick, actor="job:published-check")):
        stale = service.check()
        service.begin_sweep()
        metrics.flush("published-check")
        return {"stale": stale}
