"""The clock: seconds to days pass, often to just before something is due, or minutes as AWS would serve them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.sim.actors import Cast


class Clockwork:
    """How time passes."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def pass_time(self) -> None:
        """Let seconds, minutes or days pass, or jump to just before something is due."""
        draw, rng = self.rng.random(), self.rng
        if draw < 0.5:
            by = rng.uniform(1, 30)
        elif draw < 0.75:
            by = rng.uniform(30, 180)
        elif draw < 0.88:
            by = rng.uniform(300, 2400)
        elif draw < 0.96:
            moment = self.world.next_moment()
            by = max(1.0, (moment or 0) - self.world.now_s() - rng.choice((0, 1, 20, 50)))
        else:
            by = rng.uniform(86400, 12 * 86400)
        self.world.advance(timedelta(seconds=round(by, 3)))

    def be_served(self) -> None:
        """Let some minutes pass as they do in AWS, often from just before something is due; people go on meanwhile."""
        rng, world = self.rng, self.world
        if rng.random() < 0.6:
            due = [sale.due_at_s for sale in world.oracle.sales.values() if sale.due_at_s > world.now_s() + 160]
            if due:
                world.advance(timedelta(seconds=min(due) - world.now_s() - rng.randint(50, 150)))
        world.serve(rng.choice((90, 200, 400, 720)), each_minute=self._meanwhile)

    def _meanwhile(self) -> None:
        """What people do while everything works."""
        buying, paying = self.cast.buying, self.cast.paying
        actions = (
            *(paying.pay, paying.pay, paying.pay_unheard, paying.pay_unheard, paying.pay_closed),
            *(buying.shop, buying.start_payment),
            *(self.cast.providing.settle_refund, self.cast.operating.operate),
        )
        if self.rng.random() < 0.6:
            self.rng.choice(actions)()
