"""Restores a shop as it was at one moment, beside the one that stands: ``make restore``. docs/restore.md is the way.

    --list                            what can be had back, of each table
    --hold, --let-go                  stop everything of the installation that stands, or let it go on
    --at MOMENT --label LABEL         copy secrets and tables to the installation LABEL, and found its stack on them
    --after --at MOMENT --label LABEL what was on its way at that moment is told again; files and outside notices follow

``--plan`` says what would be done and does nothing. Every step can be run again: it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib import topology
from infra import names as installations
from infra import policies, protection, stack
from infra.names import BadLabel, installation, stack_name
from infra.policies import table_resource
from tools.operate import hold, restore_after, restore_tables
from tools.operate.restore_tables import RestoreError
from tools.release import changes
from tools.release.errors import DeployError
from tools.shared import place

Json = dict[str, Any]
Say = Callable[[str], None]
POLL_S = 10.0
MARGIN = timedelta(hours=1)
"""Longer than any event is on its way in a shop that works; after an outage name a longer one."""


@dataclass(frozen=True, slots=True)
class Restore:
    """One restoration: of which installation, to which, and as of when."""

    session: Any
    stage: str
    source: str
    target: str
    at: datetime
    poll_s: float


def template_of(stage: str, target: str) -> Json:
    """Return the tables' part of the template under the names of the target."""
    whole = stack.template(stage)
    return restore_tables.template(installations.labelled(whole, stage, target.removeprefix(f"{stage}-")))


def plan(wanted: Restore, say: Say) -> list[restore_tables.Kept]:
    """Look at everything that could be in the way, and say what will be done.

    Raises:
        RestoreError: if it cannot be done.
    """
    dynamodb = wanted.session.client("dynamodb")
    found = list(restore_tables.kept(dynamodb, wanted.source))
    restore_tables.refuse(found, wanted.at)
    for one in found:
        restore_tables.refuse_taken(dynamodb, one, wanted.target, wanted.at)
    status = _stack(wanted, say).status()
    if status not in ("", "REVIEW_IN_PROGRESS", "IMPORT_COMPLETE"):
        raise RestoreError(f"the stack {stack_name(wanted.target)} is {status}: take another label")
    say(f"{wanted.source} as of {wanted.at:%Y-%m-%dT%H:%M:%SZ} becomes {wanted.target}, beside it:")
    for one in found:
        say(f"  {one.source} -> {restore_tables.name_of(wanted.target, one.table)}, about {one.rows:,} rows")
    return found


def restore(wanted: Restore, say: Say = print) -> None:
    """Copy secrets and tables, make the tables whole, and found the stack of the target on them.

    Raises:
        RestoreError: if it cannot be done; what was done stays, and is gone on from.
        DeployError: if CloudFormation does not take the tables.
    """
    found = plan(wanted, say)
    for line in restore_after.copy_secrets(wanted.session, wanted.source, wanted.target):
        say(f"  {line}")
    dynamodb = wanted.session.client("dynamodb")
    restore_tables.copy(dynamodb, found, wanted.target, wanted.at, say, poll_s=wanted.poll_s)
    template = template_of(wanted.stage, wanted.target)
    for one in found:
        properties = template["Resources"][table_resource(one.table)]["Properties"]
        done = restore_tables.make_whole(dynamodb, one, wanted.target, properties, wanted.at, poll_s=wanted.poll_s)
        say(f"  {one.table}: {', '.join(done) or 'whole already'}")
    _found_stack(wanted, template, say)
    say(
        f"next: make deploy STAGE={wanted.stage} ARGS='--label {wanted.target.removeprefix(wanted.stage + '-')} "
        f"--shift at-once', then make restore with --after"
    )


def _stack(wanted: Restore, say: Say) -> changes.Stack:
    cloudformation = wanted.session.client("cloudformation")
    return changes.Stack(cloudformation, stack_name(wanted.target), say, poll_s=wanted.poll_s)


def _found_stack(wanted: Restore, template: Json, say: Say) -> None:
    there = _stack(wanted, say)
    if there.status() == "IMPORT_COMPLETE":
        return
    there.take_in(
        template,
        {protection.PARAMETER: protection.default(wanted.stage)},
        [
            {
                "ResourceType": "AWS::DynamoDB::Table",
                "LogicalResourceId": table_resource(table),
                "ResourceIdentifier": {"TableName": restore_tables.name_of(wanted.target, table)},
            }
            for table in topology.TABLES
        ],
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default=os.environ.get("STAGE", "dev"), choices=policies.STAGES)
    parser.add_argument(
        "--of", default="", metavar="LABEL", help="label of the installation that is restored, if it has one"
    )
    parser.add_argument("--label", default="", help="of the installation that it becomes")
    parser.add_argument("--at", type=datetime.fromisoformat, help="the moment, RFC 3339 with its zone")
    parser.add_argument(
        "--margin", type=int, default=int(MARGIN.total_seconds() // 60), help="minutes before it, for --after"
    )
    parser.add_argument("--region", help="AWS region (else AWS_REGION, AWS_DEFAULT_REGION, the profile's)")
    parser.add_argument("--plan", action="store_true", help="only say what would be done")
    what = parser.add_mutually_exclusive_group()
    for name, words in (
        ("--list", "say what can be had back"),
        ("--hold", "stop the installation that stands"),
        ("--let-go", "let it go on"),
        ("--after", "tell again what was on its way, once the stack is deployed"),
    ):
        what.add_argument(name, action="store_true", help=words)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Restore from the command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    needs_moment = not (options.list or options.hold or options.let_go)
    if needs_moment and (options.at is None or options.at.tzinfo is None or not options.label):
        parser.error("say --at 2026-11-29T08:00:00Z, with its zone, and --label")
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = place.find(options.region)
        source = installation(options.stage, options.of)
        target = installation(options.stage, options.label)
        print(f"{source} in {found.said()}", file=sys.stderr)
        return _do(options, found.session, source, target)
    except (place.Nowhere, BadLabel, RestoreError, DeployError, ClientError, BotoCoreError) as error:
        print(f"restore: {error}", file=sys.stderr)
        return 1


def _do(options: argparse.Namespace, session: Any, source: str, target: str) -> int:
    if options.list:
        for one in restore_tables.kept(session.client("dynamodb"), source):
            print(one.said())
        return 0
    if options.hold or options.let_go:
        for line in hold.turn(session, options.stage, source, on=options.let_go, plan=options.plan):
            print(line)
        return 0
    at = options.at.astimezone(UTC).replace(microsecond=0)  # DynamoDB goes back to whole seconds.
    wanted = Restore(session, options.stage, source, target, at, POLL_S)
    if options.after:
        margin = timedelta(minutes=options.margin)
        told = restore_after.follow(session, options.stage, source, target, at, margin=margin, sends=not options.plan)
        print(json.dumps(told))
        return 0
    if options.plan:
        plan(wanted, print)
    else:
        restore(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
