"""Rows of the ``consents`` table: one a consent, numbered by purpose, so that the last one is the one that counts."""

from __future__ import annotations

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.consents.domain import KEPT, Consent, Source
from chalicelib.kernel.clock import epoch_ms, epoch_ms_or_none, from_epoch_ms, from_epoch_ms_or_none
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork


class ConsentRow(Row):
    """Key: account_id; ``<purpose>#<number>`` as id. ``ttl`` collects it three years after it was withdrawn."""

    class Meta:
        table_name = names.table_name("consents")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    edition = NumberAttribute()
    digest = UnicodeAttribute()
    given_ms = NumberAttribute()
    given_from = UnicodeAttribute()
    withdrawn_ms = NumberAttribute(null=True)
    withdrawn_from = UnicodeAttribute(null=True)
    ttl = TTLAttribute(null=True)


class BarredRow(Row):
    """Key: account_id, ``~barred``: a child's account, which is asked for no consent."""

    class Meta:
        table_name = names.table_name("consents")
        region = region()

    account_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


_BARRED = "~barred"


def is_barred(account_id: str) -> bool:
    """Say whether an account is asked for nothing, as it is now."""
    return reads.get(BarredRow, account_id, _BARRED, consistent=True) is not None


def bar(work: UnitOfWork, account_id: str) -> None:
    """Add to the work that an account is asked for nothing any more."""
    work.save(BarredRow(account_id=account_id, id=_BARRED), label="barred")


def unbar(work: UnitOfWork, account_id: str) -> None:
    """Add to the work that it is asked again."""
    work.delete(BarredRow(account_id=account_id, id=_BARRED, version=1), label="barred")


def last(account_id: str, purpose: str) -> Consent | None:
    """Read the last consent of a person to a purpose, as it is now: one Query of one row, one unit."""
    page = reads.query(
        ConsentRow,
        account_id,
        range_condition=ConsentRow.id.startswith(f"{purpose}#"),
        descending=True,
        limit=1,
        consistent=True,
    )
    return _consent(ConsentRow.from_raw_data(page.items[0])) if page.items else None


def page_of(account_id: str, window: Window) -> Page[Consent]:
    """Read one page of all that a person ever agreed to."""
    page = reads.windowed(ConsentRow, account_id, window, consistent=True)
    found = [item for item in page.items if item["id"]["S"] != _BARRED]
    return Page([_consent(ConsentRow.from_raw_data(item)) for item in found], page.after)


def save(work: UnitOfWork, consent: Consent) -> None:
    """Add the row to the work."""
    row = ConsentRow(
        account_id=consent.account_id,
        id=f"{consent.purpose}#{consent.number:06}",
        edition=consent.edition,
        digest=consent.digest,
        given_ms=epoch_ms(consent.given_at),
        given_from=consent.given_from.value,
        withdrawn_ms=epoch_ms_or_none(consent.withdrawn_at),
        withdrawn_from=consent.withdrawn_from.value if consent.withdrawn_from else None,
        ttl=consent.withdrawn_at + KEPT if consent.withdrawn_at else None,
        version=consent.version,
    )
    work.save(row, refuse=lost, label="consent")


def _consent(row: ConsentRow) -> Consent:
    purpose, _, number = row.id.partition("#")
    return Consent(
        account_id=row.account_id,
        purpose=purpose,
        number=int(number),
        edition=int(row.edition),
        digest=row.digest,
        given_at=from_epoch_ms(row.given_ms),
        given_from=Source(row.given_from),
        withdrawn_at=from_epoch_ms_or_none(row.withdrawn_ms),
        withdrawn_from=Source(row.withdrawn_from) if row.withdrawn_from else None,
        version=int(row.version),
    )
