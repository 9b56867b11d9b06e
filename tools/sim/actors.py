"""Who acts: buyers, merchants, carriers, the provider and its payers, operators, the clock, and AWS's own deliveries.

Everybody acts at random and also wrongly: too late, twice, on records in any state. What an actor knows it reads from
the oracle's picture, never from the product's code; what it does goes through the product's handlers. Each role has a
module of its own; here is who there is, how they ask, and who acts next.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tools.sim import audit, books, chained, counting, holding, hooked, parked, returning
from tools.sim.bank import BOUNCING
from tools.sim.buying import Buying
from tools.sim.carrying import Carrying
from tools.sim.clockwork import Clockwork
from tools.sim.complaining import Complaining
from tools.sim.delivering import Delivering
from tools.sim.http import Answer
from tools.sim.market import Market
from tools.sim.mediating import Mediating
from tools.sim.offline import Offline, limits
from tools.sim.operating import Operating
from tools.sim.oracle import OPEN, Sale
from tools.sim.parcels import Numbers
from tools.sim.paying import Paying
from tools.sim.people import RECENT, Action, Person, Unanswered
from tools.sim.providing import Providing
from tools.sim.selling import Selling
from tools.sim.shortages import Balance
from tools.sim.world import World

END_SERVED_S = 780
"""A seed's end begins with so long a service: more than anything may stay unknown."""
ALONE = ("time", "service", "unheard", "made after all", "balance", "refused deadline")
"""What is never done at the same moment as something else."""


