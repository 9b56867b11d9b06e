"""Deploys a stage: package, upload, create or update its stack, print the address.

    python -m tools.deploy --stage dev [--alarm-email you@example.org] [--public-url https://api.example.org]

Uses the AWS credentials of the environment and says which region it took (``tools.place``). The first deployment runs
twice: only then is the address known under which payment providers and carrier hubs reach the API.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chalicelib.runtime import names
from infra import limits, policies, settings_of
from tools import keys, package, place

Json = dict[str, Any]
Say = Callable[[str], None]

POLL_S = 3.0
TIMEOUT_S = 1800.0
DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}


class DeployError(Exception):
    """The stack could not be brought up; the message holds CloudFormation's reasons."""


def stack_name(stage: str) -> str:
    """Return the stack's name."""
    return f"{names.PROJECT}-{stage}"


def code_bucket(session: Any) -> str:
    """Return the bucket for zips and templates of this account and region, created if it is missing."""
    account = session.client("sts").get_caller_identity()["Account"]
    bucket = f"{names.PROJECT}-deploy-{account}-{session.region_name}"
    s3 = session.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except s3.exceptions.ClientError:
        place = session.region_name
        options = {} if place == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": place}}
        s3.create_bucket(Bucket=bucket, **options)
        s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
    return bucket


def check_pool(session: Any, stage: str) -> None:
    """See that the account has the concurrency that this stage shares out.

    Raises:
        DeployError: with what to ask AWS for.
    """
    pool = session.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    wanted = limits.LIMITS[stage].pool
    if limits.LIMITS[stage].reserved and pool < wanted:
        raise DeployError(
            f"this account may run {pool} functions at once here and {stage} shares out {wanted}: ask AWS for a higher "
            f"quota (Service Quotas, Lambda, concurrent executions), or change infra/limits.py"
        )


def upload(session: Any, built: package.Package, say: Say) -> tuple[str, str]:
    """Upload zip and template; returns the bucket and the template's URL."""
    bucket = code_bucket(session)
    s3 = session.client("s3")
    say(f"uploading {built.zip_bytes / 1e6:.1f} MB to s3://{bucket}/{built.key}")
    s3.put_object(Bucket=bucket, Key=built.key, Body=built.zip_path.read_bytes())
    key = f"{names.PROJECT}/{built.stage}-{int(time.time())}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=built.template_path.read_bytes())
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}).split("?")[0]
    return bucket, url


def gateway_address(outputs: Mapping[str, str]) -> str:
    """Return the API's address as API Gateway gives it."""
    return outputs["EndpointURL"].rstrip("/")


def bring_up(
    session: Any,
    built: package.Package,
    parameters: Mapping[str, str],
    say: Say = print,
    *,
    poll_s: float = POLL_S,
    address_of: Callable[[Mapping[str, str]], str] = gateway_address,
) -> dict[str, str]:
    """Create or update the stack of a package; returns its outputs.

    Raises:
        DeployError: with CloudFormation's reasons.
    """
    bucket, url = upload(session, built, say)
    wanted = {"CodeBucket": bucket, "CodeKey": built.key, **parameters}
    outputs = apply(session, built.stage, url, wanted, say, poll_s=poll_s)
    if not _public_url(session, built.stage):
        address = address_of(outputs)
        say(f"telling the functions their address, {address}")
        outputs = apply(session, built.stage, url, {**wanted, "PublicUrl": address}, say, poll_s=poll_s)
    return outputs


def apply(
    session: Any, stage: str, url: str, wanted: Mapping[str, str], say: Say, *, poll_s: float = POLL_S
) -> dict[str, str]:
    """Create or update the stack once and wait; parameters that are not given keep their values."""
    cloudformation = session.client("cloudformation")
    name = stack_name(stage)
    before = _describe(cloudformation, name)
    given: list[Json] = [{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(wanted.items())]
    if before is not None:
        kept = {parameter["ParameterKey"] for parameter in before.get("Parameters", [])} - set(wanted)
        given += [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)]
    common = {
        "StackName": name,
        "TemplateURL": url,
        "Parameters": given,
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [{"Key": "project", "Value": names.PROJECT}, {"Key": "stage", "Value": stage}],
    }
    say(f"{'creating' if before is None else 'updating'} stack {name}")
    try:
        if before is None:
            cloudformation.create_stack(**common, OnFailure="ROLLBACK", EnableTerminationProtection=stage == "prod")
        else:
            cloudformation.update_stack(**common)
    except cloudformation.exceptions.ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise DeployError(str(error)) from error
        say("nothing to change")
    return _wait(cloudformation, name, say, poll_s)


