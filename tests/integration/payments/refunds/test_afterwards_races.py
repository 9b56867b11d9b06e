"""Two things that happen to settled money at once: a rival runs before each write of another, and the books agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest

from chalicelib.orders import service as orders
from chalicelib.payments import service
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.runtime import aws, outbound
from tests.support.paying import Till, accounts, payment, story

TOTAL = 1999
WRITES = ("PutItem", "UpdateItem", "TransactWriteItems")


class Afternoon:
    """A paid purchase with one refund done, one that came back, one that hangs, one made in the provider's console."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.sale, self.payment_id = till.paid((TOTAL,), commission_bps=333)
        self.whole = -accounts(self.sale)["commission"]
        self.done = self._refund(300)
        self.back = self._refund(200)
        till.sandbox.settle(self.back, "closed")
        till.settle()
        till.sandbox.steer(self.payment_id, refund="pending")
        self.hangs = self._refund(300)
        till.sandbox.steer(self.payment_id, refund="succeeded")
        till.sandbox.console_refund(self.payment_id, 500)
        till.settle()
        (self.kept,) = story(self.sale).quarantined

    def _refund(self, minor: int) -> str:
        answer = self.till.operate("POST", f"{self.base}/refunds", self._wish(minor))
        assert answer.status == 201, answer.body
        self.till.settle()
        return str(answer.json["refund_id"])

    def _wish(self, minor: int) -> dict[str, Any]:
        amount = {"minor": minor, "currency": "CNY"}
        return {"order_id": self.sale.orders[0].order_id, "amount": amount, "reason": "broken"}

    @property
    def base(self) -> str:
        return f"/v1/operator/purchases/{self.sale.purchase.purchase_id}"

    def bounce(self) -> None:
        self.till.sandbox.settle(self.done, "closed")
        service.query_refund_now(self.done)

    def succeed(self) -> None:
        self.till.sandbox.settle(self.hangs, "succeeded")
        service.query_refund_now(self.hangs)

    def close(self) -> None:
        self.till.sandbox.settle(self.hangs, "closed")
        service.query_refund_now(self.hangs)

    def renew(self) -> None:
        service.retry_refund(self.back)

    def adopt(self) -> None:
        self.till.operate(
            "POST",
            f"{self.base}/quarantined/{self.kept.quarantine_id}/resolve",
            {"how": "adopt", "order_id": self.sale.orders[0].order_id},
        )

    def ask(self) -> None:
        self.till.operate("POST", f"{self.base}/refunds", self._wish(500))

    def check(self) -> None:
        found = story(self.sale)
        held = payment(self.payment_id)
        gone = sum(r.amount.minor for r in found.refunds if r.status is RefundStatus.SUCCEEDED)
        assert held.refunded_minor == gone
        standing = [r.amount.minor for r in found.refunds if r.status is not RefundStatus.REPLACED]
        assert held.reserved_minor == sum(standing)
        assert held.reserved_minor <= TOTAL
        assert orders.load_order(self.sale.orders[0].order_id).refunded.minor == gone
        assert accounts(self.sale)["clearing:sandbox"] == TOTAL - gone
        assert accounts(self.sale)["commission"] == -(self.whole - self.whole * gone // TOTAL)


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


WAYS = ("bounce", "succeed", "close", "renew", "adopt", "ask")


@pytest.mark.parametrize(("first", "rival"), list(permutations(WAYS, 2)))
def test_whatever_runs_between_a_read_and_its_write_the_books_agree(till: Till, first: str, rival: str) -> None:
    for place in range(3):
        day = Afternoon(till)
        seen: list[str] = []

        def before(
            _: str,
            operation: str,
            __: Any,
            proceed: Callable[[], Any],
            *,
            day: Afternoon = day,
            seen: list[str] = seen,
            place: int = place,
        ) -> Any:
            if operation in WRITES:
                seen.append(operation)
                if len(seen) == place + 1:
                    getattr(day, rival)()
            return proceed()

        with aws.hooked(before):
            getattr(day, first)()
        till.settle()
        day.check()
        if len(seen) <= place:
            break
