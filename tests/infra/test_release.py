"""Releases on the embedded engine: seen before they are made, refused where they lose data, and always repeatable."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import boto3.session
import pytest

from infra import names as installations
from infra import stack
from tools.release import changes as release
from tools.release.errors import DeployError
from tools.release.indexes import TooManyIndexes

Json = dict[str, Any]
NAME = "biandan-prod"


@pytest.fixture
def cloudformation(cloud: str) -> Any:
    return client("cloudformation")


def client(service: str) -> Any:
    session: Any = boto3.session.Session(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    return session.client(service, region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def template(stage: str = "prod", label: str = "") -> Json:
    """The part of a stage's template that holds data, with its real names and policies."""
    whole = stack.template(stage)
    kinds = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::S3::Bucket")
    found = {
        "Globals": whole["Globals"],
        "Parameters": {name: whole["Parameters"][name] for name in ("Protection", "StorefrontOrigins")},
        "Conditions": {"IsProtected": whole["Conditions"]["IsProtected"]},
        "Resources": {name: one for name, one in whole["Resources"].items() if one.get("Type") in kinds},
        "Outputs": {"UploadsBucketName": whole["Outputs"]["UploadsBucketName"]},
    }
    found = installations.labelled(found, stage, label)
    del found["Globals"]
    return found


Bring = Callable[..., dict[str, str]]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def bring(cloudformation: Any, said: list[str]) -> Bring:
    s3 = client("s3")
    account = client("sts").get_caller_identity()["Account"]
    bucket = f"templates-{account}"
    s3.create_bucket(Bucket=bucket)

    def bring(wanted: Json, name: str = NAME, **more: Any) -> dict[str, str]:
        s3.put_object(Bucket=bucket, Key="t.json", Body=json.dumps(wanted))
        parameters = more.pop("parameters", {})
        told = release.Wanted(
            name=name,
            url=f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}/t.json",
            template=wanted,
            parameters=parameters,
            tags={"project": "biandan"},
            **more,
        )
        return release.apply(cloudformation, told, said.append, poll_s=0.05)

    return bring


def broken(wanted: Json) -> Json:
    """Return a template whose last resource cannot be made: the address of a function that there is not."""
    found = deepcopy(wanted)
    url = {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": "no-such-function", "AuthType": "AWS_IAM"}}
    found["Resources"]["BrokenUrl"] = {**url, "DependsOn": sorted(wanted["Resources"])}
    return found


def tables() -> list[str]:
    return list(client("dynamodb").list_tables()["TableNames"])


def own_tables(installed: str = "prod") -> list[str]:
    return [name for name in tables() if name.startswith(f"biandan-{installed}-")]


# Creating


def test_a_first_creation_that_fails_leaves_nothing_and_is_retried(bring: Bring, said: list[str]) -> None:
    with pytest.raises(DeployError, match="ended as ROLLBACK_COMPLETE, run again when that is mended: BrokenUrl"):
        bring(broken(template()), parameters={"Protection": "off"})
    assert own_tables() == []

    outputs = bring(template(), parameters={"Protection": "off"})

    assert outputs["UploadsBucketName"].startswith("biandan-prod-uploads-")
    assert outputs["UploadsBucketName"].endswith("-us-east-1")
    assert any("was never created (ROLLBACK_COMPLETE): deleting what is left" in line for line in said)
    assert len(own_tables()) == len([r for r in template()["Resources"].values() if r["Type"].endswith("Table")])


def test_what_stands_is_protected_and_is_kept_when_an_update_fails(bring: Bring, said: list[str]) -> None:
    bring(template(), parameters={"Protection": "off"})
    bring(template(), parameters={"Protection": "on"})
    table = client("dynamodb").describe_table(TableName="biandan-prod-orders")["Table"]
    assert table["DeletionProtectionEnabled"] is True
    before = own_tables()

    with pytest.raises(DeployError, match="ended as UPDATE_ROLLBACK_COMPLETE, all is as it was before: BrokenUrl"):
        bring(broken(template()))
    assert own_tables() == before
    said.clear()
    bring(template())
    assert said == ["nothing to change"]


def test_a_second_stack_stands_beside_the_first(bring: Bring) -> None:
    first = bring(template("dev"), name="biandan-dev")
    second = bring(template("dev", "blue"), name="biandan-dev-blue")

    assert first != second
    assert second["UploadsBucketName"].startswith("biandan-dev-blue-uploads-")
    both = own_tables("dev")
    blue = own_tables("dev-blue")
    assert (
        len(both)
        == 2 * len(blue)
        == 2 * len([r for r in template("dev")["Resources"].values() if r["Type"].endswith("Table")])
    )


def test_a_change_set_that_nobody_executed_is_in_nobodys_way(bring: Bring, cloudformation: Any) -> None:
    with pytest.raises(DeployError, match="not wanted; nothing was done"):
        bring(template(), go_on=lambda _: False)
    assert own_tables() == []
    cloudformation.create_change_set(
        StackName=NAME,
        ChangeSetName="forgotten",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template(), separators=(",", ":")),
    )
    bring(template(), parameters={"Protection": "off"})
    assert own_tables()


