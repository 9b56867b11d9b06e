"""A real browser that a test drives through several pages: Chromium's debugging protocol over a pipe, no library."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Self

from tests.support.browser import SWITCHES, WAIT_S, _end


class Tab:
    """One tab. What pages write into the console, errors and refused loads included, is in ``said``."""

    def __init__(self, reads: BinaryIO, writes: BinaryIO) -> None:
        self._in, self._out = reads, writes
        self._number = 0
        self._session = ""
        self.said: list[str] = []
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def go(self, url: str) -> None:
        """Open an address."""
        self._call("Page.navigate", {"url": url})

    def ask(self, script: str) -> Any:
        """Return what an expression comes to on the page that is open, promises awaited."""
        wanted = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self._call("Runtime.evaluate", wanted)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true on whatever page is open by then; returns its value."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                if found := self.ask(script):
                    return found
            except (AssertionError, Lost):
                pass  # The page is just changing.
            assert time.monotonic() < deadline, (script, self.said)
            time.sleep(0.05)

    def click(self, identity: str) -> None:
        """Press a button once it is there."""
        self.until(f"!!document.getElementById({identity!r})")
        self.ask(f"void setTimeout(() => document.getElementById({identity!r}).click())")

    def _call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params or {}}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Lost(answer["error"]["message"])
                return answer["result"]
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            assert byte, "the browser is gone"
            text += byte
        return dict(json.loads(text))

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.said.append(json.dumps(event["params"])[:400])


class Lost(Exception):
    """The page that was asked is gone."""


@contextmanager
def tab(browser: str) -> Iterator[Tab]:
    """Start a browser and lend its one tab."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # Chromium reads its pipe at 3 and writes at 4, whatever numbers ours have.
        moved = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        switches = (*SWITCHES, f"--user-data-dir={profile}", "--remote-debugging-pipe")
        running = subprocess.Popen(
            ["/bin/bash", "-c", moved, "bash", browser, *switches],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs_in, theirs_out),
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        with os.fdopen(ours_in, "rb") as reads, os.fdopen(ours_out, "wb") as writes:
            try:
                yield Tab(reads, writes)
            finally:
                _end(running)


class Storefront:
    """A site of its own on this machine whose every address is one page with one script."""

    def __init__(self, script: str) -> None:
        page = f'<!doctype html><meta charset="utf-8"><title>a shop</title><script>{script}</script>'.encode()

        class Site(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

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
