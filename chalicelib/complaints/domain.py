"""A complaint: what it holds, and what each side may do to it. The table it moves by is in ``states``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.complaints.grounds import Basis, Payer, Reason, Wish
from chalicelib.complaints.refusals import (
    AmountTooLarge,
    NotAppealable,
    NotReopenable,
    NotTheMerchants,
    OwnDecision,
    TooMuchEvidence,
)
from chalicelib.complaints.states import COMPLAINT, TURNS, Cause, Status, Turn, due_of_old
from chalicelib.kernel import history
from chalicelib.kernel.calendars import Due
from chalicelib.kernel.money import Money

REOPEN_WITHIN = timedelta(days=15)
APPEAL_WITHIN = timedelta(days=15)
COMPLAIN_WITHIN = timedelta(days=30)
"""After the order was completed."""
MAX_EVIDENCE = 20
TEXT_CHARS = 2000
FILED: Final = "filed"
PERSON: Final = "person"
"""What an entry says that moved nothing: a person was asked for."""
FORFEITS_AFTER = 2
"""So many missed turns of the merchant decide for the buyer."""
SILENT_AFTER = 3
"""So many missed turns do, of the merchant and the platform together, where the merchant never answered."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One checked file. Its object lies under the complaint's id."""

    evidence_id: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the history. ``intent`` and ``fingerprint`` remember the request that made it."""

    at: datetime
    by: Turn
    what: str
    text: str = ""
    amount: Money | None = None
    evidence: tuple[Evidence, ...] = ()
    intent: str = ""
    fingerprint: str = ""
    kind: str = ""
    """Which of a buyer's wishes it offers or grants; none of a name where it is another remedy, or nothing."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided: by which facts, on which rule, at whose cost. ``number`` is that of its entry."""

    number: int
    at: datetime
    cause: Cause
    facts: str
    rule: str
    payer: Payer | None = None
    basis: Basis | None = None
    proof: tuple[str, ...] = ()
    """The evidence that proves the merchant's fault."""
    by: str = ""
    """The operator; none where the clock decided."""
    refund_id: str = ""
    """The first number of the refund that carries it out."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A case a buyer opened on an order line."""

    complaint_id: str
    order_id: str
    line_id: str
    buyer_id: str
    merchant_id: str
    reason: Reason
    status: Status
    filed_at: datetime
    since: datetime
    """When the state was entered, or its deadline last set off."""
    turn_since: datetime
    """When it became the turn of whoever's it is."""
    history: tuple[Entry, ...]
    offer: Money | None = None
    """What the merchant would give."""
    refund_id: str | None = None
    """The last refund that was asked for."""
    refund: Money | None = None
    refunds: int = 0
    reopened: bool = False
    unsent: int = 0
    """How many units of the line had not left when it was filed."""
    given_up: int = 0
    """How many were not to be sent any more by then."""
    fingerprint: str = ""
    version: int = 0
    wishes: tuple[Wish, ...] = ()
    """What the buyer wants, the first most; rows of old do not say."""
    wished: Money | None = None
    """How much, where it is money."""
    remedy: str = ""
    """Which wish the present offer, or what was last granted, meets."""
    due: Due | None = None
    """Until when the turn was promised; rows of old do not say, see :func:`states.due_of_old`."""
    misses: int = 0
    """How many turns the merchant missed."""
    late: int = 0
    """How many the platform did."""
    person: bool = False
    """A person was asked for: no clock ends it any more."""
    appealed_by: Turn | None = None
    decisions: tuple[Decision, ...] = ()
    units: int = 0
    """How many units are replaced, or would be."""
    replacement: str = ""
    """The order that replaces the goods."""
    replacements: int = 0

    @property
    def turn(self) -> Turn:
        """Return who must act next."""
        return TURNS[self.status]

    @property
    def due_at(self) -> datetime | None:
        """Return until when."""
        return self.due.at if self.due else due_of_old(self.status, self.since)

    @property
    def turn_due(self) -> datetime | None:
        """Return when the turn is, or was, to be taken: an operator's queue is sorted by it, the overdue first."""
        if self.status is Status.OVERDUE:
            return COMPLAINT.due_at(Status.ESCALATED, self.turn_since)
        return self.due_at

    @property
    def is_open(self) -> bool:
        """Say whether somebody's turn it is."""
        return self.turn is not Turn.NOBODY

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return all files, in the order they came."""
        return tuple(file for entry in self.history for file in entry.evidence)

    @property
    def decision(self) -> Decision | None:
        """Return what was decided last; decisions of a release before this one left only their entries."""
        return self.decisions[-1] if self.decisions else None

    @property
    def appeal_until(self) -> datetime | None:
        """Return until when its decision may be appealed against; None where it may not be."""
        may = self.decision and self.appealed_by is None and COMPLAINT.takes(self.status, Cause.APPEAL)
        return self.since + APPEAL_WITHIN if may else None

    @property
    def last_refund_failed(self) -> bool:
        """Say whether the last news of its refund was bad: then its mending is news, else a success told again."""
        news = (Cause.REFUND_DONE, Cause.REFUND_FAILED, Cause.REFUND_BOUNCED)
        told = [entry.what for entry in self.history if entry.what in news]
        return bool(told) and told[-1] != Cause.REFUND_DONE


def begun(complaint: Complaint) -> Complaint:
    """Return a complaint that was just filed with its first deadline."""
    return replace(complaint, due=COMPLAINT.due(complaint.status, complaint.since))


def remembered(complaint: Complaint, intent: str, fingerprint: str) -> bool:
    """Say whether this very request already made its entry.

    Raises:
        IdempotencyKeyReused: if its key made an entry with another body.
    """
    return history.remembered(complaint.history, intent, fingerprint)


def noted(complaint: Complaint, entry: Entry) -> Complaint:
    """Add an entry that moves nothing.

    Raises:
        TooMuchEvidence: if its files are too many.
    """
    if len(complaint.evidence) + len(entry.evidence) > MAX_EVIDENCE:
        raise TooMuchEvidence(most=MAX_EVIDENCE)
    return replace(complaint, history=(*complaint.history, entry))


def move(complaint: Complaint, cause: Cause, entry: Entry) -> Complaint:
    """Take an edge of the table and note it.

    Raises:
        IllegalTransition: if the state does not take the cause.
        TooMuchEvidence: if its files are too many.
    """
    status = COMPLAINT.next(complaint.status, cause)
    return replace(
        noted(complaint, replace(entry, what=cause.value)),
        status=status,
        since=entry.at,
        turn_since=complaint.turn_since if TURNS[status] is complaint.turn else entry.at,
        due=COMPLAINT.due(status, entry.at),
    )


def chased(complaint: Complaint, cause: Cause, now: datetime) -> Complaint:
    """Set the deadline of a state off that leads to itself, without an entry for every day it lasts."""
    status = COMPLAINT.next(complaint.status, cause)
    return replace(complaint, status=status, since=now, due=COMPLAINT.due(status, now))


def recounted(complaint: Complaint) -> Complaint:
    """Count an estimated deadline again: by now the year's days of rest may be known."""
    return replace(complaint, due=COMPLAINT.due(complaint.status, complaint.since))


