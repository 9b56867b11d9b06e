"""A whole stack on an embedded engine of its own, in a clean environment: what the tests of deployments stand on.

The engine runs with ``AUTH=true``: it checks every signature and evaluates the roles of the stack for every call the
functions make, so a policy that lacks something fails here as it would on AWS.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from infra import refusals
from tools.dev import standins
from tools.fakes import engine
from tools.fakes.carriers.hub import Hub
from tools.fakes.messages import carriers
from tools.fakes.sandbox import posting
from tools.fakes.sandbox.core import Keys, Sandbox
from tools.fakes.sign_in import mount
from tools.release import deploy, package

STAGE = "dev"
ACCOUNT = engine.LOCAL_ACCOUNT  # The engine looks unsigned calls of an API up in its own account only.
SECRET_KEY = "embedded-engine-of-this-test"
REGION = "us-east-1"
HARNESS = ("PYTHONPATH", "BIANDAN_TEST_CLOCK")
"""All that functions are given here beside what their stack and Lambda give them: the clock that can be moved."""
GIVEN = {"AlarmEmail": "", "StorefrontOrigins": "*", "MonthlyBudgetUsd": "0"}
"""Parameters of these tests: the engine knows no budgets."""


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
    built: package.Package
    first_attempt: str
    """What was said of a first creation that failed."""
    installed: str = STAGE

    def client(self, service: str) -> Any:
        return self.session.client(service)

    def queue_url(self, name: str) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=f"biandan-{self.installed}-{name}")["QueueUrl"])

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


def start_stand_ins(secrets: dict[str, dict[str, Any]], now: clock.Adjustable) -> standins.StandIns:
    """Start the sandbox provider and the carrier hub with this installation's keys, on a clock that can be moved."""
    hub = secrets["logistics-kuaidi100"]
    found = standins.StandIns(
        sandbox=Sandbox(keys=Keys(**secrets["payments-sandbox"]), now=lambda: now().timestamp()),
        hub=Hub(posting.exchange, key=hub["key"], customer=hub["customer"], now=now),
    )
    found.start()
    return found


def at(make: Callable[..., Any], url: str, opened: dict[str, Any]) -> Callable[[str], Any]:
    """Return what gives the one client of a service at the engine."""

    def client(service: str) -> Any:
        if service not in opened:
            opened[service] = make(service, endpoint_url=url)
        return opened[service]

    return client


def address(engine_url: str, outputs: Any) -> str:
    return f"{engine_url}/_aws/execute-api/{outputs['RestAPIId']}/api"


def settings_text(stand_ins: standins.StandIns) -> str:
    """Return a stage's settings file that names the stand-ins.

    Left out are messages, for no stage names another SES, and sign-in by QQ, whose secrets it has not. So registering
    asks for no code, as in the stage ``dev``.
    """
    left_out = {*carriers.settings(""), *mount.settings("")}
    told = {name: url for name, url in stand_ins.environment.items() if name not in left_out}
    told["BIANDAN_REGISTRATION"] = "open"
    return "".join(f'{name} = "{value}"\n' for name, value in told.items())


def fit_engine(built: package.Package) -> None:
    """Change the three things in the template where the engine differs from AWS."""
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
                # It does not tell its policies in which context a key is used.
                if "kms:Decrypt" in statement["Action"]:
                    assert statement.pop("Condition") == {"StringEquals": {"kms:EncryptionContext:purpose": "rows"}}
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


def broken(built: package.Package, folder: Path) -> package.Package:
    """Return the package with a resource that cannot be made, after all others: the address of no function."""
    template = json.loads(built.template_path.read_text(encoding="utf-8"))
    url = {"TargetFunctionArn": "no-such-function", "AuthType": "AWS_IAM"}
    others = sorted(name for name, part in template["Resources"].items() if "Condition" not in part)
    template["Resources"]["BrokenUrl"] = {"Type": "AWS::Lambda::Url", "Properties": url, "DependsOn": others}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "template.json"
    path.write_text(json.dumps(template), encoding="utf-8")
    return replace(built, template_path=path)


def bring_up(deployed_at: str, session: Any, built: package.Package, parameters: Any, say: Any) -> dict[str, str]:
    """Deploy as the tool does, against the engine's own address of the API."""
    how = deploy.How(poll_s=0.2, address_of=lambda found: address(deployed_at, found))
    return deploy.bring_up(session, built, parameters, say=say, how=how)


Held = AbstractContextManager[str]


def holding(deployed: Deployed) -> Callable[[str], Held]:
    """Return what stops a queue's function for a block, so that what arrives can be read; the rest is dropped."""
    client = deployed.client("lambda")

    @contextmanager
    def hold(queue: str) -> Iterator[str]:
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:biandan-{deployed.installed}-{queue}"
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
    described = deployed.client("dynamodb").describe_table(TableName=f"biandan-{deployed.installed}-{table}")["Table"]
    kinds = {part["AttributeName"]: part["AttributeType"] for part in described["AttributeDefinitions"]}
    return {
        part["AttributeName"]: {kinds[part["AttributeName"]]: identity if kinds[part["AttributeName"]] == "S" else "1"}
        for part in described["KeySchema"]
    }


def tables(deployed: Deployed) -> list[str]:
    prefix = f"biandan-{deployed.installed}-"
    found = deployed.client("dynamodb").list_tables()["TableNames"]
    return [name.removeprefix(prefix) for name in found if name.startswith(prefix)]


def put_with_event(deployed: Deployed, table: str, *, at: datetime | None = None) -> dict[str, Any]:
    """Write an item as a unit of work would, with an event that goes to the catalog's queue; returns its key."""
    envelope = facts.Envelope(
        id=f"stock.depleted#{table}",
        type="stock.depleted",
        at=at or datetime(2026, 11, 22, 4, 0, tzinfo=UTC),
        request_id="r1",
        cause_id="http#r1",
        actor="test",
        data={"type": "stock.depleted", "sku_id": table},
    )
    key = a_table_key(deployed, table, f"deploy-{table}")
    riding = {"version": {"N": "1"}, "event_version": {"N": "1"}, "events": {"S": facts.encode_list([envelope])}}
    dynamodb = deployed.client("dynamodb")
    dynamodb.put_item(TableName=f"biandan-{deployed.installed}-{table}", Item={**key, **riding})
    return key


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


def tick(deployed: Deployed) -> Any:
    """Run the deadline job as the schedule would; returns what it found due."""
    answer = deployed.client("lambda").invoke(
        FunctionName=f"biandan-{deployed.installed}-deadlines", Payload=json.dumps(TICK)
    )
    found = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, found
    return found


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
