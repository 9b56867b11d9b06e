"""Rows of canned answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

T = TypeVar("T")


class AnswersRow(Row):
    """Key: ``ans_<whose>``, ``answers``."""

    class Meta:
        table_name = names.table_name("conversations")
        region = region()

    conversation_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    items = DocumentAttribute[list[Any]](list[Any])


def load(whose: str, kind: type[T]) -> tuple[tuple[T, ...], int]:
    """Read the answers, each of a kind, and their version as it is now."""
    row = reads.get(AnswersRow, f"ans_{whose}", "answers", consistent=True)
    if row is None:
        return (), 0
    return msgspec.convert(tuple(row.items), tuple[kind, ...]), int(row.version)  # type: ignore[valid-type]


def save(whose: str, items: Sequence[Any], version: int) -> None:
    """Write them, exactly as they were read.

    Raises:
        ConcurrentUpdate: if somebody else did meanwhile.
    """
    row = AnswersRow(conversation_id=f"ans_{whose}", id="answers", items=list(items), version=version)
    with UnitOfWork() as work:
        work.save(row, refuse=lost, label="answers")
