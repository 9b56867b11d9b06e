"""Stripe: recorded vectors, the traps of its events, what goes over the wire; its own package as an oracle."""

from __future__ import annotations

import contextlib
import gzip
import hmac
import json
import random
import string
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import stripe as oracle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stripe.params import PaymentIntentCreateParams, RefundCreateParams
from stripe.params.checkout import SessionCreateParams

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import MINOR_DIGITS, Money
from chalicelib.payments.domain.bill import BillKind, BillUnavailable
from chalicelib.payments.ports import (
    Attempt,
    BadSignature,
    CloseOutcome,
    DisputePhase,
    DisputeReport,
    ForeignNotice,
    IgnoredNotice,
    NoticeRefused,
    Outcome,
    PaymentOrder,
    RefundOrder,
    RefundOutcome,
    StaleNotice,
    UnreadableNotice,
)
from chalicelib.payments.providers.stripe import adapter as stripe
from chalicelib.payments.providers.stripe import codes as stripe_codes
from chalicelib.payments.providers.stripe import notices as stripe_notices
from chalicelib.payments.providers.stripe import wire as stripe_wire
from chalicelib.payments.providers.stripe.codes import to_stripe
from chalicelib.payments.providers.stripe.wire import Configuration
from chalicelib.runtime import log, outbound
from chalicelib.runtime.config import config
from tools.fakes.sandbox import mount
from tools.fakes.sandbox import stripe as stripe_host
from tools.fakes.sandbox.stand_in import Steering

VECTORS = json.loads((Path(__file__).parent / "vectors/stripe_public.json").read_text("utf-8"))["vectors"]
BODY = "0123456789abcdefghjkmnpq"
PAYMENT, REFUND = f"pay_{BODY}_01", f"ref_{BODY}_01"
SECRET = "whsec_0123456789"
TOLD = Configuration(secret_key="sk_test_1", webhook_secrets=(SECRET,), publishable_key="pk_test_1")
START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
NOW = int(START.timestamp())
INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 1990,
    "amount_received": 1990,
    "currency": "usd",
    "latest_charge": "ch_1",
    "metadata": {"payment_id": PAYMENT},
    "status": "succeeded",
}
SESSION = {
    "id": "cs_test_1",
    "object": "checkout.session",
    "amount_total": 1990,
    "currency": "usd",
    "metadata": {"payment_id": PAYMENT},
    "payment_intent": "pi_1",
    "payment_status": "paid",
    "status": "complete",
}
BACK: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "amount": 700,
    "created": NOW,
    "currency": "usd",
    "metadata": {"payment_id": PAYMENT, "refund_id": REFUND},
    "payment_intent": "pi_1",
    "status": "succeeded",
}
DISPUTE = {
    "id": "dp_1",
    "object": "dispute",
    "amount": 1990,
    "charge": "ch_1",
    "currency": "usd",
    "payment_intent": "pi_1",
    "reason": "fraudulent",
    "status": "needs_response",
}


@pytest.fixture(autouse=True)
def at_start() -> Iterator[clock.Fixed]:
    fixed = clock.Fixed(START)
    with clock.use(fixed):
        yield fixed
    outbound.install(None)


def event(kind: str, thing: Any, **changes: Any) -> bytes:
    whole = {
        "id": "evt_1",
        "object": "event",
        "api_version": "2020-08-27",
        "created": NOW,
        "data": {"object": thing},
        "livemode": False,
        "type": kind,
        **changes,
    }
    return json.dumps(whole).encode()


def header(body: bytes, stamp: int | str = NOW, secret: str = SECRET, scheme: str = "v1") -> dict[str, str]:
    mark = hmac.digest(secret.encode(), f"{stamp}.".encode() + body, "sha256").hex()
    return {"stripe-signature": f"t={stamp},{scheme}={mark}"}


def verify(body: bytes, headers: dict[str, str] | None = None, told: Any = TOLD) -> Any:
    return stripe.verify(header(body) if headers is None else headers, body, configuration=told)


def refused(body: bytes, headers: dict[str, str] | None = None, told: Any = TOLD) -> type[NoticeRefused]:
    with pytest.raises(NoticeRefused) as caught:
        verify(body, headers, told)
    return type(caught.value)


# --- vectors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["kind"] == "webhook"], ids=lambda v: str(v["id"]))
def test_recorded_events(vector: dict[str, Any]) -> None:
    told = Configuration("sk_test_1", (vector["secret"],))
    body, headers = vector["payload"].encode(), {"Stripe-Signature": vector["header"]}
    stamp = datetime.fromtimestamp(vector["timestamp"], UTC)
    with clock.use(clock.Fixed(stamp)):
        assert stripe_wire.authentic(vector["header"], body, told.webhook_secrets) == stamp
        assert refused(body, headers, told) is IgnoredNotice  # An invoice item: genuine, nothing to us.
        assert refused(body + b" ", headers, told) is BadSignature
    assert refused(body, headers, told) is StaleNotice


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["kind"] == "hmac"], ids=lambda v: str(v["id"]))
def test_recorded_macs(vector: dict[str, Any]) -> None:
    body = vector["payload"].encode()
    assert hmac.digest(vector["secret"].encode(), body, "sha256").hex() == vector["hex"]
    # The adapter's message has the time before the body: as a vector, with an empty time it would be ".body".
    mark = hmac.digest(vector["secret"].encode(), b"1." + body, "sha256").hex()
    assert stripe_wire.authentic(f"t=1,v1={mark}", body, [vector["secret"]]) == datetime.fromtimestamp(1, UTC)


@pytest.mark.parametrize("text", next(v for v in VECTORS if v["kind"] == "bad_headers")["headers"])
def test_recorded_bad_headers(text: str) -> None:
    body = event("payment_intent.succeeded", INTENT)
    assert refused(body, {"stripe-signature": text}) is BadSignature


def test_every_vector_is_used() -> None:
    assert {vector["kind"] for vector in VECTORS} == {"webhook", "hmac", "bad_headers"}


# --- signature --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Stripe-Signature", "stripe-signature", "STRIPE-SIGNATURE"])
def test_header_names_in_any_case(name: str) -> None:
    body = event("payment_intent.succeeded", INTENT)
    assert verify(body, {name: header(body)["stripe-signature"]}).payment_id == PAYMENT


