"""Use cases of publishing: mark what a fact changes, publish what is marked, walk over everything, compare."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any, Final

from chalicelib.catalog import service as catalog
from chalicelib.publishing import domain, store, views
from chalicelib.runtime import metrics, published
from chalicelib.runtime.published import Contents, Manifest

PASS: Final = 100
"""Products of one pass: each is read, and written where it differs, in some 40 ms."""
Turned = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]
"""A product as it was published, and as it is now."""
REST_S: Final = 2.0
"""A shard rests so long after a pass: what changes meanwhile is one pass. After a quiet time a change goes at once."""
WALK_PAGE: Final = 100
SWEEP_PAGE: Final = 20
"""Shards of one step of the sweep."""


# Facts


def product_changed(product_id: str) -> None:
    """Have a product published again; its lists follow from what turns out to differ."""
    store.mark(domain.product_shard(product_id), [product_id])


def categories_changed() -> None:
    """Have the tree published again, and the lists of every category: those below others may be new."""
    store.mark(domain.SITE, [domain.WHOLE])
    for category in catalog.tree_now().categories:
        store.mark(domain.category_shard(category.category_id), [domain.WHOLE])


def merchant_changed(merchant_id: str) -> None:
    """Have a merchant's page published again."""
    store.mark(domain.merchant_shard(merchant_id), [domain.WHOLE])


def standing_changed(merchant_id: str) -> None:
    """Have everything of a merchant published again, or taken away."""
    merchant_changed(merchant_id)
    store.mark(f"{domain.WALK}-{merchant_id}", [""])


def republish() -> None:
    """Begin to publish everything anew, shard by shard, in steps. What is published already and right stays."""
    store.mark(domain.WALK, [""])


def begin_sweep() -> None:
    """Begin to delete what is out of reach, in steps."""
    store.mark(domain.SWEEP, [""])


# Passes


def advance(shard: str, *, rest_s: float = REST_S) -> bool:
    """Do one pass over a shard's marks, or one step of a walk; says whether another one has to follow.

    Safe to repeat: a pass publishes what the tables say when it runs.

    Raises:
        RetryLater: if the shard was published a moment ago.
        Busy: if others were faster all the time.
    """
    stepwise = shard.startswith((domain.WALK, domain.SWEEP))
    work = store.take(shard, limit=PASS, rest_s=0 if stepwise else rest_s)
    if work is None:
        return False
    if stepwise:
        cursor = min(work.ids)  # Begun anew meanwhile: from the beginning, which is the empty one.
        on = _sweep(cursor) if shard == domain.SWEEP else _walk(shard, cursor)
        return store.finish(work, again=() if on is None else (on,))
    if shard.startswith(domain.PRODUCTS):
        _publish_products(shard, work.ids)
        return store.finish(work)
    _publish_whole(shard)
    # An index follows its table within moments, not at once: look again, unless this was that look.
    look_again = shard != domain.SITE and work.ids != (domain.AGAIN,)
    return store.finish(work, again=(domain.AGAIN,) if look_again else ())


def _publish_products(shard: str, product_ids: Iterable[str]) -> None:
    wanted = [product_id for product_id in product_ids if domain.product_shard(product_id) == shard]

    def work_out(before: Manifest) -> Contents:
        files: dict[str, list[bytes | str]] = {key: list(names) for key, names in before.files.items()}
        turned: list[Turned] = []
        for product_id in wanted:
            names, body = before.files.get(product_id, ()), views.product(product_id)
            if _is_current(names, body):
                continue
            turned.append((_view(published.content(shard, names[0]) if names else None), _view(body)))
            files.pop(product_id, None)
            if body is not None:
                files[product_id] = [body]
        for one in _lists_touched(turned):  # Before the manifest is swapped: who ends in between must not forget them.
            store.mark(one, [domain.WHOLE])
        return Contents(files)

    published.publish(shard, work_out)


def _view(body: bytes | None) -> Mapping[str, Any] | None:
    return json.loads(body) if body is not None else None


def _lists_touched(turned: Iterable[Turned]) -> list[str]:
    """Return the lists on which products look different, or from which they go, or to which they come."""
    shown = [
        view for before, now in turned if _card(before) != _card(now) for view in (before, now) if view is not None
    ]
    if not shown:
        return []
    tree = catalog.tree_now()
    found = {domain.ALL}
    for view in shown:
        category = tree.get(view["category_id"])
        above = category.parent_id if category is not None else None
        found |= {domain.merchant_shard(view["merchant_id"]), domain.category_shard(view["category_id"])}
        found |= {domain.category_shard(above)} if above else set()
    return sorted(found)


