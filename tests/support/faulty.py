"""A raw socket that stands where AWS stands and misbehaves as networks do: by script, one act a request.

Each act gets the connection on which a request has just been read (or, for those before any request, on which a client
has just connected) and does what it likes with it. ``Faulty.requests`` counts what arrived.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

Act = Callable[[socket.socket], None]
STEP_S = 0.02


def answer(body: Any, *, status: str = "200 OK", extra: str = "") -> Act:
    """Answer JSON, as AWS does."""
    text = json.dumps(body).encode()
    return raw(f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(text)}\r\n\r\n".encode() + text)


def error(code: str, status: str = "400 Bad Request") -> Act:
    """Answer an error of the service."""
    return answer({"__type": f"com.amazonaws#{code}", "message": "no"}, status=status)


def page(status: str, *, length: bool = True) -> Act:
    """Answer a page of HTML, as a load balancer does."""
    text = b"<html><body><h1>Service Unavailable</h1></body></html>"
    counted = f"Content-Length: {len(text)}\r\n" if length else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{counted}Connection: close\r\n\r\n"
    return raw(head.encode() + text)


def raw(content: bytes) -> Act:
    """Send these bytes."""
    return lambda connection: connection.sendall(content)


def hang(_: socket.socket) -> None:
    """Say nothing until the client gives up."""
    time.sleep(60)


def half(connection: socket.socket) -> None:
    """Send a part of an answer, then nothing."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    hang(connection)


def cut(connection: socket.socket) -> None:
    """Send a part of an answer and close."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    connection.close()


def trickle(connection: socket.socket) -> None:
    """Send an answer byte by byte, never to its end: each byte comes soon enough for a timeout between bytes."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(STEP_S)


def trickling_head(connection: socket.socket) -> None:
    """Send headers without end, slowly."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X: y\r\n")
        time.sleep(STEP_S)


def endless_head(connection: socket.socket) -> None:
    """Send headers without end, as fast as they are read."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Padding: 0123456789abcdef\r\n" * 500)


def reset(connection: socket.socket) -> None:
    """End the connection with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Faulty:
    """Serves the acts in order, the last one for ever. ``greets=False`` reads nothing: for what comes before HTTP."""

    def __init__(self, acts: Iterable[Act], *, greets: bool = True) -> None:
        self._acts = list(acts)
        self._greets = greets
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while not self._greets or self._read(connection):
                with self._lock:
                    act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                act(connection)

    def _read(self, connection: socket.socket) -> bool:
        """Read one request whole."""
        request = b""
        while b"\r\n\r\n" not in request:
            part = connection.recv(65_536)
            if not part:
                return False
            request += part
        head, _, body = request.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        while len(body) < length:
            part = connection.recv(65_536)
            if not part:
                return False
            body += part
        with self._lock:
            self.requests.append(head + b"\r\n\r\n" + body)
        return True
