"""Whose request it is: by configuration, from the trusted hop; whatever a caller says of himself never counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.policy import anybody, provider
from chalicelib.runtime import aws, names, secrets
from chalicelib.runtime.http import client_address
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.app import App
from chalicelib.runtime.http.routes import Reply, Request, Routes
from tests.support.http import call, event
from tests.support.shop import shop

KEY = "local-origin-key"
EDGE = "130.176.0.9"
"""The CDN's own address: it connects to the gateway."""
VIEWER = "CloudFront-Viewer-Address"

routes = Routes("test", table={"who": anybody(), "notice": provider()})


@routes.route("GET", "/v1/who", access=Access.PUBLIC)
def who(request: Request) -> Reply:
    return Reply(request.source_ip, 200, {"Content-Type": "text/plain"})


@routes.route("POST", "/v1/notice", access=Access.PROVIDER, idempotent=False)
def notice(request: Request) -> Reply:
    return Reply(request.source_ip, 200, {"Content-Type": "text/plain"})


@pytest.fixture(scope="module")
def app() -> App:
    made = App("test", authenticate="nobody:asks")
    made.install([(r.method, r.path, __name__, r.content_types) for r in routes.entries])
    return made


def ask(app: App, *sent: tuple[str, str], peer: str = EDGE, path: str = "/v1/who", method: str = "GET") -> Any:
    """Return the address that the route saw, or status and code of the refusal."""
    made = event(method, path, headers={"content-type": "application/json"}, app=app)
    made["requestContext"]["identity"]["sourceIp"] = peer
    for name, value in sent:
        made["headers"][name] = value
        made["multiValueHeaders"].setdefault(name, []).append(value)
    answer = app(made, None)
    if answer["statusCode"] == 200:
        return answer["body"]
    return answer["statusCode"], json.loads(answer["body"])["code"]


