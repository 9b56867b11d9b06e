"""Places are never booked twice or lost, and what is accepted is made once, whoever is cut off; bugs are found."""

from __future__ import annotations

import pytest

from tools.sim import services

FOUND_BY = {
    "a place is taken by what was read, not by what is there": (37, "a time for 2 is booked by 3"),
    "a place is given back apart from its booking": (1, "a time has 0 places taken, and bookings keep 1"),
    "nobody hears of units that were paid back": (2, "a time is kept that nobody pays for"),
    "what was agreed on is made before it is agreed on": (1, "1 products were made for 0 accepted offers"),
    "whatever stands is accepted": (31, "an offer was accepted that the buyer had not seen"),
}
"""Bug -> the seed that finds it, and what the oracle says then."""


@pytest.mark.parametrize("seed", [1, 2])
def test_no_place_is_lost_or_given_twice(seed: int) -> None:
    assert services.run(seed) == []


@pytest.mark.parametrize("name", services.BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    seed, said = FOUND_BY[name]
    with services.BUGS[name]():
        found = services.run(seed)
    assert said in found


def test_every_bug_has_its_seed() -> None:
    assert set(FOUND_BY) == set(services.BUGS)
