"""A refund that waits for a second person. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from chalicelib.kernel import second_person
from chalicelib.kernel.money import Money
from chalicelib.kernel.second_person import SecondPersonNeeded
from chalicelib.payments.domain.offline import OfflinePayment
from chalicelib.payments.domain.refund_request import RefundRequest

ApprovalStatus: TypeAlias = second_person.Status
ApprovalCause: TypeAlias = second_person.Cause
APPROVAL = second_person.machine("approval")


class ApprovalNeeded(SecondPersonNeeded):
    """One person alone may not refund so much."""

    code = "approval_needed"
    en = "Refunds of {currency} above {limit} on one purchase need a second person: ask for approval."
    zh = "同一笔订单退款（{currency}）超过 {limit} 需第二人审批，请提交审批。"
    shown = ("limit", "currency")


class DayLimitReached(SecondPersonNeeded):
    """One person alone may not refund so much on one day, on however many purchases."""

    code = "day_limit_reached"
    en = "Refunds of {currency} above {limit} on one day by one operator need a second person: ask for approval."
    zh = "同一运营人员当日退款（{currency}）超过 {limit} 需第二人审批，请提交审批。"
    shown = ("limit", "currency")


@dataclass(frozen=True, slots=True)
class Approval:
    """A refund that waits for a second person; with ``settles``, what is to become of one that there is."""

    approval_id: str
    purchase_id: str
    request: RefundRequest
    amount: Money
    """What the request came to when it was asked for; approving it later must come to the same."""
    status: ApprovalStatus
    asked_by: str
    asked_at: datetime
    since: datetime
    fingerprint: str
    decided_by: str = ""
    refund_id: str | None = None
    note: str = ""
    intent: str = ""
    decided_fingerprint: str = ""
    settles: str = ""
    """The refund that it is about, where it asks for no new one."""
    offline: OfflinePayment | None = None
    """How the refund it settles was paid."""
    payee: str = ""
    """The card that the refund it settles may be sent to, in few words."""
    payee_mark: str = ""
    """By which that very card is known again."""
    version: int = 0

    @property
    def due_at(self) -> datetime | None:
        """Return when it expires."""
        return APPROVAL.due_at(self.status, self.since)
