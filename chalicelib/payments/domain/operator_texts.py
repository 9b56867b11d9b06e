"""What operators read beside the codes of what waits for them: kept notices, disputes and approvals. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.kernel.errors import OTHERWISE
from chalicelib.kernel.texts import Texts, said
from chalicelib.payments.domain.approval import ApprovalStatus
from chalicelib.payments.domain.dispute import DisputeStatus

KEPT_NOTICES: Mapping[str, Texts] = {
    "amount_differs": ("The amount that was paid is not what the payment asks", "实付金额与支付单不符"),
    "second_capture": ("It was paid once more, under another transaction number", "同一支付单出现另一笔扣款"),
    "other_provider": ("Another provider speaks of this payment", "由其他支付渠道通知"),
    "foreign_notice": ("The notice is meant for another merchant or app", "通知属于其他商户或应用"),
    "refund_contradicted": (
        "The provider says of a refund what cannot be so after what it said before",
        "支付渠道对退款的说法前后矛盾",
    ),
    "refund_amount_differs": ("The provider refunded another amount than was asked for", "渠道退款金额与申请不符"),
    "refund_withheld": ("A refund was held up, as the payment does not allow it", "退款被暂缓：该支付当前不可退款"),
    "unknown_refund": ("A refund was made at the provider that we did not ask for", "支付渠道存在非本店发起的退款"),
    "dispute_currency_differs": ("A dispute is in another currency than the payment", "争议币种与支付币种不符"),
}
"""By why a genuine notice was kept, or something that was said."""
DISPUTES: Mapping[DisputeStatus, Texts] = {
    DisputeStatus.OPEN: ("Open: evidence can be handed in at the provider", "处理中：可在支付渠道提交证据"),
    DisputeStatus.WON: ("Decided for us", "已胜诉"),
    DisputeStatus.LOST: ("Decided for the payer", "已败诉"),
    DisputeStatus.ENDED: ("The inquiry came to nothing", "调单查询已结束"),
}
DISPUTE_REASONS: Mapping[str, Texts] = {
    "bank_cannot_process": ("The payer's bank cannot process it", "付款方银行无法处理"),
    "check_returned": ("The cheque was returned", "支票被退回"),
    "credit_not_processed": ("A refund that was promised did not come", "承诺的退款未到账"),
    "customer_initiated": ("The payer asked for it", "付款方发起"),
    "debit_not_authorized": ("The payer did not allow the debit", "扣款未经付款方授权"),
    "duplicate": ("It was charged twice", "重复扣款"),
    "fraudulent": ("The payer says that somebody else used the card", "付款方称卡被盗用"),
    "general": ("No reason was given", "未说明具体原因"),
    "incorrect_account_details": ("The account's details are wrong", "账户信息有误"),
    "insufficient_funds": ("The payer's account does not hold enough", "付款账户余额不足"),
    "noncompliant": ("It broke the card scheme's rules", "违反卡组织规则"),
    "product_not_received": ("The goods did not arrive", "未收到商品"),
    "product_unacceptable": ("The goods are not as described", "商品与描述不符"),
    "subscription_canceled": ("It was charged after it had been called off", "取消后仍被扣款"),
    "unrecognized": ("The payer does not recognise the charge", "付款方不认可该笔扣款"),
}
"""By the reason that a payer's bank names. Source: docs.stripe.com/api/disputes/object."""
APPROVALS: Mapping[ApprovalStatus, Texts] = {
    ApprovalStatus.PENDING: ("Waiting for a second person", "等待第二人审批"),
    ApprovalStatus.APPROVED: ("The second person agreed", "第二人已批准"),
    ApprovalStatus.REJECTED: ("The second person did not agree", "第二人已驳回"),
    ApprovalStatus.EXPIRED: ("No second person answered in time", "审批超时未处理"),
}


def of_kept_notice(why: str, language: str) -> str:
    """Return why something that was said does not fit."""
    return said(KEPT_NOTICES.get(why, OTHERWISE), language)


def of_dispute(status: DisputeStatus, language: str) -> str:
    """Return how a dispute stands."""
    return said(DISPUTES[status], language)


def of_dispute_reason(reason: str, language: str) -> str:
    """Return why the payer's bank disputes a payment."""
    return said(DISPUTE_REASONS.get(reason, OTHERWISE), language)


def of_approval(status: ApprovalStatus, language: str) -> str:
    """Return how a request for a second person stands."""
    return said(APPROVALS[status], language)
