"""WeChat Pay, Alipay, QQ Wallet and Stripe end to end: real routes, streams, queues and deadlines on our side, their
stand-ins on the other. One table of scenarios, played with every provider; see ``desk`` for how.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import pytest

from chalicelib import topology
from chalicelib.catalog.domain import Cause
from chalicelib.runtime import aws, log, names, queues
from tests.e2e.desk import FREIGHT, NOW, STOCK, TOTAL, WAYS, Customer, Desk, Scenario, Steps, paid_accounts, play
from tools.bench import lab

POLLED = timedelta(seconds=31)
"""By then a silent attempt or refund has been asked about once."""
EXPIRED = timedelta(minutes=30, seconds=1)
SOON = timedelta(seconds=1)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    scenario: Scenario
    only: tuple[str, ...]
    shops: int


TABLE: dict[str, Line] = {}


def scenario(*only: str, shops: int = 1) -> Callable[[Scenario], Scenario]:
    """Add a scenario to the table; ``only`` where it does not concern every provider."""

    def add(function: Scenario) -> Scenario:
        TABLE[function.__name__] = Line(function, only or tuple(WAYS), shops)
        return function

    return add


# --- paying -----------------------------------------------------------------------------------------------------------


@scenario()
def paid_and_told(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.is_paid()
    assert c.there(payment_id) == (TOTAL, 0)
    assert set(c.answers(payment_id)) == {c.way.took}


def _through(method: str) -> Scenario:
    def paid_through(c: Customer) -> Steps:
        payment_id = c.started(method)
        assert c.story()["payments"][0]["method"] == method
        c.stand.pay(payment_id)
        yield NOW
        c.is_paid()

    return paid_through


for _way in WAYS.values():
    for _method in _way.methods:
        TABLE[f"paid_through_{_way.name}_{_method}"] = Line(_through(_method), (_way.name,), 1)


@scenario(shops=2)
def one_payment_for_two_merchants(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.is_paid()
    c.refund(TOTAL, shop=1)
    yield POLLED
    c.is_paid(refunded=(0, TOTAL))
    assert c.there(payment_id) == (2 * TOTAL, TOTAL)


@scenario()
def the_notice_is_lost(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, notify=False)
    c.stand.pay(payment_id)
    yield NOW
    c.is_untouched()
    yield POLLED
    c.is_paid()
    assert c.answers(payment_id) == []


@scenario()
def the_notice_comes_ten_times_and_out_of_order(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, duplicates=10, reorder=True)
    c.stand.pay(payment_id)
    yield NOW
    c.is_paid()
    assert c.entries == 1
    assert len(c.answers(payment_id)) >= 10
    assert set(c.answers(payment_id)) == {c.way.took}


@scenario()
def the_notice_is_late(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, delay_s=45)
    c.stand.pay(payment_id)
    yield POLLED
    c.is_paid()
    yield timedelta(seconds=30)
    c.is_paid()
    assert c.entries == 1
    assert set(c.answers(payment_id)) == {c.way.took}


@scenario()
def the_browser_sends_its_request_twice(c: Customer) -> Steps:
    first = c.start(key=f"twice-{c.purchase_id}")
    again = c.start(key=f"twice-{c.purchase_id}")
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert again.headers["idempotency-replayed"] == "true"
    c.open(first.json["instruction"])
    c.stand.pay(c.attempt())
    yield NOW
    c.is_paid()


# --- notices that must not count --------------------------------------------------------------------------------------


def _refused(**steering: bool) -> Scenario:
    def refused(c: Customer) -> Steps:
        payment_id = c.started()
        c.stand.steer(payment_id, **steering)
        c.stand.pay(payment_id)
        yield NOW
        c.is_untouched()
        # A key that we do not hold may be the provider's new one, where it can be told: the notice is to come again.
        answer = 503 if steering.get("unknown_key") and c.way.name == "wechatpay" else c.way.refused
        assert set(c.answers(payment_id)) == {answer}
        yield POLLED  # Asking finds the truth.
        c.is_paid()
        assert set(c.answers(payment_id)) == {answer}
        assert c.doubts == []

    return refused


for _fault in ("tamper", "unknown_key", "stale"):
    TABLE[f"refused_for_{_fault}"] = Line(
        _refused(**{_fault: True}), tuple(name for name, way in WAYS.items() if _fault != "stale" or way.has_window), 1
    )


def _of_others(**steering: bool) -> Scenario:
    def kept(c: Customer) -> Steps:
        payment_id = c.started()
        c.stand.steer(payment_id, **steering)
        c.stand.pay(payment_id)
        yield NOW
        c.is_paid()  # By the answer to our question; what was said is an operator's to read.
        assert set(c.answers(payment_id)) == {c.way.took}
        assert set(c.doubts) == {"foreign_notice"}

    return kept


for _fault in ("other_merchant", "other_app"):
    TABLE[f"kept_for_{_fault}"] = Line(
        _of_others(**{_fault: True}), tuple(name for name in WAYS if (_fault, name) != ("other_app", "stripe")), 1
    )


@scenario("stripe")
def an_event_that_names_another_system_is_asked_about(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, other_app=True)
    c.stand.pay(payment_id)
    yield NOW
    c.is_paid()  # By the provider's answer about its own number; what the event said is believed in nothing.
    assert c.doubts == []


@scenario("stripe")
def an_event_of_the_live_mode_is_refused(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, other_mode=True)
    c.stand.pay(payment_id)
    yield NOW
    c.is_untouched()
    assert set(c.answers(payment_id)) == {c.way.refused}


@scenario("wechatpay")
def a_probe_is_refused_and_the_notice_after_it_counts(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, probe=("notice",))
    c.stand.pay(payment_id)
    yield NOW
    c.is_untouched()
    assert c.answers(payment_id) == [c.way.refused]
    yield timedelta(seconds=16)
    c.is_paid()
    assert c.answers(payment_id) == [c.way.refused, c.way.took]


@scenario("wechatpay")
def answers_signed_as_probes_are_not_believed(c: Customer) -> Steps:
    c.stand.steer(c.attempt(), probe=("create", "query"), notify=False)
    key = f"probe-{c.purchase_id}"
    assert c.start(key=key).json["status"] == "started"
    assert c.start(key=key).json["status"] == "pending"
    c.stand.pay(c.attempt())
    yield POLLED  # The answer to this question is a probe as well.
    c.is_untouched()
    yield timedelta(seconds=61)
    c.is_paid()


@scenario()
def the_notice_names_another_amount(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, notice_amount=1)
    c.stand.pay(payment_id)
    yield NOW
    c.is_paid()  # The provider's own answer decides.
    assert c.doubts == (["amount_differs"] if c.way.proves else [])


@scenario("wechatpay", "qqwallet", "stripe")
def the_notice_names_another_currency(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, notice_currency="USD")
    c.stand.pay(payment_id)
    yield POLLED
    c.is_paid()
    assert c.doubts in ([], ["amount_differs"])


@scenario("qqwallet", "stripe")
def the_provider_contradicts_itself(c: Customer) -> Steps:
    """What it says it took goes back; that it really took more, only its bill will tell."""
    payment_id = c.started()
    c.stand.steer(payment_id, notify=False, answer_amount=TOTAL - 1)
    c.stand.pay(payment_id)
    yield POLLED
    assert c.status == "awaiting_payment"
    c.stand.steer(payment_id, answer_amount=None)
    yield timedelta(minutes=3)
    assert c.payments == ["returned"]
    assert c.accounts == {}
    c.apart = -1


@scenario()
def another_amount_was_really_paid(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.pay(payment_id, amount=TOTAL - 1)
    yield POLLED + POLLED
    assert c.payments == ["returned"]
    assert c.accounts == {}
    assert c.status == "awaiting_payment"
    assert c.there(payment_id) == (TOTAL - 1, TOTAL - 1)
    second = c.paid()
    yield NOW
    c.is_paid(attempts=("returned", "captured"))
    assert c.there(second) == (TOTAL, 0)


@scenario()
def an_old_notice_is_sent_again_after_the_refund(c: Customer) -> Steps:
    payment_id = c.paid()
    content = next(out.content for out in c.stand.outbox if payment_id in str(out.content))
    recorded = c.stand.signed_notice(content)
    yield NOW
    c.refund(TOTAL)
    yield timedelta(minutes=11)
    assert c.payments == ["refunded"]
    url = f"https://shop.example/v1/webhooks/payments/{c.way.name}"
    if c.way.has_window:
        assert c.desk.lab.post(url, *recorded) == c.way.refused
    assert c.desk.lab.post(url, *c.stand.signed_notice(content)) == c.way.took
    yield NOW
    assert c.payments == ["refunded"]
    assert c.accounts == {}
    assert c.entries == 2


# --- silence ----------------------------------------------------------------------------------------------------------


@scenario()
def the_order_is_made_but_its_answer_is_lost(c: Customer) -> Steps:
    c.stand.steer(c.attempt(), silent_after=("create",))
    key = f"lost-{c.purchase_id}"
    answer = c.start(c.way.sent_method, key=key)
    assert (answer.status, answer.json["status"]) == (201, "started")
    assert "instruction" not in answer.json or answer.json["instruction"] is None
    again = c.start(c.way.sent_method, key=key)  # The same number goes on.
    assert (again.status, again.json["status"]) == (201, "pending")
    assert again.json["payment_id"] == answer.json["payment_id"] == c.attempt()
    c.open(again.json["instruction"])
    c.stand.pay(c.attempt())
    yield NOW
    c.is_paid()
    assert c.there(c.attempt()) == (TOTAL, 0)


@scenario()
def the_order_never_arrives_and_is_sent_again(c: Customer) -> Steps:
    c.stand.steer(c.attempt(), silent_before=("create",))
    key = f"unheard-{c.purchase_id}"
    assert c.start(c.way.sent_method, key=key).json["status"] == "started"
    yield POLLED
    assert c.payments == ["started"]
    again = c.start(c.way.sent_method, key=key)
    assert again.json["status"] == "pending"
    c.open(again.json["instruction"])
    c.stand.pay(c.attempt())
    yield NOW
    c.is_paid()


@scenario()
def questions_get_no_answer_for_a_while(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, notify=False, down=("query",))
    c.stand.pay(payment_id)
    yield POLLED
    c.is_untouched()
    c.stand.steer(payment_id, down=())
    yield timedelta(seconds=61)
    c.is_paid()


@scenario()
def answers_with_a_wrong_signature_are_not_believed(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, notify=False, unsigned=("query",))
    c.stand.pay(payment_id)
    yield POLLED
    c.is_untouched()
    yield timedelta(seconds=61)
    c.is_paid()


# --- too late, twice, at the same moment ------------------------------------------------------------------------------


@scenario()
def nobody_pays(c: Customer) -> Steps:
    payment_id = c.started()
    yield EXPIRED
    yield NOW
    assert (c.status, c.payments, c.accounts) == ("expired", ["closed"], {})
    with pytest.raises(ValueError, match=r"closed|expired|canceled|over"):
        c.stand.pay(payment_id)


@scenario()
def paid_after_expiry(c: Customer) -> Steps:
    payment_id = c.started()
    yield EXPIRED
    assert (c.status, c.payments) == ("expired", ["closed"])
    c.stand.pay_closed(payment_id)  # What they say cannot happen.
    yield POLLED
    c.is_paid()  # The goods were free: they are taken again.
    assert c.refunds == []
    assert c.there(payment_id) == (TOTAL, 0)


@scenario(shops=2)
def paid_after_expiry_of_what_is_not_sold_any_more(c: Customer) -> Steps:
    payment_id = c.started()
    yield EXPIRED
    assert (c.status, c.payments) == ("expired", ["closed"])
    c.desk.list_second(Cause.UNLIST)
    c.stand.pay_closed(payment_id)
    yield POLLED
    c.desk.list_second(Cause.LIST)
    assert (c.status, c.payments, c.refunds) == ("expired", ["returned"], ["succeeded"])
    assert c.accounts == {}
    assert c.there(payment_id) == (c.total, c.total)
    assert [refund["reason"] for refund in c.story()["refunds"]] == ["purchase_off_sale"]


@scenario()
def paid_twice(c: Customer) -> Steps:
    first = c.started()
    c.stand.steer(first, down=("query", "close"))  # So it cannot be closed before the second begins.
    second = c.started()
    c.stand.steer(first, down=())
    c.stand.pay(first)
    c.stand.pay(second)
    yield POLLED
    assert c.status == "paid"
    assert sorted(c.payments) == ["captured", "returned"]
    assert c.refunds == ["succeeded"]
    assert c.accounts == paid_accounts()
    assert sorted([c.there(first), c.there(second)]) == [(TOTAL, 0), (TOTAL, TOTAL)]


@scenario()
def the_first_attempt_is_closed_and_paid_all_the_same(c: Customer) -> Steps:
    first = c.started()
    second = c.started()
    assert c.payments == ["closed", "pending"]
    c.stand.pay(second)
    yield NOW
    c.is_paid(attempts=("closed", "captured"))
    c.stand.pay_closed(first)
    yield POLLED
    c.is_paid(attempts=("returned", "captured"))
    assert (c.there(first), c.there(second)) == ((TOTAL, TOTAL), (TOTAL, 0))


@scenario()
def paid_while_a_second_attempt_closes_the_first(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, pay_during_close=True)
    answer = c.start()
    assert (answer.status, answer.json["code"]) == (409, "already_paid")
    yield NOW
    c.is_paid()
    assert c.there(payment_id) == (TOTAL, 0)
    assert c.entries == 1


@scenario()
def paid_while_the_purchase_expires(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, pay_during_close=True, notify=False)
    yield EXPIRED
    c.is_paid()
    assert c.there(payment_id) == (TOTAL, 0)


@scenario()
def unknown_at_expiry_holds_the_goods_until_the_provider_answers(c: Customer) -> Steps:
    payment_id = c.started()
    c.stand.steer(payment_id, down=("query", "close"), notify=False)
    yield EXPIRED - SOON - SOON
    c.stand.pay(payment_id)
    yield SOON + SOON
    assert (c.status, c.payments) == ("awaiting_payment", ["pending"])
    c.stand.steer(payment_id, down=())
    yield timedelta(minutes=11)
    c.is_paid()


# --- refunds ----------------------------------------------------------------------------------------------------------


@scenario()
def refunded_in_full(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.refund(TOTAL)
    yield POLLED
    assert (c.payments, c.refunds, c.accounts) == (["refunded"], ["succeeded"], {})
    assert c.there(payment_id) == (TOTAL, TOTAL)


@scenario()
def refunded_in_parts(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.refund(FREIGHT)
    yield POLLED
    c.is_paid(refunded=(FREIGHT,))
    c.refund(1)
    c_more = c.refund(TOTAL - FREIGHT - 1)
    yield POLLED
    for _ in range(4):
        yield timedelta(minutes=1, seconds=1)
    assert (c.payments, c.refunds, c.accounts) == (["refunded"], ["succeeded"] * 3, {})
    assert c.there(payment_id) == (TOTAL, TOTAL)
    assert c.story()["refunds"][2]["refund_id"] == c_more
    if c.way.pause:
        moments = [refund.refunded_at for refund in c.stand.refunds.values() if refund.out_trade_no == payment_id]
        assert all(later - earlier >= 60 for earlier, later in pairwise(moments)), moments


@scenario()
def notices_of_a_refund_come_ten_times(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.steer(payment_id, duplicates=10)
    c.refund(FREIGHT)
    yield POLLED
    yield timedelta(minutes=2)
    c.is_paid(refunded=(FREIGHT,))
    assert c.entries == 2
    assert len(c.answers(payment_id)) >= (11 if c.way.tells_refunds else 1)


def _refund_answer_lost(**steering: tuple[str, ...]) -> Scenario:
    def lost(c: Customer) -> Steps:
        payment_id = c.paid()
        yield NOW
        c.stand.steer(payment_id, notify=False, **steering)
        refund_id = c.refund(FREIGHT)
        for _ in range(4):
            yield timedelta(minutes=1)
        assert [(found["refund_id"], found["status"]) for found in c.story()["refunds"]] == [(refund_id, "succeeded")]
        c.is_paid(refunded=(FREIGHT,))
        assert c.there(payment_id) == (TOTAL, FREIGHT)

    return lost


for _how in ("silent_after", "silent_before", "unsigned"):
    TABLE[f"refund_{_how}"] = Line(_refund_answer_lost(**{_how: ("refund",)}), tuple(WAYS), 1)


@scenario()
def a_refund_takes_its_time(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.steer(payment_id, refund="pending")
    refund_id = c.refund(FREIGHT)
    yield timedelta(minutes=5)
    assert c.refunds[0] in ("pending", "requested")  # Never shown as done.
    c.is_paid()
    assert c.there(payment_id) == (TOTAL, 0)
    c.stand.settle(refund_id, "succeeded")
    for _ in range(4):
        yield timedelta(minutes=5)
    assert c.refunds == ["succeeded"]
    c.is_paid(refunded=(FREIGHT,))


@scenario("wechatpay", "qqwallet")
def a_refund_is_stuck_at_the_bank(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.steer(payment_id, refund="pending")
    refund_id = c.refund(FREIGHT)
    yield NOW
    assert c.refunds == ["pending"]
    c.stand.settle(refund_id, "abnormal")
    yield POLLED
    assert c.refunds == ["abnormal"]
    c.is_paid()
    c.stand.settle(refund_id, "succeeded")  # Somebody at the provider mended it.
    assert c.retry(refund_id) == refund_id
    yield POLLED
    yield timedelta(minutes=3)
    assert c.refunds == ["succeeded"]
    c.is_paid(refunded=(FREIGHT,))


@scenario("wechatpay", "stripe")
def a_refund_is_closed_and_an_operator_renews_it(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.steer(payment_id, refund="pending")
    refund_id = c.refund(FREIGHT)
    yield NOW
    c.stand.settle(refund_id, "closed")
    yield POLLED
    assert c.refunds == ["closed"]
    c.is_paid()
    assert c.there(payment_id) == (TOTAL, 0)
    c.stand.steer(payment_id, refund="succeeded")
    assert c.retry(refund_id) != refund_id
    yield timedelta(minutes=2)
    assert c.refunds == ["replaced", "succeeded"]
    c.is_paid(refunded=(FREIGHT,))
    assert c.there(payment_id) == (TOTAL, FREIGHT)


@scenario()
def a_refund_fails_and_is_tried_again_under_its_number(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.steer(payment_id, refund="failed")
    refund_id = c.refund(FREIGHT)
    yield POLLED
    assert c.refunds == ["failed"]
    c.is_paid()
    assert c.there(payment_id) == (TOTAL, 0)
    c.stand.steer(payment_id, refund="succeeded")  # The balance filled up.
    assert c.retry(refund_id) == refund_id
    yield POLLED
    yield timedelta(minutes=2)
    assert c.refunds == ["succeeded"]
    c.is_paid(refunded=(FREIGHT,))
    assert c.there(payment_id) == (TOTAL, FREIGHT)


@scenario()
def refunded_in_the_providers_console(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.console_refund(payment_id, 500)
    c.apart = 500
    yield NOW
    assert c.doubts == ([c.way.tells_console] if c.way.tells_console else [])
    c.is_paid()  # Our books do not follow on their own: that is for reconciliation and a person.
    assert c.there(payment_id) == (TOTAL, 500)
    c.refund(TOTAL)  # More than is left there: refused, and an operator's case.
    yield timedelta(minutes=2)
    assert c.refunds == ["failed"]
    assert c.there(payment_id) == (TOTAL, 500)


@scenario("wechatpay", "alipay", "stripe")
def a_console_refund_is_taken_into_the_books(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.console_refund(payment_id, FREIGHT)
    yield NOW
    c.resolve({"how": "adopt", "order_id": c.order()})
    yield NOW
    assert c.refunds == ["succeeded"]
    c.is_paid(refunded=(FREIGHT,))
    assert c.there(payment_id) == (TOTAL, FREIGHT)
    c.refund(TOTAL - FREIGHT)
    yield timedelta(minutes=2)
    c.is_paid(refunded=(TOTAL,), attempts=("refunded",))


@scenario("stripe")
def a_refund_comes_back_and_is_renewed(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    refund_id = c.refund(FREIGHT)
    yield NOW
    c.is_paid(refunded=(FREIGHT,))
    c.stand.settle(refund_id, "failed")
    yield NOW
    assert c.refunds == ["closed"]
    c.is_paid()
    assert c.retry(refund_id) != refund_id
    yield NOW
    assert c.refunds == ["replaced", "succeeded"]
    c.is_paid(refunded=(FREIGHT,))
    assert c.there(payment_id) == (TOTAL, FREIGHT)


@scenario("stripe")
def disputed_and_won(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.dispute(payment_id)
    yield NOW
    assert (c.disputes, c.accounts["disputes:stripe"]) == (["open"], TOTAL)
    c.stand.end_dispute(payment_id, "won")
    yield NOW
    assert c.disputes == ["won"]
    c.is_paid()


@scenario("stripe")
def disputed_and_lost(c: Customer) -> Steps:
    payment_id = c.paid()
    yield NOW
    c.stand.steer("query_dispute", silent_before=("query_dispute",))
    c.stand.dispute(payment_id)
    yield timedelta(minutes=2)
    c.stand.end_dispute(payment_id, "lost")
    yield NOW
    assert (c.disputes, c.accounts["disputes:stripe"]) == (["lost"], TOTAL)
    assert "clearing" not in c.accounts
    assert c.there(payment_id) == (TOTAL, TOTAL)


# --- keys -------------------------------------------------------------------------------------------------------------


@scenario()
def the_providers_keys_are_changed(c: Customer) -> Steps:
    """Everybody else's scenario lives through it too."""
    payment_id = c.started()
    yield SOON
    c.desk.rotate(overlap=True)
    c.stand.steer(payment_id, duplicates=8)  # Signed with either key, as chance has it.
    c.stand.pay(payment_id)
    yield NOW
    c.is_paid()
    assert set(c.answers(payment_id)) == {c.way.took}
    c.desk.rotate(overlap=False)
    c.refund(FREIGHT)
    yield timedelta(minutes=1)
    c.is_paid(refunded=(FREIGHT,))


