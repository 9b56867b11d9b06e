"""What money costs that does not come, or go back, as usual, exactly: see ``test_capacity.py``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.bench import capacity as bench_capacity
from tools.bench import capacity_money as bench_capacity_money
from tools.bench.lab import Lab, opened

FIGURES: dict[str, tuple[int, float, float]] = {
    # Each use case's calls, write units, read units.
    "late money, honoured (2 lines of 1 merchant; notice)": (6, 18, 5),
    "late money, honoured (2 lines of 2 merchants; notice)": (6, 22, 5.5),
    "late money, sent back (2 lines of 1 merchant; one is gone)": (14, 34, 11),
    "send an abnormal refund to a card": (7, 10, 6),
    "send it to that card again (the same request)": (3, 0, 3),
}


@pytest.fixture
def lab(cloud: str) -> Iterator[Lab]:
    with opened() as found:
        bench_capacity.warm_up(found)
        yield found


@pytest.mark.many_calls("plays all that seldom happens to money, one after the other")
def test_money_that_comes_or_goes_back_as_it_seldom_does(lab: Lab) -> None:
    found = bench_capacity_money.use_cases(lab)

    assert {step.name: step.figures for step in found} == FIGURES
    assert not [name for step in found for name in step.operations if name.startswith("Scan")]
