"""Pools: how a SKU is delivered, and the codes a merchant uploads, takes out, and is warned about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from chalicelib.catalog import service as catalog
from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Busy, NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.later import Later
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import marks, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent
from chalicelib.virtual import domain, store
from chalicelib.virtual.domain import Content, Form, NotVirtual, Pool, PoolInUse, Upload, WrongForm
from chalicelib.virtual.events import PoolFilled, PoolRanLow

KIND = "virtual"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a merchant delivers a SKU. ``content`` stands ready for every buyer; without it each is served by hand."""

    form: Form
    within: timedelta
    low_mark: int = 0
    content: Content | None = None


def mark(merchant_id: str, code: str) -> str:
    """Return the keyed digest that a merchant's code is known by. Another merchant's is another's affair."""
    return marks.mark(f"{merchant_id}\n{code}", "virtual code")


def saved(work: UnitOfWork, before: Pool, after: Pool, ready: store.Ready | None, events: Sequence[Event] = ()) -> None:
    """Add a changed pool to the work, and tell once that it ran low."""
    told = list(events)
    if after.warned and not before.warned:
        told.append(_ran_low(after))
        work.after_commit(lambda: metrics.count("pools_ran_low"))
    store.save_pool(work, after, ready, told)


def _ran_low(pool: Pool) -> PoolRanLow:
    return PoolRanLow(sku_id=pool.sku_id, merchant_id=pool.merchant_id, number=pool.version + 1, free=pool.free)


def put(merchant_id: str, sku_id: str, terms: Terms) -> Pool:
    """Say how a SKU of the merchant's is delivered; whoever waits for its content is served next.

    Raises:
        ProductNotFound, NotFound: if it is not theirs.
        NotVirtual: if it is sent or done.
        PoolInUse: if it holds codes and would become something else.
        Busy: if it kept changing.
    """
    _check_virtual(merchant_id, sku_id)

    def write() -> Pool:
        before = store.pool(sku_id)
        if (
            before is not None
            and before.form is not terms.form
            and (before.free or (before.form is Form.CODE and before.given))
        ):
            raise PoolInUse
        held = before or Pool(sku_id, merchant_id, terms.form, terms.within, clock.now())
        after = replace(
            held, form=terms.form, within=terms.within, low_mark=terms.low_mark, has_content=terms.content is not None
        )
        after = replace(after, warned=after.warned and after.is_low)
        told = [_filled(after)] if terms.content is not None else []
        with UnitOfWork() as work:
            store.save_pool(work, after, Later.of(terms.content) if terms.content else None, told)
        return replace(after, version=after.version + 1)

    return racing(write, otherwise=Busy)


def _filled(pool: Pool) -> PoolFilled:
    return PoolFilled(sku_id=pool.sku_id, merchant_id=pool.merchant_id, number=pool.version + 1)


def _check_virtual(merchant_id: str, sku_id: str) -> None:
    if not ids.is_child_id("sku", sku_id):
        raise NotFound(what="SKU")
    product = catalog.own(merchant_id, catalog.product_of(sku_id))
    if product.sku(sku_id) is None:
        raise NotFound(what="SKU")
    if product.kind.value != KIND:
        raise NotVirtual


def own(merchant_id: str, sku_id: str, *, consistent: bool = False) -> Pool:
    """Return a pool of the merchant's.

    Raises:
        NotFound: if there is none of theirs.
    """
    found = store.pool(sku_id, consistent=consistent)
    if found is None or found.merchant_id != merchant_id:
        raise NotFound(what="pool")
    return found


def promise(sku_id: str) -> Pool:
    """Return how a SKU is delivered, for whoever thinks of buying it.

    Raises:
        NotFound: if its merchant says nothing about that.
    """
    found = store.pool(sku_id, consistent=False) if ids.is_child_id("sku", sku_id) else None
    if found is None:
        raise NotFound(what="pool")
    return found


def of_merchant(merchant_id: str, window: Window) -> Page[Pool]:
    """Return one page of a merchant's pools, newest first."""
    return store.pools_of(merchant_id, window)


