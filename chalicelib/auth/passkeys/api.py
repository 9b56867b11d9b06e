"""Routes of passkeys: an account's own, signing in and proving with one."""

from __future__ import annotations

from chalicelib.auth import service
from chalicelib.auth.passkeys.schemas import (
    AddPasskey,
    PasskeyBegunView,
    PasskeysView,
    PasskeyView,
    ProveByPasskey,
    RenamePasskey,
    SignInByPasskey,
    device_of,
)
from chalicelib.auth.service import passkeys
from chalicelib.auth.sessions.schemas import ProofView, TokensView
from chalicelib.kernel.errors import NotFound, Throttled
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes

routes = Routes("auth")
_SMALL = 4096
_SIGNED = 16 * 1024
"""What a browser sends of a passkey has two kilobytes, or with a long key some more."""


@routes.route(
    "POST",
    "/v1/me/passkeys/begin",
    access=Access.SIGNED_IN,
    returns=PasskeyBegunView,
    raises=(passkeys.TooManyPasskeys, passkeys.PasskeysNotOffered),
    idempotent=False,  # Each answer is a beginning of its own, which runs out by itself.
    cap_bytes=_SMALL,
)
def begin_passkey(caller: Caller) -> PasskeyBegunView:
    """Begin to add a passkey: what the browser is to make."""
    return PasskeyBegunView.of(passkeys.begin_adding(caller))


@routes.route(
    "POST",
    "/v1/me/passkeys",
    access=Access.SIGNED_IN,
    body=AddPasskey,
    returns=PasskeyView,
    status=201,
    raises=(
        passkeys.PasskeysNotOffered,
        passkeys.PasskeyUnusable,
        passkeys.PasskeyKnown,
        passkeys.TooManyPasskeys,
        service.ChallengeOver,
    ),
    idempotent=False,  # The challenge counts once.
    cap_bytes=_SIGNED,
)
def add_passkey(body: AddPasskey, caller: Caller) -> Reply:
    """Add the passkey that was made. Its person is told."""
    added = passkeys.add(caller, body.challenge, body.credential.made(), name=body.name)
    return Reply(PasskeyView.of(added), 201)


@routes.route("GET", "/v1/me/passkeys", access=Access.SIGNED_IN, returns=PasskeysView)
def list_passkeys(caller: Caller) -> PasskeysView:
    """List the caller's passkeys, in the order they were added."""
    return PasskeysView.of(passkeys.listed(caller.account_id))


@routes.route(
    "PATCH",
    "/v1/me/passkeys/{passkey_id}",
    access=Access.SIGNED_IN,
    body=RenamePasskey,
    returns=PasskeyView,
    raises=(NotFound,),
    cap_bytes=_SMALL,
)
def rename_passkey(passkey_id: str, body: RenamePasskey, caller: Caller) -> PasskeyView:
    """Call a passkey something else."""
    return PasskeyView.of(passkeys.rename(caller.account_id, passkey_id, body.name))


@routes.route(
    "DELETE",
    "/v1/me/passkeys/{passkey_id}",
    access=Access.SIGNED_IN,
    status=204,
    raises=(NotFound, passkeys.LastWay),
)
def remove_passkey(passkey_id: str, caller: Caller) -> None:
    """Remove a passkey: it opens nothing any more. The last way to sign in stays."""
    passkeys.remove(caller.account_id, passkey_id)


@routes.route(
    "POST",
    "/v1/auth/sign-in/passkey/begin",
    access=Access.PUBLIC,
    returns=PasskeyBegunView,
    raises=(passkeys.PasskeysNotOffered,),
    idempotent=False,  # Each answer is a beginning of its own, which runs out by itself.
    cap_bytes=_SMALL,
)
def begin_passkey_sign_in() -> PasskeyBegunView:
    """Begin to sign in with a passkey: nobody says who they are, the passkey does."""
    return PasskeyBegunView.of(passkeys.begin_sign_in())


@routes.route(
    "POST",
    "/v1/auth/sign-in/passkey",
    access=Access.PUBLIC,
    body=SignInByPasskey,
    returns=TokensView,
    raises=(passkeys.PasskeysNotOffered, passkeys.PasskeyRefused, service.ChallengeOver, Throttled),
    idempotent=False,  # The challenge counts once.
    cap_bytes=_SIGNED,
)
def sign_in_by_passkey(body: SignInByPasskey, request: Request) -> TokensView:
    """Start a session with a passkey. Its authenticator knows its person again, so no second step follows."""
    device = device_of(body, request.headers.get("user-agent", ""))
    signed = body.credential.signed()
    return TokensView.of(passkeys.sign_in(body.challenge, signed, device=device, source_ip=request.source_ip))


@routes.route(
    "POST",
    "/v1/auth/prove/passkey/begin",
    access=Access.SIGNED_IN,
    returns=PasskeyBegunView,
    raises=(passkeys.PasskeysNotOffered,),
    idempotent=False,  # Each answer is a beginning of its own, which runs out by itself.
    cap_bytes=_SMALL,
)
def begin_passkey_proof(caller: Caller) -> PasskeyBegunView:
    """Begin to prove once more who the caller is, by a passkey."""
    return PasskeyBegunView.of(passkeys.begin_proving(caller))


@routes.route(
    "POST",
    "/v1/auth/prove/passkey",
    access=Access.SIGNED_IN,
    body=ProveByPasskey,
    returns=ProofView,
    raises=(passkeys.PasskeysNotOffered, service.WrongProof, service.ChallengeOver, Throttled),
    idempotent=False,  # The challenge counts once.
    cap_bytes=_SIGNED,
)
def prove_by_passkey(body: ProveByPasskey, caller: Caller) -> ProofView:
    """Prove again who one is, by a passkey of one's own."""
    return ProofView.of(passkeys.prove(caller, body.challenge, body.credential.signed()))
