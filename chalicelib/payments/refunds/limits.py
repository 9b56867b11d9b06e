"""How much one operator may give back alone: on a purchase, and on a day. In minor units, by currency."""

from __future__ import annotations

from chalicelib.runtime.config import setting

DEFAULT_ALONE = "CNY:100000,USD:15000,EUR:15000,JPY:20000"
DEFAULT_ALONE_A_DAY = "CNY:500000,USD:75000,EUR:75000,JPY:100000"


def alone() -> dict[str, int]:
    """Return up to which sums on one purchase an operator may refund alone; a currency that is not set allows nothing.

    The setting ``BIANDAN_REFUND_ALONE`` lists them by currency: ``CNY:100000,USD:15000``.
    """
    return _listed(setting("BIANDAN_REFUND_ALONE", DEFAULT_ALONE))


def alone_a_day() -> dict[str, int]:
    """Return up to which sums on one day (UTC) an operator may refund alone, on all purchases together.

    The setting ``BIANDAN_REFUND_ALONE_A_DAY`` lists them as ``BIANDAN_REFUND_ALONE`` does.
    """
    return _listed(setting("BIANDAN_REFUND_ALONE_A_DAY", DEFAULT_ALONE_A_DAY))


def approval_limit(currency: str) -> int:
    """Return up to which sum on one purchase an operator may refund alone; 0 where nothing is set."""
    return alone().get(currency, 0)


def day_limit(currency: str) -> int:
    """Return up to which sum on one day an operator may refund alone; 0 where nothing is set."""
    return alone_a_day().get(currency, 0)


def _listed(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, minor = part.strip().partition(":")
        if minor.isdigit():
            found.setdefault(name, int(minor))
    return found
