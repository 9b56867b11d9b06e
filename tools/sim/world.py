"""One seed's world: the real handlers over storage, queues, a provider and a carrier's hub in memory, and a fake clock.

A step is one actor's action, one invocation of a handler (HTTP, relay, a queue's function, the deadline job) or one
move of the clock. ``parts`` says what there is, ``seam`` stands in for AWS and the outside, ``invocations`` runs the
product's handlers, ``running`` lets the world go on; each knows only those before it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Self
from unittest.mock import patch

from chalicelib import topology
from chalicelib.kernel import clock, ids
from chalicelib.runtime import aws, caches, log, names, outbound, patience, together
from chalicelib.runtime.db import dynamo
from infra import functions
from tools.fakes.carriers.hub import Hub
from tools.sim import deployed
from tools.sim.bank import SETTINGS
from tools.sim.queues import Queues
from tools.sim.running import Running
from tools.sim.seam import Ear
from tools.sim.snapshots import Snapshots
from tools.sim.storage import Storage


class World(Running, Snapshots):
    """Everything of one seed. Use as ``with World(seed) as world``."""

    def __init__(
        self,
        seed: int | str,
        *,
        rate: float = 0.0,
        crashes: float = 0.0,
        tell: bool = False,
        provider: str = "sandbox",
    ) -> None:
        super().__init__(seed, rate=rate, crashes=crashes, tell=tell, provider=provider)
        self.hub = Hub(self._hub_push, now=lambda: self.clock.moment)
        self.oracle.parcels.journeys = self.hub.journeys
        self.oracle.parcels.complaints = self.hub.complaints
        self.storage = Storage(
            deployed.specs(), now_s=self.now_s, stale=self._is_stale, late=self._is_late, changed=self._changed
        )
        self.queues = Queues(
            [names.queue_name(queue) for queue in topology.QUEUES],
            now_s=self.now_s,
            inspect=self._sent,
            visibility_s={names.queue_name(queue): float(functions.visibility_s(queue)) for queue in topology.QUEUES},
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(clock.use(self.clock))
        self._stack.enter_context(patch.dict(os.environ, SETTINGS.get(self.bank.name, {})))
        self._stack.enter_context(aws.hooked(self._seam))
        self._stack.enter_context(patch.object(together, "AT_ONCE", 1))  # One order of things.
        ids.install_entropy(self._entropy.randbytes)
        outbound.install(self._outside)
        patience.install(lambda: 0.0)  # How long this machine takes is not to decide anything.
        jitter, sleep = dynamo.jitter, dynamo.sleep
        dynamo.jitter, dynamo.sleep = self._schedule.random, self._sleep
        logger = log._prepare()  # noqa: SLF001
        handlers = logger.handlers[:]
        logger.handlers[:] = [Ear(self._heard)]

        def undo() -> None:
            ids.install_entropy(None)
            outbound.install(None)
            patience.install(None)
            dynamo.jitter, dynamo.sleep = jitter, sleep
            logger.handlers[:] = handlers
            caches.forget_all()

        self._stack.callback(undo)
        caches.forget_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
