"""What became of a buyer's money, in words a buyer understands: why it goes back, and where it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.kernel.texts import Texts, said
from chalicelib.payments.domain.payment import Payment, PaymentStatus
from chalicelib.payments.domain.refund import Refund, RefundStatus
from chalicelib.payments.domain.stray import Stray, StrayKind, StrayStatus

_PAYMENTS: Mapping[PaymentStatus, Texts] = {
    PaymentStatus.STARTED: ("The payment is being prepared.", "正在创建支付。"),
    PaymentStatus.PENDING: ("Waiting for your payment.", "等待付款。"),
    PaymentStatus.CAPTURED: ("Paid.", "已支付。"),
    PaymentStatus.SURPLUS: ("Your money is on its way back to where it came from.", "款项正在原路退回。"),
    PaymentStatus.CLOSED: (
        "This payment is closed. Should money leave your account after all, it comes back by itself.",
        "该支付已关闭；如仍发生扣款，将自动原路退回。",
    ),
    PaymentStatus.FAILED: (
        "The provider refused this payment; nothing was charged.",
        "支付渠道拒绝了该笔支付，未扣款。",
    ),
    PaymentStatus.REFUNDED: ("All of it was refunded.", "已全额退款。"),
    PaymentStatus.RETURNED: ("Your money was returned to where it came from.", "款项已原路退回。"),
}

_SURPLUS: Mapping[str, Texts] = {
    "purchase_paid": ("This purchase had been paid before.", "该订单此前已支付，此笔为重复付款。"),
    "purchase_expired": (
        "The time to pay was over, and not everything could be had again.",
        "付款时已超过支付时限，商品已释放且库存不足。",
    ),
    "purchase_off_sale": (
        "The time to pay was over, and some of it is not sold any more.",
        "付款时已超过支付时限，部分商品已停止销售。",
    ),
    "purchase_cancelled": ("The purchase had been called off.", "该订单此前已取消。"),
    "amount_differs": ("The amount paid is not the amount of the purchase.", "实付金额与订单金额不符。"),
}
"""Why money that came is not kept, by ``Payment.surplus_reason``."""

_REFUNDS: Mapping[RefundStatus, Texts] = {
    RefundStatus.REQUESTED: ("The refund is being sent to the payment provider.", "退款申请已提交支付渠道。"),
    RefundStatus.PENDING: ("The provider is returning the money.", "支付渠道退款处理中。"),
    RefundStatus.SUCCEEDED: ("Refunded to where the money came from.", "已原路退款。"),
    RefundStatus.OWED: (
        "The payment provider cannot return this money; our staff will pay it to you another way.",
        "支付渠道无法原路退回该款项，工作人员将以其他方式向您付款。",
    ),
    RefundStatus.PAID_OFFLINE: ("Paid to you another way.", "已通过其他方式向您付款。"),
    RefundStatus.REPLACED: ("Another refund took its place.", "已由另一笔退款代替。"),
}
_WHY_BACK: Mapping[str, Texts] = {
    "cancel": ("The order was called off.", "订单已取消。"),
    "rest": ("Some of the order is not sent.", "部分商品不再发货。"),
}
"""Why money goes back by itself, by ``Refund.reason``."""
_COMPLAINT: Texts = ("A complaint was granted.", "投诉已成立。")
_RETURN: Texts = ("For what you sent back", "退货退款")
_CONSOLE: Texts = ("It was given back at the payment provider.", "已在支付渠道后台退款。")
_LOOKED_AFTER: Texts = (
    "The refund did not go through yet; our staff are looking after it.",
    "退款暂未成功，工作人员正在处理。",
)


_STRAYS: Mapping[StrayKind, Texts] = {
    StrayKind.MONEY: (
        "Money under a number that is none of ours is in suspense: say whose it is, or return it.",
        "收到无法对应订单的款项，已挂账，请确认归属或退回。",
    ),
    StrayKind.CLAIM: (
        "A payment was told of that the provider does not confirm; its bill will tell.",
        "收到支付通知但支付渠道未确认，以账单为准。",
    ),
    StrayKind.EVENT: ("An event of a kind that we do not act on.", "收到未识别类型的通知。"),
}
_STRAYS_ENDED: Mapping[StrayStatus, Texts] = {
    StrayStatus.PLACED: ("It was a payment of ours; it is recorded.", "已对应到本店支付并入账。"),
    StrayStatus.RETURNED: ("The money is no longer here.", "款项已退回或转出。"),
    StrayStatus.CLOSED: ("Somebody has looked at it.", "已由工作人员查看。"),
}


def of_stray(stray: Stray, language: str) -> str:
    """Return what a genuine word is that fits nothing of ours, and what to do or what became of it."""
    return said(_STRAYS_ENDED.get(stray.status, _STRAYS[stray.kind]), language)


def of_payment(payment: Payment, language: str) -> str:
    """Return where a buyer's money is, and why it goes back if it does."""
    where = said(_PAYMENTS[payment.status], language)
    why = _SURPLUS.get(payment.surplus_reason)
    if why is None:
        return where
    return said(why, language) + ("" if language.startswith("zh") else " ") + where


def of_refund(refund: Refund, language: str) -> str:
    """Return where a refund's money is."""
    return said(_REFUNDS.get(refund.status, _LOOKED_AFTER), language)


def why_back(refund: Refund, language: str) -> str:
    """Return why money goes back: an operator's own words as they are."""
    if refund.about:
        return said(_RETURN if refund.about.startswith("rtn_") else _COMPLAINT, language)
    if refund.external_number:
        return said(_CONSOLE, language)
    texts = None if refund.by else _WHY_BACK.get(refund.reason) or _SURPLUS.get(refund.reason)
    return said(texts, language) if texts else refund.reason
