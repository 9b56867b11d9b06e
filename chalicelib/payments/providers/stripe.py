"""Stripe: Checkout Sessions and PaymentIntents over its HTTP API, webhooks signed by HMAC-SHA256. No SDK.

Our payment number rides in ``metadata[payment_id]`` of the session and its intent, our refund number in
``metadata[refund_id]``: what Stripe says is ours is ours by these, and an object whose id we never learned (its answer
was lost) is found by them. ``Idempotency-Key`` comes from our numbers. Amounts are Stripe's smallest units.

Stages: only ``prod`` is live. A key, an answer or an event of the other mode is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.payments.bills import Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    BadSignature,
    CloseOutcome,
    DisputePhase,
    DisputeReport,
    ForeignNotice,
    ForeignRefund,
    IgnoredNotice,
    Instruction,
    Limits,
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
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.config import config, setting

SECRET = "payments-stripe"  # noqa: S105  (a name)
API_VERSION = "2026-10-28.endive"
"""Pinned: what we send and read is of this version. The webhook endpoint must be created with the same one."""
OFFICIAL_URL = "https://api.stripe.com"
LIVE_STAGE = "prod"
STAND_IN_STAGES = ("local", "dev")
WINDOW = timedelta(seconds=300)
CAP_BYTES = 256 * 1024
SESSION_AT_LEAST = timedelta(minutes=40)
"""Stripe wants 30 minutes when it hears of the session; ten more let a lost creation be repeated unchanged."""
SESSION_AT_MOST = timedelta(hours=23, minutes=50)
_LOOK_AROUND = (timedelta(minutes=5), timedelta(minutes=30))
_MAX_PAGES = 20
_MAX_REFUND_KEYS = 12
T = TypeVar("T")

# fmt: off
_ZERO_DECIMALS = frozenset({
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
})
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
_TWO_DECIMALS = frozenset({
    "AED", "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "IDR", "ILS", "INR", "MOP", "MXN",
    "MYR", "NOK", "NZD", "PHP", "PLN", "QAR", "RON", "SAR", "SEK", "SGD", "THB", "TWD", "USD", "ZAR",
})
# fmt: on
CURRENCIES = _TWO_DECIMALS | {"JPY", "KRW", "VND"} | _THREE_DECIMALS
"""Those whose smallest unit is the same for Stripe and for ``kernel.money``; a test compares. ISK, HUF and UGX, which
Stripe treats as special cases, are left out on purpose."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the adapter is told. All webhook secrets verify, so that one can be rolled (Stripe signs with both)."""

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    publishable_key: str = ""
    livemode: bool = False
    account: str = ""
    """Set only for a connected account: events of others are refused."""
    return_url: str = ""
    """Where Checkout sends the buyer if the payment does not say."""
    base_url: str = OFFICIAL_URL


def configuration_from(secret: Mapping[str, Any]) -> Configuration:
    """Return the configuration a secret describes. ``livemode`` follows from the stage unless it is said.

    Raises:
        Misconfigured: if something is missing, of the wrong kind, or of the other mode than the stage.
    """
    hooks = secret.get("webhook_secrets")
    if not isinstance(hooks, list) or not hooks or not all(isinstance(hook, str) and hook for hook in hooks):
        raise Misconfigured(why=f"secret {SECRET} has no webhook_secrets")
    texts: dict[str, str] = {}
    for name in ("secret_key", "publishable_key", "account", "return_url"):
        value = secret.get(name, "")
        if not isinstance(value, str):
            raise Misconfigured(why=f"secret {SECRET}: {name} is not a text")
        texts[name] = value
    if not texts["secret_key"]:
        raise Misconfigured(why=f"secret {SECRET} has no secret_key")
    live = secret.get("livemode", config().stage == LIVE_STAGE) is True
    for name in ("secret_key", "publishable_key"):
        if ("_test_" if live else "_live_") in texts[name]:
            raise Misconfigured(why=f"secret {SECRET}: {name} is of the other mode than the stage")
    return Configuration(
        secret_key=texts["secret_key"],
        webhook_secrets=tuple(hooks),
        publishable_key=texts["publishable_key"],
        livemode=live,
        account=texts["account"],
        return_url=texts["return_url"],
        base_url=_address(),
    )


