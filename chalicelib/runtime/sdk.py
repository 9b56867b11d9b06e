"""botocore, for the services that are not spoken to directly: one session a process, one client a service.

Below ``runtime.aws``, through which every call goes, and ``runtime.transport``, which asks it for credentials where the
environment has none.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from chalicelib.kernel.errors import Busy
from chalicelib.runtime import lifetime
from chalicelib.runtime.config import config

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 4.0
"""Of botocore's clients; it counts from byte to byte."""
ONCE = ("sesv2",)
"""Services whose calls botocore must not repeat: a message that was not answered may have been sent."""
BOTOCORE_S = 12.0
"""What one attempt of botocore may take: to connect, to begin to answer, to go on, and its pause (2 s at most) before
the next. With less left none is begun."""

_lock = threading.RLock()
_session: Any = None
_clients: dict[str, Any] = {}


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
                    retries={"total_max_attempts": 1 if service in ONCE else 3, "mode": "standard"},
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


def _for_s3() -> dict[str, Any]:
    """Return how S3 is spoken to: what is signed for a browser names the bucket's own host in its own region.

    The global host answers for the oldest regions only: elsewhere a signed address would be refused, or redirected to
    where its signature does not count. The embedded engine, at an address of this machine, has no hosts for buckets.
    """
    elsewhere = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {
        "signature_version": "s3v4",  # Newer regions refuse older ones.
        "s3": {"addressing_style": "path" if elsewhere else "virtual", "us_east_1_regional_endpoint": "regional"},
    }


def forget() -> None:
    """Drop session and clients: after the environment changed."""
    global _session
    with _lock:
        _session = None
        _clients.clear()
