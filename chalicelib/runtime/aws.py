"""The one seam to AWS: a client per service, and every call through :func:`call`, where hooks can watch or interfere.

Metering, fault injection and the simulator are hooks. A hook is called around each operation::

    def hook(service, operation, params, proceed):
        return proceed()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.runtime import transport
from chalicelib.runtime.config import config

Params = dict[str, Any]
Answer = dict[str, Any]
Hook = Callable[[str, str, Params, Callable[[], Answer]], Answer]

_lock = threading.RLock()
_session: Any = None
_clients: dict[str, Any] = {}
_hooks: list[Hook] = []


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

            _clients[service] = session().create_client(
                service,
                region_name=config().region,
                config=BotoConfig(
                    parameter_validation=False,
                    connect_timeout=2,
                    read_timeout=5,
                    max_pool_connections=50,
                    retries={"total_max_attempts": 3, "mode": "standard"},
                    signature_version="s3v4" if service == "s3" else None,  # Newer regions refuse older presigned URLs.
                ),
            )
        return _clients[service]


def call(service: str, operation: str, params: Params) -> Answer:
    """Make one API call (``call("sqs", "SendMessage", {...})``) through the hooks.

    Raises:
        botocore.exceptions.ClientError: as the service answers.
    """

    def send() -> Answer:
        if service in transport.TARGETS:
            return transport.call(service, operation, params)
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
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
    return str(code)
