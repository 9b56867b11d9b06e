"""Brings a stack to a template by a change set that people see first: what is added, changed, replaced, removed.

What would lose data is refused unless each such resource is named. A stack that an earlier attempt left behind is put
in order first, as far as that loses nothing.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any

from tools.release.errors import DeployError
from tools.release.indexes import refuse_too_many
from tools.release.shift import Watch

Json = dict[str, Any]
Say = Callable[[str], None]
Look = Callable[[], Sequence[str]]

TIMEOUT_S = 3600.0
HOLDS_DATA = frozenset({"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::S3::Bucket", "AWS::SQS::Queue"})
"""Whoever removes or replaces one of these loses what it holds; a queue's are events that nobody has handled yet."""
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
NEVER_CREATED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
"""A first creation that failed: such a stack takes no update, it can only be deleted."""
SETTLED = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
GOOD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource."""

    action: str
    """``Add``, ``Modify``, ``Replace`` or ``Remove``."""
    resource: str
    kind: str
    why: tuple[str, ...] = ()
    """The properties that change."""

    @property
    def loses_data(self) -> bool:
        """Say whether what the resource holds is out of the shop's reach afterwards."""
        return self.kind in HOLDS_DATA and self.action in ("Replace", "Remove")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stack is to be."""

    name: str
    url: str
    """Where CloudFormation finds the template."""
    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    may_lose: Collection[str] = ()
    """Resources whose data may be lost, each by its name."""
    skip: Sequence[str] = ()
    """Resources that the end of a failed rollback leaves as they are."""
    go_on: Callable[[Sequence[Change]], bool] = field(default=lambda _: True)
    """Asked when the changes are known and before anything is done."""
    watch: Watch | None = None
    """Where calls go over to a new version step by step: looked at while CloudFormation waits for it."""


class Stack:
    """One stack, as CloudFormation knows it."""

    def __init__(self, cloudformation: Any, name: str, say: Say, *, poll_s: float) -> None:
        self._cloudformation = cloudformation
        self.name = name
        self._say = say
        self._poll_s = poll_s

    def describe(self) -> Json | None:
        """Return what CloudFormation says of it; None if there is none."""
        try:
            found: Json = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        except self._cloudformation.exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise
            return None
        return found

    def status(self) -> str:
        """Return its status, empty if there is none."""
        found = self.describe()
        return str(found["StackStatus"]) if found else ""

    def outputs(self) -> dict[str, str]:
        """Return its outputs."""
        found = self.describe() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def parameters(self) -> dict[str, str]:
        """Return the values of its parameters."""
        found = self.describe() or {}
        return {one["ParameterKey"]: str(one.get("ParameterValue", "")) for one in found.get("Parameters", [])}

    # Putting in order what an earlier attempt left

    def ready(self, skip: Sequence[str] = ()) -> str:
        """Bring it into a state that takes a change set; returns ``CREATE`` or ``UPDATE``.

        Raises:
            DeployError: if a person must look at it.
        """
        status = self.status()
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            self._say(f"stack {self.name} is busy ({status}): waiting for it")
            status = self.wait()
        if status == "UPDATE_ROLLBACK_FAILED":
            status = self._finish_rollback(skip)
        if status in NEVER_CREATED:
            self._say(f"stack {self.name} was never created ({status}): deleting what is left of it")
            self.delete()
            status = ""
        if status in ("", "REVIEW_IN_PROGRESS"):
            return "CREATE"
        if status not in SETTLED:
            raise DeployError(f"stack {self.name} is {status}: {'; '.join(self.reasons()) or 'look at its events'}")
        return "UPDATE"

    def _finish_rollback(self, skip: Sequence[str]) -> str:
        self._say(f"stack {self.name} did not get back from an update: continuing its rollback")
        options = {"ResourcesToSkip": list(skip)} if skip else {}
        self._cloudformation.continue_update_rollback(StackName=self.name, **options)
        status = self.wait()
        if status != "UPDATE_ROLLBACK_COMPLETE":
            stuck = "; ".join(self.reasons())
            raise DeployError(
                f"stack {self.name} is still {status}: {stuck}. Mend what it names and run again, or leave a resource "
                f"as it is with --skip-resource NAME"
            )
        return status

    def delete(self) -> None:
        """Delete it and wait.

        Raises:
            DeployError: if something would not go.
        """
        self._cloudformation.update_termination_protection(StackName=self.name, EnableTerminationProtection=False)
        self._cloudformation.delete_stack(StackName=self.name)
        status = self.wait()
        if status not in ("", "DELETE_COMPLETE"):
            raise DeployError(f"stack {self.name} is {status}: {'; '.join(self.reasons())}")

    # The change set

    def changes(self, wanted: Wanted, kind: str) -> tuple[str, list[Change]]:
        """Make a change set and return its name with the changes; without changes there is none, and no name.

        Raises:
            DeployError: if CloudFormation cannot make it.
        """
        name = f"deploy-{time.time_ns() // 1_000_000}"
        before = set(self.parameters()) if kind == "UPDATE" else set()
        known = set(wanted.template.get("Parameters", {}))
        given: list[Json] = [
            {"ParameterKey": key, "ParameterValue": value} for key, value in sorted(wanted.parameters.items())
        ]
        kept = sorted((before & known) - set(wanted.parameters))
        given += [{"ParameterKey": key, "UsePreviousValue": True} for key in kept]
        self._cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateURL=wanted.url,
            Parameters=given,
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in sorted(wanted.tags.items())],
        )
        found = self._described(name)
        if found["Status"] == "FAILED":
            self._cloudformation.delete_change_set(StackName=self.name, ChangeSetName=name)
            reason = str(found.get("StatusReason", ""))
            if any(words in reason for words in NO_CHANGES):
                return "", []
            raise DeployError(f"CloudFormation cannot change stack {self.name} so: {reason}")
        return name, [_change(one["ResourceChange"]) for one in self._changes_of(name) if "ResourceChange" in one]

    def _described(self, name: str) -> Json:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            found: Json = self._cloudformation.describe_change_set(StackName=self.name, ChangeSetName=name)
            if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
                return found
            time.sleep(self._poll_s)
        raise DeployError(f"the changes of stack {self.name} were not worked out in time")

    def _changes_of(self, name: str) -> Iterator[Json]:
        token: dict[str, str] = {}
        while True:
            page = self._cloudformation.describe_change_set(StackName=self.name, ChangeSetName=name, **token)
            yield from page.get("Changes", [])
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def drop(self, change_set: str, kind: str) -> None:
        """Take a change set back that is not executed, and the empty stack that it made."""
        self._cloudformation.delete_change_set(StackName=self.name, ChangeSetName=change_set)
        if kind == "CREATE" and self.status() == "REVIEW_IN_PROGRESS":
            self._cloudformation.delete_stack(StackName=self.name)

    def execute(self, change_set: str, look: Look | None = None) -> str:
        """Do it and wait; returns the status it ends in."""
        since = {str(event["EventId"]) for event in islice(self._events(), 1)}
        self._cloudformation.execute_change_set(StackName=self.name, ChangeSetName=change_set)
        return self.wait(since, look)

    def take_in(self, template: Mapping[str, Any], parameters: Mapping[str, str], resources: Sequence[Json]) -> None:
        """Found it on resources that are there already, and wait.

        Raises:
            DeployError: if CloudFormation does not take them.
        """
        name = f"import-{time.time_ns() // 1_000_000}"
        self._cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType="IMPORT",
            TemplateBody=json.dumps(template, separators=(",", ":")),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(parameters.items())],
            ResourcesToImport=list(resources),
        )
        found = self._described(name)
        if found["Status"] == "FAILED":
            self._cloudformation.delete_change_set(StackName=self.name, ChangeSetName=name)
            raise DeployError(f"CloudFormation cannot take in the tables: {found.get('StatusReason', '')}")
        status = self.execute(name)
        if status != "IMPORT_COMPLETE":
            raise DeployError(f"stack {self.name} ended as {status}: {'; '.join(self.reasons())}")

    # Waiting

    def wait(self, since: Collection[str] = (), look: Look | None = None) -> str:
        """Wait until nothing is in progress, telling what is done; returns the status, empty if the stack is gone.

        ``look`` is asked each time what else there is to tell.

        Raises:
            DeployError: if it takes longer than anything here should.
        """
        deadline = time.monotonic() + TIMEOUT_S
        seen, last, done = set(since), "", 0
        while time.monotonic() < deadline:
            status = self.status()
            if status and status != last:
                self._say(f"stack {self.name}: {status}")
                last = status
            fresh = list(takewhile(lambda event: event["EventId"] not in seen, self._events())) if since else []
            for event in reversed(fresh):
                seen.add(event["EventId"])
                self._tell(event)
            done += sum(str(event["ResourceStatus"]).endswith("_COMPLETE") for event in fresh)
            if fresh:
                self._say(f"  {done} steps done")
            for line in look() if look else ():
                self._say(line)
            if not status.endswith("_IN_PROGRESS") or status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
                return status.removesuffix("_CLEANUP_IN_PROGRESS")
            time.sleep(self._poll_s)
        raise DeployError(f"stack {self.name} was not done within {TIMEOUT_S / 60:.0f} minutes")

    def _tell(self, event: Json) -> None:
        if str(event["ResourceStatus"]).endswith("_FAILED"):
            self._say(f"  ! {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}")

    def _events(self) -> Iterator[Json]:
        """Yield its events, the newest first: of a stack of hundreds of resources they come in pages."""
        token: dict[str, str] = {}
        while True:
            try:
                page = self._cloudformation.describe_stack_events(StackName=self.name, **token)
            except self._cloudformation.exceptions.ClientError:
                return  # It is gone.
            yield from page["StackEvents"]
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def reasons(self) -> list[str]:
        """Return what failed in its last operation, the cause first."""
        found: list[str] = []
        for event in self._events():  # The newest comes first.
            begun = str(event["ResourceStatus"]) in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS")
            if begun and event["LogicalResourceId"] == self.name:
                break
            if str(event["ResourceStatus"]).endswith("_FAILED") and event["LogicalResourceId"] != self.name:
                found.append(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}")
        return found[::-1][:5]


def _change(told: Json) -> Change:
    replaced = told["Action"] == "Modify" and told.get("Replacement") in ("True", "Conditional")
    why = sorted({str(d["Target"]["Name"]) for d in told.get("Details", []) if d.get("Target", {}).get("Name")})
    return Change(
        action="Replace" if replaced else str(told["Action"]),
        resource=str(told["LogicalResourceId"]),
        kind=str(told["ResourceType"]),
        why=tuple(why),
    )


# Showing and refusing

MARKS = {"Add": "+", "Modify": "~", "Replace": "!", "Remove": "-"}
WORDS = {"Add": "added", "Modify": "changed", "Replace": "REPLACED", "Remove": "REMOVED"}


def shown(changes: Sequence[Change]) -> list[str]:
    """Return the changes as people read them: what could hurt last, by name; what is added, counted by kind."""
    lines: list[str] = []
    added = Counter(change.kind for change in changes if change.action == "Add")
    lines += [f"  + {count} x {kind}" for kind, count in sorted(added.items())]
    for action in ("Modify", "Remove", "Replace"):
        lines += [
            f"  {MARKS[action]} {change.resource} ({change.kind}){': ' + ', '.join(change.why) if change.why else ''}"
            f"{'  <- its data' if change.loses_data else ''}"
            for change in sorted(changes, key=lambda one: one.resource)
            if change.action == action
        ]
    totals = Counter(change.action for change in changes)
    lines.append("  " + ", ".join(f"{totals[action]} {word}" for action, word in WORDS.items()))
    return lines


def refuse_loss(changes: Sequence[Change], may_lose: Collection[str]) -> None:
    """Refuse what would lose data, unless it was named.

    Raises:
        DeployError: with the names of what would be lost.
    """
    lost = sorted(change.resource for change in changes if change.loses_data and change.resource not in may_lose)
    if lost:
        raise DeployError(
            f"this would replace or remove {', '.join(lost)}, and what they hold; nothing was done. If that is meant: "
            f"{' '.join(f'--may-lose {name}' for name in lost)}"
        )


def apply(cloudformation: Any, wanted: Wanted, say: Say, *, poll_s: float) -> dict[str, str]:
    """Create or update a stack and wait; parameters that are not given keep their values. Returns its outputs.

    Raises:
        DeployError: if it would lose data, cannot be done, or was rolled back: with the reasons.
    """
    stack = Stack(cloudformation, wanted.name, say, poll_s=poll_s)
    kind = stack.ready(wanted.skip)
    if kind == "UPDATE":
        refuse_too_many(cloudformation, wanted.name, wanted.template)
    change_set, changes = stack.changes(wanted, kind)
    if not change_set:
        say("nothing to change")
        return stack.outputs()
    say(f"{'creating' if kind == 'CREATE' else 'updating'} stack {wanted.name}:")
    for line in shown(changes):
        say(line)
    try:
        refuse_loss(changes, wanted.may_lose)
        if not wanted.go_on(changes):
            raise DeployError("not wanted; nothing was done")
    except DeployError:
        stack.drop(change_set, kind)
        raise
    status = stack.execute(change_set, wanted.watch.look if wanted.watch else None)
    if status not in GOOD:
        after = "run again when that is mended" if status in NEVER_CREATED else "all is as it was before"
        if status == "UPDATE_ROLLBACK_FAILED":
            after = "run again to continue the rollback"
        why = [*(wanted.watch.taken_back if wanted.watch else ()), *stack.reasons()]
        raise DeployError(f"stack {wanted.name} ended as {status}, {after}: {'; '.join(why)}")
    return stack.outputs()
