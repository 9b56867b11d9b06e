"""A storefront that reads published files: a whole session of browsing, and how many functions ran for it."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.publishing import domain
from chalicelib.runtime.config import config
from tests.support.http import call
from tools.dev.server import DevServer


@pytest.fixture(scope="module")
def server(shared_cloud: str) -> Iterator[DevServer]:
    with DevServer(port=0, engine_url=os.environ["AWS_ENDPOINT_URL"]) as running:
        yield running


class Reader:
    """What a storefront does: follows manifests, keeps files for good. Counts what it fetched."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.fetched = 0
        self.kept: dict[str, Any] = {}

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        self.fetched += 1
        request = urllib.request.Request(self.base_url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def manifest(self, shard: str) -> dict[str, list[str]]:
        status, headers, body = self.get(f"/published/current/{shard}.json")
        assert (status, headers["Cache-Control"]) == (200, "public, max-age=2")
        files: dict[str, list[str]] = json.loads(body)["files"]
        return files

    def file(self, shard: str, name: str) -> Any:
        path = f"/published/files/{shard}/{name}.json"
        if path not in self.kept:
            status, headers, body = self.get(path)
            assert (status, headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
            self.kept[path] = json.loads(body)
        return self.kept[path]

    def product(self, product_id: str) -> Any:
        shard = domain.product_shard(product_id)
        (name,) = self.manifest(shard)[product_id]
        return self.file(shard, name)


def test_a_whole_session_of_browsing_calls_no_function(server: DevServer) -> None:
    def functions_called() -> int:
        """Count what ran; the clock of reconciliation, which begins with any server, has nothing to do with readers."""
        ran = [entry for entry in list(server.trail.entries) if entry.kind in ("http", "event", "queue")]
        return sum("reconciliation" not in entry.text for entry in ran)

    server.pump.settle(60)
    still_since, before = time.monotonic(), functions_called()
    while time.monotonic() < still_since + 3:  # What was published a moment ago rests, and is looked at once more.
        time.sleep(0.1)
        if functions_called() != before:
            still_since, before = time.monotonic(), functions_called()
    api_calls = server.gateway.calls
    reader = Reader(server.url)
    tree = reader.file("site", reader.manifest("site")["categories"][0])
    seen: set[str] = set()
    merchants: set[str] = set()
    for category in tree["categories"][:6]:
        shard = f"category-{category['category_id']}"
        files = reader.manifest(shard)
        for order in ("newest", "price_asc", "price_desc"):
            for name in files[order][:2]:
                cards = reader.file(shard, name)["items"]
                seen |= {card["product_id"] for card in cards[:4]}
                merchants |= {card["merchant_id"] for card in cards}
    for product_id in sorted(seen):
        assert reader.product(product_id)["product_id"] == product_id
    for merchant_id in sorted(merchants):
        shard = f"merchant-{merchant_id}"
        files = reader.manifest(shard)
        assert reader.file(shard, files["merchant"][0])["merchant_id"] == merchant_id
        assert reader.file(shard, files["newest"][0])["items"]
    assert len(seen) >= 10
    assert reader.fetched > 40
    assert functions_called() - before == 0
    assert server.gateway.calls - api_calls == 0


def test_every_listed_product_of_a_new_installation_is_published(server: DevServer) -> None:
    reader = Reader(server.url)
    files = reader.manifest("all")
    listed = [card["product_id"] for name in files["newest"] for card in reader.file("all", name)["items"]]
    assert len(listed) == len(set(listed)) > 100
    published = {key for shard in domain.product_shards() for key in _files(reader, shard)}
    assert set(listed) == published


def _files(reader: Reader, shard: str) -> dict[str, list[str]]:
    status, _, body = reader.get(f"/published/current/{shard}.json")
    return json.loads(body)["files"] if status == 200 else {}


def test_a_change_is_seen_by_readers_within_ten_seconds(server: DevServer) -> None:
    reader = Reader(server.url)
    account = next(one for one in server.accounts if "merchant_id" in one)
    signed = call("POST", "/v1/auth/sign-in", {"identity": account["email"], "password": account["password"]})
    token = signed.json["access_token"]
    card = call("GET", "/v1/merchant/products?limit=1", token=token).json["items"][0]
    path = f"/v1/merchant/products/{card['product_id']}"
    mine = call("GET", path, token=token)
    done = call("PATCH", path, {"titles": {"zh": "新标题"}}, token=token, headers={"If-Match": mine.headers["etag"]})
    assert done.status == 200, done.body
    began = time.monotonic()
    while reader.product(card["product_id"])["titles"]["zh"] != "新标题":
        assert time.monotonic() - began < 10
        time.sleep(0.1)


def test_what_is_not_there_gets_a_page_and_nothing_else_of_the_bucket_is_served(server: DevServer) -> None:
    reader = Reader(server.url)
    for path in (
        "/published/current/category-no.json",
        "/published/files/all/no-261122.json",
        "/published/../published/current/all.json",
        "/published/current/%61ll.json",
        "/published/",
    ):
        status, headers, body = reader.get(path)
        assert status == 404, path
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"404" in body
    assert config().published_bucket


def test_files_are_everybodys_and_guarded_like_on_the_cdn(server: DevServer) -> None:
    reader = Reader(server.url)
    status, headers, _ = reader.get("/published/current/site.json", Origin="http://127.0.0.1:5173")
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    again = reader.get("/published/current/site.json", **{"If-None-Match": headers["ETag"]})
    assert (again[0], again[2]) == (304, b"")


def test_the_api_answers_a_page_of_another_origin_and_its_preflight_needs_no_function(server: DevServer) -> None:
    foreign = "http://127.0.0.1:5173"
    before = len(server.trail.entries)
    request = urllib.request.Request(
        f"{server.url}/v1/cart/lines/sku_1",
        method="OPTIONS",
        headers={"Origin": foreign, "Access-Control-Request-Method": "PUT"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert [entry for entry in list(server.trail.entries)[before:] if entry.kind == "http"] == []
    status, headers, _ = Reader(server.url).get("/v1/categories", Origin=foreign)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
