"""Invocations of the product: HTTP calls, notices, the relay, queues' functions and the deadline job; time passing."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from chalicelib.runtime import caches, deadlines, names, relay
from tools.fakes.sandbox.stand_in import Outgoing
from tools.sim import deployed, http
from tools.sim.faults import Crash
from tools.sim.http import Answer
from tools.sim.parts import Shard
from tools.sim.queues import Message
from tools.sim.seam import Seam


class Invocations(Seam):
    """Runs one handler of the product after another."""

    def invoke(self, name: str, work: Callable[[], Any]) -> tuple[bool, Any]:
        """Run one invocation of the product; returns whether the process lived through it, and the result."""
        self.totals.steps += 1
        self.digest = zlib.crc32(name.encode(), self.digest)
        self._where = name
        self.say(name)
        try:
            return True, work()
        except Crash:
            self.say("      crash")
            caches.forget_all()
            return False, None

    def call(
        self,
        method: str,
        template: str,
        path: dict[str, str] | None = None,
        body: Any = None,
        *,
        token: str | None = None,
        key: str | None = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer | None:
        """Make one HTTP call; None if the process ended before it answered."""
        self._serial += 1
        event = http.event(
            method,
            template,
            path or {},
            body,
            token=token,
            key=key,
            raw=raw,
            headers=headers,
            request_id=f"req-{self._serial:06d}",
        )
        lived, answer = self.invoke(f"{method} {event['path']}", lambda: deployed.application()(event, None))
        if not lived:
            return None
        status, text = answer["statusCode"], answer.get("body") or ""
        self.totals.answers[status] = self.totals.answers.get(status, 0) + 1
        self.say(f"      = {status} {text[:140] if status >= 400 else ''}")
        if status >= 400:
            self._inspect(f"{method} {template} {status}", text)
        # Busy, or a provider that did not answer the operator who asked: both honest.
        if status >= 500 and status != 503 and '"provider_silent"' not in text:
            self.oracle.broken(
                "errors", f"{method} {template} answered {status}: {self.last_error[-700:]}", event["path"]
            )
        told = Answer.of(answer)
        if told.json is not None and "payment_id" in told.json and "instruction" in told.json:
            self.oracle.shown.add(told.json["payment_id"])
            instruction = told.json["instruction"] or {}
            link = instruction.get("url") or (instruction.get("params") or {}).get("orderStr")
            if link:
                self.bank.links[told.json["payment_id"]] = link
        return told

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Deliver a provider's notice; 0 if nobody answered."""
        provider = urlsplit(url).path.rsplit("/", 1)[1]
        headers = {name.lower(): value for name, value in headers.items()}
        answer = self.call(
            "POST", "/v1/webhooks/payments/{provider}", {"provider": provider}, raw=body, headers=headers
        )
        return answer.status if answer is not None else 0

    def _hub_push(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        shipment_id = urlsplit(url).path.rsplit("/", 1)[1]
        template = "/v1/webhooks/logistics/kuaidi100/{shipment_id}"
        answer = self.call("POST", template, {"shipment_id": shipment_id}, raw=body, headers=headers)
        return (answer.status, answer.text.encode()) if answer is not None else (0, b"")

    def notify(self, out: Outgoing) -> None:
        """Let the provider post one of its waiting notices; without a 2xx it tries again later."""
        if out not in self.sandbox.outbox:
            return
        self.sandbox.outbox.remove(out)
        headers, body = self.sandbox.signed_notice(out.content, out.steering)
        before = len(self.noticed)
        status = self.post(out.url, headers, body)
        self.sandbox.delivered.append((status, out.content))
        if 200 <= status < 300:
            if not self._is_durable(out, self.noticed[before:]):
                self.oracle.broken("durable", "a notice was acknowledged and is in no queue", self.bank.about(out))
        elif out.tries < len(self.sandbox.retries_s):
            due = self.now_s() + self.sandbox.retries_s[out.tries]
            again = Outgoing(due, out.number, out.url, out.content, out.steering, out.tries + 1)
            self.sandbox.outbox.append(again)

    def _is_durable(self, out: Outgoing, noticed: Sequence[str]) -> bool:
        if self.bank.name == "sandbox":
            return f"payment.noticed#sandbox#{out.content['notice_id']}" in self.durable
        return self.bank.about(out) in noticed or not self.bank.must_last(out)

    def relay(self, shard: Shard, *, count: int = 100, again: bool = False) -> bool:
        """Hand the oldest records of a stream's shard to the relay; ``again`` delivers them once more later."""
        waiting = self.shards[shard]
        records = [waiting[number] for number in range(min(count, len(waiting)))]
        lived, result = self.invoke(f"relay {shard[0]}", lambda: relay.relay({"Records": records}))
        if not lived or result != {"batchItemFailures": []} or again:
            return False
        for record in records:
            # Another invocation for the same shard cannot have run: Lambda gives a shard to one at a time.
            if not waiting or waiting.popleft() is not record:
                raise RuntimeError("a shard was relayed twice at once")
        return True

    def deliver(self, queue: str, messages: Sequence[Message]) -> bool:
        """Hand messages to a queue's function as Lambda's poller does; deletes what it reports as done."""
        full_name = names.queue_name(queue)
        taken = self.queues.receive(full_name, [message.number for message in messages])
        if not taken:
            return True
        records = [
            {
                "messageId": message.message_id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.receives)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{full_name}",
                "awsRegion": "us-east-1",
            }
            for message in taken
        ]
        if self.tell:
            self.say(f"{queue} takes", about=" ".join(message.body for message in taken))
        lived, result = self.invoke(f"queue {queue}", lambda: deployed.functions()[queue]({"Records": records}, None))
        if not lived:
            return False
        failed = {failure["itemIdentifier"] for failure in (result or {}).get("batchItemFailures", [])}
        for message in taken:
            if message.message_id not in failed:
                self.queues.delete(full_name, message)
                self.old_messages.append((queue, message.body))
        return True

    def sweep(self) -> None:
        """Run the deadline job."""
        self.invoke("deadlines", self._sweep)

    def _sweep(self) -> None:
        try:
            deadlines.sweep()
        except Exception as error:  # The schedule runs it again in a minute.
            self.faults.count("sweep_failed")
            self.say(f"      {type(error).__name__}")

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.totals.steps += 1
        self.clock.advance(by)
        self.digest = zlib.crc32(str(by).encode(), self.digest)
