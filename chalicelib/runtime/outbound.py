"""The one way out to other people's HTTP: no redirects, no retries, one deadline, a transport that can be replaced.

A call of :func:`request` holds its answer in memory, one of :func:`download` writes it to a file. It either returns
what the other side answered (any status), or raises: :class:`OutboundTimeout` when it may have been received,
:class:`OutboundFailed` when it certainly was not. Callers decide what may repeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from chalicelib.kernel.errors import ShopError
from chalicelib.runtime import caches, patience
from chalicelib.runtime.config import config

ANSWER_CAP_BYTES = 4 * 1024 * 1024
"""Nobody we call answers more in one piece, but for the files that :func:`download` fetches."""
CHUNK_BYTES = 64 * 1024
SILENT_S = 20.0
"""How long a download may stand still; its whole time is the caller's."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What we show the other side in the TLS handshake: PEM texts of the certificate (chain) and its private key."""

    certificate: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One call to make. ``headers`` and ``body`` are sent exactly so."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_s: float = 4.0
    client_certificate: ClientCertificate | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; ``headers`` are keyed in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Transport = Callable[[Request], Response]


class OutboundFailed(ShopError):
    """The other side could not be reached; it has not heard us. Repeating is safe."""

    code, status = "outbound_failed", 502
    en, zh = "A service we depend on could not be reached.", "无法连接到依赖的外部服务。"
    retry_after_s = 5


class OutboundTimeout(ShopError):
    """No whole answer in time: the other side may or may not have done what we asked."""

    code, status = "outbound_timeout", 504
    en, zh = "A service we depend on did not answer in time.", "依赖的外部服务未能及时响应。"
    retry_after_s = 5


class OutboundTooLarge(OutboundTimeout):
    """The answer is longer than we take; the other side has heard us."""

    code, status = "outbound_too_large", 502
    en, zh = "A service we depend on answered more than we take.", "依赖的外部服务返回的内容过大。"


_pools: dict[ClientCertificate | None, Any] = {}
_transport: Transport | None = None


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    timeout_s: float | None = None,
    client_certificate: ClientCertificate | None = None,
) -> Response:
    """Make one call and return the answer, whatever its status. It takes no longer than ``runtime.patience`` grants.

    Raises:
        OutboundTimeout: if the call was sent but no whole answer came in time.
        OutboundFailed: if it was never sent, there was no time left for it, or the client certificate cannot be used.
    """
    timeout_s = timeout_s or config().outbound_timeout_s
    wanted = Request(method, url, dict(headers), body, timeout_s, client_certificate)
    return _patiently(wanted, _transport or _over_the_network)


def _patiently(wanted: Request, send: Transport) -> Response:
    host = urlsplit(wanted.url).netloc
    granted_s = patience.granted_s(host, wanted.timeout_s)
    if not granted_s:
        raise OutboundFailed(kind="no time left")
    with patience.watched(host) as unanswered:
        try:
            return send(replace(wanted, timeout_s=granted_s))
        except (OutboundTimeout, OutboundFailed):
            unanswered()
            raise


def download(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    into: BinaryIO,
    cap_bytes: int,
    timeout_s: float,
    body: bytes = b"",
) -> Response:
    """Make one call; an answer of status 200 is written to the file as it comes, any other is in the response.

    Nothing is unpacked on the way: a small answer stays small.

    Raises:
        OutboundTooLarge: if there is more than ``cap_bytes`` of it. The file holds a part then.
        OutboundTimeout: if no whole answer came in time.
        OutboundFailed: if it was never sent.
    """
    wanted = Request(method, url, dict(headers), body, timeout_s)
    if _transport is None:
        return _patiently(wanted, lambda granted: _over_the_network(granted, into, cap_bytes))
    answer = _patiently(wanted, _transport)
    if answer.status != 200:
        return answer
    if len(answer.body) > cap_bytes:
        raise OutboundTooLarge(cap_bytes=cap_bytes)
    into.write(answer.body)
    return Response(answer.status, answer.headers, b"")


def install(transport: Transport | None) -> None:
    """Replace the network by a function; ``None`` puts it back. For tests, the simulator and stand-ins in process."""
    global _transport
    _transport = transport


@caches.register
def forget_pool() -> None:
    """Close kept connections."""
    _pools.clear()


def _pool(certificate: ClientCertificate | None) -> Any:
    import urllib3

    if certificate not in _pools:
        more = {"ssl_context": _tls(certificate)} if certificate else {}
        _pools[certificate] = urllib3.PoolManager(maxsize=10, retries=False, **more)
    return _pools[certificate]


def _tls(certificate: ClientCertificate) -> Any:
    """Return a verifying context with the certificate. OpenSSL takes it from a file only: one that is gone at once."""
    import ssl
    from tempfile import NamedTemporaryFile

    context = ssl.create_default_context()
    try:
        with NamedTemporaryFile(suffix=".pem") as file:  # Readable by us alone.
            file.write(f"{certificate.certificate.strip()}\n{certificate.private_key.strip()}\n".encode())
            file.flush()
            context.load_cert_chain(file.name, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError.
        raise OutboundFailed(kind="client certificate") from error
    return context


def _no_password() -> str:
    return ""  # An encrypted key fails; without this OpenSSL would ask at the terminal.


def _over_the_network(wanted: Request, into: BinaryIO | None = None, cap_bytes: int = ANSWER_CAP_BYTES) -> Response:
    import urllib3
    from urllib3 import exceptions

    deadline = time.monotonic() + wanted.timeout_s
    pool = _pool(wanted.client_certificate)
    read_s = wanted.timeout_s if into is None else min(SILENT_S, wanted.timeout_s)
    timeout = urllib3.Timeout(connect=min(2.0, wanted.timeout_s), read=read_s, total=wanted.timeout_s)
    try:
        answer = pool.request(
            wanted.method,
            wanted.url,
            headers=dict(wanted.headers),
            body=wanted.body or None,
            timeout=timeout,
            redirect=False,
            preload_content=False,
        )
        try:
            to_file = into if answer.status == 200 else None
            body = _received(answer, to_file, cap_bytes if to_file else ANSWER_CAP_BYTES, deadline)
        except BaseException:
            answer.close()  # With the connection: what is left of the answer would be read as the next one.
            raise
        answer.release_conn()
    except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.LocationValueError) as error:
        raise OutboundFailed(kind=type(error).__name__) from error
    except exceptions.HTTPError as error:  # Reset, cut off or too slow: it may have been received.
        raise OutboundTimeout(kind=type(error).__name__) from error
    return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)


def _received(answer: Any, into: BinaryIO | None, cap_bytes: int, deadline: float) -> bytes:
    """Read the answer to its end, into the file or to be returned, within the deadline however it trickles."""
    kept = bytearray()
    size = 0
    while chunk := answer.read1(CHUNK_BYTES, decode_content=into is None):
        size += len(chunk)
        if size > cap_bytes:
            raise OutboundTooLarge(cap_bytes=cap_bytes)
        if time.monotonic() > deadline:
            raise OutboundTimeout(kind="trickles")
        if into is None:
            kept += chunk
        else:
            into.write(chunk)
    return bytes(kept)
