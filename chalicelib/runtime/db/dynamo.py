"""DynamoDB calls with our own retry rules: what is safe to repeat, repeats with full jitter; nothing else does."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from chalicelib.runtime import aws, retries
from chalicelib.runtime.retries import ATTEMPTS, BASE_S, CAP_S, is_passing, reasons

__all__ = ["ATTEMPTS", "BASE_S", "CAP_S", "call", "is_passing", "jitter", "reasons", "retrying", "sleep"]

sleep: Callable[[float], None] = time.sleep
"""Replaced by the simulator."""
jitter: Callable[[], float] = random.random


def call(operation: str, params: dict[str, Any], *, repeatable: bool = True) -> dict[str, Any]:
    """Make one DynamoDB call, repeating throttles and conflicts, and ambiguous failures where ``repeatable``.

    Raises:
        Busy: if throttling or contention outlasted the attempts, or the time.
        botocore.exceptions.ClientError: for everything else, unchanged.
    """
    return retrying(lambda: aws.call("dynamodb", operation, params), repeatable=repeatable)


def retrying(attempt: Callable[[], dict[str, Any]], *, repeatable: bool) -> dict[str, Any]:
    """Run ``attempt`` under the retry rules (see :func:`call`)."""
    return retries.retrying(attempt, repeatable=repeatable, counted="dynamodb_retries", sleep=sleep, jitter=jitter)
