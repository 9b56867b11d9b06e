"""The doctor of a deployed stage: a healthy one is in order, and each thing that is wrong is named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3.session
import pytest

from infra import runtimes
from tools.operate import stage_doctor
from tools.operate.stage_doctor import Stage
from tools.release import keys

URL = "http://127.0.0.1:1"
TARGET = {"Id": "1", "Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}
MINUTE = {"ScheduleExpression": "rate(1 minute)", "State": "ENABLED", "Targets": [TARGET]}
RULE: dict[str, Any] = {"Type": "AWS::Events::Rule", "Properties": MINUTE}
QUEUE = "arn:aws:sqs:us-east-1:${AWS::AccountId}:biandan-local-orders"
WORKER: dict[str, Any] = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "FunctionName": "biandan-local-orders",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/any"},
        "Code": {"ZipFile": "def handler(event, context): return None"},
    },
}
FEED: dict[str, Any] = {
    "Type": "AWS::Lambda::EventSourceMapping",
    "Properties": {"FunctionName": {"Ref": "Orders"}, "EventSourceArn": {"Fn::Sub": QUEUE}},
}
TEMPLATE: dict[str, Any] = {
    "Parameters": {"PublicUrl": {"Type": "String", "Default": URL}},
    "Resources": {"Minute": RULE, "Orders": WORKER, "OrdersFeed": FEED},
}


class Session:
    """Gives clients of the embedded engine."""

    def __init__(self) -> None:
        self._real: Any = boto3.session.Session(
            os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
        )

    def client(self, service: str) -> Any:
        return self._real.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def answering(status: int) -> Any:
    def connect(_: str) -> Any:
        return lambda method, path, headers, body: (status, {}, b"")

    return connect


@pytest.fixture
def stage(cloud: str, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage in order, called ``local`` so that it has the queues that every test's account has."""
    found = Stage("dev", "local", Session(), connect=answering(401))
    secrets = found.client("secretsmanager")
    for secret in secrets.list_secrets()["SecretList"]:  # Those of a laptop stand in the repository.
        secrets.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)
    keys.create(found.session, "local", keys.ours())
    found.client("cloudformation").create_stack(StackName="biandan-local", TemplateBody=json.dumps(TEMPLATE))
    found.client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName="biandan-local", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    return found


def wrong(stage: Stage) -> dict[str, list[str]]:
    return {name: found for name, found in stage_doctor.examine(stage).items() if found}


def test_a_stage_in_order_has_nothing_to_complain_of(stage: Stage) -> None:
    assert wrong(stage) == {}


def test_without_a_stack_only_that_is_told(cloud: str) -> None:
    found = stage_doctor.examine(Stage("dev", "dev", Session(), connect=answering(401)))
    assert found == {"stack": ["there is no stack biandan-dev here: make deploy STAGE=dev"]}


def test_missing_and_weak_secrets_are_named(stage: Stage) -> None:
    client = stage.client("secretsmanager")
    client.delete_secret(SecretId="biandan/local/checkout", ForceDeleteWithoutRecovery=True)
    client.put_secret_value(SecretId="biandan/local/http", SecretString=json.dumps({"cursor_key": "changeme"}))
    told = "\n".join(wrong(stage)["secrets"])
    assert "biandan/local/checkout does not exist" in told
    assert "biandan/local/http: cursor_key is empty or a default" in told


@pytest.mark.parametrize("status", [404, 500, 502])
def test_a_webhook_that_does_not_answer_for_itself_is_named(stage: Stage, status: int) -> None:
    broken = Stage(stage.name, stage.installed, stage.session, connect=answering(status))
    told = wrong(broken)["callbacks"]
    assert f"{URL}/v1/webhooks/payments/stripe answers {status}" in told


def test_an_address_that_nobody_reaches_is_told_once(stage: Stage) -> None:
    assert wrong(Stage(stage.name, stage.installed, stage.session))["callbacks"] == [
        f"nobody reaches {URL}: ConnectionRefusedError"
    ]


def test_a_schedule_that_was_switched_off_is_named(stage: Stage) -> None:
    rule = next(stage.resources("AWS::Events::Rule")).rsplit("/", 1)[-1]
    stage.client("events").disable_rule(Name=rule)
    assert wrong(stage) == {"schedules": [f"the schedule {rule} is DISABLED"]}


def feed(stage: Stage) -> dict[str, Any]:
    found = stage.client("lambda").list_event_source_mappings(FunctionName="biandan-local-orders")
    [mapping] = found["EventSourceMappings"]
    return dict(mapping)


