"""The clock of the balances: each minute it counts what was written into the ledger since."""

from __future__ import annotations

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib.kernel import context, ids

functions = Blueprint(__name__)


@functions.schedule("rate(1 minute)", name="balances")
def balances(event: CloudWatchEvent) -> dict[str, int]:
    """Count the ledger's new entries into the balances."""
    from chalicelib.kernel import clock
    from chalicelib.ledger import readers
    from chalicelib.runtime import lifetime, metrics

    tick = f"balances#{clock.epoch_s(clock.now())}"
    where = context.Context(request_id=ids.digest(tick), cause_id=tick, actor="job:balances")
    with lifetime.of(event.context), lifetime.keeping(1.0), context.use(where):
        try:
            return readers.run()
        finally:
            metrics.flush("balances")
