"""A part that is played beside what else a seed plays, by faults and chance of its own: it shifts nobody's stream."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from chalicelib.kernel import ids
from chalicelib.runtime.db import dynamo
from tools.sim.faults import Faults

if TYPE_CHECKING:
    from tools.sim.world import World


class Apart:
    """The faults and the chance of one part, named ``part``: it fails more often than the rest, for it runs seldom."""

    def __init__(self, world: World, part: str) -> None:
        self._world = world
        rate, crashes = world.faults.rate, world.faults.crashes
        self.chance = random.Random(f"{world.seed}:{part}")  # noqa: S311
        self.faults = Faults(random.Random(f"{world.seed}:{part}:faults"), rate=3 * rate, crashes=8 * crashes)  # noqa: S311

    @contextmanager
    def playing(self) -> Iterator[None]:
        """Let what runs inside meet this part's faults and draw from its chance."""
        world = self._world
        faults, entropy, jitter = world.faults, ids._entropy, dynamo.jitter  # noqa: SLF001
        world.faults, dynamo.jitter = self.faults, self.chance.random
        ids.install_entropy(self.chance.randbytes)
        try:
            yield
        finally:
            world.faults, dynamo.jitter = faults, jitter
            ids.install_entropy(entropy)


def run_beside(run: Callable[[], Any], module: Any, reader: str) -> None:
    """Run something, and once more between what the first run read by ``module.reader`` and what it writes."""
    real = getattr(module, reader)
    begun: list[bool] = []

    def reading(*arguments: Any) -> Any:
        found = real(*arguments)
        if not begun:
            begun.append(True)
            run()
        return found

    with patch.object(module, reader, reading):
        run()
