"""Creates the secrets of a stage in Secrets Manager: ``python -m tools.release.keys --stage dev``.

Our own keys are drawn at random; what a provider or hub gives you is asked for, or passed with ``--set``.
What exists is overwritten only by ``--change`` and ``--rotate`` (``tools.release.key_rotation``). No value is ever part
of a template, a file or a log.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import json
import os
import secrets
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chalicelib.runtime import names, strength
from infra import policies
from infra.names import BadLabel, installation
from tools.fakes import resources
from tools.release import key_forms
from tools.shared import place

Json = dict[str, Any]
Ask = Callable[[str], str]

OURS = strength.OURS


def full_name(installed: str, secret: str) -> str:
    """Return the name in Secrets Manager."""
    return f"{names.PROJECT}/{installed}/{secret}"


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
    return list(key_forms.FORMS)


def told(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what ``--set`` gave by secret and field.

    Raises:
        key_forms.FormError: for what is not ``NAME.FIELD=VALUE``, or names no secret that is given to us.
    """
    found: dict[str, dict[str, str]] = {}
    for part in given:
        path, equals, value = part.partition("=")
        secret, dot, field = path.partition(".")
        if not (equals and dot and field and value):
            raise key_forms.FormError("--set takes NAME.FIELD=VALUE, such as payments-stripe.secret_key=sk_...")
        if secret not in key_forms.FORMS:
            known = ", ".join(key_forms.FORMS)
            raise key_forms.FormError(f"there is no secret {secret} that one is given; there are {known}")
        found.setdefault(secret, {})[field] = value
    return found


def ours() -> dict[str, Json]:
    """Return newly drawn secrets of our own."""
    found: dict[str, Json] = {}
    for secret, shape in resources.local_secrets().items():
        if secret in OURS:
            found[secret] = drawn(shape)
            while any(strength.weaknesses(secret, found[secret])):  # One draw in millions looks like typed.
                found[secret] = drawn(shape)
    return found


def values(
    given: Mapping[str, Mapping[str, str]], ask: Ask, *, stage: str = "dev", only: Collection[str] | None = None
) -> tuple[dict[str, Json], list[str]]:
    """Return the secrets that can be created, and the names of those of others that were left out.

    ``only`` names those of others to ask about; without it every provider and hub of the stage is.

    Raises:
        key_forms.FormError: if what was given of one is not all it needs, does not exist, or is weak.
    """
    ready = ours()
    lacking: list[str] = []
    offered = key_forms.offered(stage)
    if strangers := sorted(set(given) - set(offered)):
        raise key_forms.FormError(f"the stage {stage} takes no {', '.join(strangers)}")
    for secret in offered if only is None else only:
        filled, empty = key_forms.fill(secret, given.get(secret, {}), ask)
        if filled is not None:
            ready[secret] = filled
        elif given.get(secret):
            raise key_forms.FormError(f"{secret} needs {', '.join(empty)} too")
        else:
            lacking.append(secret)
    weak_ones = [
        f"{secret}: {path} {why}" for secret, value in ready.items() for path, why in strength.weaknesses(secret, value)
    ]
    if weak_ones:
        raise key_forms.FormError("; ".join(weak_ones))
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
    parser.add_argument("--label", default="", help="of the installation, where a stage has more than one")
    parser.add_argument("--region", help="AWS region (else AWS_REGION, AWS_DEFAULT_REGION, the profile's)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME.FIELD=VALUE", help="a provider's value; @file reads a file"
    )
    parser.add_argument("--no-questions", action="store_true", help="skip what is not given instead of asking")
    parser.add_argument("--rotate", metavar="NAME.FIELD", help="do the next safe step of changing a key of ours")
    parser.add_argument(
        "--change", action="append", default=[], metavar="NAME.FIELD=VALUE", help="a new value in a secret that exists"
    )
    parser.add_argument("--check", action="store_true", help="only say what is missing or weak")
    options = parser.parse_args(arguments)
    try:
        found = place.find(options.region)
        print(f"keys: {options.stage} in {found.said()}", file=sys.stderr)
        installed = installation(options.stage, options.label)
        return _do(found.session, installed, options)
    except (place.Nowhere, key_forms.FormError, BadLabel) as error:
        print(f"keys: {error}", file=sys.stderr)
        return 1


def _do(session: Any, installed: str, options: argparse.Namespace) -> int:
    from tools.release import key_rotation

    if options.check:
        return _check(session, installed)
    if options.change:
        for name in key_rotation.change(session, installed, told(options.change)):
            print(f"  changed   {name}")
        return 0
    if options.rotate:
        try:
            print(key_rotation.rotate(session, installed, options.rotate, datetime.now(UTC)))
        except key_rotation.NotYet as error:
            print(f"keys: {error}", file=sys.stderr)
            return 1
        return 0
    return _create(session, installed, options)


def _check(session: Any, installed: str) -> int:
    wrong = weak(session, installed)
    print("\n".join(wrong) or "The secrets are in order.")
    return 1 if wrong else 0


def _create(session: Any, installed: str, options: argparse.Namespace) -> int:
    asks = not options.no_questions and sys.stdin.isatty()

    def ask(field: str) -> str:
        return getpass.getpass(f"{field} (empty to leave it out): ").strip() if asks else ""

    ready, lacking = values(told(options.set), ask, stage=options.stage)
    created, there = create(session, installed, ready)
    for name in created:
        print(f"  created   {name}")
    for name in there:
        print(f"  was there {name}")
    for secret in lacking:
        print(f"  left out  {full_name(installed, secret)}: it can be created later")
    print(json.dumps({"stage": options.stage, "created": created, "there": there, "left_out": lacking}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
