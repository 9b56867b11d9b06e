"""One product of a file into the catalog: created or changed with its stock, or refused with its reasons.

Running again changes nothing: products remember the line that wrote them, stock movements the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from chalicelib.catalog import csvfile, csvproduct, domain, service, store
from chalicelib.catalog.bulk_report import Tally
from chalicelib.catalog.csvfile import Finding, Group
from chalicelib.catalog.csvproduct import Parsed
from chalicelib.catalog.domain import BadProduct, Cause, Product, Status
from chalicelib.catalog.jobs import Job
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import AlreadyExists, ConcurrentUpdate
from chalicelib.runtime.intents import system_intent

STOCK_LINES: Final = 40
_RIVALS: Final = 3


class _Refused(Exception):
    """The lines are no product that could be taken."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__()
        self.findings = findings


_COLUMN_OF: Final[Mapping[str, str]] = {
    "skus": "Option1 Value",
    "options": "Option1 Name",
    "titles": "Title",
    "pictures": "Image Src",
    "description": "Body (HTML)",
    "category_id": "Type",
    "tags": "Tags",
}


def bring(job: Job, group: Group, tally: Tally) -> None:
    """Bring one product of the file into the catalog, or note why not."""
    try:
        parsed, created = _write(job, group)
    except _Refused as refusal:
        tally.refuse(refusal.findings)
    except BadProduct as refusal:
        params = refusal.params
        fault = Finding(
            group.lines[0].line,
            _COLUMN_OF.get(params["field"], params["field"]),
            params["rule"],
            refusal.detail("en"),
            refusal.detail("zh"),
        )
        tally.refuse(csvfile.with_the_rest(group, [fault]))
    else:
        tally.take(parsed.notes, created=created)


def _read(job: Job, group: Group, known: Product | None) -> Parsed:
    """Read the lines as a change of what is there. Prices are in what the caller said, else in what they were."""
    options = job.options
    currency = options.currency if options.stated or known is None else known.skus[0].price.currency
    parsed, findings = csvproduct.read(
        group, columns=job.progress.columns, currency=currency, tree=service.categories(), known=known
    )
    if parsed is None:
        raise _Refused(findings)
    return parsed


def _write(job: Job, group: Group) -> tuple[Parsed, bool]:
    """Create or change the product and set its stock; says whether it was created."""
    mark = f"{job.job_id}#{group.lines[0].line}"
    for _ in range(_RIVALS):
        product_id = _known(job.merchant_id, group.handle)
        try:
            if product_id is None:
                product, parsed = _create_product(job, group, mark)
            else:
                product, parsed = _change(job, product_id, group, mark)
        except (AlreadyExists, domain.HandleTaken):
            continue  # Another import was faster: it is a change now.
        created = product.imported.endswith("#new")
        _stock(product, parsed.stock, mark, fresh=created)
        return parsed, created
    raise ConcurrentUpdate


def _known(merchant_id: str, handle: str) -> str | None:
    if not handle:
        return None
    if ids.is_id("prd", handle):  # What an export wrote for a product without a handle.
        found = store.head(handle)
        if found is not None and found.merchant_id == merchant_id:
            return handle
    return store.product_of_handle(merchant_id, handle)


def _create_product(job: Job, group: Group, mark: str) -> tuple[Product, Parsed]:
    parsed = _read(job, group, None)
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
    return service.insert(replace(_towards(product, parsed), imported=f"{mark}#new")), parsed


def _change(job: Job, product_id: str, group: Group, mark: str) -> tuple[Product, Parsed]:
    read: list[Parsed] = []

    def decide(product: Product) -> Product:
        if product.imported in (f"{mark}#new", f"{mark}#old"):
            read[:] = [_read(job, group, product if product.imported.endswith("#old") else None)]
            return product  # This very line wrote it before: the step runs again.
        if product.imported.startswith(f"{job.job_id}#"):
            raise _Refused(
                csvfile.with_the_rest(group, [csvfile.finding(group.lines[0].line, "Handle", "handle_repeated")])
            )
        parsed = _read(job, group, product)
        read[:] = [parsed]
        changed = domain.change(product, parsed.draft)
        changed = replace(_towards(changed, parsed), imported=product.imported, revision=product.revision)
        if changed != product:
            changed = replace(changed, revision=product.revision + 1)
        return replace(changed, imported=f"{mark}#old")

    return service.edit(job.merchant_id, product_id, decide), read[0]


def _towards(product: Product, parsed: Parsed) -> Product:
    """Return the product in the status the file says; new SKUs that come with stock are not sold out."""
    wanted, listed = parsed.status, product.status is Status.LISTED
    if wanted is Status.LISTED and not listed:
        product = domain.move(product, Cause.LIST, at=clock.now())
    elif wanted not in (None, Status.LISTED) and listed:
        product = domain.move(product, Cause.UNLIST, at=clock.now())
    elif wanted is Status.UNLISTED and product.status is Status.DRAFT:
        product = domain.move(product, Cause.ARCHIVE, at=clock.now())
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
