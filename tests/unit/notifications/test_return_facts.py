"""Whoever's turn it is in a return is told so, and so is whoever waits for what an operator or a carrier does."""

from __future__ import annotations

import pytest

from chalicelib.notifications.facts import FACTS, Audience
from chalicelib.returns.domain import TURNS, Status, Turn
from chalicelib.returns.events import ReturnClosed, ReturnMoved, ReturnRequested

SIDES = {Turn.BUYER: {Audience.BUYER}, Turn.MERCHANT: {Audience.SHOP}, Turn.OPERATOR: {Audience.BUYER, Audience.SHOP}}
SELF_ENDED = {Status.REFUNDED, Status.REPLACED}
"""What the money or the parcel that comes tells of by itself."""


def told(status: Status) -> set[Audience]:
    fact: ReturnRequested | ReturnMoved | ReturnClosed
    if status is Status.REQUESTED:
        fact = ReturnRequested(return_id="rtn_1", order_id="ord_1", number=1)
    elif TURNS[status] is Turn.NOBODY:
        fact = ReturnClosed(return_id="rtn_1", order_id="ord_1", number=2, status=status.value)
    else:
        fact = ReturnMoved(return_id="rtn_1", order_id="ord_1", number=2, status=status.value, turn=TURNS[status].value)
    return {row.to for row in FACTS if row.fact is type(fact) and row.fits(fact)}


@pytest.mark.parametrize("status", [one for one in Status if TURNS[one] in SIDES])
def test_whose_turn_it_is_is_told(status: Status) -> None:
    assert told(status) == SIDES[TURNS[status]]


@pytest.mark.parametrize("status", [one for one in Status if TURNS[one] is Turn.NOBODY])
def test_an_end_that_nothing_else_tells_is_told_the_shop(status: Status) -> None:
    assert (Audience.SHOP in told(status)) is (status not in SELF_ENDED)


def test_a_buyer_is_told_of_a_replacement_and_a_shop_of_what_comes_back() -> None:
    assert told(Status.REPLACEMENT_SENT) == {Audience.BUYER}
    assert told(Status.SENT) == {Audience.SHOP}
    assert told(Status.WITHDRAWN) == {Audience.SHOP}, "who withdrew it knows"
