"""An order explains itself in one call: in order, in both languages, proven, and without a word about a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.complaints import service as complaints
from chalicelib.complaints.grounds import Reason
from chalicelib.complaints.service import Filing, Party, Statement
from chalicelib.complaints.states import Turn
from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from chalicelib.kernel.pages import Window
from chalicelib.kernel.roles import Role
from chalicelib.logistics import service as logistics
from chalicelib.logistics import store as parcels
from chalicelib.logistics.domain import Scan, Status
from chalicelib.orders.service import Order
from chalicelib.oversight import service as oversight
from chalicelib.oversight.chain import sealing
from chalicelib.runtime import aws, outbound
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import dump, facts_told, people
from tests.support.http import Answer, call
from tests.support.paying import Till
from tools.bench import metering

WORDS = ("The lid is off, ask Mei on 13900001111", "Sorry, says Wang")


@contextmanager
def riding() -> Iterator[list[str]]:
    """Collect the names of events that ride in the rows that are written."""
    told: list[str] = []

    def hook(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        answer = proceed()
        puts = [params] if operation == "PutItem" else []
        if operation == "TransactWriteItems":
            puts = [part["Put"] for part in params["TransactItems"] if "Put" in part]
        for put in puts:
            item = put["Item"]
            if "events" in item and item["event_version"] == item["version"]:
                told.extend(envelope.id for envelope in facts.decode_list(item["events"]["S"]))
        return answer

    with aws.hooked(hook):
        yield told


@dataclass
class Case:
    till: Till
    order: Order
    told: set[str]
    complaint_id: str

    def explain(self, *, desk: people.Person | None = None, language: str = "en", **body: Any) -> Answer:
        token = people.token((desk or self.till.operator).account_id, Role.BUYER, Role.OPERATOR)
        path = f"/v1/operator/orders/{self.order.order_id}/explanation"
        sent = {"reason": "The buyer asks.", **body}
        return call("POST", path, sent, token=token, headers={"accept-language": language})


@pytest.fixture
def case(cloud: str, noon: clock.Fixed) -> Iterator[Case]:
    """Paid, shipped, scanned, complained about, partly refunded: with another merchant's order in the same purchase."""
    till = Till.open(noon)
    with facts_told.listening() as unheard, riding() as heard:
        sale, _ = till.paid((1000, 700))
        order = sale.orders[0]
        noon.advance(timedelta(hours=1))
        dispatch = logistics.Dispatch((("1", 1),), "yuantong", "YT1000000000001")
        shipment, _ = logistics.ship(order.merchant_id, order.order_id, dispatch, system_intent("ship"))
        noon.advance(timedelta(hours=2))
        with UnitOfWork() as work:
            found = parcels.load(shipment.shipment_id)
            scans = (
                Scan(clock.now() - timedelta(hours=1), "Collected by Li 13800001111", Status.COLLECTED, "Hangzhou"),
                Scan(clock.now(), "On its way", Status.IN_TRANSIT),
                Scan(clock.now(), "Still on its way", Status.IN_TRANSIT),
            )
            parcels.save(work, replace(found, scans=scans, status=Status.IN_TRANSIT))
        buyer = Party(Turn.BUYER, till.buyer.account_id, till.buyer.account_id)
        filing = Filing(order.order_id, "1", Reason.DAMAGED, Statement(WORDS[0]))
        complaint, _ = complaints.file(buyer, filing, system_intent("complain"))
        noon.advance(timedelta(minutes=1))
        refunded = till.operate(
            "POST",
            f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds",
            {"order_id": order.order_id, "amount": {"minor": 300, "currency": "CNY"}, "reason": "broken lid"},
            key="refund-0001",
        )
        assert refunded.status == 201, refunded.body
        till.settle()
        noon.advance(timedelta(seconds=1))
    told = {*heard, *(envelope.id for envelope in unheard)}
    yield Case(till, order, told, complaint.complaint_id)
    outbound.install(None)


def whats(answer: Answer) -> list[str]:
    return [f"{step['what']} {step.get('status', '')}".strip() for step in answer.json["items"]]


def test_everything_is_told_in_one_call_and_an_effect_never_before_its_cause(case: Case) -> None:
    answer = case.explain()
    assert (answer.status, answer.json["count"]) == (200, len(answer.json["items"])), answer.body
    story = whats(answer)
    wanted = [
        "purchase.placed",
        "stock.taken",
        "payment.started",
        "payment.captured captured",
        "purchase.changed paid",
        "order.changed paid",
        "order.changed shipped",
        "parcel.made",
        "parcel.moved collected",
        "parcel.moved in_transit",
        "complaint.filed",
        "request_refund",
        "refund.requested",
        "refund.succeeded succeeded",
    ]
    positions = [story.index(what) for what in wanted]
    assert positions == sorted(positions), story
    assert story.count("ledger.posted") == 2
    assert story.count("parcel.moved in_transit") == 1, "a scan that says nothing new is left out"
    assert story.count("order.changed paid") == 1, "the other merchant's order is not in it"
    assert (answer.json["purchase_id"], answer.json["buyer_id"]) == (case.order.purchase_id, case.order.buyer_id)


