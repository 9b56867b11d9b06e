"""Stripe's bill: a day's balance transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.kernel import clock
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine
from chalicelib.payments.providers.stripe import codes as stripe_codes
from chalicelib.payments.providers.stripe import wire as stripe_wire

# --- bill -------------------------------------------------------------------------------------------------------------

_LINES = {
    "charge": BillKind.PAYMENT,
    "payment": BillKind.PAYMENT,
    "refund": BillKind.REFUND,
    "payment_refund": BillKind.REFUND,
    "refund_failure": BillKind.REFUND_RETURNED,
}
"""A slow method is booked as a ``payment`` while it is pending. What takes it back when it fails is a
``payment_failure_refund``: of no refund, since nobody had paid.
Source: docs.stripe.com/reports/balance-transaction-types."""


def bill_part(items: Sequence[Mapping[str, Any]], before: int, last: str) -> Bill:
    """Read a page of balance transactions that so many came before; ``last`` is its last one's id if more follow."""
    lines: list[BillLine] = []
    defects: list[str] = []
    for row, item in enumerate(items, start=before + 1):
        try:
            lines.append(_bill_line(item, row))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            defects.append(f"line {row}: cannot be read")
    return Bill(tuple(lines), defects=tuple(defects), place=f"{before + len(items)}:{last}" if last else "")


def _bill_line(item: Mapping[str, Any], row: int) -> BillLine:
    """Read a balance transaction. The source's amount is what the payer saw; the transaction's own is what we get."""
    kind = _LINES.get(item["type"], BillKind.OTHER)
    source = stripe_codes.expanded(item.get("source")) or {}
    if source.get("object") == "dispute":
        kind = BillKind.DISPUTE
    ours = stripe_codes.our_payment(source)
    fee = item.get("fee")
    own = stripe_codes.text_of(source["id"]) if source else stripe_codes.text_of(item["id"])
    intent = own if kind is BillKind.OTHER else source.get("payment_intent") or source.get("charge") or own
    refund = kind in (BillKind.REFUND, BillKind.REFUND_RETURNED)
    shown = source if "amount" in source and "currency" in source else item
    moves = kind in (BillKind.PAYMENT, BillKind.REFUND) and item["currency"] == shown["currency"]
    return BillLine(
        kind=kind,
        payment_id=ours,
        transaction_id=stripe_codes.text_of(intent),
        amount=stripe_codes.money_of(abs(shown["amount"]), shown["currency"], least=0 if kind is BillKind.OTHER else 1),
        fee_text=f"{fee} {stripe_wire.word(item['currency']).upper()}" if isinstance(fee, int) and fee else "",
        at=clock.from_epoch_s(stripe_codes.seconds_of(item["created"])),
        status=stripe_wire.word(source.get("status") or item.get("status")),
        refund_id=stripe_codes.number_of(source, "refund_id") if refund else "",
        provider_refund_id=own if refund else "",
        dispute=own if kind is BillKind.DISPUTE else "",
        given_back=kind is BillKind.DISPUTE and item["amount"] > 0,
        settled=stripe_codes.money_of(abs(item["amount"]), item["currency"], least=0) if moves else None,
        line=row,
    )
