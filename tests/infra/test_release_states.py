"""States of a stack that the embedded engine never gets into, in the shapes CloudFormation answers with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3.session
import pytest
from botocore.stub import ANY, Stubber

from tools.release import changes as release
from tools.release import deploy
from tools.release.errors import DeployError

NAME = "biandan-prod"
ARN = "arn:aws:cloudformation:eu-central-1:123456789012:stack/biandan-prod/1"
AT = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
STACK = {"StackName": NAME}


def session(region: str = "eu-central-1") -> Any:
    return boto3.session.Session("100000000000", "one of a test", region_name=region)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with Stubber(session().client("cloudformation")) as found:
        yield found
        found.assert_no_pending_responses()


def is_in(stub: Stubber, status: str) -> None:
    stub.add_response(
        "describe_stacks", {"Stacks": [{"StackName": NAME, "CreationTime": AT, "StackStatus": status}]}, STACK
    )


def is_gone(stub: Stubber) -> None:
    stub.add_client_error("describe_stacks", "ValidationError", "Stack with id biandan-prod does not exist", 400)


def event_of(number: int, resource: str, status: str, reason: str) -> dict[str, Any]:
    return {
        "StackId": ARN,
        "EventId": f"{number}",
        "StackName": NAME,
        "LogicalResourceId": resource,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": AT,
    }


def happened(stub: Stubber, *told: tuple[str, str, str]) -> None:
    """The newest comes first, as from AWS."""
    events = [event_of(number, *one) for number, one in enumerate(told)]
    stub.add_response("describe_stack_events", {"StackEvents": events}, STACK)


def stack(stub: Stubber, said: list[str] | None = None) -> release.Stack:
    return release.Stack(stub.client, NAME, (said if said is not None else []).append, poll_s=0)


def test_an_update_that_did_not_get_back_is_brought_back_first(stub: Stubber) -> None:
    is_in(stub, "UPDATE_ROLLBACK_FAILED")
    stub.add_response("continue_update_rollback", {}, STACK)
    is_in(stub, "UPDATE_ROLLBACK_IN_PROGRESS")
    is_in(stub, "UPDATE_ROLLBACK_COMPLETE")
    said: list[str] = []

    assert stack(stub, said).ready() == "UPDATE"
    assert "continuing its rollback" in said[0]


def test_the_cause_is_found_however_much_was_taken_away_after_it(stub: Stubber) -> None:
    """A stack of hundreds of resources has events by the page, and the cause lies on the last."""
    gone = [event_of(number, f"Queue{number}", "DELETE_COMPLETE", "") for number in range(100)]
    cause = [event_of(200, "Firewall", "CREATE_FAILED", "no"), event_of(201, NAME, "CREATE_IN_PROGRESS", "")]
    stub.add_response("describe_stack_events", {"StackEvents": gone, "NextToken": "2"}, STACK)
    stub.add_response("describe_stack_events", {"StackEvents": cause}, {**STACK, "NextToken": "2"})
    assert stack(stub).reasons() == ["Firewall: no"]


def test_one_that_still_does_not_get_back_is_told_with_what_stands_in_its_way(stub: Stubber) -> None:
    is_in(stub, "UPDATE_ROLLBACK_FAILED")
    stub.add_response("continue_update_rollback", {}, {**STACK, "ResourcesToSkip": ["Firewall"]})
    is_in(stub, "UPDATE_ROLLBACK_FAILED")
    happened(
        stub,
        (NAME, "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Api]"),
        ("Api", "UPDATE_FAILED", "Too many requests"),
        (NAME, "UPDATE_IN_PROGRESS", "User Initiated"),
        ("Old", "UPDATE_FAILED", "of an operation before"),
    )
    with pytest.raises(DeployError, match=r"still UPDATE_ROLLBACK_FAILED: Api: Too many requests\. Mend .*--skip"):
        stack(stub).ready(["Firewall"])


@pytest.mark.parametrize("status", sorted(release.NEVER_CREATED))
def test_a_stack_that_was_never_created_is_taken_away(stub: Stubber, status: str) -> None:
    is_in(stub, status)
    protection = {**STACK, "EnableTerminationProtection": False}
    stub.add_response("update_termination_protection", {}, protection)
    stub.add_response("delete_stack", {}, STACK)
    is_in(stub, "DELETE_IN_PROGRESS")
    is_gone(stub)
    assert stack(stub).ready() == "CREATE"


def test_what_does_not_go_away_is_told(stub: Stubber) -> None:
    is_in(stub, "ROLLBACK_FAILED")
    stub.add_response("update_termination_protection", {}, {**STACK, "EnableTerminationProtection": False})
    stub.add_response("delete_stack", {}, STACK)
    is_in(stub, "DELETE_FAILED")
    happened(stub, ("UploadsBucket", "DELETE_FAILED", "The bucket you tried to delete is not empty"))
    with pytest.raises(DeployError, match="DELETE_FAILED: UploadsBucket: The bucket you tried to delete is not empty"):
        stack(stub).ready()


@pytest.mark.parametrize("status", ["", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_is_none_yet_is_created(stub: Stubber, status: str) -> None:
    is_in(stub, status) if status else is_gone(stub)
    assert stack(stub).ready() == "CREATE"


def test_a_busy_stack_is_waited_for(stub: Stubber) -> None:
    is_in(stub, "UPDATE_IN_PROGRESS")
    is_in(stub, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    said: list[str] = []
    assert stack(stub, said).ready() == "UPDATE"
    assert "is busy (UPDATE_IN_PROGRESS)" in said[0]


def test_a_stack_in_an_unheard_of_state_is_left_alone(stub: Stubber) -> None:
    is_in(stub, "DELETE_FAILED")
    happened(stub, ("OrdersTable", "DELETE_FAILED", "Resource cannot be deleted as it is protected"))
    with pytest.raises(DeployError, match="is DELETE_FAILED: OrdersTable: Resource cannot be deleted"):
        stack(stub).ready()


def changing(**more: Any) -> dict[str, Any]:
    return {"Type": "Resource", "ResourceChange": {"Scope": [], "Details": [], **more}}


def test_changes_come_in_pages_and_a_conditional_replacement_counts(stub: Stubber) -> None:
    wanted = release.Wanted(NAME, "https://x", {}, {}, {})
    stub.add_response("create_change_set", {"Id": ARN, "StackId": ARN}, None)
    named = {**STACK, "ChangeSetName": ANY}
    stub.add_response("describe_change_set", {"Status": "CREATE_IN_PROGRESS"}, named)
    stub.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"}, named)
    first = changing(Action="Add", LogicalResourceId="New", ResourceType="AWS::SQS::Queue")
    details = [{"Target": {"Attribute": "Properties", "Name": "TableName"}, "Evaluation": "Dynamic"}]
    second = changing(
        Action="Modify",
        LogicalResourceId="OrdersTable",
        ResourceType="AWS::DynamoDB::Table",
        Replacement="Conditional",
        Details=details,
    )
    stub.add_response("describe_change_set", {"Changes": [first], "NextToken": "2"}, named)
    stub.add_response("describe_change_set", {"Changes": [second]}, {**named, "NextToken": "2"})

    _, changes = stack(stub).changes(wanted, "CREATE")

    assert [(change.action, change.resource) for change in changes] == [("Add", "New"), ("Replace", "OrdersTable")]
    assert release.shown(changes) == [
        "  + 1 x AWS::SQS::Queue",
        "  ! OrdersTable (AWS::DynamoDB::Table): TableName  <- its data",
        "  1 added, 0 changed, 1 REPLACED, 0 REMOVED",
    ]
    with pytest.raises(DeployError, match="--may-lose OrdersTable"):
        release.refuse_loss(changes, ())


def test_a_change_set_that_cannot_be_made_is_told(stub: Stubber) -> None:
    stub.add_response("create_change_set", {"Id": ARN, "StackId": ARN}, None)
    stub.add_response(
        "describe_change_set",
        {"Status": "FAILED", "StatusReason": "Template format error"},
        {**STACK, "ChangeSetName": ANY},
    )
    stub.add_response("delete_change_set", {}, {**STACK, "ChangeSetName": ANY})
    with pytest.raises(DeployError, match="cannot change stack biandan-prod so: Template format error"):
        stack(stub).changes(release.Wanted(NAME, "https://x", {}, {}, {}), "CREATE")


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "b.s3.us-east-1.amazonaws.com"),
        ("ap-east-1", "b.s3.ap-east-1.amazonaws.com"),
        ("me-central-1", "b.s3.me-central-1.amazonaws.com"),
        ("cn-north-1", "b.s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "b.s3.us-gov-west-1.amazonaws.com"),
    ],
)
def test_cloudformation_finds_the_template_on_the_regions_own_host(
    region: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    at = session(region)
    assert deploy.template_url(at, at.client("s3").meta.endpoint_url, "b", "k/t.json") == f"https://{host}/k/t.json"


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ([("Replace", "ApiVersion", "AWS::Lambda::Version"), ("Remove", "Old", "AWS::ApiGateway::Deployment")], False),
        ([("Modify", "Orders", "AWS::Lambda::Function"), ("Add", "New", "AWS::SQS::Queue")], False),
        ([("Replace", "ApiVersion", "AWS::Lambda::Version"), ("Remove", "Rule", "AWS::Events::Rule")], True),
        ([("Replace", "Topic", "AWS::SNS::Topic")], True),
    ],
)
def test_a_person_is_asked_about_what_is_not_replaced_each_time(
    monkeypatch: pytest.MonkeyPatch, changes: list[tuple[str, str, str]], asked: bool
) -> None:
    questions: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    def refuses(question: str) -> str:
        questions.append(question)
        return "no"

    monkeypatch.setattr("builtins.input", refuses)
    found = [release.Change(*one) for one in changes]
    assert deploy.asking(found) is not asked
    assert bool(questions) is asked
