"""Balances: every entry counted once, the sum over all accounts zero, and always what the entries add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from chalicelib.kernel.clock import Fixed
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.money import Money
from chalicelib.ledger import balance_store, consumers, counting, events, readers, service, store
from chalicelib.ledger.domain import Entry, Posting
from chalicelib.ledger.events import LedgerPosted
from chalicelib.ledger.service import AccountNotFound, Sum
from chalicelib.ledger.sums import Posted, Written
from chalicelib.orders.service import Sale
from chalicelib.runtime import aws, lifetime, metrics, outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support.paying import Till
from tools.operate import balances as tool
from tools.shared import place

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
WHEN = (date(2026, 11, 1), date(2026, 12, 31))


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


@pytest.fixture
def at(cloud: str) -> Iterator[Fixed]:
    fixed = Fixed(NOON)
    with clock.use(fixed):
        yield fixed


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


def total(account: str) -> Sum:
    return service.account(account, "CNY", first=WHEN[0], last=WHEN[1]).total


def kept(accounts: Any) -> dict[str, int]:
    return {account: total(account).balance.minor for account in accounts}


def catch_up(fixed: Fixed) -> dict[str, int]:
    fixed.advance(timedelta(minutes=2))
    return readers.run()


def a_busy_day(till: Till) -> list[Sale]:
    sales = [till.paid((1001, 998))[0], till.paid((5000,))[0], till.paid((1999,), commission_bps=333)[0]]
    late = till.sale((700,))
    late_payment = till.started(late)
    till.expire(late)
    till.sandbox.pay(late_payment)  # Surplus: comes, and goes back.
    till.settle()
    readers.run()
    till.clock.advance(timedelta(days=1))
    for sale, minor in ((sales[0], 500), (sales[1], 5000), (sales[0], 1)):
        body = {"order_id": sale.orders[0].order_id, "amount": {"minor": minor, "currency": "CNY"}, "reason": "r"}
        answer = till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body)
        assert answer.status == 201, answer
    till.settle()
    catch_up(till.clock)
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
    sales = a_busy_day(till)
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

    mine = f"merchant-{sales[1].orders[0].merchant_id}"
    own = till.operate("GET", path.replace("clearing-sandbox", mine)).json
    assert [day["day"] for day in own["days"]] == ["2026-11-22", "2026-11-23"]
    assert own["total"]["balance"]["minor"] == sum(day["balance"]["minor"] for day in own["days"])
    assert till.operate("GET", path.replace("clearing-sandbox", "merchant-mer_nobody")).status == 404


def test_an_answer_says_up_to_when_it_is_exact(till: Till) -> None:
    path = "/v1/operator/ledger/balances"
    assert till.operate("GET", path).json == {"items": [], "sums": [], "balanced": True}
    till.paid((5000,))
    readers.run()  # Too early: the sale is not a minute old.
    assert till.operate("GET", path).json["items"] == []
    till.clock.advance(timedelta(seconds=61))
    readers.run()
    told = till.operate("GET", path).json
    as_of = datetime.fromisoformat(told["as_of"])
    assert as_of == clock.now() - timedelta(minutes=1)
    assert {found["account"]: found["balance"]["minor"] for found in told["items"]}["clearing:sandbox"] == 5000
    days = till.operate("GET", "/v1/operator/ledger/accounts/commission/days?first=2026-11-01&last=2026-11-30").json
    assert days["as_of"] == told["as_of"]


def entry(number: int, minor: int = 100, *, merchant: str = "mer_a", fact_at: datetime = NOON) -> Entry:
    return Entry(
        entry_id=f"payment.captured#pay_{number}",
        purchase_id=f"pur_{number}",
        at=fact_at,
        postings=(
            Posting("clearing:sandbox", Money(minor, "CNY")),
            Posting(f"merchant:{merchant}", Money(5 - minor, "CNY")),
            Posting("commission", Money(-5, "CNY")),
        ),
    )


def written(number: int, minor: int = 100, *, merchant: str = "mer_a", at: datetime = NOON) -> Written:
    made = entry(number, minor, merchant=merchant)
    return Written(made.purchase_id, made.entry_id, made.at, _posted(made), written_at=at)


def _posted(made: Entry) -> tuple[Posted, ...]:
    return tuple((each.account, each.amount.minor, each.amount.currency) for each in made.postings)


def post(*numbers: int, **more: Any) -> None:
    for number in numbers:
        with UnitOfWork() as work:
            store.add(work, entry(number, **more))


def count(*entries: Written) -> int:
    return counting.count(entries, generation=0)


def test_entries_that_are_known_or_told_twice_are_counted_once(cloud: str) -> None:
    assert count(written(1), written(2), written(1)) == 2
    assert count(written(1), written(2), written(3)) == 1
    assert count(written(3)) == 0
    assert (total("clearing:sandbox").balance.minor, total("clearing:sandbox").entries) == (300, 3)


def test_who_counts_the_same_at_the_same_moment_finds_it_done(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = balance_store.load
    rivals: list[int] = []

    def loading(keys: Any, generation: int) -> Any:
        found = real(keys, generation)
        if not rivals:
            rivals.append(0)
            rivals.append(count(written(1)))
        return found

    monkeypatch.setattr(balance_store, "load", loading)
    assert count(written(1), written(2)) == 1
    assert rivals == [0, 1]
    assert total("clearing:sandbox").entries == 2
    assert total("commission").balance.minor == -10


def test_many_workers_with_overlapping_parts_count_every_entry_once(cloud: str) -> None:
    def work(start: int) -> None:
        for _ in range(40):
            try:
                count(*(written(number % 60) for number in range(start, start + 20)))
            except Exception:  # Lost eight times in a row, or busy.
                continue
            return
        raise AssertionError("never through")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(0, 60, 10)))
    assert (total("clearing:sandbox").balance.minor, total("clearing:sandbox").entries) == (6000, 60)
    assert sum(each.balance.minor for each in service.account_books().sums) == 0


def test_entries_of_many_merchants_are_cut_to_fit_transactions(cloud: str) -> None:
    many = [written(number, 6, merchant=f"mer_{number}") for number in range(250)]
    assert [len(part) for part in counting._parts(many)] == [97, 97, 56]
    assert count(*many) == 250
    assert total("merchant").balance.minor == -250
    assert total("merchant:mer_249").balance.minor == -1


def test_days_are_chinas_and_months_go_on(cloud: str) -> None:
    last_minute = datetime(2026, 11, 30, 15, 59, tzinfo=UTC)
    late = [entry(1, fact_at=last_minute), entry(2, fact_at=last_minute + timedelta(minutes=1))]
    count(*(Written(each.purchase_id, each.entry_id, each.at, _posted(each), written_at=NOON) for each in late))
    for account in ("commission", "merchant:mer_a"):
        found = service.account(account, "CNY", first=WHEN[0], last=WHEN[1])
        assert [day.day for day in found.days] == ["2026-11-30", "2026-12-01"]
        assert found.total.entries == 2
    with pytest.raises(AccountNotFound):
        service.account("commission", "USD", first=WHEN[0], last=WHEN[1])


# The readers


def test_what_comes_late_is_counted_by_a_later_reader(at: Fixed) -> None:
    post(1)
    at.advance(timedelta(seconds=90))
    assert readers.run()["first"] == 1
    at.moment -= timedelta(seconds=80)
    post(2)  # Stamped before what was read, and there only now: a clock that is wrong, or a transaction that took long.
    at.moment += timedelta(seconds=140)
    assert readers.run() == {"first": 0, "second": 0, "third": 0}
    at.advance(timedelta(minutes=45))
    assert readers.run()["second"] == 1
    assert total("clearing:sandbox").entries == 2
    assert readers.run() == {"first": 0, "second": 0, "third": 0}
    at.advance(timedelta(days=2))
    assert readers.run() == {"first": 0, "second": 0, "third": 0}


def test_what_the_index_hid_for_hours_is_counted_the_next_day(at: Fixed) -> None:
    hidden = {"on": True}

    def hide(service_: str, operation: str, params: Any, proceed: Any) -> Any:
        answer = proceed()
        if operation == "Query" and params.get("IndexName") == "written" and hidden["on"]:
            return {**answer, "Items": []}
        return answer

    post(1)
    with aws.hooked(hide):
        for _ in range(3):
            at.advance(timedelta(hours=1))
            assert readers.run() == {"first": 0, "second": 0, "third": 0}
        hidden["on"] = False
        at.advance(timedelta(hours=26))
        assert readers.run() == {"first": 0, "second": 0, "third": 1}
    assert total("clearing:sandbox").entries == 1


@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_dies_at_any_call_is_made_good_by_the_next(at: Fixed, after: bool) -> None:
    class Died(BaseException):
        pass

    readers.run()
    post(1, 2, 3)
    at.advance(timedelta(hours=30))  # All three readers have something to do.
    calls = die_at = 0

    def dying(service_: str, operation: str, params: Any, proceed: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == die_at and not after:
            raise Died
        answer = proceed()
        if calls == die_at:
            raise Died
        return answer

    for die_at in range(1, 30):
        calls = 0
        try:
            with aws.hooked(dying):
                readers.run()
        except Died:
            at.advance(timedelta(minutes=1))
            post(100 + die_at)
            at.advance(timedelta(minutes=2))
            continue
        break
    assert calls >= 5
    entries = total("clearing:sandbox").entries
    assert entries == 3 + die_at - 1
    assert sum(each.balance.minor for each in service.account_books().sums) == 0


def test_two_runs_at_once_count_once_and_neither_fails(at: Fixed, monkeypatch: pytest.MonkeyPatch) -> None:
    post(*range(5))
    at.advance(timedelta(minutes=2))
    real = store.written
    inner: list[dict[str, int]] = []

    def reading(*arguments: Any) -> Any:
        found = real(*arguments)
        if not inner:
            inner.append({})
            inner.append(readers.run())
        return found

    monkeypatch.setattr(store, "written", reading)
    outer = readers.run()
    assert (inner[1]["first"], outer["first"]) == (5, 0)
    assert total("clearing:sandbox").entries == 5


def test_a_long_page_is_read_in_parts_and_time_that_is_over_stops_between_them(
    at: Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PAGE", 3)
    for number in range(10):
        post(number)
        at.advance(timedelta(milliseconds=1))
    at.advance(timedelta(minutes=2))
    with lifetime.at_most(readers.ENOUGH_S - 1):
        runs = [readers.run()["first"] for _ in range(50)]
    assert sum(runs) == 10
    assert max(runs) <= 3
    assert readers.run()["first"] == 0
    assert balance_store.places_of(balance_store.readers())["first"] == at.moment - timedelta(minutes=1)


def test_many_entries_of_one_millisecond_do_not_stop_a_reader(at: Fixed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PAGE", 3)
    post(*range(10))
    at.advance(timedelta(minutes=2))
    assert readers.run()["first"] == 10


def test_a_reader_that_fails_does_not_stop_the_others(at: Fixed, monkeypatch: pytest.MonkeyPatch) -> None:
    post(1)
    at.advance(timedelta(minutes=2))
    readers.run()
    at.advance(timedelta(hours=2))
    post(2)
    at.advance(timedelta(minutes=2))
    real = readers._go_on

    def failing(reader: Any, *more: Any) -> int:
        if reader is readers.FIRST:
            raise Busy
        return real(reader, *more)

    with monkeypatch.context() as patched, pytest.raises(Busy):
        patched.setattr(readers, "_go_on", failing)
        readers.run()
    places = balance_store.places_of(balance_store.readers())
    assert places["second"] == at.moment - readers.SECOND.behind
    assert places["first"] < at.moment - timedelta(hours=2)
    assert readers.run()["first"] == 1


def test_a_reader_that_is_far_behind_rings(at: Fixed, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    monkeypatch.setattr(metrics, "count", lambda name, *_: counted.append(name))
    post(1)
    at.advance(timedelta(minutes=2))
    readers.run()
    assert counted == ["ledger_entries_counted"]
    at.advance(timedelta(hours=1))
    with lifetime.at_most(1), monkeypatch.context() as patched:
        patched.setattr(readers, "_pages", lambda place, _until: iter([([], place)]))
        readers.run()
    assert counted[-1] == "balances_behind"
    monkeypatch.undo()


# Entries of the release before, which do not say when they were written


def unstamped(number: int) -> None:
    made = entry(number)
    row = store.EntryRow(
        purchase_id=made.purchase_id,
        id=made.entry_id,
        at_ms=clock.epoch_ms(made.at),
        postings=tuple(store._PostingDoc(*each) for each in _posted(made)),
    )
    with UnitOfWork() as work:
        work.save(row)


def told(number: int) -> LedgerPosted:
    made = entry(number)
    return LedgerPosted(made.entry_id, made.purchase_id, made.at, _posted(made))


def record(number: int) -> dict[str, Any]:
    body = facts.encode(facts.seal(told(number)))
    return {"messageId": body, "receiptHandle": body, "body": body, "attributes": {}}


def test_an_old_entry_is_counted_when_it_is_told_and_one_of_today_by_the_readers_alone(at: Fixed) -> None:
    unstamped(1)
    post(2)
    records = [record(number) for number in (1, 2, 1, 3)]  # Nobody wrote the third.
    for _ in range(2):
        assert consumers.ledger({"Records": records}, None) == {"batchItemFailures": []}
    assert total("clearing:sandbox").entries == 1
    at.advance(timedelta(days=3))
    assert readers.run() == {"first": 1, "second": 0, "third": 0}
    assert total("clearing:sandbox").entries == 2


def test_only_a_new_entry_that_no_reader_finds_is_told(till: Till) -> None:
    till.paid()
    assert not [line for line in till.pump.log if "ledger.posted" in line]
    image = {"id": {"S": "e"}, "purchase_id": {"S": "p"}, "at_ms": {"N": "0"}, "postings": {"S": '[["a",1,"CNY"]]'}}
    assert [event.event_id for event in events.posted(None, image)] == ["ledger.posted#e"]
    assert events.posted(None, {**image, "written_on": {"S": "2026-11-22"}}) == []
    assert events.posted(image, image) == []


# The tool that compares, mends and makes anew


def all_pages() -> Any:
    return tool.entries(1e9, lambda _: None, sleep=lambda _: None)


def test_balances_of_before_are_counted_while_the_shop_is_open(at: Fixed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "PAGE", 4)
    for number in range(10):
        unstamped(number)
    post(100, 101)
    at.advance(timedelta(minutes=2))
    readers.run()
    consumers.ledger({"Records": [record(3)]}, None)
    assert {each.name for each in tool.differences(all_pages())} >= {"clearing:sandbox#CNY", "commission#CNY"}
    post(102)  # Too young for the readers: whoever mends may count it as well.
    assert tool.mend(all_pages(), 0) == 10
    at.advance(timedelta(minutes=2))
    assert readers.run()["first"] == 0
    assert tool.mend(all_pages(), 0) == 0
    assert tool.differences(all_pages()) == []
    assert total("clearing:sandbox").entries == 13


def test_a_sum_that_was_changed_behind_our_back_is_found_and_made_anew(at: Fixed) -> None:
    post(*range(5), merchant="mer_b")
    unstamped(9)
    at.advance(timedelta(minutes=2))
    readers.run()
    tool.mend(all_pages(), 0)
    post(7)
    assert tool.differences(all_pages()) == []
    row = balance_store.load([("books", "total")], 0)["books", "total"]
    with UnitOfWork() as work:
        balance_store.save_sums(work, row, {"commission#CNY": (0, 1, 0)})
    assert [(each.name, each.kept[1], each.rebuilt[1]) for each in tool.differences(all_pages())] == [
        ("commission#CNY", 31, 30)
    ]
    tool.anew(all_pages())
    assert total("commission").entries == 7  # The youngest as well.
    assert tool.differences(all_pages()) == []
    at.advance(timedelta(minutes=2))
    assert readers.run()["first"] == 0
    post(8)
    consumers.ledger({"Records": [record(9)]}, None)
    at.advance(timedelta(minutes=2))
    assert readers.run()["first"] == 1
    assert tool.differences(all_pages()) == []
    assert total("commission").balance.minor == -40


def test_what_is_written_and_counted_while_balances_are_made_anew_is_counted_there(at: Fixed) -> None:
    post(1, 2)
    at.advance(timedelta(minutes=2))
    readers.run()

    def pages() -> Iterator[list[Written]]:
        found = list(all_pages())
        post(3)
        at.advance(timedelta(minutes=2))
        assert readers.run()["first"] == 1  # Into the old sums, and the readers go past it.
        yield from found

    tool.anew(pages())
    assert total("commission").entries == 2
    assert sum(readers.run().values()) == 1
    assert total("commission").entries == 3
    assert tool.differences(all_pages()) == []


def test_nothing_is_told_as_a_difference_that_was_counted_while_it_was_looked_at(
    at: Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(1, 2)
    at.advance(timedelta(minutes=2))
    readers.run()
    post(3)
    at.advance(timedelta(minutes=2))
    real = tool._counted
    again: list[dict[str, int]] = []

    def counted(*arguments: Any) -> Any:
        found = real(*arguments)
        if not again:
            again.append(readers.run())
        return found

    monkeypatch.setattr(tool, "_counted", counted)
    assert tool.differences(all_pages()) == []
    assert [run["first"] for run in again] == [1]


def test_the_command_tells_and_exits_by_what_it_found(
    at: Fixed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "settle", lambda: "here")
    unstamped(1)
    assert tool.main([]) == 1
    assert "7 sums differ" in capsys.readouterr().out
    assert tool.main(["--mend"]) == 0
    assert tool.main([]) == 0
    assert tool.main(["--anew"]) == 0
    assert tool.main([]) == 0
    assert "made anew from 1 entries" in capsys.readouterr().out
