"""Money that comes after the purchase ran out is honoured while the whole basket is free, and else sent back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Cause, Draft, SkuDraft
from chalicelib.inventory import service as inventory
from chalicelib.kernel.money import Money
from chalicelib.merchants import service as merchants
from chalicelib.orders import hold_store
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.runtime import aws
from chalicelib.runtime.intents import system_intent
from tests.support import goods, people
from tests.support.http import call
from tests.support.paying import Till, accounts, payment, story
from tests.support.shop import Buyer, Shop, buyer, shop


@dataclass
class Late:
    """A purchase of two merchants that ran out, and its attempt, which was closed at the provider."""

    till: Till
    who: Buyer
    places: tuple[Shop, Shop]
    made: tuple[goods.Made, goods.Made]
    sale: orders.Sale
    payment_id: str

    @property
    def skus(self) -> list[str]:
        return [made.sku_id for made in self.made]

    def available(self) -> list[int]:
        return [inventory.level(sku_id).available for sku_id in self.skus]

    def now(self) -> orders.Sale:
        return orders.load_sale(self.sale.purchase.purchase_id)

    def pay(self, payment_id: str = "") -> None:
        """Pay what is closed, and let everything settle."""
        self.till.sandbox.pay_closed(payment_id or self.payment_id)
        self.till.settle()

    def shown(self, payment_id: str = "") -> Any:
        """Return what the buyer sees of the payment."""
        self.who.token = people.token(self.who.account_id)
        path = f"/v1/purchases/{self.sale.purchase.purchase_id}/payments/{payment_id or self.payment_id}"
        return call("GET", path, token=self.who.token, headers={"accept-language": "en"}).json


def run_out(noon: Any, *, buckets: int = 1, attempts: int = 1, stock: int = 3, cancel: bool = False) -> Late:
    """Place three of each, start to pay, and let the time run out (or call it off)."""
    till = Till.open(noon)
    person = till.buyer
    who = Buyer(person.account_id, person.token, "")
    answer = call("POST", "/v1/me/addresses", _address(), token=who.token)
    who.address_id = answer.json["address_id"]
    places = (shop(name="Tea"), shop(name="Silk"))
    made = (
        places[0].product(price_minor=1000, stock=stock, buckets=buckets),
        places[1].product(price_minor=2000, stock=stock, buckets=buckets),
    )
    purchase = who.buy((made[0].sku_id, 3), (made[1].sku_id, 3))
    sale = orders.load_sale(purchase["purchase_id"])
    started = [till.started(sale) for _ in range(attempts)]
    till.settle()
    if cancel:
        assert who.post(f"/v1/purchases/{purchase['purchase_id']}/cancel").status == 200
    else:
        till.wait(timedelta(minutes=32), step=timedelta(minutes=1))
    found = Late(till, who, places, made, sale, started[0])
    assert found.now().purchase.status == ("cancelled" if cancel else "expired")
    assert found.available() == [stock, stock]
    return found


def _address() -> dict[str, str]:
    from tests.support.shop import ADDRESS

    return ADDRESS


@pytest.mark.parametrize("buckets", [1, 3])
@pytest.mark.parametrize("after", [timedelta(), timedelta(days=3)])
def test_late_money_is_honoured_while_everything_is_free(cloud: str, noon: Any, buckets: int, after: timedelta) -> None:
    late = run_out(noon, buckets=buckets)
    noon.advance(after)

    late.pay()

    now = late.now()
    assert (now.purchase.status, now.purchase.settled_by) == ("paid", late.payment_id)
    assert [(order.status, order.stock, order.total) for order in now.orders] == [
        ("paid", "committed", order.total) for order in late.sale.orders
    ]
    assert late.available() == [0, 0]
    assert payment(late.payment_id).status == "captured"
    assert story(late.sale).refunds == ()
    assert accounts(late.sale)["clearing:sandbox"] == late.sale.purchase.total.minor
    late.places[0].token = people.staff(late.places[0].merchant_id).token
    assert [order["order_id"] for order in late.places[0].get("/v1/merchant/orders?view=to_ship").json["items"]] == [
        order.order_id for order in now.orders if order.merchant_id == late.places[0].merchant_id
    ]
    assert (late.shown()["status"], late.shown()["status_text"]) == ("captured", "Paid.")
    held = hold_store.load(late.who.account_id)
    assert (held.paid, held.unpaid()) == (1, [])


def test_it_is_honoured_at_the_prices_it_was_placed_at(cloud: str, noon: Any) -> None:
    late = run_out(noon)
    product = catalog.products([late.made[0].product_id])[late.made[0].product_id]
    dearer = Draft(skus=(SkuDraft(options=(), price=Money(99_000), sku_id=late.skus[0]),), titles={"en": "Dearer"})
    catalog.change(late.places[0].merchant_id, product.product_id, dearer, revision=product.revision)

    late.pay()

    assert late.now().purchase.status == "paid"
    assert [order.lines for order in late.now().orders] == [order.lines for order in late.sale.orders]


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize("buckets", [1, 3])
def test_where_one_unit_is_gone_nothing_is_taken_and_the_money_goes_back(
    cloud: str, noon: Any, short: int, buckets: int
) -> None:
    late = run_out(noon, buckets=buckets)
    rival = buyer()
    rival.buy((late.skus[short], 1))
    before = late.available()

    late.pay()

    now = late.now()
    assert (now.purchase.status, {order.status for order in now.orders}) == ("expired", {"cancelled"})
    assert late.available() == before
    shown = late.shown()
    assert (shown["status"], shown["reason"]) == ("returned", "purchase_expired")
    assert "could not be had" in shown["status_text"] or "could be had again" in shown["status_text"]
    assert [refund["status"] for refund in shown["refunds"]] == ["succeeded"]
    assert sum(abs(minor) for minor in accounts(late.sale).values()) == 0


GONE: dict[str, Callable[[Late], object]] = {
    "unlisted": lambda late: catalog.move(
        late.places[1].merchant_id, late.made[1].product_id, Cause.UNLIST, intent=system_intent("unlist")
    ),
    "suspended": lambda late: merchants.change(late.places[1].merchant_id, {"status": "suspended"}),
}


@pytest.mark.parametrize("how", GONE)
def test_what_is_not_sold_any_more_is_not_sold_by_late_money(cloud: str, noon: Any, how: str) -> None:
    late = run_out(noon)
    GONE[how](late)

    late.pay()

    assert (late.now().purchase.status, late.available()) == ("expired", [3, 3])
    assert (late.shown()["status"], late.shown()["reason"]) == ("returned", "purchase_off_sale")
    assert "not sold any more" in late.shown()["status_text"]


def test_what_its_buyer_called_off_is_not_revived(cloud: str, noon: Any) -> None:
    late = run_out(noon, cancel=True)

    late.pay()

    assert (late.now().purchase.status, late.available()) == ("cancelled", [3, 3])
    assert (late.shown()["status"], late.shown()["reason"]) == ("returned", "purchase_cancelled")


def test_another_amount_revives_nothing(cloud: str, noon: Any) -> None:
    late = run_out(noon)
    late.till.sandbox.orders[late.payment_id].state = "pending"
    late.till.sandbox.pay(late.payment_id, amount=late.sale.purchase.total.minor - 1)
    late.till.settle()
    assert (late.now().purchase.status, late.available()) == ("expired", [3, 3])
    assert (late.shown()["status"], late.shown()["reason"]) == ("returned", "amount_differs")


def test_of_two_late_payments_one_is_honoured_and_one_goes_back(cloud: str, noon: Any) -> None:
    late = run_out(noon, attempts=2, stock=6)
    first, second = (one.payment_id for one in story(late.sale).payments)

    late.till.sandbox.pay_closed(first)
    late.till.sandbox.pay_closed(second)
    late.till.settle()

    states = sorted((payment(one).status.value, payment(one).surplus_reason) for one in (first, second))
    assert states == [("captured", ""), ("returned", "purchase_paid")]
    assert (late.now().purchase.status, late.available()) == ("paid", [3, 3])


def test_a_repeated_or_overtaken_notice_takes_the_basket_once(cloud: str, noon: Any) -> None:
    late = run_out(noon, stock=9)
    late.pay()
    for _ in range(2):
        payments.record_capture(
            late.payment_id,
            amount=late.sale.purchase.total,
            transaction_id=payment(late.payment_id).transaction_id or "",
            at=noon.moment,
            confirmed=True,
        )
    payments.query_now(late.payment_id)
    assert (late.now().purchase.status, late.available()) == ("paid", [6, 6])


@pytest.mark.parametrize("who", ["buyer", "other payment"])
def test_who_is_faster_by_a_moment_wins_whole(cloud: str, noon: Any, who: str) -> None:
    late = run_out(noon, attempts=2)
    first, second = (one.payment_id for one in story(late.sale).payments)
    done: list[str] = []
    rival = buyer()
    rival.put(late.skus[0], 1)
    quote = rival.quote().json["quote"]

    def meddle(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "TransactWriteItems" and not done and "orders" in str(params) and first in str(params):
            done.append(who)
            if who == "buyer":
                assert rival.place(quote).status == 201
            else:
                report = late.till.sandbox.orders[second]
                payments.record_capture(
                    second,
                    amount=late.sale.purchase.total,
                    transaction_id=f"tx-{report.out_trade_no}",
                    at=noon.moment,
                    confirmed=True,
                )
        return proceed()

    with aws.hooked(meddle):
        payments.record_capture(
            first, amount=late.sale.purchase.total, transaction_id="tx-first", at=noon.moment, confirmed=True
        )

    assert done == [who]
    if who == "buyer":
        assert (late.now().purchase.status, late.available()) == ("expired", [2, 3])
        assert (payment(first).status, payment(first).surplus_reason) == ("surplus", "purchase_expired")
    else:
        assert (late.now().purchase.settled_by, late.available()) == (second, [0, 0])
        assert (payment(first).status, payment(first).surplus_reason) == ("surplus", "purchase_paid")


def test_stock_that_was_sold_out_a_moment_ago_is_asked_for_again(cloud: str, noon: Any) -> None:
    late = run_out(noon)
    rival = buyer()
    rival.put(late.skus[0], 4)
    assert rival.place().status == 409
    inventory._memory.saw_zero(late.skus[0], inventory._memory.returns)  # As another process saw it.
    late.pay()
    assert late.now().purchase.status == "paid"


def test_a_revived_order_lives_on_like_any_other(cloud: str, noon: Any) -> None:
    late = run_out(noon)
    late.pay()
    order = late.now().orders[0]
    late.who.token = people.token(late.who.account_id)
    cancelled = late.who.post(f"/v1/orders/{order.order_id}/cancel", {"reason": "bought elsewhere"})
    late.till.settle()
    assert cancelled.json["status"] == "cancelled"
    assert sorted(late.available()) == [0, 3]
    refunded = [refund for refund in story(late.sale).refunds if refund.status == "succeeded"]
    assert [refund.amount for refund in refunded] == [order.total]
    history = late.who.get(f"/v1/orders/{order.order_id}").json["history"]
    assert [entry["status"] for entry in history][-3:] == ["cancelled", "paid", "cancelled"]
    assert orders.load_order(order.order_id).stock == "released"
