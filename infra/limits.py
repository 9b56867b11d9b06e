"""How much each stage may do at once, and what that may cost: the limits of the stack, as data.

An account's functions share one pool of concurrency (a new account's is 10, usually 1,000 once one asks), so whoever
takes all of it stops everybody: a flood at the API, or a provider that answers nobody and holds each call for seconds.
Where the pool is large enough, the functions that move money have a part of their own (*reserved*), which also caps
each; everywhere a queue is capped by how many of its batches are worked on at once. See docs/deploy.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import topology
from infra import functions
from infra.functions import API, DEADLINES, RELAY
from infra.policies import sub

Json = dict[str, Any]

UNRESERVED = 100
"""What AWS wants left of the pool for the functions without a part of their own."""
FEWEST = 2
"""AWS takes no smaller cap of a queue."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many calls of one route a second, and how many at once after a pause."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class Limits:
    """One stage's."""

    pool: int
    """Concurrency that the account must have in this region."""
    routes: Throttle
    """Each route by itself, unless it is named in ``costly``."""
    costly: Throttle
    reserved: Mapping[str, int]
    """Function -> its own part of the pool, and its cap."""
    queues: Mapping[str, int]
    """Queue -> how many of its batches are worked on at once."""
    budget_usd: int
    """A month's costs of the account that somebody wants to hear about."""
    waf_per_address: int
    """Calls of one address in five minutes, where the firewall is on."""


COSTLY: tuple[tuple[str, str], ...] = (
    # A password costs a tenth of a second of a whole CPU; a payment waits for its provider; a file is copied and read;
    # five hundred codes take a dozen transactions.
    ("POST", "/v1/auth/register"),
    ("POST", "/v1/auth/sign-in"),
    ("POST", "/v1/auth/password/reset"),
    ("POST", "/v1/purchases/{purchase_id}/payments"),
    ("POST", "/v1/complaints/evidence"),
    ("POST", "/v1/merchant/imports/file"),
    ("POST", "/v1/merchant/pools/{sku_id}/codes"),
    ("POST", "/v1/merchant/exports"),
)
"""Routes of which one call costs a hundred times what another does."""

_MONEY = {"payment-notices": 60, "payments": 60, "checkout": 60, "orders": 40, "ledger": 20}
_REST = {
    "catalog": 20,
    "logistics": 20,
    "complaints": 10,
    "virtual": 20,  # A pool is one row: more would only race for it.
    "returns": 10,
    "conversations": 5,
    "feedback": 5,
    "catalog-imports": 5,
    "publishing": FEWEST,  # Batches are large, and each swaps the list of everything: more would only race for it.
    "reconciliation": 5,
    "telling": 20,
    "notifications": 10,  # What carriers take at once from one account, several times over.
}

LIMITS: dict[str, Limits] = {
    "dev": Limits(
        pool=10,
        routes=Throttle(rate=50, burst=100),
        costly=Throttle(rate=5, burst=20),
        reserved={},
        queues={},
        budget_usd=20,
        waf_per_address=2_000,
    ),
    "prod": Limits(
        pool=1_000,
        routes=Throttle(rate=500, burst=1_000),
        costly=Throttle(rate=20, burst=50),
        reserved={API: 400, RELAY: 100, DEADLINES: 2, **_MONEY},
        queues={**_MONEY, **_REST},
        budget_usd=500,
        waf_per_address=2_000,
    ),
}


def at_once(stage: str, queue: str) -> int:
    """Return how many batches of a queue are worked on at once; the fewest where nobody said."""
    return LIMITS[stage].queues.get(queue, FEWEST)


def reserved(stage: str, function: str) -> int | None:
    """Return a function's own part of the pool."""
    return LIMITS[stage].reserved.get(function)


def mistakes(stage: str) -> list[str]:
    """Return what does not add up: AWS would refuse it, or a function would be throttled by its own limits."""
    limits = LIMITS[stage]
    found = [f"no such function: {name}" for name in limits.reserved if name not in functions.FUNCTIONS]
    found += [f"no such queue: {queue}" for queue in limits.queues if queue not in topology.QUEUES]
    taken = sum(limits.reserved.values())
    if taken and taken > limits.pool - UNRESERVED:
        found.append(f"{taken} are reserved of {limits.pool}, and {UNRESERVED} must be left")
    for queue in topology.QUEUES:
        own = reserved(stage, functions.QUEUE_FUNCTIONS[queue])
        if own is not None and at_once(stage, queue) > own:
            found.append(f"{queue} is read by {at_once(stage, queue)} at once, its function may run {own} times")
    shared = sum(at_once(stage, q) for q in topology.QUEUES if reserved(stage, functions.QUEUE_FUNCTIONS[q]) is None)
    if taken and shared > limits.pool - taken:
        found.append(f"queues without a part of their own want {shared} of {limits.pool - taken}")
    return found


# What the template says of them