def _address() -> str:
    """Return Stripe's address, or that of a stand-in.

    Raises:
        Misconfigured: for a stand-in outside the stages local and dev: it would be handed our key.
    """
    url = setting("BIANDAN_STRIPE_URL", OFFICIAL_URL).rstrip("/")
    if url != OFFICIAL_URL and config().stage not in STAND_IN_STAGES:
        raise Misconfigured(why="BIANDAN_STRIPE_URL is for the stages local and dev")
    return url


def build(configuration: Configuration | Mapping[str, Any] | None = None) -> Stripe:
    """Return the adapter; without a configuration it reads settings and secret at each use.

    Raises:
        Misconfigured: if a configuration is given and it is incomplete.
    """
    return Stripe(configuration_from(configuration) if isinstance(configuration, Mapping) else configuration)


def verify(
    headers: Mapping[str, str], body: bytes, *, configuration: Configuration | Mapping[str, Any] | None = None
) -> Notice:
    """Authenticate and read a recorded request, as of ``kernel.clock`` (``clock.use`` sets any date).

    Raises:
        NoticeRefused: one of its subclasses.
    """
    return build(configuration).verify(headers=headers, body=body)


@dataclass(frozen=True)
class Stripe:
    """See ``ports.Provider``."""

    configuration: Configuration | None = None
    name: str = "stripe"
    methods: tuple[str, ...] = ("checkout", "payment_intent")
    currencies: frozenset[str] = CURRENCIES
    content_types: tuple[str, ...] = ("application/json",)
    limits: Limits = field(default_factory=lambda: Limits(bill_zone=UTC))
    for_tests_only: bool = False
    enabled: bool = True

    # --- payments -----------------------------------------------------------------------------------------------------

    def create(self, payment: PaymentOrder) -> Instruction:
        """Create a Checkout Session (the buyer goes to ``url``) or a PaymentIntent (``params`` for Stripe.js)."""
        told = self._told()
        minor = to_stripe(payment.amount)
        return_url = payment.return_url or told.return_url
        if minor is None or payment.method not in self.methods:
            return Instruction(Outcome.FAILED, code="not_offered")
        if payment.method == "checkout" and not return_url:
            return Instruction(Outcome.FAILED, code="return_url_missing")
        if payment.method == "checkout":
            path, form = "/v1/checkout/sessions", _session_form(payment, minor, return_url)
        else:
            path, form = "/v1/payment_intents", _intent_form(payment, minor)
        answer = self._call("POST", path, form, key=f"payment:{payment.payment_id}")
        if answer.refused:
            return Instruction(Outcome.FAILED, code=answer.code)
        if answer.status != 200 or _our_payment(answer.content) != payment.payment_id:
            return Instruction(Outcome.UNKNOWN, code=answer.code or "other_payment")
        return _instruction(answer.content, payment.method, told)

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of the session or the intent; one whose id was lost is looked for."""
        found, code = self._find(attempt)
        if found is None:
            return Report(Outcome.UNKNOWN if code else Outcome.ABSENT, code=code)
        return _report(found)

    def close(self, attempt: Attempt) -> CloseOutcome:
        """Expire the session and cancel what it left behind, or cancel the intent.

        Without ``Idempotency-Key``: both are safe to repeat, and a remembered refusal would outlive its reason.
        """
        found, code = self._find(attempt)
        if found is None:
            return CloseOutcome.UNKNOWN if code else CloseOutcome.ABSENT
        if _report(found).outcome is Outcome.PENDING:
            found = self._end(found)
        outcome = _report(found).outcome if found else Outcome.UNKNOWN
        return {Outcome.CAPTURED: CloseOutcome.CAPTURED, Outcome.CLOSED: CloseOutcome.CLOSED}.get(
            outcome, CloseOutcome.UNKNOWN
        )

    def _end(self, found: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """End a pending object and return what it is then, ``None`` if that is not known."""
        path = _path_of(found)
        if found["object"] == "checkout.session" and found.get("status") != "open":
            # Completed with a method that takes its time: the session is over, its intent decides.
            intent = _expanded(found.get("payment_intent"))
            return self._end(intent) if intent else None
        action, form = ("/expire", {}) if found["object"] == "checkout.session" else ("/cancel", _ABANDONED)
        answer = self._call("POST", path + action, {**form, **_EXPANSIONS[found["object"]]})
        if answer.status != 200:  # Too late, or no answer: only what it is now counts.
            answer = self._call("GET", path, _EXPANSIONS[found["object"]])
        return answer.content if answer.status == 200 and answer.content.get("id") == found["id"] else None

    def _find(self, attempt: Attempt) -> tuple[Mapping[str, Any] | None, str]:
        """Return the attempt's session or intent; ``(None, "")`` if there surely is none, else the reason."""
        reference = attempt.reference or attempt.transaction_id
        if not reference:
            return self._search(attempt)
        path = _path(reference)
        if path is None:
            return None, "not_a_reference"
        kind = "checkout.session" if reference.startswith("cs_") else "payment_intent"
        answer = self._call("GET", path, _EXPANSIONS[kind])
        if answer.status != 200 or answer.content.get("object") != kind:
            return None, answer.code or "unreadable"
        if _our_payment(answer.content) != attempt.payment_id:
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
                for item in self._pages(path, window):
                    if _our_payment(item) == attempt.payment_id:
                        return self._find(_with_reference(attempt, str(item.get("id"))))
        except _NoAnswer as silent:
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
        minor = to_stripe(refund.amount)
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
            answer = self._call("POST", "/v1/refunds", form, key=f"refund:{refund.refund_id}:{number}")
            if answer.status == 200:
                return _refund_report(answer.content, refund)
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
        if _path(intent) is None:
            return None, RefundReport(RefundOutcome.UNKNOWN, code="not_a_reference")
        try:
            ours = [
                item
                for item in self._pages("/v1/refunds", {"payment_intent": intent})
                if refund.refund_id in (_metadata(item).get("refund_id"), item.get("id"))
            ]
        except _NoAnswer as silent:
            return None, RefundReport(RefundOutcome.UNKNOWN, code=silent.code)
        if not ours:
            return intent, RefundReport(RefundOutcome.ABSENT)
        reports = [_refund_report(item, refund) for item in ours]
        return intent, min(reports, key=lambda report: _MOST_TELLING.index(report.outcome))

    # --- what was done elsewhere --------------------------------------------------------------------------------------

    def dispute(self, number: str) -> DisputeReport | None:
        """Ask how a dispute stands, and whose payment it is about."""
        return self._inquire(f"/v1/disputes/{number}", "dispute", number, _dispute_report)

    def foreign_refund(self, number: str) -> ForeignRefund | None:
        """Ask about a refund that was made in the dashboard, by Stripe's number."""
        return self._inquire(f"/v1/refunds/{number}", "refund", number, _foreign_refund)

    def _inquire(self, path: str, kind: str, number: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
        answer = self._call("GET", path, {"expand[]": "payment_intent"}) if _ID.fullmatch(number) else None
        if answer is None or answer.status != 200:
            return None
        if (answer.content.get("object"), answer.content.get("id")) != (kind, number):
            return None
        try:
            return read(answer.content)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None

    # --- notices ------------------------------------------------------------------------------------------------------

    def verify(self, *, headers: Mapping[str, str], body: bytes) -> Notice:
        """Authenticate and read an event."""
        told = self._told()
        if len(body) > CAP_BYTES:
            raise UnreadableNotice(why="it is too large")
        stamp = authentic(lower(headers).get("stripe-signature", ""), body, told.webhook_secrets)
        if abs(clock.now() - stamp) > WINDOW:
            raise StaleNotice(why="its time is outside the window")
        event = _event(body)
        if event.get("livemode") is not told.livemode:
            raise ForeignNotice(why="it is of the other mode than this stage")
        try:
            return _notice(event, told.account)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UnreadableNotice(why="a field is missing or wrong") from error

    def acknowledge(self, ack: Ack) -> Reply:
        """Return what Stripe reads: the status alone."""
        status = {Ack.ACCEPTED: 200, Ack.REFUSED: 400, Ack.RETRY: 503}[ack]
        return status, {"Content-Type": "application/json"}, json.dumps({"received": ack is Ack.ACCEPTED})

    # --- bill ---------------------------------------------------------------------------------------------------------

    def bill(self, day: date) -> Bill:
        """Return the balance transactions of one UTC day.

        Raises:
            BillUnavailable: if Stripe does not answer, or the day is not over.
        """
        start = datetime.combine(day, time(), clock.now().tzinfo)
        if clock.now() < start + timedelta(days=1):
            raise BillUnavailable(why="the day is not over")
        window = {
            "created[gte]": str(clock.epoch_s(start)),
            "created[lt]": str(clock.epoch_s(start + timedelta(days=1))),
            "expand[]": "data.source",
        }
        lines: list[BillLine] = []
        defects: list[str] = []
        try:
            for row, item in enumerate(self._pages("/v1/balance_transactions", window, most=1000), start=1):
                try:
                    lines.append(_bill_line(item, row))
                except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                    defects.append(f"line {row}: cannot be read")
        except _NoAnswer as silent:
            raise BillUnavailable(why=silent.code) from silent
        return Bill(tuple(lines), defects=tuple(defects))

    # --- calls --------------------------------------------------------------------------------------------------------

    def _told(self) -> Configuration:
        return self.configuration or configuration_from(secrets.secret(SECRET))

    def _call(self, method: str, path: str, form: Mapping[str, str], *, key: str = "") -> _Answer:
        """Make one call. No answer, or one that is not Stripe's shape or mode, has status 0: unknown."""
        told = self._told()
        encoded = urlencode(form)
        url = told.base_url + path + (f"?{encoded}" if method == "GET" and encoded else "")
        headers = {
            "Authorization": f"Bearer {told.secret_key}",
            "Stripe-Version": API_VERSION,
            "Accept": "application/json",
            "User-Agent": "biandan",
        }
        if told.account:
            headers["Stripe-Account"] = told.account
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if key:
            headers["Idempotency-Key"] = key
        body = encoded.encode() if method == "POST" else b""
        try:
            response = outbound.request(method, url, headers=headers, body=body)
        except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
            return _Answer(0, {}, code=error.code)
        return _read_answer(response, told)

    def _pages(self, path: str, form: Mapping[str, str], *, most: int = _MAX_PAGES) -> Iterator[Mapping[str, Any]]:
        """Yield the items of a list, newest first.

        Raises:
            _NoAnswer: if a page is missing, or there are more than we read: then nobody may say "none".
        """
        after: dict[str, str] = {}
        for _ in range(most):
            answer = self._call("GET", path, {**form, "limit": "100", **after})
            items = answer.content.get("data")
            if answer.status != 200 or not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
                raise _NoAnswer(answer.code or "unreadable")
            yield from items
            if answer.content.get("has_more") is not True:
                return
            if not items:
                raise _NoAnswer("unreadable")
            after = {"starting_after": str(items[-1].get("id"))}
        raise _NoAnswer("too_many_pages")


class _NoAnswer(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content: Mapping[str, Any]
    refused: bool = False
    """Stripe understood and will not: nothing was made."""
    replayed: bool = False
    """The remembered answer to an earlier use of the key."""
    code: str = ""


def _read_answer(response: outbound.Response, told: Configuration) -> _Answer:
    try:
        content = _object(response.body)
    except UnreadableNotice:
        return _Answer(0, {}, code=f"http_{response.status}")
    if response.status == 200:
        if content.get("livemode", told.livemode) is not told.livemode:
            return _Answer(0, {}, code="other_mode")
        return _Answer(200, content)
    error = content.get("error")
    if not isinstance(error, dict):
        return _Answer(0, {}, code=f"http_{response.status}")
    kind = error.get("type")
    code = _word(error.get("code") or kind)
    # 401, 403: our key is wrong; 409, 429: later; 5xx: perhaps done. A key used with other parameters is our fault, and
    # says nothing about the first use. None of these is the provider's verdict on the order.
    refused = response.status in (400, 402, 404) and kind in ("invalid_request_error", "card_error")
    replayed = response.headers.get("idempotent-replayed") == "true"
    return _Answer(response.status if refused else 0, {}, refused, replayed, code)


# --- money ------------------------------------------------------------------------------------------------------------


def to_stripe(amount: Money) -> int | None:
    """Return the amount in Stripe's smallest unit, ``None`` if Stripe cannot take it.

    Zero-decimal currencies go in whole units, three-decimal ones in thousandths that are multiples of ten.
    Source: docs.stripe.com/currencies.
    """
    if amount.currency not in CURRENCIES or amount.minor < 1 or amount.minor > 99_999_999_999:
        return None
    if amount.currency in _THREE_DECIMALS and amount.minor % 10:
        return None
    return amount.minor


def stripe_digits(currency: str) -> int:
    """Return how many decimals Stripe's smallest unit of a currency has."""
    return 0 if currency in _ZERO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


def _money(minor: object, currency: object) -> Money:
    if not isinstance(currency, str) or not re.fullmatch(r"[a-z]{3}", currency):
        raise ValueError("not a currency")
    if isinstance(minor, bool) or not isinstance(minor, int) or not 0 < minor < 10**13:
        raise ValueError("not an amount")
    return Money(minor, currency.upper())


# --- requests ---------------------------------------------------------------------------------------------------------

_EXPANSIONS: dict[str, dict[str, str]] = {
    "checkout.session": {"expand[]": "payment_intent.latest_charge"},
    "payment_intent": {"expand[]": "latest_charge"},
}
_ABANDONED = {"cancellation_reason": "abandoned"}


def _session_form(payment: PaymentOrder, minor: int, return_url: str) -> dict[str, str]:
    price = "line_items[0][price_data]"
    ends = min(max(payment.expires_at, payment.created_at + SESSION_AT_LEAST), payment.created_at + SESSION_AT_MOST)
    return {
        "mode": "payment",
        f"{price}[currency]": payment.amount.currency.lower(),
        f"{price}[unit_amount]": str(minor),
        f"{price}[product_data][name]": _line(payment.description) or payment.payment_id,
        "line_items[0][quantity]": "1",
        "client_reference_id": payment.payment_id,
        "metadata[payment_id]": payment.payment_id,
        "payment_intent_data[metadata][payment_id]": payment.payment_id,
        "success_url": return_url,
        "cancel_url": return_url,
        "expires_at": str(clock.epoch_s(ends)),
    }


def _intent_form(payment: PaymentOrder, minor: int) -> dict[str, str]:
    return {
        "amount": str(minor),
        "currency": payment.amount.currency.lower(),
        "automatic_payment_methods[enabled]": "true",
        "description": _line(payment.description) or payment.payment_id,
        "metadata[payment_id]": payment.payment_id,
    }


def _line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable.encode("utf-8", "ignore").decode().strip()[:250]


def _path(reference: str) -> str | None:
    """Return the path of a session or an intent by its id, ``None`` for what is neither."""
    if not re.fullmatch(r"(cs|pi)_[0-9A-Za-z_]{1,250}", reference):
        return None
    folder = "checkout/sessions" if reference.startswith("cs_") else "payment_intents"
    return f"/v1/{folder}/{quote(reference)}"


def _path_of(found: Mapping[str, Any]) -> str:
    return _path(str(found.get("id"))) or "/v1/payment_intents/none"


def _with_reference(attempt: Attempt, reference: str) -> Attempt:
    return Attempt(
        attempt.payment_id, attempt.amount, attempt.created_at, attempt.method, reference, attempt.transaction_id
    )


# --- answers ----------------------------------------------------------------------------------------------------------

_INTENT_STATES = {
    "succeeded": Outcome.CAPTURED,
    "canceled": Outcome.CLOSED,
    "requires_payment_method": Outcome.PENDING,
    "requires_confirmation": Outcome.PENDING,
    "requires_action": Outcome.PENDING,
    "requires_capture": Outcome.PENDING,
    "processing": Outcome.PENDING,
}
_REFUND_STATES = {
    "pending": RefundOutcome.PENDING,
    "requires_action": RefundOutcome.PENDING,
    "succeeded": RefundOutcome.SUCCEEDED,
    "failed": RefundOutcome.CLOSED,  # That refund is dead for ever, the money is back with us.
    "canceled": RefundOutcome.CLOSED,
}
_MOST_TELLING = (
    RefundOutcome.SUCCEEDED,
    RefundOutcome.PENDING,
    RefundOutcome.UNKNOWN,
    RefundOutcome.CLOSED,
)
_ID = re.compile(r"[0-9A-Za-z_]{1,255}")


def _text(value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError("not an id")
    return value


def _moment(value: object) -> datetime | None:
    return None if value is None else clock.from_epoch_s(_seconds(value))


def _seconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 253_402_300_800:
        raise ValueError("not a time")
    return value


def _word(value: object) -> str:
    """Return what somebody says as a word for logs and operators."""
    return re.sub(r"[^0-9A-Za-z_.-]", "_", str(value or ""))[:64]


def _expanded(value: object) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None


def _metadata(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return _expanded(item.get("metadata")) or {}


def _our_payment(item: Mapping[str, Any]) -> str:
    """Return our payment number on a session, an intent, a charge or a refund; empty if it is none of this shop's."""
    return str(_metadata(item).get("payment_id") or "")


def _instruction(content: Mapping[str, Any], method: str, told: Configuration) -> Instruction:
    reference, url, secret = content.get("id"), content.get("url"), content.get("client_secret")
    if not isinstance(reference, str) or _path(reference) is None:
        return Instruction(Outcome.UNKNOWN, code="unreadable")
    if method == "checkout":
        if not isinstance(url, str) or not url.startswith(("https://", told.base_url)):
            return Instruction(Outcome.UNKNOWN, reference=reference, code="unreadable")
        return Instruction(Outcome.PENDING, Action.REDIRECT, url=url, reference=reference)
    if not isinstance(secret, str) or not secret:
        return Instruction(Outcome.UNKNOWN, reference=reference, code="unreadable")
    params = {"client_secret": secret, "publishable_key": told.publishable_key}
    return Instruction(Outcome.PENDING, Action.PARAMS, params=params, reference=reference)


def _report(found: Mapping[str, Any]) -> Report:
    """Return what a session or an intent says of the attempt."""
    try:
        return _session_report(found) if found.get("object") == "checkout.session" else _intent_report(found)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return Report(Outcome.UNKNOWN, code="unreadable")


def _session_report(session: Mapping[str, Any]) -> Report:
    intent = _expanded(session.get("payment_intent"))
    if session.get("payment_status") == "paid":
        if intent is not None:
            return _intent_report(intent)
        return Report(
            Outcome.CAPTURED,
            _money(session["amount_total"], session["currency"]),
            _text(session["payment_intent"]),
        )
    if session["status"] == "expired":
        return Report(Outcome.CLOSED, code="expired")
    if session["status"] == "open":
        return Report(Outcome.PENDING)
    if session["status"] != "complete" or intent is None:
        return Report(Outcome.UNKNOWN, code="unreadable")
    return _intent_report(intent)  # A method that takes its time: the intent decides.


def _intent_report(intent: Mapping[str, Any]) -> Report:
    outcome = _INTENT_STATES.get(intent["status"], Outcome.UNKNOWN)
    if outcome is not Outcome.CAPTURED:
        return Report(outcome, code=_word(intent["status"]))
    charge = _expanded(intent.get("latest_charge")) or {}
    return Report(
        outcome,
        _money(intent["amount_received"], intent["currency"]),
        _text(intent["id"]),
        at=_moment(charge.get("created")),
    )


def _refund_report(item: Mapping[str, Any], refund: RefundOrder) -> RefundReport:
    try:
        report = _refund_fields(item)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return RefundReport(RefundOutcome.UNKNOWN, code="unreadable")
    if report.amount != refund.amount:
        return RefundReport(RefundOutcome.UNKNOWN, code="other_amount")
    return report


def _refund_fields(item: Mapping[str, Any]) -> RefundReport:
    status = item["status"]
    return RefundReport(
        _REFUND_STATES.get(status, RefundOutcome.UNKNOWN),
        _money(item["amount"], item["currency"]),
        _text(item["id"]),
        at=_moment(item["created"]) if status == "succeeded" else None,
        code=_word(item.get("failure_reason") or ("" if status in ("succeeded", "pending") else status)),
    )


_DISPUTE_PHASES = {
    "warning_needs_response": DisputePhase.OPEN,
    "warning_under_review": DisputePhase.OPEN,
    "needs_response": DisputePhase.OPEN,
    "under_review": DisputePhase.OPEN,
    "warning_closed": DisputePhase.ENDED,
    "prevented": DisputePhase.ENDED,
    "won": DisputePhase.WON,
    "lost": DisputePhase.LOST,
}
"""Source: docs.stripe.com/api/disputes/object. A ``warning`` is an inquiry: no money has moved."""


def _dispute_report(thing: Mapping[str, Any]) -> DisputeReport:
    """Read a dispute. Its balance transactions say whether Stripe holds the money: they end below zero while it does.

    They are in the account's currency; the amount itself is in the payment's.
    """
    moved = thing["balance_transactions"]
    details = _expanded(thing.get("evidence_details")) or {}
    return DisputeReport(
        number=_text(thing["id"]),
        payment_id=_our_payment(_expanded(thing.get("payment_intent")) or {}),
        phase=_DISPUTE_PHASES[thing["status"]],
        amount=_money(thing["amount"], thing["currency"]),
        taken=sum(int(each["amount"]) for each in moved) < 0,
        reason=_word(thing.get("reason")),
        answer_by=_moment(details.get("due_by")),
        opened_at=_moment(thing["created"]),
    )


def _foreign_refund(thing: Mapping[str, Any]) -> ForeignRefund:
    return ForeignRefund(_our_payment(_expanded(thing.get("payment_intent")) or {}), _refund_fields(thing))


# --- events -----------------------------------------------------------------------------------------------------------

_STAMP = re.compile(r"[0-9]{1,12}")
_HEADER_CAP = 4096


def authentic(header: str, body: bytes, hooks: Sequence[str]) -> datetime:
    """Return the signed time of a ``Stripe-Signature`` header that matches the raw body.

    The key is the whole ``whsec_...`` text. Any ``v1`` may match any of our secrets; ``v0`` and others do not count.

    Raises:
        BadSignature: if there is none that matches.
    """
    if len(header) > _HEADER_CAP or not header.isascii():
        raise BadSignature(why="the signature is malformed")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    given = [value.encode() for name, _, value in pairs if name == "v1"]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]) or not given:
        raise BadSignature(why="the signature is missing or malformed")
    message = stamps[0].encode() + b"." + body
    wanted = [hmac.new(hook.encode(), message, hashlib.sha256).hexdigest().encode() for hook in hooks]
    matches = [hmac.compare_digest(one, other) for one in wanted for other in given]
    if not any(matches):
        raise BadSignature(why="the signature does not match the body")
    return clock.from_epoch_s(min(int(stamps[0]), 253_402_300_799))


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableNotice(why="it is not sound JSON") from error
    if not isinstance(content, dict):
        raise UnreadableNotice(why="it is not an object")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key comes twice")
    return content


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _event(body: bytes) -> dict[str, Any]:
    event = _object(body)
    if event.get("object") == "v2.core.event":
        raise IgnoredNotice(why="thin events carry nothing to act on")
    if event.get("object") != "event":
        raise UnreadableNotice(why="it is not an event")
    return event


def _notice(event: Mapping[str, Any], account: str) -> Notice:
    """Read an event.

    Raises:
        NoticeRefused: if it is not for us, or nothing to act on.
        ValueError: or its like, if a field is missing or wrong.
    """
    kind, thing = event["type"], event["data"]["object"]
    if not isinstance(kind, str) or not isinstance(thing, dict):
        raise ValueError("type or object")
    handler = _KINDS.get(kind)
    if handler is None:
        raise IgnoredNotice(why="we do not act on this kind")
    if event.get("account", account) != account:  # Whoever owns it could name our numbers and pay itself.
        raise ForeignNotice(why="it is another account's", payment_id=_our_payment(thing), notice_id=event["id"])
    family = kind.rpartition(".")[0]
    if thing.get("object") != _OBJECTS.get(family, family):
        raise ValueError("the object is of another kind than the event")
    return handler(_text(event["id"]), kind, thing, _moment(event["created"]))


Handler = Callable[[str, str, Mapping[str, Any], "datetime | None"], Notice]
_OBJECTS = {"charge.dispute": "dispute", "charge.refund": "refund"}


def _number(thing: Mapping[str, Any]) -> str:
    payment_id = _our_payment(thing)
    if not payment_id:
        raise IgnoredNotice(why="it is of no payment of this shop")
    if not ids.is_id("pay", payment_id):
        raise ForeignNotice(why="the number is none of ours")
    return payment_id


def _intent_ended(notice_id: str, kind: str, intent: Mapping[str, Any], at: datetime | None) -> Notice:
    payment_id = _number(intent)
    report = _intent_report(intent)
    expected = Outcome.CAPTURED if kind.endswith("succeeded") else Outcome.CLOSED
    if report.outcome is not expected:
        raise ValueError("the event and its object disagree")
    return Notice(
        notice_id, payment_id, Report(expected, report.amount, report.transaction_id, report.at or at, report.code)
    )


def _session_ended(notice_id: str, kind: str, session: Mapping[str, Any], at: datetime | None) -> Notice:
    payment_id = _number(session)
    report = _session_report(session)
    if kind.endswith("expired"):
        if report.outcome is not Outcome.CLOSED:
            raise ValueError("the event and its object disagree")
        return Notice(notice_id, payment_id, report)
    if session.get("payment_status") != "paid":
        raise IgnoredNotice(why="completed, but nobody has paid yet")
    return Notice(notice_id, payment_id, Report(report.outcome, report.amount, report.transaction_id, report.at or at))


def _refund_moved(notice_id: str, _kind: str, thing: Mapping[str, Any], at: datetime | None) -> Notice:
    refund_id = str(_metadata(thing).get("refund_id") or "")
    report = _refund_fields(thing)
    if refund_id and _our_payment(thing):
        payment_id = _number(thing)
        if not ids.is_id("ref", refund_id):
            raise ForeignNotice(why="the number is none of ours")
    else:  # Made in the dashboard: the intent knows whose it is.
        payment_id, refund_id = "", _text(thing["id"])
    moment = at if report.outcome is RefundOutcome.SUCCEEDED else None
    told = RefundReport(report.outcome, report.amount, report.provider_refund_id, moment, report.code)
    return Notice(notice_id, payment_id, refund_id=refund_id, refund_report=told)


def _disputed(notice_id: str, _kind: str, thing: Mapping[str, Any], _at: datetime | None) -> Notice:
    _money(thing["amount"], thing["currency"])
    return Notice(notice_id, "", dispute=_text(thing["id"]))


_KINDS: dict[str, Handler] = {
    "payment_intent.succeeded": _intent_ended,
    "payment_intent.canceled": _intent_ended,
    "checkout.session.completed": _session_ended,
    "checkout.session.async_payment_succeeded": _session_ended,
    "checkout.session.expired": _session_ended,
    "refund.created": _refund_moved,
    "refund.updated": _refund_moved,
    "refund.failed": _refund_moved,
    "charge.refund.updated": _refund_moved,
    "charge.dispute.created": _disputed,
    "charge.dispute.updated": _disputed,
    "charge.dispute.closed": _disputed,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.funds_reinstated": _disputed,
}
"""Events we act on. ``payment_failed`` and ``processing`` change nothing (a failed try precedes a success), and
``charge.refunded`` counts cumulatively what the ``refund.*`` events say one by one."""


# --- bill -------------------------------------------------------------------------------------------------------------

_LINES = {
    "charge": BillKind.PAYMENT,
    "payment": BillKind.PAYMENT,
    "refund": BillKind.REFUND,
    "payment_refund": BillKind.REFUND,
    "refund_failure": BillKind.REFUND_RETURNED,
    "payment_failure_refund": BillKind.REFUND_RETURNED,
}


def _bill_line(item: Mapping[str, Any], row: int) -> BillLine:
    """Read a balance transaction. The source's amount is what the payer saw; the transaction's own is what we get."""
    kind = _LINES.get(item["type"], BillKind.OTHER)
    source = _expanded(item.get("source")) or {}
    if source.get("object") == "dispute":
        kind = BillKind.DISPUTE
    ours = _our_payment(source)
    fee = item.get("fee")
    own = _text(source["id"]) if source else _text(item["id"])
    intent = own if kind is BillKind.OTHER else source.get("payment_intent") or source.get("charge") or own
    refund = kind in (BillKind.REFUND, BillKind.REFUND_RETURNED)
    shown = source if "amount" in source and "currency" in source else item
    return BillLine(
        kind=kind,
        payment_id=ours,
        transaction_id=_text(intent),
        amount=_money(abs(shown["amount"]), shown["currency"]),
        fee_text=f"{fee} {_word(item['currency']).upper()}" if isinstance(fee, int) and fee else "",
        at=clock.from_epoch_s(_seconds(item["created"])),
        status=_word(source.get("status") or item.get("status")),
        refund_id=_word(_metadata(source).get("refund_id")) if refund else "",
        provider_refund_id=own if refund else "",
        line=row,
    )
