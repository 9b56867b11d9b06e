"""The state tables of purchases and orders, and the rules on top of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.kernel import ids
from chalicelib.kernel.errors import IdempotencyKeyReused, IllegalTransition
from chalicelib.kernel.money import Money
from chalicelib.orders import domain
from chalicelib.orders.domain import (
    ENDED,
    NOWHERE,
    ORDER,
    PURCHASE,
    Change,
    Line,
    Order,
    OrderCause,
    OrderStatus,
    OverShipped,
    PaymentMismatch,
    Purchase,
    PurchaseCause,
    PurchaseStatus,
    Sale,
    Stock,
)

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
PURCHASE_ID = ids.derived_id("pur", "test")


def line(number: int, quantity: int, unit_minor: int = 1000) -> Line:
    sku_id = f"sku_{ids.digest('product')}_{number:02d}"
    return Line(
        str(number),
        sku_id,
        f"prd_{ids.digest('product')}",
        "Tea",
        (),
        quantity,
        Money(unit_minor),
        Money(unit_minor * quantity),
    )


def order(*lines: Line, status: OrderStatus = OrderStatus.PLACED, freight: int = 0) -> Order:
    goods = sum(one.total.minor for one in lines)
    return Order(
        order_id=ids.child_id("ord", PURCHASE_ID, 1),
        purchase_id=PURCHASE_ID,
        buyer_id="acc_1",
        merchant_id="mer_1",
        merchant_name="Tea House",
        status=status,
        stock=Stock.HELD,
        lines=lines,
        freight=Money(freight),
        discount=Money(0),
        total=Money(goods + freight),
        commission_bps=500,
        number="1-01",
        placed_at=NOON,
        since=NOON,
    )


def sale(*orders: Order) -> Sale:
    total = sum(one.total.minor for one in orders)
    purchase = Purchase(
        PURCHASE_ID,
        "acc_1",
        PurchaseStatus.AWAITING_PAYMENT,
        Money(total),
        tuple(one.order_id for one in orders),
        "1",
        NOWHERE,
        NOON,
        NOON,
        "f",
    )
    return Sale(purchase, orders)


def change() -> Change:
    return Change(status="", at=NOON + timedelta(minutes=1), by="test")


def test_paying_settles_purchase_and_orders_and_commits_the_stock() -> None:
    paid = domain.pay(sale(order(line(1, 2))), payment_id="pay_1", captured=Money(2000), at=NOON, by="queue")

    assert (paid.purchase.status, paid.purchase.settled_by, paid.purchase.due_at) == (
        PurchaseStatus.PAID,
        "pay_1",
        None,
    )
    assert [(one.status, one.stock) for one in paid.orders] == [(OrderStatus.PAID, Stock.COMMITTED)]
    assert paid.orders[0].due_at == NOON + timedelta(days=15)


@pytest.mark.parametrize("captured", [Money(1999), Money(2001), Money(2000, "USD")])
def test_paying_takes_exactly_the_total(captured: Money) -> None:
    with pytest.raises(PaymentMismatch):
        domain.pay(sale(order(line(1, 2))), payment_id="pay_1", captured=captured, at=NOON, by="queue")


def test_what_was_called_off_takes_no_money_and_what_was_paid_no_second() -> None:
    unpaid = sale(order(line(1, 2)))
    called_off = domain.release(unpaid, expired=False, change=change())
    paid = domain.pay(unpaid, payment_id="pay_1", captured=Money(2000), at=NOON, by="queue")

    assert [(one.status, one.stock) for one in called_off.orders] == [(OrderStatus.CANCELLED, Stock.RELEASED)]
    for ended in (called_off, paid):
        with pytest.raises(IllegalTransition):
            domain.pay(ended, payment_id="pay_2", captured=Money(2000), at=NOON, by="queue")
        with pytest.raises(IllegalTransition):
            domain.release(ended, expired=True, change=change())


def test_what_expired_is_revived_by_exactly_its_total_once() -> None:
    expired = domain.release(sale(order(line(1, 2))), expired=True, change=change())
    assert (expired.purchase.status, expired.orders[0].stock) == (PurchaseStatus.EXPIRED, Stock.RELEASED)

    with pytest.raises(PaymentMismatch):
        domain.pay(expired, payment_id="pay_1", captured=Money(1999), at=NOON, by="queue")
    late = NOON + timedelta(days=2)
    revived = domain.pay(expired, payment_id="pay_1", captured=Money(2000), at=late, by="queue")

    assert (revived.purchase.status, revived.purchase.settled_by) == (PurchaseStatus.PAID, "pay_1")
    assert [(one.status, one.stock, one.paid_at) for one in revived.orders] == [
        (OrderStatus.PAID, Stock.COMMITTED, late)
    ]
    assert revived.orders[0].due_at == late + timedelta(days=15)
    with pytest.raises(IllegalTransition):
        domain.pay(revived, payment_id="pay_2", captured=Money(2000), at=late, by="queue")


def test_parcels_ship_an_order_in_parts_and_never_more_than_was_ordered() -> None:
    paid = order(line(1, 2), line(2, 1), status=OrderStatus.PAID)

    first = domain.ship(paid, shipment_id="shp_1", lines=[("1", 1)], change=change())
    assert (first.status, first.unshipped()) == (OrderStatus.PARTLY_SHIPPED, {"1": 1, "2": 1})
    assert domain.ship(first, shipment_id="shp_1", lines=[("1", 1)], change=change()) is first
    with pytest.raises(OverShipped) as refused:
        domain.ship(first, shipment_id="shp_2", lines=[("1", 1), ("1", 1)], change=change())
    assert refused.value.params == {"line_id": "1", "left": 1, "wanted": 2}
    with pytest.raises(OverShipped):
        domain.ship(first, shipment_id="shp_2", lines=[("7", 1)], change=change())

    second = domain.ship(first, shipment_id="shp_2", lines=[("1", 1), ("2", 1)], change=change())
    assert (second.status, second.unshipped()) == (OrderStatus.SHIPPED, {})
    once = domain.deliver(second, shipment_id="shp_2", at=NOON, by="hub")
    assert once.status is OrderStatus.SHIPPED
    assert domain.deliver(once, shipment_id="shp_2", at=NOON, by="hub") == once
    assert domain.deliver(once, shipment_id="shp_1", at=NOON, by="hub").status is OrderStatus.DELIVERED


def test_an_unpaid_order_ships_nothing() -> None:
    with pytest.raises(IllegalTransition):
        domain.ship(order(line(1, 1)), shipment_id="shp_1", lines=[("1", 1)], change=change())


def test_a_refund_counts_once() -> None:
    paid = order(line(1, 2), status=OrderStatus.PAID)
    once = domain.refund(paid, refund_id="ref_1", amount=Money(700))
    assert once.refunded == Money(700)
    assert domain.refund(once, refund_id="ref_1", amount=Money(700)) is once


def test_a_request_is_remembered_by_its_intent_and_its_body() -> None:
    history = (Change("paid", NOON, "acc_1", intent="i", fingerprint="f"),)
    assert domain.remembered(history, "i", "f")
    assert not domain.remembered(history, "other", "f")
    assert not domain.remembered(history, "", "")
    with pytest.raises(IdempotencyKeyReused):
        domain.remembered(history, "i", "another body")


def test_every_state_with_a_way_out_times_out_or_waits_for_somebody_named() -> None:
    waiting = {state for state in OrderStatus if state not in ENDED}
    assert {state for state in waiting if ORDER.timeout(state) is None} == {
        OrderStatus.PLACED
    }  # The purchase's deadline rules it.
    assert PURCHASE.timeout(PurchaseStatus.AWAITING_PAYMENT) is PurchaseCause.EXPIRE


@given(st.lists(st.sampled_from(list(OrderCause)), max_size=12))
def test_any_walk_stays_in_the_table_and_is_noted_step_by_step(causes: list[OrderCause]) -> None:
    walked = order(line(1, 3))
    taken = 0
    for cause in causes:
        if not ORDER.takes(walked.status, cause):
            with pytest.raises(IllegalTransition):
                domain.move_order(walked, cause, change())
            continue
        expected = ORDER.edges[walked.status][cause]
        walked = domain.move_order(walked, cause, change())
        taken += 1
        assert walked.status is expected
    assert [entry.status for entry in walked.history][-1:] == ([walked.status] if taken else [])
    assert len(walked.history) == taken


@given(
    quantities=st.lists(st.integers(1, 20), min_size=1, max_size=5),
    picks=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 25)), max_size=20),
)
def test_shipped_units_never_exceed_ordered_units(quantities: list[int], picks: list[tuple[int, int]]) -> None:
    walked = replace(order(*(line(n, q) for n, q in enumerate(quantities, 1))), status=OrderStatus.PAID)
    for number, (line_number, quantity) in enumerate(picks):
        try:
            walked = domain.ship(
                walked, shipment_id=f"shp_{number}", lines=[(str(line_number), quantity)], change=change()
            )
        except (OverShipped, IllegalTransition):
            continue
    shipped: dict[str, int] = {}
    for parcel in walked.parcels:
        for line_id, quantity in parcel.lines:
            shipped[line_id] = shipped.get(line_id, 0) + quantity
    for one in walked.lines:
        assert shipped.get(one.line_id, 0) + walked.unshipped().get(one.line_id, 0) == one.quantity
    assert (walked.status is OrderStatus.SHIPPED) == (not walked.unshipped())
