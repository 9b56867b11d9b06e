from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from threading import Barrier, Thread
from typing import Any

import pytest
import urllib3

from chalicelib.complaints import cases, filing, service, store
from chalicelib.complaints.domain import Complaint
from chalicelib.complaints.states import Status
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.runtime import aws, sdk
from chalicelib.runtime.config import config
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import sales
from tests.support.complaining import PNG, Case, pass_time, post, story_of, told, uploaded, writes_during
from tests.support.http import Answer, call
from tests.support.paying import accounts, give_back
from tools.bench import metering

# --- the main path ----------------------------------------------------------------------------------------------------


def test_an_offered_refund_is_accepted_and_reaches_the_buyer(case: Case) -> None:
    answer = case.file()

    assert answer.status == 201
    assert (answer.json["status"], answer.json["turn"], answer.json["due_at"]) == (
        "awaiting_merchant",
        "merchant",
        "2026-11-24T04:00:00.000Z",
    )
    complaint_id = answer.json["complaint_id"]
    offered = case.reply(complaint_id, "refund")
    assert (offered.json["status"], offered.json["turn"], offered.json["offer"]["minor"]) == (
        "refund_offered",
        "buyer",
        500,
    )
    accepted = case.move(complaint_id, "accept")
    assert (accepted.json["status"], accepted.json["turn"]) == ("refunding", "platform")
    case.till.settle()

    seen = case.seen(complaint_id)
    assert (seen["status"], seen["turn"], seen.get("due_at")) == ("resolved", "nobody", None)
    assert [(entry["by"], entry["what"]) for entry in seen["history"]] == [
        ("buyer", "filed"),
        ("merchant", "offer_refund"),
        ("buyer", "accept"),
        ("platform", "refund_done"),
    ]
    [refund] = story_of(case).refunds
    assert (refund.refund_id, refund.amount, refund.status.value) == (seen["refund_id"], Money(500), "succeeded")
    assert case.till.sandbox.orders[case.payment_id].refunded == 500
    assert orders.load_order(case.order.order_id).refunded == Money(500)
    assert accounts(orders.load_sale(case.order.purchase_id))["clearing:sandbox"] == 1499


def test_an_operator_decides_on_a_refund_in_the_same_transaction(case: Case) -> None:
    complaint_id = case.escalated()

    decided = case.decide(complaint_id, key="decide-0001")
    again = case.decide(complaint_id, key="decide-0001")

    assert (decided.status, decided.json["status"]) == (200, "refunding")
    assert again.json == decided.json
    assert again.headers["idempotency-replayed"] == "true"
    assert told(case.decide(complaint_id, minor=1, key="decide-0001")) == (422, "idempotency_key_reused")
    assert told(case.decide(complaint_id)) == (409, "illegal_transition")
    case.till.settle()
    assert case.seen(complaint_id)["status"] == "resolved"
    assert [refund.amount for refund in story_of(case).refunds] == [Money(1999)]


