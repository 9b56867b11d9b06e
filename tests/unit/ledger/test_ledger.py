from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.kernel.money import Money, split_minor
from chalicelib.ledger.domain import (
    Entry,
    Posting,
    Share,
    Unbalanced,
    balances,
    capture_postings,
    prove,
    refund_postings,
    surplus_postings,
)

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)

shares = st.lists(
    st.builds(
        Share,
        merchant_id=st.sampled_from(["mer_a", "mer_b", "mer_c"]),
        total=st.integers(min_value=1, max_value=10**9).map(Money),
        commission_bps=st.integers(min_value=0, max_value=10_000),
    ),
    min_size=1,
    max_size=5,
)


@given(orders=shares)
def test_a_capture_balances_and_splits_each_order_exactly(orders: list[Share]) -> None:
    entry = Entry("payment.captured#pay", "pur", NOON, capture_postings("sandbox", orders))

    assert sum(posting.amount.minor for posting in entry.postings) == 0
    assert entry.postings[0] == Posting("clearing:sandbox", Money(sum(order.total.minor for order in orders)))


@given(orders=shares, data=st.data())
def test_refunding_everything_in_any_parts_and_order_returns_exactly_everything(
    orders: list[Share], data: st.DataObject
) -> None:
    entries = [Entry("captured", "pur", NOON, capture_postings("sandbox", orders))]
    parts: list[tuple[int, int]] = []
    for number, order in enumerate(orders):
        weights = data.draw(st.lists(st.integers(min_value=0, max_value=100), min_size=1, max_size=6))
        parts += [(number, part) for part in split_minor(order.total.minor, weights) if part]
    before = [0] * len(orders)
    for number, part in data.draw(st.permutations(parts)):
        postings = refund_postings("sandbox", orders[number], before=Money(before[number]), amount=Money(part))
        entries.append(Entry(f"refund {len(entries)}", "pur", NOON, postings))
        before[number] += part

    proof = prove(entries)
    assert proof.balanced
    assert all(amount.minor == 0 for _, amount in proof.balances)


def test_an_entry_that_does_not_balance_cannot_be_made() -> None:
    def entry(*postings: Posting) -> Entry:
        return Entry("e", "pur", NOON, postings)

    with pytest.raises(Unbalanced):
        entry(Posting("commission", Money(1)), Posting("surplus", Money(-2)))
    with pytest.raises(Unbalanced):
        entry(Posting("commission", Money(1)), Posting("surplus", Money(-1, "USD")))
    with pytest.raises(Unbalanced):
        entry(Posting("commission", Money(0)))
    with pytest.raises(ValueError, match="account"):
        Posting("Commission!", Money(1))


def test_surplus_comes_and_goes() -> None:
    both = [*surplus_postings("sandbox", Money(5)), *surplus_postings("sandbox", Money(-5))]
    assert set(balances(both).values()) == {0}


def test_known_shares() -> None:
    share = Share("mer_a", Money(1001), 500)
    assert capture_postings("sandbox", [share]) == (
        Posting("clearing:sandbox", Money(1001)),
        Posting("merchant:mer_a", Money(-951)),
        Posting("commission", Money(-50)),
    )
    assert refund_postings("sandbox", share, before=Money(0), amount=Money(500)) == (
        Posting("clearing:sandbox", Money(-500)),
        Posting("merchant:mer_a", Money(476)),
        Posting("commission", Money(24)),
    )
