"""A refund made in the provider's console: told by its notice and by the bill, it is one, at every provider."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.orders.service import Sale
from chalicelib.payments import providers
from chalicelib.payments.domain.payment_records import Quarantined
from chalicelib.reconciliation import cases as cases_of
from chalicelib.reconciliation import judging, service
from chalicelib.reconciliation.domain import CaseStatus
from chalicelib.runtime import outbound
from tests.support.hosts import METHODS, bought, opened, reconciled
from tests.support.paying import Till, accounts, payment, story

TOTAL, BACK = 2000, 300
TELLS = ("wechatpay", "alipay", "stripe", "sandbox")
"""QQ Wallet sends no notice of a refund: only its bill tells."""


@pytest.fixture(params=list(METHODS))
def till(request: pytest.FixtureRequest, cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    yield opened(str(request.param), noon, monkeypatch)
    outbound.install(None)


def a_day_later(till: Till, *, again: bool = False) -> Any:
    """Read the bill of the day that the till was opened on."""
    if not again:
        till.clock.advance(timedelta(days=1))
    before = clock.now() - timedelta(days=1)
    return reconciled(till, before.astimezone(providers.load("sandbox").limits.bill_zone).date(), again=again)


def kept(sale: Sale) -> list[Quarantined]:
    return [one for one in story(sale).quarantined if one.why == "unknown_refund"]


def cases(till: Till, state: str = "open") -> list[Any]:
    found = till.operate("GET", f"/v1/operator/cases?status={state}&limit=100").json["items"]
    return [case for case in found if case["kind"] == "unknown_refund"]


def adopt(till: Till, sale: Sale, one: Quarantined, *, settle: bool = True) -> Any:
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/quarantined/{one.quarantine_id}/resolve"
    answer = till.operate("POST", path, {"how": "adopt", "order_id": sale.orders[0].order_id})
    if settle:
        till.settle()
    return answer


def in_the_books(sale: Sale, payment_id: str, times: int) -> None:
    """Check that so many refunds of :data:`BACK` are booked, each once."""
    booked = [refund for refund in story(sale).refunds if refund.external_number]
    assert [refund.amount.minor for refund in booked] == [BACK] * times
    assert len({refund.external_number for refund in booked}) == times
    assert payment(payment_id).refunded_minor == BACK * times
    provider = payment(payment_id).provider
    taken = -sum(minor for name, minor in accounts(sale).items() if name.startswith(("merchant", "commission")))
    assert taken == TOTAL - BACK * times, accounts(sale)
    assert f"clearing:{provider}" in accounts(sale)


@pytest.mark.parametrize(("first", "times"), list(product(["notice", "bill"], [1, 2])))
def test_told_twice_it_is_one_and_its_case_ends(till: Till, first: str, times: int) -> None:
    sale, payment_id = bought(till, TOTAL)
    told: list[Any] = []
    for _ in range(times):
        till.clock.advance(timedelta(minutes=2))
        till.sandbox.console_refund(payment_id, BACK)
    if first == "bill":
        told, till.sandbox.outbox[:] = list(till.sandbox.outbox), []
    till.settle()
    tells = payment(payment_id).provider in TELLS
    assert len(kept(sale)) == (times if first == "notice" and tells else 0)

    run = a_day_later(till)
    assert dict(run.counts) == {"match": 1, "unknown_refund": times}
    assert len(kept(sale)) == times
    till.sandbox.outbox += told
    till.settle()
    assert len(kept(sale)) == times
    opened_ = cases(till)
    assert [case["purchase_id"] for case in opened_] == [sale.purchase.purchase_id] * times
    assert [one.said["minor"] for one in kept(sale)] == [str(BACK)] * times

    for number, one in enumerate(kept(sale), 1):
        assert adopt(till, sale, one).status == 200
        assert len(cases(till)) == times - number
    in_the_books(sale, payment_id, times)
    ended = [service.get_case(case["case_id"]) for case in opened_]
    assert [case.status for case in ended] == [CaseStatus.SETTLED] * times
    again = a_day_later(till, again=True)
    assert (dict(again.counts), cases(till)) == ({"match": 1 + times}, [])
    assert len(kept(sale)) == times
    in_the_books(sale, payment_id, times)


@pytest.mark.parametrize("till", TELLS, indirect=True)
def test_taken_in_between_notice_and_bill_it_stays_one(till: Till) -> None:
    sale, payment_id = bought(till, TOTAL)
    till.clock.advance(timedelta(minutes=2))
    till.sandbox.console_refund(payment_id, BACK)
    till.settle()
    (one,) = kept(sale)
    assert adopt(till, sale, one).status == 200
    run = a_day_later(till)
    assert (dict(run.counts), cases(till)) == ({"match": 2}, [])
    in_the_books(sale, payment_id, 1)
    assert len(kept(sale)) == 1


def test_booked_while_the_bill_is_judged_it_leaves_no_open_case(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    sale, payment_id = bought(till, TOTAL)
    till.clock.advance(timedelta(minutes=2))
    till.sandbox.console_refund(payment_id, BACK)
    till.settle()
    judge, done = judging._judge, cases_of.refund_done

    def slow(*args: Any) -> Any:
        for one in kept(sale):
            if not one.resolved:
                assert adopt(till, sale, one, settle=False).status == 200
                done(story(sale).refunds[0].refund_id)  # What tells of it is heard before there is a case.
                monkeypatch.setattr(service, "refund_done", lambda refund_id: None)
        return judge(*args)

    monkeypatch.setattr(judging, "_judge", slow)
    a_day_later(till)
    in_the_books(sale, payment_id, 1)
    assert cases(till) == []


def test_what_contradicts_a_closed_notice_is_told_again(cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    till = opened("sandbox", noon, monkeypatch)
    sale, payment_id = bought(till, TOTAL)
    made = till.sandbox.console_refund(payment_id, BACK)
    till.settle()
    (one,) = kept(sale)
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/quarantined/{one.quarantine_id}/resolve"
    assert till.operate("POST", path, {"how": "seen", "note": "by phone"}).status == 200
    made.amount += 1
    till.sandbox.settle(made.out_refund_no, "succeeded")
    till.settle()
    assert [each.said["minor"] for each in kept(sale) if not each.resolved] == [str(BACK + 1)]
    outbound.install(None)
