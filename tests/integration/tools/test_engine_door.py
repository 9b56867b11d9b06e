"""The embedded engine takes orders from its own run only: what a page in a browser could send reaches nothing."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from chalicelib.runtime import aws, sdk
from chalicelib.runtime.config import config
from tests.e2e import scenario
from tools.fakes import engine

LIST_TABLES = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.ListTables"}
FORGED = "AWS4-HMAC-SHA256 Credential=200000000001/20261129/us-east-1/dynamodb/aws4_request, SignedHeaders=host, "


def ask(
    method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc, timeout=120)
    try:
        connection.request(method, path, body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def signed(
    body: bytes = b"{}", *, secret: str = "", headers: dict[str, str] | None = None, service: str = "dynamodb"
) -> dict[str, str]:
    """Return the headers of a call as botocore signs it."""
    request = AWSRequest("POST", os.environ["AWS_ENDPOINT_URL"] + "/", data=body, headers=headers or LIST_TABLES)
    key = Credentials(os.environ["AWS_ACCESS_KEY_ID"], secret or os.environ["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


UNSIGNED: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "tables": ("POST", "/", LIST_TABLES, b"{}"),
    "tables, as a form can send it": ("POST", "/?Action=ListTables", {"content-type": "text/plain"}, b"{}"),
    "queues by query": ("GET", "/?Action=ListQueues", {}, b""),
    "queues by form": ("POST", "/", {"content-type": "application/x-www-form-urlencoded"}, b"Action=ListQueues"),
    "a new function": ("POST", "/2015-03-31/functions", {"content-type": "text/plain"}, b'{"FunctionName": "x"}'),
    "buckets": ("GET", "/", {}, b""),
    "an object": ("GET", "/a-bucket/key", {}, b""),
    "a new object": ("PUT", "/a-bucket/key", {}, b"x"),
    "a new bucket": ("PUT", "/a-bucket", {}, b""),
    "health": ("GET", "/_ministack/health", {}, b""),
    "reset": ("POST", "/_ministack/reset", {}, b""),
    "configuration": ("POST", "/_ministack/config", {"content-type": "text/plain"}, b"{}"),
    "another's account": ("POST", "/_door/accounts", {}, b'{"copy": "200000000001", "to": "200000000002"}'),
    "sent messages": ("GET", "/_aws/ses", {}, b""),
    "an api nobody opened": ("GET", "/_aws/execute-api/abcdef/api/v1", {}, b""),
    "an api by its older address": ("GET", "/restapis/abcdef/api/_user_request_/v1", {}, b""),
    "a preflight of the services": ("OPTIONS", "/", {"access-control-request-method": "POST"}, b""),
    "an upload form": (
        "POST",
        "/a-bucket",
        {"content-type": "multipart/form-data; boundary=x"},
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nf\r\n--x--\r\n',
    ),
    "a form without an end": ("POST", "/a-bucket", {"content-type": "multipart/form-data; boundary=x"}, b"-" * 200_000),
    "a forged signature": ("POST", "/", {**LIST_TABLES, "authorization": f"{FORGED}Signature={'0' * 64}"}, b"{}"),
    "half a signature": ("POST", "/", {**LIST_TABLES, "authorization": "AWS4-HMAC-SHA256 Credential=x"}, b"{}"),
    "an older signature": ("POST", "/", {**LIST_TABLES, "authorization": "AWS 200000000001:x"}, b"{}"),
    "an older presigned address": ("GET", "/a-bucket/key?AWSAccessKeyId=200000000001&Signature=x&Expires=9", {}, b""),
    "a token": ("POST", "/", {**LIST_TABLES, "authorization": "Bearer x"}, b"{}"),
    "a forged address": ("GET", "/a-bucket/key?X-Amz-Signature=0&X-Amz-Credential=x", {}, b""),
}


@pytest.mark.parametrize("what", UNSIGNED)
def test_what_nobody_signed_goes_no_further(cloud: str, what: str) -> None:
    method, path, headers, body = UNSIGNED[what]
    status, answered, content = ask(method, path, headers, body)

    assert status == 403
    assert json.loads(content)["__type"] == "MissingAuthenticationToken"
    assert "access-control-allow-origin" not in answered


def test_what_this_run_signed_is_answered(cloud: str) -> None:
    status, _, content = ask("POST", "/", signed(), b"{}")

    assert status == 200
    assert json.loads(content)["TableNames"]


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("DynamoDB_20120810.ListTables", b"{}"),
        ("DynamoDB_20120810.GetItem", b'{"TableName": "none", "Key": {}}'),
        ("DynamoDB_20120810.NoSuchThing", b"{}"),
        ("DynamoDB_20120810.ListTables", b"{"),
        ("DynamoDBStreams_20120810.ListStreams", b"{}"),
        ("AmazonSQS.ListQueues", b"{}"),
        ("AmazonSQS.ReceiveMessage", b'{"QueueUrl": "http://127.0.0.1/none"}'),
        ("secretsmanager.ListSecrets", b"{}"),
        ("secretsmanager.GetSecretValue", b'{"SecretId": "none"}'),
    ],
)
def test_the_short_way_answers_as_the_engine_does(cloud: str, target: str, body: bytes) -> None:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": target}
    short = ask("POST", "/", signed(body, headers=headers), body)
    long = ask("POST", "/", signed(body, headers=headers) | {"content-encoding": "identity"}, body)

    ours = {"content-type", "content-length", "x-amz-crc32", "x-amzn-query-error", "x-content-type-options"}
    assert "x-amz-id-2" in long[1]
    assert "x-amz-id-2" not in short[1]
    assert short[0] == long[0]
    assert {name: value for name, value in short[1].items() if name in ours} == {
        name: value for name, value in long[1].items() if name in ours
    }
    assert short[2] == long[2]


def test_an_account_is_copied_whole_and_dropped_whole(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def tables(account: str) -> list[str]:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
        return list(aws.call("dynamodb", "ListTables", {})["TableNames"])

    url, copy, other = os.environ["AWS_ENDPOINT_URL"], "299900000001", "299900000002"
    there = tables(cloud)
    assert there
    assert tables(copy) == []
    engine.copy_account(url, cloud, copy)
    assert tables(copy) == there
    table = aws.call("dynamodb", "DescribeTable", {"TableName": there[0]})["Table"]
    assert copy in table["TableArn"]
    assert cloud not in json.dumps(table, default=str)
    engine.copy_account(url, cloud, other, drop=copy)
    assert (tables(copy), tables(other), tables(cloud)) == ([], there, there)
    engine.copy_account(url, cloud, "299900000003", drop=other)
    with pytest.raises(Exception, match="400"):
        engine.copy_account(url, cloud, "no account")


@pytest.mark.parametrize("secret", ["embedded-engine", "test", "x" * 64])
def test_a_secret_that_somebody_could_know_opens_nothing(cloud: str, secret: str) -> None:
    assert ask("POST", "/", signed(secret=secret), b"{}")[0] == 403


def test_a_signature_covers_what_is_asked(cloud: str) -> None:
    good = signed()
    old = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ")
    assert ask("POST", "/", good, b'{"Limit": 1}')[0] == 403
    assert ask("POST", "/", {**good, "x-amz-target": "DynamoDB_20120810.DeleteTable"}, b"{}")[0] == 403
    assert ask("POST", "/?Action=x", good, b"{}")[0] == 403
    assert ask("GET", "/", good, b"{}")[0] == 403
    assert ask("POST", "/", {**good, "X-Amz-Date": old}, b"{}")[0] == 403
    assert ask("POST", "/", {**good, "Host": "rebound.example"}, b"{}")[0] == 403
    said = signed(headers={**LIST_TABLES, "x-amz-content-sha256": "0" * 64})
    assert ask("POST", "/", said, b"{}")[0] == 403


def test_a_name_that_is_rebound_to_this_machine_is_not_answered(cloud: str) -> None:
    assert ask("GET", "/_door")[0] == 204
    for host in ("rebound.example", f"rebound.example:{urlsplit(os.environ['AWS_ENDPOINT_URL']).port}"):
        assert ask("POST", "/", {**signed(), "Host": host}, b"{}")[0] == 403
        assert ask("OPTIONS", "/a-bucket/k", {"Host": host, "access-control-request-method": "PUT"})[0] == 403


def test_no_socket_is_opened_for_a_page(cloud: str) -> None:
    status, _, _ = ask(
        "GET",
        "/_aws/execute-api/abcdef/api",
        {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
            "origin": "https://page.example",
        },
    )
    assert status == 403


def test_a_browser_uploads_and_downloads_with_what_it_was_given(cloud: str) -> None:
    bucket, page = config().bucket, {"origin": "https://shop.example"}
    s3 = sdk.client("s3")
    params = {"Bucket": bucket, "Key": "evidence/x y.txt", "ContentType": "text/plain"}
    put = s3.generate_presigned_url("put_object", Params=params, ExpiresIn=60)
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "evidence/x y.txt"}, ExpiresIn=60)
    path = put.removeprefix(os.environ["AWS_ENDPOINT_URL"])

    asked = {**page, "access-control-request-method": "PUT", "access-control-request-headers": "content-type"}
    assert ask("OPTIONS", path, asked)[0] == 200
    assert ask("PUT", path, {**page, "content-type": "text/plain"}, b"hello")[0] == 200
    assert ask("GET", get.removeprefix(os.environ["AWS_ENDPOINT_URL"]), page)[2] == b"hello"
    assert ask("PUT", path.replace("x%20y", "z"), {"content-type": "text/plain"}, b"hello")[0] == 403
    assert ask("DELETE", path)[0] == 403
    with pytest.raises(Exception, match="404"):
        s3.head_object(Bucket=bucket, Key="evidence/z.txt")


def test_a_file_of_a_complaint_is_a_download_that_no_browser_sniffs(cloud: str) -> None:
    """A stranger's file, under the address that an operator or the other side opens; and the refusal of it."""
    from chalicelib.complaints import evidence
    from chalicelib.complaints.domain import Evidence

    found = Evidence("evd_" + "0" * 26, "image/png", 8)
    key = f"evidence/kept/cmp_1/{found.evidence_id}"
    aws.call(
        "s3", "PutObject", {"Bucket": config().bucket, "Key": key, "Body": b"<script>", "ContentType": "text/html"}
    )
    url, _ = evidence.link("cmp_1", found)
    path = url.removeprefix(os.environ["AWS_ENDPOINT_URL"])
    status, headers, _ = ask("GET", path)
    assert (status, headers["content-type"], headers["x-content-type-options"]) == (200, "image/png", "nosniff")
    assert headers["content-disposition"].startswith("attachment")
    refused = ask("GET", path.replace("X-Amz-Signature=", "X-Amz-Signature=0"))
    assert (refused[0], refused[1]["x-content-type-options"]) == (403, "nosniff")


