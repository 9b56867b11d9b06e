"""Bulk import and export: one job, many bounded steps, each a message; progress and the next step are one write.

A step reads a piece of the file, brings its products into the catalog one by one, leaves the refused lines in a file of
its own, and saves where it stopped together with the event of the next step. Every part of it can run again: products
remember the line that wrote them, stock movements the job, files are overwritten with the same content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

import msgspec

from chalicelib.catalog import csvfile, csvproduct, domain, files, job_store, jobs, service, store
from chalicelib.catalog.csvfile import Finding, Group
from chalicelib.catalog.csvproduct import Parsed
from chalicelib.catalog.domain import BadProduct, Cause, Product, Status
from chalicelib.catalog.jobs import Job, JobCause, JobKind, JobNotFound, JobStatus, Options, Progress, UploadMissing
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate, TooLarge
from chalicelib.runtime import log
from chalicelib.runtime.intents import Intent, system_intent

PRODUCTS_A_STEP: Final = 60
PIECE_BYTES: Final = 256 * 1024
PIECE_CAP_BYTES: Final = 4 * 1024 * 1024
"""A single product longer than this is refused."""
EXPORTED_A_STEP: Final = 40
STOCK_LINES: Final = 40
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
        files.put(files.key(merchant_id, job_id, SOURCE), content, _CSV)
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
    size = files.size(files.key(merchant_id, job_id, SOURCE))
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


def listed(merchant_id: str, kind: JobKind, *, limit: int, after: str | None) -> tuple[list[Job], str | None]:
    """Return one page of a merchant's jobs."""
    return job_store.page(merchant_id, kind, limit=limit, after=after)


def refusals(job: Job, *, limit: int, after: tuple[int, int]) -> tuple[list[Finding], tuple[int, int] | None]:
    """Return refused lines in the order of the file, from ``after`` (part, entry) on."""
    part, entry = after
    found: list[Finding] = []
    while part < len(job.progress.parts) and len(found) < limit:
        step, count = job.progress.parts[part]
        content = _findings.decode(files.get(_part(job, step)))
        taken = content[entry : entry + limit - len(found)]
        found += taken
        entry += len(taken)
        if entry >= count:
            part, entry = part + 1, 0
    return found, (part, entry) if part < len(job.progress.parts) else None


def download(job: Job) -> str | None:
    """Return where the job's result can be fetched: the report of an import, the file of an export."""
    if job.status not in (JobStatus.FINISHED, JobStatus.FAILED):
        return None
    if job.kind is JobKind.EXPORT:
        return files.download_url(files.key(job.merchant_id, job.job_id, PRODUCTS), f"products-{job.job_id}.csv")
    if not job.progress.parts:
        return None
    return files.download_url(files.key(job.merchant_id, job.job_id, REPORT), f"report-{job.job_id}.csv")


def upload(job: Job, size: int) -> str:
    """Return where the file of a waiting import is to be PUT."""
    return files.upload_url(files.key(job.merchant_id, job.job_id, SOURCE), size)


def _part(job: Job, step: int) -> str:
    return files.key(job.merchant_id, job.job_id, f"parts/{step:05d}")


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
        log.info("bulk step done by another", job=job_id, step=step)


@dataclass(slots=True)
class _Tally:
    """What one step of an import did."""

    created: int = 0
    updated: int = 0
    refused: int = 0
    findings: list[Finding] = field(default_factory=list)

    def refuse(self, findings: Sequence[Finding]) -> None:
        """Count a refused product and keep why."""
        self.refused += 1
        self.findings += findings


def _import_step(job: Job) -> Job:
    if not job.progress.columns:
        return _open(job)
    progress, tally = job.progress, _Tally()
    found, final = _products(job)
    for group in found:
        _bring(job, group, tally)
    if found:
        progress = replace(progress, offset=progress.offset + found[-1].end, line=found[-1].next_line)
    cause = JobCause.FINISH if final and (not found or progress.offset >= progress.size) else None
    if not found and not final:
        tally.refuse([csvfile.finding(progress.line, "", "product_too_long")])
        cause, progress = JobCause.FAIL, replace(progress, failure="product_too_long")
    return _stepped(replace(job, progress=progress), tally, cause)


