"""Lists: written whole from their index, or changed where some products changed, page by page.

A change needs no look at the index, which follows its table within moments only: where every product of a list stands
is kept in a file of the list's own, and pages that hold none of the changed products keep their names. So a change
costs the few pages it touches, however long the list is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec

from chalicelib.publishing import domain, views
from chalicelib.publishing.domain import Places
from chalicelib.publishing.views import Listed, Seen
from chalicelib.runtime import published, together
from chalicelib.runtime.published import Contents, Manifest

Changes = Mapping[str, Seen | None]
"""Products that changed, as they are in a list now; None: they are not in it."""


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]


_page = msgspec.json.Decoder(_Page)
_places = msgspec.json.Decoder(Places)


class NotAsKept(Exception):
    """What a list keeps of itself is not there, or not of this release: it has to be written from its index."""


def whole(shard: str) -> Contents:
    """Return what a list is to hold, from its index, and from its merchant if it has one."""
    return _written(shard, views.listed(shard))


def profile(shard: str) -> bytes | None:
    """Return the page of the merchant whose list this is; None if it is no merchant's, or there is none."""
    if not shard.startswith(domain.MERCHANT):
        return None
    return views.merchant(shard.removeprefix(domain.MERCHANT))


def _written(shard: str, listed: Listed) -> Contents:
    files: dict[str, list[bytes | str]] = {
        order: [_joined(listed.cards[product_id] for product_id in page) for page in listed.places.cut(order)]
        for order in domain.ORDERS
    }
    files[domain.PLACES] = [msgspec.json.encode(listed.places)]
    if shard.startswith(domain.MERCHANT):
        page = profile(shard)
        if page is None:
            return Contents({})
        files[domain.PROFILE] = [page]
    return Contents(files, domain.ORDERS if listed.places.partial else ())


def _joined(cards: Iterable[bytes]) -> bytes:
    return b'{"items":[' + b",".join(cards) + b"]}"


@dataclass
class Patch:
    """A list that is about to be changed: what it needs to know, and then what it is to hold."""

    before: Manifest
    changes: Changes
    lacking: bool = False
    """Whether something came free that only the index can fill."""
    wanted: list[str] = field(default_factory=list)
    """Names of pages to be read."""
    _now: Places = field(default_factory=Places)
    _pages: dict[str, list[tuple[tuple[str, ...], str | None]]] = field(default_factory=dict)
    """Order -> (ids, name if it stays) of each page."""
    _ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name -> the ids on that page."""

    def plan(self, kept: bytes | None) -> None:
        """Work out which pages change; ``kept`` is where its products stand, as it was published.

        Raises:
            NotAsKept: if that is missing, or does not fit the pages.
        """
        if kept is None:
            raise NotAsKept
        try:
            was = _places.decode(kept)
        except msgspec.DecodeError as error:
            raise NotAsKept from error
        changes = {product_id: seen.place if seen else None for product_id, seen in self.changes.items()}
        self._now, self.lacking = domain.moved(was, changes)
        for order in domain.ORDERS:
            self._plan_order(order, was.cut(order), self.before.files.get(order, ()))

    def _plan_order(self, order: str, cut: Sequence[tuple[str, ...]], names: Sequence[str]) -> None:
        if len(cut) != len(names):
            raise NotAsKept
        stays = {page: name for page, name in zip(cut, names, strict=True) if self.changes.keys().isdisjoint(page)}
        page_of = {product_id: name for page, name in zip(cut, names, strict=True) for product_id in page}
        self._ids.update(zip(names, cut, strict=True))
        self._pages[order] = [(page, stays.get(page)) for page in self._now.cut(order)]
        for page, name in self._pages[order]:
            if name is None:
                self.wanted += [page_of[product_id] for product_id in page if product_id not in self.changes]

    def contents(self, pages: Mapping[tuple[str, str], bytes | None]) -> Contents:
        """Return what the list is to hold; ``pages`` are those that were wanted.

        Raises:
            NotAsKept: if one is missing.
        """
        cards = {product_id: seen.card for product_id, seen in self.changes.items() if seen is not None}
        for name in dict.fromkeys(self.wanted):
            body = pages[self.before.shard, name]
            items = _page.decode(body).items if body is not None else []
            if len(items) != len(self._ids[name]):
                raise NotAsKept
            for product_id, item in zip(self._ids[name], items, strict=True):
                cards.setdefault(product_id, bytes(item))
        files: dict[str, Sequence[bytes | str]] = {**self.before.files}
        for order, found in self._pages.items():
            files[order] = [name or _joined(cards[product_id] for product_id in page) for page, name in found]
        files[domain.PLACES] = [msgspec.json.encode(self._now)]
        return Contents(files, domain.ORDERS if self._now.partial else ())


def _anew(patch: Patch) -> tuple[Contents, bool]:
    """Write a list from its index, with what changed as it is: the index may not have it yet."""
    listed = views.listed(patch.before.shard)
    changes = {product_id: seen.place if seen else None for product_id, seen in patch.changes.items()}
    places, lacking = domain.moved(listed.places, changes)
    cards = {product_id: seen.card for product_id, seen in patch.changes.items() if seen is not None}
    return _written(patch.before.shard, Listed(places, {**listed.cards, **cards})), lacking


def changed(wanted: Sequence[tuple[Manifest, Changes]]) -> tuple[dict[str, Contents], set[str]]:
    """Return what lists are to hold after some of their products changed, and which lists lack something then.

    What is lacking has to be looked up in the index (:func:`whole`); so has a list that was never written, which is
    done here.
    """
    patches = [Patch(before, changes) for before, changes in wanted]
    kept = published.contents(
        (one.before.shard, one.before.files[domain.PLACES][0]) for one in patches if domain.PLACES in one.before.files
    )
    broken: list[Patch] = []
    planned: list[Patch] = []
    for one in patches:
        try:
            one.plan(kept.get((one.before.shard, one.before.files.get(domain.PLACES, ("",))[0])))
            planned.append(one)
        except NotAsKept:
            broken.append(one)
    pages = published.contents((one.before.shard, name) for one in planned for name in one.wanted)
    found: dict[str, Contents] = {}
    for one in planned:
        try:
            found[one.before.shard] = one.contents(pages)
        except NotAsKept:
            broken.append(one)
    lacking = {one.before.shard for one in planned if one.lacking}
    for one, (anew, lacks) in zip(broken, together.all_of(partial(_anew, one) for one in broken), strict=True):
        found[one.before.shard] = anew
        if lacks or one.before.version:
            lacking.add(one.before.shard)  # Perhaps its index is behind what was published: it is looked at again.
    return found, lacking
