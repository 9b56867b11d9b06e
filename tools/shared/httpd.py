"""A small HTTP/1.1 server: a thread for each connection, keep-alive, no frills between the socket and the handler.

It parses strictly (RFC 9112): an ambiguous length, a bare line feed or an oversize head ends the connection with the
status that says so. Bodies are read whole before the handler runs, as API Gateway does.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from time import monotonic, time

from chalicelib.runtime import log
from tools.shared.doors import Door

HEAD_CAP = 16 * 1024
IDLE_S = 75.0
REQUEST_S = 30.0
"""How long a request may take to arrive, from its first byte: one that trickles holds a thread for nothing."""
CONNECTIONS = 512
"""At once; each has a thread."""
TRAILERS = 20
_CODES = {
    403: "forbidden",
    408: "timed_out",
    413: "too_large",
    415: "unsupported_media_type",
    421: "misdirected_request",
    431: "headers_too_large",
    500: "internal_error",
    503: "too_many_requests",
}
_BARE = re.compile(rb"(?<!\r)\n")
_TOKEN = re.compile(rb"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """One request as it arrived. ``headers`` keep their order and repetition; names are in lower case."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    peer: str

    def header(self, name: str) -> str | None:
        """Return the last value of a header."""
        found = None
        for have, value in self.headers:
            if have == name:
                found = value
        return found


@dataclass(slots=True)
class Response:
    """What to answer."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


Handler = Callable[[Request], Response | None]
"""None hangs up without an answer."""


class _Refused(Exception):
    """The bytes are no request we serve."""

    def __init__(self, status: int, why: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.why = why


class Server:
    """Listens on 127.0.0.1 and hands each request to ``handler``. Takes a free port where ``port`` is not.

    ``door`` says whom it answers; without one, everybody. What is refused is refused before its body is read.
    """

    def __init__(self, handler: Handler, *, port: int, body_cap: int, name: str, door: Door | None = None) -> None:
        self._handler = handler
        self._body_cap = body_cap
        self._name = name
        self._door = door
        self._listener = _listen(port)
        self.port = int(self._listener.getsockname()[1])
        if door is not None:
            door.ports.append(self.port)
        self.url = f"http://127.0.0.1:{self.port}"
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopping = False

    def start(self) -> None:
        """Begin to accept, in a thread."""
        threading.Thread(target=self._accept, name=f"{self._name}-accept", daemon=True).start()

    def stop(self) -> None:
        """Stop accepting and close every connection."""
        self._stopping = True
        # Closing alone does not wake a thread that is blocked in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(IDLE_S)
            with self._lock:
                full = len(self._connections) >= CONNECTIONS
                if not full:
                    self._connections.add(connection)
            if full:
                with suppress(OSError):
                    connection.send(_bytes(_refusal(_Refused(503)), close=True, head_only=False))
                connection.close()
                continue
            threading.Thread(
                target=self._serve, args=(connection, address[0]), name=f"{self._name}-connection", daemon=True
            ).start()

    def _serve(self, connection: socket.socket, peer: str) -> None:
        stream = _Stream(connection, self._body_cap, self._door)
        try:
            while not self._stopping:
                try:
                    request = stream.request(peer)
                except _Refused as refused:
                    connection.sendall(_bytes(_refusal(refused), close=True, head_only=False))
                    _drain(connection)
                    return
                if request is None:
                    return
                connection.settimeout(IDLE_S)
                close = (request.header("connection") or "").lower() == "close"
                response = self._answer(request)
                if response is None:
                    return
                connection.sendall(_bytes(response, close=close, head_only=request.method == "HEAD"))
                if close:
                    return
        except (OSError, TimeoutError):
            return
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _answer(self, request: Request) -> Response | None:
        try:
            return self._handler(request)
        except Exception as error:
            log.error("request could not be served", trace=True, server=self._name, kind=type(error).__name__)
            return _refusal(_Refused(500))


def _refusal(refused: _Refused) -> Response:
    """Say in our shape (RFC 9457) why a request is not served: whoever asks reads one kind of refusal only."""
    document = {
        "type": "about:blank",
        "title": _REASONS[refused.status],
        "status": refused.status,
        "code": _CODES.get(refused.status, "invalid_request"),
        "detail": refused.why or _REASONS[refused.status],
        "request_id": "none",
    }
    return Response(refused.status, [("Content-Type", "application/problem+json")], json.dumps(document).encode())


def _drain(connection: socket.socket) -> None:
    """Read a little of what was refused: closing on unread bytes would take the answer away from who sends them."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(0.5)
        for _ in range(64):
            if not connection.recv(65536):
                return


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=256)
    except OSError:
        return socket.create_server(("127.0.0.1", 0), backlog=256)


