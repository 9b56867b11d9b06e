"""The receiver of webhooks over HTTP, on a laptop: an address to be told at, what came, and how it is steered."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from typing import Any

from chalicelib.runtime import outside
from tools.fakes.webhooks.receiver import Receiver
from tools.shared.httpd import Request, Response

JSON = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]


class Door:
    """One receiver, for whoever names its address."""

    def __init__(self) -> None:
        self._receiver = Receiver()
        self._lock = threading.Lock()

    def respond(self, request: Request, words: list[str]) -> Response:
        """Answer one request."""
        with self._lock:
            if request.method == "GET" and not words:
                return _json(200, self._seen())
            if request.method == "POST" and words == ["set"]:
                return self._set(request.body)
            if request.method == "POST" and not words:
                return self._told(request)
        return _json(404, {"detail": "GET or POST /_dev/webhooks, POST /_dev/webhooks/set"})

    def _seen(self) -> dict[str, Any]:
        return {"told": [asdict(one) for one in self._receiver.told], "refused": self._receiver.refused}

    def _set(self, body: bytes) -> Response:
        try:
            wanted = json.loads(body)
            secrets, answers = list(wanted.get("secrets", ())), list(wanted.get("answers", ()))
        except (ValueError, AttributeError, TypeError):
            return _json(422, {"detail": 'Send {"secrets": [...], "answers": [...]}.'})
        self._receiver.secrets += [str(one) for one in secrets]
        self._receiver.answers += [str(one) for one in answers]
        return _json(200, self._seen())

    def _told(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers}
        try:
            answer = self._receiver("", headers, request.body)
        except (outside.Unreachable, outside.Unanswered):
            return Response(504, JSON, b"{}")
        return Response(answer.status, [*JSON, *answer.headers.items()], b"" if answer.status == 204 else b"{}")


def _json(status: int, body: Any) -> Response:
    return Response(status, JSON, json.dumps(body).encode())
