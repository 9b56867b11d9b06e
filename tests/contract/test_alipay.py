"""Alipay against its stand-in: what only it does, and everything it can get wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillUnavailable
from chalicelib.payments.ports import (
    Action,
    Attempt,
    CloseOutcome,
    Outcome,
    RefundOutcome,
)
from chalicelib.payments.providers.alipay import adapter as alipay
from chalicelib.runtime import outbound
from tests.contract.counter import Counter
from tools.fakes.sandbox.alipay import Alipay, certified_key, plain_key

HOOK = "https://shop.example/v1/webhooks/payments/alipay"


class Shop(Counter):
    hook = HOOK
    wanted: ClassVar[dict[str, Any]] = {"description": "茶 & tea/coffee = + 100%", "method": "qr"}
    sandbox: Alipay
    adapter: alipay.Alipay

    def __init__(self, **changes: Any) -> None:
        sandbox = Alipay(now=lambda: clock.now().timestamp(), **changes)
        super().__init__(sandbox, alipay.build(sandbox.configuration()))


@pytest.fixture
def shop(noon: Any) -> Iterator[Shop]:
    yield Shop()
    outbound.install(None)


@pytest.fixture(params=["keys", "certificates"])
def either(request: pytest.FixtureRequest, noon: Any) -> Iterator[Shop]:
    told: dict[str, Any] = {"certificates": True, "signing": [certified_key(1), certified_key(2)]}
    yield Shop(**(told if request.param == "certificates" else {}))
    outbound.install(None)


@pytest.mark.parametrize("method", alipay.Alipay.methods)
def test_a_buyer_opens_what_each_method_hands_out_and_pays(either: Shop, method: str) -> None:
    wanted = either.order(method=method)
    instruction = either.adapter.create(wanted)
    attempt = Attempt(wanted.payment_id, wanted.amount, wanted.created_at, method)

    assert instruction.outcome is Outcome.PENDING
    action = {"qr": Action.QR, "app": Action.PARAMS}.get(method, Action.REDIRECT)
    assert instruction.action is action
    assert either.adapter.query(attempt).outcome is Outcome.ABSENT  # Nobody opened it: Alipay does not know it.
    assert either.adapter.close(attempt) is CloseOutcome.ABSENT
    told = instruction.params["orderStr"] if method == "app" else str(instruction.url)
    either.sandbox.open(told)
    assert either.adapter.query(attempt).outcome is Outcome.PENDING
    either.sandbox.pay(wanted.payment_id)
    report = either.adapter.query(attempt)
    assert (report.outcome, report.amount, report.at) == (Outcome.CAPTURED, Money(8800), clock.now())
    either.deliver()
    (notice,) = either.heard
    assert notice.report is not None
    assert (notice.payment_id, notice.report.amount) == (wanted.payment_id, Money(8800))
    assert notice.report.transaction_id == report.transaction_id
    assert either.sandbox.refusals == []


def test_what_a_page_carries(shop: Shop) -> None:
    instruction = shop.adapter.create(shop.order(method="page"))
    address = urlsplit(str(instruction.url))
    said = dict(parse_qsl(address.query))

    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://openapi.alipay.com/gateway.do"
    assert said["method"] == "alipay.trade.page.pay"
    assert said["timestamp"] == "2026-11-22 12:00:00"
    assert said["return_url"] == "https://shop.example/done?a=1&b=2"
    assert said["notify_url"] == HOOK
    assert '"subject":"茶   tea coffee   + 100%"' in said["biz_content"]
    assert '"time_expire":"2026-11-22 12:30:00"' in said["biz_content"]
    assert '"total_amount":"88.00"' in said["biz_content"]
    assert shop.requests == []


@pytest.mark.parametrize(
    ("back", "quit_url"), [("https://shop.example/done", "https://shop.example/done"), (None, "https://shop.example/")]
)
def test_the_mobile_cashier_has_a_way_back(shop: Shop, back: str | None, quit_url: str) -> None:
    link = str(shop.adapter.create(shop.order(method="wap", return_url=back)).url)

    assert f'"quit_url":"{quit_url}"' in dict(parse_qsl(urlsplit(link).query))["biz_content"]
    assert shop.sandbox.open(link).state == "pending"


def test_a_query_that_leaves_the_time_out_still_tells_of_the_money(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = shop.paid()
    told = shop.sandbox._node_of
    monkeypatch.setattr(shop.sandbox, "_node_of", lambda order: {**told(order), "send_pay_date": ""})

    report = shop.adapter.query(attempt)

    assert (report.outcome, report.amount, report.at) == (Outcome.CAPTURED, Money(8800), None)


def test_an_order_cannot_be_opened_late_and_a_tampered_link_not_at_all(shop: Shop, noon: Any) -> None:
    link = str(shop.adapter.create(shop.order(method="page")).url)
    with pytest.raises(ValueError, match="invalid-signature"):
        shop.sandbox.open(link.replace("88.00", "0.01"))
    noon.advance(timedelta(minutes=31))
    with pytest.raises(ValueError, match="time is over"):
        shop.sandbox.open(link)


def test_what_cannot_be_created_is_refused_without_a_call(shop: Shop) -> None:
    assert shop.adapter.create(shop.order(method="face")).code == "method_unknown"
    assert shop.adapter.create(shop.order(amount=Money(1, "USD"))).code == "currency_unsupported"
    for minor in (0, -1, -199, 100_000_000_01):
        for method in shop.adapter.methods:
            refused = shop.adapter.create(shop.order(amount=Money(minor), method=method))
            assert (refused.outcome, refused.code) == (Outcome.FAILED, "amount_unsupported")
    assert shop.requests == []


def test_creating_again(shop: Shop) -> None:
    attempt = shop.created()
    assert shop.adapter.create(shop.order()).outcome is Outcome.PENDING
    other = shop.adapter.create(shop.order(amount=Money(8900)))
    assert (other.outcome, other.code) == (Outcome.UNKNOWN, "ACQ.CONTEXT_INCONSISTENT")
    shop.sandbox.scan(attempt.payment_id)
    assert shop.adapter.close(attempt) is CloseOutcome.CLOSED
    assert shop.adapter.close(attempt) is CloseOutcome.CLOSED
    again = shop.adapter.create(shop.order())
    assert (again.outcome, again.code) == (Outcome.FAILED, "ACQ.TRADE_HAS_CLOSE")
    shop.paid(2)
    late = shop.adapter.create(shop.order(2))
    assert (late.outcome, late.code) == (Outcome.UNKNOWN, "ACQ.TRADE_HAS_SUCCESS")


def test_a_refused_call_is_told_by_its_code(shop: Shop) -> None:
    shop.sandbox.steer(refuse=("create",))
    instruction = shop.adapter.create(shop.order())
    assert (instruction.outcome, instruction.code) == (Outcome.FAILED, "ACQ.ACCESS_FORBIDDEN")


def test_a_wrong_clock_is_refused_by_the_host_and_stays_unknown(shop: Shop) -> None:
    now = clock.now()
    shop.sandbox.now = (now + timedelta(minutes=16)).timestamp
    assert shop.adapter.create(shop.order()).outcome is Outcome.UNKNOWN
    assert shop.sandbox.refusals == ["isv.invalid-timestamp"]


def test_paying_while_we_close_is_a_capture(shop: Shop) -> None:
    attempt = shop.created()
    shop.sandbox.scan(attempt.payment_id)
    shop.sandbox.steer(attempt.payment_id, pay_during_close=True)

    assert shop.adapter.close(attempt) is CloseOutcome.CAPTURED  # "Wrong state" made the adapter ask.
    assert [call.split()[0] for call in shop.sandbox.calls] == ["create", "close", "query"]


@pytest.mark.parametrize("spoilt", ["no_signature", "unsigned"])
def test_answers_that_do_not_verify_are_no_answers(either: Shop, spoilt: str) -> None:
    attempt = either.paid()
    wanted = either.refund(attempt, 800)
    changes: dict[str, Any] = {spoilt: ("query", "close", "refund", "query_refund", "create")}
    either.sandbox.steer(attempt.payment_id, **changes)

    assert either.adapter.query(attempt).outcome is Outcome.UNKNOWN
    assert either.adapter.close(attempt) is CloseOutcome.UNKNOWN
    assert either.adapter.refund(wanted).outcome is RefundOutcome.UNKNOWN
    assert either.adapter.query_refund(wanted).outcome is RefundOutcome.UNKNOWN
    assert either.adapter.query(attempt).outcome is Outcome.CAPTURED
    assert either.adapter.refund(wanted).outcome is RefundOutcome.SUCCEEDED
    assert either.sandbox.orders[attempt.payment_id].refunded == 800
    fresh = either.order(2)
    either.sandbox.steer(fresh.payment_id, **changes)
    assert either.adapter.create(fresh).outcome is Outcome.UNKNOWN
    assert either.adapter.create(fresh).outcome is Outcome.PENDING


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (302, b""), (200, b""), (200, b"<html>"), (200, b'{"error_response":{"code":"20000"}}'), (200, b"[]")],
)
def test_anything_else_is_unknown(shop: Shop, status: int, body: bytes) -> None:
    attempt = shop.paid()
    outbound.install(lambda request: outbound.Response(status, {}, body))

    assert shop.adapter.query(attempt).outcome is Outcome.UNKNOWN
    assert shop.adapter.close(attempt) is CloseOutcome.UNKNOWN
    assert shop.adapter.create(shop.order()).outcome is Outcome.UNKNOWN
    assert shop.adapter.refund(shop.refund(attempt, 1)).outcome is RefundOutcome.UNKNOWN
    assert shop.adapter.query_refund(shop.refund(attempt, 1)).outcome is RefundOutcome.UNKNOWN
    with pytest.raises(BillUnavailable):
        shop.adapter.bill(date(2026, 11, 1))


@pytest.mark.parametrize("error", [outbound.OutboundFailed(), outbound.OutboundTimeout()])
def test_no_answer_is_unknown(shop: Shop, error: Exception) -> None:
    attempt = shop.paid()

    def fail(request: outbound.Request) -> outbound.Response:
        raise error

    outbound.install(fail)
    assert shop.adapter.query(attempt).outcome is Outcome.UNKNOWN
    assert shop.adapter.refund(shop.refund(attempt, 1)).outcome is RefundOutcome.UNKNOWN


def test_answers_about_somebody_else_are_unknown(shop: Shop) -> None:
    first, second = shop.paid(1), shop.paid(2)
    other = shop.refund(second, 100, 2)
    shop.adapter.refund(shop.refund(first, 100))
    inner = shop.send

    def mixed(request: outbound.Request) -> outbound.Response:
        """Answer for the first order, genuinely, whatever was asked."""
        outbound.install(inner)
        form = dict(parse_qsl(request.body.decode()))
        call = {"alipay.trade.query": "query", "alipay.trade.fastpay.refund.query": "query_refund"}[form["method"]]
        recorded: list[outbound.Response] = []

        def record(again: outbound.Request) -> outbound.Response:
            recorded.append(inner(again))
            return recorded[-1]

        outbound.install(record)
        if call == "query":
            shop.adapter.query(first)
        else:
            shop.adapter.query_refund(shop.refund(first, 100))
        outbound.install(mixed)
        return recorded[-1]

    outbound.install(mixed)
    assert shop.adapter.query(second).code == "other_order"
    assert shop.adapter.query_refund(other).code == "other_refund"


def test_refund_fee_is_cumulative_and_fund_change_n_on_a_repeat_is_success(shop: Shop) -> None:
    attempt = shop.paid()
    first = shop.adapter.refund(shop.refund(attempt, 800))
    assert (first.outcome, first.amount) == (RefundOutcome.SUCCEEDED, Money(800))
    second = shop.adapter.refund(shop.refund(attempt, 1000, 2, before=800))
    assert (second.outcome, second.amount) == (RefundOutcome.SUCCEEDED, Money(1000))
    again = shop.adapter.refund(shop.refund(attempt, 800, before=1800))
    assert (again.outcome, again.amount) == (RefundOutcome.SUCCEEDED, Money(800))
    assert shop.sandbox.calls[-1].split()[0] == "query_refund"
    other = shop.adapter.refund(shop.refund(attempt, 900, before=1800))
    assert (other.outcome, other.code) == (RefundOutcome.FAILED, "ACQ.DISCORDANT_REPEAT_REQUEST")
    assert shop.sandbox.orders[attempt.payment_id].refunded == 1800


def test_a_refund_on_its_way_is_pending_then_absent_then_done(shop: Shop) -> None:
    attempt = shop.paid()
    wanted = shop.refund(attempt, 800)
    shop.sandbox.steer(attempt.payment_id, refund="pending")
    report = shop.adapter.refund(wanted)
    assert (report.outcome, report.code) == (RefundOutcome.PENDING, "fund_change_n")
    assert shop.adapter.query_refund(wanted).outcome is RefundOutcome.ABSENT  # So it is sent again, same number.
    assert shop.adapter.refund(wanted).outcome is RefundOutcome.PENDING
    shop.sandbox.settle(wanted.refund_id, "succeeded")
    assert shop.adapter.refund(wanted).outcome is RefundOutcome.SUCCEEDED
    assert shop.sandbox.orders[attempt.payment_id].refunded == 800


def test_an_empty_balance_fails_and_the_same_number_works_later(shop: Shop) -> None:
    attempt = shop.paid()
    wanted = shop.refund(attempt, 500)
    shop.sandbox.steer(attempt.payment_id, refund="failed")
    report = shop.adapter.refund(wanted)
    assert (report.outcome, report.code) == (RefundOutcome.FAILED, "ACQ.SELLER_BALANCE_NOT_ENOUGH")
    shop.sandbox.steer(attempt.payment_id, refund="succeeded")
    assert shop.adapter.refund(wanted).outcome is RefundOutcome.SUCCEEDED


def test_refund_shaped_notices_name_the_refund(shop: Shop) -> None:
    attempt = shop.paid()
    shop.deliver()
    for number, minor in ((1, 800), (2, 8000)):
        wanted = shop.refund(attempt, minor, number, before=800 * (number - 1))
        shop.adapter.refund(wanted)
        shop.deliver()
        notice = shop.heard[-1]
        assert (notice.payment_id, notice.refund_id, notice.report) == (attempt.payment_id, wanted.refund_id, None)
        assert notice.refund_report is not None
        assert (notice.refund_report.outcome, notice.refund_report.amount) == (RefundOutcome.SUCCEEDED, None)
    last = shop.heard[-1].refund_report
    assert last is not None
    assert last.code == "TRADE_CLOSED"  # All of it went back.
    assert shop.adapter.query(attempt).outcome is Outcome.CAPTURED
    assert shop.adapter.close(attempt) is CloseOutcome.CAPTURED


def test_a_refund_made_in_the_console_is_told_with_its_own_number(shop: Shop) -> None:
    attempt = shop.paid()
    shop.deliver()
    shop.sandbox.console_refund(attempt.payment_id, 300)
    shop.deliver()

    assert shop.heard[-1].payment_id == attempt.payment_id
    assert (shop.heard[-1].refund_id or "").startswith("console")


def test_duplicates_reorder_and_gbk(shop: Shop) -> None:
    attempt = shop.created()
    shop.sandbox.steer(attempt.payment_id, duplicates=10, reorder=True, charset="gbk")
    shop.sandbox.pay(attempt.payment_id)

    assert shop.deliver() == 20
    outcomes = [notice.report.outcome for notice in shop.heard if notice.report]
    assert outcomes == [Outcome.PENDING] * 10 + [Outcome.CAPTURED] * 10
    assert len({notice.notice_id for notice in shop.heard}) == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tamper": True}, "bad_signature"),
        ({"unknown_key": True}, "bad_signature"),
        ({"other_app": True}, "foreign_notice"),
        ({"other_merchant": True}, "foreign_notice"),
    ],
)
def test_wrong_notices_are_refused_and_sent_again(shop: Shop, noon: Any, changes: dict[str, Any], code: str) -> None:
    attempt = shop.created()
    shop.sandbox.steer(attempt.payment_id, **changes)
    shop.sandbox.pay(attempt.payment_id)

    shop.deliver()
    assert [refusal.code for refusal in shop.refused] == [code]
    noon.advance(timedelta(minutes=4))
    assert shop.deliver() == 1
    assert shop.heard == []


def test_another_amount_says_so_and_dropped_notices_are_found_by_query(shop: Shop) -> None:
    attempt = shop.created(1)
    shop.sandbox.steer(attempt.payment_id, notice_amount=1)
    shop.sandbox.pay(attempt.payment_id)
    shop.deliver()
    assert shop.heard[0].report is not None
    assert shop.heard[0].report.amount == Money(1)
    assert shop.adapter.query(attempt).amount == Money(8800)
    shop.sandbox.steer(notify=False)
    silent = shop.paid(2)
    assert shop.deliver() == 0
    assert shop.adapter.query(silent).outcome is Outcome.CAPTURED


@pytest.mark.parametrize("make", [plain_key, certified_key])
def test_keys_rotate_with_overlap(noon: Any, make: Any) -> None:
    shop = Shop(certificates=make is certified_key, signing=[make(1)])
    new = shop.sandbox.rotate(make(2))
    shop.adapter = alipay.build(shop.sandbox.configuration())
    for number in range(1, 9):
        shop.paid(number)
    assert shop.deliver() == 8
    assert len(shop.heard) == 8
    shop.sandbox.rotate(new, overlap=False)
    assert shop.adapter.query(shop.paid(9)).outcome is Outcome.CAPTURED
    shop.sandbox.rotate(make(3), overlap=False)
    calls = len(shop.requests)
    shop.sandbox.pay(shop.sandbox.scan(_offered(shop, 10)).out_trade_no)
    shop.deliver()
    assert shop.refused[-1].code == ("unknown_key" if make is certified_key else "bad_signature")
    assert len(shop.requests) == calls + 1
    outbound.install(None)


def _offered(shop: Shop, number: int) -> str:
    """Create an order whose answer no longer verifies."""
    wanted = shop.order(number)
    assert shop.adapter.create(wanted).outcome is Outcome.UNKNOWN
    return wanted.payment_id


# --- bills ------------------------------------------------------------------------------------------------------------

DAY = date(2026, 11, 22)


def _traded(noon: Any, **changes: Any) -> Shop:
    shop = Shop(**changes)
    shop.trade(noon)
    noon.moment = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    return shop


def test_a_bill_of_a_china_day(noon: Any, shop: Shop) -> None:
    shop = _traded(noon)

    bill = shop.adapter.bill(DAY)

    assert bill.defects == ()
    assert [(line.kind, line.amount.minor) for line in bill.lines] == [
        (BillKind.PAYMENT, 8800),
        (BillKind.PAYMENT, 8800),
        (BillKind.REFUND, 100),
        (BillKind.REFUND, 8800),
    ]
    line = bill.lines[2]
    assert line.payment_id == shop.order(1).payment_id
    assert line.refund_id == ids.child_id("ref", line.payment_id, 1)
    assert line.at == datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)
    assert line.transaction_id == shop.sandbox.orders[line.payment_id].transaction_id
    assert shop.adapter.bill(date(2026, 11, 1)) == Bill()
    with pytest.raises(BillUnavailable):
        shop.adapter.bill(date(2026, 11, 23))  # Not made yet.


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        ("missing", None),
        ("extra", None),
        ("amount", None),
        ("duplicate", None),
        ("totals", "交易合计 speaks of 3 lines, there are 2"),
        ("cut", "the end of the list is missing"),
        ("field", "line 6: not an amount in yuan"),
    ],
)
def test_seeded_defects_reach_whoever_reconciles(noon: Any, shop: Shop, defect: str, said: str | None) -> None:
    shop = _traded(noon, bill_defects=(defect,))

    bill = shop.adapter.bill(DAY)

    if said is None:
        assert bill.defects == ()
    else:
        assert any(said in line for line in bill.defects)
    count = {"missing": 3, "extra": 5, "duplicate": 5, "field": 3}.get(defect, 4)
    assert len(bill.lines) == count


@pytest.mark.parametrize("archive", [b"", b"PK\x03\x04", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_an_archive_that_is_none_is_unavailable(noon: Any, shop: Shop, archive: bytes) -> None:
    shop = _traded(noon)
    inner = shop.send
    outbound.install(lambda request: outbound.Response(200, {}, archive) if "/bill?" in request.url else inner(request))

    with pytest.raises(BillUnavailable):
        shop.adapter.bill(DAY)


def test_bills_are_fetched_from_alipay_only(noon: Any, shop: Shop) -> None:
    shop = _traded(noon, base_url="http://169.254.169.254")

    with pytest.raises(BillUnavailable, match="not Alipay's"):
        shop.adapter.bill(DAY)
    assert all("169.254" not in request.url for request in shop.requests)


def test_the_stand_in_is_the_same_for_the_same_seed(noon: Any) -> None:
    def run() -> list[tuple[dict[str, str], bytes]]:
        return Shop(chance=random.Random(7)).traffic()

    assert run() == run()
    assert len(run()) == 10
