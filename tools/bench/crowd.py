"""A shop in memory with a million rows that are made when somebody asks for them: the embedded engine would need hours.

Storage, queues, objects and secrets of the simulator stand behind the one seam to AWS. A *crowd* is so many copies of
a product's or an order's rows: same merchant, buyer, category, words and day, ids of their own. No copy is kept: a
read by key makes it, and a partition or an index that the copies share tells its places one by one, in order.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.runtime import aws, names, transport
from infra.tables import table_specs
from tests.support import pump, watch
from tools.bench.lab import Lab, Shopper, opened
from tools.fakes import resources
from tools.shared.client import Client
from tools.sim.expressions import Item
from tools.sim.objects import Objects
from tools.sim.queues import Queues, Secrets
from tools.sim.storage import Key, Params, Storage, Table, _Index, _place

Place = tuple[Any, Key]
BY_TIME = ("written",)
"""Indexes that are read from a moment on, behind all copies: DynamoDB goes there, memory would walk past them all."""
Teller = Callable[..., Iterator[Place]]
"""Tells places in order; ``forward`` or not."""


@dataclass(frozen=True)
class Copies:
    """So many copies of one row; each has a number in place of the original's id."""

    table: Table
    item: Item
    body: str
    count: int

    def number_in(self, text: str, original: str) -> int | None:
        """Return which copy has ``text`` where the row itself has ``original``; None where it is no copy's."""
        if self.body not in original or len(text) != len(original):
            return None
        wanted = re.escape(original).replace(re.escape(self.body), rf"(\d{{{len(self.body)}}})", 1)
        found = re.fullmatch(wanted.replace(re.escape(self.body), r"\1"), text)
        return int(found[1]) if found and int(found[1]) < self.count else None

    def copied(self, value: Any, number: int) -> Any:
        """Return a value as the copy has it."""
        return value.replace(self.body, self.name(number)) if isinstance(value, str) else value

    def name(self, number: int) -> str:
        """Return what stands for the original's id."""
        return f"{number:0{len(self.body)}d}"

    def get(self, key: Key) -> Item | None:
        """Return the copy with this key."""
        numbers = {
            self.number_in(str(part), str(original)) if self.body in str(original) else part == original
            for part, original in zip(key, self.table.key_of(self.item), strict=True)
        }
        found = [number for number in numbers if number is not True]
        if len(found) != 1 or found[0] is None or found[0] is False:
            return None
        made: Item = json.loads(json.dumps(self.item).replace(self.body, self.name(int(found[0]))))
        return made

    def places(self, index: _Index | None, value: Any) -> list[Teller]:
        """Return what tells the copies' places in a partition, forwards or backwards; nothing where none is in it."""
        key = self.table.key_of(self.item)
        if index is None:
            at: tuple[Any, Place] | None = (key[0], (key[1] if len(key) > 1 else "", key))
        else:
            at = _place(index, self.item, key)
        if at is None:
            return []
        if at[0] == value and self.body not in str(value):
            return [lambda *, forward: self._all(at[1], forward=forward)]
        number = self.number_in(str(value), str(at[0]))
        return [] if number is None else [lambda **_: iter([self._one(at[1], number)])]

    def _all(self, place: Place, *, forward: bool) -> Iterator[Place]:
        numbers = range(self.count) if forward else range(self.count - 1, -1, -1)
        return (self._one(place, number) for number in numbers)

    def _one(self, place: Place, number: int) -> Place:
        return self.copied(place[0], number), tuple(self.copied(part, number) for part in place[1])


class _Items(dict[Key, Item]):
    """Rows that were written, and copies."""

    copies: tuple[Copies, ...] = ()

    def get(self, key: Key, default: Any = None) -> Any:
        found = super().get(key)
        if found is None:
            found = next((made for each in self.copies if (made := each.get(key)) is not None), None)
        return default if found is None else found


class _Places:
    """The places of a partition in order: of rows that were written, and of copies."""

    def __init__(self, written: list[Place], copies: list[Teller]) -> None:
        self._written, self._copies = written, copies

    def __iter__(self) -> Iterator[Place]:
        return heapq.merge(self._written, *(told(forward=True) for told in self._copies))

    def __reversed__(self) -> Iterator[Place]:
        return heapq.merge(reversed(self._written), *(told(forward=False) for told in self._copies), reverse=True)


class _Partitions(dict[Any, list[Place]]):
    """Partitions of a table or an index."""

    def __init__(self, written: dict[Any, list[Place]], index: _Index | None, copies: tuple[Copies, ...]) -> None:
        super().__init__(written)
        self._index, self._copies = index, copies

    def get(self, value: Any, default: Any = None) -> Any:
        told = [each for copies in self._copies for each in copies.places(self._index, value)]
        written = super().get(value, default or [])
        return _Places(written, told) if told else written


