"""Rows of the ``privacy`` table: what a person asked for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.events import Event
from chalicelib.privacy.domain import Erasure, HoldKind, Status, erasure_id
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, region
from chalicelib.runtime.db.work import UnitOfWork


class _ErasureDoc(msgspec.Struct, omit_defaults=True):
    requested_ms: int
    holds: tuple[tuple[str, str], ...] = ()
    after: dict[str, dict[str, str]] | None = None
    step: int = 0
    purchases: int = 0


class ErasureRow(DueRow):
    """Key: account_id, erasure_id as id."""

    class Meta:
        table_name = names.table_name("privacy")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    status = UnicodeAttribute()
    since_ms = NumberAttribute()
    doc = DocumentAttribute[_ErasureDoc](_ErasureDoc)
    due = DueIndex()


def load(account_id: str) -> Erasure | None:
    """Read a person's erasure as it is now."""
    row = reads.get(ErasureRow, account_id, erasure_id(account_id), consistent=True)
    return _erasure(row) if row is not None else None


def save(work: UnitOfWork, erasure: Erasure, events: Sequence[Event] = ()) -> None:
    """Add the row to the work."""
    row = ErasureRow(
        account_id=erasure.account_id,
        id=erasure_id(erasure.account_id),
        status=erasure.status.value,
        since_ms=epoch_ms(erasure.since),
        doc=_ErasureDoc(
            epoch_ms(erasure.requested_at),
            tuple((kind.value, record_id) for kind, record_id in erasure.holds),
            dict(erasure.after) if erasure.after is not None else None,
            erasure.step,
            erasure.purchases,
        ),
        version=erasure.version,
    )
    row.set_due(erasure.due_at, erasure_id(erasure.account_id))
    work.save(row, events=events, label="erasure")


def _erasure(row: ErasureRow) -> Erasure:
    doc = row.doc
    return Erasure(
        account_id=row.account_id,
        status=Status(row.status),
        requested_at=from_epoch_ms(doc.requested_ms),
        since=from_epoch_ms(row.since_ms),
        holds=tuple((HoldKind(kind), record_id) for kind, record_id in doc.holds),
        after=doc.after,
        step=doc.step,
        purchases=doc.purchases,
        version=int(row.version),
    )
