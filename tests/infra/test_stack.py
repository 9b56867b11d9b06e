"""The generated stack: named as the code names things, guarded, least privileged, and clean to cfn-lint."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib import topology
from chalicelib.kernel.money import Money
from chalicelib.ledger import domain as ledger_domain
from chalicelib.ledger import store as ledger_store
from chalicelib.runtime import names
from chalicelib.runtime.db.work import UnitOfWork
from infra import functions, policies, protection, refusals, stack
from infra.tables import table_specs
from tests.support import permissions

Json = dict[str, Any]


@pytest.fixture
def template(stage: str) -> Json:
    return stack.template(stage)


def of_type(template: Json, kind: str) -> dict[str, Json]:
    return {name: part["Properties"] for name, part in template["Resources"].items() if part.get("Type") == kind}


def staged(name: str, stage: str) -> str:
    return name.replace("-local-", f"-{stage}-")


def test_what_is_committed_is_what_the_code_says() -> None:
    assert stack.drift() == [], "run `make generate` and look at the change"


def test_tables_are_those_of_the_models_under_the_codes_own_names(template: Json, stage: str) -> None:
    tables = of_type(template, "AWS::DynamoDB::Table")

    assert {table["TableName"] for table in tables.values()} == {
        staged(names.table_name(table), stage) for table in topology.TABLES
    }
    for short, spec in table_specs().items():
        table = tables[policies.table_resource(short)]
        assert table["KeySchema"] == spec["KeySchema"]
        assert table.get("GlobalSecondaryIndexes", []) == spec["GlobalSecondaryIndexes"]
        assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table.get("TimeToLiveSpecification", {}).get("AttributeName") == spec["ttl"]
        keyed = {k["AttributeName"] for k in spec["KeySchema"]}
        keyed |= {k["AttributeName"] for index in spec["GlobalSecondaryIndexes"] for k in index["KeySchema"]}
        assert {a["AttributeName"] for a in table["AttributeDefinitions"]} == keyed


def test_prod_outlives_its_stack_and_dev_does_not() -> None:
    """In prod only a creation that fails takes away what it made: what has a fixed name stops every retry."""
    prod, dev = ("prod", "RetainExceptOnCreate", "Retain", "on"), ("dev", "Delete", "Delete", "off")
    for stage, deleted, replaced, protected in (prod, dev):
        found = stack.template(stage)["Resources"].values()
        holding = [part for part in found if part.get("Type") in ("AWS::DynamoDB::Table", "AWS::S3::Bucket")]
        assert len(holding) == len(topology.TABLES) + 4  # And four buckets.
        assert {part["DeletionPolicy"] for part in holding} == {deleted}
        assert {part["UpdateReplacePolicy"] for part in holding} == {replaced}
        tables = [part["Properties"] for part in holding if part["Type"] == "AWS::DynamoDB::Table"]
        assert all(table["DeletionProtectionEnabled"] == protection.TABLES for table in tables)
        assert stack.template(stage)["Parameters"][protection.PARAMETER]["Default"] == protected


def test_every_table_streams_to_the_one_relay(template: Json) -> None:
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping").values()

    assert {json.dumps(mapping["EventSourceArn"]) for mapping in mappings} == {
        json.dumps(policies.att(policies.table_resource(table), "StreamArn")) for table in topology.TABLES
    }
    for mapping in mappings:
        assert mapping["FunctionName"] == {"Ref": "Relay"}
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["MaximumRetryAttempts"] == -1  # However long SQS is down,
        assert 12 * 3600 <= mapping["MaximumRecordAgeInSeconds"] <= stack.DAY_S - 4 * 3600  # and before it is trimmed.
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == policies.att("UploadsBucket", "Arn")


def test_every_queue_has_dead_letters_and_hides_messages_long_enough(template: Json, stage: str) -> None:
    queues = of_type(template, "AWS::SQS::Queue")

    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    for queue in topology.QUEUES:
        found = queues[policies.queue_resource(queue)]
        dead = queues[policies.dead_resource(queue)]
        assert found["QueueName"] == staged(names.queue_name(queue), stage)
        assert dead["QueueName"] == staged(names.dead_letter_name(queue), stage)
        assert found["RedrivePolicy"] == {
            "deadLetterTargetArn": policies.att(policies.dead_resource(queue), "Arn"),
            "maxReceiveCount": 10,
        }
        assert found["VisibilityTimeout"] >= 6 * functions.FUNCTIONS[functions.QUEUE_FUNCTIONS[queue]].timeout_s
        assert dead["MessageRetentionPeriod"] > found["MessageRetentionPeriod"]


def test_every_dead_letter_rings() -> None:
    alarms = of_type(stack.template("prod"), "AWS::CloudWatch::Alarm").values()
    watched = {json.dumps(alarm["Dimensions"][0]["Value"]) for alarm in alarms if alarm["Dimensions"]}

    for queue in topology.QUEUES:
        assert json.dumps(policies.att(policies.dead_resource(queue), "QueueName")) in watched
    assert {alarm["MetricName"] for alarm in alarms} >= {
        "IteratorAge",
        "DestinationDeliveryFailures",
        "changes_laid_aside",
        "5XXError",
        "Throttles",
        "ApproximateAgeOfOldestMessage",
    }
    assert all(alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}] for alarm in alarms)


def test_the_bucket_is_private_encrypted_and_tls_only(template: Json) -> None:
    buckets = of_type(template, "AWS::S3::Bucket")
    rules = of_type(template, "AWS::S3::BucketPolicy")

    assert {f"{name}Policy" for name in buckets} == set(rules)
    for bucket in buckets.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    for rule in rules.values():
        assert rule["PolicyDocument"]["Statement"][0]["Effect"] == "Deny"
        assert rule["PolicyDocument"]["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    cared_for = {part.get("Prefix") for part in buckets["UploadsBucket"]["LifecycleConfiguration"]["Rules"]}
    written = {prefix for function in functions.FUNCTIONS.values() for prefix in function.puts}
    assert written <= cared_for


def test_the_gateways_refusals_take_our_shape(template: Json) -> None:
    document = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][refusals.EXTENSION]

    for kind, response in document.items():
        problem = json.loads(response["responseTemplates"]["application/json"])
        assert set(problem) == {"type", "title", "status", "code", "detail", "request_id"}, kind
        assert str(problem["status"]) == response["statusCode"]
        assert problem["request_id"] == "$context.requestId"
        assert response["responseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"


def test_no_secret_is_in_a_template(template: Json) -> None:
    assert "AWS::SecretsManager::Secret" not in {part.get("Type") for part in template["Resources"].values()}
    resolved_by_aws = "{{resolve:secretsmanager:biandan/${Stage}/http:SecretString:origin_key}}"
    assert "SecretString" not in json.dumps(template).replace(resolved_by_aws, "")


# Least privilege


OWN_WILDCARDS = (
    "log-group:/aws/lambda/biandan-${Stage}-",
    "secret:biandan/${Stage}/",
    "${UploadsBucket.Arn}/",
    "${PublishedBucket.Arn}/published/",
    "${AuditBucket.Arn}/audit/",
    ":identity/",  # A sender that somebody verified by hand; which one is a setting.
)
"""Behind these a wildcard is part of one of our own names."""


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_no_policy_reaches_beyond_our_own_things(name: str) -> None:
    for statement in policies.policy(name)["Statement"]:
        assert statement["Effect"] == "Allow"
        assert statement["Resource"]
        for action in statement["Action"]:
            assert "*" not in action
            assert action not in ("dynamodb:Scan", "dynamodb:PartiQLSelect", "dynamodb:DeleteTable")
        for resource in statement["Resource"]:
            text = resource.get("Fn::Sub", "")
            if "*" in text or "?" in text:
                before = text.split("*")[0].split("?")[0]
                assert any(own in before for own in OWN_WILDCARDS), text
                assert not text.startswith("*")


def test_only_the_http_function_and_who_forgets_delete_people() -> None:
    deleting = {name for name, found in functions.FUNCTIONS.items() if "d" in found.tables.get("accounts", "")}
    assert deleting == {functions.API, "privacy"}


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_no_function_changes_or_removes_an_entry_of_the_ledger(name: str) -> None:
    ledger = policies.table_resource("ledger")
    changing = ("dynamodb:UpdateItem", *policies.DELETE, *policies.BATCH)
    assert not [action for action in changing if permissions.is_allowed(name, (action, ledger))]


def test_an_entry_of_the_ledger_is_only_put_where_none_is() -> None:
    entry = ledger_domain.Entry("fee.billed#x", "pur_x", datetime.now(UTC), (
        ledger_domain.Posting("clearing:x", Money(1)), ledger_domain.Posting("fees:x", Money(-1)),
    ))  # fmt: skip
    work = UnitOfWork()
    ledger_store.add(work, entry)
    [operation] = work._operations
    assert (operation.verb, operation.params["ConditionExpression"]) == ("Put", "attribute_not_exists (#0)")
    assert operation.params["ExpressionAttributeNames"] == {"#0": "purchase_id"}


def test_the_relay_touches_no_table() -> None:
    actions = {action for part in policies.policy(functions.RELAY)["Statement"] for action in part["Action"]}
    assert {action for action in actions if action.startswith("dynamodb:")} == {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    }


def test_whoever_an_event_goes_to_may_be_sent_to_by_the_relay() -> None:
    for queues in topology.EVENTS.values():
        for queue in queues:
            assert permissions.is_allowed(functions.RELAY, ("sqs:SendMessage", policies.queue_resource(queue)))
    for _, queue in topology.DEADLINES.values():
        assert permissions.is_allowed(functions.DEADLINES, ("sqs:SendMessage", policies.queue_resource(queue)))
    for table, _, _ in topology.DUE_TABLES:
        need = ("dynamodb:Query", f"{policies.table_resource(table)}/index/due")
        assert permissions.is_allowed(functions.DEADLINES, need)


@pytest.mark.parametrize("queue", functions.QUEUE_FUNCTIONS)
def test_a_consumer_may_send_on_what_waits_long(queue: str) -> None:
    name = functions.QUEUE_FUNCTIONS[queue]
    assert permissions.is_allowed(name, ("sqs:SendMessage", policies.queue_resource(queue)))
    assert permissions.is_allowed(name, ("sqs:SendMessage", policies.dead_resource(queue)))


def test_the_recorder_tells_what_a_function_may_not(cloud: str) -> None:
    from chalicelib.kernel import context
    from chalicelib.runtime import aws

    recorder = permissions.Recorder()
    own = context.Context(request_id="r", cause_id="c", actor="queue:orders")
    item = {"Put": {"TableName": names.table_name("stock"), "Item": {}}}
    with context.use(own), pytest.raises(Exception, match="alidation"), aws.hooked(recorder):
        recorder("dynamodb", "TransactWriteItems", {"TransactItems": [item]}, dict)
        aws.call("dynamodb", "GetItem", {"TableName": names.table_name("orders"), "Key": {}})

    assert recorder.refused == {"orders may not dynamodb:PutItem on StockTable: see infra/functions.py"}


# The finished template


def test_the_finished_templates_are_clean(stage: str, finished: dict[str, Any], tmp_path: Path) -> None:
    """As CloudFormation gets them: of the SAM template cfn-lint looks at nothing but what the same translator makes."""
    (tmp_path / "template.json").write_text(json.dumps(finished), encoding="utf-8")

    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(tmp_path / "template.json")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "")

    lambdas = of_type(finished, "AWS::Lambda::Function")
    assert {found["FunctionName"] for found in lambdas.values()} == {
        f"biandan-{stage}-{functions.lambda_name(name)}" for name in functions.FUNCTIONS
    }
    assert len({json.dumps(found["Role"]) for found in lambdas.values()}) == len(lambdas)
    assert len(finished["Resources"]) < 450  # AWS takes 500,
    assert len(json.dumps(finished)) < 900_000  # and 1 MB.
    groups = {
        found["LogGroupName"]: found["RetentionInDays"] for found in of_type(finished, "AWS::Logs::LogGroup").values()
    }
    ours = {f"/aws/lambda/{found['FunctionName']}" for found in lambdas.values()}
    assert set(groups) == ours | {f"/aws/apigateway/biandan-{stage}-api"}
    # Network logs are kept for six months, which have up to 184 days; CloudWatch knows 180, and then 365.
    assert set(groups.values()) == {365 if stage == "prod" else 14}
    queues = [
        mapping
        for mapping in of_type(finished, "AWS::Lambda::EventSourceMapping").values()
        if "sqs" in json.dumps(mapping["EventSourceArn"])
    ]
    assert len(queues) == len(topology.QUEUES)
    assert all(mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for mapping in queues)
    assert len(of_type(finished, "AWS::ApiGateway::Stage")) == 1
