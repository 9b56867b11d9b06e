"""A stranger who tries passwords, and an honest person beside him: in the same network, elsewhere, on his device."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from chalicelib.auth import devices, domain, passwords, service
from chalicelib.auth.challenges import Solved
from chalicelib.auth.codes import domain as codes
from chalicelib.auth.domain import ChallengeNeeded
from chalicelib.auth.service import Device
from chalicelib.kernel import clock, context
from chalicelib.kernel.errors import Throttled
from chalicelib.runtime.intents import system_intent
from tests.support import joining
from tests.support.http import call

RIGHT, WRONG = "correct horse battery", "wrong horse battery"
HOME, CAFE, ELSEWHERE = "192.0.2.1", "198.51.100.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Not what is tested here, and hundreds of them are made. Who signs in is named in a context that ends here."""
    monkeypatch.setattr(passwords, "hashed", lambda password: f"cheap {password}")
    monkeypatch.setattr(passwords, "matches", lambda encoded, password: encoded == f"cheap {password}")
    monkeypatch.setattr(passwords, "outdated", lambda encoded: False)
    with context.use(context.Context()):
        yield


@pytest.fixture
def victim(cloud: str, noon: clock.Fixed) -> str:
    register("ada@example.com")
    return "ada@example.com"


def register(who: str) -> None:
    service.register(who, RIGHT, intent=system_intent(who))


def attempt(who: str, password: str, source_ip: str, device_token: str | None = None) -> str:
    try:
        service.sign_in(who, password, source_ip=source_ip, device=Device(token=device_token))
    except Throttled:
        return "throttled"
    except domain.BadCredentials:
        return "wrong"
    return "in"


def device(who: str, source_ip: str = HOME) -> str:
    token = service.sign_in(who, RIGHT, source_ip=source_ip).device_token
    assert token
    return token


def test_ten_wrong_passwords_lock_out_who_tried_them_and_nobody_else(victim: str) -> None:
    assert [attempt(victim, WRONG, CAFE) for _ in range(12)] == ["wrong"] * 10 + ["throttled"] * 2
    assert attempt(victim, RIGHT, CAFE) == "throttled"
    assert attempt(victim, RIGHT, HOME) == "in"


def test_a_hundred_invented_names_lock_nobody_out_behind_the_same_address(victim: str) -> None:
    register("bob@example.com")
    for number in range(150):
        assert attempt(f"nobody{number}@example.com", WRONG, CAFE) == "wrong"
    assert attempt(victim, RIGHT, CAFE) == "in"
    assert [attempt("bob@example.com", WRONG, CAFE) for _ in range(2)] == ["wrong"] * 2
    assert attempt("bob@example.com", RIGHT, CAFE) == "in"
    # Whoever sprays from a crowd gets three tries a name instead of ten: at known names and at invented ones alike.
    for who in (victim, "nobody-else@example.com"):
        assert [attempt(who, WRONG, CAFE) for _ in range(5)] == ["wrong"] * 3 + ["throttled"] * 2
    assert [attempt("bob@example.com", WRONG, ELSEWHERE) for _ in range(10)] == ["wrong"] * 10


def test_a_hundred_invented_registrations_keep_nobody_from_registering(
    cloud: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty codes an hour are free behind an address; who comes after that works for a moment, and is let in."""
    monkeypatch.setattr(codes, "BITS", tuple((least, bits - 16) for least, bits in codes.BITS))
    for number in range(60):
        ask(f"invented{number}@example.com")
    for number in range(60, 150):
        with pytest.raises(ChallengeNeeded):
            ask(f"invented{number}@example.com")
    with pytest.raises(ChallengeNeeded) as needed:
        ask("ada@example.com")
    assert ask("ada@example.com", joining.solved(needed.value))


def ask(who: str, solved: Solved | None = None) -> str:
    asked = service.codes.Asked(service.Purpose.REGISTER, domain.identity(who), CAFE, "zh", solved=solved)
    return service.codes.send(asked, intent=system_intent(who))


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::2", "2001:db8:0:1::1"),
        ("::ffff:203.0.113.1", "203.0.113.1", "203.0.113.2"),
        ("fe80::1%eth0", "fe80::2", "fe81::1"),
    ],
)
def test_a_subscriber_is_one_network(victim: str, one: str, same: str, other: str) -> None:
    assert [attempt(victim, WRONG, one) for _ in range(6)] == ["wrong"] * 6
    assert [attempt(victim, WRONG, same) for _ in range(6)] == ["wrong"] * 4 + ["throttled"] * 2
    assert attempt(victim, RIGHT, other) == "in"


def test_beyond_the_larger_limit_a_known_device_still_gets_in(victim: str) -> None:
    """An attacker with many networks closes the name to strangers, not to its owner."""
    known = device(victim)
    answers = [attempt(victim, WRONG, f"2001:db8:0:{number // 9:x}::1") for number in range(70)]
    assert answers == ["wrong"] * 50 + ["throttled"] * 20
    assert attempt(victim, RIGHT, ELSEWHERE) == "throttled"
    assert attempt(victim, RIGHT, HOME, known) == "in"
    assert attempt(victim, RIGHT, "2001:db8::1", known) == "in"  # From the attacker's own network, too.


def test_spraying_and_the_honest_at_the_same_time(victim: str) -> None:
    """P24: from the victim's own network and from others, name by name and at once, for an hour."""
    known = device(victim)
    register("bob@example.com")
    for _ in range(3):
        for number in range(60):
            attempt(f"n{number}@example.com", WRONG, HOME)
            attempt(victim, WRONG, HOME if number % 2 else f"2001:db8:{number:x}::1")
            if number % 20 == 0:
                assert attempt(victim, RIGHT, HOME, known) == "in"
                assert attempt("bob@example.com", RIGHT, HOME) == "in"


def test_only_failures_count(victim: str) -> None:
    for _ in range(60):
        assert attempt(victim, RIGHT, HOME) == "in"
    assert [attempt(victim, WRONG, HOME) for _ in range(11)] == ["wrong"] * 10 + ["throttled"]


def test_a_burst_gets_no_more_guesses_than_one_after_the_other(victim: str) -> None:
    ready = Barrier(20)

    def act(number: int) -> str:
        ready.wait()
        return attempt(victim, WRONG, CAFE)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(act, range(20)))
    assert (answers.count("wrong"), answers.count("throttled")) == (10, 10)


