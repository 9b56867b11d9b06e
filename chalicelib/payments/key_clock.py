"""The clock of providers' keys: each hour those that publish theirs are asked for them."""

from __future__ import annotations

from chalice.app import Blueprint, CloudWatchEvent

from chalicelib.kernel import context, ids

functions = Blueprint(__name__)


@functions.schedule("rate(1 hour)", name="payment-keys")
def payment_keys(event: CloudWatchEvent) -> dict[str, str]:  # noqa: ARG001 - Lambda passes it
    """Fetch the keys that providers sign with."""
    from chalicelib.kernel import clock
    from chalicelib.payments import service

    tick = f"payment-keys#{clock.epoch_s(clock.now())}"
    with context.use(context.Context(request_id=ids.digest(tick), cause_id=tick, actor="job:payment-keys")):
        return service.refresh_keys()