# Changing


def test_what_is_added_changed_replaced_and_removed_is_shown_first(bring: Bring, said: list[str]) -> None:
    bring(template("dev"), name="biandan-dev")
    wanted = template("dev")
    queues = [name for name, one in wanted["Resources"].items() if one["Type"] == "AWS::SQS::Queue"]
    wanted["Resources"]["MoreQueue"] = {"Type": "AWS::SQS::Queue"}
    changed = wanted["Resources"][next(name for name in queues if name == "CatalogQueue")]["Properties"]
    changed["MessageRetentionPeriod"] = 3600
    said.clear()
    bring(wanted, name="biandan-dev")

    assert "  + 1 x AWS::SQS::Queue" in said
    assert "  ~ CatalogQueue (AWS::SQS::Queue): MessageRetentionPeriod" in said
    assert "  1 added, 1 changed, 0 REPLACED, 0 REMOVED" in said


def renamed_table(wanted: Json) -> Json:
    wanted["Resources"]["OrdersTable"]["Properties"]["TableName"] += "-2"
    return wanted


def other_key(wanted: Json) -> Json:
    table = wanted["Resources"]["AuditTable"]["Properties"]
    name = next(key["AttributeName"] for key in table["KeySchema"] if key["KeyType"] == "HASH")
    text = json.dumps(table).replace(f'"{name}"', '"another"')
    wanted["Resources"]["AuditTable"]["Properties"] = json.loads(text)
    return wanted


def without_bucket(wanted: Json) -> Json:
    del wanted["Resources"]["UploadsBucket"]
    del wanted["Outputs"]
    return wanted


def without_queue(wanted: Json) -> Json:
    del wanted["Resources"]["OrdersQueue"]
    return wanted


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (renamed_table, "OrdersTable"),
        (other_key, "AuditTable"),
        (without_bucket, "UploadsBucket"),
        (without_queue, "OrdersQueue"),
    ],
)
def test_what_would_lose_data_is_refused_unless_it_is_named(
    bring: Bring, change: Callable[[Json], Json], lost: str
) -> None:
    bring(template("dev"), name="biandan-dev")
    kept = client("dynamodb").describe_table(TableName="biandan-dev-orders")["Table"]["TableId"]
    with pytest.raises(DeployError, match=f"would replace or remove {lost}, .*--may-lose {lost}"):
        bring(change(template("dev")), name="biandan-dev")
    with pytest.raises(DeployError, match=f"--may-lose {lost}"):
        bring(change(template("dev")), name="biandan-dev", may_lose=("ProductsTable",))
    assert client("dynamodb").describe_table(TableName="biandan-dev-orders")["Table"]["TableId"] == kept

    if change is other_key:  # A fixed name is a second guard: CloudFormation itself makes no table beside the first.
        with pytest.raises(DeployError, match=r"all is as it was before: AuditTable: .*custom-named"):
            bring(change(template("dev")), name="biandan-dev", may_lose=(lost,))
    else:
        bring(change(template("dev")), name="biandan-dev", may_lose=(lost,))


def test_indexes_come_and_go_one_at_a_time(bring: Bring) -> None:
    bring(template("dev"), name="biandan-dev")
    wanted = template("dev")
    table = wanted["Resources"]["OrdersTable"]["Properties"]
    hash_name = table["KeySchema"][0]["AttributeName"]
    new = {
        "KeySchema": [{"AttributeName": hash_name, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    table.setdefault("GlobalSecondaryIndexes", []).extend([{**new, "IndexName": "one"}, {**new, "IndexName": "two"}])

    with pytest.raises(TooManyIndexes, match=r"OrdersTable \+one \+two"):
        bring(wanted, name="biandan-dev")
    table["GlobalSecondaryIndexes"].pop()
    bring(wanted, name="biandan-dev")
    other = deepcopy(wanted)
    index = other["Resources"]["OrdersTable"]["Properties"]["GlobalSecondaryIndexes"][-1]
    index["Projection"] = {"ProjectionType": "ALL"}
    with pytest.raises(TooManyIndexes, match=r"OrdersTable -one \+one"):
        bring(other, name="biandan-dev")
