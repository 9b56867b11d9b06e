"""Wire models of accounts, sign-in, roles and address books."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.auth import domain, service
from chalicelib.auth.service import staff
from chalicelib.auth.sessions.schemas import DeviceName, DeviceToken
from chalicelib.kernel.roles import Desk, Post, Role
from chalicelib.runtime.schema import ONE_LINE, Id, Schema, Timestamp

Language = Literal["zh", "en"]
IdentityText = Annotated[str, StringConstraints(min_length=3, max_length=254)]
Nickname = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=ONE_LINE)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=ONE_LINE)]
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


class Solution(Schema):
    """A refusal's challenge and what solves it: SHA-256 of ``<challenge>.<number>`` begins with so many zero bits."""

    challenge: Annotated[str, StringConstraints(min_length=40, max_length=200, pattern=r"^[a-z0-9.]+$")]
    number: Annotated[str, StringConstraints(min_length=1, max_length=20, pattern=r"^[0-9]+$")]


class SignIn(Schema):
    """Identity and password; the device token of the last sign-in here, where there is one; what to call the device."""

    identity: IdentityText
    password: AnyPassword
    device_token: DeviceToken | None = None
    device_name: DeviceName | None = None
    solution: Solution | None = None


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


class PostView(Schema):
    """What somebody is at a merchant."""

    merchant_id: Id
    post: Post

    @classmethod
    def of(cls, held: staff.Employment) -> PostView:
        """Return the wire form."""
        return cls(merchant_id=held.merchant_id, post=held.post)


class MeView(Schema):
    """The caller's own account. ``merchant_id`` is the first of the merchants in ``posts``."""

    account_id: Id
    email: str | None
    phone: str | None
    email_verified_at: Timestamp | None = None
    phone_verified_at: Timestamp | None = None
    nickname: str | None
    language: Language
    roles: list[Role]
    merchant_id: Id | None
    posts: list[PostView]
    desks: list[Desk]
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
            merchant_id=account.employments[0].merchant_id if account.employments else None,
            posts=[PostView.of(one) for one in account.employments],
            desks=sorted(account.at_desks),
            created_at=account.created_at,
        )


class ChangeMe(Schema):
    """What to change; ``nickname: null`` removes it."""

    nickname: Nickname | None = None
    language: Language | None = None


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
    street: Annotated[str, StringConstraints(min_length=2, max_length=200, pattern=ONE_LINE)]
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
