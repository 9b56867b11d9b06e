"""Wire models of merchants."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from chalicelib.merchants import service
from chalicelib.runtime.schema import Currency, Id, MoneyView, Schema, Timestamp, WebAddress

Name = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")]
Description = Annotated[str, StringConstraints(max_length=500)]
Commission = Annotated[int, Field(ge=0, le=10_000, strict=True)]


class ContactBody(Schema):
    """Whom the platform calls."""

    person: Name
    phone: Annotated[str, StringConstraints(min_length=5, max_length=25, pattern=r"^\+?[0-9 ()-]+$")] | None = None
    email: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None

    @classmethod
    def of(cls, contact: service.Contact) -> ContactBody:
        """Return the wire form."""
        return cls.model_construct(person=contact.person, phone=contact.phone, email=contact.email)

    def contact(self) -> service.Contact:
        """Return the domain's contact."""
        return service.Contact(person=self.person, phone=self.phone, email=self.email)


class CreateMerchant(Schema):
    """A new merchant. Goods worth ``free_freight_from`` travel free; without it, none do."""

    name: Name
    contact: ContactBody
    freight: MoneyView
    free_freight_from: MoneyView | None = None
    commission_bps: Commission = 0
    currency: Currency = "CNY"
    description: Description = ""
    logo: WebAddress | None = None

    def merchant(self) -> service.NewMerchant:
        """Return what the service takes."""
        return service.NewMerchant(
            name=self.name,
            contact=self.contact.contact(),
            freight=self.freight.money(),
            free_freight_from=self.free_freight_from.money() if self.free_freight_from else None,
            commission_bps=self.commission_bps,
            currency=self.currency,
            description=self.description,
            logo=self.logo,
        )


_REQUIRED = {"name", "contact", "freight", "commission_bps", "status", "description"}
"""Fields that null does not remove."""


class ChangeProfile(Schema):
    """What a merchant changes of its own; ``null`` removes ``free_freight_from`` and ``logo``."""

    contact: ContactBody | None = None
    freight: MoneyView | None = None
    free_freight_from: MoneyView | None = None
    description: Description | None = None
    logo: WebAddress | None = None

    def changes(self) -> dict[str, Any]:
        """Return the named fields in the domain's types; null for a field that must be there changes nothing."""
        named: dict[str, Any] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if value is None and name in _REQUIRED:
                continue
            if isinstance(value, MoneyView):
                value = value.money()
            elif isinstance(value, ContactBody):
                value = value.contact()
            named[name] = value
        return named


class ChangeMerchant(ChangeProfile):
    """What an operator changes: also name, commission and status."""

    name: Name | None = None
    commission_bps: Commission | None = None
    status: Literal["active", "suspended"] | None = None


class MerchantView(Schema):
    """What everybody may know of a merchant."""

    merchant_id: Id
    name: str
    status: service.Status
    description: str
    logo: str | None
    currency: str
    freight: MoneyView
    free_freight_from: MoneyView | None

    @classmethod
    def of(cls, merchant: service.Merchant) -> MerchantView:
        """Return the wire form."""
        return cls.model_construct(**_public(merchant))


class ProfileView(MerchantView):
    """What the merchant itself and operators see."""

    contact: ContactBody
    commission_bps: int
    created_at: Timestamp

    @classmethod
    def of(cls, merchant: service.Merchant) -> ProfileView:
        """Return the wire form."""
        return cls.model_construct(
            **_public(merchant),
            contact=ContactBody.of(merchant.contact),
            commission_bps=merchant.commission_bps,
            created_at=merchant.created_at,
        )


def _public(merchant: service.Merchant) -> dict[str, Any]:
    free_from = merchant.free_freight_from
    return {
        "merchant_id": merchant.merchant_id,
        "name": merchant.name,
        "status": merchant.status,
        "description": merchant.description,
        "logo": merchant.logo,
        "currency": merchant.currency,
        "freight": MoneyView.of(merchant.freight),
        "free_freight_from": MoneyView.of(free_from) if free_from is not None else None,
    }
