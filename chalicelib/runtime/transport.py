"""A lean way to the services every function needs, DynamoDB, SQS and secrets: their JSON protocol, sent directly.

botocore spends about 1 ms of CPU on a call (parameter walking, hooks, parsers, retries we do not want), http.client a
quarter, this a tenth of it, and there is no client to build at cold start (docs/adr/0016-transport.md).
Everything else goes through botocore. Errors are botocore's own
``ClientError`` with the same ``response``, so nobody above can tell the difference. Every wait has an end that is a
moment, however the other side trickles: that of the attempt, and of the invocation (``runtime.lifetime``).

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
from uuid import uuid4

import msgspec
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from chalicelib.runtime import lifetime, sdk
from chalicelib.runtime.config import config

CONNECT_TIMEOUT_S: float = 2
"""For finding, reaching and greeting the other side, TLS included."""
READ_TIMEOUT_S: float = 5
"""From the first byte sent to the last one received."""
SHORTEST_S = 0.05
"""With less than this left nothing is sent."""
HEAD_CAP_BYTES = 64 * 1024
ANSWER_CAP_BYTES = 32 * 1024 * 1024
"""The longest answer there is, of BatchGetItem, holds 16 MB."""
POOL_CONNECTIONS = 50
IDLE_S = 20
"""These services keep an idle connection longer than this."""

TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "dynamodbstreams": "DynamoDBStreams_20120810",  # Read by the local pumps; Lambda reads streams for us.
    "sqs": "AmazonSQS",
    "kms": "TrentService",  # Once in a process: as below.
    "secretsmanager": "secretsmanager",  # Rare, but at cold start: its client would cost a whole botocore session.
}
"""The services spoken here, with the prefix of their ``X-Amz-Target``."""
_VERSIONS = {"kms": "1.1", "secretsmanager": "1.1"}
_SCOPES = {"dynamodbstreams": "dynamodb"}
_TOKENED = ("CreateSecret", "PutSecretValue", "UpdateSecret")
_HOSTS = {"dynamodbstreams": "streams.dynamodb"}
_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isof-": "csp.hci.ic.gov",
}
"""Where a partition of AWS has a domain of its own, by how its regions' names begin."""

_pools: dict[str, list[_Connection]] = {}
_decode = msgspec.json.Decoder(dict[str, Any]).decode
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
    if status >= 300:
        raise _error(operation, status, content)
    try:
        return _decode(content) if content else {}
    except msgspec.DecodeError as error:
        raise ConnectionClosedError(endpoint_url=url, error=error) from error


