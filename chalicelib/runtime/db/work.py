"""The unit of work: every row one use case changes, and the events of the change, in one conditional write.

One operation is a plain conditional write (half the units); more are one ``TransactWriteItems``. Operations are
labelled, and the reasons of a cancelled transaction come back as the refusal each operation was added with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import msgspec
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib import topology
from chalicelib.kernel import events as facts
from chalicelib.kernel import ids
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, Conflict, Misconfigured, ShopError
from chalicelib.runtime import aws
from chalicelib.runtime.db import dynamo, witness
from chalicelib.runtime.db.rows import Row

Raw = dict[str, Any]
Refusal = Callable[[Raw | None], Exception]
"""Turns the row as the store found it (or None) into the error to raise."""

listeners: list[Callable[[list[facts.Envelope]], None]] = []
"""Told of committed events that nobody waits for, in the process that wrote them: a laptop's trail, and tests.

They ride on no row: that would make it longer, and wake the relay at nearly every change of an order for nothing.
"""
MAX_OPERATIONS = 100
"""TransactWriteItems takes a hundred."""


@contextmanager
def listening(listen: Callable[[list[facts.Envelope]], None]) -> Iterator[None]:
    """Tell ``listen`` of committed events that nobody waits for, while the block runs."""
    listeners.append(listen)
    try:
        yield
    finally:
        listeners.remove(listen)


@dataclass(slots=True)
class _Operation:
    label: str
    verb: str
    params: Raw
    refuse: Refusal
    row: Row | None
    guarded: bool
    """Whether a repeat of an applied write would be refused by its own condition."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A row that is to be written: whole (``item``), deleted, or only in the attributes that are named."""

    table: str
    """Its full name."""
    key: Raw
    item: Raw | None = None
    deletes: bool = False
    attributes: tuple[str, ...] = ()


