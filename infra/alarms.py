"""Every alarm of the stack: what rings, from which value on, what it means and what to do about it.

``docs/deploy.md`` has them as a table, which ``make generate`` writes from here. The numbers behind the alarms of our
own metrics stand in ``infra/counted.py``. Sources: CloudWatch's metrics of Lambda, SQS, API Gateway and DynamoDB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import topology
from chalicelib.runtime import names
from infra import counted, functions, shift
from infra.functions import AUDIT_SEAL, BALANCES, DEADLINES, FUNCTIONS, RELAY
from infra.policies import att, dead_resource, queue_resource, table_resource

Json = dict[str, Any]

LATE_S: Mapping[str, int] = {"payment-notices": 120, "payments": 300, "checkout": 300, "orders": 300, "ledger": 900}
"""Queue -> the age of its oldest message that rings. A message received three times no longer counts for the age."""
LATE_ELSEWHERE_S = 30 * 60
"""Of the other queues; events of a type that a release does not know yet wait 22 minutes (docs/upgrading.md)."""
HOT_TABLES = ("stock", "orders")
SLOW_MS = 3_000

FEW: Mapping[str, tuple[str, ...]] = {
    "dev": (
        "api-faults",
        "changes-laid-aside",
        "clock-stopped",
        "dead-letters",
        "deadline-parked",
        "functions-fail",
        "relay-late",
        "secret-weak",
        "throttled",
    )
}
"""Stage -> the alarms that it has, where that is not all of them. Each costs by the month, also while nothing happens;
the first ten of an account cost nothing. ``make doctor`` says the rest of a stage for trying things."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. It rings above ``above`` or below ``below``."""

    name: str
    """Behind ``biandan-<stage>-``."""
    means: str
    do: str
    namespace: str
    metric: str
    statistic: str
    """One of CloudWatch's, or a percentile (``p90``)."""
    dimensions: Mapping[str, Any]
    minutes: int
    above: int | None = None
    below: int | None = None
    times: int = 1
    """For so many periods in a row."""
    family: str = ""
    """What the table of the documents calls it and others like it."""
    resource: str = ""
    """Its logical name, where that does not follow from its name."""

    @property
    def logical(self) -> str:
        """Return its logical name in the template."""
        return f"{self.resource or topology.resource_name(self.name)}Alarm"

    def resource_of(self, stage: str) -> Json:
        """Return it as a resource of a template."""
        statistic = "ExtendedStatistic" if self.statistic.startswith("p") else "Statistic"
        return {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": f"{names.PROJECT}-{stage}-{self.name}",
                "AlarmDescription": self.means,
                "Namespace": self.namespace,
                "MetricName": self.metric,
                statistic: self.statistic,
                "Dimensions": [{"Name": key, "Value": value} for key, value in self.dimensions.items()],
                "Period": self.minutes * 60,
                "EvaluationPeriods": self.times,
                "Threshold": self.above if self.above is not None else self.below,
                "ComparisonOperator": "GreaterThanThreshold" if self.above is not None else "LessThanThreshold",
                # No clock is bad news; no dead letters are good news.
                "TreatMissingData": "notBreaching" if self.above is not None else "breaching",
                # One slow call at night is no percentile.
                **({"EvaluateLowSampleCountPercentile": "ignore"} if statistic == "ExtendedStatistic" else {}),
                "AlarmActions": [{"Ref": "AlarmTopic"}],
                "OKActions": [{"Ref": "AlarmTopic"}],
            },
        }


def alarms(stage: str) -> list[Alarm]:
    """Return every alarm of a stage."""
    if stage in FEW:
        found = [*_relay(), *_clock(), *_api(stage), *_counted(stage), *_instead(stage)]
        found = [alarm for alarm in found if alarm.name in FEW[stage]]
    else:
        found = [*_relay(), *_clock(), *_api(stage), *_functions(), *_queues(), *_tables(), *_counted(stage)]
        found += _new_version(stage)
    return sorted(found, key=lambda alarm: alarm.logical)


def resources(stage: str) -> Json:
    """Return the alarms as resources, by logical name."""
    return {alarm.logical: alarm.resource_of(stage) for alarm in alarms(stage)}


def _lambda(function: str | None, name: str, metric: str, means: str, do: str, **more: Any) -> Alarm:
    dimensions = {} if function is None else {"FunctionName": {"Ref": function_resource(function)}}
    statistic = "Maximum" if metric == "IteratorAge" else "Sum"
    return Alarm(name, means, do, "AWS/Lambda", metric, statistic, dimensions, **more)


def function_resource(name: str) -> str:
    """Return the logical name of a function in the finished template."""
    return "APIHandler" if name == functions.API else topology.resource_name(name)


