"""Payers at the provider's cashier: in time, too late, in another amount, when it is closed, or unheard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.sim import strangers
from tools.sim.oracle import OPEN, Sale
from tools.sim.people import RECENT

if TYPE_CHECKING:
    from tools.sim.actors import Cast


class Paying:
    """What payers do at the provider."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def pending(self, sale: Sale) -> list[str]:
        """Return the attempts of a purchase whose cashier is shown and takes money."""
        bank, shown = self.world.bank, self.world.oracle.shown
        return [number for number in sale.payments if number in shown and bank.payable(number)]

    def pay(self) -> None:
        """Pay at the provider's cashier; not always what was asked."""
        sale = self.cast.sale(lambda one: bool(self.pending(one)))
        pending = self.pending(sale) if sale is not None else []
        if sale is None or not pending:
            return
        number = self.rng.choice(pending)
        self.world.totals.steps += 1
        self.world.say(f"the buyer pays {number}")
        if sale.payments[number].status not in OPEN:  # Alipay: who holds the link of what never was at the provider.
            self.cast.providing.surely_noticed(number)
            self.world.oracle.paid_when_closed.add(number)
        draw, bank, count = self.rng.random(), self.world.bank, self.world.faults.count
        if draw < 0.03 and self.world.faults.armed:
            there = bank.order(number)
            if bank.pay(number, amount=self.rng.choice((1, (there.amount if there is not None else 1) + 1))):
                count("wrong_amount_paid")
        elif draw < 0.05 and self.world.faults.armed and bank.name in ("sandbox", "stripe"):
            if bank.pay(number, currency="USD"):
                count("wrong_currency_paid")
        elif not bank.pay(number):
            count("paid_too_late")

    def pay_closed(self) -> None:
        """Pay what is closed: it cannot happen, and does. Its notice comes; nothing else would ever tell."""
        bank, shown = self.world.bank, self.world.oracle.shown

        def closed_of(sale: Sale) -> list[str]:
            found = [(number, bank.order(number)) for number in sale.payments if number in shown]
            return [number for number, there in found if there is not None and there.state == "closed"]

        sale = self.cast.sale(lambda one: bool(closed_of(one)))
        closed = closed_of(sale) if sale is not None else []
        if closed:
            number = self.rng.choice(closed)
            self.world.faults.count("paid_when_closed")
            self.world.totals.steps += 1
            self.cast.providing.surely_noticed(number)
            if self.world.faults.armed and self.rng.random() < 0.15:  # Genuine, and it names our number: we must ask.
                self.world.faults.count("notices_of_others")
                self.world.sandbox.steer(number, other_merchant=True)
            self.world.oracle.paid_when_closed.add(number)
            self.world.say(f"the buyer pays {number}, which is closed")
            self.world.sandbox.pay_closed(number)

    def pay_unheard(self) -> None:
        """Pay an attempt of which no notice will ever come: only asking finds it."""
        sale = self.cast.sale(lambda one: bool(self.pending(one)))
        pending = [number for number in self.pending(sale) if sale.payments[number].status in OPEN] if sale else []
        if not pending:
            return
        number = self.rng.choice(pending)
        self.world.faults.count("paid_unheard")
        self.world.totals.steps += 1
        self.world.sandbox.steer(number, notify=False)
        self.world.say(f"the buyer pays {number}, and nobody tells")
        self.world.bank.pay(number)

    def pay_unheard_in_service(self) -> None:
        """Wait at an open cashier while everything works, then pay: nobody tells, at whatever age of the attempt."""
        minutes = [self.rng.choice((1, 2, 4, 8, 15))]
        until_s = self.world.now_s() + 60 * minutes[0] + 200

        def waits(sale: Sale) -> bool:
            return sale.status == "awaiting_payment" and sale.due_at_s > until_s and bool(self.pending(sale))

        found = [sale for sale in list(self.world.oracle.sales.values())[-RECENT:] if waits(sale)]
        if not found:
            return
        chosen = self.rng.choice(found)

        def each_minute() -> None:
            minutes[0] -= 1
            if minutes[0] == 0:
                self.cast.focus, before = chosen, self.cast.focus
                self.pay_unheard()
                self.cast.focus = before

        self.world.serve(60 * minutes[0] + 190, each_minute=each_minute)

    def pay_as_stranger(self) -> None:
        """Pay the provider under a number that is none of ours; we are told, perhaps more than once."""
        serial = self.cast.next_serial()
        self.world.faults.count("strangers_money")
        self.world.totals.steps += 1
        number = f"{strangers.PREFIX}{serial:06d}"
        self.world.sandbox.steer(number, duplicates=self.rng.choice((1, 1, 3)))
        strangers.pay(self.world.sandbox, serial, self.rng.choice((1, 1999, 50000)))
        self.world.say(f"a stranger pays {number}")
