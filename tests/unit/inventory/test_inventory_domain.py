from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.inventory import domain
from chalicelib.inventory.domain import Bucket
from chalicelib.inventory.events import StockDepleted, StockReplenished, crossings

levels = st.lists(st.integers(min_value=0, max_value=30), min_size=1, max_size=20)


def buckets(available: list[int], layout: int = 1) -> list[Bucket]:
    return [
        Bucket(number=domain.bucket_name(number), available=units, buckets=len(available), layout=layout)
        for number, units in enumerate(available)
    ]


@given(available=levels, wanted=st.integers(min_value=1, max_value=700), pick=st.integers(min_value=0))
def test_a_plan_takes_exactly_what_is_wanted_and_never_more_than_a_bucket_has(
    available: list[int], wanted: int, pick: int
) -> None:
    parts = domain.plan(buckets(available), wanted, choose=lambda count: pick % count)

    if sum(available) < wanted:
        assert parts is None
        return
    assert parts is not None
    assert sum(parts.values()) == wanted
    for number, part in parts.items():
        assert 0 < part <= available[int(number)]
    if max(available) >= wanted:
        assert len(parts) == 1


@given(quantity=st.integers(min_value=0, max_value=10**7), count=st.integers(min_value=1, max_value=20))
def test_a_spread_is_whole_and_even(quantity: int, count: int) -> None:
    shares = domain.spread(quantity, count)

    assert sum(shares) == quantity
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(
    ("seen", "whole"),
    [
        ([], True),
        ([Bucket("00", 5)], True),
        (buckets([1, 2, 3]), True),
        (buckets([1, 2, 3])[:2], False),
        ([Bucket("00", 5, layout=0), *buckets([1, 2])[1:]], False),
        ([*buckets([1, 2], layout=2), Bucket("02", 1, buckets=3, layout=1)], False),
        ([*buckets([1, 2], layout=2), Bucket("07", 1)], True),
    ],
)
def test_a_reading_of_half_a_rebalancing_is_recognised(seen: list[Bucket], whole: bool) -> None:
    assert domain.is_whole(seen) is whole


def image(available: int, bucket: str = "00", version: int = 3) -> dict[str, dict[str, str]]:
    return {
        "sku_id": {"S": "sku_1"},
        "bucket": {"S": bucket},
        "available": {"N": str(available)},
        "buckets": {"N": "4"},
        "version": {"N": str(version)},
    }


def test_crossings_of_zero_are_the_facts_and_nothing_else_is() -> None:
    assert crossings(image(1), image(0)) == [StockDepleted(sku_id="sku_1", bucket="00", buckets=4, version=3)]
    assert crossings(None, image(9)) == [StockReplenished(sku_id="sku_1", bucket="00", buckets=4, version=3)]
    assert crossings(image(0), image(2))[0].event_id == "stock.replenished#sku_1#00#3"
    assert crossings(image(5), image(4)) == []
    assert crossings(None, image(0)) == []
    assert crossings(None, image(0, bucket="mov_abc")) == []
