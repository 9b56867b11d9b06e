"""The runbook of docs/restore.md, played word for word against the deployed stack, which becomes two.

The rows of the moment come from ``tests/support/past.py``: the engine restores a table as it is, not as it was. All
else is real here: the second stack in the same account, its functions and roles, its streams and the relay at them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chalicelib import topology
from infra import settings_of
from tests.support import past
from tests.support.deployed import (
    STAGE,
    Deployed,
    address,
    bring_up,
    eventually,
    fit_engine,
    gateway_responses,
    holding,
    put_with_event,
    received,
    settings_text,
    settle,
    tables,
    tick,
)
from tools.fakes import engine
from tools.operate import restore, stage_doctor
from tools.operate.stage_doctor import Stage
from tools.release import package, smoke
from tools.shared import place

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("deploy")]

RUNBOOK = Path(__file__).parents[3] / "docs" / "restore.md"
MOMENT = "2026-11-29T08:00:00Z"
LABEL = "back"
BACK = f"{STAGE}-{LABEL}"
PASSWORD = "correct horse battery 9"


def commands() -> list[list[str]]:
    """Return the commands of the runbook, for the stage that is tried."""
    [block] = re.findall(r"```sh\n(.*?)```", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL)
    found = [shlex.split(line.replace("STAGE=prod", f"STAGE={STAGE}")) for line in block.splitlines()]
    assert all(line[0] == "make" for line in found)
    return found


@dataclass
class Drill:
    """What plays the commands, and what they came to."""

    deployed: Deployed
    past: past.Past
    folder: Path
    moment: datetime
    back: Deployed | None = None
    said: str = ""

    def play(self, command: list[str], capture: Callable[[], str]) -> None:
        """Run one command of the runbook."""
        _, target, stage, arguments = command
        told = shlex.split(arguments.removeprefix("ARGS=").replace(MOMENT, self.moment.isoformat()))
        told += ["--stage", stage.removeprefix("STAGE=")]
        if target == "restore" and "--after" not in told:
            assert restore.main(told) == 0
            self.said = capture()
        elif target == "deploy":
            assert told[:4] == ["--label", LABEL, "--shift", "at-once"]
            self.back = self._deploy()
        elif target == "doctor":
            found = stage_doctor.examine(Stage(STAGE, BACK, self.deployed.session, connect=_answers))
            # While the first is held, what hears the whole account rings. A runtime that ends is no matter of this.
            feeds = [line for line in found.pop("feeds") if "is not fed" in line]
            assert {name: wrong for name, wrong in found.items() if wrong and name not in ("queues", "alarms")} == {}
            assert feeds == []
        else:
            self.said = self._tool(target, told)

    def _deploy(self) -> Deployed:
        """Deploy the second installation with the zip of the first."""
        first = self.deployed
        settings = settings_of.read(STAGE, self.folder / "settings.toml")
        path = package.write_template(
            STAGE, self.folder / LABEL, package.this_interpreter(), settings=settings, label=LABEL
        )
        built = replace(first.built, label=LABEL, template_path=path)
        fit_engine(built)
        outputs = bring_up(first.engine_url, first.session, built, {"MonthlyBudgetUsd": "0"}, lambda _: None)
        gateway_responses(first.session, built, outputs["RestAPIId"])
        url = address(first.engine_url, outputs)
        return replace(first, url=url, outputs=outputs, built=built, installed=BACK)

    def _tool(self, target: str, told: list[str]) -> str:
        """Run a tool as a person does, in a process of its own."""
        environment = engine.environment(self.deployed.engine_url, stage="local")
        # What another test of this process named, a person's shell does not have.
        shell = {
            name: value for name, value in os.environ.items() if not name.startswith("BIANDAN_") or "ENGINE" in name
        }
        done = subprocess.run(
            [sys.executable, "-m", f"tools.operate.{target}", *told],
            cwd=package.ROOT,
            env={**shell, **environment},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


def _answers(_: str) -> Any:
    return lambda method, path, headers, body: (401, {}, b"")


@pytest.fixture
def drill(deployed: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drill:
    (tmp_path / "settings.toml").write_text(settings_text(deployed.stand_ins), encoding="utf-8")
    there = past.Past(deployed.client("dynamodb"))
    real = deployed.session.client

    class Session:
        region_name = deployed.session.region_name

        def client(self, service: str) -> Any:
            return there if service == "dynamodb" else real(service)

    monkeypatch.setattr(restore, "POLL_S", 0.2)
    monkeypatch.setattr(place, "find", lambda *_: place.Place(Session(), "us-east-1", "the test"))
    return Drill(deployed, there, tmp_path, datetime.now(UTC))


def register(deployed: Deployed) -> str:
    name = f"{uuid4().hex[:10]}@example.org"
    status, _, answer = deployed.call("POST", "/v1/auth/register", {"identity": name, "password": PASSWORD})
    assert status in (200, 201), answer
    return name


def signs_in(deployed: Deployed, name: str) -> int:
    status, _, _ = deployed.call("POST", "/v1/auth/sign-in", {"identity": name, "password": PASSWORD})
    return status


def waiting(deployed: Deployed, queue: str) -> int:
    count = "ApproximateNumberOfMessages"
    asked = {"QueueUrl": deployed.queue_url(queue), "AttributeNames": [count]}
    return int(deployed.client("sqs").get_queue_attributes(**asked)["Attributes"][count])


def test_the_runbook_of_restoring(drill: Drill, capsys: pytest.CaptureFixture[str]) -> None:
    deployed = drill.deployed

    def capture() -> str:
        return capsys.readouterr().out

    listed, hold, planned, done, deploying, after, *rest = commands()
    before_it = register(deployed)
    settle(deployed)
    with holding(deployed)("catalog"):  # What is told now is not heard before the moment, nor ever.
        put_with_event(deployed, "carts", at=datetime.now(UTC))
        eventually(lambda: waiting(deployed, "catalog"))
        drill.moment = drill.past.keep([f"biandan-{STAGE}-{table}" for table in topology.TABLES])
    after_it = register(deployed)
    settle(deployed)

    drill.play(listed, capture)
    assert f"biandan-{STAGE}-orders: 20" in drill.said
    drill.play(hold, capture)
    nothing_runs(deployed)
    deployed.client("sqs").send_message(QueueUrl=deployed.queue_url("payment-notices"), MessageBody="told by others")
    deployed.client("sqs").send_message(QueueUrl=deployed.queue_url("orders"), MessageBody="told by ourselves")
    drill.play(planned, capture)
    assert drill.past.begun == []
    drill.play(done, capture)
    of = len(topology.TABLES)
    assert any(f"{ready} of {of} tables" in drill.said for ready in (of - 1, of))
    drill.play(deploying, capture)
    back = drill.back
    assert back is not None
    assert back.url != deployed.url

    assert set(tables(back)) == set(topology.TABLES)
    relay_reads_every_new_stream(drill, back)
    settle(back)
    hold_catalog = holding(back)
    with hold_catalog("catalog"):
        assert waiting(back, "catalog") == 0, "what is in a copy is no change: nobody hears it twice"
        drill.play(after, capture)
        told = json.loads(drill.said.splitlines()[-1])
        assert told["from_outside"] == 1
        # The event that nobody had heard, and what each bucket of stock has: each once.
        wanted = sum(count for kind, count in told["by_type"].items() if "catalog" in topology.queues_for(kind))
        found = received(back, back.queue_url("catalog"), wanted)
        assert [one.id for one in found].count("stock.depleted#carts") == 1
        assert len({one.id for one in found}) == len(found) == wanted
        put_with_event(back, "ledger")  # And the relay goes on where the shop does.
        assert [one.id for one in received(back, back.queue_url("catalog"), 1)] == ["stock.depleted#ledger"]
    assert (signs_in(back, before_it), signs_in(back, after_it)) == (200, 401)
    assert waiting(deployed, "payment-notices") == 0
    assert waiting(deployed, "orders") == 1, "what we told ourselves stays: rows tell it again, or it is gone"
    [dead] = eventually(lambda: dead_letters(back, "payment-notices"))
    assert dead["Body"] == "told by others"
    for command in rest:
        drill.play(command, capture)
    assert smoke.report(back.url, orders=True, say=lambda _: None)

    assert restore.main(["--let-go", "--stage", STAGE]) == 0
    assert tick(deployed) is not None
    assert signs_in(deployed, after_it) == 200, "the one that stood has lost nothing"


def every_function(deployed: Deployed) -> list[dict[str, Any]]:
    """List the functions of all stacks: two stacks have more than the fifty of a page."""
    pages = deployed.client("lambda").get_paginator("list_functions").paginate()
    return [function for page in pages for function in page["Functions"]]


def nothing_runs(deployed: Deployed) -> None:
    """AWS's gateway is refused as any caller is; the engine's calls a function that nobody else may."""
    client = deployed.client("lambda")
    for function in every_function(deployed):
        name = function["FunctionName"]
        assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 0
        for mapping in client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
            assert mapping["State"] in ("Disabled", "Disabling")
    with pytest.raises(client.exceptions.TooManyRequestsException):
        tick(deployed)


def relay_reads_every_new_stream(drill: Drill, back: Deployed) -> None:
    client = back.client("lambda")
    mappings = client.list_event_source_mappings(FunctionName=f"biandan-{BACK}-relay")["EventSourceMappings"]
    streams = {
        drill.past.describe_table(TableName=f"biandan-{BACK}-{table}")["Table"]["LatestStreamArn"]
        for table in topology.TABLES
    }
    assert {one["EventSourceArn"] for one in mappings} == streams
    assert all(one["State"] in ("Enabled", "Creating", "Enabling") for one in mappings)


def dead_letters(deployed: Deployed, queue: str) -> list[Any]:
    found = deployed.client("sqs").receive_message(QueueUrl=deployed.queue_url(f"{queue}-dead"))
    return list(found.get("Messages", []))


def test_two_stacks_of_one_account_share_no_name_and_no_right(deployed: Deployed) -> None:
    """The second is there since the drill: its functions name its own tables, queues and secrets alone."""
    iam = deployed.client("iam")
    functions = every_function(deployed)
    second = [one for one in functions if one["FunctionName"].startswith(f"biandan-{BACK}-")]
    first = [one for one in functions if one not in second]
    assert len(first) == len(second) > 0
    assert not {one["Role"] for one in first} & {one["Role"] for one in second}
    for one in second:
        role = one["Role"].rsplit("/", 1)[1]
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            text = json.dumps(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])
            assert not re.search(rf"biandan[-/]{STAGE}(?!-{LABEL})", text), role
