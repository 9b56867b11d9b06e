"""What a complaint is, whose turn it is and until when, and what each side may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel import history
from chalicelib.kernel.errors import Conflict, ShopError
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import Texts, said

REOPEN_WITHIN = timedelta(days=15)
COMPLAIN_WITHIN = timedelta(days=30)
"""After the order was completed."""
MAX_EVIDENCE = 20
TEXT_CHARS = 2000


class Reason(StrEnum):
    """What is wrong."""

    NOT_RECEIVED = "not_received"
    NOT_AS_DESCRIBED = "not_as_described"
    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    MISSING_PARTS = "missing_parts"
    QUALITY = "quality"
    COUNTERFEIT = "counterfeit"
    LATE = "late"
    SERVICE = "service"
    OTHER = "other"


OF_GOODS = (Reason.NOT_AS_DESCRIBED, Reason.DAMAGED, Reason.WRONG_ITEM, Reason.QUALITY, Reason.COUNTERFEIT)
"""Reasons that only goods can have which came."""


NEVER_CAME = (Reason.NOT_RECEIVED, Reason.MISSING_PARTS)
"""Reasons by which units never came, whether they left or not."""


def is_compensation(reason: Reason, *, came: int) -> bool:
    """Say whether money for it compensates for goods that came (``came`` of the line) or for no goods at all.

    All other money about a line is first for its units that have not left: those are not sent any more.
    """
    return reason is Reason.SERVICE or (reason in OF_GOODS and came > 0)


class Turn(StrEnum):
    """Who must act next."""

    MERCHANT = "merchant"
    BUYER = "buyer"
    OPERATOR = "operator"
    PLATFORM = "platform"
    """The machine: a refund is under way."""
    NOBODY = "nobody"


class Status(StrEnum):
    """States of a complaint."""

    AWAITING_MERCHANT = "awaiting_merchant"
    REFUND_OFFERED = "refund_offered"
    REMEDY_OFFERED = "remedy_offered"
    """A replacement, a repair, a missing part: something that is no money."""
    REJECTED = "rejected"
    ESCALATED = "escalated"
    OVERDUE = "overdue"
    """The operator missed a turn: first in the queue, and an alarm each day."""
    REFUNDING = "refunding"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


class Cause(StrEnum):
    """What moves a complaint."""

    OFFER_REFUND = "offer_refund"
    OFFER_REMEDY = "offer_remedy"
    REJECT = "reject"
    ACCEPT = "accept"
    LAPSE = "lapse"
    """The buyer said nothing: taken as agreement."""
    ESCALATE = "escalate"
    SILENCE = "silence"
    """A missed turn."""
    WITHDRAW = "withdraw"
    GRANT_REFUND = "grant_refund"
    GRANT_REMEDY = "grant_remedy"
    DISMISS = "dismiss"
    REFUND_REFUSED = "refund_refused"
    """Agreed, but the money is not there any more (refunded otherwise meanwhile)."""
    REFUND_DONE = "refund_done"
    REFUND_FAILED = "refund_failed"
    REFUND_BOUNCED = "refund_bounced"
    """The refund had gone through, and came back."""
    REOPEN = "reopen"


_DECISIONS = {
    Cause.GRANT_REFUND: Status.REFUNDING,
    Cause.GRANT_REMEDY: Status.RESOLVED,
    Cause.DISMISS: Status.DISMISSED,
    Cause.SILENCE: Status.OVERDUE,
    Cause.REFUND_DONE: Status.RESOLVED,  # The refund that failed was mended by hand meanwhile.
    Cause.WITHDRAW: Status.WITHDRAWN,
}

COMPLAINT = StateMachine(
    name="complaint",
    initial=Status.AWAITING_MERCHANT,
    edges={
        Status.AWAITING_MERCHANT: {
            Cause.OFFER_REFUND: Status.REFUND_OFFERED,
            Cause.OFFER_REMEDY: Status.REMEDY_OFFERED,
            Cause.REJECT: Status.REJECTED,
            Cause.WITHDRAW: Status.WITHDRAWN,
            Cause.SILENCE: Status.ESCALATED,
        },
        Status.REFUND_OFFERED: {
            Cause.ACCEPT: Status.REFUNDING,
            Cause.LAPSE: Status.REFUNDING,
            Cause.REFUND_REFUSED: Status.ESCALATED,
            Cause.ESCALATE: Status.ESCALATED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.REMEDY_OFFERED: {
            Cause.ACCEPT: Status.RESOLVED,
            Cause.LAPSE: Status.RESOLVED,
            Cause.ESCALATE: Status.ESCALATED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.REJECTED: {
            Cause.ACCEPT: Status.DISMISSED,
            Cause.LAPSE: Status.DISMISSED,
            Cause.ESCALATE: Status.ESCALATED,
            Cause.WITHDRAW: Status.WITHDRAWN,
        },
        Status.ESCALATED: _DECISIONS,
        Status.OVERDUE: _DECISIONS,
        Status.REFUNDING: {
            Cause.REFUND_DONE: Status.RESOLVED,
            Cause.REFUND_FAILED: Status.ESCALATED,
            Cause.SILENCE: Status.REFUNDING,
        },
        Status.RESOLVED: {Cause.REOPEN: Status.ESCALATED, Cause.REFUND_BOUNCED: Status.ESCALATED},
        Status.DISMISSED: {Cause.REOPEN: Status.ESCALATED},
        Status.WITHDRAWN: {},
    },
    deadlines={
        Status.AWAITING_MERCHANT: (timedelta(hours=48), Cause.SILENCE),
        Status.REFUND_OFFERED: (timedelta(hours=72), Cause.LAPSE),
        Status.REMEDY_OFFERED: (timedelta(hours=72), Cause.LAPSE),
        Status.REJECTED: (timedelta(hours=72), Cause.LAPSE),
        Status.ESCALATED: (timedelta(hours=72), Cause.SILENCE),
        Status.OVERDUE: (timedelta(hours=24), Cause.SILENCE),
        Status.REFUNDING: (timedelta(hours=24), Cause.SILENCE),
    },
)
"""A reopened complaint is not reopened again (see :func:`reopen`), so every path ends."""

TURNS: Mapping[Status, Turn] = {
    Status.AWAITING_MERCHANT: Turn.MERCHANT,
    Status.REFUND_OFFERED: Turn.BUYER,
    Status.REMEDY_OFFERED: Turn.BUYER,
    Status.REJECTED: Turn.BUYER,
    Status.ESCALATED: Turn.OPERATOR,
    Status.OVERDUE: Turn.OPERATOR,
    Status.REFUNDING: Turn.PLATFORM,
    Status.RESOLVED: Turn.NOBODY,
    Status.DISMISSED: Turn.NOBODY,
    Status.WITHDRAWN: Turn.NOBODY,
}


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


@dataclass(frozen=True, slots=True)
class Evidence:
    """One checked file. Its object lies under the complaint's id."""

    evidence_id: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the history. ``intent`` and ``fingerprint`` remember the request that made it."""

    at: datetime
    by: Turn
    what: str
    text: str = ""
    amount: Money | None = None
    evidence: tuple[Evidence, ...] = ()
    intent: str = ""
    fingerprint: str = ""


FILED = "filed"


@dataclass(frozen=True, slots=True)
class Complaint:
    """A case a buyer opened on an order line."""

    complaint_id: str
    order_id: str
    line_id: str
    buyer_id: str
    merchant_id: str
    reason: Reason
    status: Status
    filed_at: datetime
    since: datetime
    """When the state was entered, or its deadline last set off."""
    turn_since: datetime
    """When it became the turn of whoever's it is."""
    history: tuple[Entry, ...]
    offer: Money | None = None
    """What the merchant would refund."""
    refund_id: str | None = None
    """The last refund that was asked for."""
    refund: Money | None = None
    refunds: int = 0
    reopened: bool = False
    unsent: int = 0
    """How many units of the line had not left when it was filed."""
    given_up: int = 0
    """How many were not to be sent any more by then."""
    fingerprint: str = ""
    version: int = 0

    @property
    def turn(self) -> Turn:
        """Return who must act next."""
        return TURNS[self.status]

    @property
    def due_at(self) -> datetime | None:
        """Return until when."""
        return COMPLAINT.due_at(self.status, self.since)

    @property
    def turn_due(self) -> datetime | None:
        """Return when the turn is, or was, to be taken: an operator's queue is sorted by it, the overdue first."""
        if self.status is Status.OVERDUE:
            return COMPLAINT.due_at(Status.ESCALATED, self.turn_since)
        return self.due_at

    @property
    def is_open(self) -> bool:
        """Say whether somebody's turn it is."""
        return self.turn is not Turn.NOBODY

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Return all files, in the order they came."""
        return tuple(file for entry in self.history for file in entry.evidence)


def remembered(complaint: Complaint, intent: str, fingerprint: str) -> bool:
    """Say whether this very request already made its entry.

    Raises:
        IdempotencyKeyReused: if its key made an entry with another body.
    """
    return history.remembered(complaint.history, intent, fingerprint)


def move(complaint: Complaint, cause: Cause, entry: Entry) -> Complaint:
    """Take an edge of the table and note it.

    Raises:
        IllegalTransition: if the state does not take the cause.
        TooMuchEvidence: if its files are too many.
    """
    status = COMPLAINT.next(complaint.status, cause)
    if len(complaint.evidence) + len(entry.evidence) > MAX_EVIDENCE:
        raise TooMuchEvidence(most=MAX_EVIDENCE)
    return replace(
        complaint,
        status=status,
        since=entry.at,
        turn_since=complaint.turn_since if TURNS[status] is complaint.turn else entry.at,
        history=(*complaint.history, replace(entry, what=cause.value)),
    )


def chased(complaint: Complaint, cause: Cause, now: datetime) -> Complaint:
    """Set the deadline of a state off that leads to itself, without an entry for every day it lasts."""
    return replace(complaint, status=COMPLAINT.next(complaint.status, cause), since=now)


def check_amount(amount: Money, *, line_total: Money, order_left: Money) -> None:
    """Refuse to promise or grant more than the line cost, or than is left of the order's money.

    Raises:
        AmountTooLarge: then; CurrencyMismatch: for another currency.
    """
    most = min((line_total - Money(0, amount.currency)).minor, order_left.minor)
    if not 0 < amount.minor <= most:
        raise AmountTooLarge(most_minor=most)


def reopen(complaint: Complaint, entry: Entry) -> Complaint:
    """Reopen a closed complaint, once.

    Raises:
        IllegalTransition: if it is not closed, or was withdrawn.
        NotReopenable: if it was reopened before, or closed too long ago.
    """
    COMPLAINT.next(complaint.status, Cause.REOPEN)
    if complaint.reopened or entry.at - complaint.since > REOPEN_WITHIN:
        raise NotReopenable
    return replace(move(complaint, Cause.REOPEN, entry), reopened=True)


_STATUS_TEXTS: Mapping[Status, Texts] = {
    Status.AWAITING_MERCHANT: ("Waiting for the merchant's answer", "等待商家回复"),
    Status.REFUND_OFFERED: ("The merchant offers a refund; waiting for the buyer", "商家提出退款，等待买家确认"),
    Status.REMEDY_OFFERED: ("The merchant offers a remedy; waiting for the buyer", "商家提出解决方案，等待买家确认"),
    Status.REJECTED: ("Rejected by the merchant; the buyer may escalate", "商家拒绝，等待买家确认或申请平台介入"),
    Status.ESCALATED: ("With the platform for a decision", "平台介入处理中"),
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


def status_text(status: Status, language: str) -> str:
    """Return the state for a person."""
    return said(_STATUS_TEXTS[status], language)


def turn_text(turn: Turn, language: str) -> str:
    """Return whose turn it is, for a person."""
    return said(_TURN_TEXTS[turn], language)


def reason_text(reason: Reason, language: str) -> str:
    """Return the reason for a person."""
    return said(_REASON_TEXTS[reason], language)
