"""Rows of rosters: one a merchant, among the accounts."""

from __future__ import annotations

from dataclasses import dataclass

from pynamodb.attributes import UnicodeAttribute

from chalicelib.auth.staff.domain import Invitation, Member, Roster
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

_STAFF = "staff"


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
