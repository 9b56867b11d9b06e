"""People who ask to be forgotten while money and goods of theirs are still open: a small world of its own.

    python -m tools.sim.leaving --seeds 200

A few people buy; some never pay, some are delivered, some pay twice, of some the merchant cancels the order; what goes
back the provider keeps pending for days, or makes at once. At random moments they ask to be forgotten. The oracle reads
every row as it is written, by itself: an address that goes while an order is not over or money waits for anybody is a
violation, and so is one that stays when all is over, and an entry of the books that is gone with its person. Planted
bugs (:data:`BUGS`) must be found.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tests.support import people
from tools.bench import erasure as trial
from tools.bench.crowd import CrowdedLab
from tools.bench.lab import ADDRESS
from tools.sim.bugs import Bugs

Json = dict[str, Any]
PERSONS = 4
OVER = ("completed", "cancelled")
MONEY_WAITS = ("requested", "pending", "abnormal", "failed", "closed", "owed")
"""States of a refund in which it is nobody's yet: none of them is an end."""
DAY = timedelta(days=1, minutes=1)
MOST_DAYS = 40


@dataclass(slots=True)
class Oracle:
    """What must hold, told by the rows alone."""

    lab: CrowdedLab
    violations: list[str] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    """Purchases whose address is there."""

    def rows(self, table: str) -> Iterator[Json]:
        """Yield the rows of a table as they lie there."""
        full = next(name for name in self.lab.storage.tables if name.endswith(f"-{table}"))
        yield from self.lab.storage.tables[full].items.values()

    def look(self) -> None:
        """Look at all purchases after a write."""
        there = {row["purchase_id"]["S"] for row in self.rows("orders") if _is_purchase(row) and "delivery" in row}
        for purchase_id in self.addresses - there:
            self.violations += [f"{purchase_id} was forgotten over {what}" for what in self.open(purchase_id)]
        self.addresses = there

    def open(self, purchase_id: str) -> list[str]:
        """Return what of a purchase is not over."""
        found = []
        for row in self.rows("orders"):
            if row["purchase_id"]["S"] == purchase_id and row["id"]["S"].startswith("ord_") and "status" in row:
                found += [f"an order that is {row['status']['S']}"] if row["status"]["S"] not in OVER else []
        for row in self.rows("payments"):
            if row["purchase_id"]["S"] == purchase_id and row["id"]["S"].startswith("ref_"):
                state = row["status"]["S"]
                found += [f"a refund that is {state}"] if state in MONEY_WAITS else []
        return found

    def money(self) -> dict[str, int]:
        """Return what each purchase was paid and what went back, in all: leaving changes neither."""
        found: dict[str, int] = {}
        for row in self.rows("ledger"):
            owner = row["purchase_id"]["S"]
            found[owner] = found.get(owner, 0) + 1
        return found


def _is_purchase(row: Json) -> bool:
    return str(row["id"]["S"]).startswith("pur_")


@dataclass(slots=True)
class Leaver:
    """Somebody who buys once and leaves."""

    account_id: str
    purchase_id: str
    stuck: str = ""
    """A refund of theirs that the provider keeps."""


