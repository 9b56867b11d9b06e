"""Changes that the relay cannot pass on: what waits, what is laid aside, and how it is sent again after all."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from chalicelib.runtime import aws, laid_aside, names, queues, relay
from chalicelib.runtime.config import config
from infra import streams
from tests.support.goods import Made
from tests.support.http import call
from tests.support.pump import Pump, _start_of
from tests.support.shop import shop
from tools.operate import replay

LAMBDA = "aws/lambda/7f0e4b4e-0000-4000-8000-000000000001/shardId-0001/2026/11/22/2026-11-22T04.00.00-b5a0.json"


def changes(table: str) -> list[dict[str, Any]]:
    """Return every change of a table that would wake the relay, as Lambda hands it over."""
    place = _start_of(table)
    arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{names.table_name(table)}/stream/now"
    found: list[dict[str, Any]] = []
    while place and (answer := aws.call("dynamodbstreams", "GetRecords", {"ShardIterator": place}))["Records"]:
        found += [{**record, "eventSourceARN": arn} for record in answer["Records"]]
        place = answer.get("NextShardIterator")
    return [_plain(record) for record in found if streams.passes(table, record)]


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(record, default=lambda value: value.timestamp()))
    return plain


def given_up(records: list[dict[str, Any]], key: str = LAMBDA) -> None:
    """Write what Lambda writes when it gives up."""
    document = {
        "requestContext": {"condition": "RecordAgeExceeded", "approximateInvokeCount": 900},
        "responseContext": {"statusCode": 200},
        "DDBStreamBatchInfo": {"shardId": "shardId-0001", "batchSize": len(records)},
        "payload": json.dumps({"Records": records}),
    }
    put(key, json.dumps(document).encode())


def put(key: str, content: bytes) -> None:
    aws.call("s3", "PutObject", {"Bucket": config().bucket, "Key": key, "Body": content})


def keys(prefix: str) -> list[str]:
    answer = aws.call("s3", "ListObjectsV2", {"Bucket": config().bucket, "Prefix": prefix})
    return [found["Key"] for found in answer.get("Contents", [])]


def quiet(_: str) -> None:
    """Say nothing."""


def lost_product() -> Made:
    """List a product whose events no queue ever got."""
    product = shop().product(title_en="Longjing")
    for table in topology.TABLES:
        found = changes(table)
        if found:
            given_up(found, LAMBDA.replace("7f0e4b4e", table))
    return product


def listed(product: Made) -> int:
    """Say how often the search finds it: its index is written by the consumer of the product's events."""
    answer = call("GET", "/v1/search?q=Longjing")
    assert answer.status == 200, answer
    return [item["product_id"] for item in answer.json["items"]].count(product.product_id)


class Deaf(Pump):
    """A pump whose streams are gone: only the queues move."""

    def _stream(self, table: str) -> int:
        return 0


def test_what_lambda_gave_up_is_sent_again_once(cloud: str, noon: Any) -> None:
    product = lost_product()
    pump = Deaf()
    pump.drain()
    assert listed(product) == 0
    there = keys(laid_aside.PREFIX)

    looked = replay.replay_files(sends=False, say=quiet)
    assert (keys(laid_aside.PREFIX), pump.drain()) == (there, 0)
    done = replay.replay_files(say=quiet)
    pump.drain()

    assert (done.files, done.left, done.events) == (len(there), {}, looked.events)
    assert done.events["product.listed"] == 1
    assert listed(product) == 1
    assert (keys(laid_aside.PREFIX), len(keys(laid_aside.REPLAYED))) == ([], len(there))
    assert replay.replay_files(say=quiet).files == 0


def test_sending_again_what_had_come_changes_nothing(cloud: str, noon: Any) -> None:
    product = lost_product()
    Pump().drain()
    assert listed(product) == 1
    replay.replay_files(say=quiet)
    Pump().drain()
    assert listed(product) == 1
    assert all(Pump().dead(queue) == [] for queue in topology.QUEUES)


def test_a_run_that_is_cut_short_goes_on(cloud: str, noon: Any) -> None:
    lost_product()
    there = keys(laid_aside.PREFIX)
    assert len(there) > 1
    copied: list[str] = []

    def dies(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "DeleteObject" and copied:
            raise KeyboardInterrupt
        if operation == "CopyObject":
            copied.append(params["Key"])
        return proceed()

    with aws.hooked(dies), pytest.raises(KeyboardInterrupt):
        replay.replay_files(say=quiet)
    assert replay.replay_files(say=quiet).left == {}
    assert keys(laid_aside.PREFIX) == []


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"payload": "x"}', b'{"payload": "{}"}', b'{"payload": "{\\"Records\\": [1]}"}']
)
def test_a_file_that_cannot_be_read_stays_and_holds_up_no_other(cloud: str, noon: Any, content: bytes) -> None:
    lost_product()
    put(laid_aside.PREFIX + "odd.json", content)
    done = replay.replay_files(say=quiet)
    assert list(done.left) == keys(laid_aside.PREFIX) == [laid_aside.PREFIX + "odd.json"]
    assert done.events["product.listed"] == 1


