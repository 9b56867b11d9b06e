"""A stand-in told to be wild picks each order's trouble by its number: the same run is the same trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.sandbox.alipay import Alipay
from tools.sandbox.core import Sandbox
from tools.sandbox.qqwallet import QQWallet
from tools.sandbox.stand_in import AT_RANDOM, StandIn, Steering
from tools.sandbox.stripe import Stripe
from tools.sandbox.wechatpay import WechatPay

KINDS: list[type[StandIn]] = [Sandbox, WechatPay, Alipay, QQWallet, Stripe]
NUMBERS = [f"pay_{number:024d}_01" for number in range(400)]


@pytest.mark.parametrize("kind", KINDS)
def test_trouble_comes_at_random_and_the_same_again(kind: type[StandIn]) -> None:
    one, other = kind(), kind()
    for stand_in in (one, other):
        assert stand_in.steer(chaos=0.5) == Steering()
    treated = {number: one.steering(number) for number in NUMBERS}

    assert {number: other.steering(number) for number in reversed(NUMBERS)} == treated
    possible = [replace(Steering(), **fault) for fault in AT_RANDOM if set(fault) <= one.knows]
    assert {str(steering) for steering in treated.values()} == {str(s) for s in (Steering(), *possible)}
    assert 150 < sum(steering != Steering() for steering in treated.values()) < 250


def test_an_order_that_is_steered_is_left_alone_and_calm_is_the_default() -> None:
    stand_in = Sandbox()
    assert {str(stand_in.steering(number)) for number in NUMBERS} == {str(Steering())}
    stand_in.steer("pay_mine", duplicates=3)
    stand_in.steer(chaos=1)
    assert stand_in.steering("pay_mine") == Steering(duplicates=3)
    assert stand_in.steering("pay_other") != Steering()
    with pytest.raises(ValueError, match="chaos"):
        stand_in.steer("pay_mine", chaos=1)
