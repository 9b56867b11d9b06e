"""API Gateway in front of Lambda, as a REST API with proxy integration is: event shape, limits and their answers.

Where AWS differs from what one would expect, this differs in the same way: a method or a path that there is not never
reaches the function, ``WWW-Authenticate`` comes out under another name, a body is UTF-8 or lost unless its type is
declared binary, ``X-Forwarded-For`` ends with whoever connected, and sizes count as JSON (docs/deploy.md).
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from chalicelib.runtime.http import cors
from chalicelib.runtime.http.headers import NOSNIFF
from infra import refusals
from tools.shared.httpd import Request, Response

PAYLOAD_CAP = 10 * 1024 * 1024
"""API Gateway's payload limit."""
LAMBDA_CAP = 6 * 1024 * 1024
"""Lambda's limit for a synchronous event and for its answer."""
HEADERS_CAP = 10_240
"""API Gateway's limit for the request line and all headers together."""
REMAPPED = {"www-authenticate", "date", "server", "connection", "content-md5"}
"""Of an answer; they come out as ``x-amzn-Remapped-...``. (API Gateway, "Important notes", REST APIs.)"""
OTHERS = {"transfer-encoding", "content-length", "keep-alive"}
"""Of an answer; the gateway's own business."""
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
    """Turns an HTTP request into a proxy event, calls the function, and turns its answer into a response.

    ``resources`` with their methods, as the application has them, or without, for any. With a ``stage`` everything
    lies under its name, as at API Gateway's own address.
    """

    def __init__(
        self,
        function: Function,
        resources: Iterable[str],
        *,
        binary_types: Iterable[str] = (),
        watch: Watch | None = None,
        stage: str = "",
    ) -> None:
        self._function = function
        self._binary_types = frozenset(binary_types)
        self._methods = resources if isinstance(resources, Mapping) else {}
        self._router = Router(resources)
        self._slots = threading.BoundedSemaphore(CONCURRENCY)
        self._watch = watch
        self._prefix = f"/{stage}" if stage else ""
        self.calls = 0
        """How often the function was called."""

    def __call__(self, request: Request) -> Response:
        """Serve one request."""
        refused = self._refused(request)
        if refused is not None:
            return refused
        if request.method == "OPTIONS":  # No function is asked.
            return Response(204, list(cors.preflight(request.header("origin")).items()))
        event = self.event(request)
        if _size(event) > LAMBDA_CAP:
            return _refusal("REQUEST_TOO_LARGE")
        return self._served(event)

    def _refused(self, request: Request) -> Response | None:
        """Return what the gateway answers by itself."""
        head = len(request.method) + len(request.target) + sum(len(n) + len(v) for n, v in request.headers)
        if head > HEADERS_CAP:
            return _message(431, "Request Header Fields Too Large")
        if len(request.body) > PAYLOAD_CAP:
            return _refusal("REQUEST_TOO_LARGE")
        resource, _ = self._router.find(self._path(request) or "")
        if resource is None or not self._takes(resource, request.method):
            return _refusal("MISSING_AUTHENTICATION_TOKEN")
        return None

    def _served(self, event: dict[str, Any]) -> Response:
        if not self._slots.acquire(timeout=TIMEOUT_S):
            return _refusal("THROTTLED")
        started = time.perf_counter()
        self.calls += 1
        try:
            answer = self._function(event, Context())
        except Exception:
            return _refusal("INTEGRATION_FAILURE")
        finally:
            self._slots.release()
        took_s = time.perf_counter() - started
        if self._watch is not None:
            self._watch(event, answer, took_s)
        if took_s > TIMEOUT_S:
            return _refusal("INTEGRATION_TIMEOUT")
        return response_of(answer)

    def _takes(self, resource: str, method: str) -> bool:
        return method == "OPTIONS" or resource not in self._methods or method in self._methods[resource]

    def _path(self, request: Request) -> str | None:
        """Return the path behind the stage, None where it is not under it."""
        path = urlsplit(request.target).path
        return path.removeprefix(self._prefix) if path.startswith(f"{self._prefix}/") else None

    def event(self, request: Request) -> dict[str, Any]:
        """Return the version 1 proxy event."""
        parts = urlsplit(request.target)
        raw_path = self._path(request) or "/"
        path = unquote(raw_path)
        resource, parameters = self._router.find(raw_path)
        headers: dict[str, str] = {}
        many_headers: dict[str, list[str]] = {}
        for name, value in request.headers:
            headers[name] = value
            many_headers.setdefault(name, []).append(value)
        for name, value in _forwarded(request).items():
            headers[name], many_headers[name] = value, [value]
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
                "stage": self._prefix[1:] or "local",
                "protocol": "HTTP/1.1",
                "path": self._prefix + path,
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


class Context:
    """The little of Lambda's context object that code may look at."""

    function_name = "biandan-local-api"
    memory_limit_in_mb = 512
    aws_request_id = "local"

    def get_remaining_time_in_millis(self) -> int:
        """Return the whole limit: nothing is cut off on a laptop."""
        return int(TIMEOUT_S * 1000)


def _forwarded(request: Request) -> dict[str, str]:
    """Return what the gateway says of the connection: whoever connected is the last of those it was forwarded for."""
    before = [value for name, value in request.headers if name == "x-forwarded-for"]
    return {
        "x-forwarded-for": ", ".join([*before, request.peer]),
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }


def _size(document: dict[str, Any]) -> int:
    """Return how long Lambda finds it: as JSON, in which quotes and line ends count twice."""
    return len(json.dumps(document, ensure_ascii=False, default=str).encode(errors="replace"))


def response_of(answer: dict[str, Any]) -> Response:
    """Return the HTTP response of a function's answer."""
    text = answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else str(text).encode()
    if _size(answer) > LAMBDA_CAP:
        return _refusal("INTEGRATION_FAILURE")
    found = [(name, str(value)) for name, value in (answer.get("headers") or {}).items()]
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        found.extend((name, str(value)) for value in values)
    headers = [
        (f"x-amzn-Remapped-{name}" if name.lower() in REMAPPED else name, value)
        for name, value in found
        if name.lower() not in OTHERS
    ]
    return Response(int(answer["statusCode"]), headers, body)


def _refusal(kind: str) -> Response:
    """Answer as API Gateway itself does, in the shape that the stack gives it."""
    text = refusals.document(kind, str(uuid4()))
    return Response(refusals.REFUSALS[kind][0], list(refusals.headers(kind).items()), text.encode())


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


_CODES = {431: "headers_too_large"}
