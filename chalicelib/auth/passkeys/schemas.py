"""Wire models of passkeys. What browsers hand out as bytes is sent as base64url without padding."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from chalicelib.auth import service
from chalicelib.auth.service import passkeys
from chalicelib.auth.sessions.schemas import LINE, DeviceName, DeviceToken
from chalicelib.runtime.schema import Id, Schema, Timestamp

_BASE64URL = r"^[A-Za-z0-9_-]+$"
ChallengeText = Annotated[str, StringConstraints(min_length=20, max_length=80)]
CredentialId = Annotated[str, StringConstraints(min_length=2, max_length=1364, pattern=_BASE64URL)]
ClientData = Annotated[str, StringConstraints(min_length=2, max_length=4096, pattern=_BASE64URL)]
Attestation = Annotated[str, StringConstraints(min_length=2, max_length=8192, pattern=_BASE64URL)]
AuthenticatorData = Annotated[str, StringConstraints(min_length=2, max_length=2048, pattern=_BASE64URL)]
Signature = Annotated[str, StringConstraints(min_length=2, max_length=1024, pattern=_BASE64URL)]
UserHandle = Annotated[str, StringConstraints(min_length=1, max_length=86, pattern=_BASE64URL)]
Transport = Annotated[str, StringConstraints(min_length=2, max_length=16, pattern=r"^[a-z-]+$")]
PasskeyName = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=LINE)]


class PasskeyBegunView(Schema):
    """``public_key`` goes to ``navigator.credentials`` as it is, by way of ``parseCreationOptionsFromJSON`` or
    ``parseRequestOptionsFromJSON``; ``challenge`` comes back with the answer, once, within ``expires_in`` seconds.
    """

    challenge: str
    public_key: dict[str, Any]
    expires_in: int

    @classmethod
    def of(cls, begun: passkeys.Begun) -> PasskeyBegunView:
        """Return the wire form."""
        return cls(
            challenge=begun.challenge,
            public_key=begun.public_key,
            expires_in=int(passkeys.LIFE.total_seconds()),
        )


class MadeCredential(Schema):
    """What ``navigator.credentials.create`` gave: ``id``, ``response.clientDataJSON``, ``response.attestationObject``
    and what ``response.getTransports()`` says.
    """

    id: CredentialId
    client_data: ClientData
    attestation: Attestation
    transports: Annotated[tuple[Transport, ...], Field(max_length=8)] = ()

    def made(self) -> passkeys.Made:
        """Return what the service takes."""
        return passkeys.Made(self.id, self.client_data, self.attestation, self.transports)


class SignedCredential(Schema):
    """What ``navigator.credentials.get`` gave: ``id``, and of the response ``clientDataJSON``, ``authenticatorData``,
    ``signature`` and ``userHandle``.
    """

    id: CredentialId
    client_data: ClientData
    authenticator_data: AuthenticatorData
    signature: Signature
    user_handle: UserHandle | None = None

    def signed(self) -> passkeys.Signed:
        """Return what the service takes."""
        return passkeys.Signed(
            self.id, self.client_data, self.authenticator_data, self.signature, self.user_handle or ""
        )


class AddPasskey(Schema):
    """A passkey that was just made, and what to call it."""

    challenge: ChallengeText
    credential: MadeCredential
    name: PasskeyName


class RenamePasskey(Schema):
    """What to call it."""

    name: PasskeyName


class SignInByPasskey(Schema):
    """What a passkey signed; and of the device as with any other sign-in."""

    challenge: ChallengeText
    credential: SignedCredential
    device_token: DeviceToken | None = None
    device_name: DeviceName | None = None


class ProveByPasskey(Schema):
    """What a passkey of one's own signed."""

    challenge: ChallengeText
    credential: SignedCredential


class PasskeyView(Schema):
    """One passkey. ``is_backed_up``: it lives on other devices, too; ``copied_at``: its counter went back then, so
    somebody may have a copy: remove it.
    """

    passkey_id: Id
    name: str
    made_at: Timestamp
    used_at: Timestamp | None = None
    is_backed_up: bool
    may_be_backed_up: bool
    copied_at: Timestamp | None = None

    @classmethod
    def of(cls, passkey: passkeys.Passkey) -> PasskeyView:
        """Return the wire form."""
        return cls(
            passkey_id=passkey.passkey_id,
            name=passkeys.name_of(passkey),
            made_at=passkey.made_at,
            used_at=passkey.used_at,
            is_backed_up=passkey.is_backed_up,
            may_be_backed_up=passkey.is_eligible,
            copied_at=passkey.copied_at,
        )


class PasskeysView(Schema):
    """All passkeys of the caller; ten at most, so this list has no pages."""

    items: list[PasskeyView]

    @classmethod
    def of(cls, found: list[passkeys.Passkey]) -> PasskeysView:
        """Return the wire form."""
        return cls(items=[PasskeyView.of(one) for one in found])


def device_of(body: SignInByPasskey, agent: str) -> service.Device:
    """Return what a sign-in says of its device."""
    return service.Device(token=body.device_token, name=body.device_name or "", agent=agent)
