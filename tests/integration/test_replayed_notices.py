"""Providers' notices recorded by somebody: replayed, changed, sent elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.kernel import clock
from chalicelib.orders import service as orders
from chalicelib.runtime import aws
from tests import dump
from tests.http import call
from tests.integration.test_attacks import RIVALS, together
from tests.paying import Till


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
