"""A real browser for tests: Chromium without a screen, and an origin of its own whose page says what happened to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tools.web.chromium import MISSING, SWITCHES, found

__all__ = ["MISSING", "SWITCHES", "WAIT_S", "Origin", "found"]
WAIT_S = 90


class Origin:
    """A site of its own on this machine: it serves one page, and is told by it what came of its script.

    ``script`` is the body of an asynchronous function; what it returns is what :meth:`visit` returns.
    """

    def __init__(self) -> None:
        self._page = b""
        self._told: dict[str, Any] | None = None
        self._done = threading.Event()
        origin = self

        class Site(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = origin._page if self.path == "/" else b""
                self.send_response(200 if page else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()
                origin._told = json.loads(body)
                origin._done.set()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its base calls it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def visit(self, browser: str, script: str) -> dict[str, Any]:
        """Have the browser open the page, and return what its script found."""
        self._done.clear()
        self._page = f"""<!doctype html><meta charset="utf-8"><title>a shop</title><script>
        (async () => {{ {script} }})().catch((error) => ({{broken: String(error)}})).then(
          (told) => fetch("/told", {{method: "POST", body: JSON.stringify(told)}}));
        </script>""".encode()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            said = Path(profile, "said.txt")
            with said.open("wb") as log:
                running = subprocess.Popen(
                    [browser, *SWITCHES, f"--user-data-dir={profile}", "--remote-debugging-port=0", self.url + "/"],
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
            try:
                if not self._done.wait(WAIT_S):
                    raise TimeoutError(f"the page told nothing: {said.read_text('utf-8', 'replace')[-2000:]}")
            finally:
                _end(running)
        told: dict[str, Any] = self._told or {}
        assert "broken" not in told, told
        return told


def _end(running: subprocess.Popen[bytes]) -> None:
    """End a browser and the processes that it started, which are a group of their own."""
    os.killpg(running.pid, signal.SIGTERM)
    try:
        running.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
