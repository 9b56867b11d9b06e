"""A day's bill with every defect: each found, the safe ones healed, the rest an operator's case, twice the same."""

from __future__ import annotations

import csv
import io
import urllib.request
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Window
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments import service as payments
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.reconciliation import cases as cases_
from chalicelib.reconciliation import daily, domain, files, judging, runs, service, store
from chalicelib.reconciliation.domain import CaseStatus, Finding, RunStatus
from chalicelib.runtime import outbound
from tests.support.paying import Till, payment, story

DAY = "2026-11-22"
TICK: dict[str, Any] = {
    "version": "0", "account": "1", "region": "r", "detail": {},
    "detail-type": "Scheduled Event",
    "source": "aws.events", "time": "2026-11-22T04:00:00Z", "id": "1", "resources": [],
}  # fmt: skip
RUN_ID = domain.run_id("sandbox", DAY)


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def next_morning(till: Till) -> None:
    """Go to 12:00 in China on the day after, without running deadlines on the way."""
    till.clock.advance(timedelta(days=1))


def reconcile(till: Till, **more: Any) -> Any:
    body = {"provider": "sandbox", "day": DAY, **more}
    answer = till.operate("POST", "/v1/operator/reconciliations", body)
    assert answer.status == 202, answer
    till.settle()
    return till.operate("GET", f"/v1/operator/reconciliations/{RUN_ID}").json


def lines(till: Till, finding: str) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = till.operate(
            "GET", f"/v1/operator/reconciliations/{RUN_ID}/lines?finding={finding}&limit=2{cursor}"
        ).json
        found += page["items"]
        if "next_cursor" not in page:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def cases(till: Till, status: str = "open") -> list[Any]:
    return list(till.operate("GET", f"/v1/operator/cases?status={status}").json["items"])


def refund(till: Till, sale: orders.Sale, amount: int) -> str:
    answer = till.operate(
        "POST",
        f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds",
        {"order_id": sale.orders[0].order_id, "amount": {"minor": amount, "currency": "CNY"}, "reason": "r"},
    )
    assert answer.status == 201, answer
    till.settle()
    return str(answer.json["refund_id"])


# --- a sound day ------------------------------------------------------------------------------------------------------


def test_a_sound_day_matches_to_the_last_line_and_posts_its_fees_once(till: Till) -> None:
    sale, payment_id = till.paid((10_000, 2_500))
    other, _ = till.paid((1999,))
    refund_id = refund(till, sale, 4000)
    next_morning(till)
    run = reconcile(till)

    assert (run["status"], run["lines"], run["counts"], run["cases"]) == ("done", 3, {"match": 3}, 0)
    # 6 per mille of 125.00, of 19.99 (11.994 fen) and back of 40.00, each to the nearest fen.
    assert run["fees"] == [{"minor": 75 + 12 - 24, "currency": "CNY"}]
    assert run["fee_rest_millionths"] == -10_000  # 0.1199 yuan was billed, 0.12 posted.
    balances = {account: amount.minor for account, amount in ledger.proof(sale.purchase.purchase_id).balances}
    assert balances["fees:sandbox"] == 51
    assert balances["clearing:sandbox"] == 12_500 - 4_000 - 51
    assert ledger.proof(sale.purchase.purchase_id).balanced
    assert {found["line"]["payment_id"] for found in lines(till, "match")} >= {payment_id}
    assert [found["line"]["refund_id"] for found in lines(till, "match") if found["line"]["kind"] == "refund"] == [
        refund_id
    ]
    before = [ledger.entries(each.purchase.purchase_id) for each in (sale, other)]

    again = reconcile(till, again=True)
    assert {**again, "round": 1, "started_at": run["started_at"]} == run
    assert again["round"] == 2
    assert [ledger.entries(each.purchase.purchase_id) for each in (sale, other)] == before
    assert cases(till) == []


def test_a_day_without_movements_is_done_and_empty(till: Till) -> None:
    next_morning(till)
    run = reconcile(till)
    assert (run["status"], run["lines"], run["counts"]) == ("done", 0, {})


# --- every defect -----------------------------------------------------------------------------------------------------


