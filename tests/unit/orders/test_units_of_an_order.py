"""Where each unit of an order is, and what follows from it: deadlines, parcels, what may still be sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.kernel.money import Money
from chalicelib.orders import domain
from chalicelib.orders.domain import Change, Order, OrderCause, OrderStatus, OverShipped, Parcel, PurchaseStatus, Stock
from tests.unit.orders.test_orders_domain import NOON, change, line, order, sale

LATER = NOON + timedelta(hours=1)
paid = replace(order(line(1, 3), line(2, 2)), status=OrderStatus.PAID)


def sent(of: Order, shipment_id: str, *lines: tuple[str, int]) -> Order:
    noted = replace(change(), note=shipment_id)
    return domain.ship(of, shipment_id=shipment_id, lines=lines, change=noted)


def turned(of: Order, shipment_id: str) -> Order:
    parcels = tuple(
        replace(parcel, turned_back_at=LATER) if parcel.shipment_id == shipment_id else parcel for parcel in of.parcels
    )
    return replace(of, parcels=parcels)


def test_each_unit_is_kept_given_up_or_unsent() -> None:
    some = sent(sent(paid, "shp_1", ("1", 1)), "shp_2", ("1", 1), ("2", 2))
    assert some.kept() == {"1": 2, "2": 2}
    assert some.unsent() == {"1": 1}
    back = turned(some, "shp_2")
    assert back.kept() == {"1": 1, "2": 0}
    assert back.unsent() == {"1": 2, "2": 2}
    over = replace(back, never_left=(("1", 1), ("2", 1)), came_back=(("2", 1), ("1", 1)))
    assert over.given_up() == {"1": 2, "2": 2}
    assert over.unsent() == {}


def test_an_order_is_paid_back_by_what_went_back_and_what_is_on_its_way_together() -> None:
    assert paid.total == Money(5000)
    half = replace(paid, refunded=Money(3000), refunding=(("ref_1", 1500), ("ref_2", 499)))
    assert half.under_way == Money(1999)
    assert not half.is_paid_back
    assert half.unshipped() == {"1": 3, "2": 2}
    whole = replace(half, refunding=(("ref_1", 1500), ("ref_2", 500)))
    assert whole.is_paid_back
    assert whole.unshipped() == {}
    assert not replace(paid, total=Money(0)).is_paid_back
    assert replace(paid, total=Money(1), refunded=Money(1)).is_paid_back


def test_an_order_that_can_send_nothing_and_sent_nothing_is_over_at_once() -> None:
    over = replace(paid, refunded=Money(5000))
    assert over.due_at == NOON
    some = sent(paid, "shp_1", ("1", 1))
    assert replace(some, refunded=Money(5000)).due_at == change().at + timedelta(days=15)
    assert replace(turned(some, "shp_1"), refunded=Money(5000)).due_at == change().at
    other = turned(sent(some, "shp_2", ("2", 2)), "shp_1")
    assert replace(other, refunded=Money(5000)).due_at == change().at + timedelta(days=15)


def test_a_deadline_is_put_off_by_what_was_granted_and_stands_still_under_a_complaint() -> None:
    granted = replace(paid, longer=timedelta(days=3))
    assert granted.due_at == NOON + timedelta(days=18)
    held = replace(paid, held_by=("cmp_1",))
    for status in OrderStatus:
        stands = replace(held, status=status).due_at is None
        free = replace(paid, status=status).due_at is None
        assert stands is (free or status in domain.STANDS_STILL), status
    moved = domain.move_order(held, OrderCause.SHIP, change())
    assert (moved.held_since, moved.longer) == (change().at, timedelta())
    assert domain.move_order(granted, OrderCause.SHIP, change()).held_since is None


def test_what_ends_unpaid_says_whether_time_or_somebody_ended_it() -> None:
    waiting = sale(order(line(1, 1)))
    expired = domain.release(waiting, expired=True, change=change())
    cancelled = domain.release(waiting, expired=False, change=change())
    assert (expired.purchase.status, cancelled.purchase.status) == (PurchaseStatus.EXPIRED, PurchaseStatus.CANCELLED)
    for ended in (expired, cancelled):
        assert [(one.status, one.stock) for one in ended.orders] == [(OrderStatus.CANCELLED, Stock.RELEASED)]


def test_a_parcel_of_more_than_is_left_is_refused_with_what_is_left() -> None:
    with pytest.raises(OverShipped) as refused:
        sent(paid, "shp_1", ("2", 1), ("2", 2))
    assert (refused.value.params["left"], refused.value.params["wanted"]) == (2, 3)
    with pytest.raises(OverShipped) as refused:
        sent(paid, "shp_1", ("3", 1))
    assert refused.value.params["left"] == 0
    with pytest.raises(OverShipped):
        sent(paid, "shp_1", ("1", 0))
    once = sent(paid, "shp_1", ("1", 1))
    assert sent(once, "shp_1", ("1", 1)) is once


def test_the_last_unit_of_several_lines_makes_the_order_shipped() -> None:
    some = sent(paid, "shp_1", ("1", 2), ("1", 1), ("2", 1))
    assert (some.status, some.parcels[0].lines) == (OrderStatus.PARTLY_SHIPPED, (("1", 3), ("2", 1)))
    assert sent(some, "shp_2", ("2", 1)).status is OrderStatus.SHIPPED


def arrive(of: Order, shipment_id: str, **said: object) -> Order:
    return domain.deliver(of, **{"shipment_id": shipment_id, "at": LATER, "by": "hub", **said})  # type: ignore[arg-type]


def test_a_parcel_arrives_once_not_before_it_was_sent_and_the_buyers_time_runs_since_we_heard() -> None:
    both = sent(sent(paid, "shp_1", ("1", 3)), "shp_2", ("2", 2))
    first = arrive(both, "shp_1")
    assert [parcel.delivered_at for parcel in first.parcels] == [LATER, None]
    assert first.status is OrderStatus.SHIPPED
    assert arrive(first, "shp_1", at=LATER + timedelta(hours=1)).parcels == first.parcels
    heard = LATER + timedelta(days=1)
    done = arrive(first, "shp_2", heard_at=heard)
    assert (done.status, done.since, done.parcels[1].delivered_at) == (OrderStatus.DELIVERED, heard, LATER)
    early = arrive(both, "shp_1", at=NOON - timedelta(days=1))
    assert early.parcels[0].delivered_at == change().at
    assert early.parcels[1].delivered_at is None


def test_news_from_before_a_parcel_turned_back_does_not_deliver_it() -> None:
    back = turned(sent(paid, "shp_1", ("1", 3), ("2", 2)), "shp_1")
    assert arrive(back, "shp_1", at=LATER).parcels == back.parcels
    on = arrive(back, "shp_1", at=LATER + timedelta(seconds=1))
    assert on.parcels == (replace(back.parcels[0], delivered_at=LATER + timedelta(seconds=1), turned_back_at=None),)


def test_an_order_arrives_with_all_that_was_sent_and_not_while_something_is_to_be_sent() -> None:
    noted = Change(status="", at=LATER, by="hub")
    parcel = Parcel("shp_1", (("1", 3),), delivered_at=LATER)
    shipped = replace(paid, status=OrderStatus.SHIPPED, parcels=(parcel,))
    missing = replace(shipped, never_left=())
    assert domain.arrived(missing, noted) is missing
    given_up = replace(shipped, never_left=(("2", 2),))
    assert domain.arrived(given_up, noted).status is OrderStatus.DELIVERED
    nothing_there = replace(shipped, parcels=(), never_left=(("1", 3), ("2", 2)))
    assert domain.arrived(nothing_there, noted) is nothing_there
    unpaid = replace(given_up, status=OrderStatus.CANCELLED)
    assert domain.arrived(unpaid, noted) is unpaid


def test_a_refund_that_went_through_is_no_longer_on_its_way() -> None:
    waiting = replace(paid, refunding=(("ref_1", 100), ("ref_2", 200), ("ref_3", 300)))
    assert domain.refund(waiting, refund_id="ref_2", amount=Money(200)).refunding == (("ref_1", 100), ("ref_3", 300))
    renewed = domain.refund(waiting, refund_id="ref_9", amount=Money(300), origin="ref_3")
    assert (renewed.refunding, renewed.refunded) == ((("ref_1", 100), ("ref_2", 200)), Money(300))
