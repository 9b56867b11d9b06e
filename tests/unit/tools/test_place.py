"""Where a tool works on AWS: said by whoever runs it, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.release import deploy, keys
from tools.shared import place

KEYS = {"AWS_ACCESS_KEY_ID": "100000000000", "AWS_SECRET_ACCESS_KEY": "one of a test"}


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine on which nobody ever set AWS up, but for keys; its profile ``abroad`` has a region."""
    for name in (*place.VARIABLES, "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "config"
    file.write_text("[profile abroad]\nregion = eu-west-1\n[profile adrift]\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


@pytest.mark.parametrize(
    ("option", "variables", "region", "by"),
    [
        (None, {"AWS_REGION": "eu-central-1"}, "eu-central-1", "AWS_REGION"),
        (None, {"AWS_DEFAULT_REGION": "eu-north-1"}, "eu-north-1", "AWS_DEFAULT_REGION"),
        (None, {"AWS_REGION": "ap-east-1", "AWS_DEFAULT_REGION": "eu-north-1"}, "ap-east-1", "AWS_REGION"),
        (None, {"AWS_REGION": "ap-east-1", "AWS_PROFILE": "abroad"}, "ap-east-1", "AWS_REGION"),
        (None, {"AWS_PROFILE": "abroad"}, "eu-west-1", "profile abroad"),
        (None, {"AWS_REGION": "", "AWS_PROFILE": "abroad"}, "eu-west-1", "profile abroad"),
        ("cn-north-1", {"AWS_REGION": "eu-central-1"}, "cn-north-1", "--region"),
    ],
)
def test_the_region_is_that_which_was_named_and_it_is_said_by_whom(
    nowhere: pytest.MonkeyPatch, option: str | None, variables: dict[str, str], region: str, by: str
) -> None:
    for name, value in variables.items():
        nowhere.setenv(name, value)
    environment = dict(variables)
    found = place.find(option, environment)

    assert (found.region, found.chosen_by) == (region, by)
    assert found.session.region_name == region
    assert found.session.client("cloudformation").meta.region_name == region
    assert {environment[name] for name in place.VARIABLES} == {region}


@pytest.mark.parametrize("variables", [{}, {"AWS_PROFILE": "adrift"}, {"AWS_PROFILE": "unheard-of"}])
def test_without_a_region_nothing_is_done(
    nowhere: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        nowhere.setenv(name, value)
    for command in (deploy.main, keys.main):
        assert command(["--stage", "dev"]) == 1
    told = capsys.readouterr().err
    assert told.count("unheard-of" if "unheard-of" in variables.values() else "name a region") == 2


@pytest.mark.parametrize("region", ["frankfurt", "eu_central_1", "http://example.org"])
def test_what_is_no_region_is_refused(nowhere: pytest.MonkeyPatch, region: str) -> None:
    with pytest.raises(place.Nowhere, match="is no region"):
        place.find(region, {})


class Stacks:
    """CloudFormation's answers about one stack, and none of another."""

    def __init__(self, outputs: dict[str, str]) -> None:
        self._outputs = outputs

    def client(self, _: str) -> Stacks:
        return self

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 -- as AWS spells it
        if StackName != "biandan-dev-blue":
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "no stack"}}, "DescribeStacks")
        return {"Stacks": [{"Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in self._outputs.items()]}]}


def test_the_key_of_rows_is_the_one_that_the_installations_own_stack_tells() -> None:
    told = Stacks({"PublishedBucketName": "b", "RowKeyArn": "arn:aws:kms:eu-west-1:1:key/k"})
    assert place.row_key(told, "dev-blue") == "arn:aws:kms:eu-west-1:1:key/k"
    assert place.row_key(told, "dev") == ""
    assert place.row_key(Stacks({"PublishedBucketName": "b"}), "dev-blue") == "", "a stack of the release before"
