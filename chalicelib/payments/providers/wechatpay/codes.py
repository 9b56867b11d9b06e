"""What WeChat Pay's words mean: transactions and refunds, from notices, queries and answers, in the port's terms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.kernel.money import Money
from chalicelib.payments import ports
from chalicelib.payments.ports import Outcome, RefundOutcome, Report
from chalicelib.payments.providers._shared import reading

_STATES = {
    "SUCCESS": Outcome.CAPTURED,
    "REFUND": Outcome.CAPTURED,  # Paid, and some of it went back since.
    "NOTPAY": Outcome.PENDING,
    "USERPAYING": Outcome.PENDING,
    "PAYERROR": Outcome.PENDING,  # This try failed; the order can still be paid until it is closed.
    "CLOSED": Outcome.CLOSED,
    "REVOKED": Outcome.CLOSED,
}
_REFUND_STATES = {
    "PROCESSING": RefundOutcome.PENDING,
    "SUCCESS": RefundOutcome.SUCCEEDED,
    "ABNORMAL": RefundOutcome.ABNORMAL,
    "CLOSED": RefundOutcome.CLOSED,
}
REFUND_EVENTS = {"REFUND.SUCCESS": "SUCCESS", "REFUND.ABNORMAL": "ABNORMAL", "REFUND.CLOSED": "CLOSED"}


def capture(notice_id: str, data: Mapping[str, Any]) -> ports.Notice:
    """Read the content of a payment's notice.

    Raises:
        UnreadableNotice: if event and state disagree.
        ValueError, KeyError or TypeError: if it is not what is documented.
    """
    if data["trade_state"] != "SUCCESS":
        raise ports.UnreadableNotice(why="event and state disagree")
    return ports.Notice(notice_id, _text(data, "out_trade_no"), report=report(data))


def returned(notice_id: str, event: str, data: Mapping[str, Any]) -> ports.Notice:
    """Read the content of a refund's notice; it names no currency: it is CNY.

    Raises:
        UnreadableNotice: if event and state disagree.
        ValueError, KeyError or TypeError: if it is not what is documented.
    """
    if data["refund_status"] != REFUND_EVENTS[event]:
        raise ports.UnreadableNotice(why="event and state disagree")
    return ports.Notice(
        notice_id,
        _text(data, "out_trade_no"),
        refund_id=_text(data, "out_refund_no"),
        refund_report=ports.RefundReport(
            _REFUND_STATES[data["refund_status"]],
            amount=Money(_fen(data["amount"]["refund"])),
            provider_refund_id=_text(data, "refund_id"),
            at=_moment(data.get("success_time")),
            code=data["refund_status"],
        ),
    )


def report(data: Mapping[str, Any]) -> Report:
    """Read a transaction, from a notice or a query.

    Raises:
        ValueError, KeyError or TypeError: if it is not what is documented.
    """
    state = _text(data, "trade_state")
    outcome = _STATES.get(state, Outcome.UNKNOWN)
    if outcome is not Outcome.CAPTURED:
        return Report(outcome, code=state[:64])
    amount = data["amount"]
    return Report(
        outcome,
        amount=Money(_fen(amount["total"]), amount.get("currency", "CNY")),  # payer_total is less with a coupon.
        transaction_id=_text(data, "transaction_id"),
        at=reading.rfc3339(data["success_time"]),
        code=state,
    )


def refund_answer(refund: ports.RefundOrder, data: Mapping[str, Any]) -> ports.RefundReport:
    """Read the answer about a refund; one about another number or amount is unknown."""
    try:
        if data["out_refund_no"] != refund.refund_id or data["out_trade_no"] != refund.payment.payment_id:
            return ports.RefundReport(RefundOutcome.UNKNOWN, code="other_refund")
        amount = Money(_fen(data["amount"]["refund"]), data["amount"].get("currency", "CNY"))
        if amount != refund.amount:
            return ports.RefundReport(RefundOutcome.UNKNOWN, code="other_amount")
        return ports.RefundReport(
            _REFUND_STATES.get(data["status"], RefundOutcome.UNKNOWN),
            amount=amount,
            provider_refund_id=_text(data, "refund_id"),
            at=_moment(data.get("success_time")),
            code=_text(data, "status")[:64],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return ports.RefundReport(RefundOutcome.UNKNOWN, code="unreadable_answer")


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str) or not 0 < len(value) <= 128:
        raise ValueError(f"{name} is no text")
    return value


def _fen(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**12:
        raise ValueError("not an amount in fen")
    return value


def _moment(text: object) -> datetime | None:
    return None if text in (None, "") else reading.rfc3339(text)
