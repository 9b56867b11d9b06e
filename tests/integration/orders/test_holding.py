"""Nobody holds a shop's stock by purchases that are never paid: what counts, for how long, and what frees it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import topology
from chalicelib.checkout import service as checkout
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock
from chalicelib.orders import hold_rules, hold_store, holds
from chalicelib.orders import service as orders
from chalicelib.orders.hold_rules import Hold, Holds, HoldState, Limits
from chalicelib.payments import service as payments
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import dump, http, people
from tests.support.http import Answer
from tests.support.paying import Till
from tests.support.pump import UNPUBLISHED, Pump
from tests.support.shop import Buyer, buyer, shop

FEW = "fresh:2/6/3,known:3/50/5,network:4/12"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set limits that are soon reached."""
    monkeypatch.setenv(holds.SETTING, FEW)


@contextmanager
def at(source_ip: str) -> Iterator[None]:
    """Call from another address."""
    real = http.event

    def event(*args: Any, **options: Any) -> dict[str, Any]:
        made = real(*args, **options)
        made["requestContext"]["identity"]["sourceIp"] = source_ip
        return made

    http.event = event
    try:
        yield
    finally:
        http.event = real


def ordered(who: Buyer, sku_id: str, quantity: int = 1, *, source_ip: str = "198.51.100.1") -> Answer:
    """Put a line into the cart and order it."""
    who.token = people.token(who.account_id)
    who.put(sku_id, quantity)
    quote = who.quote()
    if quote.status != 200:
        return quote
    with at(source_ip):
        return who.place(quote.json["quote"])


def available(sku_id: str) -> int:
    return inventory.level(sku_id).available


def expire_all(noon: Any) -> None:
    noon.advance(timedelta(minutes=31))
    Pump(leaves=UNPUBLISHED).due()
    Pump(leaves=UNPUBLISHED).drain()


# --- one account ------------------------------------------------------------------------------------------------------


def test_unpaid_purchases_have_a_most_and_the_refusal_says_what_to_do(cloud: str, few: None) -> None:
    who, sku_id = buyer(), shop().product(stock=50).sku_id
    made = [ordered(who, sku_id).json["purchase_id"] for _ in range(2)]

    refused = ordered(who, sku_id)

    assert (refused.status, refused.json["code"], refused.json["most"]) == (409, "too_many_unpaid", 2)
    assert refused.json["purchase_ids"] == made
    assert refused.json["until"].endswith("Z")
    assert available(sku_id) == 48
    assert len(who.get("/v1/cart").json["lines"]) == 1  # Nothing was written.
    assert who.post(f"/v1/purchases/{made[0]}/cancel").status == 200
    assert ordered(who, sku_id).status == 201


def test_held_units_have_a_most(cloud: str, few: None) -> None:
    who, sku_id = buyer(), shop().product(stock=50).sku_id
    assert ordered(who, sku_id, 4).status == 201

    refused = ordered(who, sku_id, 3)

    assert (refused.status, refused.json["code"]) == (409, "too_many_unpaid_units")
    assert (refused.json["most"], refused.json["held"]) == (6, 4)
    assert ordered(who, sku_id, 2).status == 201
    assert available(sku_id) == 44


def test_more_at_once_than_ever_can_be_is_refused_where_it_is_quoted(cloud: str, few: None) -> None:
    who, sku_id = buyer(), shop().product(stock=50).sku_id
    refused = ordered(who, sku_id, 7)
    assert (refused.status, refused.json["code"], refused.json["most"], refused.json["wanted"]) == (
        409,
        "too_many_units",
        6,
        7,
    )


def test_a_fresh_account_cannot_hold_all_stock_again_and_again(cloud: str, noon: Any) -> None:
    """With the limits that the product ships with."""
    who, sku_id = buyer(), shop().product(stock=10).sku_id
    answers = []
    for _ in range(20):
        answers.append(ordered(who, sku_id, 10))
        expire_all(noon)
        assert available(sku_id) == 10
    placed = [answer for answer in answers if answer.status == 201]
    assert len(placed) == hold_rules.FRESH.purchases
    assert {answer.json["code"] for answer in answers[len(placed) :]} == {"too_many_unpaid"}


