"""Tells what a rule, or other numbers of it, would have found in the facts that are there (docs/risk.md).

    BIANDAN_STAGE=prod python -m tools.operate.backtest unpaid_account                       # as it is in force
    BIANDAN_STAGE=prod python -m tools.operate.backtest unpaid_account --least 4             # with another threshold
    BIANDAN_STAGE=prod python -m tools.operate.backtest ring --window-h 168 --show 20        # and twenty findings

It reads each row of facts once and writes nothing. What is kept goes back 35 days, sixty facts of a kind.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.errors import NotFound
from chalicelib.risk import domain, fact_store, rule_store, texts
from chalicelib.risk.domain import Finding, Mode, Rule, Tally
from chalicelib.runtime import aws, names
from tools.shared import place

PAGE = 200
FIELDS = ("least", "window_h", "half_life_h", "per_mille", "young_h")


@dataclass(slots=True)
class Tested:
    """What came of it."""

    looked_at: int = 0
    """Subjects that the rule is about."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def subjects(self) -> int:
        """Return how many were found at least once."""
        return len({finding.subject for finding in self.findings})


def tallies(rows_per_second: float, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[Tally]:
    """Read every row of facts, no faster than told."""
    params: dict[str, Any] = {"TableName": names.table_name("risk"), "Limit": PAGE}
    begun, seen = time.monotonic(), 0
    while True:
        answer = aws.call("dynamodb", "Scan", params)
        for item in answer["Items"]:
            tally = fact_store.tally_of(item, clock.now())
            if tally is not None:
                yield tally
        seen += len(answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        sleep(max(0.0, seen / rows_per_second - (time.monotonic() - begun)))


def replayed(rule: Rule, found: Iterable[Tally]) -> Tested:
    """Return what a rule would have found as the facts came in."""
    tested = Tested()
    for tally in found:
        if tally.subject.kind is rule.subject:
            tested.looked_at += 1
            tested.findings += domain.replay(rule, tally)
    return tested


def main(arguments: list[str] | None = None) -> int:
    """Back-test one rule; exits with 1 where there is none of that name or it cannot be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rule_id")
    for name in FIELDS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    parser.add_argument("--show", type=int, default=0, help="so many findings in words")
    parser.add_argument("--rows-per-second", type=float, default=500.0)
    options = parser.parse_args(arguments)
    if options.rows_per_second <= 0:
        parser.error("the rate is more than nothing")
    try:
        print(place.settle(), file=sys.stderr)
        rule = rule_store.load().rule(options.rule_id)
        wanted = {name: value for name in FIELDS if (value := getattr(options, name)) is not None}
        rule = domain.check(replace(rule, **wanted, mode=Mode.SHADOW))
    except (place.Nowhere, domain.BadRule, NotFound) as error:
        print(f"backtest: {error}", file=sys.stderr)
        return 1
    tested = replayed(rule, tallies(options.rows_per_second))
    for finding in tested.findings[: options.show]:
        print(f"{finding.at:%Y-%m-%d %H:%M} {finding.subject.key}: {texts.explain(finding, 'en')}")
    print(f"{len(tested.findings)} findings of {tested.subjects} among {tested.looked_at} subjects")
    return 0


if __name__ == "__main__":
    sys.exit(main())
