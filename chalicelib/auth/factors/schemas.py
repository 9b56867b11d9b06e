"""Wire models of second factors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from chalicelib.auth import service
from chalicelib.auth.passkeys.schemas import SignedCredential
from chalicelib.auth.sessions.schemas import DeviceName, DeviceToken
from chalicelib.runtime.schema import Schema, Timestamp, refusal

Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Field(json_schema_extra={"writeOnly": True})]
RecoveryCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z2-7]{8}[- ]?[A-Za-z2-7]{8}$"),
    Field(json_schema_extra={"writeOnly": True}),
]


class FactorsView(Schema):
    """What the caller proves themselves with beside the first way in."""

    totp_since: Timestamp | None = None
    """Since when an authenticator app counts; absent: there is none."""
    recovery_codes_left: int

    @classmethod
    def of(cls, factors: service.Factors) -> FactorsView:
        """Return the wire form."""
        return cls(totp_since=factors.totp_since, recovery_codes_left=factors.recovery_codes_left)


class EnrolmentView(Schema):
    """What an authenticator app takes: as a QR code of ``uri``, or typed by hand. It is shown this once."""

    secret: str
    uri: str


class TotpCode(Schema):
    """The six digits that the app shows."""

    code: Code


class ConfirmedView(Schema):
    """Ten recovery codes to print, each good once and shown once; and an access token that says what was proved."""

    recovery_codes: list[str]
    access_token: str
    expires_in: int


class RecoveryCodesView(Schema):
    """Ten recovery codes, each good once and shown this once."""

    recovery_codes: list[str]


class SecondStep(Schema):
    """The challenge of the first step, and the app's code, one of the recovery codes, or what a passkey signed."""

    challenge: Annotated[str, StringConstraints(min_length=20, max_length=80)]
    code: Code | None = None
    recovery_code: RecoveryCode | None = None
    credential: SignedCredential | None = None
    device_token: DeviceToken | None = None
    device_name: DeviceName | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> SecondStep:
        if [self.code, self.recovery_code, self.credential].count(None) != 2:
            raise refusal("code_or_recovery_code", "send code, recovery_code or credential, one of them")
        return self
