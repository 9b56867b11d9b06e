"""Wire models of subscribe messages."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.runtime.schema import Schema


class MiniProgram(StrEnum):
    """Ours, by the way to sign in with it."""

    WECHAT = "wechat_mini"
    QQ = "qq_mini"


class Answer(StrEnum):
    """What a platform's own sheet says of one template."""

    ACCEPT = "accept"
    REJECT = "reject"
    BAN = "ban"
    FILTER = "filter"


class OfferedQuery(Schema):
    """Of which mini program."""

    provider: MiniProgram


class OfferedView(Schema):
    """One message that a person may be asked for: the platform's number of it, for its own sheet."""

    message: str
    template_id: str


class AllOfferedView(Schema):
    """All of them. A sheet shows three at most."""

    items: list[OfferedView]


class Subscribe(Schema):
    """What somebody answered on the platform's sheet."""

    provider: MiniProgram
    payer: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_\\-]{1,128}$")]
    """Who they are in the mini program (openid), as the sign-in there answered it."""
    answers: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,32}$")], Answer],
        Field(min_length=1, max_length=3, json_schema_extra={"additionalProperties": False}),
    ]

    def said(self) -> dict[str, bool]:
        """Return to which messages somebody said yes."""
        return {name: answer is Answer.ACCEPT for name, answer in self.answers.items()}


class SubscriptionsView(Schema):
    """How many more of each message will come there."""

    left: dict[str, int]
