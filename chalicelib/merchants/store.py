"""Rows of merchants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.errors import AlreadyExists
from chalicelib.kernel.later import Later
from chalicelib.kernel.money import Money
from chalicelib.merchants.domain import Contact, Merchant, Status
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, SealedDocument, region
from chalicelib.runtime.db.sealed import kept_plain


@dataclass(frozen=True, slots=True)
class _Profile:
    created_at: datetime
    contact: Contact | None = None
    """In rows of before, where it stood unsealed."""
    description: str = ""
    logo: str | None = None


class MerchantRow(Row):
    """Key: merchant_id."""

    class Meta:
        table_name = names.table_name("merchants")
        region = region()

    merchant_id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    status = UnicodeAttribute()
    status_changes = NumberAttribute(default=0)
    currency = UnicodeAttribute()
    freight_minor = NumberAttribute()
    free_from_minor = NumberAttribute(null=True)
    commission_bps = NumberAttribute()
    profile = DocumentAttribute[_Profile](_Profile)
    contact = SealedDocument[Contact](Contact, null=True)
    fingerprint = UnicodeAttribute()


def row(merchant: Merchant) -> MerchantRow:
    """Return the row of a merchant."""
    free_from = merchant.free_freight_from
    return MerchantRow(
        merchant_id=merchant.merchant_id,
        name=merchant.name,
        status=merchant.status.value,
        status_changes=merchant.status_changes,
        currency=merchant.currency,
        freight_minor=merchant.freight.minor,
        free_from_minor=free_from.minor if free_from is not None else None,
        commission_bps=merchant.commission_bps,
        profile=_Profile(merchant.created_at, kept_plain(merchant.reached_at), merchant.description, merchant.logo),
        contact=merchant.reached_at,
        fingerprint=merchant.fingerprint,
        version=merchant.version,
    )


def _merchant(found: MerchantRow) -> Merchant:
    profile = found.profile
    return Merchant(
        merchant_id=found.merchant_id,
        name=found.name,
        reached_at=Later.of(profile.contact) if profile.contact is not None else found.unopened("contact"),
        freight=Money(int(found.freight_minor), found.currency),
        free_freight_from=Money(int(found.free_from_minor), found.currency)
        if found.free_from_minor is not None
        else None,
        commission_bps=int(found.commission_bps),
        currency=found.currency,
        created_at=profile.created_at,
        status=Status(found.status),
        description=profile.description,
        logo=profile.logo,
        status_changes=int(found.status_changes),
        fingerprint=found.fingerprint,
        version=int(found.version),
    )


def load(merchant_id: str, *, consistent: bool = False) -> Merchant | None:
    """Read one merchant."""
    found = reads.get(MerchantRow, merchant_id, consistent=consistent)
    return _merchant(found) if found is not None else None


def load_many(merchant_ids: Iterable[str], *, consistent: bool = False) -> list[Merchant]:
    """Read those that exist, in one call."""
    found = reads.get_many([(MerchantRow, merchant_id, None) for merchant_id in merchant_ids], consistent=consistent)
    return [_merchant(cast("MerchantRow", one)) for one in found.values()]


def existing(refusal: AlreadyExists) -> Merchant:
    """Return the merchant that a refused creation met."""
    return _merchant(MerchantRow.from_raw_data(refusal.params["item"]))
