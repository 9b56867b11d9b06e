"""What reconciliation hears: its own next step, stuck refunds, deadlines of runs and cases."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.kernel.events import Envelope
from chalicelib.payments.events import (
    PaymentClear,
    PaymentDisputed,
    PaymentStray,
    PaymentUnclear,
    RefundFailed,
    RefundOwed,
    RefundSucceeded,
    StraySettled,
)
from chalicelib.reconciliation import service
from chalicelib.reconciliation.events import ReconciliationAdvanced
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due
from chalicelib.runtime.events import DeadlineParked

functions = Blueprint(__name__)
consumer = Consumer("reconciliation", asking_s=100.0)  # Its function has 120 s: bills are long.


@consumer.on(ReconciliationAdvanced)
def on_step(event: ReconciliationAdvanced, envelope: Envelope) -> None:
    """Do the step the run stands at; a repeat of an earlier one changes nothing."""
    service.advance(event.run_id, event.step)


@consumer.on(RefundFailed)
def refund_failed(event: RefundFailed, envelope: Envelope) -> None:
    """Open an operator's case."""
    service.refund_stuck(event.refund_id, event.status, event.reason, envelope.at)


@consumer.on(RefundOwed)
def refund_owed(event: RefundOwed, envelope: Envelope) -> None:
    """Open an operator's case."""
    service.refund_owed(event.refund_id, event.reason, envelope.at)


@consumer.on(RefundSucceeded)
def refund_succeeded(event: RefundSucceeded, envelope: Envelope) -> None:
    """Settle the case about it, if there is one."""
    service.refund_done(event.refund_id)


@consumer.on(PaymentDisputed)
def payment_disputed(event: PaymentDisputed, envelope: Envelope) -> None:
    """Open an operator's case, or settle it where the dispute was won."""
    service.disputed(event, envelope.at)


@consumer.on(DeadlineParked)
def deadline_parked(event: DeadlineParked, envelope: Envelope) -> None:
    """Open an operator's case."""
    service.deadline_parked(event, envelope.at)


@consumer.on(PaymentStray)
def stray_heard(event: PaymentStray, envelope: Envelope) -> None:
    """Open an operator's case."""
    service.stray_heard(event, envelope.at)


@consumer.on(StraySettled)
def stray_settled(event: StraySettled, envelope: Envelope) -> None:
    """Settle the case about it."""
    service.stray_settled(event)


@consumer.on(PaymentUnclear)
def payment_unclear(event: PaymentUnclear, envelope: Envelope) -> None:
    """Open an operator's case."""
    service.unclear(event, envelope.at)


@consumer.on(PaymentClear)
def payment_clear(event: PaymentClear, envelope: Envelope) -> None:
    """Settle the case about it."""
    service.clear(event)


@consumer.on(Due)
def due(event: Due, envelope: Envelope) -> None:
    """Ask for a bill again, go on with a run that stands still, or escalate a case."""
    if event.kind == "case":
        service.escalate(event.record_id)
    else:
        service.ask_again(event.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("reconciliation"), batch_size=1, name="reconciliation")
def reconciliation(event: SQSEvent) -> dict[str, Any]:
    """Handle one message: a step takes seconds."""
    return consumer.handle(event.to_dict(), event.context)