def test_a_decision_does_not_give_more_than_one_operator_may(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint_id = case.escalated()
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", "CNY:1000")
    refused = case.decide(complaint_id, minor=1001)
    assert (refused.status, refused.json["code"], refused.json["limit"]) == (409, "approval_needed", 1000)
    assert (story_of(case).refunds, case.seen(complaint_id)["status"]) == ((), "escalated")
    assert case.decide(complaint_id, minor=1000).status == 200
    [refund] = story_of(case).refunds
    assert (refund.amount.minor, refund.approved_by) == (1000, "")
    assert refund.by.startswith("acc_")


@pytest.mark.parametrize(("decision", "status"), [("remedy", "resolved"), ("dismiss", "dismissed")])
def test_an_operator_decides_without_money(case: Case, decision: str, status: str) -> None:
    complaint_id = case.escalated()

    answer = case.decide(complaint_id, decision, None)

    assert (answer.json["status"], answer.json["turn"]) == (status, "nobody")
    assert story_of(case).refunds == ()
    assert store.open_lines(case.order.order_id).lines == {}


# --- one complaint a line, repeats, races -----------------------------------------------------------------------------


def test_the_same_request_again_is_the_same_complaint(case: Case) -> None:
    first = case.file(key="file-it-01")
    again = case.file(key="file-it-01")

    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    assert told(case.file(key="file-it-01", text="Another text.")) == (422, "idempotency_key_reused")
    second = case.file()
    assert told(second) == (409, "open_complaint")
    assert second.json["complaint_id"] == first.json["complaint_id"]


def test_ten_at_once_file_one_complaint(case: Case) -> None:
    barrier = Barrier(10)
    answers: list[Answer] = []

    def file() -> None:
        barrier.wait()
        answers.append(case.file())

    threads = [Thread(target=file) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status for answer in answers) == [201] + [409] * 9
    [filed] = [answer.json["complaint_id"] for answer in answers if answer.status == 201]
    assert store.open_lines(case.order.order_id).lines == {"1": filed}
    page = case.act("buyer", "GET", "/v1/complaints").json
    assert [found["complaint_id"] for found in page["items"]] == [filed]


def test_a_rival_between_read_and_write_wins_the_line(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    make = filing._new
    rivals: list[str] = []

    def rival(*arguments: Any) -> Complaint:
        made = make(*arguments)
        if not rivals:
            rivals.append("")
            rivals[0] = case.filed()
        return made

    monkeypatch.setattr(filing, "_new", rival)

    answer = case.file()

    assert told(answer) == (409, "open_complaint")
    assert answer.json["complaint_id"] == rivals[0]


def test_a_reply_and_a_withdrawal_at_once_leave_one_of_them(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint_id = case.filed()
    write = cases.write
    rivals: list[int] = []

    def rival(before: Any, change: Any) -> Complaint:
        if not rivals:
            rivals.append(0)
            rivals[0] = case.move(complaint_id, "withdraw").status
        return write(before, change)

    monkeypatch.setattr(cases, "write", rival)

    assert told(case.reply(complaint_id)) == (409, "illegal_transition")
    assert rivals == [200]
    assert case.seen(complaint_id)["status"] == "withdrawn"


def test_two_clicks_on_accept_ask_for_one_refund(case: Case) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, "refund")
    barrier = Barrier(4)
    answers: list[int] = []

    def accept() -> None:
        barrier.wait()
        answers.append(case.move(complaint_id, "accept", key="accept-01").status)

    threads = [Thread(target=accept) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    case.till.pump.duplicate = 2
    case.till.settle()

    assert answers == [200] * 4
    assert [refund.amount for refund in story_of(case).refunds] == [Money(500)]
    assert case.till.sandbox.orders[case.payment_id].refunded == 500
    assert case.seen(complaint_id)["status"] == "resolved"


def test_another_line_and_a_closed_one_may_be_complained_about(case: Case) -> None:
    buyer = case.till.buyer.account_id
    order = sales.paid(buyer, (case.order.merchant_id, (sales.line("1"), sales.line("2")))).orders[0]
    first = case.file(order_id=order.order_id).json["complaint_id"]
    other = case.file(order_id=order.order_id, line_id="2").json["complaint_id"]
    assert store.open_lines(order.order_id).lines == {"1": first, "2": other}

    assert case.move(first, "withdraw").json["status"] == "withdrawn"

    again = case.file(order_id=order.order_id)
    assert again.status == 201
    assert store.open_lines(order.order_id).lines == {"1": again.json["complaint_id"], "2": other}


# --- refusals leave no trace ------------------------------------------------------------------------------------------


def test_refused_filings_leave_no_trace(case: Case) -> None:
    unpaid = case.till.sale().orders[0].order_id
    foreign = sales.paid(case.strangers.account_id, (case.order.merchant_id, (sales.line("1"),))).orders[0].order_id

    def attack() -> None:
        assert told(case.file(order_id=unpaid)) == (409, "not_complainable")
        assert told(case.file(order_id=foreign)) == (404, "not_found")
        assert told(case.file(order_id=foreign[:-2] + "09")) == (404, "not_found")
        assert told(case.file(line_id="7")) == (404, "not_found")
        assert told(case.file(evidence=["evd_" + "0" * 24])) == (422, "evidence_missing")
        wrong: dict[str, Any]
        for wrong in (
            {"text": ""},
            {"text": "x" * 2001},
            {"reason": "bored"},
            {"line_id": 1},
            {"order_id": "1"},
            {"evidence": ["evd_" + "0" * 24] * 10},
            {"amount": 5},
        ):
            assert told(case.file(**wrong)) == (422, "invalid_request"), wrong

    assert writes_during(attack) == []


def test_an_order_long_completed_is_not_complained_about(case: Case, noon: Any) -> None:
    order = case.order
    with UnitOfWork() as work:
        orders.record_shipment(work, order, shipment_id="shp_x", lines=(("1", 1),), at=clock.now())
    orders.confirm(order.order_id, order.buyer_id, system_intent("confirm"))
    noon.advance(timedelta(days=30))
    first = case.filed()
    case.move(first, "withdraw")
    noon.advance(timedelta(seconds=1))

    assert told(case.file()) == (409, "not_complainable")


def test_replies_and_decisions_that_do_not_fit_leave_no_trace(case: Case) -> None:
    complaint_id = case.filed()
    before = store.load(complaint_id)

    def attack() -> None:
        assert told(case.reply(complaint_id, "refund", amount={"minor": 2000})) == (409, "amount_too_large")
        assert told(case.reply(complaint_id, "refund", amount={"minor": 0})) == (409, "amount_too_large")
        assert told(case.reply(complaint_id, "refund", amount={"minor": 5, "currency": "USD"})) == (
            422,
            "currency_mismatch",
        )
        assert told(case.reply(complaint_id, "reject", amount={"minor": 5})) == (422, "invalid_request")
        assert told(case.reply(complaint_id, "refund", amount=None)) == (422, "invalid_request")
        assert told(case.reply(complaint_id, "shrug")) == (422, "invalid_request")
        assert told(case.decide(complaint_id)) == (409, "illegal_transition")
        assert told(case.move(complaint_id, "accept")) == (409, "illegal_transition")
        assert told(case.move(complaint_id, "escalate", {"text": "now"})) == (409, "illegal_transition")
        assert told(case.move(complaint_id, "reopen", {"text": "now"})) == (409, "illegal_transition")

    assert writes_during(attack) == []
    assert store.load(complaint_id) == before


def test_nobody_reaches_what_is_not_theirs(case: Case) -> None:
    complaint_id = case.filed()
    missing = complaint_id[:-4] + "zzzz"
    paths = {
        "stranger": ("GET /v1/complaints/{}", "POST /v1/complaints/{}/accept", "POST /v1/complaints/{}/withdraw"),
        "other_staff": ("GET /v1/merchant/complaints/{}",),
    }

    def attack() -> None:
        for who, routes in paths.items():
            for route in routes:
                method, path = route.split()
                answers = [case.act(who, method, path.format(each)) for each in (complaint_id, missing, "cmp_x")]
                assert {(told(answer), answer.json["detail"]) for answer in answers} == {
                    ((404, "not_found"), "There is no such complaint.")
                }
        body = {"answer": "reject", "text": "no"}
        reply = f"/v1/merchant/complaints/{complaint_id}/reply"
        assert case.act("other_staff", "POST", reply, body).status == 404
        assert case.act("buyer", "POST", reply, body).status == 403
        assert case.act("staff", "GET", f"/v1/operator/complaints/{complaint_id}").status == 403
        assert call("GET", f"/v1/complaints/{complaint_id}").status == 401
        assert case.act("stranger", "GET", "/v1/complaints").json["items"] == []
        assert case.act("other_staff", "GET", "/v1/merchant/complaints").json["items"] == []

    assert writes_during(attack) == []


# --- deadlines --------------------------------------------------------------------------------------------------------


def test_a_merchants_silence_escalates_by_itself_within_a_minute(case: Case) -> None:
    complaint_id = case.filed()
    case.till.clock.advance(timedelta(hours=47, minutes=59))
    case.till.pump.due()
    assert store.load(complaint_id).status is Status.AWAITING_MERCHANT
    case.till.wait(timedelta(minutes=2))

    found = store.load(complaint_id)
    assert (found.status, found.history[-1].what) == (Status.ESCALATED, "silence")
    assert found.since - found.filed_at < timedelta(hours=48, seconds=60)
    [waiting] = case.act("operator", "GET", "/v1/operator/complaints").json["items"]
    assert (waiting["complaint_id"], waiting["turn"]) == (complaint_id, "operator")


@pytest.mark.parametrize(
    ("answer", "status", "refunded"),
    [("refund", "resolved", 500), ("remedy", "resolved", 0), ("reject", "dismissed", 0)],
)
def test_a_buyers_silence_is_agreement(case: Case, answer: str, status: str, refunded: int) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, answer)

    pass_time(case, 84)  # Three days after the Sunday on which it was answered, to their end in Shanghai.

    assert case.seen(complaint_id)["status"] == status
    assert case.till.sandbox.orders[case.payment_id].refunded == refunded
    assert [entry["what"] for entry in case.seen(complaint_id)["history"]][2] == "lapse"


def test_an_operators_silence_is_overdue_and_comes_first(case: Case) -> None:
    late = case.escalated()
    pass_time(case, 84)  # The third working day ends.
    assert store.load(late).status is Status.OVERDUE
    buyer = case.till.buyer.account_id
    order = sales.paid(buyer, (case.order.merchant_id, (sales.line("1"),))).orders[0]
    fresh = case.file(order_id=order.order_id).json["complaint_id"]
    case.reply(fresh)
    case.move(fresh, "escalate", {"text": "please"})
    version = store.load(late).version
    pass_time(case, 24)

    found = store.load(late)
    assert (found.status, found.version) == (Status.OVERDUE, version + 1)
    queue = case.act("operator", "GET", "/v1/operator/complaints").json["items"]
    assert [each["complaint_id"] for each in queue] == [late, fresh]
    assert case.decide(late, "dismiss", None).json["status"] == "dismissed"


def test_a_stale_deadline_is_a_no_op(case: Case) -> None:
    complaint_id = case.filed()

    assert writes_during(lambda: service.time_out(complaint_id)) == []
    case.reply(complaint_id)
    case.till.clock.advance(timedelta(hours=49))
    assert writes_during(lambda: service.time_out(complaint_id)) == []


# --- refunds that do not go through -----------------------------------------------------------------------------------


def test_a_failed_refund_goes_back_to_the_operator_and_a_mended_one_resolves(case: Case) -> None:
    complaint_id = case.escalated()
    case.till.sandbox.steer(case.payment_id, refund="failed")
    case.decide(complaint_id)
    case.till.settle()
    seen = case.seen(complaint_id)
    assert (seen["status"], seen["turn"], seen["history"][-1]["what"]) == ("escalated", "operator", "refund_failed")

    case.till.sandbox.steer(case.payment_id, refund="succeeded")
    payments.retry_refund(seen["refund_id"])
    case.till.settle()

    assert case.seen(complaint_id)["status"] == "resolved"


def test_a_refund_that_came_back_opens_the_complaint_again_and_a_renewed_one_resolves_it(case: Case) -> None:
    complaint_id = case.escalated()
    case.decide(complaint_id)
    case.till.settle()
    resolved = case.seen(complaint_id)
    assert resolved["status"] == "resolved"

    case.till.sandbox.settle(resolved["refund_id"], "closed")
    case.till.settle()
    again = case.seen(complaint_id)
    assert (again["status"], again["turn"], again["history"][-1]["what"]) == ("escalated", "operator", "refund_bounced")
    assert told(case.file()) == (409, "open_complaint")

    payments.retry_refund(resolved["refund_id"])
    case.till.settle()
    assert case.seen(complaint_id)["status"] == "resolved"
    assert orders.load_order(case.order.order_id).refunded == Money(1999)


@pytest.mark.parametrize("order", list(permutations(("done", "failed", "bounced"))))
def test_a_refunds_success_and_return_are_heard_in_any_order_and_twice(case: Case, order: tuple[str, ...]) -> None:
    complaint_id = case.escalated()
    case.decide(complaint_id, minor=500)
    asked = store.load(complaint_id)
    refund_id = asked.refund_id or ""
    case.till.settle()
    case.till.sandbox.settle(refund_id, "closed")
    case.till.settle()
    hear: dict[str, Callable[[], None]] = {
        "done": lambda: service.end_refund(asked.order_id, (refund_id, ""), succeeded=True),
        "failed": lambda: service.end_refund(asked.order_id, (refund_id, ""), succeeded=False),
        "bounced": lambda: service.undo_refund(complaint_id, (refund_id, "")),
    }
    with UnitOfWork() as work:  # As it was before the first of them came.
        store.save(work, replace(asked, version=store.load(complaint_id).version))
    for what in (*order, *order):
        hear[what]()
        assert case.seen(complaint_id)["status"] in ("refunding", "escalated")
    assert case.seen(complaint_id)["status"] == "escalated"

    payments.retry_refund(refund_id)
    case.till.settle()
    assert case.seen(complaint_id)["status"] == "resolved"
    for what in order:
        hear[what]()
    assert case.seen(complaint_id)["status"] == "resolved"


def test_a_refund_that_came_back_leaves_a_newer_complaint_alone(case: Case) -> None:
    complaint_id = case.escalated()
    case.decide(complaint_id, minor=500)
    refund_id = case.seen(complaint_id)["refund_id"]
    case.till.settle()
    newer = case.filed()
    service.undo_refund(complaint_id, ("ref_other", ""))
    case.till.sandbox.settle(refund_id, "closed")
    case.till.settle()
    assert (case.seen(complaint_id)["status"], case.seen(newer)["status"]) == ("resolved", "awaiting_merchant")


def test_money_that_is_gone_makes_an_agreement_an_operators_case(case: Case) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, "refund", amount={"minor": 1999})
    with UnitOfWork() as work:
        give_back(work, case.order, case.payment_id, Money(1000), reason="test", cause="other")

    answer = case.move(complaint_id, "accept", key="accept-01")
    again = case.move(complaint_id, "accept", key="accept-01")

    assert (answer.status, answer.json["status"], answer.json["turn"]) == (200, "escalated", "operator")
    assert answer.json["history"][-1]["what"] == "refund_refused"
    assert again.json == answer.json
    assert [refund.amount for refund in story_of(case).refunds] == [Money(1000)]
    refused = case.decide(complaint_id, minor=1999)
    assert told(refused) == (409, "refund_refused")
    assert case.decide(complaint_id, minor=999).json["status"] == "refunding"


def test_a_refund_that_is_not_the_complaints_changes_nothing(case: Case) -> None:
    complaint_id = case.filed()
    before = store.load(complaint_id)

    service.end_refund(case.order.order_id, ("ref_" + "0" * 24 + "_01",), succeeded=True)
    service.end_refund(None, ("ref_" + "0" * 24 + "_01",), succeeded=True)

    assert store.load(complaint_id) == before


# --- reopening --------------------------------------------------------------------------------------------------------


def test_a_resolved_complaint_is_reopened_once(case: Case) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, "remedy")
    case.move(complaint_id, "accept")

    reopened = case.move(complaint_id, "reopen", {"text": "Nothing came."})
    assert (reopened.json["status"], reopened.json["reopened"]) == ("escalated", True)
    assert told(case.file()) == (409, "open_complaint")
    case.decide(complaint_id, "dismiss", None)
    assert told(case.move(complaint_id, "reopen", {"text": "Again."})) == (409, "not_reopenable")


