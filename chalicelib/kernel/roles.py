"""What an account may be: a buyer always, and beside that a post with merchants or a desk of the platform's."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Kinds of accounts. Everybody is a buyer."""

    BUYER = "buyer"
    MERCHANT_STAFF = "merchant_staff"
    """Works for one or more merchants, in a post with each: see :class:`Post`."""
    OPERATOR = "operator"
    """Acts for the platform, at one or more desks: see :class:`Desk`."""


class Post(StrEnum):
    """What somebody is at a merchant."""

    OWNER = "owner"
    """Everything, and alone: who works here, and with which keys."""
    MANAGER = "manager"
    """Goods, orders, complaints and what buyers see; neither people nor keys."""
    CLERK = "clerk"
    """Ships and counts: orders, parcels, stock."""
    FINANCE = "finance"
    """Reads what was sold, and the money; changes no goods."""


class Desk(StrEnum):
    """What an operator does for the platform."""

    SUPPORT = "support"
    """Looks up and explains, shows a contact for a reason, has a payment or a parcel looked at again."""
    REVIEW = "review"
    """Merchants, categories, complaints: who may sell what, and who is right."""
    FINANCE = "finance"
    """Refunds, bills, the books."""
    ADMIN = "admin"
    """Everything, and alone: who else is an operator, and whose staff somebody is."""
