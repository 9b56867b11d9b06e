"""What an order promises when it is placed: it is frozen in the order, and later settings change nothing of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from chalicelib.checkout.domain import Share
from chalicelib.runtime.config import setting

SETTING: Final = "BIANDAN_SHIP_WITHIN_HOURS"
DEFAULT_HOURS: Final = 48
MOST_HOURS: Final = 15 * 24
"""After so long an order of which nothing was sent is cancelled anyway."""


def ship_within(share: Share) -> timedelta:
    """Return within what time of its payment a merchant's share is to be sent; nothing is promised of what is not.

    Raises:
        ValueError: if the setting is no number of hours from 1 to 360.
    """
    hours = int(setting(SETTING, str(DEFAULT_HOURS)))
    if not 1 <= hours <= MOST_HOURS:
        raise ValueError(f"{SETTING} must be from 1 to {MOST_HOURS}")
    return timedelta(hours=hours) if any(line.kind == "physical" for line in share.lines) else timedelta()
