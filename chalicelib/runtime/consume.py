"""Queue consumers: decode, call, acknowledge; a batch fails message by message, never as a whole.

A capability's ``consumers.py`` builds one :class:`Consumer`, registers a handler per event type, and declares the
Lambda function that hands it the batch. A message that keeps failing is backed off, then moved to the queue's
dead letters with the reason as an attribute; one that only met throttles and time-outs of AWS goes on. A deadline that
keeps failing is parked instead (``runtime.parking``): it would be told again each minute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from chalicelib.kernel import context, ids
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import Busy, RetryLater, ShopError
from chalicelib.kernel.events import Envelope, Event
from chalicelib.runtime import aws, log, metrics, names, patience, queues, start
from chalicelib.runtime.config import on_lambda
from chalicelib.runtime.db import dynamo

MAX_RECEIVES = 8
"""After so many failures a message goes to the dead letters. The queue's redrive policy says two more, as a net."""
BACK_OFF_CAP_S = 300
ASKING_S = 18.0
"""A consumer's function ends after 30 s: what others leave us waiting for must leave time for our own work."""
DUE = "due"
"""The type of ``runtime.deadlines.Due``, which this module need not import."""

Handler = Callable[[Any, Envelope], None]


class Consumer:
    """The handlers of one queue, by event type. ``asking_s``: what a batch may wait for others' answers together."""

    def __init__(self, queue: str, *, asking_s: float = ASKING_S) -> None:
        self.queue = queue
        self._asking_s = asking_s
        self._handlers: dict[str, tuple[type[Event], Handler]] = {}

    def on(self, kind: type[Event]) -> Callable[[Handler], Handler]:
        """Register the handler of one event type."""

        def register(handler: Handler) -> Handler:
            self._handlers[str(kind.__struct_config__.tag)] = (kind, handler)
            return handler

        return register

    @property
    def types(self) -> set[str]:
        """Return the event types this consumer handles; ``topology`` is checked against it."""
        return set(self._handlers)

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Handle one Lambda SQS event; returns ``{"batchItemFailures": [{"itemIdentifier": ...}]}``."""
        if on_lambda():
            start.check()
        with patience.within(self._asking_s):
            failures = [{"itemIdentifier": record["messageId"]} for record in event["Records"] if not self._one(record)]
        metrics.flush(self.queue)
        return {"batchItemFailures": failures}

    def _one(self, record: dict[str, Any]) -> bool:
        receives = int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))
        try:
            envelope = facts.decode(record["body"])
        except msgspec.DecodeError:
            return self._give_up(record, "undecodable")
        with context.use(
            context.Context(request_id=envelope.request_id, cause_id=envelope.id, actor=f"queue:{self.queue}")
        ):
            found = self._handlers.get(envelope.type)
            if found is None:
                return self._give_up(record, f"no handler for {envelope.type}")
            if envelope.type == DUE and receives > MAX_RECEIVES:  # Whoever tried it before never came to an end.
                return self._park(record, envelope, "never_ended")
            try:
                found[1](envelope.event(found[0]), envelope)
            except Exception as error:
                return self._failed(record, envelope, error, receives=receives)
            log.info("consumed", event=envelope.id)
            return True

    def _failed(self, record: dict[str, Any], envelope: Envelope, error: Exception, *, receives: int) -> bool:
        """Have it tried again, or end it; says whether the message may be deleted."""
        if isinstance(error, RetryLater):
            log.info("retry later", event=envelope.id, why=error.why, delay_s=error.delay_s, receives=receives)
            return self._again(record, envelope, delay_s=error.delay_s, receives=receives)
        reason = error.code if isinstance(error, ShopError) else type(error).__name__
        log.error("consumer failed", trace=True, event=envelope.id, reason=reason, receives=receives)
        metrics.count("consumer_failures")
        delay_s = min(BACK_OFF_CAP_S, 2**receives)
        if receives < MAX_RECEIVES:
            self._hide(record, delay_s)
            return False
        if isinstance(error, Busy) or dynamo.is_passing(error):
            # AWS failed, not the message: it may have been received so often because it waited by decision.
            return self._again(record, envelope, delay_s=delay_s, receives=receives)
        return self._park(record, envelope, reason) if envelope.type == DUE else self._give_up(record, reason)

    def _again(self, record: dict[str, Any], envelope: Envelope, *, delay_s: int, receives: int) -> bool:
        """Wait as a handler decided: that is no failure, so the message must not run into the queue's redrive policy.

        A deadline is told again by its job each minute for as long as it is due; anything else goes on as a fresh
        message whose receives count from one.
        """
        if receives < MAX_RECEIVES:
            self._hide(record, delay_s)
            return False
        if envelope.type == DUE:
            return True
        try:
            queues.send(self.queue, [envelope], delays_s=[min(delay_s, queues.LONGEST_DELAY_S)])
        except Exception as error:  # This one comes back by itself, and tries again.
            log.warning("not sent afresh", kind=type(error).__name__)
            return False
        return True

    def _hide(self, record: dict[str, Any], delay_s: int) -> None:
        try:
            aws.call(
                "sqs",
                "ChangeMessageVisibility",
                {
                    "QueueUrl": queues.url(names.queue_name(self.queue)),
                    "ReceiptHandle": record["receiptHandle"],
                    "VisibilityTimeout": delay_s,
                },
            )
        except Exception as error:  # The message comes back by itself, only sooner or later than we asked.
            log.warning("back-off not set", kind=type(error).__name__)

    def _park(self, record: dict[str, Any], envelope: Envelope, reason: str) -> bool:
        """Park the deadline that cannot fire: its job would only tell it again each minute.

        The message may be deleted then, also where AWS fails: the job tells the deadline again.
        """
        from chalicelib.runtime import parking
        from chalicelib.runtime.deadlines import Due

        try:
            parking.park(envelope.event(Due), reason)
        except (LookupError, msgspec.ValidationError):
            return self._give_up(record, reason)
        except Exception as error:
            log.warning("deadline not parked", event=envelope.id, kind=type(error).__name__)
        return True

    def _give_up(self, record: dict[str, Any], reason: str) -> bool:
        """Move the message to the dead letters with its reason; says whether the original may be deleted."""
        try:
            aws.call(
                "sqs",
                "SendMessage",
                {
                    "QueueUrl": queues.url(names.dead_letter_name(self.queue)),
                    "MessageBody": record["body"],
                    "MessageAttributes": {
                        "reason": {"DataType": "String", "StringValue": reason[:200] or "unknown"},
                        "queue": {"DataType": "String", "StringValue": self.queue},
                        "dead_id": {"DataType": "String", "StringValue": ids.digest(record["body"])},
                    },
                },
            )
        except Exception as error:  # One message that cannot be moved must not fail those beside it.
            log.warning("dead letter not sent", kind=type(error).__name__)
            return False
        metrics.count("dead_letters")
        log.error("dead letter", reason=reason)
        return True
