"""A complaint in words: its states, turns and reasons, what happened in it, what a decision rests on. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.complaints.domain import FILED, PERSON
from chalicelib.complaints.grounds import Payer, Reason, Rule, Wish
from chalicelib.complaints.states import Cause, Status, Turn
from chalicelib.kernel.errors import OTHERWISE
from chalicelib.kernel.texts import Texts, said

HAPPENED: Mapping[str, Texts] = {
    FILED: ("The complaint was filed", "提交投诉"),
    PERSON: ("A person was asked for", "申请人工处理"),
    Cause.OFFER_REFUND: ("A refund was offered", "提出退款"),
    Cause.OFFER_REMEDY: ("A remedy was offered", "提出解决方案"),
    Cause.REJECT: ("The complaint was rejected", "拒绝投诉"),
    Cause.ACCEPT: ("The answer was accepted", "接受处理结果"),
    Cause.LAPSE: ("Nobody objected in time; taken as agreement", "超时未回复，视为接受"),
    Cause.ESCALATE: ("The platform was asked to decide", "申请平台介入"),
    Cause.SILENCE: ("Nobody answered in time", "超时未处理"),
    Cause.WITHDRAW: ("The complaint was withdrawn", "撤销投诉"),
    Cause.ASK_MERCHANT: ("The platform asked the merchant", "平台要求商家说明"),
    Cause.ASK_BUYER: ("The platform asked the buyer", "平台请买家补充"),
    Cause.STATE: ("The platform's question was answered", "已答复平台"),
    Cause.GRANT_REFUND: ("The platform granted a refund", "平台裁决退款"),
    Cause.GRANT_REMEDY: ("The platform granted a remedy", "平台裁决补救"),
    Cause.DISMISS: ("The platform dismissed the complaint", "平台驳回投诉"),
    Cause.FORFEIT_REFUND: ("Turns were missed again: decided for the buyer, with money", "多次超时，判买家胜诉并退款"),
    Cause.FORFEIT_REMEDY: ("Turns were missed again: decided for the buyer", "多次超时，判买家胜诉"),
    Cause.UPHOLD: ("The appeal was decided: what was given stays", "申诉处理完毕，维持原处理"),
    Cause.APPEAL: ("The decision was appealed against", "对裁决提出申诉"),
    Cause.REFUND_REFUSED: ("The refund was not possible any more", "退款已无法执行"),
    Cause.REFUND_DONE: ("The money went back", "退款成功"),
    Cause.REFUND_FAILED: ("The refund failed", "退款失败"),
    Cause.REFUND_BOUNCED: ("The refund came back from the bank", "退款被银行退回"),
    Cause.REPLACEMENT_FAILED: ("The replacement could not be sent", "换货未能完成"),
    Cause.REOPEN: ("The complaint was opened again", "重新开启投诉"),
}
"""By an entry's ``what``."""