def method_settings(stage: str) -> list[Json]:
    """Return the API stage's throttles: AWS applies each to one route by itself."""
    limits = LIMITS[stage]
    named = [_setting(method, "/" + path.replace("/", "~1"), limits.costly) for method, path in COSTLY]
    return [_setting("*", "/*", limits.routes), *named]


def _setting(method: str, path: str, throttle: Throttle) -> Json:
    return {
        "HttpMethod": method,
        "ResourcePath": path,
        "ThrottlingRateLimit": throttle.rate,
        "ThrottlingBurstLimit": throttle.burst,
    }


def parameters(stage: str) -> Json:
    """Return what whoever deploys may choose."""
    return {
        "MonthlyBudgetUsd": {
            "Type": "Number",
            "Default": LIMITS[stage].budget_usd,
            "MinValue": 0,
            "Description": "Costs of the account a month at which AlarmTopic is told; 0 for no budget.",
        },
        "Firewall": {
            "Type": "String",
            "Default": "off",
            "AllowedValues": ["on", "off"],
            "Description": "Whether AWS WAF stands before the API; docs/deploy.md says what it costs.",
        },
    }


CONDITIONS: Json = {
    "HasBudget": {"Fn::Not": [{"Fn::Equals": [{"Ref": "MonthlyBudgetUsd"}, 0]}]},
    "HasFirewall": {"Fn::Equals": [{"Ref": "Firewall"}, "on"]},
}


def budget(name: str) -> Json:
    """Return the budget, which tells the alarms' topic at four fifths and when a month is about to go over it."""
    subscribers = [{"SubscriptionType": "SNS", "Address": {"Ref": "AlarmTopic"}}]
    return {
        "Budget": {
            "Type": "AWS::Budgets::Budget",
            "Condition": "HasBudget",
            "DependsOn": "AlarmTopicPolicy",
            "Properties": {
                "Budget": {
                    "BudgetName": sub(name),
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "BudgetLimit": {"Amount": {"Ref": "MonthlyBudgetUsd"}, "Unit": "USD"},
                },
                "NotificationsWithSubscribers": [
                    {
                        "Notification": {
                            "NotificationType": kind,
                            "ComparisonOperator": "GREATER_THAN",
                            "Threshold": percent,
                            "ThresholdType": "PERCENTAGE",
                        },
                        "Subscribers": subscribers,
                    }
                    for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
                ],
            },
        },
        "AlarmTopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "Topics": [{"Ref": "AlarmTopic"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        _may_tell("Alarms", "cloudwatch.amazonaws.com"),
                        _may_tell("Budget", "budgets.amazonaws.com"),
                    ],
                },
            },
        },
    }


def _may_tell(sid: str, service: str) -> Json:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sns:Publish",
        "Resource": {"Ref": "AlarmTopic"},
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }


def firewall(stage: str, name: str) -> Json:
    """Return the firewall: an address has so many calls, those of ill repute have none. Providers' notices pass."""
    return {
        "ApiFirewall": {
            "Type": "AWS::WAFv2::WebACL",
            "Condition": "HasFirewall",
            "Properties": {
                "Name": name,
                "Scope": "REGIONAL",
                "DefaultAction": {"Allow": {}},
                "VisibilityConfig": _visible(name),
                "Rules": [
                    {
                        "Name": "flood",
                        "Priority": 0,
                        "Action": {"Block": {"CustomResponse": {"ResponseCode": 429}}},
                        "VisibilityConfig": _visible("flood"),
                        "Statement": {
                            "RateBasedStatement": {
                                "Limit": LIMITS[stage].waf_per_address,
                                "AggregateKeyType": "IP",
                                # A provider posts for everybody, from few addresses.
                                "ScopeDownStatement": {"NotStatement": {"Statement": _begins("/api/v1/webhooks/")}},
                            }
                        },
                    },
                    {
                        "Name": "reputation",
                        "Priority": 1,
                        "OverrideAction": {"None": {}},
                        "VisibilityConfig": _visible("reputation"),
                        "Statement": {
                            "ManagedRuleGroupStatement": {
                                "VendorName": "AWS",
                                "Name": "AWSManagedRulesAmazonIpReputationList",
                            }
                        },
                    },
                ],
            },
        },
        "ApiFirewallAssociation": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Condition": "HasFirewall",
            "Properties": {
                "WebACLArn": {"Fn::GetAtt": ["ApiFirewall", "Arn"]},
                "ResourceArn": sub(
                    "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${RestAPI}/stages/${RestAPI.Stage}"
                ),
            },
        },
    }


def _begins(path: str) -> Json:
    return {
        "ByteMatchStatement": {
            "FieldToMatch": {"UriPath": {}},
            "PositionalConstraint": "STARTS_WITH",
            "SearchString": path,
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        }
    }


def _visible(name: str) -> Json:
    return {"MetricName": name, "CloudWatchMetricsEnabled": True, "SampledRequestsEnabled": False}
