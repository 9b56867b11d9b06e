"""What rings, what is only drawn, and that nothing that our code counts is neither."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib import topology
from chalicelib.complaints.states import Turn
from chalicelib.kernel import clock
from chalicelib.logistics.ports import Subscribed
from chalicelib.notifications import service as notifications
from chalicelib.returns.domain import Turn as ReturnTurn
from chalicelib.runtime import metrics
from infra import alarms, counted, functions, policies, stack
from tools.generate import cost

ROOT = Path(__file__).parents[2]
SPELLED: dict[str, set[str]] = {
    "messages_": set(notifications.COUNTED.values()),
    # What an f-string of the code may become.
    "complaints_missed_by_": {turn.value for turn in Turn},
    "returns_missed_by_": {turn.value for turn in ReturnTurn},
    "tracking_subscription_": {outcome.value for outcome in Subscribed} - {Subscribed.YES.value},
}


def names_in(text: str) -> Iterator[str]:
    """Return the name of every metric that a module's text counts."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword) and node.arg == "counted" and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):  # Given to `runtime/retries.py`, which counts under it.
                yield node.value.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "metrics.count":
            yield from spelled(node.args[0])


def spelled(name: ast.expr) -> Iterator[str]:
    if isinstance(name, ast.Constant):
        yield str(name.value)
    elif isinstance(name, ast.IfExp):
        yield from spelled(name.body)
        yield from spelled(name.orelse)
    elif isinstance(name, ast.JoinedStr):
        prefix = name.values[0]
        assert isinstance(prefix, ast.Constant), ast.unparse(name)
        yield from (str(prefix.value) + rest for rest in SPELLED[str(prefix.value)])
    else:
        assert ast.unparse(name) == "counted", f"a test cannot tell which metric this is: {ast.unparse(name)}"


def counted_by_the_code() -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "chalicelib").rglob("*.py"))
    return {name for text in texts for name in names_in(text)}


def test_every_metric_rings_or_is_drawn_and_none_is_made_up() -> None:
    drawn = [name for names in counted.DRAWN.values() for name in names]
    decided = [*counted.RINGING, *drawn]

    assert len(decided) == len(set(decided)), "decided twice"
    found = counted_by_the_code()
    assert found - set(decided) == set(), "say in infra/counted.py whether anybody is woken by these"
    assert set(decided) - found == set(), "nothing counts these any more"


def test_what_a_module_counts_is_read_from_its_text() -> None:
    text = 'metrics.count("a")\nmetrics.count("b" if x else "c", 2)\nretrying(go, counted="d")\nmetrics.flush("e")\n'
    assert set(names_in(text)) == {"a", "b", "c", "d"}
    with pytest.raises(AssertionError, match="cannot tell which metric"):
        list(names_in("metrics.count(name)"))


