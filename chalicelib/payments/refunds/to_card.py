"""Refunds that the payer's bank does not take: an operator has the provider send one to another card of the buyer's."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.payments import providers
from chalicelib.payments.domain import approval as approval_rules
from chalicelib.payments.domain import refund as refund_rules
from chalicelib.payments.domain.approval import Approval
from chalicelib.payments.domain.payment import Payment, ProviderSilent
from chalicelib.payments.domain.redirect import Card, Redirect
from chalicelib.payments.domain.refund import Refund, RefundCause, RefundRefused
from chalicelib.payments.ports import Redirector, RefundOutcome
from chalicelib.payments.refunds import approve, execute, offline, retry
from chalicelib.payments.store import records as store
from chalicelib.runtime import log, secrets
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


def to_card(refund_id: str, card: Card, *, by: str, approval_id: str = "", intent: Intent) -> tuple[Refund, bool]:
    """Send an abnormal refund to another card; returns it and whether the same request sent it before.

    That it is sent is written before the provider hears of it, so that nobody sends it a second time meanwhile; where
    it did not take it, the refund is abnormal again. The provider is told of the card that is written, or of none: who
    comes too late to the call leaves it, and until then nobody else disposes of the refund. The card is not kept: the
    clock asks, and never sends it again.

    Raises:
        NotFound: if there is no such refund, or no such approval.
        IllegalTransition: if it is not abnormal.
        ProviderSilent: if the provider does not say how it stands.
        RefundRefused: if it is under way there after all, the provider has no such way, another card was approved, or
            the payer's bank took the money meanwhile.
        ApprovalNeeded, DayLimitReached: if one operator alone may not send so much.
        IdempotencyKeyReused: if the key sent it to another card.
    """
    intent = _sealed(intent)

    def send() -> tuple[Refund, bool]:
        records, payment, refund = execute.load_refund(refund_id)
        if refund.redirect is not None and refund.redirect.intent == intent.token:
            intent.check(refund.redirect.fingerprint)
            return refund, True
        retry.check_not_sending(refund)
        now = clock.now()
        sent = refund_rules.move(refund, RefundCause.REDIRECT, now=now, code=refund.code)
        approved_by = _approved_by(refund, approval_id, by=by, card=card)
        told = Redirect(card.payee, by, now, approved_by, intent.token, intent.fingerprint)
        sent = replace(sent, redirect=told)
        with UnitOfWork() as work:
            if not approved_by:
                offline.count_alone(work, records, refund, by)
            retry.hold_uncontested(work, payment)
            store.save_refund(work, sent)
        return replace(sent, version=sent.version + 1), False

    known = _ask_first(refund_id, intent)
    if known is not None:
        return known, True
    refund, replayed = racing(send)
    return (refund, True) if replayed else (_tell_provider(refund, card), False)


def ask_for_card(refund_id: str, card: Card, *, by: str, intent: Intent) -> tuple[Approval, bool]:
    """Ask a second person whether an abnormal refund may go to a card; returns the request as other approvals do.

    Raises:
        NotFound: if there is no such refund.
        IllegalTransition: if it is not abnormal.
        RefundRefused: if the provider has no such way.
        IdempotencyKeyReused: if the key asked for another.
    """
    intent = _sealed(intent)
    _, payment, refund = execute.load_refund(refund_id)
    approval_id = intent.record_id("apr")
    known = store.load_approval(refund.purchase_id, approval_id)
    if known is not None:
        intent.check(known.fingerprint)
        return known, True
    refund_rules.REFUND.next(refund.status, RefundCause.REDIRECT)
    _way(payment)
    asked = approve.about(refund, approval_id, by=by, intent=intent)
    asked = replace(asked, payee=card.payee, payee_mark=card.mark(refund_id, _key()))
    return approve.keep(asked, intent)


def _key() -> bytes:
    return secrets.text("http", "cursor_key").encode()


def _sealed(intent: Intent) -> Intent:
    """Return the intent with a keyed fingerprint: a bare digest of the body could be tried out for a card's number."""
    keyed = hmac.new(_key(), intent.fingerprint.encode(), hashlib.sha256)
    return replace(intent, fingerprint=keyed.hexdigest()[:32])


def _way(payment: Payment) -> Redirector:
    adapter = providers.load(payment.provider)
    if not isinstance(adapter, Redirector):
        raise RefundRefused(why="no_other_card", left=0)
    return adapter


def _ask_first(refund_id: str, intent: Intent) -> Refund | None:
    """Let the provider say that it is still abnormal; returns the refund where this request has sent it already."""
    _, payment, refund = execute.load_refund(refund_id)
    if refund.redirect is not None and refund.redirect.intent == intent.token:
        intent.check(refund.redirect.fingerprint)
        return refund
    refund_rules.REFUND.next(refund.status, RefundCause.REDIRECT)
    _way(payment)
    report = providers.load(payment.provider).query_refund(execute.order_of(payment, refund))
    if report.outcome in (RefundOutcome.SUCCEEDED, RefundOutcome.CLOSED):
        execute.apply_answer(refund_id, report)
        return None
    if report.outcome is RefundOutcome.PENDING:
        raise RefundRefused(why="refund_under_way", left=0)
    if report.outcome is not RefundOutcome.ABNORMAL or refund.provider_refund_id is None:
        raise ProviderSilent(provider=payment.provider)
    return None


def _approved_by(refund: Refund, approval_id: str, *, by: str, card: Card) -> str:
    """Return the second person of the two who agreed on this refund and this card; empty where none was asked."""
    if not approval_id:
        return ""
    approval = store.load_approval(refund.purchase_id, approval_id)
    if approval is None or approval.settles != refund.refund_id or not approval.payee:
        raise NotFound(what="approval")
    agreed = approval.status is approval_rules.ApprovalStatus.APPROVED and by in (
        approval.asked_by,
        approval.decided_by,
    )
    if not agreed or approval.payee_mark != card.mark(refund.refund_id, _key()):
        raise RefundRefused(why="other_card_approved", left=0)
    return approval.decided_by if by == approval.asked_by else approval.asked_by


def _tell_provider(refund: Refund, card: Card) -> Refund:
    _, payment, written = execute.load_refund(refund.refund_id)
    told = refund.redirect
    if told is None or written.status is not refund.status or not told.may_start(written.redirect, clock.now()):
        log.error("too late to send a refund to a card", refund_id=refund.refund_id)
        return written
    order = execute.order_of(payment, refund)
    report = _way(payment).refund_abnormal(
        order,
        refund.provider_refund_id or "",
        bank_type=card.bank_type,
        bank_account=card.number,
        real_name=card.holder,
    )
    log.info("refund sent to another card", refund_id=refund.refund_id, outcome=report.outcome.value, code=report.code)
    refused = report.refused
    if report.outcome is RefundOutcome.UNKNOWN:  # Refused, or lost: how it stands tells which.
        report = providers.load(payment.provider).query_refund(order)
    after = execute.apply_answer(refund.refund_id, report)
    return racing(lambda: _end(refund.refund_id, told)) if refused else after


def _end(refund_id: str, told: Redirect) -> Refund:
    """Note that the provider does not take the card: another one may be named at once."""
    _, _, refund = execute.load_refund(refund_id)
    if refund.redirect is None or refund.redirect.intent != told.intent or refund.redirect.over:
        return refund
    ended = replace(refund, redirect=replace(refund.redirect, over=True))
    with UnitOfWork() as work:
        store.save_refund(work, ended)
    return replace(ended, version=ended.version + 1)
