"""What may be asked of AWS again, how often and for how long: by error code, by status, and by what did not come.

A refusal that only means "not now" (a throttle, a conflict) is always repeated. Where nobody knows whether it was done
(no answer, half of one, any 5xx, be it a load balancer's page of HTML), only what may be done twice is. Nothing is
repeated for longer than ``LONGEST_S``, nor beyond the end of the invocation (``runtime.lifetime``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from chalicelib.kernel.errors import Busy
from chalicelib.runtime import lifetime, metrics

ATTEMPTS = 12
BASE_S = 0.01
CAP_S = 0.4
LONGEST_S = 8.0
"""One call with all its repeats: one that was never answered (5 s) and another."""
SHORTEST_S = 0.25
"""With less than this left a repeat would end before its answer came."""

THROTTLES = {
    "ProvisionedThroughputExceededException",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "KmsThrottled",
    "SlowDown",
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
_TRANSIENT = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_NO_ANSWER = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "HTTPClientError",
    "IncompleteReadError",
    "ResponseStreamingError",
    "ProxyConnectionError",
    "SSLError",
}
"""botocore's names; by name, because importing them costs a function that has no trouble."""

Attempt = Callable[[], dict[str, Any]]


def retrying(
    attempt: Attempt,
    *,
    repeatable: bool,
    counted: str,
    sleep: Callable[[float], None] | None = None,
    jitter: Callable[[], float] | None = None,
) -> dict[str, Any]:
    """Run ``attempt`` until it is answered, fails for good, or the time is over. ``counted`` names the metric.

    Raises:
        Busy: if throttling, contention or silence outlasted the attempts or the time.
        Exception: for everything else, unchanged.
    """
    with lifetime.at_most(LONGEST_S):
        for number in range(ATTEMPTS):
            try:
                return attempt()
            except Exception as error:
                if not may_repeat(error, repeatable=repeatable):
                    raise
                pause_s = (jitter or random.random)() * min(CAP_S, BASE_S * 2**number)
                if number == ATTEMPTS - 1 or lifetime.left_s() < pause_s + SHORTEST_S:
                    raise Busy from error
                metrics.count(counted)
                (sleep or time.sleep)(pause_s)
    raise AssertionError("unreachable")


def may_repeat(error: Exception, *, repeatable: bool) -> bool:
    """Say whether the same call may be made again after this; ``repeatable``: also if it was perhaps done."""
    code, status = code_of(error), status_of(error)
    if code in THROTTLES or code in CONFLICTS or status == 429:
        return True
    if code == "TransactionCanceledException":
        return _only_transient(error)
    if code in AMBIGUOUS or status >= 500:
        return repeatable
    return repeatable and type(error).__name__ in _NO_ANSWER


def is_passing(error: Exception) -> bool:
    """Say whether any of our AWS services failed in a way that another try may cure: told to callers as ``Busy``."""
    return isinstance(error, Busy) or may_repeat(error, repeatable=True)


def code_of(error: Exception) -> str:
    """Return the service's error code of a ``ClientError``, else an empty string."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return str(code)


def status_of(error: Exception) -> int:
    """Return the HTTP status of a ``ClientError``, else 0."""
    response = getattr(error, "response", None)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
    return status if isinstance(status, int) else 0


def reasons(error: Exception) -> list[dict[str, Any]]:
    """Return the cancellation reasons of a transaction, one for each operation in call order."""
    response = getattr(error, "response", None)
    found = response.get("CancellationReasons", []) if isinstance(response, dict) else []
    return list(found)


def _only_transient(error: Exception) -> bool:
    codes = {reason.get("Code", "None") for reason in reasons(error)} - {"None"}
    return bool(codes) and codes <= _TRANSIENT
