"""Snapshots: a world put aside and taken up again, and a digest of all that is durable in it."""

from __future__ import annotations

import copy
import random
from collections import deque
from typing import Any

from chalicelib.runtime import caches
from tools.sim.oracle import riders
from tools.sim.parts import Parts


class Snapshots(Parts):
    """Keeps and restores the parts."""

    def save(self) -> Any:
        """Return what :meth:`restore` takes back: the whole world but the counters."""
        sandbox = self.sandbox
        return (
            self.storage.save(),
            self.queues.save(),
            self.oracle.save(),
            self.bank.save(),
            list(sandbox.outbox),
            dict(sandbox._steering),  # noqa: SLF001
            sandbox._serial,  # noqa: SLF001
            {shard: list(records) for shard, records in self.shards.items()},
            self.clock.moment,
            [rng.getstate() for rng in self._rngs()],
            set(self.durable),
            dict(self.answers),
            self._serial,
            {number: copy.deepcopy(journey) for number, journey in self.hub.journeys.items()},
        )

    def _rngs(self) -> tuple[random.Random, ...]:
        return self.rng, self._schedule, self._entropy, self._stale, self.sandbox.chance

    def restore(self, saved: Any) -> None:
        """Go back to a saved state, in a fresh process."""
        sandbox = self.sandbox
        self.storage.restore(saved[0])
        self.queues.restore(saved[1])
        self.oracle.restore(saved[2])
        self.bank.restore(saved[3])
        sandbox.outbox = list(saved[4])
        sandbox._steering = dict(saved[5])  # noqa: SLF001
        sandbox._serial = saved[6]  # noqa: SLF001
        self.shards = {shard: deque(records) for shard, records in saved[7].items()}
        self.clock.moment = saved[8]
        for rng, state in zip(self._rngs(), saved[9], strict=True):
            rng.setstate(state)
        self.durable, self.answers = set(saved[10]), dict(saved[11])
        self._serial = saved[12]
        self.hub.journeys.clear()  # The oracle looks into the same shelf.
        for number, journey in saved[13].items():
            self.hub.journeys[number] = copy.deepcopy(journey)
        self.hub.complaints.clear()
        self.story.clear()
        caches.forget_all()

    def state(self) -> int:
        """Return a digest of everything durable: two runs that end alike need only one look at what follows."""
        parts: list[str] = []
        for name, table in sorted(self.storage.tables.items()):
            parts.append(name)
            for _, item in sorted(table.items.items()):
                parts.append(str(sorted((key, str(value)) for key, value in item.items() if key != "events")))
        for name, queue in sorted(self.queues.queues.items()):
            parts.append(name)
            parts.extend(sorted(f"{m.visible_at} {m.receives} {m.body[:90]}" for m in queue.messages.values()))
        parts.extend(self.bank.state())
        parts.extend(
            sorted(str((o.due, o.content.get("state", o.content.get("type")), o.tries)) for o in self.sandbox.outbox)
        )
        for number, known in sorted(self.hub.journeys.items()):
            parts.append(f"{number} {known.state} {known.status} {known.asked_at} {len(known.subscribed_at)}")
        for shard, records in sorted(self.shards.items()):
            parts.append(str(shard))
            parts.extend(str(riders(record["dynamodb"].get("NewImage") or {})) for record in records)
        return hash("\n".join(parts))