class Cast:
    """The people of one world and what they may do next."""

    def __init__(self, world: World, *, merchants_: int = 2, buyers: int = 5, small: bool = False) -> None:
        self.world = world
        self.rng = world.rng
        self.unanswered: list[Unanswered] = []
        self.faithful = False
        """Whether every client sends an unanswered request again."""
        self.focus: Sale | None = None
        self.sku_ids: list[str] = []
        self.owners: dict[str, Person] = {}
        """SKU -> somebody of its merchant."""
        self.parcels: list[str] = []
        """Tracking numbers."""
        self.operator: Person
        self.second: Person
        """Another operator."""
        self.buying = Buying(self)
        self.paying = Paying(self)
        self.providing = Providing(self)
        self.selling = Selling(self)
        self.carrying = Carrying(self)
        self.operating = Operating(self)
        self.delivering = Delivering(self)
        self.clockwork = Clockwork(self)
        self.complaining = Complaining(self)
        self.mediating = Mediating(self)
        self.offline = Offline(self)
        self.balance = Balance(self)
        self.refusing = parked.Refusing(self)
        self.numbers = Numbers(self)
        self._serial = 0
        self.buyers: list[Person] = []
        self.staff: list[Person] = []
        with world.calm():
            Market(self).open(merchants_, buyers, small=small)
            world.drain()
        world.totals.steps = 0

    def next_serial(self) -> int:
        """Return a number that nothing of this cast has had."""
        self._serial += 1
        return self._serial

    def key(self) -> str:
        """Return a fresh Idempotency-Key."""
        return f"key-{self.next_serial():08d}"

    def ask(
        self,
        who: Person,
        method: str,
        template: str,
        path: dict[str, str] | None = None,
        body: Any = None,
        *,
        key: str | None = None,
    ) -> Answer | None:
        """Send one request as somebody. One that is not answered may be sent again later."""
        key = key or (self.key() if method == "POST" else None)
        world = self.world
        with world.calm():
            token = who.token(world.now_s())
        answer = world.call(method, template, path, body, token=token, key=key)
        if answer is None or answer.status == 503:
            if self.faithful or self.rng.random() < 0.8:
                self.unanswered.append(Unanswered(who, method, template, path or {}, body, key))
            return answer
        if key is not None and answer.ok and answer.json is not None:
            self._remember(who, template, key, answer.json)
        return answer

    def _remember(self, who: Person, template: str, key: str, made: dict[str, Any]) -> None:
        """The same key must give the same record."""
        for name in ("complaint_id", "refund_id", "shipment_id", "payment_id", "order_id", "purchase_id"):
            if name in made:
                before = self.world.answers.setdefault((who.account_id, f"{template} {key}"), made[name])
                if before != made[name]:
                    self.world.oracle.broken("idempotency", f"{key} made {before} and {made[name]}", made[name])
                return

    def retry(self) -> None:
        """Send an unanswered request again, under its own key."""
        if not self.unanswered:
            return  # Another task was faster.
        again = self.unanswered.pop(self.rng.randrange(len(self.unanswered)))
        self.world.faults.count("client_retry")
        self.ask(again.who, again.method, again.template, again.path, again.body, key=again.key)

    def sale(self, wanted: Callable[[Sale], bool] | None = None) -> Sale | None:
        """Pick a purchase: the one in focus, a recent one, or any; one that fits unless somebody acts wrongly."""
        sales = self.world.oracle.sales
        if self.focus is not None and (wanted is None or wanted(self.focus) or self.rng.random() < 0.3):
            return self.focus
        if not sales:
            return None
        known = list(sales.values())
        pool = known[-RECENT:] if self.rng.random() < 0.9 else known
        if wanted is not None and self.rng.random() < 0.93:
            pool = [sale for sale in pool if wanted(sale)]
        return self.rng.choice(pool) if pool else None

    def buyer_of(self, sale: Sale) -> Person:
        """Return the purchase's buyer; now and then somebody else."""
        if self.rng.random() < 0.02:
            return self.rng.choice(self.buyers)
        return next(buyer for buyer in self.buyers if buyer.account_id == sale.buyer_id)

    def order_in(self, *statuses: str) -> tuple[Sale, str] | None:
        """Pick an order in one of these states, and its purchase; any of its orders if nobody's fits."""
        sale = self.sale(lambda one: any(order.status in statuses for order in one.orders.values()))
        if sale is None or not sale.orders:
            return None
        fitting = [order_id for order_id, order in sale.orders.items() if order.status in statuses]
        return sale, self.rng.choice(fitting or list(sale.orders))

    def pick(self) -> tuple[str, Action]:
        """Pick what happens next."""
        if self.rng.random() < 0.5:
            found = self.delivering.move()
            if found is not None:
                return "aws", found
        if self.unanswered and self.rng.random() < 0.15:
            return "retry", self.retry
        name, _, action = self.rng.choices(self._plan(), weights=self._weights)[0]
        return name, action

    def _plan(self) -> list[tuple[str, float, Action]]:
        if not hasattr(self, "_actions"):
            self._actions: list[tuple[str, float, Action]] = [
                ("shop", 10, self.buying.shop),
                ("place old", 1, self.buying.place_old),
                ("start payment", 14, self.buying.start_payment),
                ("pay", 14, self.paying.pay),
                ("pay closed", 1, self.paying.pay_closed),
                ("stranger", 0.5 if self.world.bank.name == "sandbox" else 0, self.paying.pay_as_stranger),
                ("cancel purchase", 2, self.buying.cancel_purchase),
                ("cancel order", 3, self.buying.cancel_order),
                ("confirm", 2, self.buying.confirm),
                ("look", 1, self.buying.look),
                ("ship", 8, self.selling.ship),
                ("restock", 3, self.selling.restock),
                ("reprice", 1, self.selling.reprice),
                ("carry", 5, self.carrying.carry),
                ("settle refund", 3, self.providing.settle_refund),
                ("console refund", 0.4, self.providing.console_refund),
                ("adopt", 0.6, self.operating.adopt),
                ("bounce", 0.8 if self.world.bank.name in BOUNCING else 0, self.providing.bounce_refund),
                ("old word", 0.4 if self.world.bank.name in BOUNCING else 0, self.providing.say_old),
                ("contest", 2 if self.world.bank.name == "stripe" else 0, self.providing.contest),
                ("operate", 7, self.operating.operate),
                ("complain", 8, self.complaining.act),
                ("by hand", 3, self.offline.act),
                ("made after all", 3, self.offline.go_through_late),
                ("balance", 2, self.balance.act),
                ("refused deadline", 0.8, self.refusing.act),
                ("numbers", 3, self.numbers.act),
                ("time", 14, self.clockwork.pass_time),
                ("service", 0.8, self.clockwork.be_served),
                ("unheard", 0.8, self.paying.pay_unheard_in_service),
                ("sweep", 8, self.world.sweep),
                ("old message", 1.5, self.delivering.redeliver_old),
                ("storm", 0.6, self.delivering.storm),
                ("cold start", 0.5, self.delivering.lose_memory),
            ]
            self._weights = [weight for _, weight, _ in self._actions]
        return self._actions

    def step(self) -> None:
        """Do one thing, or several at once about one purchase."""
        if self.world.faults.storm is not None and self.rng.random() < 0.05:
            self.world.faults.storm = None
        if self.rng.random() >= 0.15:
            self.pick()[1]()
            return
        sales = list(self.world.oracle.sales.values())[-RECENT:]
        self.focus = self.rng.choice(sales) if sales else None
        works = [self.pick() for _ in range(self.rng.choice((2, 2, 3)))]
        self.world.together([(name, action) for name, action in works if name not in ALONE])
        self.focus = None

    def wind_up(self) -> None:
        """Before the end: what was broken on purpose is mended, and parcels on their way arrive."""
        self.world.faults.armed = False
        self.world.faults.storm = None
        self.world.oracle.parked.refused.clear()
        sandbox = self.world.sandbox
        spoilt = ("silent_after", "silent_before", "unsigned", "no_signature", "probe", "broken")
        mended: dict[str, Any] = {word: () for word in spoilt if self.world.bank.knows(word)}
        for number in list(sandbox._steering):  # noqa: SLF001
            sandbox.steer(number, down=(), refund="succeeded", **mended)
        for number, journey in self.world.hub.journeys.items():
            if journey.status == "polling" and journey.state != "3":
                self.world.hub.advance(number, "signed")

    def tidy(self) -> None:
        """In the quiet end: the provider finishes what is pending."""
        for number, refund in list(self.world.bank.refunds()):
            if refund.state == "pending":
                self.world.sandbox.settle(number, "succeeded")
        self.complaining.close()
        self.mediating.close()
        self.offline.close()
        self.refusing.close()


