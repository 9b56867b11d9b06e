"""How many questions hubs were asked on one day of China, in all and by merchants: counters, moved before each."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.clock import CHINA
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork


class AskedRow(Row):
    """Key: ``asked_`` and the hub or the merchant; the day. Lies beside shipments, whose orders never begin so."""

    class Meta:
        table_name = names.table_name("shipments")
        region = region()

    order_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    questions = NumberAttribute()


class _Spent(Exception):
    """The day's questions are used up."""


def take(who: str, *, limit: int | None, now: datetime) -> bool:
    """Take one of the day's questions of a hub, or of a merchant; False if there is none left. None is no limit."""
    if limit is None:
        return True
    key = AskedRow(order_id=f"asked_{who}", id=now.astimezone(CHINA).date().isoformat())
    try:
        with UnitOfWork() as work:
            work.update(
                key,
                [AskedRow.questions.add(1)],
                condition=AskedRow.questions.does_not_exist() | (AskedRow.questions < limit),
                refuse=lambda _: _Spent(),
                label="question",
            )
    except _Spent:
        return False
    return True
