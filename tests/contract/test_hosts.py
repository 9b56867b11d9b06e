"""QQ Wallet and Stripe through the same cases, each against its stand-in, which goes wrong on demand."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import BillKind, BillUnavailable
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    BadSignature,
    CloseOutcome,
    ForeignNotice,
    IgnoredNotice,
    Instruction,
    Notice,
    NoticeRefused,
    Outcome,
    PaymentOrder,
    RefundOrder,
    RefundOutcome,
    StaleNotice,
)
from chalicelib.payments.providers.qqwallet import adapter as qqwallet
from chalicelib.payments.providers.stripe import adapter as stripe
from chalicelib.runtime import outbound
from tools.fakes.sandbox import mount
from tools.fakes.sandbox import qqwallet as qq_host
from tools.fakes.sandbox import stripe as stripe_host

BODY = "0123456789abcdefghjkmnpq"
PAYMENT, REFUND, REFUND_2 = f"pay_{BODY}_01", f"ref_{BODY}_01", f"ref_{BODY}_02"
START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@dataclass
class Case:
    """One adapter, its stand-in, and what differs between providers."""

    provider: Any
    stand: Any
    method: str
    currency: str
    build: Callable[[dict[str, Any]], Any]
    heard: list[Notice | NoticeRefused] = field(default_factory=list)
    hook: str = "https://shop.example/v1/webhooks/payments/x"

    @property
    def stripe(self) -> bool:
        return bool(self.provider.name == "stripe")

    @property
    def amount(self) -> Money:
        return Money(1990, self.currency)

    def order(self, **changes: Any) -> PaymentOrder:
        told: dict[str, Any] = {
            "payment_id": PAYMENT,
            "amount": self.amount,
            "description": "茶壶 & <cups> ]]>",
            "method": self.method,
            "created_at": clock.now(),
            "expires_at": clock.now() + timedelta(minutes=15),
            "notify_url": self.hook,
            "return_url": "https://shop.example/paid",
            "client_ip": "203.0.113.7",
        }
        return PaymentOrder(**{**told, **changes})

    def attempt(self, made: Instruction | None = None, transaction_id: str | None = None) -> Attempt:
        return Attempt(
            PAYMENT, self.amount, START, self.method, made.reference if made else None, transaction_id=transaction_id
        )

    def create(self) -> Attempt:
        made = self.provider.create(self.order())
        assert made.outcome is Outcome.PENDING, made
        return self.attempt(made)

    def paid(self) -> Attempt:
        attempt = self.create()
        self.stand.pay(PAYMENT)
        return self.attempt(None, self.provider.query(attempt).transaction_id)

    def refund(self, attempt: Attempt, minor: int, number: str = REFUND, before: int = 0) -> RefundOrder:
        return RefundOrder(
            number,
            attempt,
            Money(minor, self.currency),
            self.amount,
            Money(before, self.currency),
            "damaged",
            self.hook,
        )

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Take a notice as the webhook does, without the queue."""
        try:
            self.heard.append(self.provider.verify(headers=headers, body=body))
            ack = Ack.ACCEPTED
        except IgnoredNotice:
            ack = Ack.ACCEPTED
        except NoticeRefused as refused:
            self.heard.append(refused)
            ack = Ack.REFUSED
        return int(self.provider.acknowledge(ack)[0])

    def listen(self) -> list[Any]:
        """Deliver what is due and return what was heard, notices of the capture alone."""
        self.heard.clear()
        self.stand.tick(self.post)
        return self.heard

    def refunds_there(self) -> int:
        return len(self.stand.refunds)


