"""Purchases for tests, written straight into the orders' table: no checkout, no money."""

from __future__ import annotations

from datetime import datetime

from chalicelib.kernel import clock, ids
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money, total
from chalicelib.orders import service as orders
from chalicelib.orders.service import Contact, Delivery, Line, Order, OrderStatus, Purchase, PurchaseStatus, Sale, Stock
from chalicelib.runtime.db.work import UnitOfWork

WANG = Contact("王梅", "+86 138 0013 8000", "CN", "浙江省", "杭州市", "西湖区", "文三路 1 号", "310000")


def line(line_id: str, quantity: int = 1, price: int = 1000, *, kind: str = "physical") -> Line:
    """Return a line of an order; ``price`` in minor units."""
    product = ids.new_id("prd")
    return Line(
        line_id=line_id,
        sku_id=ids.child_id("sku", product, 1),
        product_id=product,
        title=f"Goods {line_id}",
        options=(),
        quantity=quantity,
        unit=Money(price),
        total=Money(price * quantity),
        kind=kind,
    )


def placed(buyer_id: str, *shares: tuple[str, tuple[Line, ...]], contact: Contact = WANG) -> Sale:
    """Write an unpaid purchase with an order for each (merchant_id, lines)."""
    purchase_id = ids.derived_id("pur", ids.random_bytes(8).hex())
    now: datetime = clock.now()
    made = []
    for number, (merchant_id, lines) in enumerate(shares, start=1):
        made.append(
            Order(
                order_id=ids.child_id("ord", purchase_id, number),
                purchase_id=purchase_id,
                buyer_id=buyer_id,
                merchant_id=merchant_id,
                merchant_name="Tea House",
                status=OrderStatus.PLACED,
                stock=Stock.HELD,
                lines=lines,
                freight=Money(0),
                discount=Money(0),
                total=total(each.total for each in lines),
                commission_bps=500,
                number=f"B{number:06d}",
                placed_at=now,
                since=now,
            )
        )
    purchase = Purchase(
        purchase_id=purchase_id,
        buyer_id=buyer_id,
        status=PurchaseStatus.AWAITING_PAYMENT,
        total=total(order.total for order in made),
        order_ids=tuple(order.order_id for order in made),
        number="B000000",
        delivery=Later.of(Delivery(contact)),
        placed_at=now,
        since=now,
        fingerprint="test",
    )
    with UnitOfWork() as work:
        orders.place(work, purchase, made)
    return orders.load_sale(purchase_id)


def paid(buyer_id: str, *shares: tuple[str, tuple[Line, ...]], contact: Contact = WANG) -> Sale:
    """Write a paid purchase; no payment record stands behind it."""
    sale = placed(buyer_id, *shares, contact=contact)
    with UnitOfWork() as work:
        orders.settle(
            work,
            sale,
            payment_id=ids.child_id("pay", sale.purchase.purchase_id, 1),
            captured=sale.purchase.total,
            at=clock.now(),
        )
    return orders.load_sale(sale.purchase.purchase_id)