# --- the play ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(cloud: str) -> Iterator[lab.Lab]:
    log.set_level("CRITICAL")  # Thousands of calls; what matters is asserted.
    with lab.opened(real_providers=True) as opened:
        yield opened
    log.set_level("INFO")


@pytest.mark.parametrize("name", WAYS)
def test_every_scenario(name: str, shop: lab.Lab, subtests: pytest.Subtests) -> None:
    wanted = os.environ.get("SCENARIO", "")  # One alone, while something is being mended.
    lines = {key: line for key, line in TABLE.items() if name in line.only and wanted in key}
    desk = Desk(shop, WAYS[name])

    wrong = play(
        desk,
        {key: line.scenario for key, line in lines.items()},
        shops={key: line.shops for key, line in lines.items()},
    )

    for customer in desk.customers:
        with subtests.test(customer.name):
            if customer.name in wrong:
                raise wrong[customer.name]
            customer.books_agree()
    with subtests.test("afterwards"):
        assert [queue for queue in topology.QUEUES if _dead(queue)] == []
        sold = sum(customer.units_gone() for customer in desk.customers if customer.status == "paid")
        waiting = sum(customer.shops for customer in desk.customers if customer.status == "awaiting_payment")
        assert desk.stock_left() == 2 * STOCK - sold - waiting
        assert not [call for call in desk.stand.refusals if "sign" in call.lower()]


def _dead(queue: str) -> bool:
    address = queues.url(names.dead_letter_name(queue))
    answer = aws.call("sqs", "ReceiveMessage", {"QueueUrl": address, "VisibilityTimeout": 0})
    return bool(answer.get("Messages"))
