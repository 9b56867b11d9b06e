"""What Alipay's words mean: the codes of its answers, its trades, refunds and notices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.payments import ports
from chalicelib.payments.ports import CloseOutcome, Outcome, RefundOutcome, Report
from chalicelib.payments.providers._shared import reading

_PAID = ("TRADE_SUCCESS", "TRADE_FINISHED")
OK, CALLER = "10000", ("40001", "40002", "40006")
OPEN = {
    "ACQ.SYSTEM_ERROR",
    "ACQ.TRADE_HAS_SUCCESS",
    "ACQ.CONTEXT_INCONSISTENT",
    "isv.invalid-signature",
    "isv.invalid-timestamp",
    "isp.unknow-error",
    "aop.ACQ.SYSTEM_ERROR",
}
"""Answers to a creation that do not say the number is dead: it may be paid, or exist with other data.
None of them refuses a refund."""
CLOSES = {
    "ACQ.TRADE_NOT_EXIST": CloseOutcome.ABSENT,
    "ACQ.TRADE_HAS_SUCCESS": CloseOutcome.CAPTURED,
    "ACQ.TRADE_HAS_FINISHED": CloseOutcome.CAPTURED,
    "ACQ.TRADE_HAS_CLOSE": CloseOutcome.CLOSED,
}
WRONG_STATE = ("ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID")
REPORTED = {
    Outcome.CAPTURED: CloseOutcome.CAPTURED,
    Outcome.CLOSED: CloseOutcome.CLOSED,
    Outcome.ABSENT: CloseOutcome.ABSENT,
}


def moved(refund: ports.RefundOrder, node: Mapping[str, Any]) -> ports.RefundReport:
    """Read the answer to a refund that moved money; one that contradicts itself is unknown."""
    try:
        if node["out_trade_no"] != refund.payment.payment_id:
            return ports.RefundReport(RefundOutcome.UNKNOWN, code="other_order")
        if reading.fen(node["refund_fee"]) < refund.refunded_before.minor + refund.amount.minor:
            return ports.RefundReport(RefundOutcome.UNKNOWN, code="refund_fee_too_small")
        return ports.RefundReport(
            RefundOutcome.SUCCEEDED, amount=refund.amount, at=moment_of(node.get("gmt_refund_pay")) or clock.now()
        )
    except (ValueError, KeyError):
        return ports.RefundReport(RefundOutcome.UNKNOWN, code="unreadable_answer")


def notice(fields: Mapping[str, str]) -> ports.Notice:
    """Read a notice of a trade, or of the refund that was just done on it.

    Raises:
        ValueError or KeyError: if it is not what is documented.
    """
    notice_id, payment_id = _text(fields["notify_id"]), _text(fields["out_trade_no"])
    refunded = reading.fen(fields["refund_fee"]) if fields.get("refund_fee") else 0
    if refunded and fields.get("out_biz_no"):
        # About the refund that was just done; its own amount is not said: refund_fee sums all of them up.
        return ports.Notice(
            notice_id,
            payment_id,
            refund_id=_text(fields["out_biz_no"]),
            refund_report=ports.RefundReport(
                RefundOutcome.SUCCEEDED,
                at=moment_of(fields.get("gmt_refund")),
                code=fields["trade_status"][:64],
            ),
        )
    return ports.Notice(notice_id, payment_id, report=report(fields, paid_at="gmt_payment"))


def report(data: Mapping[str, Any], *, paid_at: str) -> Report:
    """Read a trade, from a notice or a query.

    Raises:
        ValueError, KeyError or TypeError: if it is not what is documented.
    """
    state = data["trade_status"]
    refunded = bool(data.get("refund_fee")) and reading.fen(data["refund_fee"]) > 0
    paid = state in _PAID or (state == "TRADE_CLOSED" and (refunded or bool(data.get(paid_at))))  # A full refund.
    if not paid:
        outcome = {"WAIT_BUYER_PAY": Outcome.PENDING, "TRADE_CLOSED": Outcome.CLOSED}.get(state, Outcome.UNKNOWN)
        return Report(outcome, code=str(state)[:64])
    return Report(
        Outcome.CAPTURED,
        amount=Money(
            reading.fen(data["total_amount"])
        ),  # Not what the buyer paid after discounts, nor what we receive.
        transaction_id=_text(data["trade_no"]),
        at=moment_of(data.get(paid_at) or data.get("notify_time")),  # A query may leave it out: the money counts.
        code=state,
    )


def code_of(node: Mapping[str, Any]) -> str:
    """The finest reason the node gives, as a word."""
    return str(node.get("sub_code") or node.get("code") or "unreadable_answer")[:64]


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 128:
        raise ValueError("no text")
    return value


def moment_of(text: object) -> datetime | None:
    """Read a time of theirs; None where they say none.

    Raises:
        ValueError: if it is not written as documented.
    """
    return None if text in (None, "") else reading.china_time(text)
