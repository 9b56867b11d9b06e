"""Sending to SQS. Messages are envelopes; attributes carry what a person needs to read a dead letter."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib import topology
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.events import Envelope
from chalicelib.runtime import aws, caches, names

BATCH = 10
LONGEST_DELAY_S = 900
_urls: dict[str, str] = {}


class SendFailed(Busy):
    """Some messages were not accepted; sending all of them again is safe. Over HTTP: 503, come again."""


def url(full_name: str) -> str:
    """Return the queue's URL, asked for once a process."""
    if full_name not in _urls:
        _urls[full_name] = aws.call("sqs", "GetQueueUrl", {"QueueName": full_name})["QueueUrl"]
    return _urls[full_name]


@caches.register
def forget_urls() -> None:
    """Drop the cache: when accounts change in tests."""
    _urls.clear()


def waiting_for(event_type: str) -> tuple[str, ...]:
    """Return the queues that events of a type go to.

    Raises:
        LookupError: for a type that the topology does not list.
    """
    return topology.queues_for(event_type)


def publish(envelope: Envelope) -> None:
    """Send an event that no row carries to every queue that the topology names for it.

    Raises:
        LookupError: if it names none: the event would be lost.
        SendFailed: if a queue did not accept it; sending it again is safe.
    """
    wanted = topology.queues_for(envelope.type)
    if not wanted:
        raise LookupError(f"no queue waits for {envelope.type}")
    for queue in wanted:
        send(queue, [envelope])


def send(queue: str, envelopes: Sequence[Envelope], *, delays_s: Sequence[int] | None = None) -> None:
    """Send envelopes to a queue (short name), ten a call; each optionally delayed (at most 900 s).

    Raises:
        SendFailed: if SQS accepted some and refused others.
    """
    queue_url = url(names.queue_name(queue))
    entries = [
        {"Id": str(number), "MessageBody": facts.encode(envelope), "DelaySeconds": delays_s[number] if delays_s else 0}
        for number, envelope in enumerate(envelopes)
    ]
    for start in range(0, len(entries), BATCH):
        answer = aws.call("sqs", "SendMessageBatch", {"QueueUrl": queue_url, "Entries": entries[start : start + BATCH]})
        if answer.get("Failed"):
            raise SendFailed(queue=queue, codes=[failed.get("Code") for failed in answer["Failed"]])
