"""What a dispute is: a payer's bank contests a payment, may hold its money back, and decides in the end. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel import ids
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money
from chalicelib.payments.ports import DisputePhase, DisputeReport


class DisputeStatus(StrEnum):
    """States of a dispute; the provider decides which."""

    OPEN = "open"
    WON = "won"
    """Decided for us: the money stays, or is back."""
    LOST = "lost"
    """Decided for the payer: the money is gone."""
    ENDED = "ended"
    """An inquiry that came to nothing."""


class DisputeCause(StrEnum):
    """What moves a dispute: what the provider says of it."""

    WIN = "win"
    LOSE = "lose"
    END = "end"
    REOPEN = "reopen"


DISPUTE = StateMachine(
    name="dispute",
    initial=DisputeStatus.OPEN,
    edges={
        DisputeStatus.OPEN: {
            DisputeCause.WIN: DisputeStatus.WON,
            DisputeCause.LOSE: DisputeStatus.LOST,
            DisputeCause.END: DisputeStatus.ENDED,
        },
        DisputeStatus.WON: {DisputeCause.LOSE: DisputeStatus.LOST, DisputeCause.REOPEN: DisputeStatus.OPEN},
        DisputeStatus.LOST: {DisputeCause.WIN: DisputeStatus.WON, DisputeCause.REOPEN: DisputeStatus.OPEN},
        DisputeStatus.ENDED: {
            DisputeCause.REOPEN: DisputeStatus.OPEN,
            DisputeCause.WIN: DisputeStatus.WON,
            DisputeCause.LOSE: DisputeStatus.LOST,
        },
    },
)
"""Banks reopen what they had decided; an inquiry may become a dispute after it had ended."""

CAUSES = {
    DisputePhase.OPEN: DisputeCause.REOPEN,
    DisputePhase.WON: DisputeCause.WIN,
    DisputePhase.LOST: DisputeCause.LOSE,
    DisputePhase.ENDED: DisputeCause.END,
}


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payer's bank against one of our payments."""

    dispute_id: str
    purchase_id: str
    payment_id: str
    provider: str
    number: str
    """The provider's own."""
    status: DisputeStatus
    amount: Money
    opened_at: datetime
    since: datetime
    reason: str = ""
    answer_by: datetime | None = None
    """Until when evidence can be handed in at the provider."""
    taken_minor: int = 0
    """Minor units that the provider holds back now."""
    moves: int = 0
    """How often money moved over it."""
    version: int = 0


def dispute_id(provider: str, number: str) -> str:
    """Return our id of a provider's dispute."""
    return ids.derived_id("dsp", provider, number)


def open_dispute(provider: str, report: DisputeReport, *, purchase_id: str, now: datetime) -> Dispute:
    """Return the dispute as it begins here: open, whatever the provider says of it by now."""
    return Dispute(
        dispute_id=dispute_id(provider, report.number),
        purchase_id=purchase_id,
        payment_id=report.payment_id,
        provider=provider,
        number=report.number,
        status=DISPUTE.initial,
        amount=report.amount,
        opened_at=report.opened_at or now,
        since=now,
    )


def apply_report(dispute: Dispute, report: DisputeReport, *, now: datetime) -> Dispute:
    """Return the dispute as the provider says it is; the same object where nothing is new."""
    status = dispute.status
    cause = CAUSES[report.phase]
    if report.phase.value != status.value and DISPUTE.takes(status, cause):
        status = DISPUTE.next(status, cause)
    taken = report.amount.minor if report.taken else 0
    moved = taken != dispute.taken_minor
    changed = replace(
        dispute,
        status=status,
        since=now if status is not dispute.status else dispute.since,
        amount=report.amount,
        reason=report.reason,
        answer_by=report.answer_by,
        taken_minor=taken,
        moves=dispute.moves + moved,
    )
    return dispute if changed == dispute else changed
