"""Money that the provider does not give back: it has had enough refunds, or an operator does not wait for it any more.

Operators take stuck refunds off the provider and pay by hand what is owed, above the limit two of them; a refund that
was taken off it may go through there after all while it is owed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from chalicelib.payments import providers
from tools.sim.to_card import ToCard

if TYPE_CHECKING:
    from tools.sim.actors import Cast
    from tools.sim.bank import Bank
    from tools.sim.oracle import PaymentSeen, RefundSeen, Sale

OWED, PAID_OFFLINE = "owed", "paid_offline"
GIVEN_BACK = ("succeeded", OWED, PAID_OFFLINE)
"""States in which merchant and commission have given the money up."""
BACK = ("succeeded", PAID_OFFLINE)
"""States in which the buyer has it."""
STRICT = 0.3
"""How many seeds have a provider that takes few refunds of a payment, or only soon after it."""


# --- what the books must say ------------------------------------------------------------------------------------------


def by_hand(refunds: Iterable[RefundSeen], payment_id: str) -> tuple[int, int]:
    """Return what of an attempt's money is owed to its buyer another way, and what was paid so."""
    mine = [refund for refund in refunds if refund.payment_id == payment_id]
    return (
        sum(refund.amount for refund in mine if refund.status == OWED),
        sum(refund.amount for refund in mine if refund.status == PAID_OFFLINE),
    )


def miscounted(sale: Sale) -> Iterator[str]:
    """Yield where a purchase's counter says otherwise than its refunds what one person alone paid by hand.

    What was sent to a card counts as well, each time: the provider may have made it each time.
    """
    paid = sum(
        refund.amount * (refund.alone + sum(one.alone for one in refund.to_cards)) for refund in sale.refunds.values()
    )
    if sum(sale.by_hand.values()) != paid:
        yield f"{paid} were paid by hand or sent to a card by one, its counter says {sum(sale.by_hand.values())}"


def places(payment: PaymentSeen, owed: int, paid: int, *, winning: bool) -> Iterator[tuple[str, int]]:
    """Yield where each captured minor unit must be in the ledger, by account; ``owed`` and ``paid`` are those by hand.

    The provider holds what it did not give back itself; merchant and commission (or the surplus) are owed what nobody
    gave up; ``offline`` is the debt, ``bank`` what left our own account.
    """
    there = payment.captured - (payment.refunded - paid)
    yield "clearing", there - payment.disputed
    yield "disputes", payment.disputed
    yield "order" if winning else "surplus", -(there - owed - paid)
    yield "offline", -owed
    yield "bank", -paid


def paid_twice(sale: Sale, bank: Bank) -> Mapping[str, RefundSeen]:
    """Return the refunds that were paid by hand and went through at the provider as well."""
    return {
        number: refund
        for number, refund in sale.refunds.items()
        if refund.status == PAID_OFFLINE and (there := bank.refund(number)) is not None and there.state == "succeeded"
    }


def unfinished(sale: Sale, bank: Bank, contested: set[str]) -> Iterator[str]:
    """Yield what nobody paid in the end, and what was paid twice: our operators look at the provider's books first."""
    for number, refund in sale.refunds.items():
        if refund.status == OWED and refund.payment_id not in contested:
            yield f"{number} is still owed"
    for number, refund in paid_twice(sale, bank).items():
        yield f"{number}: {refund.amount} was paid by hand and by the provider"


# --- people -----------------------------------------------------------------------------------------------------------


def limits(world: Any) -> AbstractContextManager[None]:
    """Let the provider take few refunds of a payment in some seeds, or only for hours; the seed says."""
    chance = random.Random(f"{world.seed}:limits")  # noqa: S311
    if chance.random() >= STRICT:
        return _as_they_are()
    changes: Any = chance.choice(({"max_refunds": 1}, {"max_refunds": 2}, {"refund_window": timedelta(hours=6)}))
    world.say(f"the provider's limits are {changes}")
    world.faults.count("provider_strict")
    real = providers.load

    def load(name: str) -> Any:
        adapter: Any = real(name)
        return replace(adapter, limits=replace(adapter.limits, **changes)) if name == "sandbox" else adapter

    return _patched(load)


@contextmanager
def _as_they_are() -> Iterator[None]:
    yield


