"""A purchase and its first attempt to pay in one request: one transaction, the provider told after it, one answer.

Whatever happens in between, the same request again leads to the same two records.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Cause
from chalicelib.kernel.errors import Misconfigured
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments import providers
from chalicelib.payments.domain.payment import PaymentStatus, UnknownProvider
from chalicelib.payments.ports import Instruction, Outcome
from chalicelib.runtime import aws, outbound
from chalicelib.runtime.intents import Intent, system_intent
from tests.integration.checkout.test_large_purchases import fill as fill_large
from tests.integration.checkout.test_large_purchases import left
from tests.support import dump, http, people
from tests.support.paying import Till, accounts, payment, story
from tests.support.shop import Buyer, buyer, shop
from tools.bench import metering
from tools.fakes.sandbox.mount import transport

Proceed = Callable[[], dict[str, Any]]
KEY = "place-and-pay-1"
SANDBOX = {"provider": "sandbox"}


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


@pytest.fixture
def who(till: Till) -> Buyer:
    """Return the till's buyer with an address."""
    return Buyer(till.buyer.account_id, till.buyer.token, "")


def stocked(who: Buyer, *, stock: int = 5, **options: Any) -> tuple[str, str]:
    """Put one unit of something that needs no address into the cart; return its SKU and a quote."""
    sku_id = shop().product(stock=stock, kind="virtual", **options).sku_id
    who.put(sku_id)
    return sku_id, quoted(who)


def quoted(who: Buyer) -> str:
    return str(http.call("POST", "/v1/quotes", {}, token=who.token).json["quote"])


def place(who: Buyer, quote: str, *, key: str | None = KEY, pay: Any = SANDBOX, **more: Any) -> http.Answer:
    body = {"quote": quote, **more, **({"payment": pay} if pay is not None else {})}
    return http.call("POST", "/v1/purchases", body, token=who.token, key=key)


def number_of(answer: http.Answer) -> str:
    return f"{answer.json['purchase_id'].replace('pur_', 'pay_')}_01"


# --- the straight way -----------------------------------------------------------------------------------------------


def test_one_request_places_and_says_how_to_pay(till: Till, who: Buyer) -> None:
    sku_id, quote = stocked(who)

    answer = place(who, quote)

    assert (answer.status, answer.headers["location"]) == (201, f"/v1/purchases/{answer.json['purchase_id']}")
    made = answer.json["payment"]
    assert (made["payment_id"], made["status"]) == (number_of(answer), "pending")
    assert made["instruction"] == {"action": "redirect", "url": f"{till.sandbox.base_url}/?order={number_of(answer)}"}
    assert (made["amount"], answer.json["status"]) == (answer.json["total"], "awaiting_payment")
    shown = who.get(f"/v1/purchases/{answer.json['purchase_id']}/payments/{made['payment_id']}")
    assert shown.json == made
    assert left([sku_id]) == {4}

    till.sandbox.pay(made["payment_id"])
    till.settle()

    sale = orders.load_sale(answer.json["purchase_id"])
    assert (sale.purchase.status, sale.purchase.settled_by) == (PurchaseStatus.PAID, made["payment_id"])
    assert accounts(sale)["clearing:sandbox"] == sale.purchase.total.minor


def test_it_is_three_calls_of_ours_and_one_of_the_providers(till: Till, who: Buyer) -> None:
    other = buyer()
    place(other, stocked(other)[1], key=None)  # What a process remembers is read.
    _, quote = stocked(who)
    till.sandbox.calls.clear()

    with metering.measured() as meter:
        answer = place(who, quote)

    assert meter.operations() == [
        "BatchGetItem holds,products",
        "TransactWriteItems orders,holds,payments,stock,carts",
        "PutItem payments",
    ]
    assert till.sandbox.calls == [f"create {number_of(answer)}"]


def test_the_attempt_is_the_same_record_as_one_that_is_started_later(till: Till, who: Buyer) -> None:
    at_once = place(who, stocked(who)[1], key=None).json
    later = place(who, stocked(who)[1], key=None, pay=None).json
    assert "payment" not in later
    started = till.start(orders.load_sale(later["purchase_id"]))

    one, other = payment(at_once["payment"]["payment_id"]), payment(started.json["payment_id"])

    same = ("provider", "method", "amount", "status", "created_at", "expires_at", "due_at", "tries", "version")
    assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
    purchases = [orders.load_purchase(made["purchase_id"]) for made in (at_once, later)]
    assert [purchase.payment_attempts for purchase in purchases] == [1, 1]


