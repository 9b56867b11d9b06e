"""WeChat Pay v3's other end: ``handle`` answers as ``api.mch.weixin.qq.com`` does, ``tick`` posts its notices.

Written from the protocol, not from our adapter: it shares no code with ``payments/providers``.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from tools.fakes.sandbox import rsa
from tools.fakes.sandbox.core import Answer, Keys, Order, Refund, Steering
from tools.fakes.sandbox.dialect import CHINA, Dialect, Movement
from tools.fakes.sandbox.shelf import FILES, Shelf, keep_newest, of
from tools.fakes.sandbox.stand_in import EVERYBODY_KNOWS, NEW_EVENT

WINDOW_S = 300
RETRIES_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
_AUTHORIZATION = re.compile(r'WECHATPAY2-SHA256-RSA2048 ((?:[a-z_]+="[^"]*",?)+)')
_NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
_REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_TYPES = {"native": "NATIVE", "jsapi": "JSAPI", "h5": "MWEB", "app": "APP"}
_REASONS = {  # core's words -> status and WeChat's words
    "INVALID_REQUEST": (400, "PARAM_ERROR"),
    "INVALID_AMOUNT": (400, "PARAM_ERROR"),
    "PARAMETERS_CHANGED": (400, "INVALID_REQUEST"),
    "ORDER_CLOSED": (400, "ORDER_CLOSED"),
    "ORDER_NOT_EXIST": (404, "ORDER_NOT_EXIST"),
    "ORDER_PAID": (400, "ORDER_PAID"),
    "ORDER_NOT_PAID": (404, "RESOURCE_NOT_EXISTS"),
    "REFUND_EXCEEDS": (400, "INVALID_REQUEST"),
    "REFUND_NOT_EXIST": (404, "RESOURCE_NOT_EXISTS"),
    "REFUSED": (403, "NO_AUTH"),
}
_REFUND_STATES = {"pending": "PROCESSING", "succeeded": "SUCCESS", "abnormal": "ABNORMAL", "closed": "CLOSED"}


@dataclass(frozen=True)
class PlatformKey:
    """A key with which the stand-in signs, as a merchant's configuration lists it."""

    serial: str
    pem: str
    seed: str = field(repr=False)

    def entry(self) -> dict[str, str]:
        """Return the entry of ``platform_keys``."""
        return {"serial": self.serial, "pem": self.pem}


def public_key(number: int = 1) -> PlatformKey:
    """Return a key of the public-key mode."""
    seed = f"wechatpay public {number}"
    return PlatformKey(f"PUB_KEY_ID_01{number:030d}", rsa.public_pem(seed), seed)


def certificate(
    number: int = 1, not_before: datetime = datetime(2024, 1, 1, tzinfo=UTC), days: int = 1825
) -> PlatformKey:
    """Return a platform certificate."""
    seed = f"wechatpay platform {number}"
    pem = rsa.certificate_pem(seed, not_before, days)
    return PlatformKey(rsa.certificate_serial(pem), pem, seed)


