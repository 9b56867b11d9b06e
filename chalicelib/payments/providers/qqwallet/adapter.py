"""QQ Wallet, the classic gateway (``qpay.qq.com``): XML over POST, signed by an MD5 over sorted fields and a key.

Off unless the setting ``BIANDAN_QQWALLET`` is ``on``. The signature is weak (MD5, no time, boundaries between fields
are not signed), so ``limits.notices_prove`` is false: a notice only causes a query. What could not be established from
public sources (error codes, retry schedule, onboarding) is listed in ``docs/providers/qqwallet.md``; where the
provider's word is unknown this adapter answers ``UNKNOWN`` and asks again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO
from urllib.parse import urlencode

from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine, BillUnavailable, whole
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    BadSignature,
    CloseOutcome,
    ForeignNotice,
    IgnoredNotice,
    Instruction,
    Limits,
    MethodInfo,
    Notice,
    NoticeRefused,
    Outcome,
    PaymentOrder,
    RefundOrder,
    RefundOutcome,
    RefundReport,
    Reply,
    Report,
    UnreadableNotice,
)
from chalicelib.payments.providers._shared import bills, reading, replay
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.config import config, setting

SECRET = "payments-qqwallet"  # noqa: S105  (a name)
OFFICIAL_URL = "https://qpay.qq.com"
OFFICIAL_REFUND_URL = "https://api.qpay.qq.com"
STAND_IN_STAGES = ("local", "dev")
CAP_BYTES = 64 * 1024
MD5, HMAC_SHA256 = "MD5", "HMAC-SHA256"

_TRADE_TYPES = {"native": "NATIVE", "jsapi": "JSAPI", "miniapp": "MINIAPP"}
_STATES = {
    "SUCCESS": Outcome.CAPTURED,
    "REFUND": Outcome.CAPTURED,  # Paid, and a refund was accepted.
    "NOTPAY": Outcome.PENDING,
    "USERPAYING": Outcome.PENDING,
    "PAYERROR": Outcome.PENDING,  # This try failed; the order can still be paid.
    "CLOSED": Outcome.CLOSED,
    "REVOKED": Outcome.CLOSED,
}
_REFUND_STATES = {
    "SUCCESS": RefundOutcome.SUCCEEDED,
    "PROCESSING": RefundOutcome.PENDING,
    "FAIL": RefundOutcome.FAILED,  # "Send it again under its original number."
    "NOTSURE": RefundOutcome.ABSENT,  # The same, in the provider's words: so it is sent again.
    "CHANGE": RefundOutcome.ABNORMAL,  # The card is dead; the money is back with us, a person must act.
}
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml", "User-Agent": "biandan"}
_NO_SUCH_ORDER = frozenset({"ORDERNOTEXIST", "ORDER_NOT_EXIST"})
_NO_SUCH_REFUND = frozenset({"REFUNDNOTEXIST", "REFUND_NOT_EXIST"})
_ASK_AGAIN = frozenset({"", "SYSTEMERROR", "SYSTEM_ERROR", "BIZERR_NEED_RETRY", "FREQUENCY_LIMITED", "USERPAYING"})
_NUMBER_IS_KNOWN = frozenset({"ORDERPAID", "ORDER_PAID", "ORDERCLOSED", "OUT_TRADE_NO_USED"})
"""Refusals of a creation that say our number exists there: what became of it, only a query tells."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the adapter is told. The first key signs, all verify, so that a key can be rolled."""

    mch_id: str
    keys: tuple[str, ...] = field(repr=False)
    appid: str = ""
    sign_type: str = MD5
    op_user_id: str = ""
    op_user_password: str = field(default="", repr=False)
    client_certificate: outbound.ClientCertificate | None = None
    """Refunds need it."""
    base_url: str = OFFICIAL_URL
    refund_url: str = OFFICIAL_REFUND_URL


