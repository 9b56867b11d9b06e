"""Rows of the balances: sums of accounts, which entries are counted, and how far the readers are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import clock
from chalicelib.ledger import sums
from chalicelib.ledger.sums import Key, Totals
from chalicelib.runtime import names
from chalicelib.runtime.db import races, reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

_READERS: Key = ("readers", "places")


class BalanceRow(Row):
    """Key: account, id. Holds ``sums`` by name, or a slice's ``marks``, or the readers' ``places``.

    A rebuild makes another ``generation`` of sums and slices beside those that are read; the readers' row says which.
    """

    class Meta:
        table_name = names.table_name("balances")
        region = region()

    account = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    sums = DocumentAttribute[dict[str, Totals]](dict[str, Totals], null=True)
    marks = UnicodeAttribute(null=True)
    places = DocumentAttribute[dict[str, int]](dict[str, int], null=True)
    generation = NumberAttribute(null=True)

    @property
    def totals(self) -> dict[str, Totals]:
        """Return the sums by name."""
        return self.sums or {}


def load(keys: Iterable[Key], generation: int) -> dict[Key, BalanceRow]:
    """Read rows as they are now; those that are not there yet come new."""
    wanted = {key: (_hash(key[0], generation), key[1]) for key in keys}
    found = reads.get_many([(BalanceRow, *key) for key in wanted.values()], consistent=True)
    rows: dict[Key, BalanceRow] = {}
    for key, there in wanted.items():
        row = found.get(there)
        rows[key] = row if isinstance(row, BalanceRow) else BalanceRow(account=there[0], id=there[1])
    return rows


def _hash(account: str, generation: int) -> str:
    return f"{generation}@{account}" if generation else account


def save_sums(work: UnitOfWork, row: BalanceRow, more: dict[str, Totals]) -> None:
    """Add totals to a row in the work. Refused with ``ConcurrentUpdate`` if somebody else did meanwhile."""
    row.sums = sums.together(row.totals, more)
    work.save(row, refuse=races.lost, label=f"sums {row.account} {row.id}")


def save_marks(work: UnitOfWork, row: BalanceRow, more: str) -> None:
    """Add entries' marks to a slice in the work; refused as :func:`save_sums`."""
    row.marks = (row.marks or "") + more
    work.save(row, refuse=races.lost, label=f"marks {row.account} {row.id}")


def books(generation: int) -> dict[str, Totals]:
    """Read the totals of every account."""
    total = (sums.BOOKS, sums.TOTAL)
    return load([total], generation)[total].totals


def books_by_day(first: date, last: date, generation: int) -> dict[str, dict[str, Totals]]:
    """Read the totals of every account of each day between two."""
    between = BalanceRow.id.between(f"{sums.DAY}{first.isoformat()}", f"{sums.DAY}{last.isoformat()}")
    found = reads.query_rows(BalanceRow, _hash(sums.BOOKS, generation), range_condition=between, consistent=True)
    return {row.id.removeprefix(sums.DAY): row.totals for row in found}


def merchant_by_day(account: str, currency: str, generation: int) -> dict[str, Totals]:
    """Read a merchant's totals of each day."""
    months = reads.query_rows(
        BalanceRow,
        _hash(f"{account}#{currency}", generation),
        range_condition=BalanceRow.id.startswith(sums.MONTH),
        consistent=True,
    )
    return {f"{row.id.removeprefix(sums.MONTH)}-{day}": totals for row in months for day, totals in row.totals.items()}


def readers() -> BalanceRow:
    """Read the row that says how far the readers are; new if none has ever read."""
    return load([_READERS], 0)[_READERS]


def generation_of(row: BalanceRow) -> int:
    """Return which sums are read and counted into, by the readers' row."""
    return int(row.generation or 0)


def places_of(row: BalanceRow) -> dict[str, datetime]:
    """Return up to when each reader has read, by its name."""
    return {name: clock.from_epoch_ms(until_ms) for name, until_ms in (row.places or {}).items()}


def save_generation(generation: int, *, back_to: datetime) -> None:
    """Have another generation of sums read and counted into, and put every reader back.

    Raises:
        ConcurrentUpdate: if it was written by somebody else at the same moment.
    """
    row = readers()
    places = {name: min(place, back_to) for name, place in places_of(row).items()}
    row.generation = generation
    save_places(row, places)


def save_places(row: BalanceRow, places: dict[str, datetime]) -> None:
    """Write how far the readers are.

    Raises:
        ConcurrentUpdate: if another run wrote it since it was read.
    """
    row.places = {name: clock.epoch_ms(until) for name, until in places.items()}
    with UnitOfWork() as work:
        work.save(row, refuse=races.lost, label="readers")
