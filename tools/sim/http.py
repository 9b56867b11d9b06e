"""API Gateway's events for the real Chalice application, with request ids of the simulator's own."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """Status, parsed JSON (or None) and the raw body."""

    status: int
    json: Any
    text: str

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Answer:
        """Read what the application returned."""
        text = answer.get("body") or ""
        return cls(answer["statusCode"], json.loads(text) if text.startswith("{") else None, text)

    @property
    def ok(self) -> bool:
        """Say whether it is a success."""
        return 200 <= self.status < 300


def event(
    method: str,
    template: str,
    path: dict[str, str],
    body: Any = None,
    *,
    token: str | None = None,
    key: str | None = None,
    raw: bytes | None = None,
    headers: dict[str, str] | None = None,
    request_id: str,
) -> dict[str, Any]:
    """Return the proxy event of a call to ``template`` with these path parameters."""
    sent = {"accept": "application/json", "content-type": "application/json", **(headers or {})}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    if key is not None:
        sent["idempotency-key"] = key
    payload = raw if raw is not None else (json.dumps(body).encode() if body is not None else b"")
    return {
        "resource": template,
        "path": template.format(**path),
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": path,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": template,
            "httpMethod": method,
            "requestId": request_id,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": base64.b64encode(payload).decode() if payload else None,
        "isBase64Encoded": bool(payload),
    }
