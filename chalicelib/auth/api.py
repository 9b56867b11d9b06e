"""Routes of accounts, sign-in, roles and address books."""

from __future__ import annotations

from chalicelib.auth import domain, service
from chalicelib.auth.schemas import (
    AddressBody,
    AddressBookView,
    AddressView,
    ChangeMe,
    JwkSet,
    MeView,
    Register,
    SignIn,
)
from chalicelib.auth.sessions.schemas import TokensView
from chalicelib.kernel.errors import IdempotencyKeyReused, NotFound, Throttled
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes, replayed_header
from chalicelib.runtime.intents import Intent

routes = Routes("auth")
_SMALL = 4096
"""Nothing here is longer; an unread body is the cheapest one."""


def _created(view: object, *, before: bool) -> Reply:
    return Reply(view, 201, replayed_header(before))


@routes.route(
    "GET",
    "/.well-known/jwks.json",
    access=Access.PUBLIC,
    returns=JwkSet,
    cache_control="public, max-age=300",
    etag=True,
    returns_type="application/jwk-set+json",
)
def get_signing_keys() -> JwkSet:
    """Return the public keys that access tokens verify with."""
    return JwkSet.model_validate(service.jwks())


@routes.route(
    "POST",
    "/v1/auth/register",
    access=Access.PUBLIC,
    body=Register,
    returns=MeView,
    status=201,
    raises=(
        domain.BadIdentity,
        domain.WeakPassword,
        domain.IdentityTaken,
        service.BadCode,
        service.CodeNeeded,
        Throttled,
        IdempotencyKeyReused,
    ),
    cap_bytes=_SMALL,
)
def register(body: Register, intent: Intent, request: Request) -> Reply:
    """Create an account for an e-mail address or a phone number that a code was sent to.

    Whether a contact has an account is told to nobody: of one that has, no code is right, and its owner was told.
    """
    identity = domain.identity(body.identity)
    newcomer = service.proving.Newcomer(body.password, body.nickname, body.language)
    if body.code is None or body.code_id is None:
        account, before = service.proving.register_openly(
            identity, newcomer, source_ip=request.source_ip, intent=intent
        )
    else:
        proof = service.proving.Proof(identity, body.code_id, body.code)
        account, before = service.proving.register(proof, newcomer, intent=intent, source_ip=request.source_ip)
    return _created(MeView.of(account), before=before)


@routes.route(
    "POST",
    "/v1/auth/sign-in",
    access=Access.PUBLIC,
    body=SignIn,
    returns=TokensView,
    raises=(domain.BadIdentity, domain.BadCredentials, domain.ChallengeNeeded, service.SecondFactorNeeded),
    # A repeat starts another session, which harms nobody and runs out by itself; to give the same tokens again we would
    # have to keep them.
    idempotent=False,
    cap_bytes=_SMALL,
)
def sign_in(body: SignIn, request: Request) -> TokensView:
    """Start a session with identity and password. Beyond the limits an attempt takes a solved challenge."""
    device = service.Device(
        token=body.device_token, name=body.device_name or "", agent=request.headers.get("user-agent", "")
    )
    solved = service.Solved(body.solution.challenge, body.solution.number) if body.solution else None
    return TokensView.of(
        service.sign_in(body.identity, body.password, source_ip=request.source_ip, device=device, solved=solved)
    )


@routes.route("GET", "/v1/me", access=Access.SIGNED_IN, returns=MeView)
def get_me(caller: Caller) -> MeView:
    """Return the caller's account."""
    return MeView.of(service.me(caller.account_id))


@routes.route(
    "PATCH",
    "/v1/me",
    access=Access.SIGNED_IN,
    body=ChangeMe,
    returns=MeView,
    raises=(service.GuardianNeeded,),
    cap_bytes=_SMALL,
)
def change_me(body: ChangeMe, caller: Caller) -> MeView:
    """Change nickname and language."""
    return MeView.of(service.update_me(caller.account_id, body.model_dump(exclude_unset=True)))


@routes.route("GET", "/v1/me/addresses", access=Access.SIGNED_IN, returns=AddressBookView)
def list_addresses(caller: Caller) -> AddressBookView:
    """List the caller's addresses, in the order they were added."""
    return AddressBookView.of(service.addresses(caller.account_id))


@routes.route(
    "POST",
    "/v1/me/addresses",
    access=Access.SIGNED_IN,
    body=AddressBody,
    returns=AddressView,
    status=201,
    raises=(domain.BadAddress, domain.AddressBookFull, IdempotencyKeyReused, NotFound, service.GuardianNeeded),
    cap_bytes=_SMALL,
)
def add_address(body: AddressBody, caller: Caller, intent: Intent) -> Reply:
    """Add an address; the first one becomes the default."""
    address_id = intent.record_id("adr")
    book, before = service.add_address(
        caller.account_id, body.address(address_id), as_default=body.is_default, intent=intent
    )
    return _created(AddressView.of(book.find(address_id), book), before=before)


@routes.route("GET", "/v1/me/addresses/{address_id}", access=Access.SIGNED_IN, returns=AddressView, raises=(NotFound,))
def get_address(address_id: str, caller: Caller) -> AddressView:
    """Return one of the caller's addresses."""
    book = service.addresses(caller.account_id)
    return AddressView.of(book.find(address_id), book)


@routes.route(
    "PUT",
    "/v1/me/addresses/{address_id}",
    access=Access.SIGNED_IN,
    body=AddressBody,
    returns=AddressView,
    raises=(NotFound, domain.BadAddress),
    cap_bytes=_SMALL,
)
def put_address(address_id: str, body: AddressBody, caller: Caller) -> AddressView:
    """Replace an address; ``is_default: true`` makes it the default, false leaves the default where it is."""
    book = service.put_address(caller.account_id, body.address(address_id), as_default=body.is_default)
    return AddressView.of(book.find(address_id), book)


@routes.route("DELETE", "/v1/me/addresses/{address_id}", access=Access.SIGNED_IN, status=204, raises=(NotFound,))
def delete_address(address_id: str, caller: Caller) -> None:
    """Delete an address; if it was the default, the oldest one left becomes it."""
    service.remove_address(caller.account_id, address_id)
