from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.inventory import domain, service, store
from chalicelib.inventory.service import BucketContended, Level, NotEnoughToWriteOff, OutOfStock
from chalicelib.kernel.errors import IdempotencyKeyReused
from chalicelib.kernel.pages import Window
from chalicelib.runtime import aws, caches
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent

SKU, OTHER = "sku_one_01", "sku_two_01"


def intent(key: str, fingerprint: str = "f") -> Intent:
    return Intent(scope="acc_1", key=key, fingerprint=fingerprint)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    calls: Counter[str] = Counter()

    def hook(name: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        calls[operation] += 1
        return proceed()

    with aws.hooked(hook):
        yield calls


def take(quantities: dict[str, int], buckets: dict[str, int] | None = None) -> None:
    def attempt() -> None:
        with UnitOfWork() as work:
            service.take(work, quantities, buckets=buckets or {})

    service.placing(attempt)


def put_back(quantities: dict[str, int], buckets: dict[str, int] | None = None) -> None:
    def attempt() -> None:
        with UnitOfWork() as work:
            service.put_back(work, quantities, buckets=buckets or {})

    racing(attempt)


def test_receive_and_write_off_once_for_each_intent(cloud: str) -> None:
    first = service.receive(SKU, 10, intent=intent("a"), reason="delivery")
    again = service.receive(SKU, 10, intent=intent("a"), reason="delivery")
    service.write_off(SKU, 3, intent=intent("b"))
    service.write_off(SKU, 3, intent=intent("b"))

    assert first == again
    assert service.level(SKU) == Level(available=7, received=10, written_off=3)
    page = service.movements(SKU, Window(20))
    assert sorted((one.kind.value, one.quantity, one.reason) for one in page.items) == [
        ("receive", 10, "delivery"),
        ("write_off", 3, ""),
    ]
    assert page.after is None


def test_an_intent_used_for_something_else_is_refused_and_leaves_no_trace(cloud: str) -> None:
    service.receive(SKU, 10, intent=intent("a"))

    with pytest.raises(IdempotencyKeyReused):
        service.receive(SKU, 11, intent=intent("a", "other"))
    assert service.level(SKU) == Level(available=10, received=10)


@pytest.mark.parametrize("buckets", [1, 4])
def test_writing_off_below_zero_is_refused_and_leaves_no_trace(cloud: str, buckets: int) -> None:
    service.receive(SKU, 10, intent=intent("a"))
    service.set_buckets(SKU, buckets)

    with pytest.raises(NotEnoughToWriteOff) as refusal:
        service.write_off(SKU, 11, intent=intent("b"))
    assert refusal.value.members() == {"sku_id": SKU, "wanted": 11, "available": 10}
    assert service.level(SKU) == Level(available=10, received=10, buckets=buckets)
    assert len(service.movements(SKU, Window(20)).items) == 1
    service.write_off(SKU, 10, intent=intent("c"))
    assert service.write_off(SKU, 10, intent=intent("c")).quantity == 10
    assert service.level(SKU) == Level(available=0, received=10, written_off=10, buckets=buckets)


def test_taking_is_all_or_nothing_and_names_every_shortage(cloud: str) -> None:
    service.receive_many({SKU: 3, OTHER: 1}, intent=intent("a"))

    with pytest.raises(OutOfStock) as refusal:
        take({SKU: 4, OTHER: 2})
    assert [one.params for one in service.shortages(refusal.value)] == [
        {"sku_id": SKU, "wanted": 4, "available": 3},
        {"sku_id": OTHER, "wanted": 2, "available": 1},
    ]
    take({SKU: 3, OTHER: 1})
    assert service.levels([SKU, OTHER]) == {SKU: Level(0, 3, ordered=3), OTHER: Level(0, 1, ordered=1)}


def test_an_ordinary_take_reads_nothing_and_a_hot_one_reads_once(cloud: str) -> None:
    service.receive_many({SKU: 8, OTHER: 8}, intent=intent("a"))
    service.set_buckets(OTHER, 4)

    with counted() as ordinary:
        take({SKU: 1})
    with counted() as hot:
        take({OTHER: 1}, {OTHER: 4})
    assert ordinary == {"UpdateItem": 1}
    assert hot == {"Query": 1, "UpdateItem": 1}


@pytest.mark.parametrize("buckets", [1, 4])
def test_after_a_sell_out_an_attempt_costs_nothing_for_a_second(cloud: str, noon: Any, buckets: int) -> None:
    service.receive(SKU, 1, intent=intent("a"))
    service.set_buckets(SKU, buckets)
    take({SKU: 1}, {SKU: buckets})
    with pytest.raises(OutOfStock):
        take({SKU: 1}, {SKU: buckets})

    with counted() as calls, pytest.raises(OutOfStock) as refusal:
        take({SKU: 2}, {SKU: buckets})
    assert calls == {}
    assert refusal.value.params == {"sku_id": SKU, "wanted": 2, "available": 0}

    noon.advance(timedelta(seconds=1))
    with counted() as calls, pytest.raises(OutOfStock):
        take({SKU: 1}, {SKU: buckets})
    assert calls

    put_back({SKU: 1}, {SKU: buckets})
    take({SKU: 1}, {SKU: buckets})
    assert service.level(SKU).available == 0


def test_a_shortage_that_is_not_zero_is_not_remembered(cloud: str) -> None:
    service.receive(SKU, 2, intent=intent("a"))
    with pytest.raises(OutOfStock):
        take({SKU: 3})

    take({SKU: 2})
    assert service.level(SKU).available == 0


def test_a_zero_seen_before_units_came_back_is_not_remembered(cloud: str) -> None:
    service.receive(SKU, 1, intent=intent("a"))
    take({SKU: 1})
    work = UnitOfWork()
    service.take(work, {SKU: 1}, buckets={})
    seen: list[Exception] = []

    def hook(name: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        try:
            return proceed()
        except Exception as error:
            seen.append(error)
            if len(seen) == 1:
                put_back({SKU: 1})  # Between the store's refusal and our hearing of it.
            raise

    with aws.hooked(hook), pytest.raises(OutOfStock):
        work.commit()
    take({SKU: 1})
    assert service.level(SKU).available == 0


def test_a_wanted_number_no_bucket_has_is_taken_from_several(cloud: str) -> None:
    service.receive(SKU, 8, intent=intent("a"))
    service.set_buckets(SKU, 4)

    take({SKU: 7}, {SKU: 4})
    assert service.level(SKU) == Level(available=1, received=8, buckets=4, ordered=7)
    with pytest.raises(OutOfStock) as refusal:
        take({SKU: 2}, {SKU: 4})
    assert refusal.value.params["available"] == 1
    take({SKU: 1}, {SKU: 4})


def test_a_rival_emptying_the_picked_bucket_costs_another_look_not_a_refusal(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.receive(SKU, 2, intent=intent("a"))
    service.set_buckets(SKU, 2)
    plan, rivals = domain.plan, [1]

    def raced(seen: Any, wanted: int, **options: Any) -> Any:
        found = plan(seen, wanted, **options)
        if rivals:
            rivals.pop()
            with UnitOfWork() as work:
                store.add_take(work, SKU, next(iter(found or {})), 1, lambda _: AssertionError())
        return found

    monkeypatch.setattr(domain, "plan", raced)
    take({SKU: 1}, {SKU: 2})
    assert service.level(SKU).available == 0


def test_a_caller_who_does_not_know_of_the_buckets_yet_still_sells_the_last_unit(cloud: str) -> None:
    service.receive(SKU, 5, intent=intent("a"))
    service.set_buckets(SKU, 5)
    from chalicelib.runtime import caches

    caches.forget_all()  # Another process, with a product read before the spreading.
    for _ in range(5):
        take({SKU: 1}, {SKU: 1})
    with pytest.raises(OutOfStock):
        take({SKU: 1}, {SKU: 1})


def test_a_definite_refusal_is_not_hidden_behind_contention(cloud: str) -> None:
    lost = BucketContended()
    lost.others = (BucketContended(), OutOfStock(sku_id=SKU, wanted=1, available=0))

    def attempt() -> None:
        raise lost

    with pytest.raises(OutOfStock):
        service.placing(attempt)


def test_spreading_keeps_every_sum_and_can_be_undone(cloud: str) -> None:
    service.receive(SKU, 17, intent=intent("a"))
    service.write_off(SKU, 2, intent=intent("b"))
    for count in (5, 20, 3, 3, 1):
        assert service.set_buckets(SKU, count) == Level(available=15, received=17, written_off=2, buckets=count)
        assert service.level(SKU) == Level(available=15, received=17, written_off=2, buckets=count)
    assert len(store.buckets(SKU)) == 1
    with pytest.raises(service.BadQuantity):
        service.set_buckets(SKU, 21)


def test_units_coming_back_to_a_removed_bucket_are_not_lost(cloud: str) -> None:
    service.receive(SKU, 4, intent=intent("a"))
    service.set_buckets(SKU, 4)
    take({SKU: 4}, {SKU: 4})
    service.set_buckets(SKU, 1)
    caches.forget_all()
    for _ in range(4):
        put_back({SKU: 1}, {SKU: 4})  # By a caller that still believes in four buckets.
    assert service.level(SKU).available == 4
    shown = service.lookup(service.buckets_of({SKU: 1})).read()
    assert (sum(shown.values()), service.levels([SKU])[SKU].available) == (4, 4)
    take({SKU: 4}, {SKU: 1})  # Nobody has to spread them again for that.
    assert service.level(SKU) == Level(available=0, received=4, buckets=1, ordered=4)


def test_units_come_back_to_the_buckets_that_are_left(cloud: str) -> None:
    service.receive(SKU, 8, intent=intent("a"))
    service.set_buckets(SKU, 8)
    take({SKU: 8}, {SKU: 8})
    service.set_buckets(SKU, 2)
    caches.forget_all()
    for _ in range(8):
        put_back({SKU: 1}, {SKU: 8})
    assert sum(bucket.available for bucket in store.buckets(SKU) if int(bucket.number) < 2) == 8
    assert len(store.buckets(SKU)) == 2


def test_setting_the_number_of_units_is_done_once(cloud: str) -> None:
    assert service.set_available(SKU, 5, intent=intent("a")) is not None
    take({SKU: 2})
    service.set_available(SKU, 5, intent=intent("a"))  # The same file again: what was sold stays sold.
    assert service.level(SKU) == Level(available=3, received=5, ordered=2)
    service.set_buckets(SKU, 3)
    service.set_available(SKU, 1, intent=intent("b"))
    assert service.level(SKU) == Level(available=1, received=5, written_off=2, buckets=3, ordered=2)
    service.set_available(SKU, 9, intent=intent("c"))
    assert service.level(SKU) == Level(available=9, received=13, written_off=2, buckets=3, ordered=2)
    assert service.set_available(SKU, 9, intent=intent("d")) is None


@pytest.mark.parametrize("buckets", [1, 10])
def test_two_hundred_attempts_in_eight_threads_sell_exactly_fifty_units(cloud: str, buckets: int) -> None:
    service.receive(SKU, 50, intent=intent("a"))
    service.set_buckets(SKU, buckets)

    def buy(number: int) -> str:
        try:
            take({SKU: 1}, {SKU: buckets})
        except OutOfStock:
            return "refused"
        return "sold"

    with ThreadPoolExecutor(8) as threads:
        outcomes = Counter(threads.map(buy, range(200)))
    assert outcomes == {"sold": 50, "refused": 150}
    assert service.level(SKU) == Level(available=0, received=50, buckets=buckets, ordered=50)


def test_selling_while_the_buckets_change_keeps_every_unit(cloud: str) -> None:
    service.receive(SKU, 60, intent=intent("a"))

    def buy(number: int) -> int:
        if number % 20 == 10:
            service.set_buckets(SKU, 1 + number % 7)
            return 0
        take({SKU: 1}, {SKU: 1})
        return 1

    with ThreadPoolExecutor(4) as threads:
        sold = sum(threads.map(buy, range(60)))
    assert sold == 57
    assert service.level(SKU).available == 3
    assert service.level(SKU).ordered == 57