NAMES = ("qqwallet-native", "qqwallet-jsapi", "qqwallet-miniapp", "stripe-checkout", "stripe-payment_intent")


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    name, _, method = str(request.param).partition("-")
    fixed = clock.Fixed(START)
    now = lambda: clock.now().timestamp()  # noqa: E731
    with clock.use(fixed):
        if name == "qqwallet":
            qq = qq_host.QQWallet(now=now, chance=random.Random(7))
            outbound.install(mount.by_host(dict.fromkeys(qq_host.HOSTS, qq)))
            made = Case(qqwallet.build(qq.configuration()), qq, method, "CNY", qqwallet.build)
        else:
            st = stripe_host.Stripe(now=now, chance=random.Random(7))
            outbound.install(mount.by_host(dict.fromkeys(stripe_host.HOSTS, st)))
            made = Case(stripe.build(st.configuration()), st, method, "USD", stripe.build)
        try:
            yield made
        finally:
            outbound.install(None)


def advance(by: timedelta) -> None:
    source = clock._source
    assert isinstance(source, clock.Fixed)
    source.advance(by)


# --- create and query -------------------------------------------------------------------------------------------------


def test_create_tells_the_client_what_to_do(case: Case) -> None:
    made = case.provider.create(case.order())
    assert made.outcome is Outcome.PENDING
    expected = {"native": Action.QR, "checkout": Action.REDIRECT}.get(case.method, Action.PARAMS)
    assert made.action is expected
    assert bool(made.url) == (expected is not Action.PARAMS)
    assert bool(made.params) == (expected is Action.PARAMS)
    assert case.stand.refusals == []


def test_the_same_order_again_is_the_same_order(case: Case) -> None:
    first = case.provider.create(case.order(created_at=START))
    advance(timedelta(minutes=3))
    again = case.provider.create(case.order(created_at=START, expires_at=START + timedelta(minutes=15)))
    assert again == first
    case.stand.pay(PAYMENT)
    assert case.provider.query(case.attempt(first)).outcome is Outcome.CAPTURED
    assert case.stand.refusals == []


def test_an_order_the_provider_refuses_is_failed(case: Case) -> None:
    case.stand.steer(PAYMENT, refuse=("create",))
    made = case.provider.create(case.order())
    assert made.outcome is Outcome.FAILED
    assert made.code


@pytest.mark.parametrize("amount", [Money(0, "CNY"), Money(-1, "CNY"), Money(100, "XXX"), Money(100, "ISK")])
def test_an_amount_the_provider_cannot_take_is_never_sent(case: Case, amount: Money) -> None:
    assert case.provider.create(case.order(amount=amount)).outcome is Outcome.FAILED
    assert case.stand.calls == []


def test_an_unknown_method_is_never_sent(case: Case) -> None:
    assert case.provider.create(case.order(method="cash")).outcome is Outcome.FAILED
    assert case.stand.calls == []


def test_a_long_description_is_cut(case: Case) -> None:
    assert case.provider.create(case.order(description="茶\x00\ud800" * 300)).outcome is Outcome.PENDING
    assert case.stand.refusals == []


def test_a_paid_order_is_captured_exactly(case: Case) -> None:
    attempt = case.create()
    assert case.provider.query(attempt).outcome is Outcome.PENDING
    advance(timedelta(seconds=40))
    case.stand.pay(PAYMENT)
    report = case.provider.query(attempt)
    assert (report.outcome, report.amount) == (Outcome.CAPTURED, case.amount)
    assert report.at == START + timedelta(seconds=40)
    assert report.transaction_id
    again = case.provider.query(case.attempt(None, report.transaction_id))
    assert again == report


def test_the_query_says_what_really_was_paid(case: Case) -> None:
    attempt = case.create()
    case.stand.pay(PAYMENT, amount=1)
    assert case.provider.query(attempt).amount == Money(1, case.currency)


def test_a_number_the_provider_never_heard_is_absent(case: Case) -> None:
    assert case.provider.query(case.attempt()).outcome is Outcome.ABSENT
    assert case.provider.close(case.attempt()) is CloseOutcome.ABSENT


