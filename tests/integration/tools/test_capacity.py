"""What an order costs, exactly: a change that adds a call or a unit to any step must change this file, and say why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.bench import capacity as bench_capacity
from tools.bench.lab import Lab, opened

LIVES: dict[tuple[int, int], dict[str, tuple[int, float, float]]] = {
    # (lines, merchants): each step's calls, write units, read units.
    (1, 1): {
        "browsing, published files": (0, 0, 0),
        "list page, by the API": (2, 0, 1.5),
        "product pages, by the API": (2, 0, 1),
        "cart and quote": (2, 1, 2.5),
        "place and start to pay": (3, 20, 1.5),
        "paid (notice)": (2, 15, 1.5),
        "see that it is paid": (1, 0, 0.5),
        "ship": (3, 10, 1.5),
        "ship: subscribe": (2, 3, 1),
        "tracking push, delivered": (4, 3, 2),
        "confirm receipt": (2, 3, 1),
        "order page": (1, 0, 0.5),
    },
    (2, 1): {
        "browsing, published files": (0, 0, 0),
        "list page, by the API": (2, 0, 1.5),
        "product pages, by the API": (3, 0, 1.5),
        "cart and quote": (2, 1, 3.5),
        "place and start to pay": (3, 22, 2),
        "paid (notice)": (2, 15, 1.5),
        "see that it is paid": (1, 0, 0.5),
        "ship": (3, 10, 1.5),
        "ship: subscribe": (2, 3, 1),
        "tracking push, delivered": (4, 3, 2),
        "confirm receipt": (2, 3, 1),
        "order page": (1, 0, 0.5),
    },
    (5, 1): {
        "browsing, published files": (0, 0, 0),
        "list page, by the API": (2, 0, 1.5),
        "product pages, by the API": (6, 0, 3),
        "cart and quote": (2, 1, 6.5),
        "place and start to pay": (3, 30, 3.5),
        "paid (notice)": (3, 15, 2),
        "see that it is paid": (1, 0, 0.5),
        "ship": (3, 10, 1.5),
        "ship: subscribe": (2, 3, 1),
        "tracking push, delivered": (4, 3, 2),
        "confirm receipt": (2, 3, 1),
        "order page": (1, 0, 0.5),
    },
    (10, 1): {
        "browsing, published files": (0, 0, 0),
        "list page, by the API": (2, 0, 1.5),
        "product pages, by the API": (11, 0, 5.5),
        "cart and quote": (2, 1, 11.5),
        "place and start to pay": (3, 40, 6),
        "paid (notice)": (3, 15, 2),
        "see that it is paid": (1, 0, 0.5),
        "ship": (3, 10, 1.5),
        "ship: subscribe": (2, 3, 1),
        "tracking push, delivered": (4, 3, 2),
        "confirm receipt": (2, 3, 1),
        "order page": (1, 0, 0.5),
    },
    (2, 2): {
        "browsing, published files": (0, 0, 0),
        "list page, by the API": (2, 0, 2),
        "product pages, by the API": (4, 0, 2),
        "cart and quote": (2, 1, 3.5),
        "place and start to pay": (3, 27, 2),
        "paid (notice)": (3, 20, 2),
        "see that it is paid": (1, 0, 0.5),
        "ship": (6, 20, 3),
        "ship: subscribe": (4, 6, 2),
        "tracking push, delivered": (8, 6, 4),
        "confirm receipt": (4, 6, 2),
        "order page": (2, 0, 1),
    },
}


@pytest.fixture
def lab(cloud: str) -> Iterator[Lab]:
    with opened() as found:
        bench_capacity.warm_up(found)
        yield found


@pytest.mark.parametrize(("lines", "merchants"), bench_capacity.CASES)
def test_the_life_of_an_order(lab: Lab, lines: int, merchants: int) -> None:
    found = bench_capacity.life(lab, lines, merchants)

    assert {step.name: step.figures for step in (*found.steps, *found.aside)} == LIVES[(lines, merchants)]


@pytest.mark.many_calls("a whole life of an order, and each use case once")
def test_no_request_scans(lab: Lab) -> None:
    lives = [bench_capacity.life(lab, 2, 2)]
    singles = bench_capacity.use_cases(lab)

    operations = {name.split(" ")[0] for found in (*lives[0].steps, *singles) for name in found.operations}

    assert "Scan" not in operations
    assert operations <= {
        "BatchGetItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    }
