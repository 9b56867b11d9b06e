"""A post office for tests: the carriers of messages on this machine, and the shop's settings that lead there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.kernel import clock
from chalicelib.notifications import sealing, store, templates
from chalicelib.notifications import service as notifications
from chalicelib.notifications.domain import Kind
from chalicelib.runtime import aws, caches
from tools.fakes.messages import carriers
from tools.fakes.messages.carriers import Carriers
from tools.fakes.messages.steering import Silence
from tools.shared.httpd import Request, Response, Server


@contextmanager
def post_office(sms: str = "tencent") -> Iterator[Carriers]:
    """Serve the carriers; the shop sends through them while the block runs."""
    office = Carriers(clock.now)

    def serve(request: Request) -> Response | None:
        try:
            status, headers, body = office.handle(request.method, request.target, dict(request.headers), request.body)
        except Silence:
            return None  # Hangs up: nobody knows what became of it.
        return Response(status, list(headers.items()), body)

    server = Server(serve, port=0, body_cap=1 << 20, name="post-office")
    server.start()
    told = carriers.settings(server.url, sms)
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    _forget()
    try:
        yield office
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        _forget()


def _forget() -> None:
    aws.forget_clients()
    caches.forget_all()


def waiting(contact: str, fact: str) -> str:
    """Return what a message says that waits to be sent, opened as its sender would."""
    kind = Kind.EMAIL if "@" in contact else Kind.SMS
    asked = notifications.Asked(kind, contact, "", "", fact, clock.now(), {})
    message = store.load(notifications.message_id_of(asked))
    assert message is not None
    content = sealing.unseal(message.message_id, message.sealed)
    assert content.to == contact
    said = templates.fill(message.template, message.language, content.values)
    return said.body if kind is Kind.EMAIL else said.short


def token_in(text: str) -> str:
    """Return the token of an invitation that a message holds."""
    (found,) = re.findall(r"(?<![0-9a-z])[0-9a-hjkmnp-tv-z]{20}(?![0-9a-z])", text)
    return str(found)


def code_in(text: str) -> str:
    """Return the code that a message holds."""
    found = re.findall(r"(?<!\d)\d{6}(?!\d)", text)
    assert len(found) == 1, text
    return str(found[0])
