"""Alipay: page, wap, app and QR (precreate) payments of one app.

What it says byte for byte stands in ``wire``, what its words mean in ``codes``. Documented, with everything that
is open, in ``docs/providers/alipay.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.payments import ports
from chalicelib.payments.domain.bill import Bill, BillUnavailable, whole
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    CloseOutcome,
    Instruction,
    NoticeRefused,
    Outcome,
    RefundOutcome,
    Report,
)
from chalicelib.payments.providers._shared import bills, reading, replay
from chalicelib.payments.providers.alipay import bill as alipay_bill
from chalicelib.payments.providers.alipay import codes as alipay_codes
from chalicelib.payments.providers.alipay import wire as alipay_wire
from chalicelib.runtime import log, outbound
from chalicelib.runtime.config import config

_PRODUCTS = {
    "qr": ("alipay.trade.precreate", ""),
    "page": ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    "wap": ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    "app": ("alipay.trade.app.pay", "QUICK_MSECURITY_PAY"),
}
_MOST_FEN = 100_000_000_00
_FORBIDDEN = str.maketrans("/=&", "   ")


def build(configuration: Mapping[str, Any] | None = None) -> Alipay:
    """Return the adapter; without a configuration it reads the secret ``payments-alipay`` at each use.

    Raises:
        Misconfigured: if a configuration is given and it is incomplete.
    """
    return Alipay(None if configuration is None else alipay_wire.settings(configuration))


def verify(
    headers: ports.Headers,
    body: ports.Body,
    *,
    configuration: Mapping[str, Any] | None = None,
    now: ports.Moment | None = None,
) -> ports.Notice:
    """Authenticate and read a recorded request, as of ``now``: the protocol has no time window, certificates have one.

    A configuration needs no ``app_keys`` for it.

    Raises:
        NoticeRefused: one of its subclasses.
        Misconfigured: if the configuration lacks something that verifying needs.
    """
    told = None if configuration is None else alipay_wire.settings(configuration, to_call=False)
    return replay.replay(Alipay(told).verify, headers, body, now)


def diagnose(configuration: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Say in words what the configuration lacks, for ``doctor``; nothing if it is complete. Calls nobody."""
    try:
        settings = build(configuration).settings
    except Misconfigured as error:
        return (str(error.params.get("why", error)),)
    said: list[str] = []
    now = clock.now()
    for key in settings.alipay_keys:
        if not key.is_valid(now):
            said.append(f"Alipay's certificate {key.sn} is not valid now")
        elif key.not_after and key.not_after - now < timedelta(days=30):
            said.append(ports.Advice(f"Alipay's certificate {key.sn} ends on {key.not_after:%Y-%m-%d}"))
    for number, key in enumerate(settings.alipay_keys, 1):
        if key.is_of(settings.signing_pem):
            said.append(f"alipay_keys {number} is the app's own key; Alipay's is wanted (the console shows both)")
    if not re.fullmatch("2088[0-9]{12}", settings.seller_id):
        said.append(ports.Advice("seller_id is not the seller's number of 16 digits that begins with 2088"))
    if settings.app_cert_sn and not any(key.sn for key in settings.alipay_keys):
        said.append("certificate mode is on, but alipay_keys holds no certificate of Alipay")
    if config().stage == "prod" and settings.gateway != alipay_wire.GATEWAY:
        said.append("the gateway is Alipay's sandbox")
    return tuple(said)


