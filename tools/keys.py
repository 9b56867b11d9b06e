"""Creates the secrets of a stage in Secrets Manager: ``python -m tools.keys --stage dev``.

Our own keys are drawn at random; what a provider or hub gives you is asked for, or passed with ``--set``.
What exists is never overwritten. No value is ever part of a template, a file or a log.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.runtime import names, strength
from infra import policies
from tools import resources

Json = dict[str, Any]
Ask = Callable[[str], str]

OURS = strength.OURS


def full_name(stage: str, secret: str) -> str:
    """Return the name in Secrets Manager."""
    return f"{names.PROJECT}/{stage}/{secret}"


def drawn(shape: Any, field: str = "") -> Any:
    """Return a value of the same shape with random keys."""
    if isinstance(shape, dict):
        return {key: drawn(value, key) for key, value in shape.items()}
    if isinstance(shape, list):
        return [drawn(part, field) for part in shape]
    if field == "kid":
        return datetime.now(UTC).strftime("k%Y%m%d%H%M%S")
    raw = secrets.token_bytes(32)
    return base64.b64encode(raw).decode() if field == "seed" else base64.urlsafe_b64encode(raw).decode().rstrip("=")


def weak(session: Any, stage: str) -> list[str]:
    """Return what is wrong with a stage's secrets, in words: those of ours that are missing, and every weak value."""
    client = session.client("secretsmanager")
    found = []
    for secret in [*OURS, *_others()]:
        name = full_name(stage, secret)
        try:
            value = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
        except client.exceptions.ResourceNotFoundException:
            if secret in OURS:
                found.append(f"{name} does not exist: make secrets STAGE={stage}")
            continue
        except ValueError:
            value = None
        if not isinstance(value, dict):
            found.append(f"{name} is not a JSON object")
            continue
        found += [f"{name}: {path} {why}" for path, why in strength.weaknesses(secret, value)]
    return found


def _others() -> list[str]:
    """Return the names that secrets of providers and hubs may have here."""
    from tools import doctor

    return [f"payments-{name}" for name in doctor.names_of_all()] + ["logistics-kuaidi100"]


def values(given: Mapping[str, str], ask: Ask) -> tuple[dict[str, Json], list[str]]:
    """Return the secrets that can be created, and the names of those that lack a value."""
    ready: dict[str, Json] = {}
    lacking: list[str] = []
    for secret, shape in resources.local_secrets().items():
        if secret in OURS:
            ready[secret] = drawn(shape)
            while any(strength.weaknesses(secret, ready[secret])):  # One draw in millions looks like typed.
                ready[secret] = drawn(shape)
            continue
        filled = {field: given.get(f"{secret}.{field}") or ask(f"{secret}.{field}") for field in shape}
        if all(filled.values()):
            ready[secret] = filled
        else:
            lacking.append(secret)
    return ready, lacking


def create(session: Any, stage: str, ready: Mapping[str, Json]) -> tuple[list[str], list[str]]:
    """Create what is missing; returns the names created and those that were there."""
    client = session.client("secretsmanager")
    created, there = [], []
    for secret, value in ready.items():
        name = full_name(stage, secret)
        try:
            client.create_secret(
                Name=name,
                SecretString=json.dumps(value),
                Tags=[{"Key": "project", "Value": names.PROJECT}, {"Key": "stage", "Value": stage}],
            )
        except client.exceptions.ResourceExistsException:
            there.append(name)
        else:
            created.append(name)
    return created, there


def main(arguments: list[str] | None = None) -> int:
    """Create from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default=os.environ.get("STAGE", "dev"), choices=policies.STAGES)
    parser.add_argument("--set", action="append", default=[], metavar="NAME.FIELD=VALUE", help="a provider's value")
    parser.add_argument("--no-questions", action="store_true", help="skip what is not given instead of asking")
    parser.add_argument("--check", action="store_true", help="only say what is missing or weak")
    options = parser.parse_args(arguments)

    import boto3.session

    session = boto3.session.Session()
    if session.region_name is None or session.get_credentials() is None:
        print("keys: set AWS_REGION and AWS credentials (AWS_PROFILE or keys) first", file=sys.stderr)
        return 1
    asks = not options.no_questions and sys.stdin.isatty()

    def ask(field: str) -> str:
        return getpass.getpass(f"{field} (empty to leave this provider out): ").strip() if asks else ""

    if options.check:
        wrong = weak(session, options.stage)
        print("\n".join(wrong) or "The secrets are in order.")
        return 1 if wrong else 0
    ready, lacking = values(dict(part.split("=", 1) for part in options.set), ask)
    created, there = create(session, options.stage, ready)
    for name in created:
        print(f"  created   {name}")
    for name in there:
        print(f"  was there {name}")
    for secret in lacking:
        print(f"  left out  {full_name(options.stage, secret)}: it can be created later")
    print(json.dumps({"stage": options.stage, "created": created, "there": there, "left_out": lacking}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
