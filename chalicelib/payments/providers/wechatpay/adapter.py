"""WeChat Pay API v3: native, JSAPI, mini program, H5 and app payments of one merchant.

What it says byte for byte stands in ``wire``, what its words mean in ``codes``, how it is told of an order in
``creating``, how it is called in ``calls``. Documented, with
everything that is open, in ``docs/providers/wechatpay.md``.
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
from chalicelib.payments import ports
from chalicelib.payments.domain.bill import Bill, BillUnavailable, whole
from chalicelib.payments.ports import (
    Ack,
    Action,
    Attempt,
    CloseOutcome,
    Instruction,
    MethodInfo,
    NoticeRefused,
    Outcome,
    RefundOutcome,
    Report,
)
from chalicelib.payments.providers._shared import bills, reading, replay
from chalicelib.payments.providers.wechatpay import bill as wechatpay_bill
from chalicelib.payments.providers.wechatpay import codes as wechatpay_codes
from chalicelib.payments.providers.wechatpay import creating as wechatpay_creating
from chalicelib.payments.providers.wechatpay import wire as wechatpay_wire
from chalicelib.payments.providers.wechatpay.calls import OK, Calls, segment

_ASK_AGAIN = {
    "SYSTEM_ERROR",
    "FREQUENCY_LIMITED",
    "RATELIMIT_EXCEEDED",
    "BIZERR_NEED_RETRY",
    "BANK_ERROR",
    "SIGN_ERROR",
}
_CLOSES = {
    "ORDER_PAID": CloseOutcome.CAPTURED,
    "ORDER_CLOSED": CloseOutcome.CLOSED,
    "ORDER_NOT_EXIST": CloseOutcome.ABSENT,
}


def build(configuration: Mapping[str, Any] | None = None) -> WechatPay:
    """Return the adapter; without a configuration it reads the secret ``payments-wechatpay`` at each use.

    Raises:
        Misconfigured: if a configuration is given and it is incomplete.
    """
    return WechatPay(None if configuration is None else wechatpay_wire.settings(configuration))


def verify(
    headers: ports.Headers,
    body: ports.Body,
    *,
    configuration: Mapping[str, Any] | None = None,
    now: ports.Moment | None = None,
) -> ports.Notice:
    """Authenticate and read a recorded request, as of ``now``. A configuration needs no ``merchant_keys`` for it.

    Raises:
        NoticeRefused: one of its subclasses.
        Misconfigured: if the configuration lacks something that verifying needs.
    """
    told = None if configuration is None else wechatpay_wire.settings(configuration, to_call=False)
    return replay.replay(WechatPay(told).verify, headers, body, now)


def diagnose(configuration: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Say in words what the configuration lacks, for ``doctor``; nothing if it is complete. Calls nobody."""
    try:
        settings = build(configuration).settings
    except Misconfigured as error:
        return (str(error.params.get("why", error)),)
    said: list[str] = []
    now = clock.now()
    for serial, key in settings.platform_keys.items():
        if not key.is_valid(now):
            said.append(f"the platform certificate {serial} is not valid now")
        elif key.not_after and key.not_after - now < timedelta(days=30):
            said.append(ports.Advice(f"the platform certificate {serial} ends on {key.not_after:%Y-%m-%d}"))
        if key.is_of(settings.signing_pem):
            said.append(f"platform_keys: {serial} is the merchant's own key; WeChat Pay's is wanted")
    if not settings.sealing_serial:
        said.append(ports.Advice("no public key (PUB_KEY_ID_...) is configured; new merchants have nothing else"))
    if any(len(key) != 32 for key in settings.apiv3_keys):
        said.append(ports.Advice("an APIv3 key is not 32 bytes long; only the local stage takes it"))
    if not re.fullmatch("[0-9]{8,10}", settings.mchid):
        said.append(ports.Advice("mchid is not a number of about ten digits"))
    return tuple(said)


