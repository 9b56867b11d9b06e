"""Wire models of complaints."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from chalicelib.complaints import domain
from chalicelib.complaints.domain import Complaint, Entry, Reason
from chalicelib.complaints.evidence import MAX_CAP, Ticket
from chalicelib.complaints.texts import what_text
from chalicelib.kernel import context
from chalicelib.runtime.schema import Id, MoneyView, PageQuery, Schema, Timestamp, refusal

Text = Annotated[str, StringConstraints(min_length=1, max_length=domain.TEXT_CHARS)]
Remark = Annotated[str, StringConstraints(max_length=domain.TEXT_CHARS)]
EvidenceIds = Annotated[tuple[Id, ...], Field(max_length=9)]
ContentType = Literal["image/jpeg", "image/png", "image/webp", "application/pdf", "video/mp4"]


class NewEvidence(Schema):
    """A file that will be uploaded: its type and exact size in bytes."""

    content_type: ContentType
    size: Annotated[int, Field(ge=1, le=MAX_CAP, strict=True)]


class TicketView(Schema):
    """Where to upload: a POST of a multipart form with these fields, then the file as ``file``."""

    evidence_id: str
    url: str
    fields: dict[str, str]
    expires_at: Timestamp

    @classmethod
    def of(cls, ticket: Ticket) -> TicketView:
        """Return the wire form."""
        return cls(evidence_id=ticket.evidence_id, url=ticket.url, fields=ticket.fields, expires_at=ticket.expires_at)


class FileComplaint(Schema):
    """What is wrong with a line of an order."""

    order_id: Id
    line_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
    reason: Reason
    text: Text
    evidence: EvidenceIds = ()


class Say(Schema):
    """Why, and files that show it."""

    text: Text
    evidence: EvidenceIds = ()


class Nothing(Schema):
    """Nothing to say."""


class ReplyToComplaint(Schema):
    """The merchant's answer: a ``refund`` of ``amount``, another ``remedy`` as the text says, or ``reject``."""

    answer: Literal["refund", "remedy", "reject"]
    amount: MoneyView | None = None
    text: Text
    evidence: EvidenceIds = ()

    @model_validator(mode="after")
    def _amount_with_refund(self) -> Self:
        if (self.answer == "refund") is not (self.amount is not None):
            raise refusal("amount_without_refund", "a refund has an amount, and nothing else has")
        return self


class DecideComplaint(Schema):
    """The operator's decision: a ``refund`` of ``amount``, another ``remedy`` as the text says, or ``dismiss``."""

    decision: Literal["refund", "remedy", "dismiss"]
    amount: MoneyView | None = None
    text: Text

    @model_validator(mode="after")
    def _amount_with_refund(self) -> Self:
        if (self.decision == "refund") is not (self.amount is not None):
            raise refusal("amount_without_refund", "a refund has an amount, and nothing else has")
        return self


class ComplaintsQuery(PageQuery):
    """Which complaints: ``all``, newest first, or those ``waiting`` for the caller, most urgent first."""

    view: Literal["all", "waiting"] = "all"


class EvidenceView(Schema):
    """A checked file of the complaint."""

    evidence_id: str
    content_type: str
    size: int


class EvidenceLinkView(Schema):
    """An address that downloads the file until a moment."""

    url: str
    expires_at: Timestamp


class EntryView(Schema):
    """One entry of the complaint's history."""

    at: Timestamp
    by: str
    by_text: str
    what: str
    what_text: str
    """What happened, for people, in the caller's language."""
    text: str | None = None
    """What was written."""
    amount: MoneyView | None = None
    evidence: list[EvidenceView]

    @classmethod
    def of(cls, entry: Entry) -> EntryView:
        """Return the wire form."""
        language = context.current().language
        return cls(
            at=entry.at,
            by=entry.by.value,
            by_text=domain.turn_text(entry.by, language),
            what=entry.what,
            what_text=what_text(entry.what, language),
            text=entry.text or None,
            amount=MoneyView.of(entry.amount) if entry.amount else None,
            evidence=[
                EvidenceView(evidence_id=each.evidence_id, content_type=each.content_type, size=each.size)
                for each in entry.evidence
            ],
        )


class ComplaintView(Schema):
    """A complaint: how it stands, whose turn it is (``turn``) and until when (``due_at``), and all that was said."""

    complaint_id: str
    order_id: str
    line_id: str
    merchant_id: str
    reason: str
    reason_text: str
    status: str
    status_text: str
    turn: str
    turn_text: str
    due_at: Timestamp | None = None
    filed_at: Timestamp
    offer: MoneyView | None = None
    refund_id: str | None = None
    refund: MoneyView | None = None
    reopened: bool
    history: list[EntryView]

    @classmethod
    def of(cls, complaint: Complaint) -> ComplaintView:
        """Return the wire form in the caller's language."""
        language = context.current().language
        return cls(
            complaint_id=complaint.complaint_id,
            order_id=complaint.order_id,
            line_id=complaint.line_id,
            merchant_id=complaint.merchant_id,
            reason=complaint.reason.value,
            reason_text=domain.reason_text(complaint.reason, language),
            status=complaint.status.value,
            status_text=domain.status_text(complaint.status, language),
            turn=complaint.turn.value,
            turn_text=domain.turn_text(complaint.turn, language),
            due_at=complaint.due_at,
            filed_at=complaint.filed_at,
            offer=MoneyView.of(complaint.offer) if complaint.offer else None,
            refund_id=complaint.refund_id,
            refund=MoneyView.of(complaint.refund) if complaint.refund else None,
            reopened=complaint.reopened,
            history=[EntryView.of(entry) for entry in complaint.history],
        )


class ComplaintPageView(Schema):
    """One page of complaints."""

    items: list[ComplaintView]
    next_cursor: str | None = None
