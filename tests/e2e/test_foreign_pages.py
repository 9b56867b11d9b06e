"""Storefronts on origins of their own, in a real Chromium: what it asks first, what it lets a page read, what not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.publishing import domain, products
from chalicelib.runtime.http import cors
from tests.support import browser, goods
from tests.support.browser import Origin
from tests.support.shop import shop
from tools.dev.server import DevServer, door
from tools.shared.httpd import Request, Response

pytestmark = [pytest.mark.process, pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)]

TRY = """
const told = {};
const attempt = async (name, path, options) => {
  try {
    const answer = await fetch(API + path, options);
    told[name] = {status: answer.status, type: answer.type, etag: answer.headers.get("ETag"),
      secret: answer.headers.get("X-Content-Type-Options"), body: (await answer.text()).slice(0, 2000)};
  } catch (error) { told[name] = {refused: error.name}; }
};
"""


class Stage:
    """A dev server that names one origin, and what reached it from pages: (method, path, origin)."""

    def __init__(self, server: DevServer, allowed: Origin, refused: Origin) -> None:
        self.server, self.allowed, self.refused = server, allowed, refused
        self.seen: list[tuple[str, str]] = []

    def visit(self, origin: Origin, script: str) -> dict[str, Any]:
        self.seen.clear()
        path = browser.found()
        assert path is not None
        return origin.visit(path, f"const API = {self.server.url!r}; {TRY} {script}; return told;")


@pytest.fixture(scope="module")
def stage(shared_cloud: str) -> Iterator[Stage]:
    with Origin() as allowed, Origin() as refused, pytest.MonkeyPatch.context() as patch:
        patch.setenv(cors.SETTING, allowed.url)
        # Both may pass the door of a laptop, which AWS does not have: what is tested stands behind it.
        running = DevServer(
            port=0,
            seed=False,
            engine_url=os.environ["AWS_ENDPOINT_URL"],
            door=door(origins=(allowed.url, refused.url)),
        )
        with running as server:
            goods.categories()
            found = Stage(server, allowed, refused)
            gateway = server.gateway
            served = type(gateway).__call__

            def noting(self: Any, request: Request) -> Response:
                if request.header("origin"):
                    found.seen.append((request.method, request.target))
                return served(self, request)

            patch.setattr(type(gateway), "__call__", noting)
            yield found


def test_a_shop_of_a_named_origin_browses_buys_and_reads_refusals(stage: Stage) -> None:
    made = shop().product()
    calls = stage.server.gateway.calls
    told = stage.visit(
        stage.allowed,
        f"""
        await attempt("read", "/v1/products/{made.product_id}");
        await attempt("missing", "/v1/products/prd_no");
        await attempt("put", "/v1/cart/lines/{made.sku_id}", {{method: "PUT",
          headers: {{"Content-Type": "application/json", "Accept-Language": "zh-CN"}}, body: '{{"quantity": 1}}'}});
        await attempt("signed", "/v1/me", {{headers: {{"Authorization": "Bearer none"}}}});
        await attempt("cookies", "/v1/categories", {{credentials: "include"}});
        await attempt("odd", "/v1/categories", {{headers: {{"X-Whatever": "1"}}}});
        """,
    )
    assert (told["read"]["status"], told["read"]["type"]) == (200, "cors")
    assert made.product_id in told["read"]["body"]
    assert told["read"]["etag"], "named in Access-Control-Expose-Headers"
    assert told["read"]["secret"] is None, "and nothing else is shown to the page"
    assert told["missing"]["status"] == 404
    assert '"code":"not_found"' in told["missing"]["body"]
    assert told["put"]["status"] in (200, 201), told["put"]
    assert told["signed"]["status"] == 401
    assert told["cookies"] == {"refused": "TypeError"}, "credentials are never allowed"
    assert told["odd"] == {"refused": "TypeError"}, "a header that the preflight does not allow"
    line = f"/v1/cart/lines/{made.sku_id}"
    assert stage.seen.index(("OPTIONS", line)) < stage.seen.index(("PUT", line)), "it asked first"
    assert ("OPTIONS", "/v1/me") in stage.seen
    assert ("OPTIONS", f"/v1/products/{made.product_id}") not in stage.seen, "a plain read needs no preflight"
    functions_called = [one for one in stage.seen if one[0] != "OPTIONS"]
    assert stage.server.gateway.calls - calls == len(functions_called), "no preflight called a function"


def test_a_page_of_another_origin_reads_nothing_and_changes_nothing(stage: Stage) -> None:
    made = shop().product()
    told = stage.visit(
        stage.refused,
        f"""
        await attempt("read", "/v1/products/{made.product_id}");
        await attempt("missing", "/v1/products/prd_no");
        await attempt("put", "/v1/cart/lines/{made.sku_id}", {{method: "PUT",
          headers: {{"Content-Type": "application/json"}}, body: '{{"quantity": 1}}'}});
        await attempt("opaque", "/v1/categories", {{mode: "no-cors"}});
        """,
    )
    assert told["read"] == told["missing"] == told["put"] == {"refused": "TypeError"}
    assert (told["opaque"]["type"], told["opaque"]["status"], told["opaque"]["body"]) == ("opaque", 0, "")
    line = f"/v1/cart/lines/{made.sku_id}"
    assert ("OPTIONS", line) in stage.seen
    assert ("PUT", line) not in stage.seen, "the preflight was refused, so the change was never sent"


@pytest.mark.parametrize("which", ["allowed", "refused"])
def test_published_files_are_every_pages(stage: Stage, which: str) -> None:
    made = shop().product()
    products.publish([made.product_id])
    shard = domain.product_shard(made.product_id)
    told = stage.visit(
        getattr(stage, which),
        f"""
        await attempt("manifest", "/published/current/{shard}.json");
        const name = JSON.parse(told.manifest.body).files["{made.product_id}"][0];
        await attempt("file", `/published/files/{shard}/${{name}}.json`);
        await attempt("again", "/published/current/{shard}.json", {{headers: {{"If-None-Match": '"x"'}}}});
        await attempt("none", "/published/current/category-no.json");
        """,
    )
    assert [told[name]["status"] for name in ("manifest", "file", "again", "none")] == [200, 200, 200, 404]
    assert made.product_id in told["file"]["body"]
    assert stage.seen == [], "files need nothing of the API"
