"""What happened in a complaint, in words beside the codes of its history. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.complaints.domain import FILED, Cause
from chalicelib.kernel.errors import OTHERWISE
from chalicelib.kernel.texts import Texts, said

HAPPENED: Mapping[str, Texts] = {
    FILED: ("The complaint was filed", "提交投诉"),
    Cause.OFFER_REFUND: ("A refund was offered", "提出退款"),
    Cause.OFFER_REMEDY: ("A remedy was offered", "提出解决方案"),
    Cause.REJECT: ("The complaint was rejected", "拒绝投诉"),
    Cause.ACCEPT: ("The answer was accepted", "接受处理结果"),
    Cause.LAPSE: ("Nobody objected in time; taken as agreement", "超时未回复，视为接受"),
    Cause.ESCALATE: ("The platform was asked to decide", "申请平台介入"),
    Cause.SILENCE: ("Nobody answered in time", "超时未处理"),
    Cause.WITHDRAW: ("The complaint was withdrawn", "撤销投诉"),
    Cause.GRANT_REFUND: ("The platform granted a refund", "平台裁决退款"),
    Cause.GRANT_REMEDY: ("The platform granted a remedy", "平台裁决补救"),
    Cause.DISMISS: ("The platform dismissed the complaint", "平台驳回投诉"),
    Cause.REFUND_REFUSED: ("The refund was not possible any more", "退款已无法执行"),
    Cause.REFUND_DONE: ("The money went back", "退款成功"),
    Cause.REFUND_FAILED: ("The refund failed", "退款失败"),
    Cause.REFUND_BOUNCED: ("The refund came back from the bank", "退款被银行退回"),
    Cause.REOPEN: ("The complaint was opened again", "重新开启投诉"),
}
"""By an entry's ``what``."""


def what_text(what: str, language: str) -> str:
    """Return what happened, for a person."""
    return said(HAPPENED.get(what, OTHERWISE), language)
