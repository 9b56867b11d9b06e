"""How the API's calls go over to a new version of its function: by an alias, in ``prod`` a tenth of them each minute.

The gateway calls the alias ``live``. CloudFormation publishes a version with each release (``Release`` changes with all
that the function is made of) and, where a stage shifts, lets CodeDeploy move the alias. An alarm of the new version
alone stops that: all calls go back, the update fails, and CloudFormation takes back everything else. See
docs/adr/0033-shift.md.
"""

from __future__ import annotations

from typing import Any

from chalicelib import topology
from chalicelib.runtime import names
from infra import functions
from infra.functions import API
from infra.policies import att, sub

Json = dict[str, Any]

ALIAS = "live"
VERSION, LIVE = "ApiVersion", "ApiLive"
APPLICATION, GROUP, ROLE = "ApiShift", "ApiShiftGroup", "ApiShiftRole"
VARIABLE = "BIANDAN_RELEASE"
"""What tells two releases of the function apart: Lambda publishes no version of a function that did not change."""
RELEASE, SHIFT = "Release", "Shift"
"""Parameters. ``tools.deploy`` gives both anew with each release."""
HOW: dict[str, str] = {
    "steps": "LambdaLinear10PercentEvery1Minute",
    "canary": "LambdaCanary10Percent15Minutes",
    "at-once": "LambdaAllAtOnce",
}
"""Word -> CodeDeploy's own configuration."""
STAGES = ("prod",)
"""Where nobody buys, a tenth of the calls says nothing: ``dev`` moves at once, without CodeDeploy."""
WATCHED = ("new-version-errors", "new-version-faults", "new-version-slow")
"""The alarms that stop it (``infra/alarms.py``)."""


def parameters(stage: str) -> Json:
    """Return the parameters."""
    found: Json = {
        RELEASE: {
            "Type": "String",
            "Default": "first",
            "MaxLength": 64,
            "Description": "Changes with all that the API's function is made of; tools.deploy works it out.",
        }
    }
    if stage in STAGES:
        found[SHIFT] = {
            "Type": "String",
            "Default": "steps",
            "AllowedValues": sorted(HOW),
            "Description": "How calls go over to the API's new version: a tenth a minute, a tenth first, or at once.",
        }
    return found


def conditions(stage: str) -> Json:
    """Return the conditions."""
    if stage not in STAGES:
        return {}
    return {
        "ShiftsAtOnce": {"Fn::Equals": [{"Ref": SHIFT}, "at-once"]},
        "ShiftsCanary": {"Fn::Equals": [{"Ref": SHIFT}, "canary"]},
    }


def application(stage: str) -> str:
    """Return what CodeDeploy calls it, and its one group."""
    return f"{names.PROJECT}-{stage}-api"


def resources(stage: str) -> Json:
    """Return version and alias, and what moves the alias where the stage shifts."""
    others = sorted(topology.resource_name(name) for name in functions.FUNCTIONS if name != API)
    live: Json = {
        "Type": "AWS::Lambda::Alias",
        # Last of all functions: what fails elsewhere fails before a single call is moved, and whoever hears an event
        # is new before whoever tells it.
        "DependsOn": others,
        "Properties": {
            "FunctionName": {"Ref": "APIHandler"},
            "FunctionVersion": att(VERSION, "Version"),
            "Name": ALIAS,
        },
    }
    found: Json = {
        VERSION: {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "APIHandler"}, "Description": {"Ref": RELEASE}},
            "DeletionPolicy": "Delete",
            # The one before is what calls go back to.
            "UpdateReplacePolicy": "Retain",
        },
        LIVE: live,
    }
    if stage in STAGES:
        live["UpdatePolicy"] = {
            "CodeDeployLambdaAliasUpdate": {
                "ApplicationName": {"Ref": APPLICATION},
                "DeploymentGroupName": {"Ref": GROUP},
            }
        }
        found |= _codedeploy(stage)
    return found


def _codedeploy(stage: str) -> Json:
    alarms = sorted(f"{topology.resource_name(name)}Alarm" for name in WATCHED)
    return {
        APPLICATION: {
            "Type": "AWS::CodeDeploy::Application",
            "Properties": {"ApplicationName": application(stage), "ComputePlatform": "Lambda"},
        },
        GROUP: {
            "Type": "AWS::CodeDeploy::DeploymentGroup",
            "Properties": {
                "ApplicationName": {"Ref": APPLICATION},
                "DeploymentGroupName": application(stage),
                "ServiceRoleArn": att(ROLE, "Arn"),
                "DeploymentStyle": {"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
                "DeploymentConfigName": {
                    "Fn::If": [
                        "ShiftsAtOnce",
                        _config("at-once"),
                        {"Fn::If": ["ShiftsCanary", _config("canary"), _config("steps")]},
                    ]
                },
                # Refers to the alarms, so they watch the new version before the first call goes there.
                "AlarmConfiguration": {
                    "Enabled": True,
                    # Who cannot see the alarms does not go on as if they were silent.
                    "IgnorePollAlarmFailure": False,
                    "Alarms": [{"Name": {"Ref": alarm}} for alarm in alarms],
                },
                "AutoRollbackConfiguration": {
                    "Enabled": True,
                    "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
                },
            },
        },
        ROLE: {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "codedeploy.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
                        }
                    ],
                },
                # AWS's own policy for this also invokes every function that is called like a hook, and reads buckets.
                "Policies": [
                    {
                        "PolicyName": "shift",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [
                                {
                                    "Sid": "MoveTheAlias",
                                    "Effect": "Allow",
                                    "Action": [
                                        "lambda:GetAlias",
                                        "lambda:GetProvisionedConcurrencyConfig",
                                        "lambda:UpdateAlias",
                                    ],
                                    "Resource": [att("APIHandler", "Arn"), sub("${APIHandler.Arn}:*")],
                                },
                                {
                                    "Sid": "SeeTheAlarms",
                                    "Effect": "Allow",
                                    "Action": "cloudwatch:DescribeAlarms",
                                    "Resource": "*",  # It asks for a list, of which CloudWatch knows no part.
                                },
                            ],
                        },
                    }
                ],
            },
        },
    }


def _config(how: str) -> str:
    return f"CodeDeployDefault.{HOW[how]}"


# What Chalice describes without an alias


def finish(template: Json) -> Json:
    """Let the gateway call the alias, and the function say which release it is."""
    resources_: Json = template["Resources"]
    variables = resources_["APIHandler"]["Properties"].setdefault("Environment", {}).setdefault("Variables", {})
    variables[VARIABLE] = {"Ref": RELEASE}
    permission = resources_["APIHandlerInvokePermission"]["Properties"]
    permission["FunctionName"] = {"Ref": LIVE}
    resources_["RestAPI"]["Properties"]["DefinitionBody"] = _through_alias(
        resources_["RestAPI"]["Properties"]["DefinitionBody"]
    )
    return template


def _through_alias(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${APIHandler.Arn}", f"${{{LIVE}}}")
    if isinstance(value, list):
        return [_through_alias(part) for part in value]
    if isinstance(value, dict):
        return {key: _through_alias(part) for key, part in value.items()}
    return value
