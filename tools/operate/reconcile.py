"""``python -m tools.operate.reconcile <provider> <day>``: reconcile a day of an installation and print its report.

The installation is the one the environment names (``BIANDAN_STAGE``, AWS credentials, ``AWS_ENDPOINT_URL`` for an
engine on this machine). The steps run in this process, one after another; the daily job, the queue and an operator's
route do the same work, and whichever comes second changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date

from chalicelib.kernel import context, ids
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Window
from chalicelib.reconciliation import service
from chalicelib.reconciliation.domain import Finding, Judged, Run, RunStatus
from tools.shared import place

WORDS = {
    Finding.MATCH: "fits",
    Finding.MISSING_HERE: "missing here",
    Finding.MISSING_THERE: "missing there",
    Finding.DIFFERS: "differs",
    Finding.UNKNOWN_REFUND: "unknown refund",
    Finding.DUPLICATE: "duplicate",
    Finding.DISPUTE: "dispute",
    Finding.OTHER: "other",
    Finding.UNREADABLE: "unreadable",
}


def main() -> int:
    """Reconcile; the exit code is 1 if cases stand, 2 if there is no report."""
    parser = argparse.ArgumentParser(prog="python -m tools.operate.reconcile", description=__doc__)
    parser.add_argument("provider")
    parser.add_argument("day", type=date.fromisoformat)
    parser.add_argument("--again", action="store_true", help="repeat a day that is done")
    parser.add_argument("--all", action="store_true", help="list the lines that fit, too")
    told = parser.parse_args()
    try:
        print(place.settle(), file=sys.stderr)
    except place.Nowhere as error:
        print(f"reconcile: {error}", file=sys.stderr)
        return 2
    where = context.Context(request_id=ids.new_id("req"), cause_id="tools.reconcile", actor="operator:shell")
    try:
        with context.use(where):
            run = finish(service.begin(told.provider, told.day, again=told.again)[0])
    except ShopError as refused:
        print(f"{refused.code}: {refused.detail()}", file=sys.stderr)
        return 2
    show(run, every=told.all)
    return 2 if run.status is not RunStatus.DONE else int(run.cases > 0)


def finish(run: Run) -> Run:
    """Do a run's steps until it ends, or waits for its bill."""
    while run.status not in (RunStatus.DONE, RunStatus.FAILED):
        after = service.advance(run.run_id, run.step)
        if after.status is RunStatus.WANTED and after.asks:
            return after
        run = after
    return run


def show(run: Run, *, every: bool = False) -> None:
    """Print the report as people read it, then one line of JSON."""
    print(f"{run.provider}, bill of {run.day}: {run.status.value}, {run.lines} lines, round {run.round}")
    if run.why:
        print(f"  the bill is not there: {run.why}")
    print(f"\n  {'class':15} {'line':>5}  {'what':8} {'bill':>14}  {'ours':>24}  then")
    for finding in Finding:
        if finding is Finding.MATCH and not every:
            continue
        for found in _lines(run, finding):
            print("  " + _row(found))
    print()
    for finding in Finding:
        count = run.counts.get(finding.value, 0)
        if count:
            print(f"  {WORDS[finding]:15} {count:>6}")
    print(f"  {'of these healed':15} {run.healed:>6}\n  {'cases':15} {run.cases:>6}")
    for currency, minor in sorted(run.fees.items()):
        print(f"  {'fees posted':15} {Money(minor, currency).text():>14}")
    print(
        json.dumps(
            {
                "provider": run.provider,
                "day": run.day,
                "status": run.status.value,
                "lines": run.lines,
                **{finding.value: run.counts.get(finding.value, 0) for finding in Finding},
                "healed": run.healed,
                "cases": run.cases,
            }
        )
    )


def _lines(run: Run, finding: Finding) -> list[Judged]:
    found: list[Judged] = []
    window = Window(100)
    while True:
        page = service.list_lines(run.run_id, finding, window)
        found += page.items
        window = Window(100, page.after)
        if page.after is None:
            return found


def _row(found: Judged) -> str:
    line, ours = found.line, found.ours
    what = line.kind.value if line else ("payment" if ours and ours.record_id.startswith("pay") else "")
    if ours and ours.record_id.startswith("ref"):
        what = "refund"
    bill = line.money.text() if line else "-"
    have = f"{ours.money.text()} {ours.status}" if ours else "-"
    then = "healed by a question" if found.healed else (f"case {found.case_id[:12]}…" if found.case_id else "")
    number = str(line.number) if line else "-"
    return f"{WORDS[found.finding]:15} {number:>5}  {what:8} {bill:>14}  {have:>24}  {then} {found.why}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
