"""What bills say rarely and must not be lost: the same trouble again, another day's movements, big files."""

from __future__ import annotations

import csv
import io
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Window
from chalicelib.kernel.roles import Role
from chalicelib.kernel.texts import said
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.payments.service import Bill, BillKind, BillLine
from chalicelib.reconciliation import advice, files, judging, runs, service
from chalicelib.reconciliation.domain import Case, CaseStatus, Finding, Judged, Run, RunStatus
from chalicelib.runtime import outbound
from tests.support import http, people
from tests.support.paying import Till, payment

FIRST, SECOND, THIRD = (date(2026, 11, day) for day in (22, 23, 24))


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


@pytest.fixture
def bills(till: Till, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set what the provider's bill of a day says."""
    told: dict[date, Bill] = {}
    monkeypatch.setattr(payments, "fetch_bill", lambda _, day, place="": iter([told.get(day, Bill())]))

    def tell(day: date, *lines: BillLine, defects: tuple[str, ...] = ()) -> None:
        told[day] = Bill(lines, defects=defects)

    return tell


def line(kind: BillKind, minor: int, *, payment_id: str = "", number: int = 1, **more: Any) -> BillLine:
    """Return a line of a bill."""
    transaction_id = more.pop("transaction_id", "")
    if not transaction_id and payment_id.startswith("pay_") and kind is BillKind.PAYMENT:
        transaction_id = payment(payment_id).transaction_id or ""
    return BillLine(
        kind, payment_id, transaction_id, Money(minor), more.pop("fee_text", ""), clock.now(), line=number, **more
    )


def reconcile(till: Till, day: date, *, again: bool = False) -> Run:
    """Reconcile a day, on the day after at the earliest."""
    while payments.billing_day("sandbox", clock.now()) <= day:
        till.clock.advance(timedelta(days=1))
    run, _ = service.begin("sandbox", day, again=again)
    till.settle()
    run = service.get_run(run.run_id)
    assert run.status is RunStatus.DONE, run
    return run


def cases(status: CaseStatus = CaseStatus.OPEN) -> list[Case]:
    return list(service.list_cases(status, Window(50)).items)


def found(run: Run, finding: Finding) -> list[Judged]:
    return list(service.list_lines(run.run_id, finding, Window(50)).items)


# --- the same thing again ---------------------------------------------------------------------------------------------


def test_each_movement_of_a_dispute_is_a_case_of_its_own(till: Till, bills: Callable[..., None]) -> None:
    _, first = till.paid((1000,))
    _, other = till.paid((2000,))
    bills(
        FIRST, line(BillKind.PAYMENT, 1000, payment_id=first), line(BillKind.PAYMENT, 2000, payment_id=other, number=2)
    )
    reconcile(till, FIRST)
    bills(SECOND, line(BillKind.DISPUTE, 1000, payment_id=first, transaction_id="ch_1"))
    bills(THIRD, line(BillKind.DISPUTE, 2000, payment_id=other, transaction_id="ch_2"))
    reconcile(till, SECOND)
    reconcile(till, SECOND, again=True)
    reconcile(till, THIRD)
    assert sorted((case.kind, case.said["amount"]) for case in cases()) == [
        ("dispute", "10.00 CNY"), ("dispute", "20.00 CNY"),
    ]  # fmt: skip
    # The money comes back later: a movement of its own.
    bills(date(2026, 11, 25), line(BillKind.DISPUTE, 1000, payment_id=first, transaction_id="ch_1"))
    reconcile(till, date(2026, 11, 25))
    assert len(cases()) == 3


def test_what_came_to_fit_and_does_not_any_more_is_open_again(till: Till, bills: Callable[..., None]) -> None:
    _, paid = till.paid((1000,))
    reconcile(till, FIRST)
    [case] = cases()
    assert (case.kind, case.opening) == ("missing_there", 1)
    bills(FIRST, line(BillKind.PAYMENT, 1000, payment_id=paid))
    reconcile(till, FIRST, again=True)
    assert cases() == []
    bills(FIRST)
    reconcile(till, FIRST, again=True)
    [again] = cases()
    assert (again.case_id, again.opening) == (case.case_id, 2)
    assert [turn.status for turn in again.history] == ["settled", "open"]
    assert again.due_at == again.opened_at + timedelta(days=2)


def test_a_case_an_operator_closed_stays_closed_until_something_new_is_said(
    till: Till, bills: Callable[..., None]
) -> None:
    _, paid = till.paid((1000,))
    bills(FIRST, line(BillKind.PAYMENT, 999, payment_id=paid))
    reconcile(till, FIRST)
    [case] = cases()
    resolve = {"how": "accepted", "note": "a fen"}
    assert till.operate("POST", f"/v1/operator/cases/{case.case_id}/resolve", resolve).status == 200
    reconcile(till, FIRST, again=True)
    assert cases() == []
    bills(FIRST, line(BillKind.PAYMENT, 10, payment_id=paid))  # Corrected, for the worse.
    reconcile(till, FIRST, again=True)
    [again] = cases()
    assert (again.case_id, again.said["amount"]) == (case.case_id, "0.10 CNY")
    bills(FIRST, line(BillKind.PAYMENT, 11, payment_id=paid))  # While it is open, it says what is said now.
    reconcile(till, FIRST, again=True)
    assert [(one.said["amount"], one.opening) for one in cases()] == [("0.11 CNY", 2)]


def test_another_defect_of_a_bill_opens_its_case_again(till: Till, bills: Callable[..., None]) -> None:
    bills(FIRST, defects=("line 3: cannot be read",))
    reconcile(till, FIRST)
    [case] = cases()
    till.operate("POST", f"/v1/operator/cases/{case.case_id}/resolve", {"how": "accepted", "note": "n"})
    reconcile(till, FIRST, again=True)
    assert cases() == []
    bills(FIRST, defects=("the totals speak of 9 lines, there are 0",))
    reconcile(till, FIRST, again=True)
    assert [one.case_id for one in cases()] == [case.case_id]


def test_a_corrected_bill_settles_what_it_does_not_say_any_more(
    till: Till, bills: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RECORDS_A_STEP", 1)
    _, paid = till.paid((1000,))
    sound = line(BillKind.PAYMENT, 1000, payment_id=paid)
    bills(
        FIRST,
        sound,
        replace(sound, line=2),
        line(BillKind.PAYMENT, 5, payment_id="pay_stranger", transaction_id="t1", number=3),
        line(BillKind.PAYMENT, 6, payment_id="pay_stranger2", transaction_id="t2", number=4),
    )
    assert dict(reconcile(till, FIRST).counts) == {"match": 1, "duplicate": 1, "missing_here": 2}
    assert len(cases()) == 3
    bills(FIRST, sound, defects=("the totals are missing: the file may be cut off",))
    reconcile(till, FIRST, again=True)
    assert len(cases()) == 4  # A file that is not sound takes nothing back.
    bills(FIRST, sound)
    assert dict(reconcile(till, FIRST, again=True).counts) == {"match": 1}
    assert cases() == []
    assert len(cases(CaseStatus.SETTLED)) == 4


def test_a_refund_the_corrected_bill_calls_failed_like_us_is_no_case_any_more(
    till: Till, bills: Callable[..., None]
) -> None:
    sale, paid = till.paid((1000,))
    till.sandbox.steer(paid, refund="abnormal")
    refund_id = refund(till, sale, 300)
    [stuck] = cases()
    captured = line(BillKind.PAYMENT, 1000, payment_id=paid)
    back = line(BillKind.REFUND, 300, payment_id=paid, refund_id=refund_id, status="SUCCESS", number=2)
    bills(FIRST, captured, back)
    assert dict(reconcile(till, FIRST).counts) == {"match": 1, "missing_here": 1}
    assert {case.kind for case in cases()} == {"refund_stuck", "missing_here"}
    bills(FIRST, captured, replace(back, status="ABNORMAL"))
    assert dict(reconcile(till, FIRST, again=True).counts) == {"match": 2}
    assert [case.case_id for case in cases()] == [stuck.case_id]


# --- stuck refunds ----------------------------------------------------------------------------------------------------


def refund(till: Till, sale: orders.Sale, minor: int) -> str:
    answer = till.operate(
        "POST",
        f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds",
        {"order_id": sale.orders[0].order_id, "amount": {"minor": minor, "currency": "CNY"}, "reason": "r"},
    )
    assert answer.status == 201, answer
    till.settle()
    return str(answer.json["refund_id"])


def retry(till: Till, refund_id: str) -> str:
    answer = till.operate("POST", f"/v1/operator/refunds/{refund_id}/retry")
    assert answer.status == 200, answer
    till.settle()
    return str(answer.json["refund_id"])


def test_a_stuck_refund_that_takes_days_after_its_retry_settles_its_case(till: Till) -> None:
    sale, payment_id = till.paid((1000,))
    till.sandbox.steer(payment_id, refund="abnormal")
    refund_id = refund(till, sale, 300)
    [case] = cases()
    till.sandbox.settle(refund_id, "pending")
    retry(till, refund_id)
    till.wait(timedelta(hours=6), step=timedelta(minutes=10))
    assert [found.case_id for found in cases()] == [case.case_id]  # Pending is not done.
    till.sandbox.settle(refund_id, "succeeded")
    till.settle()
    assert cases() == []
    assert service.get_case(case.case_id).status is CaseStatus.SETTLED


def test_a_refund_that_gets_stuck_again_opens_its_case_again(till: Till) -> None:
    sale, payment_id = till.paid((1000,))
    till.sandbox.steer(payment_id, refund="abnormal")
    refund_id = refund(till, sale, 300)
    [case] = cases()
    till.operate("POST", f"/v1/operator/cases/{case.case_id}/resolve", {"how": "with_provider", "note": "n"})
    till.clock.advance(timedelta(minutes=5))
    retry(till, refund_id)
    till.wait(timedelta(minutes=5))
    assert [(found.case_id, found.opening) for found in cases()] == [(case.case_id, 2)]


def test_a_refund_that_goes_through_under_another_number_settles_the_case_of_the_first(till: Till) -> None:
    sale, payment_id = till.paid((1000,))
    till.sandbox.steer(payment_id, refund="closed")
    first = refund(till, sale, 300)
    [case] = cases()
    assert (case.subject, case.said["status"]) == (first, "closed")
    till.clock.advance(timedelta(minutes=2))
    second = retry(till, first)
    till.wait(timedelta(minutes=2))
    [newer] = cases()  # One case a sum of money: that of the number that stands for it now.
    assert (newer.subject, service.get_case(case.case_id).status) == (second, CaseStatus.SETTLED)
    till.clock.advance(timedelta(minutes=2))
    till.sandbox.steer(payment_id, refund="succeeded")
    retry(till, second)
    till.wait(timedelta(minutes=2))
    assert cases() == []
    assert till.sandbox.orders[payment_id].refunded == 300


# --- days -------------------------------------------------------------------------------------------------------------


def test_a_refund_billed_when_it_was_asked_for_and_done_days_later_fits(till: Till, bills: Callable[..., None]) -> None:
    sale, paid = till.paid((1000,))
    till.sandbox.steer(paid, refund="pending")
    refund_id = refund(till, sale, 300)
    bills(
        FIRST,
        line(BillKind.PAYMENT, 1000, payment_id=paid),
        line(BillKind.REFUND, 300, payment_id=paid, refund_id=refund_id, status="PROCESSING", number=2),
    )
    assert dict(reconcile(till, FIRST).counts) == {"match": 2}
    till.clock.advance(timedelta(days=4))
    till.sandbox.settle(refund_id, "succeeded")  # Banks take their time; no other bill will speak of it.
    till.settle()
    done = date(2026, 11, 27)
    assert payments.records_by_id([refund_id])[refund_id].booked_on == f"sandbox#{done.isoformat()}"
    assert dict(reconcile(till, done).counts) == {}
    assert cases() == []


def test_a_neighbours_bill_that_was_corrected_does_not_speak_for_a_record_any_more(
    till: Till, bills: Callable[..., None]
) -> None:
    _, paid = till.paid((1000,))
    reconcile(till, FIRST)
    bills(SECOND, line(BillKind.PAYMENT, 1000, payment_id=paid))
    reconcile(till, SECOND)
    assert (cases(), dict(reconcile(till, FIRST, again=True).counts)) == ([], {})
    bills(SECOND)
    reconcile(till, SECOND, again=True)
    assert dict(reconcile(till, FIRST, again=True).counts) == {"missing_there": 1}
    assert [case.kind for case in cases()] == ["missing_there"]


def test_a_payment_billed_on_two_days_is_told_on_the_second(till: Till, bills: Callable[..., None]) -> None:
    _, paid = till.paid((1000,))
    billed = line(BillKind.PAYMENT, 1000, payment_id=paid, fee_text="0.06")
    bills(FIRST, billed)
    bills(SECOND, billed)
    assert dict(reconcile(till, FIRST).counts) == {"match": 1}
    second = reconcile(till, SECOND)
    assert (dict(second.counts), dict(second.fees)) == ({"duplicate": 1}, {})
    assert [(case.kind, case.day) for case in cases()] == [("duplicate", SECOND.isoformat())]
    again = reconcile(till, SECOND, again=True)
    assert (dict(again.counts), len(cases())) == ({"duplicate": 1}, 1)
    bills(SECOND)
    reconcile(till, SECOND, again=True)
    assert cases() == []


# --- big and broken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [RunStatus.READING, RunStatus.CHECKING])
def test_a_run_whose_step_became_a_dead_letter_goes_on_by_the_clock(
    till: Till, bills: Callable[..., None], monkeypatch: pytest.MonkeyPatch, lost: RunStatus
) -> None:
    _, paid = till.paid((1000,))
    bills(FIRST, line(BillKind.PAYMENT, 1000, payment_id=paid))
    till.clock.advance(timedelta(days=1))
    real = service.advance

    def advance(run_id: str, step: int) -> Run:
        run = service.get_run(run_id)
        return run if run.status is lost else real(run_id, step)

    monkeypatch.setattr(service, "advance", advance)
    run, _ = service.begin("sandbox", FIRST)
    till.settle()
    assert service.get_run(run.run_id).status is lost
    monkeypatch.undo()
    till.wait(timedelta(minutes=62), step=timedelta(minutes=31))
    run = service.get_run(run.run_id)
    assert (run.status, dict(run.counts), run.due_at) == (RunStatus.DONE, {"match": 1}, None)


# --- what a person reads ----------------------------------------------------------------------------------------------


def get(till: Till, path: str, language: str = "en") -> Any:
    token = people.token(till.operator.account_id, Role.BUYER, Role.OPERATOR)
    answer = http.call("GET", path, token=token, headers={"accept-language": language})
    assert answer.status == 200, answer
    return answer.json


def test_an_operator_reads_what_it_is_how_much_since_when_and_what_to_do(
    till: Till, bills: Callable[..., None]
) -> None:
    sale, paid = till.paid((1000,))
    bills(
        FIRST,
        line(BillKind.PAYMENT, 900, payment_id=paid),
        line(BillKind.REFUND, 77, payment_id=paid, refund_id="by-hand", provider_refund_id="r1", number=2),
    )
    run = reconcile(till, FIRST)
    shown = get(till, f"/v1/operator/reconciliations/{run.run_id}")
    assert [(one["finding"], one["count"], one["at_stake"]) for one in shown["classes"]] == [
        ("differs", 1, [{"minor": 100, "currency": "CNY"}]), ("unknown_refund", 1, [{"minor": 77, "currency": "CNY"}]),
    ]  # fmt: skip
    [differs] = get(till, f"/v1/operator/reconciliations/{run.run_id}/lines?finding=differs")["items"]
    assert (differs["what"], differs["difference"]["minor"]) == ("The bill has another amount than our books.", -100)
    told = {case["kind"]: case for case in get(till, "/v1/operator/cases", "zh-CN")["items"]}
    assert told["differs"]["what"] == "账单金额与我方记账金额不一致。"
    assert told["differs"]["next"].startswith("查询该支付")
    assert told["differs"]["said"]["difference"] == "-1.00 CNY"
    assert told["differs"]["said"]["at"] == "2026-11-22T04:00:00+00:00"
    # A refund by hand names the purchase it takes the money from.
    assert told["unknown_refund"]["purchase_id"] == sale.purchase.purchase_id

    url = get(till, f"/v1/operator/reconciliations/{run.run_id}/report")["url"]
    with urllib.request.urlopen(url, timeout=60) as answer:
        rows = list(csv.DictReader(io.StringIO(answer.read().decode("utf-8-sig"))))
    assert [(row["difference"], row["our_at"]) for row in rows] == [("-1.00", "2026-11-22T04:00:00Z"), ("0.77", "")]
    assert rows[1]["what_zh"].startswith("有一笔退款的单号不属于本系统")
    assert rows[1]["next_en"].startswith("Find out who did it")


def test_every_kind_of_trouble_says_what_to_do_in_both_languages() -> None:
    kinds = [*(finding.value for finding in Finding), "bill_missing", "refund_stuck"]
    for kind in kinds:
        words = advice.of(kind)
        assert words is not advice._OTHERWISE, kind
        assert all(words.what + words.todo)
        assert said(words.what, "zh") != said(words.what, "en")
    assert advice.of("something new") is advice._OTHERWISE


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("-0.24", "-0.24"),  # A fee that came back stays a number that can be summed.
        ("0.12000", "0.12000"),
        ("4200001234202611220000000001", "4200001234202611220000000001\t"),  # Else shown as 4.2E+27, digits lost.
        ("=1+1", "'=1+1"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("+8613800138000", "'+8613800138000"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\u200b=1", "'\u200b=1"),
        ("\ufeff\u2060＝1", "'\ufeff\u2060＝1"),
        ("﹢1", "'﹢1"),
        ("|x", "'|x"),
        ("\nx", "'\nx"),
        ("59 USD", "59 USD"),
    ],
)
def test_a_spreadsheet_neither_runs_nor_rounds_what_a_bill_says(cell: str, shown: str) -> None:
    assert files._safe(cell) == shown


# --- bills that come in pages -----------------------------------------------------------------------------------------


class Pages:
    """A bill of pages, each with its place, as Stripe's; may break off before some of them."""

    def __init__(self, *pages: Bill) -> None:
        self.pages = pages
        self.breaks: set[int] = set()
        self.asked: list[str] = []

    def __call__(self, _: str, __: date, place: str = "") -> Iterator[Bill]:
        self.asked.append(place)
        for number in range(int(place or 0), len(self.pages)):
            if number in self.breaks:
                self.breaks.remove(number)
                raise payments.BillUnavailable(why="outbound_timeout")
            yield replace(self.pages[number], place=str(number + 1) if number + 1 < len(self.pages) else "")


def paged(till: Till, sizes: tuple[int, ...]) -> tuple[Pages, list[str]]:
    """Let a few people pay, and bill them on so many pages, the first of which has a line that cannot be read."""
    paid = [till.paid((1000 + n,))[1] for n in range(sum(sizes))]
    lines = [line(BillKind.PAYMENT, 1000 + n, payment_id=found, number=n + 1) for n, found in enumerate(paid)]
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    pages = [Bill(tuple(lines[end - size : end])) for end, size in zip(ends, sizes, strict=True)]
    return Pages(replace(pages[0], defects=("line 0: cannot be read",)), *pages[1:]), paid


def test_a_bill_of_many_pages_is_read_on_in_the_next_step(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PARTS_A_STEP", 2)
    monkeypatch.setattr(runs, "LINES_A_STEP", 2)
    pages, paid = paged(till, (3, 1, 1, 2, 1))
    monkeypatch.setattr(payments, "fetch_bill", pages)
    run = reconcile(till, FIRST)
    assert pages.asked == ["", "2", "4"]
    assert (run.lines, run.pieces, dict(run.counts)) == (8, 5, {"match": 8, "unreadable": 1})
    assert (run.cases, run.defects, run.place) == (1, (), "")
    assert [one.why for one in found(run, Finding.UNREADABLE)] == ["line 0: cannot be read"]
    assert {one.key for one in found(run, Finding.MATCH)} == set(paid)


def test_a_bill_that_breaks_off_is_asked_for_from_where_it_broke(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PARTS_A_STEP", 2)
    pages, _ = paged(till, (1, 1, 1, 1))
    pages.breaks = {1, 3}
    monkeypatch.setattr(payments, "fetch_bill", pages)
    till.clock.advance(timedelta(days=1))
    begun, _ = service.begin("sandbox", FIRST)
    till.settle()
    waiting = service.get_run(begun.run_id)
    assert (waiting.status, waiting.place, waiting.lines, waiting.why) == (RunStatus.WANTED, "1", 1, "outbound_timeout")
    assert service.advance(waiting.run_id, waiting.step - 1) == waiting  # A copy of an earlier step's message.
    till.wait(timedelta(minutes=62), step=timedelta(minutes=31))
    run = service.get_run(begun.run_id)
    assert (run.status, run.lines, dict(run.counts)) == (RunStatus.DONE, 4, {"match": 4, "unreadable": 1})
    assert pages.asked == ["", "1", "3", "3"]


def test_a_step_that_died_while_it_read_pages_comes_out_the_same(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PARTS_A_STEP", 2)
    pages, _ = paged(till, (2, 2, 2))
    monkeypatch.setattr(payments, "fetch_bill", pages)
    till.clock.advance(timedelta(days=1))
    begun, _ = service.begin("sandbox", FIRST)
    real = runs._save
    died: list[str] = []

    def save(run: Run) -> Run:
        if not died and run.place:
            died.append(run.place)
            raise TimeoutError("the function's time is up")
        return real(run)

    monkeypatch.setattr(runs, "_save", save)
    with pytest.raises(TimeoutError):
        service.advance(begun.run_id, 0)
    till.settle()
    run = service.get_run(begun.run_id)
    assert (run.lines, dict(run.counts), pages.asked) == (6, {"match": 6, "unreadable": 1}, ["", "", "2"])


def test_a_piece_whose_questions_take_long_is_judged_in_several_steps(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = [till.paid((1000 + n,))[1] for n in range(3)]
    unheard = []
    for n in range(2):
        unheard.append(till.started(till.sale((2000 + n,))))
        till.sandbox.steer(unheard[-1], notify=False)
        till.sandbox.pay(unheard[-1])
    till.sandbox.bill_defects = ("duplicate",)
    real = judging._asked

    def slow(ours: Any) -> Any:
        till.clock.advance(timedelta(seconds=50))
        return real(ours)

    monkeypatch.setattr(judging, "_asked", slow)
    begun: list[int] = []
    whole = judging.judge_piece

    def judge(run: Run, lines: Any) -> Any:
        begun.append(len(lines))
        return whole(run, lines)

    monkeypatch.setattr(judging, "judge_piece", judge)
    run = reconcile(till, FIRST)
    assert (run.lines, run.pieces, dict(run.counts)) == (6, 1, {"match": 3, "missing_here": 2, "duplicate": 1})
    assert (run.healed, run.place, len(begun), begun[0]) == (2, "", 3, 6)
    assert {one.key for one in found(run, Finding.MISSING_HERE)} == set(unheard)
    assert {one.key for one in found(run, Finding.MATCH)} == set(paid)
    again = reconcile(till, FIRST, again=True)
    assert (again.counts, again.healed) == (run.counts, 2)