class Alipay(reading.Configured[alipay_wire.Settings]):
    """The adapter. Keeps no state."""

    name = "alipay"
    enabled = True
    methods = tuple(_PRODUCTS)
    title = ("Alipay", "支付宝")
    shown = MappingProxyType(
        {
            "page": ports.MethodInfo("Alipay on the web", "支付宝网页支付", Action.REDIRECT),
            "wap": ports.MethodInfo("Mobile browser", "支付宝手机网页支付", Action.REDIRECT),
            "app": ports.MethodInfo("App", "支付宝App支付", Action.PARAMS),
            "qr": ports.MethodInfo("Scan with Alipay", "支付宝扫码支付", Action.QR),
        }
    )
    currencies = frozenset({"CNY"})
    content_types = ("application/x-www-form-urlencoded",)
    limits = ports.Limits(refund_window=timedelta(days=365), max_refunds=50)
    """How long Alipay refunds depends on the contract, three months or twelve: it refuses what is too late."""
    for_tests_only = False

    def __init__(self, settings: alipay_wire.Settings | None = None) -> None:
        super().__init__(alipay_wire.held, settings)

    # What we ask.

    def create(self, payment: ports.PaymentOrder) -> Instruction:
        """Create the order. All but QR are not sent by us: the buyer's client carries the signed parameters."""
        product = _PRODUCTS.get(payment.method)
        if product is None or payment.amount.currency != "CNY":
            return Instruction(Outcome.FAILED, code="method_unknown" if product is None else "currency_unsupported")
        if not 0 < payment.amount.minor <= _MOST_FEN:
            return Instruction(Outcome.FAILED, code="amount_unsupported")
        method, product_code = product
        content = {
            "out_trade_no": payment.payment_id,
            "total_amount": reading.yuan(payment.amount.minor),
            "subject": _subject(payment),
            "time_expire": reading.in_china(payment.expires_at),
        }
        if product_code:
            content["product_code"] = product_code
        if payment.method == "wap":  # Where the cashier's "back" leads; not documented as optional.
            content["quit_url"] = payment.return_url or _origin(payment.notify_url)
        if payment.method == "qr":
            return self._precreate(method, content, payment.notify_url)
        back = {"return_url": payment.return_url or ""} if payment.method in ("page", "wap") else {}
        settings = self.settings
        signed = alipay_wire.encoded(
            alipay_wire.parameters(settings, method, content, notify_url=payment.notify_url, **back)
        )
        if payment.method == "app":
            return Instruction(Outcome.PENDING, Action.PARAMS, params={"orderStr": signed})
        return Instruction(Outcome.PENDING, Action.REDIRECT, url=f"{settings.gateway}?{signed}")

    def _precreate(self, method: str, content: Mapping[str, Any], notify_url: str) -> Instruction:
        node = self._call(method, content, notify_url=notify_url)
        code = alipay_codes.code_of(node)
        if node.get("code") == alipay_codes.OK:
            shown = node.get("qr_code")
            if isinstance(shown, str) and shown and node.get("out_trade_no") == content["out_trade_no"]:
                return Instruction(Outcome.PENDING, Action.QR, url=shown)
            return Instruction(Outcome.UNKNOWN, code="unreadable_answer")
        dead = node.get("code") in ("40004", *alipay_codes.CALLER) and code not in alipay_codes.OPEN
        return Instruction(Outcome.FAILED if dead else Outcome.UNKNOWN, code=code)

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of it. An order that no buyer has opened does not exist at Alipay yet."""
        node = self._call("alipay.trade.query", {"out_trade_no": attempt.payment_id})
        if node.get("code") != alipay_codes.OK:
            absent = node.get("code") == "40004" and alipay_codes.code_of(node) == "ACQ.TRADE_NOT_EXIST"
            return Report(Outcome.ABSENT if absent else Outcome.UNKNOWN, code=alipay_codes.code_of(node))
        if node.get("out_trade_no") != attempt.payment_id:
            return Report(Outcome.UNKNOWN, code="other_order")
        try:
            return alipay_codes.report(node, paid_at="send_pay_date")
        except (ValueError, KeyError, TypeError):
            return Report(Outcome.UNKNOWN, code="unreadable_answer")

    def close(self, attempt: Attempt) -> CloseOutcome:
        """Make it unpayable. "Wrong state" does not say which: a query does."""
        node = self._call("alipay.trade.close", {"out_trade_no": attempt.payment_id})
        if node.get("code") == alipay_codes.OK:
            return CloseOutcome.CLOSED
        if node.get("code") != "40004":
            return CloseOutcome.UNKNOWN
        if alipay_codes.code_of(node) in alipay_codes.WRONG_STATE:
            return alipay_codes.REPORTED.get(self.query(attempt).outcome, CloseOutcome.UNKNOWN)
        return alipay_codes.CLOSES.get(alipay_codes.code_of(node), CloseOutcome.UNKNOWN)

    def refund(self, refund: ports.RefundOrder) -> ports.RefundReport:
        """Send money back. ``refund_fee`` is all that ever went back; ``fund_change`` is N on a repeat."""
        if not reading.refund_fits(refund):
            return ports.RefundReport(RefundOutcome.FAILED, code="amount_unsupported")
        wanted = {
            "out_trade_no": refund.payment.payment_id,
            "refund_amount": reading.yuan(refund.amount.minor),
            "out_request_no": refund.refund_id,
            "refund_reason": reading.cut_bytes(refund.reason, 256) or refund.refund_id,
        }
        node = self._call("alipay.trade.refund", wanted)
        code = alipay_codes.code_of(node)
        if node.get("code") != alipay_codes.OK:
            refused = node.get("code") in ("40004", *alipay_codes.CALLER) and code not in alipay_codes.OPEN
            return ports.RefundReport(RefundOutcome.FAILED if refused else RefundOutcome.UNKNOWN, code=code)
        if node.get("fund_change") == "Y":
            return alipay_codes.moved(refund, node)
        # Nothing moved in this call: either this number is done already, or the money is still on its way.
        report = self.query_refund(refund)
        if report.outcome in (RefundOutcome.ABSENT, RefundOutcome.UNKNOWN):
            return ports.RefundReport(RefundOutcome.PENDING, code="fund_change_n")
        return report

    def query_refund(self, refund: ports.RefundOrder) -> ports.RefundReport:
        """Ask what became of a refund. Success without a status means: it was never done."""
        wanted = {
            "out_trade_no": refund.payment.payment_id,
            "out_request_no": refund.refund_id,
            "query_options": ["gmt_refund_pay"],
        }
        node = self._call("alipay.trade.fastpay.refund.query", wanted)
        code = alipay_codes.code_of(node)
        if node.get("code") != alipay_codes.OK:
            absent = node.get("code") == "40004" and code in ("ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST")
            return ports.RefundReport(RefundOutcome.ABSENT if absent else RefundOutcome.UNKNOWN, code=code)
        status = node.get("refund_status")
        if status in (None, ""):
            return ports.RefundReport(RefundOutcome.ABSENT)
        if status != "REFUND_SUCCESS":
            return ports.RefundReport(RefundOutcome.PENDING, code=str(status)[:64])
        if (node.get("out_trade_no"), node.get("out_request_no")) != (refund.payment.payment_id, refund.refund_id):
            return ports.RefundReport(RefundOutcome.UNKNOWN, code="other_refund")
        try:
            amount = Money(reading.fen(node["refund_amount"])) if "refund_amount" in node else None
            at = alipay_codes.moment_of(node.get("gmt_refund_pay"))
            return ports.RefundReport(RefundOutcome.SUCCEEDED, amount=amount, at=at)
        except ValueError:
            return ports.RefundReport(RefundOutcome.UNKNOWN, code="unreadable_answer")

    def bill_parts(self, day: date, place: str = "") -> Iterator[Bill]:  # noqa: ARG002 - the file is fetched whole
        """Fetch the trade bill of a China day and yield it; an empty part if nothing was traded.

        Ready about nine the next morning.

        Raises:
            BillUnavailable: if there is none yet, or it cannot be fetched or read at all.
        """
        with bills.spool() as file:
            if self._fetch_bill(day, file):
                yield from alipay_bill.read_bill(file)
            else:
                yield Bill()

    def bill(self, day: date) -> Bill:
        """Fetch and read the trade bill of a China day as a whole.

        Raises:
            BillUnavailable: as :meth:`bill_parts`.
        """
        return whole(self.bill_parts(day))

    def _fetch_bill(self, day: date, into: BinaryIO) -> bool:
        wanted = {"bill_type": "trade", "bill_date": day.isoformat()}
        node = self._call("alipay.data.dataservice.bill.downloadurl.query", wanted)
        if node.get("code") != alipay_codes.OK:
            if alipay_codes.code_of(node) == "isp.bill_not_exist":
                return False
            raise BillUnavailable(why=alipay_codes.code_of(node))
        address = str(node.get("bill_download_url", ""))
        if not self._may_fetch(address):
            raise BillUnavailable(why="its address is not Alipay's")
        try:
            answered = bills.download("GET", address, headers={"User-Agent": reading.USER_AGENT}, into=into)
        except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
            raise BillUnavailable(why=error.code) from error
        if answered.status != 200:
            raise BillUnavailable(why=f"status {answered.status}")
        return True

    def _may_fetch(self, address: str) -> bool:
        """The address is signed; still it must be Alipay's, or the stand-in's that we were told to use."""
        parts, gateway = urlsplit(address), urlsplit(self.settings.gateway)
        host = parts.hostname or ""
        if (parts.scheme, parts.netloc) == (gateway.scheme, gateway.netloc):
            return True
        return parts.scheme in ("http", "https") and host.endswith((".alipay.com", ".alipaydev.com"))

    # What we are told.

    def verify(self, headers: Mapping[str, str], body: bytes) -> ports.Notice:  # noqa: ARG002 - it signs the body
        """Authenticate the raw bytes of a notice and read it. No write, no call out.

        There is no time window in this protocol: a replay is answered by the state it meets, and by ``notify_id``.

        Raises:
            NoticeRefused: one of its subclasses.
        """
        if len(body) > reading.NOTICE_CAP_BYTES:
            raise ports.UnreadableNotice(why="it is too large")
        settings = self.settings
        try:
            fields = alipay_wire.read_notice(settings, body)
        except ports.UnknownKey as unknown:
            if not alipay_wire.may_be_genuine(settings, body):
                raise ports.BadSignature(why="neither signed by Alipay nor for us") from unknown
            raise
        about = {"payment_id": fields.get("out_trade_no", ""), "notice_id": fields.get("notify_id", "")}
        if fields.get("app_id") != settings.app_id:
            ours = fields.get("seller_id") == settings.seller_id
            raise ports.ForeignNotice(why="of another app", ours=ours, **about)
        if fields.get("notify_type", "trade_status_sync") != "trade_status_sync":
            raise ports.IgnoredNotice(why="a kind we do not act on", event=fields["notify_type"], **about)
        if fields.get("seller_id") != settings.seller_id:
            raise ports.ForeignNotice(why="of another seller", **about)
        try:
            return alipay_codes.notice(fields)
        except (ValueError, KeyError) as error:
            raise ports.UnreadableNotice(why="malformed content") from error

    def acknowledge(self, ack: Ack) -> ports.Reply:
        """Return exactly ``success`` or ``fail``: any other body is a failure to Alipay."""
        status = {Ack.ACCEPTED: 200, Ack.REFUSED: 401, Ack.RETRY: 503}[ack]
        return status, {"Content-Type": "text/plain"}, "success" if ack is Ack.ACCEPTED else "fail"

    # How we call.

    def _call(self, method: str, content: Mapping[str, Any], **more: str) -> dict[str, Any]:
        """Call and return the signed node; without one, a node whose ``code`` says why nothing is known."""
        settings = self.settings
        body = alipay_wire.encoded(alipay_wire.parameters(settings, method, content, **more)).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded;charset=utf-8",
            "Accept": "application/json",
            "User-Agent": reading.USER_AGENT,
        }
        try:
            answered = outbound.request("POST", f"{settings.gateway}?charset=utf-8", headers=headers, body=body)
        except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
            return {"code": error.code}
        if answered.status != 200:
            return {"code": f"status_{answered.status}"}
        try:
            node = alipay_wire.read_reply(
                settings, method, answered.body, ports.lower(answered.headers).get("content-type", "")
            )
        except NoticeRefused as refusal:
            return {"code": refusal.code}
        if node.get("code") in alipay_codes.CALLER:
            log.warning(
                "alipay rejects our calls: check the key, the clock and the permissions",
                code=alipay_codes.code_of(node),
            )
        return node


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _subject(payment: ports.PaymentOrder) -> str:
    return payment.description.translate(_FORBIDDEN)[:256].strip() or payment.payment_id