@dataclass
class WechatPay(Dialect):
    """The host and the platform behind it, for one merchant."""

    keys: Keys = field(default_factory=lambda: Keys("1900000109", "local-wechatpay-apiv3-key-32-byt", ""))
    """``api_key`` is the APIv3 key."""
    appids: tuple[str, ...] = ("wxd678efh567hg6787", "wx_mini_program_01", "wx_app_00000000001")
    merchant_seed: str = "wechatpay merchant 1"
    merchant_serial: str = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB"
    platform: list[PlatformKey] = field(default_factory=lambda: [public_key()])
    """Keys in use; answers and notices are signed with one of them, by chance. A request may name the one it wants."""
    base_url: str = "https://api.mch.weixin.qq.com"
    bodies: dict[str, str] = field(default_factory=lambda: Shelf(str))
    nonces: dict[str, float] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    names_type: float = 0.5
    """How often ``Wechatpay-Signature-Type`` is said: it may be missing, and its absence means the usual one."""

    title: ClassVar[tuple[str, str]] = ("WeChat Pay", "微信支付")
    retries_s: ClassVar[Sequence[int]] = RETRIES_S
    knows: ClassVar[frozenset[str]] = EVERYBODY_KNOWS | frozenset(
        ["stale", "other_app", "unknown_key", "probe", "no_signature", "notice_currency"]
    )

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """Return what ``payments-wechatpay`` holds at the merchant."""
        return {
            "mchid": self.keys.merchant_id,
            "appid": self.appids[0],
            "appids": {"mini": self.appids[1], "app": self.appids[2]},
            "merchant_keys": [{"serial": self.merchant_serial, "pem": rsa.private_pem(self.merchant_seed)}],
            "apiv3_keys": [self.keys.api_key],
            "platform_keys": [key.entry() for key in self.platform],
            **changes,
        }

    def rotate(self, key: PlatformKey, *, overlap: bool = True) -> PlatformKey:
        """Sign with another key too; without overlap, with it alone."""
        self.platform = [*self.platform, key] if overlap else [key]
        return key

    def turn_keys(self, *, overlap: bool) -> None:
        """Sign with a fresh public key; see ``StandIn``."""
        self.platform = (
            [*self.platform[-1:], public_key(self._next() + 1)] if overlap else [public_key(self._next() + 1)]
        )

    # --- calls --------------------------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call; see ``core``."""
        if not path.startswith("/v3/"):
            with self._lock:
                return self._open(method, path, body)
        with self._lock:
            self._operation, self._number, self._wanted_key = "", "", ""
            lowered = {name.lower(): value for name, value in headers.items()}
            refusal = self._unauthorised(method, path, lowered, body)
            if refusal:
                self.refusals.append(refusal)
                return self._bare(401, {"code": "SIGN_ERROR", "message": refusal})
            self._wanted_key = lowered.get("wechatpay-serial", "")
            try:
                content = json.loads(body) if body else {}
            except ValueError:
                return self._sign(400, {"code": "INVALID_REQUEST"})
            return self._route(method, urlsplit(path), content)

    _wanted_key: str = ""

    def _unauthorised(  # noqa: PLR0911 - one line a reason
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> str:
        match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if match is None:
            return "Authorization is malformed"
        parts = dict(re.findall(r'([a-z_]+)="([^"]*)"', match[1]))
        if set(parts) != {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}:
            return "Authorization lacks a field"
        if parts["mchid"] != self.keys.merchant_id or parts["serial_no"] != self.merchant_serial:
            return "unknown merchant or serial"
        if not re.fullmatch(r"[0-9]{10}", parts["timestamp"]) or abs(self.now() - int(parts["timestamp"])) > WINDOW_S:
            return "timestamp out of window"
        if not re.fullmatch(r"[0-9A-Za-z]{16,32}", parts["nonce_str"]) or parts["nonce_str"] in self.nonces:
            return "nonce malformed or used"
        message = f"{method}\n{path}\n{parts['timestamp']}\n{parts['nonce_str']}\n".encode() + body + b"\n"
        if not rsa.verifies(rsa.private_key(self.merchant_seed).public_key(), message, parts["signature"]):
            return "signature is wrong"
        if not headers.get("user-agent") or "application/json" not in headers.get("accept", ""):
            return "User-Agent or Accept is missing"
        if body and headers.get("content-type") != "application/json":
            return "Content-Type is not application/json"
        self._use_up(parts["nonce_str"])
        return ""

    def _use_up(self, nonce: str) -> None:
        """Remember a nonce for as long as a call that bears it could come again."""
        self.nonces[nonce] = self.now()
        for old, at in list(islice(self.nonces.items(), 2)):
            if self.now() - at > 2 * WINDOW_S:
                del self.nonces[old]

    def _route(self, method: str, url: Any, content: dict[str, Any]) -> Answer:  # noqa: C901, PLR0911 - one line a call
        parts = [unquote(part) for part in url.path.removeprefix("/v3/").split("/")]
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match (method, parts):
            case ("POST", ["pay", "transactions", kind]) if kind in _TYPES:
                number = str(content.get("out_trade_no"))
                return self._operate("create", number, lambda: self._create_as(kind, number, content))
            case ("GET", ["pay", "transactions", "out-trade-no", number]):
                return self._operate("query", number, lambda: self._query_as(number, query))
            case ("GET", ["pay", "transactions", "id", transaction]):
                found = of(self.orders, transaction, lambda order: order.transaction_id)
                number = found[0].out_trade_no if found else ""
                return self._operate("query", number, lambda: self._query_as(number, query))
            case ("POST", ["pay", "transactions", "out-trade-no", number, "close"]):
                return self._operate("close", number, lambda: self._close_as(number, content))
            case ("POST", ["refund", "domestic", "refunds"]):
                number = str(content.get("out_trade_no"))
                return self._operate("refund", number, lambda: self._refund_as(content))
            case ("GET", ["refund", "domestic", "refunds", number]):
                refund = self.refunds.get(number)
                of_order = refund.out_trade_no if refund else number
                return self._operate("query_refund", of_order, lambda: self._told(self._query_refund(number)))
            case ("POST", ["refund", "domestic", "refunds", refund_id, "apply-abnormal-refund"]):
                return self._abnormal(refund_id, content)
            case ("GET", ["bill", "tradebill"]):
                return self._bill(date.fromisoformat(query["bill_date"]))
            case ("GET", ["billdownload", "file"]):
                data = self.files.pop(query.get("token", ""), None)  # Not signed, and good once.
                return (200, {"content-type": "text/plain"}, data) if data is not None else self._bare(403, {})
            case ("GET", ["certificates"]):
                return self._sign(200, self._certificates())
            case _:
                return self._sign(404, {"code": "RESOURCE_NOT_EXISTS"})

    def _create_as(self, kind: str, number: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        trouble = self._trouble(kind, content)
        if trouble:
            return 400, {"code": "PARAM_ERROR", "message": trouble}
        said = json.dumps(content, sort_keys=True)
        if self.bodies.setdefault(number, said) != said:
            return 400, {"code": "INVALID_REQUEST", "message": "repeated with other parameters"}
        order = self.orders.get(number)
        if order is not None and order.state == "paid":
            return 400, {"code": "ORDER_PAID"}
        created = self._create(
            {
                "out_trade_no": number,
                "amount": content["amount"]["total"],
                "currency": content["amount"]["currency"],
                "notify_url": content["notify_url"],
                "expires_at": int(datetime.fromisoformat(content["time_expire"]).timestamp()),
            }
        )
        if created[0] != 200:
            return _reason(created[1]["code"])
        serial = self._next()
        answers = {
            "native": {"code_url": self.cashier_url(number) or f"weixin://wxpay/bizpayurl?pr=SB{serial:07d}"},
            "h5": {
                "h5_url": self.cashier_url(number)
                or f"https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx{serial:034d}&package=1"
            },
        }
        return 200, answers.get(kind, {"prepay_id": f"wx{serial:034d}"})

    def _trouble(self, kind: str, content: dict[str, Any]) -> str:
        checks: dict[str, Callable[[], bool]] = {
            "appid": lambda: content["appid"] in self.appids,
            "mchid": lambda: content["mchid"] == self.keys.merchant_id,
            "description": lambda: 1 <= len(content["description"].encode()) <= 127,
            "out_trade_no": lambda: bool(_NUMBER.fullmatch(content["out_trade_no"])),
            "notify_url": lambda: len(content["notify_url"]) <= 255 and "?" not in content["notify_url"],
            "total": lambda: type(content["amount"]["total"]) is int and content["amount"]["total"] >= 1,
            "currency": lambda: content["amount"]["currency"] == "CNY",
            "time_expire": lambda: bool(re.fullmatch(r"[\d-]{10}T[\d:]{8}[+-]\d\d:\d\d", content["time_expire"])),
            "payer": lambda: kind != "jsapi" or 1 <= len(content["payer"]["openid"]) <= 128,
            "scene_info": lambda: (
                kind != "h5"
                or (
                    bool(content["scene_info"]["payer_client_ip"])
                    and content["scene_info"]["h5_info"]["type"] in ("Wap", "iOS", "Android")
                )
            ),
        }
        for name, holds in checks.items():
            try:
                if not holds():
                    return f"{name} is wrong"
            except (KeyError, TypeError, AttributeError):
                return f"{name} is missing"
        return ""

    def _query_as(self, number: str, query: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        if query.get("mchid") != self.keys.merchant_id:
            return 400, {"code": "PARAM_ERROR"}
        order = self.orders.get(number)
        return (200, self._transaction(order)) if order else _reason("ORDER_NOT_EXIST")

    def _close_as(self, number: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if content != {"mchid": self.keys.merchant_id}:
            return 400, {"code": "PARAM_ERROR"}
        status, answer = self._close(number)
        return (204, {}) if status == 200 else _reason(answer["code"])

    def _refund_as(self, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        amount = content.get("amount", {})
        if not _REFUND_NUMBER.fullmatch(str(content.get("out_refund_no"))) or amount.get("currency") != "CNY":
            return 400, {"code": "PARAM_ERROR"}
        if len(str(content.get("reason", "")).encode()) > 80:
            return 400, {"code": "PARAM_ERROR"}
        status, answer = self._refund(
            {
                "out_refund_no": content["out_refund_no"],
                "out_trade_no": content.get("out_trade_no"),
                "amount": amount.get("refund"),
                "total": amount.get("total"),
                "notify_url": content.get("notify_url", ""),
            }
        )
        return self._told((status, answer))

    def _told(self, answered: tuple[int, dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        """Return core's answer about a refund in WeChat's words."""
        status, answer = answered
        if status != 200:
            return _reason(answer["code"])
        if answer["state"] == "failed":  # At WeChat that is no state: the call is refused and the number stays free.
            return 403, {"code": "NOT_ENOUGH"}
        return 200, self._refund_content(self.refunds[answer["out_refund_no"]])

    def _abnormal(self, refund_id: str, content: dict[str, Any]) -> Answer:
        refund = self.refunds.get(str(content.get("out_refund_no")))
        if refund is None or refund.refund_id != refund_id:
            return self._sign(404, {"code": "RESOURCE_NOT_EXISTS"})
        if refund.state != "abnormal":
            return self._sign(400, {"code": "INVALID_REQUEST"})
        if content.get("type") == "USER_BANK_CARD":
            opened = [self._unseal(str(content.get(name))) for name in ("bank_account", "real_name")]
            if not all(opened):
                return self._sign(400, {"code": "PARAM_ERROR"})
        refund.state = "pending"
        return self._sign(200, self._refund_content(refund))

    def _unseal(self, sealed: str) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        key = next((key for key in self.platform if key.serial == self._wanted_key), None)
        if key is None:
            return ""
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
        try:
            return rsa.private_key(key.seed).decrypt(base64.b64decode(sealed), oaep).decode()
        except ValueError:
            return ""

    def _transaction(self, order: Order, **changes: Any) -> dict[str, Any]:
        kind = json.loads(self.bodies.get(order.out_trade_no, "{}"))
        content: dict[str, Any] = {
            "mchid": self.keys.merchant_id,
            "appid": kind.get("appid", self.appids[0]),
            "out_trade_no": order.out_trade_no,
            "trade_state": {"pending": "NOTPAY", "closed": "CLOSED", "paid": "SUCCESS"}[order.state],
            "trade_state_desc": "支付成功" if order.state == "paid" else "订单未支付",
            "amount": {"total": order.amount, "currency": order.currency},
        }
        if order.state == "paid":
            if order.refunded:
                content["trade_state"] = "REFUND"
            content |= {
                "transaction_id": order.transaction_id,
                "trade_type": "NATIVE",
                "bank_type": "OTHERS",
                "attach": "",
                "success_time": _rfc3339(order.paid_at),
                "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
                "amount": {
                    "total": order.paid_amount,
                    "payer_total": max(0, order.paid_amount - 1),  # A coupon paid one fen.
                    "currency": order.paid_currency,
                    "payer_currency": order.paid_currency,
                },
            }
        return {**content, **changes}

    def _refund_content(self, refund: Refund) -> dict[str, Any]:
        order = self.orders[refund.out_trade_no]
        content: dict[str, Any] = {
            "refund_id": refund.refund_id,
            "out_refund_no": refund.out_refund_no,
            "transaction_id": order.transaction_id,
            "out_trade_no": refund.out_trade_no,
            "channel": "ORIGINAL",
            "user_received_account": "支付用户零钱",
            "create_time": _rfc3339(int(self.now())),
            "status": _REFUND_STATES[refund.state],
            "amount": {
                "total": order.paid_amount,
                "refund": refund.amount,
                "payer_total": order.paid_amount,
                "payer_refund": refund.amount,
                "currency": "CNY",
            },
        }
        return content | ({"success_time": _rfc3339(refund.refunded_at)} if refund.refunded_at else {})

    # --- signing ------------------------------------------------------------------------------------------------------

    def _sign(self, status: int, content: dict[str, Any], *, wrong: bool = False) -> Answer:
        if content.get("code") == "REFUSED":
            status, content = _reason("REFUSED")
        body = (
            b""
            if status == 204
            else json.dumps(content, ensure_ascii=False, indent=self.chance.choice((None, 1))).encode()
        )
        if self.spoils("no_signature"):
            return status, {"content-type": "application/json"}, body
        headers = self._signature_headers(body, self.now(), wanted=self._wanted_key, probe=self.spoils("probe"))
        return status, headers, body + b" " if wrong else body

    def _bare(self, status: int, content: dict[str, Any]) -> Answer:
        return status, {"content-type": "application/json"}, json.dumps(content).encode()

    def _signature_headers(
        self, body: bytes, at: float, *, wanted: str = "", probe: bool = False, unknown: bool = False
    ) -> dict[str, str]:
        key = next((key for key in self.platform if key.serial == wanted), None) or self.chance.choice(self.platform)
        if unknown:
            key = public_key(99)
        stamp, nonce = str(int(at)), f"{self.chance.getrandbits(128):032x}"
        signature = rsa.sign(key.seed, f"{stamp}\n{nonce}\n".encode() + body + b"\n")
        if probe:
            signature = f"WECHATPAY/SIGNTEST/{signature[19:]}"
        headers = {
            "Content-Type": "application/json",
            "Wechatpay-Timestamp": stamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": signature,
            "Wechatpay-Serial": key.serial,
        }
        if self.chance.random() < self.names_type:
            headers["Wechatpay-Signature-Type"] = "WECHATPAY2-SHA256-RSA2048"
        return headers

    def _notify(self, url: str, number: str, content: dict[str, Any]) -> None:
        """WeChat tells of captures and of refunds that ended, of nothing else."""
        if content["state"] in ("paid", "succeeded", "abnormal", "closed"):
            super()._notify(url, number, content)

    def signed_notice(self, content: dict[str, Any], steering: Steering | None = None) -> tuple[dict[str, str], bytes]:
        """Return headers and body of a notice as they go out now: signed afresh at each try, sealed the same."""
        steering = steering or self.steering(content["out_trade_no"])
        event, kind, plain = self._plain(content, other_app=steering.other_app)
        plain |= {"out_trade_no": self.worded(content, steering)["out_trade_no"]}
        envelope = {
            "id": content["notice_id"],
            "create_time": _rfc3339(int(self.now())),
            "resource_type": "encrypt-resource",
            "event_type": NEW_EVENT if steering.unknown_event else event,
            "summary": "支付成功" if kind == "transaction" else "退款通知",
            "resource": self._sealed(kind, json.dumps(plain, ensure_ascii=False)),
        }
        body = json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()
        headers = self._signature_headers(
            body,
            self.now() - (3600 if steering.stale else 0),
            probe=self._once(content["out_trade_no"], "probe", "notice"),
            unknown=steering.unknown_key,
        )
        if steering.tamper:
            body = body.replace("成功".encode(), "失败".encode(), 1).replace("退款通知".encode(), b"refund", 1)
        return headers, body

    def _plain(self, content: dict[str, Any], *, other_app: bool) -> tuple[str, str, dict[str, Any]]:
        merchant = {"mchid": content["merchant_id"]}
        if content["kind"] == "refund":
            said = self._refund_content(replace(self.refunds[content["out_refund_no"]], state=content["state"]))
            state = said.pop("status")
            amount = {name: value for name, value in said["amount"].items() if name != "currency"}
            for name in ("channel", "create_time"):
                del said[name]
            return f"REFUND.{state}", "refund", {**merchant, **said, "refund_status": state, "amount": amount}
        order = self.orders[content["out_trade_no"]]
        plain = self._transaction(order, **merchant, trade_state="SUCCESS")
        plain["amount"] |= {"total": content["amount"], "currency": content["currency"]}
        return "TRANSACTION.SUCCESS", "transaction", plain | ({"appid": "wx_of_somebody_else"} if other_app else {})

    def _sealed(self, kind: str, text: str) -> dict[str, str]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = f"{self.chance.getrandbits(48):012x}"
        sealed = AESGCM(self.keys.api_key.encode()).encrypt(nonce.encode(), text.encode(), kind.encode())
        return {
            "algorithm": "AEAD_AES_256_GCM",
            "original_type": kind,
            "ciphertext": base64.b64encode(sealed).decode(),
            "associated_data": kind,
            "nonce": nonce,
        }

    def _certificates(self) -> dict[str, Any]:
        data: list[dict[str, Any]] = []
        for key in self.platform:
            if key.serial.startswith("PUB_KEY_ID_"):
                continue
            sealed = self._sealed("certificate", key.pem)
            del sealed["original_type"]
            data.append(
                {
                    "serial_no": key.serial,
                    "effective_time": _rfc3339(int(self.now())),
                    "expire_time": _rfc3339(int(self.now()) + 86400),
                    "encrypt_certificate": sealed,
                }
            )
        self._wanted_key = data[0]["serial_no"] if data else ""
        return {"data": data}

    # --- bills --------------------------------------------------------------------------------------------------------

    def _bill(self, day: date) -> Answer:
        if day >= (self.moment().astimezone(CHINA) - timedelta(hours=10)).date():
            return self._sign(400, {"code": "INVALID_REQUEST", "message": "the bill is made at ten the next morning"})
        file = self.bill_file(day)
        if file is None:
            return self._sign(400, {"code": "NO_STATEMENT_EXIST"})
        token = f"{self.chance.getrandbits(128):032x}"
        keep_newest(self.files, FILES - 1)
        self.files[token] = gzip.compress(file, mtime=0)
        address = f"{self.base_url}/v3/billdownload/file?token={token}&tartype=gzip"
        return self._sign(
            200,
            {
                "hash_type": "SHA1",
                "hash_value": hashlib.sha1(file, usedforsecurity=False).hexdigest(),
                "download_url": address,
            },
        )

    def bill_file(self, day: date) -> bytes | None:
        """Return the trade bill of a China day, with the defects that were asked for."""
        lines = self.movements(day)
        if not lines:
            return None
        rows = [self._bill_row(line) for line in lines]
        if "field" in self.bill_defects:
            rows[0][_HEADER.index("订单金额")] = "一元"
        sums = [sum(line.amount for line in lines if bool(line.refund_no) is refund) for refund in (False, True)]
        if "totals" in self.bill_defects:
            sums[0] += 1
        settled = [sum(line.settled for line in lines if bool(line.refund_no) is refund) for refund in (False, True)]
        totals = [f"{len(lines)}.0", *map(_yuan, settled), "0.0", "0.00", *map(_yuan, sums)]
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(_HEADER)
        out.writelines("`" + ",`".join(row) + "\n" for row in rows)
        if "cut" not in self.bill_defects:
            out.write(",".join(_TOTALS) + "\n`" + ",`".join(totals) + "\n")
        return out.getvalue().encode("utf-8" if "no_bom" in self.bill_defects else "utf-8-sig")

    def _bill_row(self, line: Movement) -> list[str]:
        paid, back = ("0.00", _yuan(line.amount)) if line.refund_no else (_yuan(line.amount), "0.00")
        settled = _yuan(line.settled)
        row = dict.fromkeys(_HEADER, "") | {
            "交易时间": f"{line.at:%Y-%m-%d %H:%M:%S}",
            "公众账号ID": self.appids[0],
            "商户号": self.keys.merchant_id,
            "微信订单号": line.transaction_id,
            "商户订单号": line.number,
            "交易类型": "NATIVE",
            "交易状态": "REFUND" if line.refund_no else "SUCCESS",
            "货币种类": "CNY",
            "应结订单金额": "0.00" if line.refund_no else settled,
            "代金券金额": "0.00" if line.refund_no else _yuan(line.coupon),
            "微信退款单号": line.refund_id or "0",
            "商户退款单号": line.refund_no or "0",
            "退款金额": settled if line.refund_no else "0.00",
            "退款状态": "SUCCESS" if line.refund_no else "",
            "商品名称": 'a name, with a comma and a "quote"',
            "手续费": "0.00600",
            "费率": "0.60%",
            "订单金额": paid,
            "申请退款金额": back,
        }
        return list(row.values())


_COLUMNS = (
    "交易时间 公众账号ID 商户号 特约商户号 设备号 微信订单号 商户订单号 用户标识 交易类型 交易状态 "
    "付款银行 货币种类 应结订单金额 代金券金额 微信退款单号 商户退款单号 退款金额 充值券退款金额 "
    "退款类型 退款状态 商品名称 商户数据包 手续费 费率 订单金额 申请退款金额 费率备注"
)
_SUMS = "总交易单数 应结订单总金额 退款总金额 充值券退款总金额 手续费总金额 订单总金额 申请退款总金额"
_HEADER, _TOTALS = _COLUMNS.split(), _SUMS.split()


def _reason(code: str) -> tuple[int, dict[str, Any]]:
    status, word = _REASONS[code]
    return status, {"code": word, "message": word}


def _rfc3339(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds or 0, CHINA).isoformat(timespec="seconds")


def _yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"