def configuration_from(secret: Mapping[str, Any]) -> Configuration:
    """Return the configuration a secret describes.

    Raises:
        Misconfigured: if something indispensable is missing or of the wrong kind.
    """
    keys = secret.get("keys")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
        raise Misconfigured(why=f"secret {SECRET} has no keys")
    texts: dict[str, str] = {}
    for name in ("mch_id", "appid", "sign_type", "op_user_id", "op_user_password", "certificate", "private_key"):
        value = secret.get(name, "")
        if not isinstance(value, str):
            raise Misconfigured(why=f"secret {SECRET}: {name} is not a text")
        texts[name] = value
    if not texts["mch_id"]:
        raise Misconfigured(why=f"secret {SECRET} has no mch_id")
    if texts["sign_type"] not in ("", MD5, HMAC_SHA256):
        raise Misconfigured(why=f"secret {SECRET}: sign_type is neither {MD5} nor {HMAC_SHA256}")
    certificate = None
    if texts["certificate"] and texts["private_key"]:
        certificate = outbound.ClientCertificate(texts["certificate"], texts["private_key"])
    return Configuration(
        mch_id=texts["mch_id"],
        keys=tuple(keys),
        appid=texts["appid"],
        sign_type=texts["sign_type"] or MD5,
        op_user_id=texts["op_user_id"] or texts["mch_id"],
        op_user_password=texts["op_user_password"],
        client_certificate=certificate,
        base_url=_address("BIANDAN_QQWALLET_URL", OFFICIAL_URL),
        refund_url=_address("BIANDAN_QQWALLET_REFUND_URL", OFFICIAL_REFUND_URL),
    )


def _address(name: str, official: str) -> str:
    """Return the provider's address, or that of a stand-in.

    Raises:
        Misconfigured: for a stand-in outside the stages local and dev: it would be handed signed requests.
    """
    url = setting(name, official).rstrip("/")
    if url != official and config().stage not in STAND_IN_STAGES:
        raise Misconfigured(why=f"{name} is for the stages local and dev")
    return url


def build(configuration: Configuration | Mapping[str, Any] | None = None) -> QQWallet:
    """Return the adapter; without a configuration it reads settings and secret at each use.

    Raises:
        Misconfigured: if a configuration is given and it is incomplete.
    """
    return QQWallet(configuration_from(configuration) if isinstance(configuration, Mapping) else configuration)


def verify(
    headers: replay.Headers,
    body: replay.Body,
    *,
    configuration: Configuration | Mapping[str, Any] | None = None,
    now: replay.Moment | None = None,
) -> Notice:
    """Authenticate and read a recorded request with any configuration (a given one counts as turned on).

    ``now`` changes nothing here, there is no time in these notices; it is taken because every provider's function does.

    Raises:
        NoticeRefused: one of its subclasses.
        Misconfigured: if the configuration lacks something that verifying needs.
    """
    return replay.replay(build(configuration).verify, headers, body, now)


