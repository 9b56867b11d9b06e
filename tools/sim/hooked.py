"""A merchant's own system in the simulator: told of each order, it fails now and then, and at the end it has all.

It answers by chance of its own. At a seed's end every paid order of its merchant stands in one delivery, and its system
has taken each fact under one id, signed; what it answered badly was tried again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.kernel.clock import epoch_s
from chalicelib.kernel.errors import RetryLater
from chalicelib.kernel.pages import Window
from chalicelib.orders import service as orders
from chalicelib.runtime import outside
from chalicelib.runtime.intents import system_intent
from chalicelib.webhooks import service, store, telling
from chalicelib.webhooks.domain import Delivery, DeliveryStatus
from tools.fakes.webhooks.receiver import Receiver
from tools.sim.apart import Apart

if TYPE_CHECKING:
    from tools.sim.world import World

PROMISE = "webhooks"
BADLY = (500, 429, "unreachable", "unanswered", 302)
LATER = timedelta(hours=27)
"""Longer than anything waits for its next attempt."""


class Hooked:
    """One endpoint of a world's first merchant, and what its system was told."""

    def __init__(self, world: World, merchant_id: str) -> None:
        self._world = world
        self._own = Apart(world, "webhooks")
        self._own.faults.armed = False
        self._receiver = Receiver()
        self.merchant_id = merchant_id
        with self._own.playing():
            wanted = service.Wanted("Warehouse", "https://hooks.example.com/", ())
            made, secret = service.make(self.merchant_id, wanted, by="acc_sim", intent=system_intent("webhook"))
        self._webhook_id = made.webhook_id
        self._receiver.secrets.append(secret or "")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take what is sent while the block runs."""
        outside.install(self._take)
        try:
            yield
        finally:
            outside.install(None)

    def finish(self) -> None:
        """What waits is tried until it is taken; then all that was to be told was, once each."""
        self._world.faults.armed = False
        self._receiver.always = 204
        for _ in range(12):
            waiting = [one for one in self._kept() if one.status is DeliveryStatus.WAITING]
            if not waiting:
                break
            self._world.clock.advance(LATER)
            for one in waiting:
                due_at_s = epoch_s(one.due_at) if one.due_at else None
                try:
                    telling.attempt(one.webhook_id, one.delivery_id, due_at_s=due_at_s)
                except RetryLater:
                    continue
        for problem in self._problems():
            self._world.oracle.broken(PROMISE, problem)

    def _take(self, url: str, headers: Mapping[str, str], body: bytes) -> outside.Answer:
        if self._receiver.always is None and self._own.chance.random() < 0.2:
            self._receiver.answers = [self._own.chance.choice(BADLY)]
        return self._receiver(url, headers, body)

    def _kept(self) -> list[Delivery]:
        return list(store.list_of(self._webhook_id, Window(10_000), None).items)

    def _problems(self) -> Iterator[str]:
        kept = self._kept()
        yield from self._receiver.refused
        for one in kept:
            if one.status is not DeliveryStatus.DELIVERED:
                yield f"{one.delivery_id} is {one.status}"
        taken = {one.message_id for one in self._receiver.told}
        if taken != {one.delivery_id for one in kept}:
            yield "what its system took is not what was written down"
        told = Counter(json.loads(one.body)["data"]["order_id"] for one in kept if one.type == "order.paid")
        for order_id in self._paid():
            if told[order_id] != 1:
                yield f"{order_id} was paid, and that is told {told[order_id]} times"

    def _paid(self) -> list[str]:
        sales = self._world.oracle.sales.values()
        known = [orders.load_order(order_id) for sale in sales for order_id in sale.orders]
        return [one.order_id for one in known if one.merchant_id == self.merchant_id and one.paid_at is not None]