def _relay() -> Iterator[Alarm]:
    yield _lambda(
        RELAY, "relay-late", "IteratorAge",
        "Changes wait for the relay: events, and all that hangs on them, come late.",
        "throttling, or SQS refuses; nothing is lost: a stream is read again until it is done",
        above=60_000, minutes=3,
    )  # fmt: skip
    yield _lambda(
        RELAY, "relay-losing", "IteratorAge",
        "Changes wait for the relay for twelve hours: after twenty they go to the bucket, and must be replayed.",
        "after twenty hours Lambda writes them to the bucket, whole, under `aws/lambda/`, and goes on: mend the cause, "
        "then `make replay STAGE=...`",
        above=12 * 60 * 60 * 1000, minutes=5,
    )  # fmt: skip
    yield _lambda(
        RELAY, "relay-not-kept", "DestinationDeliveryFailures",
        "Changes that were given up could not be written to the bucket: they are in the stream for a few hours more.",
        "the stream still has them until they are 24 hours old; mend the role or the bucket, then "
        "`make replay ARGS='--tables ... --since ...'` for what was missed",
        above=0, minutes=5,
    )  # fmt: skip


def _clock() -> Iterator[Alarm]:
    yield _lambda(
        DEADLINES, "clock-stopped", "Invocations",
        "The deadline job does not run: unpaid orders keep their stock, complaints do not escalate.",
        "see whether its EventBridge rule is on (`make doctor`); nothing is lost, it catches up",
        below=1, minutes=5,
    )  # fmt: skip
    yield _lambda(
        BALANCES, "balances-stopped", "Invocations",
        "The balances' clock does not run: what operators read of accounts grows old.",
        "see whether its EventBridge rule is on (`make doctor`); nothing is lost, it catches up",
        below=1, minutes=15,
    )  # fmt: skip
    yield _lambda(
        AUDIT_SEAL, "audit-stopped", "Invocations",
        "The audit is not sealed: what is written into it could be changed without a trace until it is.",
        "see whether its EventBridge rule is on (`make doctor`); nothing is lost, it catches up",
        below=1, minutes=15,
    )  # fmt: skip
    yield _lambda(
        AUDIT_SEAL, "audit-fails", "Errors",
        "The job that seals the audit fails again and again.",
        "its log says why; it goes on where it was once it runs",
        above=5, minutes=15,
    )  # fmt: skip
    yield _lambda(
        DEADLINES, "clock-fails", "Errors",
        "The deadline job fails.",
        "its log says why; stock of unpaid orders is not released until it runs, then it catches up",
        above=1, minutes=5,
    )  # fmt: skip


def _api(stage: str) -> Iterator[Alarm]:
    dimensions = {"ApiName": f"{names.PROJECT}-{stage}-api", "Stage": "api"}
    yield Alarm(
        "api-faults",
        "The API answers 5xx.",
        "the log line with the same `request_id`; the access log says on which route",
        "AWS/ApiGateway", "5XXError", "Sum", dimensions, above=4, minutes=5,
    )  # fmt: skip
    yield Alarm(
        "api-slow",
        "One call in ten takes longer than three seconds, for a quarter of an hour.",
        "a provider that does not answer, throttled tables, or too few functions: see the dashboard, then `throttled`",
        "AWS/ApiGateway", "Latency", "p90", dimensions, above=SLOW_MS, minutes=5, times=3,
    )  # fmt: skip
    yield _lambda(
        None, "throttled", "Throttles",
        "Lambda throttles functions of this account and region: ask for a higher concurrency.",
        "raise the part of the function that is throttled in `infra/limits.py`, or ask AWS for more concurrency",
        above=0, minutes=5,
    )  # fmt: skip


def _new_version(stage: str) -> Iterator[Alarm]:
    """Of the version to which the API's calls go over, alone: what the one before does wrong stops no mending of it."""
    version = att(shift.VERSION, "Version")
    dimensions = {
        "FunctionName": {"Ref": "APIHandler"},
        "Resource": {"Fn::Sub": f"${{APIHandler}}:{shift.ALIAS}"},
        "ExecutedVersion": version,
    }
    then = "while a release is on its way all calls go back by themselves, and it fails; its log says why"
    yield Alarm(
        "new-version-errors",
        "The API's newest version dies: no time or memory left, a start that fails, or an error nobody caught.",
        then, "AWS/Lambda", "Errors", "Sum", dimensions, above=2, minutes=1,
    )  # fmt: skip
    yield Alarm(
        "new-version-faults",
        "The API's newest version answers 500.",
        then, counted.NAMESPACE, "api_faults", "Sum", {"stage": stage, "version": version}, above=2, minutes=1,
    )  # fmt: skip
    yield Alarm(
        "new-version-slow",
        "Of the API's newest version one call in ten takes longer than three seconds.",
        then, "AWS/Lambda", "Duration", "p90", dimensions, above=SLOW_MS, minutes=1, times=3,
    )  # fmt: skip


def _functions() -> Iterator[Alarm]:
    for name in FUNCTIONS:
        if name == DEADLINES:
            continue  # clock-fails
        yield _lambda(
            name, f"{functions.lambda_name(name)}-errors", "Errors",
            f"Function {functions.lambda_name(name)} dies: it ran out of time or memory, could not start, or raised "
            "what nobody caught.",
            "its log has `Task timed out`, `Runtime exited` or a trace. A consumer's messages come again, and give up "
            "after ten times",
            above=2, minutes=5, family="<function>-errors", resource=f"{function_resource(name)}Errors",
        )  # fmt: skip