def test_a_closed_complaint_is_not_reopened_beside_a_new_one(case: Case) -> None:
    old = case.filed()
    case.reply(old, "remedy")
    case.move(old, "accept")
    new = case.filed()

    answer = case.move(old, "reopen", {"text": "This one too."})

    assert told(answer) == (409, "open_complaint")
    assert answer.json["complaint_id"] == new


# --- lists ------------------------------------------------------------------------------------------------------------


def test_lists_are_paged_by_a_cursor_that_is_bound_to_its_list(case: Case, noon: Any) -> None:
    buyer = case.till.buyer.account_id
    filed = []
    for _ in range(5):
        order = sales.paid(buyer, (case.order.merchant_id, (sales.line("1"),))).orders[0]
        filed.append(case.file(order_id=order.order_id).json["complaint_id"])
        noon.advance(timedelta(seconds=1))

    seen: list[str] = []
    cursor, pages = "", 0
    while True:
        page = case.act("buyer", "GET", f"/v1/complaints?limit=2{cursor}").json
        seen += [found["complaint_id"] for found in page["items"]]
        pages += 1
        if page.get("next_cursor") is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert (seen, pages) == (filed[::-1], 3)
    assert told(case.act("stranger", "GET", f"/v1/complaints?limit=2{cursor}")) == (422, "bad_cursor")
    assert told(case.act("staff", "GET", f"/v1/merchant/complaints?limit=2{cursor}")) == (422, "bad_cursor")

    waiting = case.act("staff", "GET", "/v1/merchant/complaints?view=waiting").json["items"]
    assert [found["complaint_id"] for found in waiting] == filed
    case.reply(filed[0])
    waiting = case.act("staff", "GET", "/v1/merchant/complaints?view=waiting").json["items"]
    assert [found["complaint_id"] for found in waiting] == filed[1:]
    mine = case.act("buyer", "GET", "/v1/complaints?view=waiting").json["items"]
    assert [found["complaint_id"] for found in mine] == filed[:1]
    assert len(case.act("staff", "GET", "/v1/merchant/complaints").json["items"]) == 5


