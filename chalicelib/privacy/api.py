"""Routes of personal data."""

from __future__ import annotations

from chalicelib.kernel import context
from chalicelib.privacy import notice
from chalicelib.privacy.schemas import NoticeView
from chalicelib.runtime.http.access import Access
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
