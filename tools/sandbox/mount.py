"""The sandbox in process: as ``runtime.outbound``'s transport, for tests, the simulator and the dev server."""

from __future__ import annotations

from urllib.parse import urlsplit

from chalicelib.runtime import outbound
from tools.sandbox.core import Sandbox, Silence


def transport(sandbox: Sandbox) -> outbound.Transport:
    """Return a transport that hands every call to the sandbox and turns its silence into a time-out."""

    def send(request: outbound.Request) -> outbound.Response:
        parts = urlsplit(request.url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            status, headers, body = sandbox.handle(request.method, path, request.headers, request.body)
        except Silence as silence:
            raise outbound.OutboundTimeout(kind=f"accepted={silence.accepted}") from silence
        return outbound.Response(status, headers, body)

    return send
