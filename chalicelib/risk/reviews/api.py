"""Routes of reviews and rules: operators decide, and whom it is about sees it and objects."""

from __future__ import annotations

from chalicelib.kernel.errors import ConcurrentUpdate, IdempotencyKeyReused, IllegalTransition, NotFound
from chalicelib.kernel.second_person import AskerGone, KinApproval, OwnApproval
from chalicelib.risk import service
from chalicelib.risk.domain import BadRule, NotInShadow
from chalicelib.risk.reviews.domain import NotYourReview, SamePerson
from chalicelib.risk.reviews.schemas import (
    Appeal,
    AskRule,
    DecideReview,
    DecideRule,
    MyReviewsView,
    MyReviewView,
    ReviewsQuery,
    ReviewsView,
    ReviewView,
    RulesView,
    RuleView,
)
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes, replayed_header
from chalicelib.runtime.intents import Intent
from chalicelib.runtime.schema import PageQuery

routes = Routes("risk")


@routes.route(
    "GET",
    "/v1/operator/risk/reviews",
    access=Access.OPERATOR,
    query=ReviewsQuery,
    returns=ReviewsView,
    raises=(BadCursor,),
)
def list_reviews(query: ReviewsQuery, caller: Caller) -> ReviewsView:
    """List what rules found, by state, the oldest first."""
    scope = f"reviews#{query.status}#{caller.account_id}"
    page = service.reviews.list_by(query.status, cursors.window(query.limit, query.cursor, query=scope))
    return ReviewsView(
        items=[ReviewView.of(one) for one in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route(
    "GET", "/v1/operator/risk/reviews/{review_id}", access=Access.OPERATOR, returns=ReviewView, raises=(NotFound,)
)
def get_review(review_id: str) -> ReviewView:
    """Read one review: the rule, the facts it went by, and its history."""
    return ReviewView.of(service.reviews.get(review_id))


@routes.route(
    "POST",
    "/v1/operator/risk/reviews/{review_id}/claim",
    access=Access.OPERATOR,
    returns=ReviewView,
    raises=(NotFound, SamePerson, IllegalTransition, ConcurrentUpdate, IdempotencyKeyReused),
)
def claim_review(review_id: str, caller: Caller, intent: Intent) -> Reply:
    """Take a review in hand for a day. An objection is taken by somebody else than who decided."""
    review, before = service.reviews.claim(review_id, by=caller.account_id, intent=intent)
    return Reply(ReviewView.of(review), 200, replayed_header(before))


@routes.route(
    "POST",
    "/v1/operator/risk/reviews/{review_id}/decide",
    access=Access.OPERATOR,
    body=DecideReview,
    returns=ReviewView,
    raises=(NotFound, NotYourReview, IllegalTransition, ConcurrentUpdate, IdempotencyKeyReused),
)
def decide_review(review_id: str, body: DecideReview, caller: Caller, intent: Intent) -> Reply:
    """Say whether it is so, with a reason that the person it is about reads."""
    review, before = service.reviews.decide(
        review_id, uphold=body.decision == "upheld", reason=body.reason, by=caller.account_id, intent=intent
    )
    return Reply(ReviewView.of(review), 200, replayed_header(before))


@routes.route(
    "GET", "/v1/me/reviews", access=Access.SIGNED_IN, query=PageQuery, returns=MyReviewsView, raises=(BadCursor,)
)
def list_my_reviews(query: PageQuery, caller: Caller) -> MyReviewsView:
    """List what a person decided of the caller's account, by which facts and why."""
    scope = f"my-reviews#{caller.account_id}"
    window = cursors.window(query.limit, query.cursor, query=scope)
    page = service.reviews.list_of(caller.account_id, window)
    return MyReviewsView(
        items=[MyReviewView.of(one) for one in page.items], next_cursor=cursors.seal(page.after, query=scope)
    )


@routes.route(
    "POST",
    "/v1/me/reviews/{review_id}/appeal",
    access=Access.SIGNED_IN,
    body=Appeal,
    returns=MyReviewView,
    raises=(NotFound, IllegalTransition, ConcurrentUpdate, IdempotencyKeyReused),
)
def appeal_review(review_id: str, body: Appeal, caller: Caller, intent: Intent) -> Reply:
    """Object: another person looks at it within ten days, else it counts for nothing."""
    review, before = service.reviews.appeal(review_id, account_id=caller.account_id, said=body.text, intent=intent)
    return Reply(MyReviewView.of(review), 200, replayed_header(before))


@routes.route("GET", "/v1/operator/risk/rules", access=Access.OPERATOR, returns=RulesView)
def list_rules() -> RulesView:
    """List the rules in force, and the versions that are asked for."""
    return _rules()


def _rules() -> RulesView:
    found = service.changing.in_force()
    return RulesView(
        items=[RuleView.of_rule(rule) for rule in found.rules],
        asked=[RuleView.of_rule(one.rule, one) for one in found.proposals],
    )


@routes.route(
    "POST",
    "/v1/operator/risk/rules/{rule}/ask",
    access=Access.OPERATOR,
    body=AskRule,
    returns=RuleView,
    status=201,
    raises=(NotFound, BadRule, NotInShadow, ConcurrentUpdate, IdempotencyKeyReused),
)
def ask_rule(rule: str, body: AskRule, caller: Caller, intent: Intent) -> Reply:
    """Ask for another version of a rule; another operator puts it in force."""
    proposal, before = service.changing.ask(rule, body.changes(), body.reason, by=caller.account_id, intent=intent)
    return Reply(RuleView.of_rule(proposal.rule, proposal), 201, replayed_header(before))


@routes.route(
    "POST",
    "/v1/operator/risk/rules/{rule}/approve",
    access=Access.OPERATOR,
    body=DecideRule,
    returns=RuleView,
    raises=(NotFound, OwnApproval, AskerGone, KinApproval, NotInShadow, BadRule, ConcurrentUpdate),
    idempotent=False,  # It names the version: a second time finds it in force.
)
def approve_rule(rule: str, body: DecideRule, caller: Caller) -> RuleView:
    """Put in force what another operator asked for."""
    return RuleView.of_rule(service.changing.approve(rule, body.version, by=caller.account_id))


@routes.route(
    "POST",
    "/v1/operator/risk/rules/{rule}/reject",
    access=Access.OPERATOR,
    body=DecideRule,
    returns=RulesView,
    raises=(NotFound, ConcurrentUpdate),
    idempotent=False,  # It names the version: a second time finds it gone.
)
def reject_rule(rule: str, body: DecideRule, caller: Caller) -> RulesView:
    """Drop what was asked for."""
    service.changing.reject(rule, body.version, by=caller.account_id)
    return _rules()
