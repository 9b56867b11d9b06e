"""Changes that could not be relayed, as files in the bucket: written by Lambda, or by the relay, in Lambda's own form.

Lambda writes ``aws/lambda/<mapping>/<shard>/<day>/...``: a JSON document with the whole event as text in ``payload``.
The relay lays aside what it cannot read, so that nothing behind it has to wait. ``tools.operate.replay`` sends both
again.

Source: AWS Lambda Developer Guide, "Retain discarded records for a DynamoDB event source".
"""

from __future__ import annotations

import json
from typing import Any

from chalicelib.kernel import clock, ids
from chalicelib.runtime import objects

PREFIX = "aws/lambda/"
REPLAYED = "replayed/"
"""Before the key of what was sent again."""
OURS = f"{PREFIX}relay/"


def lay_aside(record: dict[str, Any], reason: str) -> str:
    """Write one stream record into the bucket; returns its key, the same however often it is written.

    Raises:
        Exception: as the bucket answers. The record then waits in its stream.
    """
    change = record["dynamodb"]
    name = ids.digest(str(record.get("eventSourceARN", "")), str(change["SequenceNumber"]))
    key = f"{OURS}{clock.now():%Y/%m/%d}/{name}.json"
    document = {
        "requestContext": {"condition": reason[:200]},
        "timestamp": clock.now().isoformat(),
        "payload": json.dumps({"Records": [record]}, default=str),
    }
    objects.put(key, json.dumps(document).encode(), "application/json")
    return key


def records_of(content: bytes) -> list[dict[str, Any]]:
    """Return the stream records of a file.

    Raises:
        ValueError: if it is not one of these files, or holds no copy of the records.
    """
    try:
        records = json.loads(json.loads(content)["payload"])["Records"]
    except (KeyError, TypeError) as error:
        raise ValueError("it holds no records") from error
    if not isinstance(records, list) or not all(isinstance(one, dict) and "dynamodb" in one for one in records):
        raise ValueError("it holds no records")
    return records