@pytest.mark.parametrize("stage", policies.STAGES)
def test_alarms_hear_the_very_dimensions_under_which_functions_count(
    stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A metric of other dimensions is another metric: the alarm would be silent for ever."""
    metrics.flush("what tests before left")
    monkeypatch.setattr(metrics, "on_lambda", lambda: True)
    for name in counted.RINGING:
        metrics.count(name)
    metrics.flush("some-function")
    line = json.loads(capsys.readouterr().out)
    [told] = line["_aws"]["CloudWatchMetrics"]
    assert line["_aws"]["Timestamp"] <= clock.now().timestamp() * 1000

    assert told["Dimensions"] == [["stage"]]
    assert line["function"] == "some-function"
    own = [alarm for alarm in alarms.alarms(stage) if alarm.namespace == counted.NAMESPACE]
    assert {alarm.metric for alarm in own if "version" in alarm.dimensions} <= set(metrics.BY_VERSION)
    heard = [alarm for alarm in own if "version" not in alarm.dimensions]
    assert {alarm.namespace for alarm in heard} == {told["Namespace"]}
    told_names = {metric["Name"] for metric in told["Metrics"]}
    assert told_names == set(counted.RINGING)
    if stage in alarms.FEW:
        assert {alarm.metric for alarm in heard} <= {*told_names, "dead_letters"}
    else:
        assert {alarm.metric for alarm in heard} == told_names
    assert all([set(alarm.dimensions)] == [set(names) for names in told["Dimensions"]] for alarm in heard)


def test_every_queue_rings_when_it_is_late_and_when_something_gave_up() -> None:
    found = {(alarm.metric, json.dumps(alarm.dimensions)) for alarm in alarms.alarms("prod")}
    for queue in topology.QUEUES:
        late = {"QueueName": policies.att(policies.queue_resource(queue), "QueueName")}
        dead = {"QueueName": policies.att(policies.dead_resource(queue), "QueueName")}
        assert ("ApproximateAgeOfOldestMessage", json.dumps(late)) in found
        assert ("ApproximateNumberOfMessagesVisible", json.dumps(dead)) in found
    assert set(alarms.LATE_S) <= set(topology.QUEUES)


def test_every_function_rings_when_it_dies() -> None:
    watched = {
        json.dumps(alarm.dimensions["FunctionName"])
        for alarm in alarms.alarms("prod")
        if (alarm.namespace, alarm.metric) == ("AWS/Lambda", "Errors")
    }
    assert watched == {json.dumps({"Ref": alarms.function_resource(name)}) for name in functions.FUNCTIONS}


def test_a_stage_for_trying_things_rings_of_everything_in_as_many_alarms_as_cost_nothing() -> None:
    few = alarms.alarms("dev")
    assert {alarm.name for alarm in few} == set(alarms.FEW["dev"])
    assert len(few) <= cost.prices()["free"]["alarms"]
    everywhere = [alarm for alarm in few if alarm.namespace == "AWS/Lambda" and not alarm.dimensions]
    assert {alarm.metric for alarm in everywhere} == {"Errors", "Throttles"}, "of every function"
    assert "dead_letters" in {alarm.metric for alarm in few}, "of every queue"
    assert "prod" not in alarms.FEW


@pytest.mark.parametrize("stage", policies.STAGES)
def test_the_template_has_all_of_them_by_names_of_their_own(stage: str) -> None:
    there = {
        name: part["Properties"]
        for name, part in stack.template(stage)["Resources"].items()
        if part.get("Type") == "AWS::CloudWatch::Alarm"
    }
    assert set(there) == {alarm.logical for alarm in alarms.alarms(stage)}
    assert len({part["AlarmName"] for part in there.values()}) == len(there) == len(alarms.alarms(stage))
    assert all(part["AlarmName"].startswith(f"biandan-{stage}-") for part in there.values())
    for part in there.values():
        assert ("Statistic" in part) is not ("ExtendedStatistic" in part)
        assert part["TreatMissingData"] == (
            "breaching"
            if part["AlarmName"].endswith(("clock-stopped", "balances-stopped", "audit-stopped"))
            else "notBreaching"
        )


def test_the_documents_say_of_each_what_it_means_and_what_to_do() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert alarms.written(text) == text, "run `make generate`"
    rows = re.findall(r"^\| `([^`]+)` \|", alarms.table(), re.MULTILINE)
    assert set(rows) == {alarm.family or alarm.name for stage in policies.STAGES for alarm in alarms.alarms(stage)}
    assert len(rows) == len(set(rows))


def test_each_address_that_an_alarm_names_is_one() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    for alarm in alarms.alarms("prod"):
        for method, path, status in re.findall(r"`(GET|POST) (/v1/[^`?]*)(?:\?status=(\w+))?`", alarm.do):
            operation: dict[str, Any] = paths[path][method.lower()]
            if status:
                assert f'"{status}"' in json.dumps(operation["parameters"]), (alarm.name, status)


def test_a_document_without_a_place_is_told() -> None:
    with pytest.raises(ValueError, match="no place for the alarms"):
        alarms.written("nothing")