def test_a_copied_device_token_guesses_no_faster_and_locks_nobody_out(victim: str, noon: clock.Fixed) -> None:
    """The thief's failures are counted where the thief is; beyond them a copied token is as good as none."""
    stolen = device(victim)
    assert [attempt(victim, WRONG, CAFE, stolen) for _ in range(22)] == ["wrong"] * 20 + ["throttled"] * 2
    assert attempt(victim, RIGHT, CAFE) == "throttled"
    for number in range(40):  # Others close the name to strangers at the same time.
        attempt(victim, WRONG, f"10.8.{number}.1")
    assert attempt(victim, RIGHT, ELSEWHERE) == "throttled"
    assert attempt(victim, RIGHT, HOME, stolen) == "in"
    noon.advance(timedelta(minutes=10))
    assert attempt(victim, RIGHT, CAFE, stolen) == "in"


def test_a_copied_device_token_has_an_end_from_anywhere(victim: str) -> None:
    stolen = device(victim)
    answers = [attempt(victim, WRONG, f"10.{number // 5}.1.1", stolen) for number in range(120)]
    assert answers == ["wrong"] * 100 + ["throttled"] * 20  # 50 as the device, 50 as a stranger.


def test_a_device_is_known_for_its_own_account_only(victim: str, noon: clock.Fixed) -> None:
    register("bob@example.com")
    bobs, adas = device("bob@example.com"), device(victim)
    for number in range(50):
        attempt(victim, WRONG, f"10.8.{number}.1")
    forged = [bobs, adas[:-2] + "AA", adas.replace("bdd1", "bdd2"), "bdd1.x.y.z.w" * 2, "", "\u4ee4\u724c" * 20]
    for token in forged:
        assert attempt(victim, RIGHT, ELSEWHERE, token) == "throttled"
    assert attempt(victim, RIGHT, ELSEWHERE, adas) == "in"
    noon.advance(devices.LIFE)
    assert devices.known(adas) is None


def test_a_device_stays_itself_and_its_token_is_answered_at_sign_in_only(victim: str) -> None:
    body = {"identity": victim, "password": RIGHT}
    first = call("POST", "/v1/auth/sign-in", body)
    token = first.json["device_token"]
    again = call("POST", "/v1/auth/sign-in", {**body, "device_token": token})
    named = [devices.known(one) for one in (token, again.json["device_token"])]
    assert named[0] == named[1] is not None
    refreshed = call("POST", "/v1/auth/refresh", {"refresh_token": again.json["refresh_token"]})
    assert (refreshed.status, "device_token" in refreshed.json) == (200, False)
    assert call("GET", "/v1/me", token=token).status == 401  # It opens nothing.
    assert call("POST", "/v1/auth/refresh", {"refresh_token": token}).status == 401


def test_windows_pass(victim: str, noon: clock.Fixed) -> None:
    assert [attempt(victim, WRONG, CAFE) for _ in range(11)] == ["wrong"] * 10 + ["throttled"]
    noon.advance(timedelta(minutes=10))
    assert attempt(victim, RIGHT, CAFE) == "in"


def test_a_sign_in_across_the_border_of_a_window_gives_back_to_the_window_it_charged(
    victim: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon.advance(timedelta(minutes=9))
    assert [attempt(victim, WRONG, CAFE) for _ in range(9)] == ["wrong"] * 9

    def slowly(encoded: str, password: str) -> bool:
        noon.advance(timedelta(minutes=2))
        return encoded == f"cheap {password}"

    with monkeypatch.context() as slow:
        slow.setattr(passwords, "matches", slowly)
        assert attempt(victim, RIGHT, CAFE) == "in"
    assert [attempt(victim, WRONG, CAFE) for _ in range(11)] == ["wrong"] * 10 + ["throttled"]
