"""Sends again what the relay could not: ``python -m tools.operate.replay --stage dev`` (``--list`` only looks).

Changes that were given up lie in the bucket, each file a batch of stream records (``runtime.laid_aside``). Their events
are sent to the queues that the topology names today, then the file is moved under ``replayed/``. Running it twice, or
while events still come by the stream, does no harm: every consumer takes a second copy as a no-op.

Where the stream itself is gone (a table that was restored has another one), the events of the last change of each row
are sent instead, for they ride in the row: ``--tables orders,payments --since 2026-11-29T08:00:00Z``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.runtime import aws, laid_aside, names, queues, relay
from chalicelib.runtime.config import config
from chalicelib.runtime.db import dynamo
from infra.names import VARIABLE, installation, stack_name

Say = Callable[[str], None]


@dataclass
class Replayed:
    """What a run did. ``events`` counts by type, ``left`` names what is still there and why."""

    files: int = 0
    events: Counter[str] = field(default_factory=Counter)
    left: dict[str, str] = field(default_factory=dict)


def replay_files(*, sends: bool = True, say: Say = print) -> Replayed:
    """Send the events of every file, oldest first, and move it away; without ``sends`` only count them."""
    done = Replayed()
    for key in sorted(_keys(), key=lambda found: found[1]):
        try:
            envelopes = list(_envelopes(laid_aside.records_of(_content(key[0]))))
            if sends:
                _send(envelopes)
                _move(key[0])
        except Exception as error:  # One file that cannot be read holds up no other.
            done.left[key[0]] = f"{type(error).__name__}: {error}"
            say(f"  left      {key[0]}: {done.left[key[0]]}")
            continue
        done.files += 1
        done.events.update(envelope.type for envelope in envelopes)
        say(f"  {'replayed' if sends else 'found':9} {key[0]}: {len(envelopes)} events")
    return done


def replay_table(table: str, since: datetime, until: datetime, *, sends: bool = True, say: Say = print) -> Replayed:
    """Send the events of each row's last change, where it happened in this time.

    What a table's changes tell by comparison (``topology.DERIVED``) is not in the rows, and has no time: it is worked
    out from what each row is now, for all that may be without effect. Entries of the ledger that the
    balances' readers find are left to them.
    """
    done = Replayed()
    params: dict[str, Any] = {"TableName": names.table_name(table), "ConsistentRead": True}
    rows = 0
    while True:
        answer = dynamo.call("Scan", params)
        rows += len(answer["Items"])
        found = [one for item in answer["Items"] for one in _told_by(table, item, since, until)]
        if sends:
            _send(found)
        done.events.update(envelope.type for envelope in found)
        say(f"  {table}: {rows} rows read, {sum(done.events.values())} events")
        if "LastEvaluatedKey" not in answer:
            return done
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _told_by(table: str, item: dict[str, Any], since: datetime, until: datetime) -> Iterator[Envelope]:
    if table == "stock":
        yield from _told(table, item, old=_other_side_of_nothing(item))
    elif table == "ledger":
        yield from _told(table, item, old=None)
    else:
        yield from (one for one in _riding(table, item) if since <= one.at <= until)


def _told(table: str, item: dict[str, Any], old: dict[str, Any] | None) -> list[Envelope]:
    images = {"NewImage": item} if old is None else {"NewImage": item, "OldImage": old}
    return relay.envelopes_of({"eventSourceARN": _arn(table), "dynamodb": images, "eventID": "replay"})


def _other_side_of_nothing(item: dict[str, Any]) -> dict[str, Any]:
    """A row from which the change to this one crossed zero: so it tells whether there is any."""
    there = int(item.get("available", {"N": "0"})["N"]) > 0
    return {**item, "available": {"N": "0" if there else "1"}}


def _arn(table: str) -> str:
    return f"arn:aws:dynamodb:::table/{names.table_name(table)}/rows"


def _riding(table: str, item: dict[str, Any]) -> list[Envelope]:
    if "events" not in item:
        return []
    return relay.envelopes_of({"eventSourceARN": _arn(table), "dynamodb": {"NewImage": item}})


def _envelopes(records: list[dict[str, Any]]) -> Iterator[Envelope]:
    for record in records:
        yield from relay.envelopes_of(record)


def _send(envelopes: list[Envelope]) -> None:
    by_queue: dict[str, list[Envelope]] = {}
    for envelope in envelopes:
        for queue in topology.queues_for(envelope.type):
            by_queue.setdefault(queue, []).append(envelope)
    for queue, found in by_queue.items():
        queues.send(queue, found)


def _keys() -> Iterator[tuple[str, Any]]:
    params = {"Bucket": config().bucket, "Prefix": laid_aside.PREFIX}
    while True:
        answer = aws.call("s3", "ListObjectsV2", params)
        for found in answer.get("Contents", []):
            yield found["Key"], found["LastModified"]
        if not answer.get("IsTruncated"):
            return
        params["ContinuationToken"] = answer["NextContinuationToken"]


def _content(key: str) -> bytes:
    content: bytes = aws.call("s3", "GetObject", {"Bucket": config().bucket, "Key": key})["Body"].read()
    return content


def _move(key: str) -> None:
    bucket = config().bucket
    source = {"Bucket": bucket, "Key": key}
    aws.call("s3", "CopyObject", {"Bucket": bucket, "Key": laid_aside.REPLAYED + key, "CopySource": source})
    aws.call("s3", "DeleteObject", source)


def main(arguments: list[str] | None = None) -> int:
    """Replay from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default=os.environ.get("STAGE", "dev"))
    parser.add_argument("--label", default="", help="of a second installation of the stage; see docs/deploy.md")
    parser.add_argument("--bucket", help="the stage's bucket; without it, the stack is asked")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("--tables", help="comma-separated tables whose rows to read instead of the files")
    parser.add_argument("--since", type=datetime.fromisoformat, help="with --tables: from when, RFC 3339")
    parser.add_argument("--until", type=datetime.fromisoformat, help="with --tables: until when; without it, now")
    options = parser.parse_args(arguments)
    if options.tables and (options.since is None or options.since.tzinfo is None):
        parser.error("--tables takes --since with a time zone, 2026-11-29T08:00:00Z")
    installed = installation(options.stage, options.label)
    os.environ.update({"BIANDAN_STAGE": options.stage, VARIABLE: installed})
    from tools.shared import place

    try:
        print(place.settle(), file=sys.stderr)
    except place.Nowhere as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    os.environ["BIANDAN_BUCKET"] = options.bucket or _bucket(installed)
    config.cache_clear()
    if options.tables:
        return _tables(options)
    done = replay_files(sends=not options.list)
    print(f"{done.files} files, {dict(done.events)}, {len(done.left)} left")
    return 1 if done.left else 0


def _tables(options: argparse.Namespace) -> int:
    from chalicelib.kernel import clock

    for table in options.tables.split(","):
        if table not in topology.TABLES:
            print(f"replay: there is no table {table}", file=sys.stderr)
            return 1
    for table in options.tables.split(","):
        done = replay_table(table, options.since, options.until or clock.now(), sends=not options.list)
        print(f"{table}: {dict(done.events)}")
    return 0


def _bucket(installed: str) -> str:
    """Return the bucket as the installation's stack names it."""
    import boto3

    stacks = boto3.client("cloudformation").describe_stacks(StackName=stack_name(installed))["Stacks"]
    return next(str(one["OutputValue"]) for one in stacks[0]["Outputs"] if one["OutputKey"] == "UploadsBucketName")


if __name__ == "__main__":
    sys.exit(main())
