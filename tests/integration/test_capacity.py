"""What an order costs, exactly: a change that adds a call or a unit to any step must change this file, and say why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools import bench_capacity
from tools.lab import Lab, opened

LIVES = {
    # (lines, merchants): calls, write units, read units of the whole life.
}


@pytest.fixture
def lab(cloud: str) -> Iterator[Lab]:
    with opened() as found:
        bench_capacity.warm_up(found)
        yield found


@pytest.mark.parametrize(("lines", "merchants"), bench_capacity.CASES)
def test_the_life_of_an_order(lab: Lab, lines: int, merchants: int) -> None:
    found = bench_capacity.life(lab, lines, merchants)

    assert {step.name: step.figures for step in found.steps} == LIVES[(lines, merchants)]
