"""Under which number a refund goes: it counts up, that of a surplus follows from its attempt. Pure."""

from __future__ import annotations

from chalicelib.kernel import ids
from chalicelib.payments.domain.payment import MAX_ATTEMPTS
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund import RefundRefused

MAX_REFUND_NUMBER = 99 - MAX_ATTEMPTS
FIRST_LONG_NUMBER = 100
"""Behind those of surplus the ordinary ones go on: many orders, many of them given back in parts."""
RESERVED_NUMBERS = 100


def surplus_refund_id(payment_id: str) -> str:
    """Return the number under which a surplus capture goes back: it follows from the attempt."""
    return ids.child_id("ref", payment_id, 100 - ids.child_number(payment_id))


def next_refund_id(records: PaymentRecords, purchase_id: str, *, chosen: bool = False) -> str:
    """Return the next ordinary refund number of a purchase.

    Raises:
        RefundRefused: if all are used. The last hundred are for what ends orders: no operator's wishes use them up.
    """
    used = [ids.child_number(refund.refund_id) for refund in records.refunds]
    ordinary = [number for number in used if not MAX_REFUND_NUMBER < number < FIRST_LONG_NUMBER]
    number = max(ordinary, default=0) + 1
    if MAX_REFUND_NUMBER < number < FIRST_LONG_NUMBER:
        number = FIRST_LONG_NUMBER
    if number > ids.MAX_CHILDREN - (RESERVED_NUMBERS if chosen else 0):
        raise RefundRefused(why="too_many_refunds", left=0)
    return ids.child_id("ref", purchase_id, number)