def test_a_queue_that_no_longer_feeds_its_function_is_named(stage: Stage) -> None:
    arn = feed(stage)["EventSourceArn"]
    stage.client("lambda").update_event_source_mapping(UUID=feed(stage)["UUID"], Enabled=False)
    assert wrong(stage) == {"feeds": [f"biandan-local-orders is not fed: {arn} is Disabled"]}


class Told:
    """A client that says of every mapping what AWS says of one that goes wrong."""

    def __init__(self, real: Any, **told: str) -> None:
        self._real, self._told = real, told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def list_event_source_mappings(self, **asked: Any) -> Any:
        found = self._real.list_event_source_mappings(**asked)["EventSourceMappings"]
        return {"EventSourceMappings": [{**one, **self._told} for one in found]}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"LastProcessingResult": "PROBLEM: Function call failed"}, "PROBLEM: Function call failed"),
        ({"State": "Disabling"}, "biandan-local-orders is Disabling"),
        ({"State": "Enabling", "LastProcessingResult": "No records processed"}, ""),
        ({"State": "Enabled", "LastProcessingResult": "OK"}, ""),
    ],
)
def test_what_a_feed_says_of_itself_is_told_if_it_is_wrong(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], words: str
) -> None:
    real = stage.session.client

    def client(service: str) -> Any:
        return Told(real(service), **told) if service == "lambda" else real(service)

    monkeypatch.setattr(stage.session, "client", client)
    found = wrong(stage)
    if not words:
        assert found == {}
        return
    assert list(found) == ["feeds"]
    [line] = found["feeds"]
    assert line.startswith("biandan-local-orders is not fed: ")
    assert line.endswith(words)


def test_a_runtime_that_ends_soon_is_told_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two functions of one runtime are one thing to do."""
    today = datetime.now(UTC).date()
    ending = runtimes.Runtime((3, 13), 34, today + timedelta(days=30), today + timedelta(days=90))
    monkeypatch.setitem(runtimes.RUNTIMES, (3, 13), ending)
    stage.client("cloudformation").update_stack(
        StackName="biandan-local",
        TemplateBody=json.dumps({**TEMPLATE, "Resources": {**TEMPLATE["Resources"], "Ledger": another()}}),
    )
    stage.client("cloudformation").get_waiter("stack_update_complete").wait(
        StackName="biandan-local", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    assert wrong(stage) == {"feeds": [runtimes.warning(ending, today)]}


def another() -> dict[str, Any]:
    properties: dict[str, Any] = {**WORKER["Properties"], "FunctionName": "biandan-local-ledger"}
    return {**WORKER, "Properties": properties}


def test_dead_letters_and_missing_queues_are_named(stage: Stage) -> None:
    sqs = stage.client("sqs")
    dead = sqs.get_queue_url(QueueName="biandan-local-orders-dead")["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="x")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="biandan-local-ledger")["QueueUrl"])
    told = wrong(stage)["queues"]
    assert told[0].startswith("1 messages gave up in orders")
    assert "the queue biandan-local-ledger is gone" in told


def test_an_alarm_that_rings_is_named(stage: Stage) -> None:
    watch = stage.client("cloudwatch")
    for name in ("biandan-local-relay-late", "biandan-other-relay-late"):
        watch.put_metric_alarm(
            AlarmName=name, AlarmDescription="Events come late.", Namespace="n", MetricName="m", Statistic="Sum",
            Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
        watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    assert wrong(stage) == {"alarms": ["biandan-local-relay-late rings: Events come late."]}


def test_a_clock_that_is_off_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def client(service: str) -> Any:
        class Sts:
            def get_caller_identity(self) -> Any:
                return {"ResponseMetadata": {"HTTPHeaders": {"date": "Sun, 22 Nov 2020 04:00:00 GMT"}}}

        return Sts()

    class Late:
        def __init__(self) -> None:
            self.client = client

    assert "s off AWS's" in next(stage_doctor.clocks(Stage("dev", "local", Late())))


def test_what_cannot_be_asked_does_not_hide_the_rest(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Stage) -> Iterator[str]:
        raise PermissionError("events:DescribeRule")
        yield ""

    checks = tuple((name, denied if name == "schedules" else check) for name, check in stage_doctor.CHECKS)
    monkeypatch.setattr(stage_doctor, "CHECKS", checks)
    assert wrong(stage) == {"schedules": ["cannot be looked at: PermissionError: events:DescribeRule"]}
