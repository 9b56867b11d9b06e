"""Routes of the archive that a person may have of everything the shop holds of them."""

from __future__ import annotations

from chalicelib.kernel.errors import Busy, ConcurrentUpdate, NotFound
from chalicelib.privacy import service
from chalicelib.privacy.archive.schemas import ArchiveLink, ArchiveView
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Routes

routes = Routes("privacy")


@routes.route(
    "PUT",
    "/v1/me/archive",
    access=Access.SIGNED_IN,
    returns=ArchiveView,
    raises=(service.AskedTooSoon, service.Leaving, ConcurrentUpdate, Busy),
)
def request_archive(caller: Caller) -> ArchiveView:
    """Ask for everything the shop holds of the caller, as one archive. A message says when it is there: in minutes."""
    return ArchiveView.of(service.archives.request(caller.account_id))


@routes.route("GET", "/v1/me/archive", access=Access.SIGNED_IN, returns=ArchiveView, raises=(NotFound,))
def get_archive(caller: Caller) -> ArchiveView:
    """See what became of it, and until when it is there."""
    return ArchiveView.of(service.archives.archive(caller.account_id))


@routes.route(
    "POST",
    "/v1/me/archive/link",
    access=Access.SIGNED_IN,
    returns=ArchiveLink,
    raises=(NotFound, service.NotReady),
    idempotent=False,  # Each is signed anew, and ends by itself.
)
def link_archive(caller: Caller) -> ArchiveLink:
    """Get an address to fetch the archive from, for ten minutes. It is a zip of JSON and of pages to read."""
    return ArchiveLink.of(*service.archives.link(caller.account_id))


@routes.route(
    "DELETE",
    "/v1/me/archive",
    access=Access.SIGNED_IN,
    returns=ArchiveView,
    raises=(NotFound, ConcurrentUpdate, Busy),
)
def drop_archive(caller: Caller) -> ArchiveView:
    """Delete it now, made or half made."""
    return ArchiveView.of(service.archives.drop(caller.account_id))
