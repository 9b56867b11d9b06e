"""Routes of codes: asking for one, and what it opens."""

from __future__ import annotations

from chalicelib.auth import domain, service
from chalicelib.auth.codes.schemas import (
    AskCode,
    ChangePassword,
    CodeSentView,
    ResetPassword,
    ShowCode,
    SignInByCode,
)
from chalicelib.auth.schemas import MeView
from chalicelib.auth.sessions.schemas import ProofView, TokensView
from chalicelib.kernel import context
from chalicelib.kernel.errors import Throttled, Unauthenticated
from chalicelib.notifications.service import ChannelMissing
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Request, Routes
from chalicelib.runtime.intents import Intent

routes = Routes("auth")
_SMALL = 4096
"""Nothing here is longer; an unread body is the cheapest one."""


def _proof(body: ShowCode) -> service.proving.Proof:
    return service.proving.Proof(domain.identity(body.contact), body.code_id, body.code)


@routes.route(
    "POST",
    "/v1/auth/codes",
    access=Access.PUBLIC,
    body=AskCode,
    returns=CodeSentView,
    status=202,
    raises=(domain.BadIdentity, domain.ChallengeNeeded, ChannelMissing, Throttled),
    cap_bytes=_SMALL,
)
def send_code(body: AskCode, intent: Intent, request: Request) -> CodeSentView:
    """Send a code to an e-mail address or a phone number. The answer is the same whether it has an account or not."""
    asked = service.codes.Asked(
        purpose=body.purpose,
        contact=domain.identity(body.contact),
        source_ip=request.source_ip,
        language=body.language or context.current().language,
        device_token=body.device_token,
        solved=service.Solved(body.solution.challenge, body.solution.number) if body.solution else None,
    )
    return CodeSentView.of(service.codes.send(asked, intent=intent))


@routes.route(
    "POST",
    "/v1/auth/sign-in/code",
    access=Access.PUBLIC,
    body=SignInByCode,
    returns=TokensView,
    raises=(domain.BadIdentity, service.BadCode, service.NoAccountYet, service.SecondFactorNeeded),
    idempotent=False,  # The code is its own key: used up once.
    cap_bytes=_SMALL,
)
def sign_in_by_code(body: SignInByCode, request: Request) -> TokensView:
    """Start a session with a code; ``create`` makes the account first where there is none."""
    return TokensView.of(
        service.proving.sign_in(
            _proof(body),
            create=body.create,
            device=service.Device(token=body.device_token, agent=request.headers.get("user-agent", "")),
            source_ip=request.source_ip,
            language=body.language,
        )
    )


@routes.route(
    "POST",
    "/v1/auth/password/reset",
    access=Access.PUBLIC,
    body=ResetPassword,
    status=204,
    raises=(domain.BadIdentity, domain.WeakPassword, service.BadCode),
    idempotent=False,  # The code is used up: the password of a repeat is the one that is set already.
    cap_bytes=_SMALL,
)
def reset_password(body: ResetPassword) -> None:
    """Set a new password with a code. Every session ends, on every device, and the owner is told."""
    service.proving.reset_password(_proof(body), body.password)


@routes.route(
    "PUT",
    "/v1/me/password",
    access=Access.SIGNED_IN,
    body=ChangePassword,
    returns=TokensView,
    raises=(domain.WeakPassword, Unauthenticated),
    cap_bytes=_SMALL,
)
def change_password(body: ChangePassword, caller: Caller) -> TokensView:
    """Set another password, or a first one, after a fresh proof. Every other session ends; this one gets new tokens."""
    return TokensView.of(service.proving.change_password(caller, body.password))


@routes.route(
    "POST",
    "/v1/me/contacts/verify",
    access=Access.SIGNED_IN,
    body=ShowCode,
    returns=MeView,
    raises=(domain.BadIdentity, domain.IdentityTaken, service.BadCode, service.ContactSet),
    idempotent=False,  # The code is used up; what it verified stays so.
    cap_bytes=_SMALL,
)
def verify_contact(body: ShowCode, caller: Caller) -> MeView:
    """Show that an e-mail address or a phone number is yours; one of a kind you have none of becomes yours."""
    return MeView.of(service.proving.verify(caller, _proof(body)))


@routes.route(
    "POST",
    "/v1/auth/prove/code",
    access=Access.SIGNED_IN,
    body=ShowCode,
    returns=ProofView,
    raises=(domain.BadIdentity, service.BadCode, service.FreshProofNeeded, Unauthenticated),
    idempotent=False,  # The code is used up; the proof stands in the session.
    cap_bytes=_SMALL,
)
def prove_by_code(body: ShowCode, caller: Caller) -> ProofView:
    """Prove again who one is, by a code to a verified contact of one's own."""
    return ProofView.of(service.proving.prove(caller, _proof(body)))