def _open(job: Job) -> Job:
    """Read the header: the first step."""
    data = _piece(job, PIECE_BYTES)
    skipped = len(csvfile.BOM) if data.startswith(csvfile.BOM) else 0
    data = data[skipped:]
    encoding = csvfile.encoding_of(data)
    final = job.progress.size <= PIECE_BYTES
    first = next(csvfile.records(data, line=1, final=final, encoding=encoding), None)
    if first is None:
        faults: tuple[Finding, ...] = (csvfile.finding(1, "", "empty_file"),)
        columns: tuple[str, ...] = ()
    elif first.problem:
        faults, columns = (csvfile.finding(first.line, "", first.problem, most=0),), ()
    else:
        columns, faults = csvfile.header(first)
    tally = _Tally()
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
    )
    return _stepped(replace(job, progress=progress), tally, None)


def _piece(job: Job, size: int) -> bytes:
    left = job.progress.size - job.progress.offset
    if left <= 0:
        return b""
    name = files.key(job.merchant_id, job.job_id, SOURCE)
    return files.get(name, start=job.progress.offset, length=min(size, left))


def _products(job: Job) -> tuple[list[Group], bool]:
    """Return the next products of the file, and whether the piece they were read from is its last one."""
    progress, size = job.progress, PIECE_BYTES
    while True:
        data = _piece(job, size)
        final = progress.offset + len(data) >= progress.size
        groups = csvfile.groups(
            data, line=progress.line, final=final, encoding=progress.encoding, columns=progress.columns
        )
        found = list(islice(groups, PRODUCTS_A_STEP))
        if found or final or size >= PIECE_CAP_BYTES:
            return found, final
        size *= 4


def _stepped(job: Job, tally: _Tally, cause: JobCause | None) -> Job:
    """Leave the step's refused lines in a file, and return the job at its next step or at its end."""
    progress = job.progress
    if tally.findings:
        files.put(_part(job, job.step), msgspec.json.encode(tally.findings), "application/json")
        progress = replace(progress, parts=(*progress.parts, (job.step, len(tally.findings))))
    progress = replace(
        progress,
        created=progress.created + tally.created,
        updated=progress.updated + tally.updated,
        refused=progress.refused + tally.refused,
        lines_refused=progress.lines_refused + len({one.line for one in tally.findings}),
    )
    job = replace(job, progress=progress, step=job.step + 1)
    if cause is None:
        return job
    if progress.parts:
        report = csvfile.report(
            (one for step, _ in progress.parts for one in _findings.decode(files.get(_part(job, step)))),
            with_header=True,
        )
        files.put(files.key(job.merchant_id, job.job_id, REPORT), report, _CSV)
    return replace(job, status=jobs.MACHINE.next(job.status, cause), ended_at=clock.now())


def _bring(job: Job, group: Group, tally: _Tally) -> None:
    """Bring one product of the file into the catalog, or note why not."""
    parsed, findings = csvproduct.read(
        group, columns=job.progress.columns, currency=job.options.currency, tree=service.categories()
    )
    if parsed is None:
        tally.refuse(findings)
        return
    try:
        created = _write(job, parsed)
    except BadProduct as refusal:
        params = refusal.params
        fault = Finding(
            parsed.line,
            _COLUMN_OF.get(params["field"], params["field"]),
            params["rule"],
            refusal.detail("en"),
            refusal.detail("zh"),
        )
        tally.refuse(csvfile.with_the_rest(group, [fault]))
        return
    if created:
        tally.created += 1
    else:
        tally.updated += 1


_COLUMN_OF: Final[Mapping[str, str]] = {
    "skus": "Option1 Value",
    "options": "Option1 Name",
    "titles": "Title",
    "pictures": "Image Src",
    "description": "Body (HTML)",
    "category_id": "Type",
}


def _write(job: Job, parsed: Parsed) -> bool:
    """Create or change the product and set its stock; says whether it was created. Running again changes nothing."""
    mark = f"{job.job_id}#{parsed.line}"
    for _ in range(_RIVALS):
        product_id = _known(job.merchant_id, parsed.handle)
        try:
            product = (
                _create_product(job, parsed, mark) if product_id is None else _change(job, product_id, parsed, mark)
            )
        except (AlreadyExists, domain.HandleTaken):
            continue  # Another import was faster: it is a change now.
        created = product.imported.endswith("#new")
        _stock(product, parsed.stock, mark, fresh=created)
        return created
    raise ConcurrentUpdate


_RIVALS: Final = 3


def _known(merchant_id: str, handle: str) -> str | None:
    if ids.is_id("prd", handle):  # What an export wrote for a product without a handle.
        found = store.head(handle)
        if found is not None and found.merchant_id == merchant_id:
            return handle
    return store.product_of_handle(merchant_id, handle)


