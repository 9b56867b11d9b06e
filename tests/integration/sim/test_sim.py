"""A short run of the simulator: some seeds, the deadly pairs, and every known bug found. `make sim` plays many more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tools.sim import exhaustive, hunting, mutants
from tools.sim.__main__ import play

SEEDS = range(8)
LONG = {"expiry / new attempt", "cancel / new attempt", *exhaustive.AFTERWARDS}
"""Walked without crashes here: `make sim-pairs` walks them with one at each call."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_keeps_every_promise(seed: int) -> None:
    played = play(seed, 400)
    assert played.violations == []
    assert played.steps > 400


@pytest.mark.parametrize("provider", ["wechatpay", "alipay", "qqwallet", "stripe"])
def test_a_seed_with_a_real_adapter_keeps_every_promise(provider: str) -> None:
    played = play(3, 250, provider=provider)
    assert played.violations == []
    assert played.steps > 250
    assert played.findings["match"] > 0


def test_a_seed_is_the_same_in_another_process() -> None:
    command = [sys.executable, "-m", "tools.sim", "--seed", "5", "--steps", "200", "--provider", "wechatpay"]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "4711"}
    )
    played = play(5, 200, provider="wechatpay")
    assert f'"digest": {played.digest}' in done.stdout
    assert played.steps > 200


def test_a_failing_seed_tells_the_story_of_the_order_concerned() -> None:
    with mutants.MUTANTS["surplus money is kept"]():
        found = hunting.hunt("surplus money is kept", seeds=3)
        played = play(found.seed, hunting.STEPS, tell=True, provider="sandbox")
    body = played.subject.split("_")[1]
    assert played.violations[0] == found.found
    assert any("pur_" + body in line and "insert orders" in line for line in played.story)


@pytest.mark.parametrize("name", exhaustive.PAIRS)
def test_a_deadly_pair_keeps_every_promise_in_every_order(name: str) -> None:
    walk = exhaustive.walk(name, crashes=name not in LONG)
    assert walk.violations == []
    assert walk.interleavings >= 2
    assert walk.ends >= 1


@pytest.mark.parametrize("name", sorted(mutants.MUTANTS))
def test_a_known_bug_is_found(name: str) -> None:
    hunt = hunting.hunt(name)
    assert hunt.found, f"{hunt.steps} steps"
    assert name not in mutants.BY_THE_CLOCK or " by the clock: " in hunt.found
