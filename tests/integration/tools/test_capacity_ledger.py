"""What balances cost, exactly: the same order of units a run for one capture and for a thousand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.bench import capacity as bench_capacity
from tools.bench import capacity_ledger as bench_capacity_ledger
from tools.bench.lab import Lab, opened

FIGURES: dict[str, tuple[int, float, float]] = {
    # Each use case's calls, write units, read units.
    bench_capacity_ledger.NOTHING: (3, 1, 1.5),
    bench_capacity_ledger.ONE: (6, 9, 5.5),
    bench_capacity_ledger.THOUSAND: (7, 81, 61.5),
    bench_capacity_ledger.AGAIN: (7, 1, 42),
    bench_capacity_ledger.READ: (3, 0, 3),
    bench_capacity_ledger.READ_DAYS: (4, 0, 4),
}


@pytest.fixture
def lab(cloud: str) -> Iterator[Lab]:
    with opened() as found:
        bench_capacity.warm_up(found)
        yield found


def test_a_thousand_captures_a_minute_cost_a_run_little_more_than_one(lab: Lab) -> None:
    found = bench_capacity_ledger.use_cases(lab)

    assert {step.name: step.figures for step in found} == FIGURES
    assert not [name for step in found for name in step.operations if name.startswith("Scan")]
    of = {step.name: step.write_units for step in found}
    assert of[bench_capacity_ledger.THOUSAND] < 10 * of[bench_capacity_ledger.ONE]
