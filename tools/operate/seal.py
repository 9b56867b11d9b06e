"""Data keys of sealed rows: shows them, adds one, seals everything under the newest, drops an old one.

    BIANDAN_STAGE=prod python -m tools.operate.seal                  what there is, and how many rows each key seals
    BIANDAN_STAGE=prod python -m tools.operate.seal --rotate         one more key; then --reseal
    BIANDAN_STAGE=prod python -m tools.operate.seal --reseal         every row under the newest, plain ones too
    BIANDAN_STAGE=prod python -m tools.operate.seal --drop 1         when no row is under it: what it sealed is gone
    BIANDAN_STAGE=prod python -m tools.operate.seal --rewrap-from arn:aws:kms:...    a shop brought back beside another

It needs ``kms:Decrypt``, ``kms:Encrypt`` and ``kms:GenerateDataKey`` on the stack's key. Each row is written under the
condition that it still is the one that was read: it races with the shop without harm, may be stopped and run again.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.later import Later
from chalicelib.orders import rows as orders
from chalicelib.runtime import aws, names
from chalicelib.runtime.db.rows import Row, SealedDocument
from chalicelib.runtime.seals import cipher, kms, ring
from tools.shared import leaves, place

Raw = dict[str, Any]
Say = Callable[[str], None]
PAGE = 25
PLAIN = 0
"""Counted as the number of a data key: a row of before, not sealed at all."""


def sealed_attributes(kind: type[Row]) -> list[str]:
    """Return the names in the table of what a model seals."""
    return [one.attr_name for one in kind.get_attributes().values() if isinstance(one, SealedDocument)]


def model_of(table: str, raw: Raw) -> type[Row] | None:
    """Return the model that seals something of this row, if one does."""
    for name, kind in leaves.models():
        if name != table or not sealed_attributes(kind):
            continue
        needed = [
            one.attr_name for one in kind.get_attributes().values() if not one.null and one.attr_name != "version"
        ]
        if all(attribute in raw for attribute in needed):
            return kind
    return None


def tables() -> list[str]:
    """Return the tables in which something is sealed."""
    return sorted({name for name, kind in leaves.models() if sealed_attributes(kind)})


def keys_of(kind: type[Row], raw: Raw) -> list[int]:
    """Return under which data keys a row's values are sealed."""
    found = []
    for attribute in sealed_attributes(kind):
        value = raw.get(attribute)
        if value is not None:
            found.append(cipher.number_of(base64.b64decode(value["B"])) if "B" in value else PLAIN)
    if kind is orders.PurchaseRow and "delivery" not in raw:
        doc = kind.from_raw_data(raw).doc
        found += [PLAIN] if doc.contact is not None or doc.note else []
    return found


def count(say: Say) -> Counter[int]:
    """Count the rows of every sealing table by the oldest data key that they need."""
    found: Counter[int] = Counter()
    for table in tables():
        for raw in scan(table):
            kind = model_of(table, raw)
            numbers = keys_of(kind, raw) if kind is not None else []
            found.update([min(numbers)] if numbers else [])
    made = ring.made_at()
    for number in sorted({*found, *made}):
        name = f"data key {number} of {made[number]:%Y-%m-%d}" if number in made else "plain, of before"
        say(f"{name}: {found[number]} rows")
    return found


def reseal(say: Say, *, rows_per_second: float, sleep: Callable[[float], None] = time.sleep) -> int:
    """Seal everything under the newest data key; returns how many rows were written."""
    newest = ring.newest() or ring.add()
    written, begun = 0, time.monotonic()
    for table in tables():
        for raw in scan(table):
            kind = model_of(table, raw)
            if kind is None or all(number == newest for number in keys_of(kind, raw)):
                continue
            written += _rewrite(kind, raw)
            ahead_s = written / rows_per_second - (time.monotonic() - begun)
            if ahead_s > 0:
                sleep(ahead_s)
        say(f"{table}: done, {written} rows written so far")
    return written


