"""Disputes: whatever order their events come in, the provider's answer counts, and contested money goes back once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from chalicelib.kernel import clock
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.payments.disputes import follow
from chalicelib.payments.domain import reservation
from chalicelib.payments.domain.dispute import DISPUTE, Dispute, DisputeCause, DisputeStatus
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.payments.refunds import request as refund_requests
from chalicelib.payments.reviews import quarantine
from chalicelib.payments.store import records as store
from chalicelib.runtime import outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, http, people
from tests.support.paying import Till, accounts, payment, story
from tools.fakes import resources
from tools.fakes.sandbox import mount, stripe

TOTAL = 1999


class Shop(Till):
    """The till with Stripe's stand-in at its other end."""

    def start(self, sale: orders.Sale, *, key: str | None = None, **body: Any) -> http.Answer:
        told = {"provider": "stripe", "return_url": "https://shop.example/paid", **body}
        return super().start(sale, key=key, **told)

    @property
    def stand(self) -> stripe.Stripe:
        return cast("stripe.Stripe", self.sandbox)

    def refund(self, sale: orders.Sale, minor: int) -> http.Answer:
        return self.operate(
            "POST",
            f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds",
            {
                "order_id": sale.orders[0].order_id,
                "amount": {"minor": minor, "currency": "CNY"},
                "reason": "goodwill",
            },
        )


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Shop]:
    stand: Any = stripe.Stripe(now=lambda: clock.now().timestamp(), chance=random.Random(5))
    secret = {key: value for key, value in stand.configuration().items() if key != "livemode"}
    resources.create_all({"payments-stripe": secret})
    outbound.install(mount.by_host(dict.fromkeys(stripe.HOSTS, stand)))
    yield Shop(noon, stand, people.buyer(), people.operator())
    outbound.install(None)


def only(sale: orders.Sale) -> Dispute:
    (found,) = story(sale).disputes
    return found


def agree(till: Shop, sale: orders.Sale, payment_id: str) -> None:
    """Check that our clearing account is what the provider's own books come to."""
    captured, gone = till.stand.money(payment_id)
    assert accounts(sale).get("clearing:stripe", 0) == captured - gone


def cases(till: Shop) -> list[tuple[str, str]]:
    found = till.operate("GET", "/v1/operator/cases").json["items"]
    return [(case["kind"], case["said"]["status"]) for case in found]


def test_a_lost_dispute_costs_what_it_took_and_nothing_is_refunded_besides(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id)
    till.settle()
    dispute = only(sale)
    assert (dispute.status, dispute.taken_minor, dispute.reason) == (DisputeStatus.OPEN, TOTAL, "fraudulent")
    assert dispute.answer_by == clock.now() + timedelta(days=14)
    assert payment(payment_id).disputed_minor == TOTAL
    assert accounts(sale)["disputes:stripe"] == TOTAL
    agree(till, sale, payment_id)
    assert cases(till) == [("dispute", "open")]
    listed = till.operate("GET", "/v1/operator/payments?status=disputed").json["disputes"]
    assert [(found["dispute_id"], found["held"]["minor"]) for found in listed] == [(dispute.dispute_id, TOTAL)]

    before = dump.tables()
    refused = till.refund(sale, 1)
    assert (refused.status, refused.json["why"], refused.json["left"]) == (409, "disputed", 0)
    assert dump.differences(before, dump.tables()) == []

    till.stand.end_dispute(payment_id, "lost")
    till.settle()
    assert (only(sale).status, only(sale).taken_minor) == (DisputeStatus.LOST, TOTAL)
    assert cases(till) == [("dispute", "lost")]
    assert till.operate("GET", "/v1/operator/payments?status=disputed").json["disputes"] == []
    agree(till, sale, payment_id)
    told = [item["what"] for item in timeline(till, sale)]
    assert [what for what in told if what.startswith("dispute")] == ["dispute.opened", "dispute.lost"]


def timeline(till: Shop, sale: orders.Sale) -> list[dict[str, Any]]:
    answer = till.operate("GET", f"/v1/operator/purchases/{sale.purchase.purchase_id}/story")
    return cast("list[dict[str, Any]]", answer.json["items"])


