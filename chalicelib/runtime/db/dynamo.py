"""DynamoDB calls with our own retry rules: what is safe to repeat, repeats with full jitter; nothing else does."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from chalicelib.kernel.errors import Busy
from chalicelib.runtime import aws, metrics

ATTEMPTS = 12
BASE_S = 0.01
CAP_S = 0.4

THROTTLES = {
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "OverLimit",
}
AMBIGUOUS = {
    "InternalServerError",
    "InternalServerErrorException",
    "InternalServiceError",
    "InternalFailure",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
}
"""The write may or may not have happened: repeat only what carries a token or a condition on itself."""
CONFLICTS = {"TransactionConflictException", "TransactionInProgressException"}

sleep: Callable[[float], None] = time.sleep
"""Replaced by the simulator."""
jitter: Callable[[], float] = random.random


def call(operation: str, params: dict[str, Any], *, repeatable: bool = True) -> dict[str, Any]:
    """Make one DynamoDB call, repeating throttles and conflicts, and ambiguous failures where ``repeatable``.

    Raises:
        Busy: if throttling or contention outlasted the attempts.
        botocore.exceptions.ClientError: for everything else, unchanged.
    """
    return retrying(lambda: aws.call("dynamodb", operation, params), repeatable=repeatable)


def retrying(attempt: Callable[[], dict[str, Any]], *, repeatable: bool) -> dict[str, Any]:
    """Run ``attempt`` under the retry rules (see :func:`call`)."""
    for number in range(ATTEMPTS):
        try:
            return attempt()
        except Exception as error:
            if not _may_repeat(error, repeatable=repeatable):
                raise
            if number == ATTEMPTS - 1:
                raise Busy from error
            metrics.count("dynamodb_retries")
            sleep(jitter() * min(CAP_S, BASE_S * 2**number))
    raise AssertionError("unreachable")


def _may_repeat(error: Exception, *, repeatable: bool) -> bool:
    code = aws.error_code(error)
    if code in THROTTLES or code in CONFLICTS:
        return True
    if code == "TransactionCanceledException":
        return _only_transient(error)
    if code in AMBIGUOUS:
        return repeatable
    return repeatable and type(error).__name__ in (
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ConnectionClosedError",
        "HTTPClientError",
    )


def is_passing(error: Exception) -> bool:
    """Say whether any of our AWS services failed in a way that another try may cure: told to callers as ``Busy``."""
    return _may_repeat(error, repeatable=True)


def reasons(error: Exception) -> list[dict[str, Any]]:
    """Return the cancellation reasons of a transaction, one for each operation in call order."""
    response = getattr(error, "response", None)
    found = response.get("CancellationReasons", []) if isinstance(response, dict) else []
    return list(found)


_TRANSIENT = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


def _only_transient(error: Exception) -> bool:
    codes = {reason.get("Code", "None") for reason in reasons(error)} - {"None"}
    return bool(codes) and codes <= _TRANSIENT
