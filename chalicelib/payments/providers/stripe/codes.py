"""What Stripe's words mean: sessions, intents, refunds, disputes, events and bill lines, in the port's terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import (
    Action,
    Attempt,
    DisputePhase,
    DisputeReport,
    ExternalRefund,
    Instruction,
    Outcome,
    PaymentOrder,
    RefundOrder,
    RefundOutcome,
    RefundReport,
    Report,
)
from chalicelib.payments.providers.stripe import wire as stripe_wire

SESSION_AT_LEAST = timedelta(minutes=40)
"""Stripe wants 30 minutes when it hears of the session; ten more let a lost creation be repeated unchanged."""
SESSION_AT_MOST = timedelta(hours=23, minutes=50)

# --- money ------------------------------------------------------------------------------------------------------------

# fmt: off
_ZERO_DECIMALS = frozenset({
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
})
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
_TWO_DECIMALS = frozenset({
    "AED", "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "IDR", "ILS", "INR", "MOP", "MXN",
    "MYR", "NOK", "NZD", "PHP", "PLN", "QAR", "RON", "SAR", "SEK", "SGD", "THB", "TWD", "USD", "ZAR",
})
# fmt: on
CURRENCIES = _TWO_DECIMALS | {"JPY", "KRW", "VND"} | _THREE_DECIMALS
"""Those whose smallest unit is the same for Stripe and for ``kernel.money``; a test compares. ISK, HUF and UGX, which
Stripe treats as special cases, are left out on purpose."""


def to_stripe(amount: Money) -> int | None:
    """Return the amount in Stripe's smallest unit, ``None`` if Stripe cannot take it.

    Zero-decimal currencies go in whole units, three-decimal ones in thousandths that are multiples of ten.
    Source: docs.stripe.com/currencies.
    """
    if amount.currency not in CURRENCIES or amount.minor < 1 or amount.minor > 99_999_999_999:
        return None
    if amount.currency in _THREE_DECIMALS and amount.minor % 10:
        return None
    return amount.minor


def stripe_digits(currency: str) -> int:
    """Return how many decimals Stripe's smallest unit of a currency has."""
    return 0 if currency in _ZERO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


def money_of(minor: object, currency: object, *, least: int = 1) -> Money:
    """Return an amount of Stripe's, in the units we keep.

    Raises:
        ValueError: if it is none.
    """
    if not isinstance(currency, str) or not re.fullmatch(r"[a-z]{3}", currency):
        raise ValueError("not a currency")
    if isinstance(minor, bool) or not isinstance(minor, int) or not least <= minor < 10**13:
        raise ValueError("not an amount")
    return Money(minor, currency.upper())


# --- requests ---------------------------------------------------------------------------------------------------------

EXPANSIONS: dict[str, dict[str, str]] = {
    "checkout.session": {"expand[]": "payment_intent.latest_charge"},
    "payment_intent": {"expand[]": "latest_charge"},
}
ABANDONED = {"cancellation_reason": "abandoned"}


def session_form(payment: PaymentOrder, minor: int, return_url: str) -> dict[str, str]:
    """Return what creates a Checkout Session."""
    price = "line_items[0][price_data]"
    ends = min(max(payment.expires_at, payment.created_at + SESSION_AT_LEAST), payment.created_at + SESSION_AT_MOST)
    return {
        "mode": "payment",
        f"{price}[currency]": payment.amount.currency.lower(),
        f"{price}[unit_amount]": str(minor),
        f"{price}[product_data][name]": _line(payment.description) or payment.payment_id,
        "line_items[0][quantity]": "1",
        "client_reference_id": payment.payment_id,
        "metadata[payment_id]": payment.payment_id,
        "payment_intent_data[metadata][payment_id]": payment.payment_id,
        "success_url": return_url,
        "cancel_url": return_url,
        "expires_at": str(clock.epoch_s(ends)),
    }


def intent_form(payment: PaymentOrder, minor: int) -> dict[str, str]:
    """Return what creates a PaymentIntent."""
    return {
        "amount": str(minor),
        "currency": payment.amount.currency.lower(),
        "automatic_payment_methods[enabled]": "true",
        "description": _line(payment.description) or payment.payment_id,
        "metadata[payment_id]": payment.payment_id,
    }


def _line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable.encode("utf-8", "ignore").decode().strip()[:250]


