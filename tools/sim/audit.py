"""Reconciliation at a seed's end: the provider's bills of the last days on which money moved, by the real use cases.

Every line must be a match, but those of refunds that somebody made in the provider's console and, in every second seed,
of the line that is left out of one bill on purpose: each of those must be a case.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.payments import service as payments
from chalicelib.reconciliation import service as reconciliation
from chalicelib.runtime import names
from tools.sim import strangers

if TYPE_CHECKING:
    from tools.sim.world import World

DAYS = 3
"""Of those on which money moved, the last ones."""


def reconcile(world: World, *, leave_out: bool) -> dict[str, int]:
    """Reconcile the last days; returns how many lines were found of each class."""
    counts: dict[str, int] = {}
    days = _days(world)[-DAYS:]
    world.advance(timedelta(days=2))
    for day in days:
        spoilt = leave_out and day == days[-1]
        world.sandbox.bill_defects = ("missing",) if spoilt else ()
        found = _day(world, day)
        for line in found:
            counts[line["finding"]] = counts.get(line["finding"], 0) + 1
            _judge(world, day, line)
        _judge_missing(world, days, day, found, spoilt=spoilt)
    return counts


def _days(world: World) -> list[date]:
    """Return the days of the provider's on which money moved, by its own books."""
    return sorted({_day_of(world, moment) for moment, _ in world.bank.movements()})


def _day_of(world: World, moment: int) -> date:
    return payments.billing_day(world.bank.name, datetime.fromtimestamp(moment, UTC))


def _judge_missing(world: World, days: list[date], day: date, found: list[dict[str, Any]], *, spoilt: bool) -> None:
    """What the provider left out of its bill, and nothing else, must be missing there.

    QQ Wallet does not say when a refund went: we book it when we learn of it, and its line stands on an earlier bill.
    Where that is none of those reconciled here, nobody could know.
    """
    on_bill = {line["key"] for line in found if line.get("line")}
    adopted = _adopted(world)
    there = {adopted.get(n, n) for moment, n in world.bank.movements() if _day_of(world, moment) == day}
    left_out = {number for number in there - on_bill if number.startswith(("pay_", "ref_"))}
    unread = {adopted.get(n, n) for moment, n in world.bank.movements() if _day_of(world, moment) not in days}
    missing = {line["key"] for line in found if line["finding"] == "missing_there"} - unread
    if left_out and not spoilt:
        world.oracle.broken("reconciliation", f"{day}: the bill lacks {sorted(left_out)}")
    if missing - left_out or any(number.startswith("pay_") for number in left_out - missing):
        world.oracle.broken(
            "reconciliation", f"{day}: {sorted(missing)} are missing there, left out: {sorted(left_out)}"
        )


def _adopted(world: World) -> dict[str, str]:
    """Return our numbers of the console's refunds that are in our books."""
    sales = world.oracle.sales.values()
    return {refund.there: number for sale in sales for number, refund in sale.refunds.items() if refund.there}


def _day(world: World, day: date) -> list[dict[str, Any]]:
    """Reconcile one day and return its findings."""
    run, _ = world.invoke("reconcile", lambda: reconciliation.begin(world.bank.name, day))[1]
    world.drain()
    done = reconciliation.get_run(run.run_id)
    if done.status != "done":
        world.oracle.broken("reconciliation", f"the run of {day} is {done.status}: {done.why}")
    table = world.storage.tables[names.table_name("reconciliations")]
    rows = [item for item in table.items.values() if item["owner"]["S"] == run.run_id]
    return [msgspec.json.decode(row["doc"]["S"]) for row in rows if row["id"]["S"].startswith("line#")]


def _judge(world: World, day: date, line: dict[str, Any]) -> None:
    finding, said = line["finding"], line.get("line") or {}
    if said.get("payment_id", "").startswith(strangers.PREFIX):
        if finding != "missing_here" or not line.get("case_id"):
            world.oracle.broken("reconciliation", f"{day}: money of nobody's is {finding}, and no case", line["key"])
        return
    by_console = bool(said) and said["kind"] == "refund" and not line["key"].startswith("ref_")
    booked = {said.get("refund_id"), said.get("provider_refund_id")} & set(_adopted(world))
    if finding == "match" and (not by_console or booked):
        return
    if line.get("healed"):  # A word that was lost: the bill made us ask, and the books follow.
        return
    theirs = {ours: name for name, ours in _adopted(world).items()}
    there = world.bank.refund(theirs.get(line["key"], line["key"]))
    bounced = said.get("kind") == "refund_returned" or (there is not None and there.state in ("failed", "closed"))
    contested = bool(said) and said["kind"] == "dispute"
    # Money that went and came back, and what a bank holds, is for a person to see.
    if finding == "missing_there" or by_console or bounced or contested:
        if not line.get("case_id"):
            world.oracle.broken("reconciliation", f"{day}: no case for {finding} {line['key']}", line["key"])
        return
    world.oracle.broken("reconciliation", f"{day}: {finding} ({line['why']}): {said}", said.get("payment_id", ""))
