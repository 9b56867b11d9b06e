"""A balance at the provider that is too low for a refund: it runs dry and is filled up, and the clock must try again.

The oracle counts the tries itself: each refund that fell short has its next try at its time, so many of them, and once
the balance is back none that still has tries left may stay failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.sim.actors import Cast

WAITS = tuple(timedelta(minutes=minutes) for minutes in (10, 30, 60, 180, 360, 720, 1440, 1440, 1440))
"""What the documents promise: so long after each time that the balance was too low."""
WORDS = ("NOT_ENOUGH", "NOTENOUGH", "BALANCE_INSUFFICIENT", "INSUFFICIENT_FUNDS")
RECENT = 12


def is_short(code: str) -> bool:
    """Say whether a provider's word means that it holds too little of our money."""
    return any(word in code.upper() for word in WORDS)


class Shortages:
    """Refunds that fell short, and how often."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}
        """Refund -> how often it fell short since a person last asked for it."""
        self.due_at_s: dict[str, int] = {}
        """When each that waits is tried again."""

    def seen(
        self,
        number: str,
        old: Mapping[str, Any] | None,
        new: Mapping[str, Any],
        doc: Mapping[str, Any],
        now: datetime,
        *,
        contested: bool,
    ) -> Iterator[str]:
        """Take a refund's row; yield what is wrong with its next try."""
        before, after = old["status"]["S"] if old is not None else "", new["status"]["S"]
        due_at_s = int(new["due_at"]["N"]) if "due_at" in new else 0
        self.due_at_s.pop(number, None)
        if after == "requested" and not doc.get("shorts"):
            self.times.pop(number, None)  # A person asks: it begins anew.
        if after != "failed" or not is_short(doc.get("code", "")):
            return
        if before != after:
            self.times[number] = self.times.get(number, 0) + 1
            times = self.times[number]
            wanted_s = (now + WAITS[times - 1]).timestamp() if times <= len(WAITS) else 0.0
            if abs(due_at_s - wanted_s) > 2:
                yield f"fell short for the {times}. time, and is tried again at {due_at_s}, not at {wanted_s:.0f}"
        elif old is not None and "due_at" in old and not due_at_s and "parked" not in new and not contested:
            yield "fell short, and is not tried again any more"
        if due_at_s:
            self.due_at_s[number] = due_at_s

    def unfinished(self, number: str) -> bool:
        """Say whether a failed refund ought to have gone through once the balance was back."""
        return 0 < self.times.get(number, 0) <= len(WAITS)

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        return dict(self.times), dict(self.due_at_s)

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self.times, self.due_at_s = dict(saved[0]), dict(saved[1])


class Balance:
    """The balance at the provider, as the simulator turns it off and on."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng
        self._dry: list[str] = []
        """Attempts whose refunds the provider cannot pay now."""

    def act(self) -> None:
        """Let it run dry, fill it up, or wait for the next try."""
        waiting = self.world.oracle.shortages.due_at_s
        if waiting and self.rng.random() < 0.5:
            self._wait_for(min(waiting.values()))
        elif self._dry:
            self.fill_up()
        else:
            self.run_dry()

    def run_dry(self) -> None:
        """Let what was paid lately be paid out already: no refund of it goes through."""
        world = self.world
        sales = list(world.oracle.sales.values())[-RECENT:]
        paid = [number for sale in sales for number, payment in sale.payments.items() if payment.captured]
        if not paid or "failed" not in world.sandbox.outcomes:
            return
        world.faults.count("balance_too_low")
        world.totals.steps += 1
        world.say("the balance at the provider is gone")
        self._dry = paid
        for number in paid:
            world.sandbox.steer(number, refund="failed")

    def fill_up(self) -> None:
        """Put money there again."""
        self.world.totals.steps += 1
        self.world.say("the balance at the provider is filled up")
        for number in self._dry:
            self.world.sandbox.steer(number, refund="succeeded")
        self._dry = []

    def _wait_for(self, due_at_s: int) -> None:
        if due_at_s > self.world.now_s():
            self.world.advance(timedelta(seconds=due_at_s - self.world.now_s()))
        self.world.sweep()
