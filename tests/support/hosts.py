"""A till whose only provider is one of the five, over its own protocol from its stand-in, and its bills."""

from __future__ import annotations

import random
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.payments import providers
from chalicelib.payments.providers.alipay import adapter as alipay
from chalicelib.payments.providers.qqwallet import adapter as qqwallet
from chalicelib.payments.providers.stripe import adapter as stripe
from chalicelib.payments.providers.wechatpay import adapter as wechatpay
from chalicelib.reconciliation import service
from chalicelib.reconciliation.domain import Run, RunStatus
from chalicelib.runtime import outbound
from tests.support.paying import Till
from tools.fakes.sandbox import alipay as alipay_host
from tools.fakes.sandbox import mount
from tools.fakes.sandbox import qqwallet as qq_host
from tools.fakes.sandbox import stripe as stripe_host
from tools.fakes.sandbox import wechatpay as wechatpay_host

METHODS = {"wechatpay": "native", "alipay": "qr", "qqwallet": "native", "stripe": "checkout", "sandbox": "page"}


def opened(name: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> Till:
    """Return a till at a provider; whoever opens it takes the transport out again."""
    till = Till.open(noon)
    now = lambda: clock.now().timestamp()  # noqa: E731
    stand: Any
    if name == "sandbox":
        return till
    if name == "wechatpay":
        stand = wechatpay_host.WechatPay(now=now, platform=[wechatpay_host.public_key()])
        outbound.install(mount.transport(stand))
    elif name == "alipay":
        stand = alipay_host.Alipay(now=now, scanned_at_once=True)
        outbound.install(mount.transport(stand))
    elif name == "qqwallet":
        stand = qq_host.QQWallet(now=now, chance=random.Random(1))
        outbound.install(mount.by_host(dict.fromkeys(qq_host.HOSTS, stand)))
    else:
        stand = stripe_host.Stripe(now=now, chance=random.Random(1))
        outbound.install(mount.by_host(dict.fromkeys(stripe_host.HOSTS, stand)))
    module: Any = {"wechatpay": wechatpay, "alipay": alipay, "qqwallet": qqwallet, "stripe": stripe}[name]
    adapter = module.build(stand.configuration())
    monkeypatch.setattr(providers, "load", lambda wanted: adapter)
    monkeypatch.setattr(providers, "offered", lambda wanted: adapter)
    till.sandbox = stand
    return till


def bought(till: Till, total: int) -> tuple[Any, str]:
    """Return a purchase that was paid, and its payment."""
    provider: Any = providers.load("sandbox")
    sale = till.sale((total,))
    answer = till.start(sale, provider=provider.name, method=METHODS[provider.name], return_url="https://s.example/")
    assert (answer.status, answer.json["status"]) == (201, "pending"), answer
    payment_id = str(answer.json["payment_id"])
    till.sandbox.pay(payment_id)
    till.settle()
    return sale, payment_id


def reconciled(till: Till, day: Any, *, again: bool = False) -> Run:
    """Read the bill of a day and return the run that did."""
    provider = providers.load("sandbox").name
    begun, _ = service.begin(provider, day, again=again)
    till.settle()
    run = service.get_run(begun.run_id)
    assert run.status is RunStatus.DONE, run
    return run
