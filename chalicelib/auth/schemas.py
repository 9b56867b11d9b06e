"""Wire models of accounts, sign-in, roles and address books."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.auth import domain, service
from chalicelib.auth.sessions.schemas import DeviceName, DeviceToken
from chalicelib.kernel.roles import Role
from chalicelib.runtime.schema import Id, Schema, Timestamp

_LINE = r"^[^\x00-\x1f\x7f]+$"
Language = Literal["zh", "en"]
IdentityText = Annotated[str, StringConstraints(min_length=3, max_length=254)]
Nickname = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=_LINE)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=_LINE)]
# A password is taken as it is typed: blanks at its ends belong to it.
NewPassword = Annotated[
    str,
    StringConstraints(min_length=domain.MIN_PASSWORD, max_length=domain.MAX_PASSWORD, strip_whitespace=False),
    Field(json_schema_extra={"format": "password", "writeOnly": True}),
]
AnyPassword = Annotated[
    str,
    StringConstraints(min_length=1, max_length=domain.MAX_PASSWORD, strip_whitespace=False),
    Field(json_schema_extra={"format": "password", "writeOnly": True}),
]


CodeText = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class Register(Schema):
    """A new account. ``identity`` is an e-mail address or a phone number (without a country code: a Chinese one).

    ``code`` was sent there for the purpose ``register``; a stage for trying things may do without.
    """

    identity: IdentityText
    password: NewPassword
    nickname: Nickname | None = None
    language: Language | None = None
    code_id: Id | None = None
    code: CodeText | None = None


class SignIn(Schema):
    """Identity and password; the device token of the last sign-in here, where there is one; what to call the device."""

    identity: IdentityText
    password: AnyPassword
    device_token: DeviceToken | None = None
    device_name: DeviceName | None = None


class Jwk(Schema):
    """One public key (RFC 8037)."""

    kty: str
    crv: str
    use: str
    alg: str
    kid: str
    x: str


class JwkSet(Schema):
    """The keys that access tokens verify with (RFC 7517)."""

    keys: list[Jwk]


class MeView(Schema):
    """The caller's own account."""

    account_id: Id
    email: str | None
    phone: str | None
    email_verified_at: Timestamp | None = None
    phone_verified_at: Timestamp | None = None
    nickname: str | None
    language: Language
    roles: list[Role]
    merchant_id: Id | None
    created_at: Timestamp

    @classmethod
    def of(cls, account: service.Account) -> MeView:
        """Return the wire form."""
        return cls.model_construct(
            account_id=account.account_id,
            email=account.email,
            phone=account.phone,
            email_verified_at=account.email_verified_at,
            phone_verified_at=account.phone_verified_at,
            nickname=account.nickname,
            language=account.language,
            roles=list(account.roles),
            merchant_id=account.merchant_id,
            created_at=account.created_at,
        )


class ChangeMe(Schema):
    """What to change; ``nickname: null`` removes it."""

    nickname: Nickname | None = None
    language: Language | None = None


class GrantRole(Schema):
    """A role to give; ``merchant_staff`` needs the merchant."""

    role: Literal["merchant_staff", "operator"]
    merchant_id: Id | None = None


class RolesView(Schema):
    """What an account may do. Nothing personal: an operator needs no more here."""

    account_id: Id
    roles: list[Role]
    merchant_id: Id | None

    @classmethod
    def of(cls, account: service.Account) -> RolesView:
        """Return the wire form."""
        return cls.model_construct(
            account_id=account.account_id, roles=list(account.roles), merchant_id=account.merchant_id
        )


Reason = Annotated[str, StringConstraints(min_length=3, max_length=200)]


class AskRole(Schema):
    """A role that takes two operators to give, and why this person should have it."""

    role: Literal["operator"]
    reason: Reason


class DecideRole(Schema):
    """Why it is approved or rejected."""

    note: Annotated[str, StringConstraints(max_length=300)] = ""


class RoleRequestView(Schema):
    """A role that somebody is to have. Approving it gives the role; nobody answers after ``due_at``."""

    request_id: Id
    account_id: Id
    role: Role
    status: Literal["pending", "approved", "rejected", "expired"]
    reason: str
    asked_by: str
    asked_at: Timestamp
    due_at: Timestamp | None = None
    decided_by: str | None = None
    decided_at: Timestamp | None = None
    note: str | None = None

    @classmethod
    def of(cls, request: domain.RoleRequest, now: datetime) -> RoleRequestView:
        """Return the wire form as of a moment."""
        return cls(
            request_id=request.request_id,
            account_id=request.account_id,
            role=request.role,
            status=request.status_at(now).value,
            reason=request.reason,
            asked_by=request.asked_by,
            asked_at=request.asked_at,
            due_at=request.due_at,
            decided_by=request.decided_by or None,
            decided_at=request.decided_at,
            note=request.note or None,
        )


class RoleRequestsView(Schema):
    """One page of role requests, of any state."""

    items: list[RoleRequestView]
    next_cursor: str | None = None


class AddressBody(Schema):
    """An address. In China the province is one of the 34 by its full or short name.

    A phone number without a country code is one of the address's country.
    """

    recipient: Short
    phone: Annotated[str, StringConstraints(min_length=5, max_length=25)]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "CN"
    province: Short | None = None
    city: Short
    district: Short | None = None
    street: Annotated[str, StringConstraints(min_length=2, max_length=200, pattern=_LINE)]
    postcode: Annotated[str, StringConstraints(max_length=16, pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]*$")] | None = None
    is_default: bool = False

    def address(self, address_id: str) -> service.Address:
        """Return the domain's address."""
        return service.Address(
            address_id=address_id,
            recipient=self.recipient,
            phone=self.phone,
            country=self.country,
            province=self.province,
            city=self.city,
            district=self.district,
            street=self.street,
            postcode=self.postcode,
        )


class AddressView(Schema):
    """An address as it is kept."""

    address_id: Id
    recipient: str
    phone: str
    country: str
    province: str | None
    city: str
    district: str | None
    street: str
    postcode: str | None
    is_default: bool

    @classmethod
    def of(cls, address: service.Address, book: service.AddressBook) -> AddressView:
        """Return the wire form."""
        return cls(
            address_id=address.address_id,
            recipient=address.recipient,
            phone=address.phone,
            country=address.country,
            province=address.province,
            city=address.city,
            district=address.district,
            street=address.street,
            postcode=address.postcode,
            is_default=address.address_id == book.default_id,
        )


class AddressBookView(Schema):
    """All addresses of the caller; at most 20, so this list has no pages."""

    items: list[AddressView]

    @classmethod
    def of(cls, book: service.AddressBook) -> AddressBookView:
        """Return the wire form."""
        return cls(items=[AddressView.of(address, book) for address in book.addresses])
