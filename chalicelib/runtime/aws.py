"""The one seam to AWS: a client per service, and every call through :func:`call`, where hooks can watch or interfere.

Metering, fault injection and the simulator are hooks. A hook is called around each operation::

    def hook(service, operation, params, proceed):
        return proceed()
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from chalicelib.kernel.errors import Busy
from chalicelib.runtime import lifetime, retries, transport
from chalicelib.runtime.config import config

Params = dict[str, Any]
Answer = dict[str, Any]
Hook = Callable[[str, str, Params, Callable[[], Answer]], Answer]

_lock = threading.RLock()
_session: Any = None
_clients: dict[str, Any] = {}
_hooks: list[Hook] = []

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 4.0
"""Of botocore's clients; it counts from byte to byte."""
BOTOCORE_S = 12.0
"""What one attempt of botocore may take: to connect, to begin to answer, to go on, and its pause (2 s at most) before
the next. With less left none is begun."""
OURS_TO_REPEAT = ("dynamodb", "dynamodbstreams")
"""Their callers say what may be done twice (``runtime.db.dynamo``). What we ask of the others may always be: a message
that is sent twice is handled once, a secret is read, or written under a token."""


def session() -> Any:
    """Return the process's botocore session; its loader caches the models. (boto3 would add 20 ms and nothing.)"""
    global _session
    with _lock:
        if _session is None:
            import botocore.session

            _session = botocore.session.get_session()
        return _session


def client(service: str) -> Any:
    """Return the process's botocore client of a service. DynamoDB and SQS do without: see ``runtime.transport``."""
    found = _clients.get(service)
    if found is not None:
        return found
    with _lock:
        if service not in _clients:
            from botocore.config import Config as BotoConfig

            made = session().create_client(
                service,
                region_name=config().region,
                config=BotoConfig(
                    parameter_validation=False,
                    connect_timeout=CONNECT_TIMEOUT_S,
                    read_timeout=READ_TIMEOUT_S,
                    max_pool_connections=50,
                    retries={"total_max_attempts": 3, "mode": "standard"},
                    **(_for_s3() if service == "s3" else {}),
                ),
            )
            made.meta.events.register("before-send", _in_time)
            _clients[service] = made
        return _clients[service]


def _in_time(**_: Any) -> None:
    """Begin no attempt of botocore's that could outlive this invocation."""
    if lifetime.left_s() < BOTOCORE_S:
        raise Busy


def _for_s3() -> Params:
    """Return how S3 is spoken to: what is signed for a browser names the bucket's own host in its own region.

    The global host answers for the oldest regions only: elsewhere a signed address would be refused, or redirected to
    where its signature does not count. The embedded engine, at an address of this machine, has no hosts for buckets.
    """
    elsewhere = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {
        "signature_version": "s3v4",  # Newer regions refuse older ones.
        "s3": {"addressing_style": "path" if elsewhere else "virtual", "us_east_1_regional_endpoint": "regional"},
    }


def call(service: str, operation: str, params: Params) -> Answer:
    """Make one API call (``call("sqs", "SendMessage", {...})``) through the hooks.

    Raises:
        Busy: if there is no time left for it, or, but for DynamoDB, if its repeats did not help either.
        botocore.exceptions.ClientError: as the service answers.
    """

    def send() -> Answer:
        if service in OURS_TO_REPEAT:
            return transport.call(service, operation, params)
        if service in transport.TARGETS:
            again = partial(transport.call, service, operation, transport.with_token(service, operation, params))
            return retries.retrying(again, repeatable=True, counted="aws_retries")
        answer: Answer = client(service)._make_api_call(operation, params)
        return answer

    proceed: Callable[[], Answer] = send
    for hook in _hooks:
        proceed = _around(hook, service, operation, params, proceed)
    return proceed()


def _around(
    hook: Hook, service: str, operation: str, params: Params, proceed: Callable[[], Answer]
) -> Callable[[], Answer]:
    return lambda: hook(service, operation, params, proceed)


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """Install a hook for the length of a block; the last installed is the outermost."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


def forget_clients() -> None:
    """Drop session and clients: after the environment changed (tests that switch accounts)."""
    global _session
    with _lock:
        _session = None
        _clients.clear()
        transport.forget()


def error_code(error: Exception) -> str:
    """Return the service's error code of a ``ClientError``, else an empty string."""
    return retries.code_of(error)
