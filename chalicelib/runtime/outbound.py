"""The one way out to other people's HTTP: no redirects, no retries, one deadline, a transport that can be replaced.

A call either returns what the other side answered (any status), or raises: :class:`OutboundTimeout` when it may have
been received, :class:`OutboundFailed` when it certainly was not. Callers decide what may repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.kernel.errors import ShopError
from chalicelib.runtime import caches
from chalicelib.runtime.config import config

ANSWER_CAP_BYTES = 4 * 1024 * 1024
"""Nobody we call answers more in one piece; bills are fetched by a tool of their own."""


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
    """Make one call and return the answer, whatever its status.

    Raises:
        OutboundTimeout: if the call was sent but no whole answer came in time.
        OutboundFailed: if it was never sent, or the client certificate cannot be used.
    """
    timeout_s = timeout_s or config().outbound_timeout_s
    wanted = Request(method, url, dict(headers), body, timeout_s, client_certificate)
    return (_transport or _over_the_network)(wanted)


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


def _over_the_network(wanted: Request) -> Response:
    import urllib3
    from urllib3 import exceptions

    pool = _pool(wanted.client_certificate)
    timeout = urllib3.Timeout(connect=min(2.0, wanted.timeout_s), total=wanted.timeout_s)
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
            body = answer.read(ANSWER_CAP_BYTES + 1)
        finally:
            answer.release_conn()
    except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.LocationValueError) as error:
        raise OutboundFailed(kind=type(error).__name__) from error
    except exceptions.HTTPError as error:  # Reset, cut off or too slow: it may have been received.
        raise OutboundTimeout(kind=type(error).__name__) from error
    if len(body) > ANSWER_CAP_BYTES:
        raise OutboundTimeout(kind="answer too large")
    return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, bytes(body))
