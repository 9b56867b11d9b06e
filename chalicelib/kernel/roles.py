"""What an account may be."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Roles of accounts. Everybody is a buyer."""

    BUYER = "buyer"
    MERCHANT_STAFF = "merchant_staff"
    OPERATOR = "operator"
