"""Providers' notices recorded by somebody: replayed, changed, sent elsewhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.orders import service as orders
from chalicelib.payments import providers
from chalicelib.runtime import aws, names
from tests.integration.payments.test_real_providers import STAND_INS
from tests.integration.routes.test_attacks import RIVALS, together
from tests.support import dump
from tests.support.http import call
from tests.support.paying import Till
from tools.fakes import resources
from tools.fakes.sandbox import qqwallet, stripe


def said(till: Till) -> tuple[str, dict[str, str], bytes]:
    """Return what the provider wants to say first."""
    held: list[tuple[str, dict[str, str], bytes]] = []

    def keep(url: str, headers: dict[str, str], body: bytes) -> int:
        held.append((url, headers, body))
        return 200

    till.sandbox.tick(keep)
    return held[0]


def test_a_notice_replayed_any_number_of_times_pays_once(cloud: str, noon: Any) -> None:
    till = Till.open(noon)
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.pay(payment_id)
    url, headers, body = said(till)
    together(*[lambda: call("POST", "/v1/webhooks/payments/sandbox", raw=body, headers=headers)] * RIVALS)
    till.pump.duplicate = 3
    till.pump.drain()
    paid = orders.load_sale(sale.purchase.purchase_id).purchase
    assert (paid.status, paid.settled_by) == (orders.PurchaseStatus.PAID, payment_id)
    before = dump.tables()
    for _ in range(3):
        assert till.post(url, headers, body) == 200
    till.pump.drain()
    assert dump.differences(before, dump.tables()) == []
    noon.advance(timedelta(hours=2))
    assert till.post(url, headers, body) == 401  # Stale: a recorded notice is worth nothing later.


def test_a_notice_is_signed_as_a_whole_and_for_its_own_provider(cloud: str, noon: Any) -> None:
    till = Till.open(noon)
    payment_id = till.started(till.sale())
    till.sandbox.pay(payment_id)
    _, headers, body = said(till)
    before = dump.tables()

    def post(provider: str = "sandbox", raw: bytes = body, **more: str) -> int:
        sent = {**headers, **{name.replace("_", "-"): value for name, value in more.items()}}
        return call("POST", f"/v1/webhooks/payments/{provider}", raw=raw, headers=sent).status

    writes = dump.Writes()
    with aws.hooked(writes):
        assert post(raw=body + b" ") == 401
        assert post(raw=body.replace(b"1999", b"1998")) == 401
        assert post(raw=b"") == 401
        assert post(raw=b"{}" * 40_000) == 413
        assert post(content_type="text/xml") == 401
        assert post(content_type="text/html") == 415
        assert post(X_Sandbox_Timestamp=str(int(clock.now().timestamp()) + 1)) == 401
        for provider in ("nobody", "__init__", "ports", "domain", "sandbox.core", "..", "SANDBOX", "stripe%00"):
            assert post(provider) == 404, provider
    assert writes.seen == []
    assert dump.differences(before, dump.tables()) == []


PROVIDERS = sorted(path.stem for path in Path(providers.__path__[0]).glob("[a-z]*.py"))
JUNK = (
    b"",
    b" ",
    b"{}",
    b"[]",
    b"null",
    b"{",
    b"\xff\xfe\x00",
    b"[" * 20_000,
    b'{"a":' * 10_000,
    b'{"id":"x","type":"x","resource":{"ciphertext":"x","nonce":"x","associated_data":"x","algorithm":"x"}}',
    b'{"n":' + b"9" * 5_000 + b"}",
    b"<xml></xml>",
    b"<xml><a>" * 1_000,
    b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><a>&b;</a></xml>',
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><a>&a;</a></xml>',
    b"sign=x&sign_type=RSA2&out_trade_no=x",
    b"sign=" + b"A" * 400 + b"&charset=utf-16&sign_type=RSA2",
    b"&" * 60_000,
    b"a=" * 30_000,
    b"%" * 60_000,
)
SIGNATURES: tuple[dict[str, str], ...] = (
    {},
    {"stripe-signature": "t=1,v1=" + "0" * 64},
    {"stripe-signature": "t=" + "9" * 400 + ",v1=x" * 500},
    {
        "wechatpay-signature": "AAAA",
        "wechatpay-timestamp": "9" * 400,
        "wechatpay-nonce": "中文",
        "wechatpay-serial": "../../x",
    },
    {"x-sandbox-signature": "0" * 64, "x-sandbox-timestamp": "9" * 30, "x-sandbox-nonce": "n" * 20},
)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_that_nobody_configured_is_none(cloud: str, noon: Any, name: str) -> None:
    till = Till.open(noon)
    sale = till.sale()
    if name == "sandbox":
        aws.call("secretsmanager", "DeleteSecret", {"SecretId": names.secret_name("payments-sandbox")})
    before = dump.tables()
    answer = till.start(sale, provider=name)
    assert (answer.status, answer.json["code"]) == (404, "unknown_provider")
    notice = call("POST", f"/v1/webhooks/payments/{name}", raw=b"{}")
    assert (notice.status, notice.json["code"]) == (404, "unknown_provider")
    assert "secret" not in answer.body + notice.body
    assert dump.differences(before, dump.tables()) == []
    till.wait(timedelta(hours=1), step=timedelta(minutes=10))
    assert orders.load_purchase(sale.purchase.purchase_id).status is orders.PurchaseStatus.EXPIRED


def configuration(name: str) -> dict[str, Any]:
    """Return the secret of a provider's stand-in."""
    now = lambda: clock.now().timestamp()  # noqa: E731
    if name == "stripe":
        return {key: value for key, value in stripe.Stripe(now=now).configuration().items() if key != "livemode"}
    if name == "qqwallet":
        return dict(qqwallet.QQWallet(now=now).configuration())
    return dict(next(make for known, make in STAND_INS.values() if known == name)().configuration())


@pytest.mark.parametrize("name", PROVIDERS)
def test_junk_is_refused_at_every_providers_door(cloud: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_QQWALLET", "on")
    if name != "sandbox":
        resources.create_all({f"payments-{name}": configuration(name)})
    providers.forget()
    adapter = providers.offered(name)
    writes = dump.Writes()
    began = process_time()
    with aws.hooked(writes):
        for body in JUNK:
            for signature in SIGNATURES:
                for kind in (*adapter.content_types, "application/json"):
                    headers = {"content-type": kind, **signature}
                    answer = call("POST", f"/v1/webhooks/payments/{name}", raw=body, headers=headers)
                    assert answer.status < 500, (body[:40], signature, kind, answer)
                    refused = answer.status >= 400 or answer.body.strip('"').lower() in ("fail", "failure")
                    assert refused, (body[:40], signature, kind, answer)
    assert writes.seen == []
    assert process_time() - began < 10