def run(world: World, steps: int) -> Cast:
    """Play a whole seed: the market, so many steps, and the end."""
    with limits(world), holding.limits(world), parked.refusals(world):
        return _run(world, steps)


def _run(world: World, steps: int) -> Cast:
    cast = Cast(world)
    hook = hooked.Hooked(world, str(cast.staff[0].merchant_id))
    with hook.listening():
        _play(world, cast, steps)
        if not world.oracle.violations:
            hook.finish()
    return cast


def _play(world: World, cast: Cast, steps: int) -> None:
    kept, chain = books.Books(world), chained.Chained(world)
    back = returning.Returning(world)

    def tidy() -> None:
        cast.tidy()
        back.close()

    world.faults.armed = world.faults.rate > 0
    while world.totals.steps < steps and not world.oracle.violations:
        cast.step()
        kept.step()
        chain.step()
        back.step()
        cast.mediating.step()
    if not world.oracle.violations:
        cast.wind_up()
        world.settle(before=tidy, serve_s=END_SERVED_S)
        if world.oracle.untold and not world.oracle.violations:
            cast.operating.read_the_bill()
            world.settle(before=tidy)
    if not world.oracle.violations:
        world.oracle.finish(world.dead_letters(), excused=world.excused)
        counting.judge(world)
    if not world.oracle.violations:
        world.findings = audit.reconcile(world, leave_out=world.rng.random() < 0.5)
    if not world.oracle.violations:
        kept.finish()
    if not world.oracle.violations:
        chain.finish()


def rates(seed: int) -> tuple[float, float]:
    """Return how much goes wrong in a seed: some are calm, most are rough, a few are stormy."""
    return random.Random(f"{seed}:rates").choice(((0.0, 0.0), (0.01, 0.004), (0.02, 0.008), (0.05, 0.02)))  # noqa: S311


__all__ = ["OPEN", "Cast", "Person", "Unanswered", "rates", "run"]
