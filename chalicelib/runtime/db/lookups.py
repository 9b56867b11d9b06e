"""Reads of several stores in one call.

A store says what it would read by key and what it makes of it (:class:`Lookup`), and whoever needs several of them asks
for them together (:func:`together`): one BatchGetItem instead of a read each. What a store does not show stays hidden,
for it makes its own sense of its own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from chalicelib.runtime.db import reads
from chalicelib.runtime.db.reads import Raw
from chalicelib.runtime.db.rows import Row

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
R = TypeVar("R", bound=Row)
T_co = TypeVar("T_co", covariant=True)


class Found:
    """What a call brought: the rows that are there, whoever asked for them."""

    def __init__(self, items: dict[reads.Key, Raw]) -> None:
        self._items = items

    def raw(self, kind: type[Row], hash_key: str, range_key: str | None = None) -> Raw | None:
        """Return a row's raw attributes, or None."""
        return self._items.get((kind.Meta.table_name, hash_key, range_key))

    def row(self, kind: type[R], hash_key: str, range_key: str | None = None) -> R | None:
        """Return a row, or None."""
        raw = self.raw(kind, hash_key, range_key)
        return kind.from_raw_data(raw) if raw is not None else None


@dataclass(frozen=True, slots=True)
class Lookup(Generic[T_co]):
    """Rows by key, and what they mean. ``consistent`` holds for all of them."""

    wanted: tuple[reads.Wanted, ...]
    make: Callable[[Found], T_co]
    consistent: bool = False

    @classmethod
    def of(
        cls, wanted: Iterable[reads.Wanted], make: Callable[[Found], T_co], *, consistent: bool = False
    ) -> Lookup[T_co]:
        """Return the lookup of these rows."""
        return cls(tuple(wanted), make, consistent)

    def read(self) -> T_co:
        """Read it alone.

        Raises:
            Busy: if throttling outlasted the attempts.
            and as ``make``.
        """
        return self.make(_found([self]))


@overload
def together(first: Lookup[A], second: Lookup[B], /) -> tuple[A, B]: ...
@overload
def together(first: Lookup[A], second: Lookup[B], third: Lookup[C], /) -> tuple[A, B, C]: ...
@overload
def together(first: Lookup[A], second: Lookup[B], third: Lookup[C], fourth: Lookup[D], /) -> tuple[A, B, C, D]: ...
def together(*lookups: Lookup[Any]) -> tuple[Any, ...]:
    """Read several lookups in one call for each hundred rows; none where nothing is wanted.

    A row that two of them want is asked for once. A table is read consistently if any of them wants it so: one call
    asks each table one way.

    Raises:
        Busy: if throttling outlasted the attempts.
        and as the first ``make`` that raises, in their order.
    """
    found = _found(lookups)
    return tuple(lookup.make(found) for lookup in lookups)


def _found(lookups: Iterable[Lookup[Any]]) -> Found:
    keys: dict[reads.Key, type[Row]] = {}
    strong: set[str] = set()
    for lookup in lookups:
        for kind, hash_key, range_key in lookup.wanted:
            keys[(kind.Meta.table_name, hash_key, range_key)] = kind
            if lookup.consistent:
                strong.add(kind.Meta.table_name)
    return Found(reads.get_keys(keys, strong=strong))
