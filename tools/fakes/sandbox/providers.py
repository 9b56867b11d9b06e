"""All stand-ins of one installation together: how they are made, where they listen, what the shop must know of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tools.fakes.sandbox import qqwallet, rsa, stripe
from tools.fakes.sandbox.alipay import Alipay
from tools.fakes.sandbox.core import Sandbox
from tools.fakes.sandbox.qqwallet import QQWallet
from tools.fakes.sandbox.stripe import Stripe
from tools.fakes.sandbox.wechatpay import WechatPay

PORTS = {"sandbox": 9100, "wechatpay": 9101, "alipay": 9102, "qqwallet": 9103, "stripe": 9104}
"""Where each listens on a laptop."""
REAL = ("wechatpay", "alipay", "qqwallet", "stripe")
"""Those that stand in for somebody."""
HOSTS = {
    "api.mch.weixin.qq.com": "wechatpay",
    "api2.mch.weixin.qq.com": "wechatpay",
    "openapi.alipay.com": "alipay",
    **dict.fromkeys(qqwallet.HOSTS, "qqwallet"),
    **dict.fromkeys(stripe.HOSTS, "stripe"),
}
"""Whose host names they answer for, in process."""
_CERTIFICATE_SEED = "qqwallet merchant 1"


def create(now: Callable[[], float] = time.time) -> dict[str, Any]:
    """Return a stand-in of each, by the name of its adapter."""
    return {
        "sandbox": Sandbox(now=now),
        "wechatpay": WechatPay(now=now),
        "alipay": Alipay(now=now),
        "qqwallet": QQWallet(now=now, keys=qqwallet.Keys(certificate=_client_certificate())),
        "stripe": Stripe(now=now),
    }


def _client_certificate() -> str:
    return rsa.certificate_pem(_CERTIFICATE_SEED, datetime(2024, 1, 1, tzinfo=UTC))


def secret_of(name: str, stand_in: Any) -> dict[str, Any]:
    """Return what the shop's secret ``payments-<name>`` holds when it knows all the right keys."""
    more = {"private_key": rsa.private_pem(_CERTIFICATE_SEED)} if name == "qqwallet" else {}
    told: dict[str, Any] = stand_in.configuration(**more)
    return told


def secrets(stand_ins: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the shop's secrets for those that stand in for somebody, by the secret's name."""
    return {f"payments-{name}": secret_of(name, stand_ins[name]) for name in REAL}


def tell_stripe(stand_in: Any, shop_url: str) -> None:
    """Give Stripe the shop's endpoint: that is set in its dashboard, not sent with a payment."""
    stand_in.keys = replace(stand_in.keys, webhook_url=f"{shop_url}/v1/webhooks/payments/stripe")


def settings(urls: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that lead the shop to stand-ins at these addresses. QQ Wallet is off without its own."""
    return {
        "BIANDAN_SANDBOX_URL": urls["sandbox"],
        "BIANDAN_WECHATPAY_URL": urls["wechatpay"],
        "BIANDAN_ALIPAY_URL": f"{urls['alipay']}/gateway.do",
        "BIANDAN_QQWALLET": "on",
        "BIANDAN_QQWALLET_URL": urls["qqwallet"],
        "BIANDAN_QQWALLET_REFUND_URL": urls["qqwallet"],
        "BIANDAN_STRIPE_URL": urls["stripe"],
    }