def test_what_ran_out_counts_for_a_day_and_then_no_more(cloud: str, noon: Any, few: None) -> None:
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    assert [ordered(who, sku_id).status for _ in range(2)] == [201, 201]
    expire_all(noon)
    assert available(sku_id) == 9
    refused = ordered(who, sku_id)
    assert refused.json["code"] == "too_many_unpaid"
    until = datetime.fromisoformat(refused.json["until"])

    noon.advance(until - clock.now() - timedelta(seconds=1))
    assert ordered(who, sku_id).status == 409
    noon.advance(timedelta(seconds=2))
    assert ordered(who, sku_id).status == 201
    assert set(hold_store.load(who.account_id).holds) != set()
    assert len(hold_store.load(who.account_id).holds) == 1  # What lapsed is gone from the row.


def test_calling_off_in_a_loop_ends_too(cloud: str, few: None) -> None:
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    for _ in range(3):
        made = ordered(who, sku_id)
        assert made.status == 201
        assert who.post(f"/v1/purchases/{made.json['purchase_id']}/cancel").status == 200
    refused = ordered(who, sku_id)
    assert (refused.status, refused.json["code"], refused.json["most"]) == (409, "too_many_called_off", 3)
    assert available(sku_id) == 9


def test_paying_frees_at_once_and_makes_the_account_a_known_one(cloud: str, noon: Any, few: None) -> None:
    till = Till.open(noon)
    who = Buyer(till.buyer.account_id, till.buyer.token, "")
    sku_id = shop().product(stock=60, kind="virtual").sku_id

    def place(quantity: int = 1) -> Answer:
        who.put(sku_id, quantity)
        quote = http.call("POST", "/v1/quotes", {}, token=who.token)
        return who.place(quote.json["quote"]) if quote.status == 200 else quote

    first, second = place().json["purchase_id"], place().json["purchase_id"]
    assert place().json["code"] == "too_many_unpaid"
    till.sandbox.pay(till.started(orders.load_sale(first)))
    till.settle()

    assert orders.load_purchase(first).status == "paid"
    third = place(40)  # More than a fresh account may.
    assert third.status == 201
    held = hold_store.load(who.account_id)
    assert (held.paid, [hold.purchase_id for hold in held.unpaid()]) == (1, [second, third.json["purchase_id"]])
    assert place().status == 201
    assert place().json["most"] == 3
    assert hold_store.load(who.account_id).paid == 1  # Learned once.


