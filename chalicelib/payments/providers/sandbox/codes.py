"""What the sandbox's words mean: its orders, refunds and notices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import ForeignNotice, IgnoredNotice, Notice, Outcome, RefundOutcome, RefundReport, Report

_STATES = {"pending": Outcome.PENDING, "paid": Outcome.CAPTURED, "closed": Outcome.CLOSED}
_REFUNDS = {
    "pending": RefundOutcome.PENDING,
    "succeeded": RefundOutcome.SUCCEEDED,
    "failed": RefundOutcome.FAILED,
    "abnormal": RefundOutcome.ABNORMAL,
    "closed": RefundOutcome.CLOSED,
}


def code_of(answer: dict[str, Any]) -> str:
    """Return the reason an answer gives, as a word."""
    return str(answer.get("code", ""))[:64]


def _money(content: dict[str, Any]) -> Money:
    return Money(content["amount"], content["currency"])


def moment_of(value: object) -> datetime | None:
    """Read a time; None where there is none.

    Raises:
        ValueError: if it is none.
    """
    if value is None:
        return None
    if not isinstance(value, int) or not 0 <= value < 253_402_300_800:
        raise ValueError("not a time")
    return clock.from_epoch_s(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not value.isascii():
        raise ValueError("not a short text")
    return value


def report(content: dict[str, Any]) -> Report:
    """Read an order.

    Raises:
        ValueError, KeyError or TypeError: if a field is missing or wrong.
    """
    outcome = _STATES[content["state"]]
    if outcome is not Outcome.CAPTURED:
        return Report(outcome)
    return Report(
        outcome,
        amount=_money(content),
        transaction_id=_text(content["transaction_id"]),
        at=moment_of(content["paid_at"]),
    )


def refund_answer(status: int, answer: dict[str, Any], refund_id: str) -> RefundReport:
    """Read the answer to a refund, or to a question about one."""
    if status != 200 or answer.get("out_refund_no") != refund_id:
        return RefundReport(RefundOutcome.UNKNOWN, code=code_of(answer))
    try:
        return _refund_report(answer)
    except (KeyError, TypeError, ValueError):
        return RefundReport(RefundOutcome.UNKNOWN, code="unreadable")


def _refund_report(content: dict[str, Any]) -> RefundReport:
    return RefundReport(
        _REFUNDS[content["state"]],
        amount=_money(content),
        provider_refund_id=_text(content["refund_id"]),
        at=moment_of(content.get("refunded_at")),
        code=code_of(content),
    )


def notice(content: dict[str, Any]) -> Notice:
    """Read a notice of a payment or of a refund.

    Raises:
        NoticeRefused: if its number is none of ours, or its kind is none that we act on.
        ValueError, KeyError or TypeError: if a field is missing or wrong.
    """
    payment_id, notice_id = _text(content["out_trade_no"]), _text(content["notice_id"])
    if not ids.is_id("pay", payment_id):  # The money is ours all the same.
        raise ForeignNotice(why="the number is none of ours", payment_id=payment_id, notice_id=notice_id, ours=True)
    if content["kind"] == "payment":
        return Notice(notice_id, payment_id, report=report(content))
    if content["kind"] != "refund":
        kind = _text(content["kind"])
        raise IgnoredNotice(why="we do not act on this kind", event=kind, notice_id=notice_id, payment_id=payment_id)
    # A refund made in the provider's console has a number of its own: it still is about our payment.
    return Notice(
        notice_id, payment_id, refund_id=_text(content["out_refund_no"]), refund_report=_refund_report(content)
    )
