"""Wire models of complaints."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from chalicelib.complaints import domain, texts
from chalicelib.complaints.bundles import Bundle
from chalicelib.complaints.domain import Complaint, Decision, Entry
from chalicelib.complaints.evidence import MAX_CAP, Ticket
from chalicelib.complaints.grounds import MONEY, Basis, Payer, Reason, Rule, Wish
from chalicelib.complaints.states import term_of
from chalicelib.kernel import clock, context
from chalicelib.runtime.schema import Count, Id, MoneyView, PageQuery, Schema, Timestamp, refusal

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


Wishes = Annotated[tuple[Wish, ...], Field(max_length=len(Wish))]


class FileComplaint(Schema):
    """What is wrong with a line of an order, and what the buyer wants: ``wishes``, and how much where it is money."""

    order_id: Id
    line_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}$")]
    reason: Reason
    text: Text
    evidence: EvidenceIds = ()
    wishes: Wishes = ()
    wished: MoneyView | None = None

    @model_validator(mode="after")
    def _wishes_fit(self) -> Self:
        if len(set(self.wishes)) < len(self.wishes):
            raise refusal("wish_twice", "each wish is named once")
        if self.wished is not None and not set(self.wishes) & set(MONEY):
            raise refusal("wished_without_money", "an amount is wished for with a refund or a compensation")
        return self


class Say(Schema):
    """Why, and files that show it."""

    text: Text
    evidence: EvidenceIds = ()


class Nothing(Schema):
    """Nothing to say."""


class _Giving(Schema):
    """What is offered or granted: money with its ``amount``; a replacement of ``quantity`` units, of all if none."""

    amount: MoneyView | None = None
    quantity: Count | None = None
    text: Text

    def _check(self, what: str) -> None:
        if (what in MONEY) is not (self.amount is not None):
            raise refusal("amount_without_refund", "a refund or a compensation has an amount, and nothing else has")
        if self.quantity is not None and what != Wish.REPLACEMENT:
            raise refusal("quantity_without_replacement", "only a replacement has a quantity")


class ReplyToComplaint(_Giving):
    """The merchant's answer: money, goods, an apology, another ``remedy`` as the text says, or ``reject``.

    Where the platform asked for a statement, ``reject`` gives it and changes nothing of the merchant's no.
    """

    answer: Literal["refund", "compensation", "replacement", "apology", "remedy", "reject"]
    evidence: EvidenceIds = ()

    @model_validator(mode="after")
    def _amount_with_refund(self) -> Self:
        self._check(self.answer)
        return self


class AskSide(Schema):
    """What the platform asks one side for."""

    side: Literal["merchant", "buyer"]
    text: Text


class DecideComplaint(_Giving):
    """The operator's decision, with the facts it goes by, the rule it rests on, and who pays.

    ``payer`` stands beside whatever costs something. The merchant pays by ``consent`` (an offer in this complaint) or
    by a ``fault`` that evidence of the complaint proves (``proof``), else the platform does. ``uphold`` answers an
    appeal and leaves what was given; a ``payer`` beside it is the new one.
    """

    decision: Literal["refund", "compensation", "replacement", "apology", "remedy", "uphold", "dismiss"]
    facts: Text
    rule: Rule
    payer: Payer | None = None
    basis: Basis | None = None
    proof: EvidenceIds = ()

    @model_validator(mode="after")
    def _amount_with_refund(self) -> Self:
        self._check(self.decision)
        costs = self.decision in (*MONEY, Wish.REPLACEMENT)
        if (costs and self.payer is None) or (not costs and self.payer is not None and self.decision != "uphold"):
            raise refusal("payer_of_what_costs", "what costs something has a payer, and nothing else has")
        if (self.payer is Payer.MERCHANT) is not (self.basis is not None):
            raise refusal("basis_of_merchant", "why the merchant pays is said, and only that")
        if self.proof and self.basis is not Basis.FAULT:
            raise refusal("proof_of_fault", "evidence is named that proves a fault")
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
    kind: str | None = None
    """Which wish it offers or grants: ``refund``, ``compensation``, ``replacement`` or ``apology``."""
    evidence: list[EvidenceView]

    @classmethod
    def of(cls, entry: Entry) -> EntryView:
        """Return the wire form."""
        language = context.current().language
        return cls(
            at=entry.at,
            by=entry.by.value,
            by_text=texts.turn_text(entry.by, language),
            what=entry.what,
            what_text=texts.what_text(entry.what, language),
            text=entry.text or None,
            amount=MoneyView.of(entry.amount) if entry.amount else None,
            kind=entry.kind or None,
            evidence=[
                EvidenceView(evidence_id=each.evidence_id, content_type=each.content_type, size=each.size)
                for each in entry.evidence
            ],
        )


class DecisionView(Schema):
    """What was decided: by which facts, on which rule, at whose cost; by the clock where turns were missed."""

    number: int
    """That of its entry in the history, from 1."""
    at: Timestamp
    decision: str
    decision_text: str
    facts: str | None = None
    rule: str
    rule_text: str
    payer: str | None = None
    payer_text: str | None = None
    basis: str | None = None
    proof: list[str]
    by_clock: bool

    @classmethod
    def of(cls, decision: Decision) -> DecisionView:
        """Return the wire form."""
        language = context.current().language
        return cls(
            number=decision.number,
            at=decision.at,
            decision=decision.cause.value,
            decision_text=texts.what_text(decision.cause.value, language),
            facts=decision.facts or None,
            rule=decision.rule,
            rule_text=texts.rule_text(decision.rule, language),
            payer=decision.payer.value if decision.payer else None,
            payer_text=texts.payer_text(decision.payer, language) if decision.payer else None,
            basis=decision.basis.value if decision.basis else None,
            proof=list(decision.proof),
            by_clock=not decision.by,
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
    phase: str
    """``merchant``, ``buyer``, ``mediation``, ``appeal``, ``decided`` (it may be appealed against) or ``closed``."""
    turn: str
    turn_text: str
    due_at: Timestamp | None = None
    term_text: str | None = None
    """How long the turn is, and in which days or hours."""
    due_estimated: bool | None = None
    """True while the days of rest of the deadline's year are not known: then it may still move to a later day."""
    filed_at: Timestamp
    wishes: list[str]
    wishes_text: list[str]
    wished: MoneyView | None = None
    offer: MoneyView | None = None
    offer_kind: str | None = None
    """Which wish the last offer meets, or what was granted last."""
    quantity: int | None = None
    """How many units are replaced."""
    refund_id: str | None = None
    refund: MoneyView | None = None
    replacement_order_id: str | None = None
    reopened: bool
    person: bool
    """A person was asked for: no clock ends it."""
    missed: int
    """How many turns the merchant missed."""
    appealed_by: str | None = None
    appeal_until: Timestamp | None = None
    decisions: list[DecisionView]
    history: list[EntryView]

    @classmethod
    def of(cls, complaint: Complaint) -> ComplaintView:
        """Return the wire form in the caller's language."""
        language = context.current().language
        term = term_of(complaint.status)
        return cls(
            complaint_id=complaint.complaint_id,
            order_id=complaint.order_id,
            line_id=complaint.line_id,
            merchant_id=complaint.merchant_id,
            reason=complaint.reason.value,
            reason_text=texts.reason_text(complaint.reason, language),
            status=complaint.status.value,
            status_text=texts.status_text(complaint.status, language),
            phase=domain.phase(complaint, clock.now()).value,
            turn=complaint.turn.value,
            turn_text=texts.turn_text(complaint.turn, language),
            due_at=complaint.due_at,
            term_text=term.text(language) if term else None,
            due_estimated=complaint.due.estimated or None if complaint.due else None,
            filed_at=complaint.filed_at,
            wishes=[wish.value for wish in complaint.wishes],
            wishes_text=[texts.wish_text(wish, language) for wish in complaint.wishes],
            wished=MoneyView.of(complaint.wished) if complaint.wished else None,
            offer=MoneyView.of(complaint.offer) if complaint.offer else None,
            offer_kind=complaint.remedy or None,
            quantity=complaint.units or None,
            refund_id=complaint.refund_id,
            refund=MoneyView.of(complaint.refund) if complaint.refund else None,
            replacement_order_id=complaint.replacement or None,
            reopened=complaint.reopened,
            person=complaint.person,
            missed=complaint.misses,
            appealed_by=complaint.appealed_by.value if complaint.appealed_by else None,
            appeal_until=complaint.appeal_until,
            decisions=[DecisionView.of(one) for one in complaint.decisions],
            history=[EntryView.of(entry) for entry in complaint.history],
        )


