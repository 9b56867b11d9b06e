"""Rows: PynamoDB models that describe, serialize and condition; the calls themselves go through ``runtime.aws``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Self

from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.constants import NULL
from pynamodb.exceptions import AttributeNullError
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import clock, ids
from chalicelib.kernel.later import Later
from chalicelib.runtime import names
from chalicelib.runtime.config import config
from chalicelib.runtime.db.documents import DocumentAttribute
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.sealed import SealedDocument
from chalicelib.runtime.db.unconnected import Model

__all__ = ["DocumentAttribute", "DueIndex", "DueRow", "Row", "SealedDocument"]

DUE_SHARDS = 4
"""Partitions of each due index: a partition takes 1,000 writes a second."""
WORTH_LEAVING_S = 3600
"""An entry that fires sooner is moved at once: the look at it would cost more than the move does."""


class Row(Model):
    """Base of every row. ``version`` counts changes from 1; ``events`` are those of the change to ``event_version``."""

    version = NumberAttribute(default=0)
    events = UnicodeAttribute(null=True)
    event_version = NumberAttribute(null=True)
    _start: ClassVar[dict[str, Any]]
    _converted: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        hash_key: Any = None,
        range_key: Any = None,
        _user_instantiated: bool = True,  # noqa: FBT001, FBT002 - as PynamoDB's
        **values: Any,
    ) -> None:
        """Keep the values over the defaults: what PynamoDB does, for rows are flat, in a tenth of the time.

        Raises:
            ValueError: if the row has no attribute of a name.
        """
        kind = type(self)
        attributes = kind.get_attributes()
        if not values.keys() <= attributes.keys():
            raise ValueError(f"{kind.__name__} has no {sorted(values.keys() - attributes.keys())}")
        if "_start" not in kind.__dict__:  # Of each kind its own, once.
            kind._converted = tuple(
                name for name, one in attributes.items() if type(one).__set__ is not Attribute.__set__
            )
            kind._start = {name: one.default for name, one in attributes.items() if one.default is not None}
        self.attribute_values = {**kind._start, **values}
        for name, value in zip(kind.key_names(), (hash_key, range_key), strict=True):
            if value is not None and name is not None:
                self.attribute_values[name] = value
        for name in kind._converted:
            if name in values:
                setattr(self, name, values[name])

    @classmethod
    def from_raw_data(cls, data: dict[str, Any]) -> Self:
        """Return the row of raw attributes; see :meth:`__init__`."""
        row = cls()
        values = row.attribute_values
        for name, attribute in cls.get_attributes().items():
            found = data.get(attribute.attr_name)
            if not found or NULL in found:
                continue
            if isinstance(attribute, SealedDocument):
                values[name] = attribute.closed(found, cls._place(data, attribute.attr_name))
            else:
                values[name] = attribute.deserialize(attribute.get_value(found))
        return row

    def serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:  # noqa: FBT001, FBT002 - as PynamoDB's
        """Return the raw attributes; see :meth:`__init__`.

        Raises:
            AttributeNullError: if one is missing that must be there.
        """
        values, result = self.attribute_values, {}
        for name, attribute in self.get_attributes().items():
            value = values.get(name)
            if value is not None and isinstance(attribute, SealedDocument):
                result[attribute.attr_name] = attribute.sealed(value, self._place(self.key(), attribute.attr_name))
            elif value is not None:
                result[attribute.attr_name] = {attribute.attr_type: attribute.serialize(value)}
            elif null_check and not attribute.null:
                raise AttributeNullError(name)
        return result

    @classmethod
    def _place(cls, raw: dict[str, Any], attribute: str) -> str:
        """Return the place that a sealed value is bound to. The table's short name: a shop that is brought back as it
        was at a moment has other names for the same tables.
        """
        keys = [raw[cls.get_attributes()[name].attr_name]["S"] for name in cls.key_names() if name is not None]
        return "\n".join([names.table_of(cls.Meta.table_name), *keys, attribute])

    def unopened(self, name: str) -> Later[Any]:
        """Return a sealed value as it stands, for whoever may never look at it."""
        value = self.attribute_values[name]
        return value if isinstance(value, Later) else Later.of(value)

    @classmethod
    def key_names(cls) -> tuple[str, str | None]:
        """Return the attribute names of hash and range key."""
        return str(cls._hash_keyname), cls._range_keyname

    def key(self) -> dict[str, Any]:
        """Return the raw key, as DynamoDB wants it."""
        hash_name, range_name = self.key_names()
        attributes = self.get_attributes()
        result = {attributes[hash_name].attr_name: {"S": getattr(self, hash_name)}}
        if range_name is not None:
            range_attribute = attributes[range_name]
            result[range_attribute.attr_name] = {
                range_attribute.attr_type: range_attribute.serialize(getattr(self, range_name))
            }
        return result


class DueIndex(GlobalSecondaryIndex[Any]):
    """Sparse index of rows whose current state has a deadline: only they carry ``due_shard`` and ``due_at``.

    An entry may stand earlier than its deadline, never later: moving it costs two write units, so it stays where a
    later deadline follows, and whoever is told of it looks at the record, which knows the deadline.
    """

    class Meta:
        """Keys only: the job needs to know what is due, the consumer reads the row itself."""

        index_name = "due"
        projection = KeysOnlyProjection()

    due_shard = UnicodeAttribute(hash_key=True)
    due_at = NumberAttribute(range_key=True)


class DueRow(Row):
    """Base of rows with deadlines. A subclass declares ``due = DueIndex()`` and calls :meth:`set_due`.

    ``parked`` says why a deadline was taken off the index (``runtime.parking``); whoever writes the row drops it, and
    the deadline is tried again.
    """

    due_shard = UnicodeAttribute(null=True)
    due_at = NumberAttribute(null=True)
    parked = UnicodeAttribute(null=True)

    def set_due(
        self, moment: datetime | None, record_id: str, *, entry_s: int | None = None, first: datetime | None = None
    ) -> None:
        """Put the row on, or take it off, the due index. ``due_at`` is rounded up to whole seconds.

        ``entry_s`` is where its entry stands: it stays if it is early enough, and does not fire so soon that leaving it
        would be dearer. One that moves stands at ``first``, if that is ahead and before the deadline: where a state
        that follows may time out earlier than this one does.
        """
        if moment is None:
            self.due_shard = None
            self.due_at = None
            return
        due_s = _up(moment)
        worth_s = clock.epoch_s(clock.now()) + WORTH_LEAVING_S
        if entry_s is not None and worth_s <= entry_s < due_s:
            due_s = entry_s
        elif first is not None and worth_s <= _up(first):
            due_s = min(due_s, _up(first))
        self.due_shard = due_shard(record_id)
        self.due_at = due_s


def _up(moment: datetime) -> int:
    return clock.epoch_s(clock.up_to_second(moment))


def due_shard(record_id: str) -> str:
    """Return the due index's partition of a record."""
    return f"due{ids.shard(record_id, DUE_SHARDS)}"


def entry_of(row: DueRow) -> int | None:
    """Return where the row's entry on the due index stands, in Unix seconds."""
    return int(row.due_at) if row.due_at is not None else None


def due_time(row: DueRow) -> datetime | None:
    """Return the deadline stored on the row, of records whose entry always stands at their deadline.

    That of a parked row has passed, and is not stored any more: whoever writes the row has it tried again at once.
    """
    if row.due_at is not None:
        return clock.from_epoch_s(row.due_at)
    return clock.now() if row.parked is not None else None


def region() -> str:
    """Return the region for ``Meta.region``."""
    return config().region
