"""Wire models of sessions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.auth import service
from chalicelib.auth.domain import MAX_PASSWORD
from chalicelib.runtime.schema import Id, Schema


class Refresh(Schema):
    """The refresh token; it is used up by this call."""

    refresh_token: Annotated[str, StringConstraints(min_length=20, max_length=512)]


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
