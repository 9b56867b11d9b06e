"""Proves that nothing of an erased person is left: in tables, indexes, queues, buckets, files and logs.

    BIANDAN_STAGE=prod python -m tools.operate.erasure_scan --collect acc_... > values.json     before it is erased
    BIANDAN_STAGE=prod python -m tools.operate.erasure_scan values.json --also /var/log/shop    afterwards

``--collect`` writes down what the shop knows of accounts; keep that file as what it is, and delete it afterwards. The
scan looks for every value in every form that gives it away (``tools/operate/traces.py``), for the keyed digests that
lead to it, and opens what is sealed. What an erasure says it holds (an open order, say) is told apart. Exits with 1 if
anything else is found. Reading a queue shows its messages to nobody else for a moment, and counts as one delivery.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import io
import json
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib import topology
from chalicelib.auth import service as auth
from chalicelib.auth import store as accounts
from chalicelib.kernel import ids
from chalicelib.orders import service as orders
from chalicelib.privacy import store as erasures
from chalicelib.runtime import aws, names, queues
from chalicelib.runtime.config import config
from chalicelib.runtime.seals import ring
from chalicelib.runtime.seals.cipher import NotSealedHere
from tools.operate.traces import Haystack, Needle, forms
from tools.shared import place

Values = dict[str, dict[str, list[str]]]
"""Account -> what it is -> the values."""
Raw = dict[str, Any]
ROUNDS = 20


@dataclass(slots=True)
class Report:
    """What was looked at, and what was found."""

    looked: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    found: list[tuple[str, Needle]] = field(default_factory=list)
    held: list[tuple[str, Needle]] = field(default_factory=list)


def collect(account_ids: list[str]) -> Values:
    """Return what the shop knows of accounts."""
    return {account_id: _known(account_id) for account_id in account_ids}


def _known(account_id: str) -> dict[str, list[str]]:
    account = accounts.load_account(account_id, consistent=True)
    found: dict[str, list[str]] = {"e-mail": [], "phone": [], "name": [], "street": [], "note": [], "digest": []}
    if account is not None:
        found["e-mail"] += [account.email] if account.email else []
        found["phone"] += [account.phone] if account.phone else []
        found["name"] += [account.nickname] if account.nickname else []
        found["digest"] += auth.identity_ids(account)
    places: list[Any] = [*auth.addresses(account_id).addresses]
    after = None
    while True:
        page, after = orders.purchases_of(account_id, after, limit=100)
        for purchase_id in page:
            purchase = orders.load_purchase(purchase_id)
            places += [purchase.contact] if purchase.contact is not None else []
            found["note"] += [purchase.note] if purchase.note else []
        if after is None:
            break
    for one in places:
        found["phone"].append(one.phone)
        found["name"].append(one.recipient)
        found["street"].append(one.street)
    return {what: list(dict.fromkeys(values)) for what, values in found.items() if values}


def haystack(values: Values) -> Haystack:
    """Return what is looked for."""
    found = Haystack()
    for person, kinds in values.items():
        for what, texts in kinds.items():
            for text in texts:
                wanted = {"plain": text} if what == "digest" else forms(text)
                for form, written in wanted.items():
                    found.add(written, Needle(person, what, form))
    return found


def scan(values: Values, *, also: tuple[Path, ...] = (), read_queues: bool = True) -> Report:
    """Look everywhere."""
    wanted, holds, report = haystack(values), _holds(values), Report()
    sources = [_tables(), _objects(), _files(also), _logs(), *([_queues()] if read_queues else [])]
    for source in sources:
        for where, text in source:
            kind = where.split(" ", 1)[0]
            report.looked[kind] += 1
            report.bytes[kind] += len(text)
            for needle in wanted.find(text):
                is_held = any(record in where for record in holds.get(needle.person, ()))
                (report.held if is_held else report.found).append((where, needle))
    return report


def _holds(values: Values) -> dict[str, tuple[str, ...]]:
    """Return for each person what still holds records of theirs: parts of those records' keys."""
    found = {}
    for person in values:
        erasure = erasures.load(person)
        if erasure is not None and erasure.holds:
            found[person] = tuple(ids.body(record_id) for _, record_id in erasure.holds)
    return found


# --- where it looks ---------------------------------------------------------------------------------------------------


def _tables() -> Iterator[tuple[str, str]]:
    """Yield every row of every table and of every index, opened."""
    for table in sorted(topology.TABLES):
        full = names.table_name(table)
        described = aws.call("dynamodb", "DescribeTable", {"TableName": full})["Table"]
        keys = [part["AttributeName"] for part in described["KeySchema"]]
        for index in (None, *(one["IndexName"] for one in described.get("GlobalSecondaryIndexes", ()))):
            for raw in rows_of(full, index):
                key = "/".join(next(iter(raw[name].values())) for name in keys)
                yield f"table {table}{'.' + index if index else ''} {key}", _text(table, keys, raw)


