"""Bulk import and export: one job, many bounded steps, each a message; progress and the next step are one write.

A step reads a piece of the file, brings its products into the catalog one by one, leaves the refused lines in a file of
its own, and saves where it stopped together with the event of the next step. Every part of it can run again: products
remember the line that wrote them, stock movements the job, files are overwritten with the same content.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from typing import Final

import msgspec

from chalicelib.catalog import (
    bulk_products,
    bulk_report,
    csvcolumns,
    csvfile,
    files,
    job_store,
    jobs,
    pace,
    service,
    store,
)
from chalicelib.catalog.bulk_report import Tally
from chalicelib.catalog.csvfile import Finding, Scan
from chalicelib.catalog.csvwriter import Writer
from chalicelib.catalog.jobs import Job, JobCause, JobKind, JobNotFound, JobStatus, Options, Progress, UploadMissing
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, TooLarge
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import log, objects
from chalicelib.runtime.intents import Intent

PRODUCTS_A_STEP: Final = 60
PIECE_BYTES: Final = 256 * 1024
PIECE_CAP_BYTES: Final = 4 * 1024 * 1024
"""A single product longer than this is refused."""
LINES_CAP: Final = 100_000
"""Lines of products that one file may bring; blank ones do not count."""
REFUSED_CAP: Final = 10_000
"""A file with more refused lines is none that anybody meant: its import ends."""
ALONE_AT: Final = 3
GIVEN_UP_AT: Final = 5
"""A step whose function died is begun again: the third time it takes one product alone, the fifth time refuses it."""
EXPORTED_A_STEP: Final = 40
SOURCE: Final = "source.csv"
REPORT: Final = "report.csv"
PRODUCTS: Final = "products.csv"
_CSV: Final = "text/csv; charset=utf-8"
_findings = msgspec.json.Decoder(list[Finding])


# What merchants ask for


def begin_import(merchant_id: str, options: Options, *, intent: Intent) -> Job:
    """Create an import that waits for its file, once for each intent."""
    return _create(merchant_id, JobStatus.AWAITING_UPLOAD, options, intent)


def import_file(merchant_id: str, content: bytes, options: Options, *, intent: Intent) -> Job:
    """Create an import of a file that came with the request, and start it, once for each intent."""
    job_id = intent.record_id("imp")
    known = job_store.load(merchant_id, job_id)
    if known is None:
        objects.put(files.key(merchant_id, job_id, SOURCE), content, _CSV)
    return _create(merchant_id, JobStatus.RUNNING, options, intent, size=len(content))


def begin_export(merchant_id: str, *, intent: Intent) -> Job:
    """Create and start an export of all the merchant's products, once for each intent."""
    return _create(merchant_id, JobStatus.RUNNING, Options(), intent, kind=JobKind.EXPORT)


def _create(
    merchant_id: str,
    status: JobStatus,
    options: Options,
    intent: Intent,
    *,
    kind: JobKind = JobKind.IMPORT,
    size: int = 0,
) -> Job:
    job = Job(
        job_id=intent.record_id("imp" if kind is JobKind.IMPORT else "exp"),
        merchant_id=merchant_id,
        kind=kind,
        status=status,
        created_at=clock.now(),
        options=options,
        progress=Progress(size=size),
        fingerprint=intent.fingerprint,
    )
    try:
        return job_store.save(job, next_step=status is JobStatus.RUNNING)
    except AlreadyExists:
        found = load(merchant_id, job.job_id, kind)
        intent.check(found.fingerprint)
        return found


def start(merchant_id: str, job_id: str) -> Job:
    """Start an import whose file is there; one that has started is returned as it is.

    Raises:
        UploadMissing: if the file is not there.
        TooLarge: if it is over the cap.
    """
    job = load(merchant_id, job_id, JobKind.IMPORT)
    if job.status is not JobStatus.AWAITING_UPLOAD:
        return job
    size = objects.size(files.key(merchant_id, job_id, SOURCE))
    if size is None:
        raise UploadMissing
    if size > jobs.FILE_CAP_BYTES:
        raise TooLarge(cap_bytes=jobs.FILE_CAP_BYTES)
    status = jobs.MACHINE.next(job.status, JobCause.START)
    started = replace(job, status=status, progress=replace(job.progress, size=size))
    try:
        return job_store.save(started, next_step=True)
    except ConcurrentUpdate:
        return load(merchant_id, job_id, JobKind.IMPORT)


def load(merchant_id: str, job_id: str, kind: JobKind) -> Job:
    """Return a merchant's job.

    Raises:
        JobNotFound: if it is not theirs.
    """
    found = job_store.load(merchant_id, job_id) if len(job_id) <= 32 else None
    if found is None or found.kind is not kind:
        raise JobNotFound
    return found


def listed(merchant_id: str, kind: JobKind, window: Window) -> Page[Job]:
    """Return one page of a merchant's jobs."""
    return job_store.page(merchant_id, kind, window)


