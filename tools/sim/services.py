"""Times of services and what is made to order, by many at once and cut off anywhere: a small world of its own.

    python -m tools.sim.services --seeds 200

A few buyers book, move and cancel times of one service, whose shop declines and takes codes; orders are paid, run out
and are paid back meanwhile. Of one request the shop changes its offer while the buyer accepts or withdraws. Two or
three of them act at a time, switched at every call, and now and then a process ends before or right after one; who
asked asks again then, under the same key. The oracle reads the rows as they lie there, after every write. Planted bugs
(:data:`BUGS`) must be found.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from chalicelib.bookings import service as bookings
from chalicelib.bookings import store as booking_store
from chalicelib.bookings.domain import Booking
from chalicelib.checkout import service as checkout
from chalicelib.kernel import clock
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import PaidBack
from chalicelib.requests import service as requests
from chalicelib.requests import store as request_store
from chalicelib.requests.domain import Side
from chalicelib.runtime import aws
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import people, sales
from tools.bench.crowd import CrowdedLab, opened_in_memory
from tools.sim.bugs import Bugs
from tools.sim.tasks import Scheduler, Task

Json = dict[str, Any]
Act = Callable[[], Any]
BUYERS = 4
ROUNDS = 14
CRASHES = 0.3
"""How often one of those who act at a time is cut off."""
KEPT = ("held", "booked", "redeemed", "missed")
OPEN = ("held", "booked")
PRICE = 8_800


class Cut(Exception):
    """The process ended here."""


@dataclass(slots=True)
class Oracle:
    """What must hold, told by the rows alone."""

    lab: CrowdedLab
    violations: list[str] = field(default_factory=list)

    def rows(self, table: str) -> list[Json]:
        """Return the rows of a table as they lie there."""
        full = next(name for name in self.lab.storage.tables if name.endswith(f"-{table}"))
        return list(self.lab.storage.tables[full].items.values())

    def look(self) -> None:
        """Look at everything after a write."""
        for said in (*self._places(), *self._appointments(), *self._made()):
            if said not in self.violations:
                self.violations.append(said)

    def _bookings(self) -> list[Booking]:
        found = [row for row in self.rows("bookings") if row["id"]["S"].startswith("bkg_")]
        return [booking_store._booking(booking_store.BookingRow.from_raw_data(row)) for row in found]  # noqa: SLF001

    def _places(self) -> Iterator[str]:
        """Each slot has as many places taken as bookings keep, and no more than there are."""
        kept: Counter[tuple[str, int]] = Counter()
        for one in self._bookings():
            if one.status in KEPT:
                kept[one.sku_id, int(one.starts_at.timestamp())] += one.quantity
        for row in self.rows("bookings"):
            if row["id"]["S"].startswith("slot_"):
                taken, there = int(row["taken"]["N"]), int(row["capacity"]["N"])
                second = int(row["id"]["S"].removeprefix("slot_"))
                if taken > there:
                    yield f"a time for {there} is booked by {taken}"
                if taken != kept[row["owner"]["S"], second]:
                    yield f"a time has {taken} places taken, and bookings keep {kept[row['owner']['S'], second]}"

    def _appointments(self) -> Iterator[str]:
        """An order waits for its open bookings and for nothing else; what was provided is with the buyer, once."""
        of_order: dict[str, list[Booking]] = {}
        for one in self._bookings():
            of_order.setdefault(one.order_id, []).append(one)
        for order_id, made in of_order.items():
            order = orders.load_order(order_id)
            waits = {one.booking_id for one in order.appointments}
            if waits != {one.booking_id for one in made if one.status in OPEN}:
                yield f"an order waits for {len(waits)} times, and others are booked for it"
            given = Counter(parcel.shipment_id for parcel in order.parcels)
            if given != Counter(one.booking_id for one in made if one.status in ("redeemed", "missed")):
                yield "what was provided is not what the buyer has"
            bought = sum(line.quantity for line in order.lines)
            if sum(one.quantity for one in made if one.status in KEPT) > bought:
                yield "more is booked than was bought"

    def _made(self) -> Iterator[str]:
        """What was accepted is made, as it was offered; what was not is not."""
        made = {row["product_id"]["S"]: row for row in self.rows("products") if "made_for" in row}
        stock = {row["sku_id"]["S"]: row for row in self.rows("stock") if row["bucket"]["S"] == "00"}
        wanted = 0
        for row in self.rows("requests"):
            found = request_store._request(request_store.RequestRow.from_raw_data(row))  # noqa: SLF001
            if not found.sku_id:
                continue
            wanted += 1
            offer = found.offer
            units = int(stock.get(found.sku_id, {}).get("received", {"N": "0"})["N"])
            if offer is None or units != offer.quantity:
                yield f"{units} units were made of what was accepted"
        if len(made) != wanted:
            yield f"{len(made)} products were made for {wanted} accepted offers"


class Story:
    """One seed."""

    def __init__(self, lab: CrowdedLab, seed: int) -> None:
        self.lab, self.rng = lab, random.Random(f"services:{seed}")  # noqa: S311
        self.oracle, self.scheduler = Oracle(lab), Scheduler()
        self.merchant_id, _ = lab.merchant()
        self.made = lab.product(self.merchant_id, kind="service", stock=0)
        self.starts = [clock.now().replace(microsecond=0) + timedelta(days=day) for day in (2, 3, 4)]
        self.numbers = iter(range(10**6))
        self.looking = False
        self.cut: dict[str, tuple[int, bool]] = {}
        self._offer()
        self.orders = [self._order(number) for number in range(BUYERS)]
        self.requests = [self._request() for _ in range(2)]

    def _offer(self) -> None:
        from chalicelib.bookings.domain import Slot

        offered = [
            Slot(self.made.sku_id, self.merchant_id, at, at + timedelta(hours=1), self.rng.randint(1, 3), moves=9)
            for at in self.starts
        ]
        bookings.slots.offer(self.merchant_id, self.made.product_id, self.made.sku_id, offered)

    def _order(self, number: int) -> tuple[str, str]:
        buyer = people.buyer().account_id
        line = replace(
            sales.line("1", self.rng.randint(1, 2), PRICE, kind="service"),
            sku_id=self.made.sku_id,
            product_id=self.made.product_id,
        )
        sale = (sales.paid if number % 2 else sales.placed)(buyer, (self.merchant_id, (line,)))
        return buyer, sale.orders[0].order_id

    def _request(self) -> tuple[str, str]:
        buyer = people.buyer().account_id
        asked, _ = requests.ask(
            self._as_buyer(buyer), self.made.product_id, requests.Statement("In blue?"), self._key()
        )
        return buyer, asked.request_id

    def _as_buyer(self, buyer: str) -> requests.Party:
        return requests.Party(Side.BUYER, buyer, buyer)

    @property
    def shop(self) -> requests.Party:
        """The shop's side."""
        return requests.Party(Side.MERCHANT, "acc_staff", self.merchant_id)

    def _key(self) -> Any:
        return system_intent(f"services#{next(self.numbers)}")

    # --- what people do -----------------------------------------------------------------------------------------------

    def _acts(self) -> Act:
        kinds = (self.book, self.book, self.book, self.move, self.cancel, self.decline, self.redeem)
        others = (
            self.pay,
            self.run_out,
            self.pay_back,
            self.offer,
            self.offer,
            self.accept,
            self.accept,
            self.withdraw,
        )
        return self.rng.choice((*kinds, *others))()

    def book(self) -> Act:
        """Book a time."""
        buyer, order_id = self.rng.choice(self.orders)
        wanted = bookings.Wanted(order_id, "1", self.rng.choice(self.starts), self.rng.randint(1, 2))
        key = self._key()
        return lambda: bookings.book(buyer, wanted, key)

    def _one(self) -> tuple[str, Booking] | None:
        buyer, order_id = self.rng.choice(self.orders)
        found = booking_store.of_order(order_id)
        return (buyer, self.rng.choice(found)) if found else None

    def move(self) -> Act:
        """Take another time."""
        found, key, starts_at = self._one(), self._key(), self.rng.choice(self.starts)
        if found is None:
            return self.book()
        buyer, one = found
        return lambda: bookings.move(buyer, one.order_id, one.booking_id, starts_at, key)

    def cancel(self) -> Act:
        """Give a time back."""
        found, key = self._one(), self._key()
        if found is None:
            return self.book()
        buyer, one = found
        return lambda: bookings.cancel(buyer, one.order_id, one.booking_id, key)

    def decline(self) -> Act:
        """Call a booking off, as the shop."""
        found, key = self._one(), self._key()
        if found is None or self.rng.random() < 0.5:
            return self.book()
        one = found[1]
        return lambda: bookings.decline(self.merchant_id, one.order_id, one.booking_id, "ill", key)

    def redeem(self) -> Act:
        """Take a code."""
        found, key = self._one(), self._key()
        if found is None:
            return self.book()
        code = found[1].code
        return lambda: bookings.redeem(self.merchant_id, code, key)

    def pay(self) -> Act:
        """Pay an order."""
        purchase_id = self._purchase()

        def settle() -> None:
            sale = orders.load_sale(purchase_id)
            with UnitOfWork() as work:
                payment_id, total = f"pay_{purchase_id[4:]}_01", sale.purchase.total
                orders.settle(work, sale, payment_id=payment_id, captured=total, at=clock.now())

        return settle

    def _purchase(self) -> str:
        return orders.load_order(self.rng.choice(self.orders)[1]).purchase_id

    def run_out(self) -> Act:
        """Call an unpaid order off."""
        purchase_id, buyer = self._purchase(), ""
        buyer = orders.load_purchase(purchase_id).buyer_id
        key = self._key()
        return lambda: checkout.cancel_purchase(purchase_id, account_id=buyer, intent=key)

    def pay_back(self) -> Act:
        """Pay a unit back."""
        order_id = self.rng.choice(self.orders)[1]
        number = next(self.numbers)

        def back() -> None:
            order = orders.load_order(order_id)
            if not order.may_be_sent or not orders.bookable(order):
                return
            paid = PaidBack(f"ref_{number}", Money(PRICE), units=(("1", 1),))
            with UnitOfWork() as work:
                orders.pay_back(work, order, paid)

        return back

    def offer(self) -> Act:
        """Offer for a request, or anew."""
        _, request_id = self.rng.choice(self.requests)
        until, key = clock.now() + timedelta(days=9), self._key()
        terms = requests.Terms(
            "Blue", Money(self.rng.randint(1, 9) * 1000), self.rng.randint(1, 3), until.date(), until
        )
        return lambda: requests.offer(self.shop, request_id, terms, requests.Statement("So."), key)

    def accept(self) -> Act:
        """Accept the offer that the buyer saw."""
        buyer, request_id = self.rng.choice(self.requests)
        seen, key = request_store.load(request_id).offer, self._key()
        if seen is None:
            return self.offer()

        def agree() -> None:
            requests.accept(self._as_buyer(buyer), request_id, seen.number, key)
            agreed = request_store.load(request_id).offer
            if agreed != seen:
                self.oracle.violations.append("an offer was accepted that the buyer had not seen")

        return agree

    def withdraw(self) -> Act:
        """Take a request back."""
        buyer, request_id = self.rng.choice(self.requests)
        key = self._key()
        if self.rng.random() < 0.7:
            return self.accept()
        return lambda: requests.withdraw(self._as_buyer(buyer), request_id, key)

    # --- how it goes --------------------------------------------------------------------------------------------------

    def play(self) -> list[str]:
        """Play it to its end; return what was wrong."""
        with aws.hooked(self._seam):
            for _ in range(ROUNDS):
                self._together([self._acts() for _ in range(self.rng.randint(2, 3))])
                if self.rng.random() < 0.3:
                    self._rest()
                    self.lab.time.advance(timedelta(minutes=self.rng.randint(1, 20)))
            self._rest()
            self._end()
        self.scheduler.close()
        return self.oracle.violations

    def _together(self, acts: list[Act]) -> None:
        tasks = [Task(f"act{number}", self._refusable(act)) for number, act in enumerate(acts)]
        if self.rng.random() < CRASHES:
            self.cut[self.rng.choice(tasks).name] = (self.rng.randint(1, 5), self.rng.random() < 0.5)
        self.scheduler.run(tasks, self.rng.choice)
        self.cut.clear()
        again = [act for task, act in zip(tasks, acts, strict=True) if isinstance(task.error, Cut)]
        for task in tasks:
            if task.error is not None and not isinstance(task.error, Cut):
                raise task.error
        for act in again:  # Who asked asks again.
            self._refusable(act)()

    def _refusable(self, act: Act) -> Act:
        def run() -> None:
            with suppress(ShopError):
                act()

        return run

    def _seam(self, service: str, operation: str, params: Json, proceed: Callable[[], Any]) -> Any:
        if self.looking:
            return proceed()
        self.scheduler.pause((service, operation, params))
        task = self.scheduler.current
        after = False
        if task is not None and task.name in self.cut and task.calls == self.cut[task.name][0]:
            after = self.cut[task.name][1]
            if not after:
                raise Cut
        answer = proceed()
        if service == "dynamodb" and operation in ("PutItem", "UpdateItem", "TransactWriteItems"):
            self._look()
        if after:
            raise Cut
        return answer

    def _look(self) -> None:
        self.looking = True
        try:
            self.oracle.look()
        finally:
            self.looking = False

    def _rest(self) -> None:
        self.lab.drain()
        for _, order_id in self.orders:
            if orders.groundless(orders.load_order(order_id)):
                self.oracle.violations.append("a time is kept that nobody pays for")

    def _end(self) -> None:
        """Let everything run out: no booking is open any more, whatever became of its order."""
        for _ in range(7):
            self.lab.pass_time(timedelta(days=1, minutes=1))
        for one in self.oracle._bookings():  # noqa: SLF001
            if one.status in OPEN:
                self.oracle.violations.append(f"a booking is {one.status} days after its time")


