"""What bounds a stage: throttles, parts of the pool, caps of queues, filters of streams, a budget, a firewall."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib import routes, topology
from chalicelib.inventory import service as inventory
from chalicelib.kernel.money import Money
from chalicelib.ledger import domain as ledger_domain
from chalicelib.ledger import store as ledger_store
from chalicelib.runtime import aws, names, relay
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from infra import functions, limits, policies, stack, streams
from tests.support import goods, people
from tests.support.pump import start_of
from tools.fakes import resources
from tools.release import package

Json = dict[str, Any]


def of_type(template: Json, kind: str) -> dict[str, Json]:
    return {name: part["Properties"] for name, part in template["Resources"].items() if part.get("Type") == kind}


# Throttles


def test_the_api_is_throttled_route_by_route(finished: Json, stage: str) -> None:
    (api,) = of_type(finished, "AWS::ApiGateway::Stage").values()
    found = {(one["HttpMethod"], one["ResourcePath"]): one for one in api["MethodSettings"]}

    everywhere = found["*", "/*"]
    assert everywhere["ThrottlingRateLimit"] == limits.LIMITS[stage].routes.rate
    assert everywhere["ThrottlingBurstLimit"] >= everywhere["ThrottlingRateLimit"] > 0
    sign_in = found["POST", "/~1v1~1auth~1sign-in"]
    assert 0 < sign_in["ThrottlingRateLimit"] < everywhere["ThrottlingRateLimit"]
    payment = found["POST", "/~1v1~1purchases~1{purchase_id}~1payments"]
    assert payment["ThrottlingRateLimit"] == limits.LIMITS[stage].costly.rate


def test_what_is_throttled_by_name_is_a_route() -> None:
    known = {(method, path) for method, path, *_ in routes.ROUTES}
    assert set(limits.COSTLY) <= known
    assert not [path for _, path in limits.COSTLY if "webhooks" in path]


# Concurrency


def test_the_limits_of_a_stage_add_up(stage: str) -> None:
    assert limits.mistakes(stage) == []


def test_what_does_not_add_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    prod = limits.LIMITS["prod"]
    for change, word in (
        ({"pool": 500}, "must be left"),
        ({"reserved": {**prod.reserved, "nobody": 1}}, "no such function"),
        ({"queues": {**prod.queues, "nobody": 2}}, "no such queue"),
        ({"queues": {**prod.queues, "payments": 61}}, "payments is read by 61"),
        ({"queues": {**prod.queues, "catalog": 300}}, "without a part"),
    ):
        fields = {name: getattr(prod, name) for name in limits.Limits.__dataclass_fields__}
        monkeypatch.setitem(limits.LIMITS, "prod", limits.Limits(**{**fields, **change}))
        assert any(word in mistake for mistake in limits.mistakes("prod")), change


def test_a_flood_leaves_the_consumers_of_payments_their_part() -> None:
    template = package.cloudformation(package.sam_template("prod"), "us-east-1")
    found = {
        one["FunctionName"]: one.get("ReservedConcurrentExecutions")
        for one in of_type(template, "AWS::Lambda::Function").values()
    }
    api = found["biandan-prod-api"]
    assert api is not None
    for name in ("payment-notices", "payments", "checkout", "orders", "ledger", "relay", "deadlines"):
        assert found[f"biandan-prod-{name}"], name
    assert sum(part for part in found.values() if part) <= limits.LIMITS["prod"].pool - limits.UNRESERVED


def test_a_new_account_can_bring_dev_up() -> None:
    """Its pool is ten, of which nothing can be reserved."""
    template = package.cloudformation(package.sam_template("dev"), "us-east-1")
    for one in of_type(template, "AWS::Lambda::Function").values():
        assert "ReservedConcurrentExecutions" not in one


def test_every_queue_is_capped_within_its_functions_part(finished: Json, stage: str) -> None:
    found = {
        json.dumps(one["EventSourceArn"]): one["ScalingConfig"]["MaximumConcurrency"]
        for one in of_type(finished, "AWS::Lambda::EventSourceMapping").values()
        if "Queue" in json.dumps(one["EventSourceArn"])
    }
    assert len(found) == len(topology.QUEUES)
    for queue in topology.QUEUES:
        (at_once,) = (cap for arn, cap in found.items() if f"{{{policies.queue_resource(queue)}." in arn)
        assert limits.FEWEST <= at_once <= 1_000
        own = limits.reserved(stage, functions.QUEUE_FUNCTIONS[queue])
        assert own is None or at_once <= own


# Money, and the firewall


def test_a_budget_tells_the_alarms_topic(stage: str) -> None:
    template = stack.template(stage)
    budget = template["Resources"]["Budget"]

    assert budget["Condition"] == "HasBudget"
    assert template["Parameters"]["MonthlyBudgetUsd"]["Default"] == limits.LIMITS[stage].budget_usd > 0
    told = budget["Properties"]["NotificationsWithSubscribers"]
    assert {one["Notification"]["NotificationType"] for one in told} == {"ACTUAL", "FORECASTED"}
    for one in told:
        assert one["Subscribers"] == [{"SubscriptionType": "SNS", "Address": {"Ref": "AlarmTopic"}}]
    allowed = template["Resources"]["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {one["Principal"]["Service"] for one in allowed} == {"budgets.amazonaws.com", "cloudwatch.amazonaws.com"}
    assert all(one["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}} for one in allowed)


def test_the_firewall_is_off_until_asked_for_and_never_stops_a_notice(finished: Json) -> None:
    assert finished["Parameters"]["Firewall"]["Default"] == "off"
    for name in ("ApiFirewall", "ApiFirewallAssociation"):
        assert finished["Resources"][name]["Condition"] == "HasFirewall"
    flood = finished["Resources"]["ApiFirewall"]["Properties"]["Rules"][0]["Statement"]["RateBasedStatement"]
    spared = flood["ScopeDownStatement"]["NotStatement"]["Statement"]["ByteMatchStatement"]
    assert (spared["SearchString"], spared["PositionalConstraint"]) == ("/api/v1/webhooks/", "STARTS_WITH")


# Which changes wake the relay


def test_every_stream_has_its_filter_as_the_pumps_apply_it(stage: str) -> None:
    template = stack.template(stage)
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping")
    for table in topology.TABLES:
        filters = mappings[f"{topology.resource_name(table)}Stream"]["FilterCriteria"]["Filters"]
        assert [json.loads(one["Pattern"]) for one in filters] == streams.patterns(table)
        assert 1 <= len(filters) <= 5  # AWS's limit.
        assert all(len(one["Pattern"]) <= 4096 for one in filters)
    assert set(streams.DERIVED) == set(topology.DERIVED)


def changes(table: str) -> list[Json]:
    """Return all that the stream of a table tells."""
    name = names.table_name(table)
    stream = resources.stream_of(name)
    assert stream is not None
    at = start_of(*stream)
    found: list[Json] = []
    while True:
        answer = aws.call("dynamodbstreams", "GetRecords", {"ShardIterator": at, "Limit": 100})
        found += [{**record, "eventSourceARN": f"arn:aws:dynamodb:x:0:table/{name}/s"} for record in answer["Records"]]
        if not answer["Records"]:
            return found
        at = answer["NextShardIterator"]


def test_a_sale_of_many_wakes_nobody_and_the_last_unit_does(cloud: str) -> None:
    made = goods.product(people.merchant().merchant_id, stock=3)
    sku = made.sku_ids[0]
    for number in range(3):
        with UnitOfWork(f"sale#{number}") as work:
            inventory.take(work, {sku: 1}, buckets={})
    inventory.receive_many({sku: 5}, intent=system_intent("more"))

    found = changes("stock")
    woken = [record for record in found if streams.passes("stock", record)]
    told = [envelope.type for record in woken for envelope in relay.envelopes_of(record)]
    assert told == ["stock.replenished", "stock.depleted", "stock.replenished"]
    assert len(woken) < len(found)
    assert all(not relay.envelopes_of(record) for record in found if record not in woken)


def test_an_entry_of_the_ledger_wakes_nobody_and_one_of_the_release_before_the_relay(cloud: str) -> None:
    entry = ledger_domain.Entry("fee.billed#x", "pur_x", datetime.now(UTC), (
        ledger_domain.Posting("clearing:x", Money(1)), ledger_domain.Posting("fees:x", Money(-1)),
    ))  # fmt: skip
    with UnitOfWork("entry") as work:
        ledger_store.add(work, entry)
    (record,) = changes("ledger")
    assert not streams.passes("ledger", record)
    assert not relay.envelopes_of(record)
    image = {name: value for name, value in record["dynamodb"]["NewImage"].items() if not name.startswith("written")}
    before = {**record, "dynamodb": {**record["dynamodb"], "NewImage": image}}
    assert streams.passes("ledger", before)
    assert [envelope.type for envelope in relay.envelopes_of(before)] == ["ledger.posted"]
    changed = {**before, "eventName": "MODIFY", "dynamodb": {**before["dynamodb"], "OldImage": {}}}
    assert not streams.passes("ledger", changed)


@pytest.mark.parametrize(
    ("image", "wakes"),
    [
        ({"id": {"S": "x"}, "events": {"S": "[]"}, "version": {"N": "2"}}, True),
        ({"id": {"S": "x"}, "version": {"N": "2"}}, False),
        ({"id": {"S": "x"}, "events": {"NULL": True}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_rows_without_events_wake_nobody(image: Json | None, wakes: bool) -> None:
    change: Json = {"eventName": "MODIFY", "dynamodb": {"OldImage": {"events": {"S": "[]"}}}}
    if image is not None:
        change["dynamodb"]["NewImage"] = image
    assert streams.passes("orders", change) is wakes
