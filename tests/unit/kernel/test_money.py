from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.kernel.errors import CurrencyMismatch
from chalicelib.kernel.money import Money, split_minor, total

weights = st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=30)


@given(whole=st.integers(min_value=-(10**12), max_value=10**12), parts=weights)
def test_a_split_sums_to_the_whole_and_stays_within_one_unit(whole: int, parts: list[int]) -> None:
    shares = split_minor(whole, parts)

    assert sum(shares) == whole
    effective = parts if any(parts) else [1] * len(parts)
    for share, weight in zip(shares, effective, strict=True):
        assert abs(share * sum(effective) - whole * weight) < sum(effective)


def test_left_over_units_go_to_the_largest_remainder_then_the_earlier_position() -> None:
    assert split_minor(100, [1, 1, 1]) == (34, 33, 33)
    assert split_minor(10, [1, 2, 4]) == (1, 3, 6)
    assert split_minor(5, [0, 0]) == (3, 2)
    assert split_minor(-100, [1, 1, 1]) == (-34, -33, -33)


def test_a_split_needs_weights() -> None:
    with pytest.raises(ValueError, match="weights"):
        split_minor(1, [])
    with pytest.raises(ValueError, match="weights"):
        split_minor(1, [-1, 2])


def test_money_keeps_its_currency_and_is_whole() -> None:
    assert Money(5) + Money(-2) == Money(3)
    assert Money(1999).text() == "19.99 CNY"
    assert Money(-5).text() == "-0.05 CNY"
    assert Money(300, "JPY").text() == "300 JPY"
    assert Money(1234, "KWD").text() == "1.234 KWD"
    assert total([]) == Money(0)
    with pytest.raises(CurrencyMismatch):
        Money(1) + Money(1, "USD")
    with pytest.raises(TypeError):
        Money(1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(True)
    with pytest.raises(ValueError, match="currency"):
        Money(1, "yuan")
