"""Stripe: Checkout Sessions and PaymentIntents over its HTTP API, webhooks signed by HMAC-SHA256. No SDK.

Our payment number rides in ``metadata[payment_id]`` of the session and its intent, our refund number in
``metadata[refund_id]``: what Stripe says is ours is ours by these, and an object whose id we never learned (its answer
was lost) is found by them. ``Idempotency-Key`` comes from our numbers. Amounts are Stripe's smallest units.

Stages: only ``prod`` is live. A key, an answer or an event of the other mode is refused. What Stripe says byte for byte
stands in ``wire``, what its words mean in ``codes`` and ``notices``, how it is called in ``calls``; what is open, in
``docs/providers/stripe.md``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from chalicelib.kernel import clock
from chalicelib.payments.domain.bill import Bill, BillUnavailable, whole
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    Body,
    CloseOutcome,
    DisputeReport,
    ExternalRefund,
    ForeignNotice,
    Headers,
    Instruction,
    Limits,
    MethodInfo,
    Moment,
    Notice,
    Outcome,
    PaymentOrder,
    RefundOrder,
    RefundOutcome,
    RefundReport,
    Reply,
    Report,
    StaleNotice,
    UnreadableNotice,
    lower,
)
from chalicelib.payments.providers._shared import diagnosis, reading, replay
from chalicelib.payments.providers.stripe import bill as stripe_bill
from chalicelib.payments.providers.stripe import calls as stripe_calls
from chalicelib.payments.providers.stripe import codes as stripe_codes
from chalicelib.payments.providers.stripe import notices as stripe_notices
from chalicelib.payments.providers.stripe import wire as stripe_wire
from chalicelib.runtime import log

_LOOK_AROUND = (timedelta(minutes=5), timedelta(minutes=30))
_MAX_REFUND_KEYS = 12
_MAX_BILL_LINES = 1_000_000
_BILL_PAGE_S = 20.0
"""A page with a hundred sources takes seconds; nobody waits for it."""
T = TypeVar("T")


def build(configuration: stripe_wire.Configuration | Mapping[str, Any] | None = None) -> Stripe:
    """Return the adapter; without a configuration it reads settings and secret at each use.

    Raises:
        Misconfigured: if a configuration is given and it is incomplete.
    """
    return Stripe(
        stripe_wire.configuration_from(configuration) if isinstance(configuration, Mapping) else configuration
    )


def verify(
    headers: Headers,
    body: Body,
    *,
    configuration: stripe_wire.Configuration | Mapping[str, Any] | None = None,
    now: Moment | None = None,
) -> Notice:
    """Authenticate and read a recorded request, as of ``now``. A configuration needs ``webhook_secrets`` alone for it.

    Raises:
        NoticeRefused: one of its subclasses.
        Misconfigured: if the configuration lacks something that verifying needs.
    """
    if isinstance(configuration, Mapping):
        configuration = stripe_wire.configuration_from(configuration, to_call=False)
    return replay.replay(Stripe(configuration).verify, headers, body, now)


def diagnose(configuration: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Say in words what the configuration lacks; nothing if it is complete. Calls nobody."""
    return diagnosis.lacking(lambda: build(configuration).told())


