"""How a world goes on: things at once, deliveries until nothing moves, minutes as AWS serves them, and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from chalicelib import topology
from chalicelib.runtime import deadlines, names
from tools.fakes.sandbox.stand_in import Outgoing
from tools.sim import deployed
from tools.sim.invocations import Invocations
from tools.sim.parts import Shard
from tools.sim.tasks import Task

HOP_S = 1.0
"""What a hop takes while the world is served: a stream to the relay, a queue to its function, a notice to its route."""


class Running(Invocations):
    """Lets what can happen happen."""

    def together(self, works: Sequence[tuple[str, Callable[[], Any]]]) -> None:
        """Run several actions at once: switched at every call, by the seed."""
        tasks = [Task(name, work) for name, work in works]
        before = self.scheduler.switches
        self.scheduler.run(tasks, self._schedule.choice)
        self.totals.switches += self.scheduler.switches - before
        for task in tasks:
            if task.error is not None:
                raise task.error

    def waiting_shards(self) -> list[Shard]:
        """Return the streams' shards that hold records."""
        return [shard for shard, records in self.shards.items() if records]

    def waiting_queues(self) -> list[str]:
        """Return the queues that hold visible messages and whose function is built."""
        now_s = self.now_s()
        return [
            queue
            for queue in deployed.functions()
            if any(m.visible_at <= now_s for m in self.queues.queues[names.queue_name(queue)].messages.values())
        ]

    def waiting_notices(self) -> list[Outgoing]:
        """Return the provider's notices that are due."""
        now_s = self.now_s()
        return [out for out in self.sandbox.outbox if out.due <= now_s]

    def drain(self) -> None:
        """Move everything that can move now, until nothing does."""
        for _ in range(2000):
            moved = False
            for shard in self.waiting_shards():
                moved = True
                self.relay(shard)
            for queue in self.waiting_queues():
                moved = True
                self.deliver(queue, self.queues.visible(names.queue_name(queue))[:10])
            for out in self.waiting_notices():
                moved = True
                self.notify(out)
            if not moved:
                return
        raise RuntimeError("it does not come to rest")

    def serve(self, seconds: float, *, each_minute: Callable[[], None] | None = None) -> None:
        """Let time pass as it does in AWS: the deadline job runs on its schedule, streams and queues are taken up at
        once, a hop lasts a second, and nothing of AWS fails. What P4 and P7 promise is judged meanwhile.
        """
        until = self.now_s() + seconds
        with self.calm():
            self.watches.open(self.now_s())
            while self.now_s() < until and not self.oracle.violations:
                self._serve_once(until, each_minute)
            self.watches.close(self.now_s())

    def _serve_once(self, until: float, each_minute: Callable[[], None] | None) -> None:
        """Hand on what waits now by one hop, then let time pass to the next moment at which something happens."""
        hops: list[Callable[[], Any]] = [lambda shard=shard: self.relay(shard) for shard in self.waiting_shards()]  # type: ignore[misc]
        for queue in self.waiting_queues():
            messages = self.queues.visible(names.queue_name(queue))
            for start in range(0, len(messages), 10):
                batch = messages[start : start + 10]
                hops.append(lambda queue=queue, batch=batch: self.deliver(queue, batch))  # type: ignore[misc]
        hops += [lambda out=out: self.notify(out) for out in self.waiting_notices()]  # type: ignore[misc]
        for hop in hops:
            hop()
        now_s, every_s = self.now_s(), deployed.job_every_s()
        job_at = (now_s // every_s + 1) * every_s
        if self.waiting_shards() or self.waiting_queues() or self.waiting_notices():
            step = min(HOP_S, job_at - now_s)
        else:
            step = min([job_at, until, *self._deliveries()]) - now_s
        step = max(step, 0.001)
        self.watches.tick(step, now_s)
        self.advance(timedelta(seconds=step))
        if self.now_s() >= job_at - 0.0005:
            self.sweep()
            if each_minute is not None:
                each_minute()

    def _deliveries(self) -> list[float]:
        moments = [out.due for out in self.sandbox.outbox]
        message = self.queues.next_visible(names.queue_name(queue) for queue in deployed.functions())
        return moments if message is None else [*moments, message]

    def next_moment(self) -> float | None:
        """Return when something happens by itself: a message, a notice, a deadline."""
        moments = self._deliveries()
        for table, _, _ in topology.DUE_TABLES:
            index = self.storage.tables[names.table_name(table)].indexes["due"]
            moments += [float(places[0][0]) for places in index.partitions.values() if places]
        return min(moments, default=None)

    def settle(self, *, before: Callable[[], None] | None = None, limit: int = 3000, serve_s: float = 0.0) -> None:
        """Let queues drain and clocks run out: from moment to moment, until nothing is left to happen.

        First the world is served for a while: whatever is unknown by now must become known in time.
        """
        self.faults.armed = False
        if before is not None:
            before()
        if serve_s:
            self.serve(serve_s)
        for _ in range(limit):
            self.drain()
            if before is not None:
                before()
                self.drain()
            moment = self.next_moment()
            if moment is None:
                return
            self.advance(timedelta(seconds=max(1.0, moment - self.now_s())))
            deadlines.forget()  # Time goes in leaps here, and each is worth a look at everything.
            self.sweep()
            if self.oracle.violations or self.queues.dead():
                return
        raise RuntimeError(f"it does not come to an end: {self._due_records()[:20]}")

    def _due_records(self) -> list[Any]:
        return [
            (key, due_at - self.now_s())
            for table, _, _ in topology.DUE_TABLES
            for places in self.storage.tables[names.table_name(table)].indexes["due"].partitions.values()
            for due_at, key in places
        ] + [
            (name, message.body[:150], message.receives, message.visible_at - self.now_s())
            for name, queue in self.queues.queues.items()
            if queue.dead_letters
            for message in queue.messages.values()
        ]

    def dead_letters(self) -> list[tuple[str, str, str]]:
        """Return queue, reason and body of each dead letter."""
        return [
            (queue, message.attributes.get("reason", {}).get("StringValue", ""), message.body)
            for queue, message in self.queues.dead()
        ]

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Inject nothing for the length of a block."""
        armed, self.faults.armed = self.faults.armed, False
        try:
            yield
        finally:
            self.faults.armed = armed
