"""Use cases of publishing: publish what a fact changes, at once or marked for a pass; walk over everything; compare."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any, Final

from chalicelib.catalog import service as catalog
from chalicelib.kernel.pages import Window
from chalicelib.publishing import domain, lists, products, store, views
from chalicelib.runtime import metrics, published
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.published import Contents

PASS: Final = 100
"""Marks of one pass."""
REST_S: Final = 2.0
"""A shard rests so long after a pass: what changes meanwhile is one pass. After a quiet time a change goes at once."""
WALK_PAGE: Final = 100
ON_ITS_WAY_S: Final = 20
"""A change is published well within this time, so what differs for longer is wrong."""
SWEEP_PAGE: Final = 20
"""Shards of one step of the sweep."""


# Facts


def products_changed(product_ids: Iterable[str]) -> None:
    """Publish products again; their lists follow from what turns out to differ. Safe to repeat.

    Raises:
        Busy: if others published the same all the time.
    """
    products.publish(product_ids)


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
        products.publish(work.ids)
        return store.finish(work)
    published.publish(shard, lambda _: contents_of(shard))
    # An index follows its table within moments, not at once: look again, unless this was that look.
    look_again = shard != domain.SITE and work.ids != (domain.AGAIN,)
    return store.finish(work, again=(domain.AGAIN,) if look_again else ())


def contents_of(shard: str) -> Contents:
    """Return what a shard that is published whole is to hold now."""
    if shard == domain.SITE:
        return Contents({domain.TREE: [views.tree()]})
    return lists.whole(shard)


# Walks: over everything, or over a merchant's products


def _walk(walk: str, cursor: str) -> str | None:
    """Publish one page of what the walk goes over; returns where to go on, None at the end."""
    merchant_id = walk.removeprefix(domain.WALK).removeprefix("-")
    if merchant_id:
        after = json.loads(cursor) if cursor else None
        page = catalog.own_list(merchant_id, Window(WALK_PAGE, after))
        products.publish(entry.product_id for entry in page.items)
        return json.dumps(page.after) if page.after is not None else None
    phase, _, rest = cursor.partition(" ")
    if phase in ("", "published"):
        return _walk_published(rest)
    return _walk_listed(json.loads(rest) if rest else None)


def _walk_published(place: str) -> str:
    """Go over what is published, a piece of a shard a step: what is not in the tables any more goes with it."""
    number, _, start = place.partition(":")
    at, offset = int(number or 0), int(start or 0)
    if at == 0 and offset == 0:
        categories_changed()
    shard = f"{domain.PRODUCTS}{at:02d}"
    known = sorted(published.read(shard)[0].files)[offset : offset + WALK_PAGE]
    products.publish(known)
    if len(known) == WALK_PAGE:
        left = published.read(shard)[0].files
        return f"published {at}:{offset + sum(product_id in left for product_id in known)}"
    return f"published {at + 1}:0" if at + 1 < domain.PRODUCT_SHARDS else "walk-listed"


def _walk_listed(after: dict[str, Any] | None) -> str | None:
    """Go over one page of everything listed, and its merchants."""
    page = catalog.listed_page(Window(WALK_PAGE, after))
    products.publish(product_id for product_id, _ in page.items)
    for merchant_id in dict.fromkeys(merchant_id for _, merchant_id in page.items):
        merchant_changed(merchant_id)
    if page.after is None:
        store.mark(domain.ALL, [domain.WHOLE])
        return None
    return "walk-listed " + json.dumps(page.after)


# What is out of reach


def _sweep(cursor: str) -> str | None:
    found = published.shards(after=cursor, limit=SWEEP_PAGE)
    for shard in found:
        if published.sweep(shard) == published.SWEPT_AT_ONCE:
            return cursor  # There is more of this one: the next step begins with it.
        cursor = shard
    return cursor if len(found) == SWEEP_PAGE else None


# Comparing


def check(*, product_shards: int = 4, lists: int = 6, of_each: int = 25, chance: random.Random | None = None) -> int:
    """Compare a sample of what is published with the tables, and have published again what differs; returns how much.

    What differs is looked at twice: a change that is on its way is no difference. Counted as ``published_stale``.
    """
    chance = chance or random.Random()  # noqa: S311 -- a sample
    sample: list[str] = []
    for shard in chance.sample(sorted(domain.product_shards()), product_shards):
        known = published.read(shard)[0].files
        sample += chance.sample(sorted(known), min(of_each, len(known)))
    sample += [product_id for product_id, _ in catalog.listed_page(Window(WALK_PAGE)).items]
    names = [domain.SITE, domain.ALL, *chance.sample(*_some_lists(lists))]
    stale, wrong = _stale(sample), [shard for shard in names if _is_stale(shard)]
    if stale or wrong:
        dynamo.sleep(ON_ITS_WAY_S)
        stale, wrong = _stale(stale), [shard for shard in wrong if _is_stale(shard)]
    for shard, found in domain.by_shard(stale).items():
        store.mark(shard, found)
    for shard in wrong:
        store.mark(shard, [domain.WHOLE])
    for shard in names:
        store.mark(shard, ())  # One that waits for a message that gave up is no difference, but goes on again.
    metrics.count("published_checked", product_shards * of_each + len(names))
    metrics.count("published_stale", len(stale) + len(wrong))
    return len(stale) + len(wrong)


def _some_lists(wanted: int) -> tuple[list[str], int]:
    found = [domain.category_shard(one.category_id) for one in catalog.tree_now().categories]
    found += published.shards(after=domain.MERCHANT, limit=200)
    found = [one for one in found if one.startswith((domain.CATEGORY, domain.MERCHANT))]
    return found, min(wanted, len(found))


def _stale(product_ids: Iterable[str]) -> list[str]:
    """Return those products whose files are not what buyers would see now."""
    found: list[str] = []
    by_shard = domain.by_shard(dict.fromkeys(product_ids))
    readings = published.read_many(by_shard)
    now = views.products(one for wanted in by_shard.values() for one in wanted)
    for shard, wanted in by_shard.items():
        files = readings[shard].manifest.files
        found += [one for one in wanted if not products.is_current(files.get(one, ()), now.get(one))]
    return found


def _is_stale(shard: str) -> bool:
    """Say whether a shard that is published whole is not what it would be now, and nobody is about to mend that."""
    if store.waiting(shard):
        return False
    manifest = published.read(shard)[0]
    wanted = contents_of(shard)
    told = {key: [published.digest_of(name) for name in names] for key, names in manifest.files.items()}
    true = {
        key: [published.digest(part) for part in parts if isinstance(part, bytes)]
        for key, parts in wanted.files.items()
    }
    return told != true or manifest.partial != wanted.partial