@dataclass(frozen=True)
class QQWallet:
    """See ``ports.Provider``."""

    configuration: Configuration | None = None
    name: str = "qqwallet"
    methods: tuple[str, ...] = tuple(_TRADE_TYPES)
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
        trade_type = _TRADE_TYPES.get(payment.method)
        if trade_type is None or payment.amount.currency != "CNY" or payment.amount.minor < 1:
            return Instruction(Outcome.FAILED, code="NOT_OFFERED")
        answer = self._call(
            "/cgi-bin/pay/qpay_unified_order.cgi",
            {
                "body": _cut(payment.description, 128) or payment.payment_id,
                "out_trade_no": payment.payment_id,
                "fee_type": "CNY",
                "total_fee": str(payment.amount.minor),
                "spbill_create_ip": _ip(payment.client_ip),
                "time_start": _stamp(payment.created_at),
                "time_expire": _stamp(payment.expires_at),
                "trade_type": trade_type,
                "notify_url": payment.notify_url,
            },
        )
        if answer.refused:
            outcome = Outcome.UNKNOWN if answer.code in _ASK_AGAIN | _NUMBER_IS_KNOWN else Outcome.FAILED
            return Instruction(outcome, code=answer.code)
        if not answer.trusted:
            return Instruction(Outcome.UNKNOWN, code=answer.code)
        return _instruction(answer.fields, payment.method, self._told())

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of the order."""
        answer = self._call("/cgi-bin/pay/qpay_order_query.cgi", _order_keys(attempt))
        if answer.refused and answer.code in _NO_SUCH_ORDER:
            return Report(Outcome.ABSENT, code=answer.code)
        if not answer.trusted or answer.refused:
            return Report(Outcome.UNKNOWN, code=answer.code)
        if answer.fields.get("out_trade_no") != attempt.payment_id:
            return Report(Outcome.UNKNOWN, code="OTHER_ORDER")
        try:
            return _report(answer.fields)
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
        return _AFTER_CLOSE.get(now, CloseOutcome.UNKNOWN)

    def refund(self, refund: RefundOrder) -> RefundReport:
        """Ask for a refund, and at once what became of it: the acceptance itself says nothing of the money."""
        told = self._told()
        if not reading.refund_fits(refund):
            return RefundReport(RefundOutcome.FAILED, code="NOT_OFFERED")
        if told.client_certificate is None or not told.op_user_password:
            return RefundReport(RefundOutcome.FAILED, code="NO_CLIENT_CERTIFICATE")
        password = hashlib.md5(told.op_user_password.encode(), usedforsecurity=False).hexdigest()
        answer = self._call(
            "/cgi-bin/pay/qpay_refund.cgi",
            {
                **_order_keys(refund.payment),
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
        if code in _ASK_AGAIN:
            return RefundReport(RefundOutcome.UNKNOWN, code=code)
        report = self.query_refund(refund)
        known = report.outcome not in (RefundOutcome.UNKNOWN, RefundOutcome.ABSENT)
        return report if known else RefundReport(RefundOutcome.FAILED, code=code)

    def _refund_accepted(self, refund: RefundOrder, answer: _Answer) -> RefundReport:
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
        if answer.refused and answer.code in _NO_SUCH_REFUND:
            return RefundReport(RefundOutcome.ABSENT, code=answer.code)
        if not answer.trusted or answer.refused:
            return RefundReport(RefundOutcome.UNKNOWN, code=answer.code)
        return _refund_report(answer.fields, refund)

    def verify(self, headers: Mapping[str, str], body: bytes) -> Notice:  # noqa: ARG002
        """Authenticate and read a notice. There is no time in it: a replay is met by the state machine."""
        if not self.enabled:
            raise ForeignNotice(why="QQ Wallet is off here")
        told = self._told()
        fields = parse(body)
        _authentic(fields, told)
        if fields.get("mch_id") != told.mch_id:
            raise ForeignNotice(why="it is another merchant's", payment_id=fields.get("out_trade_no", ""))
        if told.appid and fields.get("appid") != told.appid:
            raise ForeignNotice(why="it is another app's", payment_id=fields.get("out_trade_no", ""), ours=True)
        payment_id, state = fields.get("out_trade_no", ""), fields.get("trade_state", "")
        if not 0 < len(payment_id) <= 128 or not state:
            raise UnreadableNotice(why="a field is missing or wrong")
        if state not in _STATES:
            raise IgnoredNotice(why="we do not act on this state", event=state, payment_id=payment_id)
        try:
            report = _report(fields)
        except ValueError as error:
            raise UnreadableNotice(why="a field is missing or wrong") from error
        return Notice(report.transaction_id or f"{payment_id}-{state}", payment_id, report)

    def acknowledge(self, ack: Ack) -> Reply:
        """Return the XML that QQ Wallet wants."""
        status = {Ack.ACCEPTED: 200, Ack.REFUSED: 400, Ack.RETRY: 503}[ack]
        fields = {"return_code": "SUCCESS"} if ack is Ack.ACCEPTED else {"return_code": "FAIL", "return_msg": ack.value}
        return status, {"Content-Type": "text/xml"}, render(fields).decode()

    def bill_parts(self, day: date, place: str = "") -> Iterator[Bill]:  # noqa: ARG002 - the file is fetched whole
        """Fetch the bill of one China day and yield it (ready about 10:00 the day after, kept for three months).

        Raises:
            BillUnavailable: if there is none (yet), or no answer.
        """
        told = self._told()
        wanted = {"bill_date": day.strftime("%Y%m%d"), "bill_type": "ALL"}
        url = told.base_url + "/cgi-bin/sp_download/qpay_mch_statement_down.cgi"
        with bills.spool() as file:
            try:
                answer = bills.download("POST", url, headers=_HEADERS, into=file, body=_signed(wanted, told))
            except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
                raise BillUnavailable(why=error.code) from error
            said = answer.body
            if answer.status == 200:
                file.seek(0)
                said = file.read(CAP_BYTES)
            if answer.status != 200 or said.lstrip()[:5] in (b"<xml>", b"<?xml"):
                if answer.status != 200 or _why(said) not in NO_BILL:
                    raise BillUnavailable(why=_why(said))
                yield Bill()
                return
            yield from read_bill(file)

    def bill(self, day: date) -> Bill:
        """Fetch and read the bill of one China day as a whole.

        Raises:
            BillUnavailable: as :meth:`bill_parts`.
        """
        return whole(self.bill_parts(day))

    def _told(self) -> Configuration:
        return self.configuration or configuration_from(secrets.secret(SECRET))

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
            headers=_HEADERS,
            body=_signed(fields, told),
            client_certificate=certificate,
        )

    def _call(
        self, path: str, fields: Mapping[str, str], certificate: outbound.ClientCertificate | None = None
    ) -> _Answer:
        if not self.enabled:
            raise Misconfigured(why="QQ Wallet is off; the setting BIANDAN_QQWALLET turns it on")
        told = self._told()
        host = told.refund_url if certificate else told.base_url
        try:
            answer = self._post(host + path, fields, told, certificate)
        except (outbound.OutboundTimeout, outbound.OutboundFailed) as error:
            return _Answer({}, trusted=False, refused=False, code=error.code.upper())
        return _read_answer(answer, told)


_AFTER_CLOSE = {
    Outcome.CAPTURED: CloseOutcome.CAPTURED,
    Outcome.CLOSED: CloseOutcome.CLOSED,
    Outcome.ABSENT: CloseOutcome.ABSENT,
}


@dataclass(frozen=True, slots=True)
class _Answer:
    fields: Mapping[str, str]
    trusted: bool
    """The signature verifies and the merchant is ours."""
    refused: bool
    """Trusted, and the result is a failure; ``code`` says why."""
    code: str = ""


def _signed(fields: Mapping[str, str], told: Configuration) -> bytes:
    sent = {**fields, "mch_id": told.mch_id, "nonce_str": ids.random_bytes(16).hex()}
    if told.appid:
        sent["appid"] = told.appid
    if told.sign_type != MD5:
        sent["sign_type"] = told.sign_type
    sent["sign"] = sign(sent, told.keys[0], told.sign_type)
    return render(sent)


def _read_answer(answer: outbound.Response, told: Configuration) -> _Answer:
    untrusted = _Answer({}, trusted=False, refused=False, code=f"HTTP_{answer.status}")
    if answer.status != 200:
        return untrusted
    try:
        fields = parse(answer.body)
        _authentic(fields, told)
    except NoticeRefused as error:  # An unsigned failure may be true, but nobody vouches for it: ask again.
        return _Answer({}, trusted=False, refused=False, code=error.code.upper())
    if fields.get("mch_id", told.mch_id) != told.mch_id:
        return _Answer({}, trusted=False, refused=False, code="OTHER_MERCHANT")
    if fields.get("return_code") != "SUCCESS":  # Why, it says in words of its own: they are kept nowhere.
        return _Answer({}, trusted=False, refused=False, code="RETURN_CODE")
    code = (fields.get("err_code") or fields.get("retcode") or "").upper()[:64]
    return _Answer(fields, trusted=True, refused=fields.get("result_code") != "SUCCESS", code=code)


def _instruction(fields: Mapping[str, str], method: str, told: Configuration) -> Instruction:
    prepay_id, code_url = fields.get("prepay_id", ""), fields.get("code_url", "")
    if method == "native":
        if not code_url:
            return Instruction(Outcome.UNKNOWN, code="NO_CODE_URL")
        return Instruction(Outcome.PENDING, Action.QR, url=code_url)
    if not prepay_id:
        return Instruction(Outcome.UNKNOWN, code="NO_PREPAY_ID")
    if method == "jsapi":
        params = {"tokenId": prepay_id}
    else:
        params = {"package": f"prepay_id={prepay_id}", "bargainor_id": told.mch_id}
    return Instruction(Outcome.PENDING, Action.PARAMS, params=params)


def _order_keys(attempt: Attempt) -> dict[str, str]:
    """Return what names the order: its own number, and the provider's, which it demands after thirty days."""
    keys = {"out_trade_no": attempt.payment_id}
    if attempt.transaction_id:
        keys["transaction_id"] = attempt.transaction_id
    return keys


