"""How much one operator may give back alone: on a purchase, and on a day."""

from __future__ import annotations

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.approval import ApprovalNeeded
from chalicelib.payments.domain.refund import RefundStatus
from chalicelib.payments.domain.story import Story
from chalicelib.runtime.config import setting


def check_alone(story_: Story, amount: Money) -> None:
    """Refuse what exceeds the limit together with what was refunded on the purchase before without a second person."""
    alone = sum(
        refund.amount.minor
        for refund in story_.refunds
        if refund.by and not refund.approved_by and refund.status is not RefundStatus.REPLACED
    )
    limit = approval_limit(amount.currency)
    if alone + amount.minor > limit:
        raise ApprovalNeeded(limit=limit, currency=amount.currency)


def approval_limit(currency: str) -> int:
    """Return up to which sum on one purchase an operator may refund alone, in minor units; 0 where nothing is set.

    The setting ``BIANDAN_REFUND_ALONE`` lists it by currency: ``CNY:100000,USD:15000``.
    """
    return _listed(setting("BIANDAN_REFUND_ALONE", DEFAULT_ALONE), currency)


def day_limit(currency: str) -> int:
    """Return up to which sum on one day (UTC) an operator may refund alone, on all purchases together.

    The setting ``BIANDAN_REFUND_ALONE_A_DAY`` lists it as ``BIANDAN_REFUND_ALONE`` does; 0 where nothing is set.
    """
    return _listed(setting("BIANDAN_REFUND_ALONE_A_DAY", DEFAULT_ALONE_A_DAY), currency)


def _listed(text: str, currency: str) -> int:
    for part in text.split(","):
        name, _, minor = part.strip().partition(":")
        if name == currency and minor.isdigit():
            return int(minor)
    return 0


DEFAULT_ALONE = "CNY:100000,USD:15000,EUR:15000,JPY:20000"
DEFAULT_ALONE_A_DAY = "CNY:500000,USD:75000,EUR:75000,JPY:100000"
