"""Publishes everything buyers browse from the tables of the installation that this process was started for.

It goes on where an earlier run was left: its place stands in a row of the installation, and so does what is marked and
not published yet. What is published already, and right, is read and not written.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from chalicelib.catalog import service as catalog
from chalicelib.kernel.pages import Window
from chalicelib.publishing import domain, service, store
from chalicelib.runtime import published

Say = Callable[[str], None]


def ensure(say: Say) -> None:
    """Publish everything if nothing ever was."""
    if not published.read(domain.SITE)[0].version:
        run(say)


def run(say: Say) -> int:
    """Walk over everything, publish what differs; returns how many products are published."""
    started = time.monotonic()
    if store.waiting(domain.WALK):
        say("  publishing: going on where it was left ...")
    else:
        service.republish()
    _walk(say)
    lists = _lists()
    say(f"  publishing: {len(lists)} lists ...")
    for number, shard in enumerate(lists, 1):
        _pass(shard)
        if number % 50 == 0:
            say(f"  publishing: {number} of {len(lists)} lists ...")
    products = sum(len(published.read(shard)[0].files) for shard in domain.product_shards())
    say(f"  published {products} products and {len(lists)} lists in {time.monotonic() - started:.1f} s")
    return products


def _walk(say: Say) -> None:
    more, steps = True, 0
    while more:
        more = service.advance(domain.WALK)
        steps += 1
        if steps % 50 == 0:
            say(f"  publishing: at step {steps} ...")
    for shard in domain.product_shards():
        _pass(shard)


def _pass(shard: str) -> None:
    while service.advance(shard, rest_s=0):
        pass


def _lists() -> list[str]:
    """Return the shards of all lists: of categories, of merchants that sell, and of those that once were published."""
    found = {domain.SITE, domain.ALL}
    found |= {domain.category_shard(one.category_id) for one in catalog.tree_now().categories}
    after, merchants = "", {""}
    while merchants:
        merchants = set(published.shards(after=after))
        found |= {one for one in merchants if not one.startswith(domain.PRODUCTS)}
        after = max(merchants, default="")
    window = Window(service.WALK_PAGE)
    while True:
        page = catalog.listed_page(window)
        found |= {domain.merchant_shard(merchant_id) for _, merchant_id in page.items}
        if page.after is None:
            return sorted(found)
        window = Window(service.WALK_PAGE, page.after)
