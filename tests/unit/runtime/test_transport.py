"""The lean transport: botocore's own signature as the oracle, and a server that misbehaves."""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from chalicelib.runtime import transport


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve raw bytes, one for each request on however many connections; an empty one closes the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []
    left = list(answers)

    def serve() -> None:
        while left:
            try:
                connection, _ = listener.accept()
            except OSError:  # The test is over before all answers were asked for.
                return
            with connection:
                while left:
                    request = connection.recv(65536)
                    if not request:
                        break
                    seen.append(request)
                    answer = left.pop(0)
                    if not answer:
                        break
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    listener.close()


def http(body: bytes, *, status: str = "200 OK", crc: int | None = None, extra: str = "") -> bytes:
    checksum = f"x-amz-crc32: {crc if crc is not None else zlib.crc32(body)}\r\n"
    return f"HTTP/1.1 {status}\r\n{checksum}{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def point(url: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        transport._endpoint.cache_clear()

    yield point
    transport._endpoint.cache_clear()


def call() -> dict[str, Any]:
    return transport.call("dynamodb", "GetItem", {"TableName": "biandan", "Key": {"id": {"S": "一"}}})


@pytest.mark.parametrize("token", [None, "session-token"])
def test_the_signature_is_botocores_own(token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    else:
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    body = '{"TableName":"便单"}'.encode()
    headers = {
        "Host": "dynamodb.us-east-1.amazonaws.com",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.GetItem",
    }
    transport._sign(headers, body, "dynamodb")

    request = AWSRequest("POST", "https://dynamodb.us-east-1.amazonaws.com/", data=body)
    for name in ("Content-Type", "X-Amz-Target", "X-Amz-Date", "X-Amz-Security-Token"):
        if name in headers:
            request.headers[name] = headers[name]
    auth = SigV4Auth(
        Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token), "dynamodb", "us-east-1"
    )
    request.context["timestamp"] = headers["X-Amz-Date"]
    string_to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    assert headers["Authorization"].endswith(f"Signature={auth.signature(string_to_sign, request)}")
    assert (
        abs(datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z").timestamp() - datetime.now(UTC).timestamp())
        < 60
    )


def test_a_connection_is_kept_and_an_answer_read_whole(at: Any) -> None:
    with server(http(b'{"Item":{}}'), http(b"{}")) as (url, seen):
        at(url)
        assert (call(), call()) == ({"Item": {}}, {})
    assert len(seen) == 2
    assert seen[0].startswith(b"POST / HTTP/1.1\r\n")


def test_an_error_is_botocores_with_reasons_and_item(at: Any) -> None:
    body = (
        b'{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"no",'
        b'"CancellationReasons":[{"Code":"None"}],"Item":{"a":{"N":"1"}}}'
    )
    with server(http(body, status="400 Bad Request")) as (url, _):
        at(url)
        with pytest.raises(ClientError) as failed:
            call()
    assert failed.value.response["Error"] == {"Code": "TransactionCanceledException", "Message": "no"}
    response: Any = failed.value.response
    assert (response["CancellationReasons"], response["Item"]) == ([{"Code": "None"}], {"a": {"N": "1"}})


def test_what_is_not_a_whole_genuine_answer_is_a_closed_connection(at: Any) -> None:
    broken = [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"nonsense\r\n\r\n",
        http(b"{}", crc=1),
    ]
    for answer in broken:
        with server(answer) as (url, _):
            at(url)
            if b"Content-Length: 10" in answer:
                continue_reading_timeout = 0.2
                before, transport.READ_TIMEOUT_S = transport.READ_TIMEOUT_S, continue_reading_timeout
                try:
                    with pytest.raises((ConnectionClosedError, ReadTimeoutError)):
                        call()
                finally:
                    transport.READ_TIMEOUT_S = before
                continue
            with pytest.raises(ConnectionClosedError):
                call()


def test_a_connection_the_other_side_closed_is_not_used_again(at: Any) -> None:
    with server(http(b"{}", extra="Connection: close\r\n"), http(b'{"Item":{}}')) as (url, _):
        at(url)
        assert call() == {}
        pool = transport._pools[url + "/"]
        assert pool == []


def test_nobody_listening_is_said_so(at: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    at(f"http://127.0.0.1:{port}")
    with pytest.raises(EndpointConnectionError):
        call()


def test_the_public_address_is_the_regions_own() -> None:
    assert transport._public_endpoint("dynamodb", "eu-central-1") == "https://dynamodb.eu-central-1.amazonaws.com"
    assert (
        transport._public_endpoint("dynamodbstreams", "eu-west-1") == "https://streams.dynamodb.eu-west-1.amazonaws.com"
    )
    assert transport._public_endpoint("sqs", "cn-north-1") == "https://sqs.cn-north-1.amazonaws.com.cn"
