"""What a code, its message and what it opens cost, exactly: each limit is one write unit of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.bench import capacity
from tools.bench.lab import Lab, opened
from tools.bench.steps import Step

COSTS: dict[str, tuple[int, float, float]] = {
    # Calls, write units, read units.
    "ask for a code": (5, 7, 1),
    "send a message (relay and consumer)": (3, 2, 1),
    "register": (2, 6, 1),
    "sign in with a code": (4, 4, 3),
}


@pytest.fixture
def lab(cloud: str) -> Iterator[Lab]:
    with opened() as found:
        yield found


def test_what_codes_cost(lab: Lab) -> None:
    steps: list[Step] = []
    capacity.accounts(lab, steps)
    found = {step.name: (step.calls, step.write_units, step.read_units) for step in steps}
    assert {name: found[name] for name in COSTS} == COSTS, found