def test_each_seeded_defect_is_found_healed_or_made_a_case(till: Till) -> None:
    """``missing`` takes the first line, ``currency`` and ``amount`` change the last payments, and so on."""
    missing, _ = till.paid((101,))
    sound, _ = till.paid((1002,))
    for_refunds, refunded_payment = till.paid((9000,))
    currency, _ = till.paid((1003,))
    amount, _ = till.paid((1004,))
    unheard = till.sale((1005,))
    unheard_payment = till.started(unheard)
    till.sandbox.steer(unheard_payment, notify=False)
    good_refund = refund(till, for_refunds, 1000)
    silent_refund_answer = till.operate(
        "POST",
        f"/v1/operator/purchases/{for_refunds.purchase.purchase_id}/refunds",
        {"order_id": for_refunds.orders[0].order_id, "amount": {"minor": 2000, "currency": "CNY"}, "reason": "r"},
    )
    till.sandbox.steer(refunded_payment, silent_after=("refund",), notify=False)
    till.settle()
    silent_refund = str(silent_refund_answer.json["refund_id"])
    till.sandbox.console_refund(refunded_payment, 77)
    till.sandbox.pay(unheard_payment)
    # The provider lists payments in this order: the first is lost, the last two are written wrong.
    listed = [*(each.purchase.purchase_id.replace("pur_", "pay_") + "_01" for each in (missing, sound, for_refunds)),
              unheard_payment]  # fmt: skip
    ordered = {number: till.sandbox.orders[number] for number in listed}
    till.sandbox.orders = {**ordered, **till.sandbox.orders}
    till.sandbox.bill_defects = ("missing", "extra", "amount", "currency", "duplicate", "totals")
    next_morning(till)

    assert payment(unheard_payment).status is PaymentStatus.PENDING
    run = reconcile(till)

    assert run["status"] == "done"
    assert run["counts"] == {
        "match": 3,  # sound, the payment of the refunds, the good refund
        "missing_here": 3,  # unheard and silent (healed), the stranger's
        "differs": 2,
        "unknown_refund": 1,
        "duplicate": 1,
        "unreadable": 1,
        "missing_there": 1,
    }
    assert run["healed"] == 2
    assert run["cases"] == 7 == len(cases(till))

    healed = {found["ours"]["record_id"]: found for found in lines(till, "missing_here") if found["healed"]}
    assert set(healed) == {unheard_payment, silent_refund}
    assert payment(unheard_payment).status is PaymentStatus.CAPTURED
    assert orders.load_purchase(unheard.purchase.purchase_id).status is PurchaseStatus.PAID
    refunds = {found.refund_id: found.status for found in story(for_refunds).refunds}
    assert refunds == {good_refund: RefundStatus.SUCCEEDED, silent_refund: RefundStatus.SUCCEEDED}

    [stranger] = [found for found in lines(till, "missing_here") if not found["healed"]]
    assert (stranger["why"], stranger["line"]["payment_id"]) == ("unknown_payment", "pay_nobody_knows_01")
    differing = {found["ours"]["purchase_id"]: found["why"] for found in lines(till, "differs")}
    assert differing == {amount.purchase.purchase_id: "amount", currency.purchase.purchase_id: "currency"}
    [console] = lines(till, "unknown_refund")
    assert console["line"]["amount"] == {"minor": 77, "currency": "CNY"}
    [lost] = lines(till, "missing_there")
    assert lost["ours"]["purchase_id"] == missing.purchase.purchase_id
    [twice] = lines(till, "duplicate")
    assert twice["line"]["refund_id"] == console["line"]["refund_id"]
    [totals] = lines(till, "unreadable")
    assert "totals" in totals["why"]
    assert {case["kind"] for case in cases(till)} == {
        "missing_here", "differs", "unknown_refund", "duplicate", "unreadable", "missing_there",
    }  # fmt: skip

    # The same day again: the same findings, the same cases, no entry more.
    everybody = (missing, sound, for_refunds, currency, amount, unheard)
    books = [ledger.entries(each.purchase.purchase_id) for each in everybody]
    told = {kind: lines(till, kind) for kind in run["counts"]}
    opened = cases(till)
    again = reconcile(till, again=True)
    assert {name: again[name] for name in ("counts", "healed", "cases", "fees")} == {
        name: run[name] for name in ("counts", "healed", "cases", "fees")
    }
    assert {kind: lines(till, kind) for kind in run["counts"]} == {
        **told, "missing_here": again_healed(told["missing_here"], lines(till, "missing_here")),
    }  # fmt: skip
    assert cases(till) == opened
    assert [ledger.entries(each.purchase.purchase_id) for each in everybody] == books
    assert all(ledger.proof(each.purchase.purchase_id).balanced for each in everybody)

    # A corrected bill settles what fits now and what it does not say any more; what does not fit stays open.
    till.sandbox.bill_defects = ()
    corrected = reconcile(till, again=True)
    assert corrected["counts"] == {"match": 5 + 1, "missing_here": 2, "unknown_refund": 1}
    assert {case["kind"] for case in cases(till)} == {"unknown_refund"}
    assert {case["kind"] for case in cases(till, "settled")} == {
        "differs", "missing_there", "missing_here", "duplicate", "unreadable",
    }  # fmt: skip