# --- fields -----------------------------------------------------------------------------------------------------------

_FEN = re.compile(r"[1-9][0-9]{0,12}")
_TRANSACTION = re.compile(r"[0-9A-Za-z]{1,32}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_TIME = re.compile(r"[12][0-9]{13}")


def _fen(text: str) -> int:
    if not _FEN.fullmatch(text):
        raise ValueError("not an amount")
    return int(text)


def _moment(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError("not a time")
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=clock.CHINA).astimezone(UTC)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(clock.CHINA).strftime("%Y%m%d%H%M%S")


def _report(fields: Mapping[str, str]) -> Report:
    """Return what order fields say.

    Raises:
        ValueError: if they do not say it well.
    """
    outcome = _STATES.get(fields.get("trade_state", ""))
    if outcome is None:
        raise ValueError("unknown state")
    if outcome is not Outcome.CAPTURED:
        return Report(outcome, code=fields.get("trade_state", ""))
    currency = fields.get("fee_type") or "CNY"  # Its documented default.
    number = fields.get("transaction_id", "")
    if not _CURRENCY.fullmatch(currency) or not _TRANSACTION.fullmatch(number):
        raise ValueError("currency or number")
    # The order's whole price: cash_fee is less where the provider gave a coupon.
    amount = Money(_fen(fields.get("total_fee", "")), currency)
    return Report(outcome, amount, number, at=_moment(fields.get("time_end", "")))


def _refund_report(fields: Mapping[str, str], refund: RefundOrder) -> RefundReport:
    """Find our number among the numbered groups of fields (``out_refund_no_0``, ...)."""
    group = next(
        (name.removeprefix("out_refund_no") for name, value in fields.items() if _is_ours(name, value, refund)), None
    )
    if group is None:
        return RefundReport(RefundOutcome.UNKNOWN, code="OTHER_REFUND")
    outcome = _REFUND_STATES.get(fields.get(f"refund_status{group}", ""), RefundOutcome.UNKNOWN)
    if fields.get(f"refund_fee{group}") != str(refund.amount.minor):
        return RefundReport(RefundOutcome.UNKNOWN, code="OTHER_AMOUNT")
    number = fields.get(f"refund_id{group}", "")
    return RefundReport(
        outcome,
        refund.amount,
        provider_refund_id=number if _TRANSACTION.fullmatch(number) else None,
        code=fields.get(f"refund_status{group}", "")[:64],
    )


def _is_ours(name: str, value: str, refund: RefundOrder) -> bool:
    return value == refund.refund_id and re.fullmatch(r"out_refund_no(_[0-9]{1,3})?", name) is not None


def _cut(text: str, octets: int) -> str:
    """Return the text without characters XML does not know, at most so many bytes of UTF-8."""
    clean = _FORBIDDEN.sub(" ", text).strip()
    return clean.encode("utf-8", "ignore")[:octets].decode("utf-8", "ignore")


def _ip(text: str | None) -> str:
    """Return the payer's address where it fits the field (IPv4), else that of nobody."""
    return text if text and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", text) else "127.0.0.1"


# --- signature --------------------------------------------------------------------------------------------------------


def sign(fields: Mapping[str, str], key: str, sign_type: str = MD5) -> str:
    """Return the signature: non-empty fields but ``sign``, sorted, joined, the key behind; hex in upper case.

    Source: mp.qpay.tenpay.cn/buss/wiki/206/1213 (MD5). HMAC-SHA256 is known from client libraries only.
    """
    pairs = sorted((name, value) for name, value in fields.items() if name != "sign" and value != "")
    message = ("&".join(f"{name}={value}" for name, value in pairs) + f"&key={key}").encode()
    if sign_type == HMAC_SHA256:
        return hmac.new(key.encode(), message, hashlib.sha256).hexdigest().upper()
    return hashlib.md5(message, usedforsecurity=False).hexdigest().upper()


def _authentic(fields: Mapping[str, str], told: Configuration) -> None:
    """Refuse what is not signed with one of our keys, in the configured way and no other.

    Raises:
        BadSignature: then.
    """
    if fields.get("sign_type", told.sign_type) != told.sign_type:
        raise BadSignature(why="it is signed in another way than configured")
    given = fields.get("sign", "").encode()
    matches = [hmac.compare_digest(sign(fields, key, told.sign_type).encode(), given) for key in told.keys]
    if not any(matches):
        raise BadSignature(why="the signature is missing or does not match")


# --- XML: one root, one level of fields, nothing else of the language ------------------------------------------------

_CDATA = r"<!\[CDATA\[(?:[^\]]|\](?!\]>))*+\]\]>"
_ENTITY = r"&(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});"
_DECLARATION = (
    r"""<\?xml version=["']1\.0["'](?: encoding=["'](?:utf|UTF)-8["'])?(?: standalone=["']yes["'])?\s*\?>\s*"""
)
_HEAD = re.compile(rf"\ufeff?\s*(?:{_DECLARATION})?<xml\s*>", re.ASCII)
_FIELD = re.compile(
    rf"\s*<([A-Za-z_][A-Za-z0-9_]{{0,63}})\s*(?:/>|>((?:[^<&]++|{_ENTITY}|{_CDATA})*+)</\1\s*>)", re.ASCII
)
_TAIL = re.compile(r"\s*</xml\s*>\s*", re.ASCII)
_PIECE = re.compile(rf"({_CDATA})|({_ENTITY})", re.ASCII)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


def parse(body: bytes) -> dict[str, str]:
    """Read ``<xml>`` with one level of unique fields: text, the five named entities, numbers, CDATA; at most 64 KiB.

    No DOCTYPE, entity declarations, comments, attributes, processing instructions or deeper elements: they are refused
    before anything is expanded. Other encodings than UTF-8 are refused.

    Raises:
        UnreadableNotice: for everything else.
    """
    if len(body) > CAP_BYTES:
        raise UnreadableNotice(why="it is too large")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableNotice(why="it is not UTF-8") from error
    head = _HEAD.match(text)
    if head is None or _FORBIDDEN.search(text):
        raise UnreadableNotice(why="it is not the XML we speak")
    fields: dict[str, str] = {}
    at = head.end()
    while found := _FIELD.match(text, at):
        name, value = found.group(1), found.group(2) or ""
        if name in fields:
            raise UnreadableNotice(why="a field comes twice")
        fields[name] = _PIECE.sub(_piece, value)
        at = found.end()
    if not _TAIL.fullmatch(text, at):
        raise UnreadableNotice(why="it is not the XML we speak")
    return fields


def _piece(found: re.Match[str]) -> str:
    cdata, entity = found.groups()
    if cdata:
        return str(cdata[9:-3])
    name = entity[1:-1]
    if not name.startswith("#"):
        return _NAMED[name]
    number = int(f"0{name[1:]}", 16) if name[1] == "x" else int(name[1:])
    character = chr(number) if number <= 0x10FFFF else "\x00"
    if _FORBIDDEN.search(character):
        raise UnreadableNotice(why="it names a character that XML does not know")
    return character


def render(fields: Mapping[str, str]) -> bytes:
    """Return the fields as XML."""
    inner = "".join(f"<{name}>{_escape(value)}</{name}>" for name, value in fields.items())
    return f"<xml>{inner}</xml>".encode()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _why(body: bytes) -> str:
    try:
        fields = parse(body)
    except UnreadableNotice:
        return "no readable answer"
    return (fields.get("err_code") or fields.get("return_msg") or fields.get("retmsg") or "refused")[:64]


# --- bill -------------------------------------------------------------------------------------------------------------

NO_BILL = ("NO_BILL_EXIST", "No Bill Exist")
"""What a day without movements answers."""
_YUAN = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,2}))?")


