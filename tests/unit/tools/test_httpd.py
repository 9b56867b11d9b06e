"""The dev server's HTTP: what it takes, what it refuses, and the event it makes of it."""

from __future__ import annotations

import base64
import json
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tools.dev.gateway import Gateway, Router
from tools.shared import httpd
from tools.shared.httpd import Request, Response, Server

pytestmark = pytest.mark.process

CAP = 1000


@pytest.fixture
def server() -> Iterator[Server]:
    def echo(request: Request) -> Response:
        text = f"{request.method} {request.target} {len(request.body)}"
        return Response(200, [("Content-Type", "text/plain"), ("X-Evil", "a\r\nInjected: b")], text.encode())

    running = Server(echo, port=0, body_cap=CAP, name="test")
    running.start()
    yield running
    running.stop()


def ask(server: Server, *parts: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_serves_several_requests_on_one_connection_even_pipelined(server: Server) -> None:
    answer = ask(server, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", b"c")

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"GET /a 0" in answer
    assert answer.endswith(b"POST /b 3")


def test_an_answer_header_cannot_start_another_one(server: Server) -> None:
    assert b"\r\nInjected:" not in ask(server, b"GET / HTTP/1.1\r\n\r\n")


def test_reads_chunks(server: Server) -> None:
    head = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert ask(server, head, b"4;x=y\r\nabcd\r\n", b"2\r\nef\r\n0\r\nTrailer: 1\r\n\r\n").endswith(b"POST /c 6")


def test_a_head_answer_has_no_body(server: Server) -> None:
    answer = ask(server, b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")

    assert b"Content-Length: 8" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"GET\r\n\r\n", 400),
        (b"GET x HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nBad Name: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\nb\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc", 400),
    ],
)
def test_refuses_what_is_ambiguous_or_too_large(server: Server, raw: bytes, wanted: int) -> None:
    answer = ask(server, raw)
    assert status(answer) == wanted
    assert b"X-Content-Type-Options: nosniff" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == wanted


def test_a_taken_port_is_replaced_by_a_free_one(server: Server) -> None:
    other = Server(lambda _: Response(200), port=server.port, body_cap=CAP, name="other")

    assert other.port != server.port
    other.stop()


def test_the_router_prefers_the_exact_resource() -> None:
    router = Router(["/v1/a/{x}", "/v1/a/list", "/v1/{y}/{x}/z"])

    assert router.find("/v1/a/list") == ("/v1/a/list", None)
    assert router.find("/v1/a/%C3%A9") == ("/v1/a/{x}", {"x": "é"})
    assert router.find("/v1/b/c/z") == ("/v1/{y}/{x}/z", {"y": "b", "x": "c"})
    assert router.find("/v1/a/") == (None, None)


def test_the_event_is_api_gateways() -> None:
    seen: list[dict[str, Any]] = []

    def function(event: dict[str, Any], _: Any) -> dict[str, Any]:
        seen.append(event)
        return {
            "statusCode": 201,
            "headers": {"A": "1"},
            "multiValueHeaders": {"B": ["1", "2"]},
            "body": base64.b64encode(b"\xff").decode(),
            "isBase64Encoded": True,
        }

    gateway = Gateway(function, ["/v1/a/{x}"], binary_types=["text/csv"])
    headers = [("x-many", "1"), ("x-many", "2"), ("content-type", "Text/CSV; charset=big5")]

    response = gateway(Request("POST", "/v1/a/b?q=1&q=%E8%8C%B6&e=", headers, b"\xff\x00", "10.0.0.1"))

    event = seen[0]
    assert (event["resource"], event["pathParameters"]) == ("/v1/a/{x}", {"x": "b"})
    assert event["queryStringParameters"] == {"q": "茶", "e": ""}
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "茶"], "e": [""]}
    kind = "Text/CSV; charset=big5"
    forwarded = {"x-forwarded-for": "10.0.0.1", "x-forwarded-port": "443", "x-forwarded-proto": "https"}
    assert event["headers"] == {"x-many": "2", "content-type": kind, **forwarded}
    assert event["multiValueHeaders"]["x-many"] == ["1", "2"]
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\xff\x00").decode(), True)
    assert event["requestContext"]["identity"]["sourceIp"] == "10.0.0.1"
    assert (response.status, response.body) == (201, b"\xff")
    assert response.headers == [("A", "1"), ("B", "1"), ("B", "2")]


