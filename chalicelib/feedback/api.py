"""Routes of feedback, of questions how a case was, and of the figures that everybody may see."""

from __future__ import annotations

from chalicelib.feedback import service
from chalicelib.feedback.domain import Feedback, ObjectedBefore, TooMuchFeedback
from chalicelib.feedback.schemas import (
    Answer,
    FeedbackPageView,
    FeedbackQuery,
    FeedbackView,
    GiveScore,
    MonthQuery,
    Nothing,
    ServiceFiguresView,
    Sort,
    SurveyPageView,
    SurveyView,
    Tell,
)
from chalicelib.feedback.surveys import SurveyOver
from chalicelib.kernel.errors import Busy, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

routes = Routes("feedback")

_MOVES = (NotFound, IllegalTransition, IdempotencyKeyReused, Busy)


def _reply(done: tuple[Feedback, bool], *, inside: bool = False, status: int = 200) -> Reply:
    return Reply(FeedbackView.of(done[0], inside=inside), status, replayed_header(done[1]))


@routes.route(
    "POST",
    "/v1/feedback",
    access=Access.SIGNED_IN,
    body=Tell,
    returns=FeedbackView,
    status=201,
    raises=(TooMuchFeedback, IdempotencyKeyReused, Busy),
)
def tell_platform(body: Tell, caller: Caller, intent: Intent) -> Reply:
    """Tell the platform something: a fault, a wish, something unlawful, a word on its rules. It is answered."""
    return _reply(service.tell(caller.account_id, body.kind, body.text, intent), status=201)


@routes.route(
    "GET", "/v1/feedback", access=Access.SIGNED_IN, query=PageQuery, returns=FeedbackPageView, raises=(BadCursor,)
)
def list_my_feedback(query: PageQuery, caller: Caller) -> FeedbackPageView:
    """List what the caller told, the latest first."""
    scope = f"feedback#{caller.account_id}"
    page = service.list_of(caller.account_id, cursors.window(query.limit, query.cursor, query=scope))
    return FeedbackPageView(
        items=[FeedbackView.of(one) for one in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route("GET", "/v1/feedback/{feedback_id}", access=Access.SIGNED_IN, returns=FeedbackView, raises=(NotFound,))
def get_my_feedback(feedback_id: str, caller: Caller) -> FeedbackView:
    """Read what the caller told, and what was answered."""
    return FeedbackView.of(service.own(caller.account_id, feedback_id))


@routes.route(
    "POST",
    "/v1/feedback/{feedback_id}/object",
    access=Access.SIGNED_IN,
    body=Answer,
    returns=FeedbackView,
    raises=(*_MOVES, ObjectedBefore),
)
def object_to_answer(feedback_id: str, body: Answer, caller: Caller, intent: Intent) -> Reply:
    """Say that the answer is none, once: it is answered again."""
    return _reply(service.object_to(caller.account_id, feedback_id, body.text, intent))


@routes.route(
    "POST",
    "/v1/feedback/{feedback_id}/close",
    access=Access.SIGNED_IN,
    body=Nothing,
    returns=FeedbackView,
    raises=_MOVES,
)
def close_feedback(feedback_id: str, caller: Caller, intent: Intent) -> Reply:
    """Say that the answer is enough."""
    return _reply(service.close(caller.account_id, feedback_id, intent))


@routes.route(
    "GET",
    "/v1/operator/feedback",
    access=Access.OPERATOR,
    query=FeedbackQuery,
    returns=FeedbackPageView,
    raises=(BadCursor,),
)
def list_feedback(query: FeedbackQuery, caller: Caller) -> FeedbackPageView:
    """List feedback in a state, the oldest first."""
    scope = f"feedback#{query.status}#{caller.account_id}"
    page = service.list_by(query.status, cursors.window(query.limit, query.cursor, query=scope))
    return FeedbackPageView(
        items=[FeedbackView.of(one, inside=True) for one in page.items],
        next_cursor=cursors.seal(page.after, query=scope),
    )


@routes.route(
    "GET", "/v1/operator/feedback/{feedback_id}", access=Access.OPERATOR, returns=FeedbackView, raises=(NotFound,)
)
def get_feedback(feedback_id: str) -> FeedbackView:
    """Read one feedback."""
    return FeedbackView.of(service.load(feedback_id), inside=True)


@routes.route(
    "POST",
    "/v1/operator/feedback/{feedback_id}/sort",
    access=Access.OPERATOR,
    body=Sort,
    returns=FeedbackView,
    raises=_MOVES,
)
def sort_feedback(feedback_id: str, body: Sort, caller: Caller, intent: Intent) -> Reply:
    """Say where it belongs; until it is answered it may be said anew."""
    return _reply(service.sort(feedback_id, body.topic, by=caller.account_id, intent=intent), inside=True)


@routes.route(
    "POST",
    "/v1/operator/feedback/{feedback_id}/answer",
    access=Access.OPERATOR,
    body=Answer,
    returns=FeedbackView,
    raises=_MOVES,
)
def answer_feedback(feedback_id: str, body: Answer, caller: Caller, intent: Intent) -> Reply:
    """Answer it; its writer may object once, and it is closed by itself two weeks after the answer."""
    return _reply(service.answer(feedback_id, body.text, by=caller.account_id, intent=intent), inside=True)


@routes.route(
    "GET", "/v1/satisfaction", access=Access.SIGNED_IN, query=PageQuery, returns=SurveyPageView, raises=(BadCursor,)
)
def list_surveys(query: PageQuery, caller: Caller) -> SurveyPageView:
    """List of which cases the caller is asked how they were, the latest first."""
    scope = f"surveys#{caller.account_id}"
    page = service.surveys_of(caller.account_id, cursors.window(query.limit, query.cursor, query=scope))
    return SurveyPageView(
        items=[SurveyView.of(one) for one in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route(
    "POST",
    "/v1/satisfaction/{survey_id}",
    access=Access.SIGNED_IN,
    body=GiveScore,
    returns=SurveyView,
    raises=(NotFound, SurveyOver, IdempotencyKeyReused, Busy),
)
def answer_survey(survey_id: str, body: GiveScore, caller: Caller, intent: Intent) -> Reply:
    """Say how a case was, once, within thirty days."""
    found, replayed = service.answer_survey(caller.account_id, survey_id, body.score, body.text, intent)
    return Reply(SurveyView.of(found), 200, replayed_header(replayed))


_CACHE = "public, max-age=300"


@routes.route(
    "GET",
    "/v1/service-figures",
    access=Access.PUBLIC,
    query=MonthQuery,
    returns=ServiceFiguresView,
    cache_control=_CACHE,
    etag=True,
)
def get_service_figures(query: MonthQuery) -> ServiceFiguresView:
    """Read how soon the platform's service answers, what it solves, and how people found it."""
    return ServiceFiguresView.of(service.of_platform(query.month), whole=True)


@routes.route(
    "GET",
    "/v1/merchants/{merchant_id}/service-figures",
    access=Access.PUBLIC,
    query=MonthQuery,
    returns=ServiceFiguresView,
    raises=(NotFound,),
    cache_control=_CACHE,
    etag=True,
)
def get_merchant_service_figures(merchant_id: str, query: MonthQuery) -> ServiceFiguresView:
    """Read how soon a merchant answers, what it solves, and how people found it."""
    return ServiceFiguresView.of(service.of_merchant(merchant_id, query.month), whole=False)