def test_words_come_in_the_readers_language(case: Case) -> None:
    complaint_id = case.filed()
    path = f"/v1/complaints/{complaint_id}"

    zh = case.act("buyer", "GET", path, headers={"accept-language": "zh-CN"}).json
    en = case.act("buyer", "GET", path).json

    assert (zh["status_text"], zh["turn_text"], zh["reason_text"]) == ("等待商家回复", "商家", "商品破损")
    assert (en["status_text"], en["turn_text"], en["reason_text"]) == (
        "Waiting for the merchant's answer",
        "the merchant",
        "Damaged",
    )


# --- evidence ---------------------------------------------------------------------------------------------------------


def test_evidence_is_uploaded_checked_and_shown_to_the_parties_only(case: Case) -> None:
    evidence_id = uploaded(case)
    complaint_id = case.file(evidence=[evidence_id, evidence_id]).json["complaint_id"]
    theirs = uploaded(case, b"%PDF-1.7 invoice", "application/pdf", who="staff")
    case.reply(complaint_id, evidence=[theirs])

    seen = case.seen(complaint_id)
    assert [entry["evidence"] for entry in seen["history"]] == [
        [{"evidence_id": evidence_id, "content_type": "image/png", "size": len(PNG)}],
        [{"evidence_id": theirs, "content_type": "application/pdf", "size": 16}],
    ]
    for who, prefix in (("buyer", ""), ("staff", "merchant/"), ("operator", "operator/")):
        answer = case.act(who, "GET", f"/v1/{prefix}complaints/{complaint_id}/evidence/{evidence_id}")
        assert answer.status == 200, answer.body
        shown = urllib3.PoolManager().request("GET", answer.json["url"])
        assert (shown.status, shown.data) == (200, PNG)
        assert shown.headers["content-type"] == "image/png"
        assert shown.headers["content-disposition"] == f'attachment; filename="{evidence_id}.png"'
        bare = urllib3.PoolManager().request("GET", answer.json["url"].partition("?")[0])
        assert bare.status == 403
    for who, prefix in (("stranger", ""), ("other_staff", "merchant/")):
        assert case.act(who, "GET", f"/v1/{prefix}complaints/{complaint_id}/evidence/{evidence_id}").status == 404
    assert case.act("buyer", "GET", f"/v1/complaints/{complaint_id}/evidence/evd_none").status == 404


