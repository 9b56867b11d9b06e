"""Serves a stand-in on 127.0.0.1 and posts its notices: ``Server(...).start()``, or ``python -m tools.sandbox``."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tools.sandbox.core import Sandbox
from tools.sandbox.stand_in import Silence, StandIn

HANG_S = 30
TICK_S = 0.05


def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """Post a notice over the network; 0 where no answer came."""
    if not url.startswith(("http://", "https://")):
        return 0
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


class Server:
    """A thread that answers calls and one that posts notices. ``hang_s`` is how long a silent call is held open."""

    def __init__(self, sandbox: StandIn | None = None, *, port: int = 0, hang_s: float = HANG_S) -> None:
        self.sandbox: Any = sandbox or Sandbox()
        self._stopping = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self.sandbox, self._stopping, hang_s))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.sandbox.base_url = self.url
        self._threads = [
            threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": TICK_S}, daemon=True),
            threading.Thread(target=self._notify, daemon=True),
        ]

    def start(self) -> Self:
        """Start both threads."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Stop and wait."""
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        for thread in self._threads:
            thread.join(timeout=6)

    def _notify(self) -> None:
        while not self._stopping.is_set():
            if not self.sandbox.tick(post):
                time.sleep(TICK_S)


def _handler(sandbox: StandIn, stopping: threading.Event, hang_s: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                status, headers, answer = sandbox.handle(self.command, self.path, dict(self.headers.items()), body)
            except Silence:
                stopping.wait(hang_s)
                self.close_connection = True
                return
            stopping.wait(sandbox.slowness())
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay quiet: the state is shown at /state."""

    return Handler
