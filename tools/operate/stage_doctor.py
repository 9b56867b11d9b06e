"""Says what is wrong with a deployed stage: ``make doctor STAGE=dev``. It changes nothing and never prints a secret.

Looked at are the stack, secrets, the address providers call back, clocks, schedules, what feeds the functions, dead
letters and alarms. It ends with one line of JSON; the exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from chalicelib import topology
from infra import policies, runtimes
from infra.functions import RELAY
from infra.names import BadLabel, installation, stack_name
from tools.operate import doctor
from tools.release import changes as release
from tools.release import keys
from tools.shared import place
from tools.shared.client import Network, Sender

Json = dict[str, Any]
SKEW_S = 60
"""Signatures of providers count for minutes; AWS refuses those of its own after five."""
WAITING = 1000
"""Messages in a queue that are more than a busy minute's."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A deployed stage and how to ask about it."""

    name: str
    installed: str
    session: Any
    connect: Callable[[str], Sender] = Network

    def client(self, service: str) -> Any:
        """Return a client."""
        return self.session.client(service)

    @property
    def prefix(self) -> str:
        """Return how all its names begin."""
        return f"{stack_name(self.installed)}-"

    def resources(self, kind: str) -> Iterator[str]:
        """Yield the physical names of the stack's resources of a kind."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=stack_name(self.installed)):
            for one in page["StackResourceSummaries"]:
                if one["ResourceType"] == kind and one.get("PhysicalResourceId"):
                    yield str(one["PhysicalResourceId"])


def stack(stage: Stage) -> Iterator[str]:
    """Say whether the stack stands."""
    status = release.Stack(stage.client("cloudformation"), stack_name(stage.installed), print, poll_s=0).status()
    if not status:
        yield f"there is no stack {stack_name(stage.installed)} here: make deploy STAGE={stage.name}"
    elif status not in release.GOOD:
        yield f"the stack is {status}: make deploy says what to do about it"


def secrets(stage: Stage) -> Iterator[str]:
    """Say which secrets are missing or weak."""
    yield from keys.weak(stage.session, stage.installed)


def _public_url(stage: Stage) -> str:
    found = release.Stack(stage.client("cloudformation"), stack_name(stage.installed), print, poll_s=0).parameters()
    return found.get("PublicUrl", "")


def callbacks(stage: Stage) -> Iterator[str]:
    """Say whether providers reach us: each webhook must refuse a stranger by itself, not be missing or broken."""
    url = _public_url(stage)
    if not url:
        yield "functions do not know their own address: make deploy again"
        return
    if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
        yield f"{url} is not https"
    send = stage.connect(url)
    for provider in doctor.names_of_all():
        if stage.name == "prod" and provider == "sandbox":
            continue
        path = f"/v1/webhooks/payments/{provider}"
        try:
            status, _, _ = send("POST", path, {"content-type": "application/json"}, b"{}")
        except (OSError, HTTPException) as error:
            yield f"nobody reaches {url}: {type(error).__name__}"
            return
        if status == 404 or (status >= 500 and status != 503):
            yield f"{url}{path} answers {status}"


def clocks(stage: Stage) -> Iterator[str]:
    """Say whether this machine's clock and AWS's are apart: what was signed or is due is then misjudged."""
    answer = stage.client("sts").get_caller_identity()
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if told:
        apart_s = abs((datetime.now(UTC) - parsedate_to_datetime(told)).total_seconds())
        if apart_s > SKEW_S:
            yield f"this machine's clock is {apart_s:.0f} s off AWS's"


def schedules(stage: Stage) -> Iterator[str]:
    """Say which schedules do not run."""
    events = stage.client("events")
    rules = list(stage.resources("AWS::Events::Rule"))
    if not rules:
        yield "the stack has no schedules: unpaid orders keep their stock"
    for rule in rules:
        name = rule.rsplit("/", 1)[-1]
        found = events.describe_rule(Name=name)
        if found["State"] != "ENABLED":
            yield f"the schedule {name} is {found['State']}"
        elif not events.list_targets_by_rule(Rule=name)["Targets"]:
            yield f"the schedule {name} calls nobody"


def feeds(stage: Stage) -> Iterator[str]:
    """Say which queue or stream no longer feeds its function, and which function's runtime ends."""
    client = stage.client("lambda")
    today = datetime.now(UTC).date()
    told: set[str] = set()
    for function in stage.resources("AWS::Lambda::Function"):
        version = client.get_function_configuration(FunctionName=function).get("Runtime", "")
        soon = [runtimes.warning(r, today) for r in runtimes.RUNTIMES.values() if r.identifier == version]
        told |= {words for words in soon if words}
        for mapping in client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            problem = str(mapping.get("LastProcessingResult", ""))
            if mapping["State"] not in ("Enabled", "Enabling", "Creating", "Updating"):
                yield f"{function} is not fed: {mapping['EventSourceArn']} is {mapping['State']}"
            elif problem.startswith("PROBLEM"):
                yield f"{function} is not fed: {problem}"
    yield from sorted(told)