def with_token(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with the token that an SDK would add; every repeat of the call carries the same.

    Secrets Manager refuses a write without one, and takes a write that is told twice under it as one.
    """
    if service != "secretsmanager" or operation not in _TOKENED or "ClientRequestToken" in params:
        return params
    return {**params, "ClientRequestToken": str(uuid4())}


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
    suffix = next((suffix for prefix, suffix in _SUFFIXES.items() if region.startswith(prefix)), "amazonaws.com")
    return f"https://{_HOSTS.get(service, service)}.{region}.{suffix}"


def _credentials() -> _Credentials:
    """Return the environment's credentials (Lambda's are there), else those the SDK finds and refreshes."""
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    if access_key:
        return _Credentials(access_key, os.environ["AWS_SECRET_ACCESS_KEY"], os.environ.get("AWS_SESSION_TOKEN"))
    from botocore.exceptions import NoCredentialsError

    found = sdk.session().get_credentials()
    if found is None:
        raise NoCredentialsError
    frozen = found.get_frozen_credentials()
    return _Credentials(frozen.access_key, frozen.secret_key, frozen.token)


@lru_cache(maxsize=16)
def _signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _sign(headers: dict[str, str], body: bytes, service: str) -> None:
    """Add the signature of Signature Version 4 over method POST, path ``/`` and these headers."""
    credentials = _credentials()
    region = config().region
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")  # Wall time, not the shop's clock: AWS checks it.
    headers["X-Amz-Date"] = moment
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    canonical, signed = _canonical(headers, credentials.token, hashlib.sha256(body).hexdigest())
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_key, moment[:8], region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )


def _canonical(headers: dict[str, str], token: str | None, digest: str) -> tuple[str, str]:
    """Return the request as it is signed, and the names of the headers in it: always the same ones, sorted."""
    kept, named = (f"x-amz-security-token:{token}\n", "x-amz-security-token;") if token else ("", "")
    signed = f"content-type;host;x-amz-date;{named}x-amz-target"
    lines = (
        f"content-type:{headers['Content-Type']}\nhost:{headers['Host']}\nx-amz-date:{headers['X-Amz-Date']}\n"
        f"{kept}x-amz-target:{headers['X-Amz-Target']}\n"
    )
    return f"POST\n/\n\n{lines}\n{signed}\n{digest}", signed


class _Connection:
    """One kept-alive HTTP/1.1 connection. These services answer with a Content-Length; nothing else is read."""

    __slots__ = ("_buffer", "_socket", "idle_since")

    def __init__(self, secure: bool, host: str, port: int, until: float) -> None:  # noqa: FBT001
        self._socket = _reach(secure, host, port, until)
        self._buffer = b""
        self.idle_since = time.monotonic()

    def is_alive(self) -> bool:
        """Say whether it may be used again: not idle for long, and the other side has not closed it."""
        if time.monotonic() - self.idle_since > IDLE_S:
            return False
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return not waiting.poll(0)  # Readable while nothing was asked means: closed.

    def close(self) -> None:
        self._socket.close()

    def post(self, request: bytes, until: float) -> _Answer:
        """Send one request and read its answer.

        Raises:
            OSError, ValueError: if no whole answer came by ``until``.
        """
        self._send(request, until)
        status_line, *lines = self._head(until).split(b"\r\n")
        version, _, rest = status_line.partition(b" ")
        if not version.startswith(b"HTTP/1."):
            raise ConnectionError("no answer")
        status = int(rest[:3])
        headers: dict[bytes, bytes] = {}
        for line in lines:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        length = headers.get(b"content-length")
        kept = version == b"HTTP/1.1" and headers.get(b"connection", b"").lower() != b"close"
        if length is None:
            if status < 300:
                raise ConnectionError("an answer of unknown length")
            return _Answer(status, headers, b"", kept=False)  # Something on the way says no; its page says no more.
        content = self._exactly(int(length), until)
        return _Answer(status, headers, content, kept=kept and not self._buffer)

    def _send(self, request: bytes, until: float) -> None:
        waiting = memoryview(request)
        while waiting:
            self._socket.settimeout(_left(until))
            waiting = waiting[self._socket.send(waiting) :]

    def _receive(self, until: float) -> bytes:
        self._socket.settimeout(_left(until))
        found = self._socket.recv(65_536)
        if not found:
            raise ConnectionError("half an answer" if self._buffer else "no answer")
        return found

    def _head(self, until: float) -> bytes:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > HEAD_CAP_BYTES:
                raise ConnectionError("an endless head")
            self._buffer += self._receive(until)
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def _exactly(self, length: int, until: float) -> bytes:
        if not 0 <= length <= ANSWER_CAP_BYTES:
            raise ConnectionError("an answer of impossible length")
        parts, missing = [self._buffer], length - len(self._buffer)
        while missing > 0:
            part = self._receive(until)
            parts.append(part)
            missing -= len(part)
        whole = b"".join(parts)
        self._buffer = whole[length:]
        return whole[:length]


class _Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    """Names in lower case."""
    content: bytes
    kept: bool
    """Whether the connection may be used again."""


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reach(secure: bool, host: str, port: int, until: float) -> socket.socket:  # noqa: FBT001
    """Connect to, and greet, the first of a host's addresses that answers."""
    refused: OSError = ConnectionError("no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        tried: Any = socket.socket(family, kind, protocol)
        if secure:  # Before it is connected: whatever fails then, we hold what is to be closed.
            tried = _tls().wrap_socket(tried, server_hostname=host, do_handshake_on_connect=False)
        try:
            tried.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tried.settimeout(_left(until))
            tried.connect(address)
            if secure:
                tried.settimeout(_left(until))
                tried.do_handshake()
        except OSError as error:
            tried.close()
            refused = error
        else:
            reached: socket.socket = tried
            return reached
    raise refused


@lru_cache(maxsize=1)
def _tls() -> Any:
    import ssl

    return ssl.create_default_context()


def _send(url: str, head: bytes, body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    left_s = lifetime.left_s()
    if left_s < SHORTEST_S:
        raise ConnectTimeoutError(endpoint_url=url)
    now = time.monotonic()
    pool = _pools.setdefault(url, [])
    connection = _kept(pool) or _opened(url, now + min(CONNECT_TIMEOUT_S, left_s))
    try:
        answer = connection.post(head + body, min(time.monotonic() + READ_TIMEOUT_S, now + left_s))
    except BaseException as error:
        connection.close()
        if isinstance(error, TimeoutError):
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        if isinstance(error, (OSError, ValueError)):
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        raise
    if not answer.kept or len(pool) >= POOL_CONNECTIONS:
        connection.close()
    else:
        connection.idle_since = time.monotonic()
        pool.append(connection)
    return answer.status, answer.headers, answer.content


def _kept(pool: list[_Connection]) -> _Connection | None:
    while pool:
        try:
            candidate = pool.pop()  # Last in, first out: the rest may grow old. list.pop is atomic.
        except IndexError:
            break
        if candidate.is_alive():
            return candidate
        candidate.close()
    return None


def _opened(url: str, until: float) -> _Connection:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    try:
        return _Connection(secure, parts.hostname or "", parts.port or (443 if secure else 80), until)
    except OSError as error:
        raise EndpointConnectionError(endpoint_url=url, error=error) from error


def _error(operation: str, status: int, content: bytes) -> ClientError:
    """Return botocore's error. What is no JSON comes from something on the way: its status is all it says."""
    try:
        answer = _decode(content) if content else {}
    except msgspec.DecodeError:
        answer = {}
    code = str(answer.get("__type", status)).rsplit("#", 1)[-1]
    message = answer.get("message") or answer.get("Message") or ""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **{name: answer[name] for name in ("CancellationReasons", "Item") if name in answer},
    }
    return ClientError(response, operation)