def test_a_won_dispute_gives_everything_back_and_can_be_refunded_again(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    before = accounts(sale)
    till.stand.dispute(payment_id)
    till.settle()
    till.stand.end_dispute(payment_id, "won")
    till.settle()
    assert (only(sale).status, only(sale).taken_minor, payment(payment_id).disputed_minor) == (DisputeStatus.WON, 0, 0)
    assert accounts(sale) == before
    assert cases(till) == []
    assert till.refund(sale, TOTAL).status == 201
    till.settle()
    assert payment(payment_id).status is PaymentStatus.REFUNDED
    agree(till, sale, payment_id)


def test_an_inquiry_takes_nothing_until_it_escalates(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id, amount=1000, inquiry=True)
    till.settle()
    assert (only(sale).status, only(sale).taken_minor, payment(payment_id).disputed_minor) == (DisputeStatus.OPEN, 0, 0)
    till.stand.end_dispute(payment_id, "warning_closed")
    till.settle()
    assert (only(sale).status, cases(till)) == (DisputeStatus.ENDED, [])
    till.stand.end_dispute(payment_id, "needs_response")
    till.settle()
    assert (only(sale).status, only(sale).taken_minor) == (DisputeStatus.OPEN, 1000)
    assert payment(payment_id).disputed_minor == 1000
    assert cases(till) == [("dispute", "open")]
    assert till.refund(sale, 1000).json["why"] == "disputed"
    agree(till, sale, payment_id)


@pytest.mark.parametrize("seed", range(6))
def test_in_any_order_and_ten_times_it_ends_the_same(till: Shop, seed: int) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id)
    till.stand.end_dispute(payment_id, "won")
    till.stand.end_dispute(payment_id, "lost")
    chance = random.Random(seed)
    till.stand.outbox += [*till.stand.outbox, *till.stand.outbox]
    chance.shuffle(till.stand.outbox)
    till.settle()
    assert (only(sale).status, only(sale).taken_minor, only(sale).moves) == (DisputeStatus.LOST, 0, 0)
    assert payment(payment_id).disputed_minor == 0
    agree(till, sale, payment_id)


