"""What balances cost: a run of their clock over nothing, one capture, and a thousand, and reading them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.ledger import readers, service
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import people
from tools.bench.lab import Lab
from tools.bench.steps import Step, measuring

NOTHING = "count balances: nothing new"
ONE = "count balances: one capture"
THOUSAND = "count balances: 1,000 captures of one minute (20 merchants)"
AGAIN = "read the same 1,000 again, half an hour later"
READ = "read the balances"
READ_DAYS = "read an account's days (a month)"
CAPTURES = 1000
MERCHANTS = 20


def use_cases(lab: Lab) -> list[Step]:
    """Measure what the balances cost behind the captures that they count."""
    steps: list[Step] = []
    _run(lab)
    _run(lab)
    with measuring(lab, steps, NOTHING):
        readers.run()
    _captures(lab, "a", 1)
    _wait(lab)
    with measuring(lab, steps, ONE):
        _counting(1)
    _captures(lab, "b", CAPTURES)
    _wait(lab)
    with measuring(lab, steps, THOUSAND):
        _counting(CAPTURES)
    lab.time.advance(readers.SECOND.behind + readers.SECOND.every)
    with measuring(lab, steps, AGAIN):
        _counting(0)
    operator = lab.client(_operator())
    with measuring(lab, steps, READ):
        operator.get("/v1/operator/ledger/balances")
    days = "first=2026-11-01&last=2026-11-30"
    with measuring(lab, steps, READ_DAYS):
        operator.get(f"/v1/operator/ledger/accounts/clearing-sandbox/days?{days}")
    return steps


def _run(lab: Lab) -> None:
    """Let every reader come to where it may be, so that the next run has nothing to make up for."""
    readers.run()
    lab.time.advance(timedelta(hours=1))
    readers.run()


def _wait(lab: Lab) -> None:
    lab.time.advance(readers.FIRST.behind)


def _captures(lab: Lab, name: str, count: int) -> None:
    """Post what captures post, evenly over a whole minute: the same slices whatever was measured before."""
    lab.time.advance(timedelta(seconds=-clock.now().timestamp() % 60))
    for number in range(count):
        share = service.Share(f"mer_{number % MERCHANTS:024d}", Money(1990 + number, "CNY"), 500)
        with UnitOfWork() as work:
            service.post(
                work,
                entry_id=f"payment.captured#pay_{name}{number:023d}_01",
                purchase_id=f"pur_{name}{number:023d}",
                at=clock.now(),
                postings=service.capture_postings("sandbox", [share]),
            )
        lab.time.advance(timedelta(minutes=1) / count)


def _counting(wanted: int) -> None:
    counted = sum(readers.run().values())
    if counted != wanted:
        raise RuntimeError(f"{counted} entries were counted, not {wanted}: something else would be measured")


def _operator() -> Any:
    from chalicelib.kernel.roles import Role

    return people.token(people.operator().account_id, Role.BUYER, Role.OPERATOR)
