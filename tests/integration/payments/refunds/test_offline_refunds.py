"""Money that the provider cannot give back: orders end all the same, an operator pays the buyer by hand."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.inventory import service as inventory
from chalicelib.kernel import ids
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.orders.service import OrderStatus, Sale
from chalicelib.payments import providers, service
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import Refund, RefundStatus
from chalicelib.payments.ports import Limits
from chalicelib.payments.refunds import execute
from chalicelib.runtime import aws, outbound
from tests.support import dump, goods, http, people, shop
from tests.support.paying import Till, accounts, payment, story

PAID = {"reference": "ICBC-2026-000123", "paid_at": "2026-11-22T03:00:00Z", "note": "by transfer"}


@dataclass
class Desk:
    """A purchase of two orders that is paid, and whoever acts on it."""

    till: Till
    buyer: shop.Buyer
    shops: tuple[shop.Shop, ...]
    sale: Sale
    payment_id: str

    @property
    def base(self) -> str:
        return f"/v1/operator/purchases/{self.sale.purchase.purchase_id}"

    @property
    def token(self) -> str:
        return people.token(self.buyer.account_id)

    def order(self, number: int) -> orders.Order:
        return orders.load_order(self.sale.orders[number].order_id)

    def refund(self, number: int, minor: int, **more: Any) -> http.Answer:
        body = {
            "order_id": self.sale.orders[number].order_id,
            "amount": {"minor": minor, "currency": "CNY"},
            "reason": "broken",
            **more,
        }
        return self.till.operate("POST", f"{self.base}/refunds", body)

    def cancel(self, number: int, key: str | None = None) -> http.Answer:
        path = f"/v1/orders/{self.sale.orders[number].order_id}/cancel"
        return http.call("POST", path, {"reason": "too late"}, token=self.token, key=key)

    def refunds(self, number: int) -> list[Refund]:
        order_id = self.sale.orders[number].order_id
        return [refund for refund in self.story().refunds if refund.order_id == order_id]

    def story(self) -> PaymentRecords:
        return story(self.sale)

    def available(self, number: int) -> int:
        made = self.shops[number].made[0]
        return inventory.levels([made.sku_id])[made.sku_id].available

    def dead(self) -> list[str]:
        queues = ("checkout", "payments", "orders", "reconciliation", "complaints")
        return [queue for queue in queues if self.till.pump.dead(queue)]

    def cases(self, kind: str, state: str = "open") -> list[Any]:
        found = self.till.operate("GET", f"/v1/operator/cases?status={state}&limit=100").json["items"]
        return [case for case in found if case["kind"] == kind]


@pytest.fixture
def desk(cloud: str, noon: Any) -> Iterator[Desk]:
    till = Till.open(noon)
    goods.categories()
    buyer, sellers = shop.buyer(), (shop.shop(), shop.shop())
    till.buyer = people.Person(buyer.account_id, buyer.token)
    made = [seller.product(price_minor=2000, stock=10) for seller in sellers]
    placed = buyer.buy(*((one.sku_id, 1) for one in made))
    sale = orders.load_sale(placed["purchase_id"])
    by_merchant = {seller.merchant_id: seller for seller in sellers}
    sellers = (by_merchant[sale.orders[0].merchant_id], by_merchant[sale.orders[1].merchant_id])
    payment_id = till.started(sale)
    till.sandbox.pay(payment_id)
    till.settle()
    yield Desk(till, buyer, sellers, orders.load_sale(sale.purchase.purchase_id), payment_id)
    outbound.install(None)


def limited(monkeypatch: pytest.MonkeyPatch, limits: Limits) -> None:
    adapter: Any = providers.load("sandbox")
    monkeypatch.setattr(providers, "load", lambda name: replace(adapter, limits=limits))


# --- what ends an order goes through ----------------------------------------------------------------------------------


def test_after_fifty_refunds_every_order_of_the_purchase_can_still_be_cancelled(desk: Desk) -> None:
    for _ in range(50):
        assert desk.refund(0, 1).status == 201
    desk.till.settle()
    left = desk.order(0).total.minor - 50

    for number in (0, 1):
        answer = desk.cancel(number)
        assert (answer.status, answer.json["status"]) == (200, "cancelled"), answer.body
    desk.till.settle()

    assert [refund.amount.minor for refund in desk.refunds(0)[50:]] == [left]
    owed = [desk.refunds(0)[-1], *desk.refunds(1)]
    assert [(refund.status, refund.code, refund.due_at) for refund in owed] == [
        (RefundStatus.OWED, "too_many_refunds", None)
    ] * 2
    assert (desk.available(0), desk.available(1)) == (10, 10)
    assert accounts(desk.sale) == {
        "clearing:sandbox": left + desk.order(1).total.minor,
        "offline": -left - desk.order(1).total.minor,
    }
    assert payment(desk.payment_id).reserved_minor == desk.sale.purchase.total.minor
    assert desk.till.sandbox.orders[desk.payment_id].refunded == 50
    assert desk.dead() == []


def test_after_fifty_refunds_a_silent_merchants_order_times_out_without_a_dead_letter(desk: Desk) -> None:
    for _ in range(50):
        assert desk.refund(0, 1).status == 201
    desk.till.settle()
    desk.till.clock.advance(timedelta(days=15, minutes=1))
    desk.till.wait(timedelta(minutes=30), step=timedelta(minutes=1))

    assert [desk.order(number).status for number in (0, 1)] == [OrderStatus.CANCELLED] * 2
    assert {refund.status for refund in desk.refunds(1)} == {RefundStatus.OWED}
    assert desk.dead() == []


@pytest.mark.parametrize("limits", [Limits(refund_window=timedelta()), Limits(max_refunds=0)])
def test_an_accepted_offer_of_a_complaint_goes_through_as_owed_and_ends_once_it_is_paid(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> None:
    desk.till.clock.advance(timedelta(seconds=1))
    limited(monkeypatch, limits)
    order_id = desk.sale.orders[1].order_id
    filing = {"order_id": order_id, "line_id": "1", "reason": "damaged", "text": "Broken."}
    filed = http.call("POST", "/v1/complaints", filing, token=desk.token)
    assert filed.status == 201, filed.body
    complaint_id = filed.json["complaint_id"]
    offer = {"answer": "refund", "text": "Sorry.", "amount": {"minor": 500, "currency": "CNY"}}
    assert desk.shops[1].post(f"/v1/merchant/complaints/{complaint_id}/reply", offer).status == 200
    accepted = http.call("POST", f"/v1/complaints/{complaint_id}/accept", {}, token=desk.token)
    assert (accepted.status, accepted.json["status"]) == (200, "refunding"), accepted.body
    desk.till.settle()

    (owed,) = desk.refunds(1)
    assert (owed.status, owed.amount.minor, owed.about) == (RefundStatus.OWED, 500, complaint_id)
    paid = desk.till.operate("POST", f"/v1/operator/refunds/{owed.refund_id}/paid-offline", PAID)
    assert (paid.status, paid.json["status"]) == (200, "paid_offline"), paid.body
    desk.till.settle()
    seen = http.call("GET", f"/v1/complaints/{complaint_id}", token=desk.token).json
    assert seen["status"] == "resolved"
    assert desk.order(1).refunded.minor == 500
    assert desk.dead() == []


def test_all_orders_of_a_large_purchase_end_although_every_ordinary_number_is_used(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, Limits(max_refunds=10**6))
    for _ in range(62):
        assert desk.refund(0, 1).status == 201
    numbers = [ids.child_number(refund.refund_id) for refund in desk.story().refunds]
    assert sorted(numbers) == [*range(1, 60), 100, 101, 102]  # Those between are of surplus payments.
    assert desk.cancel(1).status == 200
    desk.till.settle()
    assert {refund.status for refund in desk.story().refunds} == {RefundStatus.SUCCEEDED}
    assert all(ids.is_id("ref", refund.refund_id) for refund in desk.story().refunds)


def test_an_operators_wishes_leave_numbers_for_what_ends_orders(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.payments.domain import refund_numbers

    limited(monkeypatch, Limits(max_refunds=10**6))
    monkeypatch.setattr(refund_numbers, "RESERVED_NUMBERS", ids.MAX_CHILDREN - 101)
    for _ in range(61):
        assert desk.refund(0, 1).status == 201
    assert desk.refund(0, 1).json["why"] == "too_many_refunds"
    assert desk.cancel(0).status == 200


def test_the_rest_of_a_partly_shipped_order_is_given_up_and_owed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = desk.buyer.buy((desk.shops[0].made[0].sku_id, 3))
    sale = orders.load_sale(placed["purchase_id"])
    payment_id = desk.till.started(sale)
    desk.till.sandbox.pay(payment_id)
    desk.till.settle()
    parcel = {"lines": [{"line_id": "1", "quantity": 1}], "carrier": "yuantong", "tracking_number": "YT1234567890"}
    token = people.token(
        people.staff(desk.shops[0].merchant_id).account_id, Role.MERCHANT_STAFF, merchant_id=desk.shops[0].merchant_id
    )
    order_id = sale.orders[0].order_id
    shipped = http.call("POST", f"/v1/merchant/orders/{order_id}/shipments", parcel, token=token)
    assert shipped.status == 201, shipped.body
    limited(monkeypatch, Limits(max_refunds=0))
    desk.till.clock.advance(timedelta(days=15, minutes=1))
    desk.till.wait(timedelta(minutes=3), step=timedelta(minutes=1))

    assert orders.load_order(order_id).status is OrderStatus.SHIPPED
    assert [(one.status, one.amount.minor) for one in story(sale).refunds] == [(RefundStatus.OWED, 4000)]
    assert desk.dead() == []


# --- an operator's own wish -------------------------------------------------------------------------------------------


def test_an_operator_says_that_a_refund_is_to_be_paid_another_way(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = desk.story()
    early = desk.refund(0, 100, offline=True)
    assert (early.status, early.json["why"]) == (409, "provider_can_refund")
    limited(monkeypatch, Limits(max_refunds=0))
    plain = desk.refund(0, 100)
    assert (plain.status, plain.json["why"]) == (409, "too_many_refunds")
    assert desk.story() == before

    owed = desk.refund(0, 100, offline=True)
    assert (owed.status, owed.json["status"]) == (201, "owed")
    listed = desk.till.operate("GET", "/v1/operator/payments?status=refund_owed").json["refunds"]
    assert [refund["refund_id"] for refund in listed] == [owed.json["refund_id"]]
    over = desk.refund(0, 10**6, offline=True)
    assert over.status == 409


def test_what_is_owed_counts_against_the_order_and_the_payment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, Limits(max_refunds=0))
    assert desk.refund(0, 1500, offline=True).status == 201
    total = desk.order(0).total.minor
    assert desk.refund(0, total - 1499, offline=True).json["why"] == "more_than_order"
    assert desk.cancel(0).status == 200
    desk.till.settle()
    assert sum(refund.amount.minor for refund in desk.refunds(0)) == total
    assert accounts(desk.sale)["offline"] == -total


# --- paying it --------------------------------------------------------------------------------------------------------


def owed(desk: Desk, monkeypatch: pytest.MonkeyPatch, number: int = 0) -> Refund:
    with monkeypatch.context() as patch:
        limited(patch, Limits(max_refunds=0))
        assert desk.cancel(number).status == 200
        desk.till.settle()
    (refund,) = desk.refunds(number)
    assert refund.status is RefundStatus.OWED
    return refund


def test_an_operator_pays_it_once_and_everybody_sees_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = owed(desk, monkeypatch)
    (case,) = desk.cases("refund_owed")
    assert (case["purchase_id"], case["said"]["why"]) == (desk.sale.purchase.purchase_id, "too_many_refunds")
    path = f"/v1/purchases/{desk.sale.purchase.purchase_id}/payments"

    def shown() -> Any:
        (found,) = http.call("GET", path, token=desk.token).json["items"]
        return next(one for one in found["refunds"] if one["refund_id"] == refund.refund_id)

    assert (shown()["status"], shown()["status_text"]) == (
        "owed",
        "The payment provider cannot return this money; our staff will pay it to you another way.",
    )
    route = f"/v1/operator/refunds/{refund.refund_id}/paid-offline"
    paid = desk.till.operate("POST", route, PAID, key="paid-0000001")
    again = desk.till.operate("POST", route, PAID, key="paid-0000001")
    other = desk.till.operate("POST", route, {**PAID, "reference": "OTHER-1"}, key="paid-0000001")
    second = desk.till.operate("POST", route, PAID)
    assert (paid.status, paid.json["status"]) == (200, "paid_offline")
    assert (again.json, again.headers["idempotency-replayed"]) == (paid.json, "true")
    assert (other.json["code"], second.json["code"]) == ("idempotency_key_reused", "illegal_transition")
    assert paid.json["offline"] == {
        "reference": "ICBC-2026-000123",
        "paid_at": "2026-11-22T03:00:00.000Z",
        "by": desk.till.operator.account_id,
        "note": "by transfer",
    }
    desk.till.settle()

    assert (shown()["status"], shown()["reference"]) == ("paid_offline", "ICBC-2026-000123")
    assert accounts(desk.sale)["bank"] == -refund.amount.minor
    assert "offline" not in accounts(desk.sale)
    kept = payment(desk.payment_id)
    minor = refund.amount.minor
    assert (kept.refunded_minor, kept.paid_offline_minor, kept.refunded_at) == (minor, minor, None)
    assert desk.order(0).refunded == desk.order(0).total
    assert (desk.cases("refund_owed"), len(desk.cases("refund_owed", "settled"))) == ([], 1)
    assert desk.till.sandbox.orders[desk.payment_id].refunded == 0
    assert desk.dead() == []


def test_everything_paid_by_hand_empties_the_payment_and_the_books(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", "CNY:10000000")
    for number in (0, 1):
        refund = owed(desk, monkeypatch, number)
        assert desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/paid-offline", PAID).status == 200
    desk.till.settle()
    total = desk.sale.purchase.total.minor
    assert payment(desk.payment_id).status is PaymentStatus.REFUNDED
    assert accounts(desk.sale) == {"clearing:sandbox": total, "bank": -total}


def test_a_provider_that_counts_what_went_back_is_not_told_of_what_was_paid_by_hand(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = owed(desk, monkeypatch)
    desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/paid-offline", PAID)
    assert desk.cancel(1).status == 200
    (through,) = desk.refunds(1)
    told = execute.order_of(payment(desk.payment_id), through)
    assert told.refunded_before.minor == 0
    desk.till.settle()
    assert desk.refunds(1)[0].status is RefundStatus.SUCCEEDED


def test_above_the_limit_another_operator_confirms_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", "CNY:1999")
    refund = owed(desk, monkeypatch)
    route = f"/v1/operator/refunds/{refund.refund_id}"
    alone = desk.till.operate("POST", f"{route}/paid-offline", PAID)
    assert (alone.status, alone.json["code"]) == (409, "approval_needed")

    asked = desk.till.operate("POST", f"{route}/paid-offline-approvals", PAID, key="ask-000001")
    repeat = desk.till.operate("POST", f"{route}/paid-offline-approvals", PAID, key="ask-000001")
    assert (asked.status, asked.json["status"], asked.json["settles"]) == (201, "pending", refund.refund_id)
    assert repeat.json == asked.json
    assert desk.refunds(0)[0].status is RefundStatus.OWED
    approve = f"{desk.base}/refund-approvals/{asked.json['approval_id']}/approve"
    assert desk.till.operate("POST", approve, {}).json["code"] == "own_approval"
    second = people.operator()
    token = people.token(second.account_id, Role.BUYER, Role.OPERATOR)
    done = http.call("POST", approve, {"note": "seen"}, token=token)
    assert (done.status, done.json["status"], done.json["refund_id"]) == (200, "approved", refund.refund_id)
    desk.till.settle()

    (kept,) = desk.refunds(0)
    assert kept.status is RefundStatus.PAID_OFFLINE
    assert kept.offline is not None
    assert (kept.offline.by, kept.offline.approved_by) == (desk.till.operator.account_id, second.account_id)
    assert accounts(desk.sale)["bank"] == -refund.amount.minor


def test_the_limit_counts_what_was_paid_alone_on_the_purchase(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = owed(desk, monkeypatch, 0), owed(desk, monkeypatch, 1)
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", f"CNY:{first.amount.minor + other.amount.minor - 1}")
    assert desk.till.operate("POST", f"/v1/operator/refunds/{first.refund_id}/paid-offline", PAID).status == 200
    refused = desk.till.operate("POST", f"/v1/operator/refunds/{other.refund_id}/paid-offline", PAID)
    assert refused.json["code"] == "approval_needed"
    assert desk.refunds(1) == [other]


def test_what_was_paid_by_hand_alone_counts_to_the_operators_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = owed(desk, monkeypatch, 0), owed(desk, monkeypatch, 1)
    limit = first.amount.minor + other.amount.minor - 1
    monkeypatch.setenv("BIANDAN_REFUND_ALONE_A_DAY", f"CNY:{limit}")
    for _ in range(2):  # A repeat counts once.
        path = f"/v1/operator/refunds/{first.refund_id}/paid-offline"
        assert desk.till.operate("POST", path, PAID, key="paid-000001").status == 200
    before = dump.tables()
    path = f"/v1/operator/refunds/{other.refund_id}/paid-offline"
    refused = desk.till.operate("POST", path, PAID)
    assert (refused.status, refused.json["code"], refused.json["limit"]) == (409, "day_limit_reached", limit)
    assert dump.differences(before, dump.tables()) == []

    second = people.token(people.operator().account_id, Role.BUYER, Role.OPERATOR)
    assert http.call("POST", path, PAID, token=second).status == 200


def test_an_operators_own_wish_counts_once_to_the_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_REFUND_ALONE_A_DAY", "CNY:100")
    with monkeypatch.context() as patch:
        limited(patch, Limits(max_refunds=0))
        wished = desk.refund(0, 100, offline=True)
    path = f"/v1/operator/refunds/{wished.json['refund_id']}/paid-offline"
    other = people.token(people.operator().account_id, Role.BUYER, Role.OPERATOR)
    assert desk.refund(0, 1).json["code"] == "day_limit_reached"
    assert desk.till.operate("POST", path, PAID).status == 200
    assert http.call("POST", path, PAID, token=other).json["code"] == "illegal_transition"


def test_two_payments_by_hand_at_the_same_moment_do_not_pass_the_day_together(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [owed(desk, monkeypatch, 0), owed(desk, monkeypatch, 1)]
    monkeypatch.setenv("BIANDAN_REFUND_ALONE_A_DAY", f"CNY:{sum(refund.amount.minor for refund in made) - 1}")
    ready = Barrier(2)

    def act(refund: Refund) -> tuple[int, str]:
        ready.wait()
        answer = desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/paid-offline", PAID)
        return answer.status, answer.json["code"] if answer.status == 409 else ""

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(act, made))
    assert answers == [(200, ""), (409, "day_limit_reached")]


def test_refunds_on_two_payments_of_a_purchase_do_not_pass_its_limit_together(
    cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till.open(noon)
    sale = till.sale()
    first = till.started(sale)
    till.sandbox.steer(first, down=("close", "query"))
    for number in (first, till.started(sale)):
        till.sandbox.steer(number, down=(), refund="abnormal")
        till.sandbox.pay(number)
    till.settle()
    order = sale.orders[0]
    body = {
        "order_id": order.order_id,
        "amount": {"minor": order.total.minor, "currency": "CNY"},
        "reason": "broken",
    }
    assert till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body).status == 201
    till.settle()
    routes = [f"/v1/operator/refunds/{refund.refund_id}" for refund in story(sale).refunds]
    assert [till.operate("POST", f"{route}/offline").status for route in routes] == [200, 200]
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", f"CNY:{2 * order.total.minor - 1}")
    rivals: list[http.Answer] = []

    def hook(service_name: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation == "TransactWriteItems" and not rivals:
            rivals.append(http.Answer(0, None, {}, ""))
            rivals[0] = till.operate("POST", f"{routes[1]}/paid-offline", PAID)
        return proceed()

    with aws.hooked(hook):
        answer = till.operate("POST", f"{routes[0]}/paid-offline", PAID)
    assert (rivals[0].status, answer.status, answer.json["code"]) == (200, 409, "approval_needed")
    assert [refund.status for refund in story(sale).refunds] == [RefundStatus.OWED, RefundStatus.PAID_OFFLINE]
    outbound.install(None)


@pytest.mark.parametrize("act", ["offline", "paid-offline", "paid-offline-approvals"])
def test_the_buyer_as_an_operator_pays_nothing_of_their_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    refund = stuck(desk, "failed") if act == "offline" else owed(desk, monkeypatch)
    auth.grant(desk.buyer.account_id, Role.OPERATOR)
    before = dump.tables()
    token = people.token(desk.buyer.account_id, Role.BUYER, Role.OPERATOR)
    body = None if act == "offline" else PAID
    answer = http.call("POST", f"/v1/operator/refunds/{refund.refund_id}/{act}", body, token=token)
    assert (answer.status, answer.json["code"]) == (403, "own_affair")
    assert dump.differences(before, dump.tables()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {**PAID, "reference": "x"},
        {**PAID, "reference": "line\nbreak"},
        {**PAID, "paid_at": "2026-11-22T05:00:00Z"},
        {**PAID, "paid_at": "yesterday"},
        {**PAID, "paid_to": "6222020000000000000"},
        {"reference": "ICBC-1"},
        {**PAID, "note": "x" * 301},
    ],
)
def test_what_is_not_a_payment_is_refused_without_a_trace(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    owed(desk, monkeypatch)
    before, books = desk.story(), accounts(desk.sale)
    refund_id = before.refunds[0].refund_id
    for path in ("paid-offline", "paid-offline-approvals"):
        assert desk.till.operate("POST", f"/v1/operator/refunds/{refund_id}/{path}", wrong).status == 422
    assert (desk.story(), accounts(desk.sale)) == (before, books)


def test_two_operators_at_the_same_moment_pay_it_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    refund = owed(desk, monkeypatch)
    rivals: list[http.Answer] = []
    route = f"/v1/operator/refunds/{refund.refund_id}/paid-offline"

    def hook(service_name: str, operation: str, params: Any, proceed: Any) -> Any:
        if operation == "TransactWriteItems" and not rivals:
            rivals.append(http.Answer(0, None, {}, ""))
            rivals[0] = desk.till.operate("POST", route, {**PAID, "reference": "RIVAL-1"})
        return proceed()

    with aws.hooked(hook):
        answer = desk.till.operate("POST", route, PAID)
    assert (rivals[0].status, answer.status, answer.json["code"]) == (200, 409, "illegal_transition")
    assert accounts(desk.sale)["bank"] == -refund.amount.minor


# --- stuck refunds that somebody gives up on --------------------------------------------------------------------------


def stuck(desk: Desk, state: str) -> Refund:
    desk.till.sandbox.steer(desk.payment_id, refund=state)
    assert desk.cancel(0).status == 200
    desk.till.settle()
    (refund,) = desk.refunds(0)
    assert refund.status.value == state
    return refund


@pytest.mark.parametrize("state", ["failed", "abnormal", "closed"])
def test_an_operator_takes_a_stuck_refund_off_the_provider(desk: Desk, state: str) -> None:
    refund = stuck(desk, state)
    assert len(desk.cases("refund_stuck")) == 1
    taken = desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/offline")
    assert (taken.status, taken.json["status"], taken.json["code"]) == (200, "owed", "given_up"), taken.body
    assert desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/offline").status == 409
    desk.till.settle()
    assert (desk.cases("refund_stuck"), len(desk.cases("refund_owed"))) == ([], 1)
    paid = desk.till.operate("POST", f"/v1/operator/refunds/{taken.json['refund_id']}/paid-offline", PAID)
    assert paid.status == 200, paid.body
    desk.till.settle()
    assert desk.cases("refund_owed") == []
    assert desk.order(0).refunded == desk.order(0).total
    assert payment(desk.payment_id).reserved_minor == desk.order(0).total.minor
    assert accounts(desk.sale)["bank"] == -refund.amount.minor
    assert desk.dead() == []


def test_one_that_went_through_meanwhile_is_not_paid_again(desk: Desk) -> None:
    refund = stuck(desk, "abnormal")
    desk.till.sandbox.settle(refund.refund_id, "succeeded")
    taken = desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/offline")
    assert (taken.status, taken.json["state"]) == (409, "succeeded"), taken.body
    assert desk.refunds(0)[0].status is RefundStatus.SUCCEEDED
    assert "offline" not in accounts(desk.sale)


def test_one_that_the_provider_makes_after_all_is_not_owed_any_more(desk: Desk) -> None:
    refund = stuck(desk, "abnormal")
    assert desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/offline").status == 200
    desk.till.settle()
    assert accounts(desk.sale)["offline"] == -refund.amount.minor
    desk.till.sandbox.settle(refund.refund_id, "succeeded")
    desk.till.settle()
    assert desk.refunds(0)[0].status is RefundStatus.SUCCEEDED
    assert accounts(desk.sale).get("offline", 0) == 0
    assert accounts(desk.sale)["clearing:sandbox"] == desk.sale.purchase.total.minor - refund.amount.minor
    assert desk.cases("refund_owed") == []
    late = desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/paid-offline", PAID)
    assert late.json["code"] == "illegal_transition"


def test_a_success_after_it_was_paid_by_hand_is_an_operators_matter(desk: Desk) -> None:
    refund = stuck(desk, "abnormal")
    desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/offline")
    assert desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/paid-offline", PAID).status == 200
    desk.till.sandbox.settle(refund.refund_id, "succeeded")
    desk.till.settle()
    assert desk.refunds(0)[0].status is RefundStatus.PAID_OFFLINE
    assert [kept.why for kept in desk.story().quarantined] == ["refund_contradicted"]


def test_a_silent_provider_leaves_it_stuck(desk: Desk) -> None:
    refund = stuck(desk, "failed")
    desk.till.sandbox.steer(desk.payment_id, down=("query_refund",))
    answer = desk.till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/offline")
    assert (answer.status, answer.json["code"]) == (502, "provider_silent")
    assert desk.refunds(0)[0].status is RefundStatus.FAILED


def test_the_limit_of_the_provider_does_not_count_what_it_never_hears_of(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed(desk, monkeypatch)
    assert service.payment_records(desk.sale.purchase.purchase_id).sent_of(desk.payment_id) == 0
    limited(monkeypatch, Limits(max_refunds=1))
    assert desk.refund(1, 1).json["status"] == "requested"
