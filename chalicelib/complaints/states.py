"""The one table of a complaint: what follows on what, whose turn each state is, and how long that turn is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.calendars import Term, Unit
from chalicelib.kernel.machine import StateMachine


class Turn(StrEnum):
    """Who must act next."""

    MERCHANT = "merchant"
    BUYER = "buyer"
    OPERATOR = "operator"
    PLATFORM = "platform"
    """The machine: a refund is under way."""
    NOBODY = "nobody"


class Status(StrEnum):
    """States of a complaint."""

    AWAITING_MERCHANT = "awaiting_merchant"
    REFUND_OFFERED = "refund_offered"
    """Money: a refund, or a compensation for what the buyer keeps."""
    REMEDY_OFFERED = "remedy_offered"
    """A replacement, an apology, a repair: something that is no money."""
    REJECTED = "rejected"
    ESCALATED = "escalated"
    """The platform mediates, and decides."""
    MERCHANT_ASKED = "merchant_asked"
    """Mediation waits for what the merchant has to say or to show."""
    BUYER_ASKED = "buyer_asked"
    APPEALED = "appealed"
    """Decided once; somebody else looks again."""
    OVERDUE = "overdue"
    """The operator missed a turn: first in the queue, and an alarm each day."""
    REFUNDING = "refunding"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


class Cause(StrEnum):
    """What moves a complaint."""

    OFFER_REFUND = "offer_refund"
    OFFER_REMEDY = "offer_remedy"
    REJECT = "reject"
    ACCEPT = "accept"
    LAPSE = "lapse"
    """The buyer said nothing: taken as agreement with an answer, and as nothing to add to a question."""
    ESCALATE = "escalate"
    SILENCE = "silence"
    """A missed turn."""
    WITHDRAW = "withdraw"
    ASK_MERCHANT = "ask_merchant"
    ASK_BUYER = "ask_buyer"
    STATE = "state"
    """An answer to what the platform asked."""
    GRANT_REFUND = "grant_refund"
    GRANT_REMEDY = "grant_remedy"
    DISMISS = "dismiss"
    FORFEIT_REFUND = "forfeit_refund"
    """Turns were missed again: decided for the buyer, by the clock, with money."""
    FORFEIT_REMEDY = "forfeit_remedy"
    UPHOLD = "uphold"
    """The appeal changes nothing of what was given."""
    APPEAL = "appeal"
    REFUND_REFUSED = "refund_refused"
    """Agreed, but the money is not there any more (refunded otherwise meanwhile)."""
    REFUND_DONE = "refund_done"
    REFUND_FAILED = "refund_failed"
    REFUND_BOUNCED = "refund_bounced"
    """The refund had gone through, and came back."""
    REPLACEMENT_FAILED = "replacement_failed"
    """The order that was to replace the goods was called off."""
    REOPEN = "reopen"


_DECISIONS = {
    Cause.GRANT_REFUND: Status.REFUNDING,
    Cause.GRANT_REMEDY: Status.RESOLVED,
    Cause.DISMISS: Status.DISMISSED,
    Cause.UPHOLD: Status.RESOLVED,
    Cause.SILENCE: Status.OVERDUE,
    Cause.WITHDRAW: Status.WITHDRAWN,
}
_MEDIATION = {
    **_DECISIONS,
    Cause.REFUND_DONE: Status.RESOLVED,  # The refund that failed was mended by hand meanwhile.
    Cause.ASK_MERCHANT: Status.MERCHANT_ASKED,
    Cause.ASK_BUYER: Status.BUYER_ASKED,
}
_FOR_BUYER = {Cause.FORFEIT_REFUND: Status.REFUNDING, Cause.FORFEIT_REMEDY: Status.RESOLVED}

COMPLAINT = StateMachine(
    name="complaint",
    initial=Status.AWAITING_MERCHANT,
    edges={
        Status.AWAITING_MERCHANT: {
            Cause.OFFER_REFUND: Status.REFUND_OFFERED,
            Cause.OFFER_REMEDY: Status.REMEDY_OFFERED,
            Cause.REJECT: Status.REJECTED,
            Cause.WITHDRAW: Status.WITHDRAWN,
            Cause.SILENCE: Status.ESCALATED,
        },
        Status.REFUND_OFFERED: {
            Cause.ACCEPT: Status.REFUNDING,
            Cause.LAPSE: Status.REFUNDING,
            Cause.REFUND_REFUSED: Status.ESCALATED,
            Cause.ESCALATE: Status.ESCALATED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.REMEDY_OFFERED: {
            Cause.ACCEPT: Status.RESOLVED,
            Cause.LAPSE: Status.RESOLVED,
            Cause.REPLACEMENT_FAILED: Status.ESCALATED,
            Cause.ESCALATE: Status.ESCALATED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.REJECTED: {
            Cause.ACCEPT: Status.DISMISSED,
            Cause.LAPSE: Status.DISMISSED,
            Cause.ESCALATE: Status.ESCALATED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.ESCALATED: _MEDIATION,
        Status.OVERDUE: {**_MEDIATION, **_FOR_BUYER},
        Status.MERCHANT_ASKED: {
            Cause.OFFER_REFUND: Status.REFUND_OFFERED,
            Cause.OFFER_REMEDY: Status.REMEDY_OFFERED,
            Cause.STATE: Status.ESCALATED,
            Cause.SILENCE: Status.ESCALATED,
            Cause.REFUND_DONE: Status.RESOLVED,
            Cause.WITHDRAW: Status.WITHDRAWN,
            **_FOR_BUYER,
        },
        Status.BUYER_ASKED: {
            Cause.STATE: Status.ESCALATED,
            Cause.LAPSE: Status.ESCALATED,
            Cause.REFUND_DONE: Status.RESOLVED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.APPEALED: {
            **_DECISIONS,
            Cause.REFUND_BOUNCED: Status.ESCALATED,
        },
        Status.REFUNDING: {
            Cause.REFUND_DONE: Status.RESOLVED,
            Cause.REFUND_FAILED: Status.ESCALATED,
            Cause.SILENCE: Status.REFUNDING,
        },
        Status.RESOLVED: {
            Cause.REOPEN: Status.ESCALATED,
            Cause.APPEAL: Status.APPEALED,
            Cause.REFUND_BOUNCED: Status.ESCALATED,
            Cause.REPLACEMENT_FAILED: Status.ESCALATED,
        },
        Status.DISMISSED: {Cause.REOPEN: Status.ESCALATED, Cause.APPEAL: Status.APPEALED},
        Status.WITHDRAWN: {},
    },
    deadlines={
        Status.AWAITING_MERCHANT: (timedelta(hours=48), Cause.SILENCE),
        Status.OVERDUE: (timedelta(hours=24), Cause.SILENCE),
        Status.REFUNDING: (timedelta(hours=24), Cause.SILENCE),
    },
    terms={
        Status.REFUND_OFFERED: (Term(3, Unit.BUYERS_DAYS), Cause.LAPSE),
        Status.REMEDY_OFFERED: (Term(3, Unit.BUYERS_DAYS), Cause.LAPSE),
        Status.REJECTED: (Term(3, Unit.BUYERS_DAYS), Cause.LAPSE),
        Status.ESCALATED: (Term(3, Unit.WORKING_DAYS), Cause.SILENCE),
        Status.MERCHANT_ASKED: (Term(16, Unit.BUSINESS_HOURS), Cause.SILENCE),
        Status.BUYER_ASKED: (Term(3, Unit.BUYERS_DAYS), Cause.LAPSE),
        Status.APPEALED: (Term(5, Unit.WORKING_DAYS), Cause.SILENCE),
    },
)
"""A complaint is reopened once and appealed against once (see ``domain``), so every path ends.

