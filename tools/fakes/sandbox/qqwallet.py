"""QQ Wallet's other end: unified order, query, close, refund, refund query and bill, strict about what we send.

It reads XML with the standard library's parser and signs with code of its own, so that a mistake of the adapter is not
repeated here. What public sources do not establish (error codes above all) is marked ``[?]`` in
``docs/providers/qqwallet.md``; the words used here are those of WeChat Pay v2, on which QQ Wallet was modelled.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

from tools.fakes.sandbox.core import (
    Answer,
    Order,
    Refund,
    order_of,
    order_row,
    refund_row,
    shelf_of_orders,
    shelf_of_refunds,
)
from tools.fakes.sandbox.dialect import COUPON_FEN
from tools.fakes.sandbox.shelf import in_hand, newest, of
from tools.fakes.sandbox.stand_in import (
    CERTIFICATE_HEADER,
    EVERYBODY_KNOWS,
    NEW_EVENT,
    StandIn,
    Steering,
    fingerprint,
    pick,
)

HOSTS = ("qpay.qq.com", "api.qpay.qq.com")
_CHINA = timezone(timedelta(hours=8))
_NUMBER = re.compile(r"[0-9A-Za-z_]{1,32}")
_YEAR_S = 365 * 86400
_COLUMNS = (
    "交易时间,商户号,商户APPID,子商户号,子商户APPID,用户标识,设备号,支付方式,商户订单号,QQ钱包订单号,付款银行,货币种类,订单金额,"
    "商户优惠金额,商户应收金额,QQ钱包优惠金额,用户支付金额,交易状态,退款提交时间,商户退款订单号,QQ钱包退款订单号,退款金额,"
    "退还QQ钱包优惠金额,退款状态,退款成功时间,退款方式,商品名称,商户数据包,手续费金额,费率"
)
_TOTALS = "总交易单数,总交易额,总退款金额,总手续费金额"
_STATES = {"pending": "NOTPAY", "paid": "SUCCESS", "closed": "CLOSED"}
_REFUND_STATES = {
    "pending": "PROCESSING",
    "succeeded": "SUCCESS",
    "failed": "FAIL",
    "closed": "FAIL",
    "abnormal": "CHANGE",
    "unsure": "NOTSURE",
}
Fields = dict[str, str]


@dataclass(frozen=True)
class Keys:
    """What QQ Wallet and the merchant both hold."""

    mch_id: str = "1900000109"
    appid: str = "1104606907"
    key: str = "local-qqwallet-key-0123456789abcd"
    previous_key: str = ""
    """Still taken from us while a key is rolled."""
    sign_type: str = "MD5"
    op_user_id: str = "1900000109"
    op_user_password: str = "local-operator"  # noqa: S105
    certificate: str = "local-qqwallet-certificate"


class Refused(Exception):
    """A business refusal with its code."""


@dataclass
class QQWallet(StandIn):
    """The provider's whole state. ``discount`` is what a coupon takes off the buyer's price, never off the order's."""

    keys: Keys = field(default_factory=Keys)
    orders: dict[str, Order] = field(default_factory=shelf_of_orders)
    refunds: dict[str, Refund] = field(default_factory=shelf_of_refunds)
    discount: int = 0

    title: ClassVar[tuple[str, str]] = ("QQ Wallet", "QQ 钱包")
    knows: ClassVar[frozenset[str]] = EVERYBODY_KNOWS | frozenset(
        ["other_app", "unknown_key", "notice_currency", "answer_amount", "broken"]
    )
    outcomes: ClassVar[Sequence[str]] = ("succeeded", "pending", "failed", "abnormal")

    # --- calls --------------------------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call."""
        with self._lock:
            if not path.startswith("/cgi-bin/"):
                return self._open(method, path, body)
            heads = {name.lower(): value for name, value in headers.items()}
            route = {
                "/cgi-bin/pay/qpay_unified_order.cgi": ("create", self._create),
                "/cgi-bin/pay/qpay_order_query.cgi": ("query", self._query),
                "/cgi-bin/pay/qpay_close_order.cgi": ("close", self._close),
                "/cgi-bin/pay/qpay_refund.cgi": ("refund", self._refund),
                "/cgi-bin/pay/qpay_refund_query.cgi": ("query_refund", self._query_refund),
                "/cgi-bin/sp_download/qpay_mch_statement_down.cgi": ("bill", self._bill),
            }.get(path)
            if method != "POST" or route is None:
                return 404, {"content-type": "text/html"}, b"not found"
            operation, act = route
            complaint, fields = self._read(heads, body)
            if not complaint and operation == "refund":
                complaint = self._refund_complaint(heads, fields)
            if complaint:
                self.refusals.append(f"{operation}: {complaint}")
                return _xml({"return_code": "FAIL", "return_msg": complaint})
            return self._operate(operation, fields, act)

    def _read(  # noqa: PLR0911 - one line a complaint
        self, headers: Mapping[str, str], body: bytes
    ) -> tuple[str, Fields]:
        """Return what is wrong with a call, and its fields."""
        if not headers.get("content-type", "").startswith(("text/xml", "application/xml")):
            return "content type", {}
        try:
            root = ET.fromstring(body.decode())  # noqa: S314 - our own side's words
        except (ET.ParseError, ValueError):
            return "XML", {}
        fields: Fields = {}
        for child in root:
            if len(child) or child.attrib or child.tag in fields:
                return f"field {child.tag}", {}
            fields[child.tag] = child.text or ""
        if root.tag != "xml" or any(value == "" for value in fields.values()):
            return "an empty field", {}
        if fields.get("mch_id") != self.keys.mch_id or fields.get("appid") != self.keys.appid:
            return "mch_id or appid", {}
        if not 1 <= len(fields.get("nonce_str", "")) <= 32:
            return "nonce_str", {}
        if fields.get("sign_type", "MD5") != self.keys.sign_type:
            return "sign_type", {}
        accepted = [key for key in (self.keys.key, self.keys.previous_key) if key]
        if fields.get("sign") not in [self.sign(fields, key) for key in accepted]:
            return "sign", {}
        return "", fields

    def _refund_complaint(self, headers: Mapping[str, str], fields: Fields) -> str:
        if headers.get(CERTIFICATE_HEADER) != fingerprint(self.keys.certificate):
            return "client certificate"
        password = hashlib.md5(self.keys.op_user_password.encode(), usedforsecurity=False).hexdigest()
        if (fields.get("op_user_id"), fields.get("op_user_passwd")) != (self.keys.op_user_id, password):
            return "operator"
        return ""

    def _operate(self, operation: str, fields: Fields, act: Callable[[Fields], Fields | bytes]) -> Answer:
        number = fields.get("out_trade_no", "")
        refund = self.refunds.get(fields.get("out_refund_no", ""))
        number = number or (refund.out_trade_no if refund else fields.get("out_refund_no", "bill"))
        self._before(operation, number)
        if self._once(number, "broken", operation):
            return self._answer({"result_code": "FAIL", "err_code": "SYSTEMERROR"})
        try:
            if operation in self.steering(number).refuse:
                raise Refused("PARAM_ERROR")
            answered = act(fields)
        except Refused as refused:
            answered = {"result_code": "FAIL", "err_code": str(refused), "err_code_des": "refused"}
        self._after(operation, number)
        if isinstance(answered, bytes):
            return 200, {"content-type": "text/plain"}, answered
        return self._answer({"result_code": "SUCCESS", **answered}, wrong=self._once(number, "unsigned", operation))

    def _answer(self, fields: Fields, *, wrong: bool = False) -> Answer:
        whole = {
            "return_code": "SUCCESS",
            "return_msg": "OK",
            "mch_id": self.keys.mch_id,
            "appid": self.keys.appid,
            "nonce_str": f"{self.chance.getrandbits(64):016x}",
            **fields,
        }
        return _xml({**whole, "sign": self.sign(whole, "another key" if wrong else self.keys.key)})

    def sign(self, fields: Mapping[str, Any], key: str) -> str:
        """Sign as the provider documents it."""
        text = ""
        for name in sorted(fields):
            if name != "sign" and str(fields[name]):
                text += f"{name}={fields[name]}&"
        text += "key=" + key
        if self.keys.sign_type == "HMAC-SHA256":
            return hmac.digest(key.encode(), text.encode(), "sha256").hex().upper()
        return hashlib.new("md5", text.encode(), usedforsecurity=False).hexdigest().upper()

    def rotate(self, key: str, *, overlap: bool = True) -> None:
        """Sign with a new key from now on; in the overlap the one before is still taken from the merchant."""
        self.keys = replace(self.keys, key=key, previous_key=self.keys.key if overlap else "")

    def turn_keys(self, *, overlap: bool) -> None:
        """Sign with a fresh key; see ``StandIn``."""
        self.rotate(f"local-qqwallet-key-{self._next():013d}", overlap=overlap)

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """Return the secret of a merchant who holds all the right keys."""
        return {
            "mch_id": self.keys.mch_id,
            "appid": self.keys.appid,
            "keys": [key for key in (self.keys.key, self.keys.previous_key) if key],
            "sign_type": self.keys.sign_type,
            "op_user_id": self.keys.op_user_id,
            "op_user_password": self.keys.op_user_password,
            "certificate": self.keys.certificate,
            "private_key": "local-private-key",
            **changes,
        }

    def listing(self) -> list[dict[str, Any]]:
        """Return the orders as people want to see them."""
        return [order_row(order) for order in self.orders.values()]

    def row(self, number: str) -> dict[str, Any] | None:
        """Return one of them."""
        order = self.orders.get(number)
        return order_row(order) if order is not None else None

    def latest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest of them."""
        return [order_row(order) for order in newest(self.orders, count)]

    def refund_listing(self) -> list[dict[str, Any]]:
        """Return the refunds as people want to see them."""
        return [refund_row(refund) for refund in self.refunds.values()]

    def refund_row(self, number: str) -> dict[str, Any] | None:
        """Return one of them."""
        refund = self.refunds.get(number)
        return refund_row(refund) if refund is not None else None

    def latest_refunds(self, count: int) -> list[dict[str, Any]]:
        """Return the newest of them."""
        return [refund_row(refund) for refund in newest(self.refunds, count)]

    def refunds_of(self, number: str) -> list[dict[str, Any]]:
        """Return those of one order."""
        return [refund_row(refund) for refund in of(self.refunds, number, order_of)]

    def pending_refunds(self) -> dict[str, str]:
        """Return those that have not come to their end, each with its order."""
        return {r.out_refund_no: r.out_trade_no for r in in_hand(self.refunds) if r.state == "pending"}

    # --- operations ---------------------------------------------------------------------------------------------------

    def _create(self, fields: Fields) -> Fields:
        number = fields.get("out_trade_no", "")
        if (
            not _NUMBER.fullmatch(number)
            or not re.fullmatch(r"[1-9][0-9]{0,12}", fields.get("total_fee", ""))
            or fields.get("fee_type") != "CNY"
            or fields.get("trade_type") not in ("NATIVE", "JSAPI", "MINIAPP", "APP")
            or not 1 <= len(fields.get("body", "").encode()) <= 128
            or not re.fullmatch(r"[0-9.]{7,15}", fields.get("spbill_create_ip", ""))
            or not re.fullmatch(r"https?://[^?#\s]{1,240}", fields.get("notify_url", ""))
        ):
            raise Refused("PARAM_ERROR")
        start, end = _china(fields.get("time_start", "")), _china(fields.get("time_expire", ""))
        if end is None or start is None or end <= start:
            raise Refused("PARAM_ERROR")
        order = self.orders.get(number)
        if order is None:
            order = Order(number, int(fields["total_fee"]), "CNY", fields["notify_url"], "", int(end))
            self.orders[number] = order
        elif order.amount != int(fields["total_fee"]):
            raise Refused("OUT_TRADE_NO_USED")
        elif order.state != "pending":
            raise Refused({"paid": "ORDERPAID"}.get(order.state, "ORDERCLOSED"))
        order.creates += 1
        answered = {
            "trade_type": fields["trade_type"],
            "prepay_id": f"6V{int(hashlib.sha256(number.encode()).hexdigest()[:12], 16):015d}",
        }
        if fields["trade_type"] == "NATIVE":
            answered["code_url"] = self.cashier_url(number) or f"https://qpay.qq.com/qr/{number[-12:]}"
        return answered

    def _order(self, fields: Fields) -> Order:
        theirs = fields.get("transaction_id", "")
        found = of(self.orders, theirs, lambda order: order.transaction_id) if theirs else []
        order = found[0] if found else self.orders.get(fields.get("out_trade_no", ""))
        if order is None:
            raise Refused("ORDERNOTEXIST")
        return order

    def _query(self, fields: Fields) -> Fields:
        order = self._order(fields)
        view = self._view(order)
        if order.state == "paid":
            wrong = self.steering(order.out_trade_no).answer_amount
            if wrong is not None:
                view["total_fee"] = str(wrong)
            if order.refunded:
                view["trade_state"] = "REFUND"
        return view

    def _view(self, order: Order) -> Fields:
        view = {"out_trade_no": order.out_trade_no, "trade_state": _STATES[order.state], "trade_state_desc": "-"}
        if order.state == "paid":
            view |= {
                "transaction_id": order.transaction_id,
                "trade_type": "NATIVE",
                "bank_type": "BALANCE",
                "fee_type": order.paid_currency,
                "total_fee": str(order.paid_amount),
                "cash_fee": str(order.paid_amount - self.discount),
                "coupon_fee": str(self.discount),
                "time_end": _stamp(order.paid_at or 0),
                "openid": "0123456789ABCDEF0123456789ABCDEF",
            }
        return view

    def _close(self, fields: Fields) -> Fields:
        order = self._order(fields)
        if order.state == "pending" and self.steering(order.out_trade_no).pay_during_close:
            self.pay(order.out_trade_no)
        if order.state == "paid":
            raise Refused("ORDERPAID")
        order.state = "closed"
        return {}

    def _refund(self, fields: Fields) -> Fields:
        order = self._order(fields)
        number, fee = fields.get("out_refund_no", ""), fields.get("refund_fee", "")
        if not _NUMBER.fullmatch(number) or not re.fullmatch(r"[1-9][0-9]{0,12}", fee):
            raise Refused("PARAM_ERROR")
        if order.state != "paid" or self.now() - (order.paid_at or 0) > _YEAR_S:
            raise Refused("TRADE_STATE_ERROR")
        refund = self.refunds.get(number)
        if refund is not None and (refund.out_trade_no, refund.amount) != (order.out_trade_no, int(fee)):
            raise Refused("PARAM_ERROR")
        if refund is None or refund.state in ("failed", "closed", "unsure"):
            if order.refunded + int(fee) > order.paid_amount:
                raise Refused("REFUND_FEE_MISMATCH")
            refund = refund or Refund(
                number, order.out_trade_no, int(fee), "CNY", f"{self._next():028d}", order.notify_url, "pending"
            )
            self.refunds[number] = refund
            order.refunded += refund.amount
            self._settle(refund, self.steering(order.out_trade_no).refund)
        refund.calls += 1
        return {
            "out_trade_no": order.out_trade_no,
            "transaction_id": order.transaction_id,
            "out_refund_no": number,
            "refund_id": refund.refund_id,
            "refund_fee": str(refund.amount),
            "total_fee": str(order.paid_amount),
        }

    def _query_refund(self, fields: Fields) -> Fields:
        refund = self.refunds.get(fields.get("out_refund_no", ""))
        if refund is None:
            raise Refused("REFUNDNOTEXIST")
        order = self.orders[refund.out_trade_no]
        return {
            "out_trade_no": order.out_trade_no,
            "transaction_id": order.transaction_id,
            "total_fee": str(order.paid_amount),
            "refund_count": "1",
            "out_refund_no_0": refund.out_refund_no,
            "refund_id_0": refund.refund_id,
            "refund_channel_0": "ORIGINAL",
            "refund_fee_0": str(refund.amount),
            "refund_status_0": _REFUND_STATES[refund.state],
        }

    # --- what people do -----------------------------------------------------------------------------------------------

    def pay(self, number: str, *, amount: int | None = None, currency: str | None = None) -> Order:
        """Let the buyer pay.

        Raises:
            KeyError: if there is no such order.
            ValueError: if it is closed or paid.
        """
        with self._lock:
            order = self.orders[number]
            if order.state != "pending":
                raise ValueError(f"the order is {order.state}")
            order.state = "paid"
            order.paid_amount = order.amount if amount is None else amount
            order.paid_currency = currency or order.currency
            order.transaction_id = f"{self.keys.mch_id}{self._next():018d}"[:28]
            order.paid_at = int(self.now())
            content = self._view(order)
            steering = self.steering(number)
            if steering.notice_amount is not None:
                content["total_fee"] = str(steering.notice_amount)
            if steering.notice_currency is not None:
                content["fee_type"] = steering.notice_currency
            self._notify(order.notify_url, number, dict(content))
            if steering.reorder:
                self._notify(order.notify_url, number, {"out_trade_no": number, "trade_state": "USERPAYING"})
            return order

    def pay_closed(self, number: str) -> Order:
        """Pay an order that was closed: what providers say cannot happen, and does."""
        with self._lock:
            self.orders[number].state = "pending"
            return self.pay(number)

    def settle(self, refund_no: str, state: str) -> Refund:
        """Let a pending refund come to its end."""
        with self._lock:
            refund = self.refunds[refund_no]
            self._settle(refund, state)
            return refund

    def _settle(self, refund: Refund, state: str) -> None:
        order = self.orders[refund.out_trade_no]
        if state in ("failed", "closed", "unsure") and refund.state not in ("failed", "closed", "unsure"):
            order.refunded -= refund.amount
        refund.state = state
        refund.refunded_at = int(self.now()) if state == "succeeded" else None

    def console_refund(self, number: str, amount: int) -> Refund:
        """Refund in the provider's console, under a number the shop never gave. Only the bill tells of it."""
        with self._lock:
            order = self.orders[number]
            serial = self._next()
            refund = Refund(
                f"console{serial:06d}", number, amount, "CNY", f"{serial:028d}", order.notify_url, "pending"
            )
            self.refunds[refund.out_refund_no] = refund
            order.refunded += amount
            self._settle(refund, "succeeded")
            return refund

    def money(self, number: str) -> tuple[int, int]:
        """Return what these books say was captured on an order, and what has gone back."""
        order = self.orders.get(number)
        back = [r.amount for r in of(self.refunds, number, order_of) if r.state == "succeeded"]
        return (order.paid_amount if order else 0), sum(back)

    # --- notices ------------------------------------------------------------------------------------------------------

    def worded(self, content: dict[str, Any], steering: Steering) -> dict[str, Any]:
        """Return what a notice says; its kind is the state it tells."""
        changed = {name: value for name, value in super().worded(content, steering).items() if name != "kind"}
        return {**changed, "trade_state": NEW_EVENT} if steering.unknown_event else changed

    def signed_notice(self, content: dict[str, Any], steering: Steering | None = None) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notice as they go out now. There is no time in it."""
        steering = steering or Steering()
        content = self.worded(content, steering)
        fields = {
            "mch_id": self.keys.mch_id + ("1" if steering.other_merchant else ""),
            "appid": self.keys.appid + ("1" if steering.other_app else ""),
            "nonce_str": f"{self.chance.getrandbits(64):016x}",
            **content,
        }
        fields["sign"] = self.sign(fields, "another key" if steering.unknown_key else self.keys.key)
        if steering.tamper:
            fields["total_fee"] = str(int(fields.get("total_fee", "0")) + 1)
        return {"content-type": "text/xml"}, _xml(fields)[2]

    # --- bill ---------------------------------------------------------------------------------------------------------

    def _bill(self, fields: Fields) -> Fields | bytes:
        day = fields.get("bill_date", "")
        if not re.fullmatch(r"[0-9]{8}", day) or fields.get("bill_type") not in ("ALL", "SUCCESS", "REFUND"):
            raise Refused("PARAM_ERROR")
        if _stamp(int(self.now()))[:8] <= day:
            raise Refused("BILL_CREATING")
        rows = self._bill_rows(day)
        if not rows:
            raise Refused("NO_BILL_EXIST")
        return self._bill_text(rows).encode("utf-8-sig")

    def _bill_rows(self, day: str) -> list[list[str]]:
        paid = [self._bill_row(order, None) for order in self.orders.values() if _on(day, order.paid_at)]
        back = [
            self._bill_row(self.orders[refund.out_trade_no], refund)
            for refund in self.refunds.values()
            if _on(day, refund.refunded_at)
        ]
        return paid + back

    def _bill_row(self, order: Order, refund: Refund | None) -> list[str]:
        borne = COUPON_FEN if "coupon" in self.bill_defects else 0
        paid = [
            _clock(order.paid_at or 0), self.keys.mch_id, self.keys.appid, "", "", "openid", "", "NATIVE",
            order.out_trade_no, order.transaction_id, "BALANCE", "CNY", _yuan(order.paid_amount), _yuan(borne),
            _yuan(order.paid_amount - borne), _yuan(self.discount), _yuan(order.paid_amount - borne - self.discount),
        ]  # fmt: skip
        if refund is None:
            return [*paid, "SUCCESS", "", "", "", "0.00", "0.00", "", "", "", "goods, and more", "", "0.05", "0.60%"]
        moment = _clock(refund.refunded_at or 0)
        return [
            *paid, "REFUND", moment, refund.out_refund_no, refund.refund_id, _yuan(refund.amount), "0.00", "SUCCESS",
            moment, "ORIGINAL", "goods, and more", "", "-0.05", "0.60%",
        ]  # fmt: skip

    def _bill_text(self, rows: list[list[str]]) -> str:
        """Write the bill, with the defects asked for."""
        defects = self.bill_defects
        count = len(rows)
        if "missing" in defects:
            del rows[pick(self.chance, rows)]
            count = len(rows)
        if "extra" in defects:
            stranger = list(rows[0])
            stranger[8], stranger[9] = "another_systems_order", f"{self._next():028d}"
            rows.append(stranger)
            count = len(rows)
        if "amount" in defects:
            row = rows[pick(self.chance, rows)]
            at = 21 if row[19] else 12  # What a refund moves, or what was paid.
            row[at] = _yuan(round(float(row[at]) * 100) + 1)
        lines = ["`" + ",`".join(row) for row in rows]
        if "duplicate" in defects:
            lines.append(lines[0])
            count += 1
        if "field" in defects:
            lines[pick(self.chance, lines)] = "`half a row,`"
        if "totals" in defects:
            count += 1
        return "\r\n".join([_COLUMNS, *lines, _TOTALS, f"`{count}.0,`0.00,`0.00,`0.00"]) + "\r\n"


def _xml(fields: Mapping[str, Any]) -> Answer:
    root = ET.Element("xml")
    for name, value in fields.items():
        ET.SubElement(root, name).text = str(value)
    return 200, {"content-type": "text/xml"}, ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _china(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=_CHINA).timestamp()
    except ValueError:
        return None


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(_CHINA).strftime("%Y%m%d%H%M%S")


def _on(day: str, seconds: int | None) -> bool:
    return seconds is not None and _stamp(seconds).startswith(day)


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(_CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"