@pytest.mark.parametrize(("late_s", "ok"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_the_window_is_five_minutes_both_ways(late_s: int, ok: bool) -> None:
    body = event("payment_intent.succeeded", INTENT)
    if ok:
        assert verify(body, header(body, NOW - late_s)).payment_id == PAYMENT
    else:
        assert refused(body, header(body, NOW - late_s)) is StaleNotice


def test_headers_of_all_kinds() -> None:
    body = event("payment_intent.succeeded", INTENT)
    good = header(body)["stripe-signature"]
    mark = good.split("v1=")[1]
    accepted = [
        f"t={NOW},v1={'0' * 64},v1={mark}",
        f"t={NOW}, v1={mark}, v0=xyz",
        f"v1={mark},t={NOW}",
        f"t={NOW}" + f",v1={'0' * 64}" * 55 + f",v1={mark}",
        f"\tt={NOW} ,\n v1={mark} ",
        f"t={NOW},v1={mark},scheme,=,x=",
    ]
    for text in accepted:
        assert verify(body, {"stripe-signature": text}).payment_id == PAYMENT, text
    wrong = [
        f"t={NOW},v0={mark}",
        f"t={NOW},v1={mark.upper()}",
        f"t={NOW},v1={mark[:-1]}",
        f"t={NOW},v1={mark}0",
        f"t={NOW}.0,v1={mark}",
        f"t=+{NOW},v1={mark}",
        f"t={NOW},t={NOW},v1={mark}",
        f"t={NOW},v1=",
        f"t= {NOW},v1={mark}",
        f"t={NOW},v1 ={mark}",
        f"T={NOW},V1={mark}",
        f"t={NOW}\u00a0,v1={mark}",
        f"t={NOW};v1={mark}",
        f"t={NOW},v1={mark},t={NOW + 1}",
        "t=" + "".join(chr(0x660 + int(digit)) for digit in str(NOW)) + f",v1={mark}",
        f"t=,v1={mark}",
        f"t={NOW},v1=签名",
        f"t=１,v1={mark}",
        f"t={'9' * 13},v1={mark}",
        good + "," + "v1=0" * 2000,
    ]
    for text in wrong:
        assert refused(body, {"stripe-signature": text}) is BadSignature, text
    assert refused(body, {}) is BadSignature


def test_far_away_times_are_stale_not_errors() -> None:
    body = event("payment_intent.succeeded", INTENT)
    assert refused(body, header(body, "999999999999")) is StaleNotice
    assert refused(body, header(body, "000000000000")) is StaleNotice


def test_several_secrets_verify() -> None:
    body = event("payment_intent.succeeded", INTENT)
    both = Configuration("sk_test_1", ("whsec_new", SECRET))
    assert verify(body, header(body), both).payment_id == PAYMENT
    assert verify(body, header(body, secret="whsec_new"), both).payment_id == PAYMENT
    assert refused(body, header(body, secret="whsec_third"), both) is BadSignature


@given(st.binary(max_size=200), st.text(string.printable, min_size=1, max_size=40), st.integers(0, 10**10))
def test_the_signature_agrees_with_stripes_own_package(body: bytes, secret: str, stamp: int) -> None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    mark = oracle.WebhookSignature._compute_signature(f"{stamp}.{text}", secret)
    assert stripe_wire.authentic(f"t={stamp},v1={mark}", body, [secret]) == datetime.fromtimestamp(stamp, UTC)


HEADERS = st.lists(
    st.one_of(
        st.sampled_from(["t", "=", ",", "v1", "v0", "1", "t=1", "v1=00", " ", "\x00", "é", "t=1,v1=", "e9"]),
        st.text(max_size=3),
    ),
    max_size=10,
).map("".join)  # fmt: skip


@settings(max_examples=300)
@given(HEADERS, st.binary(max_size=60))
def test_whatever_header_comes_is_a_bad_signature(text: str, body: bytes) -> None:
    with clock.use(clock.Fixed(START)):
        assert refused(body, {"stripe-signature": text}) is BadSignature
    with pytest.raises((oracle.SignatureVerificationError, ValueError, TypeError)):
        oracle.WebhookSignature.verify_header(body.decode(), text, SECRET)


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"object": "event"',
        b'{"object": "charge"}',
        b'\xef\xbb\xbf{"object": "event"}',
        b'{"object": "event", "object": "event"}',
        b'{"object": "event", "n": NaN}',
        b'{"object": "event", "n": -Infinity}',
        b'{"object": "event", "n": ' + b"9" * 5000 + b"}",
        b'{"object": "event", "n": "\xff"}',
        b'{"object": "event", "n": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        gzip.compress(b"{}", mtime=0),
        b'{"object": "event", "n": "' + b"x" * 300_000 + b'"}',
        event("payment_intent.succeeded", None),
        event("payment_intent.succeeded", []),
        event("payment_intent.succeeded", {**INTENT, "object": "charge"}),
        event("payment_intent.succeeded", {**INTENT, "status": "processing"}),
        event("payment_intent.succeeded", {**INTENT, "amount_received": 19.9}),
        event("payment_intent.succeeded", {**INTENT, "amount_received": "1990"}),
        event("payment_intent.succeeded", {**INTENT, "amount_received": True}),
        event("payment_intent.succeeded", {**INTENT, "amount_received": 0}),
        event("payment_intent.succeeded", {**INTENT, "amount_received": -1}),
        event("payment_intent.succeeded", {**INTENT, "amount_received": 10**13}),
        event("payment_intent.succeeded", {**INTENT, "amount_received": None}),
        event("payment_intent.succeeded", {**INTENT, "currency": "USD"}),
        event("payment_intent.succeeded", {**INTENT, "currency": "us"}),
        event("payment_intent.succeeded", {**INTENT, "currency": None}),
        event("payment_intent.succeeded", {**INTENT, "id": "pi 1"}),
        event("payment_intent.succeeded", {**INTENT, "id": None}),
        event("payment_intent.succeeded", INTENT, id=None),
        event("payment_intent.succeeded", INTENT, id="x" * 256),
        event("payment_intent.succeeded", INTENT, created="yesterday"),
        event("payment_intent.succeeded", INTENT, created=10**30),
        event("payment_intent.succeeded", INTENT, data=None),
        event("payment_intent.succeeded", INTENT, type=7),
        event("checkout.session.expired", {**SESSION, "status": "complete"}),
        event("refund.updated", {**BACK, "amount": None}),
        event("charge.dispute.created", {**DISPUTE, "amount": "1"}),
    ],
)  # fmt: skip
def test_bodies_that_cannot_be_read(body: bytes) -> None:
    assert refused(body) is UnreadableNotice


def test_the_raw_bytes_count() -> None:
    body = event("payment_intent.succeeded", INTENT)
    for other in (json.dumps(json.loads(body), indent=1).encode(), body + b"\n", body.replace(b" ", b"\r\n", 1)):
        assert refused(other, header(body)) is BadSignature
        assert verify(other).payment_id == PAYMENT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])  # The machine may be busy.
@given(
    st.sampled_from(sorted(stripe_notices.KINDS)),
    st.sampled_from([INTENT, SESSION, BACK, DISPUTE]),
    st.dictionaries(st.sampled_from(sorted({*INTENT, *SESSION, *BACK, *DISPUTE})), JSON, max_size=3),
    st.dictionaries(
        st.sampled_from(["id", "object", "created", "data", "livemode", "type", "account"]), JSON, max_size=2
    ),
)
def test_genuine_nonsense_is_a_typed_refusal(kind: str, thing: Any, changes: Any, outer: Any) -> None:
    body = event(kind, {**thing, **changes}, **outer)
    with clock.use(clock.Fixed(START)):
        try:
            notice = verify(body)
        except NoticeRefused:
            return
    said = [notice.report, notice.refund_report, notice.dispute]
    assert sum(each is not None for each in said) == 1
    assert notice.payment_id == PAYMENT or (notice.payment_id == "" and notice.report is None)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_signed_bytes_are_a_typed_refusal(body: bytes) -> None:
    with clock.use(clock.Fixed(START)):
        assert refused(body) is UnreadableNotice


