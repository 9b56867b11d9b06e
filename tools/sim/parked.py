"""Deadlines that are refused for ever: parked once and told, tried again once an operator says that it is mended.

The simulator picks records whose deadline its function refuses. Such a deadline is told once a minute: without parking
it would be a dead letter a minute, with it there is one case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import msgspec

from chalicelib import topology
from chalicelib.kernel.errors import Conflict
from chalicelib.runtime.deadlines import Due

if TYPE_CHECKING:
    from tools.sim.actors import Cast

KINDS = ("pur", "ord", "pay", "ref", "shp", "cmp")
"""Of which records the simulator refuses deadlines."""
NEVER_ENDED = "never_ended"
"""The reason where a process died at each try: that needs no refusal."""
PATIENCE_S = 420
"""Of service: the job's next minute, and eight tries of a message with their back-off, which take 254 s."""
OPEN = ("open", "escalated")


class Parked:
    """What is refused, what is parked, and what operators are told of it."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        """Records whose deadlines are refused now."""
        self.due_at_s: dict[str, int] = {}
        self.parked: dict[str, str] = {}
        """Record -> why its deadline is parked now."""
        self.cases: dict[str, tuple[str, str]] = {}
        """Record -> the case about it, and its state."""
        self._was_refused: set[str] = set()
        self._was_parked: set[str] = set()

    def refuse(self, record_id: str) -> None:
        """Have a record's deadlines refused from now on."""
        self.refused.add(record_id)
        self._was_refused.add(record_id)

    def refuses(self, due: Due) -> bool:
        """Say whether this deadline is refused now; one that is not the record's (any more) is its function's."""
        return due.record_id in self.refused and self.due_at_s.get(due.record_id) == due.due_at_s

    def holds_up(self, body: str) -> bool:
        """Say whether something about a purchase waits for a person."""
        return any(record_id[4:28] == body for record_id in (*self.refused, *self.parked))

    def seen(self, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Take a row of any record with a deadline; yield what is wrong with it, and its id."""
        record_id = (new.get("id") or new.get("return_id") or new["complaint_id"])["S"]
        if record_id.startswith("cas_"):
            doc = msgspec.json.decode(new["doc"]["S"])
            if doc["kind"] == "deadline_parked":
                self.cases[doc["subject"]] = record_id, new["status"]["S"]
            return
        if "due_at" in new:
            self.due_at_s[record_id] = int(new["due_at"]["N"])
        else:
            self.due_at_s.pop(record_id, None)
        if "parked" not in new:
            self.parked.pop(record_id, None)
            return
        why = new["parked"]["S"]
        if "due_at" in new or "due_shard" in new:
            yield "is parked and due", record_id
        if old is None or old.get("status") != new.get("status"):
            yield "changed its state when it was parked", record_id
        if record_id not in self._was_refused and why != NEVER_ENDED:
            yield f"was parked because of {why}", record_id
        self.parked[record_id] = why
        self._was_parked.add(record_id)

    def unfinished(self) -> Iterator[tuple[str, str]]:
        """Yield what is parked in the end, or was and nobody was told."""
        for record_id, why in self.parked.items():
            yield f"is still parked: {why}", record_id
        for record_id in sorted(self._was_parked - set(self.cases)):
            yield "was parked and is nobody's case", record_id

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        sets = set(self.refused), set(self._was_refused), set(self._was_parked)
        return sets, dict(self.due_at_s), dict(self.parked), dict(self.cases)

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self.refused, self._was_refused, self._was_parked = (set(each) for each in saved[0])
        self.due_at_s, self.parked, self.cases = dict(saved[1]), dict(saved[2]), dict(saved[3])


def refusals(world: Any) -> AbstractContextManager[Any]:
    """Let the functions refuse the deadlines that the world wants refused."""
    stack = ExitStack()
    for queue in sorted({queue for _, queue in topology.DEADLINES.values()}):
        handlers = import_module(topology.QUEUES[queue]).consumer._handlers  # noqa: SLF001
        kind, real = handlers["due"]

        def handle(due: Due, envelope: Any, real: Any = real) -> None:
            if world.oracle.parked.refuses(due):
                raise Conflict
            real(due, envelope)

        stack.enter_context(patch.dict(handlers, {"due": (kind, handle)}))
    return stack


class Refusing:
    """What the simulator refuses, and what the operators of a cast mend."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng
        self.seen = cast.world.oracle.parked

    def act(self) -> None:
        """Refuse a deadline until it is parked, or mend what is parked."""
        if self.seen.parked and self.rng.random() < 0.6:
            self.mend(self.rng.choice(sorted(self.seen.parked)), wrongly=self.rng.random() < 0.2)
        else:
            self._refuse()

    def _refuse(self) -> None:
        now_s = self.world.now_s()
        kind = self.rng.choice(KINDS)
        due = self.seen.due_at_s.items()
        near = [record_id for record_id, at in due if record_id[:3] == kind and at < now_s + 16 * 86400]
        if not near:
            return
        record_id = self.rng.choice(near[-8:])
        self.world.faults.count("deadline_refused")
        self.world.say(f"the deadline of {record_id} is refused from now on", about=record_id)
        self.seen.refuse(record_id)
        due_at_s = self.seen.due_at_s[record_id]
        if due_at_s > now_s:
            self.world.advance(timedelta(seconds=due_at_s - now_s))
        self.world.serve(PATIENCE_S)
        if self.seen.due_at_s.get(record_id) == due_at_s:
            told = f"is refused and told again after {PATIENCE_S} s of service"
            self.world.oracle.broken("parked deadlines", told, record_id)
        if self.rng.random() < 0.3:
            self.mend(record_id)

    def mend(self, record_id: str, *, wrongly: bool = False) -> None:
        """Say that it is mended; wrongly, and it is parked again, and its case opens again."""
        if not wrongly:
            self.seen.refused.discard(record_id)
        case_id, status = self.seen.cases.get(record_id, ("", ""))
        if status in OPEN:
            self.world.faults.count("parked_deadline_mended")
            body = {"how": "corrected", "note": "mended"}
            path = {"case_id": case_id}
            self.cast.ask(self.cast.operator, "POST", "/v1/operator/cases/{case_id}/resolve", path, body)

    def close(self) -> None:
        """In the quiet end: everything is mended, and said to be."""
        self.seen.refused.clear()
        for record_id in sorted(self.seen.parked):
            self.mend(record_id)
