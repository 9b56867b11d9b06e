"""Routes of conversations: each side has its own, so that a role sees what it may do."""

from __future__ import annotations

from chalicelib.complaints.service import EvidenceMissing, EvidenceRefused
from chalicelib.conversations import service
from chalicelib.conversations.answers import SERVICE
from chalicelib.conversations.domain import Entry, NoSuchAgent, NotInHand, Side, Thread, TooManyWords
from chalicelib.conversations.schemas import (
    AnswersView,
    BeginConversation,
    ConversationPageView,
    ConversationsQuery,
    ConversationView,
    DeskFiguresQuery,
    DeskQuery,
    EntriesView,
    EntryView,
    FiguresQuery,
    FiguresView,
    MarkRead,
    Nothing,
    PictureLinkView,
    SaidView,
    SayWords,
    SetAnswers,
    Transfer,
)
from chalicelib.conversations.service import Party, Words
from chalicelib.kernel.errors import Busy, ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.kernel.pages import Page
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

routes = Routes("conversations")

_STEPS = (NotFound, IllegalTransition, IdempotencyKeyReused, Busy)
_WORDS = (NotFound, TooManyWords, EvidenceMissing, EvidenceRefused, IdempotencyKeyReused, Busy)


def _buyer(caller: Caller) -> Party:
    return Party(Side.BUYER, caller.account_id, caller.account_id)


def _merchant(caller: Caller) -> Party:
    return Party(Side.MERCHANT, caller.account_id, caller.owned_merchant())


def _agent(caller: Caller) -> Party:
    return Party(Side.SERVICE, caller.account_id)


def _reply(party: Party, done: tuple[Thread, Entry | None, bool], status: int = 200) -> Reply:
    thread, entry, replayed = done
    view = SaidView(
        conversation=ConversationView.of(thread, to=party.side),
        entry=EntryView.of(entry, to=party.side) if entry is not None else None,
    )
    return Reply(view, status, replayed_header(replayed))


def _words(body: SayWords) -> Words:
    return Words(body.text, body.pictures)


def _begun(party: Party, body: BeginConversation, intent: Intent) -> Reply:
    return _reply(party, service.begin(party, body.about, body.subject_id, _words(body), intent), 201)


def _said(party: Party, conversation_id: str, body: SayWords, intent: Intent) -> Reply:
    return _reply(party, service.say(party, conversation_id, _words(body), intent), 201)


def _page(party: Party, page: Page[Thread], scope: str) -> ConversationPageView:
    return ConversationPageView(
        items=[ConversationView.of(one, to=party.side) for one in page.items],
        next_cursor=cursors.seal(page.after, query=scope),
    )


def _entries(party: Party, conversation_id: str, query: PageQuery) -> EntriesView:
    thread = service.load(party, conversation_id)
    scope = f"entries#{conversation_id}#{party.side}"
    page = service.entries(party, conversation_id, cursors.window(query.limit, query.cursor, query=scope))
    return EntriesView(
        conversation=ConversationView.of(thread, to=party.side),
        items=[EntryView.of(one, to=party.side) for one in page.items],
        next_cursor=cursors.seal(page.after, query=scope),
    )


def _read(party: Party, conversation_id: str, body: MarkRead) -> ConversationView:
    return ConversationView.of(service.mark_read(party, conversation_id, body.number), to=party.side)


def _link(party: Party, conversation_id: str, number: str, picture_id: str) -> PictureLinkView:
    if not (number.isascii() and number.isdigit()):
        raise NotFound(what="evidence")
    url, expires_at = service.show_picture(party, conversation_id, int(number), picture_id)
    return PictureLinkView(url=url, expires_at=expires_at)


# --- buyers


@routes.route(
    "POST",
    "/v1/conversations",
    access=Access.BUYER,
    body=BeginConversation,
    returns=SaidView,
    status=201,
    raises=_WORDS,
)
def begin_conversation(body: BeginConversation, caller: Caller, intent: Intent) -> Reply:
    """SayWords something about a product, an order or a complaint: there is one conversation about each."""
    return _begun(_buyer(caller), body, intent)


@routes.route(
    "GET",
    "/v1/conversations",
    access=Access.BUYER,
    query=PageQuery,
    returns=ConversationPageView,
    raises=(BadCursor,),
)
def list_conversations(query: PageQuery, caller: Caller) -> ConversationPageView:
    """List the caller's conversations, the one that moved last first."""
    party, scope = _buyer(caller), f"conversations#{caller.account_id}"
    return _page(party, service.list_for(party, cursors.window(query.limit, query.cursor, query=scope)), scope)


