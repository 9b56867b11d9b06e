"""Routes of signing in by QQ and WeChat, and of the identities that open an account."""

from __future__ import annotations

from chalicelib.auth import service
from chalicelib.auth.external import domain
from chalicelib.auth.external.schemas import (
    Begin,
    BegunView,
    Complete,
    LinkMini,
    LinkProof,
    LinkReturned,
    LinksView,
    LinkView,
    MiniSignIn,
    MiniTell,
    MiniTokensView,
    ProveElsewhere,
    SignInApart,
)
from chalicelib.auth.schemas import MeView
from chalicelib.auth.service import Device, external
from chalicelib.auth.sessions.schemas import ProofView, TokensView
from chalicelib.kernel.errors import NotFound, Throttled
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes, replayed_header
from chalicelib.runtime.outbound import OutboundFailed, OutboundTimeout

routes = Routes("auth")
_SMALL = 4096
_WITH_DATA = 16 * 1024
_PLATFORM = (
    domain.NotOffered,
    domain.CodeRefused,
    domain.PersonBlocked,
    domain.ProviderBusy,
    domain.ProviderLimited,
    domain.WayBroken,
    domain.Unreadable,
    OutboundFailed,
    OutboundTimeout,
)
_WEB = (*_PLATFORM, domain.SignInOver, domain.Cancelled)
_ADDING = (domain.IdentityElsewhere, domain.TooManyIdentities, Throttled)


@routes.route(
    "POST",
    "/v1/auth/web/{provider}/begin",
    access=Access.PUBLIC,
    body=Begin,
    returns=BegunView,
    raises=(domain.NotOffered, domain.ReturnNotAllowed),
    idempotent=False,  # Nothing is written: each answer is a sign-in of its own that runs out by itself.
    cap_bytes=_SMALL,
)
def begin_web_sign_in(provider: str, body: Begin) -> BegunView:
    """Say where the browser goes to sign in elsewhere. It comes back to ``return_url`` with ``code`` and ``state``."""
    return _shown(external.begin(provider, challenge=body.challenge, return_url=body.return_url, small=body.small))


@routes.route(
    "POST",
    "/v1/auth/web/{provider}/complete",
    access=Access.PUBLIC,
    body=Complete,
    returns=TokensView,
    raises=(*_WEB, domain.PersonKnown, service.SecondFactorNeeded, Throttled),
    idempotent=False,  # The state counts once: a repeat is refused, and the person begins again.
    cap_bytes=_SMALL,
)
def complete_web_sign_in(provider: str, body: Complete, request: Request) -> TokensView:
    """Sign in with what came back in the page's query; who is not known yet gets an account.

    Needs the verifier whose challenge the sign-in was begun with: a state that somebody else began or saw is refused.
    """
    return TokensView.of(external.sign_in_web(provider, body.returned(), _client(request, body.device_token)))


@routes.route(
    "POST",
    "/v1/auth/mini/{provider}/sign-in",
    access=Access.PUBLIC,
    body=MiniSignIn,
    returns=MiniTokensView,
    raises=(*_PLATFORM, domain.DataRefused, domain.PersonKnown, service.SecondFactorNeeded, Throttled),
    idempotent=False,  # The platform takes a code once: a repeat is refused, and the mini program fetches another.
    cap_bytes=_WITH_DATA,
)
def sign_in_by_mini_program(provider: str, body: MiniSignIn, request: Request) -> MiniTokensView:
    """Sign in with a mini program's code; who is not known yet gets an account."""
    client = _client(request, body.device_token)
    return MiniTokensView.naming(*external.sign_in_mini(provider, body.js_code, body.data(), client))


@routes.route(
    "POST",
    "/v1/auth/apart",
    access=Access.PUBLIC,
    body=SignInApart,
    returns=TokensView,
    raises=(domain.SignInOver, domain.CodeRefused, service.SecondFactorNeeded),
    idempotent=False,  # The proof counts once.
    cap_bytes=_SMALL,
)
def sign_in_apart(body: SignInApart, request: Request) -> TokensView:
    """Make an account of its own for a person who has one here by another app, and sign in."""
    return TokensView.of(external.sign_in_apart(body.proof, _client(request, body.device_token)))


@routes.route("GET", "/v1/me/identities", access=Access.SIGNED_IN, returns=LinksView)
def list_identities(caller: Caller) -> LinksView:
    """Return the identities elsewhere that open the caller's account."""
    return LinksView.of(external.identities(caller.account_id), external.offered())


@routes.route(
    "POST",
    "/v1/me/identities/web/{provider}/begin",
    access=Access.SIGNED_IN,
    body=Begin,
    returns=BegunView,
    raises=(domain.NotOffered, domain.ReturnNotAllowed),
    idempotent=False,  # As a sign-in's beginning.
    cap_bytes=_SMALL,
)
def begin_linking(provider: str, body: Begin, caller: Caller) -> BegunView:
    """Say where the browser goes to add an identity; what comes back adds it to this account and no other."""
    return _shown(
        external.begin(
            provider,
            challenge=body.challenge,
            return_url=body.return_url,
            small=body.small,
            purpose=caller.account_id,
        )
    )