def rows_of(table: str, index: str | None) -> Iterator[Raw]:
    """Yield every row of a table, or of one of its indexes, as it lies there."""
    params: Raw = {"TableName": table, **({"IndexName": index} if index else {"ConsistentRead": True})}
    while True:
        page = aws.call("dynamodb", "Scan", params)
        yield from page["Items"]
        if not page.get("LastEvaluatedKey"):
            return
        params["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _text(table: str, keys: list[str], raw: Raw) -> str:
    """Return a row as text: as it is, and what its bytes say once they are opened or unpacked."""
    parts = [json.dumps(raw, ensure_ascii=False)]
    place_of = "\n".join([table, *(raw[name].get("S", "") for name in keys)])
    for name, value in raw.items():
        if "B" in value:
            sealed = base64.b64decode(value["B"])
            try:
                parts.append(ring.unseal(sealed, f"{place_of}\n{name}").decode("utf-8", "replace"))
            except NotSealedHere:
                parts += list(_unpacked(sealed))
    return "\n".join(parts)


def _objects() -> Iterator[tuple[str, str]]:
    """Yield every version of every object in both buckets, with its key."""
    for bucket in (config().bucket, config().published_bucket, config().audit_bucket):
        params: Raw = {"Bucket": bucket}
        while True:
            page = aws.call("s3", "ListObjectVersions", params)
            for one in page.get("Versions", ()):
                where = {"Bucket": bucket, "Key": one["Key"]}
                if one.get("VersionId") not in (None, "null"):
                    where["VersionId"] = one["VersionId"]
                body = aws.call("s3", "GetObject", where)["Body"].read()
                for text in _unpacked(body):
                    yield f"object {bucket}/{one['Key']}", f"{one['Key']}\n{text}"
            if not page.get("IsTruncated"):
                break
            params |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}


def _queues() -> Iterator[tuple[str, str]]:
    """Yield the messages of every queue and of its dead letters."""
    for queue in sorted(topology.QUEUES):
        for name in (names.queue_name(queue), names.dead_letter_name(queue)):
            seen: set[str] = set()
            for _ in range(ROUNDS):
                params = {
                    "QueueUrl": queues.url(name),
                    "MaxNumberOfMessages": 10,
                    "VisibilityTimeout": 0,
                    "MessageAttributeNames": ["All"],
                }
                messages = aws.call("sqs", "ReceiveMessage", params).get("Messages", [])
                fresh = [one for one in messages if one["MessageId"] not in seen]
                for one in fresh:
                    yield f"queue {name}", json.dumps(one, ensure_ascii=False) + "\n" + one["Body"]
                seen |= {one["MessageId"] for one in fresh}
                if not fresh:
                    break


def _logs() -> Iterator[tuple[str, str]]:
    """Yield what the functions logged; on a laptop logs are files, which ``--also`` names."""
    if config().is_local:
        return
    params: Raw = {"logGroupNamePrefix": f"/aws/lambda/{names.table_name('')}"}
    for group in aws.call("logs", "DescribeLogGroups", params)["logGroups"]:
        wanted: Raw = {"logGroupName": group["logGroupName"]}
        while True:
            page = aws.call("logs", "FilterLogEvents", wanted)
            for event in page["events"]:
                yield f"log {group['logGroupName']}", event["message"]
            if "nextToken" not in page:
                break
            wanted["nextToken"] = page["nextToken"]


def _files(roots: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    for root in roots:
        for path in [root] if root.is_file() else sorted(one for one in root.rglob("*") if one.is_file()):
            for text in _unpacked(path.read_bytes()):
                yield f"file {path}", f"{path.name}\n{text}"


def _unpacked(content: bytes) -> Iterator[str]:
    """Yield what bytes say: as text in the encodings that are used here, and what is packed in them."""
    yield content.decode("utf-8", "replace")
    if b"\0" in content[:200]:
        yield content.decode("utf-16", "replace")
    if not content.isascii():
        yield content.decode("gb18030", "replace")
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content).decode("utf-8", "replace")
    if content[:1] == b"\x78":
        try:
            yield zlib.decompress(content).decode("utf-8", "replace")
        except zlib.error:
            return
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield f"{name}\n{archive.read(name).decode('utf-8', 'replace')}"


# --- the command ------------------------------------------------------------------------------------------------------


def told(values: Values, report: Report) -> str:
    """Return the report in words."""
    lines = [f"{len(values)} persons, {len(haystack(values))} texts that would give them away"]
    lines += [f"{kind}: {count} looked at, {report.bytes[kind]:,} characters" for kind, count in report.looked.items()]
    lines.append(f"found: {len(report.found)}; in records that an erasure holds: {len(report.held)}")
    lines += [f"  {needle.person} {needle.what} ({needle.form}) in {where}" for where, needle in report.found[:50]]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Scan from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("values", nargs="?", type=Path, help="what --collect wrote")
    parser.add_argument("--collect", nargs="+", metavar="ACCOUNT", help="write down what the shop knows of accounts")
    parser.add_argument(
        "--also", nargs="*", type=Path, default=[], help="files and folders: logs, exports, event files"
    )
    parser.add_argument("--no-queues", action="store_true", help="receive no messages")
    options = parser.parse_args(arguments)
    try:
        print(place.settle(), file=sys.stderr)
    except place.Nowhere as error:
        print(f"erasure-scan: {error}", file=sys.stderr)
        return 2
    if options.collect:
        print(json.dumps(collect(options.collect), ensure_ascii=False, indent=1))
        return 0
    if options.values is None:
        parser.error("name the file that --collect wrote")
    values: Values = json.loads(options.values.read_text(encoding="utf-8"))
    report = scan(values, also=tuple(options.also), read_queues=not options.no_queues)
    print(told(values, report))
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