_STATUS_TEXTS: Mapping[Status, Texts] = {
    Status.AWAITING_MERCHANT: ("Waiting for the merchant's answer", "等待商家回复"),
    Status.REFUND_OFFERED: ("The merchant offers a refund; waiting for the buyer", "商家提出退款，等待买家确认"),
    Status.REMEDY_OFFERED: ("The merchant offers a remedy; waiting for the buyer", "商家提出解决方案，等待买家确认"),
    Status.REJECTED: ("Rejected by the merchant; the buyer may escalate", "商家拒绝，等待买家确认或申请平台介入"),
    Status.ESCALATED: ("With the platform for a decision", "平台介入处理中"),
    Status.MERCHANT_ASKED: ("The platform waits for the merchant's statement", "平台等待商家说明"),
    Status.BUYER_ASKED: ("The platform waits for the buyer's statement", "平台等待买家补充"),
    Status.APPEALED: ("Appealed against; somebody else decides again", "申诉处理中，由其他人员复核"),
    Status.OVERDUE: ("With the platform, overdue, urgent", "平台处理超时，已加急"),
    Status.REFUNDING: ("The refund is under way", "退款处理中"),
    Status.RESOLVED: ("Resolved", "已解决"),
    Status.DISMISSED: ("Dismissed", "已驳回"),
    Status.WITHDRAWN: ("Withdrawn by the buyer", "买家已撤诉"),
}
_TURN_TEXTS: Mapping[Turn, Texts] = {
    Turn.MERCHANT: ("the merchant", "商家"),
    Turn.BUYER: ("the buyer", "买家"),
    Turn.OPERATOR: ("the platform", "平台"),
    Turn.PLATFORM: ("the refund", "系统"),
    Turn.NOBODY: ("nobody", "无"),
}
_REASON_TEXTS: Mapping[Reason, Texts] = {
    Reason.NOT_RECEIVED: ("Not received", "未收到货"),
    Reason.NOT_AS_DESCRIBED: ("Not as described", "与描述不符"),
    Reason.DAMAGED: ("Damaged", "商品破损"),
    Reason.WRONG_ITEM: ("Wrong item", "发错商品"),
    Reason.MISSING_PARTS: ("Parts missing", "少件漏发"),
    Reason.QUALITY: ("Poor quality", "质量问题"),
    Reason.COUNTERFEIT: ("Counterfeit", "假冒商品"),
    Reason.LATE: ("Late", "发货或送达太慢"),
    Reason.SERVICE: ("Service", "服务态度"),
    Reason.OTHER: ("Other", "其他"),
}
_WISH_TEXTS: Mapping[str, Texts] = {
    Wish.REFUND: ("a refund", "退款"),
    Wish.REPLACEMENT: ("a replacement", "换货"),
    Wish.COMPENSATION: ("a compensation", "补偿"),
    Wish.APOLOGY: ("an apology", "道歉"),
    "": ("another remedy", "其他补救"),
}
_PAYER_TEXTS: Mapping[Payer, Texts] = {
    Payer.MERCHANT: ("the merchant", "商家"),
    Payer.PLATFORM: ("the platform", "平台"),
}
_RULE_TEXTS: Mapping[str, Texts] = {
    Rule.DELIVERY: ("E-Commerce Law 20: delivery and its risk", "《电子商务法》第二十条：交付与运输风险"),
    Rule.CHANNEL: ("E-Commerce Law 59: complaints are handled in time", "《电子商务法》第五十九条：及时处理投诉"),
    Rule.EVIDENCE: (
        "E-Commerce Law 61, 62: lost records count against their keeper",
        "《电子商务法》第六十一、六十二条",
    ),
    Rule.DISPUTES: ("E-Commerce Law 63: rules of online disputes", "《电子商务法》第六十三条：在线争议解决规则"),
    Rule.EARLY_DEFECT: ("Consumer Law 23: early defects, the merchant proves", "《消费者权益保护法》第二十三条"),
    Rule.FAULTY: ("Consumer Law 24: faulty goods", "《消费者权益保护法》第二十四条：质量不符"),
    Rule.NO_REASON: ("Consumer Law 25: seven days without reason", "《消费者权益保护法》第二十五条：七日无理由"),
    Rule.DESCRIPTION: ("Consumer Law 28: what must be told of goods", "《消费者权益保护法》第二十八条：信息提供"),
    Rule.PLATFORM_PAYS: ("Consumer Law 44: the platform pays first", "《消费者权益保护法》第四十四条：平台先行赔付"),
    Rule.FRAUD: ("Consumer Law 55: fraud", "《消费者权益保护法》第五十五条：欺诈"),
    Rule.REFUSAL: ("Penalty measures 8-10: wilful delay and refusal", "《侵害消费者权益行为处罚办法》：故意拖延或拒绝"),
    Rule.REFUND_ONLY: ("Platform rules 27: money without return", "《网络交易平台规则监督管理办法》第二十七条"),
}


def what_text(what: str, language: str) -> str:
    """Return what happened, for a person."""
    return said(HAPPENED.get(what, OTHERWISE), language)


def status_text(status: Status, language: str) -> str:
    """Return the state for a person."""
    return said(_STATUS_TEXTS[status], language)


def turn_text(turn: Turn, language: str) -> str:
    """Return whose turn it is, for a person."""
    return said(_TURN_TEXTS[turn], language)


def reason_text(reason: Reason, language: str) -> str:
    """Return the reason for a person."""
    return said(_REASON_TEXTS[reason], language)


def wish_text(wish: str, language: str) -> str:
    """Return a wish, or what meets it, for a person."""
    return said(_WISH_TEXTS[wish], language)


def payer_text(payer: Payer, language: str) -> str:
    """Return at whose cost something is, for a person."""
    return said(_PAYER_TEXTS[payer], language)


def rule_text(rule: str, language: str) -> str:
    """Return what a decision rests on, for a person."""
    return said(_RULE_TEXTS.get(rule, OTHERWISE), language)
