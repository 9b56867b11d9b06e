"""The clock of the audit's chain: each minute it seals what was written since."""

from __future__ import annotations

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib.kernel import context, ids

functions = Blueprint(__name__)


@functions.schedule("rate(1 minute)", name="audit-seal")
def audit_seal(event: CloudWatchEvent) -> dict[str, int]:
    """Seal the audit's new lines."""
    from chalicelib.kernel import clock
    from chalicelib.oversight.chain import sealing
    from chalicelib.runtime import lifetime, metrics

    tick = f"audit-seal#{clock.epoch_s(clock.now())}"
    where = context.Context(request_id=ids.digest(tick), cause_id=tick, actor="job:audit-seal")
    with lifetime.of(event.context), lifetime.keeping(1.0), context.use(where):
        try:
            return sealing.run()
        finally:
            metrics.flush("audit-seal")
