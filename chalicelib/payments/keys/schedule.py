"""The clock of providers' keys: each hour those that publish theirs are asked for them."""

from __future__ import annotations

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib.kernel import context, ids

functions = Blueprint(__name__)


@functions.schedule("rate(1 hour)", name="payment-keys")
def payment_keys(event: CloudWatchEvent) -> dict[str, str]:
    """Fetch the keys that providers sign with."""
    from chalicelib.kernel import clock
    from chalicelib.payments import service
    from chalicelib.runtime import lifetime

    tick = f"payment-keys#{clock.epoch_s(clock.now())}"
    where = context.Context(request_id=ids.digest(tick), cause_id=tick, actor="job:payment-keys")
    with lifetime.of(event.context), lifetime.keeping(1.0), context.use(where):
        return service.refresh_keys()
