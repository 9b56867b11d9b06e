"""Routes of personal data."""

from __future__ import annotations

from chalicelib.kernel import context
from chalicelib.kernel.errors import Busy, ConcurrentUpdate, IllegalTransition, NotFound
from chalicelib.privacy import notice, service
from chalicelib.privacy.schemas import (
    DisclosurePageView,
    DisclosuresQuery,
    DisclosureView,
    ErasureView,
    GuardianSays,
    NoticeView,
)
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Routes

routes = Routes("privacy")

_KEEP = "public, max-age=300"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@routes.route("GET", "/v1/privacy", access=Access.PUBLIC, returns=NoticeView, cache_control=_KEEP, etag=True)
def get_privacy_notice() -> NoticeView:
    """What this shop holds of a person, why and how long, in the caller's language."""
    return NoticeView.now(context.current().language)


@routes.route(
    "GET", "/privacy", access=Access.PUBLIC, cache_control=_KEEP, etag=True, returns_type="text/html; charset=utf-8"
)
def privacy_page() -> Reply:
    """The same as a page to read."""
    return Reply(notice.page(context.current().language), headers={"Content-Security-Policy": _POLICY})


@routes.route(
    "PUT",
    "/v1/me/erasure",
    access=Access.SIGNED_IN,
    returns=ErasureView,
    raises=(service.OfficeHeld, ConcurrentUpdate, Busy),
)
def request_erasure(caller: Caller) -> ErasureView:
    """Ask to be forgotten. All sessions end at once; within a week the person may sign in and think better of it."""
    return ErasureView.of(service.request_erasure(caller.account_id), context.current().language)


@routes.route(
    "POST",
    "/v1/guardians/erasure",
    access=Access.PUBLIC,
    body=GuardianSays,
    returns=ErasureView,
    raises=(
        service.BadIdentity,
        service.BadCode,
        service.NotTheirGuardian,
        service.OfficeHeld,
        ConcurrentUpdate,
        Busy,
    ),
    idempotent=False,  # The code is used up; asked again, with another one, it is the same erasure.
)
def erase_as_guardian(body: GuardianSays) -> ErasureView:
    """Have a child's account deleted, as the guardian who agreed. It begins at once, and nobody takes it back."""
    found = service.erase_as_guardian(body.account_id, body.contact, code_id=body.code_id, code=body.code)
    return ErasureView.of(found, context.current().language)


@routes.route("GET", "/v1/me/erasure", access=Access.SIGNED_IN, returns=ErasureView, raises=(NotFound,))
def get_erasure(caller: Caller) -> ErasureView:
    """See what became of it: when it goes on, what holds it, what is kept and why."""
    return ErasureView.of(service.erasure(caller.account_id), context.current().language)


@routes.route(
    "GET",
    "/v1/me/disclosures",
    access=Access.SIGNED_IN,
    query=DisclosuresQuery,
    returns=DisclosurePageView,
    raises=(BadCursor,),
)
def list_disclosures(query: DisclosuresQuery, caller: Caller) -> DisclosurePageView:
    """See who was shown where the caller's parcels go: the platform's staff, with their reasons, or merchants."""
    scope = f"disclosures#{query.by}#{caller.account_id}"
    look = service.shown_to_staff if query.by == "staff" else service.shown_to_merchants
    page = look(caller.account_id, cursors.window(query.limit, query.cursor, query=scope))
    language = context.current().language
    return DisclosurePageView(
        items=[DisclosureView.of(one, language) for one in page.items],
        next_cursor=cursors.seal(page.after, query=scope),
    )


@routes.route(
    "DELETE",
    "/v1/me/erasure",
    access=Access.SIGNED_IN,
    returns=ErasureView,
    raises=(NotFound, IllegalTransition, ConcurrentUpdate, Busy),
)
def withdraw_erasure(caller: Caller) -> ErasureView:
    """Think better of it."""
    return ErasureView.of(service.withdraw_erasure(caller.account_id), context.current().language)