@routes.route(
    "GET",
    "/v1/conversations/{conversation_id}",
    access=Access.BUYER,
    query=PageQuery,
    returns=EntriesView,
    raises=(NotFound, BadCursor),
)
def get_conversation(conversation_id: str, query: PageQuery, caller: Caller) -> EntriesView:
    """Read a conversation, what was said last first."""
    return _entries(_buyer(caller), conversation_id, query)


@routes.route(
    "POST",
    "/v1/conversations/{conversation_id}/entries",
    access=Access.BUYER,
    body=SayWords,
    returns=SaidView,
    status=201,
    raises=_WORDS,
)
def say_in_conversation(conversation_id: str, body: SayWords, caller: Caller, intent: Intent) -> Reply:
    """SayWords something; what was over is open again."""
    return _said(_buyer(caller), conversation_id, body, intent)


@routes.route(
    "POST",
    "/v1/conversations/{conversation_id}/read",
    access=Access.BUYER,
    body=MarkRead,
    returns=ConversationView,
    raises=(NotFound, Busy),
    idempotent=False,  # It names how far: a second time changes nothing.
)
def read_conversation(conversation_id: str, body: MarkRead, caller: Caller) -> ConversationView:
    """SayWords how far one has read: the others see it."""
    return _read(_buyer(caller), conversation_id, body)


@routes.route(
    "POST",
    "/v1/conversations/{conversation_id}/call-service",
    access=Access.BUYER,
    body=Nothing,
    returns=SaidView,
    raises=_STEPS,
)
def call_service(conversation_id: str, caller: Caller, intent: Intent) -> Reply:
    """Call the platform's service in: a person comes."""
    party = _buyer(caller)
    return _reply(party, service.call(party, conversation_id, intent))


@routes.route(
    "POST",
    "/v1/conversations/{conversation_id}/solve",
    access=Access.BUYER,
    body=Nothing,
    returns=SaidView,
    raises=(*_STEPS, NotInHand),
)
def solve_conversation(conversation_id: str, caller: Caller, intent: Intent) -> Reply:
    """SayWords that it is settled; whoever says something later opens it again."""
    party = _buyer(caller)
    return _reply(party, service.solve(party, conversation_id, intent))


@routes.route(
    "GET",
    "/v1/conversations/{conversation_id}/entries/{number}/pictures/{picture_id}",
    access=Access.BUYER,
    returns=PictureLinkView,
    raises=(NotFound,),
)
def get_picture(conversation_id: str, number: str, picture_id: str, caller: Caller) -> PictureLinkView:
    """Get an address that shows a picture for five minutes."""
    return _link(_buyer(caller), conversation_id, number, picture_id)


# --- merchants


@routes.route(
    "POST",
    "/v1/merchant/conversations",
    access=Access.MERCHANT,
    body=BeginConversation,
    returns=SaidView,
    status=201,
    raises=_WORDS,
)
def begin_merchant_conversation(body: BeginConversation, caller: Caller, intent: Intent) -> Reply:
    """SayWords something to the buyer of an order, or about a complaint."""
    return _begun(_merchant(caller), body, intent)


@routes.route(
    "GET",
    "/v1/merchant/conversations",
    access=Access.MERCHANT,
    query=ConversationsQuery,
    returns=ConversationPageView,
    raises=(BadCursor,),
)
def list_merchant_conversations(query: ConversationsQuery, caller: Caller) -> ConversationPageView:
    """List the merchant's conversations: all, the one that moved last first, or what waits for it longest."""
    party = _merchant(caller)
    scope = f"conversations#{query.view}#{party.owner_id}"
    window = cursors.window(query.limit, query.cursor, query=scope)
    return _page(party, service.list_for(party, window, waiting=query.view == "waiting"), scope)


@routes.route(
    "GET",
    "/v1/merchant/conversations/{conversation_id}",
    access=Access.MERCHANT,
    query=PageQuery,
    returns=EntriesView,
    raises=(NotFound, BadCursor),
)
def get_merchant_conversation(conversation_id: str, query: PageQuery, caller: Caller) -> EntriesView:
    """Read a conversation, what was said last first."""
    return _entries(_merchant(caller), conversation_id, query)


