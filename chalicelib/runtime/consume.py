"""Queue consumers: decode, call, acknowledge; a batch fails message by message, never as a whole.

A capability's ``consumers.py`` builds one :class:`Consumer`, registers a handler per event type, and declares the
Lambda function that hands it the batch and Lambda's context. A message that keeps failing is backed off, then moved to
the queue's dead letters with the reason as an attribute; one that only met throttles and time-outs of AWS goes on. A
deadline that keeps failing is parked instead (``runtime.parking``): it would be told again each minute.

A batch ends before its function would be ended: what there is no time to begin goes back to the queue, what is finished
never comes again. An event type that this release does not know waits: functions are updated one by one, and whoever
sends it may be ahead of us (docs/upgrading.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from chalicelib.kernel import context, ids
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import RetryLater, ShopError
from chalicelib.kernel.events import Envelope, Event
from chalicelib.runtime import aws, lifetime, log, metrics, names, patience, queues, start
from chalicelib.runtime.config import on_lambda
from chalicelib.runtime.db import dynamo

MAX_RECEIVES = 8
"""After so many failures a message goes to the dead letters. The queue's redrive policy says two more, as a net."""
WAITS = MAX_RECEIVES // 2
"""Received so often, a message that waits by decision goes on as a fresh one. SQS counts waits as it counts failures:
one that had waited seven times was given up at its first failure."""
LAST_RECEIVE = MAX_RECEIVES + 2
"""Whoever tried it before never came to an end. After this one the queue would move it, without a reason."""
BACK_OFF_CAP_S = 300
UNKNOWN_S = 30
"""So long an unknown event type waits at first, then twice as long each time: 20 minutes and more altogether."""
SOON_S = 2
"""What was not begun comes back after this: to another instance, or when this one is free."""
ASKING_S = 18.0
"""A consumer's function ends after 30 s: what others leave us waiting for must leave time for our own work."""
OWN_S = 5.0
"""What our own work on a message may need when others have answered."""
BEGIN_S = OWN_S + 1.0
"""With less than this left no other message is begun."""
REPORT_S = 2.0
"""What a handler leaves for telling SQS how it ended; of that, the answer to Lambda needs ``ANSWER_S``."""
ANSWER_S = 0.5
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

    def handle(self, event: dict[str, Any], lambda_context: Any = None) -> dict[str, Any]:
        """Handle one Lambda SQS event; returns ``{"batchItemFailures": [{"itemIdentifier": ...}]}``."""
        with lifetime.of(lambda_context):
            if on_lambda():
                start.check()
            failures = [{"itemIdentifier": message_id} for message_id in self._batch(event["Records"])]
            metrics.flush(self.queue)
        return {"batchItemFailures": failures}

    def _batch(self, records: Sequence[dict[str, Any]]) -> list[str]:
        """Handle records until the time is over; returns the ids of those that must come again."""
        again: list[str] = []
        with patience.within(min(self._asking_s, lifetime.left_s() - OWN_S)):
            for position, record in enumerate(records):
                if position and (lifetime.left_s() < BEGIN_S or patience.spent()):
                    return again + self._put_off(records[position:])
                if not self._one(record):
                    again.append(record["messageId"])
        return again

    def _one(self, record: dict[str, Any]) -> bool:
        receives = times_received(record)
        try:
            envelope = facts.decode(record["body"])
        except msgspec.DecodeError:
            return self._give_up(record, "undecodable")
        with context.use(
            context.Context(request_id=envelope.request_id, cause_id=envelope.id, actor=f"queue:{self.queue}")
        ):
            found = self._handlers.get(envelope.type)
            if found is None:
                return self._unknown(record, envelope, receives=receives)
            if envelope.type == DUE and receives > MAX_RECEIVES:  # Whoever tried it before never came to an end.
                return self._park(record, envelope, "never_ended")
            if receives >= LAST_RECEIVE:
                return self._give_up(record, "never_ended")
            try:
                with lifetime.keeping(REPORT_S):
                    found[1](envelope.event(found[0]), envelope)
            except Exception as error:
                return self._failed(record, envelope, error, receives=receives)
            log.info("message handled", event=envelope.id)
            return True

    def _unknown(self, record: dict[str, Any], envelope: Envelope, *, receives: int) -> bool:
        """Let it wait for the release that knows it; one that never comes leaves it to the dead letters."""
        if receives >= MAX_RECEIVES:
            return self._give_up(record, f"no handler for {envelope.type}")
        log.warning("event is of an unknown type", event=envelope.id, receives=receives)
        metrics.count("unknown_events")
        self._hide(record, min(BACK_OFF_CAP_S, UNKNOWN_S * 2 ** (receives - 1)))
        return False

    def _put_off(self, records: Sequence[dict[str, Any]]) -> list[str]:
        """Give back what was not begun, soon; returns the ids of what must come again.

        That is no failure, but it was received: one that came so often goes on as a fresh message, as in ``_again``.
        """
        log.warning("out of time; messages returned to the queue", put_off=len(records), queue=self.queue)
        metrics.count("messages_put_off", len(records))
        return [record["messageId"] for record in records if not self._given_back(record)]

    def _given_back(self, record: dict[str, Any]) -> bool:
        receives = times_received(record)
        if receives < WAITS:
            self._hide(record, SOON_S)
            return False
        try:
            envelope = facts.decode(record["body"])
        except msgspec.DecodeError:
            return False  # It will be given up when there is time.
        return self._again(record, envelope, delay_s=SOON_S, receives=receives)

    def _failed(self, record: dict[str, Any], envelope: Envelope, error: Exception, *, receives: int) -> bool:
        """Have it tried again, or end it; says whether the message may be deleted."""
        if isinstance(error, RetryLater):
            log.info(
                "message will be retried later",
                event=envelope.id,
                why=error.why,
                delay_s=error.delay_s,
                receives=receives,
            )
            return self._again(record, envelope, delay_s=error.delay_s, receives=receives)
        reason = error.code if isinstance(error, ShopError) else type(error).__name__
        log.error("message could not be handled", trace=True, event=envelope.id, reason=reason, receives=receives)
        metrics.count("consumer_failures")
        delay_s = min(BACK_OFF_CAP_S, 2**receives)
        if receives < MAX_RECEIVES:
            self._hide(record, delay_s)
            return False
        if dynamo.is_passing(error):
            # AWS failed, not the message: it may have been received so often because it waited by decision.
            return self._again(record, envelope, delay_s=delay_s, receives=receives)
        return self._park(record, envelope, reason) if envelope.type == DUE else self._give_up(record, reason)

    def _again(self, record: dict[str, Any], envelope: Envelope, *, delay_s: int, receives: int) -> bool:
        """Wait as a handler decided: that is no failure, so the message must not run into the queue's redrive policy.

        A deadline is told again by its job each minute for as long as it is due; anything else goes on as a fresh
        message whose receives count from one, while it still has tries left for failures.
        """
        if receives < WAITS:
            self._hide(record, delay_s)
            return False
        if envelope.type == DUE:
            return True
        try:
            with _briefly():
                queues.send(self.queue, [envelope], delays_s=[min(delay_s, queues.LONGEST_DELAY_S)])
        except Exception as error:  # This one comes back by itself, and tries again.
            log.warning("message could not be sent again", kind=type(error).__name__)
            self._hide(record, delay_s)
            return False
        return True

    def _hide(self, record: dict[str, Any], delay_s: int) -> None:
        try:
            with _briefly():
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
            log.warning("retry delay of a message could not be set", kind=type(error).__name__)

    def _park(self, record: dict[str, Any], envelope: Envelope, reason: str) -> bool:
        """Park the deadline that cannot fire: its job would only tell it again each minute.

        The message may be deleted then, also where AWS fails: the job tells the deadline again.
        """
        from chalicelib.runtime import parking
        from chalicelib.runtime.deadlines import Due

        try:
            with _briefly():
                parking.park(envelope.event(Due), reason)
        except (LookupError, msgspec.ValidationError):
            return self._give_up(record, reason)
        except Exception as error:
            log.warning("deadline could not be parked", event=envelope.id, kind=type(error).__name__)
        return True

    def _give_up(self, record: dict[str, Any], reason: str) -> bool:
        """Move the message to the dead letters with its reason; says whether the original may be deleted."""
        try:
            with _briefly():
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
            log.warning("message could not be moved to the dead-letter queue", kind=type(error).__name__)
            return False
        metrics.count("dead_letters")
        log.error("message moved to the dead-letter queue", reason=reason)
        return True


def times_received(record: dict[str, Any]) -> int:
    """Return how often a message was received, this time included."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))


@contextmanager
def _briefly() -> Iterator[None]:
    """Tell SQS how it ended in what a handler left for that; a message of which it is not told comes back by itself."""
    with lifetime.keeping(ANSWER_S), lifetime.at_most(REPORT_S - ANSWER_S):
        yield
