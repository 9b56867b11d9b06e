"""Deploys a stage: package, upload, create or update its stack, print the address.

    python -m tools.release.deploy --stage dev [--alarm-email you@example.org] [--public-url https://api.example.org]

Uses the AWS credentials of the environment and says which region it took (``tools.shared.place``). The first deployment
runs twice: only then is the address known under which payment providers and carrier hubs reach the API.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib.runtime import names
from infra import limits, policies, protection, settings_of, shift
from infra.names import BadLabel, installation, stack_name
from tools.release import changes as release
from tools.release import faces, keys, package, smoke
from tools.release import shift as shifting
from tools.release.errors import DeployError
from tools.shared import place

Json = dict[str, Any]
Say = Callable[[str], None]

POLL_S = 3.0
EACH_TIME = frozenset({"AWS::Lambda::Version", "AWS::ApiGateway::Deployment"})
"""What a release replaces by its nature: who is asked about it each time no longer reads what else is asked."""


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
    key = f"{names.PROJECT}/{built.installation}-{int(time.time())}.json"
    s3.put_object(Bucket=bucket, Key=key, Body=built.template_path.read_bytes())
    return bucket, template_url(session, s3.meta.endpoint_url, bucket, key)


def template_url(session: Any, endpoint: str, bucket: str, key: str) -> str:
    """Return where CloudFormation finds a template: on the region's own host, which opt-in regions insist on."""
    partition = session.get_partition_for_region(session.region_name)
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    if not str(urlsplit(endpoint).hostname).endswith(suffix):
        return f"{endpoint.rstrip('/')}/{bucket}/{key}"  # The embedded engine, or whatever else stands there.
    return f"https://{bucket}.s3.{session.region_name}.{suffix}/{key}"


def gateway_address(outputs: Mapping[str, str]) -> str:
    """Return the API's address as API Gateway gives it."""
    return outputs["EndpointURL"].rstrip("/")


@dataclass(frozen=True, slots=True)
class How:
    """How a release is made."""

    may_lose: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    go_on: Callable[[Sequence[release.Change]], bool] = field(default=lambda _: True)
    poll_s: float = POLL_S
    address_of: Callable[[Mapping[str, str]], str] = gateway_address
    shift: str = "steps"
    """How calls go over to the API's new version, where the stage shifts; one of ``infra.shift.HOW``."""


def bring_up(
    session: Any, built: package.Package, parameters: Mapping[str, str], say: Say = print, how: How | None = None
) -> dict[str, str]:
    """Create or update the stack of a package; returns its outputs.

    The first time it takes two steps: only then is the API's address known, and only what stands is protected.

    Raises:
        DeployError: with CloudFormation's reasons.
    """
    how = how or How()
    cloudformation = session.client("cloudformation")
    bucket, url = upload(session, built, say)
    stack = release.Stack(cloudformation, stack_name(built.installation), say, poll_s=how.poll_s)
    is_new = stack.status() not in release.SETTLED | {"UPDATE_ROLLBACK_FAILED"}
    given = {"CodeBucket": bucket, "CodeKey": built.key, **parameters}
    if is_new:
        given[protection.PARAMETER] = "off"
    shifts = built.stage in shift.STAGES
    if shifts:
        given[shift.SHIFT] = "at-once" if is_new else how.shift  # Nobody calls yet.

    def bring(more: Mapping[str, str]) -> dict[str, str]:
        wanted = _wanted(built, url, {**given, **more}, how)
        named = {shift.RELEASE: shifting.release(wanted.template, wanted.parameters, stack.parameters())}
        watch = shifting.Watch(session.client("codedeploy"), shift.application(built.installation)) if shifts else None
        wanted = replace(wanted, parameters={**wanted.parameters, **named}, watch=watch)
        return release.apply(cloudformation, wanted, say, poll_s=how.poll_s)

    outputs = bring({})
    after = _afterwards(stack.parameters(), built.stage, outputs, how)
    if after:
        say("telling the stack " + ", ".join(f"{name} {value}" for name, value in sorted(after.items())))
        outputs = bring(after)
    if built.stage == "prod":
        cloudformation.update_termination_protection(StackName=stack.name, EnableTerminationProtection=True)
    return outputs


def _wanted(built: package.Package, url: str, parameters: Mapping[str, str], how: How) -> release.Wanted:
    return release.Wanted(
        name=stack_name(built.installation),
        url=url,
        template=json.loads(built.template_path.read_text(encoding="utf-8")),
        parameters=parameters,
        tags={"project": names.PROJECT, "stage": built.stage, "installation": built.installation},
        may_lose=how.may_lose,
        skip=how.skip,
        go_on=how.go_on,
    )