def _wait(cloudformation: Any, name: str, say: Say, poll_s: float) -> dict[str, str]:
    deadline = time.monotonic() + TIMEOUT_S
    last = ""
    while time.monotonic() < deadline:
        found = _describe(cloudformation, name)
        if found is None:
            raise DeployError(f"stack {name} is gone")
        status = str(found["StackStatus"])
        if status != last:
            say(f"stack {name}: {status}")
            last = status
        if status in DONE:
            return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        if not status.endswith("_IN_PROGRESS"):
            raise DeployError(f"stack {name} ended as {status}: {'; '.join(_reasons(cloudformation, name))}")
        time.sleep(poll_s)
    raise DeployError(f"stack {name} was not done within {TIMEOUT_S / 60:.0f} minutes")


def _reasons(cloudformation: Any, name: str) -> list[str]:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    ][:5]


def _describe(cloudformation: Any, name: str) -> Json | None:
    try:
        found: Json = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else found


def _public_url(session: Any, stage: str) -> str:
    found = _describe(session.client("cloudformation"), stack_name(stage)) or {}
    return next(
        (str(p.get("ParameterValue", "")) for p in found.get("Parameters", []) if p["ParameterKey"] == "PublicUrl"), ""
    )


def main(arguments: list[str] | None = None) -> int:
    """Deploy from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default=os.environ.get("STAGE", "dev"), choices=policies.STAGES)
    parser.add_argument("--region", help="AWS region (else AWS_REGION, AWS_DEFAULT_REGION, the profile's)")
    parser.add_argument("--public-url", help="where providers and hubs reach the API, if not at API Gateway's own URL")
    parser.add_argument("--alarm-email", help="who is told of alarms")
    parser.add_argument("--client-address", help="whose word on a client's address counts; see docs/deploy.md")
    parser.add_argument("--storefront-origins", help="comma-separated origins that may upload")
    parser.add_argument("--monthly-budget", help="US dollars a month at which the alarms' topic is told; 0 for none")
    parser.add_argument("--firewall", choices=["on", "off"], help="whether AWS WAF stands before the API")
    parser.add_argument("--settings", type=Path, help="a file in place of infra/settings/<stage>.toml")
    parser.add_argument("--out", type=Path, help="folder to build in (.build/<stage>)")
    options = parser.parse_args(arguments)
    started = time.perf_counter()

    def say(message: str) -> None:
        print(f"{time.perf_counter() - started:6.1f} s  {message}", flush=True)

    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = place.find(options.region)
    except place.Nowhere as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    session = found.session
    say(f"{options.stage} in {found.said()}")
    wrong = keys.weak(session, options.stage)
    if wrong:
        print("deploy: nothing was done; mend the secrets first:\n  " + "\n  ".join(wrong), file=sys.stderr)
        return 1
    parameters = {
        key: value
        for key, value in {
            "PublicUrl": options.public_url,
            "AlarmEmail": options.alarm_email,
            "ClientAddress": options.client_address,
            "StorefrontOrigins": options.storefront_origins,
            "MonthlyBudgetUsd": options.monthly_budget,
            "Firewall": options.firewall,
        }.items()
        if value is not None
    }
    try:
        settings = settings_of.read(options.stage, options.settings)
        check_pool(session, options.stage)
        built = package.build(options.stage, options.out, region=found.region, settings=settings, say=say)
        outputs = bring_up(session, built, parameters, say)
    except (package.PackageError, settings_of.SettingsError, DeployError, ClientError, BotoCoreError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    print()
    for key, value in sorted(outputs.items()):
        print(f"  {key:<20} {value}")
    print(json.dumps({"stage": options.stage, "url": outputs["EndpointURL"], "sha256": built.sha256}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