class Story:
    """One seed."""

    def __init__(self, lab: CrowdedLab, seed: int) -> None:
        self.lab, self.rng = lab, random.Random(f"leaving:{seed}")  # noqa: S311
        self.oracle = Oracle(lab)
        merchant_id, self.staff = lab.merchant()
        self.sku_id = lab.product(merchant_id, stock=PERSONS * 2).sku_id

    def play(self) -> list[str]:
        """Play it to its end; return what was wrong."""
        leavers = [self._life(number) for number in range(PERSONS)]
        before = self.oracle.money()
        for leaver in self.rng.sample(leavers, len(leavers)):
            self.lab.client(people.token(leaver.account_id)).expect(200, "PUT", "/v1/me/erasure", {})
            self.lab.pass_time(timedelta(hours=self.rng.randrange(1, 40)))
        self.lab.pass_time(timedelta(days=7, minutes=1))
        for _ in range(self.rng.randrange(2, 6)):
            self.lab.pass_time(DAY)
        for leaver in leavers:
            if leaver.stuck and leaver.purchase_id not in self.oracle.addresses:
                self.oracle.violations.append(f"{leaver.purchase_id} lost its address before its refund came")
        for _ in range(MOST_DAYS):
            self._let_money_go()
            if all(self._state(leaver) == "done" for leaver in leavers):
                break
            self.lab.pass_time(DAY)
        for leaver in leavers:
            if self._state(leaver) != "done" or leaver.purchase_id in self.oracle.addresses:
                self.oracle.violations.append(f"{leaver.account_id} is {self._state(leaver)}, and all is over")
        lost = [one for one, entries in before.items() if self.oracle.money().get(one, 0) < entries]
        self.oracle.violations += [f"entries of {one} are gone" for one in lost]
        return list(dict.fromkeys(self.oracle.violations))

    def _life(self, number: int) -> Leaver:
        account_id = trial._register(number)  # noqa: SLF001 - the same people as the trial's
        client = self.lab.client(people.token(account_id))
        address_id = client.expect(201, "POST", "/v1/me/addresses", ADDRESS)["address_id"]
        lines = [{"sku_id": self.sku_id, "quantity": 1}]
        quote = client.expect(200, "POST", "/v1/quotes", {"address_id": address_id, "lines": lines})["quote"]
        purchase_id = client.expect(201, "POST", "/v1/purchases", {"quote": quote})["purchase_id"]
        leaver = Leaver(account_id, purchase_id)
        fate = self.rng.choice(("unpaid", "delivered", "on its way", "refunded", "pending", "paid twice", "paid"))
        if fate != "unpaid":
            self._pay(client, leaver, fate)
        return leaver

    def _pay(self, client: Any, leaver: Leaver, fate: str) -> None:
        path = f"/v1/purchases/{leaver.purchase_id}"
        attempts = [
            client.expect(201, "POST", f"{path}/payments", {"provider": "sandbox"})["payment_id"]
            for _ in range(2 if fate == "paid twice" else 1)
        ]
        payment_id = attempts[-1]
        for one in attempts:  # The provider keeps what it gives back, for as long as it likes.
            self.lab.sandbox.steer(one, refund="pending")
        self.lab.sandbox.pay(attempts[-1])
        if len(attempts) > 1:  # The second closed the first, and its money came all the same.
            self.lab.sandbox.pay_closed(attempts[0])
        self.lab.drain()
        [order] = client.get(path)["orders"]
        if fate in ("delivered", "on its way", "paid twice"):
            parcel = self.lab.ship(self.staff, order)
            self.lab.drain()
            if fate != "on its way":
                self.lab.hub.advance(parcel, "signed")
        elif fate in ("refunded", "pending"):
            self.lab.sandbox.steer(payment_id, refund="pending" if fate == "pending" else "succeeded")
            self.staff.expect(200, "POST", f"/v1/merchant/orders/{order['order_id']}/cancel", {"reason": "sold out"})
        self.lab.drain()
        if fate == "paid twice":
            client.expect(200, "POST", f"/v1/orders/{order['order_id']}/confirm", {})
        if fate in ("pending", "paid twice"):
            [leaver.stuck] = [one for one in self.lab.sandbox.refunds if leaver.purchase_id[4:] in one]

    def _let_money_go(self) -> None:
        """Let the provider make what it kept, also of orders that were cancelled by their deadline since."""
        for number, refund in list(self.lab.sandbox.refunds.items()):
            if refund.state == "pending":
                self.lab.sandbox.settle(number, "succeeded")
        self.lab.drain()

    def _state(self, leaver: Leaver) -> str:
        rows = [row for row in self.oracle.rows("privacy") if row["account_id"]["S"] == leaver.account_id]
        return next(str(row["status"]["S"]) for row in rows if row["id"]["S"].startswith("ers_"))


@contextmanager
def _watched(oracle: Oracle) -> Iterator[None]:
    from chalicelib.runtime import aws

    def hook(service: str, operation: str, _params: Json, proceed: Callable[[], Any]) -> Any:
        answer = proceed()
        if service == "dynamodb" and operation in ("PutItem", "TransactWriteItems"):
            oracle.look()
        return answer

    with aws.hooked(hook):
        yield


def run(seed: int) -> list[str]:
    """Play one seed in a world of its own; return what was wrong."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "BIANDAN_"))}
    try:
        with trial.world() as lab:
            story = Story(lab, seed)
            with _watched(story.oracle):
                return story.play()
    finally:
        os.environ.update(kept)


# --- planted bugs -----------------------------------------------------------------------------------------------------

BUGS = Bugs()


@BUGS.called("money that waits holds no erasure")
def _forget_over_money() -> AbstractContextManager[Any]:
    from chalicelib.payments import service as payments

    return patch.object(payments, "is_settled", lambda _: True)


@BUGS.called("goods that are on their way hold no erasure")
def _forget_over_goods() -> AbstractContextManager[Any]:
    from chalicelib.orders import service as orders

    return patch.object(orders, "is_over", lambda _: True)


@BUGS.called("an erasure that was held never looks again")
def _never_look_again() -> AbstractContextManager[Any]:
    from chalicelib.privacy import domain, service, store

    real = service.time_out

    def once(erasure_id: str) -> None:
        found = store.load(domain.account_of(erasure_id))
        if found is None or found.status is not domain.Status.HELD:
            real(erasure_id)

    return patch.object(service, "time_out", once)


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
