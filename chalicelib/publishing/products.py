"""Changed products: their own files, and every list that shows them, many products in one pass.

A pass reads the manifests first, then the products, then writes all files at once, then swaps the manifests under the
condition that they are still those that were read. Who lost a swap goes round again with what was lost. What each list
has to hear is written down before anything is published (``store.owe``): a pass that ends in between leaves it to its
messages, which come again, or to the next pass, and no list is forgotten because its product looks done already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.catalog import service as catalog
from chalicelib.kernel.errors import Busy
from chalicelib.publishing import domain, lists, store, views
from chalicelib.publishing.views import Seen
from chalicelib.runtime import published
from chalicelib.runtime.published import Contents, Draft, Manifest, Reading

AT_ONCE: Final = 250
"""Products of one pass."""
ROUNDS: Final = 8

View = Mapping[str, Any]


def publish(product_ids: Iterable[str]) -> None:
    """Bring products, and the lists that show them, in line with the tables. Safe to repeat.

    Raises:
        Busy: if others published the same all the time.
    """
    wanted = list(dict.fromkeys(product_ids))
    for start in range(0, len(wanted), AT_ONCE):
        _publish(wanted[start : start + AT_ONCE])


def is_current(names: Sequence[str], seen: Seen | None) -> bool:
    """Say whether a product's published file is what buyers would see now."""
    return [published.digest_of(name) for name in names] == ([published.digest(seen.file)] if seen else [])


def _publish(product_ids: list[str]) -> None:
    owed = store.owed(product_ids)
    entries = set(owed.entries)
    todo = {product_id: set(owed.lists.get(product_id, ())) for product_id in [*product_ids, *owed.lists]}
    for _ in range(ROUNDS):
        one = _Round(todo)
        entries |= one.prepare()
        todo = one.publish()
        if not todo:
            store.settle(entries)
            return
    raise Busy


@dataclass
class _Round:
    """One try at products, each with the lists that must hear of it whatever is found."""

    todo: Mapping[str, set[str]]
    _own: dict[str, Reading] = field(default_factory=dict)
    """The manifests of the products' own files."""
    _before: dict[str, View | None] = field(default_factory=dict)
    """Each product that changed, as it is published."""
    _lists: dict[str, set[str]] = field(default_factory=dict)
    """Each product that changed, and the lists that have to hear of it."""

    def prepare(self) -> set[str]:
        """Find what changed and which lists that concerns, and write it down; returns under which names."""
        self._own = published.read_many(domain.product_shard(product_id) for product_id in self.todo)
        now = views.products(self.todo)
        changed = [
            product_id
            for product_id, forced in self.todo.items()
            if forced or not is_current(self._names(product_id), now.get(product_id))
        ]
        self._before = self._published(changed)
        tree = catalog.tree_now() if changed else catalog.Tree()
        self._lists = {
            product_id: self.todo[product_id] | self._touched(product_id, now.get(product_id), tree)
            for product_id in changed
        }
        told = {product_id: touched for product_id, touched in self._lists.items() if touched}
        return {store.owe(told)} if told else set()

    def publish(self) -> dict[str, set[str]]:
        """Write what changed; returns the products that need another round, with the lists that must hear of them."""
        if not self._lists:
            return {}
        readings = published.read_many(sorted(set().union(*self._lists.values())))
        now = views.products(self._lists)  # Behind every manifest: see ``published.write``.
        tree = catalog.tree_now() if readings else catalog.Tree()
        moved_on = {
            product_id
            for product_id, touched in self._lists.items()
            if not self._touched(product_id, now.get(product_id), tree) <= touched
        }
        settled = {product_id: touched for product_id, touched in self._lists.items() if product_id not in moved_on}
        drafts, lacking = self._list_drafts(readings, settled, now, tree)
        drafts += self._own_drafts(settled, now)
        for shard in sorted(lacking):  # Before it is swapped: who ends in between must not forget it.
            store.mark(shard, [domain.WHOLE])
        lost = published.write(drafts)
        again = {product_id: set(self._lists[product_id]) for product_id in sorted(moved_on)}
        for product_id, touched in settled.items():
            if domain.product_shard(product_id) in lost:  # It may be as it was when we look again, and its lists not.
                again[product_id] = touched
            elif touched & lost:
                again[product_id] = touched & lost
        return again

    def _names(self, product_id: str) -> tuple[str, ...]:
        return self._own[domain.product_shard(product_id)].manifest.files.get(product_id, ())

    def _published(self, product_ids: Sequence[str]) -> dict[str, View | None]:
        at = {one: (domain.product_shard(one), names[0]) for one in product_ids if (names := self._names(one))}
        bodies = published.contents(at.values())
        found: dict[str, View | None] = {}
        for product_id in product_ids:
            body = bodies[at[product_id]] if product_id in at else None
            found[product_id] = json.loads(body) if body is not None else None
        return found

    def _touched(self, product_id: str, now: Seen | None, tree: catalog.Tree) -> set[str]:
        """Return the lists on which a product looks different, from which it goes, or to which it comes."""
        before = self._before[product_id]
        view = json.loads(now.file) if now is not None else None
        if _card(before) == _card(view):
            return set()
        return {shard for one in (before, view) if one is not None for shard in _shown_on(one, tree)}

    def _list_drafts(
        self,
        readings: Mapping[str, Reading],
        settled: Mapping[str, set[str]],
        now: Mapping[str, Seen],
        tree: catalog.Tree,
    ) -> tuple[list[Draft], set[str]]:
        changes: dict[str, dict[str, Seen | None]] = {}
        for product_id, touched in settled.items():
            seen = now.get(product_id)
            on = _lists_of(seen.category_id, seen.merchant_id, tree) if seen is not None else set()
            for shard in sorted(touched):
                changes.setdefault(shard, {})[product_id] = seen if shard in on else None
        contents, lacking = lists.changed([(readings[shard].manifest, found) for shard, found in changes.items()])
        return [published.draft(readings[shard], wanted) for shard, wanted in contents.items()], lacking

    def _own_drafts(self, settled: Iterable[str], now: Mapping[str, Seen]) -> list[Draft]:
        return [
            published.draft(self._own[shard], _own_contents(self._own[shard].manifest, product_ids, now))
            for shard, product_ids in domain.by_shard(settled).items()
        ]


def _own_contents(before: Manifest, product_ids: Iterable[str], now: Mapping[str, Seen]) -> Contents:
    files: dict[str, Sequence[bytes | str]] = dict(before.files)
    for product_id in product_ids:
        files.pop(product_id, None)
        if product_id in now:
            files[product_id] = [now[product_id].file]
    return Contents(files)


def _shown_on(view: View, tree: catalog.Tree) -> set[str]:
    return _lists_of(view["category_id"], view["merchant_id"], tree)


def _lists_of(category_id: str, merchant_id: str, tree: catalog.Tree) -> set[str]:
    """Return the lists that show what is in a category and of a merchant."""
    category = tree.get(category_id)
    found = {domain.ALL, domain.category_shard(category_id), domain.merchant_shard(merchant_id)}
    return found | ({domain.category_shard(category.parent_id)} if category and category.parent_id else set())


def _card(view: View | None) -> tuple[Any, ...]:
    """Return what lists show of a product, and what they are ordered by."""
    if view is None:
        return ()
    names = ("titles", "kind", "category_id", "price_from", "price_to", "sold_out", "pictures", "listed_at")
    prices = [(sku["price"], sku.get("compare_at")) for sku in view["skus"]]
    return (*(view.get(name) for name in names), prices)