def again_healed(before: list[Any], now: list[Any]) -> list[Any]:
    """What was asked about is healed now as then; the record it shows is the same."""
    assert [(each["healed"], each.get("ours"), each["line"]) for each in before] == [
        (each["healed"], each.get("ours"), each["line"]) for each in now
    ]
    return now


def test_a_console_refund_in_the_books_is_ours_on_the_bill(till: Till) -> None:
    sale, payment_id = till.paid()
    till.sandbox.console_refund(payment_id, 77)
    till.settle()
    [held] = story(sale).quarantined
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/quarantined/{held.quarantine_id}/resolve"
    assert till.operate("POST", path, {"how": "adopt", "order_id": sale.orders[0].order_id}).status == 200
    next_morning(till)
    reconcile(till)
    assert [lines(till, finding) for finding in ("unknown_refund", "missing_there")] == [[], []]
    assert len(lines(till, "match")) == 2
    assert cases(till) == []


def test_a_refund_the_bill_calls_failed_is_a_case(till: Till) -> None:
    sale, _ = till.paid((5000,))
    refund(till, sale, 500)
    till.sandbox.bill_defects = ("state",)
    next_morning(till)
    run = reconcile(till)
    assert run["counts"] == {"match": 1, "differs": 1}
    assert [found["why"] for found in lines(till, "differs")] == ["state"]


def test_an_unreadable_line_is_told_and_its_record_too(till: Till) -> None:
    till.paid((5000,))
    till.paid((6000,))
    till.sandbox.bill_defects = ("field",)
    next_morning(till)
    run = reconcile(till)
    assert run["counts"] == {"match": 1, "unreadable": 1, "missing_there": 1}


# --- steps ------------------------------------------------------------------------------------------------------------


