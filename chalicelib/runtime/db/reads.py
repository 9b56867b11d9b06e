"""Reads: one row, many rows of several tables in one call, one page of a partition or an index. Never a scan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pynamodb.expressions.condition import Condition

from chalicelib.kernel.errors import Busy
from chalicelib.kernel.pages import Page, Place, Window
from chalicelib.runtime.db import dynamo, witness
from chalicelib.runtime.db.rows import Row

R = TypeVar("R", bound=Row)
Raw = dict[str, Any]
Wanted = tuple[type[Row], str, str | None]
"""A row to read: its kind, hash key and range key."""
Key = tuple[str, str, str | None]
"""Table, hash key and range key."""
BATCH_KEYS = 100
"""BatchGetItem's limit."""


def get(kind: type[R], hash_key: str, range_key: str | None = None, *, consistent: bool = False) -> R | None:
    """Read one row, or None."""
    raw = get_raw(kind, hash_key, range_key, consistent=consistent)
    return kind.from_raw_data(raw) if raw is not None else None


def get_raw(kind: type[R], hash_key: str, range_key: str | None = None, *, consistent: bool = False) -> Raw | None:
    """Read one row's raw attributes, or None."""
    params: Raw = {"TableName": kind.Meta.table_name, "Key": _key(kind, hash_key, range_key)}
    if consistent:
        params["ConsistentRead"] = True
    item: Raw | None = dynamo.call("GetItem", params).get("Item")
    if item is not None:
        witness.remember((kind.Meta.table_name, hash_key, range_key), item)
    return item


def get_by_key(table: str, key: Raw) -> Raw | None:
    """Read one row, consistently, by its table's full name and its raw key: of a kind that the reader does not know."""
    item: Raw | None = dynamo.call("GetItem", {"TableName": table, "Key": key, "ConsistentRead": True}).get("Item")
    return item


def get_many(wanted: Iterable[Wanted], *, consistent: bool = False) -> dict[tuple[str, str | None], Row]:
    """Read many rows, of any tables, a hundred a call. Returns them by (hash key, range key); missing ones are absent.

    Duplicate keys are asked for once.
    """
    return {key: kind.from_raw_data(item) for key, (kind, item) in _get_many(wanted, consistent=consistent).items()}


def get_many_raw(wanted: Iterable[Wanted], *, consistent: bool = False) -> dict[tuple[str, str | None], Raw]:
    """Read many rows' raw attributes, as :func:`get_many`."""
    return {key: item for key, (_, item) in _get_many(wanted, consistent=consistent).items()}


def _get_many(wanted: Iterable[Wanted], *, consistent: bool) -> dict[tuple[str, str | None], tuple[type[Row], Raw]]:
    kinds: dict[Key, type[Row]] = {}
    for kind, hash_key, range_key in wanted:
        kinds[(kind.Meta.table_name, hash_key, range_key)] = kind
    found = get_keys(kinds, strong={table for table, _, _ in kinds} if consistent else ())
    return {key[1:]: (kinds[key], item) for key, item in found.items()}


def get_keys(kinds: Mapping[Key, type[Row]], *, strong: Collection[str] = ()) -> dict[Key, Raw]:
    """Read rows of any tables by table and key, a hundred a call; those of the tables ``strong`` consistently.

    What DynamoDB leaves unprocessed is asked for again.

    Raises:
        Busy: if something stayed unprocessed, or throttled, to the last attempt.
    """
    tables = {table: kind for (table, _, _), kind in kinds.items()}
    found: dict[Key, Raw] = {}
    pending = list(kinds)
    for start in range(0, len(pending), BATCH_KEYS):
        request: dict[str, dict[str, Any]] = {}
        for table, hash_key, range_key in pending[start : start + BATCH_KEYS]:
            part = request.setdefault(table, {"Keys": [], **({"ConsistentRead": True} if table in strong else {})})
            part["Keys"].append(_key(kinds[(table, hash_key, range_key)], hash_key, range_key))
        for answer in _answers("BatchGetItem", request, left="UnprocessedKeys"):
            for table, items in answer.get("Responses", {}).items():
                for item in items:
                    place = (table, *_key_values(tables[table], item))
                    found[place] = item
                    witness.remember(place, item)
    return found


