"""Sessions: where somebody is signed in, how they are ended, and how long a token counts after that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.auth import living, service, store
from chalicelib.auth.sessions import store as sessions
from chalicelib.kernel import clock, ids
from chalicelib.kernel.roles import Role
from chalicelib.runtime import aws, caches, networks
from tests.support import joining, people
from tests.support.http import Answer, call

WORD = "correct horse battery"
ADA = {"identity": "ada@example.com", "password": WORD}
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 MicroMessenger/8.0 miniProgram/wx1"


@pytest.fixture(autouse=True)
def ada(cloud: str, noon: clock.Fixed) -> str:
    return str(joining.register(**ADA).json["account_id"])


def sign_in(agent: str = WINDOWS, **more: Any) -> dict[str, Any]:
    answer = call("POST", "/v1/auth/sign-in", {**ADA, **more}, headers={"user-agent": agent})
    assert answer.status == 200, answer.body
    return dict(answer.json)


def mine(token: str, query: str = "") -> Any:
    return call("GET", f"/v1/me/sessions{query}", token=token).json


def costs(act: Callable[[], object]) -> list[str]:
    seen: list[str] = []

    def watch(service_: str, operation: str, params: object, proceed: Callable[[], Any]) -> Any:
        seen.append(operation)
        return proceed()

    with aws.hooked(watch):
        act()
    return seen


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_list_says_where_somebody_is_signed_in(noon: clock.Fixed) -> None:
    home = sign_in(device_name="Ada's laptop")
    noon.advance(timedelta(minutes=1))
    phone = sign_in(PHONE)
    noon.advance(timedelta(minutes=20))
    refreshed = call(
        "POST", "/v1/auth/refresh", {"refresh_token": home["refresh_token"]}, headers={"user-agent": WINDOWS}
    ).json
    assert mine(refreshed["access_token"]) == {
        "items": [
            {
                "session_id": phone["session_id"], "is_current": False, "device": "WeChat mini program, Android",
                "network": "127.0.0.0/24", "methods": ["pwd"], "started_at": "2026-11-22T04:01:00.000Z",
                "last_seen_at": "2026-11-22T04:01:00.000Z", "expires_at": "2026-12-22T04:01:00.000Z",
            },
            {
                "session_id": home["session_id"], "is_current": True, "device": "Chrome, Windows",
                "device_name": "Ada's laptop", "network": "127.0.0.0/24", "methods": ["pwd"],
                "started_at": "2026-11-22T04:00:00.000Z", "last_seen_at": "2026-11-22T04:21:00.000Z",
                "expires_at": "2026-12-22T04:21:00.000Z",
            },
        ]
    }  # fmt: skip


def test_the_list_has_pages_and_holds_nothing_that_is_over(noon: clock.Fixed) -> None:
    started = []
    for _ in range(3):
        started.append(sign_in())
        noon.advance(timedelta(seconds=1))
    call("POST", "/v1/auth/sign-out", token=started[1]["access_token"])
    first = mine(started[0]["access_token"], "?limit=2")
    assert [one["session_id"] for one in first["items"]] == [started[2]["session_id"]]
    second = mine(started[0]["access_token"], f"?limit=2&cursor={first['next_cursor']}")
    assert [one["session_id"] for one in second["items"]] == [started[0]["session_id"]]
    stranger = people.buyer()
    assert mine(stranger.token) == {"items": []}
    foreign = call("GET", f"/v1/me/sessions?cursor={first['next_cursor']}", token=stranger.token)
    assert (foreign.status, foreign.json["code"]) == (422, "bad_cursor")
    noon.advance(timedelta(days=31))
    assert mine(people.token(started[0]["account_id"])) == {"items": []}


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("somewhere", ""),
        ("", ""),
    ],
)
def test_a_place_is_a_network_and_no_more(address: str, place: str) -> None:
    assert networks.neighbourhood_of(address) == place


@pytest.mark.parametrize("name", ["", "x" * 41, "a\nb", 7])
def test_a_device_has_a_short_name_of_one_line(name: object) -> None:
    assert call("POST", "/v1/auth/sign-in", {**ADA, "device_name": name}).status == 422


# --- ending -----------------------------------------------------------------------------------------------------------


def test_one_session_is_ended_from_another() -> None:
    here, lost = sign_in(), sign_in(PHONE)
    path = f"/v1/me/sessions/{lost['session_id']}"
    assert call("DELETE", path, token=here["access_token"]).status == 204
    assert call("DELETE", path, token=here["access_token"]).status == 204
    assert [one["session_id"] for one in mine(here["access_token"])["items"]] == [here["session_id"]]
    assert call("POST", "/v1/auth/refresh", {"refresh_token": lost["refresh_token"]}).status == 401
    assert call("POST", "/v1/auth/refresh", {"refresh_token": here["refresh_token"]}).status == 200
    kept = sessions.load_session(lost["account_id"], lost["session_id"])
    assert kept is not None
    assert kept.status.value == "revoked"


def test_nobody_ends_a_session_of_anybody_else() -> None:
    hers, stranger = sign_in(), people.buyer()
    for session_id in (hers["session_id"], ids.new_id("ses")):
        refused = call("DELETE", f"/v1/me/sessions/{session_id}", token=stranger.token)
        assert (refused.status, refused.json["code"]) == (404, "not_found")
    assert call("POST", "/v1/auth/refresh", {"refresh_token": hers["refresh_token"]}).status == 200


def test_a_revocation_and_a_refresh_at_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever comes first, the session is over and nobody holds a token that refreshes it."""
    from chalicelib.auth.sessions import domain

    here, lost = sign_in(), sign_in(PHONE)
    path = f"/v1/me/sessions/{lost['session_id']}"
    original = domain.rotate

    def rotate(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(domain, "rotate", original)
        assert call("DELETE", path, token=here["access_token"]).status == 204
        return original(*arguments, **options)

    monkeypatch.setattr(domain, "rotate", rotate)
    assert call("POST", "/v1/auth/refresh", {"refresh_token": lost["refresh_token"]}).status == 401

    other = sign_in(PHONE)
    waiting = [other["refresh_token"]]
    real = service.revoke_session.__globals__["_end"]

    def end(*arguments: Any) -> None:
        if waiting:
            assert call("POST", "/v1/auth/refresh", {"refresh_token": waiting.pop()}).status == 200
        real(*arguments)

    monkeypatch.setitem(service.revoke_session.__globals__, "_end", end)
    assert call("DELETE", f"/v1/me/sessions/{other['session_id']}", token=here["access_token"]).status == 204
    kept = sessions.load_session(other["account_id"], other["session_id"])
    assert kept is not None
    assert kept.status.value == "revoked"


# --- how long a token counts after that -------------------------------------------------------------------------------


def staff_session(role: Role = Role.MERCHANT_STAFF) -> dict[str, Any]:
    """Sign in as somebody who works for a merchant, or for the platform."""
    account_id = sign_in()["account_id"]
    if role not in service.me(account_id).roles:
        merchant_id = people.merchant().merchant_id if role is Role.MERCHANT_STAFF else None
        service.grant(account_id, role, merchant_id)
    return sign_in()


def works(token: str, path: str) -> bool:
    answer = call("GET", path, token=token)
    assert answer.status in (200, 401), answer.body
    assert answer.status == 200 or answer.json["code"] == "unauthenticated"
    return answer.status == 200


STAFF_ROUTE, OPERATOR_ROUTE, EVERYBODYS = "/v1/merchant/products", "/v1/operator/role-requests", "/v1/me"


@pytest.mark.parametrize("end", ["sign-out", "sign-out-everywhere", "revoke", "reuse", "password"])
@pytest.mark.parametrize(
    ("role", "path"),
    [
        (Role.MERCHANT_STAFF, STAFF_ROUTE),
        (Role.MERCHANT_STAFF, EVERYBODYS),
        (Role.OPERATOR, OPERATOR_ROUTE),
        (Role.OPERATOR, EVERYBODYS),
    ],
)
def test_a_token_of_staff_dies_within_a_minute(role: Role, path: str, end: str, noon: clock.Fixed) -> None:
    held = staff_session(role)
    other = sign_in()
    token = held["access_token"]
    assert works(token, path)
    _end(end, held, other, noon)
    # What this process read a moment ago still counts; nothing does once that is half a minute old.
    noon.advance(timedelta(seconds=living.KEPT_S))
    assert not works(token, path)
    caches.forget_all()
    assert not works(token, path)  # Nor in a process that never saw it.
    if end in ("revoke", "sign-out", "reuse"):
        assert works(other["access_token"], path)


def _end(how: str, held: dict[str, Any], other: dict[str, Any], noon: clock.Fixed) -> None:
    token = held["access_token"]
    if how == "revoke":
        assert call("DELETE", f"/v1/me/sessions/{held['session_id']}", token=other["access_token"]).status == 204
    elif how == "reuse":
        body = {"refresh_token": held["refresh_token"]}
        assert call("POST", "/v1/auth/refresh", body).status == 200
        noon.advance(timedelta(seconds=10))
        assert call("POST", "/v1/auth/refresh", body).status == 401
    elif how == "password":  # What a reset writes: nobody who is in stays in.
        from dataclasses import replace

        from chalicelib.auth import accounts

        accounts.change(held["account_id"], lambda account: replace(account, epoch=account.epoch + 1))
    else:
        assert call("POST", f"/v1/auth/{how}", token=token).status == 204


def test_an_operators_route_asks_anew_at_each_call() -> None:
    held, other = staff_session(Role.OPERATOR), sign_in()
    assert works(held["access_token"], OPERATOR_ROUTE)
    call("DELETE", f"/v1/me/sessions/{held['session_id']}", token=other["access_token"])
    assert not works(held["access_token"], OPERATOR_ROUTE)


def test_a_buyers_token_dies_ten_minutes_after_its_session_at_the_latest(noon: clock.Fixed) -> None:
    held, other = sign_in(), sign_in()
    call("DELETE", f"/v1/me/sessions/{held['session_id']}", token=other["access_token"])
    assert costs(lambda: call("GET", EVERYBODYS, token=held["access_token"])) == ["GetItem"]  # The account it shows.
    assert works(held["access_token"], EVERYBODYS)
    noon.advance(timedelta(minutes=10))
    assert not works(held["access_token"], EVERYBODYS)


def test_a_token_made_while_its_session_ends_is_not_younger_than_what_was_read(
    monkeypatch: pytest.MonkeyPatch, noon: clock.Fixed
) -> None:
    """Everybody is signed out between a refresh's read and its answer: ten minutes from the read on it is over."""
    from chalicelib.auth.sessions import domain

    held = sign_in()
    original = domain.rotate

    def rotate(*arguments: Any, **options: Any) -> Any:
        service.sign_out_everywhere(held["account_id"])
        noon.advance(timedelta(seconds=20))  # A slow answer.
        return original(*arguments, **options)

    monkeypatch.setattr(domain, "rotate", rotate)
    late = call("POST", "/v1/auth/refresh", {"refresh_token": held["refresh_token"]}).json
    noon.advance(timedelta(minutes=10) - timedelta(seconds=20))
    assert not works(late["access_token"], EVERYBODYS)


def test_what_it_costs_to_know_that_a_token_of_staff_counts(noon: clock.Fixed) -> None:
    token = staff_session()["access_token"]
    living.forget()
    assert costs(lambda: living.check(service.authenticate(token))) == ["GetItem"]
    assert costs(lambda: living.check(service.authenticate(token))) == []
    noon.advance(timedelta(seconds=living.KEPT_S))
    assert costs(lambda: living.check(service.authenticate(token))) == ["GetItem"]
    buyer = people.buyer()
    assert costs(lambda: living.check(service.authenticate(buyer.token))) == []


def test_what_ending_costs() -> None:
    held, other = sign_in(), sign_in()
    token = other["access_token"]
    path = f"/v1/me/sessions/{held['session_id']}"
    assert costs(lambda: call("GET", "/v1/me/sessions", token=token)) == ["GetItem", "Query"]
    assert costs(lambda: call("DELETE", path, token=token)) == ["BatchGetItem", "PutItem"]
    staff = staff_session()
    again = f"/v1/me/sessions/{staff['session_id']}"
    # Of staff the account remembers it, in the same transaction.
    assert costs(lambda: call("DELETE", again, token=token)) == ["BatchGetItem", "TransactWriteItems"]


def test_an_account_remembers_ended_sessions_for_as_long_as_their_tokens_live(noon: clock.Fixed) -> None:
    account_id = staff_session()["account_id"]
    for _ in range(3):
        call("POST", "/v1/auth/sign-out", token=sign_in()["access_token"])
    assert len(ended(account_id)) == 3
    noon.advance(timedelta(seconds=601))
    call("POST", "/v1/auth/sign-out", token=sign_in()["access_token"])
    assert len(ended(account_id)) == 1


def test_more_than_fifty_in_ten_minutes_end_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "MOST_ENDED", 2)
    held = staff_session()
    epoch = service.me(held["account_id"]).epoch
    for _ in range(3):
        call("POST", "/v1/auth/sign-out", token=sign_in()["access_token"])
    account = service.me(held["account_id"])
    assert (account.epoch, account.ended) == (epoch + 1, {})
    caches.forget_all()
    assert not works(held["access_token"], STAFF_ROUTE)


def ended(account_id: str) -> dict[str, int]:
    account = store.load_account(account_id, consistent=True)
    assert account is not None
    return account.ended


def test_the_memory_of_accounts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "REMEMBERED", 3)
    caches.forget_all()
    for _ in range(5):
        living.check(service.authenticate(people.operator().token))
    assert len(living._kept) == 3


def answered(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["code"]


def test_a_token_of_staff_whose_account_is_gone_counts_nowhere() -> None:
    ghost = people.token(ids.new_id("acc"), Role.BUYER, Role.OPERATOR)
    assert answered(call("GET", "/v1/me/addresses", token=ghost)) == (401, "unauthenticated")
