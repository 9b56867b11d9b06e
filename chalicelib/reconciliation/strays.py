"""Cases about what payments could not place: money of nobody's, events of unknown kinds, providers that stay silent."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chalicelib.kernel import ids
from chalicelib.payments import service as payments
from chalicelib.payments.events import PaymentClear, PaymentStray, PaymentUnclear, StraySettled
from chalicelib.payments.service import Payment, Stray, StrayKind
from chalicelib.reconciliation import cases, domain
from chalicelib.reconciliation.domain import Finding, Kind, Line

CLAIMED: Final = "claimed_payment"
"""A notice told of money, and the provider does not say the same."""
UNKNOWN_EVENT: Final = "unknown_event"
SILENT: Final = "provider_silent"
"""A purchase's time is over, its stock is still held, and the provider does not say whether it was paid."""


def heard(event: PaymentStray, at: datetime) -> str:
    """Open a case about a stray; money of nobody's has the very case that its line on the bill will have."""
    stray = payments.stray(event.stray_id)
    if not stray.is_open or stray.billed_on:  # A bill that told of it first has opened it already.
        return ""
    day = payments.billing_day(stray.provider, stray.at or at).isoformat()
    kind, subject = _case_of(stray)
    said = {**stray.said, "stray_id": stray.stray_id, "number": stray.number}
    if stray.amount is not None:
        said |= {"amount": stray.amount.text(), "transaction_id": stray.transaction_id, "why": "unknown_payment"}
    purchase_id = ids.parent_id("pur", stray.number) if ids.is_child_id("pay", stray.number) else ""
    return cases.open_case(kind, stray.provider, day, subject, said=said, purchase_id=purchase_id)


def settled(event: StraySettled) -> None:
    """Settle the case about a stray, because an operator has said what became of it."""
    stray = payments.stray(event.stray_id)
    if stray.is_open:
        return  # More was said of it since.
    for kind, subject in {_case_of(stray), (CLAIMED, stray.stray_id)}:
        cases.settle(domain.case_id(kind, stray.provider, subject), f"the stray is {event.how}")


def _case_of(stray: Stray) -> tuple[str, str]:
    match stray.kind:
        case StrayKind.MONEY:
            return Finding.MISSING_HERE, money_key(stray)
        case StrayKind.CLAIM:
            return CLAIMED, stray.stray_id
        case StrayKind.EVENT:
            return UNKNOWN_EVENT, stray.said.get("event", "refund")


def money_key(stray: Stray) -> str:
    """Return the key that a line of the bill about this money has."""
    if ids.is_id("pay", stray.number):
        return stray.number
    number = "" if stray.number == stray.transaction_id else stray.number
    return "x_" + ids.digest(Kind.PAYMENT, stray.transaction_id, number)


def billed(provider: str, day: str, line: Line, at: datetime) -> str:
    """Put money that a bill tells of under a number of nobody's into suspense; returns the stray's id."""
    stray = payments.note_billed_money(
        payments.ReportedMoney(
            provider=provider,
            number=line.payment_id or line.transaction_id,
            amount=line.money,
            transaction_id=line.transaction_id,
            at=at,
            said={"bill": day},
            confirmed=True,
            billed_on=day,
        )
    )
    return stray.stray_id


def unclear(event: PaymentUnclear, at: datetime) -> str:
    """Open a case about an attempt that a provider is silent about over its purchase's expiry."""
    record = payments.records_by_id([event.payment_id]).get(event.payment_id)
    if not isinstance(record, Payment) or record.silent_since is None:
        return ""  # It has answered in the meantime.
    said = {"amount": record.amount.text(), "expired_at": record.expires_at.isoformat(timespec="seconds")}
    day = payments.billing_day(record.provider, at).isoformat()
    return cases.open_case(SILENT, record.provider, day, record.payment_id, said=said, purchase_id=record.purchase_id)


def clear(event: PaymentClear) -> None:
    """Settle it: the provider has answered."""
    cases.settle(domain.case_id(SILENT, event.provider, event.payment_id), "the provider has answered")
