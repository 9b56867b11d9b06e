"""Wire models of codes, and of what they open."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from chalicelib.auth.codes import domain
from chalicelib.auth.codes.domain import Purpose
from chalicelib.auth.schemas import CodeText, IdentityText, Language, NewPassword, Solution
from chalicelib.runtime.schema import Id, Schema

DeviceToken = Annotated[str, StringConstraints(min_length=20, max_length=256)]


class AskCode(Schema):
    """Where a code is to be sent, and what for; with the ``solution`` that was asked for (``challenge_needed``)."""

    contact: IdentityText
    purpose: Purpose
    language: Language | None = None
    device_token: DeviceToken | None = None
    solution: Solution | None = None


class CodeSentView(Schema):
    """The same for every contact: something was sent there. The code's id goes with its use."""

    code_id: Id
    expires_in: int
    resend_in: int

    @classmethod
    def of(cls, code_id: str) -> CodeSentView:
        """Return the wire form."""
        return cls(
            code_id=code_id,
            expires_in=int(domain.LIFE.total_seconds()),
            resend_in=int(domain.RESEND.total_seconds()),
        )


class ShowCode(Schema):
    """A contact, and the code that was read there."""

    contact: IdentityText
    code_id: Id
    code: CodeText


class SignInByCode(ShowCode):
    """``create`` makes an account where the contact has none."""

    create: bool = False
    language: Language | None = None
    device_token: DeviceToken | None = None


class ResetPassword(ShowCode):
    """The new password of the account that the contact leads to."""

    password: NewPassword


class ChangePassword(Schema):
    """The new password. The old one, or another proof, came just before (``fresh_proof_needed``)."""

    password: NewPassword
