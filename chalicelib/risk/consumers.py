"""What risk hears: sign-ups, purchases that end unpaid, money that comes and goes back, complaints, new merchants."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, SQSEvent

from chalicelib import topology
from chalicelib.auth.events import AccountRegistered, DeviceShared
from chalicelib.complaints.events import ComplaintFiled
from chalicelib.kernel.events import Envelope
from chalicelib.merchants.events import MerchantCreated
from chalicelib.orders.events import PurchaseCancelled, PurchaseExpired
from chalicelib.payments.events import PaymentCaptured, RefundSucceeded
from chalicelib.risk import gathering, service
from chalicelib.runtime.consume import Consumer
from chalicelib.runtime.deadlines import Due

functions = Blueprint(__name__)
consumer = Consumer("risk")


@consumer.on(AccountRegistered)
def on_registered(fact: AccountRegistered, envelope: Envelope) -> None:
    """Count a sign-up."""
    service.note(gathering.signed_up(fact.account_id, fact.network, envelope.at))


@consumer.on(DeviceShared)
def on_device_shared(fact: DeviceShared, envelope: Envelope) -> None:
    """Count two accounts on one device."""
    service.note(gathering.device_shared(fact.account_id, fact.beside, fact.device, envelope.at))


@consumer.on(PurchaseExpired)
def on_expired(fact: PurchaseExpired, envelope: Envelope) -> None:
    """Count a purchase that ran out."""
    service.note(gathering.unpaid(fact.purchase_id, envelope.at))


@consumer.on(PurchaseCancelled)
def on_cancelled(fact: PurchaseCancelled, envelope: Envelope) -> None:
    """Count a purchase that was called off."""
    service.note(gathering.unpaid(fact.purchase_id, envelope.at))


@consumer.on(PaymentCaptured)
def on_captured(fact: PaymentCaptured, envelope: Envelope) -> None:
    """Count a paid purchase. Money that goes back at once bought nothing."""
    if not fact.surplus:
        service.note_paid(fact.payment_id, fact.payer, envelope.at)


@consumer.on(RefundSucceeded)
def on_refunded(fact: RefundSucceeded, envelope: Envelope) -> None:
    """Count an order of which money went back."""
    service.note(gathering.refunded(fact.order_id, envelope.at))


@consumer.on(ComplaintFiled)
def on_complaint(fact: ComplaintFiled, envelope: Envelope) -> None:
    """Count a complaint."""
    service.note(gathering.complained(fact.complaint_id, envelope.at))


@consumer.on(MerchantCreated)
def on_merchant(fact: MerchantCreated, envelope: Envelope) -> None:
    """Remember that a merchant is new."""
    service.note(gathering.opened(fact.merchant_id, envelope.at))


@consumer.on(Due)
def on_due(fact: Due, _: Envelope) -> None:
    """Move on a review whose time is over."""
    service.reviews.time_out(fact.record_id)


@functions.on_sqs_message(queue=topology.queue_reference("risk"), batch_size=10, name="risk")
def risk(event: SQSEvent) -> dict[str, Any]:
    """Handle a batch of the risk queue."""
    return consumer.handle(event.to_dict(), event.context)