# --- events -----------------------------------------------------------------------------------------------------------


def test_a_capture_told_twice_is_one_fact() -> None:
    by_intent = verify(event("payment_intent.succeeded", INTENT))
    by_session = verify(event("checkout.session.completed", SESSION, id="evt_2"))
    late = verify(event("checkout.session.async_payment_succeeded", SESSION, id="evt_3"))
    assert by_intent.report == by_session.report == late.report
    assert by_intent.report.amount == Money(1990, "USD")
    assert (by_intent.report.transaction_id, by_intent.report.at) == ("pi_1", START)
    assert [n.notice_id for n in (by_intent, by_session, late)] == ["evt_1", "evt_2", "evt_3"]


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("checkout.session.completed", {**SESSION, "payment_status": "unpaid"}),
        ("checkout.session.completed", {**SESSION, "payment_status": "no_payment_required", "amount_total": 0}),
        ("checkout.session.async_payment_failed", {**SESSION, "payment_status": "unpaid"}),
        ("payment_intent.payment_failed", {**INTENT, "status": "requires_payment_method"}),
        ("payment_intent.processing", {**INTENT, "status": "processing"}),
        ("payment_intent.created", INTENT),
        ("charge.succeeded", {}),
        ("charge.refunded", {"object": "charge", "refunded": False, "amount_refunded": 700}),
        ("customer.created", {}),
        ("invented.next.year", {}),
        ("", {}),
        ("payment_intent.succeeded", {**INTENT, "metadata": {}}),
        ("payment_intent.succeeded", {**INTENT, "metadata": None}),
        ("checkout.session.completed", {**SESSION, "metadata": {"order": "of another system"}}),
    ],
)
def test_events_that_change_nothing(kind: str, thing: Any) -> None:
    assert refused(event(kind, thing)) is IgnoredNotice


def test_thin_events_are_ignored() -> None:
    thin = {
        "id": "evt_1",
        "object": "v2.core.event",
        "type": "v1.billing.meter.error_report_triggered",
        "livemode": False,
    }
    assert refused(json.dumps(thin).encode()) is IgnoredNotice


def test_endings() -> None:
    expired = verify(event("checkout.session.expired", {**SESSION, "status": "expired", "payment_status": "unpaid"}))
    cancelled = verify(event("payment_intent.canceled", {**INTENT, "status": "canceled", "amount_received": 0}))
    assert expired.report.outcome is cancelled.report.outcome is Outcome.CLOSED


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"livemode": True}, TOLD),
        ({"livemode": None}, TOLD),
        ({"livemode": 0}, TOLD),
        ({"account": "acct_other"}, TOLD),
        ({"account": "acct_other"}, Configuration("sk_test_1", (SECRET,), account="acct_ours")),
        ({"account": None}, Configuration("sk_test_1", (SECRET,), account="acct_ours")),  # The platform's own.
        ({}, Configuration("sk_test_1", (SECRET,), account="acct_ours")),
        ({"account": ["acct_ours"]}, Configuration("sk_test_1", (SECRET,), account="acct_ours")),
    ],
)
def test_events_of_others(changes: dict[str, Any], told: Configuration) -> None:
    assert refused(event("payment_intent.succeeded", INTENT, **changes), told=told) is ForeignNotice


def test_events_of_our_account() -> None:
    ours = Configuration("sk_test_1", (SECRET,), account="acct_ours")
    assert verify(event("payment_intent.succeeded", INTENT, account="acct_ours"), told=ours).payment_id == PAYMENT
    assert verify(event("payment_intent.succeeded", INTENT, account=None)).payment_id == PAYMENT


def test_a_live_stage_takes_live_events_only() -> None:
    live = Configuration("sk_live_1", (SECRET,), livemode=True)
    assert refused(event("payment_intent.succeeded", INTENT), told=live) is ForeignNotice
    assert verify(event("payment_intent.succeeded", INTENT, livemode=True), told=live).payment_id == PAYMENT


@pytest.mark.parametrize("number", ["17", "order_77", "订单-7", "x" * 128])
def test_a_number_of_another_shape_is_told(number: str) -> None:
    """Whoever asks for it finds nothing and says so: refusing would only make Stripe send it again for days."""
    paid = verify(event("payment_intent.succeeded", {**INTENT, "metadata": {"payment_id": number}}))
    assert (paid.payment_id, paid.report.amount) == (number, Money(1990, "USD"))
    back = verify(event("refund.updated", {**BACK, "metadata": {**BACK["metadata"], "refund_id": number}}))
    assert (back.payment_id, back.refund_id) == (PAYMENT, number)


@pytest.mark.parametrize("number", ["x" * 129, "a\nb", "\ud800", 7, ["pay"], True])
def test_what_is_no_number_is_of_no_payment(number: Any) -> None:
    assert refused(event("payment_intent.succeeded", {**INTENT, "metadata": {"payment_id": number}})) is IgnoredNotice


@pytest.mark.parametrize(("currency", "minor"), [("jpy", 1990), ("kwd", 1990), ("usd", 1990), ("cny", 1990)])
def test_smallest_units_are_ours(currency: str, minor: int) -> None:
    notice = verify(event("payment_intent.succeeded", {**INTENT, "currency": currency, "amount_received": minor}))
    assert notice.report.amount == Money(minor, currency.upper())


@pytest.mark.parametrize(
    ("kind", "status", "outcome"),
    [
        ("refund.created", "pending", RefundOutcome.PENDING),
        ("refund.created", "succeeded", RefundOutcome.SUCCEEDED),
        ("refund.updated", "requires_action", RefundOutcome.PENDING),
        ("refund.updated", "canceled", RefundOutcome.CLOSED),
        ("refund.failed", "failed", RefundOutcome.CLOSED),
        ("charge.refund.updated", "succeeded", RefundOutcome.SUCCEEDED),
        ("refund.updated", "a_new_state", RefundOutcome.UNKNOWN),
    ],
)
def test_refunds(kind: str, status: str, outcome: RefundOutcome) -> None:
    notice = verify(event(kind, {**BACK, "status": status}))
    assert (notice.payment_id, notice.refund_id) == (PAYMENT, REFUND)
    assert (notice.refund_report.outcome, notice.refund_report.amount) == (outcome, Money(700, "USD"))
    assert notice.refund_report.provider_refund_id == "re_1"


@pytest.mark.parametrize("turn", ["created", "updated", "closed", "funds_withdrawn", "funds_reinstated"])
def test_a_dispute_is_only_named(turn: str) -> None:
    """How it stands is asked: events come in any order, and the dispute does not say whose payment it is about."""
    notice = verify(event(f"charge.dispute.{turn}", DISPUTE))
    assert (notice.notice_id, notice.payment_id, notice.dispute) == ("evt_1", "", "dp_1")
    assert (notice.report, notice.refund_id, notice.refund_report) == (None, None, None)


