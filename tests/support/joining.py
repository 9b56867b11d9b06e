"""Registering over HTTP as people do: ask for a code, read it, send it along."""

from __future__ import annotations

from typing import Any

from chalicelib.kernel import clock
from chalicelib.notifications import sealing, store, templates
from chalicelib.notifications import service as notifications
from chalicelib.notifications.domain import Kind
from tests.support.http import Answer, call
from tests.support.letters import code_in


def code_of(contact: str, code_id: str) -> str:
    """Return the code that waits to be sent, opened as its sender would."""
    kind = Kind.EMAIL if "@" in contact else Kind.SMS
    asked = notifications.Asked(kind, contact, "", "", f"code#{code_id}", clock.now(), {})
    message = store.load(notifications.message_id_of(asked))
    assert message is not None
    content = sealing.unseal(message.message_id, message.sealed)
    assert content.to == contact
    return code_in(templates.fill(message.template, message.language, content.values).body)


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
