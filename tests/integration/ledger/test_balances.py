"""Balances: every entry counted once, the sum over all accounts zero, and always what the entries add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.ledger import balances, consumers, events, service
from chalicelib.ledger.events import LedgerPosted
from chalicelib.orders.service import Sale
from chalicelib.runtime import outbound
from tests.support.paying import Till

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def rebuilt(sales: list[Sale]) -> dict[str, int]:
    """Add up the entries themselves."""
    sums: Counter[str] = Counter()
    for sale in sales:
        for entry in service.entries(sale.purchase.purchase_id):
            for posting in entry.postings:
                sums[posting.account] += posting.amount.minor
                if posting.account.startswith("merchant:"):
                    sums["merchant"] += posting.amount.minor
    return dict(sums)


def kept(accounts: Any) -> dict[str, int]:
    return {account: service.account_balance(account, "CNY").balance.minor for account in accounts}


def a_busy_day(till: Till) -> list[Sale]:
    sales = [till.paid((1001, 998))[0], till.paid((5000,))[0], till.paid((1999,), commission_bps=333)[0]]
    late = till.sale((700,))
    late_payment = till.started(late)
    till.expire(late)
    till.sandbox.pay(late_payment)  # Surplus: comes, and goes back.
    till.settle()
    till.clock.advance(timedelta(days=1))
    for sale, minor in ((sales[0], 500), (sales[1], 5000), (sales[0], 1)):
        body = {"order_id": sale.orders[0].order_id, "amount": {"minor": minor, "currency": "CNY"}, "reason": "r"}
        answer = till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body)
        assert answer.status == 201, answer
    till.settle()
    return [*sales, late]


@pytest.mark.parametrize("copies", [1, 2])
def test_balances_are_what_the_entries_add_up_to_and_sum_to_zero(till: Till, copies: int) -> None:
    till.pump.duplicate = copies
    sales = a_busy_day(till)
    expected = rebuilt(sales)
    assert kept(expected) == expected

    told = till.operate("GET", "/v1/operator/ledger/balances").json
    assert (told["balanced"], told["sums"]) == (True, [{"minor": 0, "currency": "CNY"}])
    assert {found["account"]: found["balance"]["minor"] for found in told["items"]} == {
        account: minor for account, minor in expected.items() if not account.startswith("merchant:")
    }
    assert {found["account"] for found in told["items"]} == {"clearing:sandbox", "commission", "merchant", "surplus"}
    counted = {found["account"]: found["entries"] for found in told["items"]}
    assert counted["clearing:sandbox"] == sum(len(service.entries(sale.purchase.purchase_id)) for sale in sales) == 8


def test_an_account_day_by_day_sums_to_its_total(till: Till) -> None:
    a_busy_day(till)
    path = "/v1/operator/ledger/accounts/clearing-sandbox/days?first=2026-11-01&last=2026-11-30"
    told = till.operate("GET", path).json
    assert [(day["day"], day["debit"]["minor"], day["credit"]["minor"], day["entries"]) for day in told["days"]] == [
        ("2026-11-22", 1999 + 5000 + 1999 + 700, 700, 5),
        ("2026-11-23", 0, 5501, 3),
    ]
    assert told["total"]["balance"]["minor"] == sum(day["balance"]["minor"] for day in told["days"])
    only = till.operate("GET", path.replace("2026-11-01", "2026-11-23")).json["days"]
    assert [day["day"] for day in only] == ["2026-11-23"]
    nobody = till.operate("GET", path.replace("sandbox", "nobody"))
    assert (nobody.status, nobody.json["code"]) == (404, "account_not_found")
    assert till.operate("GET", path.replace("2026-11-01", "2020-11-01")).status == 422


def posted(number: int, minor: int = 100) -> LedgerPosted:
    return LedgerPosted(
        entry_id=f"payment.captured#pay_{number}",
        purchase_id="pur",
        at=NOON,
        postings=(("clearing:sandbox", minor, "CNY"), ("merchant:mer_a", 5 - minor, "CNY"), ("commission", -5, "CNY")),
    )


def test_a_batch_with_known_and_repeated_entries_counts_the_new_ones_once(cloud: str) -> None:
    assert balances.count([posted(1), posted(2), posted(1)]) == 2
    assert balances.count([posted(1), posted(2), posted(3)]) == 1
    assert balances.count([posted(3)]) == 0
    found = service.account_balance("clearing:sandbox", "CNY")
    assert (found.balance.minor, found.entries) == (300, 3)


def test_two_batches_with_the_same_entry_at_the_same_moment_count_it_once(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = balances._count
    rivals: list[int] = []

    def counting(batch: Any) -> None:
        if not rivals:
            rivals.append(0)
            rivals.append(balances.count([posted(1)]))
        real(batch)

    monkeypatch.setattr(balances, "_count", counting)
    with pytest.raises(ConcurrentUpdate):
        balances.count([posted(1), posted(2)])
    assert service.account_balance("clearing:sandbox", "CNY").entries == 1  # All of a batch or none.
    assert balances.count([posted(1), posted(2)]) == 1
    assert service.account_balance("commission", "CNY").balance.minor == -10


def test_many_workers_with_overlapping_batches_count_every_entry_once(cloud: str) -> None:
    def work(start: int) -> None:
        for _ in range(40):
            try:
                balances.count([posted(number % 60) for number in range(start, start + 20)])
            except ConcurrentUpdate:
                continue
            return
        raise AssertionError("never through")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(0, 60, 10)))
    found = service.account_balance("clearing:sandbox", "CNY")
    assert (found.balance.minor, found.entries) == (6000, 60)
    assert sum(each.balance.minor for each in service.account_balances()) == 0


def test_a_large_batch_is_cut_to_fit_transactions(cloud: str) -> None:
    many = [
        LedgerPosted(
            entry_id=f"e{number}",
            purchase_id="pur",
            at=NOON,
            postings=(("clearing:sandbox", 1, "CNY"), (f"merchant:mer_{number}", -1, "CNY")),
        )
        for number in range(60)
    ]
    assert [len(batch) for batch in balances._batches(many)] == [32, 28]
    assert balances.count(many) == 60
    assert service.account_balance("merchant", "CNY").balance.minor == -60


def test_a_bad_message_in_a_batch_does_not_hold_up_the_others(cloud: str) -> None:
    from chalicelib.kernel import events as facts

    good = facts.encode(facts.seal(posted(1)))
    records = [
        {"messageId": str(number), "receiptHandle": str(number), "body": body, "attributes": {}}
        for number, body in enumerate([good, "no envelope", facts.encode(facts.seal(posted(2)))])
    ]
    assert consumers.ledger({"Records": records}, None) == {"batchItemFailures": []}
    assert service.account_balance("clearing:sandbox", "CNY").entries == 2


def test_only_a_new_entry_is_told(till: Till) -> None:
    till.paid()
    image = {"id": {"S": "e"}, "purchase_id": {"S": "p"}, "at_ms": {"N": "0"}, "postings": {"S": '[["a",1,"CNY"]]'}}
    assert [event.event_id for event in events.posted(None, image)] == ["ledger.posted#e"]
    assert events.posted(image, image) == []


def test_days_are_chinas(cloud: str) -> None:
    late = LedgerPosted(entry_id="e", purchase_id="p", at=datetime(2026, 11, 22, 16, 0, tzinfo=UTC),
                        postings=(("commission", 1, "CNY"), ("surplus", -1, "CNY")))  # fmt: skip
    balances.count([late])
    [found] = service.account_days("commission", "CNY", first=date(2026, 11, 1), last=date(2026, 11, 30))
    assert found.day == "2026-11-23"
