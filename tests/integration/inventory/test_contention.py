"""P1, no oversell: the races of ``make bench-contention``, as tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.bench import contention as bench_contention
from tools.bench.lab import Lab, opened


@pytest.fixture
def lab(cloud: str) -> Iterator[Lab]:
    with opened() as found:
        yield found


@pytest.mark.many_calls("who loses a race asks again")
@pytest.mark.parametrize(("buckets", "share"), [(1, 0.0), (1, 0.4), (10, 0.4)])
def test_exactly_what_is_there_is_sold(lab: Lab, buckets: int, share: float) -> None:
    found = bench_contention.race(lab, "test", buckets=buckets, share=share)

    assert found.answers == {(201, ""): 50, (409, "out_of_stock"): 150}
    assert (found.orders, found.left) == (50, 0)
    assert bool(found.injected) is bool(share)
