"""Returns: buyers send goods back, merchants agree, look and replace, operators decide; or nobody does.

It draws from a random source of its own (``apart``), and meets faults of its own; what it begins goes on through the
streams, queues and the provider of everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.kernel.errors import ShopError
from chalicelib.returns import domain, service
from chalicelib.returns.acting import Party
from chalicelib.returns.domain import Graded, Reason, Turn, Wish
from chalicelib.runtime.intents import Intent, system_intent
from tools.sim.apart import Apart
from tools.sim.faults import Crash

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.sim.returned import ReturnSeen
    from tools.sim.world import World

CHANCE = 0.08
SENDABLE = ("shipped", "delivered", "completed", "partly_shipped")
OPERATORS = ("escalated", "missing", "contested")
CLOSED = ("refunded", "replaced", "dismissed", "lapsed", "withdrawn")
WHERE = domain.Address(
    recipient="退货组",
    phone="057188000000",
    country="CN",
    province="浙江省",
    city="杭州市",
    district="",
    street="仓前路 8 号",
)


class Returning:
    """What the people of a world do about returns."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._own = Apart(world, "returns")
        self._numbers = 0

    def step(self) -> None:
        """Do one thing about returns, or nothing; perhaps twice, perhaps cut off."""
        if self._own.chance.random() >= CHANCE:
            return
        self._own.faults.armed = self._world.faults.armed
        self._play(self._act())

    def close(self) -> None:
        """In the quiet end: an operator ends what waits for one, else it would wait for ever."""
        self._own.faults.armed = False
        for return_id, seen in list(self._world.oracle.returned.seen.items()):
            if seen.status in OPERATORS:
                self._play(self._deciding(return_id, pays=False))

    def _play(self, act: Callable[[], Any] | None) -> None:
        if act is None:
            return
        for _ in range(2 if self._own.chance.random() < 0.15 else 1):
            with self._own.playing():
                try:
                    act()
                except Crash:
                    self._world.say("      whoever acts on a return dies")
                except ShopError as refused:
                    self._world.say(f"      about a return: {refused.code}")

    def _intent(self) -> Intent:
        self._numbers += 1
        return system_intent(f"return#{self._world.seed}#{self._numbers}")

    def _act(self) -> Callable[[], Any] | None:
        rng = self._own.chance
        waiting = [one for one in self._world.oracle.returned.seen.items() if one[1].status not in CLOSED]
        if not waiting or rng.random() < 0.25:
            return self._asking()
        return_id, seen = rng.choice(waiting[-8:])
        return self._going_on(return_id, seen)

    def _asking(self) -> Callable[[], Any] | None:
        rng, oracle = self._own.chance, self._world.oracle
        known = [
            (order_id, order)
            for sale in oracle.sales.values()
            for order_id, order in sale.orders.items()
            if order.status in SENDABLE and order.parcels
        ]
        if not known:
            return None
        order_id, order = rng.choice(known[-12:])
        lines = oracle.units.orders[order_id].lines
        line_id = rng.choice(list(lines))
        asking = service.Asking(
            order_id=order_id,
            units={line_id: rng.randint(1, lines[line_id].quantity)},
            wish=rng.choice((Wish.REFUND, Wish.REFUND, Wish.EXCHANGE)),
            reason=rng.choice((Reason.NO_REASON, Reason.QUALITY)),
            text="Back.",
        )
        buyer, intent = Party(Turn.BUYER, order.buyer_id, order.buyer_id), self._intent()
        return lambda: service.ask(buyer, asking, intent)

    def _going_on(self, return_id: str, seen: ReturnSeen) -> Callable[[], Any] | None:
        buyer = Party(Turn.BUYER, seen.buyer_id, seen.buyer_id)
        merchant = Party(Turn.MERCHANT, "acc_staff", seen.merchant_id)
        rng, intent, parcel = self._own.chance, self._intent(), self._parcel()
        said = service.Where(WHERE)
        if rng.random() < 0.05:
            return lambda: service.withdraw(buyer, return_id, intent)
        ways: dict[str, tuple[Callable[[], Any], ...]] = {
            "requested": (
                lambda: service.approve(merchant, return_id, said, "", intent),
                lambda: service.approve(merchant, return_id, said, "", intent),
                lambda: service.refuse(merchant, return_id, "No.", intent),
                lambda: service.leave(merchant, return_id, "Keep it.", intent),
            ),
            "approved": (lambda: service.send(buyer, return_id, parcel, intent),),
            "refused": (lambda: service.escalate(buyer, return_id, "Look.", intent),),
            "declined": (lambda: service.escalate(buyer, return_id, "Look.", intent),),
            "withheld": (
                lambda: service.accept(buyer, return_id, intent),
                lambda: service.escalate(buyer, return_id, "Look.", intent),
            ),
            "sent": (self._inspecting(merchant, return_id, seen, intent),),
            "received": (self._inspecting(merchant, return_id, seen, intent),),
            "replacing": (lambda: service.replace_goods(merchant, return_id, parcel, intent),),
            **dict.fromkeys(OPERATORS, (self._deciding(return_id, pays=rng.random() < 0.7),)),
        }
        return rng.choice(ways[seen.status]) if seen.status in ways else None

    def _parcel(self) -> service.Parcel:
        return service.Parcel("yuantong", f"YT{self._own.chance.randrange(10**12):012d}")

    def _inspecting(self, merchant: Party, return_id: str, seen: ReturnSeen, intent: Intent) -> Callable[[], Any]:
        rng = self._own.chance
        counted = {}
        for line_id, sent in seen.units.items():
            came = rng.choice((sent, sent, sent, rng.randint(0, sent)))
            as_new = rng.randint(0, came)
            counted[line_id] = Graded(as_new, rng.randint(0, came - as_new))
            rest = came - counted[line_id].came
            counted[line_id] = Graded(as_new, counted[line_id].open_box, rest)
        withholds = rng.random() < 0.3
        return lambda: service.inspect(merchant, return_id, counted, withholds=withholds, text="Seen.", intent=intent)

    def _deciding(self, return_id: str, *, pays: bool) -> Callable[[], Any]:
        operator, intent = Party(Turn.OPERATOR, "acc_operator"), self._intent()
        return lambda: service.decide(operator, return_id, pays=pays, text="Decided.", intent=intent)