def refusals(job: Job, window: Window) -> Page[Finding]:
    """Return one page of refused lines in the order of the file; a place in them is a part and an entry of it."""
    part, entry = window.after["at"] if window.after else (0, 0)
    found: list[Finding] = []
    while part < len(job.progress.parts) and len(found) < window.limit:
        step, count = job.progress.parts[part]
        content = _findings.decode(objects.get(_part(job, step)))
        taken = content[entry : entry + window.limit - len(found)]
        found += taken
        entry += len(taken)
        if entry >= count:
            part, entry = part + 1, 0
    return Page(found, {"at": (part, entry)} if part < len(job.progress.parts) else None)


def download(job: Job) -> str | None:
    """Return where the job's result can be fetched: the report of an import, the file of an export."""
    if job.status not in (JobStatus.FINISHED, JobStatus.FAILED):
        return None
    if job.kind is JobKind.EXPORT:
        return files.download_url(files.key(job.merchant_id, job.job_id, PRODUCTS), f"products-{job.job_id}.csv")
    if not _has_report(job):
        return None
    return files.download_url(files.key(job.merchant_id, job.job_id, REPORT), f"report-{job.job_id}.csv")


def upload(job: Job, size: int) -> str:
    """Return where the file of a waiting import is to be PUT."""
    return files.upload_url(files.key(job.merchant_id, job.job_id, SOURCE), size)


def _part(job: Job, step: int) -> str:
    return files.key(job.merchant_id, job.job_id, f"parts/{step:05d}")


def _notes(job: Job, step: int) -> str:
    return files.key(job.merchant_id, job.job_id, f"notes/{step:05d}")


# Steps


def advance(merchant_id: str, job_id: str, *, step: int) -> None:
    """Do the step the job stands at. A message of another step, or of a job that ended, changes nothing."""
    job = job_store.load(merchant_id, job_id)
    if job is None or job.status is not JobStatus.RUNNING or job.step != step:
        return
    after = _import_step(job) if job.kind is JobKind.IMPORT else _export_step(job)
    try:
        job_store.save(after, next_step=after.status is JobStatus.RUNNING)
    except ConcurrentUpdate:
        log.info("import or export step was done by another run already", job=job_id, step=step)


def stop(merchant_id: str, job_id: str, *, step: int, why: str) -> None:
    """End an import that stands at this step, for a reason; what it brought in stays. An export goes on."""
    job = job_store.load(merchant_id, job_id)
    if job is None or job.kind is not JobKind.IMPORT or job.status is not JobStatus.RUNNING or job.step != step:
        return
    ended = _stepped(replace(job, progress=replace(job.progress, failure=why)), Tally(), JobCause.FAIL)
    try:
        job_store.save(ended, next_step=False)
    except ConcurrentUpdate:
        log.info("import or export step was done by another run already", job=job_id, step=step)


def _import_step(job: Job) -> Job:
    if not job.progress.columns:
        return _open(job)
    progress, tally = job.progress, Tally()
    scan, final = _scan(job)
    ignored = csvcolumns.ignored(progress.columns)
    behind, skipping = (scan.end, scan.next_line), scan.skipping
    for group in scan.groups:
        if tally.products and pace.is_spent():
            skipping = None  # The step ends here, and the next one goes on behind the last product it took up.
            break
        if not tally.products and pace.receives() >= GIVEN_UP_AT:
            fault = csvfile.finding(group.lines[0].line, "", "product_too_expensive")
            tally.refuse(csvfile.with_the_rest(group, [fault]))
        else:
            bulk_products.bring(job, group, tally)
        tally.leave_out(group, ignored)
        tally.lines += len(group.lines)
        behind = (group.end, group.next_line)
    else:
        behind = (scan.end, scan.next_line)
        tally.lines += scan.skipped
    progress = replace(progress, offset=progress.offset + behind[0], line=behind[1], skipping=skipping)
    cause, failure = _ending(progress, tally, stuck=not behind[0], final=final)
    return _stepped(replace(job, progress=replace(progress, failure=failure)), tally, cause)


def _ending(progress: Progress, tally: Tally, *, stuck: bool, final: bool) -> tuple[JobCause | None, str]:
    """Say whether the import ends with this step, and if it fails, why."""
    if final and (stuck or progress.offset >= progress.size):
        lacking = next((name for name in csvfile.REQUIRED if name not in progress.columns), "")
        nothing = not (progress.created + progress.updated + tally.created + tally.updated)
        if nothing and lacking and progress.refused + tally.refused:
            return JobCause.FAIL, "column_missing"  # All its products are new, and it cannot make new ones.
        return JobCause.FINISH, ""
    reason = ""
    if stuck:
        reason = "product_too_long"
    elif progress.lines + tally.lines > LINES_CAP:
        reason = "too_many_lines"
    elif progress.lines_refused + len(tally.findings) > REFUSED_CAP:
        reason = "too_many_refusals"
    if reason:
        tally.refuse([csvfile.finding(progress.line, "", reason)])
        return JobCause.FAIL, reason
    return None, ""


