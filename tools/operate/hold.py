"""Stops everything that an installation does by itself or for others, or lets it go on; nothing is lost meanwhile.

Queues and streams no longer feed their functions (messages wait for days, changes for one), schedules rest, and no
function runs: the API's callers get a refusal of the gateway, and providers tell their notices again later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra import functions, limits
from infra.names import stack_name
from tools.operate.stage_doctor import Stage


def turn(session: Any, stage: str, installed: str, *, on: bool, plan: bool = False) -> Iterator[str]:
    """Stop (or with ``on`` start) an installation; yields what is done. ``plan`` only says it."""
    there = Stage(stage, installed, session)
    parts = (_functions, _feeds, _schedules)
    for part in parts if not on else reversed(parts):
        yield from part(there, on=on, plan=plan)


def _functions(stage: Stage, *, on: bool, plan: bool) -> Iterator[str]:
    client = stage.client("lambda")
    own = {
        f"{stack_name(stage.installed)}-{functions.lambda_name(name)}": limits.reserved(stage.name, name)
        for name in functions.FUNCTIONS
    }
    for function in stage.resources("AWS::Lambda::Function"):
        part = own.get(function)
        yield f"{function}: {'runs' if on else 'does not run'}"
        if plan:
            continue
        if on and part is None:
            client.delete_function_concurrency(FunctionName=function)
        else:
            client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=part if on else 0)


def _feeds(stage: Stage, *, on: bool, plan: bool) -> Iterator[str]:
    client = stage.client("lambda")
    for mapping in stage.resources("AWS::Lambda::EventSourceMapping"):
        source = client.get_event_source_mapping(UUID=mapping)["EventSourceArn"]
        yield f"{source}: {'feeds' if on else 'waits'}"
        if not plan:
            client.update_event_source_mapping(UUID=mapping, Enabled=on)


def _schedules(stage: Stage, *, on: bool, plan: bool) -> Iterator[str]:
    client = stage.client("events")
    for rule in stage.resources("AWS::Events::Rule"):
        name = rule.rsplit("/", 1)[-1]
        yield f"{name}: {'runs' if on else 'rests'}"
        if plan:
            continue
        (client.enable_rule if on else client.disable_rule)(Name=name)