@routes.route(
    "POST",
    "/v1/me/identities/web/{provider}",
    access=Access.SIGNED_IN,
    body=LinkReturned,
    returns=LinkView,
    status=201,
    raises=(*_WEB, *_ADDING),
    idempotent=False,  # What is shown counts once and is its own key: a repeat gets the same answer.
    cap_bytes=_SMALL,
)
def link_web_identity(provider: str, body: LinkReturned, caller: Caller) -> Reply:
    """Add the identity that came back. One that belongs to another account stays there."""
    return _linked(external.link_web(caller.account_id, provider, body.returned()))


@routes.route(
    "POST",
    "/v1/me/identities/mini/{provider}",
    access=Access.SIGNED_IN,
    body=LinkMini,
    returns=LinkView,
    status=201,
    raises=(*_PLATFORM, *_ADDING),
    idempotent=False,  # What is shown counts once and is its own key: a repeat gets the same answer.
    cap_bytes=_SMALL,
)
def link_mini_identity(provider: str, body: LinkMini, caller: Caller) -> Reply:
    """Add the person of a mini program's code."""
    return _linked(external.link_mini(caller.account_id, provider, body.js_code))


@routes.route(
    "POST",
    "/v1/me/identities/proof",
    access=Access.SIGNED_IN,
    body=LinkProof,
    returns=LinkView,
    status=201,
    raises=(domain.SignInOver, *_ADDING),
    idempotent=False,  # What is shown counts once and is its own key: a repeat gets the same answer.
    cap_bytes=_SMALL,
)
def link_proved_identity(body: LinkProof, caller: Caller) -> Reply:
    """Add the person whom a refused sign-in (``person_known``) proved: with this account's own proof, both."""
    return _linked(external.link_proof(caller.account_id, body.proof))


@routes.route(
    "POST",
    "/v1/auth/prove/{provider}/begin",
    access=Access.SIGNED_IN,
    body=Begin,
    returns=BegunView,
    raises=(domain.NotOffered, domain.ReturnNotAllowed),
    idempotent=False,  # As a sign-in's beginning.
    cap_bytes=_SMALL,
)
def begin_proving(provider: str, body: Begin, caller: Caller) -> BegunView:
    """Say where the browser goes to prove once more who the caller is."""
    return _shown(
        external.begin_proving(caller, provider, challenge=body.challenge, return_url=body.return_url, small=body.small)
    )


@routes.route(
    "POST",
    "/v1/auth/prove/{provider}",
    access=Access.SIGNED_IN,
    body=ProveElsewhere,
    returns=ProofView,
    raises=(*_WEB, service.WrongProof, service.FreshProofNeeded, Throttled),
    idempotent=False,  # State and code count once; proving again is a moment later.
    cap_bytes=_SMALL,
)
def prove_elsewhere(provider: str, body: ProveElsewhere, caller: Caller) -> ProofView:
    """Prove again who one is by an identity elsewhere: what was refused as ``fresh_proof_needed`` asked for that."""
    if body.web is not None:
        return ProofView.of(external.prove_web(caller, provider, body.web.returned()))
    return ProofView.of(external.prove_mini(caller, provider, body.js_code or ""))


@routes.route(
    "DELETE",
    "/v1/me/identities/{link_id}",
    access=Access.SIGNED_IN,
    status=204,
    raises=(NotFound, domain.LastWay),
)
def unlink_identity(link_id: str, caller: Caller) -> None:
    """Remove an identity; the last way to sign in stays."""
    external.unlink(caller.account_id, link_id)


@routes.route(
    "POST",
    "/v1/me/mini/{provider}/data",
    access=Access.SIGNED_IN,
    body=MiniTell,
    returns=MeView,
    raises=(domain.NotOffered, domain.DataRefused, NotFound),
    idempotent=False,  # The same data says the same.
    cap_bytes=_WITH_DATA,
)
def tell_mini_data(provider: str, body: MiniTell, caller: Caller) -> MeView:
    """Take what the platform signed or encrypted for the mini program: a nickname, where the account has none."""
    return MeView.of(external.tell(caller.account_id, provider, body.data()))


def _shown(begun: tuple[str, str]) -> BegunView:
    state, url = begun
    return BegunView(url=url, state=state, expires_in=int(domain.STATE_LIFE.total_seconds()))


def _client(request: Request, device_token: str | None) -> external.Client:
    return external.Client(
        source_ip=request.source_ip, device=Device(device_token, agent=request.headers.get("user-agent", ""))
    )


def _linked(answer: tuple[service.Link, bool]) -> Reply:
    link, before = answer
    return Reply(LinkView.of(link), 201, replayed_header(before))