def read_bill(file: BinaryIO) -> Iterator[Bill]:
    """Read a downloaded bill: Chinese column names, back-ticks, amounts in yuan, two totals lines at the end.

    Column names as several client libraries list them; the file itself was not seen. A row that cannot be read becomes
    a defect of the bill, never a silent gap.

    Raises:
        BillUnavailable: if it is no such file at all.
    """
    encoding = "utf-8" if bills.is_utf8(file) else "gb18030"
    reader = bills.Reader(_bill_line)
    held: tuple[int, str] | None = None
    tail = ""
    for number, row in bills.rows(file, encoding, errors="replace"):
        if not row.strip():
            continue
        if not reader.header:
            if "商户订单号" not in row:
                break
            reader.header = [name.strip("` ") for name in row.split(",")]
            continue
        if held is not None:  # The totals' values have back-ticks too: of what has them, the last may be those.
            yield from reader.take(held[0], _values(held[1]))
        held = (number, row) if row.startswith("`") else None
        tail = tail if held else row
    if not reader.header:
        raise BillUnavailable(why="its header is unknown")
    totals: dict[str, str] = {}
    if held is not None and tail:
        totals = dict(zip(tail.split(","), _values(held[1], strip=False), strict=False))
    elif held is not None:
        yield from reader.take(held[0], _values(held[1]))
    yield reader.rest(totals, _check_totals(reader.taken, totals.get("总交易单数", "")))


