"""What money costs that does not come, or go back, as usual: late money, and a refund that is sent to a card."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support import people
from tools.bench.lab import Lab
from tools.bench.steps import Step, measuring

LATE = {
    (2, 1): "late money, honoured (2 lines of 1 merchant; notice)",
    (2, 2): "late money, honoured (2 lines of 2 merchants; notice)",
}
LATE_BACK = "late money, sent back (2 lines of 1 merchant; one is gone)"
TO_CARD = "send an abnormal refund to a card"
TO_CARD_AGAIN = "send it to that card again (the same request)"
STOCK = 1000
"""More than is sold: what runs out changes lists and pages, which is no part of this."""
CARD = {"bank_type": "ICBC_DEBIT", "bank_account": "6222020200112230", "real_name": "王五"}


def use_cases(lab: Lab) -> list[Step]:
    """Measure what happens to money seldom."""
    steps: list[Step] = []
    for (lines, merchant_count), name in LATE.items():
        _late(lab, steps, name, lines, merchant_count)
    _late(lab, steps, LATE_BACK, 2, 1, gone=True)
    _to_card(lab, steps)
    return steps


def _late(lab: Lab, steps: list[Step], name: str, lines: int, merchant_count: int, *, gone: bool = False) -> None:
    sellers = [lab.merchant() for _ in range(merchant_count)]
    made = [lab.product(sellers[at % merchant_count][0], stock=STOCK) for at in range(lines)]
    lab.rest()
    shopper = lab.shopper()
    lab.fill(shopper, [product.sku_id for product in made])
    purchase = lab.place(shopper, lab.quote(shopper))
    payment_id = lab.start_payment(shopper, purchase["purchase_id"])
    lab.drain()
    for _ in range(35):
        lab.pass_time(timedelta(minutes=1))
    shopper.client.token = people.token(shopper.account_id)
    _must_be(shopper.client.get(f"/v1/purchases/{purchase['purchase_id']}")["status"], "expired")
    if gone:
        staff = lab.client(people.staff(sellers[0][0]).token)
        lost = {"lines": [{"sku_id": made[0].sku_id, "quantity": STOCK}]}
        staff.expect(200, "POST", f"/v1/merchant/products/{made[0].product_id}/stock/write-offs", lost)
        lab.rest()
    lab.sandbox.pay_closed(payment_id)
    with measuring(lab, steps, name):
        lab.drain()
    now = shopper.client.get(f"/v1/purchases/{purchase['purchase_id']}")["status"]
    _must_be(now, "expired" if gone else "paid")


def _to_card(lab: Lab, steps: list[Step]) -> None:
    merchant_id, _ = lab.merchant()
    sku_ids = [lab.product(merchant_id, stock=STOCK).sku_id]
    lab.rest()
    shopper = lab.shopper()
    lab.fill(shopper, sku_ids)
    purchase = lab.place(shopper, lab.quote(shopper))
    payment_id = lab.start_payment(shopper, purchase["purchase_id"])
    lab.sandbox.pay(payment_id)
    lab.drain()
    lab.sandbox.steer(payment_id, refund="abnormal")
    operator = lab.client(_operator())
    body = {"order_id": purchase["order_ids"][0], "amount": {"minor": 1, "currency": "CNY"}, "reason": "goodwill"}
    refund: Any = operator.expect(201, "POST", f"/v1/operator/purchases/{purchase['purchase_id']}/refunds", body)
    lab.pass_time(timedelta(minutes=2))
    route = f"/v1/operator/refunds/{refund['refund_id']}/to-card"
    with measuring(lab, steps, TO_CARD):
        sent = operator.expect(200, "POST", route, CARD, key="to-card-00001")
    _must_be(sent["status"], "pending")
    with measuring(lab, steps, TO_CARD_AGAIN):
        operator.expect(200, "POST", route, CARD, key="to-card-00001")


def _operator() -> str:
    from chalicelib.kernel.roles import Role

    return people.token(people.operator().account_id, Role.BUYER, Role.OPERATOR)


def _must_be(found: str, wanted: str) -> None:
    if found != wanted:
        raise RuntimeError(f"it is {found}, not {wanted}: something else would be measured")