@routes.route(
    "POST",
    "/v1/merchant/conversations/{conversation_id}/entries",
    access=Access.MERCHANT,
    body=SayWords,
    returns=SaidView,
    status=201,
    raises=_WORDS,
)
def say_as_merchant(conversation_id: str, body: SayWords, caller: Caller, intent: Intent) -> Reply:
    """Answer: it is the buyer's turn."""
    return _said(_merchant(caller), conversation_id, body, intent)


@routes.route(
    "POST",
    "/v1/merchant/conversations/{conversation_id}/read",
    access=Access.MERCHANT,
    body=MarkRead,
    returns=ConversationView,
    raises=(NotFound, Busy),
    idempotent=False,  # It names how far: a second time changes nothing.
)
def read_as_merchant(conversation_id: str, body: MarkRead, caller: Caller) -> ConversationView:
    """SayWords how far the merchant has read: the others see it."""
    return _read(_merchant(caller), conversation_id, body)


@routes.route(
    "POST",
    "/v1/merchant/conversations/{conversation_id}/call-service",
    access=Access.MERCHANT,
    body=Nothing,
    returns=SaidView,
    raises=_STEPS,
)
def call_service_as_merchant(conversation_id: str, caller: Caller, intent: Intent) -> Reply:
    """Call the platform's service in."""
    party = _merchant(caller)
    return _reply(party, service.call(party, conversation_id, intent))


@routes.route(
    "POST",
    "/v1/merchant/conversations/{conversation_id}/solve",
    access=Access.MERCHANT,
    body=Nothing,
    returns=SaidView,
    raises=(*_STEPS, NotInHand),
)
def solve_as_merchant(conversation_id: str, caller: Caller, intent: Intent) -> Reply:
    """SayWords that it is settled, as long as the service was not called."""
    party = _merchant(caller)
    return _reply(party, service.solve(party, conversation_id, intent))


@routes.route(
    "GET",
    "/v1/merchant/conversations/{conversation_id}/entries/{number}/pictures/{picture_id}",
    access=Access.MERCHANT,
    returns=PictureLinkView,
    raises=(NotFound,),
)
def get_merchant_picture(conversation_id: str, number: str, picture_id: str, caller: Caller) -> PictureLinkView:
    """Get an address that shows a picture for five minutes."""
    return _link(_merchant(caller), conversation_id, number, picture_id)


@routes.route("GET", "/v1/merchant/canned-answers", access=Access.MERCHANT, returns=AnswersView)
def get_merchant_answers(caller: Caller) -> AnswersView:
    """Read what the merchant says again and again."""
    return AnswersView.of(service.answers.load(caller.owned_merchant()))


@routes.route(
    "PUT",
    "/v1/merchant/canned-answers",
    access=Access.MERCHANT,
    body=SetAnswers,
    returns=AnswersView,
    raises=(ConcurrentUpdate,),
)
def set_merchant_answers(body: SetAnswers, caller: Caller) -> AnswersView:
    """Put a list in the place of the one that was read."""
    found = service.answers.replace_all(caller.owned_merchant(), body.wanted(), version=body.version)
    return AnswersView.of(found)


@routes.route(
    "GET", "/v1/merchant/conversation-figures", access=Access.MERCHANT, query=FiguresQuery, returns=FiguresView
)
def get_merchant_figures(query: FiguresQuery, caller: Caller) -> FiguresView:
    """Read how soon the merchant answers at first, what it solved, and what came back."""
    return FiguresView.of(service.counts_between(caller.owned_merchant(), query.first, query.last))


# --- the service


@routes.route(
    "GET",
    "/v1/operator/conversations",
    access=Access.OPERATOR,
    query=DeskQuery,
    returns=ConversationPageView,
    raises=(BadCursor,),
)
def list_operator_conversations(query: DeskQuery, caller: Caller) -> ConversationPageView:
    """List what waits in a queue, the longest first; without one, what the caller has in hand."""
    party = _agent(caller)
    scope = f"conversations#{query.queue}#{caller.account_id}"
    window = cursors.window(query.limit, query.cursor, query=scope)
    found = service.list_queue(query.queue, window) if query.queue else service.list_for(party, window)
    return _page(party, found, scope)


