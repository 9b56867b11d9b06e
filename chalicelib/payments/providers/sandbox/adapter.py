"""The sandbox provider: HMAC-SHA256 both ways, for laptops and the ``dev`` stage.

Its other end is ``tools/fakes/sandbox``.

Requests are signed over ``method, path, timestamp, nonce, body`` joined by newlines, answers and notices over
``timestamp, nonce, body``; the window is 300 s both ways.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import MINOR_DIGITS, Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    BadSignature,
    Body,
    CloseOutcome,
    ForeignNotice,
    Headers,
    IgnoredNotice,
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
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.config import setting

WINDOW = timedelta(seconds=300)
DEFAULT_URL = "http://127.0.0.1:9100"
_SECONDS = re.compile(r"[0-9]{1,12}")
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,3})?")
_HEX = re.compile(r"[0-9a-f]{64}")
_STATES = {"pending": Outcome.PENDING, "paid": Outcome.CAPTURED, "closed": Outcome.CLOSED}
_REFUNDS = {
    "pending": RefundOutcome.PENDING,
    "succeeded": RefundOutcome.SUCCEEDED,
    "failed": RefundOutcome.FAILED,
    "abnormal": RefundOutcome.ABNORMAL,
    "closed": RefundOutcome.CLOSED,
}

SECRET = "payments-sandbox"  # noqa: S105  (a name)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the adapter is told. Several webhook keys count at once, so that one can be rolled."""

    base_url: str
    merchant_id: str
    api_key: str
    webhook_keys: tuple[str, ...]


def configuration_from(secret: Mapping[str, Any]) -> Configuration:
    """Return the configuration a secret describes.

    Raises:
        Misconfigured: if something is missing or no text.
    """
    for name in ("merchant_id", "api_key", "webhook_key"):
        if not isinstance(secret.get(name), str) or not secret[name]:
            raise Misconfigured(why=f"secret {SECRET} has no {name}")
    before = secret.get("webhook_key_before")
    return Configuration(
        base_url=setting("BIANDAN_SANDBOX_URL", DEFAULT_URL).rstrip("/"),
        merchant_id=secret["merchant_id"],
        api_key=secret["api_key"],
        webhook_keys=(secret["webhook_key"], *([before] if isinstance(before, str) and before else [])),
    )


def build(configuration: Configuration | Mapping[str, Any] | None = None) -> Sandbox:
    """Return the adapter; without a configuration it reads setting and secret at each use.

    Raises:
        Misconfigured: if a configuration is given and it is incomplete.
    """
    return Sandbox(configuration_from(configuration) if isinstance(configuration, Mapping) else configuration)


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
            return Instruction(Outcome.FAILED, code=_code(answer))
        return Instruction(Outcome.UNKNOWN, code=_code(answer))

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of the order."""
        status, answer = self._call("GET", f"/v1/orders/{attempt.payment_id}")
        if status == 404 and _code(answer) == "ORDER_NOT_EXIST":
            return Report(Outcome.ABSENT)
        if status != 200 or answer.get("out_trade_no") != attempt.payment_id:
            return Report(Outcome.UNKNOWN, code=_code(answer))
        try:
            return _report(answer)
        except (KeyError, TypeError, ValueError):
            return Report(Outcome.UNKNOWN, code="unreadable")

    def close(self, attempt: Attempt) -> CloseOutcome:
        """Make the order unpayable."""
        status, answer = self._call("POST", f"/v1/orders/{attempt.payment_id}/close", {})
        if status == 200 and answer.get("state") == "closed":
            return CloseOutcome.CLOSED
        if status == 409 and _code(answer) == "ORDER_PAID":
            return CloseOutcome.CAPTURED
        if status == 404 and _code(answer) == "ORDER_NOT_EXIST":
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
            return RefundReport(RefundOutcome.FAILED, code=_code(answer))
        return _refund_answer(status, answer, refund.refund_id)

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
        return _refund_answer(status, answer, refund.refund_id)

    def query_refund(self, refund: RefundOrder) -> RefundReport:
        """Ask what became of the refund."""
        status, answer = self._call("GET", f"/v1/refunds/{refund.refund_id}")
        if status == 404 and _code(answer) == "REFUND_NOT_EXIST":
            return RefundReport(RefundOutcome.ABSENT)
        return _refund_answer(status, answer, refund.refund_id)

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
        if status == 404 and _code(answer) == "NO_STATEMENT_EXIST":
            return Bill()
        lines = answer.get("lines")
        if status != 200 or answer.get("day") != day.isoformat() or not isinstance(lines, list):
            raise BillUnavailable(why=_code(answer) or f"status {status}")
        return _bill(lines, answer.get("totals"))

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Authenticate and read a notice."""
        told = self.told()
        stamp = _authentic(lower(headers), body, told.webhook_keys)
        if abs(clock.now() - stamp) > WINDOW:
            raise StaleNotice(why="its time is outside the window")
        content = _object(body)
        if content.get("merchant_id") != told.merchant_id:
            raise ForeignNotice(
                why="it is another merchant's",
                payment_id=content.get("out_trade_no", ""),
                notice_id=content.get("notice_id", ""),
            )
        try:
            return _notice(content)
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
        return self.configuration or configuration_from(secrets.secret(SECRET))

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
            "X-Sandbox-Signature": _mac(told.api_key, message),
        }
        try:
            answer = outbound.request(method, told.base_url + path, headers=headers, body=body)
            stamped = _authentic(answer.headers, answer.body, (told.api_key,))
            if abs(clock.now() - stamped) > WINDOW:
                return 0, {"code": "STALE_ANSWER"}
            return answer.status, _object(answer.body)
        except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
            return 0, {"code": error.code.upper()}
        except (BadSignature, UnreadableNotice):
            return 0, {"code": "UNVERIFIED_ANSWER"}


