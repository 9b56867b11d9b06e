"""What the dev server answers under ``/_dev/``: time, queues, dead letters, causes, accounts, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.runtime import aws, names, queues
from tools.dev import pictures, trail
from tools.dev.pump import Pump
from tools.fakes.messages.mailbox import Mailbox
from tools.fakes.webhooks.door import Door
from tools.shared.httpd import Request, Response

JSON = [("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store")]
TEXT = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
PAGE = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
]
FURTHEST = timedelta(days=20 * 365)
"""How far the clock may be ahead in all."""
CALLS = """\
GET  /_dev/                          this list, the addresses and the demo accounts
POST /_dev/clock  {"advance_s": 1800}  let time pass; what falls due happens at once
POST /_dev/settle                    wait until every stream and queue is empty
GET  /_dev/queues                    messages waiting, in flight and dead
GET  /_dev/dead-letters/<queue>      read dead letters
POST /_dev/dead-letters/<queue>      send them again
GET  /_dev/mailbox                   what was sent to people (?to=<address or number>, ?format=json)
GET  /_dev/webhooks                  what a merchant's own system was told at this address, and why it refused the rest
POST /_dev/webhooks                  the address itself: checks signatures as Standard Webhooks says
POST /_dev/webhooks/set  {"secrets": ["whsec_..."], "answers": [500, "429 30"]}  by which, and what it answers next
GET  /_dev/explain/<id>              what led to this purchase, order, payment, ... (?format=text)
"""


class Control:
    """The routes, over the parts of one running dev server."""

    def __init__(
        self,
        *,
        pump: Pump,
        record: trail.Trail,
        adjustable: clock.Adjustable,
        info: Callable[[], dict[str, Any]],
        mailbox: Mailbox,
    ) -> None:
        self._pump = pump
        self._trail = record
        self._clock = adjustable
        self._info = info
        self._mailbox = mailbox
        self._webhooks = Door()

    def __call__(self, request: Request) -> Response:  # noqa: C901, PLR0911 -- one line a call
        """Serve one call."""
        parts = urlsplit(request.target)
        words = [unquote(word) for word in parts.path.removeprefix("/_dev/").split("/")]
        query = parse_qs(parts.query)
        match (request.method, words[0]):
            case ("GET", ""):
                return _json({"calls": CALLS.splitlines(), **self._info()})
            case ("GET", "pictures"):
                return pictures.respond(words[1:])
            case ("POST", "clock"):
                return self._advance(request.body)
            case ("GET", "clock"):
                return _json({"now": clock.now().isoformat(), "offset_s": self._clock.offset.total_seconds()})
            case ("POST", "settle"):
                return _json({"settled": self._pump.settle(20)})
            case ("GET", "queues"):
                return _json(queue_states())
            case ("GET", "dead-letters") if len(words) == 2 and words[1] in topology.QUEUES:
                return _json(dead_letters(words[1]))
            case ("POST", "dead-letters") if len(words) == 2 and words[1] in topology.QUEUES:
                return _json({"sent_again": send_again(words[1])})
            case ("GET", "mailbox"):
                return self._letters(query)
            case (_, "webhooks"):
                return self._webhooks.respond(request, words[1:])
            case ("GET", "explain") if len(words) == 2:
                return self._explain(words[1], text="text" in query.get("format", []))
            case _:
                return Response(404, TEXT, CALLS.encode())

    def _advance(self, body: bytes) -> Response:
        try:
            by = timedelta(seconds=float(json.loads(body)["advance_s"]))
            if self._clock.offset + by > FURTHEST:
                raise ValueError("nothing here knows a date so far ahead")
            self._clock.advance(by)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return Response(422, TEXT, b'Send {"advance_s": <seconds, 0 or more>}.\n')
        self._pump.settle(20)
        self._pump.jumped()
        return _json({"now": clock.now().isoformat(), "settled": self._pump.settle(20)})

    def _letters(self, query: dict[str, list[str]]) -> Response:
        to = query.get("to", [""])[0]
        if "json" in query.get("format", []):
            return _json([letter.view() for letter in self._mailbox.letters(to)])
        return Response(200, PAGE, self._mailbox.shown(to).encode())

    def _explain(self, record_id: str, *, text: bool) -> Response:
        lines = self._trail.explain(record_id)
        if text:
            return Response(200, TEXT, (trail.text_of(lines) + "\n").encode())
        entries = [entry.view(depth) for depth, entry in lines]
        return _json({"id": record_id, "intact": self._trail.intact(), "entries": entries})


def queue_states() -> list[dict[str, Any]]:
    """Return what waits in each queue and its dead letters."""
    states = []
    for queue in topology.QUEUES:
        counts = _counts(names.queue_name(queue))
        dead = _counts(names.dead_letter_name(queue))
        states.append({"queue": queue, **counts, "dead": dead["waiting"] + dead["in_flight"]})
    return states


def _counts(full_name: str) -> dict[str, int]:
    found = aws.call("sqs", "GetQueueAttributes", {"QueueUrl": queues.url(full_name), "AttributeNames": ["All"]})
    attributes = found["Attributes"]
    return {
        "waiting": int(attributes["ApproximateNumberOfMessages"]),
        "in_flight": int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        "delayed": int(attributes.get("ApproximateNumberOfMessagesDelayed", 0)),
    }


def dead_letters(queue: str) -> list[dict[str, Any]]:
    """Return up to ten dead letters, leaving them where they are."""
    return [
        {
            "reason": message.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "redriven"),
            "body": _parsed(message["Body"]),
        }
        for message in _receive(queue, visibility_s=0)
    ]


def send_again(queue: str) -> int:
    """Move the dead letters back to their queue; return how many."""
    moved = 0
    while messages := _receive(queue, visibility_s=30):
        for message in messages:
            source = {"QueueUrl": queues.url(names.queue_name(queue)), "MessageBody": message["Body"]}
            aws.call("sqs", "SendMessage", source)
            done = {"QueueUrl": queues.url(names.dead_letter_name(queue)), "ReceiptHandle": message["ReceiptHandle"]}
            aws.call("sqs", "DeleteMessage", done)
            moved += 1
    return moved


def _receive(queue: str, *, visibility_s: int) -> list[dict[str, Any]]:
    params = {
        "QueueUrl": queues.url(names.dead_letter_name(queue)),
        "MaxNumberOfMessages": 10,
        "VisibilityTimeout": visibility_s,
        "MessageAttributeNames": ["All"],
    }
    found: list[dict[str, Any]] = aws.call("sqs", "ReceiveMessage", params).get("Messages", [])
    return found


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _json(value: Any) -> Response:
    return Response(200, JSON, json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n")