def _create_product(job: Job, parsed: Parsed, mark: str) -> Product:
    draft = parsed.draft
    if draft.category_id is None:
        if not job.options.default_category:
            en, zh = csvfile.REASONS["unknown_category"]
            raise BadProduct(rule="unknown_category", field="category_id", en=en, zh=zh)
        draft = replace(draft, category_id=job.options.default_category)
    product = domain.create(
        draft,
        product_id=ids.derived_id("prd", job.merchant_id, "handle", parsed.handle),
        merchant_id=job.merchant_id,
        handle=parsed.handle,
        at=clock.now(),
        fingerprint=mark,
    )
    return service.insert(replace(_towards(product, parsed), imported=f"{mark}#new"))


def _change(job: Job, product_id: str, parsed: Parsed, mark: str) -> Product:
    def decide(product: Product) -> Product:
        if product.imported in (f"{mark}#new", f"{mark}#old"):
            return product  # This very line wrote it before: the step runs again.
        if product.imported.startswith(f"{job.job_id}#"):
            en, zh = csvfile.REASONS["handle_repeated"]
            raise BadProduct(rule="handle_repeated", field="Handle", en=en, zh=zh)
        changed = domain.change(product, csvproduct.merged(parsed.draft, product, job.progress.columns))
        changed = replace(_towards(changed, parsed), imported=product.imported, revision=product.revision)
        if changed != product:
            changed = replace(changed, revision=product.revision + 1)
        return replace(changed, imported=f"{mark}#old")

    return service.edit(job.merchant_id, product_id, decide)


def _towards(product: Product, parsed: Parsed) -> Product:
    """Return the product in the status the file says; new SKUs that come with stock are not sold out."""
    if parsed.status is Status.LISTED and product.status is not Status.LISTED:
        product = domain.move(product, Cause.LIST, at=clock.now())
    elif parsed.status is not Status.LISTED and product.status is Status.LISTED:
        product = domain.move(product, Cause.UNLIST, at=clock.now())
    skus = tuple(replace(sku, sold_out=False) if parsed.stock.get(sku.options, 0) > 0 else sku for sku in product.skus)
    return replace(product, skus=skus)


def _stock(product: Product, wanted: Mapping[tuple[str, ...], int], mark: str, *, fresh: bool) -> None:
    """Bring the stock of its SKUs to what the file says, once for each line."""
    units = {sku.sku_id: wanted[sku.options] for sku in product.skus if sku.options in wanted}
    reason = f"import {mark}"
    if fresh:
        received = [(sku_id, quantity) for sku_id, quantity in units.items() if quantity]
        for at in range(0, len(received), STOCK_LINES):
            part = dict(received[at : at + STOCK_LINES])
            inventory.receive_many(part, intent=system_intent(f"{mark}#{at}"), reason=reason)
        return
    levels = inventory.levels(units)
    for sku_id, quantity in units.items():
        if levels[sku_id].available != quantity:
            inventory.set_available(sku_id, quantity, intent=system_intent(mark), reason=reason)


def _export_step(job: Job) -> Job:
    progress = job.progress
    after = json.loads(progress.after) if progress.after else None
    page = service.own_list(job.merchant_id, limit=EXPORTED_A_STEP, after=after)
    writer = csvproduct.Writer()
    if job.step == 0:
        writer.header()
    found = [product for entry in page.entries if (product := store.page(entry.product_id)) is not None]
    levels = inventory.levels(sku.sku_id for product in found for sku in product.skus)
    available = {sku_id: level.available for sku_id, level in levels.items()}
    for product in found:
        writer.product(product, available)
    files.put(_part(job, job.step), writer.bytes(), _CSV)
    progress = replace(
        progress,
        exported=progress.exported + len(found),
        parts=(*progress.parts, (job.step, len(found))),
        after=json.dumps(page.after) if page.after else "",
    )
    if page.after is not None:
        return replace(job, progress=progress, step=job.step + 1)
    whole = b"".join(files.get(_part(job, step)) for step, _ in progress.parts)
    files.put(files.key(job.merchant_id, job.job_id, PRODUCTS), whole, _CSV)
    status = jobs.MACHINE.next(job.status, JobCause.FINISH)
    return replace(job, progress=progress, step=job.step + 1, status=status, ended_at=clock.now())
