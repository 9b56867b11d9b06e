"""A merchant is shown a contact for a need: while an order goes on, a week after it is complete, and for a new need."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.orders import contacts
from chalicelib.orders.domain import Contact, Order, OrderStatus, Stock

NOW = clock.from_epoch_s(1_800_000_000)
WEEK = contacts.NEEDED_AFTER[OrderStatus.COMPLETED]
ORDER = Order(
    order_id="ord_1", purchase_id="pur_1", buyer_id="acc_1", merchant_id="mer_1", merchant_name="Tea House",
    status=OrderStatus.PAID, stock=Stock.COMMITTED, lines=(), freight=Money(0), discount=Money(0), total=Money(100),
    commission_bps=0, number="B1", placed_at=NOW, since=NOW,
)  # fmt: skip
GOES_ON = {
    OrderStatus.PAID,
    OrderStatus.PARTLY_SHIPPED,
    OrderStatus.SHIPPED,
    OrderStatus.TURNED_BACK,
    OrderStatus.DELIVERED,
}


@pytest.mark.parametrize("status", OrderStatus)
def test_by_state(status: OrderStatus) -> None:
    old = replace(ORDER, status=status, since=NOW - timedelta(days=400))
    assert contacts.may_know(old) is (status in GOES_ON or status is OrderStatus.COMPLETED)
    assert contacts.is_needed(old, NOW) is (status in GOES_ON)


def test_a_week_after_it_is_complete_and_again_for_a_complaint_or_a_refund() -> None:
    done = replace(ORDER, status=OrderStatus.COMPLETED, since=NOW)
    assert contacts.is_needed(done, NOW + WEEK - timedelta(seconds=1))
    later = NOW + WEEK
    assert not contacts.is_needed(done, later)
    assert contacts.is_needed(replace(done, held_by=("cmp_1",)), later)
    assert contacts.is_needed(replace(done, refunding=(("ref_1", 100),)), later)
    assert not contacts.is_needed(replace(done, status=OrderStatus.CANCELLED, held_by=("cmp_1",)), later)


def test_what_is_left() -> None:
    whole = Contact("欧阳若曦", "+8613957180001", "CN", "浙江省", "杭州市", "西湖区", "翠苑九区 7 幢", "310012")
    left = contacts.masked(whole)
    assert left == Contact("欧**", "****0001", "CN", "浙江省", "杭州市", "*", "*", "*")
    assert contacts.masked(Contact("", "", "SG", "", "", "", "")).recipient == "**"