def _rewrite(kind: type[Row], raw: Raw) -> bool:
    """Seal one row anew, unless it changed meanwhile: then whoever changed it sealed it, or the next run does."""
    anew = _anew(kind, raw)
    changed = {name: value for name, value in anew.items() if raw.get(name) != value}
    if not changed:
        return False
    names_ = {f"#a{number}": name for number, name in enumerate(changed)}
    values = {f":a{number}": value for number, value in enumerate(changed.values())}
    settings = ", ".join(f"#a{number} = :a{number}" for number in range(len(changed)))
    version = raw.get("version", {"N": "0"})
    try:
        aws.call(
            "dynamodb",
            "UpdateItem",
            {
                "TableName": kind.Meta.table_name,
                "Key": kind.from_raw_data(raw).key(),
                # Events ride on the change that they were written with: they are not told again by this one.
                "UpdateExpression": f"SET {settings} REMOVE event_version",
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {**names_, "#version": "version"},
                "ExpressionAttributeValues": {**values, ":version": version},
            },
        )
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _anew(kind: type[Row], raw: Raw) -> Raw:
    """Return what of a row is written anew: its sealed values, and the document that one of them stood in before."""
    row = kind.from_raw_data(raw)
    if isinstance(row, orders.PurchaseRow):
        purchase = orders.purchase_of(row)
        opened = orders.purchase_row(replace(purchase, delivery=Later.of(purchase.delivery()))).serialize()
        return {name: opened[name] for name in ("delivery", "doc") if name in opened}
    for name, attribute in kind.get_attributes().items():
        if isinstance(attribute, SealedDocument) and name in row.attribute_values:
            row.attribute_values[name] = Later.of(row.unopened(name)())
    written = row.serialize()
    return {name: written[name] for name in sealed_attributes(kind) if name in written}


def rewrap(from_key: str) -> int:
    """Wrap every data key under this installation's own key of KMS, with the one that wrapped it before.

    Raises:
        Misconfigured: on a laptop, or where there are no data keys.
    """
    if not ring.newest() or not isinstance(kms.kms(), kms.AwsKms):
        raise Misconfigured(why="there is nothing that KMS wrapped")
    return ring.rewrap(lambda wrapped, number: _moved(wrapped, number, from_key))


def _moved(wrapped: bytes, number: int, from_key: str) -> bytes:
    try:
        opened = kms.AwsKms().unwrap(wrapped, number, key=from_key)
    except Misconfigured:
        kms.AwsKms().unwrap(wrapped, number)  # An earlier run got this far.
        return wrapped
    params = {
        "KeyId": kms.key_id(),
        "Plaintext": base64.b64encode(opened).decode(),
        "EncryptionContext": kms.context(number),
    }
    return base64.b64decode(aws.call("kms", "Encrypt", params)["CiphertextBlob"])


def scan(table: str) -> Iterator[Raw]:
    """Yield every row of a table, as it is when its page is read."""
    params: Raw = {"TableName": names.table_name(table), "Limit": PAGE, "ConsistentRead": True}
    while True:
        page = aws.call("dynamodb", "Scan", params)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        params["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def main(arguments: list[str] | None = None) -> int:
    """Work from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rotate", action="store_true", help="make one more data key, which seals from now on")
    parser.add_argument("--reseal", action="store_true", help="seal everything under the newest data key")
    parser.add_argument("--drop", type=int, metavar="NUMBER", help="forget a data key under which no row is")
    parser.add_argument("--rewrap-from", metavar="KEY", help="the key of KMS that wrapped the data keys until now")
    parser.add_argument("--rows-per-second", type=float, default=100.0)
    options = parser.parse_args(arguments)
    try:
        print(place.settle(), file=sys.stderr)
        if options.rewrap_from:
            print(f"{rewrap(options.rewrap_from)} data keys are wrapped by this installation's key")
        if options.rotate:
            print(f"data key {ring.add()} seals within {ring.KEEP_S} s; then seal the rest anew with --reseal")
        if options.reseal:
            reseal(print, rows_per_second=options.rows_per_second)
        found = count(print)
        if options.drop is not None:
            if found[options.drop]:
                raise Misconfigured(why=f"{found[options.drop]} rows are under data key {options.drop}")
            ring.drop(options.drop)
            print(f"data key {options.drop} is gone; backups that need it open never again")
    except (Misconfigured, place.Nowhere) as error:
        print(f"seal: {error.params.get('why') if isinstance(error, Misconfigured) else error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
