"""The harness itself, on a tiny page: what it sees, what it lets through, and what it must not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra import faces
from tests.faces.visitor import WIDE, Visitor
from tools.dev.faces import Faces
from tools.dev.server import DevServer

GOOD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="assets/page-Ab12_d-9.css"></head>
<body><main><h1>Tea</h1><p id="said">nothing</p></main>
<script type="module" src="assets/page-Ab12_d-9.js"></script></body></html>"""
SCRIPT = """
const answer = await fetch("/v1/categories");
document.getElementById("said").textContent = String(answer.status);
"""


@pytest.fixture
def page(server: DevServer, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Serve a page of ours where the console lies; returns its path."""
    before, folder = server.faces, tmp_path / "console" / "dist"
    (folder / "assets").mkdir(parents=True)

    def write(document: str = GOOD, script: str = SCRIPT) -> str:
        (folder / "index.html").write_text(document, "utf-8")
        (folder / "assets" / "page-Ab12_d-9.js").write_text(script, "utf-8")
        (folder / "assets" / "page-Ab12_d-9.css").write_text("h1 { color: #333 }", "utf-8")
        return "/console/"

    server.faces = Faces(uploads=lambda: "http://127.0.0.1:9", root=tmp_path)
    yield write
    server.faces = before


def test_a_page_runs_asks_the_api_and_keeps_nobody_out(anyone: Visitor, page: Callable[..., str]) -> None:
    found = anyone.go(page())
    found.get_by_text("200").wait_for()
    assert anyone.barriers() == []


def test_a_place_inside_a_page_is_that_page(visit: Callable[..., Visitor], page: Callable[..., str]) -> None:
    page(GOOD.replace('"assets/', '"/console/assets/'))
    visit().go("/console/orders/ord_1?tab=2").get_by_role("heading", name="Tea").wait_for()


def test_barriers_are_seen(visit: Callable[..., Visitor], page: Callable[..., str]) -> None:
    someone = visit(WIDE)
    someone.go(page(GOOD.replace("<h1>Tea</h1>", "<h1>Tea</h1><input><button></button>")))
    assert {barrier.split(" ")[0] for barrier in someone.barriers()} >= {"label", "button-name"}


@pytest.mark.parametrize(
    ("document", "script", "wrong"),
    [
        (GOOD.replace("<h1>", "<script>document.title = 'x'</script><h1>"), SCRIPT, "Content Security Policy"),
        (GOOD.replace("<h1>", "<h1 onclick='x()'>"), SCRIPT, "Content Security Policy"),
        (GOOD.replace("<h1>", "<style>h1 { color: red }</style><h1>"), SCRIPT, "Content Security Policy"),
        (GOOD, "eval('1')", "unsafe-eval"),
        (GOOD, "throw new Error('broken')", "broken"),
        (GOOD, "console.error('said')", "said"),
        (GOOD, "fetch('/v1/nothing')", "404"),
        (GOOD, "fetch('https://shop.example/x').catch(() => 0)", "Content Security Policy"),
    ],
)
def test_what_a_page_must_not_do_is_seen(
    visit: Callable[..., Visitor], page: Callable[..., str], document: str, script: str, wrong: str
) -> None:
    someone = visit()
    someone.go(page(document, script))
    someone.until(lambda: any(wrong in text for text in someone.wrong))
    someone.wrong.clear()
    someone.outside.clear()


def test_a_request_outside_is_counted_though_it_fails(visit: Callable[..., Visitor], page: Callable[..., str]) -> None:
    someone = visit()
    someone.go(page(GOOD.replace("<h1>", '<img alt="tea" src="https://cdn.example/beacon.png"><h1>')))
    someone.until(lambda: someone.outside == ["GET https://cdn.example/beacon.png"] and bool(someone.wrong))
    someone.outside.clear()
    someone.wrong.clear()


def test_the_address_alone_leads_to_the_shop(visit: Callable[..., Visitor]) -> None:
    someone = visit()
    someone.allow("503")
    assert someone.go("/").url.split("#")[0].endswith(faces.HOME)