def test_a_purchase_that_waits_for_a_silent_provider_counts_however_long(
    cloud: str, noon: Any, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    for _ in range(2):
        assert ordered(who, sku_id).status == 201
    monkeypatch.setattr(payments, "conclude_attempts", lambda _: payments.Conclusion.UNKNOWN)
    noon.advance(timedelta(days=3))
    assert ordered(who, sku_id).json["code"] == "too_many_unpaid"
    assert available(sku_id) == 7


def test_a_repeat_counts_once_and_a_refused_one_not_at_all(cloud: str, few: None) -> None:
    who, sku_id = buyer(), shop().product(stock=1).sku_id
    who.put(sku_id, 2)
    quote = who.quote().json["quote"]
    for _ in range(4):
        assert who.place(quote).json["code"] == "out_of_stock"
    assert hold_store.load(who.account_id) == Holds(who.account_id)
    who.put(sku_id, 1)
    quote = who.quote().json["quote"]
    for _ in range(4):
        assert who.place(quote, key="one-key-for-all").status == 201
    assert len(hold_store.load(who.account_id).holds) == 1


def test_at_the_same_moment_no_more_pass_than_may(cloud: str, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six clicks of one account on quotes of six parts of its cart: exactly two purchases, four clean refusals."""
    from chalicelib.cart import service as carts

    who = buyer()
    skus = shop().product(stock=9, skus=6).sku_ids
    for sku_id in skus:
        who.put(sku_id)
    tokens = [who.quote(sku_ids=[sku_id]).json["quote"] for sku_id in skus]
    monkeypatch.setattr(carts, "take_out", lambda *_, **__: None)  # Else the cart's version alone would stop them.
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda t=token: answers.append(who.place(t))) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status for answer in answers) == [201, 201, 409, 409, 409, 409]
    assert {answer.json["code"] for answer in answers if answer.status == 409} == {"too_many_unpaid"}
    assert len(hold_store.load(who.account_id).unpaid()) == 2
    assert sum(available(sku_id) for sku_id in skus) == 6 * 9 - 2


# --- a network --------------------------------------------------------------------------------------------------------


def test_new_accounts_of_one_network_count_together(cloud: str, few: None) -> None:
    sku_id = shop().product(stock=50).sku_id
    crowd = [buyer() for _ in range(6)]
    assert [ordered(who, sku_id).status for who in crowd[:4]] == [201] * 4

    refused = ordered(crowd[4], sku_id)

    assert (refused.status, refused.json["code"]) == (429, "too_many_unpaid_here")
    assert 0 < refused.json["wait_s"] <= hold_rules.NETWORK_WINDOW_S
    assert hold_store.load(crowd[4].account_id) == Holds(crowd[4].account_id)
    assert available(sku_id) == 46
    assert ordered(crowd[4], sku_id, source_ip="198.51.100.2").status == 201


def test_units_of_a_network_count_and_ipv6_counts_by_64(cloud: str, few: None) -> None:
    sku_id = shop().product(stock=50).sku_id
    assert ordered(buyer(), sku_id, 6, source_ip="2001:db8:7:7::1").status == 201
    assert ordered(buyer(), sku_id, 6, source_ip="2001:db8:7:7:aaaa::2").status == 201
    assert ordered(buyer(), sku_id, 1, source_ip="2001:db8:7:7:bbbb::3").status == 429
    assert ordered(buyer(), sku_id, 1, source_ip="2001:db8:7:8::1").status == 201


def test_a_known_account_pays_for_no_crowd(cloud: str, few: None) -> None:
    sku_id = shop().product(stock=50).sku_id
    known = buyer()
    sale = orders.load_sale(ordered(known, sku_id).json["purchase_id"])
    _pay(sale)
    for _ in range(4):
        assert ordered(buyer(), sku_id).status == 201
    assert ordered(buyer(), sku_id).status == 429
    assert ordered(known, sku_id).status == 201
    assert orders.load_purchase(ordered(known, sku_id).json["purchase_id"]).network == ""


def _pay(sale: orders.Sale) -> None:
    from chalicelib.kernel import ids
    from chalicelib.runtime.db.work import UnitOfWork

    with UnitOfWork() as work:
        payment_id = ids.child_id("pay", sale.purchase.purchase_id, 1)
        orders.settle(work, sale, payment_id=payment_id, captured=sale.purchase.total, at=clock.now())


def counted(source_ip: str = "198.51.100.1") -> tuple[int, int]:
    """Return purchases and units on the only network's row."""
    rows = [row for row in dump.tables(*(t for t in topology.TABLES if t != "holds"))["holds"] if '"net_' in row]
    import json

    items = [json.loads(row) for row in rows]
    assert source_ip not in str(items)
    return sum(int(item["purchases"]["N"]) for item in items), sum(int(item["units"]["N"]) for item in items)


@pytest.mark.parametrize(("how", "left"), [("paid", (2, 4)), ("called off", (1, 1)), ("expired", (2, 4))])
def test_a_networks_count_goes_down_once_when_called_off(
    cloud: str, noon: Any, few: None, how: str, left: tuple[int, int]
) -> None:
    sku_id = shop().product(stock=50).sku_id
    who = buyer()
    assert ordered(buyer(), sku_id, 1).status == 201
    purchase_id = ordered(who, sku_id, 3).json["purchase_id"]
    assert counted() == (2, 4)
    if how == "paid":
        _pay(orders.load_sale(purchase_id))
    elif how == "called off":
        for _ in range(2):
            assert who.post(f"/v1/purchases/{purchase_id}/cancel", key="call-off-once").status == 200
    else:
        expire_all(noon)
        checkout.expire(purchase_id)
        assert orders.load_purchase(purchase_id).status == "expired"
    assert counted() == left


@pytest.mark.parametrize("units", [3, 6])
def test_ever_new_accounts_do_not_hold_and_call_off_without_end(cloud: str, noon: Any, few: None, units: int) -> None:
    sku_id = shop().product(stock=100).sku_id
    most = hold_rules.limits_of(FEW)["network"].units * hold_rules.CALLED_OFF_TIMES
    answers = []
    for _ in range(most // units + 3):
        who = buyer()
        answers.append(ordered(who, sku_id, units))
        if answers[-1].status == 201:
            assert who.post(f"/v1/purchases/{answers[-1].json['purchase_id']}/cancel").status == 200

    passed = -(-most // units)
    assert [answer.status for answer in answers] == [201] * passed + [429] * (len(answers) - passed)
    assert answers[-1].json["code"] == "too_many_unpaid_here"
    assert available(sku_id) == 100
    assert ordered(buyer(), sku_id, 1, source_ip="198.51.100.2").status == 201
    noon.advance(timedelta(days=1))
    assert ordered(buyer(), sku_id, units).status == 201


def rows() -> dump.Dump:
    return dump.tables(*(table for table in topology.TABLES if table != "holds"))


def test_paying_in_time_writes_nothing_about_holding(cloud: str, few: None) -> None:
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    sale = orders.load_sale(ordered(who, sku_id).json["purchase_id"])
    before = rows()
    _pay(sale)
    assert dump.differences(before, rows()) == []


def test_a_known_account_that_paid_all_is_never_refused(cloud: str, few: None) -> None:
    """Its list says that three are unpaid, all of them paid: one look, and they are gone."""
    who, sku_id = buyer(), shop().product(stock=50).sku_id
    for _ in range(7):
        made = ordered(who, sku_id, 6)
        assert made.status == 201
        _pay(orders.load_sale(made.json["purchase_id"]))
    held = hold_store.load(who.account_id)
    assert held.paid >= 4
    assert len(held.unpaid()) <= 3
    unpaid = [ordered(who, sku_id) for _ in range(4)]
    assert [answer.status for answer in unpaid] == [201, 201, 201, 409]
    assert unpaid[-1].json["purchase_ids"] == [answer.json["purchase_id"] for answer in unpaid[:3]]


def test_units_that_are_paid_hold_nobody_up(cloud: str, few: None) -> None:
    who, sku_id = buyer(), shop().product(stock=200).sku_id
    first = ordered(who, sku_id, 6)
    _pay(orders.load_sale(first.json["purchase_id"]))
    second = ordered(who, sku_id, 45)
    assert second.status == 201
    _pay(orders.load_sale(second.json["purchase_id"]))
    assert ordered(who, sku_id, 50).status == 201
    refused = ordered(who, sku_id, 1)
    assert (refused.json["code"], refused.json["held"]) == ("too_many_unpaid_units", 50)


def test_a_list_does_not_grow_with_what_is_over(cloud: str, noon: Any) -> None:
    who, sku_id = buyer(), shop().product(stock=90).sku_id
    for number in range(20):
        made = ordered(who, sku_id)
        assert made.status == 201, number
        _pay(orders.load_sale(made.json["purchase_id"]))
        assert len(hold_store.load(who.account_id).holds) <= hold_rules.LAPSED_KEPT + 2
        noon.advance(timedelta(days=2))
    assert ordered(who, sku_id).status == 201


def test_a_purchase_called_off_while_another_is_placed_is_counted_where_it_belongs(
    cloud: str, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the write: the write loses, looks again, and finds room."""
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    made = [ordered(who, sku_id).json["purchase_id"] for _ in range(2)]
    who.put(sku_id)
    quote = who.quote().json["quote"]
    real, first = holds._looked, iter([True])

    def look(standing: holds.Standing) -> holds.Standing:
        found = real(standing)
        if next(first, False):
            checkout.cancel_purchase(made[0], account_id=who.account_id, intent=system_intent("off"))
            return replace(found, kept=replace(found.kept, holds=()))  # As if both had been paid.
        return found

    monkeypatch.setattr(holds, "_looked", look)
    assert who.place(quote).status == 201
    held = hold_store.load(who.account_id)
    assert len(held.unpaid()) == 2
    assert sum(hold.state is HoldState.CALLED_OFF for hold in held.holds) == 1


def test_marks_of_a_release_that_wrote_them_at_paying_count_once(cloud: str, few: None) -> None:
    """A row as the last release left it: paid, counted and marked by the paying itself."""
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    sale = orders.load_sale(ordered(who, sku_id).json["purchase_id"])
    _pay(sale)
    with UnitOfWork() as work:
        hold_store.mark(work, who.account_id, sale.purchase.purchase_id, HoldState.PAID)
    assert ordered(who, sku_id).status == 201
    held = hold_store.load(who.account_id)
    assert (held.paid, len(held.unpaid())) == (1, 1)


def test_a_network_whose_new_accounts_pay_is_never_full(cloud: str, few: None) -> None:
    sku_id = shop().product(stock=90).sku_id
    for number in range(13):
        made = ordered(buyer(), sku_id, 3)
        assert made.status == 201, number
        _pay(orders.load_sale(made.json["purchase_id"]))
    for _ in range(4):
        assert ordered(buyer(), sku_id).status == 201
    before = rows()
    refused = ordered(buyer(), sku_id)
    assert (refused.status, refused.json["code"]) == (429, "too_many_unpaid_here")
    assert dump.differences(before, rows()) == []  # A refusal leaves no trace.


@pytest.mark.parametrize("left", [0, 1, 2])
def test_at_the_same_moment_no_more_of_a_crowd_pass_than_may(
    cloud: str, few: None, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four are counted, ``left`` of them paid: of five who order at once exactly so many pass."""
    sku_id = shop().product(stock=90).sku_id
    made = [ordered(buyer(), sku_id).json["purchase_id"] for _ in range(4)]
    for purchase_id in made[:left]:
        _pay(orders.load_sale(purchase_id))
    crowd = [buyer() for _ in range(5)]
    quotes = []
    for who in crowd:
        who.put(sku_id)
        quotes.append(who.quote().json["quote"])
    answers: list[Answer] = []
    with at("198.51.100.1"):
        threads = [
            threading.Thread(target=lambda w=who, q=quote: answers.append(w.place(q)))
            for who, quote in zip(crowd, quotes, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answer.status for answer in answers) == [201] * left + [429] * (5 - left)
    assert counted() == (4, 4)


def test_what_ran_out_and_was_paid_late_counts_for_its_network_until_the_day_is_over(
    cloud: str, noon: Any, few: None
) -> None:
    sku_id = shop().product(stock=90).sku_id
    made = [ordered(buyer(), sku_id).json["purchase_id"] for _ in range(4)]
    expire_all(noon)
    _pay(orders.load_sale(made[0]))
    assert ordered(buyer(), sku_id).status == 429
    noon.advance(timedelta(days=1))
    assert ordered(buyer(), sku_id).status == 201


def test_a_network_counted_without_a_list_counts_on_and_frees_what_is_listed(cloud: str, few: None) -> None:
    """A row that a release before counted: two purchases nobody listed, and two that are."""
    sku_id = shop().product(stock=90).sku_id
    made = [ordered(buyer(), sku_id).json["purchase_id"] for _ in range(4)]
    network = orders.load_purchase(made[0]).network
    _forget(network, made[:2])
    for purchase_id in made:
        _pay(orders.load_sale(purchase_id))
    assert [ordered(buyer(), sku_id).status for _ in range(3)] == [201, 201, 429]


def _forget(network: str, purchase_ids: list[str]) -> None:
    names = {f"#g{number}": one for number, one in enumerate(purchase_ids)}
    aws.call(
        "dynamodb",
        "UpdateItem",
        {
            "TableName": hold_store.HoldRow.Meta.table_name,
            "Key": {"holder": {"S": network}},
            "UpdateExpression": f"REMOVE {', '.join(names)}, #version",
            "ExpressionAttributeNames": {**names, "#version": "version"},
        },
    )


# --- the rules --------------------------------------------------------------------------------------------------------

START = datetime(2026, 11, 22, 4, tzinfo=UTC)


def a_hold(number: int, units: int = 1, state: HoldState = HoldState.UNPAID) -> Hold:
    return Hold(f"pur_{number}", units, START + timedelta(minutes=number), f"q{number}", state)


@pytest.mark.parametrize(
    ("states", "units", "refusal"),
    [
        ([HoldState.UNPAID], 1, None),
        ([HoldState.UNPAID] * 2, 1, hold_rules.TooManyUnpaid),
        ([HoldState.PAID] * 9, 1, None),
        ([HoldState.CALLED_OFF] * 3, 1, None),
        ([HoldState.CALLED_OFF] * 4, 1, hold_rules.TooManyCalledOff),
        ([HoldState.UNPAID], 9, None),
        ([HoldState.UNPAID], 10, hold_rules.TooManyUnpaidUnits),
        ([], 11, hold_rules.TooManyUnits),
        ([], 10, None),
    ],
)
def test_what_counts(states: list[HoldState], units: int, refusal: type[Exception] | None) -> None:
    held = Holds("acc_1", holds=tuple(a_hold(number, state=state) for number, state in enumerate(states)))
    limits = Limits(purchases=2, units=10, called_off=4)
    if refusal is None:
        hold_rules.admit(held, units, limits)
        return
    with pytest.raises(refusal):
        hold_rules.admit(held, units, limits)


def test_paid_ones_are_remembered_a_little_for_their_quotes_sake() -> None:
    many = Holds("acc_1", holds=tuple(a_hold(number, state=HoldState.PAID) for number in range(40)))
    kept = hold_rules.kept(many, now=START)
    assert [hold.purchase_id for hold in kept.holds] == [f"pur_{number}" for number in range(20, 40)]
    few = replace(many, holds=many.holds[:10])
    left = hold_rules.kept(few, now=START + hold_rules.QUOTE_KNOWN_FOR + timedelta(minutes=5))
    assert len(left.holds) == 10 - 6


def test_what_is_learned_is_counted_once_and_what_waits_counts_on() -> None:
    held = Holds("acc_1", paid=1, holds=tuple(a_hold(number) for number in range(4)))
    late = START + timedelta(days=2)
    known = hold_rules.known(held, paid={"pur_0", "pur_1"}, waiting={"pur_2"}, now=late)
    assert (known.paid, [hold.purchase_id for hold in known.holds]) == (3, ["pur_2"])
    soon = hold_rules.known(held, paid={"pur_0"}, waiting={"pur_2"}, now=START + timedelta(minutes=5))
    assert (soon.paid, [hold.purchase_id for hold in soon.unpaid()]) == (2, ["pur_1", "pur_2", "pur_3"])
    assert hold_rules.known(soon, paid={"pur_0"}, waiting=(), now=START).paid == 2  # It is known already.


@pytest.mark.parametrize(
    "text", ["fresh", "fresh:1", "fresh:1/2", "old:1/2/3", "fresh:a/b/c", "network:1/2/3", "fresh:-1/2/3"]
)
def test_a_setting_that_says_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not limits|invalid literal"):
        hold_rules.limits_of(text)


def test_a_setting_changes_what_it_names() -> None:
    found = hold_rules.limits_of("known:7/70/9")
    assert found == {**hold_rules.DEFAULTS, "known": Limits(7, 70, 9)}
    assert hold_rules.limits_of("") == hold_rules.DEFAULTS


# --- the quote that was used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["nothing", "another", "called off", "expired", "paid"])
def test_a_used_quote_names_its_purchase_whatever_became_of_it(cloud: str, noon: Any, then: str) -> None:
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    who.put(sku_id)
    quote = who.quote().json["quote"]
    purchase_id = who.place(quote).json["purchase_id"]
    if then == "another":
        assert ordered(who, sku_id).status == 201
    elif then == "called off":
        assert who.post(f"/v1/purchases/{purchase_id}/cancel").status == 200
    elif then == "expired":
        expire_all(noon)
    elif then == "paid":
        _pay(orders.load_sale(purchase_id))
    before = available(sku_id)
    who.token = people.token(who.account_id)

    again = who.place(quote)

    assert (again.status, again.json["code"], again.json["purchase_id"]) == (409, "quote_used", purchase_id)
    assert available(sku_id) == before


def test_two_clicks_at_the_same_moment_under_two_keys_are_one_purchase(cloud: str) -> None:
    who, sku_id = buyer(), shop().product(stock=9).sku_id
    who.put(sku_id)
    quote = who.quote().json["quote"]
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(who.place(quote))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [placed] = [answer for answer in answers if answer.status == 201]
    refused = [answer.json for answer in answers if answer.status == 409]
    assert [(one["code"], one["purchase_id"]) for one in refused] == [("quote_used", placed.json["purchase_id"])] * 3
    assert available(sku_id) == 8
