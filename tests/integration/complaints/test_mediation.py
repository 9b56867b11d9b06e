"""Mediation: questions, decisions with their grounds and their cost, missed turns, appeals, a person on request."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.complaints import service, store
from chalicelib.complaints.states import Status
from chalicelib.inventory import service as inventory
from chalicelib.kernel import calendars, clock
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.orders import store as order_store
from chalicelib.orders.domain import Delivery
from chalicelib.payments import service as payments
from chalicelib.runtime import aws, names
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import people
from tests.support.complaining import Case, told, uploaded, writes_during
from tests.support.http import Answer, call
from tests.support.paying import accounts
from tests.support.sales import WANG


def shipped(case: Case) -> None:
    with UnitOfWork() as work:
        order = orders.load_order(case.order.order_id)
        orders.record_shipment(work, order, shipment_id="shp_x", lines=(("1", 1),), at=clock.now())


def ask(case: Case, complaint_id: str, side: str) -> Answer:
    body = {"side": side, "text": "Show it."}
    return case.act("operator", "POST", f"/v1/operator/complaints/{complaint_id}/question", body)


def decided_by_another(case: Case, complaint_id: str, decision: str, **more: Any) -> Answer:
    """Decide as an operator who has not decided before."""
    body = {"decision": decision, "text": "Again.", "facts": "Seen anew.", "rule": "CN-ECL-63-1", **more}
    token = people.token(people.operator().account_id, Role.BUYER, Role.OPERATOR)
    return call("POST", f"/v1/operator/complaints/{complaint_id}/decision", body, token=token)


def until_due(case: Case, complaint_id: str) -> None:
    """Let the present turn be missed, and see that this is noticed within a minute."""
    due = store.load(complaint_id).due_at
    assert due is not None
    case.till.clock.advance(due - clock.now() - timedelta(seconds=30))
    case.till.pump.due()
    before = store.load(complaint_id).version
    case.till.wait(timedelta(minutes=1))
    found = store.load(complaint_id)
    assert found.version > before
    assert found.since - due < timedelta(seconds=60)


def books(case: Case) -> dict[str, int]:
    found = accounts(orders.load_sale(case.order.purchase_id))
    return {account.split(":")[0]: minor for account, minor in found.items() if minor}


# --- missed turns -----------------------------------------------------------------------------------------------------


def test_a_merchant_who_misses_a_second_turn_loses(case: Case) -> None:
    shipped(case)
    complaint_id = case.file(wishes=["refund", "apology"], wished={"minor": 700, "currency": "CNY"}).json[
        "complaint_id"
    ]
    until_due(case, complaint_id)
    asked = ask(case, complaint_id, "merchant")
    assert (asked.json["status"], asked.json["turn"], asked.json["term_text"]) == (
        "merchant_asked",
        "merchant",
        "16 business hours",
    )

    until_due(case, complaint_id)
    case.till.settle()

    seen = case.seen(complaint_id)
    assert (seen["status"], seen["refund"]["minor"], seen["missed"]) == ("resolved", 700, 2)
    [decision] = seen["decisions"]
    assert (decision["decision"], decision["payer"], decision["by_clock"]) == ("forfeit_refund", "platform", True)
    assert books(case) == {"clearing": 1299, "merchant": -1899, "commission": -65, "goodwill": 665}


def test_a_merchant_and_a_platform_that_are_silent_decide_for_the_buyer_in_the_end(case: Case) -> None:
    complaint_id = case.filed()
    for status in (Status.ESCALATED, Status.OVERDUE, Status.RESOLVED):
        until_due(case, complaint_id)
        assert store.load(complaint_id).status is status
    [decision] = case.seen(complaint_id)["decisions"]
    assert (decision["payer"], decision["basis"]) == ("merchant", "fault"), (
        "the unit never left: our own records say so"
    )


def test_what_a_person_was_asked_to_decide_no_clock_ends(case: Case) -> None:
    complaint_id = case.filed()
    assert case.move(complaint_id, "person").json["person"] is True
    for status in (Status.ESCALATED, Status.OVERDUE, Status.OVERDUE):
        until_due(case, complaint_id)
        assert store.load(complaint_id).status is status
    assert told(case.move(complaint_id, "statement", {"text": "?"})) == (409, "illegal_transition")
    other = case.decide(complaint_id, "dismiss", None)
    assert told(case.move(other.json["complaint_id"], "person")) == (409, "illegal_transition")


def test_silence_is_no_agreement_where_a_person_was_asked_for(case: Case) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, "reject")
    path = f"/v1/merchant/complaints/{complaint_id}/person"
    assert case.act("staff", "POST", path).json["person"] is True
    until_due(case, complaint_id)
    assert case.seen(complaint_id)["history"][-1]["what"] == "escalate"


def test_questions_are_answered_or_lapse_and_the_platform_goes_on(case: Case) -> None:
    complaint_id = case.escalated()
    assert ask(case, complaint_id, "buyer").json["turn"] == "buyer"
    assert told(case.reply(complaint_id)) == (409, "illegal_transition")
    assert case.move(complaint_id, "statement", {"text": "Here."}).json["status"] == "escalated"
    ask(case, complaint_id, "merchant")
    stated = case.reply(complaint_id, "reject")
    assert (stated.json["status"], stated.json["history"][-1]["what"]) == ("escalated", "state")
    ask(case, complaint_id, "buyer")
    until_due(case, complaint_id)
    assert case.seen(complaint_id)["status"] == "escalated"
    assert case.seen(complaint_id)["missed"] == 0


# --- who pays ---------------------------------------------------------------------------------------------------------


def test_the_merchant_pays_by_consent_or_proven_fault_only(case: Case) -> None:
    evidence_id = uploaded(case)
    shipped(case)
    complaint_id = case.file(evidence=[evidence_id]).json["complaint_id"]
    case.reply(complaint_id, "refund")
    case.move(complaint_id, "escalate", {"text": "More."})

    def pays(basis: str, minor: int, **more: Any) -> Answer:
        return case.decide(complaint_id, minor=minor, body={"payer": "merchant", "basis": basis, **more})

    def attack() -> None:
        assert told(pays("consent", 501)) == (409, "not_the_merchants")
        assert told(pays("fault", 500)) == (409, "not_the_merchants")
        assert told(pays("fault", 500, proof=["evd_" + "0" * 24])) == (409, "not_the_merchants")
        assert told(pays("consent", 500, proof=[evidence_id])) == (422, "invalid_request")
        for wrong in ({"payer": None}, {"payer": "merchant"}, {"basis": "fault"}, {"rule": "CN-X"}, {"facts": ""}):
            assert told(case.decide(complaint_id, body=wrong)) == (422, "invalid_request"), wrong
        dismissed = case.decide(complaint_id, "dismiss", None, body={"payer": "platform"})
        assert told(dismissed) == (422, "invalid_request")

    assert writes_during(attack) == []
    assert pays("fault", 1999, proof=[evidence_id]).json["status"] == "refunding"
    case.till.settle()
    assert books(case) == {}


def test_what_the_platform_bears_is_booked_back_and_forth_with_the_money(case: Case) -> None:
    shipped(case)
    complaint_id = case.escalated()
    refund_id = case.decide(complaint_id, minor=1000).json["refund_id"]
    assert books(case) == {"clearing": 1999, "merchant": -1899, "commission": -100}, "nothing is borne before it moved"
    case.till.settle()
    borne = {"clearing": 999, "merchant": -1899, "commission": -50, "goodwill": 950}
    assert books(case) == borne

    case.till.sandbox.settle(refund_id, "closed")
    case.till.settle()
    assert books(case) == {"clearing": 1999, "merchant": -1899, "commission": -100}
    payments.retry_refund(refund_id)
    case.till.settle()
    assert (case.seen(complaint_id)["status"], books(case)) == ("resolved", borne)

    appealed = case.move(complaint_id, "appeal", {"text": "All of it."})
    assert (appealed.json["status"], appealed.json["phase"]) == ("appealed", "appeal")
    service.end_refund(case.order.order_id, (refund_id, ""), succeeded=True)
    assert case.seen(complaint_id)["status"] == "appealed", "an old success that is told again ends no appeal"
    payer = {"payer": "merchant", "basis": "fault"}
    assert told(decided_by_another(case, complaint_id, "uphold", **payer)) == (409, "not_the_merchants")
    proof = uploaded(case)
    assert told(case.move(complaint_id, "appeal", {"text": "?", "evidence": [proof]})) == (409, "illegal_transition")
    upheld = decided_by_another(case, complaint_id, "uphold")
    assert (upheld.json["status"], upheld.json["decisions"][-1]["payer"]) == ("resolved", "platform")
    assert books(case) == borne


def test_a_compensation_pays_no_unit_back(case: Case) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, "compensation", amount={"minor": 300, "currency": "CNY"})
    case.move(complaint_id, "accept")
    case.till.settle()
    order = orders.load_order(case.order.order_id)
    assert (order.refunded, order.unsent(), order.refunded_units) == (Money(300), {"1": 1}, ())
    assert case.seen(complaint_id)["history"][1]["kind"] == "compensation"


# --- appeals ----------------------------------------------------------------------------------------------------------


def test_a_decision_is_appealed_against_once_and_another_person_judges(case: Case) -> None:
    complaint_id = case.escalated()
    decided = case.decide(complaint_id, "dismiss", None)
    assert (decided.json["phase"], decided.json["appeal_until"]) == ("decided", "2026-12-07T04:00:00.000Z")
    path = f"/v1/merchant/complaints/{complaint_id}/appeal"
    assert case.act("staff", "POST", path, {"text": "Why?"}).json["appealed_by"] == "merchant"
    assert told(case.decide(complaint_id, "dismiss", None)) == (409, "own_decision")
    assert told(ask(case, complaint_id, "buyer")) == (409, "own_decision")

    again = decided_by_another(case, complaint_id, "uphold")

    assert (again.json["status"], len(again.json["decisions"])) == ("dismissed", 2)
    assert told(case.move(complaint_id, "appeal", {"text": "And I?"})) == (409, "not_appealable")
    assert again.json.get("appeal_until") is None


def test_only_what_the_platform_decided_is_appealed_against_and_not_late(case: Case) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, "remedy")
    case.move(complaint_id, "accept")
    assert told(case.move(complaint_id, "appeal", {"text": "No."})) == (409, "not_appealable")
    case.move(complaint_id, "reopen", {"text": "Nothing came."})
    assert told(case.decide(complaint_id, "uphold", None)) == (409, "not_appealable")
    case.decide(complaint_id, "dismiss", None)
    case.till.clock.advance(timedelta(days=15, seconds=1))
    late = case.move(complaint_id, "appeal", {"text": "No."})
    assert (told(late), late.json["why"]) == ((409, "not_appealable"), "late")


def test_an_old_success_that_is_told_again_ends_no_complaint_that_was_opened_again(case: Case) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, "refund")
    refund_id = case.move(complaint_id, "accept").json["refund_id"]
    case.till.settle()
    assert case.move(complaint_id, "reopen", {"text": "More is broken."}).json["status"] == "escalated"

    service.end_refund(case.order.order_id, (refund_id, ""), succeeded=True)

    assert case.seen(complaint_id)["status"] == "escalated"


# --- goods again ------------------------------------------------------------------------------------------------------


def stocked(case: Case, units: int) -> str:
    """Put units on the shelf, and say where the order went."""
    purchase = orders.load_purchase(case.order.purchase_id)
    with UnitOfWork() as work:
        order_store.save_purchase(work, replace(purchase, delivery=Later.of(Delivery(WANG))))
    sku_id = case.order.lines[0].sku_id
    inventory.receive(sku_id, units, intent=system_intent("stock"))
    return sku_id


def test_a_replacement_is_an_order_that_costs_nothing_and_takes_stock_once(case: Case) -> None:
    complaint_id = case.filed()
    assert told(case.reply(complaint_id, "replacement")) == (409, "not_replaceable")
    shipped(case)
    sku_id = stocked(case, 2)
    assert told(case.reply(complaint_id, "replacement", quantity=2)) == (409, "not_replaceable")
    assert case.reply(complaint_id, "replacement").json["quantity"] == 1
    accepted = case.move(complaint_id, "accept", key="accept-01")
    assert case.move(complaint_id, "accept", key="accept-01").json == accepted.json

    made = orders.load_order(accepted.json["replacement_order_id"])
    assert (accepted.json["status"], made.status.value, made.total, made.lines[0].quantity) == (
        "resolved",
        "paid",
        Money(0),
        1,
    )
    assert inventory.level(sku_id).available == 1
    contact = orders.load_purchase(made.purchase_id).contact
    assert contact == orders.load_purchase(case.order.purchase_id).contact
    assert case.act("buyer", "GET", f"/v1/orders/{made.order_id}").status == 200


def test_a_replacement_that_is_called_off_gives_the_complaint_back(case: Case) -> None:
    shipped(case)
    sku_id = stocked(case, 1)
    complaint_id = case.escalated()
    granted = case.decide(complaint_id, "replacement", None, body={"payer": "platform"})
    order_id = granted.json["replacement_order_id"]
    assert books(case)["goodwill"] == 1899

    path = f"/v1/merchant/orders/{order_id}/cancel"
    assert case.act("staff", "POST", path, {"reason": "No more."}).status == 200
    case.till.pump.duplicate = 2
    case.till.settle()

    seen = case.seen(complaint_id)
    assert (seen["status"], seen["history"][-1]["what"]) == ("escalated", "replacement_failed")
    assert (inventory.level(sku_id).available, "goodwill" in books(case)) == (1, False)


def test_goods_that_are_sold_out_make_an_agreement_an_operators_case(case: Case) -> None:
    shipped(case)
    complaint_id = case.filed()
    case.reply(complaint_id, "replacement")
    stocked(case, 1)
    inventory.write_off(case.order.lines[0].sku_id, 1, intent=system_intent("gone"))
    answer = case.move(complaint_id, "accept")
    assert (answer.status, answer.json["status"], answer.json["turn"]) == (200, "escalated", "operator")
    assert told(case.decide(complaint_id, "replacement", None, body={"payer": "platform"})) == (409, "out_of_stock")


# --- deadlines that change --------------------------------------------------------------------------------------------


def test_a_row_of_yesterday_keeps_the_deadline_it_was_promised(case: Case) -> None:
    complaint_id = case.filed()
    case.reply(complaint_id, "reject")
    found = aws.call(
        "dynamodb",
        "GetItem",
        {"TableName": names.table_name("complaints"), "Key": {"complaint_id": {"S": complaint_id}}},
    )["Item"]
    doc = json.loads(found["doc"]["S"])
    new = {"due_ms", "estimated", "wishes", "misses", "late", "person", "decisions", "remedy", "units", "replacements"}
    found["doc"]["S"] = json.dumps({name: value for name, value in doc.items() if name not in new})
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("complaints"), "Item": found})

    of_old = store.load(complaint_id)
    assert (of_old.due, of_old.due_at, of_old.wishes) == (None, clock.now() + timedelta(hours=72), ())
    case.till.clock.advance(timedelta(hours=72))
    service.time_out(complaint_id)
    assert case.seen(complaint_id)["status"] == "dismissed"


def test_an_estimated_deadline_is_counted_again_before_it_fires(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint_id = case.filed()
    case.till.clock.advance(datetime(2026, 12, 31, 4, tzinfo=UTC) - clock.now())
    service.time_out(complaint_id)
    found = store.load(complaint_id)
    assert found.due == calendars.Due(datetime(2027, 1, 3, 16, tzinfo=UTC), estimated=True)
    assert case.seen(complaint_id)["due_estimated"] is True

    holidays, worked, years = calendars._named()
    named = (holidays | {date(2027, 1, 1)}, worked, years | {2027})
    monkeypatch.setattr(calendars, "_named", lambda: named)
    case.till.clock.advance(datetime(2027, 1, 3, 16, tzinfo=UTC) - clock.now())
    assert service.time_out(complaint_id).status is Status.ESCALATED
    assert store.load(complaint_id).due == calendars.Due(datetime(2027, 1, 6, 16, tzinfo=UTC))


# --- for an authority -------------------------------------------------------------------------------------------------


def test_a_bundle_can_be_checked_byte_by_byte(case: Case) -> None:
    evidence_id = uploaded(case)
    complaint_id = case.file(evidence=[evidence_id]).json["complaint_id"]
    case.reply(complaint_id)
    asked = {"authority": "市场监管局", "reference": "2026-7", "reason": "asked in writing"}
    path = f"/v1/operator/complaints/{complaint_id}/bundle"
    answer = case.act("operator", "POST", path, asked)
    assert answer.status == 200, answer.body
    whole = answer.json

    def sha(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    assert whole["complete"] is True
    assert all(part["sha256"] == sha(part["content"]) for part in whole["parts"])
    named = [[part["name"], part["sha256"]] for part in whole["parts"]]
    files = [[file["evidence_id"], file["sha256"]] for file in whole["files"]]
    assert whole["sha256"] == sha(json.dumps(named + files, separators=(",", ":")))
    parts = {part["name"]: json.loads(part["content"]) for part in whole["parts"]}
    before = ""
    for entry in parts["history"]:
        said = {name: value for name, value in entry.items() if name != "sha256"}
        text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = sha(before + text)
        assert entry["sha256"] == before
    assert parts["ledger"]
    mine = case.act("buyer", "GET", f"/v1/complaints/{complaint_id}/bundle").json
    assert {part["name"] for part in whole["parts"]} - {part["name"] for part in mine["parts"]} == {"ledger"}
    assert case.act("stranger", "GET", f"/v1/complaints/{complaint_id}/bundle").status == 404
    for secret in ("intent", "fingerprint", "acc_" + case.till.operator.account_id[4:]):
        assert secret not in json.dumps(mine)


def test_rows_and_terms_survive_what_is_written_and_read(case: Case) -> None:
    complaint_id = case.file(wishes=["compensation"], wished={"minor": 5, "currency": "CNY"}).json["complaint_id"]
    found = store.load(complaint_id)
    with UnitOfWork() as work:
        store.save(work, found)
    assert store.load(complaint_id) == replace(found, version=found.version + 1)
    for wrong in (
        {"wishes": ["refund", "refund"]},
        {"wishes": ["apology"], "wished": {"minor": 5, "currency": "CNY"}},
        {"wishes": ["gold"]},
    ):
        assert told(case.file(**wrong)) == (422, "invalid_request"), wrong
    case.move(complaint_id, "withdraw")
    too_much = case.file(wishes=["refund"], wished={"minor": 2000, "currency": "CNY"})
    assert told(too_much) == (409, "amount_too_large")
