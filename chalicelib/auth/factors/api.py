"""Routes of second factors: setting up an authenticator app, the second step of a sign-in, proving by a code."""

from __future__ import annotations

from chalicelib.auth import service
from chalicelib.auth.factors.schemas import (
    ConfirmedView,
    EnrolmentView,
    FactorsView,
    RecoveryCodesView,
    SecondStep,
    TotpCode,
)
from chalicelib.auth.sessions.schemas import ProofView, TokensView
from chalicelib.kernel.errors import Throttled
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Reply, Request, Routes

routes = Routes("auth")
_SMALL = 4096
_SIGNED = 16 * 1024


@routes.route("GET", "/v1/me/factors", access=Access.SIGNED_IN, returns=FactorsView)
def get_factors(caller: Caller) -> FactorsView:
    """Return what the caller has set up beside the first way in."""
    return FactorsView.of(service.factors(caller.account_id))


@routes.route(
    "POST",
    "/v1/me/factors/totp",
    access=Access.SIGNED_IN,
    returns=EnrolmentView,
    status=201,
    raises=(service.TotpEnrolled,),
    idempotent=False,  # A repeat makes another secret; the one from before never counted.
    cap_bytes=_SMALL,
)
def begin_totp(caller: Caller) -> Reply:
    """Begin to set up an authenticator app. It counts once it has shown a right code, within a quarter of an hour."""
    made = service.begin_totp(caller.account_id)
    return Reply(EnrolmentView(secret=made.secret, uri=made.uri), 201)


@routes.route(
    "POST",
    "/v1/me/factors/totp/confirm",
    access=Access.SIGNED_IN,
    body=TotpCode,
    returns=ConfirmedView,
    raises=(service.TotpEnrolled, service.TotpMissing, service.WrongProof, Throttled),
    idempotent=False,  # A code counts once, and the recovery codes are shown once.
    cap_bytes=_SMALL,
)
def confirm_totp(body: TotpCode, caller: Caller) -> ConfirmedView:
    """Let the app count from now on: each sign-in takes a code of it."""
    done = service.confirm_totp(caller, body.code)
    return ConfirmedView(
        recovery_codes=done.recovery_codes, access_token=done.access_token, expires_in=service.ACCESS_SECONDS
    )


@routes.route("DELETE", "/v1/me/factors/totp", access=Access.SIGNED_IN, status=204, raises=(service.TotpMissing,))
def remove_totp(caller: Caller) -> None:
    """Do without the authenticator app from now on."""
    service.remove_totp(caller.account_id)


@routes.route(
    "POST",
    "/v1/me/factors/recovery-codes",
    access=Access.SIGNED_IN,
    returns=RecoveryCodesView,
    raises=(service.TotpMissing,),
    idempotent=False,  # A repeat makes others, which are then the ones that count.
    cap_bytes=_SMALL,
)
def renew_recovery_codes(caller: Caller) -> RecoveryCodesView:
    """Make new recovery codes; those from before count no more."""
    return RecoveryCodesView(recovery_codes=service.renew_recovery(caller.account_id))


@routes.route(
    "POST",
    "/v1/auth/sign-in/second-step",
    access=Access.PUBLIC,
    body=SecondStep,
    returns=TokensView,
    raises=(service.ChallengeOver, service.WrongProof, Throttled),
    idempotent=False,  # The challenge counts once.
    cap_bytes=_SIGNED,
)
def finish_sign_in(body: SecondStep, request: Request) -> TokensView:
    """Finish a sign-in that was answered ``second_factor_needed``."""
    device = service.Device(
        token=body.device_token, name=body.device_name or "", agent=request.headers.get("user-agent", "")
    )
    return TokensView.of(
        service.finish_sign_in(
            body.challenge,
            code=body.code or "",
            recovery_code=body.recovery_code or "",
            signed=body.credential.signed() if body.credential else None,
            device=device,
            source_ip=request.source_ip,
        )
    )


@routes.route(
    "POST",
    "/v1/auth/prove/totp",
    access=Access.SIGNED_IN,
    body=TotpCode,
    returns=ProofView,
    raises=(service.WrongProof, Throttled),
    idempotent=False,  # A code counts once.
    cap_bytes=_SMALL,
)
def prove_by_totp(body: TotpCode, caller: Caller) -> ProofView:
    """Prove again who one is, by a code of the authenticator app."""
    return ProofView.of(service.prove_by_totp(caller, body.code))
