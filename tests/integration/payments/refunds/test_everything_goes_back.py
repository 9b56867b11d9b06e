"""Whatever is refunded, by whom and in which order, through the use cases: all of it goes back exactly, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.orders.service import NOWHERE, Order, OrderStatus, Purchase, PurchaseStatus, Sale, Stock
from chalicelib.payments import service as payments
from chalicelib.payments.domain.refund import RefundRefused, RefundStatus
from chalicelib.payments.domain.refund_request import RefundRequest
from chalicelib.runtime import outbound
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent
from tests.support import sales
from tests.support.paying import Till, accounts, payment, story


@pytest.fixture
def till(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", "CNY:100000000")
    yield Till.open(noon)
    outbound.install(None)


@st.composite
def basket(draw: st.DrawFn) -> list[tuple[list[tuple[int, int]], int, int]]:
    """Return orders: lines of (units, charged), freight, commission."""
    line = st.tuples(st.integers(1, 4), st.integers(0, 2000))
    order = st.tuples(st.lists(line, min_size=1, max_size=3), st.integers(1, 600), st.integers(0, 10_000))
    return draw(st.lists(order, min_size=1, max_size=3))


def place(till: Till, wanted: list[tuple[list[tuple[int, int]], int, int]]) -> Sale:
    """Place a purchase of these orders."""
    purchase_id = ids.derived_id("pur", ids.random_bytes(8).hex())
    now, made = clock.now(), []
    for number, (lines, freight, bps) in enumerate(wanted, 1):
        order_id = ids.child_id("ord", purchase_id, number)
        goods = sum(charged for _, charged in lines)
        made.append(
            Order(
                order_id=order_id,
                purchase_id=purchase_id,
                buyer_id=till.buyer.account_id,
                merchant_id="mer_" + ids.digest(order_id),
                merchant_name="Tea",
                status=OrderStatus.PLACED,
                stock=Stock.HELD,
                lines=tuple(
                    replace(sales.line(str(at), units), total=Money(charged))
                    for at, (units, charged) in enumerate(lines, 1)
                ),
                freight=Money(freight),
                discount=Money(0),
                total=Money(goods + freight),
                commission_bps=bps,
                number=order_id[-8:],
                placed_at=now,
                since=now,
            )
        )
    purchase = Purchase(
        purchase_id=purchase_id,
        buyer_id=till.buyer.account_id,
        status=PurchaseStatus.AWAITING_PAYMENT,
        total=Money(sum(order.total.minor for order in made)),
        order_ids=tuple(order.order_id for order in made),
        number=purchase_id[-8:],
        delivery=NOWHERE,
        placed_at=now,
        since=now,
        fingerprint="f",
    )
    with UnitOfWork() as work:
        orders.place(work, purchase, made)
    return orders.load_sale(purchase_id)


@contextmanager
def refusals(known: tuple[str, ...]) -> Iterator[None]:
    """Let a refund be refused for these reasons only."""
    try:
        yield
    except RefundRefused as refused:
        if refused.params["why"] not in known:
            raise


def by_operator(sale: Sale, wish: RefundRequest, serial: int) -> None:
    """Refund as an operator, who may be told that there is no such money or unit left."""
    intent = Intent("acc_operator", f"all-{serial}-{sale.purchase.purchase_id}", "f")
    known = (
        *("more_than_order", "more_than_captured", "more_units_than_bought", "freight_refunded", "not_positive"),
        "payment_refunded",
    )
    with refusals(known):
        payments.refund_by_operator(sale.purchase.purchase_id, wish, by="acc_operator", intent=intent)


def by_complaint(sale: Sale, order: Order, minor: int, serial: int) -> None:
    """Refund as a complaint or a cancelled order does: at most what is left."""
    context = payments.refund_context(orders.load_order(order.order_id))
    amount = min(minor, context.tally().left())
    if amount:
        with UnitOfWork() as work:
            wanted = RefundRequest(order.order_id, "complaint", amount=Money(amount))
            payments.request_refund(work, context, wanted, payments.Requester(f"complaint#{serial}"))


@settings(
    max_examples=3,
    phases=[Phase.explicit, Phase.generate],  # Shrinking would play hundreds of purchases.
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(wanted=basket(), data=st.data())
def test_refunding_everything_in_any_order_and_way_leaves_every_account_empty(
    till: Till, wanted: list[tuple[list[tuple[int, int]], int, int]], data: st.DataObject
) -> None:
    sale = place(till, wanted)
    lost, won = till.started(sale), till.started(sale)
    till.sandbox.pay(won)
    till.settle()
    late = data.draw(st.booleans(), "paid a second time")
    steps: list[tuple[int, str, int]] = [(-1, "surplus", 0)] if late else []
    for at, order in enumerate(sale.orders):
        steps += [(at, line.line_id, 1) for line in order.lines for _ in range(line.quantity)]
        steps.append((at, "freight", 0))
        amounts = data.draw(st.lists(st.integers(1, max(1, order.total.minor // 3)), max_size=2))
        steps += [(at, word, amount) for amount in amounts for word in ("operator", "complaint")]
    steps = data.draw(st.permutations(steps))[:10]
    pending: list[str] = []
    for serial, (at, what, amount) in enumerate(steps):
        slow = data.draw(st.booleans(), "the bank takes its time")
        till.sandbox.steer(won, refund="pending" if slow else "succeeded")
        known = {refund.refund_id for refund in story(sale).refunds}
        if what == "surplus":
            till.sandbox.pay_closed(lost)
        elif what == "complaint":
            by_complaint(sale, sale.orders[at], amount, serial)
        else:
            lines = () if what in ("freight", "operator") else ((what, 1),)
            money = Money(amount) if what == "operator" else None
            wish = RefundRequest(sale.orders[at].order_id, "r", amount=money, lines=lines, freight=what == "freight")
            by_operator(sale, wish, serial)
        till.settle()
        pending += [one.refund_id for one in story(sale).refunds
                    if one.refund_id not in known and one.status is RefundStatus.PENDING]  # fmt: skip
        assert ledger.proof(sale.purchase.purchase_id).balanced
    for refund_id in data.draw(st.permutations(pending)):
        till.sandbox.settle(refund_id, "succeeded")
        till.settle()
    till.sandbox.steer(won, refund="succeeded")
    for at, order in enumerate(sale.orders):  # And the rest of each order, as where one is called off.
        if order.total:
            by_complaint(sale, order, order.total.minor, 1000 + at)
            till.settle()

    assert {one.status for one in story(sale).refunds} <= {RefundStatus.SUCCEEDED}
    assert accounts(sale) == {}
    assert till.sandbox.orders[won].refunded == payment(won).refunded_minor == sale.purchase.total.minor
    back = [one for one in story(sale).refunds if one.payment_id == lost]
    assert [one.refund_id[-3:] for one in back] == (["_99"] if late and (-1, "surplus", 0) in steps else [])
    for order in sale.orders:
        returned = [one.amount.minor for one in story(sale).refunds if one.order_id == order.order_id]
        assert sum(returned) == order.total.minor
        assert orders.load_order(order.order_id).refunded == order.total