def upload(
    merchant_id: str, sku_id: str, codes: Sequence[str], intent: Intent, *, to_stock: bool = True
) -> tuple[Upload, bool]:
    """Add codes to a pool, each once; says how many were taken, which were not, and whether the intent was done before.

    Each transaction takes its share of the codes, with as many units of stock where ``to_stock``, and notes how far it
    came: a repeat goes on there, whatever broke off.

    Raises:
        NotFound: if the pool is not theirs.
        WrongForm: if it holds no codes.
        IdempotencyKeyReused: if the key uploaded something else.
        Busy: if it kept changing.
    """
    upload_id = store.UPLOADS + intent.token
    doubled = domain.repeated(codes)
    digests = [mark(merchant_id, code) for code in codes]
    found = store.upload(sku_id, upload_id)
    if found is None:
        if own(merchant_id, sku_id, consistent=True).form is not Form.CODE:
            raise WrongForm(form=own(merchant_id, sku_id).form.value)
    elif own(merchant_id, sku_id):
        intent.check(found.fingerprint)
    replayed = found is not None and found.done == len(codes)
    progress = found or Upload(upload_id, sku_id, intent.fingerprint, clock.now())
    while progress.done < len(codes):
        progress = racing(_a_chunk(merchant_id, progress, codes, digests, doubled, to_stock=to_stock), otherwise=Busy)
    return progress, replayed


def _a_chunk(
    merchant_id: str, first: Upload, codes: Sequence[str], digests: Sequence[str], doubled: set[int], *, to_stock: bool
) -> Callable[[], Upload]:
    def take() -> Upload:
        sku_id = first.sku_id
        before = store.upload(sku_id, first.upload_id) or replace(first, version=0)
        chunk = range(before.done, min(before.done + domain.CHUNK, len(codes)))
        if not chunk:
            return before
        pool, ready = store.pool_and_ready(sku_id)
        if pool is None or pool.merchant_id != merchant_id:
            raise NotFound(what="pool")
        known = store.known(digests[at] for at in chunk)
        refused = {
            at: "repeated" if at in doubled else "known" for at in chunk if at in doubled or digests[at] in known
        }
        good = [at for at in chunk if at not in refused]
        done = chunk.stop
        after = replace(
            before,
            done=done,
            accepted=before.accepted + len(good),
            refused=(*before.refused, *sorted(refused.items())),
        )
        with UnitOfWork() as work:
            store.save_upload(work, after)
            if good:
                for place, at in enumerate(good, start=1):
                    store.add_known(work, digests[at], sku_id)
                    store.add_code(work, sku_id, pool.numbered + place, Content(Form.CODE, codes[at]))
                if to_stock:
                    cause = f"{after.upload_id}#{chunk.start}"
                    inventory.within.receive(work, sku_id, len(good), cause=cause, reason="codes uploaded")
            if good or done == len(codes):
                told = [_filled(pool)] if done == len(codes) and after.accepted else []
                saved(work, pool, domain.filled(pool, len(good)), ready, told)
        return replace(after, version=before.version + 1)

    return take


def withdraw(merchant_id: str, sku_id: str, quantity: int, intent: Intent) -> Pool:
    """Take the oldest free codes out for good, at most so many, with as many units that are in stock.

    They stay known: a code that was in a pool comes into none again.

    Raises:
        NotFound: if the pool is not theirs.
        IdempotencyKeyReused: if the key did something else.
        Busy: if it kept changing.
    """
    upload_id = store.UPLOADS + intent.token

    def take() -> Pool:
        pool, ready = store.pool_and_ready(sku_id)
        if pool is None or pool.merchant_id != merchant_id:
            raise NotFound(what="pool")
        done = store.upload(sku_id, upload_id)
        if done is not None:
            intent.check(done.fingerprint)
            return pool
        rows = store.free_codes(sku_id, min(quantity, domain.BACK_CHUNK))
        after = domain.emptied(pool, len(rows))
        with UnitOfWork() as work:
            store.save_upload(work, Upload(upload_id, sku_id, intent.fingerprint, clock.now(), done=len(rows)))
            for row in rows:
                store.take_code(work, row)
            if rows:
                cause = f"{upload_id}#out"
                inventory.within.write_off(work, sku_id, len(rows), cause=cause, reason="codes taken out")
            saved(work, pool, after, ready)
        return replace(after, version=pool.version + 1)

    return racing(take, otherwise=Busy)
