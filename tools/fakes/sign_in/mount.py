"""The stand-in in process, as ``runtime.outbound``'s transport; and served on a port of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from chalicelib.runtime import outbound
from tools.fakes.sandbox.stand_in import Silence
from tools.fakes.sign_in.stand_in import HOSTS, SignInHost, is_open
from tools.shared.doors import Door
from tools.shared.httpd import Request, Response, Server

PORT = 9105
CAP = 1 << 16
HANG_S = 6.0
"""How long a call is held that is not to be answered: longer than any caller of ours waits."""
TITLE = ("QQ and WeChat sign-in", "QQ 与微信登录")


def transport(host: SignInHost, otherwise: outbound.Transport | None = None) -> outbound.Transport:
    """Return a transport that hands the platforms' calls to the stand-in, by their real hosts."""

    def send(request: outbound.Request) -> outbound.Response:
        parts = urlsplit(request.url)
        if parts.netloc not in HOSTS:
            if otherwise is None:
                raise outbound.OutboundFailed(kind="no stand-in")
            return otherwise(request)
        path = f"/{HOSTS[parts.netloc]}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        try:
            status, headers, body = host.handle(request.method, path, dict(request.headers), request.body)
        except Silence as silence:
            raise outbound.OutboundTimeout(kind="silent") from silence
        if host.slowness() >= request.timeout_s:
            raise outbound.OutboundTimeout(kind="slow")
        if len(body) > outbound.ANSWER_CAP_BYTES:
            raise outbound.OutboundTooLarge(cap_bytes=outbound.ANSWER_CAP_BYTES)
        return outbound.Response(status, {name.lower(): value for name, value in headers.items()}, body)

    return send


def serving(host: SignInHost, stopping: threading.Event, *, hang_s: float = HANG_S) -> Callable[[Request], Response]:
    """Return the handler of a server."""

    def serve(request: Request) -> Response:
        try:
            status, headers, body = host.handle(request.method, request.target, dict(request.headers), request.body)
        except Silence:
            stopping.wait(hang_s)
            return Response(504)
        stopping.wait(host.slowness())
        return Response(status, list(headers.items()), body)

    return serve


def server(host: SignInHost, stopping: threading.Event, *, port: int = PORT) -> Server:
    """Return its server: pages of others may send a person here, and nothing else."""
    made = Server(serving(host, stopping), port=port, body_cap=CAP, name="sign-in", door=Door(orders=is_open))
    host.base_url = made.url
    return made


def settings(url: str) -> dict[str, str]:
    """Return the settings that lead the shop to the stand-in at this address."""
    return {
        "BIANDAN_SIGN_IN": "qq,qq_mini,wechat_mini",
        "BIANDAN_QQ_GRAPH_URL": f"{url}/graph",
        "BIANDAN_QQ_MINI_URL": f"{url}/qq-mini",
        "BIANDAN_WECHAT_MINI_URL": f"{url}/wechat-mini",
    }