def path(reference: str) -> str | None:
    """Return the path of a session or an intent by its id, ``None`` for what is neither."""
    if not re.fullmatch(r"(cs|pi)_[0-9A-Za-z_]{1,250}", reference):
        return None
    folder = "checkout/sessions" if reference.startswith("cs_") else "payment_intents"
    return f"/v1/{folder}/{quote(reference)}"


def path_of(found: Mapping[str, Any]) -> str:
    """Return the path of a session or an intent that Stripe showed."""
    return path(str(found.get("id"))) or "/v1/payment_intents/none"


def with_reference(attempt: Attempt, reference: str) -> Attempt:
    """Return the attempt with the id under which Stripe has it."""
    return Attempt(
        attempt.payment_id, attempt.amount, attempt.created_at, attempt.method, reference, attempt.transaction_id
    )


# --- answers ----------------------------------------------------------------------------------------------------------

_INTENT_STATES = {
    "succeeded": Outcome.CAPTURED,
    "canceled": Outcome.CLOSED,
    "requires_payment_method": Outcome.PENDING,
    "requires_confirmation": Outcome.PENDING,
    "requires_action": Outcome.PENDING,
    "requires_capture": Outcome.PENDING,
    "processing": Outcome.PENDING,
}
_REFUND_STATES = {
    "pending": RefundOutcome.PENDING,
    "requires_action": RefundOutcome.PENDING,
    "succeeded": RefundOutcome.SUCCEEDED,
    "failed": RefundOutcome.CLOSED,  # That refund is dead for ever, the money is back with us.
    "canceled": RefundOutcome.CLOSED,
}
MOST_TELLING = (
    RefundOutcome.SUCCEEDED,
    RefundOutcome.PENDING,
    RefundOutcome.UNKNOWN,
    RefundOutcome.CLOSED,
)
ID = re.compile(r"[0-9A-Za-z_]{1,255}")


def text_of(value: object) -> str:
    """Return an id of Stripe's.

    Raises:
        ValueError: if it is none.
    """
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise ValueError("not an id")
    return value


def moment_of(value: object) -> datetime | None:
    """Return a time of Stripe's, None where there is none.

    Raises:
        ValueError: if it is none.
    """
    return None if value is None else clock.from_epoch_s(seconds_of(value))


def seconds_of(value: object) -> int:
    """Return a time in seconds.

    Raises:
        ValueError: if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 253_402_300_800:
        raise ValueError("not a time")
    return value


def expanded(value: object) -> Mapping[str, Any] | None:
    """Return an object that Stripe showed in place of its id, None for an id alone."""
    return value if isinstance(value, dict) else None


def metadata(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what we wrote on an object."""
    return expanded(item.get("metadata")) or {}


def our_payment(item: Mapping[str, Any]) -> str:
    """Return our payment number on a session, an intent, a charge or a refund; empty if it is none of this shop's."""
    return number_of(item, "payment_id")


def number_of(item: Mapping[str, Any], name: str) -> str:
    """Return one of our numbers; empty if there is none.

    It need not be of our shape: whoever wrote it named us, and what we do not know is told further on, by the number.
    """
    number = metadata(item).get(name)
    return number if isinstance(number, str) and len(number) <= 128 and number.isprintable() else ""


def instruction(content: Mapping[str, Any], method: str, told: stripe_wire.Configuration) -> Instruction:
    """Return what the buyer's client must do with a created session or intent."""
    reference, url, secret = content.get("id"), content.get("url"), content.get("client_secret")
    if not isinstance(reference, str) or path(reference) is None:
        return Instruction(Outcome.UNKNOWN, code="unreadable")
    if method == "checkout":
        if not isinstance(url, str) or not url.startswith(("https://", told.base_url)):
            return Instruction(Outcome.UNKNOWN, reference=reference, code="unreadable")
        return Instruction(Outcome.PENDING, Action.REDIRECT, url=url, reference=reference)
    if not isinstance(secret, str) or not secret:
        return Instruction(Outcome.UNKNOWN, reference=reference, code="unreadable")
    params = {"client_secret": secret, "publishable_key": told.publishable_key}
    return Instruction(Outcome.PENDING, Action.PARAMS, params=params, reference=reference)


