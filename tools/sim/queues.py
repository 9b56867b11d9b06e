"""SQS and Secrets Manager in memory: visibility by the simulator's clock, delays, receive counts, dead letters.

``receive`` is what Lambda's poller does; everything else is called by the product through ``runtime.aws``. Order among
visible messages is the caller's to choose (standard queues promise none), duplicates are its to ask for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tools.sim.storage import Answer, Params, failure

VISIBILITY_S = 60.0
"""Of a queue that nobody says otherwise about."""
MAX_RECEIVES = 10
"""The queues' redrive policy (tools/fakes/resources.py, infra/)."""
MAX_DELAY_S = 900
MESSAGE_CAP_BYTES = 262_144


@dataclass(frozen=True)
class Message:
    """One message; frozen, so that a snapshot of a queue is a copy of its list."""

    number: int
    body: str
    visible_at: float
    sent_at: float
    receives: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    receipt: str = ""

    @property
    def message_id(self) -> str:
        """Return SQS's id of the message."""
        return f"msg-{self.number:08d}"


@dataclass
class Queue:
    """One queue and where its hopeless messages go."""

    name: str
    dead_letters: str | None
    messages: dict[int, Message] = field(default_factory=dict)


class Queues:
    """All queues of one account. ``inspect`` sees every body that is sent."""

    def __init__(
        self,
        names: Iterable[str],
        *,
        now_s: Callable[[], float],
        inspect: Callable[[str, str], None] | None = None,
        visibility_s: Mapping[str, float] | None = None,
    ) -> None:
        self.queues: dict[str, Queue] = {}
        for name in names:
            self.queues[name] = Queue(name, f"{name}-dead")
            self.queues[f"{name}-dead"] = Queue(f"{name}-dead", None)
        self._now_s = now_s
        self._visibility_s = visibility_s or {}
        self._inspect = inspect or (lambda _queue, _body: None)
        self._serial = 0
        self._operations: dict[str, Callable[[Params], Answer]] = {
            "GetQueueUrl": self._url,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._change,
        }

    def call(self, operation: str, params: Params) -> Answer:
        """Run one operation.

        Raises:
            ClientError: as SQS answers.
        """
        handler = self._operations.get(operation)
        if handler is None:
            raise failure(operation, "InvalidAction")
        return handler(params)

    # What the poller does.

    def visible(self, name: str) -> list[Message]:
        """Return the messages that could be received now."""
        now_s = self._now_s()
        return [message for message in self.queues[name].messages.values() if message.visible_at <= now_s]

    def receive(self, name: str, numbers: Iterable[int]) -> list[Message]:
        """Take these messages: invisible from now, one receive more. Received too often, they are dead letters."""
        queue = self.queues[name]
        now_s = self._now_s()
        taken = []
        for number in numbers:
            message = queue.messages[number]
            if queue.dead_letters is not None and message.receives >= MAX_RECEIVES:
                del queue.messages[number]
                self._put(queue.dead_letters, message.body, 0, {"redriven": {"StringValue": "receives"}})
                continue
            receives = message.receives + 1
            receipt = f"{message.message_id}#{receives}"
            message = replace(
                message,
                visible_at=now_s + self._visibility_s.get(name, VISIBILITY_S),
                receives=receives,
                receipt=receipt,
            )
            queue.messages[number] = message
            taken.append(message)
        return taken

    def delete(self, name: str, message: Message) -> None:
        """Delete a message as its receiver."""
        self.queues[name].messages.pop(message.number, None)

    def next_visible(self, names: Iterable[str]) -> float | None:
        """Return when the next message of these queues can be received."""
        moments = [message.visible_at for name in names for message in self.queues[name].messages.values()]
        return min(moments, default=None)

    def dead(self) -> list[tuple[str, Message]]:
        """Return every dead letter with its queue's name."""
        return [
            (queue.name, message)
            for queue in self.queues.values()
            if queue.dead_letters is None
            for message in queue.messages.values()
        ]

    # The API.

    def _url(self, params: Params) -> Answer:
        name = params["QueueName"]
        if name not in self.queues:
            raise failure("GetQueueUrl", "AWS.SimpleQueueService.NonExistentQueue")
        return {"QueueUrl": f"https://sqs.sim/000000000000/{name}"}

    def _named(self, operation: str, params: Params) -> Queue:
        queue = self.queues.get(params["QueueUrl"].rsplit("/", 1)[1])
        if queue is None:
            raise failure(operation, "AWS.SimpleQueueService.NonExistentQueue")
        return queue

    def _put(self, name: str, body: str, delay_s: float, attributes: Mapping[str, Any]) -> Message:
        if len(body.encode()) > MESSAGE_CAP_BYTES:
            raise failure("SendMessage", "InvalidParameterValue", "message too long")
        if not 0 <= delay_s <= MAX_DELAY_S:
            raise failure("SendMessage", "InvalidParameterValue", "DelaySeconds")
        self._inspect(name, body)
        self._serial += 1
        now_s = self._now_s()
        message = Message(self._serial, body, now_s + delay_s, now_s, attributes=dict(attributes))
        self.queues[name].messages[message.number] = message
        return message

    def _send(self, params: Params) -> Answer:
        queue = self._named("SendMessage", params)
        message = self._put(
            queue.name, params["MessageBody"], params.get("DelaySeconds", 0), params.get("MessageAttributes", {})
        )
        return {"MessageId": message.message_id}

    def _send_batch(self, params: Params) -> Answer:
        queue = self._named("SendMessageBatch", params)
        entries = params["Entries"]
        if not 1 <= len(entries) <= 10:
            raise failure("SendMessageBatch", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
        if sum(len(entry["MessageBody"].encode()) for entry in entries) > MESSAGE_CAP_BYTES:
            raise failure("SendMessageBatch", "AWS.SimpleQueueService.BatchRequestTooLong")
        done = []
        for entry in entries:
            sent = self._put(
                queue.name, entry["MessageBody"], entry.get("DelaySeconds", 0), entry.get("MessageAttributes", {})
            )
            done.append({"Id": entry["Id"], "MessageId": sent.message_id})
        return {"Successful": done}

    def _receive(self, params: Params) -> Answer:
        queue = self._named("ReceiveMessage", params)
        numbers = [message.number for message in self.visible(queue.name)][: params.get("MaxNumberOfMessages", 1)]
        return {
            "Messages": [
                {
                    "MessageId": message.message_id,
                    "ReceiptHandle": message.receipt,
                    "Body": message.body,
                    "Attributes": {"ApproximateReceiveCount": str(message.receives)},
                    "MessageAttributes": message.attributes,
                }
                for message in self.receive(queue.name, numbers)
            ]
        }

    def _held(self, queue: Queue, receipt: str) -> Message | None:
        found = queue.messages.get(int(receipt.split("#", maxsplit=1)[0].removeprefix("msg-")))
        return found if found is not None and found.receipt == receipt else None

    def _delete(self, params: Params) -> Answer:
        queue = self._named("DeleteMessage", params)
        message = self._held(queue, params["ReceiptHandle"])
        if message is not None:
            del queue.messages[message.number]
        return {}

    def _delete_batch(self, params: Params) -> Answer:
        for entry in params["Entries"]:
            self._delete({"QueueUrl": params["QueueUrl"], "ReceiptHandle": entry["ReceiptHandle"]})
        return {"Successful": [{"Id": entry["Id"]} for entry in params["Entries"]]}

    def _change(self, params: Params) -> Answer:
        queue = self._named("ChangeMessageVisibility", params)
        message = self._held(queue, params["ReceiptHandle"])
        if message is None:
            raise failure("ChangeMessageVisibility", "ReceiptHandleIsInvalid")
        visible_at = self._now_s() + params["VisibilityTimeout"]
        queue.messages[message.number] = replace(message, visible_at=visible_at)
        return {}

    # Snapshots, for trying one state many ways.

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        return self._serial, {name: dict(queue.messages) for name, queue in self.queues.items()}

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self._serial = saved[0]
        for name, messages in saved[1].items():
            self.queues[name].messages = dict(messages)


class Secrets:
    """Secrets Manager: read only."""

    def __init__(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        self._values = {name: json.dumps(value) for name, value in values.items()}

    def call(self, operation: str, params: Params) -> Answer:
        """Run one operation.

        Raises:
            ClientError: as Secrets Manager answers.
        """
        if operation != "GetSecretValue" or params["SecretId"] not in self._values:
            raise failure(operation, "ResourceNotFoundException")
        return {"SecretString": self._values[params["SecretId"]]}