def test_the_form_fixes_place_type_and_size(case: Case) -> None:
    body = {"content_type": "image/png", "size": len(PNG)}
    ticket = case.act("buyer", "POST", "/v1/complaints/evidence", body).json

    assert post(ticket, PNG + b"more") == 400
    assert post(ticket, PNG, **{"Content-Type": "text/html"}) == 403
    assert post(ticket, PNG, key="evidence/kept/cmp_x/evd_x") == 403
    assert post(ticket, PNG) == 204
    wrong: dict[str, Any]
    for wrong in (
        {"content_type": "text/html", "size": 5},
        {"content_type": "image/png", "size": 0},
        {"content_type": "image/png", "size": 10**9},
    ):
        assert told(case.act("buyer", "POST", "/v1/complaints/evidence", wrong)) == (422, "invalid_request")
    large = {"content_type": "image/png", "size": 20 * 1024 * 1024}
    assert told(case.act("buyer", "POST", "/v1/complaints/evidence", large)) == (422, "evidence_refused")


def test_files_that_are_not_what_they_say_are_refused(case: Case) -> None:
    def put(content: bytes, content_type: str) -> str:
        evidence_id = uploaded(case)
        aws.call(
            "s3",
            "PutObject",
            {
                "Bucket": config().bucket,
                "Key": f"evidence/incoming/{case.till.buyer.account_id}/{evidence_id}",
                "Body": content,
                "ContentType": content_type,
            },
        )
        return evidence_id

    def why(evidence_id: str) -> str:
        answer = case.file(evidence=[evidence_id])
        assert told(answer) == (422, "evidence_refused")
        return str(answer.json["why"])

    assert why(put(b"<script>alert(1)</script>", "image/png")) == "content"
    assert why(put(b"", "image/png")) == "content"
    assert why(put(PNG, "text/html")) == "type"
    assert why(put(PNG + b"0" * (10 * 1024 * 1024), "image/png")) == "size"
    foreign = uploaded(case, who="stranger")
    assert told(case.file(evidence=[foreign])) == (422, "evidence_missing")
    assert store.open_lines(case.order.order_id).lines == {}


