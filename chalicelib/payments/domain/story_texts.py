"""What each entry of a purchase's story is, in words for operators. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.kernel.texts import Texts

HAPPENINGS: Mapping[str, Texts] = {
    "purchase.placed": ("The purchase was placed", "买家下单"),
    "payment.started": ("A payment was begun", "发起支付"),
    "payment.failed": ("The provider refused the payment", "支付渠道拒绝支付"),
    "payment.closed": ("The payment was closed", "支付已关闭"),
    "payment.captured": ("The money came", "款项到账"),
    "payment.surplus": ("Money came that the purchase does not take; it goes back", "到账款项不被该订单接受，将退回"),
    "refund.requested": ("A refund was requested", "申请退款"),
    "refund.pending": ("The provider is returning the money", "支付渠道退款处理中"),
    "refund.succeeded": ("The money went back", "退款成功"),
    "refund.failed": ("The refund failed at the provider", "支付渠道退款失败"),
    "refund.abnormal": ("The provider could not give it back to its source", "支付渠道原路退款异常"),
    "refund.closed": ("The provider closed the refund", "支付渠道已关闭退款"),
    "refund.owed": ("The provider cannot give it back; it is owed", "支付渠道无法退款，转为欠付买家"),
    "refund.paid_offline": ("It was paid another way", "已通过其他方式付款"),
    "refund.replaced": ("Another refund took its place", "已由另一笔退款代替"),
    "refund.bounced": ("The refund came back from the bank", "退款被银行退回"),
    "quarantine.opened": ("Something was said of the payment that does not fit", "收到与支付记录不符的通知"),
    "dispute.opened": ("The payer's bank disputes the payment", "付款方银行提出争议"),
    "dispute.won": ("The dispute was decided for us", "争议已胜诉"),
    "dispute.lost": ("The dispute was decided for the payer", "争议已败诉"),
    "dispute.ended": ("The inquiry came to nothing", "调单查询已结束"),
    "approval.asked": ("A second person was asked to agree", "提交第二人审批"),
    "approval.approved": ("The second person agreed", "第二人已批准"),
    "approval.rejected": ("The second person did not agree", "第二人已拒绝"),
    "approval.expired": ("No second person answered in time", "审批超时未处理"),
    "ledger.posted": ("It was booked", "已入账"),
}
"""By ``Happening.what``; what changes a purchase or an order has words of its own."""