class CrowdedLab(Lab):
    """A lab of one merchant and one buyer, whose products and orders are many."""

    storage: Storage
    _known: tuple[tuple[str, Client], Shopper] | None = None

    def merchant(self) -> tuple[str, Client]:
        """Return the merchant, whose goods and orders are many, and one of its staff."""
        return self._people()[0]

    def shopper(self) -> Shopper:
        """Return the buyer."""
        from tests.support import people

        found = self._people()[1]
        found.client.token = people.token(found.account_id)
        return found

    def _people(self) -> tuple[tuple[str, Client], Shopper]:
        if self._known is None:
            self._known = super().merchant(), super().shopper()
        return self._known

    def crowd(self, bodies: Iterable[str], count: int) -> int:
        """Copy every row in whose key one of these ids' bodies stands; returns how many rows have copies."""
        rows = 0
        for table in self.storage.tables.values():
            copies = tuple(
                Copies(table, item, body, count)
                for body in bodies
                for key, item in dict.items(table.items)
                if any(body in str(part) for part in key)
            )
            if copies:
                rows += len(copies)
                _join(table, copies)
        return rows


def _join(table: Table, copies: tuple[Copies, ...]) -> None:
    items = _Items(table.items)
    items.copies = copies
    table.items = items
    table.partitions = _Partitions(table.partitions, None, copies)
    for name, index in table.indexes.items():
        if name not in BY_TIME:
            index.partitions = _Partitions(index.partitions, index, copies)


@contextmanager
def opened_in_memory() -> Iterator[CrowdedLab]:
    """Open a lab over storage in memory."""
    specs = [{name: part for name, part in spec.items() if name != "ttl"} for spec in table_specs().values()]
    storage = Storage(specs, now_s=lambda: clock.now().timestamp())
    seam = _Seam(storage)
    with ExitStack() as stack:
        stack.enter_context(aws.hooked(seam))
        stack.enter_context(aws.hooked(watch.noting))
        stack.enter_context(patch.object(pump, "_streams", {}))  # What is known of an engine's is not of these.
        stack.enter_context(patch.object(transport, "call", lambda _service, *call: storage.call(*call)))
        lab = stack.enter_context(opened(kind=CrowdedLab))
        assert isinstance(lab, CrowdedLab)
        lab.storage = storage
        yield lab


class _Files(Objects):
    """Objects with the headers that they were put with: a reader of published files wants them."""

    def __init__(self) -> None:
        super().__init__()
        self._headers: dict[str, Params] = {}

    def call(self, operation: str, params: Params) -> Params:
        """Answer one call."""
        answer = super().call(operation, params)
        if operation == "PutObject":
            kept = ("CacheControl", "ContentType", "ContentEncoding")
            self._headers[params["Key"]] = {name: params[name] for name in kept if name in params}
        return {**self._headers.get(params["Key"], {}), **answer} if operation == "GetObject" else answer


class _Seam:
    """All of AWS that a lab asks for."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._objects = _Files()
        self._secrets = Secrets({names.secret_name(name): value for name, value in resources.local_secrets().items()})
        self._queues = Queues(
            [names.queue_name(queue) for queue in topology.QUEUES], now_s=lambda: clock.now().timestamp()
        )

    def __call__(self, service: str, operation: str, params: Params, _proceed: Callable[[], Params]) -> Params:
        if operation.startswith(("Create", "Put")) and operation not in ("PutItem", "PutObject"):
            return {"QueueUrl": "made"}
        if operation in ("UpdateTimeToLive", "GetQueueAttributes"):
            return {"Attributes": {"QueueArn": "made"}}
        if service == "dynamodbstreams" or operation == "DescribeTable":
            return self._stream(operation, params)
        by_service: dict[str, Callable[[str, Params], Params]] = {
            "dynamodb": self._storage.call,
            "sqs": self._queues.call,
            "s3": self._objects.call,
            "secretsmanager": self._secrets.call,
        }
        return by_service[service](operation, params)

    def _stream(self, operation: str, params: Params) -> Params:
        if operation == "DescribeTable":
            return {"Table": {"LatestStreamArn": params["TableName"]}}
        if operation == "DescribeStream":
            return {"StreamDescription": {"Shards": [{"ShardId": "only"}]}}
        if operation == "GetShardIterator":
            return {"ShardIterator": f"{params['StreamArn']}|0"}
        name, _, at = params["ShardIterator"].partition("|")
        records = self._storage.tables[name].stream[int(at) : int(at) + params["Limit"]]
        return {"Records": records, "NextShardIterator": f"{name}|{int(at) + len(records)}"}


__all__ = ["CrowdedLab", "opened_in_memory"]
