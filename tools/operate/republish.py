"""Publish everything buyers browse anew from the tables: ``make republish STAGE=prod``, ``--label`` for a second one.

Without a stage it is the installation that the environment names (``BIANDAN_STAGE``, AWS credentials,
``AWS_ENDPOINT_URL`` for an engine on this machine). Stopped, it goes on where it was (``tools.operate.publish_all``).
"""

from __future__ import annotations

import argparse
import os
import sys

from chalicelib.kernel import context
from chalicelib.kernel.errors import ShopError
from chalicelib.runtime import published
from chalicelib.runtime.config import config
from infra.names import VARIABLE, BadLabel, installation, stack_name
from tools.shared import place


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make republish ARGS=...", description=__doc__)
    parser.add_argument("--stage", default=os.environ.get("STAGE", ""), help="the stage; else the environment's")
    parser.add_argument("--label", default="", help="of the installation, where a stage has more than one")
    parser.add_argument("--back", metavar="SHARD:VERSION", help="only make this shard's manifest of a version current")
    told = parser.parse_args(arguments)
    try:
        if told.stage:
            os.environ.update({"BIANDAN_STAGE": told.stage, VARIABLE: installation(told.stage, told.label)})
            config.cache_clear()
        print(place.settle(), file=sys.stderr)
        _find_bucket()
    except (place.Nowhere, BadLabel, LookupError) as error:
        print(f"republish: {error}", file=sys.stderr)
        return 1
    try:
        with context.use(context.Context(request_id="republish", cause_id="tool#republish", actor="tools/republish")):
            if told.back:
                shard, _, version = told.back.rpartition(":")
                now = published.go_back(shard, int(version))
                print(f"{shard}: version {now.version} is current, with the files of {version}.")
                return 0
            from tools.operate import publish_all  # Rows know their tables' names once they are imported.

            publish_all.run(print)
    except (ShopError, ValueError) as error:
        print(f"republish: {error}", file=sys.stderr)
        return 1
    return 0


def _find_bucket() -> None:
    """Find the bucket of a deployed stage in its stack's outputs, unless the environment names it."""
    if config().is_local or "BIANDAN_PUBLISHED_BUCKET" in os.environ:
        return
    import boto3

    stack = stack_name(config().installation)
    (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if "PublishedBucketName" not in outputs:
        raise LookupError(f"stack {stack} has no bucket of published files: deploy it first")
    os.environ["BIANDAN_PUBLISHED_BUCKET"] = outputs["PublishedBucketName"]
    config.cache_clear()


if __name__ == "__main__":
    sys.exit(main())
