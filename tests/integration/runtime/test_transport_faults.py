"""What AWS and the network do when they are not well: each fault ends in time, as what it is, and is cured by repeats.

The limits are scaled down so that the suite takes seconds; that the real ones fit the functions is worked out at the
end. Times are measured, not assumed.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chalicelib.catalog import pace
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.events import Envelope, Event
from chalicelib.runtime import aws, consume, lifetime, queues, retries, sdk, secrets, start, transport
from chalicelib.runtime.config import config
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.http import app as http_app
from infra.functions import API, DEADLINES, FUNCTIONS, RELAY
from tests.support import faulty, http
from tests.support.faulty import Act, Faulty


def _written(module: Any, name: str) -> float:
    """Return a constant as it stands in the source: the tests' set-up widens them, for a busy machine."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    for node in tree.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if [getattr(target, "id", "") for target in targets] == [name]:
            return float(ast.literal_eval(getattr(node, "value")))  # noqa: B009 - not every statement has one
    raise LookupError(name)


REAL = {
    "CONNECT_TIMEOUT_S": _written(transport, "CONNECT_TIMEOUT_S"),
    "READ_TIMEOUT_S": _written(transport, "READ_TIMEOUT_S"),
    "LONGEST_S": _written(retries, "LONGEST_S"),
}
CONNECT_S, READ_S, LONGEST_S = 0.2, 0.2, 0.8
"""Scaled down from 2, 5 and 8 seconds."""
SLACK_S = 1.5
"""What a busy machine may add to any of it: less than what one more silence would take at full scale."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", CONNECT_S)
    monkeypatch.setattr(transport, "READ_TIMEOUT_S", READ_S)
    monkeypatch.setattr(retries, "LONGEST_S", LONGEST_S)
    monkeypatch.setattr(retries, "CAP_S", 0.01)
    yield
    monkeypatch.undo()
    transport.forget()
    queues.forget_urls()


@contextmanager
def standing_in(*acts: Act, greets: bool = True, secure: bool = False) -> Iterator[Faulty]:
    """Put a faulty server in the place of AWS."""
    patch = pytest.MonkeyPatch()
    with Faulty(acts, greets=greets) as server:
        for service in ("", "_DYNAMODB", "_SQS", "_SECRETSMANAGER", "_S3"):
            url = server.url.replace("http://127.0.0.1", "https://localhost") if secure else server.url
            patch.setenv(f"AWS_ENDPOINT_URL{service}", url)
        aws.forget_clients()
        try:
            yield server
        finally:
            patch.undo()
            aws.forget_clients()


def read() -> Any:
    return dynamo.call("GetItem", {"TableName": "t", "Key": {"id": {"S": "a"}}})


def write_once() -> Any:
    return dynamo.call("UpdateItem", {"TableName": "t", "Key": {"id": {"S": "a"}}}, repeatable=False)


def send() -> Any:
    return aws.call("sqs", "SendMessage", {"QueueUrl": "http://queue/q", "MessageBody": "b"})


def look_up() -> Any:
    return aws.call("secretsmanager", "GetSecretValue", {"SecretId": "s"})


PRODUCT = "/v1/products/prd_" + "0" * 24
OFTEN = ("hangs", "503 of HTML", "throttled", "internal", "reset", "length too long")
"""Faults that are tried on every service; the rest of what can be wrong with an answer is read in one place."""
CALLS: dict[str, Callable[[], Any]] = {"dynamodb": read, "sqs": send, "secrets": look_up}


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + SLACK_S


FAULTS: dict[str, Act] = {
    "hangs": faulty.hang,
    "half an answer": faulty.half,
    "cut off": faulty.cut,
    "trickles": faulty.trickle,
    "headers trickle": faulty.trickling_head,
    "headers without end": faulty.endless_head,
    "reset": faulty.reset,
    "500 of HTML": faulty.page("500 Internal Server Error"),
    "502 of HTML": faulty.page("502 Bad Gateway"),
    "503 of HTML": faulty.page("503 Service Unavailable"),
    "503 of unknown length": faulty.page("503 Service Unavailable", length=False),
    "504 of HTML": faulty.page("504 Gateway Timeout"),
    "429 of HTML": faulty.page("429 Too Many Requests"),
    "503 of nothing": faulty.raw(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
    "500 of a list": faulty.answer(["no"], status="500 Internal Server Error"),
    "an old 503": faulty.raw(b"HTTP/1.0 503 Slow Down\r\nContent-Length: 4\r\n\r\nslow"),
    "200 of HTML": faulty.page("200 OK"),
    "200 of a list": faulty.answer([1]),
    "length too short": faulty.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"Item": {}}'),
    "length too long": faulty.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}"),
    "length below zero": faulty.raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
    "length of gigabytes": faulty.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}"),
    "length of words": faulty.raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
    "no length": faulty.raw(b"HTTP/1.1 200 OK\r\n\r\n{}"),
    "wrong checksum": faulty.answer({}, extra="x-amz-crc32: 1\r\n"),
    "no HTTP": faulty.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "no status": faulty.raw(b"HTTP/1.1 \r\n\r\n"),
    "throttled": faulty.error("ThrottlingException"),
    "throughput": faulty.error("ProvisionedThroughputExceededException"),
    "internal": faulty.error("InternalServerError", "500 Internal Server Error"),
    "unheard of 5xx": faulty.error("SomethingNew", "599 Odd"),
}

TRIED = [(fault, service) for fault in FAULTS for service in CALLS if service == "dynamodb" or fault in OFTEN]


@pytest.mark.parametrize(("fault", "service"), TRIED)
def test_a_fault_that_stays_ends_in_time_as_busy(fault: str, service: str) -> None:
    with standing_in(FAULTS[fault]) as server, at_most(LONGEST_S), pytest.raises(Busy):
        CALLS[service]()
    assert len(server.requests) > 1


@pytest.mark.parametrize(("fault", "service"), TRIED)
def test_a_fault_that_passes_is_never_seen(fault: str, service: str) -> None:
    with standing_in(FAULTS[fault], faulty.answer({"Item": {"id": {"S": "a"}}})), at_most(LONGEST_S):
        assert CALLS[service]() == {"Item": {"id": {"S": "a"}}}


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in ("throttled", "throughput", "429 of HTML")])
def test_what_was_perhaps_done_is_not_done_twice(fault: str) -> None:
    with standing_in(FAULTS[fault], faulty.answer({})) as server, at_most(READ_S):
        with pytest.raises(Exception) as failed:  # noqa: PT011 - of many kinds; what all have in common is asked next
            write_once()
        assert dynamo.is_passing(failed.value)
    assert len(server.requests) == 1


def test_what_was_refused_is_asked_once() -> None:
    for code, status in (("AccessDeniedException", "400 Bad Request"), ("ValidationException", "400 Bad Request")):
        with standing_in(faulty.error(code, status)) as server, pytest.raises(Exception) as failed:  # noqa: PT011
            read()
        assert (aws.error_code(failed.value), len(server.requests)) == (code, 1)
        assert not dynamo.is_passing(failed.value)
    with standing_in(faulty.page("403 Forbidden")) as server, pytest.raises(Exception) as failed:  # noqa: PT011
        read()
    assert (aws.error_code(failed.value), len(server.requests)) == ("403", 1)


def test_a_storm_of_throttles_is_outlived_or_told() -> None:
    storm = [faulty.error("ThrottlingException")] * 6
    with standing_in(*storm, faulty.answer({"Item": {}})) as server, at_most(LONGEST_S):
        assert read() == {"Item": {}}
    assert len(server.requests) == 7
    with standing_in(*storm * 10) as server, at_most(LONGEST_S), pytest.raises(Busy):
        read()
    assert len(server.requests) <= retries.ATTEMPTS


@pytest.mark.parametrize("secure", [False, True])
def test_who_is_never_reached_is_given_up_in_time(secure: bool) -> None:
    """A TLS handshake that never comes to its end, or one that trickles."""

    def slow(connection: Any) -> None:
        while True:
            connection.sendall(b"\x16")
            time.sleep(faulty.STEP_S)

    for act in (faulty.hang, slow, faulty.reset):
        with standing_in(act, greets=False, secure=secure), at_most(LONGEST_S), pytest.raises(Busy):
            read()


def test_a_connection_that_has_answered_too_much_is_not_used_again() -> None:
    """What is left over of one answer would be read as the next one."""
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"Item":1}'
    with standing_in(faulty.raw(answer), faulty.answer({"Item": 2})):
        assert read() == {}
        assert read() == {"Item": 2}


def test_a_secret_is_written_under_one_token_however_often_it_is_told() -> None:
    busy = faulty.error("InternalServiceError", "500 Internal Server Error")
    with standing_in(busy, faulty.answer({})) as server:
        aws.call("secretsmanager", "PutSecretValue", {"SecretId": "s", "SecretString": "{}"})
        aws.call("secretsmanager", "PutSecretValue", {"SecretId": "s", "SecretString": "{}"})
    tokens = [request.partition(b'"ClientRequestToken":"')[2][:36] for request in server.requests]
    assert len(tokens) == 3
    assert tokens[0] == tokens[1] != tokens[2]
    assert all(len(token) == 36 for token in tokens)


# --- within the time of an invocation ---------------------------------------------------------------------------------


class Lambda:
    """Lambda's context of a function that has so long, by the machine's clock."""

    def __init__(self, timeout_s: float) -> None:
        self.ends = time.monotonic() + timeout_s

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - time.monotonic()) * 1000)


def test_a_silence_ends_before_the_invocation_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_TIMEOUT_S", 30)
    monkeypatch.setattr(retries, "LONGEST_S", 30)
    for call in CALLS.values():
        began = time.monotonic()
        with standing_in(faulty.hang), pytest.raises(Busy), lifetime.of(Lambda(0.8)), lifetime.keeping(0.5):
            call()
        assert 0.1 < time.monotonic() - began < 0.3 + SLACK_S


def test_with_no_time_left_nothing_is_sent() -> None:
    with standing_in(faulty.answer({})) as server, lifetime.of(Lambda(0.5)), lifetime.keeping(0.5):
        for call in (*CALLS.values(), lambda: aws.call("s3", "GetObject", {"Bucket": "b", "Key": "k"})):
            with pytest.raises(Busy):
                call()
    assert server.requests == []


@pytest.mark.parametrize("fault", ["hangs", "half an answer", "cut off", "503 of HTML"])
def test_the_bucket_is_asked_only_while_there_is_time_for_an_answer(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(sdk, "READ_TIMEOUT_S", 0.2)
    monkeypatch.setattr(sdk, "BOTOCORE_S", 2.6)
    with standing_in(FAULTS[fault]) as server:
        sdk.client("s3")  # To build it costs more than the time of this test.
        limit = Lambda(5.0)
        with lifetime.of(limit), pytest.raises(Exception) as failed:  # noqa: PT011 - of many kinds; see below
            aws.call("s3", "GetObject", {"Bucket": config().bucket, "Key": "catalog/a"})["Body"].read()
    assert isinstance(failed.value, Busy) or dynamo.is_passing(failed.value)
    assert limit.get_remaining_time_in_millis() > 0
    assert server.requests


class Rung(Event, frozen=True, tag="bell.rung"):
    bell_id: str

    @property
    def subject(self) -> str:
        return self.bell_id


@pytest.mark.parametrize("fault", ["hangs", "trickles", "half an answer", "503 of HTML", "throttled", "reset"])
def test_a_batch_ends_before_its_function_while_all_of_aws_is_ill(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB, and SQS which should be told how it ended: whatever is not finished comes again, nothing else does."""
    for name, seconds in (("OWN_S", 0.2), ("BEGIN_S", 0.3), ("REPORT_S", 0.4), ("ANSWER_S", 0.1)):
        monkeypatch.setattr(consume, name, seconds)
    consumer = Consumer("orders")

    @consumer.on(Rung)
    def handle(event: Rung, _: Envelope) -> None:
        if event.bell_id != "easy":
            read()

    records = [
        {
            "messageId": bell_id,
            "receiptHandle": bell_id,
            "body": facts.encode(facts.seal(Rung(bell_id=bell_id))),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        for bell_id in ("easy", *(f"hard{number}" for number in range(9)))
    ]
    limit = Lambda(1.5)
    with standing_in(FAULTS[fault]):
        result = consumer.handle({"Records": records}, limit)
    assert limit.get_remaining_time_in_millis() > 0
    assert [failure["itemIdentifier"] for failure in result["batchItemFailures"]] == [
        f"hard{number}" for number in range(9)
    ]


@pytest.mark.parametrize("fault", ["hangs", "trickles", "half an answer", "503 of HTML", "throttled", "reset"])
def test_a_caller_hears_in_time_that_we_are_busy(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_app, "ANSWER_S", 0.5)
    monkeypatch.setattr(retries, "LONGEST_S", 30)
    with standing_in(faulty.answer({})):
        http.application()(http.event("GET", PRODUCT), None)  # Imports what it needs.
    limit = Lambda(1.0)
    with standing_in(FAULTS[fault]):
        answer = http.application()(http.event("GET", PRODUCT), limit)
    assert limit.get_remaining_time_in_millis() > 0
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "1")