def _answers(operation: str, request: dict[str, Any], *, left: str) -> Iterator[dict[str, Any]]:
    """Yield the answers to a batch: what DynamoDB leaves of it, under the name ``left``, is asked for again.

    Raises:
        Busy: if something was left to the last attempt.
    """
    for attempt in range(dynamo.ATTEMPTS):
        answer = dynamo.call(operation, {"RequestItems": request})
        yield answer
        request = answer.get(left) or {}
        if not request:
            return
        dynamo.sleep(dynamo.jitter() * min(dynamo.CAP_S, dynamo.BASE_S * 2**attempt))
    raise Busy


def query(
    kind: type[Row],
    hash_key: str,
    *,
    index: Any = None,
    range_condition: Condition | None = None,
    filter_condition: Condition | None = None,
    limit: int | None = None,
    start_key: Place | None = None,
    descending: bool = False,
    consistent: bool = False,
) -> Page[Raw]:
    """Read one page of a partition, of the table or of an index.

    ``limit`` bounds what is read, not what passes the filter.
    """
    schema = index if index is not None else kind
    hash_attribute = schema._hash_key_attribute()
    names: dict[str, str] = {}
    values: dict[str, Any] = {}
    condition = hash_attribute == hash_key
    if range_condition is not None:
        condition = condition & range_condition
    params: dict[str, Any] = {"TableName": kind.Meta.table_name}
    params["KeyConditionExpression"] = condition.serialize(names, values)
    if filter_condition is not None:
        params["FilterExpression"] = filter_condition.serialize(names, values)
    params["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
    params["ExpressionAttributeValues"] = values
    if index is not None:
        params["IndexName"] = index.Meta.index_name
    if limit is not None:
        params["Limit"] = limit
    if start_key is not None:
        params["ExclusiveStartKey"] = start_key
    if descending:
        params["ScanIndexForward"] = False
    if consistent:
        params["ConsistentRead"] = True
    answer = dynamo.call("Query", params)
    if index is None and witness.remembers():
        for item in answer.get("Items", ()):
            witness.remember((kind.Meta.table_name, *_key_values(kind, item)), item)
    return Page(answer.get("Items", []), answer.get("LastEvaluatedKey"))


def windowed(kind: type[Row], hash_key: str, window: Window, **options: Any) -> Page[Raw]:
    """Read the page of a partition that a window asks for; options as of :func:`query`."""
    return query(kind, hash_key, limit=window.limit, start_key=window.after, **options)


def query_items(kind: type[Row], hash_key: str, **options: Any) -> list[Raw]:
    """Read a whole (small, bounded by design) partition as raw items, page by page; with a ``limit`` the first page."""
    items: list[Raw] = []
    start_key: Place | None = None
    while True:
        page = query(kind, hash_key, start_key=start_key, **options)
        items += page.items
        start_key = page.after
        if start_key is None or options.get("limit") is not None:
            return items


def query_rows(kind: type[R], hash_key: str, **options: Any) -> list[R]:
    """Read a whole partition as rows, as :func:`query_items`."""
    return [kind.from_raw_data(item) for item in query_items(kind, hash_key, **options)]


def put_many(rows: Sequence[Row]) -> None:
    """Write rows without conditions, 25 a call: what can be worked out again and comes out the same, never state."""
    for start in range(0, len(rows), 25):
        request: dict[str, list[dict[str, Any]]] = {}
        for row in rows[start : start + 25]:
            request.setdefault(row.Meta.table_name, []).append({"PutRequest": {"Item": row.serialize()}})
        for _ in _answers("BatchWriteItem", request, left="UnprocessedItems"):
            pass


def _key(kind: type[Row], hash_key: str, range_key: str | None) -> Raw:
    hash_name, range_name = kind.key_names()
    attributes = kind.get_attributes()
    key: Raw = {attributes[hash_name].attr_name: {"S": hash_key}}
    if range_name is not None:
        attribute = attributes[range_name]
        key[attribute.attr_name] = {attribute.attr_type: attribute.serialize(range_key)}
    return key


def _key_values(kind: type[Row], item: Raw) -> tuple[str, str | None]:
    hash_name, range_name = kind.key_names()
    attributes = kind.get_attributes()
    hash_key = str(item[attributes[hash_name].attr_name]["S"])
    if range_name is None:
        return hash_key, None
    return hash_key, str(next(iter(item[attributes[range_name].attr_name].values())))
