"""What complaints refuse, and what the refused read."""

from __future__ import annotations

from chalicelib.kernel.errors import Conflict, ShopError


class OpenComplaint(Conflict):
    """One complaint at a time about one order line."""

    code = "open_complaint"
    en = "Complaint {complaint_id} about this order line is still open."
    zh = "该订单行的投诉 {complaint_id} 尚未结束。"
    shown = ("complaint_id",)


class TooManyComplaints(Conflict):
    """So many were filed before: about this ``line``, or by this account in a ``day`` or a ``month``."""

    code = "too_many_complaints"
    en = "No more complaints can be filed: at most {most} {about}."
    zh = "投诉次数已达上限：{about}最多 {most} 次。"
    shown = ("about", "most")
    texts_of = {  # noqa: RUF012
        "about": {
            "line": ("about one order line", "同一订单行"),
            "day": ("a day", "每天"),
            "month": ("in thirty days", "每三十天"),
        }
    }


class NotComplainable(Conflict):
    """The order was never paid, was called off, or is long completed."""

    code = "not_complainable"
    en, zh = "There is nothing to complain about in this order now.", "该订单当前不能投诉。"


class AmountTooLarge(Conflict):
    """More than is left of what the order line, or the order, cost."""

    code = "amount_too_large"
    en, zh = (
        "At most {most_minor} minor units can go back for this line.",
        "该订单行最多可退 {most_minor}（最小货币单位）。",
    )
    shown = ("most_minor",)


class NotReopenable(Conflict):
    """A complaint is reopened once, and not long after it was closed."""

    code = "not_reopenable"
    en, zh = "This complaint cannot be reopened (any more).", "该投诉不能（再次）重新打开。"


class NotAppealable(Conflict):
    """A decision is appealed against once, and not long after it was made."""

    code = "not_appealable"
    en = "This complaint cannot be appealed against: {why}."
    zh = "该投诉不能申诉：{why}。"
    shown = ("why",)
    texts_of = {  # noqa: RUF012
        "why": {
            "undecided": ("the platform has not decided it", "平台尚未作出裁决"),
            "again": ("there was an appeal before", "已申诉过一次"),
            "late": ("the time for it is over", "申诉期限已过"),
        }
    }


class OwnDecision(Conflict):
    """Whoever decided does not judge the appeal."""

    code = "own_decision"
    en = "You made the decision that is appealed against: somebody else must judge it."
    zh = "原裁决由您作出，申诉须由其他运营人员处理。"


class NotTheMerchants(Conflict):
    """A decision may be at the merchant's cost by consent, or by a fault that is proven; else the platform pays."""

    code = "not_the_merchants"
    en = "The merchant need not pay this: {why}. Let the platform pay."
    zh = "不能由商家承担：{why}。请改由平台承担。"
    shown = ("why",)
    texts_of = {  # noqa: RUF012
        "why": {
            "consent": ("the merchant did not offer as much", "商家未同意该金额"),
            "fault": ("no evidence of the complaint that was named proves a fault", "未指明能证明商家过错的凭证"),
        }
    }


class NotReplaceable(Conflict):
    """There is nothing to send in place of what the line was."""

    code = "not_replaceable"
    en = "This line cannot be replaced: {why}."
    zh = "该订单行无法换货：{why}。"
    shown = ("why",)
    texts_of = {  # noqa: RUF012
        "why": {
            "not_shipped": ("nothing of it came that could be replaced", "尚无已发出的商品可换"),
            "units": ("so many units did not come", "数量超过已收到的件数"),
            "address": ("where it went is not kept any more", "收货地址已不再保存"),
            "refunded": ("its money went back", "该订单行已退款"),
        }
    }


class EvidenceMissing(ShopError):
    """Nothing was uploaded under this id, by this account, in time."""

    code, status = "evidence_missing", 422
    en, zh = "Evidence {evidence_id} was not uploaded.", "凭证 {evidence_id} 尚未上传。"
    shown = ("evidence_id",)


class EvidenceRefused(ShopError):
    """The upload is not what it says it is, or is too large."""

    code, status = "evidence_refused", 422
    en, zh = "Evidence {evidence_id} is refused: {why}.", "凭证 {evidence_id} 不被接受：{why}。"
    shown = ("evidence_id", "why")
    texts_of = {  # noqa: RUF012
        "why": {
            "type": ("files of this type are not taken", "不支持该文件类型"),
            "size": ("the file is empty or too large", "文件为空或过大"),
            "content": ("its content is not what its type says", "文件内容与类型不符"),
            "changed": ("it was changed after it was uploaded", "文件在上传后被更改"),
        }
    }


class TooMuchEvidence(Conflict):
    """A complaint holds only so many files."""

    code = "too_much_evidence"
    en, zh = "A complaint holds at most {most} files.", "一个投诉最多包含 {most} 个文件。"
    shown = ("most",)