def check_amount(amount: Money, *, line_total: Money, order_left: Money) -> None:
    """Refuse to promise or grant more than the line cost, or than is left of the order's money.

    Raises:
        AmountTooLarge: then; CurrencyMismatch: for another currency.
    """
    most = min((line_total - Money(0, amount.currency)).minor, order_left.minor)
    if not 0 < amount.minor <= most:
        raise AmountTooLarge(most_minor=most)


def reopen(complaint: Complaint, entry: Entry) -> Complaint:
    """Reopen a closed complaint, once. Where the platform had decided it, that is the appeal.

    Raises:
        IllegalTransition: if it is not closed, or was withdrawn.
        NotReopenable: if it was reopened before, or closed too long ago; NotAppealable: as :func:`appeal`.
    """
    COMPLAINT.next(complaint.status, Cause.REOPEN)
    if complaint.reopened or entry.at - complaint.since > REOPEN_WITHIN:
        raise NotReopenable
    if complaint.decision is not None:
        return replace(appeal(complaint, Turn.BUYER, entry), reopened=True)
    return replace(move(complaint, Cause.REOPEN, entry), reopened=True)


def appeal(complaint: Complaint, side: Turn, entry: Entry) -> Complaint:
    """Appeal against a decision, as the buyer or the merchant, once: a person looks again, and not the same.

    Raises:
        IllegalTransition: if it is not closed.
        NotAppealable: if the platform has not decided it, if it was appealed against before, or too late.
    """
    COMPLAINT.next(complaint.status, Cause.APPEAL)
    if complaint.decision is None:
        raise NotAppealable(why="undecided")
    if complaint.appealed_by is not None:
        raise NotAppealable(why="again")
    if entry.at - complaint.since > APPEAL_WITHIN:
        raise NotAppealable(why="late")
    return replace(move(complaint, Cause.APPEAL, entry), appealed_by=side, person=True)