def test_a_lost_answer_to_create_is_unknown_and_found_again(case: Case) -> None:
    case.stand.steer(PAYMENT, silent_after=("create",))
    assert case.provider.create(case.order()).outcome is Outcome.UNKNOWN
    blind = case.attempt()
    assert case.provider.query(blind).outcome is Outcome.PENDING
    again = case.provider.create(case.order())
    assert again.outcome is Outcome.PENDING
    case.stand.pay(PAYMENT)
    assert case.provider.query(blind).amount == case.amount
    assert case.provider.close(blind) is CloseOutcome.CAPTURED


def test_a_lost_request_to_create_is_unknown_and_absent(case: Case) -> None:
    case.stand.steer(PAYMENT, silent_before=("create",))
    assert case.provider.create(case.order()).outcome is Outcome.UNKNOWN
    assert case.provider.query(case.attempt()).outcome is Outcome.ABSENT


def test_silence_is_never_a_failure(case: Case) -> None:
    attempt = case.create()
    case.stand.steer(PAYMENT, down=("create", "query", "search", "close", "refund", "query_refund"))
    case.stand.steer(REFUND, down=("query_refund",))
    case.stand.steer("query_refund", down=("query_refund",))
    assert case.provider.query(attempt).outcome is Outcome.UNKNOWN
    assert case.provider.close(attempt) is CloseOutcome.UNKNOWN
    order = case.refund(case.attempt(None, "pi_1" if case.stripe else "1"), 100)
    assert case.provider.refund(order).outcome is RefundOutcome.UNKNOWN
    assert case.provider.query_refund(order).outcome is RefundOutcome.UNKNOWN


def test_an_answer_that_cannot_be_trusted_is_unknown(case: Case) -> None:
    case.stand.steer(PAYMENT, unsigned=("create", "query", "query", "close"))
    assert case.provider.create(case.order()).outcome is Outcome.UNKNOWN
    attempt = case.create()
    assert case.provider.query(attempt).outcome is Outcome.UNKNOWN
    assert case.provider.close(attempt) in (CloseOutcome.UNKNOWN, CloseOutcome.CLOSED)


def test_a_provider_that_stumbles_is_asked_again(case: Case) -> None:
    case.stand.steer(PAYMENT, broken=("create", "query"))
    assert case.provider.create(case.order()).outcome is Outcome.UNKNOWN
    attempt = case.create()
    assert case.provider.query(attempt).outcome is Outcome.UNKNOWN
    assert case.provider.query(attempt).outcome is Outcome.PENDING


def test_an_unreachable_provider_is_unknown(case: Case) -> None:
    outbound.install(mount.by_host({}))
    assert case.provider.create(case.order()).outcome is Outcome.UNKNOWN
    assert case.provider.query(case.attempt()).outcome is Outcome.UNKNOWN
    assert case.provider.close(case.attempt()) is CloseOutcome.UNKNOWN


# --- close ------------------------------------------------------------------------------------------------------------


def test_a_closed_order_cannot_be_paid(case: Case) -> None:
    attempt = case.create()
    assert case.provider.close(attempt) is CloseOutcome.CLOSED
    assert case.provider.close(attempt) is CloseOutcome.CLOSED
    assert case.provider.query(attempt).outcome is Outcome.CLOSED
    with pytest.raises(ValueError, match="is "):
        case.stand.pay(PAYMENT)


def test_closing_what_is_paid_says_so(case: Case) -> None:
    attempt = case.create()
    case.stand.pay(PAYMENT)
    assert case.provider.close(attempt) is CloseOutcome.CAPTURED


def test_a_payment_during_the_close_is_not_lost(case: Case) -> None:
    attempt = case.create()
    case.stand.steer(PAYMENT, pay_during_close=True)
    assert case.provider.close(attempt) is CloseOutcome.CAPTURED
    assert case.provider.query(attempt).amount == case.amount
    assert next(notice.report.outcome for notice in case.listen()) is Outcome.CAPTURED


def test_a_lost_answer_to_close_is_asked_for(case: Case) -> None:
    attempt = case.create()
    case.stand.steer(PAYMENT, silent_after=("close",))
    assert case.provider.close(attempt) is CloseOutcome.CLOSED


