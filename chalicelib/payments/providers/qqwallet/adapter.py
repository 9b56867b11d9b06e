"""QQ Wallet, the classic gateway (``qpay.qq.com``): XML over POST, signed by an MD5 over sorted fields and a key.

Off unless the setting ``BIANDAN_QQWALLET`` is ``on``. The signature is weak (MD5, no time, boundaries between fields
are not signed), so ``limits.notices_prove`` is false: a notice only causes a query. What could not be established from
public sources (error codes, retry schedule, onboarding) is listed in ``docs/providers/qqwallet.md``; where the
provider's word is unknown this adapter answers ``UNKNOWN`` and asks again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments.domain.bill import Bill, BillUnavailable, whole
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
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
    UnreadableNotice,
)
from chalicelib.payments.providers._shared import bills, diagnosis, reading, replay
from chalicelib.payments.providers.qqwallet import bill as qqwallet_bill
from chalicelib.payments.providers.qqwallet import codes as qqwallet_codes
from chalicelib.payments.providers.qqwallet import wire as qqwallet_wire
from chalicelib.payments.providers.qqwallet.bill import NO_BILL
from chalicelib.payments.providers.qqwallet.codes import (
    AFTER_CLOSE,
    ASK_AGAIN,
    NO_SUCH_ORDER,
    NO_SUCH_REFUND,
    NUMBER_IS_KNOWN,
    STATES,
    TRADE_TYPES,
)
from chalicelib.payments.providers.qqwallet.wire import CAP_BYTES, HEADERS, SECRET, Answer, Configuration
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.config import setting


def build(configuration: Configuration | Mapping[str, Any] | None = None) -> QQWallet:
    """Return the adapter; without a configuration it reads settings and secret at each use.

    Raises:
        Misconfigured: if a configuration is given and it is incomplete.
    """
    return QQWallet(
        qqwallet_wire.configuration_from(configuration) if isinstance(configuration, Mapping) else configuration
    )


def verify(
    headers: Headers,
    body: Body,
    *,
    configuration: Configuration | Mapping[str, Any] | None = None,
    now: Moment | None = None,
) -> Notice:
    """Authenticate and read a recorded request with any configuration (a given one counts as turned on).

    ``now`` changes nothing here, there is no time in these notices; it is taken because every provider's function does.

    Raises:
        NoticeRefused: one of its subclasses.
        Misconfigured: if the configuration lacks something that verifying needs.
    """
    return replay.replay(build(configuration).verify, headers, body, now)


def diagnose(configuration: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Say in words what the configuration lacks; nothing if it is complete. Calls nobody."""
    return diagnosis.lacking(lambda: build(configuration).told())


