"""The functions that belong to no capability: the stream relay and the deadline job."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, CloudWatchEvent

functions = Blueprint(__name__)


@functions.lambda_function(name="relay")
def relay(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Relay committed changes. The stack maps the stream of every table to this one function."""
    from chalicelib.runtime import lifetime
    from chalicelib.runtime.relay import relay as run

    with lifetime.of(context), lifetime.keeping(1.0):
        return run(event)


@functions.schedule("rate(1 minute)", name="deadlines")
def deadlines(event: CloudWatchEvent) -> dict[str, int]:
    """Find what is due and hand it to the queues."""
    from chalicelib.runtime import lifetime
    from chalicelib.runtime.deadlines import sweep

    with lifetime.of(event.context), lifetime.keeping(1.0):
        return sweep()
