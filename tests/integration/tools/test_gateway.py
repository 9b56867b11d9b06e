"""The laptop's gateway differs from what one would expect where AWS's does, and the application copes with both."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urljoin

import pytest

from chalicelib.catalog.api import IMPORT_BODY_CAP_BYTES
from chalicelib.runtime.http import client_address
from infra import refusals
from tests.support import http
from tests.support.shop import buyer, shop
from tools.dev.gateway import LAMBDA_CAP, PAYLOAD_CAP, Gateway
from tools.shared.httpd import Request, Response

Seen = list[dict[str, Any]]


def gateway(seen: Seen, **answer: Any) -> Gateway:
    def function(event: dict[str, Any], _: Any) -> dict[str, Any]:
        seen.append(event)
        return {"statusCode": 200, "body": "", **answer}

    return Gateway(function, {"/v1/a": ["GET"], "/v1/a/{x}": ["PUT"]}, binary_types=["text/csv"])


def ask(through: Gateway, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
    sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return through(Request(method, target, sent, body, "203.0.113.5"))


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/v1/b"), ("GET", "/"), ("GET", "/v1/a/"), ("POST", "/v1/a"), ("HEAD", "/v1/a"), ("GET", "/v1/a/b"),
     ("OPTIONS", "/v1/b"), ("DELETE", "/v1/a/b/c")],
)  # fmt: skip
@pytest.mark.parametrize("token", ["", "Bearer x.y.z"])
def test_an_address_or_a_method_that_there_is_not_never_reaches_the_function(
    method: str, target: str, token: str
) -> None:
    seen: Seen = []
    answer = ask(gateway(seen), method, target, authorization=token)
    problem = json.loads(answer.body)
    assert (answer.status, problem["code"], problem["status"]) == (404, "not_found", 404)
    assert ("Content-Type", "application/problem+json") in answer.headers
    assert seen == []


def test_aws_says_the_same_of_an_address_that_there_is_not_whatever_it_reads_into_a_bearer_token() -> None:
    for kind in ("MISSING_AUTHENTICATION_TOKEN", "RESOURCE_NOT_FOUND", "INVALID_SIGNATURE", "ACCESS_DENIED"):
        status, code, _ = refusals.REFUSALS[kind]
        assert (status, code) == (404, "not_found"), kind


def test_what_aws_remaps_is_remapped() -> None:
    headers = {"WWW-Authenticate": "Bearer", "Date": "x", "X-Mine": "y", "Transfer-Encoding": "chunked"}
    answer = ask(gateway([], headers=headers), "GET", "/v1/a")
    assert answer.headers == [
        ("x-amzn-Remapped-WWW-Authenticate", "Bearer"),
        ("x-amzn-Remapped-Date", "x"),
        ("X-Mine", "y"),
    ]


def test_whoever_connected_ends_the_chain_whatever_was_sent() -> None:
    seen: Seen = []
    through = gateway(seen)
    through(Request("GET", "/v1/a", [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")], b"", "3.3.3.3"))
    assert seen[0]["headers"]["x-forwarded-for"] == "1.1.1.1, 2.2.2.2, 3.3.3.3"
    assert seen[0]["multiValueHeaders"]["x-forwarded-for"] == ["1.1.1.1, 2.2.2.2, 3.3.3.3"]
    assert seen[0]["requestContext"]["identity"]["sourceIp"] == "3.3.3.3"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/csv", b"x" * IMPORT_BODY_CAP_BYTES, 200),
        ("text/csv", b"x" * (5 * 1024 * 1024), 413),  # In base64 it is 7 MB.
        ("application/json", b"x" * (5 * 1024 * 1024), 200),
        ("application/json", b'"' * (4 * 1024 * 1024), 413),  # As JSON each takes two.
        ("application/json", b"x" * LAMBDA_CAP, 413),
        ("text/csv", b"x" * (PAYLOAD_CAP + 1), 413),
    ],
)
def test_sizes_count_as_lambda_counts_them(kind: str, body: bytes, status: int) -> None:
    seen: Seen = []
    answer = ask(gateway(seen), "PUT", "/v1/a/b", body, content_type=kind)
    assert answer.status == status
    assert len(seen) == (status == 200)
    if status == 413:
        assert json.loads(answer.body)["code"] == "too_large"


def test_an_answer_counts_as_json_too() -> None:
    assert ask(gateway([], body='"' * (4 * 1024 * 1024)), "GET", "/v1/a").status == 502
    assert ask(gateway([], body="x" * (4 * 1024 * 1024)), "GET", "/v1/a").status == 200


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=gbk", "TEXT/CSV"])
def test_a_file_arrives_byte_for_byte(kind: str) -> None:
    seen: Seen = []
    content = "标题,价格\n龙井,19.90\n".encode("gbk")
    ask(gateway(seen), "PUT", "/v1/a/b", content, content_type=kind)
    assert base64.b64decode(seen[0]["body"]) == content


# --- the stage --------------------------------------------------------------------------------------------------------


def placed(monkeypatch: pytest.MonkeyPatch, stage: str, *, client: str = "") -> tuple[str, Response]:
    """Place a purchase at an API that lies under a stage; returns its id and the answer."""
    who = buyer()
    who.put(shop().product(stock=5).sku_id, 1)
    quote = who.quote().json["quote"]
    monkeypatch.setenv(client_address.SETTING, client)
    application = http.application()
    through = Gateway(application, application.routes, binary_types=application.api.binary_types, stage=stage)
    sent = [("content-type", "application/json"), ("authorization", f"Bearer {who.token}")]
    sent += [("idempotency-key", "key-12345678"), ("x-origin-key", "local-origin-key")]
    sent += [("cloudfront-viewer-address", "198.51.100.9:4000")]
    prefix = f"/{stage}" if stage else ""
    body = json.dumps({"quote": quote}).encode()
    answer = through(Request("POST", f"{prefix}/v1/purchases", sent, body, "203.0.113.5"))
    assert answer.status == 201, answer.body
    return str(json.loads(answer.body)["purchase_id"]), answer


@pytest.mark.parametrize("stage", ["api", ""])
def test_a_location_is_where_the_caller_finds_it(cloud: str, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    purchase_id, answer = placed(monkeypatch, stage)
    base = f"https://x.execute-api.eu-central-1.amazonaws.com/{stage}".rstrip("/")
    location = dict(answer.headers)["Location"]
    assert urljoin(f"{base}/v1/purchases", location) == f"{base}/v1/purchases/{purchase_id}"


def test_behind_a_cdn_the_stage_is_nobodys_business(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CDN adds it on the way to the API: its callers never see it."""
    purchase_id, answer = placed(monkeypatch, "api", client="header:CloudFront-Viewer-Address")
    assert dict(answer.headers)["Location"] == f"/v1/purchases/{purchase_id}"


def test_what_is_not_under_the_stage_is_no_address() -> None:
    through = Gateway(lambda event, _: {"statusCode": 200, "body": ""}, {"/v1/a": ["GET"]}, stage="api")
    assert ask(through, "GET", "/api/v1/a").status == 200
    for target in ("/v1/a", "/apiv1/a", "/api", "/other/v1/a"):
        assert ask(through, "GET", target).status == 404, target
