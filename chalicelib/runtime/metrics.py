"""Metrics in CloudWatch's embedded metric format: a log line that becomes a metric, no API call.

Source: CloudWatch, "Embedded metric format specification". Written to standard output, which Lambda ships.
"""

from __future__ import annotations

import json
import sys
from contextvars import ContextVar

from chalicelib.kernel import clock, context
from chalicelib.runtime.config import config, on_lambda

_pending: ContextVar[dict[str, tuple[float, str]] | None] = ContextVar("biandan_metrics", default=None)


def count(name: str, value: float = 1, unit: str = "Count") -> None:
    """Add to a metric of this invocation; :func:`flush` writes all of them in one line."""
    pending = _pending.get()
    if pending is None:
        pending = {}
        _pending.set(pending)
    before, _ = pending.get(name, (0.0, unit))
    pending[name] = (before + value, unit)


def flush(function: str) -> None:
    """Write the metrics of this invocation, if there are any, and start anew."""
    pending = _pending.get()
    _pending.set(None)
    if not pending or not on_lambda():
        return
    line = {
        "_aws": {
            "Timestamp": int(clock.now().timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Biandan",
                    # Whichever function counts: an alarm on one would not hear another, and each pair is paid for.
                    "Dimensions": [["stage"]],
                    "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in pending.items()],
                }
            ],
        },
        "stage": config().installation,
        "function": function,
        "request_id": context.current().request_id,
        **{name: value for name, (value, _) in pending.items()},
    }
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
