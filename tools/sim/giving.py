"""Codes in the simulator: a pool, buyers, refunds and looks in a world of their own, beside what a seed plays.

Each message is delivered until it was handled, at times twice, and the process dies anywhere. After every step each
code is in one place, nobody saw a code that somebody else may still get, and the pool counts what it has.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import NOWHERE, Line, Order, OrderStatus, PaidBack, Purchase, PurchaseStatus, Stock
from chalicelib.runtime import names
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent, system_intent
from chalicelib.virtual import domain, giving, service, store
from chalicelib.virtual.domain import Form, Pool
from chalicelib.virtual.store import CodeRow, SecretRow
from tools.sim.apart import run_beside
from tools.sim.faults import Crash
from tools.sim.world import World

STEPS = 30
PROMISE = "codes"
PRICE = Money(1_000)
MERCHANT = ids.derived_id("mer", "codes")


@dataclass
class Told:
    """A message on its way: what handles it, until it did."""

    what: str
    handle: Callable[[], object]


@dataclass
class Shop:
    """What the actors of one world did, and what they know."""

    world: World
    chance: random.Random
    sku_id: str
    product_id: str
    uploaded: set[str] = field(default_factory=set)
    placed: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    """Code -> the order whose buyer saw it."""
    told: list[Told] = field(default_factory=list)
    refunds: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    # --- what people do -----------------------------------------------------------------------------------------------

    def upload(self) -> None:
        """Add some codes, one of which may be there already."""
        codes = [f"C{len(self.uploaded)}-{n}" for n in range(self.chance.randint(1, 4))]
        codes += self.chance.sample(sorted(self.uploaded), k=min(1, len(self.uploaded)))
        intent = Intent("merchant", codes[0], "f")
        self.uploaded |= set(codes)
        self._until_done("upload", lambda: service.upload(MERCHANT, self.sku_id, codes, intent))
        self.told.append(Told("fill", lambda: service.fill(self.sku_id, MERCHANT)))

    def buy(self) -> None:
        """Pay for some units; the message of it goes out."""
        with self._calm():
            order_id = self._paid(self.chance.randint(1, 3))
        self.placed.append(order_id)
        self.told.append(Told("serve", lambda: service.serve(order_id)))

    def pay_back(self, order_id: str) -> None:
        """Pay one more unit back; the message of it goes out."""
        with self._calm():
            order = orders.load_order(order_id)
            if order.refunded.minor + order.under_way.minor >= order.total.minor:
                return
            self.refunds[order_id] += 1
            number = self.refunds[order_id]
            everything = number == order.lines[0].quantity
            with UnitOfWork() as work:
                paid = PaidBack(f"ref_{number}", PRICE, (("1", 1),), ("1",) if everything else (), everything)
                orders.pay_back(work, order, paid)
        self.told.append(Told("take back", lambda: service.take_back(order_id)))

    def look(self, order_id: str, *, beside: bool) -> None:
        """Look at what was bought, perhaps at the very moment of a refund."""
        with self._calm():
            order = orders.load_order(order_id)
        intent = system_intent(f"look#{order_id}#{self.chance.random()}")

        def once() -> None:
            _, shown, _ = service.look(order.buyer_id, order_id, "1", intent)
            for one in shown:
                owner = self.seen.setdefault(one.content.text, order_id)
                if owner != order_id:
                    self.problems.append(f"{one.content.text} was shown to {owner} and to {order_id}")
            self._judge_look(order_id, {one.part.number for one in shown})

        if not beside:
            self._once(once)
            return
        begun: list[bool] = []

        def meanwhile() -> None:
            if not begun:
                begun.append(True)
                self._once(once)
            else:
                self.pay_back(order_id)

        run_beside(meanwhile, store, "delivery")

    def _judge_look(self, order_id: str, shown: set[int]) -> None:
        with self._calm():
            found = store.delivery(order_id, giving.delivery_id(order_id, "1"))
            paid_back = orders.paid_back(orders.load_order(order_id), "1")
        if found is None:
            return
        gone = {part.number for part, units in domain.to_take_back(found, paid_back) if units == part.live}
        if gone & shown:
            self.problems.append(f"{order_id} was shown what was paid back before")

    # --- how it reaches the handlers ----------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Deliver a message, at times twice, or beside another; it stays until it was handled."""
        if not self.told:
            return
        message = self.told[self.chance.randrange(len(self.told))]
        if self._once(message.handle):
            if self.chance.random() < 0.3:
                self._once(message.handle)
            self.told.remove(message)

    def _until_done(self, what: str, act: Callable[[], object]) -> None:
        if not self._once(act):
            self.told.append(Told(what, act))

    def _once(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except Crash:
            self.world.say("      a process dies over codes")
            return False
        except ShopError:
            return True
        except Exception as error:  # It comes again.
            self.world.say(f"      codes: {type(error).__name__}")
            return False
        return True

    def _calm(self) -> _Calm:
        return _Calm(self.world)

    def _paid(self, quantity: int) -> str:
        purchase_id = ids.derived_id("pur", str(len(self.placed)), str(self.chance.random()))
        order_id = ids.child_id("ord", purchase_id, 1)
        buyer_id, now = ids.derived_id("acc", purchase_id), clock.now()
        total = Money(PRICE.minor * quantity)
        line = Line("1", self.sku_id, self.product_id, "Card", (), quantity, PRICE, total, "virtual")
        order = Order(
            order_id, purchase_id, buyer_id, MERCHANT, "Cards", OrderStatus.PLACED, Stock.HELD, (line,),
            Money(0), Money(0), total, 0, "1", now, now,
        )  # fmt: skip
        purchase = Purchase(
            purchase_id, buyer_id, PurchaseStatus.AWAITING_PAYMENT, total, (order_id,), "1", NOWHERE, now, now, "f"
        )
        with UnitOfWork() as work:
            orders.place(work, purchase, [order])
        with UnitOfWork() as work:
            sale = orders.load_sale(purchase_id)
            orders.settle(work, sale, payment_id=ids.child_id("pay", purchase_id, 1), captured=total, at=now)
        return order_id

    # --- what is true after each step ---------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold everything against what must be true."""
        with self._calm():
            self.problems += list(self._wrong())

    def _wrong(self) -> Iterator[str]:
        free = [store.content_of(row).text for row in self._codes()]
        given = [(row.owner, store.content_of(row).text) for row in self._secrets()]
        places = Counter([*free, *(code for _, code in given)])
        yield from (f"{code} is in {count} places" for code, count in places.items() if count > 1)
        yield from (f"{code} is lost" for code in self._accepted() - set(places))
        pool = store.pool(self.sku_id)
        if pool is None or pool.free != len(free):
            yield f"the pool counts {pool.free if pool else None}, {len(free)} codes are free"
        yield from (f"{code} was seen by {self.seen[code]} and is for sale" for code in free if code in self.seen)
        for owner, code in given:
            if self.seen.get(code, owner) != owner:
                yield f"{code} was seen by {self.seen[code]} and given to {owner}"
        for order_id in self.placed:
            yield from self._wrong_order(order_id)
        level = inventory.level(self.sku_id)
        if pool is not None and level.received != len(free) + pool.given + pool.withdrawn + self._returned():
            yield f"{level.received} units were received for {len(free)} free codes and {pool.given} given"

    def _wrong_order(self, order_id: str) -> Iterator[str]:
        order = orders.load_order(order_id)
        found = store.delivery(order_id, giving.delivery_id(order_id, "1"))
        sent = order.kept()["1"]
        if (found.units if found else 0) != sent:
            yield f"{order_id} counts {sent} units as handed over, its delivery {found.units if found else 0}"
        if found is not None and found.live > order.lines[0].quantity:
            yield f"{order_id} has {found.live} codes for {order.lines[0].quantity} units"

    def finish(self) -> None:
        """Deliver all that is on its way; then nobody waits who need not, and nobody keeps what was paid back."""
        self.world.faults.armed = False
        for _ in range(3):
            for message in [*self.told, Told("fill", lambda: service.fill(self.sku_id, MERCHANT))]:
                self._once(message.handle)
        pool = store.pool(self.sku_id)
        for order_id in self.placed:
            order = orders.load_order(order_id)
            found = store.delivery(order_id, giving.delivery_id(order_id, "1"))
            if service.owed_units(order, "1") and pool is not None and pool.free:
                self.problems.append(f"{order_id} waits though {pool.free} codes are free")
            if found is not None and found.revoked != min(orders.paid_back(order, "1"), found.units):
                self.problems.append(f"{order_id} keeps what was paid back")
        self.check()

    # --- what is there ------------------------------------------------------------------------------------------------

    def _rows(self, prefix: str) -> list[dict[str, dict[str, str]]]:
        rows = self.world.storage.tables[names.table_name("virtual")].items.values()
        return [dict(row) for row in rows if row["id"]["S"].startswith(prefix)]

    def _codes(self) -> list[CodeRow]:
        return [CodeRow.from_raw_data(row) for row in self._rows(store.CODES)]

    def _secrets(self) -> list[SecretRow]:
        return [SecretRow.from_raw_data(row) for row in self._rows(store.SECRETS)]

    def _accepted(self) -> set[str]:
        known = {row["owner"]["S"].removeprefix("known_") for row in self._rows("known")}
        from chalicelib.virtual import pools

        return {code for code in self.uploaded if pools.mark(MERCHANT, code) in known}

    def _returned(self) -> int:
        """Return the units of stock that came back with codes: each was received a second time."""
        return sum(
            part.went_back
            for order_id in self.placed
            if (found := store.delivery(order_id, giving.delivery_id(order_id, "1"))) is not None
            for part in found.parts
        )


class _Calm:
    """Lets nothing go wrong inside: what is done there is not what is tried out."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> None:
        self._armed, self._world.faults.armed = self._world.faults.armed, False

    def __exit__(self, *_: object) -> None:
        self._world.faults.armed = self._armed


def play(seed: int | str, *, rate: float, crashes: float, steps: int = STEPS) -> list[str]:
    """Play it in a world of its own; returns what went wrong."""
    with World(f"{seed}:codes", rate=2 * rate, crashes=6 * crashes) as world:
        product_id = ids.derived_id("prd", "codes", str(seed))
        shop = Shop(world, random.Random(f"{seed}:codes"), ids.child_id("sku", product_id, 1), product_id)  # noqa: S311
        with UnitOfWork() as work:
            pool = Pool(shop.sku_id, MERCHANT, Form.CODE, timedelta(hours=1), clock.now(), low_mark=1)
            store.save_pool(work, pool, None)
        shop.upload()
        world.faults.armed = rate > 0
        for _ in range(steps):
            _step(shop)
            shop.check()
            if shop.problems:
                break
        else:
            shop.finish()
        return [f"{PROMISE}: {problem}" for problem in dict.fromkeys(shop.problems)]


def _step(shop: Shop) -> None:
    draw = shop.chance.random()
    order_id = shop.placed[shop.chance.randrange(len(shop.placed))] if shop.placed else ""
    if draw < 0.2:
        shop.buy()
    elif draw < 0.27:
        shop.upload()
    elif draw < 0.37 and order_id:
        shop.pay_back(order_id)
    elif draw < 0.6 and order_id:
        shop.look(order_id, beside=shop.chance.random() < 0.4)
    else:
        shop.deliver()


__all__ = ["play"]
