"""Registering over HTTP as people do: ask for a code, read it, send it along."""

from __future__ import annotations

from typing import Any

from chalicelib.auth import challenges
from chalicelib.auth.challenges import Solved
from chalicelib.auth.domain import ChallengeNeeded
from tests.support.http import Answer, call
from tests.support.letters import code_in, waiting


def code_of(contact: str, code_id: str) -> str:
    """Return the code that waits to be sent, opened as its sender would."""
    return code_in(waiting(contact, f"code#{code_id}"))


def ask(contact: str, purpose: str, **options: Any) -> str:
    """Ask for a code; returns its id."""
    answer = call("POST", "/v1/auth/codes", {"contact": contact, "purpose": purpose}, **options)
    assert answer.status == 202, answer.body
    return str(answer.json["code_id"])


def proof(contact: str, purpose: str) -> dict[str, str]:
    """Ask for a code and read it; returns what goes with its use."""
    code_id = ask(contact, purpose)
    return {"code_id": code_id, "code": code_of(contact, code_id)}


def register(identity: str, password: str, **more: Any) -> Answer:
    """Register with a code."""
    body = {"identity": identity, "password": password, **proof(identity, "register"), **more}
    return call("POST", "/v1/auth/register", body)


def solved(needed: ChallengeNeeded) -> Solved:
    """Do the work that somebody is asked for."""
    number = 0
    while challenges.zero_bits(needed.params["challenge"], str(number)) < needed.params["bits"]:
        number += 1
    return Solved(needed.params["challenge"], str(number))
