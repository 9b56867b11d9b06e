"""Routes of the description. Both answers are files of this package, read once a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Reply, Routes

routes = Routes("site")

_HERE = Path(__file__).parent
_KEEP = "public, max-age=300"
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; "
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@routes.route(
    "GET",
    "/openapi.json",
    access=Access.PUBLIC,
    cache_control=_KEEP,
    etag=True,
    returns_type="application/openapi+json",
)
def openapi_document() -> Reply:
    """The OpenAPI 3.1 document of this API."""
    return Reply(_text("openapi.json"))


@routes.route(
    "GET", "/docs", access=Access.PUBLIC, cache_control=_KEEP, etag=True, returns_type="text/html; charset=utf-8"
)
def docs_page() -> Reply:
    """A page that reads the OpenAPI document. It needs nothing but this API."""
    return Reply(_text("docs.html"), headers={"Content-Security-Policy": _POLICY})
