"""How an order and its purchase stand, and what changed it, in words that a buyer understands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chalicelib.kernel.texts import Texts
from chalicelib.orders.domain import Change, OrderStatus, PurchaseStatus

EXPIRED = "expired"
CALLED_OFF = "cancelled"
REFUNDED = "refunded"
"""The note of a change that a refund made."""
REST_REFUNDED = "rest refunded"
"""The note of a change by which an order goes on without what was not sent, which is paid back."""
DEADLINE = "deadline"
"""The note of an order that confirmed itself."""
NOT_SHIPPED = "not shipped in time"
NOT_WAITED_FOR = "not waited for"
"""The note of what its buyer did not want to wait for any longer."""
NOTHING_LEFT = "nothing left to send"

PURCHASES: Mapping[PurchaseStatus, Texts] = {
    PurchaseStatus.AWAITING_PAYMENT: ("Placed; waiting for payment", "已下单，等待付款"),
    PurchaseStatus.PAID: ("Paid", "已付款"),
    PurchaseStatus.EXPIRED: ("Not paid in time; closed", "超时未付款，已关闭"),
    PurchaseStatus.CANCELLED: ("Called off before it was paid", "付款前已取消"),
}
ORDERS: Mapping[OrderStatus, Texts] = {
    OrderStatus.PLACED: ("Placed; waiting for payment", "已下单，等待付款"),
    OrderStatus.PAID: ("Paid; waiting for the merchant to ship it", "已付款，等待商家发货"),
    OrderStatus.PARTLY_SHIPPED: ("Shipped in part; the rest follows", "部分商品已发货，其余待发"),
    OrderStatus.SHIPPED: ("Shipped", "已发货"),
    OrderStatus.TURNED_BACK: (
        "A parcel did not reach the buyer; the merchant sends it again or pays it back",
        "包裹未能送达，待商家重新发货或退款",
    ),
    OrderStatus.DELIVERED: ("Delivered; waiting for the buyer to confirm", "已送达，等待买家确认收货"),
    OrderStatus.COMPLETED: ("Completed", "已完成"),
    OrderStatus.CANCELLED: ("Cancelled", "已取消"),
}
BY_ITSELF: Mapping[tuple[OrderStatus, str], Texts] = {
    (OrderStatus.CANCELLED, EXPIRED): ("Not paid in time; cancelled", "超时未付款，已取消"),
    (OrderStatus.CANCELLED, NOT_SHIPPED): (
        "Not shipped in time; cancelled, and the money goes back",
        "商家超时未发货，已取消并退款",
    ),
    (OrderStatus.CANCELLED, NOTHING_LEFT): (
        "Nothing is left to send; cancelled",
        "没有待发商品，已取消",
    ),
    (OrderStatus.CANCELLED, REFUNDED): ("All of it was paid back; cancelled", "已全部退款，订单取消"),
    (OrderStatus.SHIPPED, REFUNDED): (
        "The rest was paid back; the order goes on without it",
        "其余商品已退款，订单继续",
    ),
    (OrderStatus.SHIPPED, REST_REFUNDED): (
        "The rest was not sent in time and is paid back; the order goes on without it",
        "其余商品超时未发，已退款，订单继续",
    ),
    (OrderStatus.SHIPPED, NOT_WAITED_FOR): (
        "What was missing is not waited for and is paid back; the order goes on without it",
        "买家不再等待缺失商品，已退款，订单继续",
    ),
}
"""What nobody asked the shop for in so many words, by the state that it led to and its note."""
CONFIRMED_ITSELF: Texts = ("Completed by itself, as nobody objected in time", "已超时自动确认收货")
CALLED_OFF_UNPAID: Texts = ("Called off before it was paid", "付款前已取消")
CALLED_OFF_PAID: Texts = ("Called off; what was paid goes back", "已取消，所付款项将退回")


def of_order_changes(history: Sequence[Change]) -> Iterator[Texts]:
    """Yield the texts of an order's changes, of which the first found it placed."""
    before = OrderStatus.PLACED.value
    for change in history:
        yield _of_change(change, before)
        before = change.status


def _of_change(change: Change, before: str) -> Texts:
    status = OrderStatus(change.status)
    if status is OrderStatus.COMPLETED and change.note == DEADLINE:
        return CONFIRMED_ITSELF
    if status is OrderStatus.CANCELLED and change.intent:  # Somebody's own reason may be any word.
        return CALLED_OFF_UNPAID if before == OrderStatus.PLACED else CALLED_OFF_PAID
    return BY_ITSELF.get((status, change.note), ORDERS[status])
