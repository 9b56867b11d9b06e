"""Pages as files: what each is served with, how long it is kept, and what a browser may do with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import faces
from tools.dev.faces import Faces
from tools.shared.httpd import Request, Response


@pytest.fixture
def pages(tmp_path: Path) -> Faces:
    for path, text in {
        "storefront/dist/h5/index.html": "<title>shop</title>",
        "storefront/dist/h5/assets/index-C7PPi8dw.js": "1",
        "storefront/dist/h5/static/logo.png": "png",
        "storefront/dist/h5/sw.js": "2",
        "storefront/dist/h5/notes.map": "secret",
        "secret.txt": "secret",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    return Faces(uploads=lambda: "http://127.0.0.1:9000", root=tmp_path)


def ask(pages: Faces, target: str, method: str = "GET", **headers: str) -> tuple[Response, dict[str, str]]:
    response = pages(Request(method, target, [(name.replace("_", "-"), v) for name, v in headers.items()], b"", "p"))
    return response, {name.lower(): value for name, value in response.headers}


@pytest.mark.parametrize(
    ("target", "serves"),
    [
        ("/", True),
        ("/?from=1", True),
        ("/shop", True),
        ("/shop/", True),
        ("/shop/orders/1?a=b", True),
        ("/console/assets/x.js", True),
        ("/shopping", False),
        ("/v1/products", False),
        ("/docs", False),
        ("/_dev/", False),
        ("/published/current/site.json", False),
    ],
)
def test_pages_lie_beside_the_api(pages: Faces, target: str, serves: bool) -> None:
    assert pages.serves(target) is serves


@pytest.mark.parametrize(
    ("target", "kind", "kept"),
    [
        ("/shop/", "text/html; charset=utf-8", faces.ASK),
        ("/shop/orders/ord_1", "text/html; charset=utf-8", faces.ASK),
        ("/shop/index.html?a=b", "text/html; charset=utf-8", faces.ASK),
        ("/shop/assets/index-C7PPi8dw.js", "text/javascript; charset=utf-8", faces.FOREVER),
        ("/shop/static/logo.png", "image/png", faces.ASK),
        ("/shop/sw.js", "text/javascript; charset=utf-8", faces.ASK),
    ],
)
def test_a_file_says_what_it_is_and_how_long_it_counts(pages: Faces, target: str, kind: str, kept: str) -> None:
    response, headers = ask(pages, target)
    assert (response.status, headers["content-type"], headers["cache-control"]) == (200, kind, kept)
    again, _ = ask(pages, target, if_none_match=headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert headers["content-security-policy"] == faces.policy(["http://127.0.0.1:9000"])
    assert headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(
    "target",
    [
        "/shop/assets/gone-C7PPi8dw.js",
        "/shop/../../secret.txt",
        "/shop/../../../secret.txt",
        "/shop/%2e%2e/secret.txt",
        "/shop/notes.map",
        "/shop/static/",
    ],
)
def test_nothing_else_is_served(pages: Faces, target: str) -> None:
    response, headers = ask(pages, target)
    if target.endswith("/"):  # A folder is a place inside the page.
        assert response.body == b"<title>shop</title>"
    else:
        assert (response.status, headers["content-type"]) == (404, "text/plain; charset=utf-8")
        assert b"secret" not in response.body


def test_addresses_without_a_slash_lead_on(pages: Faces) -> None:
    for target, to in (("/", "/shop/"), ("/shop", "/shop/"), ("/console", "/console/")):
        response, headers = ask(pages, target)
        assert (response.status, headers["location"]) == (302, to)


def test_what_is_not_built_says_what_is_missing(pages: Faces) -> None:
    response, headers = ask(pages, "/console/orders")
    assert (response.status, headers["cache-control"]) == (503, "no-store")
    assert b"Console is not built" in response.body
    assert b"Node 20.19" in response.body
    assert b"make web" in response.body


def test_pages_are_read_only(pages: Faces) -> None:
    assert ask(pages, "/shop/", "POST")[0].status == 405
    assert ask(pages, "/shop/", "HEAD")[0].status == 200


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("assets/index-C7PPi8dw.js", True),
        ("assets/pages-home-home.C-1f2HEM.js", True),
        ("assets/uni.9150eba6.css", True),
        ("assets/font-abcd1234.woff2", True),
        ("assets/logo.png", False),
        ("assets/long-name.png", False),
        ("static/index-C7PPi8dw.js", False),
        ("index.html", False),
        ("sw.js", False),
        ("manifest.webmanifest", False),
    ],
)
def test_only_what_is_named_by_its_content_is_kept_for_good(path: str, kept: bool) -> None:
    assert (faces.kept(path) == faces.FOREVER) is kept


def test_a_page_runs_its_own_files_and_nothing_else() -> None:
    rules = dict(rule.split(" ", 1) for rule in faces.policy(["https://bucket.example"]).split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["connect-src"] == "'self' https://bucket.example"
    assert not any("unsafe" in value for value in rules.values())
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