@dataclass(frozen=True)
class Stripe(stripe_calls.Calls):
    """See ``ports.Provider``."""

    name: str = "stripe"
    methods: tuple[str, ...] = ("checkout", "payment_intent")
    title: tuple[str, str] = ("Card and more (Stripe)", "银行卡等（Stripe）")
    shown: Mapping[str, MethodInfo] = field(
        default_factory=lambda: {
            "checkout": MethodInfo("Card, on Stripe's page", "银行卡（跳转收银台）", Action.REDIRECT, ("return_url",)),
            "payment_intent": MethodInfo("Card, on this page", "银行卡（页面内支付）", Action.PARAMS),
        }
    )
    currencies: frozenset[str] = stripe_codes.CURRENCIES
    content_types: tuple[str, ...] = ("application/json",)
    limits: Limits = field(default_factory=lambda: Limits(bill_zone=UTC))
    for_tests_only: bool = False
    enabled: bool = True

    # --- payments -----------------------------------------------------------------------------------------------------

    def create(self, payment: PaymentOrder) -> Instruction:
        """Create a Checkout Session (the buyer goes to ``url``) or a PaymentIntent (``params`` for Stripe.js)."""
        told = self.told()
        minor = stripe_codes.to_stripe(payment.amount)
        return_url = payment.return_url or told.return_url
        if minor is None or payment.method not in self.methods:
            return Instruction(Outcome.FAILED, code="not_offered")
        if payment.method == "checkout" and not return_url:
            return Instruction(Outcome.FAILED, code="return_url_missing")
        if payment.method == "checkout":
            path, form = "/v1/checkout/sessions", stripe_codes.session_form(payment, minor, return_url)
        else:
            path, form = "/v1/payment_intents", stripe_codes.intent_form(payment, minor)
        answer = self.call("POST", path, form, key=f"payment:{payment.payment_id}")
        if answer.refused:
            return Instruction(Outcome.FAILED, code=answer.code)
        if answer.status != 200 or stripe_codes.our_payment(answer.content) != payment.payment_id:
            return Instruction(Outcome.UNKNOWN, code=answer.code or "other_payment")
        return stripe_codes.instruction(answer.content, payment.method, told)

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of the session or the intent; one whose id was lost is looked for."""
        found, code = self._find(attempt)
        if found is None:
            return Report(Outcome.UNKNOWN if code else Outcome.ABSENT, code=code)
        return stripe_codes.report(found)

    def close(self, attempt: Attempt) -> CloseOutcome:
        """Expire the session and cancel what it left behind, or cancel the intent.

        Without ``Idempotency-Key``: both are safe to repeat, and a remembered refusal would outlive its reason.
        """
        found, code = self._find(attempt)
        if found is None:
            return CloseOutcome.UNKNOWN if code else CloseOutcome.ABSENT
        if stripe_codes.report(found).outcome is Outcome.PENDING:
            found = self._end(found)
        outcome = stripe_codes.report(found).outcome if found else Outcome.UNKNOWN
        return {Outcome.CAPTURED: CloseOutcome.CAPTURED, Outcome.CLOSED: CloseOutcome.CLOSED}.get(
            outcome, CloseOutcome.UNKNOWN
        )

    def _end(self, found: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """End a pending object and return what it is then, ``None`` if that is not known."""
        path = stripe_codes.path_of(found)
        if found["object"] == "checkout.session" and found.get("status") != "open":
            # Completed with a method that takes its time: the session is over, its intent decides.
            intent = stripe_codes.expanded(found.get("payment_intent"))
            return self._end(intent) if intent else None
        action, form = ("/expire", {}) if found["object"] == "checkout.session" else ("/cancel", stripe_codes.ABANDONED)
        answer = self.call("POST", path + action, {**form, **stripe_codes.EXPANSIONS[found["object"]]})
        if answer.status != 200:  # Too late, or no answer: only what it is now counts.
            answer = self.call("GET", path, stripe_codes.EXPANSIONS[found["object"]])
        return answer.content if answer.status == 200 and answer.content.get("id") == found["id"] else None

    def _find(self, attempt: Attempt) -> tuple[Mapping[str, Any] | None, str]:
        """Return the attempt's session or intent; ``(None, "")`` if there surely is none, else the reason."""
        reference = attempt.reference or attempt.transaction_id
        if not reference:
            return self._search(attempt)
        path = stripe_codes.path(reference)
        if path is None:
            return None, "not_a_reference"
        kind = "checkout.session" if reference.startswith("cs_") else "payment_intent"
        answer = self.call("GET", path, stripe_codes.EXPANSIONS[kind])
        if answer.status != 200 or answer.content.get("object") != kind:
            return None, answer.code or "unreadable"
        if stripe_codes.our_payment(answer.content) != attempt.payment_id:
            return None, "other_payment"
        return answer.content, ""

    def _search(self, attempt: Attempt) -> tuple[Mapping[str, Any] | None, str]:
        """Look through what was created around the attempt's time. (Stripe's own search lags behind by minutes.)"""
        before, after = _LOOK_AROUND
        window = {
            "created[gte]": str(clock.epoch_s(attempt.created_at - before)),
            "created[lte]": str(clock.epoch_s(attempt.created_at + after)),
        }
        paths = {"checkout": ["/v1/checkout/sessions"], "payment_intent": ["/v1/payment_intents"]}.get(
            attempt.method, ["/v1/checkout/sessions", "/v1/payment_intents"]
        )
        try:
            for path in paths:
                for item in self.pages(path, window):
                    if stripe_codes.our_payment(item) == attempt.payment_id:
                        return self._find(stripe_codes.with_reference(attempt, str(item.get("id"))))
        except stripe_calls.NoAnswer as silent:
            return None, silent.code
        return None, ""

    # --- refunds ------------------------------------------------------------------------------------------------------

    def refund(self, refund: RefundOrder) -> RefundReport:
        """Refund on the intent, once: what already carries our number is reported instead of made again.

        Stripe remembers the answer to an ``Idempotency-Key``, refusals too. Where it repeats an old refusal and no
        refund with our number exists, the next key of a fixed series is tried: each key makes at most one refund, and
        a key is only left once it is known to have made none.
        """
        intent, made = self._refunds(refund)
        if intent is None or made.outcome is not RefundOutcome.ABSENT:
            return made
        minor = stripe_codes.to_stripe(refund.amount)
        if minor is None:
            return RefundReport(RefundOutcome.FAILED, code="not_offered")
        form = {
            "payment_intent": intent,
            "amount": str(minor),
            "reason": "requested_by_customer",
            "metadata[refund_id]": refund.refund_id,
            "metadata[payment_id]": refund.payment.payment_id,
        }
        for number in range(1, _MAX_REFUND_KEYS + 1):
            answer = self.call("POST", "/v1/refunds", form, key=f"refund:{refund.refund_id}:{number}")
            if answer.status == 200:
                return stripe_codes.refund_report(answer.content, refund)
            if not answer.refused:
                return RefundReport(RefundOutcome.UNKNOWN, code=answer.code)
            if not answer.replayed:
                break
        return RefundReport(RefundOutcome.FAILED, code=answer.code)

    def query_refund(self, refund: RefundOrder) -> RefundReport:
        """Ask what became of the refund with our number, or with Stripe's where the dashboard made it."""
        return self._refunds(refund)[1]

    def _refunds(self, refund: RefundOrder) -> tuple[str | None, RefundReport]:
        """Return the intent and what its list of refunds says about our number."""
        intent = refund.payment.transaction_id
        if not intent:
            report = self.query(refund.payment)
            intent = report.transaction_id
            if not intent:
                return None, RefundReport(RefundOutcome.UNKNOWN, code=report.code or "not_captured")
        if stripe_codes.path(intent) is None:
            return None, RefundReport(RefundOutcome.UNKNOWN, code="not_a_reference")
        try:
            ours = [
                item
                for item in self.pages("/v1/refunds", {"payment_intent": intent})
                if refund.refund_id in (stripe_codes.metadata(item).get("refund_id"), item.get("id"))
            ]
        except stripe_calls.NoAnswer as silent:
            return None, RefundReport(RefundOutcome.UNKNOWN, code=silent.code)
        if not ours:
            return intent, RefundReport(RefundOutcome.ABSENT)
        reports = [stripe_codes.refund_report(item, refund) for item in ours]
        alive = [item.get("id") for item in ours if item.get("status") not in ("failed", "canceled")]
        if len(alive) > 1:  # Money may have gone twice; the bill has both, and one becomes a case.
            log.error(
                "several refunds at the provider have one refund number",
                refund_id=refund.refund_id,
                refunds=",".join(map(str, alive))[:200],
            )
        return intent, min(reports, key=lambda report: stripe_codes.MOST_TELLING.index(report.outcome))

    def trace(self, number: str) -> tuple[str, Report] | None:
        """Ask about an intent by Stripe's number: our number on it, empty if none, and how it stands."""
        path = stripe_codes.path(number) if number.startswith("pi_") else None
        if path is None:
            return "", Report(Outcome.ABSENT, code="not_a_reference")
        answer = self.call("GET", path, stripe_codes.EXPANSIONS["payment_intent"])
        if answer.status != 200 or answer.content.get("id") != number:
            absent = answer.refused and answer.code == "resource_missing"
            return ("", Report(Outcome.ABSENT, code=answer.code)) if absent else None
        return stripe_codes.our_payment(answer.content), stripe_codes.report(answer.content)

    # --- what was done elsewhere --------------------------------------------------------------------------------------

    def dispute(self, number: str) -> DisputeReport | None:
        """Ask how a dispute stands, and whose payment it is about."""
        return self._inquire(f"/v1/disputes/{number}", "dispute", number, stripe_codes.dispute_report)

    def external_refund(self, number: str) -> ExternalRefund | None:
        """Ask about a refund that was made in the dashboard, by Stripe's number."""
        return self._inquire(f"/v1/refunds/{number}", "refund", number, stripe_codes.external_refund)

    def _inquire(self, path: str, kind: str, number: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
        answer = self.call("GET", path, {"expand[]": "payment_intent"}) if stripe_codes.ID.fullmatch(number) else None
        if answer is None or answer.status != 200:
            return None
        if (answer.content.get("object"), answer.content.get("id")) != (kind, number):
            return None
        try:
            return read(answer.content)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None

    # --- notices ------------------------------------------------------------------------------------------------------

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Authenticate and read an event. No write, no call out.

        Raises:
            NoticeRefused: one of its subclasses.
        """
        told = self.told()
        if len(body) > reading.NOTICE_CAP_BYTES:
            raise UnreadableNotice(why="it is too large")
        stamp = stripe_wire.authentic(lower(headers).get("stripe-signature", ""), body, told.webhook_secrets)
        if abs(clock.now() - stamp) > stripe_wire.WINDOW:
            raise StaleNotice(why="its time is outside the window")
        event = stripe_wire.event(body)
        if event.get("livemode") is not told.livemode:
            raise ForeignNotice(why="it is of the other mode than this stage")
        try:
            return stripe_notices.notice(event, told.account)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UnreadableNotice(why="a field is missing or wrong") from error

    def acknowledge(self, ack: Ack) -> Reply:
        """Return what Stripe reads: the status alone."""
        status = {Ack.ACCEPTED: 200, Ack.REFUSED: 400, Ack.RETRY: 503}[ack]
        return status, {"Content-Type": "application/json"}, json.dumps({"received": ack is Ack.ACCEPTED})

    # --- bill ---------------------------------------------------------------------------------------------------------

    def bill_parts(self, day: date, place: str = "") -> Iterator[Bill]:
        """Yield the balance transactions of one UTC day, a page at a time; a place is ``<line>:<its id>``.

        Raises:
            BillUnavailable: if Stripe does not answer, or the day is not over.
        """
        start = datetime.combine(day, time(), UTC)
        if clock.now() < start + timedelta(days=1):
            raise BillUnavailable(why="the day is not over")
        window = {
            "created[gte]": str(clock.epoch_s(start)),
            "created[lt]": str(clock.epoch_s(start + timedelta(days=1))),
            "expand[]": "data.source",
        }
        row, _, after = place.rpartition(":")
        number = int(row or 0)
        try:
            for items, more in self.pages_after("/v1/balance_transactions", window, after, timeout_s=_BILL_PAGE_S):
                yield stripe_bill.bill_part(items, number, more)
                number += len(items)
                if number > _MAX_BILL_LINES:
                    raise BillUnavailable(why=f"it has more than {_MAX_BILL_LINES} lines")
        except stripe_calls.NoAnswer as silent:
            raise BillUnavailable(why=silent.code) from silent

    def bill(self, day: date) -> Bill:
        """Return the balance transactions of one UTC day as a whole.

        Raises:
            BillUnavailable: as :meth:`bill_parts`.
        """
        return whole(self.bill_parts(day))
