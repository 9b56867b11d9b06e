"""What happens to money afterwards, as the bill tells it: refunds that came back, disputes, refunds made elsewhere."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Window
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.payments.disputes import follow
from chalicelib.payments.domain.dispute import DisputeStatus
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.payments.service import Bill, BillKind, BillLine
from chalicelib.reconciliation import service
from chalicelib.reconciliation.domain import Case, CaseStatus, Finding, Judged, Run, RunStatus
from chalicelib.runtime import outbound
from tests.support import http, people
from tests.support.paying import Till, accounts, payment, story
from tools.fakes import resources
from tools.fakes.sandbox import mount, stripe

DAY = date(2026, 11, 22)
TOTAL = 1999


class Shop(Till):
    """The till with Stripe's stand-in at its other end."""

    def start(self, sale: orders.Sale, *, key: str | None = None, **body: Any) -> http.Answer:
        told = {"provider": "stripe", "return_url": "https://shop.example/paid", **body}
        return super().start(sale, key=key, **told)

    @property
    def stand(self) -> stripe.Stripe:
        return cast("stripe.Stripe", self.sandbox)

    def forget(self) -> None:
        """Lose what the provider has to say."""
        self.stand.outbox.clear()


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Shop]:
    stand: Any = stripe.Stripe(now=lambda: clock.now().timestamp(), chance=random.Random(5))
    secret = {key: value for key, value in stand.configuration().items() if key != "livemode"}
    resources.create_all({"payments-stripe": secret})
    outbound.install(mount.by_host(dict.fromkeys(stripe.HOSTS, stand)))
    yield Shop(noon, stand, people.buyer(), people.operator())
    outbound.install(None)


def reconcile(till: Till, day: date = DAY, *, provider: str = "stripe", again: bool = False) -> Run:
    while payments.billing_day(provider, clock.now()) <= day:
        till.clock.advance(timedelta(days=1))
    run, _ = service.begin(provider, day, again=again)
    till.settle()
    run = service.get_run(run.run_id)
    assert run.status is RunStatus.DONE, run
    return run


def cases(status: CaseStatus = CaseStatus.OPEN) -> list[Case]:
    return list(service.list_cases(status, Window(50)).items)


def kinds() -> list[str]:
    return sorted(case.kind for case in cases())


def found(run: Run, finding: Finding) -> list[Judged]:
    return list(service.list_lines(run.run_id, finding, Window(50)).items)


def refund(till: Till, sale: orders.Sale, minor: int) -> str:
    answer = till.operate(
        "POST",
        f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds",
        {"order_id": sale.orders[0].order_id, "amount": {"minor": minor, "currency": "CNY"}, "reason": "r"},
    )
    assert answer.status == 201, answer
    till.settle()
    return str(answer.json["refund_id"])


# --- refunds that came back -------------------------------------------------------------------------------------------


def test_a_refund_that_came_back_as_we_know_matches_both_ways(till: Shop) -> None:
    sale, _ = till.paid((TOTAL,))
    refund_id = refund(till, sale, 700)
    till.stand.settle(refund_id, "closed")
    till.settle()
    assert kinds() == ["refund_stuck"]
    run = reconcile(till)
    assert (dict(run.counts), run.healed, run.cases, kinds()) == ({"match": 3}, 0, 0, ["refund_stuck"])


