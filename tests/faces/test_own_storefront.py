"""The storefront of docs/storefront.md, as it stands there: a page on an origin of its own that sells something."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.faces.visitor import ROOT, Visitor
from tools.dev.server import DevServer

CLIENT = ROOT / "web" / "client"
DOCUMENTED = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    """Return what the page has to be written down, by its language."""
    text = (ROOT / "docs" / "storefront.md").read_text("utf-8")
    return [str(found) for found in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base calls it so
        pass


@pytest.fixture
def mine(server: DevServer, tmp_path: Path) -> Iterator[str]:
    """Write, bundle and serve it; returns its address."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "client").symlink_to(CLIENT)
    (page,), code = blocks("html"), blocks("ts")[0]
    assert DOCUMENTED in code
    (folder / "index.html").write_text(page, "utf-8")
    (folder / "main.ts").write_text(code.replace(DOCUMENTED, server.url), "utf-8")
    esbuild = CLIENT / "node_modules" / ".bin" / "esbuild"
    subprocess.run([esbuild, "main.ts", "--bundle", "--format=esm", "--outdir=."], cwd=folder, check=True, timeout=60)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/"
    httpd.shutdown()
    httpd.server_close()


def test_it_compiles_as_strictly_as_the_client(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copytree(CLIENT / "src", tmp_path / "client" / "src")
    browsers, mini = blocks("ts")
    (folder / "main.ts").write_text(browsers, "utf-8")
    wx = "declare const wx: { request(o: object): void; getStorageSync(n: string): string; "
    (folder / "mini.ts").write_text(
        f"{wx}setStorageSync(n: string, v: string): void; removeStorageSync(n: string): void }};\n{mini}", "utf-8"
    )
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
    lib = ["--lib", "es2022,dom,dom.iterable"]
    tsc = CLIENT / "node_modules" / ".bin" / "tsc"
    ran = subprocess.run(
        [tsc, *options, *lib, "main.ts", "mini.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.stdout == ""


def test_somebody_buys_something_there(visit: Callable[..., Visitor], server: DevServer, mine: str) -> None:
    buyer = next(account for account in server.accounts if account["role"] == "buyer")
    someone = visit(language="en-US")
    someone.allow(r"status of 401")  # The browser's own line for the refusal that is asked for here.
    page = someone.go(mine)
    page.on("dialog", lambda dialog: dialog.accept())
    goods = page.get_by_role("button", name=re.compile("^Buy for"))
    goods.first.click()
    page.get_by_text("Please sign in first.").wait_for()

    page.get_by_label("E-mail").fill(buyer["email"])
    page.get_by_label("Password").fill(buyer["password"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Welcome.").wait_for()
    assert someone.barriers() == []
    goods.first.click()

    page.wait_for_url(f"{server.sandbox_url}/**")
    page.locator("#pay-now").click()
    page.get_by_role("link", name="Back to the shop").click()
    page.wait_for_url(mine)
    page.get_by_text(re.compile("paid", re.IGNORECASE)).wait_for()
