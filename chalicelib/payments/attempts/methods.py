"""Which ways to pay this installation offers: what a storefront shows before anybody pays.

Offered is what its stage may use and what somebody configured; it is worked out once a minute in a process, so that a
crowd of readers makes us read no secret.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from chalicelib.payments import providers
from chalicelib.payments.ports import MethodInfo
from chalicelib.runtime import caches

KEEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Offer:
    """One provider and its ways to pay, the default first."""

    provider: str
    en: str
    zh: str
    currencies: tuple[str, ...]
    methods: tuple[tuple[str, MethodInfo], ...]
    for_tests_only: bool


_held: tuple[float, tuple[Offer, ...]] | None = None


def offers(currency: str = "") -> tuple[Offer, ...]:
    """Return what is offered here; with a currency, only those providers that take it."""
    global _held
    if _held is None or time.monotonic() - _held[0] >= KEEP_S:
        _held = (time.monotonic(), tuple(_offer(name) for name in providers.configured()))
    return tuple(offer for offer in _held[1] if not currency or currency in offer.currencies)


def _offer(name: str) -> Offer:
    adapter = providers.load(name)
    en, zh = adapter.title
    return Offer(
        provider=name,
        en=en,
        zh=zh,
        currencies=tuple(sorted(adapter.currencies)),
        methods=tuple((method, adapter.shown[method]) for method in adapter.methods),
        for_tests_only=adapter.for_tests_only,
    )


@caches.register
def forget() -> None:
    """Drop what is kept."""
    global _held
    _held = None
