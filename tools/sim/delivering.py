"""AWS: it delivers late, out of order and twice, throttles a table, and ends idle processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.runtime import caches, names
from tools.sim.people import Action

if TYPE_CHECKING:
    from tools.sim.actors import Cast


class Delivering:
    """What AWS does by itself."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng
        self._busy: set[Any] = set()

    def move(self) -> Action | None:
        """Return one delivery that is possible now: of a stream, a queue or a notice; not always in order."""
        world, rng = self.world, self.rng
        choices: list[Action] = [
            lambda shard=shard: self._relay(shard)  # type: ignore[misc]
            for shard in world.waiting_shards()
            if shard not in self._busy
        ]
        for queue in world.waiting_queues():
            choices += [lambda queue=queue: self._deliver(queue)] * 2  # type: ignore[misc]
        notices = world.waiting_notices()
        if notices:
            out = rng.choice(notices)
            choices += [lambda: world.notify(out)] * 2
        return rng.choice(choices) if choices else None

    def _relay(self, shard: tuple[str, int]) -> None:
        if shard in self._busy or not self.world.shards[shard]:
            return
        self._busy.add(shard)
        again = self.world.faults.armed and self.rng.random() < 0.04
        if again:
            self.world.faults.count("stream_redelivered")
        try:
            self.world.relay(shard, count=self.rng.choice((1, 2, 5, 100)), again=again)
        finally:
            self._busy.discard(shard)

    def _deliver(self, queue: str) -> None:
        world, rng = self.world, self.rng
        visible = world.queues.visible(names.queue_name(queue))
        if not visible:
            return
        chosen = rng.sample(visible, min(len(visible), rng.choice((1, 1, 2, 10))))
        if len(chosen) > 1 and chosen != visible[: len(chosen)]:
            world.faults.count("queue_reordered")
        world.deliver(queue, chosen)
        if world.faults.armed and rng.random() < 0.05:
            world.faults.count("queue_duplicate")
            message = rng.choice(chosen)
            world.queues._put(names.queue_name(queue), message.body, 0, {})  # noqa: SLF001

    def redeliver_old(self) -> None:
        """Deliver a message once more that was handled long ago."""
        if self.world.old_messages and self.world.faults.armed:
            queue, body = self.rng.choice(self.world.old_messages[-60:])
            self.world.faults.count("queue_redelivered_late")
            self.world.queues._put(names.queue_name(queue), body, 0, {})  # noqa: SLF001

    def storm(self) -> None:
        """Throttle a whole table for a while, or end that."""
        faults = self.world.faults
        if faults.storm is not None or not faults.armed:
            faults.storm = None
        else:
            faults.count("storm")
            faults.storm = self.rng.choice(("stock", "orders", "payments"))

    def lose_memory(self) -> None:
        """End an idle process: a new one knows nothing."""
        self.world.faults.count("cold_start")
        caches.forget_all()