@pytest.mark.parametrize("metadata", [{}, {"refund_id": REFUND}, {"payment_id": PAYMENT}])
def test_a_refund_made_in_the_dashboard_goes_by_stripes_number(metadata: dict[str, str]) -> None:
    notice = verify(event("refund.created", {**BACK, "metadata": metadata}))
    assert (notice.payment_id, notice.refund_id, notice.dispute) == ("", "re_1", None)
    assert (notice.refund_report.outcome, notice.refund_report.amount) == (RefundOutcome.SUCCEEDED, Money(700, "USD"))


def test_the_kinds_exist_in_stripes_own_package() -> None:
    from stripe.params import WebhookEndpointCreateParams

    listed = str(WebhookEndpointCreateParams.__annotations__["enabled_events"])
    assert all(f"'{kind}'" in listed for kind in stripe_notices.KINDS), [
        k for k in stripe_notices.KINDS if f"'{k}'" not in listed
    ]


# --- over the wire ----------------------------------------------------------------------------------------------------


class Wire:
    """Records requests and answers what is prepared."""

    def __init__(self) -> None:
        self.sent: list[outbound.Request] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.content: Any = {}

    def __call__(self, request: outbound.Request) -> outbound.Response:
        self.sent.append(request)
        body = self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()
        return outbound.Response(self.status, self.headers, body)


@pytest.fixture
def wire() -> Wire:
    made = Wire()
    outbound.install(made)
    return made


def order(**changes: Any) -> PaymentOrder:
    told: dict[str, Any] = {
        "payment_id": PAYMENT,
        "amount": Money(1990, "USD"),
        "description": "Teapot",
        "method": "checkout",
        "created_at": START,
        "expires_at": START + timedelta(minutes=15),
        "notify_url": "https://shop.example/n",
        "return_url": "https://shop.example/paid?a=1&b=2",
    }
    return PaymentOrder(**{**told, **changes})


ATTEMPT = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", "cs_test_1")
CAPTURED = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", "cs_test_1", "pi_1")
REFUNDING = RefundOrder(REFUND, CAPTURED, Money(700, "USD"), Money(1990, "USD"), Money(0, "USD"), "-", "")


def test_a_session_as_it_is_asked_for(wire: Wire) -> None:
    wire.content = {**SESSION, "status": "open", "payment_status": "unpaid", "url": "https://checkout.stripe.com/c/1"}
    made = stripe.build(TOLD).create(order())
    assert (made.outcome, made.url, made.reference) == (Outcome.PENDING, "https://checkout.stripe.com/c/1", "cs_test_1")
    (sent,) = wire.sent
    assert (sent.method, sent.url) == ("POST", "https://api.stripe.com/v1/checkout/sessions")
    assert sent.headers["Authorization"] == "Bearer sk_test_1"
    assert sent.headers["Idempotency-Key"] == f"payment:{PAYMENT}"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = dict(parse_qsl(sent.body.decode(), strict_parsing=True))
    assert form == {
        "mode": "payment",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": "1990",
        "line_items[0][price_data][product_data][name]": "Teapot",
        "line_items[0][quantity]": "1",
        "client_reference_id": PAYMENT,
        "metadata[payment_id]": PAYMENT,
        "payment_intent_data[metadata][payment_id]": PAYMENT,
        "success_url": "https://shop.example/paid?a=1&b=2",
        "cancel_url": "https://shop.example/paid?a=1&b=2",
        "expires_at": str(NOW + 40 * 60),
    }
    assert {name.split("[")[0] for name in form} <= set(SessionCreateParams.__annotations__)


def test_an_intent_as_it_is_asked_for(wire: Wire) -> None:
    wire.content = {**INTENT, "status": "requires_payment_method", "client_secret": "pi_1_secret_x"}
    made = stripe.build(TOLD).create(order(method="payment_intent", amount=Money(500, "JPY")))
    assert made.params == {"client_secret": "pi_1_secret_x", "publishable_key": "pk_test_1"}
    form = dict(parse_qsl(wire.sent[0].body.decode(), strict_parsing=True))
    assert form == {
        "amount": "500",
        "currency": "jpy",
        "automatic_payment_methods[enabled]": "true",
        "description": "Teapot",
        "metadata[payment_id]": PAYMENT,
    }
    assert {name.split("[")[0] for name in form} <= set(PaymentIntentCreateParams.__annotations__)


def test_a_refund_as_it_is_asked_for(wire: Wire) -> None:
    wire.content = {"data": [], "has_more": False}
    stripe.build(TOLD).refund(REFUNDING)
    listed, sent = wire.sent
    assert (listed.method, listed.url) == (
        "GET",
        "https://api.stripe.com/v1/refunds?payment_intent=pi_1&limit=100",
    )
    assert listed.body == b""
    assert "Idempotency-Key" not in listed.headers
    assert sent.headers["Idempotency-Key"] == f"refund:{REFUND}:1"
    form = dict(parse_qsl(sent.body.decode(), strict_parsing=True))
    assert form == {
        "payment_intent": "pi_1",
        "amount": "700",
        "reason": "requested_by_customer",
        "metadata[refund_id]": REFUND,
        "metadata[payment_id]": PAYMENT,
    }
    assert {name.split("[")[0] for name in form} <= set(RefundCreateParams.__annotations__)


def test_the_version_is_that_of_the_package_we_compare_with(wire: Wire) -> None:
    stripe.build(TOLD).query(ATTEMPT)
    assert wire.sent[0].headers["Stripe-Version"] == stripe_wire.API_VERSION == oracle.api_version


def test_brackets_as_the_package_writes_them() -> None:
    from stripe._encode import _api_encode

    ours = stripe_codes.session_form(order(), 1990, "https://shop.example/")
    nested: dict[str, Any] = {
        "mode": "payment",
        "line_items": [
            {
                "price_data": {"currency": "usd", "unit_amount": "1990", "product_data": {"name": "Teapot"}},
                "quantity": "1",
            }
        ],
        "client_reference_id": PAYMENT,
        "metadata": {"payment_id": PAYMENT},
        "payment_intent_data": {"metadata": {"payment_id": PAYMENT}},
        "success_url": "https://shop.example/",
        "cancel_url": "https://shop.example/",
        "expires_at": str(NOW + 40 * 60),
    }
    assert sorted(_api_encode(nested)) == sorted(ours.items())


@pytest.mark.parametrize(
    ("expires_in", "asked"),
    [
        (timedelta(minutes=1), timedelta(minutes=40)),
        (timedelta(hours=2), timedelta(hours=2)),
        (timedelta(days=3), timedelta(hours=23, minutes=50)),
    ],
)
def test_a_session_lives_as_long_as_stripe_allows(wire: Wire, expires_in: timedelta, asked: timedelta) -> None:
    stripe.build(TOLD).create(order(expires_at=START + expires_in))
    form = dict(parse_qsl(wire.sent[0].body.decode()))
    assert form["expires_at"] == str(int((START + asked).timestamp()))


def test_a_repeat_minutes_later_sends_the_same_bytes(wire: Wire, at_start: clock.Fixed) -> None:
    provider = stripe.build(TOLD)
    provider.create(order())
    at_start.advance(timedelta(minutes=9))
    provider.create(order())
    assert wire.sent[0] == wire.sent[1]


