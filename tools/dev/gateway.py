"""API Gateway in front of Lambda, as a REST API with proxy integration is: event shape, limits and their answers."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from chalicelib.runtime.http import cors
from chalicelib.runtime.http.headers import NOSNIFF
from tools.dev.httpd import Request, Response

PAYLOAD_CAP = 10 * 1024 * 1024
"""API Gateway's payload limit."""
LAMBDA_CAP = 6 * 1024 * 1024
"""Lambda's limit for a synchronous event and for its answer."""
HEADERS_CAP = 10_240
"""API Gateway's limit for the request line and all headers together."""
TIMEOUT_S = 29.0
CONCURRENCY = 64

Function = Callable[[dict[str, Any], Any], dict[str, Any]]
Watch = Callable[[dict[str, Any], dict[str, Any], float], None]
"""Called with the event, the answer and the seconds it took."""


class Router:
    """Finds the resource of a path: an exact one first, else the template with the same number of segments."""

    def __init__(self, resources: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._templates: dict[int, list[tuple[str, list[str]]]] = {}
        for resource in resources:
            segments = resource.split("/")
            if "{" in resource:
                self._templates.setdefault(len(segments), []).append((resource, segments))
            else:
                self._exact.add(resource)
        for found in self._templates.values():
            found.sort(key=lambda entry: sum("{" in segment for segment in entry[1]))

    def find(self, path: str) -> tuple[str | None, dict[str, str] | None]:
        """Return resource and path parameters."""
        if path in self._exact:
            return path, None
        segments = path.split("/")
        for resource, wanted in self._templates.get(len(segments), ()):
            parameters: dict[str, str] = {}
            for have, want in zip(segments, wanted, strict=True):
                if want.startswith("{"):
                    if not have:
                        break
                    parameters[want[1:-1]] = unquote(have)
                elif have != want:
                    break
            else:
                return resource, parameters
        return None, None


class Gateway:
    """Turns an HTTP request into a proxy event, calls the function, and turns its answer into a response."""

    def __init__(
        self,
        function: Function,
        resources: Iterable[str],
        *,
        binary_types: Iterable[str] = (),
        watch: Watch | None = None,
    ) -> None:
        self._function = function
        self._binary_types = frozenset(binary_types)
        self._resources = frozenset(resources)
        self._router = Router(self._resources)
        self._slots = threading.BoundedSemaphore(CONCURRENCY)
        self._watch = watch

    def __call__(self, request: Request) -> Response:
        """Serve one request."""
        refused = _too_large(request)
        if refused is not None:
            return refused
        event = self.event(request)
        if request.method == "OPTIONS" and event["resource"] in self._resources:  # No function is asked.
            return Response(204, list(cors.preflight(request.header("origin")).items()))
        if not self._slots.acquire(timeout=TIMEOUT_S):
            return _message(429, "Too Many Requests")
        started = time.perf_counter()
        try:
            answer = self._function(event, Context())
        except Exception:
            return _message(502, "Internal server error")
        finally:
            self._slots.release()
        took_s = time.perf_counter() - started
        if self._watch is not None:
            self._watch(event, answer, took_s)
        if took_s > TIMEOUT_S:
            return _message(504, "Endpoint request timed out")
        return response_of(answer)

    def event(self, request: Request) -> dict[str, Any]:
        """Return the version 1 proxy event."""
        parts = urlsplit(request.target)
        path = unquote(parts.path)
        resource, parameters = self._router.find(parts.path)
        headers: dict[str, str] = {}
        many_headers: dict[str, list[str]] = {}
        for name, value in request.headers:
            headers[name] = value
            many_headers.setdefault(name, []).append(value)
        query = parse_qsl(parts.query, keep_blank_values=True)
        many_query: dict[str, list[str]] = {}
        for name, value in query:
            many_query.setdefault(name, []).append(value)
        body, encoded = self._body(request)
        request_id = str(uuid4())
        return {
            "resource": resource or path,
            "path": path,
            "httpMethod": request.method,
            "headers": headers,
            "multiValueHeaders": many_headers,
            "queryStringParameters": dict(query) or None,
            "multiValueQueryStringParameters": many_query or None,
            "pathParameters": parameters,
            "stageVariables": None,
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "stage": "local",
                "protocol": "HTTP/1.1",
                "path": path,
                "resourcePath": resource or path,
                "httpMethod": request.method,
                "requestId": request_id,
                "extendedRequestId": request_id[:8],
                "requestTimeEpoch": int(time.time() * 1000),
                "identity": {"sourceIp": request.peer, "userAgent": headers.get("user-agent")},
            },
            "body": body,
            "isBase64Encoded": encoded,
        }

    def _body(self, request: Request) -> tuple[str | None, bool]:
        """Return the body as the event holds it: exact for declared types alone, else read as UTF-8 come what may."""
        if not request.body:
            return None, False
        if (request.header("content-type") or "").split(";")[0].strip().lower() in self._binary_types:
            return base64.b64encode(request.body).decode(), True
        return request.body.decode(errors="replace"), False


def _too_large(request: Request) -> Response | None:
    head = len(request.method) + len(request.target) + sum(len(n) + len(v) for n, v in request.headers)
    if head > HEADERS_CAP:
        return _message(431, "Request Header Fields Too Large")
    if len(request.body) * 4 / 3 > LAMBDA_CAP:
        return _message(413, "Request Too Long")
    return None


class Context:
    """The little of Lambda's context object that code may look at."""

    function_name = "biandan-local-api"
    memory_limit_in_mb = 512
    aws_request_id = "local"

    def get_remaining_time_in_millis(self) -> int:
        """Return the whole limit: nothing is cut off on a laptop."""
        return int(TIMEOUT_S * 1000)


def response_of(answer: dict[str, Any]) -> Response:
    """Return the HTTP response of a function's answer."""
    text = answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else str(text).encode()
    if len(body) > LAMBDA_CAP:
        return _message(502, "Internal server error")
    headers = [(name, str(value)) for name, value in (answer.get("headers") or {}).items()]
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers.extend((name, str(value)) for value in values)
    return Response(int(answer["statusCode"]), headers, body)


def _message(status: int, message: str) -> Response:
    """Answer as API Gateway itself does, in the shape our gateway responses give it (RFC 9457)."""
    document = {
        "type": "about:blank",
        "title": message,
        "status": status,
        "code": _CODES.get(status, "internal_error"),
        "detail": message,
        "request_id": "none",
    }
    headers = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store"), *NOSNIFF.items()]
    return Response(status, headers, json.dumps(document).encode())


_CODES = {413: "too_large", 429: "too_many_requests", 431: "headers_too_large", 504: "timed_out"}
