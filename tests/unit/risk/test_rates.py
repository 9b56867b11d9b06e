"""The table of request limits, and what one process counts before it tells the others."""

from __future__ import annotations

from chalicelib import policy
from chalicelib.risk.rates.domain import ACCOUNT, ALL, LIMITS, NETWORK, SHARE, Counted, limit_of, must_tell


def test_the_table_names_operations_that_there_are() -> None:
    for table in LIMITS.values():
        assert set(table) - {ALL} <= set(policy.TABLE)
        assert all(0 < most <= table[ALL] and most % SHARE == 0 for most in table.values())


def test_an_operation_without_a_line_has_the_limit_of_all() -> None:
    assert limit_of(ACCOUNT, "place_purchase") == 40
    assert limit_of(ACCOUNT, "add_address") == limit_of(ACCOUNT, ALL) == 240
    assert limit_of(NETWORK, "sign_in", factor=3) == 1800


def test_a_process_tells_once_its_share_is_used_up_and_all_that_it_saw() -> None:
    counted = Counted()
    for _ in range(10):
        counted.see("place_purchase")
        assert not must_tell(counted, ACCOUNT, "place_purchase")
    counted.see("place_purchase")
    assert must_tell(counted, ACCOUNT, "place_purchase")
    told = counted.untold("place_purchase")
    assert told == {"place_purchase": 11, ALL: 11}
    counted.tell(told)
    counted.see("place_purchase")
    assert counted.untold("place_purchase") == {"place_purchase": 1, ALL: 1}
    counted.tell({"place_purchase": 1, ALL: 1})
    counted.take_back("place_purchase", {"place_purchase": 1, ALL: 1})
    assert counted.untold("place_purchase") == {"place_purchase": 0, ALL: 0}