def test_a_lost_close_is_unknown(case: Case) -> None:
    attempt = case.create()
    case.stand.steer(PAYMENT, silent_before=("close",))
    assert case.provider.close(attempt) is CloseOutcome.UNKNOWN
    assert case.provider.query(attempt).outcome is Outcome.PENDING
    assert case.provider.close(attempt) is CloseOutcome.CLOSED


def test_money_after_the_close_is_seen(case: Case) -> None:
    attempt = case.create()
    case.provider.close(attempt)
    case.stand.outbox.clear()
    case.stand.pay_closed(PAYMENT)
    assert case.provider.query(attempt).outcome is Outcome.CAPTURED
    assert {notice.report.outcome for notice in case.listen()} == {Outcome.CAPTURED}


# --- notices ----------------------------------------------------------------------------------------------------------


def captures(heard: list[Any]) -> list[Notice]:
    return [n for n in heard if isinstance(n, Notice) and n.report and n.report.outcome is Outcome.CAPTURED]


def test_a_notice_and_the_query_say_the_same(case: Case) -> None:
    attempt = case.create()
    case.stand.pay(PAYMENT)
    heard = captures(case.listen())
    assert heard
    asked = case.provider.query(attempt)
    for notice in heard:
        assert (notice.payment_id, notice.refund_id) == (PAYMENT, None)
        assert notice.report is not None
        assert (notice.report.amount, notice.report.transaction_id) == (asked.amount, asked.transaction_id)
        assert notice.report.at == asked.at
    assert case.stand.outbox == []


def test_ten_duplicates_are_one_fact(case: Case) -> None:
    case.create()
    case.stand.steer(PAYMENT, duplicates=10)
    case.stand.pay(PAYMENT)
    heard = captures(case.listen())
    kinds = {notice.notice_id for notice in heard}
    assert len(heard) == 10 * len(kinds)
    assert len({(n.payment_id, n.report.amount, n.report.transaction_id) for n in heard if n.report}) == 1


def test_a_refused_notice_comes_again_signed_afresh(case: Case) -> None:
    case.create()
    case.stand.steer(PAYMENT, delay_s=30)
    case.stand.pay(PAYMENT)
    assert case.listen() == []
    advance(timedelta(seconds=30))
    case.stand.tick(lambda *_: 503)
    advance(timedelta(hours=2))
    assert captures(case.listen())
    assert case.stand.outbox == []


def test_dropped_notices_leave_the_query(case: Case) -> None:
    attempt = case.create()
    case.stand.steer(PAYMENT, notify=False)
    case.stand.pay(PAYMENT)
    assert case.listen() == []
    assert case.provider.query(attempt).outcome is Outcome.CAPTURED


def test_older_news_after_newer_moves_nothing_back(case: Case) -> None:
    case.create()
    case.stand.steer(PAYMENT, reorder=True)
    case.stand.pay(PAYMENT)
    heard = [notice for notice in case.listen() if isinstance(notice, Notice)]
    assert captures(heard)
    assert {n.report.outcome for n in heard if n.report} <= {Outcome.CAPTURED, Outcome.PENDING}


@pytest.mark.parametrize("fault", ["unknown_key", "tamper"])
def test_forged_notices_are_refused(case: Case, fault: str) -> None:
    case.create()
    case.stand.steer(PAYMENT, **{fault: True})
    case.stand.pay(PAYMENT)
    heard = case.listen()
    assert heard
    assert {type(refused) for refused in heard} == {BadSignature}
    assert case.stand.outbox, "a refused notice is sent again"


def test_another_merchants_notice_is_foreign(case: Case) -> None:
    case.create()
    case.stand.steer(PAYMENT, other_merchant=True)
    case.stand.pay(PAYMENT)
    assert {type(refused) for refused in case.listen()} == {ForeignNotice}


