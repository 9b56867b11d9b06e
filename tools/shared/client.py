"""A storefront's side of the API, for the demo and the benches: over the network, or the handlers in process."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlsplit
from uuid import uuid4

from tools.shared.httpd import Request, Response


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, parsed JSON (or None), headers in lower case."""

    status: int
    json: Any
    headers: dict[str, str]


class Failed(Exception):
    """A call was answered with a status that the caller did not expect."""


class Sender(Protocol):
    """Sends one request."""

    def __call__(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers in lower case, and body."""
        ...


class Network:
    """Keeps one connection open. Not for several threads at once."""

    def __init__(self, base_url: str, *, timeout_s: float = 60) -> None:
        parts = urlsplit(base_url)
        self._prefix = parts.path.rstrip("/")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=timeout_s)

    def __call__(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Send; a connection that the other side closed while idle is opened anew once."""
        for again in (True, False):
            try:
                self._connection.request(method, self._prefix + path, body=body or None, headers=headers)
                answer = self._connection.getresponse()
                content = answer.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self._connection.close()
                if not again:
                    raise
                continue
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class InProcess:
    """Calls the real application through API Gateway's event shape, without a socket. Safe in threads."""

    def __init__(self) -> None:
        from tools.dev.gateway import Gateway
        from tools.generate import routing

        app = routing.application()
        self._gateway = Gateway(app, app.routes, binary_types=app.api.binary_types)

    def __call__(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Call."""
        sent = [(name.lower(), value) for name, value in headers.items()]
        response: Response = self._gateway(Request(method, path, sent, body, "127.0.0.1"))
        return response.status, {name.lower(): value for name, value in response.headers}, response.body


class Client:
    """Calls the API, as one account once it has signed in."""

    def __init__(self, send: Sender, *, language: str = "en") -> None:
        self.send = send
        self.token: str | None = None
        self.language = language

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Make one call; a POST gets a fresh Idempotency-Key unless ``key`` is given."""
        sent = {"accept": "application/json", "accept-language": self.language, **(headers or {})}
        payload = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
        if payload or method in ("POST", "PUT", "PATCH"):
            sent.setdefault("content-type", "application/json")
        if self.token is not None:
            sent["authorization"] = f"Bearer {self.token}"
        if method == "POST":
            sent.setdefault("idempotency-key", key or uuid4().hex)
        status, answered, content = self.send(method, path, sent, payload)
        is_json = "json" in answered.get("content-type", "")
        return Answer(status, json.loads(content) if is_json and content else None, answered)

    def expect(self, status: int, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Make one call that must be answered with ``status``; return its JSON.

        Raises:
            Failed: if it was answered otherwise.
        """
        answer = self.call(method, path, body, **options)
        if answer.status != status:
            found = json.dumps(answer.json, ensure_ascii=False)
            raise Failed(f"{method} {path} was answered {answer.status}, not {status}: {found}")
        return answer.json

    def get(self, path: str) -> Any:
        """Read."""
        return self.expect(200, "GET", path)

    def register(self, identity: str, password: str, read_code: Callable[[str], str] | None = None) -> None:
        """Create an account; ``read_code`` reads what was sent to somebody, where a code is asked for."""
        body = {"identity": identity, "password": password}
        if read_code is not None:
            body |= self.proof(identity, "register", read_code)
        self.expect(201, "POST", "/v1/auth/register", body)

    def proof(self, contact: str, purpose: str, read_code: Callable[[str], str]) -> dict[str, str]:
        """Ask for a code and read it; returns what goes with its use."""
        asked = self.expect(202, "POST", "/v1/auth/codes", {"contact": contact, "purpose": purpose})
        return {"code_id": asked["code_id"], "code": read_code(contact)}

    def code_in_mailbox(self, contact: str) -> str:
        """Return the code that a running dev server's mailbox holds for somebody; waits until it is there."""
        self.expect(200, "POST", "/_dev/settle", {})
        for letter in self.get(f"/_dev/mailbox?format=json&to={quote(contact)}"):
            found = re.search(r"(?<!\d)\d{6}(?!\d)", letter["text"])
            if found:
                return found[0]
        raise Failed(f"no code was sent to {contact}")

    def sign_in(self, identity: str, password: str) -> None:
        """Sign in; later calls carry the token."""
        self.token = None
        tokens = self.expect(200, "POST", "/v1/auth/sign-in", {"identity": identity, "password": password})
        self.token = tokens["access_token"]