@pytest.mark.parametrize("size", [1, 300_000])
def test_a_form_uploads_one_file_where_it_says(cloud: str, size: int) -> None:
    bucket = config().bucket
    s3 = sdk.client("s3")
    form: Any = s3.generate_presigned_post(bucket, "incoming/a", Conditions=[["content-length-range", 1, 10**6]])

    scenario.upload({"url": form["url"], "fields": form["fields"]}, b"x" * size)
    assert s3.head_object(Bucket=bucket, Key="incoming/a")["ContentLength"] == size
    for name, other in {"policy": "e30=", "x-amz-signature": "0" * 64, "x-amz-credential": "x"}.items():
        with pytest.raises(Exception, match="403"):
            scenario.upload({"url": form["url"], "fields": {**form["fields"], name: other}}, b"x")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[engine.Engine, Path]]:
    data = tmp_path / "engine"
    with engine.Engine(data=data) as running:
        yield running, data


def test_an_engine_listens_where_it_says_and_keeps_its_data_to_its_owner(
    own: tuple[engine.Engine, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, data = own
    for name, value in engine.environment(running.url, account="200000000009").items():
        monkeypatch.setenv(name, value)
    aws.forget_clients()
    aws.call("sqs", "CreateQueue", {"QueueName": f"q-{uuid4().hex}"})
    aws.call("s3", "CreateBucket", {"Bucket": "a-bucket-of-this-test"})
    aws.call("s3", "PutObject", {"Bucket": "a-bucket-of-this-test", "Key": "k", "Body": b"x"})
    assert _listening(running.pid) == {("127.0.0.1", running.port)}
    running.stop()

    aws.forget_clients()
    kept = [path for path in data.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if path.stat().st_mode & 0o077] == []
    assert data.stat().st_mode & 0o077 == 0
    for path in kept:
        assert not path.read_bytes().startswith(b"\x80"), f"{path} looks pickled"


def _listening(pid: int) -> set[tuple[str, int]]:
    """Return the TCP addresses a process listens on."""
    inodes = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        parts = line.split()
        if parts[3] == "0A" and f"socket:[{parts[9]}]" in inodes:
            host, port = parts[1].split(":")
            found.add((socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)))
    return found


def test_every_run_has_a_secret_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BIANDAN_ENGINE_SECRET", raising=False)
    first = engine.secret()
    assert engine.environment("http://127.0.0.1:1")["AWS_SECRET_ACCESS_KEY"] == first
    monkeypatch.delenv("BIANDAN_ENGINE_SECRET")
    assert engine.secret() != first
    assert len(first) == 64
