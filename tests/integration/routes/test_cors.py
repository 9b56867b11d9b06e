"""Pages of other origins: what they may read, what a preflight says, and that none of it needs a function."""

from __future__ import annotations

import pytest

from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime.http import cors
from tests.support.http import application, call
from tests.support.shop import shop
from tools.dev.gateway import Gateway
from tools.shared.httpd import Request, Response

SHOP, EVIL = "https://shop.example", "https://evil.example"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cors.SETTING, f"{SHOP}, https://other.example:8443")


def test_a_page_of_a_configured_origin_may_read_answers_and_refusals(cloud: str, named: None) -> None:
    made = shop().product()
    for path, status in ((f"/v1/products/{made.product_id}", 200), ("/v1/me", 401), ("/v1/products/prd_no", 404)):
        answer = call("GET", path, headers={"Origin": SHOP})
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "Origin" in answer.headers["vary"]
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", [EVIL, "null", SHOP + ".evil.example", SHOP + ":8443", "HTTPS://SHOP.EXAMPLE", ""])
def test_a_page_of_another_origin_may_not(cloud: str, named: None, origin: str) -> None:
    answer = call("GET", "/v1/categories", headers={"Origin": origin})
    assert answer.status == 200, "a program may call whatever it sends"
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"], "a cache must not give this answer to the shop's page"


def test_every_origin_is_told_a_star_and_nobody_credentials(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cors.SETTING, "*")
    answer = call("GET", "/v1/categories", headers={"Origin": EVIL})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    assert "Access-Control-Allow-Credentials" not in cors.preflight(EVIL)


def test_without_a_setting_nothing_is_said(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cors.SETTING, raising=False)
    answer = call("GET", "/v1/categories", headers={"Origin": SHOP})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "text", ["*,https://shop.example", "shop.example", "https://shop.example/", "https://*.shop.example", "null"]
)
def test_a_setting_that_means_nothing_lets_nobody_in(cloud: str, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(Misconfigured):
        cors.parse(text)
    monkeypatch.setenv(cors.SETTING, text)
    answer = call("GET", "/v1/categories", headers={"Origin": SHOP})
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers


def preflight(origin: str, path: str = "/v1/cart/lines/sku_1") -> Response:
    calls: list[object] = []

    def function(event: object, context: object) -> dict[str, object]:
        calls.append(event)
        return {"statusCode": 200, "body": ""}

    gateway = Gateway(function, application().routes)
    asked = [("origin", origin), ("access-control-request-method", "PUT"), ("host", "127.0.0.1")]
    answer = gateway(Request("OPTIONS", path, asked, b"", "127.0.0.1"))
    assert calls == [], "a preflight is no call of a function"
    return answer


def test_a_preflight_is_answered_without_a_function(named: None) -> None:
    answer = preflight(SHOP)
    said = dict(answer.headers)
    assert answer.status == 204
    assert said["Access-Control-Allow-Origin"] == SHOP
    assert {"PUT", "PATCH", "DELETE"} <= set(said["Access-Control-Allow-Methods"].split(", "))
    wanted = {"Authorization", "Idempotency-Key", "X-Cart-Token", "If-Match", "Content-Type"}
    assert wanted <= set(said["Access-Control-Allow-Headers"].split(", "))
    assert said["Access-Control-Max-Age"] == "7200"


def test_a_preflight_of_a_stranger_is_told_nothing(named: None) -> None:
    assert [name for name, _ in preflight(EVIL).headers if name.startswith("Access-Control")] == []
