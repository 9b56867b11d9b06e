"""Known devices: a signed token says that an account signed in here before, so that its owner is told from a crowd.

It opens nothing by itself: the password is asked for all the same, and its attempts are counted on the device.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.auth import passwords
from chalicelib.kernel import base64url, clock, ids

LIFE = timedelta(days=400)
"""A device that was not seen for so long is a stranger's. Each sign-in begins it anew."""
_PREFIX = "bdd1"


@dataclass(frozen=True, slots=True)
class Device:
    """Where an account signed in before."""

    account_id: str
    device_id: str


def remembered(account_id: str, device: Device | None) -> str:
    """Return what to keep after a sign-in: ``bdd1.<account>.<device>.<when>.<tag>``. A known device stays itself."""
    device_id = device.device_id if device is not None and device.account_id == account_id else ids.new_id("dev")
    body = f"{_PREFIX}.{account_id}.{device_id}.{clock.epoch_s(clock.now())}"
    return f"{body}.{_tag(body)}"


def known(token: str | None) -> Device | None:
    """Return the device that a token names, or None if we never gave it out, or too long ago."""
    if not token or not token.isascii():
        return None
    body, _, tag = token.rpartition(".")
    parts = body.split(".")
    if len(parts) != 4 or parts[0] != _PREFIX or not hmac.compare_digest(_tag(body), tag):
        return None
    age_s = clock.epoch_s(clock.now()) - int(parts[3])
    return Device(parts[1], parts[2]) if age_s < LIFE.total_seconds() else None


def _tag(body: str) -> str:
    made = hmac.new(passwords.keyed("device"), body.encode(), hashlib.sha256).digest()[:16]
    return base64url.encode(made)