@pytest.mark.parametrize(("merchants", "skus"), [(5, 90), (20, 75)])
def test_the_largest_purchases_take_their_attempt_along(till: Till, who: Buyer, merchants: int, skus: int) -> None:
    _, sku_ids = fill_large(who, merchants, skus, kind="virtual")

    answer = place(who, quoted(who))

    assert (answer.status, answer.json["payment"]["status"]) == (201, "pending"), answer.body
    assert (len(answer.json["order_ids"]), left(sku_ids)) == (merchants, {9})


def test_an_unpaid_attempt_is_closed_and_its_purchase_expires_as_ever(till: Till, who: Buyer) -> None:
    sku_id, quote = stocked(who)
    answer = place(who, quote)

    till.wait(timedelta(minutes=33))

    assert orders.load_purchase(answer.json["purchase_id"]).status is PurchaseStatus.EXPIRED
    assert (payment(number_of(answer)).status, left([sku_id])) == (PaymentStatus.CLOSED, {5})
    who.token = people.token(who.account_id)
    again = place(who, quote)
    assert (again.json["status"], again.json["payment"]["status"]) == ("expired", "closed")


# --- refusals -------------------------------------------------------------------------------------------------------


def of_nobody(who: Buyer) -> http.Answer:
    return place(who, stocked(who)[1], pay={"provider": "nobody"})


def of_no_method(who: Buyer) -> http.Answer:
    return place(who, stocked(who)[1], pay={"provider": "sandbox", "method": "cheque"})


def of_no_currency(who: Buyer) -> http.Answer:
    return place(who, stocked(who, currency="GBP")[1])


def of_nothing_left(who: Buyer) -> http.Answer:
    sku_id, quote = stocked(who, stock=1)
    rival = buyer()
    rival.buy((sku_id, 1))
    return place(who, quote)


def of_goods_off_sale(who: Buyer) -> http.Answer:
    sku_id, quote = stocked(who)
    product = catalog.products([catalog.product_of(sku_id)])[catalog.product_of(sku_id)]
    catalog.move(product.merchant_id, product.product_id, Cause.UNLIST, intent=system_intent("unlist"))
    return place(who, quote)


def of_a_used_quote(who: Buyer) -> http.Answer:
    quote = stocked(who)[1]
    assert place(who, quote, key=None, pay=None).status == 201
    return place(who, quote)


