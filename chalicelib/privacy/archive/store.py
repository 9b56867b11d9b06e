"""Rows of the ``privacy`` table: the archive that a person asked for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.events import Event
from chalicelib.privacy.archive.domain import Archive, Making, Status, archive_id
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, region
from chalicelib.runtime.db.work import UnitOfWork


class _ArchiveDoc(msgspec.Struct, omit_defaults=True):
    asked_ms: int
    number: int = 1
    step: int = 0
    section: int = 0
    after: dict[str, dict[str, str]] | None = None
    part: int = 0
    records: int = 0
    left_out: int = 0
    size: int = 0
    language: str = "zh"


class ArchiveRow(DueRow):
    """Key: account_id, archive_id as id."""

    class Meta:
        table_name = names.table_name("privacy")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    status = UnicodeAttribute()
    since_ms = NumberAttribute()
    doc = DocumentAttribute[_ArchiveDoc](_ArchiveDoc)
    due = DueIndex()


def load(account_id: str) -> Archive | None:
    """Read a person's archive as it is now."""
    row = reads.get(ArchiveRow, account_id, archive_id(account_id), consistent=True)
    return _archive(row) if row is not None else None


def save(work: UnitOfWork, archive: Archive, events: Sequence[Event] = ()) -> None:
    """Add the row to the work."""
    making = archive.making
    row = ArchiveRow(
        account_id=archive.account_id,
        id=archive.archive_id,
        status=archive.status.value,
        since_ms=epoch_ms(archive.since),
        doc=_ArchiveDoc(
            asked_ms=epoch_ms(archive.asked_at),
            number=archive.number,
            step=archive.step,
            section=making.section,
            after=dict(making.after) if making.after is not None else None,
            part=making.part,
            records=making.records,
            left_out=making.left_out,
            size=archive.size,
            language=archive.language,
        ),
        version=archive.version,
    )
    row.set_due(archive.due_at, archive.archive_id)
    work.save(row, events=events, label="archive")


def _archive(row: ArchiveRow) -> Archive:
    doc = row.doc
    return Archive(
        account_id=row.account_id,
        status=Status(row.status),
        asked_at=from_epoch_ms(doc.asked_ms),
        since=from_epoch_ms(row.since_ms),
        number=doc.number,
        step=doc.step,
        making=Making(doc.section, doc.after, doc.part, doc.records, doc.left_out),
        size=doc.size,
        language=doc.language,
        version=int(row.version),
    )
