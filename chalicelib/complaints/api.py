"""Routes of complaints: each side has its own, so that a role sees what it may do."""

from __future__ import annotations

from chalicelib.complaints import service
from chalicelib.complaints.domain import (
    AmountTooLarge,
    Cause,
    Complaint,
    EvidenceMissing,
    EvidenceRefused,
    NotComplainable,
    NotReopenable,
    OpenComplaint,
    TooManyComplaints,
    TooMuchEvidence,
    Turn,
)
from chalicelib.complaints.schemas import (
    ComplaintPageView,
    ComplaintsQuery,
    ComplaintView,
    DecideComplaint,
    EvidenceLinkView,
    FileComplaint,
    NewEvidence,
    Nothing,
    ReplyToComplaint,
    Say,
    TicketView,
)
from chalicelib.complaints.service import Filing, Party, Statement
from chalicelib.complaints.uploads import TooManyUploads
from chalicelib.kernel.errors import Busy, CurrencyMismatch, IllegalTransition, NotFound
from chalicelib.payments.service import ApprovalNeeded, DayLimitReached, RefundRefused
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

routes = Routes("complaints")

_MOVES = (NotFound, IllegalTransition, Busy)
_FILES = (EvidenceMissing, EvidenceRefused, TooMuchEvidence)
_ANSWERS = {"refund": Cause.OFFER_REFUND, "remedy": Cause.OFFER_REMEDY, "reject": Cause.REJECT}
_DECISIONS = {"refund": Cause.GRANT_REFUND, "remedy": Cause.GRANT_REMEDY, "dismiss": Cause.DISMISS}


def _buyer(caller: Caller) -> Party:
    return Party(Turn.BUYER, caller.account_id, caller.account_id)


def _merchant(caller: Caller) -> Party:
    return Party(Turn.MERCHANT, caller.account_id, caller.owned_merchant())


def _operator(caller: Caller) -> Party:
    return Party(Turn.OPERATOR, caller.account_id)


def _reply(done: tuple[Complaint, bool], status: int = 200) -> Reply:
    complaint, replayed = done
    return Reply(ComplaintView.of(complaint), status, replayed_header(replayed))


def _page(party: Party, query: PageQuery, view: str) -> ComplaintPageView:
    scope = f"complaints#{view}#{party.side}#{party.owner_id}"
    page = service.list_for(party, cursors.window(query.limit, query.cursor, query=scope), waiting=view == "waiting")
    return ComplaintPageView(
        items=[ComplaintView.of(complaint) for complaint in page.items],
        next_cursor=cursors.seal(page.after, query=scope),
    )


def _link(party: Party, complaint_id: str, evidence_id: str) -> EvidenceLinkView:
    url, expires_at = service.show_evidence(party, complaint_id, evidence_id)
    return EvidenceLinkView(url=url, expires_at=expires_at)


@routes.route(
    "POST",
    "/v1/complaints/evidence",
    access=Access.SIGNED_IN,
    body=NewEvidence,
    returns=TicketView,
    status=201,
    raises=(EvidenceRefused, TooManyUploads, Busy),
)
def upload_evidence(body: NewEvidence, caller: Caller, intent: Intent) -> TicketView:
    """Get a form to upload one file with; attach it to a complaint, a reply or an escalation by its id."""
    party = Party(Turn.BUYER, caller.account_id)
    ticket = service.upload(party, content_type=body.content_type, size=body.size, intent=intent)
    return TicketView.of(ticket)


@routes.route(
    "POST",
    "/v1/complaints",
    access=Access.BUYER,
    body=FileComplaint,
    returns=ComplaintView,
    status=201,
    raises=(NotFound, NotComplainable, OpenComplaint, TooManyComplaints, *_FILES, Busy),
)
def file_complaint(body: FileComplaint, caller: Caller, intent: Intent) -> Reply:
    """File a complaint against a line of one of the caller's paid orders; the merchant has 48 hours to answer."""
    filing = Filing(body.order_id, body.line_id, body.reason, Statement(body.text, body.evidence))
    return _reply(service.file(_buyer(caller), filing, intent), 201)


@routes.route(
    "GET",
    "/v1/complaints",
    access=Access.BUYER,
    query=ComplaintsQuery,
    returns=ComplaintPageView,
    raises=(BadCursor,),
)
def list_complaints(query: ComplaintsQuery, caller: Caller) -> ComplaintPageView:
    """List the caller's complaints."""
    return _page(_buyer(caller), query, query.view)


@routes.route("GET", "/v1/complaints/{complaint_id}", access=Access.BUYER, returns=ComplaintView, raises=(NotFound,))
def get_complaint(complaint_id: str, caller: Caller) -> ComplaintView:
    """Read one of the caller's complaints."""
    return ComplaintView.of(service.load(_buyer(caller), complaint_id))


@routes.route(
    "GET",
    "/v1/complaints/{complaint_id}/evidence/{evidence_id}",
    access=Access.BUYER,
    returns=EvidenceLinkView,
    raises=(NotFound,),
)
def get_complaint_evidence(complaint_id: str, evidence_id: str, caller: Caller) -> EvidenceLinkView:
    """Get an address that downloads one file for five minutes."""
    return _link(_buyer(caller), complaint_id, evidence_id)


@routes.route(
    "POST",
    "/v1/complaints/{complaint_id}/accept",
    access=Access.BUYER,
    body=Nothing,
    returns=ComplaintView,
    raises=_MOVES,
)
def accept_answer(complaint_id: str, caller: Caller, intent: Intent) -> Reply:
    """Accept the merchant's answer; an offered refund is under way with this very call."""
    return _reply(service.accept(_buyer(caller), complaint_id, intent))