class WechatPay(Calls):
    """The adapter. Keeps no state."""

    name = "wechatpay"
    enabled = True
    methods = tuple(wechatpay_creating.PATHS)
    title = ("WeChat Pay", "微信支付")
    shown = MappingProxyType(
        {
            "native": MethodInfo("Scan with WeChat", "微信扫码支付", Action.QR),
            "jsapi": MethodInfo("Inside WeChat", "微信内支付", Action.PARAMS, ("payer",)),
            "mini": MethodInfo("WeChat mini program", "微信小程序支付", Action.PARAMS, ("payer",)),
            "h5": MethodInfo("Mobile browser", "微信H5支付", Action.REDIRECT),
            "app": MethodInfo("App", "微信App支付", Action.PARAMS),
        }
    )
    currencies = frozenset({"CNY"})
    content_types = ("application/json",)
    limits = ports.Limits(
        refund_window=timedelta(days=365), max_refunds=50, refund_interval=timedelta(minutes=1), notices_prove=True
    )
    for_tests_only = False

    # What we ask.

    def create(self, payment: ports.PaymentOrder) -> Instruction:
        """Create the order; the same order again repeats the very same parameters, as WeChat demands."""
        lacks = wechatpay_creating.lacks(payment)
        if lacks:
            return Instruction(Outcome.FAILED, code=lacks)
        wanted = wechatpay_creating.creation(self.settings, payment)
        answer = self.call("POST", wechatpay_creating.PATHS[payment.method], wanted)
        if answer.status in OK:
            return wechatpay_creating.instruction(self.settings, payment, answer.data)
        dead = answer.refused and answer.code in wechatpay_creating.DEAD
        return Instruction(Outcome.FAILED if dead else Outcome.UNKNOWN, code=answer.code)

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of it."""
        path = f"/v3/pay/transactions/out-trade-no/{segment(attempt.payment_id)}?mchid={segment(self.settings.mchid)}"
        answer = self.call("GET", path)
        if answer.status == 404 and answer.code == "ORDER_NOT_EXIST":
            return Report(Outcome.ABSENT, code=answer.code)
        if answer.status not in OK:
            return Report(Outcome.UNKNOWN, code=answer.code)
        try:
            self._must_be_ours("", answer.data, appid_expected=False)  # An order in flight outlives a change of apps.
            if answer.data.get("out_trade_no") != attempt.payment_id:
                return Report(Outcome.UNKNOWN, code="other_order")
            return wechatpay_codes.report(answer.data)
        except (NoticeRefused, ValueError, KeyError, TypeError) as refusal:
            return Report(Outcome.UNKNOWN, code=getattr(refusal, "code", "unreadable_answer"))

    def close(self, attempt: Attempt) -> CloseOutcome:
        """Make it unpayable; closing again is fine."""
        path = f"/v3/pay/transactions/out-trade-no/{segment(attempt.payment_id)}/close"
        answer = self.call("POST", path, {"mchid": self.settings.mchid})
        if answer.status in OK:
            return CloseOutcome.CLOSED
        return _CLOSES.get(answer.code, CloseOutcome.UNKNOWN) if answer.refused else CloseOutcome.UNKNOWN

    def refund(self, refund: ports.RefundOrder) -> ports.RefundReport:
        """Send money back. 200 means accepted: only the status says whether it moved."""
        if not reading.refund_fits(refund):
            return ports.RefundReport(RefundOutcome.FAILED, code="amount_unsupported")
        wanted = {
            "out_trade_no": refund.payment.payment_id,
            "out_refund_no": refund.refund_id,
            "reason": reading.cut_bytes(refund.reason, 80) or refund.refund_id,
            "notify_url": refund.notify_url,
            "amount": {
                "refund": refund.amount.minor,
                "total": refund.captured.minor,
                "currency": refund.amount.currency,
            },
        }
        answer = self.call("POST", "/v3/refund/domestic/refunds", wanted)
        if answer.status in OK:
            return wechatpay_codes.refund_answer(refund, answer.data)
        again = not answer.refused or answer.status in (401, 429) or answer.code in _ASK_AGAIN
        return ports.RefundReport(RefundOutcome.UNKNOWN if again else RefundOutcome.FAILED, code=answer.code)

    def query_refund(self, refund: ports.RefundOrder) -> ports.RefundReport:
        """Ask what became of a refund."""
        answer = self.call("GET", f"/v3/refund/domestic/refunds/{segment(refund.refund_id)}")
        if answer.status in OK:
            return wechatpay_codes.refund_answer(refund, answer.data)
        absent = answer.status == 404 and answer.code == "RESOURCE_NOT_EXISTS"
        return ports.RefundReport(RefundOutcome.ABSENT if absent else RefundOutcome.UNKNOWN, code=answer.code)

    def refund_abnormal(
        self,
        refund: ports.RefundOrder,
        provider_refund_id: str,
        *,
        bank_type: str = "",
        bank_account: str = "",
        real_name: str = "",
    ) -> ports.RefundReport:
        """Settle an abnormal refund: to the buyer's other card if one is named, else to the merchant's account.

        The card's number and holder are sealed with WeChat's public key; we neither keep nor log them.
        """
        path = f"/v3/refund/domestic/refunds/{segment(provider_refund_id)}/apply-abnormal-refund"
        wanted: dict[str, Any] = {"out_refund_no": refund.refund_id, "type": "MERCHANT_BANK_CARD"}
        serial = ""
        if bank_account:
            account, serial = wechatpay_wire.seal(self.settings, bank_account)
            holder, _ = wechatpay_wire.seal(self.settings, real_name)
            wanted |= {
                "type": "USER_BANK_CARD",
                "bank_type": bank_type,
                "bank_account": account,
                "real_name": holder,
            }
        answer = self.call("POST", path, wanted, sealed_for=serial)
        if answer.status in OK:
            return wechatpay_codes.refund_answer(refund, answer.data)
        refused = answer.refused and answer.status not in (401, 429) and answer.code not in _ASK_AGAIN
        return ports.RefundReport(RefundOutcome.UNKNOWN, code=answer.code, refused=refused)

    def bill_parts(self, day: date, place: str = "") -> Iterator[Bill]:  # noqa: ARG002 - the file is fetched whole
        """Fetch the trade bill of a China day and yield it; an empty part if nothing was traded.

        Ready about ten the next morning. The file itself is not signed: its SHA-1 is, in the reply before it.

        Raises:
            BillUnavailable: if there is none yet, or what came cannot be trusted.
        """
        with bills.spool() as file:
            if self._fetch_bill(day, file):
                yield from wechatpay_bill.read_bill(file)
            else:
                yield Bill()

    def bill(self, day: date) -> Bill:
        """Fetch and read the trade bill of a China day as a whole.

        Raises:
            BillUnavailable: as :meth:`bill_parts`.
        """
        return whole(self.bill_parts(day))

    def _fetch_bill(self, day: date, into: BinaryIO) -> bool:
        answer = self.call("GET", f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL&tar_type=GZIP")
        if answer.refused and answer.code == "NO_STATEMENT_EXIST":
            return False
        if answer.status not in OK:
            raise BillUnavailable(why=answer.code)
        address = urlsplit(str(answer.data.get("download_url", "")))
        if not address.path.startswith("/v3/billdownload/"):
            raise BillUnavailable(why="its address is not WeChat Pay's")
        answered = self.send("GET", f"{address.path}?{address.query}", b"", {}, into=into)
        if isinstance(answered, str) or answered.status != 200:
            raise BillUnavailable(why=answered if isinstance(answered, str) else f"status {answered.status}")
        said = (answer.data.get("hash_type"), str(answer.data.get("hash_value")).lower())
        if said != ("SHA1", bills.sha1(into)):
            raise BillUnavailable(why="the file's SHA-1 is another")
        return True

    def platform_certificates(self) -> dict[str, str]:
        """Fetch the platform certificates, PEM by serial, for the configuration; never in a request's path.

        Each is trusted because the APIv3 key opened it; the reply's signature is then checked with one of them.

        Raises:
            NoticeRefused: if they cannot be trusted or fetched.
        """
        answered = self.send("GET", "/v3/certificates", b"", {})
        if isinstance(answered, str) or answered.status != 200:
            raise ports.UnreadableNotice(why=answered if isinstance(answered, str) else f"status {answered.status}")
        found = wechatpay_wire.platform_certificates(self.settings.apiv3_keys, answered.body)
        trusted = wechatpay_wire.with_platform_keys(self.settings, found)
        wechatpay_wire.authenticate(trusted, answered.headers, answered.body)
        return found

    def fetch_keys(self) -> list[dict[str, str]]:
        """Fetch the platform certificates, as the secret lists them; none where this merchant is not to fetch any.

        Raises:
            NoticeRefused: as :meth:`platform_certificates`.
        """
        if not self.settings.fetches_keys:
            return []
        return [{"serial": serial, "pem": pem} for serial, pem in sorted(self.platform_certificates().items())]

    # What we are told.

    def verify(self, headers: Mapping[str, str], body: bytes) -> ports.Notice:
        """Authenticate the raw bytes of a notice and read it. No write, no call out.

        Raises:
            NoticeRefused: one of its subclasses.
        """
        if len(body) > reading.NOTICE_CAP_BYTES:
            raise ports.UnreadableNotice(why="it is too large")
        self._authenticate(ports.lower(headers), body)
        try:
            envelope = reading.strict_json(body.decode())
            notice_id, event = envelope["id"], envelope["event_type"]
            sealed = envelope["resource"]
        except (ValueError, KeyError, TypeError) as error:
            raise ports.UnreadableNotice(why="malformed envelope") from error
        if not isinstance(notice_id, str) or not isinstance(event, str):
            raise ports.UnreadableNotice(why="malformed envelope")
        plain = wechatpay_wire.open_resource(self.settings.apiv3_keys, sealed)
        try:
            data = reading.strict_json(plain.decode())
            return self._notice(notice_id, event, data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ports.UnreadableNotice(why="malformed content") from error

    def _authenticate(self, headers: Mapping[str, str], body: bytes) -> None:
        """Authenticate a notice. A serial that we do not know is told as that only where the rest may be genuine."""
        try:
            wechatpay_wire.authenticate(self.settings, headers, body)
        except ports.UnknownKey as unknown:
            key = self.settings.platform_keys.get(wechatpay_wire.normalised(headers["wechatpay-serial"]))
            if key is None and not wechatpay_wire.may_be_genuine(self.settings, headers, body):
                raise ports.BadSignature(why="neither signed nor sealed by WeChat Pay") from unknown
            raise

    def _notice(self, notice_id: str, event: str, data: Mapping[str, Any]) -> ports.Notice:
        if event == "TRANSACTION.SUCCESS":
            self._must_be_ours(notice_id, data)
            return wechatpay_codes.capture(notice_id, data)
        if event in wechatpay_codes.REFUND_EVENTS:
            self._must_be_ours(notice_id, data, appid_expected=False)
            return wechatpay_codes.returned(notice_id, event, data)
        if "mchid" in data:  # Other families name the merchant otherwise; our APIv3 key opened it, so it is ours.
            self._must_be_ours(notice_id, data, appid_expected=False)
        number = data.get("out_trade_no") if isinstance(data, dict) else None
        raise ports.IgnoredNotice(
            why="an event we do not act on",
            event=event,
            notice_id=notice_id,
            payment_id=number if isinstance(number, str) else "",
        )

    def acknowledge(self, ack: Ack) -> ports.Reply:
        """Return 204, or a refusal in WeChat's form; it must come within 5 seconds."""
        if ack is Ack.ACCEPTED:
            return 204, {}, ""
        body = reading.compact_json({"code": "FAIL", "message": "失败" if ack is Ack.RETRY else "验签失败"})
        return 401 if ack is Ack.REFUSED else 503, {"Content-Type": "application/json"}, body

    def _must_be_ours(self, notice_id: str, data: Mapping[str, Any], *, appid_expected: bool = True) -> None:
        about = {"payment_id": data.get("out_trade_no", ""), "notice_id": notice_id}
        if data.get("mchid") != self.settings.mchid:
            raise ports.ForeignNotice(why="of another merchant", **about)
        if appid_expected and data.get("appid") not in self.settings.apps.values():
            raise ports.ForeignNotice(why="of another app", ours=True, **about)
