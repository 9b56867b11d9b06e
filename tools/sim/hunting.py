"""Hunts for the known bugs: which promise broke, in which seed and after how many steps."""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.sim import mutants, mutants_codes

STEPS = 700
SEEDS = 80
"""So many seeds at most, of those in which much goes wrong."""
SHORT_STEPS = 300
"""A find as short as this is not bettered."""
FINDS = 4
"""Of so many seeds that find a bug, the one that finds it soonest is remembered."""
ENOUGH_S = 30
"""Who has found a bug looks no longer than this for a shorter way to it."""
_KNOWN = Path(__file__).with_name("seeds.toml")
_HEADER = "# The seed that shows each known bug soonest. Written by `make sim-mutants ARGS=--renew`: do not edit.\n\n"


@dataclass
class Hunt:
    """How a bug was found, or not."""

    name: str
    found: str = ""
    seed: int = -1
    seeds: int = 0
    steps: int = 0
    seconds: float = 0.0


@cache
def known() -> dict[str, int]:
    """Return by bug the seed that found it when last looked at. Where a change moved it, the hunt goes on."""
    return tomllib.loads(_KNOWN.read_text(encoding="utf-8"))


def rough() -> Iterator[int]:
    """Yield the seeds in which much goes wrong."""
    from tools.sim import actors

    yield from (seed for seed in range(SEEDS * 4) if actors.rates(seed)[0] >= 0.02)


def look(name: str, seed: int, steps: int = STEPS) -> tuple[str, int]:
    """Play a seed with the bug in, and return what gave it away (or nothing) and after how many steps.

    One that loses nothing and is only late is found when the clock says so: on the way it may break something else.
    """
    from tools.sim.__main__ import play

    if name in mutants_codes.BUGS:
        return _among_codes(name, seed)
    with mutants.MUTANTS[name]():
        played = play(seed, steps, provider="stripe" if name in mutants.AT_STRIPE else "sandbox")
    by_clock = name in mutants.BY_THE_CLOCK
    found = [what for what in played.violations if not by_clock or " by the clock: " in what]
    return (found[0] if found else ""), played.steps


def _among_codes(name: str, seed: int) -> tuple[str, int]:
    """Play the codes of a seed alone: nothing else of it knows them."""
    from tools.sim import actors, giving

    rate, crashes = actors.rates(seed)
    with mutants.MUTANTS[name]():
        found = giving.play(seed, rate=rate, crashes=crashes)
    return (found[0] if found else ""), giving.STEPS


def hunt(name: str, *, seeds: int = SEEDS, steps: int = STEPS) -> Hunt:
    """Play the known seed, then rough ones, until the bug is found."""
    result = Hunt(name)
    started = time.monotonic()
    for seed in [*([known()[name]] if name in known() else []), *list(rough())[:seeds]]:
        found, played = look(name, seed, steps)
        result.seeds += 1
        result.steps += played
        if found:
            result.found, result.seed = found, seed
            break
    result.seconds = time.monotonic() - started
    return result


def soonest(name: str) -> Hunt:
    """Play rough seeds until enough of them have found the bug, and return the shortest find."""
    started = time.monotonic()
    best, finds, tried = Hunt(name), 0, 0
    for seed in [*([known()[name]] if name in known() else []), *list(rough())[:SEEDS]]:
        found, steps = look(name, seed)
        tried += 1
        if found:
            finds += 1
            if not best.found or steps < best.steps:
                best = Hunt(name, found=found, seed=seed, steps=steps)
        late = time.monotonic() - started > ENOUGH_S
        if finds == FINDS or (best.found and (late or best.steps <= SHORT_STEPS)):
            break
    best.seeds, best.seconds = tried, time.monotonic() - started
    return best


def _remember(hunts: list[Hunt]) -> None:
    seeds = {**known(), **{one.name: one.seed for one in hunts if one.found}}
    lines = [f"{json.dumps(name)} = {seeds[name]}\n" for name in sorted(seeds) if name in mutants.MUTANTS]
    _KNOWN.write_text(_HEADER + "".join(lines), encoding="utf-8")


def main() -> int:
    """Hunt every bug and print; ``--renew`` writes down where each is found soonest."""
    from tools.sim.__main__ import environment

    parser = argparse.ArgumentParser(prog="python -m tools.sim.hunting", description=__doc__)
    parser.add_argument("--only", help="one bug")
    parser.add_argument("--renew", action="store_true", help="look for the seeds that show each bug soonest")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(mutants.MUTANTS)
    hunts = []
    with ProcessPoolExecutor(arguments.workers, initializer=environment) as pool:
        for one in pool.map(soonest if arguments.renew else hunt, names):
            where = f"seed {one.seed:3d}, {one.steps:6d} steps" if one.found else f"NOT FOUND in {one.seeds} seeds"
            print(f"{one.name:70} {where:26} {one.seconds:5.1f} s  {one.found[:110]}", flush=True)
            hunts.append(one)
            if arguments.renew:
                _remember(hunts)
    missed = [one.name for one in hunts if not one.found]
    print(json.dumps({"mutants": len(hunts), "found": len(hunts) - len(missed), "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