def test_another_apps_notice_does_nothing_here(case: Case) -> None:
    case.create()
    case.stand.steer(PAYMENT, other_app=True)
    case.stand.pay(PAYMENT)
    # One Stripe account may serve several systems: what is none of this shop's is acknowledged and dropped.
    assert {type(refused) for refused in case.listen()} == (set() if case.stripe else {ForeignNotice})


def test_the_other_mode_and_old_signatures_are_refused(case: Case) -> None:
    if not case.stripe:
        pytest.skip("QQ Wallet knows neither")
    case.create()
    case.stand.steer(PAYMENT, other_mode=True)
    case.stand.pay(PAYMENT)
    assert {type(refused) for refused in case.listen()} == {ForeignNotice}
    case.stand.steer(PAYMENT, other_mode=False, stale=True)
    case.stand._emit("payment_intent.succeeded", case.stand.intent_of(PAYMENT))
    assert {type(refused) for refused in case.listen()} >= {StaleNotice}


def test_a_wrong_amount_or_currency_is_told_as_it_was_said(case: Case) -> None:
    case.create()
    case.stand.steer(PAYMENT, notice_amount=1, notice_currency="HKD")
    case.stand.pay(PAYMENT)
    assert {n.report.amount for n in captures(case.listen()) if n.report} == {Money(1, "HKD")}


def test_a_key_is_rolled_without_a_gap(case: Case) -> None:
    before = case.provider
    case.create()
    case.stand.rotate("another-key-of-the-provider")
    case.stand.pay(PAYMENT)
    heard = case.listen()
    if case.stripe:  # Signs with both for a day.
        assert captures(heard)
    else:  # Signs with the new one at once: it must be configured beside the old one first.
        assert {type(refused) for refused in heard} == {BadSignature}
    old = "whsec_local0123456789" if case.stripe else qq_host.Keys().key
    name = "webhook_secrets" if case.stripe else "keys"
    case.provider = case.build(case.stand.configuration(**{name: [old, "another-key-of-the-provider"]}))
    advance(timedelta(hours=1))
    case.stand.rotate("another-key-of-the-provider", overlap=False)
    if case.stripe:
        case.stand._emit("payment_intent.succeeded", case.stand.intent_of(PAYMENT))
    assert captures(case.listen())
    case.provider = before
    advance(timedelta(hours=12))


# --- refunds ----------------------------------------------------------------------------------------------------------


def test_a_whole_refund(case: Case) -> None:
    attempt = case.paid()
    order = case.refund(attempt, 1990)
    first = case.provider.refund(order)
    assert first.outcome in (RefundOutcome.PENDING, RefundOutcome.SUCCEEDED)
    assert first.amount == case.amount
    asked = case.provider.query_refund(order)
    assert (asked.outcome, asked.amount) == (RefundOutcome.SUCCEEDED, case.amount)
    assert asked.provider_refund_id == first.provider_refund_id
    assert case.provider.query(attempt).outcome is Outcome.CAPTURED, "refunded money was captured once"


def test_partial_refunds_never_exceed_the_capture(case: Case) -> None:
    attempt = case.paid()
    assert case.provider.refund(case.refund(attempt, 1000)).amount == Money(1000, case.currency)
    second = case.refund(attempt, 990, REFUND_2, before=1000)
    assert case.provider.refund(second).amount == Money(990, case.currency)
    assert case.provider.query_refund(second).amount == Money(990, case.currency)
    too_much = case.provider.refund(case.refund(attempt, 1, f"ref_{BODY}_03", before=1990))
    assert too_much.outcome is RefundOutcome.FAILED
    assert case.refunds_there() == 2


def test_the_same_number_is_the_same_refund(case: Case) -> None:
    attempt = case.paid()
    for _ in range(3):
        assert case.provider.refund(case.refund(attempt, 700)).amount == Money(700, case.currency)
        advance(timedelta(hours=30))  # Longer than Stripe remembers an Idempotency-Key.
    assert case.refunds_there() == 1


