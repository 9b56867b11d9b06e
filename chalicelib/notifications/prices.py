"""What a message costs, by the setting ``BIANDAN_MESSAGE_PRICES``: a carrier's price of one part, in millionths.

Carriers sell text messages by parts of 70 characters (67 where there are several), Chinese or not; the name that stands
before the text counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.notifications.domain import Kind
from chalicelib.runtime.config import setting

SETTING = "BIANDAN_MESSAGE_PRICES"
"""``sms:CNY:45000,email:CNY:700``: 0.045 yuan a part, 0.0007 yuan an e-mail."""


@dataclass(frozen=True, slots=True)
class Price:
    """Of one part of a message."""

    currency: str
    millionths: int


def price_of(kind: Kind) -> Price | None:
    """Return what a part costs; None where nobody said."""
    for part in setting(SETTING).split(","):
        name, _, rest = part.strip().partition(":")
        currency, _, millionths = rest.partition(":")
        if name == kind.value and millionths.isdigit():
            return Price(currency, int(millionths))
    return None


def parts_of(kind: Kind, short: str, sign: str = "") -> int:
    """Return in how many parts a message is carried."""
    if kind is not Kind.SMS:
        return 1
    length = len(short) + (len(sign) + 2 if sign else 0)
    return 1 if length <= 70 else -(-length // 67)
