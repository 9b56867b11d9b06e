"""A deadline that is refused for ever is parked once, with a case, whatever record it is of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import topology
from chalicelib.checkout import service as checkout
from chalicelib.kernel import context
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import Conflict
from chalicelib.orders import service as orders
from chalicelib.orders.service import OrderStatus, PurchaseStatus
from chalicelib.payments import service as payments
from chalicelib.payments.attempts import outcome
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.store import records as payment_records
from chalicelib.runtime import aws, consume, deadlines, names, outbound, parking
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.deadlines import Due
from tests.support.paying import Till
from tests.support.pump import function_of


class Never(Conflict):
    code = "never"


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def refuse(*_: Any, **__: Any) -> None:
    raise Never


def cases(till: Till, state: str = "open") -> list[Any]:
    found = till.operate("GET", f"/v1/operator/cases?status={state}&limit=100").json["items"]
    return [case for case in found if case["kind"] == "deadline_parked"]


def dead(till: Till) -> list[Any]:
    return [letter for queue in topology.QUEUES for letter in till.pump.dead(queue)]


def test_an_order_that_cannot_time_out_is_parked_once_and_tried_again_when_an_operator_says_so(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, _ = till.paid()
    order = sale.orders[0]
    till.clock.advance(timedelta(days=15, minutes=1))
    with monkeypatch.context() as patch:
        patch.setattr(checkout, "cancel_paid", refuse)
        till.wait(timedelta(hours=2), step=timedelta(minutes=1))
        (case,) = cases(till)
        opened = case["opened_at"]
        assert (case["subject"], case["said"]["why"], case["purchase_id"]) == (
            order.order_id,
            "never",
            sale.purchase.purchase_id,
        )
        assert deadlines.sweep().get("order", 0) == 0
        till.wait(timedelta(minutes=30), step=timedelta(minutes=1))
        assert [one["opened_at"] for one in cases(till)] == [opened]
        assert dead(till) == []
        assert orders.load_order(order.order_id) == order or orders.load_order(order.order_id).status is order.status

    path = f"/v1/operator/cases/{case['case_id']}/resolve"
    assert till.operate("POST", path, {"how": "corrected", "note": "mended"}).status == 200
    monkeypatch.setattr("chalicelib.inventory.service.put_back", lambda *_, **__: None)  # These goods have no stock.
    till.wait(timedelta(minutes=2), step=timedelta(minutes=1))
    assert orders.load_order(order.order_id).status is OrderStatus.CANCELLED
    assert (cases(till), dead(till)) == ([], [])


def test_one_that_is_refused_again_after_that_opens_its_case_again(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    till.paid()
    till.clock.advance(timedelta(days=15, minutes=1))
    monkeypatch.setattr(checkout, "cancel_paid", refuse)
    till.wait(timedelta(hours=1), step=timedelta(minutes=1))
    (case,) = cases(till)
    path = f"/v1/operator/cases/{case['case_id']}/resolve"
    assert till.operate("POST", path, {"how": "corrected", "note": "mended"}, key="resolve-1").status == 200
    assert till.operate("POST", path, {"how": "corrected", "note": "mended"}, key="resolve-1").status == 200
    assert till.operate("POST", path, {"how": "corrected", "note": "again"}).json["code"] == "illegal_transition"
    till.wait(timedelta(hours=1), step=timedelta(minutes=1))
    assert [one["case_id"] for one in cases(till)] == [case["case_id"]]
    assert [turn["status"] for turn in cases(till)[0]["history"]] == ["resolved", "open"]
    assert dead(till) == []


def test_a_change_of_the_record_has_its_deadline_tried_again(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = till.sale()
    purchase_id = sale.purchase.purchase_id
    due = Due(kind="purchase", record_id=purchase_id, parent_id=purchase_id, due_at_s=_due_at(sale))
    with context.use(context.Context(request_id="r", cause_id="c", actor="test")):
        assert parking.park(due, "never") is True
        assert parking.park(due, "never") is False  # Once.
    till.clock.advance(timedelta(minutes=31))
    till.pump.due()
    assert orders.load_purchase(purchase_id).status is PurchaseStatus.AWAITING_PAYMENT
    assert parking.release(purchase_id, purchase_id) is True
    assert parking.release(purchase_id, purchase_id) is False
    monkeypatch.setattr("chalicelib.inventory.service.put_back", lambda *_, **__: None)
    till.pump.due()
    assert orders.load_purchase(purchase_id).status is PurchaseStatus.EXPIRED


def test_a_question_about_a_parked_attempt_has_its_deadline_tried_again(till: Till) -> None:
    """What is kept with the deadline in the row alone must not be written without it: nobody would ever ask again."""
    sale = till.sale()
    payment_id = till.started(sale)
    purchase_id = sale.purchase.purchase_id
    due_at = payment_records.load_payment(payment_id).due_at
    assert due_at is not None
    due = Due(kind="payment", record_id=payment_id, parent_id=purchase_id, due_at_s=int(due_at.timestamp()))
    with context.use(context.Context(request_id="r", cause_id="c", actor="test")):
        assert parking.park(due, "never") is True
    till.clock.advance(timedelta(minutes=1))
    till.sandbox.pay(payment_id)
    assert deadlines.sweep().get("payment", 0) == 0
    asked = outcome.save_attempt(replace(payment_records.load_payment(payment_id), tries=2))
    assert asked.due_at is not None
    till.pump.due()
    assert payment_records.load_payment(payment_id).status is PaymentStatus.CAPTURED


def _due_at(sale: orders.Sale) -> int:
    assert sale.purchase.due_at is not None
    return -int(-sale.purchase.due_at.timestamp() // 1)


def test_a_deadline_that_moved_on_is_not_parked(till: Till) -> None:
    sale = till.sale()
    purchase_id = sale.purchase.purchase_id
    other = Due(kind="purchase", record_id=purchase_id, parent_id=purchase_id, due_at_s=_due_at(sale) + 1)
    before = orders.load_purchase(purchase_id)
    assert parking.park(other, "never") is False
    assert orders.load_purchase(purchase_id) == before


def test_every_kind_of_record_with_a_deadline_can_be_parked_by_its_own_function(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(topology.DUE_PREFIXES) == set(topology.DEADLINES)
    assert {topology.due_table(f"{prefix}_x")[0] for prefix in topology.DEADLINES} == {
        table for table, _, _ in topology.DUE_TABLES
    }
    with pytest.raises(LookupError):
        topology.due_table("acc_x")
    for prefix, (kind, queue) in topology.DEADLINES.items():
        table, hash_name, range_name = topology.due_table(f"{prefix}_x")
        record_id, parent_id = f"{prefix}_{'0' * 24}", f"pur_{'1' * 24}" if range_name else f"{prefix}_{'0' * 24}"
        key = {hash_name: {"S": parent_id}, **({range_name: {"S": record_id}} if range_name else {})}
        row = {**key, "version": {"N": "3"}, "due_shard": {"S": "due0"}, "due_at": {"N": "7"}}
        dynamo.call("PutItem", {"TableName": names.table_name(table), "Item": row})
        due = Due(kind=kind, record_id=record_id, parent_id=parent_id, due_at_s=7)
        message = {
            "messageId": "m",
            "receiptHandle": "r",
            "body": facts.encode(facts.seal(due)),
            "attributes": {"ApproximateReceiveCount": str(consume.MAX_RECEIVES + 1)},
        }
        result = function_of(topology.QUEUES[queue])({"Records": [message]}, None)  # As it may, by its policy.
        assert result == {"batchItemFailures": []}, kind
        kept = dynamo.call("GetItem", {"TableName": names.table_name(table), "Key": key})["Item"]
        assert (kept["parked"], kept["version"], "due_at" in kept) == ({"S": "never_ended"}, {"N": "4"}, False), kind
    assert dead(till) == []


@pytest.fixture
def unseen(cloud: str) -> Iterator[None]:
    """Take back-offs for done: the messages of these tests are in no queue."""

    def hook(service: str, operation: str, params: Any, proceed: Any) -> Any:
        return {} if operation == "ChangeMessageVisibility" else proceed()

    with aws.hooked(hook):
        yield


def test_a_message_that_cannot_be_parked_for_a_while_is_no_dead_letter(
    till: Till, unseen: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = Consumer("checkout")
    consumer.on(Due)(refuse)
    sale = till.sale()
    due = Due(
        kind="purchase",
        record_id=sale.purchase.purchase_id,
        parent_id=sale.purchase.purchase_id,
        due_at_s=_due_at(sale),
    )
    message = {
        "messageId": "m",
        "receiptHandle": "r",
        "body": facts.encode(facts.seal(due)),
        "attributes": {"ApproximateReceiveCount": str(consume.MAX_RECEIVES)},
    }

    def down(*_: Any) -> bool:
        raise RuntimeError("down")

    with monkeypatch.context() as patch:
        patch.setattr(parking, "park", down)
        assert consumer.handle({"Records": [message]}) == {"batchItemFailures": []}
    assert dead(till) == []
    early = {**message, "attributes": {"ApproximateReceiveCount": "2"}}
    assert consumer.handle({"Records": [early]}) == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert consumer.handle({"Records": [message, message]}) == {"batchItemFailures": []}
    assert dead(till) == []


def test_a_refund_and_an_approval_that_cannot_be_chased_are_parked_too(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, payment_id = till.paid((300_000,))
    till.sandbox.steer(payment_id, refund="pending")
    base = f"/v1/operator/purchases/{sale.purchase.purchase_id}"
    body = {
        "order_id": sale.orders[0].order_id,
        "amount": {"minor": 100, "currency": "CNY"},
        "reason": "broken",
    }
    assert till.operate("POST", f"{base}/refunds", body).status == 201
    assert till.operate("POST", f"{base}/refund-approvals", body).status == 201
    monkeypatch.setattr(payments, "time_out_refund", refuse)
    monkeypatch.setattr(payments, "expire_approval", refuse)
    till.wait(timedelta(hours=23, minutes=50), step=timedelta(hours=1))
    till.wait(timedelta(hours=1, minutes=10), step=timedelta(minutes=5))
    assert sorted(case["said"]["record"] for case in cases(till)) == ["approval", "refund"]
    assert dead(till) == []