def _check_totals(rows: int, said: str) -> list[str]:
    if not re.fullmatch(r"[0-9]{1,9}(\.0{1,2})?", said):
        return ["the totals are missing: the file may be cut off"]
    return [] if int(float(said)) == rows else [f"the totals speak of {int(float(said))} lines, there are {rows}"]


def _values(row: str, *, strip: bool = True) -> list[str]:
    values = row.removeprefix("`").split(",`")
    return [value.strip() for value in values] if strip else values


def _bill_line(number: int, row: Mapping[str, str]) -> BillLine:
    currency = row.get("货币种类") or "CNY"
    refund = bool(row.get("商户退款订单号") or row.get("QQ钱包退款订单号"))
    when = (row.get("退款成功时间") or row.get("退款提交时间") or "") if refund else row["交易时间"]
    return BillLine(
        kind=BillKind.REFUND if refund else BillKind.PAYMENT,
        payment_id=row["商户订单号"],
        transaction_id=row["QQ钱包订单号"],
        amount=Money(_minor(row["退款金额"] if refund else row["订单金额"]), currency),
        fee_text=row.get("手续费金额", ""),
        at=_moment(re.sub(r"[-: /T]", "", when)),
        status=row["退款状态"] if refund else row["交易状态"],
        refund_id=row["商户退款订单号"] if refund else "",
        provider_refund_id=row["QQ钱包退款订单号"] if refund else "",
        settled=_share(row, "商户应收金额", currency, refund=refund),
        borne=_share(row, "商户优惠金额", currency, refund=refund),
        line=number,
    )


