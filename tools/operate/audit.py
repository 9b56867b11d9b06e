"""Proves that the audit is what it was, or names each line that was changed, deleted, put in or put elsewhere.

    BIANDAN_STAGE=prod python -m tools.operate.audit                     # all there is; exits with 1 if it is not
    BIANDAN_STAGE=prod python -m tools.operate.audit --head 217:3f9c...  # and goes on from what you noted last time

It reads the seals, all lines and all links, and does no harm to a shop that is open. Note the head it prints somewhere
else: whoever could take away the seals' end together with everything behind it, could not make that digest again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec

from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_ms
from chalicelib.oversight.chain import domain, sealing, store
from chalicelib.oversight.chain.domain import Batch
from chalicelib.oversight.chain.proof import Proof
from chalicelib.runtime import aws, names, write_once
from chalicelib.runtime.config import config
from infra import audit as infra
from infra.names import stack_name
from tools.shared import place

Say = Callable[[str], None]
PAGE = 200
SLACK = timedelta(minutes=10)
"""A line that is older than this and has no seal says that the job does not run."""


def prove(*, head: tuple[int, str] | None = None, rows_per_second: float = 500.0) -> Proof:
    """Read the seals, the lines and the links, and hold them against each other.

    What is written while it reads is younger than what it judges: nothing is said of it.
    """
    proof = Proof()
    before = f"{epoch_ms(clock.now() - SLACK):014d}"
    for number, batch, again in _batches():
        proof.add(number, batch)
        if again:
            proof.rewritten(number)
    for item in _items("audit", rows_per_second):
        proof.check_line(item["day"]["S"], item["id"]["S"], domain.line_digest(item), before=before)
    for item in _items("chains", rows_per_second):
        if item["subject"]["S"] == store.JOB:
            continue
        found = store.linked(item)
        if found.batch <= max(proof.batches, default=0):
            proof.check_link(found.link, found.line)
    proof.check_end(_up_to(proof), head=head)
    return proof


def _up_to(proof: Proof) -> domain.Progress | None:
    """Return how far the job is; one that went on while we read is as far as what we read of it."""
    said = store.progress_of(store.progress_row())
    last = max(proof.batches, default=0)
    if said is not None and said.number > last and write_once.read(sealing.key_of(said.number)) is not None:
        return proof.progress
    return said


def _batches() -> Iterator[tuple[int, Batch | None, bool]]:
    """Yield each batch by its number, as it was written first, and whether anything was done to it since."""
    expected = 1
    for number, versions in _by_number():
        for missing in range(expected, number):
            yield missing, None, False
        expected = number + 1
        there = [one for one in versions if not one.deletes]
        content = write_once.read(there[-1].key, there[-1].version_id) if there else None
        yield number, _read(content), len(versions) > 1


def _by_number() -> Iterator[tuple[int, list[write_once.Version]]]:
    found: dict[int, list[write_once.Version]] = {}
    for version in write_once.versions(sealing.ROOT):
        found.setdefault(int(version.key.removeprefix(sealing.ROOT).removesuffix(".json")), []).append(version)
    yield from sorted(found.items())


def _read(content: bytes | None) -> Batch | None:
    try:
        return domain.read(content) if content is not None else None
    except msgspec.MsgspecError:
        return None


def _items(table: str, rows_per_second: float) -> Iterator[dict[str, Any]]:
    params: dict[str, Any] = {"TableName": names.table_name(table), "Limit": PAGE, "ConsistentRead": True}
    begun, seen = time.monotonic(), 0
    while True:
        answer = aws.call("dynamodb", "Scan", params)
        yield from answer["Items"]
        seen += len(answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        time.sleep(max(0.0, seen / rows_per_second - (time.monotonic() - begun)))


def _find_bucket() -> None:
    """Find the bucket of a deployed stage in its stack's outputs, unless the environment names it.

    Raises:
        LookupError: if the stack has none.
    """
    if config().is_local or "BIANDAN_AUDIT_BUCKET" in os.environ:
        return
    import boto3

    stack = stack_name(config().installation)
    (found,) = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if infra.OUTPUT not in outputs:
        raise LookupError(f"stack {stack} has no bucket of seals: deploy it first")
    os.environ["BIANDAN_AUDIT_BUCKET"] = outputs[infra.OUTPUT]
    config.cache_clear()


def _noted(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not number.isdigit() or len(digest) != len(domain.BEGINNING):
        raise argparse.ArgumentTypeError("a head is written as it was printed: number:digest")
    return int(number), digest


def main(arguments: list[str] | None = None) -> int:
    """Prove it; exits with 1 where something was changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", type=_noted, help="a head that an earlier run printed")
    parser.add_argument("--rows-per-second", type=float, default=500.0)
    options = parser.parse_args(arguments)
    if options.rows_per_second <= 0:
        parser.error("the rate is more than nothing")
    try:
        print(place.settle(), file=sys.stderr)
        _find_bucket()
    except (place.Nowhere, LookupError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 1
    proof = prove(head=options.head, rows_per_second=options.rows_per_second)
    for found in proof.findings:
        print(f"{found.kind}: {found.where}")
    broken = sum(1 for _ in proof.broken)
    last = max(proof.batches, default=0)
    print(f"head {last}:{proof.batches.get(last, domain.BEGINNING)}")
    print(f"{broken} things were changed" if broken else "the audit is what it was")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