def _queues() -> Iterator[Alarm]:
    for queue in topology.QUEUES:
        late_s = LATE_S.get(queue, LATE_ELSEWHERE_S)
        yield Alarm(
            f"{queue}-late",
            f"A message of {queue} has waited for {late_s // 60} minutes."
            + (" Buyers see unpaid orders they have paid." if queue == "payment-notices" else ""),
            "its function is throttled, slow (a provider that does not answer) or dies: see the dashboard. "
            "`infra/limits.py` says how many batches it works on at once",
            "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum",
            {"QueueName": att(queue_resource(queue), "QueueName")},
            above=late_s, minutes=1, family="<queue>-late",
            # A new name there would be a second alarm of the same name, which AWS refuses.
            resource="NoticesLate" if queue == "payment-notices" else "",
        )  # fmt: skip
        yield Alarm(
            f"{queue}-dead",
            f"Messages gave up in {queue}: read the reason attribute, mend the cause, send them again.",
            "messages failed ten times: read the `reason` attribute, mend the cause, start a redrive in SQS's console: "
            "every consumer can run twice",
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum",
            {"QueueName": att(dead_resource(queue), "QueueName")},
            above=0, minutes=5, family="<queue>-dead",
        )  # fmt: skip


def _tables() -> Iterator[Alarm]:
    for table in HOT_TABLES:
        yield Alarm(
            f"{table}-throttled",
            f"DynamoDB throttles writes to {table}: a hot key, or a table that grows faster than on-demand scales.",
            "raise a hot SKU's stock buckets; warm the table up before a sale that is announced",
            "AWS/DynamoDB", "WriteThrottleEvents", "Sum", {"TableName": {"Ref": table_resource(table)}},
            above=10, minutes=5, family="<table>-throttled",
        )  # fmt: skip


def _counted(stage: str) -> Iterator[Alarm]:
    for metric, found in counted.RINGING.items():
        yield Alarm(
            found.name, found.means, found.do,
            counted.NAMESPACE, metric, "Sum", {"stage": stage}, above=found.above, minutes=found.minutes,
        )  # fmt: skip


def _instead(stage: str) -> Iterator[Alarm]:
    """One alarm each for what has one a function or a queue where there are all of them."""
    yield _lambda(
        None, "functions-fail", "Errors",
        "Functions of this account die: no time or memory left, a start that fails, or an error nobody caught.",
        "the dashboards of Lambda say which; its log has `Task timed out`, `Runtime exited` or a trace",
        above=2, minutes=5,
    )  # fmt: skip
    yield Alarm(
        "dead-letters",
        "Messages gave up.",
        "`make doctor` says in which queue; read its `reason`, mend the cause, start a redrive in SQS's console",
        counted.NAMESPACE, "dead_letters", "Sum", {"stage": stage}, above=0, minutes=5,
    )  # fmt: skip


# The table in the documents

BEGIN, END = "<!-- begin: alarms -->", "<!-- end: alarms -->"


def table() -> str:
    """Return what each alarm means and what to do, as Markdown: one row an alarm, or a family of them."""
    rows: dict[str, Alarm] = {}
    for alarm in (*alarms("prod"), *_instead("dev")):
        rows.setdefault(alarm.family or alarm.name, alarm)
    few = ", ".join(f"`{name}`" for name in FEW["dev"])
    lines = [f"`dev` has {len(FEW['dev'])} of them, which cost nothing:", f"{few}.", ""]
    lines += ["| alarm | rings | means | do |", "|---|---|---|---|"]
    for name, alarm in sorted(rows.items()):
        lines.append(f"| `{name}` | {_when(alarm)} | {_meaning(name, alarm)} | {alarm.do} |")
    return "\n".join(lines)


def _when(alarm: Alarm) -> str:
    if alarm.family == "<queue>-late":
        own = ", ".join(f"`{queue}` {late_s // 60}" for queue, late_s in LATE_S.items())
        return f"age above {LATE_ELSEWHERE_S // 60} minutes; {own}"
    bound = f"above {alarm.above:,}" if alarm.above is not None else f"below {alarm.below:,}"
    within = f"in {alarm.minutes} min" + (f", {alarm.times} times in a row" if alarm.times > 1 else "")
    return f"`{alarm.metric}` {bound} {within}"


_FAMILIES = {
    "<queue>-late": "Messages of the queue wait.",
    "<queue>-dead": "Messages gave up.",
    "<table>-throttled": "DynamoDB throttles writes: a hot key, or a table that grows faster than on-demand scales.",
    "<function>-errors": "The function dies: no time or memory left, a start that fails, or an error nobody caught.",
}


def _meaning(name: str, alarm: Alarm) -> str:
    return _FAMILIES[name] if alarm.family else alarm.means


def written(text: str) -> str:
    """Return a document's text with the table put between its markers.

    Raises:
        ValueError: if it has no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document has no place for the alarms")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