class ComplaintPageView(Schema):
    """One page of complaints."""

    items: list[ComplaintView]
    next_cursor: str | None = None


class AskBundle(Schema):
    """For which authority or court a bundle is made, and under which number it asked: the audit keeps both."""

    authority: Annotated[str, StringConstraints(min_length=2, max_length=200)]
    reference: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    reason: Annotated[str, StringConstraints(min_length=3, max_length=500)]


class PartView(Schema):
    """One part of a bundle: ``content`` is JSON, and ``sha256`` that of its very bytes in UTF-8."""

    name: str
    content: str
    sha256: str


class BundleFileView(Schema):
    """A file of the complaint; without a hash while that is still to be counted: ask again."""

    evidence_id: str
    content_type: str
    size: int
    sha256: str | None = None
    url: str
    expires_at: Timestamp


class BundleView(Schema):
    """Everything about a complaint with hashes.

    ``sha256`` is over the list of names with their hashes (parts, then files), as JSON without spaces; it is absent
    until every file has its own.
    """

    complaint_id: str
    made_at: Timestamp
    complete: bool
    sha256: str | None = None
    parts: list[PartView]
    files: list[BundleFileView]

    @classmethod
    def of(cls, bundle: Bundle) -> BundleView:
        """Return the wire form."""
        return cls(
            complaint_id=bundle.complaint_id,
            made_at=bundle.made_at,
            complete=bool(bundle.sha256),
            sha256=bundle.sha256 or None,
            parts=[PartView(name=one.name, content=one.content, sha256=one.sha256) for one in bundle.parts],
            files=[
                BundleFileView(
                    evidence_id=one.evidence_id,
                    content_type=one.content_type,
                    size=one.size,
                    sha256=one.sha256 or None,
                    url=one.url,
                    expires_at=one.expires_at,
                )
                for one in bundle.files
            ],
        )
