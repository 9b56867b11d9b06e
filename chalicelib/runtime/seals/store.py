"""The row of data keys, as a table is made of it. Below rows that seal, it is read and written raw (``ring``)."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from chalicelib.runtime import names
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.seals.ring import TABLE, DataKey


class RingRow(Row):
    """Key: what the keys are for; there is one ring. Nothing in it opens anything without KMS."""

    class Meta:
        table_name = names.table_name(TABLE)
        region = region()

    ring = UnicodeAttribute(hash_key=True)
    keys = DocumentAttribute[tuple[DataKey, ...]](tuple[DataKey, ...])
