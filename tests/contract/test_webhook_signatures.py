"""Standard Webhooks against recorded vectors: what our receivers check, and that we sign what they accept."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from chalicelib.webhooks import signing
from tests.contract.recorded import names, vectors

VECTORS = vectors("standard_webhooks_public.json", "std_webhook")
GENUINE = [one for one in VECTORS if one["expect"] and " " not in one["headers"]["webhook-signature"]]


@pytest.mark.parametrize("vector", VECTORS, ids=names(VECTORS))
def test_what_a_receiver_accepts(vector: Any) -> None:
    found = signing.verifies(
        vector["headers"], vector["body"].encode(), secret=vector["secret"], now_s=int(vector["now"])
    )
    assert found is vector["expect"]


@pytest.mark.parametrize("vector", GENUINE, ids=names(GENUINE))
def test_our_signature_is_the_recorded_one(vector: Any) -> None:
    secret = base64.b64decode(vector["secret"].removeprefix(signing.PREFIX))
    made = signing.headers(
        vector["headers"]["webhook-id"],
        vector["body"].encode(),
        at_s=int(vector["headers"]["webhook-timestamp"]),
        secrets=[secret],
    )
    assert made == vector["headers"]


def test_of_two_secrets_each_signs_and_either_opens() -> None:
    older, newer = b"o" * 32, b"n" * 32
    made = signing.headers("whd_1", b"{}", at_s=1_767_294_245, secrets=[newer, older])
    assert len(made["webhook-signature"].split(" ")) == 2
    for secret in (older, newer):
        assert signing.verifies(made, b"{}", secret=signing.written(secret), now_s=1_767_294_245)
    assert not signing.verifies(made, b"{}", secret=signing.written(b"x" * 32), now_s=1_767_294_245)
    assert not signing.verifies(made, b"{ }", secret=signing.written(newer), now_s=1_767_294_245)


@pytest.mark.parametrize("at", ["1767294245.9", "", "-1", "1767294245 ", "１７６７２９４２４５", "9" * 13])
def test_a_time_that_is_no_whole_number_of_seconds_is_refused(at: str) -> None:
    made = signing.headers("whd_1", b"{}", at_s=1_767_294_245, secrets=[b"s" * 32])
    assert not signing.verifies(
        {**made, "webhook-timestamp": at}, b"{}", secret=signing.written(b"s" * 32), now_s=1_767_294_245
    )


def test_an_id_with_a_dot_is_neither_signed_nor_accepted() -> None:
    with pytest.raises(ValueError, match="dot"):
        signing.headers("a.b", b"{}", at_s=1, secrets=[b"s" * 32])
    made = signing.headers("ab", b"c.{}", at_s=1, secrets=[b"s" * 32])
    assert not signing.verifies({**made, "webhook-id": "a.b"}, b"{}", secret=signing.written(b"s" * 32), now_s=1)
