"""What goes wrong, drawn from the seed and counted by kind: at every call to storage, queues and providers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ReadTimeoutError

from chalicelib.runtime import outbound
from tools.sim.storage import Answer, Params, cancelled, failure

WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})


class Crash(BaseException):
    """The process ends here. No ``except Exception`` of the product may catch it."""


class Faults:
    """Draws faults. ``rate`` is the chance of one at a call; ``crashes`` the chance that the process ends there."""

    def __init__(self, rng: random.Random, *, rate: float, crashes: float) -> None:
        self.counts: Counter[str] = Counter()
        self.rate = rate
        self.crashes = crashes
        self.armed = False
        self.storm: str | None = None
        """A table or queue of which every call is throttled for a while."""
        self._rng = rng

    def count(self, kind: str) -> None:
        """Count a fault that somebody else injected."""
        self.counts[kind] += 1

    def around(self, service: str, operation: str, params: Params, effect: Callable[[], Answer]) -> Answer:
        """Make a call that may fail.

        Raises:
            Crash: before or after the effect.
            ClientError, ReadTimeoutError: as botocore would.
        """
        if not self.armed:
            return effect()
        if self.storm is not None and self.storm in str(params.get("TableName") or params):
            self.counts["throttle"] += 1
            raise failure(operation, "ThrottlingException")
        draw = self._rng.random()
        if draw >= self.rate + self.crashes:
            return effect()
        if draw < self.crashes:
            return self._crash(service, effect)
        return self._fail(service, operation, params, effect)

    def _crash(self, service: str, effect: Callable[[], Any]) -> Answer:
        if self._rng.random() < 0.5:
            self.counts[f"crash_before_{service}"] += 1
            raise Crash
        effect()
        self.counts[f"crash_after_{service}"] += 1
        raise Crash

    def _fail(self, service: str, operation: str, params: Params, effect: Callable[[], Answer]) -> Answer:
        kind = self._rng.random()
        if service == "sqs" and operation == "SendMessageBatch" and kind < 0.3:
            return self._refuse_some(params, effect)
        if service == "dynamodb" and operation in WRITES and kind < 0.4:
            self.counts["transaction_conflict"] += 1
            if operation == "TransactWriteItems":
                reasons: list[Params] = [{"Code": "None"} for _ in params["TransactItems"]]
                reasons[self._rng.randrange(len(reasons))] = {"Code": "TransactionConflict"}
                raise cancelled(reasons)
            raise failure(operation, "TransactionConflictException")
        if kind < 0.6 or service == "secretsmanager":
            self.counts["throttle"] += 1
            raise failure(operation, "ThrottlingException")
        if kind < 0.7:
            self.counts["lost_request"] += 1
            raise ReadTimeoutError(endpoint_url=service)
        effect()
        self.counts["lost_answer"] += 1
        if kind < 0.85:
            raise ReadTimeoutError(endpoint_url=service)
        raise failure(operation, "InternalServerError")

    def _refuse_some(self, params: Params, effect: Callable[[], Answer]) -> Answer:
        entries = params["Entries"]
        refused = self._rng.randrange(len(entries))
        self.counts["batch_partly_refused"] += 1
        kept = [entry for number, entry in enumerate(entries) if number != refused]
        answer: Answer = {"Successful": []}
        if kept:
            params["Entries"] = kept
            answer = effect()
        return {**answer, "Failed": [{"Id": entries[refused]["Id"], "Code": "InternalError", "SenderFault": False}]}

    def outside(self, effect: Callable[[], outbound.Response]) -> outbound.Response:
        """Make a call to a provider or hub that may fail.

        Raises:
            Crash: before or after the effect.
            OutboundTimeout, OutboundFailed: as ``runtime.outbound`` says.
        """
        if not self.armed:
            return effect()
        draw = self._rng.random()
        if draw >= self.rate + self.crashes:
            return effect()
        if draw < self.crashes:
            self._crash("provider", effect)
        if draw - self.crashes < self.rate / 3:
            self.counts["provider_unreachable"] += 1
            raise outbound.OutboundFailed(kind="simulated")
        if draw - self.crashes < self.rate * 2 / 3:
            self.counts["provider_lost_request"] += 1
            raise outbound.OutboundTimeout(kind="simulated")
        effect()
        self.counts["provider_lost_answer"] += 1
        raise outbound.OutboundTimeout(kind="simulated")
