"""Facts go to merchants' own systems: each once taken, whatever is repeated, refused, cut off or crashes on the way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.pages import Window
from chalicelib.orders import service as orders
from chalicelib.runtime import aws, outside
from chalicelib.runtime.intents import Intent
from chalicelib.webhooks import domain, service, store, telling
from chalicelib.webhooks.domain import Delivery, DeliveryStatus, EndpointStatus
from tests.support import dump, people, sales
from tests.support.http import Answer, call
from tests.support.pump import UNPUBLISHED, Pump
from tools.bench import metering
from tools.fakes.webhooks.receiver import Receiver

WEBHOOKS = "/v1/merchant/webhooks"
URL = "https://hooks.example.com/biandan"
pytestmark = pytest.mark.usefixtures("cloud", "noon")


class Merchant:
    """A merchant whose own system listens."""

    def __init__(self, receiver: Receiver, **wanted: Any) -> None:
        self.merchant_id = people.merchant().merchant_id
        self.owner = people.staff(self.merchant_id)
        self.receiver = receiver
        made = self.make(**wanted)
        assert made.status == 201, made.body
        self.webhook_id = str(made.json["webhook_id"])
        self.secret = str(made.json["secret"])
        receiver.secrets.append(self.secret)

    @property
    def token(self) -> str:
        """Return a token of now: days pass in these tests."""
        return people.token(self.owner.account_id)

    def make(self, key: str | None = None, **wanted: Any) -> Answer:
        body = {"name": "Warehouse", "url": URL, **wanted}
        return call("POST", WEBHOOKS, body, token=self.token, key=key)

    def post(self, path: str, body: Any = None, *, key: str | None = None, method: str = "POST") -> Answer:
        return call(method, f"{WEBHOOKS}/{self.webhook_id}{path}", body, token=self.token, key=key)

    def endpoint(self) -> domain.Endpoint:
        return service.get(self.merchant_id, self.webhook_id)

    def sell(self) -> str:
        """Have an order paid; returns its id."""
        sale = sales.paid(people.buyer().account_id, (self.merchant_id, (sales.line("lin_1"),)))
        return sale.orders[0].order_id

    def deliveries(self, status: DeliveryStatus | None = None) -> list[Delivery]:
        return list(service.deliveries(self.merchant_id, self.webhook_id, Window(50), status).items)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    outside.install(made)
    yield made
    outside.install(None)


@pytest.fixture
def merchant(receiver: Receiver) -> Merchant:
    return Merchant(receiver)


@pytest.fixture
def pump() -> Pump:
    return Pump(leaves=UNPUBLISHED - {"webhooks"})


def test_an_order_is_told_signed_with_its_ids_and_nobodys_name(
    merchant: Merchant, receiver: Receiver, pump: Pump
) -> None:
    order_id = merchant.sell()
    pump.drain()
    assert [(one.type, one.data) for one in receiver.told] == [
        ("order.paid", {"merchant_id": merchant.merchant_id, "order_id": order_id})
    ]
    assert receiver.refused == []
    (kept,) = merchant.deliveries()
    assert (kept.status, [one.answer for one in kept.attempts]) == (DeliveryStatus.DELIVERED, ["204"])
    shown = call("GET", f"{WEBHOOKS}/{merchant.webhook_id}/deliveries", token=merchant.token).json["items"]
    assert [(one["status"], one["type"], one["round"]) for one in shown] == [("delivered", "order.paid", 0)]
    assert merchant.secret.removeprefix("whsec_") not in str(dump.tables())


def test_ten_redeliveries_of_everything_tell_it_once(merchant: Merchant, receiver: Receiver) -> None:
    pump = Pump(leaves=UNPUBLISHED - {"webhooks"}, duplicate=10)
    merchant.sell()
    pump.drain()
    assert (receiver.calls, len(merchant.deliveries())) == (1, 1)


def test_only_what_is_wanted_is_told_and_nothing_of_another_merchants(receiver: Receiver, pump: Pump) -> None:
    merchant = Merchant(receiver, types=["order.cancelled"])
    other = Merchant(receiver)
    other.post("", {"name": "Off", "url": URL, "active": False}, method="PUT")
    merchant.sell()
    other.sell()
    pump.drain()
    assert receiver.calls == 0
    assert (merchant.deliveries(), other.deliveries()) == ([], [])


def test_what_fails_is_tried_again_until_it_is_taken(
    merchant: Merchant, receiver: Receiver, pump: Pump, noon: clock.Fixed
) -> None:
    receiver.answers = [500, "unreachable", 302]
    merchant.sell()
    pump.drain()
    assert merchant.endpoint().failing_since == clock.now()
    pump.pass_time(noon, timedelta(minutes=45), step=timedelta(minutes=1))
    (kept,) = merchant.deliveries()
    assert [one.answer for one in kept.attempts] == ["500", "unreachable", "302", "204"]
    assert kept.status is DeliveryStatus.DELIVERED
    assert len({one.message_id for one in receiver.told}) == 1
    assert merchant.endpoint().failing_since is None


def test_a_busy_endpoint_is_left_alone_and_others_are_not(
    merchant: Merchant, receiver: Receiver, pump: Pump, noon: clock.Fixed
) -> None:
    receiver.answers = ["429 300"]
    for _ in range(3):
        merchant.sell()
    pump.drain()
    assert receiver.calls == 1
    assert merchant.endpoint().paused_until == clock.now() + timedelta(seconds=300)
    pump.pass_time(noon, timedelta(minutes=4))
    assert receiver.calls == 1
    pump.pass_time(noon, timedelta(minutes=4))
    assert [one.status for one in merchant.deliveries()] == [DeliveryStatus.DELIVERED] * 3
    assert receiver.calls == 4


def test_an_endpoint_that_takes_nothing_for_days_is_switched_off_and_told_to_its_merchant(
    merchant: Merchant, receiver: Receiver, pump: Pump, noon: clock.Fixed
) -> None:
    receiver.always = 500
    merchant.sell()
    pump.drain()
    pump.pass_time(noon, timedelta(days=4), step=timedelta(hours=1))
    assert receiver.calls == 10
    assert merchant.endpoint().status is EndpointStatus.FAILED
    (kept,) = merchant.deliveries(DeliveryStatus.FAILED)
    assert merchant.post(f"/deliveries/{kept.delivery_id}/replay").json["code"] == "webhook_off"
    receiver.always = None
    assert merchant.post("", {"name": "Warehouse", "url": URL}, method="PUT").json["status"] == "active"
    assert merchant.post("/replay-failed").json == {"replayed": 1}
    assert merchant.post("/replay-failed").json == {"replayed": 0}
    pump.drain()
    (kept,) = merchant.deliveries()
    assert (kept.status, kept.round, receiver.calls) == (DeliveryStatus.DELIVERED, 1, 11)


def test_one_that_says_it_is_gone_is_told_nothing_more(merchant: Merchant, receiver: Receiver, pump: Pump) -> None:
    receiver.answers = [410]
    merchant.sell()
    merchant.sell()
    pump.drain()
    assert merchant.endpoint().status is EndpointStatus.GONE
    assert receiver.calls == 1
    assert {one.status for one in merchant.deliveries()} == {DeliveryStatus.WAITING, DeliveryStatus.DROPPED}


def test_what_waits_for_a_removed_endpoint_is_dropped(
    merchant: Merchant, receiver: Receiver, pump: Pump, noon: clock.Fixed
) -> None:
    receiver.answers = [500]
    merchant.sell()
    pump.drain()
    assert merchant.post("", method="DELETE").status == 204
    pump.pass_time(noon, timedelta(minutes=3))
    assert [one.status for one in store.list_of(merchant.webhook_id, Window(5), None).items] == [DeliveryStatus.DROPPED]
    assert receiver.calls == 1
    assert merchant.post("/replay-failed").status == 404


def test_both_secrets_sign_for_a_day(merchant: Merchant, receiver: Receiver, pump: Pump, noon: clock.Fixed) -> None:
    rotated = merchant.post("/rotate", key="rotated-01")
    assert rotated.json["secret"] != merchant.secret
    again = merchant.post("/rotate", key="rotated-01")
    assert (again.json.get("secret"), again.headers["idempotency-replayed"]) == (None, "true")
    merchant.sell()
    pump.drain()
    receiver.secrets = [rotated.json["secret"]]
    merchant.sell()
    pump.drain()
    noon.advance(domain.OVERLAP)
    receiver.secrets = [merchant.secret]
    merchant.sell()
    pump.drain()
    assert (receiver.types(), receiver.refused) == (["order.paid", "order.paid"], ["signature"])


def test_a_test_is_told_once_however_often_it_is_asked_for(merchant: Merchant, receiver: Receiver, pump: Pump) -> None:
    first = merchant.post("/test", key="test-of-today")
    again = merchant.post("/test", key="test-of-today")
    assert (first.status, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json["delivery_id"] == first.json["delivery_id"]
    pump.drain()
    assert [(one.type, one.data["webhook_id"]) for one in receiver.told] == [("webhook.test", merchant.webhook_id)]
    merchant.post("", {"name": "Warehouse", "url": URL, "active": False}, method="PUT")
    assert merchant.post("/test").json["code"] == "webhook_off"


def test_a_secret_is_shown_once_and_ten_are_the_most(merchant: Merchant) -> None:
    made = merchant.make(key="one-of-five")
    again = merchant.make(key="one-of-five")
    assert (made.json["secret"][:6], again.json.get("secret")) == ("whsec_", None)
    assert merchant.make(key="one-of-five", name="Other").json["code"] == "idempotency_key_reused"
    listed = call("GET", WEBHOOKS, token=merchant.token)
    assert (len(listed.json["items"]), "whsec_" in str(listed.body)) == (2, False)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: merchant.make(key=f"at-once-{number}"), range(11)))
    assert sorted(one.status for one in answers) == [201] * 8 + [409] * 3
    before = dump.tables()
    assert merchant.make().json["code"] == "too_many_webhooks"
    assert dump.tables() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://10.0.0.1/"},
        {"url": "http://hooks.example.com/"},
        {"url": "https://localhost/"},
        {"types": ["order.unknown"]},
        {"types": ["order.paid", "order.paid"]},
        {"active": "yes"},
        {"name": ""},
        {"secret": "whsec_mine"},
    ],
)
def test_bad_input_leaves_no_trace(merchant: Merchant, wrong: dict[str, Any]) -> None:
    before = dump.tables()
    assert merchant.make(**wrong).status == 422
    assert merchant.post("", {"name": "Warehouse", "url": URL, **wrong}, method="PUT").status == 422
    assert dump.tables() == before


@pytest.mark.parametrize("written", [False, True])
def test_a_crash_at_any_call_tells_it_and_keeps_one_row(
    merchant: Merchant, receiver: Receiver, pump: Pump, noon: clock.Fixed, written: bool
) -> None:
    """Whoever had taken it before the crash is told once more, under the same id."""
    step, crashed = 0, True
    while crashed:
        step += 1
        order_id = merchant.sell()
        crashed = _crashed(pump, at=step, written=written)
        pump.pass_time(noon, timedelta(minutes=1))
        told = [one for one in receiver.told if one.data["order_id"] == order_id]
        assert len({one.message_id for one in told}) == 1, step
        assert 1 <= len(told) <= 2, step
        assert merchant.deliveries()[0].status is DeliveryStatus.DELIVERED, step
    assert step == 7


def _crashed(pump: Pump, *, at: int, written: bool) -> bool:
    """Drain with the n-th call of DynamoDB cut off, before or behind its effect; say whether there were so many."""
    seen = 0

    def hook(service_: str, operation: str, params: dict[str, Any], proceed: Any) -> Any:
        nonlocal seen
        if service_ != "dynamodb":
            return proceed()
        seen += 1
        if seen == at:
            if written:
                proceed()
            raise RuntimeError("cut off")
        return proceed()

    with aws.hooked(hook):
        pump.drain()
    return seen >= at


def test_two_at_once_try_a_delivery_and_one_write_counts(merchant: Merchant, receiver: Receiver) -> None:
    made, _ = service.test(
        merchant.merchant_id, merchant.webhook_id, intent=Intent("acc_1", "at-once-1", "fingerprint")
    )

    def attempt(_: int) -> str:
        try:
            telling.attempt(made.webhook_id, made.delivery_id)
        except Exception as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(attempt, range(4)))
    assert set(answers) <= {"done", "RetryLater"}
    assert answers.count("done") >= 1
    (kept,) = merchant.deliveries()
    assert (kept.status, len(kept.attempts)) == (DeliveryStatus.DELIVERED, 1)


def test_what_a_told_fact_costs(merchant: Merchant, pump: Pump) -> None:
    """A merchant without an endpoint costs two reads a fact, one with it a row, a look at it, and its end."""
    quiet = people.merchant().merchant_id
    sale = sales.paid(people.buyer().account_id, (quiet, (sales.line("lin_1"),)))
    with metering.measured() as untold:
        pump.drain()
    merchant.sell()
    with metering.measured() as told:
        pump.drain()
    assert orders.load_order(sale.orders[0].order_id).merchant_id == quiet
    assert (untold.figures, told.figures) == ((2, 0, 1.5), (6, 2, 3.5))
