"""What QQ Wallet's words mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import (
    Action,
    Attempt,
    CloseOutcome,
    Instruction,
    Outcome,
    RefundOrder,
    RefundOutcome,
    RefundReport,
    Report,
)
from chalicelib.payments.providers.qqwallet.wire import Configuration

TRADE_TYPES = {"native": "NATIVE", "jsapi": "JSAPI", "miniapp": "MINIAPP"}
STATES = {
    "SUCCESS": Outcome.CAPTURED,
    "REFUND": Outcome.CAPTURED,  # Paid, and a refund was accepted.
    "NOTPAY": Outcome.PENDING,
    "USERPAYING": Outcome.PENDING,
    "PAYERROR": Outcome.PENDING,  # This try failed; the order can still be paid.
    "CLOSED": Outcome.CLOSED,
    "REVOKED": Outcome.CLOSED,
}
REFUND_STATES = {
    "SUCCESS": RefundOutcome.SUCCEEDED,
    "PROCESSING": RefundOutcome.PENDING,
    "FAIL": RefundOutcome.FAILED,  # "Send it again under its original number."
    "NOTSURE": RefundOutcome.ABSENT,  # The same, in the provider's words: so it is sent again.
    "CHANGE": RefundOutcome.ABNORMAL,  # The card is dead; the money is back with us, a person must act.
}
NO_SUCH_ORDER = frozenset({"ORDERNOTEXIST", "ORDER_NOT_EXIST"})
NO_SUCH_REFUND = frozenset({"REFUNDNOTEXIST", "REFUND_NOT_EXIST"})
ASK_AGAIN = frozenset({"", "SYSTEMERROR", "SYSTEM_ERROR", "BIZERR_NEED_RETRY", "FREQUENCY_LIMITED", "USERPAYING"})
NUMBER_IS_KNOWN = frozenset({"ORDERPAID", "ORDER_PAID", "ORDERCLOSED", "OUT_TRADE_NO_USED"})
"""Refusals of a creation that say our number exists there: what became of it, only a query tells."""


AFTER_CLOSE = {
    Outcome.CAPTURED: CloseOutcome.CAPTURED,
    Outcome.CLOSED: CloseOutcome.CLOSED,
    Outcome.ABSENT: CloseOutcome.ABSENT,
}


def instruction(fields: Mapping[str, str], method: str, told: Configuration) -> Instruction:
    """Return what the client must do to pay."""
    prepay_id, code_url = fields.get("prepay_id", ""), fields.get("code_url", "")
    if method == "native":
        if not code_url:
            return Instruction(Outcome.UNKNOWN, code="NO_CODE_URL")
        return Instruction(Outcome.PENDING, Action.QR, url=code_url)
    if not prepay_id:
        return Instruction(Outcome.UNKNOWN, code="NO_PREPAY_ID")
    if method == "jsapi":
        params = {"tokenId": prepay_id}
    else:
        params = {"package": f"prepay_id={prepay_id}", "bargainor_id": told.mch_id}
    return Instruction(Outcome.PENDING, Action.PARAMS, params=params)


def order_keys(attempt: Attempt) -> dict[str, str]:
    """Return what names the order: its own number, and the provider's, which it demands after thirty days."""
    keys = {"out_trade_no": attempt.payment_id}
    if attempt.transaction_id:
        keys["transaction_id"] = attempt.transaction_id
    return keys


# --- fields -----------------------------------------------------------------------------------------------------------

_FEN = re.compile(r"[1-9][0-9]{0,12}")
_TRANSACTION = re.compile(r"[0-9A-Za-z]{1,32}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_TIME = re.compile(r"[12][0-9]{13}")


def _fen(text: str) -> int:
    if not _FEN.fullmatch(text):
        raise ValueError("not an amount")
    return int(text)


def moment_of(text: str) -> datetime:
    """Return a moment of the provider's clock.

    Raises:
        ValueError: if it is none.
    """
    if not _TIME.fullmatch(text):
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=clock.CHINA).astimezone(UTC)


def stamp(moment: datetime) -> str:
    """Return a moment as the provider writes it."""
    return moment.astimezone(clock.CHINA).strftime("%Y%m%d%H%M%S")


def report(fields: Mapping[str, str]) -> Report:
    """Return what order fields say.

    Raises:
        ValueError: if they do not say it well.
    """
    outcome = STATES.get(fields.get("trade_state", ""))
    if outcome is None:
        raise ValueError("unknown state")
    if outcome is not Outcome.CAPTURED:
        return Report(outcome, code=fields.get("trade_state", ""))
    currency = fields.get("fee_type") or "CNY"  # Its documented default.
    number = fields.get("transaction_id", "")
    if not _CURRENCY.fullmatch(currency) or not _TRANSACTION.fullmatch(number):
        raise ValueError("currency or number")
    # The order's whole price: cash_fee is less where the provider gave a coupon.
    amount = Money(_fen(fields.get("total_fee", "")), currency)
    return Report(outcome, amount, number, at=moment_of(fields.get("time_end", "")))


def refund_report(fields: Mapping[str, str], refund: RefundOrder) -> RefundReport:
    """Find our number among the numbered groups of fields (``out_refund_no_0``, ...)."""
    group = next(
        (name.removeprefix("out_refund_no") for name, value in fields.items() if _is_ours(name, value, refund)), None
    )
    if group is None:
        return RefundReport(RefundOutcome.UNKNOWN, code="OTHER_REFUND")
    outcome = REFUND_STATES.get(fields.get(f"refund_status{group}", ""), RefundOutcome.UNKNOWN)
    if fields.get(f"refund_fee{group}") != str(refund.amount.minor):
        return RefundReport(RefundOutcome.UNKNOWN, code="OTHER_AMOUNT")
    number = fields.get(f"refund_id{group}", "")
    return RefundReport(
        outcome,
        refund.amount,
        provider_refund_id=number if _TRANSACTION.fullmatch(number) else None,
        code=fields.get(f"refund_status{group}", "")[:64],
    )


def _is_ours(name: str, value: str, refund: RefundOrder) -> bool:
    return value == refund.refund_id and re.fullmatch(r"out_refund_no(_[0-9]{1,3})?", name) is not None