def test_a_session_needs_somewhere_to_return_to(wire: Wire) -> None:
    assert stripe.build(TOLD).create(order(return_url=None)).code == "return_url_missing"
    told = Configuration("sk_test_1", (SECRET,), return_url="https://shop.example/")
    stripe.build(told).create(order(return_url=None))
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("status", "kind", "outcome"),
    [
        (400, "invalid_request_error", Outcome.FAILED),
        (402, "card_error", Outcome.FAILED),
        (404, "invalid_request_error", Outcome.FAILED),
        (400, "idempotency_error", Outcome.UNKNOWN),
        (401, "invalid_request_error", Outcome.UNKNOWN),
        (403, "invalid_request_error", Outcome.UNKNOWN),
        (409, "invalid_request_error", Outcome.UNKNOWN),
        (429, "invalid_request_error", Outcome.UNKNOWN),
        (500, "api_error", Outcome.UNKNOWN),
        (503, "invalid_request_error", Outcome.UNKNOWN),
    ],
)
def test_refusals_of_a_creation(wire: Wire, status: int, kind: str, outcome: Outcome) -> None:
    wire.status, wire.content = status, {"error": {"type": kind, "code": "some_code\ud800"}}
    made = stripe.build(TOLD).create(order())
    assert made.outcome is outcome
    assert made.code.isascii()
    assert stripe.build(TOLD).query(ATTEMPT).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        {},
        {"id": "cs_test_1"},
        {**SESSION, "metadata": {"payment_id": "pay_of_another"}, "url": "https://checkout.stripe.com/1"},
        {**SESSION, "livemode": True, "url": "https://checkout.stripe.com/1"},
        {**SESSION, "url": "http://evil.example/"},
        {**SESSION, "url": None},
        {**SESSION, "id": "../v1/refunds", "url": "https://checkout.stripe.com/1"},
    ],
)
def test_strange_answers_to_a_creation_are_unknown(wire: Wire, content: Any) -> None:
    wire.content = content
    assert stripe.build(TOLD).create(order()).outcome is Outcome.UNKNOWN


def charged(**changes: Any) -> dict[str, Any]:
    return {**INTENT, "latest_charge": {"id": "ch_1", "object": "charge", "created": NOW + 5}, **changes}


@pytest.mark.parametrize(
    ("session", "outcome"),
    [
        ({"payment_intent": charged()}, Outcome.CAPTURED),
        ({}, Outcome.CAPTURED),
        ({"status": "open", "payment_status": "unpaid", "payment_intent": None}, Outcome.PENDING),
        ({"status": "expired", "payment_status": "unpaid", "payment_intent": None}, Outcome.CLOSED),
        ({"payment_status": "unpaid", "payment_intent": charged(status="processing")}, Outcome.PENDING),
        ({"payment_status": "unpaid", "payment_intent": charged(status="requires_payment_method")}, Outcome.PENDING),
        ({"payment_status": "unpaid", "payment_intent": charged(status="canceled")}, Outcome.CLOSED),
        ({"payment_status": "unpaid", "payment_intent": charged(status="new")}, Outcome.UNKNOWN),
        ({"payment_status": "unpaid", "payment_intent": None}, Outcome.UNKNOWN),
        ({"payment_status": "no_payment_required", "payment_intent": None}, Outcome.UNKNOWN),
        ({"amount_total": 19.9}, Outcome.UNKNOWN),
        ({"currency": None}, Outcome.UNKNOWN),
        ({"metadata": {}}, Outcome.UNKNOWN),
        ({"object": "invoice"}, Outcome.UNKNOWN),
    ],
)
def test_every_state_of_a_session(wire: Wire, session: dict[str, Any], outcome: Outcome) -> None:
    wire.content = {**SESSION, **session}
    assert stripe.build(TOLD).query(ATTEMPT).outcome is outcome


@given(
    st.dictionaries(st.sampled_from(sorted({*INTENT, *SESSION, *BACK, "data", "has_more", "url"})), JSON, max_size=4)
)
def test_whatever_stripe_answers_nothing_breaks(changes: dict[str, Any]) -> None:
    answers = Wire()
    outbound.install(answers)
    provider = stripe.build(TOLD)
    with clock.use(clock.Fixed(START)):
        for base in (SESSION, INTENT, {**BACK, "data": [{**BACK, **changes}], "has_more": False}):
            answers.content = {**base, **changes}
            provider.create(order())
            provider.query(ATTEMPT)
            provider.close(ATTEMPT)
            provider.refund(REFUNDING)
            provider.query_refund(REFUNDING)
    outbound.install(None)


@pytest.mark.parametrize(
    ("status", "kind", "outcome"),
    [
        (400, "invalid_request_error", RefundOutcome.FAILED),
        (402, "card_error", RefundOutcome.FAILED),
        (400, "idempotency_error", RefundOutcome.UNKNOWN),
        (409, "idempotency_error", RefundOutcome.UNKNOWN),
        (409, "invalid_request_error", RefundOutcome.UNKNOWN),
        (429, "invalid_request_error", RefundOutcome.UNKNOWN),
        (500, "api_error", RefundOutcome.UNKNOWN),
        (502, "", RefundOutcome.UNKNOWN),
    ],
)
@pytest.mark.parametrize("replayed", ["true", ""])
def test_refusals_of_a_refund(wire: Wire, status: int, kind: str, outcome: RefundOutcome, replayed: str) -> None:
    """Stripe remembers its 500s as well: one that is repeated may have made the refund, so no other key is tried."""

    def answer(request: outbound.Request) -> outbound.Response:
        wire.sent.append(request)
        if request.method == "GET":
            return outbound.Response(200, {}, b'{"data": [], "has_more": false}')
        body = json.dumps({"error": {"type": kind, "code": "some_code"}}).encode()
        return outbound.Response(status, {"idempotent-replayed": replayed} if replayed else {}, body)

    outbound.install(answer)
    assert stripe.build(TOLD).refund(REFUNDING).outcome is outcome
    tried = [sent for sent in wire.sent if sent.method == "POST"]
    assert len(tried) == (12 if replayed and outcome is RefundOutcome.FAILED else 1)


OTHER = {**BACK, "id": "re_2"}


@pytest.mark.parametrize(
    ("listed", "outcome", "number"),
    [
        ([{**BACK, "status": "failed"}, OTHER], RefundOutcome.SUCCEEDED, "re_2"),
        ([OTHER, {**BACK, "status": "failed"}], RefundOutcome.SUCCEEDED, "re_2"),
        ([{**BACK, "status": "canceled"}], RefundOutcome.CLOSED, "re_1"),
        ([{**BACK, "status": "canceled"}, {**OTHER, "status": "pending"}], RefundOutcome.PENDING, "re_2"),
        ([{**BACK, "status": "requires_action"}], RefundOutcome.PENDING, "re_1"),
        ([{**BACK, "amount": 1}], RefundOutcome.UNKNOWN, None),
        ([{**BACK, "currency": "eur"}], RefundOutcome.UNKNOWN, None),
        ([{**BACK, "metadata": {"refund_id": "another"}}], RefundOutcome.ABSENT, None),
    ],
)
def test_refunds_with_our_number(wire: Wire, listed: list[Any], outcome: RefundOutcome, number: str | None) -> None:
    wire.content = {"data": listed, "has_more": False}
    report = stripe.build(TOLD).query_refund(REFUNDING)
    assert (report.outcome, report.provider_refund_id) == (outcome, number)


