"""What units are owed, and how many an amount pays back, to the minor unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.kernel.money import Money
from chalicelib.orders.domain import Line
from chalicelib.payments.domain.tally import Tally, owed_for, units_for
from tests.unit.payments.test_refund_decision import ORDER

TWO = replace(ORDER, lines=(*ORDER.lines, Line("2", "sku_2", "prd_2", "Pot", (), 2, Money(450), Money(900))))
TWO = replace(TWO, total=Money(2400))


@pytest.mark.parametrize(
    ("gone", "amount", "most", "units"),
    [
        (0, 332, 3, 0),
        (0, 665, 3, 1),
        (0, 666, 3, 2),
        (0, 1000, 3, 3),
        (0, 5000, 3, 3),
        (0, 1000, 2, 2),
        (2, 333, 3, 0),
        (2, 334, 3, 1),
        (2, 5000, 3, 1),
    ],
)
def test_an_amount_pays_back_whole_units_that_are_left(gone: int, amount: int, most: int, units: int) -> None:
    made = Tally(TWO, units={"1": gone} if gone else {})
    assert units_for(made, TWO.lines[0], Money(amount), most=most) == units


@pytest.mark.parametrize(
    ("before", "wanted", "owed", "units"),
    [
        ({}, {}, 0, ()),
        ({}, {"1": 2}, 666, (("1", 2),)),
        ({}, {"1": 5, "2": 1}, 1450, (("1", 3), ("2", 1))),
        ({"units": {"1": 2}}, {"1": 3}, 334, (("1", 1),)),
        ({"units": {"1": 3}}, {"1": 3}, 0, ()),
        ({"beyond": {"1": 100}}, {"1": 1}, 233, (("1", 1),)),
        ({"beyond": {"1": 400}}, {"1": 1}, 0, (("1", 1),)),
        ({"compensation": {"1": 900}}, {"1": 3}, 100, (("1", 3),)),
        ({"compensation": {"1": 1100}}, {"1": 3, "2": 1}, 450, (("1", 3), ("2", 1))),
        ({"loose": 100}, {"1": 1}, 233, (("1", 1),)),
        ({"loose": 400}, {"1": 1}, 0, (("1", 1),)),
        ({"money": 2300}, {"1": 1}, 100, (("1", 1),)),
    ],
)
def test_units_given_up_are_owed_what_they_cost_less_what_went_back_for_them(
    before: dict[str, Any], wanted: dict[str, int], owed: int, units: tuple[tuple[str, int], ...]
) -> None:
    assert owed_for(Tally(TWO, **before), wanted) == (owed, units)
