"""Wire models of sessions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.auth import service
from chalicelib.auth.domain import MAX_PASSWORD
from chalicelib.runtime.schema import Id, Schema, Timestamp

LINE = r"^[^\x00-\x1f\x7f]+$"


DeviceToken = Annotated[str, StringConstraints(min_length=20, max_length=256)]
DeviceName = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=LINE)]


class Refresh(Schema):
    """The refresh token, used up by this call, and the device token of the sign-in.

    Sent again within seconds by the same client it is answered with the same successor.
    """

    refresh_token: Annotated[str, StringConstraints(min_length=20, max_length=512)]
    device_token: DeviceToken | None = None
    """Two tabs that refresh at once are told from a thief by it."""


class ProveByPassword(Schema):
    """The account's password, typed once more."""

    password: Annotated[
        str,
        StringConstraints(min_length=1, max_length=MAX_PASSWORD, strip_whitespace=False),
        Field(json_schema_extra={"format": "password", "writeOnly": True}),
    ]


class ProofView(Schema):
    """An access token that says that its owner has just proved who they are; the refresh token stays as it is."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    access_token: str
    expires_in: int

    @classmethod
    def of(cls, token: str) -> ProofView:
        """Return the wire form."""
        return cls(access_token=token, expires_in=service.ACCESS_SECONDS)


class TokensView(Schema):
    """What a device keeps: a bearer token for ten minutes, and the token that gets the next pair.

    ``device_token`` comes with a sign-in: sent with the next one, it tells the owner from whoever else tries the name.
    """

    account_id: Id
    session_id: Id
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int
    device_token: str | None = None

    @classmethod
    def of(cls, tokens: service.Tokens) -> TokensView:
        """Return the wire form."""
        return cls(
            account_id=tokens.account_id,
            session_id=tokens.session_id,
            access_token=tokens.access_token,
            expires_in=tokens.access_seconds,
            refresh_token=tokens.refresh_token,
            refresh_expires_in=tokens.refresh_seconds,
            device_token=tokens.device_token,
        )


class SessionView(Schema):
    """One session: where somebody is signed in. ``device`` and ``network`` are what the client's last refresh said."""

    session_id: Id
    is_current: bool
    device: str
    """Program and system in words, such as ``Chrome, Windows``; empty if they cannot be told."""
    device_name: str | None = None
    network: str
    """The network it was last seen in, as ``203.0.113.0/24``; nobody looks up where that is."""
    methods: list[str]
    started_at: Timestamp
    last_seen_at: Timestamp
    expires_at: Timestamp

    @classmethod
    def of(cls, session: service.Session, *, current: str) -> SessionView:
        """Return the wire form as the session ``current`` sees it."""
        return cls(
            session_id=session.session_id,
            is_current=session.session_id == current,
            device=session.client.family,
            device_name=session.device_name or None,
            network=session.client.network,
            methods=list(session.methods),
            started_at=session.created_at,
            last_seen_at=session.rotated_at,
            expires_at=session.expires_at,
        )


class SessionsView(Schema):
    """One page of the caller's sessions that go on; it may hold fewer than there are before the next one."""

    items: list[SessionView]
    next_cursor: str | None = None
