"""Where on AWS a tool works: account and region, chosen as people expect and told before anything is done.

boto3 does not read ``AWS_REGION``, which Lambda and most other tools do: left to it, a tool would fail, or go to the
region of the profile. The first of these counts: the option, ``AWS_REGION``, ``AWS_DEFAULT_REGION``, the profile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from chalicelib.runtime.config import config
from infra import rowkey
from infra.names import stack_name

VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


class Nowhere(Exception):
    """No region or no credentials were found; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Place:
    """A region with the session that works there."""

    session: Any
    region: str
    chosen_by: str
    """Who named the region: ``--region``, a variable, or the profile."""

    def said(self) -> str:
        """Return the place in words."""
        return f"region {self.region} ({self.chosen_by})"


def region(option: str | None, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the region that an option or the environment names, and who named it."""
    named = [("--region", option or ""), *((name, environment.get(name, "")) for name in VARIABLES)]
    return next(((found.strip(), by) for by, found in named if found.strip()), None)


def find(option: str | None = None, environment: MutableMapping[str, str] = os.environ) -> Place:
    """Return where to work, and let everything else in this process work there too.

    Raises:
        Nowhere: if nobody named a region that there is, or there are no credentials.
    """
    import boto3.session
    from botocore.exceptions import ProfileNotFound

    chosen = region(option, environment)
    try:
        session = boto3.session.Session(region_name=chosen[0] if chosen else None)
        if chosen is None and session.region_name:
            profile = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or "default"
            chosen = (str(session.region_name), f"profile {profile}")
        credentials = session.get_credentials()
    except ProfileNotFound as error:
        raise Nowhere(str(error)) from error
    if chosen is None:
        raise Nowhere("name a region: --region, AWS_REGION, AWS_DEFAULT_REGION or your AWS profile's; nothing was done")
    if not _exists(chosen[0]):
        raise Nowhere(f"{chosen[0]} ({chosen[1]}) is no region of AWS; nothing was done")
    if credentials is None:
        raise Nowhere("there are no AWS credentials: set AWS_PROFILE or keys; nothing was done")
    for name in VARIABLES:  # Our own code and every child process look here.
        environment[name] = chosen[0]
    return Place(session, *chosen)


def settle() -> str:
    """Let tools that work through ``chalicelib`` find their region; says which it is, nothing on a laptop.

    They read and write of people as functions do, under the key that the stack names, unless one is named already.

    Raises:
        Nowhere: as :func:`find`.
    """
    if config().is_local:
        return ""
    found = find()
    config.cache_clear()
    if not os.environ.get(rowkey.VARIABLE) and (key := row_key(found.session, config().installation)):
        os.environ[rowkey.VARIABLE] = key
    return f"{config().stage} in {found.said()}"


def row_key(session: Any, installation: str) -> str:
    """Return the key of KMS that a stack's outputs name for sealed rows; empty where no stack tells one."""
    from botocore.exceptions import ClientError

    try:
        stacks = session.client("cloudformation").describe_stacks(StackName=stack_name(installation))["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":  # There is no such stack.
            raise
        return ""
    outputs = stacks[0].get("Outputs", [])
    return next((str(one["OutputValue"]) for one in outputs if one["OutputKey"] == rowkey.OUTPUT), "")


def _exists(name: str) -> bool:
    """Say whether a partition of AWS has regions called like this: a region may be newer than our botocore."""
    import botocore.session
    from botocore.exceptions import UnknownRegionError

    resolver: Any = botocore.session.get_session().get_component("endpoint_resolver")
    try:
        resolver.get_partition_for_region(name)
    except UnknownRegionError:
        return False
    return True