def test_what_was_checked_is_what_is_shown(case: Case) -> None:
    evidence_id = uploaded(case)
    key = f"evidence/incoming/{case.till.buyer.account_id}/{evidence_id}"
    other = {"Bucket": config().bucket, "Key": key, "Body": b"<html>", "ContentType": "image/png"}

    def swap(service_name: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "CopyObject":
            sdk.client("s3").put_object(**other)
        return proceed()

    with aws.hooked(swap):
        answer = case.file(evidence=[evidence_id])
    assert (told(answer), answer.json["why"]) == ((422, "evidence_refused"), "changed")

    second = uploaded(case)
    complaint_id = case.file(evidence=[second]).json["complaint_id"]
    aws.call("s3", "PutObject", {**other, "Key": f"evidence/incoming/{case.till.buyer.account_id}/{second}"})
    link = case.act("buyer", "GET", f"/v1/complaints/{complaint_id}/evidence/{second}").json["url"]
    assert urllib3.PoolManager().request("GET", link).data == PNG


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_what_it_costs_is_counted(case: Case) -> None:
    """DynamoDB calls, read units, write units (and how many of them are the indexes')."""

    def cost(action: Callable[[], Any]) -> tuple[int, float, float, float]:
        with metering.measured() as meter:
            action()
        return meter.calls, meter.read_units, meter.write_units, meter.index_units

    filed: list[str] = []
    assert cost(lambda: filed.append(case.filed())) == (5, 4.0, 12.0, 4.0)
    [complaint_id] = filed
    # The first of half a minute asks who works for the merchant: one call and half a read unit.
    assert cost(lambda: case.reply(complaint_id, "refund")) == (5, 3.5, 5.0, 4.0)
    assert cost(lambda: case.move(complaint_id, "accept")) == (4, 3.0, 12.0, 4.0)
    assert cost(lambda: case.seen(complaint_id)) == (1, 0.5, 0, 0)
    assert cost(lambda: case.act("staff", "GET", "/v1/merchant/complaints")) == (2, 1.0, 0, 0)
