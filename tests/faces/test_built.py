"""What `make web` built, as it is published: whole, small, within its policy, and open to everybody."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Response

from infra import faces
from tests.faces.visitor import PHONE, Visitor
from tools.dev.server import DevServer
from tools.release import faces as publishing

BUDGET_BYTES = 120_000
"""The shop's first page, gzipped: document, scripts and styles."""
ENTRANCES = [("storefront", "/shop/"), ("console", "/console/")]


@pytest.mark.parametrize("face", faces.FACES, ids=lambda face: face.name)
def test_all_of_it_can_be_published(face: faces.Face) -> None:
    files = publishing.built(face)
    assert files, f"{face.name} is not built: make web"
    assert files[-1].key == f"{faces.PREFIX}{face.at}{faces.DOCUMENT}"
    assert any(file.kept == faces.FOREVER for file in files)
    page = files[-1].path.read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|\sstyle=", page), page


@pytest.mark.parametrize(("name", "path"), ENTRANCES, ids=[name for name, _ in ENTRANCES])
def test_an_entrance_opens_for_everybody(anyone: Visitor, name: str, path: str) -> None:
    page = anyone.go(path)
    page.locator("h1, [role=heading], main, [role=main]").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert anyone.barriers() == []
    if name == "storefront":
        anyone.picture(name)


def test_the_shops_first_page_is_small(visit: Callable[..., Visitor], server: DevServer) -> None:
    sizes: dict[str, int] = {}

    def came(response: Response) -> None:
        kind = response.headers.get("content-type", "")
        if response.status == 200 and any(part in kind for part in ("text/html", "javascript", "text/css")):
            sizes[response.url.removeprefix(server.url)] = len(gzip.compress(response.body(), 9))

    someone = visit(PHONE)
    someone.page.on("response", came)
    someone.go("/shop/").wait_for_load_state("networkidle")
    assert sum(sizes.values()) <= BUDGET_BYTES, sizes