def test_two_living_refunds_with_one_number_raise_the_alarm(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.content = {"data": [BACK, {**OTHER, "status": "pending"}], "has_more": False}
    told: list[str] = []
    monkeypatch.setattr(log, "error", lambda _, **said: told.append(said["refunds"]))
    assert stripe.build(TOLD).refund(REFUNDING).outcome is RefundOutcome.SUCCEEDED
    assert [sent.method for sent in wire.sent] == ["GET"]
    assert told == ["re_1,re_2"]


def test_what_was_captured_counts_and_not_what_was_asked_for(wire: Wire) -> None:
    wire.content = charged(amount=1990, amount_received=1000)
    attempt = Attempt(PAYMENT, Money(1990, "USD"), START, "payment_intent", "pi_1")
    assert stripe.build(TOLD).query(attempt).amount == Money(1000, "USD")
    wire.content = charged(status="requires_capture", amount_received=0, amount_capturable=1990)
    assert stripe.build(TOLD).query(attempt).outcome is Outcome.PENDING
    told = verify(event("payment_intent.succeeded", {**INTENT, "amount_received": 1000}))
    assert told.report.amount == Money(1000, "USD")
    held = {**INTENT, "status": "requires_capture", "amount_received": 0, "amount_capturable": 1990}
    assert refused(event("payment_intent.amount_capturable_updated", held)) is IgnoredNotice


def test_old_versions_events_are_read(wire: Wire) -> None:
    """Before 2022-11-15 an intent listed its charges and had no ``latest_charge``."""
    old = {name: value for name, value in INTENT.items() if name != "latest_charge"}
    told = verify(event("payment_intent.succeeded", {**old, "charges": {"data": [{"id": "ch_1"}]}}, api_version=None))
    assert (told.report.amount, told.report.at) == (Money(1990, "USD"), START)


SLOW: dict[str, Any] = {"type": "payment", "created": NOW, "currency": "usd", "fee": 0, "id": "txn_1", "amount": 1990}
PENDING: dict[str, Any] = {**INTENT, "id": "py_1", "object": "charge", "payment_intent": "pi_1", "status": "pending"}


@pytest.mark.parametrize(
    ("booked", "kind", "status", "minor"),
    [
        ({**SLOW, "source": PENDING}, BillKind.PAYMENT, "pending", 1990),
        (
            {**SLOW, "type": "payment_failure_refund", "amount": -1990, "source": PENDING},
            BillKind.OTHER,
            "pending",
            1990,
        ),
        ({**SLOW, "type": "refund_failure", "source": BACK}, BillKind.REFUND_RETURNED, "succeeded", 700),
        ({**SLOW, "type": "contribution", "amount": 0, "source": None}, BillKind.OTHER, "", 0),
        ({**SLOW, "type": "a_new_type", "amount": -5, "source": None}, BillKind.OTHER, "", 5),
    ],
)
def test_lines_of_the_bill(
    wire: Wire, at_start: clock.Fixed, booked: Any, kind: BillKind, status: str, minor: int
) -> None:
    wire.content = {"data": [booked], "has_more": False}
    at_start.advance(timedelta(days=1))
    bill = stripe.build(TOLD).bill(START.date())
    (line,) = bill.lines
    assert (line.kind, line.status, line.amount.minor, bill.defects) == (kind, status, minor, ())


def test_a_disputes_lines_name_it_and_its_direction(host: stripe_host.Stripe, at_start: clock.Fixed) -> None:
    provider = stripe.build(host.configuration())
    provider.create(order())
    host.pay(PAYMENT)
    number = host.dispute(PAYMENT)["id"]
    host.end_dispute(PAYMENT, "won")
    at_start.advance(timedelta(days=1))
    lines = [line for line in provider.bill(START.date()).lines if line.kind is BillKind.DISPUTE]
    assert [(line.dispute, line.given_back) for line in lines] == [(number, True), (number, False)]


def test_a_bill_goes_on_behind_a_place_and_never_in_a_circle(host: stripe_host.Stripe, at_start: clock.Fixed) -> None:
    provider = stripe.build(host.configuration())
    for number in range(230):
        provider.create(order(payment_id=f"pay_{number:024d}_01", method="payment_intent"))
        host.pay(f"pay_{number:024d}_01")
    at_start.advance(timedelta(days=1))
    pages = list(provider.bill_parts(START.date()))
    assert [(len(page.lines), bool(page.place)) for page in pages] == [(100, True), (100, True), (30, False)]
    assert [page.place.split(":")[0] for page in pages] == ["100", "200", ""]
    assert list(provider.bill_parts(START.date(), pages[0].place)) == pages[1:]
    host.steer(down=("bill",))
    with pytest.raises(BillUnavailable):
        next(provider.bill_parts(START.date(), pages[0].place))
    line = {**SLOW, "source": PENDING}
    for circle in ({"data": [line], "has_more": True}, {"data": [], "has_more": True}):
        body = json.dumps(circle).encode()
        outbound.install(lambda _, body=body: outbound.Response(200, {}, body))  # type: ignore[misc]
        with pytest.raises(BillUnavailable, match="unreadable"):
            list(provider.bill_parts(START.date()))


def test_references_are_never_pasted_into_addresses(wire: Wire) -> None:
    strange = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", "cs_1/../../refunds?x=")
    assert stripe.build(TOLD).query(strange).outcome is Outcome.UNKNOWN
    assert stripe.build(TOLD).close(strange) is CloseOutcome.UNKNOWN
    assert wire.sent == []


# --- money ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        (Money(1990, "USD"), 1990),
        (Money(1990, "JPY"), 1990),
        (Money(1990, "KWD"), 1990),
        (Money(1995, "KWD"), None),
        (Money(1995, "BHD"), None),
        (Money(1000, "TND"), 1000),
        (Money(1990, "ISK"), None),
        (Money(1990, "XAF"), None),
        (Money(0, "USD"), None),
        (Money(-1, "USD"), None),
        (Money(10**12, "USD"), None),
    ],
)
def test_what_stripe_takes(amount: Money, minor: int | None) -> None:
    assert to_stripe(amount) == minor


def test_every_currency_has_the_same_smallest_unit_here_and_there() -> None:
    for currency in stripe_codes.CURRENCIES:
        assert MINOR_DIGITS.get(currency, 2) == stripe_codes.stripe_digits(currency), currency


# --- the stand-in, where Stripe is unlike others ----------------------------------------------------------------------


@pytest.fixture
def host() -> stripe_host.Stripe:
    made = stripe_host.Stripe(now=lambda: clock.now().timestamp(), chance=random.Random(1))
    outbound.install(mount.by_host(dict.fromkeys(stripe_host.HOSTS, made)))
    return made


