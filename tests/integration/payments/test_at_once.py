"""The usual capture is read cheaply, perhaps stale, and written under the versions that were read: never twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments import service
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.events import PaymentNoticed
from chalicelib.runtime import aws, outbound
from tests.support import sales
from tests.support.paying import Till, accounts, payment, story

TOTAL = 1999


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def told(payment_id: str, *, amount: int = TOTAL, provider: str = "sandbox") -> None:
    service.take_notice(
        PaymentNoticed(
            provider=provider, notice_id=f"n{payment_id}", payment_id=payment_id, outcome="captured",
            amount_minor=amount, currency="CNY", transaction_id=f"t{payment_id}", at=clock.now(),
        )
    )  # fmt: skip


def seen_stale(*operations: str, meanwhile: Callable[[], object] = lambda: None, blind_to: str = "") -> Any:
    """Answer the first eventually consistent read as all was before ``meanwhile``, without rows named ``blind_to``."""
    calls: list[str] = []

    def hook(name: str, operation: str, params: Any, proceed: Any) -> Any:
        calls.append(operation)
        if name != "dynamodb" or calls.count(operation) > 1 or operation not in operations:
            return proceed()
        answer = proceed()
        if blind_to:
            answer["Items"] = [item for item in answer["Items"] if not item["id"]["S"].endswith(blind_to)]
        calls.extend(operations)  # What the rival does is not meddled with.
        meanwhile()
        return answer

    return aws.hooked(hook)


def operations_of(act: Callable[[], None]) -> list[str]:
    made: list[str] = []

    def hook(name: str, operation: str, params: Any, proceed: Any) -> Any:
        made.extend([operation] if name == "dynamodb" else [])
        return proceed()

    with aws.hooked(hook):
        act()
    return made


def test_one_read_and_one_write(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)

    assert operations_of(lambda: told(payment_id)) == ["BatchGetItem", "TransactWriteItems"]

    assert orders.load_purchase(sale.purchase.purchase_id).settled_by == payment_id
    assert accounts(sale)["clearing:sandbox"] == TOTAL


def test_a_purchase_of_two_merchants_is_read_whole(till: Till) -> None:
    sale = till.sale((1000, 999))
    payment_id = till.started(sale)

    assert operations_of(lambda: told(payment_id)) == ["BatchGetItem", "Query", "TransactWriteItems"]

    after = orders.load_sale(sale.purchase.purchase_id)
    assert [order.status for order in after.orders] == ["paid", "paid"]


def test_the_same_notice_again_changes_nothing(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    told(payment_id)
    before = (orders.load_sale(sale.purchase.purchase_id), story(sale))

    told(payment_id)

    assert (orders.load_sale(sale.purchase.purchase_id), story(sale)) == before


def test_money_that_came_meanwhile_is_not_taken_twice(till: Till) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.sandbox.steer(first, down=("query", "close"))
    second = till.started(sale)
    till.sandbox.steer(first, down=())

    with seen_stale("BatchGetItem", meanwhile=lambda: told(second)):
        told(first)

    assert orders.load_purchase(sale.purchase.purchase_id).settled_by == second
    assert [payment(one).status for one in (first, second)] == [PaymentStatus.SURPLUS, PaymentStatus.CAPTURED]
    assert [refund.payment_id for refund in story(sale).refunds] == [first]


def test_a_purchase_that_expired_meanwhile_is_late(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)

    def expire() -> None:
        till.clock.advance(timedelta(minutes=31))
        till.expire(sale)

    with seen_stale("BatchGetItem", meanwhile=expire):
        told(payment_id)

    assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.EXPIRED
    assert payment(payment_id).status is PaymentStatus.SURPLUS


def test_an_attempt_that_was_closed_meanwhile_is_paid_all_the_same(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)

    with seen_stale("BatchGetItem", meanwhile=lambda: service.conclude_attempts(sale.purchase)):
        told(payment_id)

    assert payment(payment_id).status is PaymentStatus.CAPTURED
    assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.PAID


def test_another_amount_or_another_provider_is_looked_into(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)

    told(payment_id, amount=1)
    told(payment_id, provider="wechatpay")

    assert payment(payment_id).status is PaymentStatus.PENDING
    assert {found.why for found in story(sale).quarantined} == {"amount_differs", "other_provider"}


@pytest.mark.parametrize("unseen", ["~lines", "_02"])
def test_rows_that_are_not_seen_yet_are_not_written_over(till: Till, unseen: str) -> None:
    lines = tuple(sales.line(str(number)) for number in range(1, 13))
    shares = [("mer_" + "0" * 24, lines), ("mer_" + "1" * 24, lines)]
    sale = sales.placed(till.buyer.account_id, *shares)
    payment_id = till.started(sale)

    with seen_stale("Query", blind_to=unseen):
        told(payment_id, amount=sale.purchase.total.minor)

    after = orders.load_sale(sale.purchase.purchase_id)
    assert [order.status for order in after.orders] == ["paid", "paid"]
    assert [order.lines for order in after.orders] == [order.lines for order in sale.orders]
    assert Money(accounts(sale)["clearing:sandbox"]) == sale.purchase.total