def test_a_number_with_another_amount_is_not_trusted(case: Case) -> None:
    attempt = case.paid()
    case.provider.refund(case.refund(attempt, 700))
    assert case.provider.refund(case.refund(attempt, 701)).outcome in (RefundOutcome.UNKNOWN, RefundOutcome.FAILED)
    assert case.provider.query_refund(case.refund(attempt, 701)).outcome is RefundOutcome.UNKNOWN
    assert case.refunds_there() == 1


@pytest.mark.parametrize(("state", "outcome"), [("succeeded", RefundOutcome.SUCCEEDED), ("failed", None)])
def test_a_pending_refund_comes_to_its_end(case: Case, state: str, outcome: RefundOutcome | None) -> None:
    attempt = case.paid()
    case.stand.steer(PAYMENT, refund="pending")
    order = case.refund(attempt, 700)
    assert case.provider.refund(order).outcome is RefundOutcome.PENDING
    assert case.provider.query_refund(order).outcome is RefundOutcome.PENDING
    case.stand.settle(REFUND, state)
    ended = outcome or (RefundOutcome.CLOSED if case.stripe else RefundOutcome.FAILED)
    assert case.provider.query_refund(order).outcome is ended
    told = {n.refund_report.outcome for n in case.listen() if isinstance(n, Notice) and n.refund_report}
    assert told <= {RefundOutcome.PENDING, RefundOutcome.SUCCEEDED, ended}
    assert (ended in told) == case.stripe, "QQ Wallet sends no notices of refunds"


def test_a_failed_refund_goes_out_again_under_its_number(case: Case) -> None:
    attempt = case.paid()
    case.stand.steer(PAYMENT, refund="failed")
    order = case.refund(attempt, 700)
    refused = case.provider.refund(order)
    asked = case.provider.query_refund(order).outcome
    # Stripe refuses at once and knows no such refund; QQ Wallet accepts it and says of it that it failed.
    assert refused.outcome is RefundOutcome.FAILED
    assert asked is (RefundOutcome.ABSENT if case.stripe else RefundOutcome.FAILED)
    case.stand.steer(PAYMENT, refund="succeeded")
    case.provider.refund(order)
    assert case.provider.query_refund(order).outcome is RefundOutcome.SUCCEEDED
    assert case.refunds_there() == 1


def test_a_lost_answer_to_a_refund_never_refunds_twice(case: Case) -> None:
    attempt = case.paid()
    case.stand.steer(PAYMENT, silent_after=("refund",))
    order = case.refund(attempt, 1990)
    assert case.provider.refund(order).outcome is RefundOutcome.UNKNOWN
    advance(timedelta(days=2))
    assert case.provider.query_refund(order).outcome is RefundOutcome.SUCCEEDED
    assert case.provider.refund(order).outcome in (RefundOutcome.PENDING, RefundOutcome.SUCCEEDED)
    assert case.refunds_there() == 1


def test_a_lost_refund_is_absent_and_sent_again(case: Case) -> None:
    attempt = case.paid()
    case.stand.steer(PAYMENT, silent_before=("refund",))
    order = case.refund(attempt, 1990)
    assert case.provider.refund(order).outcome is RefundOutcome.UNKNOWN
    assert case.provider.query_refund(order).outcome is RefundOutcome.ABSENT
    case.provider.refund(order)
    assert case.provider.query_refund(order).outcome is RefundOutcome.SUCCEEDED


def test_an_unpaid_order_is_not_refunded(case: Case) -> None:
    attempt = case.create()
    assert case.provider.refund(case.refund(attempt, 100)).outcome in (RefundOutcome.FAILED, RefundOutcome.UNKNOWN)
    assert case.refunds_there() == 0


# --- bills ------------------------------------------------------------------------------------------------------------


def a_day(case: Case) -> Any:
    attempt = case.paid()
    case.provider.refund(case.refund(attempt, 700))
    case.stand.console_refund(PAYMENT, 90)
    day = clock.now().astimezone(UTC if case.stripe else clock.CHINA).date()
    advance(timedelta(days=1))
    return day


