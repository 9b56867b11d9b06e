"""Names: a second installation, another region and another partition take none of the first one's."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chalicelib.runtime import names
from chalicelib.runtime.config import config
from infra import names as installations
from infra import stack
from tools.release import package

Json = dict[str, Any]
LABEL = "blue"
LONGEST_LABEL = "b" * 10
LONGEST_REGION = "ap-southeast-1"


@pytest.fixture(scope="module")
def both(stage: str) -> tuple[Json, Json]:
    plain = package.sam_template(stage)
    return plain, installations.labelled(plain, stage, LABEL)


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in texts(part)]


def test_nothing_of_a_labelled_installation_is_called_as_the_plain_one(both: tuple[Json, Json], stage: str) -> None:
    plain, labelled = (set(texts(template["Resources"])) for template in both)
    own = re.compile(rf"biandan[-/]({stage}|\$\{{Stage\}})")
    called = {text for text in plain if own.search(text)}

    assert len(called) > 60
    assert not called & labelled
    assert {text.replace(f"-{LABEL}", "") for text in labelled if own.search(text)} == called


def test_functions_know_what_their_installation_is_called(
    both: tuple[Json, Json], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = both[1]["Globals"]["Function"]["Environment"]["Variables"]
    told = {name: value for name, value in variables.items() if isinstance(value, str)}
    for name, value in {"BIANDAN_STAGE": stage, **told}.items():
        monkeypatch.setenv(name, value)
    config.cache_clear()
    try:
        found = json.dumps(both[1])
        for name in (names.table_name("orders"), names.queue_name("orders"), names.dead_letter_name("orders")):
            assert f'"{name}"' in found
        assert names.table_of(names.table_name("orders")) == "orders"
        assert names.secret_name("auth") == f"biandan/{stage}-{LABEL}/auth"
        assert f"secret:biandan/${{Stage}}-{LABEL}/auth-" in found
        assert config().stage == stage
    finally:
        monkeypatch.undo()
        config.cache_clear()


def test_an_alarm_on_our_own_metrics_watches_its_own_installation(both: tuple[Json, Json], stage: str) -> None:
    def watched(template: Json) -> set[str]:
        return {
            dimension["Value"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::CloudWatch::Alarm"
            for dimension in resource["Properties"].get("Dimensions", [])
            if dimension["Name"] == "stage"
        }

    assert [watched(template) for template in both] == [{stage}, {f"{stage}-{LABEL}"}]


@pytest.mark.parametrize("label", ["Blue", "1st", "a-b", "b" * 11, "ü", "a/b", "a\n"])
def test_a_label_that_no_name_can_hold_is_refused(label: str) -> None:
    with pytest.raises(installations.BadLabel):
        installations.installation("dev", label)
    with pytest.raises(package.PackageError):
        package.build("dev", label=label, say=lambda _: None)


MOST = {"BucketName": 63, "FunctionName": 64, "TableName": 255, "QueueName": 80, "TopicName": 256, "AlarmName": 255}


def test_every_name_fits_with_the_longest_label_and_region(stage: str) -> None:
    found = installations.labelled(package.sam_template(stage), stage, LONGEST_LABEL)["Resources"]
    for resource in found.values():
        for kind, most in MOST.items():
            name = resource.get("Properties", {}).get(kind)
            text = name.get("Fn::Sub") if isinstance(name, dict) else name
            if isinstance(text, str):
                whole = text.replace("${AWS::AccountId}", "1" * 12).replace("${AWS::Region}", LONGEST_REGION)
                assert len(whole) <= most
                assert kind != "BucketName" or re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", whole)


EVERYWHERE = {
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::Budgets::Budget": ("Budget", "BudgetName"),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::CloudFront::OriginAccessControl": ("OriginAccessControlConfig", "Name"),
    "AWS::CloudFront::ResponseHeadersPolicy": ("ResponseHeadersPolicyConfig", "Name"),
    "AWS::CloudFront::CachePolicy": ("CachePolicyConfig", "Name"),
    "AWS::CloudFront::OriginRequestPolicy": ("OriginRequestPolicyConfig", "Name"),
    "AWS::CloudFront::Function": ("Name",),
}
"""What has its name in all regions of an account, or in the world."""


def test_a_second_region_takes_no_name_of_the_first(stage: str) -> None:
    for resource in stack.template(stage)["Resources"].values():
        path = EVERYWHERE.get(resource.get("Type", ""))
        value: Any = resource.get("Properties", {})
        for step in path or ():
            value = (value or {}).get(step)
        if path and value is not None:
            assert "${AWS::Region}" in json.dumps(value)


def test_no_partition_is_written_into_the_stack(stage: str) -> None:
    """China's and others' ARNs begin otherwise; the host names of their services end otherwise."""
    found = package.cloudformation(package.sam_template(stage), "cn-north-1")
    for text in texts(found["Resources"]):
        assert not re.search(r"\barn:aws:(?!iam::aws:policy)", text), text