@dataclass(frozen=True)
class QQWallet:
    """See ``ports.Provider``."""

    configuration: Configuration | None = None
    name: str = "qqwallet"
    methods: tuple[str, ...] = tuple(TRADE_TYPES)
    title: tuple[str, str] = ("QQ Wallet", "QQ钱包")
    shown: Mapping[str, MethodInfo] = field(
        default_factory=lambda: {
            "native": MethodInfo("Scan with QQ", "QQ扫码支付", Action.QR),
            "jsapi": MethodInfo("Inside QQ", "QQ内支付", Action.PARAMS),
            "miniapp": MethodInfo("QQ mini program", "QQ小程序支付", Action.PARAMS),
        }
    )
    currencies: frozenset[str] = frozenset({"CNY"})
    content_types: tuple[str, ...] = ("text/xml", "application/xml")
    limits: Limits = field(
        default_factory=lambda: Limits(refund_window=timedelta(days=365), max_refunds=50, notices_prove=False)
    )
    for_tests_only: bool = False

    @property
    def enabled(self) -> bool:
        """Whether this installation offers it: off by default; whoever hands in a configuration means it."""
        return self.configuration is not None or setting("BIANDAN_QQWALLET") == "on"

    def create(self, payment: PaymentOrder) -> Instruction:
        """Create the order (unified order)."""
        trade_type = TRADE_TYPES.get(payment.method)
        if trade_type is None or payment.amount.currency != "CNY" or payment.amount.minor < 1:
            return Instruction(Outcome.FAILED, code="NOT_OFFERED")
        answer = self._call(
            "/cgi-bin/pay/qpay_unified_order.cgi",
            {
                "body": qqwallet_wire.cut(payment.description, 128) or payment.payment_id,
                "out_trade_no": payment.payment_id,
                "fee_type": "CNY",
                "total_fee": str(payment.amount.minor),
                "spbill_create_ip": qqwallet_wire.ip_of(payment.client_ip),
                "time_start": qqwallet_codes.stamp(payment.created_at),
                "time_expire": qqwallet_codes.stamp(payment.expires_at),
                "trade_type": trade_type,
                "notify_url": payment.notify_url,
            },
        )
        if answer.refused:
            outcome = Outcome.UNKNOWN if answer.code in ASK_AGAIN | NUMBER_IS_KNOWN else Outcome.FAILED
            return Instruction(outcome, code=answer.code)
        if not answer.trusted:
            return Instruction(Outcome.UNKNOWN, code=answer.code)
        return qqwallet_codes.instruction(answer.fields, payment.method, self.told())

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of the order."""
        answer = self._call("/cgi-bin/pay/qpay_order_query.cgi", qqwallet_codes.order_keys(attempt))
        if answer.refused and answer.code in NO_SUCH_ORDER:
            return Report(Outcome.ABSENT, code=answer.code)
        if not answer.trusted or answer.refused:
            return Report(Outcome.UNKNOWN, code=answer.code)
        if answer.fields.get("out_trade_no") != attempt.payment_id:
            return Report(Outcome.UNKNOWN, code="OTHER_ORDER")
        try:
            return qqwallet_codes.report(answer.fields)
        except ValueError:
            return Report(Outcome.UNKNOWN, code="UNREADABLE")

    def close(self, attempt: Attempt) -> CloseOutcome:
        """Make the order unpayable. A refusal's code is not relied on: a query says what the order is."""
        answer = self._call(
            "/cgi-bin/pay/qpay_close_order.cgi",
            {"out_trade_no": attempt.payment_id, "total_fee": str(attempt.amount.minor)},
        )
        if answer.trusted and not answer.refused:
            return CloseOutcome.CLOSED
        now = self.query(attempt).outcome
        return AFTER_CLOSE.get(now, CloseOutcome.UNKNOWN)

    def refund(self, refund: RefundOrder) -> RefundReport:
        """Ask for a refund, and at once what became of it: the acceptance itself says nothing of the money."""
        told = self.told()
        if not reading.refund_fits(refund):
            return RefundReport(RefundOutcome.FAILED, code="NOT_OFFERED")
        if told.client_certificate is None or not told.op_user_password:
            return RefundReport(RefundOutcome.FAILED, code="NO_CLIENT_CERTIFICATE")
        password = hashlib.md5(told.op_user_password.encode(), usedforsecurity=False).hexdigest()
        answer = self._call(
            "/cgi-bin/pay/qpay_refund.cgi",
            {
                **qqwallet_codes.order_keys(refund.payment),
                "out_refund_no": refund.refund_id,
                "refund_fee": str(refund.amount.minor),
                "op_user_id": told.op_user_id,
                "op_user_passwd": password,
            },
            certificate=told.client_certificate,
        )
        if answer.refused:
            return self._refund_refused(refund, answer.code)
        return self._refund_accepted(refund, answer)

    def _refund_refused(self, refund: RefundOrder, code: str) -> RefundReport:
        """A number that was taken already, its answer lost, may be refused as used: what it came to, a query says."""
        if code in ASK_AGAIN:
            return RefundReport(RefundOutcome.UNKNOWN, code=code)
        report = self.query_refund(refund)
        known = report.outcome not in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT)
        return report if known else RefundReport(RefundOutcome.FAILED, code=code)

    def _refund_accepted(self, refund: RefundOrder, answer: Answer) -> RefundReport:
        fields = answer.fields
        if not answer.trusted or fields.get("out_refund_no") != refund.refund_id:
            return RefundReport(RefundOutcome.UNKNOWN, code=answer.code or "OTHER_REFUND")
        if fields.get("refund_fee", str(refund.amount.minor)) != str(refund.amount.minor):
            return RefundReport(RefundOutcome.UNKNOWN, code="OTHER_AMOUNT")
        report = self.query_refund(refund)
        if report.outcome not in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT):
            return report
        return RefundReport(RefundOutcome.PENDING, refund.amount, provider_refund_id=fields.get("refund_id") or None)

    def query_refund(self, refund: RefundOrder) -> RefundReport:
        """Ask what became of the refund."""
        answer = self._call("/cgi-bin/pay/qpay_refund_query.cgi", {"out_refund_no": refund.refund_id})
        if answer.refused and answer.code in NO_SUCH_REFUND:
            return RefundReport(RefundOutcome.ABSENT, code=answer.code)
        if not answer.trusted or answer.refused:
            return RefundReport(RefundOutcome.UNKNOWN, code=answer.code)
        return qqwallet_codes.refund_report(answer.fields, refund)

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:  # noqa: ARG002
        """Authenticate and read a notice. There is no time in it: a replay is met by the state machine."""
        if not self.enabled:
            raise ForeignNotice(why="QQ Wallet is off here")
        told = self.told()
        fields = qqwallet_wire.parse(body)
        qqwallet_wire.check_signature(fields, told)
        if fields.get("mch_id") != told.mch_id:
            raise ForeignNotice(why="it is another merchant's", payment_id=fields.get("out_trade_no", ""))
        if told.appid and fields.get("appid") != told.appid:
            raise ForeignNotice(why="it is another app's", payment_id=fields.get("out_trade_no", ""), ours=True)
        payment_id, state = fields.get("out_trade_no", ""), fields.get("trade_state", "")
        if not 0 < len(payment_id) <= 128 or not state:
            raise UnreadableNotice(why="a field is missing or wrong")
        if state not in STATES:
            raise IgnoredNotice(why="we do not act on this state", event=state, payment_id=payment_id)
        try:
            report = qqwallet_codes.report(fields)
        except ValueError as error:
            raise UnreadableNotice(why="a field is missing or wrong") from error
        return Notice(report.transaction_id or f"{payment_id}-{state}", payment_id, report)

    def acknowledge(self, ack: Ack) -> Reply:
        """Return the XML that QQ Wallet wants."""
        status = {Ack.ACCEPTED: 200, Ack.REFUSED: 400, Ack.RETRY: 503}[ack]
        fields = {"return_code": "SUCCESS"} if ack is Ack.ACCEPTED else {"return_code": "FAIL", "return_msg": ack.value}
        return status, {"Content-Type": "text/xml"}, qqwallet_wire.render(fields).decode()

    def bill_parts(self, day: date, place: str = "") -> Iterator[Bill]:  # noqa: ARG002 - the file is fetched whole
        """Fetch the bill of one China day and yield it (ready about 10:00 the day after, kept for three months).

        Raises:
            BillUnavailable: if there is none (yet), or no answer.
        """
        told = self.told()
        wanted = {"bill_date": day.strftime("%Y%m%d"), "bill_type": "ALL"}
        url = told.base_url + "/cgi-bin/sp_download/qpay_mch_statement_down.cgi"
        with bills.spool() as file:
            try:
                answer = bills.download(
                    "POST", url, headers=HEADERS, into=file, body=qqwallet_wire.signed(wanted, told)
                )
            except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
                raise BillUnavailable(why=error.code) from error
            said = answer.body
            if answer.status == 200:
                file.seek(0)
                said = file.read(CAP_BYTES)
            if answer.status != 200 or said.lstrip()[:5] in (b"<xml>", b"<?xml"):
                if answer.status != 200 or qqwallet_wire.why_of(said) not in NO_BILL:
                    raise BillUnavailable(why=qqwallet_wire.why_of(said))
                yield Bill()
                return
            yield from qqwallet_bill.read_bill(file)

    def bill(self, day: date) -> Bill:
        """Fetch and read the bill of one China day as a whole.

        Raises:
            BillUnavailable: as :meth:`bill_parts`.
        """
        return whole(self.bill_parts(day))

    def told(self) -> Configuration:
        """Return what it is told now.

        Raises:
            Misconfigured: if that is incomplete.
        """
        return self.configuration or qqwallet_wire.configuration_from(secrets.secret(SECRET))

    def _post(
        self,
        url: str,
        fields: Mapping[str, str],
        told: Configuration,
        certificate: outbound.ClientCertificate | None = None,
    ) -> outbound.Response:
        return outbound.request(
            "POST",
            url,
            headers=HEADERS,
            body=qqwallet_wire.signed(fields, told),
            client_certificate=certificate,
        )

    def _call(
        self, path: str, fields: Mapping[str, str], certificate: outbound.ClientCertificate | None = None
    ) -> Answer:
        if not self.enabled:
            raise Misconfigured(why="QQ Wallet is off; the setting BIANDAN_QQWALLET turns it on")
        told = self.told()
        host = told.refund_url if certificate else told.base_url
        try:
            answer = self._post(host + path, fields, told, certificate)
        except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
            return Answer({}, trusted=False, refused=False, code=error.code.upper())
        return qqwallet_wire.read_answer(answer, told)
