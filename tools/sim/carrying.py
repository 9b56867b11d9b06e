"""Carriers and their hub: parcels move, turn back, and what is told of them is repeated or tampered with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.sim.actors import Cast


class Carrying:
    """What becomes of parcels on their way."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def carry(self) -> None:
        """Let a parcel move, or its hub misbehave."""
        known = [number for number in self.cast.parcels[-8:] if number in self.world.hub.journeys]
        if not known:
            return
        number = self.rng.choice(known)
        hub, draw = self.world.hub, self.rng.random()
        self.world.totals.steps += 1
        if draw < 0.75:
            stage = self.rng.choice(("collected", "in_transit", "out_for_delivery", "signed", "signed", "problem"))
            if self.rng.random() < 0.12:
                stage = self.rng.choice(("refused", "returning", "returned"))
                self.world.faults.count("parcel_turned_back")
            hub.advance(number, stage, push=draw < 0.7)
        elif hub.journeys[number].pushes:
            if draw < 0.85:
                self.world.faults.count("push_repeated")
                hub.replay(number, self.rng.randrange(len(hub.journeys[number].pushes)))
            elif draw < 0.92:
                self.world.faults.count("push_tampered")
                hub.tamper(number)
            else:
                self.world.faults.count("hub_gives_up")
                hub.abort(number)