def _card(view: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Return what lists show of a product, and what they are ordered by."""
    if view is None:
        return ()
    names = ("titles", "kind", "category_id", "price_from", "price_to", "sold_out", "pictures", "listed_at")
    prices = [(sku["price"], sku.get("compare_at")) for sku in view["skus"]]
    return (*(view.get(name) for name in names), prices)


def _publish_whole(shard: str) -> None:
    published.publish(shard, lambda _: contents_of(shard))


def contents_of(shard: str) -> Contents:
    """Return what a shard that is published whole is to hold now."""
    if shard == domain.SITE:
        return Contents({domain.TREE: [views.tree()]})
    lists = views.lists_of(shard)
    if shard.startswith(domain.MERCHANT):
        page = views.merchant(shard.removeprefix(domain.MERCHANT))
        if page is None:
            return Contents({})
        lists.files[domain.PROFILE] = [page]
    return Contents(lists.files, lists.partial)


# Walks: over everything, or over a merchant's products


def _walk(walk: str, cursor: str) -> str | None:
    """Mark one page of what the walk goes over; returns where to go on, None at the end."""
    merchant_id = walk.removeprefix(domain.WALK).removeprefix("-")
    if merchant_id:
        after = json.loads(cursor) if cursor else None
        page = catalog.own_list(merchant_id, limit=WALK_PAGE, after=after)
        _mark_products(entry.product_id for entry in page.entries)
        return json.dumps(page.after) if page.after is not None else None
    phase, _, rest = cursor.partition(" ")
    if phase in ("", "published"):
        return _walk_published(rest)
    return _walk_listed(json.loads(rest) if rest else None)


def _walk_published(place: str) -> str:
    """Mark what is published, a piece of a shard a step: what is not in the tables any more goes with it."""
    number, _, start = place.partition(":")
    at, offset = int(number or 0), int(start or 0)
    if at == 0 and offset == 0:
        categories_changed()
    shard = f"{domain.PRODUCTS}{at:02d}"
    known = sorted(published.read(shard)[0].files)[offset : offset + WALK_PAGE]
    _mark_products(known)
    if len(known) == WALK_PAGE:
        return f"published {at}:{offset + WALK_PAGE}"
    return f"published {at + 1}:0" if at + 1 < domain.PRODUCT_SHARDS else "walk-listed"


def _walk_listed(after: dict[str, Any] | None) -> str | None:
    """Mark one page of everything listed, and its merchants."""
    page, on = catalog.listed_page(after, limit=WALK_PAGE)
    _mark_products(product_id for product_id, _ in page)
    for merchant_id in dict.fromkeys(merchant_id for _, merchant_id in page):
        merchant_changed(merchant_id)
    if on is None:
        store.mark(domain.ALL, [domain.WHOLE])
        return None
    return "walk-listed " + json.dumps(on)


def _mark_products(product_ids: Iterable[str]) -> None:
    for shard, found in domain.by_shard(product_ids).items():
        store.mark(shard, found)


# What is out of reach


def _sweep(cursor: str) -> str | None:
    found = published.shards(after=cursor, limit=SWEEP_PAGE)
    for shard in found:
        published.sweep(shard)
    return found[-1] if len(found) == SWEEP_PAGE else None


# Comparing


def check(*, product_shards: int = 4, lists: int = 6, of_each: int = 25, chance: random.Random | None = None) -> int:
    """Compare a sample of what is published with the tables, and have published again what differs; returns how much.

    What is waiting to be published is no difference. Counted as ``published_stale``.
    """
    chance = chance or random.Random()  # noqa: S311 -- a sample
    stale = 0
    for shard in chance.sample(sorted(domain.product_shards()), product_shards):
        known = published.read(shard)[0].files
        sample = chance.sample(sorted(known), min(of_each, len(known)))
        stale += _check_products(shard, sample)
    names = [domain.SITE, domain.ALL, *chance.sample(*_some_lists(lists))]
    for shard in names:
        stale += _check_list(shard)
    listed, _ = catalog.listed_page(None, limit=WALK_PAGE)
    for shard, found in domain.by_shard(product_id for product_id, _ in listed).items():
        missing = [product_id for product_id in found if product_id not in published.read(shard)[0].files]
        stale += _check_products(shard, missing)
    metrics.count("published_checked", product_shards * of_each + len(names))
    metrics.count("published_stale", stale)
    return stale


def _some_lists(wanted: int) -> tuple[list[str], int]:
    found = [domain.category_shard(one.category_id) for one in catalog.tree_now().categories]
    found += published.shards(after=domain.MERCHANT, limit=200)
    found = [one for one in found if one.startswith((domain.CATEGORY, domain.MERCHANT))]
    return found, min(wanted, len(found))


def _check_products(shard: str, product_ids: Iterable[str]) -> int:
    files = published.read(shard)[0].files
    waiting = set(store.waiting(shard))
    stale = [
        product_id
        for product_id in product_ids
        if product_id not in waiting and not _is_current(files.get(product_id, ()), views.product(product_id))
    ]
    if stale:
        store.mark(shard, stale)
    return len(stale)


def _is_current(names: tuple[str, ...], body: bytes | None) -> bool:
    return [published.digest_of(name) for name in names] == ([published.digest(body)] if body is not None else [])


def _check_list(shard: str) -> int:
    if store.waiting(shard):
        return 0
    manifest = published.read(shard)[0]
    wanted = contents_of(shard)
    told = {key: [published.digest_of(name) for name in names] for key, names in manifest.files.items()}
    true = {
        key: [published.digest(part) for part in parts if isinstance(part, bytes)]
        for key, parts in wanted.files.items()
    }
    if told == true and manifest.partial == wanted.partial:
        return 0
    store.mark(shard, [domain.WHOLE])
    return 1