def test_a_refund_that_came_back_unheard_is_taken_back_by_the_bill(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    before = accounts(sale)
    refund_id = refund(till, sale, 700)
    till.stand.settle(refund_id, "closed")
    till.forget()
    run = reconcile(till)
    assert (dict(run.counts), run.healed, run.cases) == ({"match": 2, "missing_here": 1}, 1, 0)
    [returned] = found(run, Finding.MISSING_HERE)
    assert (returned.why, returned.healed, returned.ours and returned.ours.record_id) == ("returned", True, refund_id)
    (held,) = story(sale).refunds
    assert (held.status, held.bounced_at is not None) == (RefundStatus.CLOSED, True)
    assert payment(payment_id).refunded_minor == 0
    assert accounts(sale) == {**before, "clearing:stripe": TOTAL - 88, "fees:stripe": 88}
    assert kinds() == ["refund_stuck"]
    again = reconcile(till, again=True)
    assert (again.counts, again.healed, again.cases) == (run.counts, 1, 0)


def test_while_the_provider_is_silent_a_return_is_a_case_that_settles_later(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    refund_id = refund(till, sale, 700)
    till.stand.settle(refund_id, "closed")
    till.forget()
    till.stand.steer(payment_id, down=("query_refund",))
    till.stand.steer(down=("query_refund",))
    run = reconcile(till)
    assert (dict(run.counts), run.healed) == ({"match": 2, "differs": 1}, 0)
    [case] = cases()
    assert (case.kind, case.said["why"], case.said["amount"]) == ("differs", "returned", "7.00 CNY")
    till.stand.steer(payment_id, down=())
    till.stand.steer(down=())
    run = reconcile(till, again=True)
    assert (dict(run.counts), run.healed, kinds()) == ({"match": 2, "missing_here": 1}, 1, ["refund_stuck"])
    assert service.get_case(case.case_id).status is CaseStatus.SETTLED


def test_the_bill_alone_takes_nothing_back(till: Shop) -> None:
    """The line says that the money is back, the provider says the refund stands: a person decides."""
    sale, payment_id = till.paid((TOTAL,))
    refund_id = refund(till, sale, 700)
    line = next(row for row in till.stand.transactions if row["type"] == "refund")
    till.stand.transactions.append({**line, "id": "txn_9", "type": "refund_failure", "amount": 700})
    run = reconcile(till)
    assert (dict(run.counts), run.healed, kinds()) == ({"match": 2, "differs": 1}, 0, ["differs"])
    assert (story(sale).refunds[0].refund_id, payment(payment_id).refunded_minor) == (refund_id, 700)


# --- disputes ---------------------------------------------------------------------------------------------------------


def test_a_dispute_we_heard_of_matches_and_has_one_case(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id)
    till.settle()
    [case] = cases()
    run = reconcile(till)
    assert (dict(run.counts), run.cases) == ({"match": 2}, 0)
    [line] = [one for one in found(run, Finding.MATCH) if one.line and one.line.kind == "dispute"]
    assert line.line is not None
    assert line.ours is not None
    assert (line.line.given_back, line.ours.status, line.ours.purchase_id) == (False, "open", sale.purchase.purchase_id)
    assert cases() == [case]

    till.stand.end_dispute(payment_id, "won")
    till.settle()
    later = reconcile(till, DAY + timedelta(days=1))
    assert (dict(later.counts), cases()) == ({"match": 1}, [])
    assert dict(reconcile(till, again=True).counts) == {"match": 2}
    assert (cases(), service.get_case(case.case_id).status) == ([], CaseStatus.SETTLED)


def test_a_dispute_whose_events_were_lost_is_followed_by_the_bill(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id)
    till.forget()
    assert story(sale).disputes == ()
    run = reconcile(till)
    assert dict(run.counts) == {"match": 2}
    (dispute,) = story(sale).disputes
    assert (dispute.status, dispute.taken_minor) == (DisputeStatus.OPEN, TOTAL)
    assert payment(payment_id).disputed_minor == TOTAL
    assert accounts(sale)["disputes:stripe"] == TOTAL
    assert [(case.kind, case.subject) for case in cases()] == [("dispute", dispute.dispute_id)]
    till.stand.end_dispute(payment_id, "won")
    till.forget()
    assert dict(reconcile(till, DAY + timedelta(days=1)).counts) == {"match": 1}
    assert (payment(payment_id).disputed_minor, cases()) == (0, [])


def test_while_the_provider_is_silent_a_dispute_is_a_case_and_stays_one(till: Shop) -> None:
    _, payment_id = till.paid((TOTAL,))
    number = till.stand.dispute(payment_id)["id"]
    till.forget()
    till.stand.steer(down=("query_dispute",))
    run = reconcile(till)
    assert (dict(run.counts), run.cases) == ({"match": 1, "dispute": 1}, 1)
    [case] = cases()
    assert (case.subject, case.said["why"], case.said["dispute"], case.said["moved"]) == (
        payments.dispute_id("stripe", number), "silent", number, "taken",
    )  # fmt: skip
    reconcile(till, again=True)
    assert cases() == [case]
    till.stand.steer(down=())
    follow.follow("stripe", number)
    till.settle()
    [told] = cases()
    assert (told.case_id, told.said["status"]) == (case.case_id, "open")
    run = reconcile(till, again=True)
    assert (dict(run.counts), cases()) == ({"match": 2}, [told])  # The bill fits; the bank has not decided.


def test_a_silent_provider_is_not_waited_for_again_and_again(till: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for minor in range(1000, 1006):
        _, payment_id = till.paid((minor,))
        till.stand.dispute(payment_id)
        till.stand.console_refund(till.paid((minor,))[1], 5)
        till.forget()
    till.stand.steer(down=("query_dispute", "query_refund"))
    asked: list[str] = []
    real = outbound.request

    def request(method: str, url: str, **more: Any) -> outbound.Response:
        asked.append(url.split("/")[4])
        return real(method, url, **more)

    monkeypatch.setattr(outbound, "request", request)
    assert dict(reconcile(till).counts) == {"match": 12, "unknown_refund": 6, "dispute": 6}
    assert sum("disputes" in url or "refunds" in url for url in asked) == 3


def test_a_silent_provider_opens_no_case_again_that_its_event_settled(till: Shop) -> None:
    _, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id)
    till.settle()
    till.stand.end_dispute(payment_id, "won")
    till.settle()
    assert cases() == []
    till.stand.steer(down=("query_dispute",))
    assert dict(reconcile(till).counts) == {"match": 1, "dispute": 2}
    assert cases() == []


def test_a_dispute_of_another_amount_differs(till: Shop) -> None:
    _, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id)
    till.settle()
    till.stand.transactions[-1]["source"]["amount"] = 1500
    run = reconcile(till)
    assert dict(run.counts) == {"match": 1, "differs": 1}
    assert sorted((case.kind, case.said.get("difference", "")) for case in cases()) == [
        ("differs", "-4.99 CNY"), ("dispute", ""),
    ]  # fmt: skip


def test_a_strangers_dispute_is_a_case_for_each_movement(till: Shop) -> None:
    _, payment_id = till.paid((TOTAL,))
    till.stand.dispute(payment_id)
    till.stand.end_dispute(payment_id, "won")
    till.forget()
    intent = till.stand.intent_of(payment_id)
    assert intent is not None
    intent["metadata"] = {"order": "7"}
    run = reconcile(till)
    assert (dict(run.counts), kinds()) == ({"match": 1, "dispute": 2}, ["dispute", "dispute"])
    assert sorted(case.said["moved"] for case in cases()) == ["given back", "taken"]


# --- refunds made elsewhere -------------------------------------------------------------------------------------------


def adopt(till: Till, sale: orders.Sale) -> None:
    (kept,) = [one for one in story(sale).quarantined if not one.resolved]
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/quarantined/{kept.quarantine_id}/resolve"
    body = {"how": "adopt", "order_id": sale.orders[0].order_id, "note": "by phone"}
    answer = till.operate("POST", path, body)
    assert answer.status == 200, answer
    till.settle()


def test_a_dashboard_refund_whose_notice_was_lost_is_noted_and_can_be_adopted(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    number = till.stand.console_refund(payment_id, 705)["id"]
    told = list(till.stand.outbox)
    till.forget()
    run = reconcile(till)
    assert (dict(run.counts), kinds()) == ({"match": 1, "unknown_refund": 1}, ["unknown_refund"])
    [case] = cases()
    (kept,) = story(sale).quarantined
    assert (kept.why, kept.said) == (
        "unknown_refund",
        {"refund_id": number, "amount": "7.05 CNY", "minor": "705", "currency": "CNY"},
    )
    till.stand.outbox += told  # The notice comes after all, and the day is read again: it stays one.
    till.settle()
    assert dict(reconcile(till, again=True).counts) == dict(run.counts)
    (still,) = story(sale).quarantined  # Told again, it is written again: who books it at that moment asks anew.
    assert (still, cases()) == (replace(kept, version=still.version), [case])

    adopt(till, sale)
    assert (cases(), service.get_case(case.case_id).status) == ([], CaseStatus.SETTLED)
    assert (payment(payment_id).refunded_minor, accounts(sale)["clearing:stripe"] < TOTAL - 705) == (705, True)
    again = reconcile(till, again=True)
    assert (dict(again.counts), again.cases, cases()) == ({"match": 2}, 0, [])
    (booked,) = story(sale).refunds
    assert booked.external_number == number

    till.stand._fail_refund(till.stand.refunds[number])
    till.forget()
    day = clock.now().date()
    returned = reconcile(till, day)
    assert (dict(returned.counts), returned.healed) == ({"missing_here": 1}, 1)
    assert payment(payment_id).refunded_minor == 0


def test_a_dashboard_refund_nobody_can_say_whose_is_a_case_alone(till: Shop) -> None:
    sale, payment_id = till.paid((TOTAL,))
    till.stand.console_refund(payment_id, 705)
    till.forget()
    till.stand.steer("query_refund", silent_before=("query_refund",))
    till.stand.steer(down=("query_refund",))
    assert dict(reconcile(till).counts) == {"match": 1, "unknown_refund": 1}
    assert (kinds(), story(sale).quarantined) == (["unknown_refund"], ())


def test_a_console_refund_on_a_bill_that_names_our_payment(cloud: str, noon: Any) -> None:
    till = Till.open(noon)
    sale, payment_id = till.paid((TOTAL,))
    till.sandbox.steer(payment_id, notify=False)
    till.sandbox.console_refund(payment_id, 500)
    till.settle()
    assert story(sale).quarantined == ()
    run = reconcile(till, provider="sandbox")
    assert (dict(run.counts), kinds()) == ({"match": 1, "unknown_refund": 1}, ["unknown_refund"])
    adopt(till, sale)
    assert cases() == []
    assert dict(reconcile(till, provider="sandbox", again=True).counts) == {"match": 2}
    outbound.install(None)


def test_an_adopted_refund_of_another_amount_differs(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till.open(noon)
    sale, payment_id = till.paid((TOTAL,))
    made = till.sandbox.console_refund(payment_id, 500)
    till.settle()
    adopt(till, sale)
    real = BillLine(
        BillKind.REFUND, payment_id, payment(payment_id).transaction_id or "", Money(400), "", clock.now(),
        "SUCCESS", made.out_refund_no, line=1,
    )  # fmt: skip
    unknown = replace(real, payment_id="pay_" + "0" * 24 + "_01", refund_id="by hand", line=2)
    monkeypatch.setattr(payments, "fetch_bill", lambda *_: iter([Bill((real, unknown))]))
    run = reconcile(till, provider="sandbox")
    assert dict(run.counts) == {"differs": 1, "unknown_refund": 1, "missing_there": 1}
    [differs] = found(run, Finding.DIFFERS)
    assert (differs.why, differs.difference) == ("amount", Money(-100))
    outbound.install(None)
