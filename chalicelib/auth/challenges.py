"""Proof of work in place of a refusal: where a name is under attack, who wants to try on must spend some computing.

A challenge is stateless: we sign what it is for, how hard it is and until when it counts. Its solution is a number with
which the SHA-256 of the challenge begins with so many zero bits. It is spent once, by a conditional write. So whoever
has the right password gets in however many strangers try, and each guess beyond the limits costs its guesser more.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from chalicelib.auth import passwords, store
from chalicelib.auth.domain import ChallengeNeeded
from chalicelib.kernel import clock, ids

_PREFIX = "bdp1"
LIFE_S = 300
LONGEST_SOLUTION = 20


@dataclass(frozen=True, slots=True)
class Solved:
    """A challenge that we gave out, and the number that solves it."""

    challenge: str
    solution: str


def needed(subject: str, *, bits: int, wait_s: int) -> ChallengeNeeded:
    """Return the refusal with a fresh challenge for this subject, as hard as that."""
    expires_s = clock.epoch_s(clock.now()) + LIFE_S
    body = f"{_PREFIX}.{_mark(subject)}.{bits}.{expires_s}.{ids.random_bytes(12).hex()}"
    return ChallengeNeeded(challenge=f"{body}.{_tag(body)}", bits=bits, wait_s=wait_s)


def is_solved(solved: Solved, subject: str) -> bool:
    """Say whether it is ours, for this subject, of now, and really solved. Nothing is read or written."""
    body, _, tag = solved.challenge.rpartition(".")
    parts = body.split(".")
    if not solved.challenge.isascii() or len(parts) != 5 or not hmac.compare_digest(_tag(body), tag):
        return False
    if parts[0] != _PREFIX or parts[1] != _mark(subject) or int(parts[3]) <= clock.epoch_s(clock.now()):
        return False
    if not (solved.solution.isascii() and solved.solution.isdigit() and len(solved.solution) <= LONGEST_SOLUTION):
        return False
    return zero_bits(solved.challenge, solved.solution) >= int(parts[2])


def spend(solved: Solved) -> bool:
    """Use it up; says whether this was the first use."""
    mark = hashlib.sha256(solved.challenge.encode()).hexdigest()[:40]
    return store.first_use(f"pow_{mark}", ends_at=clock.from_epoch_s(clock.epoch_s(clock.now()) + LIFE_S))


def zero_bits(challenge: str, solution: str) -> int:
    """Return with how many zero bits the digest of a challenge and a number begins."""
    digest = int.from_bytes(hashlib.sha256(f"{challenge}.{solution}".encode()).digest())
    return 256 - digest.bit_length()


def _mark(subject: str) -> str:
    return hmac.new(passwords.keyed("challenge-subject"), subject.encode(), hashlib.sha256).hexdigest()[:24]


def _tag(body: str) -> str:
    return hmac.new(passwords.keyed("challenge"), body.encode(), hashlib.sha256).hexdigest()[:32]
