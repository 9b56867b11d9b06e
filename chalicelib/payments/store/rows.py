"""What all rows of the table ``payments`` share."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.kernel import ids
from chalicelib.payments.domain.bill import BOOKED_SHARDS
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DueIndex, DueRow, region


class AttentionIndex(GlobalSecondaryIndex["RecordRow"]):
    """Sparse: what waits for an operator (refunds, surplus, kept notices, approvals, disputes), oldest first."""

    class Meta:
        index_name = "attention"
        projection = KeysOnlyProjection()

    attention = UnicodeAttribute(hash_key=True)
    attention_ms = NumberAttribute(range_key=True)


class BookedIndex(GlobalSecondaryIndex["RecordRow"]):
    """Sparse: captures and refunds that are done, by the provider's day whose bill should hold them."""

    class Meta:
        index_name = "booked"
        projection = KeysOnlyProjection()

    booked_on = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class RecordRow(DueRow):
    """Base of what the table keeps. Key: purchase_id, the record's id."""

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    purchase_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    attention = UnicodeAttribute(null=True)
    attention_ms = NumberAttribute(null=True)
    due = DueIndex()
    booked_on = UnicodeAttribute(null=True)
    attentions = AttentionIndex()
    booked = BookedIndex()


def shelf(booked_on: str, record_id: str) -> str | None:
    """Return where a booked record lies in the index: its provider's day, spread over parts."""
    if not booked_on:
        return None
    return f"{booked_on}#{ids.shard(record_id, BOOKED_SHARDS)}"


def booked_on(row: RecordRow) -> str:
    """Return the provider and the day that a row is booked on; empty if it is not."""
    return row.booked_on.rpartition("#")[0] if row.booked_on else ""
