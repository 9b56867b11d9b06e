"""How the API's calls go over to a new version: the alias in the template, which release it is, and what is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import boto3.session
import pytest
from botocore.stub import ANY, Stubber

from chalicelib.runtime import metrics
from chalicelib.runtime.http import routes
from infra import alarms, functions, names, policies, shift
from tests.support import http
from tools.release import changes as releases
from tools.release import package
from tools.release import shift as shifting
from tools.release.errors import DeployError

Json = dict[str, Any]


@pytest.fixture(scope="module")
def prod() -> Json:
    return package.cloudformation(package.sam_template("prod"), "us-east-1")


# The template


def test_the_gateway_calls_the_alias_and_may_call_nothing_else(finished: Json) -> None:
    resources = finished["Resources"]
    document = json.dumps(resources["RestAPI"]["Properties"]["Body"])
    assert "${APIHandler" not in document
    assert "functions/${ApiLive}/invocations" in document
    allowed = [
        part["Properties"]
        for part in resources.values()
        if part["Type"] == "AWS::Lambda::Permission" and part["Properties"]["Principal"] == "apigateway.amazonaws.com"
    ]
    assert [one["FunctionName"] for one in allowed] == [{"Ref": shift.LIVE}]


def test_each_release_is_a_version_and_the_one_before_is_kept(finished: Json) -> None:
    version, live = finished["Resources"][shift.VERSION], finished["Resources"][shift.LIVE]
    assert version["Properties"] == {"FunctionName": {"Ref": "APIHandler"}, "Description": {"Ref": "Release"}}
    assert version["UpdateReplacePolicy"] == "Retain"
    assert live["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [shift.VERSION, "Version"]}
    environment = finished["Resources"]["APIHandler"]["Properties"]["Environment"]["Variables"]
    # Without it Lambda would publish none where only a version of the same content had been taken back.
    assert environment[shift.VARIABLE] == {"Ref": "Release"}
    told = [
        name
        for name, part in finished["Resources"].items()
        if shift.VARIABLE in part.get("Properties", {}).get("Environment", {}).get("Variables", {})
    ]
    assert told == ["APIHandler"], "no other function changes with it"


def test_calls_are_moved_last_of_all(finished: Json) -> None:
    there = {name for name, part in finished["Resources"].items() if part["Type"] == "AWS::Lambda::Function"}
    assert set(finished["Resources"][shift.LIVE]["DependsOn"]) == there - {"APIHandler"}
    assert len(there) == len(functions.FUNCTIONS)


def test_only_prod_shifts_by_steps(finished: Json, stage: str) -> None:
    kinds = {part["Type"].split("::")[1] for part in finished["Resources"].values()}
    assert ("CodeDeploy" in kinds) is ("UpdatePolicy" in finished["Resources"][shift.LIVE]) is (stage == "prod")
    assert (shift.SHIFT in finished["Parameters"]) is (stage == "prod")


def test_codedeploy_goes_back_on_the_alarms_of_the_new_version_and_on_being_blind(prod: Json) -> None:
    group = prod["Resources"][shift.GROUP]["Properties"]
    assert group["AlarmConfiguration"]["IgnorePollAlarmFailure"] is False
    watched = [one["Name"]["Ref"] for one in group["AlarmConfiguration"]["Alarms"]]
    found = {alarm.logical: alarm for alarm in alarms.alarms("prod")}
    assert {found[name].name for name in watched} == set(shift.WATCHED)
    assert {"DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE"} <= set(group["AutoRollbackConfiguration"]["Events"])
    for name in watched:
        told = {key for key, value in found[name].dimensions.items() if value == policies.att(shift.VERSION, "Version")}
        assert told in ({"ExecutedVersion"}, {"version"}), "an alarm of both versions would stop the mending of the old"
    assert {found[name].metric for name in watched} == {"Errors", "Duration", "api_faults"}
    config = json.dumps(group["DeploymentConfigName"])
    assert all(f"CodeDeployDefault.{name}" in config for name in shift.HOW.values())
    assert prod["Parameters"]["Shift"]["Default"] == "steps"


def test_codedeploy_may_move_this_alias_and_see_alarms_no_more(prod: Json) -> None:
    role = prod["Resources"][shift.ROLE]["Properties"]
    assert "ManagedPolicyArns" not in role
    [policy] = role["Policies"]
    move, see = policy["PolicyDocument"]["Statement"]
    assert {"lambda:UpdateAlias", "lambda:GetAlias"} <= set(move["Action"])
    assert not [action for action in move["Action"] if "Invoke" in action or "*" in action]
    assert move["Resource"] == [policies.att("APIHandler", "Arn"), policies.sub("${APIHandler.Arn}:*")]
    assert (see["Action"], see["Resource"]) == ("cloudwatch:DescribeAlarms", "*")
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "codedeploy.amazonaws.com"}
    assert "aws:SourceAccount" in json.dumps(trust["Condition"])


def test_a_second_installation_has_its_own(prod: Json) -> None:
    labelled = package.cloudformation(names.labelled(package.sam_template("prod"), "prod", "blue"), "us-east-1")
    properties = labelled["Resources"][shift.APPLICATION]["Properties"]
    assert properties["ApplicationName"] == shift.application("prod-blue") == "biandan-prod-blue-api"
    assert prod["Resources"][shift.APPLICATION]["Properties"]["ApplicationName"] == "biandan-prod-api"


# What is counted by version


def test_an_answer_of_500_is_counted_by_the_version_that_gave_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(metrics, "on_lambda", lambda: True)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "13")
    call = http.application()

    def broken(*_: Any, **__: Any) -> Any:
        raise LookupError("of a release that is broken")

    monkeypatch.setattr(routes.Route, "serve", broken)
    answer = call(http.event("GET", "/v1/categories"), None)
    assert answer["statusCode"] == 500
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    [line] = [one for one in lines if "api_faults" in one]
    assert (line["api_faults"], line["version"], line["stage"]) == (1, "13", "local")
    by_version = [one for one in line["_aws"]["CloudWatchMetrics"] if one["Dimensions"] == [["stage", "version"]]]
    assert [[metric["Name"] for metric in one["Metrics"]] for one in by_version] == [["api_faults"]]


# Which release it is


@pytest.fixture
def template() -> Json:
    return {
        "Parameters": {
            name: {"Type": "String", "Default": value}
            for name, value in {
                "Release": "first",
                "PublicUrl": "",
                "Cdn": "off",
                "AlarmEmail": "",
                "CodeKey": "",
            }.items()
        },
        "Conditions": {
            "HasCdn": {"Fn::Equals": [{"Ref": "Cdn"}, "on"]},
            "Deep": {"Fn::And": [{"Condition": "HasCdn"}, {"Condition": "HasCdn"}]},
        },
        "Resources": {
            "APIHandler": {
                "Properties": {
                    "MemorySize": 1024,
                    "Code": {"S3Key": {"Ref": "CodeKey"}},
                    "Environment": {
                        "Variables": {
                            "URL": {"Fn::Sub": "${PublicUrl}/v1"},
                            "ADDRESS": {"Fn::If": ["Deep", "a", "b"]},
                            "RELEASE": {"Ref": "Release"},
                        }
                    },
                }
            }
        },
    }


def test_a_release_is_the_same_as_long_as_nothing_of_the_function_changes(template: Json) -> None:
    first = shifting.release(template, {"CodeKey": "a"}, {})
    before = {"Release": first, "CodeKey": "a", "PublicUrl": "", "Cdn": "off", "AlarmEmail": ""}
    assert shifting.release(template, {"CodeKey": "a"}, before) == first
    assert shifting.release(template, {"AlarmEmail": "x@example.org"}, before) == first
    assert len(first) <= 64


@pytest.mark.parametrize("changed", [{"CodeKey": "b"}, {"PublicUrl": "https://x"}, {"Cdn": "on"}])
def test_what_reaches_the_function_by_a_parameter_makes_another_release(
    template: Json, changed: dict[str, str]
) -> None:
    first = shifting.release(template, {"CodeKey": "a"}, {})
    before = {"Release": first, "CodeKey": "a", "PublicUrl": "", "Cdn": "off", "AlarmEmail": ""}
    assert shifting.release(template, changed, before) != first


def test_another_memory_makes_another_release_and_each_attempt_has_its_own_word(template: Json) -> None:
    first = shifting.release(template, {"CodeKey": "a"}, {})
    before = {"Release": first, "CodeKey": "a", "PublicUrl": "", "Cdn": "off", "AlarmEmail": ""}
    bigger = deepcopy(template)
    bigger["Resources"]["APIHandler"]["Properties"]["MemorySize"] = 2048
    second = shifting.release(bigger, {}, before)
    assert second.partition("-")[0] != first.partition("-")[0]
    # The version of an attempt that was taken back may still be there: Lambda would publish none of the same content.
    assert shifting.release(bigger, {}, before).partition("-")[0] == second.partition("-")[0]


def test_every_parameter_that_the_real_function_reads_is_among_them(prod: Json) -> None:
    found = shifting._parameters_of(prod, prod["Resources"]["APIHandler"]["Properties"])
    assert {"CodeKey", "CodeBucket", "PublicUrl", "ClientAddress", "StorefrontOrigins", "Cdn", "Tracing"} <= found
    assert not found & {"AlarmEmail", "Protection", "MonthlyBudgetUsd", "Firewall", "Shift"}


# What is told while it goes on, in the shapes CodeDeploy answers with

APPLICATION = "biandan-prod-api"
NAMED = {"applicationName": APPLICATION, "deploymentGroupName": APPLICATION, "createTimeRange": ANY}
AT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.fixture
def codedeploy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    session = boto3.session.Session("100000000000", "one of a test", region_name="eu-central-1")
    with Stubber(session.client("codedeploy")) as found:
        yield found
        found.assert_no_pending_responses()


def is_at(stub: Stubber, share: float, status: str = "InProgress", **more: Any) -> None:
    stub.add_response("list_deployments", {"deployments": ["d-1"]}, NAMED)
    stub.add_response("get_deployment", {"deploymentInfo": {"status": status, **more}}, {"deploymentId": "d-1"})
    if status != "InProgress":
        return
    stub.add_response("list_deployment_targets", {"targetIds": ["t"]}, {"deploymentId": "d-1"})
    info = {"currentVersion": "12", "targetVersion": "13", "targetVersionWeight": share, "functionAlias": "live"}
    target = {"deploymentTargetType": "LambdaFunction", "lambdaTarget": {"lambdaFunctionInfo": info}}
    stub.add_response(
        "batch_get_deployment_targets", {"deploymentTargets": [target]}, {"deploymentId": "d-1", "targetIds": ["t"]}
    )


def test_each_step_is_told_once(codedeploy: Stubber) -> None:
    watch = shifting.Watch(codedeploy.client, APPLICATION)
    codedeploy.add_client_error("list_deployments", "ApplicationDoesNotExistException")
    codedeploy.add_response("list_deployments", {"deployments": []}, NAMED)
    is_at(codedeploy, 0.1)
    is_at(codedeploy, 0.1)
    is_at(codedeploy, 0.2)
    is_at(codedeploy, 1, "Succeeded")
    told = [line for _ in range(6) for line in watch.look()]
    assert told == [
        "  10% of the API's calls go to version 13, the rest to 12",
        "  20% of the API's calls go to version 13, the rest to 12",
        "  all of the API's calls go to one version",
    ]
    assert watch.taken_back == []


RANG = {
    "code": "ALARM_ACTIVE",
    "message": "One or more alarms have been activated: <biandan-prod-new-version-faults>",
}


def test_an_alarm_takes_it_back_and_the_release_says_which(codedeploy: Stubber) -> None:
    watch = shifting.Watch(codedeploy.client, APPLICATION)
    is_at(codedeploy, 0.3)
    is_at(codedeploy, 0.3, "Stopped", errorInformation=RANG)
    said: list[str] = []
    cloudformation = Cloudformation(["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
    wanted = releases.Wanted("biandan-prod", "https://x", {}, {}, {}, watch=watch)
    with pytest.raises(
        DeployError, match=r"all is as it was before: ALARM_ACTIVE: .*new-version-faults.*; ApiLive: "
    ) as told:
        releases.apply(cloudformation, wanted, said.append, poll_s=0)
    assert "ended as UPDATE_ROLLBACK_COMPLETE" in str(told.value)
    assert "  30% of the API's calls go to version 13, the rest to 12" in said
    assert [line for line in said if line.startswith("  ! the API's calls go back to the version before: ALARM_ACTIVE")]


def test_who_may_not_look_hears_so_once_and_the_release_goes_on(codedeploy: Stubber) -> None:
    watch = shifting.Watch(codedeploy.client, APPLICATION)
    codedeploy.add_client_error("list_deployments", "AccessDeniedException")
    assert watch.look() == ["  how far the calls have gone over cannot be looked at: AccessDeniedException"]
    assert watch.look() == []


class Cloudformation:
    """An update of one stack that goes through these statuses once it is begun."""

    class exceptions:  # noqa: N801 - as boto3 calls it
        ClientError = KeyError

    def __init__(self, statuses: list[str]) -> None:
        self._statuses = ["UPDATE_COMPLETE"]
        self._then = statuses

    def describe_stacks(self, **_: str) -> Json:
        status = self._statuses[0] if len(self._statuses) == 1 else self._statuses.pop(0)
        return {"Stacks": [{"StackStatus": status}]}

    def get_template(self, **_: str) -> Json:
        return {"TemplateBody": {}}

    def create_change_set(self, **_: Any) -> None:
        pass

    def describe_change_set(self, **_: str) -> Json:
        return {"Status": "CREATE_COMPLETE", "Changes": []}

    def execute_change_set(self, **_: str) -> None:
        self._statuses = self._then

    def describe_stack_events(self, **_: str) -> Json:
        failed = {
            "EventId": "1",
            "LogicalResourceId": "ApiLive",
            "ResourceStatus": "UPDATE_FAILED",
            "ResourceStatusReason": "Rollback of the deployment",
        }
        return {"StackEvents": [failed]}