def test_a_big_day_goes_in_bounded_steps_that_may_all_run_twice(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LINES_A_STEP", 2)
    monkeypatch.setattr(runs, "RECORDS_A_STEP", 1)
    sales = [till.paid((1000 + number,))[0] for number in range(5)]
    till.sandbox.bill_defects = ("missing", "duplicate")
    next_morning(till)
    till.pump.duplicate = 2
    run = reconcile(till)

    assert (run["pieces"], run["pieces_read"]) == (3, 3)
    assert run["counts"] == {"match": 4, "duplicate": 1, "missing_there": 1}
    assert [found["ours"]["purchase_id"] for found in lines(till, "missing_there")] == [sales[0].purchase.purchase_id]
    steps = [entry for entry in till.pump.log if entry.startswith("reconciliation:reconciliation.advanced")]
    assert len(steps) == len(set(steps))  # One message a step; its copies were no-ops.


def test_a_step_that_dies_before_it_is_noted_comes_out_the_same(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    unheard = till.sale((1005,))
    payment_id = till.started(unheard)
    till.sandbox.steer(payment_id, notify=False)
    till.sandbox.pay(payment_id)
    next_morning(till)
    real = runs._save
    deaths: list[int] = []

    def dying(run: domain.Run) -> domain.Run:
        if run.status is RunStatus.CHECKING and not deaths:
            deaths.append(run.step)
            raise RuntimeError("the machine went away")
        return real(run)

    monkeypatch.setattr(runs, "_save", dying)
    reconcile(till)
    till.wait(timedelta(minutes=5))
    run = service.get_run(RUN_ID)

    assert deaths
    assert (run.status, dict(run.counts), run.healed) == (RunStatus.DONE, {"missing_here": 1}, 1)
    assert payment(payment_id).status is PaymentStatus.CAPTURED


def test_two_copies_of_a_step_at_the_same_moment_count_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    till.paid((1000,))
    next_morning(till)
    run, _ = service.begin("sandbox", date.fromisoformat(DAY))
    run = service.advance(run.run_id, run.step)
    real = judging.judge_piece
    rivals: list[domain.Run] = []

    def judged_by_both(*args: Any) -> Any:
        found = real(*args)
        if not rivals:
            rivals.append(run)
            rivals.append(service.advance(run.run_id, run.step))
        return found

    monkeypatch.setattr(judging, "judge_piece", judged_by_both)
    after = service.advance(run.run_id, run.step)
    assert after == rivals[1]
    assert dict(after.counts) == {"match": 1}


# --- the clock --------------------------------------------------------------------------------------------------------


def test_the_hourly_job_begins_each_closed_day_once_when_its_bill_is_ready(till: Till) -> None:
    till.paid((1000,))
    assert daily.reconcile(TICK, None) == {"begun": 3}  # It is noon in China: the bills of the days before are there.
    till.settle()
    till.clock.advance(timedelta(hours=20))
    assert daily.reconcile(TICK, None) == {"begun": 0}  # 08:00 in China: not yet.
    till.clock.advance(timedelta(hours=3))
    assert daily.reconcile(TICK, None) == {"begun": 1}
    assert daily.reconcile(TICK, None) == {"begun": 0}
    till.settle()
    listed = till.operate("GET", f"/v1/operator/reconciliations?provider=sandbox&day={DAY}&days=5").json["items"]
    assert (listed[0]["day"], listed[0]["counts"]) == (DAY, {"match": 1})
    assert {run["status"] for run in listed} == {"done"}


def test_a_bill_that_is_not_there_is_asked_for_again_and_at_last_is_a_case(till: Till) -> None:
    till.paid((1000,))
    next_morning(till)
    till.sandbox.steer(down=("bill",))
    run = reconcile(till)
    assert (run["status"], run["why"]) == ("wanted", "OUTBOUND_TIMEOUT")
    till.wait(timedelta(minutes=31), step=timedelta(minutes=1))
    assert service.get_run(RUN_ID).asks == 2
    till.sandbox.steer(down=())
    till.wait(timedelta(minutes=31), step=timedelta(minutes=1))
    assert service.get_run(RUN_ID).status is RunStatus.DONE


def test_a_bill_that_never_comes_fails_the_run_with_a_case_that_a_repeat_settles(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "ASKS", 2)
    next_morning(till)
    till.sandbox.steer(down=("bill",))
    reconcile(till)
    till.wait(timedelta(minutes=31), step=timedelta(minutes=1))
    assert service.get_run(RUN_ID).status is RunStatus.FAILED
    assert [case["kind"] for case in cases(till)] == ["bill_missing"]
    till.sandbox.steer(down=())
    assert reconcile(till, again=True)["status"] == "done"
    assert cases(till) == []


def test_a_day_that_is_not_over_or_a_provider_we_do_not_know_is_refused_without_a_trace(till: Till) -> None:
    for body, code in (
        ({"provider": "sandbox", "day": DAY}, "day_not_over"),
        ({"provider": "nobody", "day": "2026-11-20"}, "unknown_provider"),
    ):
        assert till.operate("POST", "/v1/operator/reconciliations", body).json["code"] == code
    assert store.load_runs([RUN_ID]) == {}


def test_money_booked_on_the_other_side_of_midnight_is_found_there(till: Till) -> None:
    _, payment_id = till.paid((1000,))
    order = till.sandbox.orders[payment_id]
    assert order.paid_at is not None
    order.paid_at += 24 * 3600  # The provider books it on the next day.
    next_morning(till)
    assert reconcile(till)["counts"] == {"missing_there": 1}
    till.clock.advance(timedelta(days=1))
    service.begin("sandbox", date(2026, 11, 23))
    till.settle()
    assert cases(till) == []
    assert [case["kind"] for case in cases(till, "settled")] == ["missing_there"]
    assert reconcile(till, again=True)["counts"] == {}  # The next day's bill speaks for it.


# --- cases ------------------------------------------------------------------------------------------------------------


def test_a_case_escalates_when_nobody_acts_and_is_resolved_once(till: Till) -> None:
    till.paid((1000,))
    till.sandbox.bill_defects = ("missing", "extra")
    next_morning(till)
    reconcile(till)
    case = next(case for case in cases(till) if case["kind"] == "missing_there")
    till.wait(timedelta(days=2, minutes=2), step=timedelta(hours=12))
    path = f"/v1/operator/cases/{case['case_id']}"
    assert till.operate("GET", path).json["status"] == "escalated"
    body = {"how": "with_provider", "note": "asked their desk"}
    first = till.operate("POST", f"{path}/resolve", body, key="resolve-0001")
    again = till.operate("POST", f"{path}/resolve", body, key="resolve-0001")
    other = till.operate("POST", f"{path}/resolve", {**body, "note": "x"}, key="resolve-0001")
    late = till.operate("POST", f"{path}/resolve", body)
    assert (first.status, first.json["status"]) == (200, "resolved")
    assert (again.json, again.headers["idempotency-replayed"]) == (first.json, "true")
    assert other.json["code"] == "idempotency_key_reused"
    assert (late.status, late.json["code"]) == (409, "illegal_transition")
    assert [turn["status"] for turn in first.json["history"]] == ["escalated", "resolved"]
    assert till.operate("GET", "/v1/operator/cases/cas_nothing").status == 404


def test_an_operator_and_a_corrected_bill_at_the_same_moment_close_a_case_once(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.paid((1000,))
    till.sandbox.bill_defects = ("missing",)
    next_morning(till)
    reconcile(till)
    [case] = cases(till)
    real = cases_.turn
    rivals: list[str] = []

    def turning(*args: Any) -> Any:
        if not rivals:
            rivals.append("began")
            cases_.settle(case["case_id"], "rival")
        return real(*args)

    monkeypatch.setattr(cases_, "turn", turning)
    answer = till.operate("POST", f"/v1/operator/cases/{case['case_id']}/resolve", {"how": "accepted", "note": "n"})
    assert (answer.status, answer.json["code"]) == (409, "illegal_transition")
    assert service.get_case(case["case_id"]).status is CaseStatus.SETTLED


def test_a_stuck_refund_is_a_case_until_it_goes_through(till: Till) -> None:
    sale, payment_id = till.paid((1000,))
    till.sandbox.steer(payment_id, refund="abnormal")
    refund_id = refund(till, sale, 300)
    [case] = cases(till)
    assert (case["kind"], case["said"]["status"], case["purchase_id"]) == (
        "refund_stuck", "abnormal", sale.purchase.purchase_id,
    )  # fmt: skip
    till.sandbox.settle(refund_id, "succeeded")
    till.settle()
    assert cases(till) == []
    assert service.get_case(case["case_id"]).status is CaseStatus.SETTLED


# --- the report -------------------------------------------------------------------------------------------------------


def test_the_report_is_downloaded_as_csv_and_runs_no_formula(till: Till) -> None:
    till.paid((1000,))
    till.paid((2000,))
    till.sandbox.bill_defects = ("missing", "extra")
    next_morning(till)
    till.operate("POST", "/v1/operator/reconciliations", {"provider": "sandbox", "day": DAY})
    early = till.operate("GET", f"/v1/operator/reconciliations/{RUN_ID}/report")
    assert early.status == 404
    till.settle()
    told = till.operate("GET", f"/v1/operator/reconciliations/{RUN_ID}/report").json
    with urllib.request.urlopen(told["url"], timeout=60) as answer:
        text = answer.read().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["finding"] for row in rows] == ["match", "missing_here", "missing_there"]
    assert rows[0]["amount"] == "20.00"
    assert files._safe("=1+1") == "'=1+1"


def test_nobody_but_operators_sees_any_of_it(till: Till) -> None:
    from tests.support import http

    for method, path in (
        ("GET", "/v1/operator/cases"),
        ("GET", f"/v1/operator/reconciliations/{RUN_ID}"),
        ("GET", f"/v1/operator/reconciliations/{RUN_ID}/report"),
    ):
        assert http.call(method, path, token=till.buyer.token).status == 403


def test_a_signed_cursor_belongs_to_its_list(till: Till) -> None:
    for number in range(3):
        till.paid((1000 + number,))
    next_morning(till)
    reconcile(till)
    page = till.operate("GET", f"/v1/operator/reconciliations/{RUN_ID}/lines?finding=match&limit=1").json
    assert "next_cursor" in page
    foreign = f"/v1/operator/reconciliations/{RUN_ID}/lines?finding=differs&cursor={page['next_cursor']}"
    assert till.operate("GET", foreign).json["code"] == "bad_cursor"


def test_fees_are_read_as_each_provider_writes_them() -> None:
    def fee(text: str, kind: str = "payment", currency: str = "CNY") -> Any:
        line = domain.Line(1, domain.Kind(kind), "", "", 100, currency, text, 0)
        return domain.fee_of(line)

    assert fee("0.05") == domain.Fee(Money(5), 0)
    assert fee("-0.05", "refund") == domain.Fee(Money(-5), 0)
    assert fee("0.00600") == domain.Fee(Money(1), -400_000)
    assert fee("59 USD", currency="JPY") == domain.Fee(Money(59, "USD"), 0)
    assert fee("12", currency="JPY") == domain.Fee(Money(12, "JPY"), 0)
    assert (fee(""), fee("free"), fee("1", "other")) == (None, None, None)


def test_the_index_of_a_day_lists_what_moved_on_it(till: Till) -> None:
    sale, payment_id = till.paid((1000,))
    refund_id = refund(till, sale, 1000)
    day = payments.billing_day("sandbox", clock.now())
    found: list[str] = []
    for shard in range(payments.BOOKED_SHARDS):
        found += payments.booked("sandbox", day, Window(10), shard=shard).items
    assert sorted(found) == sorted([payment_id, refund_id])
    assert Finding.MATCH in Finding
