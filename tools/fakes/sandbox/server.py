"""Serves a stand-in on 127.0.0.1 and posts its notices: ``Server(...).start()``, ``python -m tools.fakes.sandbox``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Self

from tools.fakes.sandbox.core import Sandbox
from tools.fakes.sandbox.posting import post
from tools.fakes.sandbox.stand_in import Silence, StandIn, is_open
from tools.shared import httpd
from tools.shared.doors import Door
from tools.shared.httpd import Request, Response

__all__ = ["Server", "door", "post"]

HANG_S = 30
TICK_S = 0.05
CAP = 1 << 20


def door() -> Door:
    """Return whom a stand-in answers: the shop and its own cashier, no page of anybody else."""
    return Door(orders=is_open)


class Server:
    """Answers calls, and a thread that posts notices. ``hang_s`` is how long a silent call is held open."""

    def __init__(self, sandbox: StandIn | None = None, *, port: int = 0, hang_s: float = HANG_S) -> None:
        self.sandbox: Any = sandbox or Sandbox()
        self._stopping = threading.Event()
        serve = _serving(self.sandbox, self._stopping, hang_s)
        self._http = httpd.Server(serve, port=port, body_cap=CAP, name="sandbox", door=door())
        self.url = self._http.url
        self.sandbox.base_url = self.url
        self._notices = threading.Thread(target=self._notify, daemon=True)

    def start(self) -> Self:
        """Begin to answer and to post."""
        self._http.start()
        self._notices.start()
        return self

    def stop(self) -> None:
        """Stop and wait."""
        self._stopping.set()
        self._http.stop()
        self._notices.join(timeout=6)

    def _notify(self) -> None:
        while not self._stopping.is_set():
            if not self.sandbox.tick(post):
                time.sleep(TICK_S)


def _serving(sandbox: StandIn, stopping: threading.Event, hang_s: float) -> Callable[[Request], Response | None]:
    def serve(request: Request) -> Response | None:
        try:
            status, headers, body = sandbox.handle(request.method, request.target, dict(request.headers), request.body)
        except Silence:
            stopping.wait(hang_s)
            return None
        stopping.wait(sandbox.slowness())
        return Response(status, list(headers.items()), body)

    return serve
