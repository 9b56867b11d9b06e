"""``python -m tools.sim --seeds 1000`` plays seeds on all cores, says what broke; ``--seed X --story`` replays one."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

STEPS = 1000
BATCH = 5
"""Seeds a worker takes at a time."""


@dataclass
class Result:
    """What one seed came to."""

    seed: int
    steps: int = 0
    calls: int = 0
    switches: int = 0
    purchases: int = 0
    digest: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    provider: str = ""
    longest_s: dict[str, float] = field(default_factory=dict)
    """Of each kind of wait: see ``stopwatch``."""
    waits: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    """Lines of bills that were reconciled at the end, by class."""
    violations: list[str] = field(default_factory=list)
    subject: str = ""
    story: list[str] = field(default_factory=list)
    cpu_s: float = 0.0


def environment() -> None:
    """Pin what the product reads from the environment; nothing of it leads anywhere."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "BIANDAN_"))]:
        del os.environ[name]
    os.environ |= {"AWS_REGION": "us-east-1", "BIANDAN_STAGE": "local"}


def play(seed: int, steps: int, *, tell: bool = False, provider: str = "") -> Result:
    """Play one seed to its end; the seed says at which provider, unless somebody does."""
    from tools.sim import actors, bank, giving
    from tools.sim.story import story_of
    from tools.sim.world import World

    rate, crashes = actors.rates(seed)
    provider = provider or bank.of_seed(seed)
    result = Result(seed, provider=provider)
    before = time.process_time()
    with World(seed, rate=rate, crashes=crashes, tell=tell, provider=provider) as world:
        try:
            actors.run(world, steps)
        except Exception as error:  # A fault of the simulator's own, or of the product outside of any handler.
            world.oracle.broken("the run", f"{type(error).__name__}: {error}")
        result.violations = [str(violation) for violation in world.oracle.violations]
        result.steps, result.calls, result.switches = world.totals.steps, world.totals.calls, world.totals.switches
        result.purchases, result.digest = len(world.oracle.sales), world.digest
        result.faults, result.answers = dict(world.faults.counts), dict(world.totals.answers)
        result.longest_s, result.waits = world.watches.timings.longest_s, world.watches.timings.counts
        result.findings = dict(world.findings)
        if world.oracle.violations:
            result.subject = world.oracle.violations[0].subject
        if tell:
            result.story = story_of(world.story, result.subject)
    if not result.violations:
        result.violations = giving.play(seed, rate=rate, crashes=crashes)
    result.cpu_s = time.process_time() - before
    return result


def _batch(seeds: list[int], steps: int, provider: str) -> list[Result]:
    environment()
    return [play(seed, steps, provider=provider) for seed in seeds]


def _played(seeds: list[int], steps: int, workers: int, provider: str) -> Iterator[Result]:
    batches = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    if workers == 1:
        for batch in batches:
            yield from _batch(batch, steps, provider)
        return
    with ProcessPoolExecutor(workers) as pool:
        futures: list[Future[list[Result]]] = [pool.submit(_batch, batch, steps, provider) for batch in batches]
        for future in as_completed(futures):
            yield from future.result()


def waited(longest_s: dict[str, float], waits: dict[str, int]) -> dict[str, Any]:
    """Return the longest waits as the line of JSON says them, and how many were measured."""
    kinds = ("late_refund", "stock_back", "found", "unknown")
    told: dict[str, Any] = {f"{kind}_s_max": round(longest_s.get(kind, 0.0), 1) for kind in kinds}
    troubled = ("late_refund_after_trouble", "stock_back_after_trouble")
    told |= {f"{kind}_s_max": round(longest_s.get(kind, 0.0), 1) for kind in troubled}
    return {**told, "waits_measured": {kind: waits[kind] for kind in sorted(waits)}}


def run(seeds: list[int], steps: int, *, workers: int, quiet: bool = False, provider: str = "") -> dict[str, Any]:
    """Play many seeds; returns the summary."""
    started = time.monotonic()
    cpu_s = 0.0
    totals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    answers: Counter[int] = Counter()
    failed: list[Result] = []
    by_provider: Counter[str] = Counter()
    longest_s: dict[str, float] = {}
    waits: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    for number, result in enumerate(_played(seeds, steps, workers, provider), start=1):
        for name in ("steps", "calls", "switches", "purchases"):
            totals[name] += getattr(result, name)
        cpu_s += result.cpu_s
        faults.update(result.faults)
        answers.update(result.answers)
        by_provider[result.provider] += 1
        waits.update(result.waits)
        findings.update(result.findings)
        for kind, waited_s in result.longest_s.items():
            longest_s[kind] = max(longest_s.get(kind, 0.0), waited_s)
        if result.violations:
            failed.append(result)
            print(f"seed {result.seed}: {len(result.violations)} violations, first: {result.violations[0]}", flush=True)
            print(f"  replay: python -m tools.sim --seed {result.seed} --steps {steps} --story", flush=True)
        if not quiet and number % max(1, len(seeds) // 20) == 0:
            elapsed = time.monotonic() - started
            print(
                f"{number:6d} seeds  {totals['steps']:9d} steps  {sum(faults.values()):8d} faults"
                f"  {totals['steps'] / elapsed:7.0f} steps/s",
                flush=True,
            )
    seconds = time.monotonic() - started
    return {
        "seeds": len(seeds),
        "steps": totals["steps"],
        "calls": totals["calls"],
        "switches": totals["switches"],
        "purchases": totals["purchases"],
        "faults": sum(faults.values()),
        "faults_by_kind": dict(faults.most_common()),
        "answers": {str(status): count for status, count in sorted(answers.items())},
        "seeds_by_provider": dict(by_provider.most_common()),
        **waited(longest_s, waits),
        "reconciled": dict(findings.most_common()),
        "violations": sum(len(result.violations) for result in failed),
        "failing_seeds": sorted(result.seed for result in failed)[:20],
        "seconds": round(seconds, 1),
        "steps_per_s": round(totals["steps"] / seconds),
        "steps_per_cpu_s": round(totals["steps"] / cpu_s) if cpu_s else 0,
        "workers": workers,
    }


def main() -> int:
    """Parse, play, print."""
    from tools.sim import bank

    parser = argparse.ArgumentParser(prog="python -m tools.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of a seed before its end is played")
    parser.add_argument("--seed", type=int, help="play only this one")
    parser.add_argument("--provider", default="", choices=list(bank.SHARES), help="not the one that the seed says")
    parser.add_argument("--story", action="store_true", help="with --seed: tell what happened to the order concerned")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    environment()
    if arguments.seed is None:
        seeds = list(range(arguments.first, arguments.first + arguments.seeds))
        summary = run(seeds, arguments.steps, workers=arguments.workers, provider=arguments.provider)
        width = max((len(kind) for kind in summary["faults_by_kind"]), default=1)
        for kind, count in summary["faults_by_kind"].items():
            print(f"  {kind:{width}} {count:8d}")
    else:
        result = play(arguments.seed, arguments.steps, tell=arguments.story, provider=arguments.provider)
        print("\n".join(result.story))
        for violation in result.violations:
            print(f"VIOLATION {violation}")
        summary = {
            "seeds": 1,
            "steps": result.steps,
            "faults": sum(result.faults.values()),
            "violations": len(result.violations),
            "digest": result.digest,
            "provider": result.provider,
            **waited(result.longest_s, result.waits),
        }
    print(json.dumps(summary))
    return 1 if summary["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