def _share(row: Mapping[str, str], name: str, currency: str, *, refund: bool) -> Money | None:
    """Return what the seller gets, or bears; a refund's line only repeats that of its payment."""
    text = row.get(name, "")
    return Money(_minor(text), currency) if text and not refund else None


def _minor(text: str) -> int:
    found = _YUAN.fullmatch(text)
    if found is None:
        raise ValueError("not an amount in yuan")
    return int(found.group(1)) * 100 + int((found.group(2) or "0").ljust(2, "0"))


# --- QQ mini programs paying through WeChat --------------------------------------------------------------------------

RELAY_URL = "https://api.q.qq.com"
RELAY_SIGNED_PATH = "/v3/pay/transactions/h5"
Authorize = Callable[[str, str, bytes], str]
"""(method, path, body) -> the ``Authorization`` header that a WeChat Pay v3 merchant signs."""


def relay_token_request(appid: str, app_secret: str) -> outbound.Request:
    """Return the request for the ``access_token`` that the relay wants. Never log its URL: the secret is in it."""
    query = urlencode({"grant_type": "client_credential", "appid": appid, "secret": app_secret})
    return outbound.Request("GET", f"{RELAY_URL}/api/getToken?{query}")


def relay_request(
    *,
    appid: str,
    access_token: str,
    h5_order: bytes,
    real_notify_url: str,
    authorize: Authorize,
    signed_path: str = RELAY_SIGNED_PATH,
) -> outbound.Request:
    """Return the request that creates a WeChat H5 order from inside a QQ mini program, as far as it is documented.

    ``h5_order`` is the JSON body of WeChat Pay v3's H5 order; QQ passes it on, and WeChat's notice comes back through
    QQ to ``real_notify_url``. Only the order and the notice take this way: query, close and refund go to WeChat
    itself. In the client, ``qq.requestWxPayment`` takes the ``h5_url`` of the answer.

    [?] Which path the ``Authorization`` signs is stated nowhere: WeChat's own (``signed_path``'s default) or the
    relay's with ``/wxpay`` in front. Ask QQ before relying on it; nothing in this shop calls it yet.
    """
    query = urlencode({"appid": appid, "access_token": access_token, "real_notify_url": real_notify_url})
    return outbound.Request(
        "POST",
        f"{RELAY_URL}/wxpay/v3/pay/transactions/h5?{query}",
        headers={
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Authorization": authorize("POST", signed_path, h5_order),
        },
        body=h5_order,
    )
