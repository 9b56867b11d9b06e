"""Routes of complaints: each side has its own, so that a role sees what it may do."""

from __future__ import annotations

from chalicelib.complaints import service
from chalicelib.complaints.domain import Complaint
from chalicelib.complaints.refusals import (
    AmountTooLarge,
    EvidenceMissing,
    EvidenceRefused,
    NotAppealable,
    NotComplainable,
    NotReopenable,
    NotReplaceable,
    NotTheMerchants,
    OpenComplaint,
    OwnDecision,
    TooManyComplaints,
    TooMuchEvidence,
)
from chalicelib.complaints.schemas import (
    AskBundle,
    AskSide,
    BundleView,
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
from chalicelib.complaints.service import Answer, Filing, Party, Statement, Verdict
from chalicelib.complaints.states import Cause, Turn
from chalicelib.complaints.uploads import TooManyUploads
from chalicelib.inventory.service import OutOfStock
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
_AGAIN = (NotReopenable, NotAppealable, OpenComplaint)
_REMEDIES = dict.fromkeys(("replacement", "apology", "remedy"), (Cause.OFFER_REMEDY, Cause.GRANT_REMEDY))
_GIVES = {**dict.fromkeys(("refund", "compensation"), (Cause.OFFER_REFUND, Cause.GRANT_REFUND)), **_REMEDIES}
"""What an answer or a decision is called -> the merchant's cause and the operator's."""
_ASKS = {"merchant": Cause.ASK_MERCHANT, "buyer": Cause.ASK_BUYER}


def _kind(word: str) -> str:
    return word if word in _GIVES and word != "remedy" else ""


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
    raises=(
        NotFound,
        NotComplainable,
        OpenComplaint,
        TooManyComplaints,
        AmountTooLarge,
        CurrencyMismatch,
        *_FILES,
        Busy,
    ),
)
def file_complaint(body: FileComplaint, caller: Caller, intent: Intent) -> Reply:
    """File a complaint against a line of one of the caller's paid orders; the merchant has 48 hours to answer."""
    filing = Filing(
        body.order_id,
        body.line_id,
        body.reason,
        Statement(body.text, body.evidence),
        body.wishes,
        body.wished.money() if body.wished else None,
    )
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
    "GET",
    "/v1/complaints/{complaint_id}/bundle",
    access=Access.BUYER,
    returns=BundleView,
    raises=(NotFound,),
)
def get_complaint_bundle(complaint_id: str, caller: Caller) -> BundleView:
    """Get everything about a complaint of the caller's with hashes, to be shown to an authority or a court."""
    return BundleView.of(service.bundle(_buyer(caller), complaint_id))


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
    raises=(*_MOVES, *_AGAIN, *_FILES),
)
def reopen_complaint(complaint_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Reopen a closed complaint: once, within 15 days; it goes to the platform, as an appeal where that decided."""
    said = Statement(body.text, body.evidence)
    return _reply(service.reopen(_buyer(caller), complaint_id, said, intent))


@routes.route(
    "POST",
    "/v1/complaints/{complaint_id}/statement",
    access=Access.BUYER,
    body=Say,
    returns=ComplaintView,
    raises=(*_MOVES, *_FILES),
)
def state_in_complaint(complaint_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Say or show what the platform asked for; it goes on mediating, without it as well once the time is over."""
    said = Statement(body.text, body.evidence)
    return _reply(service.state(_buyer(caller), complaint_id, said, intent))


@routes.route(
    "POST",
    "/v1/complaints/{complaint_id}/appeal",
    access=Access.BUYER,
    body=Say,
    returns=ComplaintView,
    raises=(*_MOVES, *_AGAIN, *_FILES),
)
def appeal_complaint(complaint_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Appeal against the platform's decision: once, within 15 days; somebody else decides again, never a program."""
    said = Statement(body.text, body.evidence)
    return _reply(service.appeal(_buyer(caller), complaint_id, said, intent))


@routes.route(
    "POST",
    "/v1/complaints/{complaint_id}/person",
    access=Access.BUYER,
    body=Nothing,
    returns=ComplaintView,
    raises=_MOVES,
)
def ask_for_person(complaint_id: str, caller: Caller, intent: Intent) -> Reply:
    """Ask that a person decides: from now on no clock ends the complaint."""
    return _reply(service.ask_person(_buyer(caller), complaint_id, intent))


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
    raises=(*_MOVES, AmountTooLarge, CurrencyMismatch, NotReplaceable, *_FILES),
)
def reply_to_complaint(complaint_id: str, body: ReplyToComplaint, caller: Caller, intent: Intent) -> Reply:
    """Answer: offer money, goods or another remedy, or reject; the buyer has three days to agree or escalate."""
    answer = Answer(
        cause=_GIVES[body.answer][0] if body.answer in _GIVES else Cause.REJECT,
        said=Statement(body.text, body.evidence),
        kind=_kind(body.answer),
        amount=body.amount.money() if body.amount else None,
        units=body.quantity or 0,
    )
    return _reply(service.reply(_merchant(caller), complaint_id, answer, intent))


@routes.route(
    "POST",
    "/v1/merchant/complaints/{complaint_id}/appeal",
    access=Access.MERCHANT,
    body=Say,
    returns=ComplaintView,
    raises=(*_MOVES, *_AGAIN, *_FILES),
)
def appeal_as_merchant(complaint_id: str, body: Say, caller: Caller, intent: Intent) -> Reply:
    """Appeal against the platform's decision: once, within 15 days; somebody else decides again, never a program."""
    said = Statement(body.text, body.evidence)
    return _reply(service.appeal(_merchant(caller), complaint_id, said, intent))


@routes.route(
    "POST",
    "/v1/merchant/complaints/{complaint_id}/person",
    access=Access.MERCHANT,
    body=Nothing,
    returns=ComplaintView,
    raises=_MOVES,
)
def ask_for_person_as_merchant(complaint_id: str, caller: Caller, intent: Intent) -> Reply:
    """Ask that a person decides: from now on no clock ends the complaint."""
    return _reply(service.ask_person(_merchant(caller), complaint_id, intent))


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
    "/v1/operator/complaints/{complaint_id}/question",
    access=Access.OPERATOR,
    body=AskSide,
    returns=ComplaintView,
    raises=(*_MOVES, OwnDecision),
)
def ask_in_complaint(complaint_id: str, body: AskSide, caller: Caller, intent: Intent) -> Reply:
    """Ask one side for what is missing. A merchant who does not answer twice in a complaint loses it."""
    return _reply(service.ask(_operator(caller), complaint_id, _ASKS[body.side], Statement(body.text), intent))


