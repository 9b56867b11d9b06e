"""Rows of bulk jobs in the ``catalog`` table."""

from __future__ import annotations

from dataclasses import replace

from pynamodb.attributes import UnicodeAttribute

from chalicelib.catalog.events import BulkAdvanced
from chalicelib.catalog.jobs import Job, JobKind, JobStatus, Options, Progress
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork


class JobRow(Row):
    """Key: ``jobs#<merchant>``, job id. Its steps' events ride in it."""

    class Meta:
        """Table."""

        table_name = names.table_name("catalog")
        region = region()

    owner = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()
    status = UnicodeAttribute()
    step = NumberAttribute()
    created_ms = NumberAttribute()
    ended_ms = NumberAttribute(null=True)
    options: DocumentAttribute[Options] = DocumentAttribute(Options)
    progress: DocumentAttribute[Progress] = DocumentAttribute(Progress)
    fingerprint = UnicodeAttribute()


def save(job: Job, *, next_step: bool) -> Job:
    """Write a job; ``next_step`` says that its step is now to be done.

    Raises:
        AlreadyExists: if a new one is there already.
        ConcurrentUpdate: if it changed since it was read.
    """
    row = JobRow(
        owner=f"jobs#{job.merchant_id}",
        id=job.job_id,
        kind=job.kind.value,
        status=job.status.value,
        step=job.step,
        created_ms=epoch_ms(job.created_at),
        ended_ms=epoch_ms_or_none(job.ended_at),
        options=job.options,
        progress=job.progress,
        fingerprint=job.fingerprint,
        version=job.version,
    )
    facts = [BulkAdvanced(merchant_id=job.merchant_id, job_id=job.job_id, step=job.step)] if next_step else []
    with UnitOfWork() as work:
        work.save(row, events=facts, label="job")
    return replace(job, version=int(row.version))


def load(merchant_id: str, job_id: str) -> Job | None:
    """Read a merchant's job."""
    row = reads.get(JobRow, f"jobs#{merchant_id}", job_id, consistent=True)
    return _job(row) if row is not None else None


def page(merchant_id: str, kind: JobKind, window: Window) -> Page[Job]:
    """Read one page of a merchant's jobs of a kind, in key order."""
    owner = f"jobs#{merchant_id}"
    start = {"owner": {"S": owner}, "id": {"S": window.after["at"]}} if window.after else None
    prefix = {JobKind.IMPORT: "imp_", JobKind.EXPORT: "exp_"}[kind]
    found = reads.query(
        JobRow, owner, range_condition=JobRow.id.startswith(prefix), limit=window.limit, start_key=start
    )
    after = {"at": found.after["id"]["S"]} if found.after else None
    return Page([_job(JobRow.from_raw_data(item)) for item in found.items], after)


def _job(row: JobRow) -> Job:
    return Job(
        job_id=row.id,
        merchant_id=row.owner.removeprefix("jobs#"),
        kind=JobKind(row.kind),
        status=JobStatus(row.status),
        created_at=from_epoch_ms(row.created_ms),
        options=row.options,
        progress=row.progress,
        step=int(row.step),
        ended_at=from_epoch_ms_or_none(row.ended_ms),
        fingerprint=row.fingerprint,
        version=int(row.version),
    )
