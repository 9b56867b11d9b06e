"""What complaints are about, what buyers wish for, and what a decision rests on. Pure."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """What is wrong."""

    NOT_RECEIVED = "not_received"
    NOT_AS_DESCRIBED = "not_as_described"
    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    MISSING_PARTS = "missing_parts"
    QUALITY = "quality"
    COUNTERFEIT = "counterfeit"
    LATE = "late"
    SERVICE = "service"
    OTHER = "other"


OF_GOODS = (Reason.NOT_AS_DESCRIBED, Reason.DAMAGED, Reason.WRONG_ITEM, Reason.QUALITY, Reason.COUNTERFEIT)
"""Reasons that only goods can have which came."""
NEVER_CAME = (Reason.NOT_RECEIVED, Reason.MISSING_PARTS)
"""Reasons by which units never came, whether they left or not."""


class Wish(StrEnum):
    """What a buyer wants, and what an answer or a decision gives; a repair or a missing part is a remedy of no name."""

    REFUND = "refund"
    REPLACEMENT = "replacement"
    COMPENSATION = "compensation"
    """Money for what is wrong with goods that the buyer keeps, or for a service: it pays no unit back."""
    APOLOGY = "apology"


MONEY = (Wish.REFUND, Wish.COMPENSATION)


class Payer(StrEnum):
    """Whose money a decision gives."""

    MERCHANT = "merchant"
    PLATFORM = "platform"


class Basis(StrEnum):
    """Why it may be the merchant's: no rule of a platform makes it so (PRM 27)."""

    CONSENT = "consent"
    """The merchant offered as much in this complaint."""
    FAULT = "fault"
    """It is proven: by evidence of this complaint, or by units that never left."""


class Rule(StrEnum):
    """What a decision may rest on, by the ids of the law's table."""

    DELIVERY = "CN-ECL-20-1"
    CHANNEL = "CN-ECL-59-1"
    EVIDENCE = "CN-ECL-61-1"
    DISPUTES = "CN-ECL-63-1"
    EARLY_DEFECT = "CN-CPL-23-1"
    FAULTY = "CN-CPL-24-1"
    NO_REASON = "CN-CPL-25-1"
    DESCRIPTION = "CN-CPL-28-1"
    PLATFORM_PAYS = "CN-CPL-44-1"
    FRAUD = "CN-CPL-55-1"
    REFUSAL = "CN-CIP-8-1"
    REFUND_ONLY = "CN-PRM-27-1"


BY_CLOCK = Rule.CHANNEL
"""What a decision rests on that missed turns make."""


def is_compensation(reason: Reason, *, came: int, kind: str = "") -> bool:
    """Say whether money for it compensates for goods that came (``came`` of the line) or for no goods at all.

    All other money about a line is first for its units that have not left: those are not sent any more.
    """
    return kind == Wish.COMPENSATION or reason is Reason.SERVICE or (reason in OF_GOODS and came > 0)
