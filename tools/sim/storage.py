"""DynamoDB in memory, with its semantics: conditions, transactions with reasons, tokens, indexes, streams, stale reads.

Single-threaded and deterministic; a hook of ``runtime.aws`` (:meth:`Storage.hook`) puts it under the real services. The
conformance suite (tests/integration/sim/test_sim_conformance.py) runs the same cases here and on the embedded engine.
"""

from __future__ import annotations

import json
from bisect import insort
from collections.abc import Callable, Iterable, Reversible
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tools.sim import expressions
from tools.sim.expressions import Item, Unsupported, comparable

Params = dict[str, Any]
Answer = dict[str, Any]
Key = tuple[Any, ...]

TOKEN_LIVES_S = 600
ITEM_CAP_BYTES = 400 * 1024


def failure(operation: str, code: str, message: str = "", **more: Any) -> ClientError:
    """Return the error the service would answer with."""
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}, **more}
    return ClientError(response, operation)


def cancelled(reasons: list[Params]) -> ClientError:
    """Return the error of a cancelled transaction."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return failure("TransactWriteItems", "TransactionCanceledException", message, CancellationReasons=reasons)


@dataclass
class _Index:
    hash_name: str
    range_name: str | None
    projected: frozenset[str] | None
    """Attribute names an index holds; None is all."""
    partitions: dict[Any, list[tuple[Any, Key]]] = field(default_factory=dict)


@dataclass
class Table:
    """One table: items by key, each partition's keys in order, indexes, and the stream of its changes."""

    name: str
    hash_name: str
    range_name: str | None
    indexes: dict[str, _Index]
    items: dict[Key, Item] = field(default_factory=dict)
    before: dict[Key, Item | None] = field(default_factory=dict)
    """What each item was before its last change: what a stale read may still see."""
    partitions: dict[Any, list[tuple[Any, Key]]] = field(default_factory=dict)
    stream: list[Params] = field(default_factory=list)
    changed: Callable[[Table, Params], None] | None = None

    def key_of(self, attributes: Item) -> Key:
        """Return the comparable key of an item or of a raw key.

        Raises:
            Unsupported: if a key attribute is missing or empty.
        """
        parts = []
        for name in (self.hash_name, self.range_name):
            if name is None:
                continue
            value = attributes.get(name)
            if value is None or value in ({"S": ""}, {"B": b""}):
                raise Unsupported(f"key attribute {name} is missing or empty")
            parts.append(comparable(value)[1])
        return tuple(parts)

    def raw_key(self, item: Item) -> Item:
        """Return the key attributes of an item."""
        return {name: item[name] for name in (self.hash_name, self.range_name) if name is not None}

    def write(self, key: Key, new: Item | None) -> None:
        """Store, replace or delete an item; maintain indexes and the stream. Writing what is there leaves no record."""
        old = self.items.get(key)
        if old == new:
            return
        self.before[key] = old
        self._reindex(key, old, new)
        if new is None:
            del self.items[key]
        else:
            self.items[key] = new
        number = len(self.stream) + 1
        change: Params = {
            "Keys": self.raw_key(new or old or {}),
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            "ApproximateCreationDateTime": 0,
        }
        if old is not None:
            change["OldImage"] = old
        if new is not None:
            change["NewImage"] = new
        name = "INSERT" if old is None else "MODIFY" if new is not None else "REMOVE"
        record: Params = {
            "eventID": f"{self.name}-{number}",
            "eventName": name,
            "awsRegion": "us-east-1",
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{self.name}/stream/sim",
            "dynamodb": change,
        }
        self.stream.append(record)
        if self.changed is not None:
            self.changed(self, record)

    def _reindex(self, key: Key, old: Item | None, new: Item | None) -> None:
        if old is None or new is None:
            range_value = key[1] if len(key) > 1 else ""
            keys = self.partitions.setdefault(key[0], [])
            if old is None:
                insort(keys, (range_value, key))
            else:
                keys.remove((range_value, key))
        for index in self.indexes.values():
            gone, come = _place(index, old, key), _place(index, new, key)
            if gone == come:
                continue
            if gone is not None:
                index.partitions[gone[0]].remove(gone[1])
            if come is not None:
                insort(index.partitions.setdefault(come[0], []), come[1])


