"""What was given back by one person alone: counters, moved in the transaction of the refund that they limit.

One counts an operator's day, one what was sent by hand on a purchase.
"""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.approval import ApprovalNeeded, DayLimitReached
from chalicelib.runtime import names
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork


class AloneRow(Row):
    """Key: ``by#`` and the operator; day (UTC) and currency. Or ``of#`` and the purchase; ``hand`` and currency.

    Lies beside purchases, which never begin so.
    """

    class Meta:
        table_name = names.table_name("payments")
        region = region()

    purchase_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    minor = NumberAttribute()


def count(work: UnitOfWork, by: str, amount: Money, *, limit: int, now: datetime) -> None:
    """Count a refund in the caller's work, under the condition that the day's limit holds with it.

    Two at the same moment cannot both pass: the second one finds the first one's sum.

    Raises:
        DayLimitReached: at once if the amount alone is over the limit, else from the commit.
    """
    refusal = DayLimitReached(limit=limit, currency=amount.currency)
    if amount.minor > limit:
        raise refusal
    key = AloneRow(purchase_id=f"by#{by}", id=f"alone#{now.date().isoformat()}#{amount.currency}")
    work.update(
        key,
        [AloneRow.minor.add(amount.minor)],
        condition=AloneRow.minor.does_not_exist() | (AloneRow.minor <= limit - amount.minor),
        refuse=lambda _: DayLimitReached(limit=limit, currency=amount.currency),
        label="alone",
    )


def count_by_hand(work: UnitOfWork, purchase_id: str, amount: Money, *, before: int, limit: int) -> None:
    """Count what one person sends by hand on a purchase, under the condition that the limit of the purchase holds.

    Refunds on different payments of a purchase share no other row. ``before`` is what the records say was sent so:
    the counter begins with it.

    Raises:
        ApprovalNeeded: at once if it is over the limit by what was read, else from the commit.
    """

    def refusal(_: object = None) -> ApprovalNeeded:
        return ApprovalNeeded(limit=limit, currency=amount.currency)

    if before + amount.minor > limit:
        raise refusal()
    key = AloneRow(purchase_id=f"of#{purchase_id}", id=f"hand#{amount.currency}")
    work.update(
        key,
        [AloneRow.minor.set((AloneRow.minor | before) + amount.minor)],
        condition=AloneRow.minor.does_not_exist() | (AloneRow.minor <= limit - amount.minor),
        refuse=refusal,
        label="by_hand",
    )