def behind(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(client_address.SETTING, value)


REFUSED = (403, "went_around")
FORGED = (
    ("X-Forwarded-For", f"198.51.100.66, {EDGE}"), (VIEWER, "198.51.100.66:5000"), ("Forwarded", "for=198.51.100.66"),
    ("X-Real-IP", "198.51.100.66"), ("True-Client-IP", "198.51.100.66"), ("X-Origin-Key", KEY),
)  # fmt: skip


@pytest.mark.parametrize("value", ["", "gateway"])
def test_without_a_cdn_no_header_counts(app: App, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    behind(monkeypatch, value)
    assert ask(app, *FORGED, peer="203.0.113.5") == "203.0.113.5"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("198.51.100.10:46532", "198.51.100.10"),
        ("2001:db8:85a3::8a2e:370:7334:46532", "2001:db8:85a3::8a2e:370:7334"),
        ("2001:db8::1:80", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
def test_cloudfront_names_the_viewer(
    shared_cloud: str, app: App, monkeypatch: pytest.MonkeyPatch, value: str, address: str
) -> None:
    behind(monkeypatch, f"header:{VIEWER}")
    assert ask(app, ("X-Origin-Key", KEY), (VIEWER, value)) == address
    forged = ("X-Forwarded-For", f"192.0.2.1, {EDGE}")
    assert ask(app, ("x-origin-key", KEY), (VIEWER.lower(), value), forged) == address


def test_another_cdns_header_may_hold_the_bare_address(
    shared_cloud: str, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind(monkeypatch, "header:True-Client-IP")
    for value, address in (
        ("198.51.100.10", "198.51.100.10"),
        ("198.51.100.10:99", "198.51.100.10"),
        ("2001:db8::1:80", "2001:db8::1:80"),  # Here nothing says that a port must stand there.
    ):
        assert ask(app, ("X-Origin-Key", KEY), ("True-Client-IP", value)) == address


@pytest.mark.parametrize(
    "sent",
    [
        (),
        (("X-Origin-Key", KEY),),
        ((VIEWER, "198.51.100.10:1"),),
        (("X-Origin-Key", ""), (VIEWER, "198.51.100.10:1")),
        (("X-Origin-Key", KEY[:-1]), (VIEWER, "198.51.100.10:1")),
        (("X-Origin-Key", f"{KEY}, {KEY}"), (VIEWER, "198.51.100.10:1")),
        (("X-Origin-Key", "wrong"), ("X-Origin-Key", KEY), (VIEWER, "198.51.100.10:1")),
        (("X-Origin-Key", KEY), ("X-Origin-Key", KEY), (VIEWER, "198.51.100.10:1")),
        (("X-Origin-Key", KEY), (VIEWER, "198.51.100.66:1"), (VIEWER, "198.51.100.10:1")),
        (("X-Origin-Key", KEY), (VIEWER, "198.51.100.10")),  # CloudFront always says the port.
        (("X-Origin-Key", KEY), (VIEWER, "nobody:1")),
        (("X-Origin-Key", KEY), (VIEWER, "")),
        (("X-Origin-Key", KEY), (VIEWER, "198.51.100.10, 198.51.100.66:1")),
    ],
)
def test_what_went_around_the_cdn_is_refused(
    shared_cloud: str, app: App, monkeypatch: pytest.MonkeyPatch, sent: tuple[tuple[str, str], ...]
) -> None:
    behind(monkeypatch, f"header:{VIEWER}")
    assert ask(app, *sent) == REFUSED


@pytest.mark.parametrize(
    ("hops", "chain", "expected"),
    [
        (1, f"198.51.100.10, {EDGE}", "198.51.100.10"),
        (1, f"192.0.2.66, 198.51.100.10, {EDGE}", "198.51.100.10"),  # The first is what the client sent itself.
        (1, f"junk, 192.0.2.66,198.51.100.10 ,{EDGE}", "198.51.100.10"),
        (2, f"192.0.2.66, 198.51.100.10, 10.0.0.1, {EDGE}", "198.51.100.10"),
        (1, f"2001:DB8:0::1, {EDGE}", "2001:db8::1"),
        (2, f"198.51.100.10, {EDGE}", REFUSED),  # It came past one of the two.
        (1, EDGE, REFUSED),
        (1, "", REFUSED),
        (1, f"unknown, {EDGE}", REFUSED),
        (1, "198.51.100.10, 192.0.2.66", REFUSED),  # Not what the gateway appends.
    ],
)
def test_of_a_chain_of_proxies_the_trusted_ones_count(
    shared_cloud: str, app: App, monkeypatch: pytest.MonkeyPatch, hops: int, chain: str, expected: Any
) -> None:
    behind(monkeypatch, f"forwarded:{hops}")
    assert ask(app, ("X-Origin-Key", KEY), ("X-Forwarded-For", chain)) == expected
    assert ask(app, ("X-Forwarded-For", chain)) == REFUSED


def test_a_signed_notice_may_come_straight(shared_cloud: str, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    behind(monkeypatch, f"header:{VIEWER}")
    straight = ask(app, (VIEWER, "198.51.100.10:1"), peer="203.0.113.5", path="/v1/notice", method="POST")
    assert straight == "203.0.113.5"
    through = ask(app, ("X-Origin-Key", KEY), (VIEWER, "198.51.100.10:1"), path="/v1/notice", method="POST")
    assert through == "198.51.100.10"


def test_while_the_key_is_replaced_both_count(cloud: str, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    behind(monkeypatch, f"header:{VIEWER}")
    value = {"cursor_key": "local-cursor-key", "origin_key": "local-next", "origin_key_before": KEY}
    put(value)
    for key, seen in ((KEY, "198.51.100.10"), ("local-next", "198.51.100.10"), ("local-other", REFUSED)):
        assert ask(app, ("X-Origin-Key", key), (VIEWER, "198.51.100.10:1")) == seen
    put({"cursor_key": "local-cursor-key"})
    assert ask(app, ("X-Origin-Key", KEY), (VIEWER, "198.51.100.10:1")) == (500, "misconfigured")


def put(value: dict[str, str]) -> None:
    params = {"SecretId": names.secret_name("http"), "SecretString": json.dumps(value)}
    aws.call("secretsmanager", "PutSecretValue", params)
    secrets.forget()


@pytest.mark.parametrize(
    "value",
    ["cdn", "header:", "header", "header:X-Forwarded-For", "forwarded", "forwarded:0", "forwarded:6", "forwarded:-1",
     "forwarded:x", "forwarded:\u0661", "gateway:1"],
)  # fmt: skip
def test_a_setting_that_nobody_can_read_stops_the_function(
    app: App, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    behind(monkeypatch, value)
    assert ask(app, *FORGED) == (500, "misconfigured")
    with pytest.raises(Misconfigured, match=client_address.SETTING):
        client_address._rule(value)


def test_behind_a_cdn_each_viewer_is_counted_alone(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    behind(monkeypatch, f"header:{VIEWER}")
    monkeypatch.setattr("chalicelib.cart.store.BEGUN_BY_NETWORK", 2)
    sku_id = shop().product().sku_id

    def begin(viewer: str, key: str = KEY) -> int:
        sent = {VIEWER: f"{viewer}:40000", "X-Origin-Key": key}
        return call("PUT", f"/v1/cart/lines/{sku_id}", {"quantity": 1}, headers=sent).status

    assert [begin("198.51.100.10") for _ in range(3)] == [200, 200, 429]
    assert begin("198.51.100.11") == 200
    assert begin("198.51.100.12", key="local-guess") == 403
