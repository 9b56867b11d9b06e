"""The sandbox provider: HMAC-SHA256 both ways, for laptops and the ``dev`` stage.

Its other end is ``tools/fakes/sandbox``.

Requests are signed over ``method, path, timestamp, nonce, body`` joined by newlines, answers and notices over
``timestamp, nonce, body``; the window is 300 s both ways.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from chalicelib.kernel import clock, ids
from chalicelib.payments.domain.bill import Bill, BillUnavailable
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    BadSignature,
    Body,
    CloseOutcome,
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
from chalicelib.payments.providers._shared import diagnosis, replay
from chalicelib.payments.providers.sandbox import bill as sandbox_bill
from chalicelib.payments.providers.sandbox import codes as sandbox_codes
from chalicelib.payments.providers.sandbox import wire as sandbox_wire
from chalicelib.payments.providers.sandbox.wire import Configuration
from chalicelib.runtime import outbound, secrets


def build(configuration: Configuration | Mapping[str, Any] | None = None) -> Sandbox:
    """Return the adapter; without a configuration it reads setting and secret at each use.

    Raises:
        Misconfigured: if a configuration is given and it is incomplete.
    """
    return Sandbox(
        sandbox_wire.configuration_from(configuration) if isinstance(configuration, Mapping) else configuration
    )


def verify(
    headers: Headers,
    body: Body,
    *,
    configuration: Configuration | Mapping[str, Any] | None = None,
    now: Moment | None = None,
) -> Notice:
    """Authenticate and read a recorded notice with any configuration, as of ``now``.

    Raises:
        NoticeRefused: one of its subclasses.
        Misconfigured: if the configuration is incomplete.
    """
    return replay.replay(build(configuration).verify, headers, body, now)


def diagnose(configuration: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Say in words what the configuration lacks; nothing if it is complete. Calls nobody."""
    return diagnosis.lacking(lambda: build(configuration).told())


