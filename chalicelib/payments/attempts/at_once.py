"""The usual capture, in one cheap read and one write: an open attempt, its whole amount, a purchase that waits for it.

Attempt and sale are read together and eventually consistently, in one call and for less than two strong reads. That
can do no harm: the write holds only if both still are what was read, and whatever is not quite usual, or stale, is left
to ``outcome``, which reads strongly and decides.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib.kernel import ids
from chalicelib.kernel.errors import Conflict
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments.attempts import capture
from chalicelib.payments.store import records as store
from chalicelib.runtime.db.lookups import together


def settle(payment_id: str, *, provider: str, amount: Money, transaction_id: str, at: datetime) -> bool:
    """Settle a purchase with the money that a provider's notice proves, if nothing stands in the way.

    Says whether it is settled; if not, nothing was written.
    """
    if not ids.is_id("pay", payment_id):
        return False
    purchase_id = ids.parent_id("pur", payment_id)
    payment, sale = together(store.payment_lookup(payment_id), orders.sale_lookup(purchase_id))
    if payment is None or payment.provider != provider or not payment.is_open:
        return False
    sale = sale or orders.peek_sale(purchase_id)
    if sale is None or amount != payment.amount or sale.purchase.status is not PurchaseStatus.AWAITING_PAYMENT:
        return False
    try:
        capture.honour(sale, payment, amount, transaction_id, at)
    except Conflict:  # A rival was faster, or what was seen was stale: who reads strongly will see what is to be done.
        return False
    return True