@routes.route(
    "GET",
    "/v1/operator/conversations/{conversation_id}",
    access=Access.OPERATOR,
    query=PageQuery,
    returns=EntriesView,
    raises=(NotFound, BadCursor),
)
def get_operator_conversation(conversation_id: str, query: PageQuery, caller: Caller) -> EntriesView:
    """Read a conversation with the service's own notes, what was said last first."""
    return _entries(_agent(caller), conversation_id, query)


@routes.route(
    "POST",
    "/v1/operator/conversations/{conversation_id}/entries",
    access=Access.OPERATOR,
    body=SayWords,
    returns=SaidView,
    status=201,
    raises=(*_WORDS, NotInHand),
)
def say_as_service(conversation_id: str, body: SayWords, caller: Caller, intent: Intent) -> Reply:
    """SayWords something for the platform: who has the conversation in hand."""
    return _said(_agent(caller), conversation_id, body, intent)


@routes.route(
    "POST",
    "/v1/operator/conversations/{conversation_id}/read",
    access=Access.OPERATOR,
    body=MarkRead,
    returns=ConversationView,
    raises=(NotFound, Busy),
    idempotent=False,  # It names how far: a second time changes nothing.
)
def read_as_service(conversation_id: str, body: MarkRead, caller: Caller) -> ConversationView:
    """SayWords how far the service has read: the others see it."""
    return _read(_agent(caller), conversation_id, body)


@routes.route(
    "POST",
    "/v1/operator/conversations/{conversation_id}/take",
    access=Access.OPERATOR,
    body=Nothing,
    returns=SaidView,
    raises=_STEPS,
)
def take_conversation(conversation_id: str, caller: Caller, intent: Intent) -> Reply:
    """Take a conversation out of its queue. Who is silent for a day loses it again."""
    party = _agent(caller)
    return _reply(party, service.take(party, conversation_id, intent))


@routes.route(
    "POST",
    "/v1/operator/conversations/{conversation_id}/transfer",
    access=Access.OPERATOR,
    body=Transfer,
    returns=SaidView,
    raises=(*_STEPS, NotInHand, NoSuchAgent),
)
def transfer_conversation(conversation_id: str, body: Transfer, caller: Caller, intent: Intent) -> Reply:
    """Give a conversation to a queue or to a colleague, with a note that the service alone reads."""
    party = _agent(caller)
    done = service.transfer(party, conversation_id, queue=body.queue, to=body.to or "", note=body.note, intent=intent)
    return _reply(party, done)


@routes.route(
    "POST",
    "/v1/operator/conversations/{conversation_id}/solve",
    access=Access.OPERATOR,
    body=Nothing,
    returns=SaidView,
    raises=(*_STEPS, NotInHand),
)
def solve_as_service(conversation_id: str, caller: Caller, intent: Intent) -> Reply:
    """SayWords that it is settled: who has it in hand."""
    party = _agent(caller)
    return _reply(party, service.solve(party, conversation_id, intent))


@routes.route(
    "GET",
    "/v1/operator/conversations/{conversation_id}/entries/{number}/pictures/{picture_id}",
    access=Access.OPERATOR,
    returns=PictureLinkView,
    raises=(NotFound,),
)
def get_operator_picture(conversation_id: str, number: str, picture_id: str, caller: Caller) -> PictureLinkView:
    """Get an address that shows a picture for five minutes."""
    return _link(_agent(caller), conversation_id, number, picture_id)


@routes.route("GET", "/v1/operator/canned-answers", access=Access.OPERATOR, returns=AnswersView)
def get_operator_answers() -> AnswersView:
    """Read what the service says again and again."""
    return AnswersView.of(service.answers.load(SERVICE))


@routes.route(
    "PUT",
    "/v1/operator/canned-answers",
    access=Access.OPERATOR,
    body=SetAnswers,
    returns=AnswersView,
    raises=(ConcurrentUpdate,),
)
def set_operator_answers(body: SetAnswers) -> AnswersView:
    """Put a list in the place of the one that was read."""
    return AnswersView.of(service.answers.replace_all(SERVICE, body.wanted(), version=body.version))


@routes.route(
    "GET",
    "/v1/operator/conversation-figures",
    access=Access.OPERATOR,
    query=DeskFiguresQuery,
    returns=FiguresView,
)
def get_operator_figures(query: DeskFiguresQuery) -> FiguresView:
    """Read how soon the service, somebody of it or a merchant answers at first, what was solved, and what came back."""
    whose = query.of or service.figures.SERVICE
    return FiguresView.of(service.counts_between(whose, query.first, query.last))
