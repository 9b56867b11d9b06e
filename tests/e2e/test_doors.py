"""A stranger's page in the developer's browser: no server of ``make dev`` tells it anything or does what it says."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from chalicelib.runtime import log
from tools.dev.server import DevServer
from tools.fakes.sandbox import providers
from tools.fakes.sandbox.server import Server

Headers = dict[str, str | list[str]]
STRANGERS: dict[str, Headers] = {
    "a name rebound to this machine": {"host": "rebound.example"},
    "a rebound name with our port": {"host": "rebound.example:{port}"},
    "another port's name": {"host": "127.0.0.1:1"},
    "a name that begins with ours": {"host": "127.0.0.1.rebound.example:{port}"},
    "no name": {"host": []},
    "two names": {"host": ["127.0.0.1:{port}", "rebound.example"]},
    "another origin": {"origin": "https://page.example"},
    "another origin that looks like ours": {"origin": "http://127.0.0.1.page.example:{port}"},
    "no origin to speak of": {"origin": "null"},
    "two origins": {"origin": ["http://127.0.0.1:{port}", "https://page.example"]},
    "a form of another site": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "empty"},
    "a page of another port": {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
    "a frame in another page": {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "iframe",
    },
}
READS = {
    "api": ["/v1/products", "/docs", "/openapi.json", "/_dev/", "/_dev/queues", "/_dev/explain/x"],
    **{name: ["/", "/state"] for name in providers.PORTS},
    "carrier": ["/"],
}
ORDERS = {
    "api": ["/_dev/clock", "/_dev/settle", "/_dev/dead-letters/payments", "/v1/auth/register"],
    **{
        name: ["/control", "/rotate", "/pay/x", "/pay-twice/x", "/pay-closed/x", "/settle/x", "/console-refund/x"]
        for name in providers.PORTS
    },
    "carrier": ["/command"],
}
OPEN_ORDERS = [(name, path) for name, paths in ORDERS.items() for path in paths if path != "/v1/auth/register"]


@pytest.fixture(scope="module")
def urls(shared_cloud: str) -> Iterator[dict[str, str]]:
    log.set_level("CRITICAL")
    with DevServer(port=0, engine_url=os.environ["AWS_ENDPOINT_URL"], seed=False) as running:
        yield {"api": running.url, "carrier": running.carrier_url, **running.cashiers}
    log.set_level("INFO")


def ask(url: str, method: str, path: str, headers: Headers, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    port = urlsplit(url).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"host": f"127.0.0.1:{port}", **headers}.items():
            for one in [value] if isinstance(value, str) else value:
                connection.putheader(name, one.replace("{port}", str(port)))
        if body:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_strangers_page_reads_nothing(urls: dict[str, str], stranger: str) -> None:
    for name, paths in READS.items():
        for path in paths:
            status, headers, _ = ask(urls[name], "GET", path, STRANGERS[stranger])
            assert status in (403, 421), (name, path, status)
            assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_strangers_page_orders_nothing(urls: dict[str, str], stranger: str) -> None:
    for name, paths in ORDERS.items():
        for path in paths:
            json_headers = {"content-type": "application/json", **STRANGERS[stranger]}
            status, _, _ = ask(urls[name], "POST", path, json_headers, b"{}")
            assert status in (403, 421), (name, path, status)


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "text/plain; application/json",
        "",
        None,
    ],
)
def test_orders_are_json(urls: dict[str, str], kind: str | None) -> None:
    for name, path in OPEN_ORDERS:
        for spelled in (path, f"{path}/", f"{path}?x=1"):
            headers: Headers = {} if kind is None else {"content-type": kind}
            if kind not in (None, "application/x-www-form-urlencoded"):
                assert ask(urls[name], "POST", spelled, headers)[0] == 415
            status, _, body = ask(urls[name], "POST", spelled, headers, b'{"chaos": 1, "advance_s": 1}')
            assert status == 415, (name, spelled, kind, status)
            assert json.loads(body)["code"] == "unsupported_media_type"


def test_what_was_refused_has_changed_nothing(urls: dict[str, str]) -> None:
    for name in providers.PORTS:
        _, _, before = ask(urls[name], "GET", "/state", {})
        ask(urls[name], "POST", "/control", {"content-type": "text/plain"}, b'{"chaos": 1}')
        ask(urls[name], "POST", "/rotate", {"content-type": "application/json", "origin": "null"}, b"{}")
        _, _, after = ask(urls[name], "GET", "/state", {})
        assert json.loads(after)["chaos"] == json.loads(before)["chaos"]
        assert json.loads(after)["default"] == {}


def test_people_and_programs_still_get_in(urls: dict[str, str]) -> None:
    for name, url in urls.items():
        port = urlsplit(url).port
        for own in (f"127.0.0.1:{port}", f"LocalHost:{port}"):
            page: Headers = {"host": own, "sec-fetch-site": "none", "sec-fetch-mode": "navigate"}
            assert ask(url, "GET", "/docs" if name == "api" else "/", page)[0] == 200, (name, own)
    for name in providers.PORTS:
        port = urlsplit(urls[name]).port
        click: Headers = {
            "content-type": "application/json; charset=utf-8",
            "origin": f"http://127.0.0.1:{port}",
            "sec-fetch-site": "same-origin",
        }
        assert ask(urls[name], "POST", "/control", click, b"{}")[0] == 200
        link: Headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        status, headers, _ = ask(urls[name], "GET", "/", link)
        assert (status, headers["x-frame-options"]) == (200, "DENY")
    assert ask(urls["api"], "POST", "/_dev/settle", {})[0] == 200


@pytest.mark.parametrize("by", ["1e12", "NaN", "Infinity", "-1", '"x"', "[" * 50_000, "9" * 5000])
def test_the_clock_goes_no_further_than_anybody_can_count(urls: dict[str, str], by: str) -> None:
    before = json.loads(ask(urls["api"], "GET", "/_dev/clock", {})[2])["offset_s"]
    as_json: Headers = {"content-type": "application/json"}
    assert ask(urls["api"], "POST", "/_dev/clock", as_json, f'{{"advance_s": {by}}}'.encode())[0] == 422
    assert json.loads(ask(urls["api"], "GET", "/_dev/clock", {})[2])["offset_s"] == before


def test_a_storefront_under_development_reads_the_api_and_nothing_else(urls: dict[str, str]) -> None:
    page: Headers = {"origin": "http://localhost:5173", "sec-fetch-site": "same-site"}
    assert ask(urls["api"], "GET", "/v1/products", page)[0] == 200
    assert ask(urls["api"], "GET", "/_dev/", page)[0] == 403
    picture: Headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    assert ask(urls["api"], "GET", "/_dev/pictures/cup/Tea.svg", picture)[0] == 200


def test_a_stand_in_alone_has_the_same_door() -> None:
    server = Server().start()
    try:
        for stranger in STRANGERS.values():
            assert ask(server.url, "GET", "/state", stranger)[0] in (403, 421)
        assert ask(server.url, "POST", "/control", {"content-type": "text/plain"}, b"{}")[0] == 415
        assert ask(server.url, "GET", "/state", {})[0] == 200
    finally:
        server.stop()


def test_names_and_origins_that_the_developer_adds(shared_cloud: str) -> None:
    from tools.dev.server import door

    opened = door(["shop.tunnel.example"], ["https://front.example"])
    opened.ports.append(8000)
    assert opened.refusal("GET", "/_dev/", [("host", "shop.tunnel.example")]) is None
    there = [("host", "shop.tunnel.example"), ("origin", "https://front.example")]
    assert opened.refusal("POST", "/v1/carts", there) is None
    refused = opened.refusal("POST", "/_dev/clock", there)
    assert refused is not None
    assert refused.status == 403
