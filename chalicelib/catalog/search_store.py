"""Rows of the search index in the ``catalog`` table: 0.1 KB for each word of a listed product.

A product's row of words says under which words it may stand; under each word stand the places of its products.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.runtime import names
from chalicelib.runtime.db import dynamo, races, reads
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class WordsRow(Row):
    """Key: ``words#<product>``, ``words``: under which words a product stands in the index."""

    class Meta:
        """Table."""

        table_name = names.table_name("catalog")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    words: DocumentAttribute[tuple[str, ...]] = DocumentAttribute(tuple[str, ...])
    place = UnicodeAttribute()


class PostingRow(Row):
    """Key: ``word#<word>``, place: one listed product under one word. The place sorts by age in every word alike."""

    class Meta:
        """Table."""

        table_name = names.table_name("catalog")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


def words(product_id: str) -> tuple[tuple[str, ...], str, int]:
    """Read under which words and at which place a product stands, and the record's version."""
    row = reads.get(WordsRow, f"words#{product_id}", "words", consistent=True)
    return (row.words, row.place, int(row.version)) if row is not None else ((), "", 0)


def save_words(product_id: str, found: Sequence[str], place: str, version: int) -> int:
    """Record them; returns the new version.

    Raises:
        ConcurrentUpdate: if the record changed since it was read.
    """
    row = WordsRow(owner=f"words#{product_id}", id="words", words=tuple(found), place=place, version=version)
    with UnitOfWork() as work:
        work.save(row, refuse=races.lost)
    return int(row.version)


def change_postings(place: str, *, put: Iterable[str], delete: Iterable[str]) -> None:
    """Put a product's place under words and remove it from others, 25 a call. Repeating it changes nothing."""
    table = names.table_name("catalog")
    requests: list[dict[str, Any]] = [{"DeleteRequest": {"Key": _posting(word, place).key()}} for word in delete]
    requests += [{"PutRequest": {"Item": _posting(word, place).key()}} for word in put]
    for start in range(0, len(requests), 25):
        pending = {table: requests[start : start + 25]}
        for attempt in range(dynamo.ATTEMPTS):
            pending = dynamo.call("BatchWriteItem", {"RequestItems": pending}).get("UnprocessedItems") or {}
            if not pending:
                break
            dynamo.sleep(dynamo.jitter() * min(dynamo.CAP_S, dynamo.BASE_S * 2**attempt))
        else:
            raise ConcurrentUpdate


def _posting(word: str, place: str) -> PostingRow:
    return PostingRow(owner=f"word#{word}", id=place)


def places(word: str, *, upto: str | None, including: bool, limit: int) -> tuple[list[str], bool]:
    """Read a word's places, newest first, from ``upto`` down; says whether there may be more."""
    condition = None
    if upto is not None:
        condition = PostingRow.id <= upto if including else PostingRow.id < upto
    found = reads.query(PostingRow, f"word#{word}", range_condition=condition, limit=limit, descending=True)
    return [item["id"]["S"] for item in found.items], found.after is not None
