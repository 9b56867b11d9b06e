"""Checks every AWS call made under a function's name against that function's policy, in all tests at no extra cost.

Whose call it is follows from the causal context: a queue's consumer acts as ``queue:<name>``, the HTTP function under
``http#...``. Calls a test makes itself belong to no function and are not judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from chalicelib import topology
from chalicelib.kernel import context
from chalicelib.runtime import names
from infra import functions, policies, rowkey
from tools.fakes import resources

Need = tuple[str, str]
"""An IAM action and the resource, written as the policies write it."""


def whose(where: context.Context) -> str | None:
    """Return the function on whose behalf this context works."""
    if where.actor.startswith("queue:"):
        return functions.QUEUE_FUNCTIONS.get(where.actor.removeprefix("queue:"))
    return functions.API if where.cause_id.startswith("http#") else None


def needs(service: str, operation: str, params: dict[str, Any]) -> Iterator[Need]:
    """Yield what a call must be allowed, as IAM sees it: a transaction is the sum of its parts."""
    if service == "dynamodb":
        yield from _dynamodb(operation, params)
    elif service == "sqs":
        name = params.get("QueueName") or params["QueueUrl"].rsplit("/", 1)[-1]
        yield f"sqs:{operation.removesuffix('Batch')}", _queue(name)
    elif service == "kms":
        yield f"kms:{operation}", rowkey.KEY
    elif service == "secretsmanager":
        yield f"secretsmanager:{operation}", params["SecretId"].removeprefix(names.secret_name(""))
    else:
        yield f"{service}:{operation}", f"{params.get('Bucket', '')}/{params.get('Key', '')}"


def _dynamodb(operation: str, params: dict[str, Any]) -> Iterator[Need]:
    if operation == "TransactWriteItems":
        for item in params["TransactItems"]:
            ((verb, part),) = item.items()
            action = "ConditionCheckItem" if verb == "ConditionCheck" else f"{verb}Item"
            yield f"dynamodb:{action}", _table(part["TableName"])
    elif operation == "TransactGetItems":
        for item in params["TransactItems"]:
            yield "dynamodb:GetItem", _table(item["Get"]["TableName"])
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table in params["RequestItems"]:
            yield f"dynamodb:{operation}", _table(table)
    elif "IndexName" in params:
        yield f"dynamodb:{operation}", f"{_table(params['TableName'])}/index/{params['IndexName']}"
    else:
        yield f"dynamodb:{operation}", _table(params["TableName"])


def _table(full_name: str) -> str:
    return policies.table_resource(names.table_of(full_name))


def _queue(full_name: str) -> str:
    short = full_name.removeprefix(names.queue_name(""))
    dead = short.removesuffix("-dead")
    return policies.dead_resource(dead) if dead != short else policies.queue_resource(short)


@cache
def grants(name: str) -> frozenset[Need]:
    """Return what a function's policy allows, in the same words as :func:`needs`."""
    return frozenset(
        (action, _plain(resource))
        for statement in policies.policy(name)["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    )


def _plain(resource: dict[str, Any]) -> str:
    if "Fn::GetAtt" in resource:
        return str(resource["Fn::GetAtt"][0])
    text = str(resource["Fn::Sub"])
    text = re.sub(r"^arn:.*:secret:biandan/\$\{Stage\}/", "", text).removesuffix("-??????")
    return re.sub(r"\$\{(\w+)\.Arn\}", r"\1", text)


def is_allowed(name: str, need: Need) -> bool:
    """Say whether the function's policy covers it."""
    action, resource = need
    return any(
        granted == action and (on == resource or (on.endswith("*") and resource.startswith(on[:-1])))
        for granted, on in grants(name)
    )


@cache
def _ours() -> frozenset[str]:
    """Return what the stack holds; a test's own tables and secrets are nobody's business."""
    return frozenset(
        [
            *(policies.table_resource(table) for table in topology.TABLES),
            *(policies.queue_resource(queue) for queue in topology.QUEUES),
            *(policies.dead_resource(queue) for queue in topology.QUEUES),
            *resources.local_secrets(),
            rowkey.KEY,
        ]
    )


class Recorder:
    """The hook: remembers what was refused by a policy, but lets the call through."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    def __call__(
        self, service: str, operation: str, params: dict[str, Any], proceed: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Judge one call."""
        name = whose(context.current())
        if name is not None and service in ("dynamodb", "sqs", "secretsmanager", "kms"):
            for need in needs(service, operation, params):
                if need[1].split("/")[0] in _ours() and not is_allowed(name, need):
                    self.refused.add(f"{name} may not {need[0]} on {need[1]}: see infra/functions.py")
        return proceed()
