"""The deployable truth: the finished zip and template, brought up as CloudFormation on the embedded engine.

The engine runs with ``AUTH=true``: it checks every signature and evaluates the roles of the stack for every call the
functions make, so a policy that lacks something fails here as it would on AWS.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3.session
import pytest

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from infra import functions, refusals, settings_of
from tests.e2e import scenario
from tools.dev import standins
from tools.fakes import engine
from tools.fakes.carriers.hub import Hub
from tools.fakes.sandbox import posting
from tools.fakes.sandbox.core import Keys, Sandbox
from tools.release import deploy, keys, package, smoke
from tools.shared.client import Network

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("deploy")]  # One stack for all of them.

STAGE = "dev"
ACCOUNT = engine.LOCAL_ACCOUNT  # The engine looks unsigned calls of an API up in its own account only.
SECRET_KEY = "embedded-engine-of-this-test"
REGION = "us-east-1"
HARNESS = ("PYTHONPATH", "BIANDAN_TEST_CLOCK")
"""All that functions are given here beside what their stack and Lambda give them: the clock that can be moved."""


@dataclass(frozen=True)
class Deployed:
    """A running stack."""

    engine_url: str
    url: str
    """Base URL of the API: what ``https://<id>.execute-api...amazonaws.com/api`` is on AWS."""
    outputs: dict[str, str]
    session: Any
    stand_ins: standins.StandIns
    log: Path
    moved: Path
    """File with the seconds by which the functions' clock is ahead."""
    clock: clock.Adjustable
    """The stand-ins' clock."""

    def client(self, service: str) -> Any:
        return self.session.client(service)

    def queue_url(self, name: str) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=f"biandan-{STAGE}-{name}")["QueueUrl"])

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
        """Make one HTTP call; returns status, headers in lower case and the JSON body."""
        sent = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        if method == "POST":
            sent.setdefault("idempotency-key", uuid4().hex)
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(), headers=sent
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, found, raw = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refusal:
            status, found, raw = refusal.code, refusal.headers, refusal.read()
        lower = {name.lower(): value for name, value in found.items()}
        return status, lower, json.loads(raw) if raw and "json" in lower.get("content-type", "") else raw


@pytest.fixture(scope="module")
def secrets() -> dict[str, dict[str, Any]]:
    """Return the secrets of a stage that uses the stand-ins."""
    asked = ("payments-sandbox", "logistics-kuaidi100")
    found, lacking = keys.values({}, lambda name: f"test-{name}", stage=STAGE, only=asked)
    assert not lacking
    return found


@pytest.fixture(scope="module")
def adjustable() -> clock.Adjustable:
    return clock.Adjustable()


@pytest.fixture(scope="module")
def stand_ins(secrets: dict[str, dict[str, Any]], adjustable: clock.Adjustable) -> Iterator[standins.StandIns]:
    found = _stand_ins(secrets, adjustable)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def built(stand_ins: standins.StandIns, tmp_path_factory: pytest.TempPathFactory) -> package.Package:
    """The package of a stage whose settings file names the stand-ins: the only way to tell a function anything."""
    platform = package.LAMBDA if package.host_runs_lambda() else package.HOST
    folder = tmp_path_factory.mktemp("package")
    file = folder / "settings.toml"
    file.write_text("".join(f'{name} = "{url}"\n' for name, url in stand_ins.environment.items()), encoding="utf-8")
    settings = settings_of.read(STAGE, file)
    return package.build(STAGE, folder, platform=platform, settings=settings, python=sys.executable, say=lambda _: None)