def test_two_at_the_same_moment_book_one_withdrawal(till: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = till.paid((TOTAL,))
    number = till.stand.dispute(payment_id)["id"]
    till.stand.outbox.clear()
    real = follow._record
    rivals: list[Dispute | None] = []

    def record(*args: Any) -> Dispute:
        if not rivals:
            rivals.append(None)
            rivals.append(follow.follow("stripe", number))
        return real(*args)

    monkeypatch.setattr(follow, "_record", record)
    follow.follow("stripe", number)
    assert (only(sale).taken_minor, only(sale).moves, payment(payment_id).disputed_minor) == (TOTAL, 1, TOTAL)
    entries = [entry.entry_id for entry in ledger.entries(sale.purchase.purchase_id)]
    assert entries.count(f"dispute.moved#{only(sale).dispute_id}#1") == 1


def bounced(till: Shop, sale: orders.Sale, minor: int) -> str:
    """Refund a part, which comes back; returns its number."""
    refund_id = str(till.refund(sale, minor).json["refund_id"])
    till.settle()
    till.stand.settle(refund_id, "closed")
    till.settle()
    return refund_id


def test_what_came_back_is_not_refunded_again_on_top_of_a_chargeback(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    refund_id = bounced(till, sale, 700)
    till.stand.dispute(payment_id)
    till.settle()
    before = dump.tables()
    retry = f"/v1/operator/refunds/{refund_id}/retry"
    refused = till.operate("POST", retry, {})
    assert (refused.status, refused.json["why"], refused.json["left"]) == (409, "disputed", 0)
    assert dump.differences(before, dump.tables()) == []

    till.stand.end_dispute(payment_id, "won")
    till.settle()
    assert till.operate("POST", retry, {}).status == 200
    till.settle()
    assert payment(payment_id).refunded_minor == 700
    agree(till, sale, payment_id)


def test_what_is_left_beside_a_dispute_is_refunded_again(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    refund_id = bounced(till, sale, 700)
    till.stand.dispute(payment_id, amount=TOTAL - 700)
    till.settle()
    assert till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry", {}).status == 200


def test_a_dispute_in_the_moment_of_a_renewal_comes_first(till: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = till.paid((TOTAL,))
    refund_id = bounced(till, sale, 700)
    real = reservation.check_uncontested
    rivals: list[str] = []

    def check(held: Payment) -> None:
        real(held)
        if not rivals:
            rivals.append(till.stand.dispute(payment_id)["id"])
            till.settle()

    monkeypatch.setattr(reservation, "check_uncontested", check)
    refused = till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry", {})
    assert (refused.status, refused.json["why"]) == (409, "disputed")
    assert [refund.refund_id for refund in story(sale).refunds] == [refund_id]


def test_an_older_answer_never_replaces_a_newer_one(till: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked while it was open, answered after the bank had decided and somebody else had written that down."""
    sale, payment_id = till.paid((TOTAL,))
    number = till.stand.dispute(payment_id)["id"]
    till.settle()
    real = follow._ask
    asked: list[str] = []

    def ask(provider: str, name: str) -> Any:
        report = real(provider, name)
        asked.append(report.phase.value)
        if len(asked) == 2:  # The answer is on its way; meanwhile:
            till.stand.end_dispute(payment_id, "won")
            till.settle()
        return report

    monkeypatch.setattr(follow, "_ask", ask)
    follow.follow("stripe", number)
    assert (only(sale).status, payment(payment_id).disputed_minor) == (DisputeStatus.WON, 0)
    agree(till, sale, payment_id)


def test_while_nobody_answers_nothing_is_written_and_later_everything_is(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    before = dump.tables()
    till.stand.steer(down=("query_dispute",))
    till.stand.dispute(payment_id)
    till.settle()
    assert dump.differences(before, dump.tables()) == []
    till.stand.steer(down=())
    till.wait(timedelta(minutes=3))
    assert only(sale).taken_minor == TOTAL


def test_disputed_before_we_heard_of_the_capture(till: Shop) -> None:
    sale = till.sale((TOTAL,))
    payment_id = till.started(sale)
    till.stand.steer(payment_id, notify=False)
    till.stand.pay(payment_id)
    till.stand.dispute(payment_id)
    till.settle()
    assert (payment(payment_id).status, payment(payment_id).disputed_minor) == (PaymentStatus.CAPTURED, TOTAL)
    agree(till, sale, payment_id)


def test_another_shops_dispute_leaves_no_trace(till: Shop) -> None:
    _, payment_id = till.paid((TOTAL,))
    before = dump.tables()
    number = till.stand.dispute(payment_id)["id"]
    intent = till.stand.intent_of(payment_id)
    assert intent is not None
    intent["metadata"] = {"order": "7"}
    till.settle()
    assert follow.follow("stripe", number) is None
    assert dump.differences(before, dump.tables()) == []


def test_states_lead_nowhere_but_where_banks_do() -> None:
    assert {state.value: {cause.value for cause in row} for state, row in DISPUTE.edges.items()} == {
        "open": {"win", "lose", "end"},
        "won": {"lose", "reopen"},
        "lost": {"win", "reopen"},
        "ended": {"reopen", "win", "lose"},
    }
    assert DISPUTE.next(DisputeStatus.LOST, DisputeCause.WIN) is DisputeStatus.WON


# --- refunds made in the dashboard ------------------------------------------------------------------------------------


def quarantined(sale: orders.Sale) -> Any:
    (found,) = story(sale).quarantined
    return found


def resolve(till: Till, sale: orders.Sale, body: dict[str, Any], *, key: str | None = None) -> http.Answer:
    found = story(sale).quarantined[0]
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/quarantined/{found.quarantine_id}/resolve"
    return till.operate("POST", path, body, key=key)


def test_a_dashboard_refund_is_kept_at_once_and_taken_into_the_books(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,), commission_bps=500)
    number = till.stand.console_refund(payment_id, 705)["id"]
    till.settle()
    held = quarantined(sale)
    assert (held.why, held.said) == (
        "unknown_refund",
        {"refund_id": number, "amount": "7.05 CNY", "minor": "705", "currency": "CNY"},
    )

    order_id = sale.orders[0].order_id
    answer = resolve(till, sale, {"how": "adopt", "order_id": order_id, "note": "done by phone"}, key="adopt-00000001")
    again = resolve(till, sale, {"how": "adopt", "order_id": order_id, "note": "done by phone"}, key="adopt-00000001")
    assert (answer.status, again.json, again.headers["idempotency-replayed"]) == (200, answer.json, "true")
    (refund,) = story(sale).refunds
    assert (refund.status, refund.amount.minor, refund.external_number) == (RefundStatus.SUCCEEDED, 705, number)
    assert answer.json["resolved"] == f"adopted: {refund.refund_id}"
    assert (payment(payment_id).refunded_minor, payment(payment_id).reserved_minor) == (705, 705)
    agree(till, sale, payment_id)
    till.settle()
    assert orders.load_order(order_id).refunded.minor == 705
    assert till.refund(sale, TOTAL - 705).status == 201
    till.settle()
    assert accounts(sale) == {}

    till.stand._fail_refund(till.stand.refunds[number])  # Known now by its own number, it can come back as any other.
    till.settle()
    assert story(sale).refunds[0].status is RefundStatus.CLOSED
    agree(till, sale, payment_id)


@pytest.mark.parametrize("seed", range(3))
def test_told_again_it_stays_what_it_is(till: Shop, seed: int) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.console_refund(payment_id, 5)
    told = list(till.stand.outbox)
    till.settle()
    assert resolve(till, sale, {"how": "adopt", "order_id": sale.orders[0].order_id}).status == 200
    random.Random(seed).shuffle(told)
    till.stand.outbox += told
    till.settle()
    assert (len(story(sale).quarantined), len(story(sale).refunds)) == (1, 1)
    assert payment(payment_id).refunded_minor == 5


def test_what_cannot_be_taken_into_the_books_leaves_no_trace(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL, 500))
    till.stand.console_refund(payment_id, TOTAL + 100)
    till.settle()
    before = dump.tables()
    order_id = sale.orders[0].order_id
    too_much = resolve(till, sale, {"how": "adopt", "order_id": order_id})
    nowhere = resolve(till, sale, {"how": "adopt"})
    elsewhere = resolve(till, sale, {"how": "adopt", "order_id": "ord_" + "0" * 24 + "_01"})
    assert [(answer.status, answer.json["why"]) for answer in (too_much, nowhere, elsewhere)] == [
        (409, "more_than_order"),
        (409, "no_order"),
        (409, "no_order"),
    ]
    till.stand.steer(payment_id, silent_before=("query_refund",))
    silent = resolve(till, sale, {"how": "adopt", "order_id": order_id})
    assert (silent.status, silent.json["code"]) == (502, "provider_silent")
    assert dump.differences(before, dump.tables()) == []


def test_two_operators_take_it_into_the_books_once(till: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.console_refund(payment_id, 705)
    till.settle()
    real = store.save_quarantined
    rivals: list[http.Answer] = []

    def save(*args: Any, **more: Any) -> None:
        if not rivals:
            rivals.append(http.Answer(0, None, {}, ""))
            rivals.append(resolve(till, sale, {"how": "adopt", "order_id": sale.orders[0].order_id}))
        real(*args, **more)

    monkeypatch.setattr(store, "save_quarantined", save)
    answer = resolve(till, sale, {"how": "adopt", "order_id": sale.orders[0].order_id})
    assert (rivals[1].status, answer.status, answer.json["code"]) == (200, 409, "illegal_transition")
    assert (len(story(sale).refunds), payment(payment_id).refunded_minor) == (1, 705)


def test_one_refund_told_with_two_amounts_is_taken_into_the_books_once(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.steer(notice_currency="USD")
    refund = till.stand.console_refund(payment_id, 705)
    till.settle()
    till.stand.steer(notice_currency=None)
    till.stand._emit("refund.updated", refund)
    till.settle()
    (held,) = story(sale).quarantined
    assert (held.said["minor"], held.said["currency"]) == ("705", "CNY")
    answer = resolve(till, sale, {"how": "adopt", "order_id": sale.orders[0].order_id})
    assert answer.status == 200
    assert (len(story(sale).refunds), payment(payment_id).refunded_minor) == (1, 705)


def test_one_that_comes_back_while_it_is_taken_into_the_books_is_not(
    till: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came back, and was told, between the provider's answer and our booking of it."""
    sale, payment_id = till.paid((TOTAL,))
    refund = till.stand.console_refund(payment_id, 705)
    till.settle()
    real = reservation.within_order
    rivals: list[str] = []

    def within_order(*args: Any) -> None:
        real(*args)
        if not rivals:
            rivals.append(refund["id"])
            till.stand._fail_refund(refund)
            till.settle()

    monkeypatch.setattr(reservation, "within_order", within_order)
    answer = resolve(till, sale, {"how": "adopt", "order_id": sale.orders[0].order_id})
    assert (answer.status, answer.json["why"]) == (409, "refund_closed")
    assert (story(sale).refunds, payment(payment_id).refunded_minor) == ((), 0)
    agree(till, sale, payment_id)


def test_what_may_be_a_refund_of_ours_is_not_taken_for_a_strangers(till: Shop) -> None:
    """Stripe has it, its answer was lost, and its event bears no number of ours: somebody emptied the metadata."""
    sale, payment_id = till.paid((TOTAL,))
    till.stand.steer(payment_id, silent_after=("refund",), notify=False)
    assert till.refund(sale, 705).status == 201
    till.settle()
    (made,) = till.stand.refunds.values()
    till.stand._emit("refund.updated", {**made, "metadata": {}})
    till.settle()
    order_id = sale.orders[0].order_id
    early = resolve(till, sale, {"how": "adopt", "order_id": order_id})
    assert (early.status, early.json["why"]) == (409, "refund_under_way")
    till.wait(timedelta(minutes=2))
    late = resolve(till, sale, {"how": "adopt", "order_id": order_id})
    assert (late.status, late.json["why"]) == (409, "booked")
    assert (len(story(sale).refunds), payment(payment_id).refunded_minor) == (1, 705)
    till.stand._emit("refund.updated", {**made, "metadata": {}})  # By its number there it is known as ours by now.
    till.settle()
    assert len(story(sale).quarantined) == 1
    agree(till, sale, payment_id)


def test_a_console_refund_at_a_provider_that_names_our_number(cloud: str, noon: Any) -> None:
    till = Till.open(noon)
    sale, payment_id = till.paid((TOTAL,))
    refund = till.sandbox.console_refund(payment_id, 500)
    till.settle()
    answer = resolve(till, sale, {"how": "adopt", "order_id": sale.orders[0].order_id})
    assert answer.status == 200, answer.body
    assert (payment(payment_id).refunded_minor, accounts(sale)["clearing:sandbox"]) == (500, TOTAL - 500)
    till.sandbox.settle(refund.out_refund_no, "closed")
    till.settle()
    assert (payment(payment_id).refunded_minor, accounts(sale)["clearing:sandbox"]) == (0, TOTAL)
    outbound.install(None)


def test_one_console_refund_told_in_two_ways_is_booked_once(cloud: str, noon: Any) -> None:
    """Kept once with its amount and once without: whichever is taken in first, the other has nothing left to book."""
    till = Till.open(noon)
    sale, payment_id = till.paid((TOTAL,))
    number = till.sandbox.console_refund(payment_id, 705).out_refund_no
    till.settle()
    quarantine.put_aside(payment(payment_id), "unknown_refund", refund_id=number)
    answers = [
        till.operate(
            "POST",
            f"/v1/operator/purchases/{sale.purchase.purchase_id}/quarantined/{found.quarantine_id}/resolve",
            {"how": "adopt", "order_id": sale.orders[0].order_id},
        )
        for found in story(sale).quarantined
    ]
    assert [answer.status for answer in answers] == [200, 409]
    assert (answers[1].json["code"], answers[1].json["why"]) == ("refund_refused", "booked")
    (refund,) = story(sale).refunds
    assert (refund.amount.minor, payment(payment_id).refunded_minor) == (705, 705)
    assert accounts(sale)["clearing:sandbox"] == TOTAL - 705
    outbound.install(None)


def test_a_stuck_refund_is_not_sent_again_on_money_that_the_bank_took(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    assert till.refund(sale, TOTAL).status == 201
    till.settle()
    (refund,) = story(sale).refunds
    till.stand._fail_refund(next(iter(till.stand.refunds.values())))
    till.settle()
    assert story(sale).refunds[0].status is RefundStatus.CLOSED
    till.stand.dispute(payment_id)
    till.settle()
    assert payment(payment_id).disputed_minor == TOTAL

    before = dump.tables()
    again = till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/retry", {})
    assert (again.status, again.json["code"], again.json["why"]) == (409, "refund_refused", "disputed")
    assert dump.differences(before, dump.tables()) == []

    till.stand.end_dispute(payment_id, "won")
    till.settle()
    assert till.operate("POST", f"/v1/operator/refunds/{refund.refund_id}/retry", {}).status == 200
    till.settle()
    agree(till, sale, payment_id)
    assert accounts(sale) == {}


@pytest.mark.parametrize(("disputed", "given"), [(TOTAL, 0), (1000, 999)])
def test_an_order_called_off_during_a_dispute_leaves_what_is_withheld_to_an_operator(
    till: Shop, disputed: int, given: int
) -> None:
    """Once the bank decides for us, the buyer would have neither the goods nor the money, and nobody would know."""
    sale, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id, amount=disputed)
    till.settle()
    order = sale.orders[0]

    def call_off() -> str:
        with UnitOfWork() as work:
            paid = refund_requests.request_rest(work, order, payment_id=payment_id, cause=f"cancel#{order.order_id}")
        return paid.refund_id if paid else ""

    refund_id = call_off()
    till.settle()
    assert [refund.amount.minor for refund in story(sale).refunds] == [given] * bool(given)
    assert bool(refund_id) is bool(given)
    held = quarantined(sale)
    assert (held.why, held.said["order_id"], held.said["amount"]) == (
        "refund_withheld",
        order.order_id,
        f"{disputed // 100}.{disputed % 100:02} CNY",
    )
    listed = till.operate("GET", "/v1/operator/payments?status=quarantined").json["quarantined"]
    assert [found["quarantine_id"] for found in listed] == [held.quarantine_id]

    till.stand.end_dispute(payment_id, "won")
    till.settle()
    assert till.refund(sale, disputed).status == 201
    if refund_id:  # Stripe refuses any while the bank decides.
        assert till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry", {}).status == 200
    assert resolve(till, sale, {"how": "seen", "note": "given back"}).status == 200
    till.settle()
    assert accounts(sale) == {}


def test_an_operator_asks_how_a_dispute_ended_whose_last_notice_was_lost(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id)
    till.settle()
    till.stand.end_dispute(payment_id, "won")
    till.stand.outbox.clear()
    till.wait(timedelta(hours=1), step=timedelta(minutes=30))
    assert only(sale).status is DisputeStatus.OPEN

    path = f"/v1/operator/payments/{payment_id}/query"
    till.stand.steer(down=("query_dispute",))
    silent = till.operate("POST", path, {})
    assert (silent.status, silent.json["code"]) == (502, "provider_silent")
    till.stand.steer(down=())
    asked = till.operate("POST", path, {})
    assert (asked.status, asked.json["disputed"]["minor"]) == (200, 0)
    assert (only(sale).status, payment(payment_id).disputed_minor) == (DisputeStatus.WON, 0)
    agree(till, sale, payment_id)