def _open(job: Job) -> Job:
    """Read the header: the first step."""
    data = _piece(job, PIECE_BYTES)
    skipped = len(csvfile.BOM) if data.startswith(csvfile.BOM) else 0
    data = data[skipped:]
    encoding = "utf-8" if skipped else job.options.encoding or csvfile.encoding_of(data)
    final = job.progress.size <= PIECE_BYTES
    found = csvfile.records(data, line=1, final=final, encoding=encoding)
    first = next((record for record in found if not csvcolumns.says_commas(record.cells)), None)
    if first is None:
        faults: tuple[Finding, ...] = (csvfile.finding(1, "", "empty_file"),)
        columns: tuple[str, ...] = ()
    elif first.problem:
        faults, columns = (csvfile.finding(first.line, "", first.problem, most=0),), ()
    else:
        columns, faults = csvfile.header(first)
    tally = Tally()
    if faults or first is None:
        tally.refuse(faults)
        progress = replace(job.progress, failure=faults[0].code)
        return _stepped(replace(job, progress=progress), tally, JobCause.FAIL)
    progress = replace(
        job.progress,
        offset=skipped + first.end,
        line=first.line + first.lines,
        encoding=encoding,
        columns=columns,
        notes=bulk_report.header_notes(columns),
    )
    return _stepped(replace(job, progress=progress), tally, None)


def _piece(job: Job, size: int) -> bytes:
    left = job.progress.size - job.progress.offset
    if left <= 0:
        return b""
    name = files.key(job.merchant_id, job.job_id, SOURCE)
    return objects.get(name, start=job.progress.offset, length=min(size, left))


def _scan(job: Job) -> tuple[Scan, bool]:
    """Look at the next piece of the file; says whether it is the last one."""
    progress, size = job.progress, PIECE_BYTES
    most = PRODUCTS_A_STEP if pace.receives() < ALONE_AT else 1
    while True:
        data = _piece(job, size)
        final = progress.offset + len(data) >= progress.size
        found = csvfile.scan(
            data,
            line=progress.line,
            final=final,
            encoding=progress.encoding,
            columns=progress.columns,
            skipping=progress.skipping,
            most=most,
            whole=size >= PIECE_CAP_BYTES,
        )
        if found.end or final or size >= PIECE_CAP_BYTES:
            return found, final
        size *= 4


def _stepped(job: Job, tally: Tally, cause: JobCause | None) -> Job:
    """Leave the step's refused lines and notes in files, and return the job at its next step or at its end."""
    progress = job.progress
    if tally.findings:
        objects.put(_part(job, job.step), msgspec.json.encode(tally.findings), "application/json")
        progress = replace(progress, parts=(*progress.parts, (job.step, len(tally.findings))))
    room = bulk_report.NOTES_KEPT - sum(count for _, count in progress.note_parts)
    if tally.notes[:room]:
        objects.put(_notes(job, job.step), msgspec.json.encode(tally.notes[:room]), "application/json")
        progress = replace(progress, note_parts=(*progress.note_parts, (job.step, len(tally.notes[:room]))))
    job = replace(job, progress=bulk_report.counted(progress, tally), step=job.step + 1)
    if cause is None:
        return job
    if _has_report(job):
        objects.put(files.key(job.merchant_id, job.job_id, REPORT), _report(job), _CSV)
    return replace(job, status=jobs.MACHINE.next(job.status, cause), ended_at=clock.now())


def _has_report(job: Job) -> bool:
    return bool(job.progress.parts or job.progress.notes)


def _report(job: Job) -> bytes:
    """Return every refused line, then what is to be known of the rest."""
    progress = job.progress
    names = [_part(job, step) for step, _ in progress.parts] + [_notes(job, step) for step, _ in progress.note_parts]
    single = (one for name in names for one in _findings.decode(objects.get(name)))
    return csvfile.report(chain(single, bulk_report.of_columns(progress.notes)), with_header=True)


def _export_step(job: Job) -> Job:
    progress = job.progress
    after = json.loads(progress.after) if progress.after else None
    page = service.own_list(job.merchant_id, Window(EXPORTED_A_STEP, after))
    writer = Writer()
    if job.step == 0:
        writer.header()
    found = [product for entry in page.items if (product := store.page(entry.product_id)) is not None]
    levels = inventory.levels(sku.sku_id for product in found for sku in product.skus)
    available = {sku_id: level.available for sku_id, level in levels.items()}
    for product in found:
        writer.product(product, available)
    objects.put(_part(job, job.step), writer.bytes(), _CSV)
    progress = replace(
        progress,
        exported=progress.exported + len(found),
        parts=(*progress.parts, (job.step, len(found))),
        after=json.dumps(page.after) if page.after else "",
    )
    if page.after is not None:
        return replace(job, progress=progress, step=job.step + 1)
    whole = b"".join(objects.get(_part(job, step)) for step, _ in progress.parts)
    objects.put(files.key(job.merchant_id, job.job_id, PRODUCTS), whole, _CSV)
    status = jobs.MACHINE.next(job.status, JobCause.FINISH)
    return replace(job, progress=progress, step=job.step + 1, status=status, ended_at=clock.now())