def test_a_bill_tells_every_movement(case: Case) -> None:
    day = a_day(case)
    bill = case.provider.bill(day)
    assert bill.defects == ()
    lines = sorted((line.kind, line.amount.minor, line.refund_id) for line in bill.lines)
    console = "" if case.stripe else next(no for no in case.stand.refunds if no.startswith("console"))
    assert lines == sorted(
        [
            (BillKind.PAYMENT, 1990, ""),
            (BillKind.REFUND, 700, REFUND),
            (BillKind.REFUND, 90, console),
        ]
    )
    ours = {line.payment_id for line in bill.lines}
    assert ours == ({PAYMENT, ""} if case.stripe else {PAYMENT})
    assert {line.transaction_id for line in bill.lines} == {case.provider.query(case.attempt()).transaction_id}


@pytest.mark.parametrize("defect", ["missing", "extra", "amount", "duplicate", "field"])
def test_a_bill_with_a_defect_is_read_to_its_end(case: Case, defect: str) -> None:
    day = a_day(case)
    sound = case.provider.bill(day).lines
    case.stand.bill_defects = (defect,)
    bill = case.provider.bill(day)
    lost = {"missing": 1, "extra": -1, "duplicate": -1, "field": 1}.get(defect, 0)
    assert len(bill.lines) == len(sound) - lost
    assert bool(bill.defects) == (defect == "field")
    assert (defect in ("amount", "extra", "missing", "duplicate", "field")) == (
        [(x.kind, x.amount, x.payment_id) for x in bill.lines] != [(x.kind, x.amount, x.payment_id) for x in sound]
    )


def test_a_bill_that_is_not_there_is_said_so(case: Case) -> None:
    with pytest.raises(BillUnavailable):
        case.provider.bill(clock.now().date())
    outbound.install(mount.by_host({}))
    advance(timedelta(days=2))
    with pytest.raises(BillUnavailable):
        case.provider.bill(START.date())


# --- replies to notices -----------------------------------------------------------------------------------------------


def test_acknowledgements_are_what_the_provider_reads(case: Case) -> None:
    replies = {ack: case.provider.acknowledge(ack) for ack in Ack}
    assert replies[Ack.ACCEPTED][0] == 200
    assert all(replies[ack][0] >= 400 for ack in (Ack.REFUSED, Ack.RETRY))
    if not case.stripe:
        assert replies[Ack.ACCEPTED][2] == "<xml><return_code>SUCCESS</return_code></xml>"
        assert replies[Ack.RETRY][2] == "<xml><return_code>FAIL</return_code><return_msg>retry</return_msg></xml>"


def test_open_calls_serve_people(case: Case) -> None:
    case.create()
    status, _, page = case.stand.handle("GET", "/", {}, b"")
    assert (status, PAYMENT in page.decode()) == (200, True)
    assert case.stand.handle("POST", f"/pay/{PAYMENT}", {}, b"")[0] == 200
    assert case.stand.handle("POST", f"/pay/{PAYMENT}", {}, b"")[0] == 409
    assert case.stand.handle("POST", "/pay/nobody", {}, b"")[0] == 404
    assert case.stand.handle("POST", f"/control/{PAYMENT}", {}, b'{"duplicates": 3}')[0] == 200
    assert case.stand.steering(PAYMENT).duplicates == 3
    assert case.stand.handle("POST", "/nothing", {}, b"")[0] == 404
    assert case.stand.handle("GET", "/state", {}, b"")[0] == 200


def test_a_seed_decides_everything() -> None:
    def run() -> list[Any]:
        with clock.use(clock.Fixed(START)):
            st = stripe_host.Stripe(now=lambda: clock.now().timestamp(), chance=random.Random(3))
            outbound.install(mount.by_host(dict.fromkeys(stripe_host.HOSTS, st)))
            case = Case(stripe.build(st.configuration()), st, "checkout", "USD", stripe.build)
            case.create()
            st.pay(PAYMENT)
            outbound.install(None)
            return [out.content for out in st.outbox]

    assert run() == run()