def check_judge(complaint: Complaint, operator_id: str) -> None:
    """Refuse whoever decided to decide about the appeal as well.

    Raises:
        OwnDecision: then.
    """
    appeals = [number for number, entry in enumerate(complaint.history, start=1) if entry.what == Cause.APPEAL]
    if appeals and any(one.by == operator_id and one.number < appeals[-1] for one in complaint.decisions):
        raise OwnDecision


def check_payer(complaint: Complaint, decision: Decision, amount: Money | None) -> None:
    """Refuse a decision at the merchant's cost without consent or proven fault (PRM 27).

    Raises:
        NotTheMerchants: then.
    """
    if decision.payer is not Payer.MERCHANT:
        return
    if decision.basis is Basis.CONSENT:
        offered = [entry for entry in complaint.history if entry.by is Turn.MERCHANT and entry.what in _OFFERS]
        if not any(_covers(entry, amount) for entry in offered):
            raise NotTheMerchants(why="consent")
    else:
        shown = {file.evidence_id for file in complaint.evidence}
        never_left = complaint.unsent > 0
        if not never_left and not (decision.proof and set(decision.proof) <= shown):
            raise NotTheMerchants(why="fault")


_OFFERS = (Cause.OFFER_REFUND.value, Cause.OFFER_REMEDY.value)


def _covers(offer: Entry, amount: Money | None) -> bool:
    return amount is None or (offer.amount is not None and offer.amount.minor >= amount.minor)


def forfeits(complaint: Complaint) -> bool:
    """Say whether the turn that is being missed decides for the buyer.

    The merchant's second does, and the third in all where the merchant never said a word; not what a person was asked
    to decide, and not twice.
    """
    if complaint.person or complaint.appealed_by is not None or complaint.decisions:
        return False
    if complaint.turn is Turn.MERCHANT:
        return complaint.misses + 1 >= FORFEITS_AFTER
    silent = not any(entry.by is Turn.MERCHANT for entry in complaint.history)
    return silent and complaint.misses > 0 and complaint.misses + complaint.late + 1 >= SILENT_AFTER


class Phase(StrEnum):
    """Where a complaint is on its way, whatever its state is called."""

    MERCHANT = "merchant"
    BUYER = "buyer"
    MEDIATION = "mediation"
    APPEAL = "appeal"
    DECIDED = "decided"
    """By the platform, and it may still be appealed against."""
    CLOSED = "closed"


def phase(complaint: Complaint, now: datetime) -> Phase:
    """Return where a complaint is on its way."""
    if not complaint.is_open:
        until = complaint.appeal_until
        return Phase.DECIDED if until is not None and until >= now else Phase.CLOSED
    if complaint.status is Status.AWAITING_MERCHANT:
        return Phase.MERCHANT
    if complaint.turn is Turn.BUYER and complaint.status is not Status.BUYER_ASKED:
        return Phase.BUYER
    if complaint.status is Status.REFUNDING:
        return Phase.DECIDED
    return Phase.APPEAL if complaint.appealed_by is not None else Phase.MEDIATION
