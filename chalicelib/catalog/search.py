"""Search in titles: an index of words kept by a consumer of product facts, asked by a bounded number of queries.

A word's partition holds the places (age and product id) of the listed products that show it, so several words are
intersected by leaping through their partitions in step. What comes out is confirmed in the products themselves: an
entry that is out of date costs a read, never a wrong answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from chalicelib.catalog import domain, search_store, search_words, store
from chalicelib.catalog.domain import Card, Product, Status
from chalicelib.kernel.clock import epoch_ms_or_none
from chalicelib.kernel.errors import Busy, ConcurrentUpdate, ShopError
from chalicelib.kernel.pages import Page, Window
from chalicelib.merchants import service as merchants

QUERIES: Final = 16
"""Index queries of one search at most. A rarer intersection ends early and goes on with its cursor."""
_PAGE: Final = 100
_ATTEMPTS: Final = 5


class NothingToSearch(ShopError):
    """The query has neither a word nor a number."""

    code, status = "nothing_to_search", 422
    en, zh = "Search for at least one word or number.", "请输入至少一个词或数字。"


def place_of(product: Product) -> str:
    """Return where a product stands under each of its words: by the time of its first listing."""
    listed_ms = epoch_ms_or_none(product.listed_at) or 0
    return f"{listed_ms:013d}#{product.product_id}"


def reindex(product_id: str) -> None:
    """Bring the index in line with the product as it is now, however often and in whatever order this runs.

    First the union of old and new words is recorded, then the postings are written, then the record is narrowed. A
    crash between the steps is made good by the next run, which sees every word that may stand there; whoever finds that
    a rival did the same begins again, and answers for the words it wrote itself.

    Raises:
        Busy: if rivals did the same all the time; the message comes again.
    """
    written: tuple[str, ...] = ()
    for _ in range(_ATTEMPTS):
        product = store.page(product_id, consistent=True)
        old, old_place, version = search_store.words(product_id)
        wanted: tuple[str, ...] = ()
        if product is not None and product.status is Status.LISTED:
            wanted = search_words.tokens(product.titles.values())
        union = tuple(dict.fromkeys([*old, *wanted, *written]))
        if not union:
            return
        place = place_of(product) if product is not None else old_place
        try:
            if union != old:
                version = search_store.save_words(product_id, union, place, version)
            written = wanted
            search_store.change_postings(place, put=wanted, delete=[word for word in union if word not in set(wanted)])
            search_store.save_words(
                product_id, wanted, place, version
            )  # Even if it says so already: to notice a rival.
        except ConcurrentUpdate:
            continue
        return
    raise Busy


@dataclass(slots=True)
class _Word:
    """One word's partition while it is read downwards."""

    word: str
    places: list[str] = field(default_factory=list)
    at: int = 0
    more: bool = True

    def seek(self, upto: str | None, *, including: bool, budget: _Budget) -> str | None:
        """Return the newest place at or below ``upto``; None at the end. ``budget.spent`` tells a stop from an end."""
        while True:
            while self.at < len(self.places):
                place = self.places[self.at]
                if upto is None or place < upto or (including and place == upto):
                    return place
                self.at += 1
            if not self.more or not budget.take():
                return None
            self.places, self.more = search_store.places(self.word, upto=upto, including=including, limit=budget.page)
            self.at = 0

    def current(self) -> str | None:
        """Return the place it stands at."""
        return self.places[self.at] if self.at < len(self.places) else None

    def ended(self) -> bool:
        """Say whether nothing comes after the place it stands at."""
        return not self.more and self.at + 1 >= len(self.places)


@dataclass(slots=True)
class _Budget:
    left: int
    page: int
    spent: bool = False

    def take(self) -> bool:
        if self.left == 0:
            self.spent = True
            return False
        self.left -= 1
        return True


def _intersect(tokens: tuple[str, ...], after: str | None, wanted: int) -> tuple[list[str], str | None]:
    """Return up to ``wanted`` places below ``after`` that stand under every word, and where to go on."""
    lists = [_Word(token) for token in tokens]
    budget = _Budget(left=QUERIES, page=_PAGE if len(tokens) > 1 else wanted)
    found: list[str] = []
    below = after
    while len(found) < wanted:
        reached = below
        for number, one in enumerate(lists):  # Each word moves down to the place the one before it reached.
            place = one.seek(reached, including=number > 0, budget=budget)
            if place is None:
                if not budget.spent:
                    return found, None
                return found, reached if number == 0 else _just_above(reached)
            reached = place
        assert reached is not None
        if lists[0].current() == reached:
            found.append(reached)
            below = reached
        else:
            below = _just_above(reached)  # The last word is further down: all go on from there.
    return found, None if lists[0].ended() else below


def _just_above(place: str | None) -> str | None:
    """Return a bound that the place itself, and nothing newer, is below."""
    return place + "~" if place is not None else None


def search(text: str, window: Window) -> Page[tuple[str, Card]]:
    """Return listed products of active merchants whose titles show every word of the query, newest first.

    Raises:
        NothingToSearch: if it has no word.
    """
    asked = search_words.question(text)
    if not asked.tokens:
        raise NothingToSearch
    places, on = _intersect(asked.tokens, window.after["at"] if window.after else None, window.limit)
    ids = [place.split("#", 1)[1] for place in places]
    products = store.heads(ids).read()
    hidden = merchants.suspended(product.merchant_id for product in products.values())
    hits = []
    for product_id in ids:
        product = products.get(product_id)
        if product is None or product.status is not Status.LISTED or product.merchant_id in hidden:
            continue
        if not asked.matches(product.titles.values()):
            continue
        hits.append((product_id, domain.card_of(product)))
    return Page(hits, {"at": on} if on is not None else None)
