"""The stand-ins' keys: the same wherever they are made."""

from __future__ import annotations

import pytest

from tools.fakes.sandbox import rsa


def test_a_key_whose_primes_are_known_is_the_one_that_the_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = "alipay platform 1"
    known = rsa.private_key(seed).private_numbers()
    monkeypatch.delitem(rsa._KNOWN, seed)
    assert rsa.private_key.__wrapped__(seed).private_numbers() == known
