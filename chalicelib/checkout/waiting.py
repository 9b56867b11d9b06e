"""A buyer who waits no longer for what is lost or late: its money goes back, and the order goes on or ends."""

from __future__ import annotations

from chalicelib.checkout import service
from chalicelib.kernel.errors import NotFound
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order, OrderCause
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.intents import Intent


def end(order_id: str, *, buyer_id: str, intent: Intent) -> Order:
    """Pay back at once what was lost on its way and not sent again, as its buyer wishes.

    Raises:
        NotFound: if the order is not this buyer's.
        NotLate: if nothing of it was lost.
        ConcurrentUpdate: if it kept changing.
    """

    def attempt() -> Order:
        order = orders.load_order(order_id)
        if order.buyer_id != buyer_id:
            raise NotFound(what="order")
        if orders.remembered(order.history, intent.token, intent.fingerprint):
            return order
        orders.check_may_end(order)
        if any(order.kept().values()):
            return service.give_up_rest(order, intent=intent)
        return service.cancel_paid(order, OrderCause.CANCEL, intent=intent, note=orders.NOT_WAITED_FOR)

    return racing(attempt)
