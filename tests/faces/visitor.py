"""Somebody with a browser: what they do is a test's, what must never happen while they do it is looked after here."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
AXE = ROOT / "web" / "checks" / "node_modules" / "axe-core" / "axe.min.js"
STANDARDS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
WAIT_MS = 20_000
"""How long a page may take for what it does, on a machine that does much else."""
DRAWN = """[...document.images].every((image) => {
  const { top, bottom } = image.getBoundingClientRect();  // What is out of sight may be left for later.
  return image.complete || bottom < 0 || top > innerHeight;
})"""
OWN = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Size:
    """A screen."""

    name: str
    width: int
    height: int
    is_phone: bool = False


PHONE = Size("phone", 390, 844, is_phone=True)
WIDE = Size("wide", 1440, 900)


@dataclass
class Visitor:
    """One person's browser, with a storage of its own. ``wrong`` is what no page may do: tests end without."""

    context: BrowserContext
    base: str
    size: Size
    pictures: bool = False
    wrong: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    """Requests to anywhere but this machine."""
    allowed: list[re.Pattern[str]] = field(default_factory=list)
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        self.context.set_default_timeout(WAIT_MS)
        self.context.on("request", self._asked)
        self.context.on("page", self._opened)
        self.page = self.context.new_page()

    def go(self, path: str) -> Page:
        """Open a path of the shop (or a whole address) and return the page."""
        self.page.goto(path if "://" in path else self.base + path)
        return self.page

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, the browser going on meanwhile; for what no locator of Playwright waits for."""
        deadline = time.monotonic() + WAIT_MS / 1000
        while not holds():
            assert time.monotonic() < deadline, (self.wrong, self.outside)
            self.page.wait_for_timeout(50)

    def allow(self, pattern: str) -> None:
        """Take a console message as meant: the browser itself writes one for each answer of 400 and more."""
        self.allowed.append(re.compile(pattern))

    def picture(self, name: str) -> None:
        """Keep what is seen as ``docs/pictures/<name>-<size>.png``, when pictures are wanted (``make pictures``)."""
        if self.pictures:
            PICTURES.mkdir(parents=True, exist_ok=True)
            self.until(lambda: bool(self.page.evaluate(DRAWN)))
            shot = PICTURES / f"{name}-{self.size.name}.png"
            self.page.screenshot(path=shot, scale="css", animations="disabled")

    def barriers(self) -> list[str]:
        """Return what on this page keeps somebody out: axe's violations, one a line, with the place of each."""
        # Handed over by the debugger: the page's own policy lets no script of ours in, and need not.
        self.page.evaluate(f"() => {{ {_axe()} }}")
        options = {"runOnly": {"type": "tag", "values": STANDARDS}, "resultTypes": ["violations"]}
        found: list[dict[str, Any]] = self.page.evaluate(
            "async (options) => (await axe.run(document, options)).violations", options
        )
        return [
            f"{one['id']} ({one['impact']}): {node['target']} {node['html'][:160]}"
            for one in found
            for node in one["nodes"]
        ]

    def stored(self) -> dict[str, str]:
        """Return what the page keeps in its browser."""
        found: dict[str, str] = json.loads(self.page.evaluate("JSON.stringify({...localStorage})"))
        return found

    def _opened(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            place = message.location.get("url", "")
            text = f"{message.type}: {message.text} ({place})"
            if not any(pattern.search(text) for pattern in self.allowed):
                self.wrong.append(text)

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "about") and address.hostname not in OWN:
            self.outside.append(f"{request.method} {request.url}")


@cache
def _axe() -> str:
    return AXE.read_text("utf-8")


def visitor(browser: Browser, base: str, size: Size, *, pictures: bool = False, language: str = "zh-CN") -> Visitor:
    """Return somebody new at a screen of this size."""
    context = browser.new_context(
        viewport={"width": size.width, "height": size.height},
        locale=language,
        timezone_id="Asia/Shanghai",
        is_mobile=size.is_phone,
        has_touch=size.is_phone,
        reduced_motion="reduce",
    )
    return Visitor(context, base, size, pictures)
