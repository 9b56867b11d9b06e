"""Whoever leaves while money or goods are open is forgotten when they are not, and no earlier; bugs are found."""

from __future__ import annotations

import pytest

from tools.sim import leaving

FOUND_BY = {
    "money that waits holds no erasure": (2, "was forgotten over a refund that is pending"),
    "goods that are on their way hold no erasure": (1, "was forgotten over an order that is paid"),
    "an erasure that was held never looks again": (1, "is held, and all is over"),
}
"""Bug -> the seed that finds it, and what the oracle says then."""


@pytest.mark.many_calls("weeks of deadlines pass")
@pytest.mark.parametrize("seed", [1, 2])
def test_nobody_is_forgotten_too_early_or_never(seed: int) -> None:
    assert leaving.run(seed) == []


@pytest.mark.many_calls("weeks of deadlines pass")
@pytest.mark.parametrize("name", leaving.BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    seed, said = FOUND_BY[name]
    with leaving.BUGS[name]():
        found = leaving.run(seed)
    assert [one for one in found if said in one], found


def test_every_bug_has_its_seed() -> None:
    assert set(FOUND_BY) == set(leaving.BUGS)