class _Stream:
    """Cuts requests out of a connection's bytes."""

    def __init__(self, connection: socket.socket, body_cap: int, door: Door | None) -> None:
        self._connection = connection
        self._body_cap = body_cap
        self._door = door
        self._buffer = b""
        self._until = 0.0

    def _receive(self, most: int) -> bytes:
        """Return the next bytes of a request that has begun.

        Raises:
            _Refused: if it has been arriving for too long.
        """
        left_s = self._until - monotonic()
        if left_s <= 0:
            raise _Refused(408)
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv(most)
        except TimeoutError:
            raise _Refused(408) from None

    def request(self, peer: str) -> Request | None:
        """Return the next request, or None when the peer has closed.

        Raises:
            _Refused: if what came is no request we serve.
        """
        head = self._whole_head()
        if head is None:
            return None
        method, target, headers = _head(head)
        length = _length(headers)
        refusal = self._door.refusal(method, target, headers) if self._door is not None else None
        if refusal is not None:
            raise _Refused(refusal.status, refusal.why)
        expects = any(name == "expect" and value.lower() == "100-continue" for name, value in headers)
        if length is not None and length > self._body_cap:
            raise _Refused(413)
        if expects and (length is None or length > 0):
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._chunked() if length is None else self._take(length)
        return Request(method, target, headers, body, peer)

    def _whole_head(self) -> bytes | None:
        """Take a request's line and headers; None when the peer has closed."""
        self._connection.settimeout(IDLE_S)
        if not self._buffer:
            self._buffer = self._connection.recv(65536)
        self._until = monotonic() + REQUEST_S
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._buffer:
                return None
            if len(self._buffer) > HEAD_CAP:
                raise _Refused(431)
            if _BARE.search(self._buffer):
                raise _Refused(400)
            more = self._receive(65536)
            if not more:
                return None
            self._buffer += more
        if end > HEAD_CAP:
            raise _Refused(431)
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        return head

    def _take(self, length: int) -> bytes:
        if len(self._buffer) < length:
            parts, have = [self._buffer], len(self._buffer)
            while have < length:
                more = self._receive(min(1 << 20, length - have) if length - have > 65536 else 65536)
                if not more:
                    raise _Refused(400)
                parts.append(more)
                have += len(more)
            self._buffer = b"".join(parts)
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > HEAD_CAP:
                raise _Refused(400)
            more = self._receive(65536)
            if not more:
                raise _Refused(400)
            self._buffer += more
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _chunked(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while True:
            size_text = self._line().split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size_text):
                raise _Refused(400)
            size = int(size_text, 16)
            total += size
            if total > self._body_cap:
                raise _Refused(413)
            if size == 0:
                for _ in range(TRAILERS):
                    if not self._line():
                        return b"".join(parts)
                raise _Refused(431)
            parts.append(self._take(size))
            if self._line():
                raise _Refused(400)


def _head(head: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    lines = head.split(b"\r\n")
    parts = lines[0].split(b" ")
    if len(parts) != 3 or not _TOKEN.match(parts[0]) or not parts[1].startswith(b"/"):
        raise _Refused(400)
    if parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise _Refused(505)
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.match(name) or b"\n" in value or b"\r" in value or b"\0" in value:
            raise _Refused(400)
        headers.append((name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")))
    if parts[2] == b"HTTP/1.0":
        headers.append(("connection", "close"))
    try:
        return parts[0].decode("ascii"), parts[1].decode("ascii"), headers
    except UnicodeDecodeError:
        raise _Refused(400) from None


def _length(headers: list[tuple[str, str]]) -> int | None:
    """Return the body's length; None means chunked. Two lengths, or a length beside chunks, are refused (smuggling)."""
    lengths = [value for name, value in headers if name == "content-length"]
    codings = [value.lower() for name, value in headers if name == "transfer-encoding"]
    if codings:
        if codings != ["chunked"] or lengths:
            raise _Refused(400)
        return None
    if not lengths:
        return 0
    if len(set(lengths)) > 1 or not re.fullmatch(r"[0-9]{1,12}", lengths[0]):
        raise _Refused(400)
    return int(lengths[0])


_date: tuple[int, str] = (0, "")


def _now() -> str:
    global _date
    second = int(time())
    if _date[0] != second:
        _date = (second, formatdate(second, usegmt=True))
    return _date[1]


def _bytes(response: Response, *, close: bool, head_only: bool) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}", f"Date: {_now()}"]
    for name, value in response.headers:
        clean = value.replace("\r", " ").replace("\n", " ")
        lines.append(f"{name}: {clean}")
    if response.status not in (204, 304):
        lines.append(f"Content-Length: {len(response.body)}")
    if not any(name.lower() == "x-content-type-options" for name, _ in response.headers):
        lines.append("X-Content-Type-Options: nosniff")  # Pictures, cashiers' pages and refusals alike.
    if close:
        lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    return head if head_only or response.status in (204, 304) else head + response.body