@routes.route(
    "POST",
    "/v1/complaints/{complaint_id}/escalate",
    access=Access.BUYER,
    body=Say,
    returns=ComplaintView,
    raises=(*_MOVES, *_FILES),
)
def escalate_complaint(complaint_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Refuse the merchant's answer and ask for the platform's decision."""
    said = Statement(body.text, body.evidence)
    return _reply(service.escalate(_buyer(caller), complaint_id, said, intent))


@routes.route(
    "POST",
    "/v1/complaints/{complaint_id}/withdraw",
    access=Access.BUYER,
    body=Nothing,
    returns=ComplaintView,
    raises=_MOVES,
)
def withdraw_complaint(complaint_id: str, caller: Caller, intent: Intent) -> Reply:
    """Call the complaint off."""
    return _reply(service.withdraw(_buyer(caller), complaint_id, intent))


@routes.route(
    "POST",
    "/v1/complaints/{complaint_id}/reopen",
    access=Access.BUYER,
    body=Say,
    returns=ComplaintView,
    raises=(*_MOVES, NotReopenable, OpenComplaint, *_FILES),
)
def reopen_complaint(complaint_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Reopen a closed complaint: once, within 15 days; it goes to the platform."""
    said = Statement(body.text, body.evidence)
    return _reply(service.reopen(_buyer(caller), complaint_id, said, intent))


@routes.route(
    "GET",
    "/v1/merchant/complaints",
    access=Access.MERCHANT,
    query=ComplaintsQuery,
    returns=ComplaintPageView,
    raises=(BadCursor,),
)
def list_merchant_complaints(query: ComplaintsQuery, caller: Caller) -> ComplaintPageView:
    """List the complaints about the merchant's orders."""
    return _page(_merchant(caller), query, query.view)


@routes.route(
    "GET",
    "/v1/merchant/complaints/{complaint_id}",
    access=Access.MERCHANT,
    returns=ComplaintView,
    raises=(NotFound,),
)
def get_merchant_complaint(complaint_id: str, caller: Caller) -> ComplaintView:
    """Read a complaint about one of the merchant's orders."""
    return ComplaintView.of(service.load(_merchant(caller), complaint_id))


@routes.route(
    "GET",
    "/v1/merchant/complaints/{complaint_id}/evidence/{evidence_id}",
    access=Access.MERCHANT,
    returns=EvidenceLinkView,
    raises=(NotFound,),
)
def get_merchant_complaint_evidence(complaint_id: str, evidence_id: str, caller: Caller) -> EvidenceLinkView:
    """Get an address that downloads one file for five minutes."""
    return _link(_merchant(caller), complaint_id, evidence_id)


@routes.route(
    "POST",
    "/v1/merchant/complaints/{complaint_id}/reply",
    access=Access.MERCHANT,
    body=ReplyToComplaint,
    returns=ComplaintView,
    raises=(*_MOVES, AmountTooLarge, CurrencyMismatch, *_FILES),
)
def reply_to_complaint(complaint_id: str, body: ReplyToComplaint, caller: Caller, intent: Intent) -> Reply:
    """Answer: offer a refund, offer another remedy, or reject; the buyer has 72 hours to agree or escalate."""
    done = service.reply(
        _merchant(caller),
        complaint_id,
        cause=_ANSWERS[body.answer],
        amount=body.amount.money() if body.amount else None,
        said=Statement(body.text, body.evidence),
        intent=intent,
    )
    return _reply(done)


@routes.route(
    "GET",
    "/v1/operator/complaints",
    access=Access.OPERATOR,
    query=PageQuery,
    returns=ComplaintPageView,
    raises=(BadCursor,),
)
def list_operator_complaints(query: PageQuery, caller: Caller) -> ComplaintPageView:
    """List the complaints that wait for the platform, most urgent first."""
    return _page(_operator(caller), query, "waiting")


@routes.route(
    "GET",
    "/v1/operator/complaints/{complaint_id}",
    access=Access.OPERATOR,
    returns=ComplaintView,
    raises=(NotFound,),
)
def get_operator_complaint(complaint_id: str, caller: Caller) -> ComplaintView:
    """Read any complaint."""
    return ComplaintView.of(service.load(_operator(caller), complaint_id))


@routes.route(
    "GET",
    "/v1/operator/complaints/{complaint_id}/evidence/{evidence_id}",
    access=Access.OPERATOR,
    returns=EvidenceLinkView,
    raises=(NotFound,),
)
def get_operator_complaint_evidence(complaint_id: str, evidence_id: str, caller: Caller) -> EvidenceLinkView:
    """Get an address that downloads one file for five minutes."""
    return _link(_operator(caller), complaint_id, evidence_id)


@routes.route(
    "POST",
    "/v1/operator/complaints/{complaint_id}/decision",
    access=Access.OPERATOR,
    body=DecideComplaint,
    returns=ComplaintView,
    raises=(*_MOVES, AmountTooLarge, CurrencyMismatch, RefundRefused, ApprovalNeeded, DayLimitReached),
)
def decide_complaint(complaint_id: str, body: DecideComplaint, caller: Caller, intent: Intent) -> Reply:
    """Decide: a refund (under way with this very call), another remedy, or nothing."""
    done = service.decide(
        _operator(caller),
        complaint_id,
        cause=_DECISIONS[body.decision],
        amount=body.amount.money() if body.amount else None,
        said=Statement(body.text),
        intent=intent,
    )
    return _reply(done)
