"""Many changes at once: how few files they write, and that no crash, no rival and no order of things loses one."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Cause
from chalicelib.catalog.events import ProductChanged
from chalicelib.inventory import service as inventory
from chalicelib.kernel import context, events
from chalicelib.kernel.errors import Busy
from chalicelib.kernel.pages import Window
from chalicelib.merchants import service as merchants
from chalicelib.publishing import consumers, domain, products, service, store
from chalicelib.runtime import aws, published, together
from chalicelib.runtime.intents import system_intent
from tests.support.goods import Made
from tests.support.published import Till, change, price
from tools.bench.metering import measured

Hook = Callable[[str, str, dict[str, Any], Callable[[], Any]], Any]


@pytest.fixture
def till(cloud: str, noon: Any) -> Till:
    return Till(noon)


def some(till: Till, count: int, categories: tuple[str, ...] = ("dresses", "tea")) -> list[Made]:
    made = []
    for number in range(count):
        till.noon.advance(timedelta(seconds=1))
        minor = 1000 + 370 * number % 1000
        made.append(till.shop.product(price_minor=minor, category_id=categories[number % len(categories)]))
    till.settle()
    till.noon.advance(timedelta(minutes=1))
    return made


def deliver(product_ids: Iterable[str], *, received: int = 1) -> set[str]:
    """Hand the function one batch of changes, as Lambda would; returns the ids of messages that failed."""
    records = [
        {
            "messageId": str(number),
            "receiptHandle": f"handle-{number}",
            "body": events.encode(events.seal(ProductChanged(product_id, "mer", revision=number))),
            "attributes": {"ApproximateReceiveCount": str(received)},
        }
        for number, product_id in enumerate(product_ids)
    ]
    answer = consumers.publishing({"Records": records}, None)
    return {failed["itemIdentifier"] for failed in answer["batchItemFailures"]}


def written() -> tuple[Counter[str], Hook]:
    """Return a counter of what is put, by kind and shard, and the hook that counts."""
    counts: Counter[str] = Counter()

    def hook(service_: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        if service_ == "s3" and operation == "PutObject":
            _, kind, shard, *_ = params["Key"].removesuffix(".json").split("/")
            counts[f"{kind} products" if shard.startswith("products-") else f"{kind} {shard}"] += 1
        return proceed()

    return counts, hook


def as_tables_say(till: Till) -> None:
    """Compare everything published with what it would be if it were written anew."""
    listed = [product_id for product_id, _ in catalog.listed_page(Window(500)).items]
    assert service._stale([*listed, *(one.product_id for one in till.shop.made)]) == []
    for shard in published.shards():
        if not shard.startswith(domain.PRODUCTS):
            before, wanted = published.read(shard)[0], service.contents_of(shard)
            assert not published.draft(published.Reading(before, None), wanted).changes, shard


# How much is written


def test_a_burst_writes_each_file_once_and_each_manifest_once(till: Till) -> None:
    """120 changes of 60 products: 60 files, and of each list what it holds, once."""
    made = some(till, 60)
    for number, one in enumerate(made):
        price(till, one.product_id, 5000 + 37 * number % 100)
    counts, hook = written()
    with aws.hooked(hook):
        assert deliver([one.product_id for one in made] * 2) == set()
    lists = ("all", "category-dresses", "category-clothing", "category-tea", f"merchant-{till.shop.merchant_id}")
    pages = {shard: len({name for order in domain.ORDERS for name in till.names(shard, order)}) for shard in lists}
    shards = {domain.product_shard(one.product_id) for one in made}
    assert counts == {
        "files products": 60,
        "current products": len(shards),
        "history products": len(shards),
        **{f"files {shard}": pages[shard] + 1 for shard in lists},  # And the places.
        **{f"current {shard}": 1 for shard in lists},
        **{f"history {shard}": 1 for shard in lists},
    }
    as_tables_say(till)


def test_a_burst_costs_a_few_calls_whatever_its_size(till: Till) -> None:
    """What is owed, products and merchants twice, the tree twice, owing and settling."""
    made = some(till, 30)
    figures = []
    for batch in (made[:1], made):
        for one in batch:
            price(till, one.product_id, 9000)
        with measured() as meter:
            deliver([one.product_id for one in batch] * 2)
        figures.append((meter.calls, meter.write_units))
    assert figures == [(9, 2), (9, 2 + 2)]


@pytest.mark.many_calls("its lists are long")
def test_a_change_touches_only_its_pages_of_long_lists(till: Till) -> None:
    made = some(till, 150, ("tea",))
    middle = made[75]
    change(till, middle.product_id, titles={"zh": "另一个名字"})
    counts, hook = written()
    with aws.hooked(hook):
        assert deliver([middle.product_id]) == set()
    assert len(till.names("all", "newest")) >= 4
    for shard in ("all", "category-tea", f"merchant-{till.shop.merchant_id}"):
        assert counts[f"files {shard}"] == 3, "its page in each order"
        assert counts[f"current {shard}"] == counts[f"history {shard}"] == 1
    assert counts["files products"] == 1
    as_tables_say(till)


def test_a_text_that_no_list_shows_writes_no_list(till: Till) -> None:
    (one, *_) = some(till, 3)
    change(till, one.product_id, description={"zh": "更好看。"})
    counts, hook = written()
    with aws.hooked(hook):
        assert deliver([one.product_id]) == set()
    assert counts == {"files products": 1, "current products": 1, "history products": 1}


def test_only_the_last_manifest_of_a_minute_is_kept_to_go_back_to(till: Till) -> None:
    (one,) = some(till, 1)
    shard = domain.product_shard(one.product_id)
    for number in range(30):
        till.noon.advance(timedelta(seconds=10))
        price(till, one.product_id, 2000 + number)
        deliver([one.product_id])
    kept = [published.past(shard, version) for version in sorted(published._versions(shard))]
    moments = [found.published_at for found in kept if found is not None and found.published_at is not None]
    assert len({f"{moment:%H%M}" for moment in moments}) == len(moments) == 6


# Crashes, rivals, disorder


def crashing_behind(number: int, *operations: str) -> tuple[list[str], Hook]:
    """Return what was written, and a hook that ends the pass behind the n-th write."""
    seen: list[str] = []

    def hook(service_: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        answer = proceed()
        if operation in operations:
            seen.append(operation)
            if len(seen) == number:
                raise KeyboardInterrupt
        return answer

    return seen, hook


@pytest.mark.parametrize("back", [False, True], ids=["as-it-is", "changed-back"])
def test_a_pass_that_ends_anywhere_is_made_good_by_its_repeat(
    till: Till, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    """Also where the product is again what its file says: its lists may have heard of the change and not of its end."""
    monkeypatch.setattr(together, "AT_ONCE", 1)
    one, other = some(till, 2)
    ended = 0
    for number in range(1, 80):
        category, minor = catalog.own(till.shop.merchant_id, one.product_id).category_id, 2000 + number
        was = till.product(one.product_id)["price_from"]["minor"]
        change(till, one.product_id, category_id="tea" if category != "tea" else "dresses")
        price(till, one.product_id, minor)
        seen, hook = crashing_behind(number, "PutObject", "UpdateItem")
        with aws.hooked(hook):
            try:
                deliver([one.product_id])
            except KeyboardInterrupt:
                ended = number
        if back:
            change(till, one.product_id, category_id=category)
            price(till, one.product_id, was)
        deliver([one.product_id], received=2)
        deliver([one.product_id])
        as_tables_say(till)
        assert store.owed([one.product_id]).lists == {}
        if number > len(seen):
            break
    assert ended >= 20
    assert other.product_id in till.listed("all")


def test_what_a_pass_left_is_done_by_whoever_comes_later(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "AT_ONCE", 1)
    one, other = some(till, 2)
    price(till, one.product_id, 7000)
    _, hook = crashing_behind(2, "PutObject")
    with aws.hooked(hook), pytest.raises(KeyboardInterrupt):
        deliver([one.product_id])  # And its message is never seen again.
    price(till, other.product_id, 8000)
    deliver([other.product_id])
    assert one.product_id in store.owed([one.product_id]).lists, "somebody may be at work on it"
    till.noon.advance(timedelta(minutes=4))
    deliver([other.product_id])
    as_tables_say(till)
    assert store.owed([one.product_id]).lists == {}


def test_two_publishers_at_once_leave_what_the_tables_say(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the n-th call of the one the other changes the product again, moves it, and publishes all of that."""
    monkeypatch.setattr(together, "AT_ONCE", 1)
    one, other = some(till, 2)
    calls = at = 0

    def hook(service_: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            with context.use(context.Context()):
                change(till, one.product_id, category_id="tea" if at % 2 else "dresses")
                price(till, one.product_id, 4000 + at)
                price(till, other.product_id, 4000 + at)
                assert deliver([one.product_id, other.product_id]) == set()
        return proceed()

    while calls >= at:
        at, calls = at + 1, 0
        price(till, one.product_id, 3000 + at)
        with aws.hooked(hook):
            assert deliver([one.product_id]) == set()
        as_tables_say(till)
    assert at > 20


def test_a_product_that_comes_back_while_its_swap_is_lost_leaves_no_list_behind(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lists were swapped, its own manifest was not, and at the second look it is what its file says."""
    monkeypatch.setattr(together, "AT_ONCE", 1)
    one = till.shop.product(stock=1)
    till.settle()
    shard, was = domain.product_shard(one.product_id), till.product(one.product_id)
    inventory.write_off_many({one.sku_id: 1}, intent=system_intent("gone"), reason="")
    catalog.refresh_sold_out(one.sku_id)

    def rival() -> None:
        with context.use(context.Context()):
            inventory.receive_many({one.sku_id: 1}, intent=system_intent("back"))
            catalog.refresh_sold_out(one.sku_id)
            published.publish(shard, lambda found: published.Contents({**found.files, "prd_other": [b"{}"]}))

    rivals = [rival]

    def hook(service_: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        if operation == "PutObject" and params["Key"] == published.current_key(shard) and rivals:
            rivals.pop()()
        return proceed()

    with aws.hooked(hook):
        assert deliver([one.product_id]) == set()
    assert till.product(one.product_id) == was
    as_tables_say(till)


def test_many_publishers_at_once_in_threads_leave_what_the_tables_say(till: Till) -> None:
    made = some(till, 24)
    for number, one in enumerate(made):
        price(till, one.product_id, 7000 - number)
    ids = [one.product_id for one in made]

    def work(number: int) -> None:
        for _ in range(10):  # A message that was beaten eight times comes again.
            try:
                products.publish(ids[number::2] + ids)
            except Busy:
                continue
            return

    together.all_of([lambda n=n: work(n) for n in range(3)])  # type: ignore[misc]
    as_tables_say(till)


def test_a_bad_product_does_not_hold_up_the_others_of_its_batch(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    made = some(till, 4)
    for one in made:
        price(till, one.product_id, 6000)
    bad = made[1].product_id
    real = products.publish

    def publish(product_ids: Iterable[str]) -> None:
        wanted = list(product_ids)
        if bad in wanted:
            raise ValueError(bad)
        real(wanted)

    monkeypatch.setattr(products, "publish", publish)
    assert deliver([one.product_id for one in made]) == {"1"}
    assert [till.product(one.product_id)["price_from"]["minor"] for one in made] == [6000, 1370, 6000, 6000]


def test_what_came_often_is_not_gathered_with_others(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends the function each time must end alone, or all its neighbours die with it."""
    made = some(till, 3)
    seen: list[list[str]] = []
    monkeypatch.setattr(products, "publish", lambda product_ids: seen.append(list(product_ids)))
    ids = [one.product_id for one in made]
    deliver(ids, received=consumers.TOGETHER)
    deliver(ids, received=consumers.TOGETHER + 1)
    assert seen == [ids, *([one] for one in ids)]


@pytest.mark.many_calls("plays many orders of things")
def test_whatever_happens_in_whatever_order_lists_are_what_their_indexes_say(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random changes against lists with a cap of twelve, so that they go on beyond it."""
    monkeypatch.setattr(domain, "LIST_CAP", 12)
    chance = random.Random(8)
    made = some(till, 20)
    for number in range(60):
        one = chance.choice(made)
        found = catalog.own(till.shop.merchant_id, one.product_id)
        till.noon.advance(timedelta(seconds=1))
        match chance.randrange(5):
            case 0 | 1:
                price(till, one.product_id, chance.randrange(900, 1300))
            case 2:
                change(till, one.product_id, category_id=chance.choice(["tea", "dresses", "shirts"]))
            case 3:
                cause = Cause.UNLIST if found.status.value == "listed" else Cause.LIST
                catalog.move(till.shop.merchant_id, one.product_id, cause, intent=system_intent(f"move-{number}"))
            case _:
                made.append(till.shop.product(price_minor=chance.randrange(900, 1300), category_id="tea"))
        if chance.random() < 0.5:
            till.settle()
            as_tables_say(till)
    merchants.change(till.shop.merchant_id, {"status": "suspended"})
    till.settle()
    as_tables_say(till)
    merchants.change(till.shop.merchant_id, {"status": "active"})
    till.settle()
    as_tables_say(till)
    assert published.read("all")[0].partial == domain.ORDERS


def test_a_list_of_an_older_release_is_written_anew_once(till: Till) -> None:
    """Its manifest does not say where its products stand."""
    one, other = some(till, 2)
    was = published.read("all")[0]
    files = {key: names for key, names in was.files.items() if key != domain.PLACES}
    published.publish("all", lambda _: published.Contents(files))
    price(till, one.product_id, 7777)
    till.settle()
    as_tables_say(till)
    page = json.loads(published.content("all", till.names("all", "price_desc")[0]) or b"")
    assert [card["product_id"] for card in page["items"]] == [one.product_id, other.product_id]
