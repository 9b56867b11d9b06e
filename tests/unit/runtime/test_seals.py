"""What is sealed opens where it was sealed and nowhere else, and equal text at one place is sealed alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.later import Later
from chalicelib.runtime import config
from chalicelib.runtime.seals import cipher, kms
from chalicelib.runtime.seals.cipher import NotSealedHere

KEY, OTHER = b"k" * 32, b"o" * 32
PLACE = "accounts\nacc_1\naccount\nperson"


@given(st.binary(max_size=2000), st.text(max_size=60), st.integers(1, 65535))
def test_what_is_sealed_opens_and_says_its_key(plain: bytes, place: str, number: int) -> None:
    sealed = cipher.seal(plain, place, key=KEY, number=number)

    assert cipher.unseal(sealed, place, key=KEY) == plain
    assert cipher.number_of(sealed) == number
    assert len(sealed) == len(plain) + cipher.OVERHEAD
    assert cipher.seal(plain, place, key=KEY, number=number) == sealed


@given(st.binary(min_size=8, max_size=200), st.data())
def test_a_changed_bit_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(cipher.seal(plain, PLACE, key=KEY, number=1))
    sealed[data.draw(st.integers(1, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NotSealedHere):
        cipher.unseal(bytes(sealed), PLACE, key=KEY)


@pytest.mark.parametrize("place", [PLACE.replace("acc_1", "acc_2"), PLACE + "2", "orders" + PLACE[8:], ""])
def test_a_value_that_was_moved_does_not_open(place: str) -> None:
    sealed = cipher.seal(b"13900001111", PLACE, key=KEY, number=1)
    with pytest.raises(NotSealedHere):
        cipher.unseal(sealed, place, key=KEY)
    with pytest.raises(NotSealedHere):
        cipher.unseal(sealed, PLACE, key=OTHER)


def test_no_nonce_is_used_for_two_texts_or_places() -> None:
    nonces = {
        cipher.seal(f"text {number}".encode(), place, key=key, number=1)[3:15]
        for number in range(100)
        for place in (PLACE, PLACE + "2")
        for key in (KEY, OTHER)
    }
    assert len(nonces) == 400


@pytest.mark.parametrize("bad", [b"", b"\x01\x00\x01", b"\x02" + b"x" * 40, b"{}"])
def test_what_is_no_sealed_value_is_refused(bad: bytes) -> None:
    with pytest.raises(NotSealedHere):
        cipher.number_of(bad)


def test_the_laptops_key_seals_nothing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(kms.kms(), kms.LocalKms)
    made = kms.LocalKms().make(1)
    assert kms.LocalKms().unwrap(made.wrapped, 1) == made.plain != kms.LocalKms().make(2).plain
    monkeypatch.setenv("BIANDAN_STAGE", "dev")
    config.config.cache_clear()
    try:
        with pytest.raises(Misconfigured):
            kms.kms()
        with pytest.raises(Misconfigured):
            kms.LocalKms().unwrap(made.wrapped, 1)
        monkeypatch.setenv(kms.KEY, "arn:aws:kms:us-east-1:1:key/1")
        assert isinstance(kms.kms(), kms.AwsKms)
    finally:
        monkeypatch.undo()
        config.config.cache_clear()


def test_a_function_is_no_laptop_whatever_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "biandan-prod-api")
    with pytest.raises(Misconfigured):
        kms.kms()
    with pytest.raises(Misconfigured):
        kms.LocalKms().make(1)


def test_a_later_value_is_worked_out_once_and_never_shown() -> None:
    calls: list[int] = []

    def make() -> str:
        calls.append(1)
        return "13900001111"

    later = Later(make)
    assert "139" not in repr(later)
    assert (later(), later(), calls) == ("13900001111", "13900001111", [1])
    assert later == Later.of("13900001111")
    assert later != Later.of("x")
    assert hash(later) == hash(Later.of("13900001111"))