def test_a_method_that_takes_its_time(host: stripe_host.Stripe) -> None:
    provider = stripe.build(host.configuration())
    made = provider.create(order())
    attempt = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", made.reference)
    host.pay(PAYMENT, at_once=False)
    assert provider.query(attempt).outcome is Outcome.PENDING
    assert provider.close(attempt) is CloseOutcome.UNKNOWN, "the money may still come"
    host.conclude(PAYMENT, succeeds=False)
    assert provider.query(attempt).outcome is Outcome.PENDING
    assert provider.close(attempt) is CloseOutcome.CLOSED
    assert provider.query(attempt).outcome is Outcome.CLOSED
    heard: list[str] = []
    while host.outbox:
        out = host.outbox.pop(0)
        headers, body = host.signed_notice(out.content, Steering())
        with contextlib.suppress(IgnoredNotice):
            notice = provider.verify(headers=headers, body=body)
            heard.append(str(notice.report and notice.report.outcome))
    assert heard == ["closed"]


def test_a_method_that_takes_its_time_and_succeeds(host: stripe_host.Stripe, at_start: clock.Fixed) -> None:
    provider = stripe.build(host.configuration())
    made = provider.create(order())
    attempt = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", made.reference)
    host.pay(PAYMENT, at_once=False)
    at_start.advance(timedelta(days=2))
    host.conclude(PAYMENT, succeeds=True)
    assert provider.query(attempt).at == START + timedelta(days=2)
    assert provider.close(attempt) is CloseOutcome.CAPTURED