def queues(stage: Stage) -> Iterator[str]:
    """Say which dead letters wait for a person, and which queue is long."""
    sqs = stage.client("sqs")
    count = "ApproximateNumberOfMessages"

    def waiting(name: str) -> int | None:
        try:
            url = sqs.get_queue_url(QueueName=stage.prefix + name)["QueueUrl"]
        except sqs.exceptions.ClientError:
            return None
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[count])["Attributes"][count])

    for name in (*topology.QUEUES, RELAY):
        dead = waiting(f"{name}-dead")
        if dead:
            yield f"{dead} messages gave up in {name}: docs/deploy.md, When an alarm rings"
    for name in topology.QUEUES:
        there = waiting(name)
        if there is None:
            yield f"the queue {stage.prefix}{name} is gone"
        elif there > WAITING:
            yield f"{there} messages wait in {name}"


def alarms(stage: Stage) -> Iterator[str]:
    """Say which alarms ring, and whether anybody hears them."""
    client = stage.client("cloudwatch")
    found = [
        alarm
        for page in client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=stage.prefix)
        for alarm in page["MetricAlarms"]
    ]
    yield from (f"{a['AlarmName']} rings: {a.get('AlarmDescription', '')}" for a in found if a["StateValue"] == "ALARM")
    mute = sorted(a["AlarmName"] for a in found if not a.get("ActionsEnabled", True))
    if mute:
        yield f"switched off: {', '.join(mute)}"


CHECKS: tuple[tuple[str, Callable[[Stage], Iterator[str]]], ...] = (
    ("stack", stack),
    ("secrets", secrets),
    ("callbacks", callbacks),
    ("clocks", clocks),
    ("schedules", schedules),
    ("feeds", feeds),
    ("queues", queues),
    ("alarms", alarms),
)


def examine(stage: Stage) -> dict[str, list[str]]:
    """Return what is wrong, by what was looked at. Without a stack only that is told."""
    found: dict[str, list[str]] = {}
    for name, check in CHECKS:
        try:
            found[name] = list(check(stage))
        except Exception as error:  # One thing that cannot be asked must not hide the others.
            found[name] = [f"cannot be looked at: {type(error).__name__}: {error}"[:300]]
        if name == "stack" and found[name] and "there is no stack" in found[name][0]:
            break
    return found


def main(arguments: list[str] | None = None) -> int:
    """Look, print, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default=os.environ.get("STAGE", "dev"), choices=policies.STAGES)
    parser.add_argument("--label", default="", help="of the installation, where a stage has more than one")
    parser.add_argument("--region", help="AWS region (else AWS_REGION, AWS_DEFAULT_REGION, the profile's)")
    options = parser.parse_args(arguments)
    try:
        there = place.find(options.region)
        installed = installation(options.stage, options.label)
    except (place.Nowhere, BadLabel) as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 1
    print(f"doctor: {installed} in {there.said()}", file=sys.stderr)
    found = examine(Stage(options.stage, installed, there.session))
    for name, wrong in found.items():
        print(f"{name}\n" + ("\n".join(f"  ✗ {one}" for one in wrong) or "  ✓ in order"))
    count = sum(map(len, found.values()))
    print(json.dumps({"installation": installed, "region": there.region, "wrong": count}))
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
