"""A batch ends before its function would be ended: what is finished never comes again, and no reason is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock, context
from chalicelib.kernel import events as facts
from chalicelib.kernel.errors import Busy, Conflict, RetryLater
from chalicelib.kernel.events import Envelope, Event
from chalicelib.orders.service import Sale
from chalicelib.payments import consumers as payment_consumers
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.payments.events import RefundRequested
from chalicelib.runtime import aws, consume, deadlines, lifetime, names, outbound, patience, queues
from chalicelib.runtime.consume import Consumer
from infra.functions import FUNCTIONS
from infra.stack import MAX_RECEIVES
from tests.support.paying import Till, story


class Rung(Event, frozen=True, tag="bell.rung"):
    bell_id: str

    @property
    def subject(self) -> str:
        return self.bell_id


class Lambda:
    """Lambda's context of a function that has so long, by the test's clock."""

    def __init__(self, timeout_s: float) -> None:
        self._ends = clock.now() + timedelta(seconds=timeout_s)

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - clock.now()).total_seconds() * 1000)

    @property
    def left_s(self) -> float:
        return self.get_remaining_time_in_millis() / 1000


def record(event: Event, *, number: int, receives: int = 1) -> dict[str, Any]:
    with context.use(context.Context(request_id="req", cause_id="test", actor="test")):
        body = facts.encode(facts.seal(event))
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }


class Told:
    """What SQS was told; the messages of these tests are in no queue."""

    def __init__(self) -> None:
        self.hidden: dict[str, int] = {}
        self.sent: list[str] = []
        self.dead: list[str] = []

    def hook(self, service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "ChangeMessageVisibility":
            self.hidden[params["ReceiptHandle"]] = params["VisibilityTimeout"]
            return {}
        if operation == "SendMessageBatch":
            self.sent += [json.loads(entry["MessageBody"])["id"] for entry in params["Entries"]]
            return {"Successful": []}
        if operation == "SendMessage":
            assert params["QueueUrl"] == queues.url(names.dead_letter_name("orders"))
            self.dead.append(params["MessageAttributes"]["reason"]["StringValue"])
            return {}
        return proceed()


@pytest.fixture
def told(cloud: str) -> Iterator[Told]:
    found = Told()
    with aws.hooked(found.hook):
        yield found


def slow_consumer(noon: Any, each_s: float, began: list[str]) -> Consumer:
    consumer = Consumer("orders", asking_s=3_600)

    @consumer.on(Rung)
    def handle(event: Rung, _: Envelope) -> None:
        began.append(event.bell_id)
        noon.advance(timedelta(seconds=each_s))
        if event.bell_id == "broken":
            raise Conflict

    return consumer


def batch(*bells: str, receives: int = 1) -> dict[str, Any]:
    return {"Records": [record(Rung(bell), number=n, receives=receives) for n, bell in enumerate(bells)]}


def test_what_there_is_no_time_to_begin_goes_back_and_what_is_finished_does_not(told: Told, noon: Any) -> None:
    began: list[str] = []
    lambda_context = Lambda(30)

    result = slow_consumer(noon, 9, began).handle(batch("a", "broken", "c", "d", "e"), lambda_context)

    assert began == ["a", "broken", "c"]
    assert result == {"batchItemFailures": [{"itemIdentifier": f"m{n}"} for n in (1, 3, 4)]}
    assert told.hidden == {"r1": 2, "r3": consume.SOON_S, "r4": consume.SOON_S}
    assert lambda_context.left_s > 0


def test_the_first_message_is_begun_however_little_time_there_is(told: Told, noon: Any) -> None:
    began: list[str] = []
    result = slow_consumer(noon, 1, began).handle(batch("a", "b"), Lambda(3))
    assert (began, result) == (["a"], {"batchItemFailures": [{"itemIdentifier": "m1"}]})


def test_without_a_context_a_batch_is_handled_whole(told: Told, noon: Any) -> None:
    began: list[str] = []
    assert slow_consumer(noon, 600, began).handle(batch("a", "b")) == {"batchItemFailures": []}
    assert began == ["a", "b"]


def test_a_message_that_is_often_put_off_goes_on_as_a_fresh_one(told: Told, noon: Any) -> None:
    due = deadlines.Due(kind="x", record_id="x", parent_id="x", due_at_s=1)
    event = batch("a", "b", "c", receives=consume.MAX_RECEIVES)
    event["Records"][2] = record(due, number=2, receives=consume.MAX_RECEIVES)  # Its job tells it again.
    began: list[str] = []

    result = slow_consumer(noon, 25, began).handle(event, Lambda(30))

    assert (began, result) == (["a"], {"batchItemFailures": []})
    assert told.sent == ["bell.rung#b"]
    assert (told.hidden, told.dead) == ({}, [])


@pytest.mark.parametrize("waits", range(12))
def test_a_message_that_waited_by_decision_is_not_given_up_at_its_first_failure(
    told: Told, noon: Any, waits: int
) -> None:
    """However often it was told to come later, or put off: failures have at least four tries to themselves."""
    consumer = Consumer("orders")
    came: list[int] = []

    @consumer.on(Rung)
    def handle(event: Rung, _: Envelope) -> None:
        came.append(len(came))
        if len(came) <= waits:
            raise RetryLater("published a moment ago", delay_s=1)
        if len(came) <= waits + 4:
            raise Conflict

    receives = 1
    while consumer.handle(batch("a", receives=receives)) != {"batchItemFailures": []} or len(told.sent):
        receives = 1 if told.sent else receives + 1
        told.sent.clear()
    assert told.dead == []
    assert len(came) == waits + 5


def test_no_message_reaches_the_queues_own_redrive_policy_without_a_reason(told: Told, noon: Any) -> None:
    assert consume.LAST_RECEIVE == MAX_RECEIVES
    began: list[str] = []
    consumer = slow_consumer(noon, 1, began)

    assert consumer.handle(batch("broken", receives=9), Lambda(30)) == {"batchItemFailures": []}
    assert consumer.handle(batch("kills", receives=10), Lambda(30)) == {"batchItemFailures": []}

    assert told.dead == ["conflict", "never_ended"]
    assert began == ["broken"]  # Whoever began the other one nine times never told how it ended.


def test_when_the_time_for_others_is_over_nothing_is_begun_that_could_only_fail(told: Told, noon: Any) -> None:
    consumer = Consumer("orders", asking_s=10.0)
    began: list[str] = []

    @consumer.on(Rung)
    def handle(event: Rung, _: Envelope) -> None:
        began.append(event.bell_id)
        noon.advance(timedelta(seconds=patience.granted_s("provider", 4.0)))

    result = consumer.handle(batch("a", "b", "c", "d", "e"), Lambda(60))
    assert began == ["a", "b", "c"]
    assert [failure["itemIdentifier"] for failure in result["batchItemFailures"]] == ["m3", "m4"]


def test_what_a_batch_may_wait_for_others_shrinks_with_what_its_function_has_left(told: Told, noon: Any) -> None:
    granted: list[float] = []
    consumer = Consumer("orders")

    @consumer.on(Rung)
    def handle(event: Rung, _: Envelope) -> None:
        granted.append(patience.granted_s("provider", 60.0))

    consumer.handle(batch("a"), Lambda(30))
    consumer.handle(batch("a"), Lambda(12))
    assert granted == [pytest.approx(consume.ASKING_S, abs=0.5), pytest.approx(12 - consume.OWN_S, abs=0.5)]


def test_a_handler_leaves_time_to_tell_how_it_ended(told: Told, noon: Any) -> None:
    left: list[float] = []
    consumer = Consumer("orders")

    @consumer.on(Rung)
    def handle(event: Rung, _: Envelope) -> None:
        left.append(lifetime.left_s())
        raise Busy

    consumer.handle(batch("a"), Lambda(30))
    assert left == [30 - consume.REPORT_S]
    assert told.hidden == {"r0": 2}


def test_every_queues_function_has_time_for_a_message(cloud: str) -> None:
    for name, function in FUNCTIONS.items():
        if function.consumes is not None:
            assert function.timeout_s >= 2 * consume.BEGIN_S + consume.REPORT_S, name


def test_ten_refunds_with_a_silent_provider_end_in_time(cloud: str, noon: Any) -> None:
    till = Till.open(noon)
    sales = [till.paid()[0] for _ in range(10)]
    refunds = [_asked_back(till, sale) for sale in sales]
    asked: list[float] = []

    def silent(request: outbound.Request) -> outbound.Response:
        asked.append(request.timeout_s)
        till.clock.advance(timedelta(seconds=request.timeout_s))
        raise outbound.OutboundTimeout(kind="silent")

    outbound.install(silent)
    told = Told()
    lambda_context = Lambda(FUNCTIONS["payments"].timeout_s)
    records = [record(_requested(one), number=number) for number, one in enumerate(refunds)]
    try:
        with aws.hooked(told.hook):
            payment_consumers.payments({"Records": records}, lambda_context)
    finally:
        outbound.install(None)
    assert asked
    assert lambda_context.left_s >= consume.OWN_S
    assert {refund.status for sale in sales for refund in story(sale).refunds} == {RefundStatus.REQUESTED}
    assert told.dead == []


def _asked_back(till: Till, sale: Sale) -> str:
    body = {"order_id": sale.orders[0].order_id, "amount": {"minor": 100, "currency": "CNY"}, "reason": "goodwill"}
    answer = till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body)
    assert answer.status == 201, answer
    return str(answer.json["refund_id"])


def _requested(refund_id: str) -> RefundRequested:
    return RefundRequested(refund_id=refund_id, payment_id="", order_id=None, amount_minor=100, currency="CNY")