@routes.route(
    "POST",
    "/v1/operator/complaints/{complaint_id}/bundle",
    access=Access.OPERATOR,
    body=AskBundle,
    returns=BundleView,
    raises=(NotFound,),
    idempotent=False,  # Asking again is another handing over: each has its line in the audit.
)
def bundle_complaint(complaint_id: str, caller: Caller) -> BundleView:
    """Get everything about a complaint with hashes, the books too, for an authority that asked; the audit keeps it."""
    return BundleView.of(service.bundle(_operator(caller), complaint_id))


@routes.route(
    "POST",
    "/v1/operator/complaints/{complaint_id}/decision",
    access=Access.OPERATOR,
    body=DecideComplaint,
    returns=ComplaintView,
    raises=(
        *_MOVES,
        AmountTooLarge,
        CurrencyMismatch,
        NotReplaceable,
        OutOfStock,
        NotTheMerchants,
        NotAppealable,
        OwnDecision,
        RefundRefused,
        ApprovalNeeded,
        DayLimitReached,
    ),
)
def decide_complaint(complaint_id: str, body: DecideComplaint, caller: Caller, intent: Intent) -> Reply:
    """Decide: money or goods (under way with this very call), another remedy, or nothing; or judge an appeal."""
    causes = {"uphold": Cause.UPHOLD, "dismiss": Cause.DISMISS}
    verdict = Verdict(
        cause=causes.get(body.decision) or _GIVES[body.decision][1],
        facts=body.facts,
        rule=body.rule.value,
        said=Statement(body.text),
        kind=_kind(body.decision),
        amount=body.amount.money() if body.amount else None,
        units=body.quantity or 0,
        payer=body.payer,
        basis=body.basis,
        proof=body.proof,
    )
    return _reply(service.decide(_operator(caller), complaint_id, verdict, intent))
