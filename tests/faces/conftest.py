"""A dev server with its stand-ins, a Chromium, and people at a phone and at a wide screen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from chalicelib.kernel import clock
from tests import conftest as others
from tests.faces.visitor import PHONE, WIDE, Size, Visitor, visitor
from tools.dev.server import DevServer
from tools.web import chromium

try:
    from playwright.sync_api import Browser, sync_playwright
except ImportError as error:
    raise pytest.UsageError("tests/faces drive a browser with Playwright: `make web-test` installs it") from error

NO_HOST = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
"""No name of the world is found: what asks for one fails, here as on a machine that has the internet."""


@pytest.fixture(scope="session")
def server() -> Iterator[DevServer]:
    """Run one seeded shop for all tests: each of them brings people of its own and leaves what it finds."""
    others.new_account()
    with DevServer(port=0, engine_url=os.environ["AWS_ENDPOINT_URL"]) as running:
        yield running


@pytest.fixture(autouse=True)
def servers_time(request: pytest.FixtureRequest) -> None:
    """Let the server's clock stay the one that counts: other tests take theirs away behind each of them."""
    if "server" in request.fixturenames:
        clock.install(request.getfixturevalue("server").adjustable)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start one Chromium for all of them."""
    path = chromium.found()
    if path is None:
        pytest.skip(chromium.MISSING)
    with sync_playwright() as playwright:
        args = [switch for switch in chromium.SWITCHES if switch != "--headless"]
        running = playwright.chromium.launch(executable_path=path, args=[*args, NO_HOST])
        yield running
        running.close()


@pytest.fixture
def visit(request: pytest.FixtureRequest, server: DevServer, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Give a test as many people as it wants: ``visit(PHONE)``, ``visit(WIDE, language="en")``.

    At the end of the test none of their pages may have written an error, or asked anywhere but this machine.
    """
    people: list[Visitor] = []
    pictures = bool(request.config.getoption("--pictures"))

    def one(size: Size = PHONE, *, language: str = "zh-CN") -> Visitor:
        people.append(visitor(browser, server.url, size, pictures=pictures, language=language))
        return people[-1]

    def leave() -> None:
        for person in people:
            person.context.close()

    with ExitStack() as closing:
        closing.callback(leave)
        yield one
        assert [wrong for person in people for wrong in person.wrong] == []
        assert [asked for person in people for asked in person.outside] == []


@pytest.fixture(params=[PHONE, WIDE], ids=lambda size: size.name)
def anyone(request: pytest.FixtureRequest, visit: Callable[..., Visitor]) -> Visitor:
    """Be somebody at a phone, then at a wide screen."""
    size: Size = request.param
    return visit(size)