class UnitOfWork:
    """Collect operations, then write them all or none when the block ends without an exception.

    ``intent`` names why (``"place#pur_…"``); with the content it becomes the ``ClientRequestToken``, so that a write
    which was applied but not answered is not applied twice by a retry. Without one, the token is this object's own.

    Raises (from :meth:`commit`, so from the end of the block):
        the refusal of the first refused operation, with those of the others in ``others``;
        Busy: if contention or throttling outlasted the retries; nothing was written.
    """

    def __init__(self, intent: str | None = None) -> None:
        self._intent = intent or ids.random_bytes(16).hex()
        self._operations: list[_Operation] = []
        self._after: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()

    def save(
        self, row: Row, *, events: Sequence[facts.Event] = (), refuse: Refusal | None = None, label: str = ""
    ) -> None:
        """Write the whole row: create it if its version is 0, else replace exactly the version it was read at.

        Refused as ``AlreadyExists`` (``item`` is the existing row) or ``ConcurrentUpdate`` unless ``refuse`` says more.
        """
        kind = type(row)
        attributes = kind.get_attributes()
        if row.version:
            condition: Condition = kind.version == row.version
            refuse = refuse or _changed
        else:
            condition = attributes[kind.key_names()[0]].does_not_exist()
            refuse = refuse or _there_already
        version = int(row.version) + 1
        silent = _ride(row, version, events)
        if silent and listeners:
            self._after += [partial(listen, silent) for listen in listeners]
        item = row.serialize()
        item["version"] = {"N": str(version)}
        params: Raw = {"TableName": kind.Meta.table_name, "Item": item, **_conditioned(condition)}
        self._add(_Operation(label or kind.__name__, "Put", params, refuse, row, guarded=True))

    def update(
        self,
        key: Row,
        actions: Sequence[Action],
        *,
        condition: Condition,
        refuse: Refusal,
        label: str = "",
        guarded: bool = False,
    ) -> None:
        """Change attributes of a row that was not read, under a condition: counters such as stock. Carries no events.

        ``guarded`` says that the condition refuses a second application, so an unanswered single write may repeat.
        """
        kind = type(key)
        names: dict[str, str] = {}
        values: Raw = {}
        from pynamodb.expressions.update import Update

        expression = Update(*actions, kind.version.add(1)).serialize(names, values)
        params: Raw = {
            "TableName": kind.Meta.table_name,
            "Key": key.key(),
            "UpdateExpression": expression,
            "ConditionExpression": condition.serialize(names, values),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **_placeholders(names, values),
        }
        self._add(_Operation(label or kind.__name__, "Update", params, refuse, None, guarded))

    def update_raw(
        self,
        key: Row,
        expression: str,
        *,
        condition: str,
        names: dict[str, str],
        values: Raw,
        refuse: Refusal,
        label: str = "",
    ) -> None:
        """Change a row by a hand-written expression: maps with dynamic keys, which the models cannot express.

        The condition must refuse a second application (it compares ``version``), so the write may repeat.
        """
        params: Raw = {
            "TableName": key.Meta.table_name,
            "Key": key.key(),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        self._add(_Operation(label or type(key).__name__, "Update", params, refuse, None, guarded=True))

    def delete(self, row: Row, *, refuse: Refusal | None = None, label: str = "") -> None:
        """Delete exactly the version the row was read at."""
        kind = type(row)
        params: Raw = {
            "TableName": kind.Meta.table_name,
            "Key": row.key(),
            **_conditioned(kind.version == row.version),
        }
        refuse = refuse or _changed
        self._add(_Operation(label or kind.__name__, "Delete", params, refuse, None, guarded=True))

    def check(self, key: Row, condition: Condition, *, refuse: Refusal, label: str = "") -> None:
        """Demand something of a row that is not changed."""
        kind = type(key)
        params: Raw = {"TableName": kind.Meta.table_name, "Key": key.key(), **_conditioned(condition)}
        self._add(_Operation(label or kind.__name__, "ConditionCheck", params, refuse, None, guarded=True))

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run something once the write is through (a metric, a cache to drop); never anything that must happen."""
        self._after.append(action)

    @property
    def drafts(self) -> list[Draft]:
        """Return what is to be written, without what is only demanded."""
        return [_draft(one) for one in self._operations if one.verb != "ConditionCheck"]

    @property
    def labels(self) -> list[str]:
        """Return the labels of the collected operations, in order."""
        return [operation.label for operation in self._operations]

    @property
    def room(self) -> int:
        """Return how many operations more a transaction takes."""
        return MAX_OPERATIONS - len(self._operations)

    def commit(self) -> None:
        """Write. An empty unit of work writes nothing."""
        if not self._operations:
            return
        present = witness.pending()
        if present is not None:
            present.bear(self)
        operations, self._operations = self._operations, []
        if len(operations) == 1 and operations[0].verb != "ConditionCheck":
            self._write_one(operations[0])
        else:
            self._write_all(operations)
        if present is not None:
            present.heard = True
        for operation in operations:
            if operation.row is not None:
                operation.row.version = int(operation.row.version) + 1
        for action in self._after:
            action()

    def _add(self, operation: _Operation) -> None:
        if len(self._operations) == MAX_OPERATIONS:
            raise Conflict(why="too many rows in one transaction")
        self._operations.append(operation)

    def _write_one(self, operation: _Operation) -> None:
        try:
            dynamo.call(f"{operation.verb}Item", operation.params, repeatable=operation.guarded)
        except Exception as error:
            if aws.error_code(error) != "ConditionalCheckFailedException":
                raise
            item = getattr(error, "response", {}).get("Item")
            raise operation.refuse(item) from error

    def _write_all(self, operations: list[_Operation]) -> None:
        items = [{operation.verb: operation.params} for operation in operations]
        params = {"TransactItems": items, "ClientRequestToken": self._token(items)}
        try:
            dynamo.call("TransactWriteItems", params)
        except Exception as error:
            if aws.error_code(error) != "TransactionCanceledException":
                raise
            refusals = [
                operation.refuse(reason.get("Item"))
                for operation, reason in zip(operations, dynamo.reasons(error), strict=True)
                if reason.get("Code") == "ConditionalCheckFailed"
            ]
            if not refusals:
                raise
            first = refusals[0]
            if isinstance(first, ShopError):
                first.others = tuple(refusals[1:])
            raise first from error

    def _token(self, items: list[Raw]) -> str:
        return hashlib.sha256(self._intent.encode() + b"\n" + msgspec.json.encode(items)).hexdigest()[:36]


def _draft(operation: _Operation) -> Draft:
    params = operation.params
    table = params["TableName"]
    if operation.row is not None:
        return Draft(table, operation.row.key(), params["Item"])
    if operation.verb == "Delete":
        return Draft(table, params["Key"], deletes=True)
    changed = params["UpdateExpression"]
    named = params.get("ExpressionAttributeNames", {})
    return Draft(table, params["Key"], attributes=tuple(sorted(n for mark, n in named.items() if mark in changed)))


def _changed(item: Raw | None) -> Exception:
    return ConcurrentUpdate(found=item is not None)


def _there_already(item: Raw | None) -> Exception:
    return AlreadyExists(item=item)


def _ride(row: Row, version: int, events: Sequence[facts.Event]) -> list[facts.Envelope]:
    """Put the events that a queue takes on the row, drop those of an earlier change; returns what nobody waits for.

    A type that the topology does not list rides along: the relay refuses it, so that it is not lost silently.
    """
    sealed = [facts.seal(event) for event in events]
    awaited = [envelope for envelope in sealed if topology.EVENTS.get(envelope.type, ("unlisted",))]
    row.events = facts.encode_list(awaited) if awaited else None
    row.event_version = version if awaited else None
    return [envelope for envelope in sealed if envelope not in awaited]


def hear_witness() -> None:
    """Write what ``witness`` has pending now, for an act that changes nothing else: a look at what is hidden.

    Raises:
        Misconfigured: if nobody wants it written: such an act does not happen unseen.
    """
    found = witness.pending()
    if found is None:
        raise Misconfigured(why="nothing writes down who looks")
    with UnitOfWork() as work:
        found.bear(work)
        found.heard = True


def _conditioned(condition: Condition) -> Raw:
    names: dict[str, str] = {}
    values: Raw = {}
    expression = condition.serialize(names, values)
    return {
        "ConditionExpression": expression,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        **_placeholders(names, values),
    }


def _placeholders(names: dict[str, str], values: Raw) -> Raw:
    result: Raw = {}
    if names:
        result["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
    if values:
        result["ExpressionAttributeValues"] = values
    return result
