"""Codes where a contact or a network is under attack: free while there is room, then bought with work, up to an end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.auth import domain, service
from chalicelib.auth.challenges import Solved
from chalicelib.auth.codes import domain as codes
from chalicelib.auth.codes.domain import BadCode, Purpose
from chalicelib.auth.domain import ChallengeNeeded
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Throttled
from chalicelib.runtime.intents import system_intent
from tests.support import joining
from tests.support.http import call

ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def _cheap(cloud: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is small: what it is asked for is tested."""
    monkeypatch.setattr(codes, "BITS", tuple((least, bits - 16) for least, bits in codes.BITS))


def ask(source_ip: str, key: str, *, solved: Solved | None = None, who: str = ADA, device: str | None = None) -> str:
    asked = service.codes.Asked(Purpose.SIGN_IN, domain.identity(who), source_ip, "zh", device, solved)
    return service.codes.send(asked, intent=system_intent(key))


def bought(source_ip: str, key: str, who: str = ADA) -> tuple[str, int]:
    """Ask until a code is sent; returns its id and how hard it was, 0 if it was free."""
    try:
        return ask(source_ip, key, who=who), 0
    except ChallengeNeeded as needed:
        return ask(source_ip, key, solved=joining.solved(needed), who=who), int(needed.params["bits"]) + 16


def spray(networks: int, *, works: bool) -> list[int]:
    """A stranger asks for codes for one contact from many networks, four times from each."""
    taken = []
    for number in range(networks * 4):
        try:
            source_ip = f"203.0.113.{number % networks}"
            taken.append(bought(source_ip, f"spray{number}")[1] if works else len(ask(source_ip, f"spray{number}")) * 0)
        except Throttled:
            taken.append(-1)
    return taken


def test_a_stranger_who_does_not_work_takes_ten_and_the_owner_gets_in_by_work() -> None:
    assert sum(taken >= 0 for taken in spray(10, works=False)) == 10
    code_id, bits = bought("192.0.2.1", "mine")
    assert bits == 20
    body = {"contact": ADA, "code_id": code_id, "code": joining.code_of(ADA, code_id), "create": True}
    assert call("POST", "/v1/auth/sign-in/code", body).status == 200


def test_a_stranger_of_a_few_networks_who_works_does_not_use_up_the_day() -> None:
    taken = spray(8, works=True)
    assert [sum(one == bits for one in taken) for bits in (0, 20, 22, 23)] == [10, 10, 12, 0]
    assert bought("192.0.2.1", "mine")[1] == 22


def test_a_contact_gets_no_more_than_sixty_a_day_whoever_works(
    noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "WORKED_BY_CONTACT", replace(codes.WORKED_BY_CONTACT, attempts=14))
    service.register(ADA, "correct horse battery", intent=system_intent(ADA))
    words = {"identity": ADA, "password": "correct horse battery"}
    device = call("POST", "/v1/auth/sign-in", words).json["device_token"]
    assert sum(taken >= 0 for taken in spray(10, works=True)) == 14
    with pytest.raises(Throttled) as full:
        bought("192.0.2.1", "mine")
    assert not isinstance(full.value, ChallengeNeeded)
    assert ask("192.0.2.1", "mine", device=device)
    noon.advance(timedelta(days=1))
    assert bought("192.0.2.1", "tomorrow")[1] == 0


def test_a_network_of_many_people_is_asked_for_work_and_then_for_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "BY_NETWORK", replace(codes.BY_NETWORK, attempts=3))
    monkeypatch.setattr(codes, "WORKED_BY_NETWORK", replace(codes.WORKED_BY_NETWORK, attempts=5))
    people = [f"student{number}@example.com" for number in range(6)]
    assert [bought("203.0.113.1", who, who)[1] for who in people[:5]] == [0, 0, 0, 20, 20]
    with pytest.raises(Throttled) as full:
        bought("203.0.113.1", people[5], people[5])
    assert not isinstance(full.value, ChallengeNeeded)
    assert bought("203.0.113.2", people[5], people[5])[1] == 0


def test_a_solution_buys_one_code_for_its_contact_and_network() -> None:
    for number in range(4):
        ask("203.0.113.1", f"free{number}")
    with pytest.raises(ChallengeNeeded) as needed:
        ask("203.0.113.1", "a")
    solved = joining.solved(needed.value)
    for source_ip, who in (("203.0.113.1", "bob@example.com"), ("203.0.113.2", ADA)):
        for number in range(4):
            ask(source_ip, f"{who}{number}", who=who)
        with pytest.raises(ChallengeNeeded):
            ask(source_ip, "b", solved=solved, who=who)
    first = ask("203.0.113.1", "a", solved=solved)
    assert ask("203.0.113.1", "a", solved=solved) == first  # The answer got lost: nothing more is sent.
    with pytest.raises(ChallengeNeeded):
        ask("203.0.113.1", "c", solved=solved)
    with pytest.raises(ChallengeNeeded):
        ask("203.0.113.1", "c", solved=Solved(solved.challenge + "0", solved.solution))


def test_what_is_refused_charges_nothing() -> None:
    for number in range(4):
        ask("203.0.113.1", f"free{number}")
    for number in range(20):
        with pytest.raises(ChallengeNeeded):
            ask("203.0.113.1", f"refused{number}")
    assert [bought("203.0.113.2", f"more{number}")[1] for number in range(4)] == [0] * 4
    assert [bought("203.0.113.3", f"rest{number}")[1] for number in range(3)] == [0, 0, 20]


def test_a_code_that_was_bought_is_guessed_at_twice() -> None:
    for number in range(4):
        ask("203.0.113.1", f"free{number}")
    code_id, _ = bought("203.0.113.1", "bought")
    right = joining.code_of(ADA, code_id)
    wrong = "000000" if right != "000000" else "000001"
    for _ in range(codes.WORKED_TRIES):
        with pytest.raises(BadCode):
            service.codes.check(Purpose.SIGN_IN, domain.identity(ADA), code_id=code_id, code=wrong)
    with pytest.raises(BadCode):
        service.codes.check(Purpose.SIGN_IN, domain.identity(ADA), code_id=code_id, code=right)


def test_known_and_unknown_contacts_are_asked_the_same() -> None:
    service.register(ADA, "correct horse battery", intent=system_intent(ADA))
    told = []
    for who in (ADA, "nobody@example.com"):
        body = {"contact": who, "purpose": "sign_in"}
        answers = [call("POST", "/v1/auth/codes", body) for _ in range(5)]
        last = answers[-1].json
        assert [answer.status for answer in answers] == [202] * 4 + [429]
        told.append({**last, "challenge": len(last["challenge"]), "request_id": ""})
        challenge = answers[-1].json
        found = joining.solved(ChallengeNeeded(challenge=challenge["challenge"], bits=challenge["bits"], wait_s=1))
        solution = {"challenge": found.challenge, "number": found.solution}
        assert call("POST", "/v1/auth/codes", {**body, "solution": solution}).status == 202
    assert told[0] == told[1]
    assert told[0]["code"] == "challenge_needed"
