"""Rows of rosters: one a merchant, among the accounts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.auth.staff.domain import Invitation, Member, Offer, Roster
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

_STAFF = "staff"
_OFFER = "ofr_"


@dataclass(frozen=True, slots=True)
class _Doc:
    members: tuple[Member, ...] = ()
    invitations: tuple[Invitation, ...] = ()
    gone: tuple[str, ...] = ()


class RosterRow(Row):
    """Key: merchant_id, ``staff``: all people of a merchant and all invitations, some 150 bytes each."""

    class Meta:
        table_name = names.table_name("accounts")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    doc = DocumentAttribute[_Doc](_Doc)


class OfferRow(Row):
    """Key: ``ofr_`` and the digest of an invitation's token. TTL collects it when the invitation has run out."""

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    invitation_id = UnicodeAttribute()
    contact_id = UnicodeAttribute()
    hint = UnicodeAttribute()
    expires = TTLAttribute()


def load(merchant_id: str) -> Roster:
    """Read a merchant's roster as it is now; a merchant without people has an empty one."""
    row = reads.get(RosterRow, merchant_id, _STAFF, consistent=True)
    if row is None:
        return Roster(merchant_id)
    return Roster(merchant_id, row.doc.members, row.doc.invitations, row.doc.gone, int(row.version))


def save(work: UnitOfWork, roster: Roster) -> None:
    """Write a roster in the caller's work; a rival's write is a lost race."""
    row = RosterRow(
        account_id=roster.merchant_id,
        id=_STAFF,
        doc=_Doc(roster.members, roster.invitations, roster.gone),
        version=roster.version,
    )
    work.save(row, refuse=lost, label="roster")


def add_offer(work: UnitOfWork, offer: Offer) -> None:
    """Write what a token leads to, in the caller's work."""
    row = OfferRow(
        identity_id=f"{_OFFER}{offer.digest}",
        merchant_id=offer.merchant_id,
        invitation_id=offer.invitation_id,
        contact_id=offer.contact_id,
        hint=offer.hint,
        expires=offer.expires_at,
    )
    work.save(row, label="offer")


def offer(digest: str) -> Offer | None:
    """Read what a token leads to, as it is now."""
    row = reads.get(OfferRow, f"{_OFFER}{digest}", consistent=True)
    return _offer(row) if row is not None else None


def offers(invitations: Iterable[Invitation]) -> dict[str, Offer]:
    """Read whom invitations are for, by their ids; those that were collected are absent."""
    wanted: list[reads.Wanted] = [(OfferRow, f"{_OFFER}{one.digest}", None) for one in invitations]
    found = reads.get_many(wanted, consistent=True) if wanted else {}
    read = [_offer(cast("OfferRow", row)) for row in found.values()]
    return {one.invitation_id: one for one in read}


def _offer(row: OfferRow) -> Offer:
    return Offer(
        digest=row.identity_id.removeprefix(_OFFER),
        merchant_id=row.merchant_id,
        invitation_id=row.invitation_id,
        contact_id=row.contact_id,
        hint=row.hint,
        expires_at=row.expires,
    )
