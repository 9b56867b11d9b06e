"""How a stage is looked at: all that is counted is drawn, access logs hold no person, tracing is off but there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra import counted, functions, names, policies, seen
from tools.release import package

Json = dict[str, Any]


@pytest.fixture(scope="module")
def sam(stage: str) -> Json:
    return package.sam_template(stage)


@pytest.fixture(scope="module")
def finished(sam: Json) -> Json:
    return package.cloudformation(sam, "us-east-1")


def test_the_dashboard_draws_all_that_is_counted() -> None:
    drawn = {name for names_of in counted.DRAWN.values() for name in names_of}
    assert seen.drawn() == drawn | set(counted.RINGING)


def test_the_dashboard_fits_its_grid_and_what_aws_takes(stage: str) -> None:
    widgets = seen.body(stage)["widgets"]
    assert len({(widget["x"], widget["y"]) for widget in widgets}) == len(widgets)
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)
    assert all(len(widget["properties"]["metrics"]) <= 100 for widget in widgets)  # CloudWatch takes 500.


def test_the_dashboard_of_a_labelled_installation_draws_that_one() -> None:
    labelled = names.labelled(package.sam_template("prod"), "prod", "blue")["Resources"]["Dashboard"]["Properties"]
    text, values = labelled["DashboardBody"]["Fn::Sub"]
    assert values == {"Installation": "prod-blue"}
    assert "biandan-prod-blue-api" in text
    assert "biandan-prod-api" not in text
    assert labelled["DashboardName"] == {"Fn::Sub": "biandan-prod-blue-${AWS::Region}"}


def test_a_stage_for_trying_things_has_no_dashboard_to_pay_for(sam: Json, stage: str) -> None:
    assert ("Dashboard" in sam["Resources"]) is (stage in seen.DRAWN_IN) is (stage == "prod")


def test_an_access_log_says_nothing_of_a_person_and_no_query(finished: Json, stage: str) -> None:
    setting = finished["Resources"]["RestAPIapiStage"]["Properties"]["AccessLogSetting"]
    assert setting["DestinationArn"] == {"Fn::GetAtt": ["ApiAccessLogs", "Arn"]}
    written = json.loads(setting["Format"])

    assert written == seen.ACCESS_LOG
    named = set(written.values())
    assert "$context.resourcePath" in named
    assert not [value for value in named if "identity" in value or "authorizer" in value]
    assert named.isdisjoint({"$context.path", "$context.requestOverride.path", "$context.error.message"})
    group = finished["Resources"]["ApiAccessLogs"]
    assert group["Properties"]["RetentionInDays"] == policies.LOGS_KEPT_DAYS[stage]
    assert group["DependsOn"] == "ApiLogsAccount"  # API Gateway refuses the stage until its account may write.


def test_network_logs_are_kept_for_six_months_where_people_shop() -> None:
    assert policies.LOGS_KEPT_DAYS["prod"] >= 184


def test_what_the_whole_account_writes_its_logs_by_outlives_one_stack(finished: Json) -> None:
    for name in ("ApiLogsRole", "ApiLogsAccount"):
        assert finished["Resources"][name]["DeletionPolicy"] == "Retain"
        assert finished["Resources"][name]["UpdateReplacePolicy"] == "Retain"


def test_tracing_is_off_until_asked_for_and_then_of_everything(finished: Json) -> None:
    resources = finished["Resources"]
    assert finished["Parameters"]["Tracing"]["Default"] == "off"
    assert finished["Conditions"]["HasTracing"] == {"Fn::Equals": [{"Ref": "Tracing"}, "on"]}
    traced = [part["Properties"] for part in resources.values() if part["Type"] == "AWS::Lambda::Function"]
    assert len(traced) == len(functions.FUNCTIONS)
    assert all(part["TracingConfig"] == {"Mode": seen.TRACED_FUNCTION} for part in traced)
    assert resources["RestAPIapiStage"]["Properties"]["TracingEnabled"] == seen.TRACED_API
    policy = resources["TracingPolicy"]
    assert policy["Condition"] == "HasTracing"
    assert {json.dumps(role) for role in policy["Properties"]["Roles"]} == {
        json.dumps({"Ref": part["Role"]["Fn::GetAtt"][0]}) for part in traced
    }
