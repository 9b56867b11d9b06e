"""How a stage is looked at: a dashboard, the API's access log, and traces where somebody asks for them.

Access logs hold no person: the route's pattern instead of its path, no query, no address, no header. By their
``request_id`` they belong to the lines of our own log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from chalicelib import topology
from chalicelib.runtime import names
from infra import counted, functions
from infra.policies import LOGS_KEPT_DAYS, att, dead_resource, queue_resource, sub, table_resource

Json = dict[str, Any]

PARAMETERS: Json = {
    "Tracing": {
        "Type": "String",
        "Default": "off",
        "AllowedValues": ["on", "off"],
        "Description": "Whether X-Ray traces the API and the functions; docs/deploy.md says what it costs.",
    }
}
CONDITIONS: Json = {"HasTracing": {"Fn::Equals": [{"Ref": "Tracing"}, "on"]}}

TRACED_FUNCTION: Json = {"Fn::If": ["HasTracing", "Active", "PassThrough"]}
TRACED_API: Json = {"Fn::If": ["HasTracing", True, False]}

ACCESS_LOG: dict[str, str] = {
    "request_id": "$context.requestId",
    "at": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    # The pattern: paths hold ids, and queries whatever a caller put there.
    "route": "$context.resourcePath",
    "protocol": "$context.protocol",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "ms": "$context.responseLatency",
    "function_ms": "$context.integrationLatency",
    "function_status": "$context.integrationStatus",
    "refused_by_gateway": "$context.error.responseType",
}
"""Field -> what API Gateway puts there."""


def access_log_setting() -> Json:
    """Return where the API's stage writes a line a call, and which."""
    return {
        "DestinationArn": att("ApiAccessLogs", "Arn"),
        "Format": json.dumps(ACCESS_LOG, separators=(",", ":")),
    }


def resources(stage: str) -> Json:
    """Return the resources of all three."""
    return {**_access_logs(stage), **_tracing(), **(_dashboard(stage) if stage in DRAWN_IN else {})}


def _access_logs(stage: str) -> Json:
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    return {
        "ApiAccessLogs": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": f"/aws/apigateway/{names.PROJECT}-{stage}-api",
                "RetentionInDays": LOGS_KEPT_DAYS[stage],
            },
            # API Gateway refuses a stage with an access log while its account has no role to write it by.
            "DependsOn": "ApiLogsAccount",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
        },
        # By which role API Gateway writes logs is one setting of an account and region, whose last word counts: it
        # outlives this stack, because others in the account may write by it. Its name is AWS's choice.
        "ApiLogsRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "apigateway.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                },
                "ManagedPolicyArns": [
                    sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
                ],
            },
            **kept,
        },
        "ApiLogsAccount": {
            "Type": "AWS::ApiGateway::Account",
            "Properties": {"CloudWatchRoleArn": att("ApiLogsRole", "Arn")},
            **kept,
        },
    }


def _tracing() -> Json:
    return {
        "TracingPolicy": {
            "Type": "AWS::IAM::Policy",
            "Condition": "HasTracing",
            "Properties": {
                "PolicyName": "tracing",
                "Roles": [{"Ref": role_resource(name)} for name in functions.FUNCTIONS],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                            "Resource": "*",  # X-Ray knows no resources for these.
                        }
                    ],
                },
            },
        }
    }


def role_resource(name: str) -> str:
    """Return the logical name that Chalice gives a function's role."""
    return "ApiHandlerRole" if name == functions.API else f"{topology.resource_name(name)}Role"


# The dashboard

DRAWN_IN = ("prod",)
"""The stages with a dashboard: one of more than fifty metrics costs by the month, looked at or not."""
WIDTH, HEIGHT, ACROSS = 8, 6, 3
Metric = list[Any]


def _dashboard(stage: str) -> Json:
    return {
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {
                # Dashboards are the account's, in no region.
                "DashboardName": sub(f"{names.PROJECT}-{stage}-${{AWS::Region}}"),
                "DashboardBody": {"Fn::Sub": [json.dumps(body(stage), separators=(",", ":")), {"Installation": stage}]},
            },
        }
    }


def body(stage: str) -> Json:
    """Return the dashboard: what rings, what a shop does, then what it runs on."""
    return {"widgets": [_at(number, widget) for number, widget in enumerate(_graphs(stage))]}


def _at(number: int, properties: Json) -> Json:
    row, column = divmod(number, ACROSS)
    place = {"type": "metric", "x": column * WIDTH, "y": row * HEIGHT, "width": WIDTH, "height": HEIGHT}
    return {**place, "properties": {"region": "${AWS::Region}", "period": 300, "view": "timeSeries", **properties}}


def _graphs(stage: str) -> Iterator[Json]:
    api = ["ApiName", f"{names.PROJECT}-{stage}-api", "Stage", "api"]
    yield _graph("What rings", "Sum", [_own(metric) for metric in counted.RINGING])
    for title, metrics in counted.DRAWN.items():
        yield _graph(title, "Sum", [_own(metric) for metric in metrics])
    yield _graph("API: calls", "Sum", [["AWS/ApiGateway", kind, *api] for kind in ("Count", "4XXError", "5XXError")])
    yield _graph(
        "API: time",
        "p50",
        [["AWS/ApiGateway", "Latency", *api, {"stat": stat, "label": stat}] for stat in ("p50", "p90", "p99")],
    )
    for title, metric, stat in (
        ("Functions: errors", "Errors", "Sum"),
        ("Functions: throttled", "Throttles", "Sum"),
        ("Functions: time", "Duration", "p90"),
        ("Functions: at once", "ConcurrentExecutions", "Maximum"),
    ):
        named = [f"{names.PROJECT}-{stage}-{functions.lambda_name(name)}" for name in functions.FUNCTIONS]
        yield _graph(title, stat, [["AWS/Lambda", metric, "FunctionName", name] for name in named])
    relay = f"{names.PROJECT}-{stage}-{functions.RELAY}"
    yield _graph("Relay: age of changes", "Maximum", [["AWS/Lambda", "IteratorAge", "FunctionName", relay]])
    for title, metric, resource in (
        ("Queues: age", "ApproximateAgeOfOldestMessage", queue_resource),
        ("Dead letters", "ApproximateNumberOfMessagesVisible", dead_resource),
    ):
        queues = [f"${{{resource(queue)}.QueueName}}" for queue in topology.QUEUES]
        yield _graph(title, "Maximum", [["AWS/SQS", metric, "QueueName", name] for name in queues])
    tables = [f"${{{table_resource(table)}}}" for table in topology.TABLES]
    for title, metric in (("Tables: write units", "ConsumedWriteCapacityUnits"), ("Throttled", "WriteThrottleEvents")):
        yield _graph(title, "Sum", [["AWS/DynamoDB", metric, "TableName", name] for name in tables])


def _own(metric: str) -> Metric:
    return [counted.NAMESPACE, metric, "stage", "${Installation}"]


def _graph(title: str, stat: str, metrics: list[Metric]) -> Json:
    return {"title": title, "stat": stat, "metrics": metrics}


def drawn() -> set[str]:
    """Return the metrics of our own that some graph draws."""
    return {
        str(metric[1])
        for graph in _graphs("prod")
        for metric in graph["metrics"]
        if metric[0] == counted.NAMESPACE and metric[2] == "stage"
    }
