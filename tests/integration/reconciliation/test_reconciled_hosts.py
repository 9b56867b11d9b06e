"""A bill of each real provider's shape, read over its own protocol from its stand-in, with each seeded defect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.pages import Window
from chalicelib.payments import providers
from chalicelib.reconciliation import service
from chalicelib.reconciliation.domain import Finding
from chalicelib.runtime import outbound
from tests.support.hosts import METHODS, bought, opened, reconciled
from tests.support.paying import Till

DEFECTS = {
    "wechatpay": ("missing", "extra", "amount", "duplicate", "totals", "cut", "field"),
    "alipay": ("missing", "extra", "amount", "duplicate", "totals", "cut", "field"),
    "qqwallet": ("missing", "extra", "amount", "duplicate", "totals", "field"),
    "stripe": ("missing", "extra", "amount", "duplicate", "field"),
}
EXPECTED: dict[str, dict[str, int]] = {
    "missing": {"match": 2, "missing_there": 1},
    "extra": {"match": 3, "missing_here": 1},
    "amount": {"match": 2, "differs": 1},
    "duplicate": {"match": 3, "duplicate": 1},
    "totals": {"match": 3, "unreadable": 1},
    "cut": {"match": 3, "unreadable": 1},
    "field": {"match": 2, "missing_there": 1, "unreadable": 1},
}


@pytest.fixture(params=list(DEFECTS))
def till(request: pytest.FixtureRequest, cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    yield opened(str(request.param), noon, monkeypatch)
    outbound.install(None)


def a_day(till: Till) -> Any:
    """Two payments and a refund; returns the day by the provider's clock."""
    first, _ = bought(till, 1001)
    till.clock.advance(timedelta(minutes=1))
    bought(till, 1002)
    till.clock.advance(timedelta(minutes=1))
    body = {"order_id": first.orders[0].order_id, "amount": {"minor": 300, "currency": "CNY"}, "reason": "r"}
    answer = till.operate("POST", f"/v1/operator/purchases/{first.purchase.purchase_id}/refunds", body)
    assert answer.status == 201, answer
    till.settle()
    till.wait(timedelta(minutes=2))
    zone = providers.load("").limits.bill_zone
    assert (zone is UTC) == (providers.load("").name == "stripe")
    return clock.now().astimezone(zone).date()


def test_every_defect_of_every_shape_of_bill_is_found(till: Till) -> None:
    name = providers.load("").name
    day = a_day(till)
    till.clock.advance(timedelta(days=1))
    sound = reconciled(till, day)
    assert (dict(sound.counts), sound.cases) == ({"match": 3}, 0)
    wrong = {}
    for defect in DEFECTS[name]:
        till.sandbox.bill_defects = (defect,)
        run = reconciled(till, day, again=True)
        found = {kind: min(count, 1) if kind == "unreadable" else count for kind, count in run.counts.items()}
        if found != EXPECTED[defect]:  # One bad line may spoil several totals: each is told.
            wrong[defect] = dict(run.counts)
    assert wrong == {}
    till.sandbox.bill_defects = ()
    assert dict(reconciled(till, day, again=True).counts) == {"match": 3}


def test_a_refund_in_the_console_and_a_notice_that_never_came(till: Till) -> None:
    _, payment_id = bought(till, 1001)
    till.sandbox.console_refund(payment_id, 90)
    lost = till.sale((555,))
    answer = till.start(
        lost, provider=providers.load("").name, method=METHODS[providers.load("").name], return_url="https://s.example/"
    )
    till.sandbox.steer(answer.json["payment_id"], notify=False)
    till.sandbox.pay(answer.json["payment_id"])
    day = clock.now().astimezone(providers.load("").limits.bill_zone).date()
    till.clock.advance(timedelta(days=1))
    run = reconciled(till, day)
    assert dict(run.counts) == {"match": 1, "missing_here": 1, "unknown_refund": 1}
    assert run.healed == 1
    [console] = service.list_lines(run.run_id, Finding.UNKNOWN_REFUND, Window(9)).items
    assert console.line is not None
    assert console.line.minor == 90
    again = reconciled(till, day, again=True)
    assert (again.counts, again.healed, again.cases) == (run.counts, run.healed, run.cases)


def test_a_day_without_movements_is_empty(till: Till) -> None:
    day = clock.now().astimezone(providers.load("").limits.bill_zone).date()
    till.clock.advance(timedelta(days=1))
    assert reconciled(till, day).lines == 0