def _mac(key: str, message: bytes) -> str:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def _authentic(headers: Mapping[str, str], body: bytes, keys: tuple[str, ...]) -> datetime:
    """Return the signed time.

    Raises:
        BadSignature: if it is not signed with one of the keys.
    """
    stamp, nonce = headers.get("x-sandbox-timestamp", ""), headers.get("x-sandbox-nonce", "")
    signature = headers.get("x-sandbox-signature", "")
    if not _SECONDS.fullmatch(stamp) or not 8 <= len(nonce) <= 64 or not nonce.isascii():
        raise BadSignature(why="timestamp or nonce is missing or malformed")
    if not _HEX.fullmatch(signature):
        raise BadSignature(why="the signature is missing or malformed")
    message = b"\n".join([stamp.encode(), nonce.encode(), body])
    matches = [hmac.compare_digest(_mac(key, message), signature) for key in keys]
    if not any(matches):
        raise BadSignature(why="the signature does not match the body")
    return clock.from_epoch_s(min(int(stamp), 253_402_300_799))


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableNotice(why="it is not JSON") from error
    if not isinstance(content, dict):
        raise UnreadableNotice(why="it is not an object")
    return content


def _code(answer: dict[str, Any]) -> str:
    return str(answer.get("code", ""))[:64]


def _money(content: dict[str, Any]) -> Money:
    return Money(content["amount"], content["currency"])


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, int) or not 0 <= value < 253_402_300_800:
        raise ValueError("not a time")
    return clock.from_epoch_s(value)


def _report(content: dict[str, Any]) -> Report:
    outcome = _STATES[content["state"]]
    if outcome is not Outcome.CAPTURED:
        return Report(outcome)
    return Report(
        outcome,
        amount=_money(content),
        transaction_id=_text(content["transaction_id"]),
        at=_moment(content["paid_at"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not value.isascii():
        raise ValueError("not a short text")
    return value


def _refund_answer(status: int, answer: dict[str, Any], refund_id: str) -> RefundReport:
    if status != 200 or answer.get("out_refund_no") != refund_id:
        return RefundReport(RefundOutcome.UNKNOWN, code=_code(answer))
    try:
        return _refund_report(answer)
    except (KeyError, TypeError, ValueError):
        return RefundReport(RefundOutcome.UNKNOWN, code="unreadable")


def _refund_report(content: dict[str, Any]) -> RefundReport:
    return RefundReport(
        _REFUNDS[content["state"]],
        amount=_money(content),
        provider_refund_id=_text(content["refund_id"]),
        at=_moment(content.get("refunded_at")),
        code=_code(content),
    )


def _notice(content: dict[str, Any]) -> Notice:
    payment_id, notice_id = _text(content["out_trade_no"]), _text(content["notice_id"])
    if not ids.is_id("pay", payment_id):  # The money is ours all the same.
        raise ForeignNotice(why="the number is none of ours", payment_id=payment_id, notice_id=notice_id, ours=True)
    if content["kind"] == "payment":
        return Notice(notice_id, payment_id, report=_report(content))
    if content["kind"] != "refund":
        kind = _text(content["kind"])
        raise IgnoredNotice(why="we do not act on this kind", event=kind, notice_id=notice_id, payment_id=payment_id)
    # A refund made in the provider's console has a number of its own: it still is about our payment.
    return Notice(
        notice_id, payment_id, refund_id=_text(content["out_refund_no"]), refund_report=_refund_report(content)
    )


def _bill(rows: list[Any], totals: Any) -> Bill:
    lines: list[BillLine] = []
    defects: list[str] = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(_bill_line(row, number))
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            defects.append(f"line {number}: {error}")
    said = totals.get("lines") if isinstance(totals, dict) else None
    if said != len(rows):
        defects.append(f"the totals speak of {said} lines, there are {len(rows)}")
    return Bill(tuple(lines), {"lines": str(said)}, tuple(defects))


def _bill_line(row: dict[str, Any], number: int) -> BillLine:
    moment = _moment(row["at"])
    if moment is None:
        raise ValueError("no time")
    digits = MINOR_DIGITS.get(row["currency"], 2)
    settled = row.get("settled")
    return BillLine(
        kind=BillKind(row["kind"]),
        payment_id=str(row["out_trade_no"]),
        transaction_id=str(row["transaction_id"]),
        amount=Money(_minor(row["amount"], digits), row["currency"]),
        fee_text=str(row["fee"]),
        at=moment,
        status=str(row["state"]),
        refund_id=str(row["out_refund_no"]),
        provider_refund_id=str(row["refund_id"]),
        settled=None if settled is None else Money(_minor(settled, digits), row["currency"]),
        line=number,
    )


def _minor(text: str, digits: int) -> int:
    if not _AMOUNT.fullmatch(text):
        raise ValueError("not an amount")
    minor = Decimal(text).scaleb(digits)
    if minor != int(minor):
        raise ValueError("not in whole minor units")
    return int(minor)
