"""Rows of uploads, in the ``complaints`` table: what an account uploads a day, and where an upload's one copy lies."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from chalicelib.complaints.uploads import Day, Kept
from chalicelib.kernel import ids
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate
from chalicelib.runtime import names
from chalicelib.runtime.db import races, reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class DayRow(Row):
    """Key: ``upl_<account's body>``. One row an account: the next day writes over the one before."""

    class Meta:
        table_name = names.table_name("complaints")
        region = region()

    complaint_id = UnicodeAttribute(hash_key=True)
    day = UnicodeAttribute()
    files = DocumentAttribute[dict[str, int]](dict[str, int])


class KeptRow(Row):
    """Key: ``kept_<evidence's body>``. Written once, after the copy was made."""

    class Meta:
        table_name = names.table_name("complaints")
        region = region()

    complaint_id = UnicodeAttribute(hash_key=True)
    account_id = UnicodeAttribute()
    under = UnicodeAttribute()
    content_type = UnicodeAttribute()
    size = NumberAttribute()
    sha256 = UnicodeAttribute(null=True)


def day(account_id: str, today: str) -> Day:
    """Read what an account was given forms for today."""
    row = reads.get(DayRow, _day_key(account_id), consistent=True)
    if row is None:
        return Day(account_id, today, {})
    return Day(account_id, today, row.files if row.day == today else {}, int(row.version))


def save_day(found: Day) -> None:
    """Write it, exactly as it was read.

    Raises:
        ConcurrentUpdate: if another form was given meanwhile.
    """
    row = DayRow(complaint_id=_day_key(found.account_id), day=found.day, files=found.files, version=found.version)
    with UnitOfWork() as work:
        work.save(row, refuse=races.lost)


def kept(evidence_id: str) -> Kept | None:
    """Read where an upload's copy lies."""
    row = reads.get(KeptRow, _kept_key(evidence_id), consistent=True)
    return _kept(row, evidence_id) if row is not None else None


def kept_rows(evidence_ids: Iterable[str]) -> list[Row]:
    """Return the rows that say where these uploads' copies lie, to be deleted."""
    wanted = [(KeptRow, _kept_key(one), None) for one in evidence_ids]
    return list(reads.get_many(wanted, consistent=True).values()) if wanted else []


def keep(wanted: Kept) -> Kept:
    """Note where the copy lies; returns what stands there, which a rival may have written first."""
    try:
        with UnitOfWork(f"keep#{wanted.evidence_id}") as work:
            work.save(_row(wanted))
    except AlreadyExists as refusal:
        item: dict[str, Any] = refusal.params["item"]
        return _kept(KeptRow.from_raw_data(item), wanted.evidence_id)
    return wanted


def note_hash(kept: Kept, sha256: str) -> None:
    """Keep the hash of a file's bytes. Whoever did so meanwhile wrote the same, or the file is being forgotten."""
    with suppress(ConcurrentUpdate), UnitOfWork() as work:
        work.save(_row(replace(kept, sha256=sha256)), refuse=races.lost)


def _row(kept: Kept) -> KeptRow:
    return KeptRow(
        complaint_id=_kept_key(kept.evidence_id),
        account_id=kept.account_id,
        under=kept.complaint_id,
        content_type=kept.content_type,
        size=kept.size,
        sha256=kept.sha256 or None,
        version=kept.version,
    )


def _kept(row: KeptRow, evidence_id: str) -> Kept:
    return Kept(
        evidence_id,
        row.account_id,
        row.under,
        row.content_type,
        int(row.size),
        row.sha256 or "",
        int(row.version or 0),
    )


def _day_key(account_id: str) -> str:
    return f"upl_{ids.body(account_id)}"


def _kept_key(evidence_id: str) -> str:
    return f"kept_{ids.body(evidence_id)}"