@dataclass(frozen=True)
class Sandbox:
    """See ``ports.Provider``."""

    configuration: Configuration | None = None
    name: str = "sandbox"
    methods: tuple[str, ...] = ("page", "qr")
    title: tuple[str, str] = ("Sandbox (no real money)", "沙箱支付（无真实扣款）")
    shown: Mapping[str, MethodInfo] = field(
        default_factory=lambda: {
            "page": MethodInfo("Web page", "网页支付", Action.REDIRECT),
            "qr": MethodInfo("QR code", "扫码支付", Action.QR),
        }
    )
    currencies: frozenset[str] = frozenset({"CNY", "USD", "EUR", "JPY"})
    content_types: tuple[str, ...] = ("application/json",)
    limits: Limits = field(default_factory=lambda: Limits(refund_window=timedelta(days=365), max_refunds=50))
    for_tests_only: bool = True
    enabled: bool = True

    def create(self, payment: PaymentOrder) -> Instruction:
        """Create the order."""
        status, answer = self._call(
            "POST",
            "/v1/orders",
            {
                "out_trade_no": payment.payment_id,
                "amount": payment.amount.minor,
                "currency": payment.amount.currency,
                "description": payment.description,
                "method": payment.method,
                "notify_url": payment.notify_url,
                "return_url": payment.return_url or "",
                "expires_at": clock.epoch_s(payment.expires_at),
            },
        )
        if status == 200 and isinstance(answer.get("pay_url"), str):
            action = Action.QR if payment.method == "qr" else Action.REDIRECT
            return Instruction(Outcome.PENDING, action, url=answer["pay_url"])
        if 400 <= status < 500 and status not in (401, 429):
            return Instruction(Outcome.FAILED, code=sandbox_codes.code_of(answer))
        return Instruction(Outcome.UNKNOWN, code=sandbox_codes.code_of(answer))

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of the order."""
        status, answer = self._call("GET", f"/v1/orders/{attempt.payment_id}")
        if status == 404 and sandbox_codes.code_of(answer) == "ORDER_NOT_EXIST":
            return Report(Outcome.ABSENT)
        if status != 200 or answer.get("out_trade_no") != attempt.payment_id:
            return Report(Outcome.UNKNOWN, code=sandbox_codes.code_of(answer))
        try:
            return sandbox_codes.report(answer)
        except (KeyError, TypeError, ValueError):
            return Report(Outcome.UNKNOWN, code="unreadable")

    def close(self, attempt: Attempt) -> CloseOutcome:
        """Make the order unpayable."""
        status, answer = self._call("POST", f"/v1/orders/{attempt.payment_id}/close", {})
        if status == 200 and answer.get("state") == "closed":
            return CloseOutcome.CLOSED
        if status == 409 and sandbox_codes.code_of(answer) == "ORDER_PAID":
            return CloseOutcome.CAPTURED
        if status == 404 and sandbox_codes.code_of(answer) == "ORDER_NOT_EXIST":
            return CloseOutcome.ABSENT
        return CloseOutcome.UNKNOWN

    def refund(self, refund: RefundOrder) -> RefundReport:
        """Send money back."""
        status, answer = self._call(
            "POST",
            "/v1/refunds",
            {
                "out_refund_no": refund.refund_id,
                "out_trade_no": refund.payment.payment_id,
                "amount": refund.amount.minor,
                "total": refund.captured.minor,
                "currency": refund.amount.currency,
                "reason": refund.reason,
                "notify_url": refund.notify_url,
            },
        )
        if 400 <= status < 500 and status not in (401, 429):
            return RefundReport(RefundOutcome.FAILED, code=sandbox_codes.code_of(answer))
        return sandbox_codes.refund_answer(status, answer, refund.refund_id)

    def refund_abnormal(
        self,
        refund: RefundOrder,
        provider_refund_id: str,
        *,
        bank_type: str = "",
        bank_account: str = "",
        real_name: str = "",
    ) -> RefundReport:
        """Send an abnormal refund to another card."""
        card = {"bank_type": bank_type, "bank_account": bank_account, "real_name": real_name}
        wanted = {"refund_id": provider_refund_id, **card}
        status, answer = self._call("POST", f"/v1/refunds/{refund.refund_id}/card", wanted)
        return sandbox_codes.refund_answer(status, answer, refund.refund_id)

    def query_refund(self, refund: RefundOrder) -> RefundReport:
        """Ask what became of the refund."""
        status, answer = self._call("GET", f"/v1/refunds/{refund.refund_id}")
        if status == 404 and sandbox_codes.code_of(answer) == "REFUND_NOT_EXIST":
            return RefundReport(RefundOutcome.ABSENT)
        return sandbox_codes.refund_answer(status, answer, refund.refund_id)

    def bill_parts(self, day: date, place: str = "") -> Iterator[Bill]:  # noqa: ARG002 - it is one part
        """Yield the bill of a China day, all of it at once.

        Raises:
            BillUnavailable: if the day is not over, or no answer can be trusted.
        """
        yield self.bill(day)

    def bill(self, day: date) -> Bill:
        """Fetch the bill of a China day; an empty one if nothing moved.

        Raises:
            BillUnavailable: if the day is not over, or no answer can be trusted.
        """
        status, answer = self._call("GET", f"/v1/bills/{day.isoformat()}")
        if status == 404 and sandbox_codes.code_of(answer) == "NO_STATEMENT_EXIST":
            return Bill()
        lines = answer.get("lines")
        if status != 200 or answer.get("day") != day.isoformat() or not isinstance(lines, list):
            raise BillUnavailable(why=sandbox_codes.code_of(answer) or f"status {status}")
        return sandbox_bill.read_bill(lines, answer.get("totals"))

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Authenticate and read a notice."""
        told = self.told()
        stamp = sandbox_wire.authentic(lower(headers), body, told.webhook_keys)
        if abs(clock.now() - stamp) > sandbox_wire.WINDOW:
            raise StaleNotice(why="its time is outside the window")
        content = sandbox_wire.read_object(body)
        if content.get("merchant_id") != told.merchant_id:
            raise ForeignNotice(
                why="it is another merchant's",
                payment_id=content.get("out_trade_no", ""),
                notice_id=content.get("notice_id", ""),
            )
        try:
            return sandbox_codes.notice(content)
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableNotice(why="a field is missing or wrong") from error

    def acknowledge(self, ack: Ack) -> Reply:
        """Return ``OK`` or ``FAIL`` as text."""
        status = {Ack.ACCEPTED: 200, Ack.REFUSED: 401, Ack.RETRY: 503}[ack]
        return status, {"Content-Type": "text/plain"}, "OK" if ack is Ack.ACCEPTED else "FAIL"

    def told(self) -> Configuration:
        """Return what it is told now.

        Raises:
            Misconfigured: if that is incomplete.
        """
        return self.configuration or sandbox_wire.configuration_from(secrets.secret(sandbox_wire.SECRET))

    def _call(self, method: str, path: str, content: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Make one signed call. No answer, or one that does not verify, is status 0: unknown."""
        told = self.told()
        body = json.dumps(content, separators=(",", ":"), sort_keys=True).encode() if content is not None else b""
        stamp, nonce = str(clock.epoch_s(clock.now())), ids.random_bytes(12).hex()
        message = b"\n".join([method.encode(), path.encode(), stamp.encode(), nonce.encode(), body])
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Sandbox-Merchant": told.merchant_id,
            "X-Sandbox-Timestamp": stamp,
            "X-Sandbox-Nonce": nonce,
            "X-Sandbox-Signature": sandbox_wire.mac(told.api_key, message),
        }
        try:
            answer = outbound.request(method, told.base_url + path, headers=headers, body=body)
            stamped = sandbox_wire.authentic(answer.headers, answer.body, (told.api_key,))
            if abs(clock.now() - stamped) > sandbox_wire.WINDOW:
                return 0, {"code": "STALE_ANSWER"}
            return answer.status, sandbox_wire.read_object(answer.body)
        except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
            return 0, {"code": error.code.upper()}
        except (BadSignature, UnreadableNotice):
            return 0, {"code": "UNVERIFIED_ANSWER"}
