"""What operators do with money: refunds by line, a second person above the limit, quarantine, lists, the story."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.kernel.money import Money, split_minor
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.payments import providers, service
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain import refund_request, reservation
from chalicelib.payments.domain.refund import RefundRefused, RefundStatus
from chalicelib.payments.domain.refund_request import RefundRequest, Sold
from chalicelib.payments.ports import Limits
from chalicelib.payments.refunds import approve
from chalicelib.runtime import outbound
from tests.support import http, people
from tests.support.paying import Till, accounts, payment, story

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


@pytest.fixture
def second(till: Till) -> people.Person:
    return people.operator()


def base(sale: orders.Sale) -> str:
    return f"/v1/operator/purchases/{sale.purchase.purchase_id}"


def wish(sale: orders.Sale, minor: int) -> dict[str, Any]:
    return {"order_id": sale.orders[0].order_id, "amount": {"minor": minor, "currency": "CNY"}, "reason": "broken"}


def as_second(second: people.Person, path: str, body: Any = None, key: str | None = None) -> http.Answer:
    token = people.token(second.account_id, Role.BUYER, Role.OPERATOR)
    return http.call("POST", path, body if body is not None else {}, token=token, key=key)


def ask(till: Till, sale: orders.Sale, minor: int, key: str | None = None) -> http.Answer:
    return till.operate("POST", f"{base(sale)}/refund-approvals", wish(sale, minor), key=key)


def test_what_an_operator_writes_stays_out_of_the_log(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, _ = till.paid()
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(repr((record.getMessage(), getattr(record, "fields", {}))))

    kept = Kept()
    monkeypatch.setattr(logging.getLogger("biandan"), "handlers", [kept])
    written = {**wish(sale, 500), "reason": "Li Lei called, 13800138000"}
    assert till.operate("POST", f"{base(sale)}/refunds", written).status == 201
    till.settle()
    assert any("refund requested" in line for line in lines)
    assert [line for line in lines if "13800138000" in line] == []


# --- a second person --------------------------------------------------------------------------------------------------


def test_one_operator_alone_refunds_up_to_the_limit_however_often(till: Till) -> None:
    sale, _ = till.paid((300_000,))
    assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 60_000)).status == 201
    over = till.operate("POST", f"{base(sale)}/refunds", wish(sale, 40_001))
    assert (over.status, over.json["code"], over.json["limit"]) == (409, "approval_needed", 100_000)
    assert len(story(sale).refunds) == 1
    assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 40_000)).status == 201
    assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 1)).json["code"] == "approval_needed"


def test_the_limit_is_a_setting(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, _ = till.paid((3000,))
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", "USD:5, CNY:10")
    assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 11)).json["limit"] == 10
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", "")
    assert service.approval_limit("CNY") == 0


def test_another_operator_approves_and_the_refund_goes_out_once(till: Till, second: people.Person) -> None:
    sale, payment_id = till.paid((300_000,))
    asked = ask(till, sale, 250_000, key="ask-00000001")
    again = ask(till, sale, 250_000, key="ask-00000001")
    other = ask(till, sale, 250_001, key="ask-00000001")
    assert (asked.status, asked.json["status"]) == (201, "pending")
    assert (again.json, again.headers["idempotency-replayed"]) == (asked.json, "true")
    assert other.json["code"] == "idempotency_key_reused"
    assert payment(payment_id).reserved_minor == 0
    listed = till.operate("GET", "/v1/operator/payments?status=approval").json["approvals"]
    assert [found["approval_id"] for found in listed] == [asked.json["approval_id"]]

    path = f"{base(sale)}/refund-approvals/{asked.json['approval_id']}"
    own = till.operate("POST", f"{path}/approve", {})
    assert (own.status, own.json["code"]) == (403, "own_approval")
    assert story(sale).refunds == ()

    first = as_second(second, f"{path}/approve", {"note": "seen"}, key="approve-0001")
    repeat = as_second(second, f"{path}/approve", {"note": "seen"}, key="approve-0001")
    changed = as_second(second, f"{path}/approve", {"note": "x"}, key="approve-0001")
    late = as_second(second, f"{path}/reject")
    assert (first.status, first.json["status"]) == (200, "approved")
    assert (repeat.json, repeat.headers["idempotency-replayed"]) == (first.json, "true")
    assert changed.json["code"] == "idempotency_key_reused"
    assert late.json["code"] == "illegal_transition"
    till.settle()
    [refund] = story(sale).refunds
    assert (refund.refund_id, refund.status, refund.amount) == (
        first.json["refund_id"], RefundStatus.SUCCEEDED, Money(250_000),
    )  # fmt: skip
    assert (refund.by, refund.approved_by) == (till.operator.account_id, second.account_id)
    assert till.sandbox.orders[payment_id].refunded == 250_000
    assert till.operate("GET", "/v1/operator/payments?status=approval").json["approvals"] == []


def test_two_approvals_at_the_same_moment_are_one_refund(
    till: Till, second: people.Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, payment_id = till.paid((300_000,))
    path = f"{base(sale)}/refund-approvals/{ask(till, sale, 250_000).json['approval_id']}/approve"
    third = people.operator()
    real = approve._request_approved
    rivals: list[Any] = []

    def requesting(*args: Any) -> str:
        found = real(*args)
        if not rivals:
            rivals.append(None)
            rivals.append(as_second(third, path))
        return found

    monkeypatch.setattr(approve, "_request_approved", requesting)
    answer = as_second(second, path)
    till.settle()
    assert (rivals[1].status, answer.status, answer.json["code"]) == (200, 409, "illegal_transition")
    assert len(story(sale).refunds) == 1
    assert till.sandbox.orders[payment_id].refunded == 250_000


def test_an_approval_whose_money_is_gone_is_refused_and_stays_pending(till: Till, second: people.Person) -> None:
    sale, payment_id = till.paid((150_000,))
    asked = ask(till, sale, 120_000).json["approval_id"]
    assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 50_000)).status == 201
    before = payment(payment_id)
    answer = as_second(second, f"{base(sale)}/refund-approvals/{asked}/approve")
    assert (answer.status, answer.json["code"], answer.json["left"]) == (409, "refund_refused", 100_000)
    assert payment(payment_id) == before
    assert [found.status.value for found in story(sale).approvals] == ["pending"]
    assert ask(till, sale, 120_000).json["code"] == "refund_refused"
    assert as_second(second, f"{base(sale)}/refund-approvals/apr_nothing/approve").status == 404


def test_an_approval_expires_after_a_day_and_cannot_be_used_then(till: Till, second: people.Person) -> None:
    sale, _ = till.paid((300_000,))
    asked = ask(till, sale, 250_000).json["approval_id"]
    path = f"{base(sale)}/refund-approvals/{asked}/approve"
    till.clock.advance(timedelta(days=1))
    assert as_second(second, path).json["code"] == "illegal_transition"  # The job has not even run.
    till.wait(timedelta(minutes=2))
    assert [found.status.value for found in story(sale).approvals] == ["expired"]
    assert as_second(second, path).json["code"] == "illegal_transition"
    assert story(sale).refunds == ()


def test_a_request_is_taken_back_by_who_made_it(till: Till) -> None:
    sale, _ = till.paid((300_000,))
    asked = ask(till, sale, 250_000).json["approval_id"]
    taken = till.operate("POST", f"{base(sale)}/refund-approvals/{asked}/reject", {"note": "wrong order"})
    assert (taken.status, taken.json["status"]) == (200, "rejected")


# --- by line and quantity ---------------------------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_refunding_lines_in_any_order_returns_exactly_what_was_paid(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    charged = split_minor(data.draw(st.integers(0, 10**7)), data.draw(st.lists(
        st.integers(0, 50), min_size=len(counts), max_size=len(counts))))  # fmt: skip
    freight = data.draw(st.integers(0, 5000))
    total = Money(sum(charged) + freight)
    sold = Sold({str(n): (count, minor) for n, (count, minor) in enumerate(zip(counts, charged, strict=True))},
                freight, total)  # fmt: skip
    units = data.draw(st.permutations([str(n) for n, count in enumerate(counts) for _ in range(count)] + ["freight"]))
    made: list[refund_rules.Refund] = []
    while units:
        size = data.draw(st.integers(1, len(units)))
        part, units = units[:size], units[size:]
        lines = tuple((unit, part.count(unit)) for unit in dict.fromkeys(part) if unit != "freight")
        wished = RefundRequest("ord", "r", lines=lines, freight="freight" in part)
        made.append(refund_of(refund_request.amount_of(sold, wished, made), wished))
        assert made[-1].amount.minor >= 0
    assert sum(refund.amount.minor for refund in made) == total.minor
    for line in sold.lines:
        with pytest.raises(RefundRefused):
            refund_request.amount_of(sold, RefundRequest("ord", "r", lines=((line, 1),)), made)
    with pytest.raises(RefundRefused):
        refund_request.amount_of(sold, RefundRequest("ord", "r", freight=True), made)


def refund_of(amount: Money, wished: RefundRequest) -> refund_rules.Refund:
    return refund_rules.Refund(
        "ref", "pur", "pay", "ord", amount, RefundStatus.SUCCEEDED, "r", "c", NOW, None, NOW,
        lines=wished.lines, freight=wished.freight,
    )  # fmt: skip


@pytest.fixture
def three(till: Till, monkeypatch: pytest.MonkeyPatch) -> orders.Sale:
    """A paid order of three units for 10.00, two for 0.05, and 6.00 freight."""
    import tests.support.paying as paying

    def lines(total: int) -> Any:
        one = real(total)
        return replace(one, quantity=3, total=Money(1000))

    real = paying._line
    monkeypatch.setattr(paying, "_line", lines)
    original = orders.place

    def place(work: Any, purchase: Any, placed: Any) -> None:
        order = placed[0]
        more = replace(order.lines[0], line_id="2", quantity=2, total=Money(5))
        original(work, purchase, [replace(order, lines=(*order.lines, more), freight=Money(600))])

    monkeypatch.setattr(orders, "place", place)
    return till.paid((1605,))[0]


def by_lines(till: Till, sale: orders.Sale, lines: list[tuple[str, int]], **more: Any) -> http.Answer:
    body = {
        "order_id": sale.orders[0].order_id,
        "lines": [{"line_id": line_id, "quantity": count} for line_id, count in lines],
        "reason": "r",
        **more,
    }
    return till.operate("POST", f"{base(sale)}/refunds", body)


def test_units_go_back_for_what_they_cost_until_none_is_left(till: Till, three: orders.Sale) -> None:
    worth = []
    for lines, more in (
        ([("1", 1), ("2", 1)], {}), ([("1", 1)], {}), ([], {"freight": True}), ([("2", 1), ("1", 1)], {}),
    ):  # fmt: skip
        answer = by_lines(till, three, lines, **more)
        assert answer.status == 201, answer
        worth.append(answer.json["amount"]["minor"])
        till.settle()
    assert worth == [333 + 2, 333, 600, 334 + 3]
    assert sum(worth) == 1605
    assert accounts(three) == {}
    assert by_lines(till, three, [("1", 1)]).json["code"] == "refund_refused"


def test_more_units_than_bought_or_freight_twice_is_refused_without_a_trace(till: Till, three: orders.Sale) -> None:
    assert by_lines(till, three, [("1", 2)], freight=True).status == 201
    till.settle()
    before = story(three)
    for lines, more, why in (
        ([("1", 2)], {}, "more_units_than_bought"),
        ([("1", 1), ("1", 1)], {}, "more_units_than_bought"),
        ([("9", 1)], {}, "more_units_than_bought"),
        ([("2", 1)], {"freight": True}, "freight_refunded"),
    ):
        assert by_lines(till, three, lines, **more).json["why"] == why
    assert story(three) == before
    both = by_lines(till, three, [("1", 1)], amount={"minor": 1, "currency": "CNY"})
    assert (both.status, both.json["code"]) == (422, "invalid_request")


def test_the_same_units_asked_for_twice_at_the_same_moment_go_back_once(
    till: Till, three: orders.Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reservation.within_order
    rivals: list[Any] = []

    def within(*args: Any) -> None:
        real(*args)
        if not rivals:
            rivals.append(None)
            rivals.append(by_lines(till, three, [("1", 2)]))

    monkeypatch.setattr(reservation, "within_order", within)
    answer = by_lines(till, three, [("1", 2)])
    till.settle()
    assert (rivals[1].status, answer.status, answer.json["why"]) == (201, 409, "more_units_than_bought")
    assert [refund.lines for refund in story(three).refunds] == [(("1", 2),)]


# --- what the provider allows -----------------------------------------------------------------------------------------


def limited(monkeypatch: pytest.MonkeyPatch, limits: Limits) -> None:
    adapter: Any = providers.load("sandbox")
    monkeypatch.setattr(providers, "load", lambda name: replace(adapter, limits=limits))


def test_no_more_refunds_than_the_provider_takes(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, _ = till.paid((1000,))
    limited(monkeypatch, Limits(max_refunds=3))
    answers = [till.operate("POST", f"{base(sale)}/refunds", wish(sale, 1)) for _ in range(4)]
    assert [answer.status for answer in answers] == [201, 201, 201, 409]
    assert answers[3].json["why"] == "too_many_refunds"
    assert len(story(sale).refunds) == 3


def test_fifty_refunds_of_one_payment_and_not_one_more(till: Till) -> None:
    sale, payment_id = till.paid((1000,))
    for _ in range(50):
        assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 1)).status == 201
    assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 1)).json["why"] == "too_many_refunds"
    assert payment(payment_id).reserved_minor == 50


def test_a_refund_after_the_providers_year_is_refused(till: Till) -> None:
    sale, _ = till.paid((1000,))
    till.clock.advance(timedelta(days=365))
    assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 1)).status == 201
    till.clock.advance(timedelta(seconds=1))
    assert till.operate("POST", f"{base(sale)}/refunds", wish(sale, 1)).json["why"] == "window_closed"


# --- lists, quarantine, story -----------------------------------------------------------------------------------------


def quarantined(till: Till) -> tuple[orders.Sale, str, str]:
    sale = till.sale((1000,))
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, notice_amount=999, down=("query",))
    till.sandbox.pay(payment_id)
    till.settle()
    [found] = till.operate("GET", "/v1/operator/payments?status=quarantined").json["quarantined"]
    return sale, payment_id, f"{base(sale)}/quarantined/{found['quarantine_id']}/resolve"


def test_a_quarantined_notice_is_resolved_by_the_providers_own_answer(till: Till) -> None:
    _, payment_id, path = quarantined(till)
    silent = till.operate("POST", path, {"how": "query"})
    assert (silent.status, silent.json["code"]) == (502, "provider_silent")
    till.sandbox.steer(payment_id, down=())
    body = {"how": "query", "note": "asked"}
    first = till.operate("POST", path, body, key="resolve-0001")
    again = till.operate("POST", path, body, key="resolve-0001")
    assert (first.status, first.json["resolved"]) == (200, "query: captured 10.00 CNY")
    assert (again.json, again.headers["idempotency-replayed"]) == (first.json, "true")
    assert till.operate("POST", path, body).json["code"] == "illegal_transition"
    assert payment(payment_id).status.value == "captured"
    assert till.operate("GET", "/v1/operator/payments?status=quarantined").json["quarantined"] == []
    assert first.json["by"] == till.operator.account_id


def test_a_quarantined_notice_is_marked_as_seen(till: Till) -> None:
    _, payment_id, path = quarantined(till)
    seen = till.operate("POST", path, {"how": "seen"})
    assert (seen.json["resolved"], payment(payment_id).status.value) == ("seen", "pending")


def test_a_provider_that_does_not_answer_a_query_is_told_from_one_that_says_nothing_new(till: Till) -> None:
    payment_id = till.started(till.sale((1000,)))
    till.sandbox.steer(payment_id, down=("query",))
    before = payment(payment_id)
    silent = till.operate("POST", f"/v1/operator/payments/{payment_id}/query")
    assert (silent.status, silent.json["code"]) == (502, "provider_silent")
    assert payment(payment_id) == before
    till.sandbox.steer(payment_id, down=())
    assert till.operate("POST", f"/v1/operator/payments/{payment_id}/query").json["status"] == "pending"


def test_lists_by_state_and_age(till: Till) -> None:
    sale = till.sale((1000,))
    payment_id = till.started(sale)
    till.expire(sale)
    till.sandbox.steer(payment_id, refund="abnormal")
    till.sandbox.pay(payment_id)
    till.settle()
    listed = till.operate("GET", "/v1/operator/payments?status=surplus").json
    assert [found["payment_id"] for found in listed["payments"]] == [payment_id]
    young = till.operate("GET", "/v1/operator/payments?status=refund_abnormal&older_than_s=60").json
    assert young["refunds"] == []
    till.clock.advance(timedelta(seconds=61))
    old = till.operate("GET", "/v1/operator/payments?status=refund_abnormal&older_than_s=60").json
    assert [found["payment_id"] for found in old["refunds"]] == [payment_id]
    till.sandbox.settle(old["refunds"][0]["refund_id"], "succeeded")
    till.settle()
    assert till.operate("GET", "/v1/operator/payments?status=surplus").json["payments"] == []


def test_the_whole_story_of_a_purchase_in_time_order(till: Till, second: people.Person) -> None:
    sale, _ = till.paid((300_000,))
    till.clock.advance(timedelta(seconds=5))
    asked = ask(till, sale, 250_000).json["approval_id"]
    till.clock.advance(timedelta(seconds=5))
    as_second(second, f"{base(sale)}/refund-approvals/{asked}/approve")
    till.clock.advance(timedelta(seconds=5))
    till.settle()
    told = till.operate("GET", f"{base(sale)}/story").json["items"]
    assert [found["what"] for found in told] == [
        "purchase.placed", "payment.started", "payment.captured", "purchase.changed", "order.changed", "ledger.posted",
        "approval.asked", "approval.approved", "refund.requested", "refund.succeeded", "ledger.posted",
    ]  # fmt: skip
    assert [found["at"] for found in told] == sorted(found["at"] for found in told)
    assert till.operate("GET", "/v1/operator/purchases/pur_nothing/story").status == 404


def test_a_providers_day_is_listed_page_by_page(till: Till) -> None:
    paid = [till.paid() for _ in range(5)]
    sale, payment_id = paid[0]
    till.sandbox.steer(payment_id, refund="succeeded")
    till.operate("POST", f"{base(sale)}/refunds", wish(sale, 100))
    till.settle()
    seen: list[str] = []
    pages, cursor = 0, ""
    while True:
        page = till.operate("GET", f"/v1/operator/payments/booked?provider=sandbox&day=2026-11-22&limit=2{cursor}").json
        seen += [found["payment_id"] for found in page["payments"]]
        seen += [found["refund_id"] for found in page["refunds"]]
        pages += 1
        if not page.get("next_cursor"):
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted([*(payment_id for _, payment_id in paid), story(sale).refunds[0].refund_id])
    assert pages >= 3
    for other in ("provider=sandbox&day=2026-11-21", "provider=alipay&day=2026-11-22"):
        page = till.operate("GET", f"/v1/operator/payments/booked?{other}").json
        assert (page["payments"], page["refunds"], page.get("next_cursor")) == ([], [], None)


def test_the_story_tells_every_state_a_refund_was_in_and_how_attempts_ended(till: Till) -> None:
    sale = till.sale()
    first = till.started(sale)
    till.start(sale)  # A second attempt closes the first.
    till.sandbox.steer(refund="pending")
    second = till.start(sale, key="key-00000002").json["payment_id"]
    till.sandbox.pay(second)
    till.settle()
    till.operate("POST", f"{base(sale)}/refunds", wish(sale, 100))
    till.settle()
    (refund,) = story(sale).refunds
    till.clock.advance(timedelta(seconds=10))
    till.sandbox.settle(refund.refund_id, "failed")
    till.settle()
    till.sandbox.steer(refund="succeeded")
    till.clock.advance(timedelta(seconds=10))
    service.retry_refund(refund.refund_id)
    till.clock.advance(timedelta(seconds=10))
    till.settle()
    items = till.operate("GET", f"{base(sale)}/story").json["items"]
    told = [item["what"].partition(".")[2] for item in items if item["record_id"] == refund.refund_id]
    assert told == ["requested", "pending", "failed", "requested", "succeeded"]
    ended = [item["what"] for item in items if item["record_id"] == first]
    assert ended == ["payment.started", "payment.closed"]
