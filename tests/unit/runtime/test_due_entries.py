"""Where an entry on the due index stands: early enough, whatever is written in whatever order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.kernel import clock
from chalicelib.orders.rows import OrderRow
from chalicelib.runtime.db.rows import WORTH_LEAVING_S, entry_of

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)


@pytest.mark.parametrize("seed", range(50))
def test_an_entry_is_never_later_than_its_deadline(seed: int) -> None:
    chance = random.Random(seed)
    now, stands = NOON, None
    for _ in range(40):
        now += timedelta(seconds=chance.randrange(2 * 86400))
        moment = None if chance.random() < 0.2 else now + timedelta(seconds=chance.uniform(-9000, 20 * 86400))
        first = now + timedelta(days=7) if chance.random() < 0.5 else None
        row = OrderRow(purchase_id="pur_1", id="ord_1")
        with clock.use(clock.Fixed(now)):
            row.set_due(moment, "ord_1", entry_s=stands, first=first)
        before, stands = stands, entry_of(row)
        assert (stands is None) is (moment is None) is (row.due_shard is None)
        if moment is not None and stands is not None:
            assert stands <= moment.timestamp() + 1
            early = before is not None and before <= moment.timestamp()
            left_s = (before or 0) - now.timestamp()
            assert not (early and left_s >= WORTH_LEAVING_S + 1 and stands != before)  # It stays where it may.
