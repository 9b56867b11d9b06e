"""A call to an address that somebody else named: its host is looked up once, and only what the whole world reaches is
called.

What the name says now is what is connected to: a second lookup could say something else. No redirect is followed, no
proxy asked, no connection kept. Sources: OWASP, "Server Side Request Forgery Prevention"; IANA's special-purpose
address registries (RFC 6890), RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from chalicelib.kernel.errors import ShopError
from chalicelib.runtime import lifetime
from chalicelib.runtime.config import config

ANSWER_CAP_BYTES = 16 * 1024
"""So much of an answer is read, and forgotten: its status is all that counts."""
CONNECT_S = 5.0
ADDRESSES = 3
"""So many of a host's addresses are tried."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Sequence[str]]

_CARRIED = (
    # Networks of IPv6 whose addresses hold one of IPv4, and where it begins.
    (ipaddress.IPv6Network("::ffff:0:0/96"), 96),
    (ipaddress.IPv6Network("::/96"), 96),
    (ipaddress.IPv6Network("64:ff9b::/96"), 96),
    (ipaddress.IPv6Network("2002::/16"), 16),
)
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # Shared by a provider's subscribers.
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",  # Teredo among them.
        "fec0::/10",
    )
)


class NotPublic(ShopError):
    """The host has no address that the whole world reaches: it is ours, a neighbour's, or nobody's."""

    code, status = "not_public", 422
    en, zh = "This host has no public address.", "该主机没有可公开访问的地址。"


class Unreachable(ShopError):
    """Nobody took the call: no such host, no connection, no TLS, or a certificate that is not the host's."""

    code, status = "unreachable", 502
    en, zh = "This address could not be reached.", "无法连接到该地址。"


class Unanswered(ShopError):
    """The call was sent, and no whole answer came."""

    code, status = "unanswered", 504
    en, zh = "This address did not answer in time.", "该地址未能及时响应。"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]


def is_public(text: str) -> bool:
    """Say whether an address (``203.0.113.7``, ``2001:db8::1``) is one that the whole world reaches."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_is_global(one) for one in _and_carried(address))


def _is_global(address: Address) -> bool:
    refused = any(address in network for network in _NEVER if network.version == address.version)
    return address.is_global and not address.is_multicast and not refused


def _and_carried(address: Address) -> Iterator[Address]:
    """Yield the address that is routed, and what an address of IPv6 says about one of IPv4."""
    carried = [start for network, start in _CARRIED if address.version == 6 and address in network]
    for start in carried:
        yield ipaddress.IPv4Address((int(address) >> (96 - start)) & 0xFFFFFFFF)
    if not carried or carried == [16]:
        yield address


Transport = Callable[[str, Mapping[str, str], bytes], Answer]
_transport: Transport | None = None


def install(transport: Transport | None) -> None:
    """Replace the network by a function; ``None`` puts it back. For tests and the simulator."""
    global _transport
    _transport = transport


def post(
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    timeout_s: float,
    lookup: Lookup | None = None,
    tls: Any = None,
) -> Answer:
    """Post to somebody's address; a laptop's own (http to 127.0.0.1) counts on a laptop only.

    Raises:
        NotPublic: if the host has no public address.
        Unreachable: if nobody heard it.
        Unanswered: if somebody may have.
    """
    if _transport is not None:
        return _transport(url, headers, body)
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    deadline = time.monotonic() + min(timeout_s, max(0.0, lifetime.left_s()))
    here = config().is_local and host == "127.0.0.1"
    if parts.scheme != "https" and not here:
        raise NotPublic(host=host)
    addresses = [host] if here else _public(host, port, lookup or _looked_up)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    for number, address in enumerate(addresses[:ADDRESSES]):
        pool = _pool(parts.scheme, host, port, address, tls)
        try:
            return _asked(pool, target, {"Host": parts.netloc, **headers}, body, deadline)
        except Unreachable:
            if number + 1 == len(addresses[:ADDRESSES]):
                raise
        finally:
            pool.close()
    raise Unreachable(host=host)


def _public(host: str, port: int, lookup: Lookup) -> list[str]:
    try:
        found = list(dict.fromkeys(lookup(host, port)))
    except OSError as error:
        raise Unreachable(host=host, why="no such host") from error
    public = [one for one in found if is_public(one)]
    if not public:
        raise NotPublic(host=host)
    return public


def _looked_up(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _pool(scheme: str, host: str, port: int, address: str, tls: Any) -> Any:
    """Return a connection to this very address, which must show a certificate of the host."""
    import urllib3

    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port, maxsize=1, retries=False)
    return urllib3.HTTPSConnectionPool(
        address,
        port,
        maxsize=1,
        retries=False,
        ssl_context=tls or _tls(),
        server_hostname=host,
        assert_hostname=host,
    )


def _tls() -> Any:
    import ssl

    return ssl.create_default_context()


def _asked(pool: Any, target: str, headers: Mapping[str, str], body: bytes, deadline: float) -> Answer:
    import urllib3
    from urllib3 import exceptions

    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise Unreachable(why="no time left")
    timeout = urllib3.Timeout(connect=min(CONNECT_S, left_s), read=left_s, total=left_s)
    try:
        answer = pool.urlopen(
            "POST", target, body=body, headers=dict(headers), timeout=timeout, redirect=False, preload_content=False
        )
        try:
            _drain(answer, deadline)
        finally:
            answer.close()
    except (
        exceptions.NewConnectionError,
        exceptions.ConnectTimeoutError,
        exceptions.LocationValueError,
        exceptions.SSLError,
    ) as error:
        raise Unreachable(why=type(error).__name__) from error
    except exceptions.HTTPError as error:
        raise Unanswered(why=type(error).__name__) from error
    return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()})


def _drain(answer: Any, deadline: float) -> None:
    """Read a part of the answer, so that its sender is not cut off amid it; then it may end."""
    size = 0
    while size < ANSWER_CAP_BYTES and time.monotonic() < deadline:
        chunk = answer.read1(4096, decode_content=False)
        if not chunk:
            return
        size += len(chunk)
