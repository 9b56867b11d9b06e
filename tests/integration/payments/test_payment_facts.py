"""Whatever the order in which a provider's facts reach us, and however often each: one final state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chalicelib.kernel.errors import IllegalTransition
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments import service
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.payment_records import Conclusion
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.payments.events import PaymentNoticed
from chalicelib.runtime import outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support.paying import Till, accounts, give_back, payment, story

TOTAL = 1999
FACTS = (
    "first noticed", "first queried", "first noticed pending", "first noticed closed",
    "second noticed", "second queried", "second noticed pending",
    "concluded", "expired", "pumped", "chased",
)  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> Iterator[None]:
    yield
    outbound.install(None)


@pytest.fixture
def till(cloud: str, noon: Any, shared: None) -> Till:
    return Till.open(noon)


def noticed(payment_id: str, outcome: str, transaction_id: str | None = None) -> Callable[[], None]:
    notice = PaymentNoticed(
        provider="sandbox", notice_id=f"{payment_id}{outcome}", payment_id=payment_id, outcome=outcome,
        amount_minor=TOTAL, currency="CNY", transaction_id=transaction_id,
    )  # fmt: skip
    return lambda: service.take_notice(notice)


def check(till: Till, sale: orders.Sale, attempts: dict[str, str], paid: set[str], *, expired: bool) -> None:
    purchase = orders.load_purchase(sale.purchase.purchase_id)
    states = {name: payment(payment_id).status for name, payment_id in attempts.items()}
    won = [name for name, state in states.items() if state is PaymentStatus.CAPTURED]
    assert len(won) == (1 if purchase.status is PurchaseStatus.PAID else 0)
    if paid and not expired:
        assert purchase.status is PurchaseStatus.PAID
    for name in set(states) - set(won):
        assert states[name] is (PaymentStatus.RETURNED if name in paid else PaymentStatus.CLOSED)
        assert till.sandbox.orders[attempts[name]].refunded == (TOTAL if name in paid else 0)
    assert purchase.settled_by == (attempts[won[0]] if won else None)
    assert accounts(sale).get("clearing:sandbox", 0) == (TOTAL if won else 0)
    assert "surplus" not in accounts(sale)
    assert [refund.status for refund in story(sale).refunds] == [RefundStatus.SUCCEEDED] * (len(paid) - len(won))
    assert story(sale).quarantined == ()
    assert service.conclude_attempts(purchase) is (Conclusion.CAPTURED if won else Conclusion.CLOSED)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequence=st.lists(st.sampled_from(FACTS), min_size=1, max_size=14),
    paid=st.sets(st.sampled_from(["first", "second"])),
)
def test_every_order_of_facts_ends_in_one_state(till: Till, sequence: list[str], paid: set[str]) -> None:
    sale = till.sale((1000, 999))
    first = till.started(sale)
    till.sandbox.steer(first, down=("query", "close"))
    second = till.started(sale)
    till.sandbox.steer(first, down=(), notify=False)
    till.sandbox.steer(second, notify=False)
    numbers = {}
    for name, payment_id in (("first", first), ("second", second)):
        if name in paid:
            numbers[name] = till.sandbox.pay(payment_id).transaction_id

    def conclude() -> None:
        service.conclude_attempts(orders.load_purchase(sale.purchase.purchase_id))

    def expire() -> None:
        found = orders.load_sale(sale.purchase.purchase_id)
        with suppress(IllegalTransition), UnitOfWork() as work:
            orders.release(work, found, expired=True)

    acts: dict[str, Callable[[], object]] = {
        "first noticed pending": noticed(first, "pending"),
        "first noticed closed": noticed(first, "closed"),
        "second noticed pending": noticed(second, "pending"),
        "first queried": lambda: service.query_now(first),
        "second queried": lambda: service.query_now(second),
        "concluded": conclude,
        "expired": expire,
        "pumped": till.pump.drain,
        "chased": lambda: till.wait(timedelta(seconds=30)),
    }
    for name, payment_id in (("first", first), ("second", second)):
        if name in paid:
            acts[f"{name} noticed"] = noticed(payment_id, "captured", numbers[name])
    for fact in sequence:
        acts.get(fact, lambda: None)()

    conclude()  # Whatever was heard, the provider is asked in the end.
    till.settle()
    till.wait(timedelta(minutes=1))

    check(till, sale, {"first": first, "second": second}, paid, expired="expired" in sequence)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequence=st.lists(
        st.sampled_from(["sent", "chased", "noticed pending", "noticed succeeded", "pumped"]), min_size=1, max_size=10
    ),
    lost=st.sampled_from([(), ("silent_after",), ("silent_before",), ("silent_after", "silent_before")]),
)
@example(sequence=["sent", *["noticed pending"] * 6], lost=("silent_after",))
def test_every_order_of_refund_facts_pays_back_once(till: Till, sequence: list[str], lost: tuple[str, ...]) -> None:
    sale, payment_id = till.paid((1000, 999))
    till.sandbox.steer(payment_id, notify=False, **dict.fromkeys(lost, ("refund",)))
    with UnitOfWork() as work:
        refund_id = give_back(work, sale.orders[0], payment_id, Money(700), reason="r", cause="c")  # fmt: skip

    def told(outcome: str) -> None:
        if refund_id not in till.sandbox.refunds:
            return
        service.take_notice(
            PaymentNoticed(
                provider="sandbox", notice_id=outcome, payment_id=payment_id, amount_minor=700, currency="CNY",
                refund_id=refund_id, refund_outcome=outcome, provider_refund_id="sbr1",
            )
        )  # fmt: skip

    acts: dict[str, Callable[[], object]] = {
        "sent": lambda: service.send_refund(refund_id),
        "chased": lambda: till.wait(timedelta(seconds=30)),
        "noticed pending": lambda: told("pending"),
        "noticed succeeded": lambda: told("succeeded"),
        "pumped": till.pump.drain,
    }
    for fact in sequence:
        acts[fact]()
    till.settle()
    till.wait(timedelta(minutes=4))

    assert [refund.status for refund in story(sale).refunds] == [RefundStatus.SUCCEEDED]
    assert [number for number in till.sandbox.refunds if number == refund_id] == [refund_id]
    assert till.sandbox.orders[payment_id].refunded == 700
    assert (payment(payment_id).refunded_minor, payment(payment_id).reserved_minor) == (700, 700)
    assert accounts(sale)["clearing:sandbox"] == TOTAL - 700