def test_a_silent_secret_stops_the_function_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "biandan-dev-api")
    monkeypatch.setattr(http_app, "ANSWER_S", 0.5)
    start.forget()
    secrets.forget()
    limit = Lambda(2.0)
    with standing_in(faulty.hang):
        answer = http.application()(http.event("GET", PRODUCT), limit)
    start.forget()
    assert limit.get_remaining_time_in_millis() > 0
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "1")


def test_the_real_limits_fit_every_function() -> None:
    """What was scaled down above, at full scale: a call with its repeats, and the answer, within each timeout."""
    assert sdk.CONNECT_TIMEOUT_S + 2 * sdk.READ_TIMEOUT_S + 2 <= sdk.BOTOCORE_S
    assert sdk.BOTOCORE_S < pace.RESERVE_S - consume.REPORT_S
    assert REAL["CONNECT_TIMEOUT_S"] + REAL["READ_TIMEOUT_S"] <= REAL["LONGEST_S"]
    for name, function in FUNCTIONS.items():
        spare_s = {API: http_app.ANSWER_S, RELAY: 1.0, DEADLINES: 1.0}.get(name, consume.REPORT_S)
        assert REAL["LONGEST_S"] + spare_s < function.timeout_s, name
    assert FUNCTIONS[API].timeout_s >= http_app.ASKING_S + http_app.OWN_S + http_app.ANSWER_S
