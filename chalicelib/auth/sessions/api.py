"""Routes of sessions: refreshing and ending them."""

from __future__ import annotations

from chalicelib.auth import service
from chalicelib.auth.sessions.schemas import (
    ProofView,
    ProveByPassword,
    Refresh,
    SessionsView,
    SessionView,
    TokensView,
)
from chalicelib.kernel.errors import NotFound, Throttled
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Request, Routes
from chalicelib.runtime.schema import PageQuery

routes = Routes("auth")
_SMALL = 4096
"""Nothing here is longer; an unread body is the cheapest one."""


@routes.route(
    "POST",
    "/v1/auth/refresh",
    access=Access.PUBLIC,
    body=Refresh,
    returns=TokensView,
    raises=(service.BadRefreshToken,),
    # The token in the body is its own key: used up once, and a retry within ten seconds is answered
    # (sessions.domain.judge).
    idempotent=False,
    cap_bytes=_SMALL,
)
def refresh_session(body: Refresh, request: Request) -> TokensView:
    """Exchange a refresh token for a new pair. A second use of an old one ends the session for everybody."""
    device = service.Device(token=body.device_token, agent=request.headers.get("user-agent", ""))
    return TokensView.of(service.refresh(body.refresh_token, device=device, source_ip=request.source_ip))


@routes.route(
    "POST",
    "/v1/auth/prove/password",
    access=Access.SIGNED_IN,
    body=ProveByPassword,
    returns=ProofView,
    raises=(service.WrongProof, service.FreshProofNeeded, Throttled),
    idempotent=False,  # A repeat proves it once more, a moment later.
    cap_bytes=_SMALL,
)
def prove_by_password(body: ProveByPassword, caller: Caller) -> ProofView:
    """Prove again who one is: what a call asked for that was refused as ``fresh_proof_needed``."""
    return ProofView.of(service.prove_by_password(caller, body.password))


@routes.route(
    "GET",
    "/v1/me/sessions",
    access=Access.SIGNED_IN,
    query=PageQuery,
    returns=SessionsView,
    raises=(BadCursor,),
)
def list_sessions(query: PageQuery, caller: Caller) -> SessionsView:
    """List where the caller is signed in, the latest sign-in first."""
    scope = f"sessions#{caller.account_id}"
    page = service.sessions(caller.account_id, cursors.window(query.limit, query.cursor, query=scope))
    return SessionsView(
        items=[SessionView.of(one, current=caller.session_id) for one in page.items],
        next_cursor=cursors.seal(page.after, query=scope),
    )


@routes.route("DELETE", "/v1/me/sessions/{session_id}", access=Access.SIGNED_IN, status=204, raises=(NotFound,))
def revoke_session(session_id: str, caller: Caller) -> None:
    """End one of the caller's sessions. Its access token counts for ten minutes at most, of staff for one."""
    service.revoke_session(caller.account_id, session_id)


@routes.route(
    "POST",
    "/v1/auth/sign-out",
    access=Access.SIGNED_IN,
    status=204,
    idempotent=False,  # A session that is over stays over: the state itself answers a repeat.
    cap_bytes=_SMALL,
)
def sign_out(caller: Caller) -> None:
    """End this session. Its access token runs out within ten minutes."""
    service.sign_out(caller)


@routes.route(
    "POST",
    "/v1/auth/sign-out-everywhere",
    access=Access.SIGNED_IN,
    status=204,
    idempotent=False,  # Nothing is left to sign out the second time.
    cap_bytes=_SMALL,
)
def sign_out_everywhere(caller: Caller) -> None:
    """End all sessions of the account, on every device."""
    service.sign_out_everywhere(caller.account_id)
