"""Why a refund is refused, for people: in English and Chinese for every word for machines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.kernel.texts import Texts

REFUND_REASONS: Final[Mapping[str, Texts]] = {
    "booked": ("it is in the books already", "该笔退款已入账"),
    "disputed": ("the payer's bank disputes this money", "该款项正处于拒付争议中"),
    "freight_refunded": ("the freight went back already", "运费已退"),
    "more_than_captured": ("it is more than is left of the payment", "超过该笔支付的剩余可退金额"),
    "more_than_line": ("it is more than is left of the order line", "超过该订单行的剩余可退金额"),
    "more_than_order": ("it is more than is left of the order", "超过该订单的剩余可退金额"),
    "more_units_than_bought": ("it is more units than are left to refund", "超过剩余可退件数"),
    "no_other_card": ("the provider sends no refund to another card", "该支付渠道不支持退至其他银行卡"),
    "other_card_approved": ("no second person agreed to this card", "该银行卡未经第二人批准"),
    "no_foreign_refund": ("the notice tells of no refund made elsewhere", "该通知与外部退款无关"),
    "no_order": ("the order is none of this purchase", "该订单不属于此笔购买"),
    "not_captured": ("no money was received for it", "尚未收到款项"),
    "not_paid": ("the order was not paid", "订单未支付"),
    "not_positive": ("the amount must be above zero", "金额必须大于零"),
    "other_amount_by_now": ("what it comes to has changed since it was asked for", "应退金额在申请后已变化"),
    "other_currency": ("the payment is in another currency", "币种与支付不一致"),
    "paid_back_meanwhile": ("the money went back in the meantime", "款项在此期间已退回"),
    "provider_can_refund": ("the provider can still give it back itself", "支付渠道仍可原路退款"),
    "refund_under_way": ("a refund of it is under way", "已有退款正在处理"),
    "too_many_refunds": ("so many were made that the next is not taken", "退款次数已达上限"),
    "window_closed": ("the provider's time for refunds is over", "已超过支付渠道的退款期限"),
    "payment_started": ("the payment is not complete", "支付尚未完成"),
    "payment_pending": ("the payment is not complete", "支付尚未完成"),
    "payment_captured": ("the payment cannot be refunded now", "该笔支付当前不能退款"),
    "payment_surplus": ("the payment goes back by itself", "该笔支付将自动退回"),
    "payment_closed": ("the payment was closed unpaid", "该笔支付已关闭且未付款"),
    "payment_failed": ("the payment failed", "该笔支付失败"),
    "payment_refunded": ("all of the payment went back", "该笔支付已全部退款"),
    "payment_returned": ("all of the payment went back", "该笔支付已全部退回"),
    "refund_pending": ("the provider is still working on it", "支付渠道仍在处理"),
    "refund_abnormal": ("the provider could not give it back to its source", "支付渠道原路退款异常"),
    "refund_failed": ("it failed at the provider", "支付渠道退款失败"),
    "refund_closed": ("the provider closed it", "支付渠道已关闭该笔退款"),
}
