"""Metrics in CloudWatch's embedded metric format: a log line that becomes a metric, no API call.

Source: CloudWatch, "Embedded metric format specification". Written to standard output, which Lambda ships.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from chalicelib.kernel import clock, context
from chalicelib.runtime.config import config, on_lambda

BY_VERSION = ("api_faults",)
"""Counted by the function's version as well: a new one that is worse than the one before is taken back."""

_pending: ContextVar[dict[str, tuple[float, str]] | None] = ContextVar("biandan_metrics", default=None)
_lock = threading.Lock()


def share() -> dict[str, tuple[float, str]]:
    """Return what this invocation has counted; threads that are given its context from now on count into the same."""
    pending = _pending.get()
    if pending is None:
        pending = {}
        _pending.set(pending)
    return pending


def count(name: str, value: float = 1, unit: str = "Count") -> None:
    """Add to a metric of this invocation; :func:`flush` writes all of them in one line."""
    pending = share()
    with _lock:
        before, _ = pending.get(name, (0.0, unit))
        pending[name] = (before + value, unit)


def flush(function: str) -> None:
    """Write the metrics of this invocation, if there are any, and start anew."""
    pending = _pending.get()
    _pending.set(None)
    if not pending or not on_lambda():
        return
    by_version = {name: pending[name] for name in BY_VERSION if name in pending}
    line = {
        "_aws": {
            "Timestamp": int(clock.now().timestamp() * 1000),
            "CloudWatchMetrics": [
                # Whichever function counts: an alarm on one would not hear another, and each pair is paid for.
                _under(["stage"], pending),
                *([_under(["stage", "version"], by_version)] if by_version else []),
            ],
        },
        "stage": config().installation,
        "function": function,
        "version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        "request_id": context.current().request_id,
        **{name: value for name, (value, _) in pending.items()},
    }
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


def _under(dimensions: list[str], counted: Mapping[str, tuple[float, str]]) -> dict[str, Any]:
    return {
        "Namespace": "Biandan",
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in counted.items()],
    }
