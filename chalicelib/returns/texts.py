"""Returns in words: their states, turns, wishes and reasons, and what happened in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.kernel.errors import OTHERWISE
from chalicelib.kernel.texts import Texts, said
from chalicelib.returns.domain import ASKED, Cause, Payer, Reason, Status, Turn, Wish

STATUSES: Mapping[Status, Texts] = {
    Status.REQUESTED: ("Waiting for the merchant's answer", "等待商家处理"),
    Status.APPROVED: ("Agreed; waiting for the buyer to send it", "商家已同意，等待买家寄回"),
    Status.REFUSED: ("Refused by the merchant; the buyer may object", "商家已拒绝，买家可申请平台介入"),
    Status.ESCALATED: ("With the platform for a decision", "平台介入处理中"),
    Status.SENT: ("On its way back", "退货运输中"),
    Status.MISSING: ("The parcel did not arrive; the platform looks", "退货包裹未到，平台核实中"),
    Status.RECEIVED: ("Arrived; waiting for the merchant's inspection", "已签收，等待商家验货"),
    Status.WITHHELD: ("The merchant takes a part of it; waiting for the buyer", "商家仅认可部分商品，等待买家确认"),
    Status.DECLINED: ("The merchant takes nothing of it; waiting for the buyer", "商家验货未通过，等待买家确认"),
    Status.CONTESTED: ("With the platform: what came is contested", "验货结果有争议，平台处理中"),
    Status.REFUNDING: ("The refund is under way", "退款处理中"),
    Status.REPLACING: ("Waiting for the merchant to send the replacement", "等待商家寄出换货商品"),
    Status.REPLACEMENT_SENT: ("The replacement is on its way", "换货商品运输中"),
    Status.REFUNDED: ("Refunded", "已退款"),
    Status.REPLACED: ("Replaced", "已换货"),
    Status.DISMISSED: ("Dismissed", "已驳回"),
    Status.LAPSED: ("Ended: nothing was sent back in time", "超时未寄回，已结束"),
    Status.WITHDRAWN: ("Withdrawn by the buyer", "买家已撤销"),
}
TURNS: Mapping[Turn, Texts] = {
    Turn.MERCHANT: ("the merchant", "商家"),
    Turn.BUYER: ("the buyer", "买家"),
    Turn.OPERATOR: ("the platform", "平台"),
    Turn.CARRIER: ("the carrier", "快递"),
    Turn.PLATFORM: ("the refund", "系统"),
    Turn.NOBODY: ("nobody", "无"),
}
WISHES: Mapping[Wish, Texts] = {
    Wish.REFUND: ("Money back", "退货退款"),
    Wish.EXCHANGE: ("Exchange", "换货"),
}
REASONS: Mapping[Reason, Texts] = {
    Reason.NO_REASON: ("Without a reason", "七日无理由"),
    Reason.QUALITY: ("Poor quality", "质量问题"),
    Reason.DAMAGED: ("Damaged when it came", "收到时已破损"),
    Reason.WRONG_ITEM: ("Wrong item", "发错商品"),
    Reason.NOT_AS_DESCRIBED: ("Not as described", "与描述不符"),
}
PAYERS: Mapping[Payer, Texts] = {
    Payer.BUYER: ("The buyer pays the parcel back", "退货运费由买家承担"),
    Payer.MERCHANT: ("The merchant pays the parcel back", "退货运费由商家承担"),
}
HAPPENED: Mapping[str, Texts] = {
    ASKED: ("The return was asked for", "提交退换申请"),
    Cause.APPROVE: ("The return was agreed to", "同意退换"),
    Cause.LEAVE: ("The money goes back, the buyer keeps it", "同意退款，无需寄回"),
    Cause.REFUSE: ("The return was refused", "拒绝退换"),
    Cause.ESCALATE: ("The platform was asked to decide", "申请平台介入"),
    Cause.WITHDRAW: ("The return was withdrawn", "撤销申请"),
    Cause.LAPSE: ("Nobody acted in time", "超时未处理"),
    Cause.SILENCE: ("A turn was missed", "超时未处理"),
    Cause.DISMISS: ("The platform dismissed the return", "平台驳回"),
    Cause.SEND: ("The buyer sent it back", "买家已寄回"),
    Cause.ARRIVE: ("The parcel arrived", "包裹已签收"),
    Cause.GO_ASTRAY: ("The parcel turned back", "包裹被退回"),
    Cause.PAY: ("What came is paid back", "验货通过，退款"),
    Cause.SETTLE: ("It was paid back otherwise already", "款项此前已退"),
    Cause.EXCHANGE: ("What came is replaced", "验货通过，换货"),
    Cause.WITHHOLD: ("A part of it was taken", "仅认可部分商品"),
    Cause.DECLINE: ("Nothing of it was taken", "验货未通过"),
    Cause.ACCEPT: ("The buyer agreed", "买家接受"),
    Cause.REPLACE: ("The replacement was sent", "换货商品已寄出"),
    Cause.REFUND_DONE: ("The money went back", "退款成功"),
    Cause.REFUND_BOUNCED: ("The refund came back from the bank", "退款被银行退回"),
}
"""By an entry's ``what``."""


def what_text(what: str, language: str) -> str:
    """Return what happened, for a person."""
    return said(HAPPENED.get(what, OTHERWISE), language)