@pytest.mark.parametrize("kind", ["application/json", "text/csv2", ""])
def test_a_body_that_is_not_declared_binary_is_read_as_utf8_come_what_may(kind: str) -> None:
    """As API Gateway does: whoever sends Big5 under such a type has lost it on the way."""
    gateway = Gateway(lambda event, _: {"statusCode": 200}, ["/"], binary_types=["text/csv"])
    event = gateway.event(Request("POST", "/", [("content-type", kind)] if kind else [], "茶壺".encode("big5"), ""))
    assert event["isBase64Encoded"] is False
    assert "\ufffd" in event["body"]


def test_lambdas_limits_hold() -> None:
    def large(event: dict[str, Any], _: Any) -> dict[str, Any]:
        return {"statusCode": 200, "body": "x" * (6 * 1024 * 1024 + 1)}

    gateway = Gateway(large, ["/"])

    assert gateway(Request("GET", "/", [], b"", "")).status == 502
    assert gateway(Request("POST", "/", [], b"x" * (6 * 1024 * 1024), "")).status == 413


def test_a_function_that_raises_is_a_bad_gateway() -> None:
    def broken(event: dict[str, Any], _: Any) -> dict[str, Any]:
        raise RuntimeError

    assert Gateway(broken, ["/"])(Request("GET", "/", [], b"", "")).status == 502


def test_headers_that_the_gateway_does_not_take_are_refused_as_it_does() -> None:
    gateway = Gateway(lambda event, _: {"statusCode": 200, "body": ""}, ["/"])

    assert gateway(Request("GET", "/", [("x", "y" * 10_000)], b"", "")).status == 200
    refused = gateway(Request("GET", "/", [("x", "y" * 5_000), ("z", "y" * 5_300)], b"", ""))
    assert refused.status == 431
    assert json.loads(refused.body)["code"] == "headers_too_large"
    assert ("X-Content-Type-Options", "nosniff") in refused.headers


def test_a_long_head_is_refused_even_when_it_came_whole(server: Server) -> None:
    fits = b"GET / HTTP/1.1\r\nX: " + b"a" * 16_000 + b"\r\n\r\n"
    assert status(ask(server, fits)) == 200

    answer = ask(server, fits.replace(b"X: ", b"X: " + b"a" * 400))
    assert status(answer) == 431
    assert b"headers_too_large" in answer


def test_endless_trailers_are_refused(server: Server) -> None:
    head = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"

    assert status(ask(server, head, b"T: 1\r\n" * 30, b"\r\n")) == 431


def test_a_handler_that_fails_is_a_500_and_the_connection_lives(caplog: pytest.LogCaptureFixture) -> None:
    def fails(request: Request) -> Response:
        if request.target == "/bad":
            raise RuntimeError("broken")
        return Response(200)

    running = Server(fails, port=0, body_cap=CAP, name="test")
    running.start()
    try:
        answer = ask(running, b"GET /bad HTTP/1.1\r\n\r\nGET /good HTTP/1.1\r\n\r\n")
    finally:
        running.stop()
    assert status(answer) == 500
    assert b"HTTP/1.1 200 OK" in answer
    assert b"broken" not in answer


@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HTTP/1.1\r\nX: ",
        b"POST / HTTP/1.1\r\nContent-Length: 900\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1",
    ],
)
def test_a_request_that_trickles_ends(server: Server, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "REQUEST_S", 0.5)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(begun)
        for _ in range(200):
            if select.select([connection], [], [], 0.05)[0]:
                break
            connection.sendall(b"a")
        assert status(connection.recv(65536)) == 408


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nA: b\nC: d\r\n"])
def test_a_bare_line_feed_is_refused_at_once(server: Server, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head)
        assert status(connection.recv(65536)) == 400


def served(server: Server) -> bool:
    """Ask once. A connection too many is told so and closed: what is still being sent to it is answered by a reset."""
    try:
        return status(ask(server, b"GET / HTTP/1.1\r\n\r\n")) == 200
    except (ConnectionResetError, BrokenPipeError):
        return False


def test_connections_have_a_limit_and_come_free(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "CONNECTIONS", 3)
    held = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(3)]
    for connection in held:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert status(connection.recv(65536)) == 200

    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as further:
        assert status(further.recv(65536)) == 503
    for connection in held:
        connection.close()
    deadline = time.monotonic() + 60
    while not served(server):
        assert time.monotonic() < deadline