@pytest.fixture(scope="module")
def deployed(
    built: package.Package,
    secrets: dict[str, dict[str, Any]],
    adjustable: clock.Adjustable,
    stand_ins: standins.StandIns,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("engine")
    log, moved = folder / "engine.log", folder / "clock"
    opened: dict[str, Any] = {}
    settings = {
        "AUTH": "true",
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "LOG_LEVEL": "INFO",
        "PYTHONPATH": str(Path(__file__).parent / "movable_clock"),
        "BIANDAN_TEST_CLOCK": str(moved),
        "BIANDAN_LEAK": "what nobody tells a function",
    }
    try:
        with (
            engine.Engine(log=log, settings=settings, public_apis=True, functions_keep=HARNESS) as running,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.delenv("AWS_ENDPOINT_URL", raising=False)  # The test run's own engine.
            session = boto3.session.Session(ACCOUNT, SECRET_KEY, region_name=REGION)
            session.client = _at(session.client, running.url, opened)  # type: ignore[method-assign, assignment]
            keys.create(session, STAGE, secrets)
            fit_engine(built)
            outputs = deploy.bring_up(
                session,
                built,
                # The engine knows no budgets.
                {"AlarmEmail": "", "StorefrontOrigins": "*", "MonthlyBudgetUsd": "0"},
                say=lambda _: None,
                how=deploy.How(poll_s=0.2, address_of=lambda found: _address(running.url, found)),
            )
            gateway_responses(session, built, outputs["RestAPIId"])
            url = _address(running.url, outputs)
            yield Deployed(running.url, url, outputs, session, stand_ins, log, moved, adjustable)
    finally:
        for client in opened.values():
            client.close()


def _stand_ins(secrets: dict[str, dict[str, Any]], now: clock.Adjustable) -> standins.StandIns:
    """Start the sandbox provider and the carrier hub with this installation's keys, on a clock that can be moved."""
    hub = secrets["logistics-kuaidi100"]
    found = standins.StandIns(
        sandbox=Sandbox(keys=Keys(**secrets["payments-sandbox"]), now=lambda: now().timestamp()),
        hub=Hub(posting.exchange, key=hub["key"], customer=hub["customer"], now=now),
    )
    found.start()
    return found


def _at(make: Callable[..., Any], url: str, opened: dict[str, Any]) -> Callable[[str], Any]:
    """Return what gives the one client of a service at the engine."""

    def client(service: str) -> Any:
        if service not in opened:
            opened[service] = make(service, endpoint_url=url)
        return opened[service]

    return client


def _address(engine_url: str, outputs: Any) -> str:
    return f"{engine_url}/_aws/execute-api/{outputs['RestAPIId']}/api"


def fit_engine(built: package.Package) -> None:
    """Change the two things in the template where the engine differs from AWS."""
    template = json.loads(built.template_path.read_text(encoding="utf-8"))
    # It is called over plain HTTP on this machine, which the policy of every bucket refuses.
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    for name, resource in list(template["Resources"].items()):
        if resource["Type"] == "AWS::S3::BucketPolicy":
            document = resource["Properties"]["PolicyDocument"]
            assert plain in [statement.get("Condition") for statement in document["Statement"]], name
            document["Statement"] = [one for one in document["Statement"] if one.get("Condition") != plain]
            if not document["Statement"]:
                del template["Resources"][name]
    # It demands sqs:SendMessageBatch, which AWS does not know: there sqs:SendMessage covers both.
    for resource in template["Resources"].values():
        for policy in resource.get("Properties", {}).get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                if "sqs:SendMessage" in statement["Action"]:
                    statement["Action"].append("sqs:SendMessageBatch")
    built.template_path.write_text(json.dumps(template), encoding="utf-8")


def gateway_responses(session: Any, built: package.Package, api_id: str) -> None:
    """Put the template's gateway responses: the engine does not read them from the API's document, AWS does."""
    template = json.loads(built.template_path.read_text(encoding="utf-8"))
    gateway = session.client("apigateway")
    for kind, response in template["Resources"]["RestAPI"]["Properties"]["Body"][refusals.EXTENSION].items():
        gateway.put_gateway_response(restApiId=api_id, responseType=kind, **response)
    deployment = gateway.create_deployment(restApiId=api_id)
    gateway.update_stage(
        restApiId=api_id,
        stageName="api",
        patchOperations=[{"op": "replace", "path": "/deploymentId", "value": deployment["id"]}],
    )


def eventually(probe: Callable[[], Any], *, within_s: float = 240) -> Any:
    """Return the first true answer of ``probe``."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"nothing within {within_s} s")


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


Held = AbstractContextManager[str]


@pytest.fixture
def held_queue(deployed: Deployed) -> Callable[[str], Held]:
    """Stop a queue's function for a block, so that what arrives can be read; what was not read is dropped."""
    client = deployed.client("lambda")

    @contextmanager
    def hold(queue: str) -> Iterator[str]:
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:biandan-{STAGE}-{queue}"
        mapping = client.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"][0]["UUID"]
        client.update_event_source_mapping(UUID=mapping, Enabled=False)
        try:
            yield deployed.queue_url(queue)
        finally:
            deployed.client("sqs").purge_queue(QueueUrl=deployed.queue_url(queue))
            client.update_event_source_mapping(UUID=mapping, Enabled=True)

    return hold


def received(deployed: Deployed, queue_url: str, count: int) -> list[facts.Envelope]:
    """Return ``count`` envelopes from a queue."""
    found: list[facts.Envelope] = []

    def probe() -> bool:
        answer = deployed.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            found.append(facts.decode(message["Body"]))
            deployed.client("sqs").delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return len(found) >= count

    eventually(probe)
    return found


def a_table_key(deployed: Deployed, table: str, identity: str) -> dict[str, Any]:
    described = deployed.client("dynamodb").describe_table(TableName=f"biandan-{STAGE}-{table}")["Table"]
    kinds = {part["AttributeName"]: part["AttributeType"] for part in described["AttributeDefinitions"]}
    return {
        part["AttributeName"]: {kinds[part["AttributeName"]]: identity if kinds[part["AttributeName"]] == "S" else "1"}
        for part in described["KeySchema"]
    }


def tables(deployed: Deployed) -> list[str]:
    names = deployed.client("dynamodb").list_tables()["TableNames"]
    return [name.removeprefix(f"biandan-{STAGE}-") for name in names]


def test_the_stream_of_every_table_reaches_the_queue(deployed: Deployed, held_queue: Callable[[str], Held]) -> None:
    wanted = set(tables(deployed))
    assert wanted == set(topology.TABLES)
    with held_queue("catalog") as queue_url:
        for table in wanted:
            put_with_event(deployed, table)
        assert {found.id.split("#")[1] for found in received(deployed, queue_url, len(wanted))} == wanted


def put_with_event(deployed: Deployed, table: str) -> None:
    """Write an item as a unit of work would, with an event that goes to the catalog's queue; and take it away again."""
    envelope = facts.Envelope(
        id=f"stock.depleted#{table}",
        type="stock.depleted",
        at=datetime(2026, 11, 22, 4, 0, tzinfo=UTC),
        request_id="r1",
        cause_id="http#r1",
        actor="test",
        data={"type": "stock.depleted", "sku_id": table},
    )
    key = a_table_key(deployed, table, f"deploy-{table}")
    riding = {"version": {"N": "1"}, "event_version": {"N": "1"}, "events": {"S": facts.encode_list([envelope])}}
    dynamodb = deployed.client("dynamodb")
    dynamodb.put_item(TableName=f"biandan-{STAGE}-{table}", Item={**key, **riding})
    dynamodb.delete_item(TableName=f"biandan-{STAGE}-{table}", Key=key)


TICK = {
    "version": "0",
    "id": "tick",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": ACCOUNT,
    "time": "2026-11-22T04:00:00Z",
    "region": REGION,
    "resources": [],
    "detail": {},
}
"""What EventBridge sends each minute."""


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


def tick(deployed: Deployed) -> Any:
    """Run the deadline job as the schedule would; returns what it found due."""
    answer = deployed.client("lambda").invoke(FunctionName=f"biandan-{STAGE}-deadlines", Payload=json.dumps(TICK))
    found = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, found
    return found


# The stack itself


def test_a_function_has_the_variables_of_the_template_and_of_lambda_alone(deployed: Deployed) -> None:
    """Each worker is a process of its own whose parent is the engine: its very environment is read."""
    tick(deployed)
    found = environments_of_functions(deployed)
    assert found
    allowed = settings_of.given() | {"BIANDAN_SANDBOX_URL", "BIANDAN_KUAIDI100_URL", "BIANDAN_TEST_CLOCK"}
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
        [
            sys.executable,
            "-c",
            "import json, tools.dev.seed; print(json.dumps(tools.dev.seed.ensure(say=lambda _: None)))",
        ],
        cwd=package.ROOT,
        env={**os.environ, **engine.environment(deployed.engine_url, stage=STAGE), "BIANDAN_THROTTLE_FACTOR": "100"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    accounts: list[dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return accounts


def settle(deployed: Deployed, *, within_s: float = 300) -> None:
    """Wait until no queue holds anything: what has happened has reached everybody."""
    sqs = deployed.client("sqs")
    urls = [deployed.queue_url(queue) for queue in topology.QUEUES]
    counts = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]

    def is_empty() -> bool:
        return not any(
            int(number)
            for url in urls
            for number in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"].values()
        )

    for _ in range(2):  # An empty moment may lie between a commit and its stream.
        eventually(is_empty, within_s=within_s)
        time.sleep(0.5)


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


def test_no_function_was_refused_by_its_role(deployed: Deployed) -> None:
    """Runs last: nothing above may have been denied, not even where the code lives with a denial."""
    text = deployed.log.read_text(encoding="utf-8")
    denied = [line for line in text.splitlines() if "AccessDenied" in line or "not authorized to perform" in line]
    assert denied == []
