"""The deployable truth: the finished zip and template, brought up as CloudFormation on the embedded engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from chalicelib import topology
from infra import functions, settings_of
from tests.e2e import scenario
from tests.support.deployed import (
    STAGE,
    Deployed,
    Held,
    eventually,
    holding,
    put_with_event,
    received,
    settle,
    tables,
    tick,
)
from tools.fakes import engine
from tools.release import deploy, package, smoke
from tools.shared.client import Network

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("deploy")]  # One stack for all of them.


@pytest.fixture
def held_queue(deployed: Deployed) -> Callable[[str], Held]:
    return holding(deployed)


# HTTP


def test_the_api_answers_from_the_zip(deployed: Deployed) -> None:
    status, headers, document = deployed.call("GET", "/openapi.json")

    assert status == 200, document
    assert document["openapi"] == "3.1.0"
    assert headers["etag"].startswith('"')


def test_a_refusal_of_ours_is_a_problem_in_the_callers_language(deployed: Deployed) -> None:
    status, headers, problem = deployed.call("GET", "/v1/me", accept_language="zh-CN")

    assert (status, headers["content-type"]) == (401, "application/problem+json")
    assert (problem["code"], problem["detail"]) == ("unauthenticated", "请登录并携带有效的访问令牌。")
    assert problem["request_id"] == headers["x-request-id"]


def test_the_gateways_own_refusal_takes_the_same_shape(deployed: Deployed) -> None:
    status, headers, problem = deployed.call("GET", "/no/such/address")

    assert (status, headers["content-type"]) == (404, "application/problem+json")
    assert set(problem) == {"type", "title", "status", "code", "detail", "request_id"}
    assert (problem["code"], problem["status"], problem["title"]) == ("not_found", 404, "Not Found")
    assert len(problem["request_id"]) >= 32


def test_an_account_signs_up_and_reads_itself(deployed: Deployed) -> None:
    name = f"{uuid4().hex[:10]}@example.org"
    status, _, account = deployed.call(
        "POST", "/v1/auth/register", {"identity": name, "password": "correct horse battery 9"}
    )
    assert status in (200, 201), account

    status, _, signed_in = deployed.call(
        "POST", "/v1/auth/sign-in", {"identity": name, "password": "correct horse battery 9"}
    )
    assert status == 200, signed_in
    token = signed_in.get("access_token") or signed_in["tokens"]["access_token"]
    status, _, me = deployed.call("GET", "/v1/me", authorization=f"Bearer {token}")
    assert (status, me["account_id"][:4]) == (200, "acc_")


# Streams, queues, schedule


def test_every_queue_function_runs_and_reaches_its_dead_letters(deployed: Deployed) -> None:
    sqs = deployed.client("sqs")
    for queue in topology.QUEUES:
        sqs.send_message(QueueUrl=deployed.queue_url(queue), MessageBody="no envelope")

    for queue in topology.QUEUES:
        dead = deployed.queue_url(f"{queue}-dead")
        read = partial(sqs.receive_message, QueueUrl=dead, MessageAttributeNames=["All"])
        found = eventually(lambda read=read: read().get("Messages"))  # type: ignore[misc]
        assert found[0]["Body"] == "no envelope"
        assert found[0]["MessageAttributes"]["reason"]["StringValue"] == "undecodable"
        assert found[0]["MessageAttributes"]["queue"]["StringValue"] == queue
        sqs.delete_message(QueueUrl=dead, ReceiptHandle=found[0]["ReceiptHandle"])


def test_the_stream_of_every_table_reaches_the_queue(deployed: Deployed, held_queue: Callable[[str], Held]) -> None:
    wanted = set(tables(deployed))
    assert wanted == set(topology.TABLES)
    with held_queue("catalog") as queue_url:
        for table in wanted:
            key = put_with_event(deployed, table)
            deployed.client("dynamodb").delete_item(TableName=f"biandan-{STAGE}-{table}", Key=key)
        assert {found.id.split("#")[1] for found in received(deployed, queue_url, len(wanted))} == wanted


def test_the_schedule_runs_the_deadline_job_and_it_finds_what_is_due(
    deployed: Deployed, held_queue: Callable[[str], Held]
) -> None:
    rules = deployed.client("events").list_rules()["Rules"]
    assert "rate(1 minute)" in [rule["ScheduleExpression"] for rule in rules]
    dynamodb = deployed.client("dynamodb")
    table = f"biandan-{STAGE}-orders"
    key = {"purchase_id": {"S": f"pur_{'0' * 24}"}, "id": {"S": f"ord_{'0' * 24}_01"}}
    due = {"version": {"N": "1"}, "due_shard": {"S": "due0"}, "due_at": {"N": "1"}}
    with held_queue(topology.DEADLINES["ord"][1]) as queue_url:
        dynamodb.put_item(TableName=table, Item={**key, **due})
        assert tick(deployed) == {"order": 1}
        found = received(deployed, queue_url, 1)[0]
        dynamodb.delete_item(TableName=table, Key=key)
    assert (found.type, found.data["record_id"]) == ("due", key["id"]["S"])


# The stack itself


def test_a_function_has_the_variables_of_the_template_and_of_lambda_alone(deployed: Deployed) -> None:
    """Each worker is a process of its own whose parent is the engine: its very environment is read."""
    tick(deployed)
    found = environments_of_functions(deployed)
    assert found
    told = {"BIANDAN_SANDBOX_URL", "BIANDAN_KUAIDI100_URL", "BIANDAN_REGISTRATION", "BIANDAN_TEST_CLOCK"}
    told |= {"BIANDAN_CARRIER_HUB", "BIANDAN_CARRIER_HUB_OF", "BIANDAN_KDNIAO_URL", "BIANDAN_WAYBILLS"}
    allowed = settings_of.given() | told
    for environment in found:
        ours = {name for name in environment if name.startswith("BIANDAN_")}
        assert ours <= allowed
        if environment["AWS_LAMBDA_FUNCTION_NAME"] == f"biandan-{STAGE}-deadlines":
            assert not ours & {"BIANDAN_SANDBOX_URL", "BIANDAN_KUAIDI100_URL"}


def environments_of_functions(deployed: Deployed) -> list[dict[str, str]]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            raw = (process / "environ").read_bytes().decode()
        except OSError:
            continue
        environment = dict(part.split("=", 1) for part in raw.split("\0") if "=" in part)
        if environment.get("BIANDAN_TEST_CLOCK") == str(deployed.moved) and "AWS_LAMBDA_FUNCTION_NAME" in environment:
            found.append(environment)
    return found


def test_the_roles_are_those_of_the_table_and_forbid_the_rest(deployed: Deployed) -> None:
    iam = deployed.client("iam")
    functions_found = {
        found["FunctionName"]: found["Role"].rsplit("/", 1)[1]
        for found in deployed.client("lambda").list_functions()["Functions"]
    }
    assert set(functions_found) == {f"biandan-{STAGE}-{functions.lambda_name(n)}" for n in functions.FUNCTIONS}
    assert len(set(functions_found.values())) == len(functions.FUNCTIONS)
    for role in functions_found.values():
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            text = json.dumps(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])
            assert "Scan" not in text
            assert '"Resource": "*"' not in text


def test_deploying_the_same_again_changes_nothing(deployed: Deployed, built: package.Package) -> None:
    said: list[str] = []
    outputs = deploy.bring_up(deployed.session, built, {}, say=said.append, how=deploy.How(poll_s=0.2))

    assert outputs == deployed.outputs
    assert not [line for line in said if "telling" in line]
    assert "nothing to change" in said


def seeded(deployed: Deployed) -> list[dict[str, str]]:
    """Fill the stack with the demonstration marketplace, as its operator would: from outside, with own credentials."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.dev.seed"],
        cwd=package.ROOT,
        env={**os.environ, **engine.environment(deployed.engine_url, stage=STAGE), "BIANDAN_THROTTLE_FACTOR": "100"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    accounts: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return accounts


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the connections of the people in the scenario."""
    opened: list[Network] = []

    def connect(url: str) -> Network:
        opened.append(Network(url))
        return opened[-1]

    monkeypatch.setattr(scenario, "Network", connect)
    yield
    for network in opened:
        network.close()


@pytest.mark.usefixtures("networks")
def test_main_job_through_the_deployed_stack(deployed: Deployed, held_queue: Callable[[str], Held]) -> None:
    started = time.monotonic()

    def tell(text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - started:6.1f} s {text}\n")

    with held_queue("catalog"):  # The seed writes the search index itself; here it need not be written twice.
        accounts = seeded(deployed)
    tell("seeded")
    settle(deployed)

    def advance(by: timedelta) -> None:
        """Let time pass in functions and stand-ins, and the minute's tick with it."""
        settle(deployed)
        deployed.clock.advance(by)
        deployed.moved.write_text(str(deployed.clock.offset.total_seconds()), encoding="ascii")
        for _ in range(2):
            tick(deployed)
            settle(deployed)

    scenario.play(
        deployed.url,
        deployed.stand_ins.sandbox_url,
        deployed.stand_ins.carrier_url,
        accounts=accounts,
        advance=advance,
        say=tell,
        codes=False,
    )
    settle(deployed)
    sqs = deployed.client("sqs")
    for queue in topology.QUEUES:
        dead = sqs.receive_message(QueueUrl=deployed.queue_url(f"{queue}-dead"), MessageAttributeNames=["All"])
        assert dead.get("Messages", []) == []


def test_the_smoke_test_of_a_release_finds_all_well_and_sells_nothing(deployed: Deployed) -> None:
    said: list[str] = []
    assert smoke.report(deployed.url, orders=True, say=said.append)
    assert said == ["  ✓ it is up", "  ✓ its keys are there", "  ✓ it reads", "  ✓ it sells"]