def _afterwards(told: Mapping[str, str], stage: str, outputs: Mapping[str, str], how: How) -> dict[str, str]:
    """Return the parameters that can only be right once the stack stands, where they are not."""
    found = {} if told.get("PublicUrl") else {"PublicUrl": how.address_of(outputs)}
    if told.get(protection.PARAMETER) != protection.default(stage):
        found[protection.PARAMETER] = protection.default(stage)
    return found


def asking(changes: Sequence[release.Change]) -> bool:
    """Ask whoever sits there, where something is replaced or removed; nobody is asked where nobody sits."""
    telling = [one for one in changes if one.action in ("Replace", "Remove") and one.kind not in EACH_TIME]
    if not sys.stdin.isatty() or not telling:
        return True
    return input("Replace and remove these? (yes/no) ").strip().lower() == "yes"


def only_show(_: Sequence[release.Change]) -> bool:
    """Go no further than showing."""
    return False


def _parameters(options: argparse.Namespace) -> dict[str, str]:
    """Return the stack's parameters that were given; the others stay as they are."""
    given = {
        "PublicUrl": options.public_url,
        "AlarmEmail": options.alarm_email,
        "ClientAddress": options.client_address,
        "StorefrontOrigins": options.storefront_origins,
        "Cdn": options.cdn,
        "CdnDomain": options.cdn_domain,
        "CdnCertificateArn": options.cdn_certificate,
        "MonthlyBudgetUsd": options.monthly_budget,
        "Firewall": options.firewall,
        "Tracing": options.tracing,
    }
    return {key: value for key, value in given.items() if value is not None}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default=os.environ.get("STAGE", "dev"), choices=policies.STAGES)
    parser.add_argument("--label", default="", help="tells this installation from others of the stage")
    parser.add_argument("--plan", action="store_true", help="show what would change, and do nothing")
    parser.add_argument("--may-lose", action="append", default=[], metavar="RESOURCE", help="its data may be lost")
    parser.add_argument("--skip-resource", action="append", default=[], metavar="NAME", help="see docs/upgrading.md")
    parser.add_argument("--region", help="AWS region (else AWS_REGION, AWS_DEFAULT_REGION, the profile's)")
    parser.add_argument("--public-url", help="where providers and hubs reach the API, if not at API Gateway's own URL")
    parser.add_argument("--alarm-email", help="who is told of alarms")
    parser.add_argument("--client-address", help="whose word on a client's address counts; see docs/deploy.md")
    parser.add_argument("--storefront-origins", help="comma-separated origins whose pages may call the API and upload")
    parser.add_argument("--cdn", choices=["off", "on"], help="CloudFront before the published files and the API")
    parser.add_argument("--cdn-domain", help="the shop's own domain, for the CDN")
    parser.add_argument("--cdn-certificate", help="ARN of its ACM certificate, in us-east-1")
    parser.add_argument("--monthly-budget", help="US dollars a month at which the alarms' topic is told; 0 for none")
    parser.add_argument("--firewall", choices=["on", "off"], help="whether AWS WAF stands before the API")
    parser.add_argument("--tracing", choices=["on", "off"], help="whether X-Ray traces the API and the functions")
    parser.add_argument(
        "--shift", choices=sorted(shift.HOW), default="steps", help="how calls go over to the API's new version in prod"
    )
    parser.add_argument("--settings", type=Path, help="a file in place of infra/settings/<stage>.toml")
    parser.add_argument("--python", help="the interpreter to package for, if not the newest that Lambda supports")
    parser.add_argument("--out", type=Path, help="folder to build in (.build/<stage>)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Deploy from the command line."""
    options = _parser().parse_args(arguments)
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
    try:
        installed = installation(options.stage, options.label)
    except BadLabel as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    wrong = keys.weak(session, installed)
    if wrong:
        print("deploy: nothing was done; mend the secrets first:\n  " + "\n  ".join(wrong), file=sys.stderr)
        return 1
    try:
        settings = settings_of.read(options.stage, options.settings)
        check_pool(session, options.stage)
        built = package.build(
            options.stage,
            options.out,
            region=found.region,
            settings=settings,
            label=options.label,
            python=options.python,
            say=say,
        )
        how = How(
            may_lose=tuple(options.may_lose),
            skip=tuple(options.skip_resource),
            go_on=only_show if options.plan else asking,
            shift=options.shift,
        )
        outputs = bring_up(session, built, _parameters(options), say, how)
        if not options.plan:
            faces.publish(session.client("s3"), outputs, say)
    except (package.PackageError, settings_of.SettingsError, DeployError, ClientError, BotoCoreError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    well = smoke.report(gateway_address(outputs), orders=options.stage == "dev", say=say)
    print()
    for key, value in sorted(outputs.items()):
        print(f"  {key:<20} {value}")
    print(json.dumps({"stage": options.stage, "url": outputs["EndpointURL"], "sha256": built.sha256, "works": well}))
    if not well:
        print("deploy: the stack stands, but does not work; see above, and make doctor", file=sys.stderr)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
