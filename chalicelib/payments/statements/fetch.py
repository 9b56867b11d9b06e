"""What reconciliation needs of payments: bills, and what should be on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from chalicelib.kernel.pages import Page, Window
from chalicelib.payments import providers
from chalicelib.payments.domain.bill import Bill
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.refund import Refund
from chalicelib.payments.store import records as store


def booked_on(provider: str, at: datetime) -> str:
    """Return the provider's day, as the index of what should be on its bill knows it."""
    return f"{provider}#{billing_day(provider, at).isoformat()}"


def billing_day(provider: str, at: datetime) -> date:
    """Return the day of a moment by the provider's clock.

    Raises:
        UnknownProvider: if there is no such provider here.
    """
    return at.astimezone(providers.load(provider).limits.bill_zone).date()


def billing_providers() -> tuple[str, ...]:
    """Return the providers that this installation is set up for: those with a secret."""
    return providers.configured()


def fetch_bill(provider: str, day: date, place: str = "") -> Iterator[Bill]:
    """Yield the bill of one of the provider's days part by part, behind the place of an earlier one.

    Raises:
        UnknownProvider: if there is no such provider here.
        BillUnavailable: if there is none yet, or what came cannot be trusted.
    """
    return providers.load(provider).bill_parts(day, place)


def records_by_id(record_ids: Iterable[str]) -> dict[str, Payment | Refund]:
    """Return attempts and refunds by their ids; those we do not have are absent."""
    return store.load_by_id(record_ids)


def booked(provider: str, day: date, window: Window, *, shard: int) -> Page[str]:
    """Return one page of the ids of captures and refunds that should be on a day's bill."""
    return store.list_booked(f"{provider}#{day.isoformat()}", window, shard=shard)