def run(seed: int) -> list[str]:
    """Play one seed in a world of its own; return what was wrong."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "BIANDAN_"))}
    try:
        with opened_in_memory() as lab:
            return Story(lab, seed).play()
    finally:
        os.environ.update(kept)


# --- planted bugs -----------------------------------------------------------------------------------------------------

BUGS = Bugs()


@BUGS.called("a place is taken by what was read, not by what is there")
def _take_by_reading() -> AbstractContextManager[Any]:
    def take(work: UnitOfWork, slot: Any, quantity: int) -> None:
        row = booking_store.SlotRow
        key = row(owner=slot.sku_id, id=booking_store._slot_key(slot.starts_at))  # noqa: SLF001
        work.update(key, [row.taken.add(quantity)], condition=row.capacity >= 0, refuse=lost, label="slot")

    return patch.object(booking_store, "take", take)


@BUGS.called("a place is given back apart from its booking")
def _give_back_apart() -> AbstractContextManager[Any]:
    real = booking_store.give_back

    def apart(_: UnitOfWork, booking: Any) -> None:
        with UnitOfWork() as work:
            real(work, booking)

    return patch.object(booking_store, "give_back", apart)


@BUGS.called("nobody hears of units that were paid back")
def _tell_nobody() -> AbstractContextManager[Any]:
    return patch.object(orders, "told_void", lambda _: [])


@BUGS.called("what was agreed on is made before it is agreed on")
def _make_apart() -> AbstractContextManager[Any]:
    from chalicelib.catalog import service as catalog

    real = catalog.make

    def apart(_: UnitOfWork, made: Any) -> str:
        with UnitOfWork() as work:
            return real(work, made)

    return patch.object(catalog, "make", apart)


@BUGS.called("whatever stands is accepted")
def _accept_anything() -> AbstractContextManager[Any]:
    from chalicelib.requests import domain

    real = domain.accept

    def anything(request: Any, number: int, entry: Any) -> Any:
        return real(request, request.offer.number if request.offer else number, entry)

    return patch.object(domain, "accept", anything)


def main(arguments: list[str] | None = None) -> int:
    """Play many seeds from the command line."""
    from tools.dev.server import log_to
    from tools.sim.__main__ import environment

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args(arguments)
    log_to(None)
    environment()
    os.environ["AWS_ACCESS_KEY_ID"] = "0"  # By which the pump tells accounts apart.
    wrong = 0
    for seed in range(options.first, options.first + options.seeds):
        found = run(seed)
        wrong += bool(found)
        for one in found:
            print(f"seed {seed}: {one}")
    print(f"{options.seeds} seeds, {wrong} with violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
