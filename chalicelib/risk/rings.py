"""The same on both sides of an order: the buyer works for the merchant, or shares something with somebody who does."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from chalicelib.auth import service as auth
from chalicelib.kernel.errors import NotFound
from chalicelib.merchants import service as merchants
from chalicelib.orders.service import Contact
from chalicelib.risk import gathering
from chalicelib.risk.domain import FactKind, Subject, SubjectKind, Tally
from chalicelib.runtime import caches

KEEP_S = 300
"""A merchant's people and what they gave of themselves are asked for once in this time by each process."""
REMEMBERED = 1_000
_BY_TRAIT: Mapping[SubjectKind, FactKind] = {
    SubjectKind.ADDRESS: FactKind.RING_ADDRESS,
    SubjectKind.PHONE: FactKind.RING_PHONE,
    SubjectKind.PAYER: FactKind.RING_PAYER,
}


@dataclass(frozen=True, slots=True)
class Side:
    """The merchant's side of its orders."""

    people: frozenset[str] = frozenset()
    traits: frozenset[Subject] = frozenset()
    """Addresses and phones of its people, and the phone under which the platform reaches it."""


_sides: dict[str, tuple[float, Side]] = {}
caches.register(_sides.clear)


def side_of(merchant_id: str) -> Side:
    """Return a merchant's side, as it was within the last minutes."""
    held = _sides.get(merchant_id)
    if held is not None and time.monotonic() - held[0] < KEEP_S:
        return held[1]
    found = _read(merchant_id)
    if len(_sides) >= REMEMBERED:
        _sides.clear()
    _sides[merchant_id] = (time.monotonic(), found)
    return found


def _read(merchant_id: str) -> Side:
    people = frozenset(member.account_id for member in auth.staff.members(merchant_id))
    phones = [phone for account_id in sorted(people) if (phone := _phone_of(account_id))]
    try:
        phones += [phone] if (phone := merchants.load(merchant_id).contact.phone) else []
    except NotFound:
        return Side(people)
    traits = {Subject(SubjectKind.PHONE, gathering.phone_mark(phone)) for phone in phones}
    for account_id in sorted(people):
        for address in auth.addresses(account_id).addresses:
            traits |= set(gathering.traits(_contact(address)))
    return Side(people, frozenset(traits))


def _phone_of(account_id: str) -> str | None:
    try:
        return auth.me(account_id).phone
    except NotFound:
        return None


def _contact(address: auth.Address) -> Contact:
    return Contact(
        recipient="",
        phone=address.phone,
        country=address.country,
        province=address.province or "",
        city=address.city,
        district=address.district or "",
        street=address.street,
    )


def found(buyer: Tally, used: Iterable[Tally], side: Side) -> list[FactKind]:
    """Return by what a buyer stands on the merchant's side too. Pure, but for what was read before.

    ``used`` says who else used what the buyer used for this purchase.
    """
    rings = []
    if buyer.subject.name in side.people:
        rings.append(FactKind.RING_PERSON)
    if side.people & set(buyer.facts.get(FactKind.SHARES_DEVICE, {})):
        rings.append(FactKind.RING_DEVICE)
    for tally in used:
        others = replace(side, people=side.people - {buyer.subject.name}).people
        if tally.subject in side.traits or others & set(tally.facts.get(FactKind.USED_BY, {})):
            rings.append(_BY_TRAIT[tally.subject.kind])
    return rings