@contextmanager
def _patched(load: Any) -> Iterator[None]:
    with patch.object(providers, "load", load):
        yield


class Offline:
    """What the operators of a cast do by hand."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng
        self._tried: set[str] = set()
        """Refunds that somebody may have paid, whatever was answered."""
        self._serial = 0
        self.to_card = ToCard(cast)

    def act(self) -> None:
        """Send a stuck refund to a card, take it off the provider, or pay an owed one."""
        if self.to_card.act():
            return
        self.rng.choice((self.withhold, self.withhold, self.pay))()

    def withhold(self) -> None:
        """Give up on the provider for a stuck refund."""
        stuck = self._in("failed", "abnormal", "closed")
        if stuck:
            self.world.faults.count("refund_taken_offline")
            path = {"refund_id": self.rng.choice(stuck)}
            self.cast.ask(self.cast.operator, "POST", "/v1/operator/refunds/{refund_id}/offline", path)
            if self.rng.random() < 0.5:
                self.go_through_late()

    def pay(self) -> None:
        """Pay an owed refund by hand, sometimes twice, or as two persons do."""
        owed = self._in(OWED)
        if owed:
            self._pay(self.rng.choice(owed))

    def _pay(self, number: str) -> None:
        there = self.world.bank.refund(number)
        if there is not None and there.state == "succeeded":  # They look into the provider's books first.
            self.cast.ask(self.cast.operator, "POST", "/v1/operator/refunds/{refund_id}/query", {"refund_id": number})
            return
        self._tried.add(number)
        self.world.faults.count("refund_paid_by_hand")
        self._serial += 1
        body = {"reference": f"BANK-{self._serial:06d}", "paid_at": self.world.clock.moment.isoformat(), "note": "wire"}
        template, path = "/v1/operator/refunds/{refund_id}/paid-offline", {"refund_id": number}
        draw, key = self.rng.random(), self.cast.key()
        if draw < 0.3:
            self._two_persons(number, body)
            return
        self.cast.ask(self.cast.operator, "POST", template, path, body, key=key)
        if draw < 0.5:
            self.world.faults.count("client_duplicate")
            other = self.cast.key() if draw < 0.4 else key
            self.cast.ask(self.cast.operator, "POST", template, path, body, key=other)

    def _two_persons(self, number: str, body: dict[str, str]) -> None:
        template = "/v1/operator/refunds/{refund_id}/paid-offline-approvals"
        answer = self.cast.ask(self.cast.operator, "POST", template, {"refund_id": number}, body)
        if answer is None or not answer.ok or answer.json is None:
            return
        refund = self.world.oracle.sales["pur_" + number.split("_")[1]]
        path = {"purchase_id": refund.purchase_id, "approval_id": answer.json["approval_id"]}
        approve = "/v1/operator/purchases/{purchase_id}/refund-approvals/{approval_id}/approve"
        for who in (self.cast.operator, self.cast.second):  # Whoever asked may not confirm it.
            self.cast.ask(who, "POST", approve, path, {"note": "seen"})

    def go_through_late(self) -> None:
        """A refund that was taken off the provider is made there after all, or a card is dead (`to_card.py`)."""
        late = [
            number
            for number in self._in(OWED)
            if number not in self._tried
            and (there := self.world.bank.refund(number)) is not None
            and there.state == "abnormal"
        ]
        if late:
            number = self.rng.choice(late)
            self.world.totals.steps += 1
            self.world.faults.count("owed_refund_made_after_all")
            self.world.say(f"the provider's refund {number} goes through after all")
            self.world.sandbox.settle(number, "succeeded")
        else:
            self.to_card.act()

    def close(self) -> None:
        """In the quiet end: everything that is owed is paid."""
        for number in self._in(OWED):
            if number not in self._tried:
                self._pay(number)
        for number in [number for number in self._in(OWED) if number in self._tried]:
            body = {"reference": f"END-{number}", "paid_at": self.world.clock.moment.isoformat(), "note": "wire"}
            template = "/v1/operator/refunds/{refund_id}/paid-offline"
            self.cast.ask(self.cast.operator, "POST", template, {"refund_id": number}, body)

    def _in(self, *statuses: str) -> list[str]:
        return [
            number
            for sale in self.world.oracle.sales.values()
            for number, refund in sale.refunds.items()
            if refund.status in statuses
        ]
