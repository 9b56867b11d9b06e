"""A merchant, its state and the terms it sells on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.errors import CurrencyMismatch, Invalid, ShopError
from chalicelib.kernel.later import Later
from chalicelib.kernel.machine import StateMachine
from chalicelib.kernel.money import MAX_MINOR, Money


class BadTerms(Invalid):
    """Freight and commission stay within bounds."""

    code = "bad_terms"
    en, zh = "The terms are not valid: look at {field}.", "条款不正确，请检查{field}。"
    shown = ("field",)
    texts_of = {  # noqa: RUF012
        "field": {
            "freight": ("the freight", "运费"),
            "free_freight_from": ("from which amount on freight is free", "包邮金额"),
            "commission_bps": ("the commission", "佣金比例"),
            "": ("what was filled in", "所填内容"),
        }
    }


class MerchantSuspended(ShopError):
    """A suspended merchant brings open orders and complaints to an end; it changes nothing else."""

    code, status = "merchant_suspended", 403
    en = "This merchant is suspended: it can ship open orders and answer complaints, nothing else."
    zh = "该商家已被暂停经营，仅可处理未完成的订单和投诉。"


class Status(StrEnum):
    """States of a merchant."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Cause(StrEnum):
    """What changes a merchant's state."""

    SUSPEND = "suspend"
    REINSTATE = "reinstate"


MACHINE = StateMachine(
    name="merchant",
    initial=Status.ACTIVE,
    edges={
        Status.ACTIVE: {Cause.SUSPEND: Status.SUSPENDED},
        Status.SUSPENDED: {Cause.REINSTATE: Status.ACTIVE},
    },
)


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom the platform calls. Not public."""

    person: str = field(repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Merchant:
    """A seller on the platform."""

    merchant_id: str
    name: str
    reached_at: Later[Contact]
    freight: Money
    """Flat rate of one order."""
    free_freight_from: Money | None
    """Goods worth this much travel free; None never does."""
    commission_bps: int
    """The platform's share in hundredths of a percent."""
    currency: str
    created_at: datetime
    status: Status = MACHINE.initial
    description: str = ""
    logo: str | None = None
    status_changes: int = 0
    fingerprint: str = ""
    version: int = 0

    @property
    def contact(self) -> Contact:
        """Return whom the platform calls."""
        return self.reached_at()


@dataclass(frozen=True, slots=True)
class Terms:
    """What checkout needs to know of a merchant."""

    merchant_id: str
    name: str
    status: str
    freight: Money
    free_freight_from: Money | None
    commission_bps: int


def checked(merchant: Merchant) -> Merchant:
    """Return the merchant.

    Raises:
        CurrencyMismatch: if an amount is not of the merchant's currency.
        BadTerms: if an amount is negative or beyond reason, or the commission is not between 0 and 100 %.
    """
    for name, amount in (("freight", merchant.freight), ("free_freight_from", merchant.free_freight_from)):
        if amount is None:
            continue
        if amount.currency != merchant.currency:
            raise CurrencyMismatch(have=merchant.currency, got=amount.currency)
        if not 0 <= amount.minor <= MAX_MINOR:
            raise BadTerms(field=name)
    if not 0 <= merchant.commission_bps <= 10_000:
        raise BadTerms(field="commission_bps")
    return merchant


def move(merchant: Merchant, status: Status) -> Merchant:
    """Suspend or reinstate; the status it has already changes nothing."""
    if status is merchant.status:
        return merchant
    cause = Cause.SUSPEND if status is Status.SUSPENDED else Cause.REINSTATE
    return replace(merchant, status=MACHINE.next(merchant.status, cause), status_changes=merchant.status_changes + 1)


def terms_of(merchant: Merchant) -> Terms:
    """Return what checkout needs to know."""
    return Terms(
        merchant_id=merchant.merchant_id,
        name=merchant.name,
        status=merchant.status.value,
        freight=merchant.freight,
        free_freight_from=merchant.free_freight_from,
        commission_bps=merchant.commission_bps,
    )
