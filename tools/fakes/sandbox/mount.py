"""Stand-ins in process: as ``runtime.outbound``'s transport, for tests, the lab and the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from chalicelib.runtime import outbound
from tools.fakes.sandbox.stand_in import CERTIFICATE_HEADER, Silence, StandIn, fingerprint


def transport(stand_in: StandIn) -> outbound.Transport:
    """Return a transport that hands every call to one stand-in and turns its silence into a time-out."""
    return lambda request: _answer(stand_in, request)


def by_host(hosts: Mapping[str, StandIn], otherwise: outbound.Transport | None = None) -> outbound.Transport:
    """Return a transport that hands calls to the stand-in of their host (``qpay.qq.com``)."""

    def send(request: outbound.Request) -> outbound.Response:
        host = urlsplit(request.url).netloc
        if host in hosts:
            return _answer(hosts[host], request)
        if otherwise is not None:
            return otherwise(request)
        raise outbound.OutboundFailed(kind=f"no stand-in for {quote(host)}")

    return send


def _answer(stand_in: StandIn, request: outbound.Request) -> outbound.Response:
    parts = urlsplit(request.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = dict(request.headers)
    if request.client_certificate is not None:
        headers[CERTIFICATE_HEADER] = fingerprint(request.client_certificate.certificate)
    try:
        status, answered, body = stand_in.handle(request.method, path, headers, request.body)
    except Silence as silence:
        raise outbound.OutboundTimeout(kind=f"accepted={silence.accepted}") from silence
    if stand_in.slowness() >= request.timeout_s:  # Shorter ones cost nothing here: the clock does not follow.
        raise outbound.OutboundTimeout(kind="accepted=True")
    return outbound.Response(status, {name.lower(): value for name, value in answered.items()}, body)
