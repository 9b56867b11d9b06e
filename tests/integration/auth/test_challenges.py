"""A client that sprays passwords and an honest victim beside it: one pays for each guess, the other gets in."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from chalicelib.auth import challenges, devices, domain, passwords, service, throttles
from chalicelib.auth.challenges import Solved
from chalicelib.auth.domain import BadCredentials, ChallengeNeeded
from chalicelib.auth.identities import identity_id_of
from chalicelib.kernel import clock
from chalicelib.runtime.intents import system_intent
from tests.support import joining
from tests.support.http import call

RIGHT, WRONG = "correct horse battery", "wrong horse battery"
VICTIM = "ada@example.com"


@pytest.fixture(autouse=True)
def cheap(cloud: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes are not what is tested; the work is as much smaller as the spray is."""
    monkeypatch.setattr(passwords, "hashed", lambda password: f"cheap {password}")
    monkeypatch.setattr(passwords, "matches", lambda encoded, password: encoded == f"cheap {password}")
    monkeypatch.setattr(passwords, "outdated", lambda encoded: False)
    monkeypatch.setattr(domain, "BITS", tuple((least, bits - 10) for least, bits in domain.BITS))
    service.register(VICTIM, RIGHT, intent=system_intent(VICTIM))


@dataclass
class Person:
    """Somebody who tries, from one network after the other; solves what is asked for, if it cares to."""

    networks: int
    password: str
    patient: bool = True
    tries: int = 0
    guessed: int = 0
    work: int = 0
    got_in: int = 0
    bits: list[int] = field(default_factory=list)

    def go(self, who: str = VICTIM) -> bool:
        self.tries += 1
        source_ip = f"203.0.{self.networks}.{self.tries % self.networks}"
        solved = None
        for _ in range(2):
            try:
                service.sign_in(who, self.password, source_ip=source_ip, solved=solved)
            except BadCredentials:
                self.guessed += 1
                return False
            except ChallengeNeeded as needed:
                if not self.patient:
                    return False
                self.bits.append(needed.params["bits"])
                solved = joining.solved(needed)
                self.work += int(solved.solution) + 1
            else:
                self.got_in += 1
                return True
        raise AssertionError("a solved challenge was asked for again")


def test_the_victim_always_gets_in_beside_a_spraying_client(capsys: pytest.CaptureFixture[str]) -> None:
    lazy, eager, victim = Person(200, WRONG, patient=False), Person(201, WRONG), Person(1, RIGHT)
    began = time.process_time()
    for _ in range(120):
        lazy.go()
        eager.go()
        if lazy.tries % 10 == 0:
            assert victim.go()
    assert victim.got_in == victim.tries == 12
    assert lazy.guessed + eager.guessed - len(eager.bits) <= domain.SIGN_IN_BY_IDENTITY.attempts
    assert eager.guessed == eager.tries
    assert lazy.guessed < lazy.tries / 4
    assert eager.bits == sorted(eager.bits)
    assert (eager.bits[0], eager.bits[-1]) == (domain.BITS[0][1], domain.bits_after(len(eager.bits) - 1))
    scale = 2**10
    with capsys.disabled():
        sys.stdout.write(
            f"\nlazy spray: {lazy.tries} tries, {lazy.guessed} guesses; eager: {eager.guessed} guesses for "
            f"{eager.work * scale:,} digests; victim without a known device: {victim.got_in} of {victim.tries} in, "
            f"{victim.work * scale // max(1, len(victim.bits)):,} digests each time it was asked ({len(victim.bits)}); "
            f"{time.process_time() - began:.1f} s of CPU here\n"
        )


def test_a_known_device_is_asked_for_no_work() -> None:
    device = service.sign_in(VICTIM, RIGHT, source_ip="192.0.2.1").device_token
    spray = Person(200, WRONG, patient=False)
    for _ in range(100):
        spray.go()
    with pytest.raises(ChallengeNeeded):
        service.sign_in(VICTIM, RIGHT, source_ip="192.0.2.1")
    assert service.sign_in(VICTIM, RIGHT, source_ip="192.0.2.1", device=service.Device(token=device))
    assert devices.known(device)


def needed_for(who: str = VICTIM, source_ip: str = "192.0.2.9") -> ChallengeNeeded:
    spray = Person(200, WRONG, patient=False)
    for _ in range(60):
        spray.go(who)
    with pytest.raises(ChallengeNeeded) as refused:
        service.sign_in(who, RIGHT, source_ip=source_ip)
    return refused.value


def test_a_challenge_is_good_once_for_its_name_network_and_five_minutes(noon: clock.Fixed) -> None:
    solved = joining.solved(needed_for())
    needed_for("nobody@example.com")
    for who, source_ip in (("nobody@example.com", "192.0.2.9"), (VICTIM, "192.0.2.10")):
        with pytest.raises(ChallengeNeeded):
            service.sign_in(who, RIGHT, source_ip=source_ip, solved=solved)
    number = int(solved.solution)
    for other in (
        Solved(solved.challenge, str(number + 1)),
        Solved(solved.challenge, f"{number}x"),
        Solved(solved.challenge, f"0{number}"),
        Solved(solved.challenge.replace(".8.", ".1.", 1), solved.solution),
        Solved(f"{solved.challenge}0", solved.solution),
        Solved("", ""),
    ):
        with pytest.raises(ChallengeNeeded):
            service.sign_in(VICTIM, RIGHT, source_ip="192.0.2.9", solved=other)
    assert service.sign_in(VICTIM, RIGHT, source_ip="192.0.2.9", solved=solved)
    with pytest.raises(ChallengeNeeded) as again:
        service.sign_in(VICTIM, RIGHT, source_ip="192.0.2.9", solved=solved)
    late = joining.solved(again.value)
    noon.advance(timedelta(seconds=challenges.LIFE_S))
    assert not challenges.is_solved(late, f"{identity_id_of(domain.identity(VICTIM))}#192.0.2.9")


def test_over_http_the_refusal_holds_the_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"identity": VICTIM, "password": RIGHT}
    for _ in range(10):
        assert call("POST", "/v1/auth/sign-in", {**body, "password": WRONG}).status == 401
    refused = call("POST", "/v1/auth/sign-in", body)
    assert (refused.status, refused.json["code"]) == (429, "challenge_needed")
    solved = joining.solved(ChallengeNeeded(challenge=refused.json["challenge"], bits=refused.json["bits"], wait_s=1))
    solution = {"challenge": solved.challenge, "number": solved.solution}
    assert call("POST", "/v1/auth/sign-in", {**body, "solution": solution}).status == 200
    assert call("POST", "/v1/auth/sign-in", {**body, "solution": solution}).json["code"] == "challenge_needed"


def test_known_and_invented_names_are_asked_for_the_same_work() -> None:
    told = [needed_for(who).params["bits"] for who in (VICTIM, "nobody@example.com")]
    assert told[0] == told[1]
    assert throttles.network_of("203.0.113.1") == "203.0.113.1"
