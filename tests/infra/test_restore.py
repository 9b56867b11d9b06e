"""Restoring a shop beside the one that stands: tables as they were, whole again, taken in by a stack of their own.

The rows of the moment come from ``tests/support/past.py``, the one thing that the embedded engine does not do. The
whole way, with functions, queues and streams, is played in ``deploy/test_deploy_restore.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3.session
import pytest

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.ledger import readers, store
from chalicelib.ledger import service as ledger
from chalicelib.runtime import names, outbound, sdk
from chalicelib.runtime.db.work import UnitOfWork
from infra import limits, stack
from infra.policies import table_resource
from tests.support import goods, past, people
from tests.support.http import call
from tests.support.paying import Till
from tests.support.pump import Pump
from tools.operate import balances, hold, replay, restore, restore_after, restore_tables
from tools.operate.restore_tables import RestoreError

SOURCE, TARGET = "local", "dev-back"


class Session:
    """Gives clients of the embedded engine; of DynamoDB, the one that remembers."""

    def __init__(self) -> None:
        self._real: Any = boto3.session.Session(
            os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
        )
        self.dynamodb = past.Past(self.client("dynamodb", raw=True))

    def client(self, service: str, *, raw: bool = False) -> Any:
        if service == "dynamodb" and not raw:
            return self.dynamodb
        return self._real.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


@pytest.fixture
def session(cloud: str) -> Session:
    return Session()


def full(installed: str) -> list[str]:
    return [restore_tables.name_of(installed, table) for table in topology.TABLES]


def wanted(session: Session, at: datetime, target: str = TARGET) -> restore.Restore:
    return restore.Restore(session, "dev", SOURCE, target, at, poll_s=0.01)


def row_of(number: int) -> dict[str, Any]:
    return {"purchase_id": {"S": f"pur_{number}"}, "id": {"S": "x"}, "version": {"N": "1"}}


def test_every_table_comes_back_as_it_was_and_whole(session: Session) -> None:
    orders = names.table_name("orders")
    session.dynamodb.put_item(TableName=orders, Item=row_of(1))
    at = session.dynamodb.keep(full(SOURCE))
    session.dynamodb.put_item(TableName=orders, Item=row_of(2))
    said: list[str] = []

    restore.restore(wanted(session, at), said.append)

    assert past.rows(session.dynamodb, "biandan-dev-back-orders") == [row_of(1)]
    assert len(past.rows(session.dynamodb, orders)) == 2, "the one that stands is left alone"
    template = stack.template("dev")["Resources"]
    for table in topology.TABLES:
        name = restore_tables.name_of(TARGET, table)
        properties = template[table_resource(table)]["Properties"]
        found = session.dynamodb.describe_table(TableName=name)["Table"]
        assert found["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        assert {index["IndexName"] for index in found.get("GlobalSecondaryIndexes", [])} == {
            index["IndexName"] for index in properties.get("GlobalSecondaryIndexes", [])
        }
        backups = session.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
        ttl = session.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        assert ttl.get("AttributeName") == properties.get("TimeToLiveSpecification", {}).get("AttributeName")
        tags = session.dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"]
        assert {"Key": "installation", "Value": TARGET} in tags
    assert any(f"{len(topology.TABLES)} of {len(topology.TABLES)} tables are there" in line for line in said)
    resources = session.client("cloudformation").list_stack_resources(StackName="biandan-dev-back")
    assert {one["PhysicalResourceId"] for one in resources["StackResourceSummaries"]} == set(full(TARGET))


def test_nothing_comes_from_the_stream_of_a_table_that_was_restored(session: Session) -> None:
    """What is in a copy is no change: nobody hears of it a second time."""
    session.dynamodb.put_item(TableName=names.table_name("orders"), Item=row_of(1))
    at = session.dynamodb.keep(full(SOURCE))
    restore.restore(wanted(session, at), lambda _: None)
    arn = session.dynamodb.describe_table(TableName="biandan-dev-back-orders")["Table"]["LatestStreamArn"]
    streams = session.client("dynamodbstreams")
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]  # fmt: skip
    assert streams.get_records(ShardIterator=start)["Records"] == []


def test_a_restoration_that_was_stopped_goes_on_where_it_was(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    at = session.dynamodb.keep(full(SOURCE))
    real, made = restore_tables.make_whole, list[str]()

    def stopped(dynamodb: Any, one: restore_tables.Kept, *rest: Any, **more: Any) -> list[str]:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(one.table)
        return real(dynamodb, one, *rest, **more)

    monkeypatch.setattr(restore_tables, "make_whole", stopped)
    with pytest.raises(KeyboardInterrupt):
        restore.restore(wanted(session, at), lambda _: None)
    monkeypatch.undo()
    begun = list(session.dynamodb.begun)
    said: list[str] = []
    restore.restore(wanted(session, at), said.append)

    assert session.dynamodb.begun == begun, "no table is copied twice"
    assert [line for line in said if "whole already" in line] == [f"  {table}: whole already" for table in made]
    restore.restore(wanted(session, at), said.append)


def test_a_plan_does_nothing(session: Session) -> None:
    at = session.dynamodb.keep(full(SOURCE))
    said: list[str] = []
    restore.plan(wanted(session, at), said.append)
    assert session.dynamodb.begun == []
    assert "  biandan-local-orders -> biandan-dev-back-orders, about 0 rows" in said
    stacks = session.client("cloudformation").list_stacks()["StackSummaries"]
    assert "biandan-dev-back" not in [one["StackName"] for one in stacks]


# Refusals


def test_a_moment_that_cannot_be_had_is_refused_before_anything_is_done(session: Session) -> None:
    at = session.dynamodb.keep(full(SOURCE))
    for moment in (at + timedelta(seconds=1), at - timedelta(days=2)):
        with pytest.raises(RestoreError, match=r"not every table can go back to .*biandan-local-accounts: 20"):
            restore.restore(wanted(session, moment), lambda _: None)
    assert session.dynamodb.begun == []


def test_a_table_without_backups_is_refused_by_name(session: Session) -> None:
    at = session.dynamodb.keep([name for name in full(SOURCE) if not name.endswith("-stock")])
    with pytest.raises(RestoreError, match=r"biandan-local-stock: no point-in-time recovery$"):
        restore.restore(wanted(session, at), lambda _: None)


def test_a_name_that_is_taken_is_refused(session: Session) -> None:
    at = session.dynamodb.keep(full(SOURCE))
    session.dynamodb.create_table(
        TableName="biandan-dev-back-ledger",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )
    with pytest.raises(RestoreError, match="a table biandan-dev-back-ledger already"):
        restore.restore(wanted(session, at), lambda _: None)
    assert session.dynamodb.begun == []


def test_a_copy_of_another_moment_is_no_copy_of_this_one(session: Session) -> None:
    at = session.dynamodb.keep(full(SOURCE))
    restore.restore(wanted(session, at), lambda _: None)
    session.dynamodb._kept[at + timedelta(seconds=5)] = session.dynamodb._kept[at]
    with pytest.raises(RestoreError, match="which is no copy of biandan-local-accounts at that moment"):
        restore.restore(wanted(session, at + timedelta(seconds=5)), lambda _: None)


def test_a_table_that_is_gone_is_told_with_where_its_backup_is(session: Session) -> None:
    session.dynamodb.delete_table(TableName=names.table_name("audit"))
    with pytest.raises(RestoreError, match="no table biandan-local-audit: DynamoDB keeps a backup"):
        list(restore_tables.kept(session.dynamodb, SOURCE))


def test_other_indexes_than_the_release_has_are_told(session: Session) -> None:
    at = session.dynamodb.keep(full(SOURCE))
    one = next(one for one in restore_tables.kept(session.dynamodb, SOURCE) if one.table == "orders")
    restore_tables.copy(session.dynamodb, [one], TARGET, at, lambda _: None, poll_s=0)
    properties = stack.template("dev")["Resources"]["OrdersTable"]["Properties"]
    more = {**properties, "GlobalSecondaryIndexes": [*properties["GlobalSecondaryIndexes"], {"IndexName": "of-later"}]}
    with pytest.raises(RestoreError, match=r"and this release wants .*of-later"):
        restore_tables.make_whole(session.dynamodb, one, TARGET, more, at)


def test_secrets_are_copied_once_and_another_value_is_not_written_over(session: Session) -> None:
    secrets = session.client("secretsmanager")
    first = list(restore_after.copy_secrets(session, SOURCE, TARGET))
    assert "secret biandan/dev-back/auth copied" in first
    assert all(line.endswith("is there") for line in restore_after.copy_secrets(session, SOURCE, TARGET))
    values = {secrets.get_secret_value(SecretId=f"biandan/{one}/auth")["SecretString"] for one in (SOURCE, TARGET)}
    assert len(values) == 1
    secrets.put_secret_value(SecretId="biandan/dev-back/auth", SecretString="{}")
    with pytest.raises(RestoreError, match="biandan/dev-back/auth is there with another value") as told:
        list(restore_after.copy_secrets(session, SOURCE, TARGET))
    assert next(iter(values)) not in str(told.value)


def test_more_copies_at_once_than_aws_makes_wait_their_turn(session: Session) -> None:
    at = session.dynamodb.keep(full(SOURCE))
    found = list(restore_tables.kept(session.dynamodb, SOURCE))
    dynamodb = Few(session.dynamodb)
    restore_tables.copy(dynamodb, found, TARGET, at, lambda _: None, poll_s=0)
    assert dynamodb.refused > 0
    assert sorted(session.dynamodb.begun) == sorted(full(TARGET))


class Few:
    """DynamoDB that makes one copy a round."""

    def __init__(self, real: past.Past) -> None:
        self._real = real
        self._turn = 0
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def restore_table_to_point_in_time(self, **asked: Any) -> Any:
        self._turn += 1
        if self._turn % 3:
            self.refused += 1
            error = {"Error": {"Code": "LimitExceededException", "Message": "too many"}}
            raise self._real.exceptions.ClientError(error, "RestoreTableToPointInTime")
        return self._real.restore_table_to_point_in_time(**asked)


# What is told again of what no row carries


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def quiet(_: str) -> None:
    pass


def test_old_entries_are_told_again_and_counted_once_and_the_readers_find_the_others(till: Till) -> None:
    """Balances that are a little older than the ledger: each entry counts once all the same."""

    def counted() -> int:
        found = {one.account: one.entries for one in ledger.account_books().sums}
        return found.get("clearing:sandbox", 0)

    till.paid((1001, 998))
    till.settle()
    till.clock.advance(timedelta(minutes=2))
    readers.run()
    assert counted() == 1
    till.paid((500,))
    with UnitOfWork() as work:  # As the release before wrote it.
        sides = [store._PostingDoc("clearing:sandbox", 5, "CNY"), store._PostingDoc("commission", -5, "CNY")]
        work.save(store.EntryRow(purchase_id="pur_old", id="captured#old", at_ms=0, postings=tuple(sides)))
    now = clock.now()

    for _ in range(2):
        told = replay.replay_table("ledger", now, now, say=quiet)
        till.settle()
        assert dict(told.events) == {"ledger.posted": 1}
        assert counted() == 2

    till.clock.advance(timedelta(minutes=2))
    readers.run()
    assert counted() == 3
    assert not balances.differences(balances.entries(1e9, quiet))


def test_each_bucket_of_stock_says_again_whether_there_is_any(cloud: str) -> None:
    goods.categories()
    product = goods.product(people.merchant().merchant_id, stock=1)
    now = clock.now()
    assert replay.replay_table("stock", now, now, sends=False, say=quiet).events == {"stock.replenished": 1}
    dynamodb = sdk.client("dynamodb")
    [row] = [one for one in past.rows(dynamodb, names.table_name("stock")) if one["bucket"]["S"].isdigit()]
    dynamodb.put_item(TableName=names.table_name("stock"), Item={**row, "available": {"N": "0"}})
    told = replay.replay_table("stock", now, now, say=quiet)
    assert told.events == {"stock.depleted": 1}
    Pump().drain()
    [sku] = call("GET", f"/v1/products/{product.product_id}").json["skus"]
    assert sku["sold_out"] is True


# Stopping the one that stands


FUNCTION: dict[str, Any] = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/any"},
        "Code": {"ZipFile": "def handler(event, context): return None"},
    },
}


def test_what_stands_is_stopped_and_let_go_on_as_it_was(session: Session) -> None:
    functions: dict[str, Any] = {
        name: {**FUNCTION, "Properties": {**FUNCTION["Properties"], "FunctionName": f"biandan-prod-{name}"}}
        for name in ("orders", "catalog")
    }
    queue = {"Fn::Sub": "arn:aws:sqs:us-east-1:${AWS::AccountId}:biandan-local-orders"}
    feed = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"FunctionName": {"Ref": "orders"}, "EventSourceArn": queue},
    }
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 minute)", "State": "ENABLED"}}
    cloudformation = session.client("cloudformation")
    cloudformation.create_stack(
        StackName="biandan-prod",
        TemplateBody=json.dumps({"Resources": {**functions, "Feed": feed, "Minute": rule}}),
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="biandan-prod", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    before = at_work(session)

    planned = list(hold.turn(session, "prod", "prod", on=False, plan=True))
    assert at_work(session) == before
    assert list(hold.turn(session, "prod", "prod", on=False)) == planned
    assert at_work(session) == ({"orders": 0, "catalog": 0}, ["Disabled"], ["DISABLED"])
    list(hold.turn(session, "prod", "prod", on=True))
    own = limits.reserved("prod", "orders")
    assert at_work(session) == ({"orders": own, "catalog": None}, ["Enabled"], ["ENABLED"])


def at_work(session: Session) -> tuple[dict[str, int | None], list[str], list[str]]:
    client = session.client("lambda")
    parts = {
        name: client.get_function_concurrency(FunctionName=f"biandan-prod-{name}").get("ReservedConcurrentExecutions")
        for name in ("orders", "catalog")
    }
    feeds = client.list_event_source_mappings(FunctionName="biandan-prod-orders")["EventSourceMappings"]
    rules = session.client("events").list_rules()["Rules"]
    return parts, [one["State"] for one in feeds], [one["State"] for one in rules]


@pytest.mark.parametrize("tool", ["republish", "replay"])
def test_a_tool_reads_no_row_before_it_knows_whose(tool: str) -> None:
    """Rows know their tables' names from when they are imported: a laptop's, if that is before the stage is told."""
    stores = sorted(set(topology.TABLES.values()))
    told = f"import sys, tools.operate.{tool}; print([one for one in {stores} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