def report(found: Mapping[str, Any]) -> Report:
    """Return what a session or an intent says of the attempt."""
    try:
        return session_report(found) if found.get("object") == "checkout.session" else intent_report(found)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return Report(Outcome.UNKNOWN, code="unreadable")


def session_report(session: Mapping[str, Any]) -> Report:
    """Return what a session says of the attempt.

    Raises:
        ValueError: or its like, if a field is missing or wrong.
    """
    intent = expanded(session.get("payment_intent"))
    if session.get("payment_status") == "paid":
        if intent is not None:
            return intent_report(intent)
        return Report(
            Outcome.CAPTURED,
            money_of(session["amount_total"], session["currency"]),
            text_of(session["payment_intent"]),
        )
    if session["status"] == "expired":
        return Report(Outcome.CLOSED, code="expired")
    if session["status"] == "open":
        return Report(Outcome.PENDING)
    if session["status"] != "complete" or intent is None:
        return Report(Outcome.UNKNOWN, code="unreadable")
    return intent_report(intent)  # A method that takes its time: the intent decides.


def intent_report(intent: Mapping[str, Any]) -> Report:
    """Return what an intent says of the attempt.

    Raises:
        ValueError: or its like, if a field is missing or wrong.
    """
    outcome = _INTENT_STATES.get(intent["status"], Outcome.UNKNOWN)
    if outcome is not Outcome.CAPTURED:
        return Report(outcome, code=stripe_wire.word(intent["status"]))
    charge = expanded(intent.get("latest_charge")) or {}
    return Report(
        outcome,
        money_of(intent["amount_received"], intent["currency"]),
        text_of(intent["id"]),
        at=moment_of(charge.get("created")),
    )


def refund_report(item: Mapping[str, Any], refund: RefundOrder) -> RefundReport:
    """Return what a refund says, if it is of the amount that was asked for."""
    try:
        report = refund_fields(item)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return RefundReport(RefundOutcome.UNKNOWN, code="unreadable")
    if report.amount != refund.amount:
        return RefundReport(RefundOutcome.UNKNOWN, code="other_amount")
    return report


def refund_fields(item: Mapping[str, Any]) -> RefundReport:
    """Return what a refund says, of whatever amount.

    Raises:
        ValueError: or its like, if a field is missing or wrong.
    """
    status = item["status"]
    return RefundReport(
        _REFUND_STATES.get(status, RefundOutcome.UNKNOWN),
        money_of(item["amount"], item["currency"]),
        text_of(item["id"]),
        at=moment_of(item["created"]) if status == "succeeded" else None,
        code=stripe_wire.word(item.get("failure_reason") or ("" if status in ("succeeded", "pending") else status)),
    )


_DISPUTE_PHASES = {
    "warning_needs_response": DisputePhase.OPEN,
    "warning_under_review": DisputePhase.OPEN,
    "needs_response": DisputePhase.OPEN,
    "under_review": DisputePhase.OPEN,
    "warning_closed": DisputePhase.ENDED,
    "prevented": DisputePhase.ENDED,
    "won": DisputePhase.WON,
    "lost": DisputePhase.LOST,
}
"""Source: docs.stripe.com/api/disputes/object. A ``warning`` is an inquiry: no money has moved."""


def dispute_report(thing: Mapping[str, Any]) -> DisputeReport:
    """Read a dispute. Its balance transactions say whether Stripe holds the money: they end below zero while it does.

    They are in the account's currency; the amount itself is in the payment's.
    """
    moved = thing["balance_transactions"]
    details = expanded(thing.get("evidence_details")) or {}
    return DisputeReport(
        number=text_of(thing["id"]),
        payment_id=our_payment(expanded(thing.get("payment_intent")) or {}),
        phase=_DISPUTE_PHASES[thing["status"]],
        amount=money_of(thing["amount"], thing["currency"]),
        taken=sum(int(each["amount"]) for each in moved) < 0,
        reason=stripe_wire.word(thing.get("reason")),
        answer_by=moment_of(details.get("due_by")),
        opened_at=moment_of(thing["created"]),
    )


def external_refund(thing: Mapping[str, Any]) -> ExternalRefund:
    """Read a refund that was made in the dashboard; its intent says whose payment it is on."""
    return ExternalRefund(our_payment(expanded(thing.get("payment_intent")) or {}), refund_fields(thing))
