"""A lean way to the services every function needs, DynamoDB, SQS and secrets: their JSON protocol, sent directly.

botocore spends about 1 ms of CPU on a call (parameter walking, hooks, parsers, retries we do not want), http.client a
quarter, this a tenth of it, and there is no client to build at cold start (docs/adr/transport.md).
Everything else goes through botocore. Errors are botocore's own
``ClientError`` with the same ``response``, so nobody above can tell the difference.

Sources: AWS General Reference, "Signature Version 4"; Smithy, "AWS JSON 1.0 protocol".
"""

from __future__ import annotations

import hashlib
import hmac
import os
import select
import socket
import time
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from chalicelib.runtime.config import config

CONNECT_TIMEOUT_S = 2
READ_TIMEOUT_S = 5
POOL_CONNECTIONS = 50
IDLE_S = 20
"""These services keep an idle connection longer than this."""

TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "dynamodbstreams": "DynamoDBStreams_20120810",  # Read by the local pumps; Lambda reads streams for us.
    "sqs": "AmazonSQS",
    "secretsmanager": "secretsmanager",  # Rare, but at cold start: its client would cost a whole botocore session.
}
"""The services spoken here, with the prefix of their ``X-Amz-Target``."""
_VERSIONS = {"secretsmanager": "1.1"}
_SCOPES = {"dynamodbstreams": "dynamodb"}
_HOSTS = {"dynamodbstreams": "streams.dynamodb"}

_pools: dict[str, list[_Connection]] = {}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class _Credentials(NamedTuple):
    access_key: str
    secret_key: str
    token: str | None


def call(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Make one call, once.

    Raises:
        botocore.exceptions.ClientError: as the service answers, with ``CancellationReasons`` and ``Item`` if there.
        botocore.exceptions.HTTPClientError: its subclasses, if no whole answer came.
    """
    url, host = _endpoint(service, config().region)
    body = _encode(params)
    headers = {
        "Host": host,
        "Content-Type": f"application/x-amz-json-{_VERSIONS.get(service, '1.0')}",
        "X-Amz-Target": f"{TARGETS[service]}.{operation}",
    }
    _sign(headers, body, _SCOPES.get(service, service))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
    status, answer_headers, content = _send(url, head, body)
    checksum = answer_headers.get(b"x-amz-crc32")
    if checksum is not None and int(checksum) != zlib.crc32(content):
        raise ConnectionClosedError(endpoint_url=url)
    answer: dict[str, Any] = _decode(content) if content else {}
    if status >= 300:
        raise _error(operation, status, answer)
    return answer


def forget() -> None:
    """Look up addresses and open connections anew: after the environment changed."""
    _endpoint.cache_clear()
    while _pools:
        _, pool = _pools.popitem()
        while pool:
            pool.pop().close()


@lru_cache(maxsize=8)
def _endpoint(service: str, region: str) -> tuple[str, str]:
    specific = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    url = specific or os.environ.get("AWS_ENDPOINT_URL") or _public_endpoint(service, region)
    return url.rstrip("/") + "/", url.split("://", 1)[1].rstrip("/")


def _public_endpoint(service: str, region: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{_HOSTS.get(service, service)}.{region}.{suffix}"


def _credentials() -> _Credentials:
    """Return the environment's credentials (Lambda's are there), else those the SDK finds and refreshes."""
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    if access_key:
        return _Credentials(access_key, os.environ["AWS_SECRET_ACCESS_KEY"], os.environ.get("AWS_SESSION_TOKEN"))
    from botocore.exceptions import NoCredentialsError

    from chalicelib.runtime import aws

    found = aws.session().get_credentials()
    if found is None:
        raise NoCredentialsError
    frozen = found.get_frozen_credentials()
    return _Credentials(frozen.access_key, frozen.secret_key, frozen.token)


@lru_cache(maxsize=16)
def _signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _sign(headers: dict[str, str], body: bytes, service: str) -> None:
    """Add the signature of Signature Version 4 over method POST, path ``/`` and these headers."""
    credentials = _credentials()
    region = config().region
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")  # Wall time, not the shop's clock: AWS checks it.
    headers["X-Amz-Date"] = moment
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    named = sorted((name.lower(), value) for name, value in headers.items())
    signed = ";".join(name for name, _ in named)
    canonical = "\n".join(
        ("POST", "/", "", *(f"{name}:{value}" for name, value in named), "", signed, hashlib.sha256(body).hexdigest())
    )
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_key, moment[:8], region, service)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )


class _Connection:
    """One kept-alive HTTP/1.1 connection. These services answer with a Content-Length; nothing else is read."""

    __slots__ = ("_answers", "_socket", "idle_since")

    def __init__(self, secure: bool, host: str, port: int) -> None:  # noqa: FBT001
        plain = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
        plain.settimeout(READ_TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = _tls().wrap_socket(plain, server_hostname=host) if secure else plain
        self._answers = self._socket.makefile("rb")
        self.idle_since = time.monotonic()

    def is_alive(self) -> bool:
        """Say whether it may be used again: not idle for long, and the other side has not closed it."""
        if time.monotonic() - self.idle_since > IDLE_S:
            return False
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return not waiting.poll(0)  # Readable while nothing was asked means: closed.

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def post(self, head: bytes, body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        """Send one request and read its answer: status, headers (names in lower case), body."""
        self._socket.sendall(head + body)
        status_line = self._answers.readline(4096)
        if not status_line.startswith(b"HTTP/1.1 "):
            raise ConnectionError("no answer")
        headers: dict[bytes, bytes] = {}
        while (line := self._answers.readline(16_384)) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        length = int(headers[b"content-length"])
        content = self._answers.read(length)
        if len(content) != length:
            raise ConnectionError("half an answer")
        return int(status_line[9:12]), headers, content


@lru_cache(maxsize=1)
def _tls() -> Any:
    import ssl

    return ssl.create_default_context()


def _send(url: str, head: bytes, body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    pool = _pools.setdefault(url, [])
    connection = None
    while pool and connection is None:
        try:
            candidate = pool.pop()  # Last in, first out: the rest may grow old. list.pop is atomic.
        except IndexError:
            break
        if candidate.is_alive():
            connection = candidate
        else:
            candidate.close()
    if connection is None:
        try:
            parts = urlsplit(url)
            secure = parts.scheme == "https"
            connection = _Connection(secure, parts.hostname or "", parts.port or (443 if secure else 80))
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from error
    try:
        status, headers, content = connection.post(head, body)
    except BaseException as error:
        connection.close()
        if isinstance(error, TimeoutError):
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        if isinstance(error, (OSError, KeyError, ValueError)):
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        raise
    if headers.get(b"connection", b"").lower() == b"close" or len(pool) >= POOL_CONNECTIONS:
        connection.close()
    else:
        connection.idle_since = time.monotonic()
        pool.append(connection)
    return status, headers, content


def _error(operation: str, status: int, answer: dict[str, Any]) -> ClientError:
    code = str(answer.get("__type", status)).rsplit("#", 1)[-1]
    message = answer.get("message") or answer.get("Message") or ""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **{name: answer[name] for name in ("CancellationReasons", "Item") if name in answer},
    }
    return ClientError(response, operation)