def test_a_session_dies_by_itself(host: stripe_host.Stripe, at_start: clock.Fixed) -> None:
    provider = stripe.build(host.configuration())
    made = provider.create(order())
    at_start.advance(timedelta(minutes=41))
    report = provider.query(Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", made.reference))
    assert report.outcome is Outcome.CLOSED


def test_a_lost_session_is_found_among_many(host: stripe_host.Stripe, at_start: clock.Fixed) -> None:
    provider = stripe.build(host.configuration())
    host.steer(PAYMENT, silent_after=("create",))
    assert provider.create(order()).outcome is Outcome.UNKNOWN
    for number in range(250):
        provider.create(order(payment_id=f"pay_{number:024d}_01"))
    blind = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout")
    assert provider.query(blind).outcome is Outcome.PENDING
    assert provider.query(Attempt(f"pay_{'9' * 24}_01", Money(1990, "USD"), START, "")).outcome is Outcome.ABSENT
    at_start.advance(timedelta(days=1))
    assert provider.query(blind).outcome is Outcome.CLOSED


def test_more_pages_than_we_read_are_unknown(wire: Wire) -> None:
    wire.content = {"data": [{"id": "cs_test_9"}], "has_more": True}
    blind = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout")
    assert stripe.build(TOLD).query(blind).outcome is Outcome.UNKNOWN
    assert stripe.build(TOLD).close(blind) is CloseOutcome.UNKNOWN
    wire.content = {"data": [], "has_more": True}
    assert stripe.build(TOLD).query(blind).outcome is Outcome.UNKNOWN


def test_a_remembered_refusal_is_overcome_once(host: stripe_host.Stripe) -> None:
    provider = stripe.build(host.configuration())
    provider.create(order())
    host.pay(PAYMENT)
    intent = host.intent_of(PAYMENT)
    assert intent is not None
    captured = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", None, intent["id"])
    refund = RefundOrder(REFUND, captured, Money(700, "USD"), Money(1990, "USD"), Money(0, "USD"), "-", "")
    host.steer(PAYMENT, refund="failed")
    for _ in range(3):
        assert provider.refund(refund).outcome is RefundOutcome.FAILED
    host.steer(PAYMENT, refund="succeeded")
    assert provider.refund(refund).outcome is RefundOutcome.SUCCEEDED
    assert [key for _, path, _, key in host.requests if path == "/v1/refunds" and key][-4:] == [
        f"refund:{REFUND}:{number}" for number in (1, 2, 3, 4)
    ]
    assert len(host.refunds) == 1


def test_a_series_of_remembered_refusals_ends(host: stripe_host.Stripe) -> None:
    provider = stripe.build(host.configuration())
    provider.create(order())
    host.pay(PAYMENT)
    intent = host.intent_of(PAYMENT)
    assert intent is not None
    captured = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", None, intent["id"])
    refund = RefundOrder(REFUND, captured, Money(700, "USD"), Money(1990, "USD"), Money(0, "USD"), "-", "")
    host.steer(PAYMENT, refund="failed")
    for _ in range(15):
        assert provider.refund(refund).outcome is RefundOutcome.FAILED
    host.steer(PAYMENT, refund="succeeded")
    # All keys of the series are remembered as refused: only when Stripe forgets them is it tried again.
    assert provider.refund(refund).outcome is RefundOutcome.FAILED
    with clock.use(clock.Fixed(START + timedelta(days=2))):
        assert provider.refund(refund).outcome is RefundOutcome.SUCCEEDED
        assert provider.refund(refund).outcome is RefundOutcome.SUCCEEDED
    assert len(host.refunds) == 1


def test_a_failed_refund_stays_closed_and_another_number_works(host: stripe_host.Stripe) -> None:
    provider = stripe.build(host.configuration())
    provider.create(order())
    host.pay(PAYMENT)
    intent = host.intent_of(PAYMENT)
    assert intent is not None
    captured = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", None, intent["id"])
    refund = RefundOrder(REFUND, captured, Money(1990, "USD"), Money(1990, "USD"), Money(0, "USD"), "-", "")
    host.steer(PAYMENT, refund="closed")
    assert provider.refund(refund).outcome is RefundOutcome.CLOSED
    host.steer(PAYMENT, refund="succeeded")
    assert provider.refund(refund).outcome is RefundOutcome.CLOSED, "the number is dead"
    other = RefundOrder(f"ref_{BODY}_02", captured, Money(1990, "USD"), Money(1990, "USD"), Money(0, "USD"), "-", "")
    assert provider.refund(other).outcome is RefundOutcome.SUCCEEDED
    assert len(host.refunds) == 2


def test_a_disputed_payment_is_not_refunded_and_shows_in_the_bill(
    host: stripe_host.Stripe, at_start: clock.Fixed
) -> None:
    provider = stripe.build(host.configuration())
    provider.create(order())
    host.pay(PAYMENT)
    intent = host.intent_of(PAYMENT)
    assert intent is not None
    host.dispute(PAYMENT)
    captured = Attempt(PAYMENT, Money(1990, "USD"), START, "checkout", None, intent["id"])
    refund = RefundOrder(REFUND, captured, Money(700, "USD"), Money(1990, "USD"), Money(0, "USD"), "-", "")
    assert provider.refund(refund).code == "charge_disputed"
    at_start.advance(timedelta(days=1))
    kinds = {line.kind: line for line in provider.bill(START.date()).lines}
    assert kinds[BillKind.DISPUTE].amount == Money(1990, "USD")
    assert kinds[BillKind.DISPUTE].transaction_id == intent["id"]
    assert kinds[BillKind.PAYMENT].fee_text == "88 USD"


DISPUTED: dict[str, Any] = {
    **DISPUTE,
    "balance_transactions": [{"amount": -1990}],
    "created": NOW,
    "evidence_details": {"due_by": NOW + 86400},
    "payment_intent": {**INTENT},
}


@pytest.mark.parametrize(
    ("status", "moves", "phase", "taken"),
    [
        ("warning_needs_response", [], DisputePhase.OPEN, False),
        ("warning_under_review", [], DisputePhase.OPEN, False),
        ("warning_closed", [], DisputePhase.ENDED, False),
        ("prevented", [], DisputePhase.ENDED, False),
        ("needs_response", [-1990], DisputePhase.OPEN, True),
        ("under_review", [-2100], DisputePhase.OPEN, True),
        ("won", [-1990, 1990], DisputePhase.WON, False),
        ("won", [-1990], DisputePhase.WON, True),
        ("lost", [-1990], DisputePhase.LOST, True),
    ],
)
def test_how_a_dispute_stands(wire: Wire, status: str, moves: list[int], phase: DisputePhase, taken: bool) -> None:
    wire.content = {**DISPUTED, "status": status, "balance_transactions": [{"amount": move} for move in moves]}
    found = stripe.build(TOLD).dispute("dp_1")
    assert found == DisputeReport(
        "dp_1", PAYMENT, phase, Money(1990, "USD"), taken, "fraudulent", START + timedelta(days=1), START
    )
    assert [sent.url for sent in wire.sent] == ["https://api.stripe.com/v1/disputes/dp_1?expand%5B%5D=payment_intent"]


@pytest.mark.parametrize(
    "change",
    [
        {"id": "dp_2"},
        {"object": "refund"},
        {"status": "a_new_state"},
        {"amount": "1990"},
        {"amount": -1},
        {"balance_transactions": None},
        {"balance_transactions": [{"amount": "many"}]},
        {"evidence_details": {"due_by": "soon"}},
    ],
)
def test_an_answer_about_a_dispute_that_cannot_be_trusted_is_none(wire: Wire, change: dict[str, Any]) -> None:
    wire.content = {**DISPUTED, **change}
    assert stripe.build(TOLD).dispute("dp_1") is None


def test_a_dispute_or_refund_of_another_shops_payment_says_so(wire: Wire) -> None:
    theirs = {"id": "pi_1", "object": "payment_intent", "metadata": {"order": "7"}}
    wire.content = {**DISPUTED, "payment_intent": theirs}
    disputed = stripe.build(TOLD).dispute("dp_1")
    assert disputed is not None
    assert disputed.payment_id == ""
    wire.content = {**BACK, "metadata": {}, "payment_intent": theirs}
    refunded = stripe.build(TOLD).external_refund("re_1")
    assert refunded is not None
    assert refunded.payment_id == ""


@pytest.mark.parametrize("number", ["", "dp_1/../../refunds", "dp 1", "dp_1?x=1", "x" * 300])
def test_a_number_that_is_none_is_not_asked_about(wire: Wire, number: str) -> None:
    assert stripe.build(TOLD).dispute(number) is None
    assert stripe.build(TOLD).external_refund(number) is None
    assert wire.sent == []


def test_disputes_and_dashboard_refunds_against_the_stand_in(host: stripe_host.Stripe) -> None:
    provider = stripe.build(host.configuration())
    provider.create(order())
    host.pay(PAYMENT)
    back = host.console_refund(PAYMENT, 5)
    found = provider.external_refund(back["id"])
    assert found is not None
    assert (found.payment_id, found.report.outcome, found.report.amount) == (
        PAYMENT,
        RefundOutcome.SUCCEEDED,
        Money(5, "USD"),
    )
    number = host.dispute(PAYMENT, amount=1000, inquiry=True)["id"]
    seen = []
    for how in ("", "needs_response", "won", "lost"):
        if how:
            host.end_dispute(PAYMENT, how)
        report = provider.dispute(number)
        assert report is not None
        seen.append((report.phase.value, report.taken, report.payment_id, report.amount.minor))
    assert seen == [
        ("open", False, PAYMENT, 1000),
        ("open", True, PAYMENT, 1000),
        ("won", False, PAYMENT, 1000),
        ("lost", False, PAYMENT, 1000),
    ]
    assert provider.dispute("dp_none") is None
    host.steer("query_dispute", silent_before=("query_dispute",))
    assert provider.dispute(number) is None
    assert host.money(PAYMENT) == (1990, 5)


def test_a_bill_of_many_pages(host: stripe_host.Stripe, at_start: clock.Fixed) -> None:
    provider = stripe.build(host.configuration())
    for number in range(230):
        provider.create(order(payment_id=f"pay_{number:024d}_01", method="payment_intent"))
        host.pay(f"pay_{number:024d}_01")
    with pytest.raises(BillUnavailable):
        provider.bill(date(2026, 11, 22))
    at_start.advance(timedelta(days=1))
    bill = provider.bill(date(2026, 11, 22))
    assert len({line.payment_id for line in bill.lines}) == 230
    assert provider.bill(date(2026, 11, 21)).lines == ()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"secret_key": "sk_test_another"}, "api_key_invalid"),
        ({"secret_key": ""}, ""),
    ],
)
def test_the_stand_in_refuses_a_wrong_key(host: stripe_host.Stripe, change: dict[str, Any], complaint: str) -> None:
    if not complaint:
        with pytest.raises(Misconfigured):
            stripe.build(host.configuration(**change))
        return
    assert stripe.build(host.configuration(**change)).create(order()).outcome is Outcome.UNKNOWN
    assert host.refusals == [f"POST /v1/checkout/sessions: {complaint}"]


@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"secret_key": "sk_test_1"},
        {"webhook_secrets": ["whsec_1"]},
        {"secret_key": "sk_test_1", "webhook_secrets": "whsec_1"},
        {"secret_key": "sk_test_1", "webhook_secrets": [""]},
        {"secret_key": 1, "webhook_secrets": ["whsec_1"]},
        {"secret_key": "sk_live_1", "webhook_secrets": ["whsec_1"]},
        {"secret_key": "rk_live_1", "webhook_secrets": ["whsec_1"]},
        {"secret_key": "sk_test_1", "publishable_key": "pk_live_1", "webhook_secrets": ["whsec_1"]},
        {"secret_key": "sk_test_1", "webhook_secrets": ["whsec_1"], "livemode": True},
    ],
)
def test_an_incomplete_or_mixed_secret_is_said_so(secret: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        stripe.build(secret)


def test_only_prod_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_STAGE", "prod")
    config.cache_clear()
    try:
        told = stripe_wire.configuration_from({"secret_key": "sk_live_1", "webhook_secrets": ["whsec_1"]})
        assert told.livemode is True
        with pytest.raises(Misconfigured):
            stripe_wire.configuration_from({"secret_key": "sk_test_1", "webhook_secrets": ["whsec_1"]})
    finally:
        monkeypatch.undo()
        config.cache_clear()


def test_secrets_do_not_show() -> None:
    assert "sk_test_1" not in repr(TOLD)
    assert SECRET not in repr(TOLD)
