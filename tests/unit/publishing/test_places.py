"""Where products stand in published lists: moving some comes to what ordering all of them anew comes to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.publishing import domain
from chalicelib.publishing.domain import Place, Places

products = st.dictionaries(
    st.integers(0, 40).map(lambda number: f"prd_{number:024d}"), st.tuples(st.integers(0, 9), st.integers(0, 5))
)
"""Product -> when it was listed and what it costs, with many at one moment and at one price."""


def places(found: dict[str, tuple[int, int]]) -> dict[str, Place]:
    return {product_id: Place(product_id, *one) for product_id, one in found.items()}


def ordered(found: dict[str, Place], order: str) -> list[tuple[int, ...]]:
    """Return the places' keys in order: of two alike either may stand first."""
    return sorted(domain._KEYS[order](place) for place in found.values())


@given(products, products, st.sets(st.integers(0, 40).map(lambda number: f"prd_{number:024d}")))
def test_a_whole_list_is_moved_to_what_it_would_be_anew(
    before: dict[str, tuple[int, int]], changed: dict[str, tuple[int, int]], gone: set[str]
) -> None:
    start, _ = domain.moved(Places(), dict(places(before)))
    changes = {**dict.fromkeys(gone), **places(changed)}
    after, lacking = domain.moved(start, changes)
    truth = {one: place for one, place in {**places(before), **changes}.items() if place is not None}
    assert not lacking
    for order in domain.ORDERS:
        assert {place.product_id: place for place in after.order(order)} == truth
        assert [domain._KEYS[order](place) for place in after.order(order)] == ordered(truth, order)
    assert after.order(domain.DEAREST) == after.order(domain.CHEAPEST)[::-1]


@given(products, products, st.sets(st.integers(0, 40).map(lambda number: f"prd_{number:024d}")))
def test_a_list_beyond_its_cap_is_right_or_says_what_is_lacking(
    before: dict[str, tuple[int, int]], changed: dict[str, tuple[int, int]], gone: set[str]
) -> None:
    cap, domain.LIST_CAP = domain.LIST_CAP, 10  # type: ignore[misc]
    try:
        start, _ = domain.moved(Places(), dict(places(before)))
        changes = {**dict.fromkeys(gone), **places(changed)}
        after, lacking = domain.moved(start, changes)
    finally:
        domain.LIST_CAP = cap  # type: ignore[misc]
    truth = {one: place for one, place in {**places(before), **changes}.items() if place is not None}
    for order in domain.ORDERS:
        found = [domain._KEYS[order](place) for place in after.order(order)]
        if not lacking:
            assert found == ordered(truth, order)[:10], order
        assert all(truth[place.product_id] == place for place in after.order(order)), "nothing that is not so"
        assert found == sorted(found)
    assert after.partial or len(truth) <= 10


def test_a_product_that_did_not_move_keeps_its_place_among_its_equals() -> None:
    start = Places((Place("prd_b", 5, 100), Place("prd_a", 5, 100)))
    after, _ = domain.moved(start, {"prd_a": Place("prd_a", 5, 100), "prd_b": Place("prd_b", 5, 200)})
    assert [place.product_id for place in after.newest] == ["prd_b", "prd_a"]