def test_without_its_stream_a_table_tells_its_last_changes(cloud: str, noon: Any) -> None:
    product = shop().product(title_en="Longjing")
    long_ago = clock.now() - timedelta(days=1)
    pump = Deaf()

    none = replay.replay_table("products", long_ago, clock.now() - timedelta(hours=1), say=quiet)
    done = replay.replay_table("products", long_ago, clock.now(), say=quiet)
    pump.drain()

    assert (sum(none.events.values()), sum(done.events.values())) == (0, 1)
    assert listed(product) == 1


# --- the relay itself -------------------------------------------------------------------------------------------------


def change(number: int, *types: str, age_s: float = 0, events: str | None = None) -> dict[str, Any]:
    riders = [[name, f"s{number}", "2026-11-22T04:00:00Z", "req", "cause", "actor", {}] for name in types]
    image = {"version": {"N": "1"}, "event_version": {"N": "1"}, "events": {"S": events or json.dumps(riders)}}
    created = (clock.now() - timedelta(seconds=age_s)).timestamp()
    return {
        "eventID": str(number),
        "eventSourceARN": f"arn:aws:dynamodb:us-east-1:1:table/{names.table_name('orders')}/stream/x",
        "dynamodb": {"SequenceNumber": str(number), "ApproximateCreationDateTime": created, "NewImage": image},
    }


class Sqs:
    """Takes the messages of these queues, refuses those of ``ill`` ones, from the batch of that number on."""

    def __init__(self, **ill: int) -> None:
        self.ill = {queues.url(names.queue_name(queue)): after for queue, after in ill.items()}
        self.taken: list[str] = []
        self._batches: dict[str, int] = {}

    def hook(self, service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation != "SendMessageBatch":
            return proceed()
        url = params["QueueUrl"]
        self._batches[url] = self._batches.get(url, 0) + 1
        if url in self.ill and self._batches[url] > self.ill[url]:
            raise ConnectionError
        self.taken += [facts.decode(entry["MessageBody"]).id for entry in params["Entries"]]
        return {"Successful": []}


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set where the events of these tests go."""
    monkeypatch.setitem(topology.EVENTS, "product.listed", ("catalog",))
    monkeypatch.setitem(topology.EVENTS, "shipment.delivered", ("orders",))


def test_what_was_sent_is_done_with_however_ill_a_queue_is(cloud: str, noon: Any, routes: None) -> None:
    """Else a relay that is slowed down would begin at the same record for ever."""
    records = [change(number, "shipment.delivered") for number in range(15)]
    records += [change(15, "product.listed"), change(16, "shipment.delivered")]
    sqs = Sqs(orders=1)
    with aws.hooked(sqs.hook):
        result = relay.relay({"Records": records})
    assert result == {"batchItemFailures": [{"itemIdentifier": "10"}]}
    assert sqs.taken == [f"shipment.delivered#s{number}" for number in range(10)] + ["product.listed#s15"]


def test_a_change_of_a_later_release_waits_and_then_is_laid_aside(cloud: str, noon: Any, routes: None) -> None:
    for unread in ({"types": ("order.invented",)}, {"types": (), "events": "[[1]]"}, {"types": (), "events": "{"}):
        sqs = Sqs()
        types: Any = unread.pop("types")
        young = [change(1, "product.listed"), change(2, *types, **unread), change(3, "product.listed")]
        old = [*young[:1], change(2, *types, age_s=relay.WAIT_S, **unread), *young[2:]]
        with aws.hooked(sqs.hook):
            assert relay.relay({"Records": young}) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
            assert sqs.taken == ["product.listed#s1"]
            assert keys(laid_aside.OURS) == []
            assert relay.relay({"Records": old}) == {"batchItemFailures": []}
            assert relay.relay({"Records": old}) == {"batchItemFailures": []}
        assert sqs.taken == ["product.listed#s1"] + ["product.listed#s1", "product.listed#s3"] * 2
        (key,) = keys(laid_aside.OURS)
        aws.call("s3", "DeleteObject", {"Bucket": config().bucket, "Key": key})


def test_what_was_laid_aside_is_replayed_by_the_release_that_knows_it(
    cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.relay({"Records": [change(7, "order.invented", age_s=relay.WAIT_S)]})
    assert list(replay.replay_files(say=quiet).left.values()) == [
        "LookupError: topology.EVENTS does not list order.invented"
    ]
    monkeypatch.setitem(topology.EVENTS, "order.invented", ("orders",))
    sqs = Sqs()
    with aws.hooked(sqs.hook):
        assert replay.replay_files(say=quiet).files == 1
    assert sqs.taken == ["order.invented#s7"]


def test_what_cannot_be_laid_aside_waits(cloud: str, noon: Any) -> None:
    def refused(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "PutObject":
            raise ConnectionError
        return proceed()

    with aws.hooked(refused):
        result = relay.relay({"Records": [change(7, "order.invented", age_s=relay.WAIT_S)]})
    assert result == {"batchItemFailures": [{"itemIdentifier": "7"}]}