def _place(index: _Index, item: Item | None, key: Key) -> tuple[Any, tuple[Any, Key]] | None:
    if item is None or index.hash_name not in item:
        return None
    if index.range_name is not None and index.range_name not in item:
        return None
    range_value = comparable(item[index.range_name])[1] if index.range_name is not None else ""
    return comparable(item[index.hash_name])[1], (range_value, key)


class Storage:
    """All tables of one account. ``stale`` decides at each eventually consistent read if it sees the item as before,
    ``late`` at each read of an index if it does not see an item yet.
    """

    def __init__(
        self,
        specs: Iterable[Params],
        *,
        now_s: Callable[[], float],
        stale: Callable[[], bool] | None = None,
        late: Callable[[Table, Key], bool] | None = None,
        changed: Callable[[Table, Params], None] | None = None,
    ) -> None:
        """``changed`` is told of every stream record the moment it is written."""
        self.tables: dict[str, Table] = {}
        self._changed = changed
        self._now_s = now_s
        self._stale = stale or (lambda: False)
        self._late = late or (lambda _table, _key: False)
        self._tokens: dict[str, tuple[float, str]] = {}
        self._operations: dict[str, Callable[[Params], Answer]] = {
            "GetItem": self._get,
            "BatchGetItem": self._batch_get,
            "PutItem": self._put,
            "UpdateItem": self._update,
            "DeleteItem": self._delete,
            "Query": self._query,
            "BatchWriteItem": self._batch_write,
            "TransactWriteItems": self._transact,
        }
        for spec in specs:
            self.create(spec)

    def create(self, spec: Params) -> None:
        """Create a table from CreateTable's parameters."""
        hash_name, range_name = _schema(spec["KeySchema"])
        indexes = {}
        for index in spec.get("GlobalSecondaryIndexes") or []:
            index_hash, index_range = _schema(index["KeySchema"])
            projection = index["Projection"]
            projected = None
            if projection["ProjectionType"] != "ALL":
                wanted = {hash_name, range_name, index_hash, index_range, *projection.get("NonKeyAttributes", [])}
                projected = frozenset(name for name in wanted if name)
            indexes[index["IndexName"]] = _Index(index_hash, index_range, projected)
        self.tables[spec["TableName"]] = Table(spec["TableName"], hash_name, range_name, indexes, changed=self._changed)

    def call(self, operation: str, params: Params) -> Answer:
        """Run one operation.

        Raises:
            ClientError: as DynamoDB answers.
        """
        handler = self._operations.get(operation)
        if handler is None:
            raise failure(operation, "UnknownOperationException")
        try:
            return handler(params)
        except Unsupported as error:
            raise failure(operation, "ValidationException", str(error)) from error

    def hook(self, service: str, operation: str, params: Params, proceed: Callable[[], Answer]) -> Answer:
        """Stand in for DynamoDB as a hook of ``runtime.aws``."""
        return self.call(operation, params) if service == "dynamodb" else proceed()

    def save(self) -> Any:
        """Return what :meth:`restore` takes back; items are never changed in place, so containers are copied only."""
        return dict(self._tokens), {
            name: (
                dict(table.items),
                dict(table.before),
                {key: list(places) for key, places in table.partitions.items()},
                list(table.stream),
                {
                    index_name: {key: list(places) for key, places in index.partitions.items()}
                    for index_name, index in table.indexes.items()
                },
            )
            for name, table in self.tables.items()
        }

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self._tokens = dict(saved[0])
        for name, (items, before, partitions, stream, indexes) in saved[1].items():
            table = self.tables[name]
            table.items, table.before, table.stream = dict(items), dict(before), list(stream)
            table.partitions = {key: list(places) for key, places in partitions.items()}
            for index_name, places_by_key in indexes.items():
                table.indexes[index_name].partitions = {key: list(places) for key, places in places_by_key.items()}

    def _table(self, operation: str, name: str) -> Table:
        table = self.tables.get(name)
        if table is None:
            raise failure(operation, "ResourceNotFoundException", "Requested resource not found")
        return table

    def _see(self, table: Table, key: Key, *, consistent: bool) -> Item | None:
        if not consistent and key in table.before and self._stale():
            return table.before[key]
        return table.items.get(key)

    def _get(self, params: Params) -> Answer:
        table = self._table("GetItem", params["TableName"])
        item = self._see(table, table.key_of(params["Key"]), consistent=params.get("ConsistentRead", False))
        return {"Item": dict(item)} if item is not None else {}

    def _batch_get(self, params: Params) -> Answer:
        responses: dict[str, list[Item]] = {}
        asked: set[tuple[str, Key]] = set()
        for name, part in params["RequestItems"].items():
            table = self._table("BatchGetItem", name)
            found = responses.setdefault(name, [])
            for key in sorted(table.key_of(raw) for raw in part["Keys"]):  # Sorted: callers may hold them in a set.
                if (name, key) in asked:
                    raise Unsupported("Provided list of item keys contains duplicates")
                asked.add((name, key))
                item = self._see(table, key, consistent=part.get("ConsistentRead", False))
                if item is not None:
                    found.append(dict(item))
        if len(asked) > 100:
            raise Unsupported("Too many items requested for the BatchGetItem call")
        return {"Responses": responses, "UnprocessedKeys": {}}

    def _put(self, params: Params) -> Answer:
        table = self._table("PutItem", params["TableName"])
        self._one("PutItem", table, "Put", params)
        return {}

    def _update(self, params: Params) -> Answer:
        table = self._table("UpdateItem", params["TableName"])
        old, new = self._one("UpdateItem", table, "Update", params)
        wanted = params.get("ReturnValues", "NONE")
        if wanted == "ALL_NEW":
            return {"Attributes": dict(new or {})}
        if wanted == "ALL_OLD":
            return {"Attributes": dict(old)} if old else {}
        if wanted != "NONE":
            raise Unsupported(wanted)
        return {}

    def _delete(self, params: Params) -> Answer:
        table = self._table("DeleteItem", params["TableName"])
        self._one("DeleteItem", table, "Delete", params)
        return {}

    def _one(self, operation: str, table: Table, verb: str, params: Params) -> tuple[Item | None, Item | None]:
        key, old, new, holds = _evaluate(table, verb, params)
        if not holds:
            more = {"Item": dict(old)} if old and params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
            raise failure(operation, "ConditionalCheckFailedException", "The conditional request failed", **more)
        table.write(key, new)
        return old, new

    def _transact(self, params: Params) -> Answer:
        actions = params["TransactItems"]
        if not 1 <= len(actions) <= 100:
            raise Unsupported("Member must have length less than or equal to 100")
        token = params.get("ClientRequestToken")
        content = json.dumps(actions, sort_keys=True)
        if token is not None and self._repeats(token, content):
            return {}
        writes: list[tuple[Table, Key, Item | None, str]] = []
        reasons: list[Params] = []
        seen: set[tuple[str, Key]] = set()
        for action in actions:
            verb, part = next(iter(action.items()))
            table = self._table("TransactWriteItems", part["TableName"])
            key = table.key_of(part["Item"] if verb == "Put" else part["Key"])
            if (table.name, key) in seen:
                raise Unsupported("Transaction request cannot include multiple operations on one item")
            seen.add((table.name, key))
            new, reason = _propose(table, verb, part)
            reasons.append(reason)
            writes.append((table, key, new, verb))
        if any(reason["Code"] != "None" for reason in reasons):
            raise cancelled(reasons)
        for table, key, new, verb in writes:
            if verb != "ConditionCheck":
                table.write(key, new)
        if token is not None:
            self._tokens[token] = (self._now_s(), content)
        return {}

    def _repeats(self, token: str, content: str) -> bool:
        held = self._tokens.get(token)
        if held is None or self._now_s() - held[0] >= TOKEN_LIVES_S:
            return False
        if held[1] != content:
            raise failure("TransactWriteItems", "IdempotentParameterMismatchException")
        return True

    def _batch_write(self, params: Params) -> Answer:
        asked = 0
        for name, requests in params["RequestItems"].items():
            table = self._table("BatchWriteItem", name)
            for request in requests:
                asked += 1
                if "PutRequest" in request:
                    item = request["PutRequest"]["Item"]
                    table.write(table.key_of(item), dict(item))
                else:
                    key = table.key_of(request["DeleteRequest"]["Key"])
                    if key in table.items:
                        table.write(key, None)
        if asked > 25:
            raise Unsupported("Member must have length less than or equal to 25")
        return {"UnprocessedItems": {}}

    def _query(self, params: Params) -> Answer:
        table = self._table("Query", params["TableName"])
        names = params.get("ExpressionAttributeNames") or {}
        values = params.get("ExpressionAttributeValues") or {}
        index = table.indexes[params["IndexName"]] if "IndexName" in params else None
        if index is not None and params.get("ConsistentRead"):
            raise Unsupported("Consistent reads are not supported on global secondary indexes")
        test = expressions.condition(params["KeyConditionExpression"])
        hash_name = index.hash_name if index else table.hash_name
        places: Reversible[tuple[Any, Key]] = (index.partitions if index else table.partitions).get(
            _hash_value(params["KeyConditionExpression"], hash_name, names, values), []
        )
        start = params.get("ExclusiveStartKey")
        after = _after(table, index, start) if start else None
        limit = params.get("Limit") or 1_000_000
        found: list[Item] = []
        read = 0
        last: Item | None = None
        where = expressions.condition(params["FilterExpression"]) if "FilterExpression" in params else None
        forward = params.get("ScanIndexForward", True)
        for place in places if forward else reversed(places):
            if after is not None and (place <= after if forward else place >= after):
                continue
            item = self._see(table, place[1], consistent=bool(params.get("ConsistentRead")) or index is not None)
            if item is None or not test(item, names, values):
                continue
            if index is not None and self._late(table, place[1]):
                continue
            if read == limit:
                return {"Items": found, "Count": len(found), "LastEvaluatedKey": last}
            read += 1
            last = _last_key(table, index, item)
            if where is None or where(item, names, values):
                shown = (
                    item
                    if index is None or index.projected is None
                    else {name: value for name, value in item.items() if name in index.projected}
                )
                found.append(dict(shown))
        answer: Answer = {"Items": found, "Count": len(found)}
        if read == limit and last is not None:
            answer["LastEvaluatedKey"] = last  # DynamoDB says so even where nothing follows.
        return answer


