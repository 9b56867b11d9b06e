"""``python -m tools.dev.reconcile_day``: a day at the sandbox with every defect on its bill, reconciled and shown.

Starts an engine of its own, lets buyers pay and operators refund, loses notices, refunds in the provider's console,
then lets the provider write a bill with a line missing, one of a stranger, a wrong amount, a wrong currency, a failed
refund, a line twice, an unreadable line and totals that do not add up. Fails if one of them is not found.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from tools.fakes import engine

if TYPE_CHECKING:
    from tests.support.paying import Till

DEFECTS = ("missing", "extra", "amount", "currency", "state", "field", "duplicate", "totals")
EXPECTED = {
    "match": 3,
    "missing_here": 3,
    "missing_there": 2,
    "differs": 3,
    "unknown_refund": 1,
    "duplicate": 1,
    "unreadable": 2,
}
HEALED = 2


def main() -> int:
    """Play and print; the exit code says whether every defect was found."""
    running = engine.Engine().start()
    os.environ.update(engine.environment(running.url, account="100000000077"))
    os.environ["BIANDAN_BUCKET"] = "biandan-reconcile-day"
    try:
        return _play()
    finally:
        running.stop()


def _play() -> int:
    from chalicelib.kernel import clock
    from chalicelib.reconciliation import service
    from tests.support.paying import Till
    from tools.fakes import resources
    from tools.operate import reconcile

    time = clock.Fixed(datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    logging.getLogger("biandan").disabled = True
    with clock.use(time):
        resources.create_all()
        till = Till.open(time)
        _trade(till)
        till.sandbox.bill_defects = DEFECTS
        time.advance(timedelta(days=1))
        run = reconcile.finish(service.begin("sandbox", date(2026, 11, 22))[0])
        reconcile.show(run)
        again = reconcile.finish(service.begin("sandbox", date(2026, 11, 22), again=True)[0])
    same = (run.counts, run.healed, run.cases, run.fees) == (again.counts, again.healed, again.cases, again.fees)
    print(f"The same day again: {'the same' if same else f'NOT the same: {again.counts}'}.", file=sys.stderr)
    found = dict(run.counts) == EXPECTED and run.healed == HEALED
    if not found:
        print(f"Expected {EXPECTED}, {HEALED} healed.", file=sys.stderr)
    return 0 if found and same else 1


def _trade(till: Till) -> None:
    """Let a day happen: eight purchases, one notice lost, three refunds, one of them in the provider's console."""
    till.paid((1001,))
    till.paid((1002,))
    sale, paid = till.paid((9000,))
    unheard = till.started(till.sale((1003,)))
    till.sandbox.steer(unheard, notify=False)
    till.sandbox.pay(unheard)
    for total in (1004, 1005, 1006):
        till.paid((total,))
    for minor, silent in ((1000, False), (2000, True), (500, False)):
        if silent:
            till.sandbox.steer(paid, silent_after=("refund",), notify=False)
        answer = till.operate(
            "POST",
            f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds",
            {"order_id": sale.orders[0].order_id, "amount": {"minor": minor, "currency": "CNY"}, "reason": "broken"},
        )
        if answer.status != 201:
            raise RuntimeError(answer.body)
        till.settle()
        till.sandbox.steer(paid, notify=True)
    console = till.sandbox.console_refund(paid, 77)
    # The provider lists refunds as they were made; the last one it got wrong should be an ordinary one.
    ordinary = {number: made for number, made in till.sandbox.refunds.items() if made is not console}
    till.sandbox.refunds = {console.out_refund_no: console, **ordinary}


if __name__ == "__main__":
    sys.exit(main())
