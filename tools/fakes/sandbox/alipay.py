"""Alipay's gateway, other end: ``handle`` answers as ``openapi.alipay.com`` does, ``tick`` posts its notices.

Written from the protocol, not from our adapter: it shares no code with ``payments/providers``. Orders of the methods
page, wap, app and QR do not exist here until a buyer opens them (``open``), as at Alipay.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from tools.fakes.sandbox import rsa
from tools.fakes.sandbox.core import Answer, Keys, Order, Steering
from tools.fakes.sandbox.dialect import CHINA, Dialect, Movement
from tools.fakes.sandbox.shelf import FILES, Shelf, keep_newest
from tools.fakes.sandbox.stand_in import EVERYBODY_KNOWS, NEW_EVENT

RETRIES_S = (240, 600, 600, 3600, 7200, 21600, 54000)
GATEWAY = "https://openapi.alipay.com/gateway.do"
_NUMBER = re.compile(r"[0-9A-Za-z_]{1,64}")
_YUAN = re.compile(r"\d{1,9}\.\d\d")
_OPENED = {
    "alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY",
    "alipay.trade.wap.pay": "QUICK_WAP_WAY",
    "alipay.trade.app.pay": "QUICK_MSECURITY_PAY",
}
_REASONS = {  # core's words -> Alipay's
    "INVALID_REQUEST": "ACQ.INVALID_PARAMETER",
    "INVALID_AMOUNT": "ACQ.INVALID_PARAMETER",
    "PARAMETERS_CHANGED": "ACQ.CONTEXT_INCONSISTENT",
    "ORDER_CLOSED": "ACQ.TRADE_HAS_CLOSE",
    "ORDER_NOT_EXIST": "ACQ.TRADE_NOT_EXIST",
    "ORDER_PAID": "ACQ.TRADE_STATUS_ERROR",
    "ORDER_NOT_PAID": "ACQ.TRADE_STATUS_ERROR",
    "REFUND_EXCEEDS": "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
    "REFUND_NOT_EXIST": "ACQ.TRADE_NOT_EXIST",
    "REFUSED": "ACQ.ACCESS_FORBIDDEN",
    "BALANCE": "ACQ.SELLER_BALANCE_NOT_ENOUGH",
    "DISCORDANT": "ACQ.DISCORDANT_REPEAT_REQUEST",
}


@dataclass(frozen=True)
class AlipayKey:
    """A key with which the stand-in signs; ``sn`` only in certificate mode."""

    seed: str
    pem: str
    sn: str = ""

    def entry(self) -> dict[str, str]:
        """Return the entry of ``alipay_keys``."""
        return {"pem": self.pem}


def plain_key(number: int = 1) -> AlipayKey:
    """Return a key of key mode."""
    seed = f"alipay platform {number}"
    return AlipayKey(seed, rsa.public_pem(seed))


def certified_key(number: int = 1, not_before: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> AlipayKey:
    """Return a key of certificate mode."""
    seed = f"alipay platform {number}"
    pem = rsa.certificate_pem(seed, not_before)
    return AlipayKey(seed, pem, certificate_sn(pem))


def certificate_sn(pem: str) -> str:
    """Return Alipay's number of a certificate: MD5 of the issuer's name, last part first, and the serial."""
    import hashlib

    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(pem.encode())
    issuer = certificate.issuer.rfc4514_string()  # Already most specific first.
    return hashlib.md5(f"{issuer}{certificate.serial_number}".encode(), usedforsecurity=False).hexdigest()


@dataclass
class Alipay(Dialect):
    """The gateway and the platform behind it, for one app."""

    keys: Keys = field(default_factory=lambda: Keys("2088531891668739", "", ""))
    """``merchant_id`` is the seller's."""
    app_id: str = "2019073166072302"
    app_seed: str = "alipay app 1"
    signing: list[AlipayKey] = field(default_factory=lambda: [plain_key()])
    """Keys in use; answers and notices are signed with one of them, by chance."""
    certificates: bool = False
    base_url: str = "https://openapi.alipay.com"
    offered: dict[str, dict[str, Any]] = field(default_factory=lambda: Shelf(dict[str, Any]))
    """What the shop handed to buyers that nobody has opened yet, by number."""
    scanned_at_once: bool = False
    """A buyer opens every QR code the moment it is made."""
    files: dict[str, bytes] = field(default_factory=dict)
    braces: bool = True
    """Texts hold braces and quotes, as people's names may: what counts braces cuts them wrongly."""

    title: ClassVar[tuple[str, str]] = ("Alipay", "支付宝")
    retries_s: ClassVar[Sequence[int]] = RETRIES_S
    knows: ClassVar[frozenset[str]] = EVERYBODY_KNOWS | {"other_app", "unknown_key", "no_signature", "charset"}
    outcomes: ClassVar[Sequence[str]] = ("succeeded", "pending", "failed")

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """Return what ``payments-alipay`` holds at the merchant."""
        key = {"pem": rsa.private_pem(self.app_seed)}
        told: dict[str, Any] = {
            "app_id": self.app_id,
            "seller_id": self.keys.merchant_id,
            "app_keys": [key],
            "alipay_keys": [entry.entry() for entry in self.signing],
        }
        if self.certificates:
            key["certificate"] = self._app_certificate()
            told["root_certificates"] = self._roots()
        return {**told, **changes}

    def rotate(self, key: AlipayKey, *, overlap: bool = True) -> AlipayKey:
        """Sign with another key too; without overlap, with it alone."""
        self.signing = [*self.signing, key] if overlap else [key]
        return key

    def turn_keys(self, *, overlap: bool) -> None:
        """Sign with a fresh key, of certificate mode where that is on; see ``StandIn``."""
        fresh = (certified_key if self.certificates else plain_key)(self._next() + 1)
        self.signing = [*self.signing[-1:], fresh] if overlap else [fresh]

    def _app_certificate(self) -> str:
        return rsa.certificate_pem(self.app_seed, datetime(2024, 1, 1, tzinfo=UTC))

    def _roots(self) -> str:
        made = datetime(2020, 1, 1, tzinfo=UTC)
        return "\n".join(rsa.certificate_pem(f"alipay root {n}", made, 7300) for n in (1, 2))

    # --- calls --------------------------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call; see ``core``."""
        url = urlsplit(path)
        if url.path == "/bill" and method == "GET":
            data = self.files.pop(url.query, None)
            return (200, {"content-type": "application/zip"}, data) if data else (403, {}, b"")
        if url.path != "/gateway.do":
            with self._lock:
                return self._open(method, path, body)
        with self._lock:
            self._operation, self._number, self._node = "", "", "error_response"
            text = url.query if method == "GET" else body.decode(errors="replace")
            form = dict(parse_qsl(text, keep_blank_values=True))
            refusal = self._unauthorised(form, {name.lower(): value for name, value in headers.items()}, method)
            if refusal:
                self.refusals.append(refusal)
                return self._answer({"code": "40002", "msg": "Invalid Arguments", "sub_code": refusal})
            self._node = form["method"].replace(".", "_") + "_response"
            return self._route(form, json.loads(form["biz_content"]))

    _node: str = ""

    def _unauthorised(  # noqa: PLR0911 - one line a reason
        self, form: Mapping[str, str], headers: Mapping[str, str], method: str
    ) -> str:
        wanted = {"format": "JSON", "charset": "utf-8", "sign_type": "RSA2", "version": "1.0", "app_id": self.app_id}
        for name, value in wanted.items():
            if form.get(name, "JSON" if name == "format" else "") != value:
                return f"isv.invalid-{name.replace('_', '-')}"
        if method == "POST" and headers.get("content-type") != "application/x-www-form-urlencoded;charset=utf-8":
            return "isv.invalid-content-type"
        try:
            stamp = datetime.strptime(form.get("timestamp", ""), "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
        except ValueError:
            return "isv.invalid-timestamp"
        if method == "POST" and abs(stamp.timestamp() - self.now()) > 900:
            return "isv.invalid-timestamp"
        if self.certificates:
            roots = "_".join(certificate_sn(pem + "-----END CERTIFICATE-----\n") for pem in self._split_roots())
            if form.get("app_cert_sn") != certificate_sn(self._app_certificate()):
                return "isv.invalid-app-cert-sn"
            if form.get("alipay_root_cert_sn") != roots:
                return "isv.invalid-root-cert-sn"
        message = "&".join(f"{k}={v}" for k, v in sorted(form.items()) if k != "sign" and v)
        key = rsa.private_key(self.app_seed).public_key()
        return "" if rsa.verifies(key, message.encode(), form.get("sign", "")) else "isv.invalid-signature"

    def _split_roots(self) -> list[str]:
        return [part for part in self._roots().split("-----END CERTIFICATE-----\n") if part.strip()]

    def _route(self, form: Mapping[str, str], content: dict[str, Any]) -> Answer:  # noqa: PLR0911 - one line a call
        number, call = str(content.get("out_trade_no")), form["method"]
        if call in _OPENED:
            return self._open_page(form, content)
        match call:
            case "alipay.trade.precreate":
                return self._operate("create", number, lambda: self._precreate(form, content))
            case "alipay.trade.query":
                return self._operate("query", number, lambda: self._query(number))
            case "alipay.trade.close":
                return self._operate("close", number, lambda: self._close(number))
            case "alipay.trade.refund":
                return self._operate("refund", number, lambda: self._refund_as(content))
            case "alipay.trade.fastpay.refund.query":
                return self._operate("query_refund", number, lambda: self._query_refund_as(content))
            case "alipay.data.dataservice.bill.downloadurl.query":
                return self._bill(content)
            case _:
                return self._answer({"code": "40006", "msg": "Insufficient Permissions", "sub_code": "isv.no-method"})

    def _offer(self, form: Mapping[str, str], content: dict[str, Any]) -> str:  # noqa: PLR0911 - one line a reason
        """Check what is offered and remember it until a buyer comes; return what is wrong."""
        expected = _OPENED.get(form["method"])
        if expected is not None and content.get("product_code") != expected:
            return "product_code"
        if not _NUMBER.fullmatch(str(content.get("out_trade_no"))):
            return "out_trade_no"
        if not _YUAN.fullmatch(str(content.get("total_amount"))) or content["total_amount"] == "0.00":
            return "total_amount"
        subject = str(content.get("subject"))
        if not 1 <= len(subject) <= 256 or any(mark in subject for mark in "/=&"):
            return "subject"
        if not form.get("notify_url") or len(form["notify_url"]) > 256:
            return "notify_url"
        try:
            expires = datetime.strptime(str(content.get("time_expire")), "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
        except ValueError:
            return "time_expire"
        self.offered[content["out_trade_no"]] = {
            "out_trade_no": content["out_trade_no"],
            "amount": _fen(content["total_amount"]),
            "currency": "CNY",
            "notify_url": form["notify_url"],
            "return_url": form.get("return_url", ""),
            "expires_at": int(expires.timestamp()),
        }
        return ""

    def _precreate(self, form: Mapping[str, str], content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        number = content.get("out_trade_no", "")
        known = self.orders.get(number)
        if known is not None and known.state != "pending":
            return 400, {"code": {"paid": "PAID_ALREADY"}.get(known.state, "ORDER_CLOSED")}
        before = self.offered.get(number)
        if self._offer(form, content):
            return 400, {"code": "INVALID_REQUEST"}
        if before is not None and before["amount"] != self.offered[number]["amount"]:
            self.offered[number] = before
            return 400, {"code": "PARAMETERS_CHANGED"}
        if self.scanned_at_once:
            self.scan(number)
        return 200, {
            "out_trade_no": number,
            "qr_code": self.cashier_url(number) or f"https://qr.alipay.com/bax{number}",
        }

    def _open_page(self, form: Mapping[str, str], content: dict[str, Any]) -> Answer:
        trouble = self._offer(form, content)
        if trouble:
            return self._answer({"code": "40002", "msg": "Invalid Arguments", "sub_code": f"isv.invalid-{trouble}"})
        self.scan(content["out_trade_no"])
        return 302, {"location": f"{self.base_url}/?order={content['out_trade_no']}"}, b""

    # --- the buyer ----------------------------------------------------------------------------------------------------

    def open(self, told: str) -> Order:
        """Let the buyer open what the shop handed out: a page's address, an app's order text, a QR code.

        Raises:
            ValueError: if Alipay would show an error instead of a cashier.
        """
        if told.startswith("https://qr.alipay.com/bax") or "/?order=" in told:
            return self.scan(re.split("/bax|/\\?order=", told)[1])
        query = told.partition("?")[2] or told
        status, _, _ = self.handle("GET", f"/gateway.do?{query}", {}, b"")
        if status != 302:
            raise ValueError(self.refusals[-1] if self.refusals else "refused")
        return self.orders[dict(parse_qsl(query))["biz_content"].partition('"out_trade_no":"')[2].partition('"')[0]]

    def scan(self, number: str) -> Order:
        """Let the buyer open an offered order: only now it exists.

        Raises:
            KeyError: if nothing of this number was offered.
            ValueError: if its time is over.
        """
        with self._lock:
            if number not in self.orders:
                offer = self.offered[number]
                if self.now() > offer["expires_at"]:
                    raise ValueError("the order's time is over")
                self._create(offer)
            return self.orders[number]

    def listing(self) -> list[dict[str, Any]]:
        """Return the orders, and what was offered and nobody has opened yet."""
        return super().listing() + self._unopened(self.offered.items())

    def row(self, number: str) -> dict[str, Any] | None:
        """Return one of them."""
        offer = self.offered.get(number)
        return super().row(number) or next(iter(self._unopened([(number, offer)] if offer else [])), None)

    def latest(self, count: int) -> list[dict[str, Any]]:
        """Return the newest of them."""
        offers = list(islice(reversed(self.offered.items()), count))[::-1]
        return (super().latest(count) + self._unopened(offers))[-count:]

    def _unopened(self, offers: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        rows = (
            {**offer, "number": number, "state": "offered"} for number, offer in offers if number not in self.orders
        )
        names = ("number", "amount", "currency", "state", "expires_at", "return_url")
        return [{name: row[name] for name in names} for row in rows]

    def pay_closed(self, number: str) -> Order:
        """Pay an order that was closed; one that nobody opened in time does not even exist."""
        with self._lock:
            if number in self.offered:
                self.scan(number)
            return super().pay_closed(number)

    def pay(self, number: str, *, amount: int | None = None, currency: str | None = None) -> Order:
        """Let the buyer open the order and pay; see ``core``."""
        with self._lock:
            if number in self.offered:
                self.scan(number)
            return super().pay(number, amount=amount, currency=currency)

    # --- what orders look like ----------------------------------------------------------------------------------------

    def _node_of(self, order: Order) -> dict[str, Any]:
        state = {"pending": "WAIT_BUYER_PAY", "closed": "TRADE_CLOSED", "paid": "TRADE_SUCCESS"}[order.state]
        if order.state == "paid" and self.returned(order.out_trade_no) == order.paid_amount:
            state = "TRADE_CLOSED"
        node = {
            "out_trade_no": order.out_trade_no,
            "trade_no": order.transaction_id or f"20260101{order.out_trade_no[-6:]}",
            "trade_status": state,
            "total_amount": _yuan(order.paid_amount if order.state == "paid" else order.amount),
            "buyer_logon_id": "152****6706" + (' }{"sign":"' if self.braces else ""),
            "store_name": "https://shop/1",
        }
        if order.state == "paid":
            node["send_pay_date"] = _china(order.paid_at)
            node["buyer_pay_amount"] = _yuan(max(0, order.paid_amount - 1))
        return node

    def _refund_as(self, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        order = self.orders.get(str(content.get("out_trade_no")))
        number = content.get("out_request_no")
        if order is None or not number or not _YUAN.fullmatch(str(content.get("refund_amount"))):
            return 400, {"code": "ORDER_NOT_EXIST" if order is None else "INVALID_REQUEST"}
        known = self.refunds.get(number)
        if known is not None and known.amount != _fen(content["refund_amount"]):
            return 400, {"code": "DISCORDANT"}
        moved_before = known is not None and known.state == "succeeded"
        status, answer = self._refund(
            {
                "out_refund_no": number,
                "out_trade_no": order.out_trade_no,
                "amount": _fen(content["refund_amount"]),
                "total": order.paid_amount,
                "notify_url": order.notify_url,  # Refund notices come to the order's address.
            }
        )
        if status != 200:
            return status, answer
        if answer["state"] == "failed":
            return 400, {"code": "BALANCE"}
        moved = answer["state"] == "succeeded" and not moved_before
        return 200, {
            "out_trade_no": order.out_trade_no,
            "trade_no": order.transaction_id,
            "fund_change": "Y" if moved else "N",
            "refund_fee": _yuan(self.returned(order.out_trade_no)),
            **({"gmt_refund_pay": _china(answer["refunded_at"])} if moved else {}),
        }

    def _query_refund_as(self, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        order = self.orders.get(str(content.get("out_trade_no")))
        if order is None:
            return 404, {"code": "ORDER_NOT_EXIST"}
        refund = self.refunds.get(str(content.get("out_request_no")))
        if refund is None or refund.state != "succeeded":
            return 200, {}  # 10000 and nothing more: not refunded.
        return 200, {
            "out_trade_no": order.out_trade_no,
            "trade_no": order.transaction_id,
            "out_request_no": refund.out_refund_no,
            "total_amount": _yuan(order.paid_amount),
            "refund_amount": _yuan(refund.amount),
            "refund_status": "REFUND_SUCCESS",
            "gmt_refund_pay": _china(refund.refunded_at),
        }

    # --- signing ------------------------------------------------------------------------------------------------------

    def _sign(self, status: int, content: dict[str, Any], *, wrong: bool = False) -> Answer:
        """Put core's answer into Alipay's words; HTTP is always 200."""
        if status == 200:
            order = self.orders.get(str(content.get("out_trade_no")))
            if self._operation in ("query", "close") and order is not None:
                content = self._node_of(order)
            return self._answer({"code": "10000", "msg": "Success", **content}, wrong=wrong)
        sub_code = _REASONS.get(content["code"], "ACQ.TRADE_HAS_SUCCESS")
        node = {
            "code": "40004",
            "msg": "Business Failed",
            "sub_code": sub_code,
            "sub_msg": "失败 } 了" if self.braces else "失败了",
        }
        return self._answer(node, wrong=wrong)

    def _answer(self, node: dict[str, Any], *, wrong: bool = False) -> Answer:
        """Sign the node's exact characters, written in one of the ways that occur."""
        key = self.chance.choice(self.signing)
        text = json.dumps(node, ensure_ascii=self.chance.random() < 0.3, separators=(",", ":"))
        if self.chance.random() < 0.5:
            text = text.replace("/", "\\/")
        if self.chance.random() < 0.3:
            text = "{ " + text[1:-1] + "\n}"
        members = [f'"{self._node}":{text}']
        if not self.spoils("no_signature"):
            signature = rsa.sign(key.seed, text.encode() + (b" " if wrong else b""))
            members.append(f'"sign":"{signature}"')
            if key.sn:
                members.insert(self.chance.randrange(3), f'"alipay_cert_sn":"{key.sn}"')
        return 200, {"content-type": "application/json;charset=utf-8"}, ("{" + ",".join(members) + "}").encode()

    def _notify(self, url: str, number: str, content: dict[str, Any]) -> None:
        """Alipay tells of orders opened (where agreed), captures and money returned; of no refund that failed."""
        if content["kind"] == "payment" or content["state"] == "succeeded":
            super()._notify(url, number, content)

    def signed_notice(self, content: dict[str, Any], steering: Steering | None = None) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notice as they go out now."""
        steering = steering or self.steering(content["out_trade_no"])
        charset = steering.charset
        fields = self._fields(content, steering, charset)
        key = plain_key(99) if steering.unknown_key else self.chance.choice(self.signing)
        message = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
        fields |= {"sign_type": "RSA2", "sign": rsa.sign(key.seed, message.encode(charset))}
        if self.certificates:
            fields["alipay_cert_sn"] = key.sn or "0" * 32
        if steering.tamper:
            fields["total_amount"] = _yuan(_fen(fields["total_amount"]) + 1)
        body = "&".join(f"{name}={quote_plus(value.encode(charset))}" for name, value in fields.items())
        return {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}, body.encode()

    def _fields(self, content: dict[str, Any], steering: Steering, charset: str) -> dict[str, str]:
        order = self.orders[content["out_trade_no"]]
        amount = content["amount"] if content["kind"] == "payment" else order.paid_amount
        fields = {
            "notify_id": content["notice_id"],
            "notify_type": NEW_EVENT if steering.unknown_event else "trade_status_sync",
            "notify_time": _china(int(self.now())),
            "charset": charset,
            "version": "1.0",
            "app_id": self.app_id if not steering.other_app else "2019000000000000",
            "auth_app_id": self.app_id,
            "seller_id": content["merchant_id"],
            "out_trade_no": self.worded(content, steering)["out_trade_no"],
            "trade_no": order.transaction_id or f"20260101{order.out_trade_no[-6:]}",
            "subject": "商品 + 100% = & 齐",
            "buyer_id": "2088102534368455",
            "total_amount": _yuan(amount),
            "gmt_create": _china(order.paid_at or int(self.now())),
            "fund_bill_list": '[{"amount":"0.10","fundChannel":"ALIPAYACCOUNT"}]',
            "passback_params": "",
            "trade_status": "WAIT_BUYER_PAY" if content["state"] == "pending" else "TRADE_SUCCESS",
        }
        if content["state"] != "pending":
            fields |= {
                "gmt_payment": _china(order.paid_at),
                "buyer_pay_amount": _yuan(max(0, amount - 1)),
                "receipt_amount": _yuan(amount),
            }
        if content["kind"] == "refund":
            returned = self.returned(order.out_trade_no)
            fields |= {
                "refund_fee": _yuan(returned),
                "gmt_refund": _china(content["refunded_at"]) + ".123",
                "out_biz_no": content["out_refund_no"],
                "trade_status": "TRADE_CLOSED" if returned == order.paid_amount else "TRADE_SUCCESS",
            }
        return fields

    # --- bills --------------------------------------------------------------------------------------------------------

    def _bill(self, content: dict[str, Any]) -> Answer:
        day = date.fromisoformat(content["bill_date"])
        if day >= (self.moment().astimezone(CHINA) - timedelta(hours=9)).date():
            return self._answer({"code": "40004", "msg": "Business Failed", "sub_code": "isp.bill_not_ready"})
        archive = self.bill_file(day)
        if archive is None:
            return self._answer({"code": "40004", "msg": "Business Failed", "sub_code": "isp.bill_not_exist"})
        token = urlencode({"bizType": "trade", "token": f"{self.chance.getrandbits(128):032x}"})
        keep_newest(self.files, FILES - 1)
        self.files[token] = archive
        return self._answer({"code": "10000", "msg": "Success", "bill_download_url": f"{self.base_url}/bill?{token}"})

    def bill_file(self, day: date) -> bytes | None:
        """Return the archive of a China day, with the defects that were asked for."""
        lines = self.movements(day)
        if not lines:
            return None
        rows = [self._bill_row(line) for line in lines]
        if "field" in self.bill_defects:
            rows[0][_COLUMNS.index("订单金额（元）")] = "一元"
        text = (
            f"#支付宝业务明细查询\n#账号：[{self.keys.merchant_id}0156]\n"
            f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{day + timedelta(days=1):%Y年%m月%d日} 00:00:00]\n"
            "#-----------------------------------------业务明细列表----------------------------------------\n"
            + ",".join(_COLUMNS)
            + "\n"
            + "".join(",".join(cell + "\t" for cell in row) + "\n" for row in rows)
        )
        if "cut" not in self.bill_defects:
            back = [line for line in lines if line.refund_no]
            count = len(lines) - len(back) + (1 if "totals" in self.bill_defects else 0)
            paid = sum(line.settled for line in lines if not line.refund_no)
            text += (
                "#-----------------------------------------业务明细列表结束------------------------------------\n"
                f"#交易合计：{count}笔，商家实收共{_yuan(paid)}元，商家优惠共0.00元\n"
                f"#退款合计：{len(back)}笔，商家实收退款共-{_yuan(sum(line.amount for line in back))}元\n"
                f"#导出时间：[{_china(int(self.now()))}]\n"
            )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for suffix, file in (("业务明细", text), ("业务明细(汇总)", "#支付宝业务汇总查询\n")):
                info = zipfile.ZipInfo(f"{self.keys.merchant_id}0156_{day:%Y%m%d}_X", (2026, 1, 1, 0, 0, 0))
                info.filename = _GbkName(f"{self.keys.merchant_id}0156_{day:%Y%m%d}_{suffix}.csv")
                archive.writestr(info, file.encode("gbk"))
        return packed.getvalue()

    def _bill_row(self, line: Movement) -> list[str]:
        sign = "-" if line.refund_no else ""
        row = dict.fromkeys(_COLUMNS, "") | {
            "支付宝交易号": line.transaction_id,
            "商户订单号": line.number,
            "业务类型": "退款" if line.refund_no else "交易",
            "商品名称": "商品",
            "创建时间": f"{line.at:%Y-%m-%d %H:%M:%S}",
            "完成时间": f"{line.at:%Y-%m-%d %H:%M:%S}",
            "对方账户": "*三(152****6706)",
            "订单金额（元）": sign + _yuan(line.amount),
            "商家实收（元）": sign + _yuan(line.settled),
            "商家优惠（元）": sign + _yuan(line.coupon) if line.coupon else "0.00",
            "退款批次号/请求号": line.refund_no,
            "服务费（元）": "-0.01",
        }
        return list(row.values())


class _GbkName(str):
    """A file name that ``zipfile`` writes as GBK without the UTF-8 flag, as Alipay does."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return GBK where ``zipfile`` asks for ASCII."""
        return str.encode(self, "gbk" if encoding == "ascii" else encoding, errors)


_NAMES = (
    "支付宝交易号 商户订单号 业务类型 商品名称 创建时间 完成时间 门店编号 门店名称 操作员 终端号 对方账户 "
    "订单金额（元） 商家实收（元） 支付宝红包（元） 集分宝（元） 支付宝优惠（元） 商家优惠（元） 券核销金额（元） "
    "券名称 商家红包消费金额（元） 卡消费金额（元） 退款批次号/请求号 服务费（元） 分润（元） 备注"
)
_COLUMNS = _NAMES.split()


def _fen(yuan: str) -> int:
    whole, _, rest = yuan.partition(".")
    return int(whole) * 100 + int(rest)


def _yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _china(seconds: int | None) -> str:
    return f"{datetime.fromtimestamp(seconds or 0, CHINA):%Y-%m-%d %H:%M:%S}"