def test_each_event_it_names_was_told_and_went_where_it_says(case: Case) -> None:
    items = case.explain().json["items"]
    named = {event["event_id"]: event["queues"] for step in items for event in step.get("events", ())}
    assert set(named) <= case.told
    assert {name.partition("#")[0] for name in named} == {
        "purchase.placed",
        "purchase.paid",
        "order.paid",
        "order.shipped",
        "payment.started",
        "payment.captured",
        "refund.requested",
        "refund.succeeded",
        "shipment.created",
    }
    assert {tuple(queues) for name, queues in named.items() if name.startswith("refund.requested")} == {("payments",)}


def test_nobodys_name_number_or_words_are_in_it(case: Case) -> None:
    body = case.explain().body
    for word in (*WORDS, "13800001111", "Li ", "Hangzhou"):
        assert word not in body, word


def test_it_speaks_both_languages(case: Case) -> None:
    english, chinese = (case.explain(language=language).json["items"] for language in ("en", "zh-CN"))
    pairs = [(one["text"], other["text"]) for one, other in zip(english, chinese, strict=False)]
    assert ("The merchant handed over a parcel", "商家交运包裹") in pairs
    assert all(one != other for one, other in pairs)


def test_acts_are_proven_by_the_chain_and_a_forged_one_is_told(case: Case, noon: clock.Fixed) -> None:
    noon.advance(timedelta(seconds=1))
    (act,) = [step for step in case.explain().json["items"] if step["kind"] == "act"]
    assert act["seal"] == {"line": act["seal"]["line"], "as_sealed": True}, "it is too young to be sealed"
    noon.advance(timedelta(minutes=2))
    sealing.run()
    answer = case.explain()
    acts = [step for step in answer.json["items"] if step["kind"] == "act"]
    assert [step["what"] for step in acts] == ["request_refund", "explain_order"]
    assert [step["seal"]["number"] for step in acts] == [1, 2]
    assert answer.json["head"] == acts[-1]["seal"]
    (proven, _) = oversight.done_about(case.order.purchase_id, Window(10)).items
    assert (acts[0]["seal"]["line"], acts[0]["seal"]["link"]) == (proven.digest, proven.link)


def test_each_look_stands_in_the_audit_with_the_digest_of_what_was_shown(case: Case, noon: clock.Fixed) -> None:
    first = case.explain()
    noon.advance(timedelta(seconds=1))
    second = case.explain(reason="Again, for the bank.")
    assert first.json["digest"] == second.json["digest"], "nothing happened between but the look"
    looks = [one.line for one in oversight.done_just_now(case.order.purchase_id) if one.line.act == "explain_order"]
    assert [look.said for look in looks] == [
        {"reason": "The buyer asks.", "story": first.json["digest"]},
        {"reason": "Again, for the bank.", "story": first.json["digest"]},
    ]
    assert {case.order.buyer_id, case.order.purchase_id} <= set(looks[0].about)


def test_long_ones_come_in_pages_that_belong_to_whoever_asked(case: Case, noon: clock.Fixed) -> None:
    whole = case.explain().json
    pages: list[Any] = []
    cursor = None
    while True:
        noon.advance(timedelta(seconds=1))
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        page = case.explain(limit=5, **more).json
        pages += page["items"]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert pages[: whole["count"]] == whole["items"]
    assert {step["what"] for step in pages[whole["count"] :]} == {"explain_order"}, "the looks themselves"
    cursor = case.explain(limit=5).json["next_cursor"]
    assert case.explain(desk=people.operator(), cursor=cursor).json["code"] == "bad_cursor"


def test_what_is_refused_leaves_no_trace(case: Case) -> None:
    before = dump.tables()
    for bad in ({"reason": ""}, {"reason": "x" * 201}, {"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"all": True}):
        assert case.explain(**bad).status == 422
    missing = replace(case, order=replace(case.order, order_id=f"ord_{'0' * 24}_01"))
    assert missing.explain().status == 404
    assert dump.differences(before, dump.tables()) == []


def test_what_a_look_costs(case: Case) -> None:
    case.explain()
    with metering.measured() as meter:
        case.explain()
    # Who acts, twice the order's sale (whose affair, and the order) and its story: orders, payments, ledger; parcels;
    # the buyer's complaints and their rows; links, lines, progress and two days of the audit; the line of the look.
    assert (meter.calls, meter.write_units, meter.read_units) == (15, 1, 12.0)