Buyers' turns are windows, whose last day of rest moves on; the platform's are working days; a merchant's first answer
is due in hours, whatever day it is.
"""

TURNS: Mapping[Status, Turn] = {
    Status.AWAITING_MERCHANT: Turn.MERCHANT,
    Status.REFUND_OFFERED: Turn.BUYER,
    Status.REMEDY_OFFERED: Turn.BUYER,
    Status.REJECTED: Turn.BUYER,
    Status.ESCALATED: Turn.OPERATOR,
    Status.MERCHANT_ASKED: Turn.MERCHANT,
    Status.BUYER_ASKED: Turn.BUYER,
    Status.APPEALED: Turn.OPERATOR,
    Status.OVERDUE: Turn.OPERATOR,
    Status.REFUNDING: Turn.PLATFORM,
    Status.RESOLVED: Turn.NOBODY,
    Status.DISMISSED: Turn.NOBODY,
    Status.WITHDRAWN: Turn.NOBODY,
}

_BEFORE_TERMS: Mapping[Status, timedelta] = {
    Status.REFUND_OFFERED: timedelta(hours=72),
    Status.REMEDY_OFFERED: timedelta(hours=72),
    Status.REJECTED: timedelta(hours=72),
    Status.ESCALATED: timedelta(hours=72),
}


def due_of_old(status: Status, since: datetime) -> datetime | None:
    """Return the deadline that a row of a release before terms was promised: it does not say it itself."""
    if status in _BEFORE_TERMS:
        return since + _BEFORE_TERMS[status]
    return COMPLAINT.due_at(status, since)


def term_of(status: Status) -> Term | None:
    """Return how long a state's turn is, where somebody's turn it is."""
    if status in COMPLAINT.terms:
        return COMPLAINT.terms[status][0]
    deadline = COMPLAINT.deadlines.get(status)
    return Term(int(deadline[0] / timedelta(hours=1)), Unit.HOURS) if deadline else None
