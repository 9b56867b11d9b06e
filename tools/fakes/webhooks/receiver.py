"""The receiver: checks a message as Standard Webhooks says, with code of its own, and answers as it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.kernel import clock
from chalicelib.runtime import outside

WITHIN_S = 300
_TYPE = re.compile(r"[a-zA-Z0-9_.]{1,60}")
_MOST_BYTES = 20_000


@dataclass(frozen=True)
class Received:
    """One message that was genuine."""

    message_id: str
    type: str
    data: dict[str, Any]
    attempt: int


@dataclass
class Receiver:
    """A merchant's system behind one address."""

    secrets: list[str] = field(default_factory=list)
    """As they were shown; any of them opens."""
    answers: list[int | str] = field(default_factory=list)
    """What is answered next: a status, ``<status> <retry-after>``, or ``unreachable``, ``unanswered``; then 204."""
    always: int | str | None = None
    """What is answered each time, after ``answers``."""
    told: list[Received] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Why messages were not genuine."""
    calls: int = 0
    _attempts: dict[str, int] = field(default_factory=dict)

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> outside.Answer:
        """Take one call, as ``runtime.outside`` makes it."""
        self.calls += 1
        fault = self._fault({name.lower(): value for name, value in headers.items()}, body)
        if fault:
            self.refused.append(fault)
            return outside.Answer(401, {})
        message_id = headers["webhook-id"]
        answer = self.answers.pop(0) if self.answers else (self.always if self.always is not None else 204)
        if answer == "unreachable":
            raise outside.Unreachable(url=url)
        self._attempts[message_id] = attempt = self._attempts.get(message_id, 0) + 1
        message = json.loads(body)
        self.told.append(Received(message_id, message["type"], message["data"], attempt))
        if answer == "unanswered":
            raise outside.Unanswered(url=url)
        status, _, wait = str(answer).partition(" ")
        return outside.Answer(int(status), {"retry-after": wait} if wait else {})

    def types(self) -> list[str]:
        """Return the types of what it was told, each message once, in their order."""
        return [one.type for one in self.told if one.attempt == 1]

    def _fault(self, headers: Mapping[str, str], body: bytes) -> str:
        message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not message_id or "." in message_id or not re.fullmatch(r"[0-9]{1,12}", at):
            return "headers"
        if abs(int(at) - clock.epoch_s(clock.now())) > WITHIN_S:
            return "time"
        signatures = headers.get("webhook-signature", "").split(" ")
        wanted = [f"v1,{_signature(secret, message_id, at, body)}" for secret in self.secrets]
        if not any(hmac.compare_digest(one, other) for one in signatures for other in wanted):
            return "signature"
        return _fault_of(headers, body)


def _fault_of(headers: Mapping[str, str], body: bytes) -> str:
    if headers.get("content-type") != "application/json" or len(body) >= _MOST_BYTES:
        return "content"
    message = json.loads(body.decode("utf-8"))
    if set(message) != {"type", "timestamp", "data"} or not _TYPE.fullmatch(message["type"]):
        return "payload"
    return "" if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["timestamp"]) else "payload"


def _signature(secret: str, message_id: str, at: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret has 24 to 64 bytes")
    signed = b".".join((message_id.encode(), at.encode(), body))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
