"""What each event tells: facts, of whom, about which record. Looks up what an event does not say; counts nothing."""

from __future__ import annotations

from datetime import datetime

from chalicelib.complaints import service as complaints
from chalicelib.kernel import ids
from chalicelib.kernel.errors import NotFound
from chalicelib.orders import service as orders
from chalicelib.orders.service import Contact
from chalicelib.risk.domain import Fact, FactKind, Subject, SubjectKind
from chalicelib.runtime import marks

NOT_RECEIVED = "not_received"
"""The reason of a complaint that nothing came."""


def signed_up(account_id: str, network: str, at: datetime) -> list[Fact]:
    """Return the facts of a new account."""
    return [Fact(Subject(SubjectKind.NETWORK, network), FactKind.SIGNED_UP, account_id, at)] if network else []


def device_shared(account_id: str, beside: str, device: str, at: datetime) -> list[Fact]:
    """Return the facts of a device that two accounts signed in on."""
    shared = Subject(SubjectKind.DEVICE, device)
    return [
        Fact(shared, FactKind.USED_BY, account_id, at),
        Fact(shared, FactKind.USED_BY, beside, at),
        Fact(Subject(SubjectKind.ACCOUNT, account_id), FactKind.SHARES_DEVICE, beside, at),
        Fact(Subject(SubjectKind.ACCOUNT, beside), FactKind.SHARES_DEVICE, account_id, at),
    ]


def unpaid(purchase_id: str, at: datetime) -> list[Fact]:
    """Return the facts of a purchase that ended without money."""
    purchase = orders.load_purchase(purchase_id)
    subjects = [Subject(SubjectKind.ACCOUNT, purchase.buyer_id)]
    if purchase.network:
        subjects.append(Subject(SubjectKind.NETWORK, purchase.network))
    return [Fact(subject, FactKind.UNPAID, purchase_id, at) for subject in subjects]


def used(buyer_id: str, contact: Contact | None, payer: str, at: datetime) -> list[Fact]:
    """Return what a buyer used: the address and the phone of a purchase, and who paid."""
    marked = [*traits(contact), *([Subject(SubjectKind.PAYER, payer)] if payer else [])]
    return [Fact(subject, FactKind.USED_BY, buyer_id, at) for subject in marked]


def traits(contact: Contact | None) -> list[Subject]:
    """Return the subjects that a contact is counted under."""
    if contact is None:
        return []
    return [Subject(SubjectKind.ADDRESS, address_mark(contact)), Subject(SubjectKind.PHONE, phone_mark(contact.phone))]


def address_mark(contact: Contact) -> str:
    """Return the mark of where a contact lives: spaces, case and who receives it do not make another place."""
    parts = (contact.country, contact.province, contact.city, contact.district, contact.street)
    return marks.mark("\n".join("".join(part.split()).casefold() for part in parts), "risk address")


def phone_mark(phone: str) -> str:
    """Return the mark of a phone number, by its digits."""
    return marks.mark("".join(one for one in phone if one.isdigit())[-11:], "risk phone")


def refunded(order_id: str | None, at: datetime) -> list[Fact]:
    """Return the facts of money that went back for an order. What nobody had bought with is nobody's refund."""
    if order_id is None:
        return []
    try:
        sale = orders.load_sale(ids.parent_id("pur", order_id))
    except NotFound:
        return []
    merchants = {order.order_id: order.merchant_id for order in sale.orders}
    return [
        Fact(Subject(SubjectKind.ACCOUNT, sale.purchase.buyer_id), FactKind.REFUNDED, order_id, at),
        *(
            [Fact(Subject(SubjectKind.MERCHANT, merchants[order_id]), FactKind.REFUNDED, order_id, at)]
            if order_id in merchants
            else []
        ),
    ]


def complained(complaint_id: str, at: datetime) -> list[Fact]:
    """Return the facts of a complaint."""
    parties = complaints.parties(complaint_id)
    subjects = (Subject(SubjectKind.ACCOUNT, parties.buyer_id), Subject(SubjectKind.MERCHANT, parties.merchant_id))
    kinds = (FactKind.COMPLAINED, FactKind.NOT_RECEIVED) if parties.reason == NOT_RECEIVED else (FactKind.COMPLAINED,)
    return [Fact(subject, kind, complaint_id, at) for subject in subjects for kind in kinds]


def opened(merchant_id: str, at: datetime) -> list[Fact]:
    """Return the fact that a merchant is new."""
    return [Fact(Subject(SubjectKind.MERCHANT, merchant_id), FactKind.OPENED, merchant_id, at)]
