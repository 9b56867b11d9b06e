"""What one seed's world is made of. Everything else of the world works on these parts."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chalicelib.kernel import clock
from chalicelib.runtime import names
from tools.fakes import resources
from tools.fakes.carriers.hub import Hub
from tools.sim import deployed
from tools.sim.bank import Bank
from tools.sim.faults import Faults
from tools.sim.objects import Objects
from tools.sim.oracle import Oracle
from tools.sim.queues import Queues, Secrets
from tools.sim.stopwatch import Stopwatches
from tools.sim.storage import Key, Params, Storage, Table
from tools.sim.story import Line
from tools.sim.tasks import Scheduler
from tools.sim.unspeakable import secret_values

START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
_SCHEDULER = Scheduler()

Shard = tuple[str, int]


@dataclass
class Totals:
    """What a run did."""

    steps: int = 0
    calls: int = 0
    switches: int = 0
    answers: dict[int, int] = field(default_factory=dict)


class Parts:
    """The parts; :class:`tools.sim.world.World` puts them together."""

    hub: Hub
    storage: Storage
    queues: Queues

    def __init__(self, seed: int | str, *, rate: float, crashes: float, tell: bool, provider: str) -> None:
        self.seed = seed
        self.rng = random.Random(f"{seed}:actors")  # noqa: S311
        self._schedule = random.Random(f"{seed}:schedule")  # noqa: S311
        self._entropy = random.Random(f"{seed}:entropy")  # noqa: S311
        self._stale = random.Random(f"{seed}:stale")  # noqa: S311
        self.clock = clock.Fixed(START)
        self.totals = Totals()
        self.faults = Faults(random.Random(f"{seed}:faults"), rate=rate, crashes=crashes)  # noqa: S311
        self.stale_rate = rate
        self.scheduler = _SCHEDULER
        self.bank = Bank(provider, now_s=self.now_s, chance=random.Random(f"{seed}:sandbox"))  # noqa: S311
        self.sandbox = self.bank.stand_in
        """The provider's stand-in."""
        self.oracle = Oracle(self.bank, now=lambda: self.clock.moment)
        self.watches = Stopwatches(self.oracle, self.bank, job_every_s=deployed.job_every_s())
        local = resources.local_secrets() | self.bank.secrets()
        self.secrets = Secrets({names.secret_name(name): value for name, value in local.items()})
        self.unspeakable: list[str] = secret_values(local)
        """What no log, queue or error body may hold."""
        self.shards: dict[Shard, deque[Params]] = {}
        self.old_messages: list[tuple[str, str]] = []
        """Queue and body of messages that were handled: SQS may deliver them once more."""
        self.durable: set[str] = set()
        """Ids of events that a queue has accepted."""
        self.noticed: list[str] = []
        """What verified notices were about that the queue has accepted."""
        self.answers: dict[tuple[str, str], str] = {}
        """(Account, key) -> the id of what a POST with it made."""
        self.objects = Objects()
        """Both buckets."""
        self.findings: dict[str, int] = {}
        """What reconciliation found at the end, by class."""
        self.excused: dict[str, str] = {}
        self.hidden: Callable[[Table, Key], bool] = lambda _table, _key: False
        """Which items an index does not show yet."""
        self.digest = 0
        self.last_error = ""
        self.tell = tell
        self.story: list[Line] = []
        self._serial = 0
        self._where = "world"

    def now_s(self) -> float:
        """Return the simulator's time in seconds."""
        return self.clock.moment.timestamp()
