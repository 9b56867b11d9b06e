"""Two tabs that refresh at once both live; a copy of a token ends the session for everybody who holds one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chalicelib.auth import service, tokens
from chalicelib.auth.sessions import domain, store
from chalicelib.auth.sessions.service import given, start
from chalicelib.kernel import clock, context, ids
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller
from tests.support import joining, people
from tests.support.http import Answer, call

WORD = "correct horse battery"
ADA = {"identity": "ada@example.com", "password": WORD}
BROWSER, OTHER = "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0 Safari/537.36", "curl/8.5.0"
GRACE_S = domain.GRACE.total_seconds()


@pytest.fixture
def session(cloud: str, noon: clock.Fixed) -> dict[str, Any]:
    assert joining.register(**ADA).status == 201
    return dict(call("POST", "/v1/auth/sign-in", ADA, headers={"user-agent": BROWSER}).json)


def refresh(token: str, *, device_token: str | None = None, agent: str = BROWSER) -> Answer:
    body = {"refresh_token": token, **({"device_token": device_token} if device_token else {})}
    return call("POST", "/v1/auth/refresh", body, headers={"user-agent": agent})


def new(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return str(answer.json["refresh_token"])


def status_of(session: dict[str, Any]) -> str:
    kept = store.load_session(session["account_id"], session["session_id"])
    assert kept is not None
    return kept.status.value


@pytest.mark.parametrize("with_device", [True, False])
def test_two_tabs_that_refresh_one_after_the_other_get_the_same_successor(
    session: dict[str, Any], with_device: bool, noon: clock.Fixed
) -> None:
    device = session["device_token"] if with_device else None
    first = new(refresh(session["refresh_token"], device_token=device))
    noon.advance(timedelta(seconds=9))
    assert new(refresh(session["refresh_token"], device_token=device)) == first
    noon.advance(timedelta(minutes=9))
    # Both live on: whichever refreshes first, the other one is with it for some seconds.
    second = new(refresh(first, device_token=device))
    assert new(refresh(first, device_token=device)) == second


def test_many_tabs_at_the_same_moment_get_the_same_successor(session: dict[str, Any]) -> None:
    ready = Barrier(6)

    def one(_: int) -> str:
        ready.wait()
        return new(refresh(session["refresh_token"], device_token=session["device_token"]))

    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(one, range(6)))
    assert len(found) == 1
    assert refresh(found.pop()).status == 200


def test_a_repeat_writes_nothing(session: dict[str, Any]) -> None:
    new(refresh(session["refresh_token"]))
    seen: list[str] = []

    def watch(service_: str, operation: str, params: object, proceed: Callable[[], Any]) -> Any:
        seen.append(operation)
        return proceed()

    with aws.hooked(watch):
        new(refresh(session["refresh_token"]))
    assert seen == ["BatchGetItem"]


@pytest.mark.parametrize("others", [{"agent": OTHER}, {"device_token": "another"}])
def test_the_grace_is_its_clients_alone(session: dict[str, Any], others: dict[str, str]) -> None:
    if "device_token" in others:
        others = {"device_token": str(call("POST", "/v1/auth/sign-in", ADA).json["device_token"])}
    held = new(refresh(session["refresh_token"], device_token=session["device_token"]))
    assert refresh(session["refresh_token"], **others).status == 401
    assert status_of(session) == "compromised"
    assert refresh(held, device_token=session["device_token"]).status == 401


def test_a_device_may_change_its_network_within_the_grace(session: dict[str, Any]) -> None:
    held = new(refresh(session["refresh_token"], device_token=session["device_token"]))
    again = refresh(session["refresh_token"], device_token=session["device_token"], agent=OTHER)
    assert new(again) == held


def test_a_device_token_of_another_account_names_no_device(session: dict[str, Any]) -> None:
    joining.register("eve@example.com", WORD)
    eve = call("POST", "/v1/auth/sign-in", {**ADA, "identity": "eve@example.com"}).json["device_token"]
    held = new(refresh(session["refresh_token"]))
    assert new(refresh(session["refresh_token"], device_token=eve)) == held  # Known by program and network.
    assert refresh(session["refresh_token"], device_token=eve, agent=OTHER).status == 401


def test_a_crash_between_the_write_and_the_answer(session: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(BaseException):
        pass

    def die(*_: object, **__: object) -> str:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(tokens, "access_token", die)
        with pytest.raises(Crash):
            service.refresh(session["refresh_token"])
    kept = store.load_session(session["account_id"], session["session_id"])
    assert kept is not None
    successor = new(refresh(session["refresh_token"], device_token=session["device_token"]))
    assert tokens.open_refresh(successor).digest == kept.current  # type: ignore[union-attr]
    assert refresh(successor).status == 200


def test_a_crash_before_the_write_leaves_the_token_living(
    session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def die(service_: str, operation: str, params: object, proceed: Callable[[], Any]) -> Any:
        if operation == "PutItem":
            raise Crash
        return proceed()

    with aws.hooked(die), pytest.raises(Crash):
        service.refresh(session["refresh_token"])
    assert refresh(session["refresh_token"]).status == 200


def test_a_row_that_another_release_rotated_ends_nothing_and_repeats_nothing(session: dict[str, Any]) -> None:
    """Before, successors were random: the retry of such a refresh cannot be told its successor again."""
    held = new(refresh(session["refresh_token"]))
    kept = store.load_session(session["account_id"], session["session_id"])
    assert kept is not None
    row = store.session_row(kept)
    gone = ("salt", "device_id", "device_name", "family", "network", "client_mark")
    item = {name: value for name, value in row.serialize().items() if name not in gone}
    aws.call("dynamodb", "PutItem", {"TableName": row.Meta.table_name, "Item": item})
    assert refresh(session["refresh_token"]).status == 401
    assert status_of(session) == "active"
    assert refresh(held).status == 200


# --- any order of everything ------------------------------------------------------------------------------------------


class Family(RuleBasedStateMachine):
    """Two tabs of one browser and a thief with another program, in any order, against a plain model of the family.

    The model: tokens by number, the latest of them alive. A use of the latest makes the next; a use of the one before
    within the grace by the client that used it gets the latest; any other use of an old one ends it all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = clock.Fixed(datetime.fromisoformat("2026-11-22T04:00:00+00:00"))
        self._using = clock.use(self.clock)
        self._using.__enter__()
        self.person = people.buyer()
        with UnitOfWork() as work:
            started = start(
                service.me(self.person.account_id), device=service.Device(agent=BROWSER), source_ip="10.0.0.1",
                method=domain.Method.PASSWORD, work=work,
            )  # fmt: skip
        self.started = given(started)
        self.tokens = [self.started.refresh_token]
        self.over = False
        self.rotated_at = self.clock()
        self.used_by = "browser"
        self.held = {"tab1": 0, "tab2": 0}
        self.copied: int | None = None

    def teardown(self) -> None:
        self._using.__exit__(None, None, None)

    @initialize(earlier=st.integers(0, 3))
    def begin(self, earlier: int) -> None:
        for _ in range(earlier):
            self._use("tab1", self.held["tab1"])
            self.clock.advance(timedelta(minutes=9))
        self.held["tab2"] = self.held["tab1"]

    def _use(self, who: str, number: int) -> bool:
        client = "browser" if who.startswith("tab") else "thief"
        device = service.Device(
            token=self.started.device_token if client == "browser" else None,
            agent=BROWSER if client == "browser" else OTHER,
        )
        latest = len(self.tokens) - 1
        in_grace = number == latest - 1 and self.clock() < self.rotated_at + domain.GRACE
        # The device's token is what counts for the browser; the thief has none and is known by program and network.
        may_repeat = in_grace and (client == "browser" or self.used_by == "thief")
        expected = "over" if self.over else "next" if number == latest else "again" if may_repeat else "ends"
        try:
            got = service.refresh(
                self.tokens[number], device=device, source_ip="10.0.0.1" if client == "browser" else "198.51.100.9"
            )
        except service.BadRefreshToken:
            assert expected in ("over", "ends")
            self.over = True
            return False
        if expected == "next":
            assert got.refresh_token not in self.tokens
            self.tokens.append(got.refresh_token)
            self.rotated_at, self.used_by = self.clock(), client
        else:
            assert (expected, got.refresh_token) == ("again", self.tokens[latest])
        if who.startswith("tab"):
            self.held[who] = len(self.tokens) - 1
        else:
            self.copied = len(self.tokens) - 1
        return True

    @rule(who=st.sampled_from(["tab1", "tab2"]))
    def refresh(self, who: str) -> None:
        self._use(who, self.held[who])

    @rule(who=st.sampled_from(["tab1", "tab2"]))
    def refresh_and_lose_the_answer(self, who: str) -> None:
        before = self.held[who]
        self._use(who, before)
        self.held[who] = before

    @rule()
    def share(self) -> None:
        """Both tabs read what the browser keeps."""
        self.held = dict.fromkeys(self.held, max(self.held.values()))

    @rule(who=st.sampled_from(["tab1", "tab2"]))
    def copy(self, who: str) -> None:
        self.copied = self.held[who]

    @precondition(lambda self: self.copied is not None)
    @rule()
    def refresh_with_the_copy(self) -> None:
        assert self.copied is not None
        self._use("thief", self.copied)

    @rule(seconds=st.sampled_from([1, 5, 9, 10, 11, 540]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @precondition(lambda self: not self.over)
    @rule(how=st.sampled_from(["sign out", "everywhere", "revoke"]))
    def end(self, how: str) -> None:
        if how == "everywhere":
            service.sign_out_everywhere(self.person.account_id)
        elif how == "revoke":
            service.revoke_session(self.person.account_id, self.started.session_id)
        else:
            account_id, session_id = self.person.account_id, self.started.session_id
            service.sign_out(Caller(account_id=account_id, roles=frozenset(), session_id=session_id))
        self.over = True

    @invariant()
    def one_token_lives(self) -> None:
        kept = store.load_session(self.person.account_id, self.started.session_id)
        assert kept is not None
        alive = domain.is_alive(kept, epoch=service.me(self.person.account_id).epoch, now=self.clock())
        assert alive is not self.over
        digests = [tokens.open_refresh(token).digest for token in self.tokens]  # type: ignore[union-attr]
        assert kept.current == digests[-1]
        assert len(set(digests)) == len(digests)


def test_any_order_of_refreshing_copying_and_ending(cloud: str) -> None:
    with context.use(context.Context()):  # Whoever signs in becomes its actor.
        run_state_machine_as_test(Family, settings=settings(max_examples=40, stateful_step_count=25, deadline=None))


def test_a_token_is_worked_out_from_all_three_or_not_at_all(cloud: str) -> None:
    """The token before it, our key and the row's salt: without one of them its successor is another one."""
    first, kept = tokens.new_refresh(ids.new_id("acc"), ids.new_id("ses"))
    second, _ = tokens.next_refresh(kept, "salt")
    assert tokens.next_refresh(kept, "salt")[0] == second
    assert tokens.next_refresh(kept, "other")[0] != second
    other = tokens.open_refresh(tokens.new_refresh(kept.account_id, kept.session_id)[0])
    assert other is not None
    assert tokens.next_refresh(other, "salt")[0] != second
    assert first not in second
    assert second.split(".")[3] not in repr(kept)