def _evaluate(table: Table, verb: str, params: Params) -> tuple[Key, Item | None, Item | None, bool]:
    """Return key, old item, new item, and whether the condition holds."""
    names = params.get("ExpressionAttributeNames") or {}
    values = params.get("ExpressionAttributeValues") or {}
    key = table.key_of(params["Item"] if verb == "Put" else params["Key"])
    old = table.items.get(key)
    text = params.get("ConditionExpression")
    if text is not None and not expressions.condition(text)(old or {}, names, values):
        return key, old, None, False
    new: Item | None = None
    if verb == "Put":
        new = dict(params["Item"])
    elif verb == "Update":
        base = old if old is not None else dict(params["Key"])
        new = expressions.update(params["UpdateExpression"])(base, names, values)
    elif verb == "ConditionCheck":
        new = old
    if new is not None and len(json.dumps(new, ensure_ascii=False)) > ITEM_CAP_BYTES * 2:
        raise Unsupported("Item size has exceeded the maximum allowed size")
    return key, old, new, True


def _propose(table: Table, verb: str, params: Params) -> tuple[Item | None, Params]:
    """Return what one operation of a transaction would write, and its cancellation reason."""
    try:
        _, old, new, holds = _evaluate(table, verb, params)
    except Unsupported as error:
        return None, {"Code": "ValidationError", "Message": str(error)}
    if holds:
        return new, {"Code": "None"}
    reason: Params = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    if old and params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
        reason["Item"] = dict(old)
    return None, reason


def _schema(key_schema: list[Params]) -> tuple[str, str | None]:
    by_kind = {part["KeyType"]: part["AttributeName"] for part in key_schema}
    return by_kind["HASH"], by_kind.get("RANGE")


def _hash_value(text: str, hash_name: str, names: dict[str, str], values: dict[str, Any]) -> Any:
    """Find ``hash = :value`` in the key condition: without it DynamoDB refuses the query."""
    for clause in text.replace("(", " ").replace(")", " ").split(" AND "):
        parts = clause.split()
        if len(parts) == 3 and parts[1] == "=" and names.get(parts[0], parts[0]) == hash_name:
            return comparable(values[parts[2]])[1]
    raise Unsupported("Query condition missed key schema element")


def _after(table: Table, index: _Index | None, start: Item) -> tuple[Any, Key]:
    key = table.key_of(start)
    if index is None:
        return (key[1] if len(key) > 1 else "", key)
    return (comparable(start[index.range_name])[1] if index.range_name else "", key)


def _last_key(table: Table, index: _Index | None, item: Item) -> Item:
    key = table.raw_key(item)
    if index is not None:
        key = {**key, index.hash_name: item[index.hash_name]}
        if index.range_name is not None:
            key[index.range_name] = item[index.range_name]
    return key
