"""Each movement on its accounts, with its sign; sums by account; what does not balance."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib.kernel.money import Money
from chalicelib.ledger import domain
from chalicelib.ledger.domain import Entry, Posting, Share, Unbalanced

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def sums(*postings: Posting) -> dict[str, int]:
    return {account: minor for (account, _), minor in domain.balances(postings).items()}


def test_each_movement_is_on_its_two_accounts() -> None:
    amount = Money(70)
    assert sums(*domain.surplus_postings("p", amount)) == {"clearing:p": 70, "surplus": -70}
    assert sums(*domain.offline_postings(amount)) == {"offline": 70, "bank": -70}
    assert sums(*domain.made_after_all_postings("p", amount)) == {"offline": 70, "clearing:p": -70}
    assert sums(*domain.suspense_postings("p", amount)) == {"clearing:p": 70, "suspense": -70}
    assert sums(*domain.dispute_postings("p", amount)) == {"clearing:p": -70, "disputes:p": 70}
    assert sums(*domain.fee_postings("p", amount)) == {"clearing:p": -70, "fees:p": 70}
    assert sums(*domain.discount_postings("p", amount)) == {"clearing:p": -70, "discounts:p": 70}


def test_what_the_provider_cannot_pay_we_owe_and_nobody_elses_account_moves() -> None:
    share = Share("mer_1", Money(1000), 500)
    paid = domain.refund_postings("p", share, before=Money(0), amount=Money(1000))
    assert sums(*paid) == {"clearing:p": -1000, "merchant:mer_1": 950, "commission": 50}
    assert sums(*domain.owed("p", paid)) == {"offline": -1000, "merchant:mer_1": 950, "commission": 50}


def test_an_order_of_nothing_gives_nothing_back() -> None:
    share = Share("mer_1", Money(0), 500)
    assert sums(*domain.refund_postings("p", share, before=Money(0), amount=Money(0))) == {"clearing:p": 0}


def test_sums_add_up_by_account_and_by_currency() -> None:
    postings = (Posting("bank", Money(3)), Posting("bank", Money(4)), Posting("bank", Money(5, "USD")))
    assert domain.balances(postings) == {("bank", "CNY"): 7, ("bank", "USD"): 5}
    assert domain.balances((*postings, Posting("surplus", Money(-7))), by_account=False) == {
        ("", "CNY"): 0,
        ("", "USD"): 5,
    }


def test_one_currency_that_does_not_balance_is_enough() -> None:
    even = (Posting("bank", Money(3)), Posting("surplus", Money(-3)))
    with pytest.raises(Unbalanced):
        Entry("e", "pur_1", NOON, (*even, Posting("bank", Money(1, "USD"))))
    entry = Entry("e", "pur_1", NOON, even)
    assert domain.prove([entry, entry]) == domain.Proof(2, True, (("bank", Money(6)), ("surplus", Money(-6))))


def test_a_row_that_was_changed_behind_our_back_is_proven() -> None:
    entry = Entry("e", "pur_1", NOON, (Posting("bank", Money(3)), Posting("surplus", Money(-3))))
    object.__setattr__(entry, "postings", (*entry.postings, Posting("bank", Money(1, "USD"))))
    assert not domain.prove([entry]).balanced
    object.__setattr__(entry, "postings", (Posting("bank", Money(3)), Posting("surplus", Money(-2))))
    assert not domain.prove([entry]).balanced
