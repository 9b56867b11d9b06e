"""Routes of consents. Giving and withdrawing take the same: one call for one purpose, without any proof or reason."""

from __future__ import annotations

from chalicelib.consents import service
from chalicelib.consents.schemas import ConsentsView, ConsentView, GiveConsent, PurposesView, PurposeView
from chalicelib.consents.service import Source
from chalicelib.kernel import context
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Routes

routes = Routes("consents")


@routes.route(
    "GET",
    "/v1/consents",
    access=Access.PUBLIC,
    returns=PurposesView,
    cache_control="public, max-age=300",
    etag=True,
)
def list_purposes() -> PurposesView:
    """What a person may be asked to agree to, in the caller's language: one question each, and none needed to buy."""
    language = context.current().language
    return PurposesView(purposes=[PurposeView.of(purpose, language) for purpose in service.PURPOSES.values()])


@routes.route("GET", "/v1/me/consents", access=Access.SIGNED_IN, returns=ConsentsView)
def list_consents(caller: Caller) -> ConsentsView:
    """See what the caller agreed to, and what asks again because its words have changed."""
    language = context.current().language
    found = service.current(caller.account_id)
    return ConsentsView(consents=[ConsentView.of(purpose, consent, language) for purpose, consent in found])


@routes.route(
    "PUT",
    "/v1/me/consents/{purpose}",
    access=Access.SIGNED_IN,
    body=GiveConsent,
    returns=ConsentView,
    raises=(NotFound, service.WordsChanged, service.NotForChildren, ConcurrentUpdate),
)
def give_consent(purpose: str, body: GiveConsent, caller: Caller) -> ConsentView:
    """Agree to one purpose, in the words of the version that was shown."""
    source = Source(body.asked_at.value)
    given = service.give(caller.account_id, purpose, version=body.version, source=source)
    return ConsentView.of(service.PURPOSES[purpose], given, context.current().language)


@routes.route(
    "DELETE",
    "/v1/me/consents/{purpose}",
    access=Access.SIGNED_IN,
    returns=ConsentView,
    raises=(NotFound, ConcurrentUpdate),
)
def withdraw_consent(purpose: str, caller: Caller) -> ConsentView:
    """Agree no more. It counts at once: nothing is sent or picked on this consent from here on."""
    withdrawn = service.withdraw(caller.account_id, purpose, source=Source.SETTINGS)
    return ConsentView.of(service.PURPOSES[purpose], withdrawn, context.current().language)
