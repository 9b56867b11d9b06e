"""Counts DynamoDB calls and works out what AWS would bill, from item images, by its published rules.

No local engine reports transactional capacity right, so units are computed here:

- an item's size is the UTF-8 bytes of its attribute names and values (numbers about a byte for two digits);
- a read costs 1 unit for each 4 KB begun, half of it when eventually consistent; a Query rounds its sum, a
  BatchGetItem rounds each item; a missing item costs the least;
- a write costs 1 unit for each KB begun of the larger of the old and the new image, a failed condition too, and double
  in a transaction (condition checks included);
- an index costs a write for each entry put, replaced or removed, two when the entry's key changes, none when nothing
  it projects changes.

Sources: Amazon DynamoDB Developer Guide, "Read and write operations", "DynamoDB item sizes and formats",
"Using global secondary indexes" and "Amazon DynamoDB Transactions: capacity management".
"""

from __future__ import annotations

import base64
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from chalicelib.runtime import aws, names, transport

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Use:
    """What one call used."""

    operation: str
    tables: tuple[str, ...]
    read_units: float = 0.0
    write_units: float = 0.0
    index_units: float = 0.0
    """The part of ``write_units`` that indexes cost."""
    failed: bool = False


@dataclass
class Meter:
    """The uses of one measured block, in order."""

    uses: list[Use] = field(default_factory=list)
    sqs: Counter[str] = field(default_factory=Counter)
    s3: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def calls(self) -> int:
        """Return the number of DynamoDB calls."""
        return len(self.uses)

    @property
    def read_units(self) -> float:
        """Return the read units of all calls."""
        return sum(use.read_units for use in self.uses)

    @property
    def write_units(self) -> float:
        """Return the write units of all calls, those of indexes included."""
        return sum(use.write_units for use in self.uses)

    @property
    def index_units(self) -> float:
        """Return the write units that indexes cost."""
        return sum(use.index_units for use in self.uses)

    @property
    def figures(self) -> tuple[int, float, float]:
        """Return calls, write units, read units: what tests assert."""
        return self.calls, self.write_units, self.read_units

    def operations(self) -> list[str]:
        """Return the calls as ``Operation table,table``."""
        return [f"{use.operation} {','.join(use.tables)}" for use in self.uses]

    def add(self, use: Use) -> None:
        """Append one use."""
        with self._lock:
            self.uses.append(use)


@contextmanager
def measured(wanted: Callable[[], bool] = lambda: True) -> Iterator[Meter]:
    """Meter every call this process makes inside the block, or those that are ``wanted`` where they are made.

    Old images are read beside it: one caller at a time.
    """
    meter = Meter()

    def hook(service: str, operation: str, params: Item, proceed: Callable[[], Item]) -> Item:
        if not wanted():
            return proceed()
        if service in ("sqs", "s3"):
            (meter.sqs if service == "sqs" else meter.s3)[operation] += 1
        if service != "dynamodb" or operation not in _RULES:
            return proceed()
        return _RULES[operation](meter, operation, params, proceed)

    with aws.hooked(hook):
        yield meter


# Sizes -------------------------------------------------------------------------------------------------------------


def size(item: Item | None) -> int:
    """Return the bytes of an item as DynamoDB counts them."""
    return sum(len(name.encode()) + _value_size(value) for name, value in (item or {}).items())


def _value_size(value: Item) -> int:  # noqa: PLR0911 -- one line a type
    (kind, content), *_ = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "B":
            return len(base64.b64decode(content))
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + _value_size(part) for part in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(part) for name, part in content.items())
        case "NS":
            return sum(_number_size(part) for part in content)
        case _:
            return sum(len(part if isinstance(part, bytes) else part.encode()) for part in content)