REFUSED: dict[str, tuple[Callable[[Buyer], http.Answer], int, str]] = {
    "no such provider": (of_nobody, 404, "unknown_provider"),
    "no such method": (of_no_method, 422, "method_not_offered"),
    "a currency it does not take": (of_no_currency, 422, "method_not_offered"),
    "sold out": (of_nothing_left, 409, "out_of_stock"),
    "not for sale": (of_goods_off_sale, 409, "not_for_sale"),
    "a quote that was used": (of_a_used_quote, 409, "quote_used"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_refusal_leaves_no_trace_and_tells_no_provider(till: Till, who: Buyer, how: str) -> None:
    refuse, status, code = REFUSED[how]
    seen: list[dict[str, dict[str, str]]] = []
    real = http.call

    def watched(method: str, path: str, body: Any = None, **options: Any) -> http.Answer:
        if path == "/v1/purchases" and "payment" in body:
            seen.append(dump.tables())
        return real(method, path, body, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "call", watched)
        answer = refuse(who)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert dump.differences(seen[-1], dump.tables()) == []
    assert till.sandbox.calls == []


@pytest.mark.parametrize(
    "pay",
    [
        {},
        {"provider": "Sandbox!"},
        {"provider": "sandbox", "amount": {"minor": 1, "currency": "CNY"}},
        {"provider": "sandbox", "return_url": "javascript:alert(1)"},
        {"provider": "sandbox", "payer": "x" * 129},
        "sandbox",
        [],
    ],
)
def test_a_wrong_way_to_pay_is_refused_where_it_is_read(till: Till, who: Buyer, pay: Any) -> None:
    _, quote = stocked(who)
    before = dump.tables()
    refused = place(who, quote, pay=pay)
    assert (refused.status, refused.json["code"]) == (422, "invalid_request")
    assert refused.json["errors"][0]["pointer"].startswith("/payment")
    assert dump.differences(before, dump.tables()) == []


# --- a provider that refuses, or says nothing -------------------------------------------------------------------------


def test_a_provider_that_refuses_leaves_a_purchase_that_can_be_paid(
    till: Till, who: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, quote = stocked(who)
    adapter = providers.offered("sandbox")
    with monkeypatch.context() as patch:
        patch.setattr(type(adapter), "create", lambda *_: Instruction(Outcome.FAILED, code="too_small"))
        answer = place(who, quote)

    assert (answer.status, answer.json["status"]) == (201, "awaiting_payment")
    assert (answer.json["payment"]["status"], answer.json["payment"]["reason"]) == ("failed", "too_small")
    assert place(who, quote).json == answer.json
    sale = orders.load_sale(answer.json["purchase_id"])
    second = till.started(sale)
    assert second.endswith("_02")
    till.sandbox.pay(second)
    till.settle()
    assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.PAID


@pytest.mark.parametrize("how", ["silent_after", "silent_before", "unsigned"])
def test_a_provider_that_says_nothing_is_told_again_of_the_same_number(till: Till, who: Buyer, how: str) -> None:
    _, quote = stocked(who)
    number = f"{intent_id(who).replace('pur_', 'pay_')}_01"
    till.sandbox.steer(number, **{how: ("create",)})

    first, again = place(who, quote), place(who, quote)

    assert (first.status, first.json["status"]) == (201, "awaiting_payment")
    assert (first.json["payment"]["status"], first.json["payment"].get("instruction")) == ("started", None)
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
    assert (again.json["payment"]["status"], again.json["payment"]["payment_id"]) == ("pending", number)
    assert list(till.sandbox.orders) == [number]


def intent_id(who: Buyer) -> str:
    return Intent(scope=who.account_id, key=KEY, fingerprint="").record_id("pur")


def test_a_silent_provider_is_told_so_often_and_another_attempt_goes_on(till: Till, who: Buyer) -> None:
    _, quote = stocked(who)
    number = f"{intent_id(who).replace('pur_', 'pay_')}_01"
    till.sandbox.steer(number, silent_before=("create",) * 20)
    send, told = transport(till.sandbox), []

    def count(request: outbound.Request) -> outbound.Response:
        told.append(request.url)
        return send(request)

    outbound.install(count)
    answers = [place(who, quote) for _ in range(8)]

    assert {(answer.status, answer.json["payment"]["status"]) for answer in answers} == {(201, "started")}
    assert (len(told), payment(number).tries) == (5, 5)
    assert till.started(orders.load_sale(answers[0].json["purchase_id"])).endswith("_02")


def test_a_provider_that_is_not_set_up_after_all_undoes_nothing(
    till: Till, who: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, quote = stocked(who)

    def broken(*_: Any) -> Instruction:
        raise Misconfigured(why="no key")

    with monkeypatch.context() as patch:
        patch.setattr(type(providers.offered("sandbox")), "create", broken)
        answers = [place(who, quote), place(who, quote)]
    assert {(answer.status, answer.json["payment"]["status"]) for answer in answers} == {(201, "started")}
    assert place(who, quote).json["payment"]["status"] == "pending"


def test_a_provider_that_was_turned_off_since_answers_a_repeat_with_what_there_is(
    till: Till, who: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, quote = stocked(who)
    first = place(who, quote)

    def off(name: str) -> Any:
        raise UnknownProvider(what="payment provider", provider=name)

    with monkeypatch.context() as patch:
        patch.setattr(providers, "offered", off)
        again = place(who, quote)
        fresh = place(who, stocked(who)[1], key="another-key-1")

    assert (again.status, again.json) == (201, first.json)
    assert (fresh.status, fresh.json["code"]) == (404, "unknown_provider")


# --- again, at every moment -------------------------------------------------------------------------------------------


def test_the_same_again_is_the_same_and_another_body_is_refused(till: Till, who: Buyer) -> None:
    sku_id, quote = stocked(who)
    first = place(who, quote)

    again = place(who, quote)

    assert (again.status, again.json, again.headers["idempotency-replayed"]) == (201, first.json, "true")
    assert "idempotency-replayed" not in first.headers
    for other in (None, {"provider": "sandbox", "method": "qr"}, {"provider": "sandbox", "payer": "me"}):
        refused = place(who, quote, pay=other)
        assert (refused.status, refused.json["code"]) == (422, "idempotency_key_reused"), other
    sale = orders.load_sale(first.json["purchase_id"])
    assert till.start(sale, key=KEY).json["code"] == "idempotency_key_reused"
    assert (len(story(sale).payments), left([sku_id])) == (1, {4})
    assert till.sandbox.calls == [f"create {number_of(first)}"]


def test_a_repeat_shows_what_became_of_both(till: Till, who: Buyer) -> None:
    _, quote = stocked(who)
    first = place(who, quote)
    till.sandbox.pay(number_of(first))
    till.settle()

    again = place(who, quote)

    assert (again.json["status"], again.json["payment"]["status"]) == ("paid", "captured")
    assert till.sandbox.calls.count(f"create {number_of(first)}") == 1


def test_a_purchase_that_was_placed_without_may_not_be_placed_with(till: Till, who: Buyer) -> None:
    _, quote = stocked(who)
    assert place(who, quote, pay=None).status == 201
    refused = place(who, quote)
    assert (refused.status, refused.json["code"]) == (422, "idempotency_key_reused")
    assert till.sandbox.calls == []


MOMENTS = ["BatchGetItem", "TransactWriteItems", "outside", "PutItem"]


class Cut(Exception):
    """The process died."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_process_that_dies_at_any_moment_leaves_what_a_repeat_completes(
    till: Till, who: Buyer, moment: str, when: str
) -> None:
    sku_id, quote = stocked(who)
    armed = [True]

    def die(here: str, proceed: Callable[[], Any]) -> Any:
        if here != moment or not armed:
            return proceed()
        armed.pop()
        if when == "after":
            proceed()
        raise Cut

    def call(service: str, operation: str, params: dict[str, Any], proceed: Proceed) -> dict[str, Any]:
        found: dict[str, Any] = die(operation, proceed)
        return found

    send = transport(till.sandbox)
    outbound.install(lambda request: die("outside", lambda: send(request)))
    with aws.hooked(call):
        crashed = place(who, quote)
    assert (crashed.status, armed) == (500, [])

    answers = [place(who, quote), place(who, quote)]

    assert [answer.status for answer in answers] == [201, 201], answers[0].body
    assert answers[0].json == answers[1].json
    assert answers[0].json["payment"]["payment_id"] == number_of(answers[0])
    assert answers[0].json["payment"]["status"] == "pending"
    assert "instruction" in answers[0].json["payment"]
    sale = orders.load_sale(answers[0].json["purchase_id"])
    assert (len(story(sale).payments), left([sku_id]), list(till.sandbox.orders)) == (
        1,
        {4},
        [number_of(answers[0])],
    )
    assert sale.purchase.payment_attempts == 1


def test_two_clicks_at_the_same_moment_make_one_purchase_and_one_attempt(till: Till, who: Buyer) -> None:
    sku_id, quote = stocked(who)
    answers: list[http.Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(place(who, quote))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["purchase_id"] for answer in answers}) == 1
    assert {answer.json["payment"]["payment_id"] for answer in answers} == {number_of(answers[0])}
    # Under a clock that stands still their transactions are equal to the byte: DynamoDB takes one for the other by its
    # token, and neither knows that it was not the first.
    assert any("idempotency-replayed" not in answer.headers for answer in answers)
    sale = orders.load_sale(answers[0].json["purchase_id"])
    assert (len(story(sale).payments), left([sku_id])) == (1, {4})
    assert list(till.sandbox.orders) == [number_of(answers[0])]
    assert place(who, quote).json["payment"]["status"] == "pending"


def test_the_attempt_counts_among_those_a_purchase_may_have(
    till: Till, who: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIANDAN_PAYMENT_ATTEMPTS", "1")
    answer = place(who, stocked(who)[1])
    refused = till.start(orders.load_sale(answer.json["purchase_id"]))
    assert (refused.status, refused.json["code"]) == (409, "too_many_payments")
