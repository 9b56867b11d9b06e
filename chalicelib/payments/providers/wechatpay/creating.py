"""How WeChat Pay is told of an order, for each way to pay, and what the buyer's client then does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from chalicelib.kernel import clock
from chalicelib.kernel.clock import CHINA
from chalicelib.payments import ports
from chalicelib.payments.ports import Action, Instruction, Outcome
from chalicelib.payments.providers._shared import reading
from chalicelib.payments.providers.wechatpay import wire as wechatpay_wire

PATHS = {
    "native": "/v3/pay/transactions/native",
    "jsapi": "/v3/pay/transactions/jsapi",
    "mini": "/v3/pay/transactions/jsapi",
    "h5": "/v3/pay/transactions/h5",
    "app": "/v3/pay/transactions/app",
}
DEAD = {"ORDER_CLOSED", "APPID_MCHID_NOT_MATCH", "MCH_NOT_EXISTS", "NO_AUTH", "PARAM_ERROR", "RULE_LIMIT"}
"""Answers to a creation after which the number will not be paid. All others leave it open: it may exist already
(``INVALID_REQUEST`` is also said of a number sent again with other data), so the query decides."""
_MOST_FEN = 10**12 - 1
"""What our own reading of an answer takes; WeChat's limit is below and depends on the contract."""


def lacks(payment: ports.PaymentOrder) -> str:
    """Say in a word what keeps an order from being created here; empty if nothing does."""
    if payment.method not in PATHS:
        return "method_unknown"
    if payment.amount.currency != "CNY":
        return "currency_unsupported"
    if not 0 < payment.amount.minor <= _MOST_FEN:
        return "amount_unsupported"
    if payment.method in ("jsapi", "mini") and not payment.payer:
        return "payer_missing"
    if payment.method == "h5" and not payment.client_ip:
        return "client_ip_missing"
    return ""


def creation(settings: wechatpay_wire.Settings, payment: ports.PaymentOrder) -> dict[str, Any]:
    """Return what an order is created with."""
    wanted: dict[str, Any] = {
        "appid": settings.apps[payment.method],
        "mchid": settings.mchid,
        "description": reading.cut_bytes(payment.description, 127) or payment.payment_id,
        "out_trade_no": payment.payment_id,
        "time_expire": payment.expires_at.astimezone(CHINA).isoformat(timespec="seconds"),
        "notify_url": payment.notify_url,
        "amount": {"total": payment.amount.minor, "currency": payment.amount.currency},
    }
    if payment.method in ("jsapi", "mini"):
        wanted["payer"] = {"openid": payment.payer}
    if payment.method == "h5":
        wanted["scene_info"] = {"payer_client_ip": payment.client_ip, "h5_info": {"type": "Wap"}}
    return wanted


def instruction(settings: wechatpay_wire.Settings, payment: ports.PaymentOrder, data: Mapping[str, Any]) -> Instruction:
    """Return what the buyer's client must do with a created order."""
    wanted = {"native": "code_url", "h5": "h5_url"}.get(payment.method, "prepay_id")
    value = data.get(wanted)
    if not isinstance(value, str) or not value:
        return Instruction(Outcome.UNKNOWN, code="no_" + wanted)
    if payment.method == "native":
        return Instruction(Outcome.PENDING, Action.QR, url=value)
    if payment.method == "h5":
        back = f"&redirect_url={quote(payment.return_url, safe='')}" if payment.return_url else ""
        return Instruction(Outcome.PENDING, Action.REDIRECT, url=value + back)
    return Instruction(Outcome.PENDING, Action.PARAMS, params=_client_params(settings, payment.method, value))


def _client_params(settings: wechatpay_wire.Settings, method: str, prepay_id: str) -> dict[str, str]:
    appid = settings.apps[method]
    timestamp, nonce = str(clock.epoch_s(clock.now())), wechatpay_wire.nonce()
    package = f"prepay_id={prepay_id}"
    signed = wechatpay_wire.pay_sign(
        settings.signing_pem, appid, timestamp, nonce, prepay_id if method == "app" else package
    )
    if method == "app":
        return {
            "appid": appid,
            "partnerid": settings.mchid,
            "prepayid": prepay_id,
            "package": "Sign=WXPay",
            "noncestr": nonce,
            "timestamp": timestamp,
            "sign": signed,
        }
    params = {"timeStamp": timestamp, "nonceStr": nonce, "package": package, "signType": "RSA", "paySign": signed}
    return {"appId": appid, **params} if method == "jsapi" else params