def _number_size(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def _table(params: Item) -> str:
    return names.table_of(params["TableName"])


def _reads(bytes_: int, *, consistent: bool) -> float:
    return max(1, ceil(bytes_ / 4096)) * (1.0 if consistent else 0.5)


def _writes(*images: Item | None) -> int:
    return max(1, *(ceil(size(image) / 1024) for image in images))


# Reads -------------------------------------------------------------------------------------------------------------


def _get(meter: Meter, operation: str, params: Item, proceed: Callable[[], Item]) -> Item:
    answer = proceed()
    consistent = bool(params.get("ConsistentRead"))
    meter.add(Use(operation, (_table(params),), read_units=_reads(size(answer.get("Item")), consistent=consistent)))
    return answer


def _batch_get(meter: Meter, operation: str, params: Item, proceed: Callable[[], Item]) -> Item:
    asked = {
        table: (len(part["Keys"]), bool(part.get("ConsistentRead"))) for table, part in params["RequestItems"].items()
    }
    answer = proceed()
    units = 0.0
    for table, (count, consistent) in asked.items():
        items = answer.get("Responses", {}).get(table, [])
        left = len(answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", []))
        units += sum(_reads(size(item), consistent=consistent) for item in items)
        units += (count - left - len(items)) * _reads(0, consistent=consistent)
    meter.add(Use(operation, tuple(names.table_of(table) for table in asked), read_units=units))
    return answer


def _query(meter: Meter, operation: str, params: Item, proceed: Callable[[], Item]) -> Item:
    answer = proceed()
    items = answer.get("Items", [])
    bytes_ = sum(size(item) for item in items)
    if params.get("FilterExpression") and items and answer.get("ScannedCount", 0) > len(items):
        bytes_ = bytes_ * answer["ScannedCount"] // len(items)  # What the filter dropped was read too.
    units = _reads(bytes_, consistent=bool(params.get("ConsistentRead")))
    meter.add(Use(operation, (_table(params),), read_units=units))
    return answer


def _transact_get(meter: Meter, operation: str, params: Item, proceed: Callable[[], Item]) -> Item:
    answer = proceed()
    units = sum(2 * _reads(size(part.get("Item")), consistent=True) for part in answer.get("Responses", []))
    tables = tuple(names.table_of(part["Get"]["TableName"]) for part in params["TransactItems"])
    meter.add(Use(operation, tuple(dict.fromkeys(tables)), read_units=units))
    return answer


# Writes ------------------------------------------------------------------------------------------------------------


def _write(meter: Meter, operation: str, params: Item, proceed: Callable[[], Item]) -> Item:
    return _written(meter, operation, [(operation.removesuffix("Item"), params)], 1, proceed)


def _transact_write(meter: Meter, operation: str, params: Item, proceed: Callable[[], Item]) -> Item:
    parts = [next(iter(part.items())) for part in params["TransactItems"]]
    return _written(meter, operation, parts, 2, proceed)


def _batch_write(meter: Meter, operation: str, params: Item, proceed: Callable[[], Item]) -> Item:
    parts = []
    for table, requests in params["RequestItems"].items():
        for request in requests:
            (kind, content), *_ = request.items()
            parts.append((kind.removesuffix("Request"), {"TableName": table, **content}))
    return _written(meter, operation, parts, 1, proceed)


def _written(
    meter: Meter, operation: str, parts: list[tuple[str, Item]], factor: int, proceed: Callable[[], Item]
) -> Item:
    before = [_image(params) for _, params in parts]
    failure: Exception | None = None
    answer: Item = {}
    try:
        answer = proceed()
    except Exception as error:
        failure = error
        if aws.error_code(error) not in ("ConditionalCheckFailedException", "TransactionCanceledException"):
            raise
    after = [old if failure else _after(verb, params) for (verb, params), old in zip(parts, before, strict=True)]
    units = index = 0.0
    for (verb, params), old, new in zip(parts, before, after, strict=True):
        units += factor * _writes(old, new)
        if verb != "ConditionCheck":
            index += sum(_index_writes(spec, old, new) for spec in _indexes(params["TableName"]))
    tables = tuple(dict.fromkeys(names.table_of(params["TableName"]) for _, params in parts))
    meter.add(Use(operation, tables, write_units=units + index, index_units=index, failed=failure is not None))
    if failure is not None:
        raise failure
    return answer


def _after(verb: str, params: Item) -> Item | None:
    if verb == "Put":
        item: Item = params["Item"]
        return item
    return None if verb == "Delete" else _image(params)


def _image(params: Item) -> Item | None:
    """Read the item as it stands, beside the meter."""
    table = params["TableName"]
    key = params.get("Key") or {name: params["Item"][name] for name in _key_names(table)}
    found = transport.call("dynamodb", "GetItem", {"TableName": table, "Key": key, "ConsistentRead": True})
    item: Item | None = found.get("Item")
    return item


# Indexes -----------------------------------------------------------------------------------------------------------

_specs: dict[str, Item] = {}


def _spec(table: str) -> Item:
    if table not in _specs:
        from infra.tables import table_specs

        for spec in table_specs().values():
            _specs[spec["TableName"]] = spec
    return _specs[table]


def _key_names(table: str) -> list[str]:
    return [part["AttributeName"] for part in _spec(table)["KeySchema"]]


def _indexes(table: str) -> list[Item]:
    found: list[Item] = _spec(table)["GlobalSecondaryIndexes"]
    keys = _key_names(table)
    return [{**index, "table_keys": keys} for index in found]


def _index_writes(index: Item, old: Item | None, new: Item | None) -> int:
    key_names = [part["AttributeName"] for part in index["KeySchema"]]
    was, now = _entry(index, key_names, old), _entry(index, key_names, new)
    if was == now:
        return 0
    if was is None or now is None:
        return _writes(was, now)
    if any(was[name] != now[name] for name in key_names):
        return _writes(was) + _writes(now)
    return _writes(was, now)


def _entry(index: Item, key_names: list[str], item: Item | None) -> Item | None:
    if item is None or any(name not in item for name in key_names):
        return None
    kind = index["Projection"]["ProjectionType"]
    if kind == "ALL":
        return item
    kept = {*key_names, *index["table_keys"], *index["Projection"].get("NonKeyAttributes", ())}
    return {name: value for name, value in item.items() if name in kept}


_RULES: dict[str, Callable[[Meter, str, Item, Callable[[], Item]], Item]] = {
    "GetItem": _get,
    "BatchGetItem": _batch_get,
    "Query": _query,
    "TransactGetItems": _transact_get,
    "PutItem": _write,
    "UpdateItem": _write,
    "DeleteItem": _write,
    "BatchWriteItem": _batch_write,
    "TransactWriteItems": _transact_write,
}
