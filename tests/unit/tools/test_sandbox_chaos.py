"""A stand-in told to be wild picks each order's trouble by seed and number: the same run is the same trouble."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import combinations
from typing import Any

import pytest

from tools.fakes.sandbox import chaos
from tools.fakes.sandbox.alipay import Alipay
from tools.fakes.sandbox.chaos import FAULTS, compatible
from tools.fakes.sandbox.core import Sandbox
from tools.fakes.sandbox.qqwallet import QQWallet
from tools.fakes.sandbox.stand_in import StandIn, Steering
from tools.fakes.sandbox.stripe import Stripe
from tools.fakes.sandbox.wechatpay import WechatPay

KINDS: list[type[StandIn]] = [Sandbox, WechatPay, Alipay, QQWallet, Stripe]
NUMBERS = [f"pay_{number:024d}_01" for number in range(400)]
NOT_POSSIBLE = {
    Sandbox: {"other_app", "unknown_key", "probe"},
    WechatPay: set[str](),
    Alipay: {"stale", "probe", "refund_abnormal", "refund_closed"},
    QQWallet: {"stale", "probe", "refund_closed"},
    Stripe: {"probe", "refund_abnormal"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_comes_at_random_and_the_same_again(kind: type[StandIn]) -> None:
    one, other = kind(), kind()
    for stand_in in (one, other):
        assert stand_in.steer(chaos=0.5, mix=0) == Steering()
    treated = {number: one.steering(number) for number in NUMBERS}

    assert {number: other.steering(number) for number in reversed(NUMBERS)} == treated
    names = set(FAULTS) - NOT_POSSIBLE[kind]
    assert chaos.possible(one.knows, one.outcomes) == [name for name in FAULTS if name in names]
    possible = [replace(Steering(), **FAULTS[name]) for name in names]
    assert {str(steering) for steering in treated.values()} == {str(s) for s in (Steering(), *possible)}
    assert 150 < sum(steering != Steering() for steering in treated.values()) < 250


@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_that_may_combine_does_and_no_other(kind: type[StandIn]) -> None:
    names = [name for name in FAULTS if name not in NOT_POSSIBLE[kind]]
    seen: set[tuple[str, str]] = set()
    for number in range(4000):
        picked = chaos.pick(3, f"pay_{number}", 1, 0.8, names)
        assert len(set(picked)) == len(picked) > 0
        seen |= set(combinations(sorted(picked), 2))
    pairs = set(combinations(sorted(names), 2))
    assert seen == {(a, b) for a, b in pairs if compatible(FAULTS[a], FAULTS[b])}
    assert seen < pairs


def test_what_goes_together() -> None:
    def together(one: str, other: str) -> bool:
        assert compatible(FAULTS[one], FAULTS[other]) == compatible(FAULTS[other], FAULTS[one])
        return compatible(FAULTS[one], FAULTS[other])

    assert together("duplicates", "reordered")
    assert together("slow", "refund_abnormal")
    assert together("create_lost", "refund_lost")
    assert together("create_unheard", "create_lost")
    assert together("lost", "paid_while_closing")
    assert together("probe", "tampered")
    for name in ("duplicates", "late", "reordered", "tampered", "other_merchant", "other_amount", "probe"):
        assert not together("lost", name), name
    for one, other in combinations(
        ("tampered", "stale", "other_merchant", "other_app", "unknown_key", "other_amount"), 2
    ):
        assert not together(one, other), (one, other)
    for one, other in combinations(("refund_late", "refund_abnormal", "refund_closed"), 2):
        assert not together(one, other), (one, other)
    assert all(set(fault) <= set(asdict(Steering())) for fault in FAULTS.values())


def test_a_seed_and_a_number_decide_exactly() -> None:
    stand_in = WechatPay()
    stand_in.steer(chaos=0.6, mix=0.7, seed=7)
    assert {number[-6:]: stand_in.faults(number) for number in NUMBERS[:8]} == EXACT
    stand_in.steer(seed=8)
    assert {number[-6:]: stand_in.faults(number) for number in NUMBERS[:8]} != EXACT


EXACT = {
    "000_01": ["create_lost"],
    "001_01": ["refund_unheard", "duplicates", "late", "close_lost", "query_unsigned"],
    "002_01": ["tampered", "probe", "create_unheard"],
    "003_01": [],
    "004_01": [],
    "005_01": [],
    "006_01": [],
    "007_01": ["stale", "query_unsigned", "duplicates"],
}


def test_lists_join_and_words_add_up() -> None:
    assert chaos.together(["create_lost", "duplicates", "refund_lost", "refund_abnormal", "create_unheard"]) == {
        "silent_after": ("create", "refund"),
        "duplicates": 10,
        "refund": "pending",
        "refund_then": "abnormal",
        "silent_before": ("create",),
    }
    assert chaos.together([]) == {}


def test_how_many_faults_follow_from_the_mix() -> None:
    counts = [len(chaos.pick(1, number, 1, 0.5, list(FAULTS))) for number in map(str, range(2000))]
    assert [abs(counts.count(n) / len(counts) - share) < 0.03 for n, share in ((1, 0.5), (2, 0.25), (3, 0.125))] == [
        True,
        True,
        True,
    ]
    assert {len(chaos.pick(1, number, 1, 0, list(FAULTS))) for number in map(str, range(200))} == {1}
    assert chaos.pick(1, "pay", 0, 1, list(FAULTS)) == []
    whole = chaos.pick(1, "pay", 1, 1, list(FAULTS))
    left = [name for name in FAULTS if name not in whole]
    assert not [name for name in left if all(compatible(FAULTS[name], FAULTS[other]) for other in whole)]


def test_an_order_that_is_steered_is_left_alone_and_calm_is_the_default() -> None:
    stand_in = Sandbox()
    assert {str(stand_in.steering(number)) for number in NUMBERS} == {str(Steering())}
    stand_in.steer("pay_mine", duplicates=3)
    stand_in.steer(chaos=1)
    assert (stand_in.chaos, stand_in.mix, stand_in.seed) == (1, 0.5, 0)
    assert stand_in.state()["chaos"] == {"chaos": 1, "mix": 0.5, "seed": 0}
    assert stand_in.steering("pay_mine") == Steering(duplicates=3)
    assert stand_in.steering("pay_other") != Steering()
    assert stand_in.steering("") == Steering()
    with pytest.raises(ValueError, match="chaos"):
        stand_in.steer("pay_mine", chaos=1)


def an_order(stand_in: Sandbox) -> dict[str, Any]:
    order = {"amount": 500, "currency": "CNY", "notify_url": "x", "expires_at": 1_800_000_900}
    stand_in._create({"out_trade_no": NUMBERS[0], **order})
    stand_in.pay(NUMBERS[0])
    return {"out_refund_no": "ref_1", "out_trade_no": NUMBERS[0], "amount": 100, "total": 500, "notify_url": "x"}


def test_a_pending_refund_ripens_once() -> None:
    now = [1_800_000_000.0]
    stand_in = Sandbox(now=lambda: now[0])
    refund = an_order(stand_in)
    stand_in.steer(NUMBERS[0], refund="pending", refund_then="abnormal", duplicates=2)
    stand_in._refund(refund)

    def tick(after_s: float) -> str:
        now[0] += after_s
        stand_in.tick(lambda *_: 200)
        return stand_in.refunds["ref_1"].state

    assert [tick(0), tick(119)] == ["pending", "pending"]
    stand_in._refund({**refund, "out_refund_no": "ref_2"})
    assert tick(1) == "abnormal"
    assert [content["state"] for _, content in stand_in.delivered] == ["paid", "abnormal", "abnormal"]
    stand_in._refund({**refund, "out_refund_no": "ref_3"})
    assert stand_in.refunds["ref_3"].state == "succeeded"
    assert tick(119) == "abnormal"
    assert stand_in.refunds["ref_2"].state == "pending"
    assert tick(1) == "abnormal"
    assert stand_in.refunds["ref_2"].state == "abnormal", "it was under way before the first one ended"
    assert stand_in._pending == {}


def test_slow_answers_are_slow_for_whoever_waits() -> None:
    stand_in = Sandbox()
    stand_in.steer("pay_1", slow_s=2)
    stand_in._before("query", "pay_1")
    assert (stand_in.slowness(), stand_in.slowness()) == (2, 0)
    stand_in._before("query", "pay_2")
    assert stand_in.slowness() == 0
