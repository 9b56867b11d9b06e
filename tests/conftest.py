"""One embedded engine for each process that runs tests, one AWS account for each test that asks for ``cloud``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, settings

from chalicelib.kernel import context
from chalicelib.runtime import retries, transport
from tools.fakes import engine

_running: engine.Engine | None = None
_numbers = count(1)
_pattern: list[str] = []
"""The account that all others are copies of, once there is one."""


# Properties are about what comes out, never about how long a busy machine takes to work it out.
settings.register_profile("biandan", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("biandan")
transport.CONNECT_TIMEOUT_S = transport.READ_TIMEOUT_S = 60  # The engine shares the machine with all the tests.
retries.LONGEST_S = 120


NOBODY = "http://127.0.0.1:9"
"""The discard port: whatever is sent there is refused at once."""


WIDENED = (
    "BIANDAN_COMPLAINTS",
    "BIANDAN_CONVERSATIONS_A_DAY",
    "BIANDAN_SIGN_IN",
    "BIANDAN_SIGN_IN_RETURNS",
    "BIANDAN_WAYBILLS",
)
"""Settings that ``tests.support.entries`` widens for a test; what a module's own server was told stays."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let pure tests run without an engine."""
    parser.addoption("--no-engine", action="store_true", help="start no engine; leave out the tests that ask for one")
    parser.addoption("--pictures", action="store_true", help="tests/faces: keep what is seen in docs/pictures")
    parser.addoption("--cpu", action="store_true", help="print what the tests cost, engines included, by folder")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without an engine leave out what asks for one; what calls AWS without asking fails."""
    if not config.getoption("--no-engine"):
        return
    asking = [item for item in items if {"cloud", "shared_cloud"} & set(getattr(item, "fixturenames", ()))]
    items[:] = [item for item in items if item not in asking]
    config.hook.pytest_deselected(items=asking)


def pytest_configure(config: pytest.Config) -> None:
    """Start an engine where tests run: in each of xdist's workers, else here.

    One engine has one thread: shared by two workers it was busy all the time, and they waited for it.
    """
    global _running
    if config.getoption("--cpu"):
        from tests.support import cost

        config.pluginmanager.register(cost.Meter(config))
    if config.getoption("--no-engine"):
        os.environ["BIANDAN_TEST_ENGINE"] = NOBODY
        retries.LONGEST_S = 0.1  # Nobody will answer; say so soon.
    os.environ.update(engine.environment(os.environ.get("BIANDAN_TEST_ENGINE", ""), account="100000000000"))
    os.environ.setdefault("BIANDAN_REQUEST_FACTOR", "1000")  # All of a test is one moment, from one address.
    only_controls = bool(getattr(config.option, "numprocesses", 0))
    if "BIANDAN_TEST_ENGINE" not in os.environ and not config.option.collectonly and not only_controls:
        _running = engine.Engine().start()
        os.environ["BIANDAN_TEST_ENGINE"] = _running.url
    os.environ["AWS_ENDPOINT_URL"] = os.environ.get("BIANDAN_TEST_ENGINE", "")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what this process holds, stop what it started."""
    transport.forget()
    if _running is not None:
        _running.stop()
        os.environ.pop("BIANDAN_TEST_ENGINE", None)


@pytest.fixture(autouse=True, scope="session")
def watched_writes() -> Iterator[None]:
    """Note where tests write, before any other hook stands around a call."""
    from chalicelib.runtime import aws
    from tests.support import watch

    with aws.hooked(watch.noting):
        yield


@pytest.fixture(autouse=True)
def bounded_calls(request: pytest.FixtureRequest, watched_writes: None) -> Iterator[None]:
    """Fail a test that calls the engine without end: the suite is paid for by the call (``tests.support.cost``).

    Those of whole servers are not counted: their pumps ask as often as time passes.
    """
    from tests.support import cost, watch

    before = watch.calls()
    yield
    made = watch.calls() - before
    is_free = "integration" not in request.node.path.parts or request.node.get_closest_marker("many_calls")
    assert is_free or made <= cost.CALLS_CAP, f"{made} calls; see tests/support/cost.py"


@pytest.fixture(autouse=True)
def fresh_process_state() -> Iterator[None]:
    """Undo what a test may leave in module state."""
    from chalicelib.kernel import clock, ids

    before = {name: os.environ.get(name) for name in WIDENED}
    with context.use(context.Context()):  # Who acts in one test, acts in no other.
        yield
    clock.install(None)
    ids.install_entropy(None)
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@pytest.fixture(autouse=True, scope="module")
def nobodys_stand_in() -> Iterator[None]:
    """Take away a stand-in in process behind the module that installed it: it would answer the next one's hosts."""
    from chalicelib.runtime import outbound

    yield
    outbound.install(None)


@pytest.fixture(autouse=True)
def least_privilege() -> Iterator[None]:
    """Fail a test in which a function called what its policy does not allow."""
    from chalicelib.runtime import aws
    from tests.support import permissions

    recorder = permissions.Recorder()
    with aws.hooked(recorder):
        yield
    assert not recorder.refused, "\n".join(sorted(recorder.refused))


@pytest.fixture
def cloud() -> str:
    """Give the test an AWS account of its own with all tables, queues, the bucket and the local secrets."""
    return new_account()


@pytest.fixture(scope="module")
def shared_cloud() -> str:
    """Give a module's tests one account together: for many small questions about the same records."""
    return new_account()


def new_account() -> str:
    """Switch to an account that nobody used, with everything in it; forget what the one before held."""
    from tools.fakes import resources

    before, account = os.environ["AWS_ACCESS_KEY_ID"], f"{_worker()}{next(_numbers):08d}"
    if not _pattern:
        _pattern.append(f"{_worker()}{0:08d}")
        _switch(_pattern[0])
        resources.create_all(collects=False)  # Tests stand still at moments that are long past by the machine's clock.
    _switch(account)
    drop = before if before.startswith(_worker()) and before not in _pattern else ""
    engine.copy_account(os.environ["BIANDAN_TEST_ENGINE"], _pattern[0], account, drop=drop)
    return account


def _worker() -> str:
    return f"2{int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0')[2:]):03d}"


def _switch(account: str) -> None:
    from chalicelib.runtime import sdk
    from chalicelib.runtime.config import config
    from tests.support import watch

    os.environ["AWS_ACCESS_KEY_ID"] = account
    sdk.session().get_credentials().access_key = account  # Every client of the session signs with this object.
    os.environ["BIANDAN_BUCKET"] = f"biandan-{account}-uploads"  # Names of buckets are the world's, not an account's.
    os.environ["BIANDAN_PUBLISHED_BUCKET"] = f"biandan-{account}-published"
    os.environ["BIANDAN_AUDIT_BUCKET"] = f"biandan-{account}-audit"
    config.cache_clear()
    forget_caches()
    watch.forget()


def forget_caches() -> None:
    """Drop what the process remembers of the account before."""
    from chalicelib.runtime import caches

    caches.forget_all()


@pytest.fixture
def noon() -> Iterator[object]:
    """Stop the clock at a round moment; ``noon.advance(timedelta)`` moves it."""
    from chalicelib.kernel import clock

    fixed = clock.Fixed(datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    with clock.use(fixed):
        yield fixed
