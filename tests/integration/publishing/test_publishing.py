"""Published files: what they hold, when they change, and what happens to those nobody names any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Cause, SkuDraft
from chalicelib.inventory import service as inventory
from chalicelib.kernel.errors import NotFound, RetryLater
from chalicelib.kernel.money import Money
from chalicelib.merchants import service as merchants
from chalicelib.publishing import domain, nightly, service, store
from chalicelib.runtime import aws, caches, names, published, queues
from chalicelib.runtime.config import config
from chalicelib.runtime.intents import system_intent
from chalicelib.runtime.published import Contents
from tests.support.http import call
from tests.support.published import Till, change
from tests.support.shop import buyer, shop


def tick(name: str) -> dict[str, Any]:
    """Return the event of a schedule, as Lambda gets it."""
    detail = {"version": "0", "account": "0", "region": "r", "detail": {}, "detail-type": "t", "source": "s"}
    return {**detail, "time": "2026-11-22T04:00:00Z", "id": name, "resources": []}


@pytest.fixture
def till(cloud: str, noon: Any) -> Till:
    return Till(noon)


def test_a_published_product_is_what_the_api_answers_byte_for_byte(till: Till) -> None:
    made = till.shop.product(skus=2)
    till.settle()
    shard = domain.product_shard(made.product_id)
    (name,) = till.names(shard, made.product_id)
    assert published.content(shard, name) == call("GET", f"/v1/products/{made.product_id}").body.encode()
    (tree,) = till.names("site", "categories")
    assert published.content("site", tree) == call("GET", "/v1/categories").body.encode()
    mine = domain.merchant_shard(till.shop.merchant_id)
    (page,) = till.names(mine, "merchant")
    assert published.content(mine, page) == call("GET", f"/v1/merchants/{till.shop.merchant_id}").body.encode()


@pytest.mark.parametrize("sort", ["newest", "price_asc", "price_desc"])
def test_lists_hold_what_the_api_lists_in_its_order(till: Till, sort: str) -> None:
    for number in range(30):
        till.noon.advance(timedelta(seconds=1))
        till.shop.product(price_minor=1000 + number * 37 % 100, category_id=("dresses", "tea")[number % 2])
    till.settle()
    mer = till.shop.merchant_id
    for shard, asked in (
        ("all", ""),
        ("category-dresses", "&category=dresses"),
        ("category-clothing", "&category=clothing"),
        ("category-tea", "&category=tea"),
        ("category-shirts", "&category=shirts"),
        (domain.merchant_shard(mer), f"&merchant={mer}"),
    ):
        answer = call("GET", f"/v1/products?limit=50&sort={sort}{asked}").json
        assert till.listed(shard, sort) == [card["product_id"] for card in answer["items"]], shard
        pages = [json.loads(published.content(shard, name) or b"") for name in till.names(shard, sort)]
        assert [card for page in pages for card in page["items"]] == answer["items"]


def test_every_kind_of_change_reaches_product_and_lists(till: Till) -> None:
    one, other = till.shop.product(price_minor=1000, stock=1), till.shop.product(price_minor=2000)
    till.settle()
    assert till.listed("all", "price_asc") == [one.product_id, other.product_id]

    change(till, one.product_id, skus=(SkuDraft((), Money(3000)),))
    till.settle()
    assert till.product(one.product_id)["price_from"]["minor"] == 3000
    assert till.listed("all", "price_asc") == [other.product_id, one.product_id]

    inventory.write_off_many({one.sku_id: 1}, intent=system_intent("gone"), reason="")
    till.settle()
    assert till.product(one.product_id)["sold_out"] is True
    inventory.receive_many({one.sku_id: 5}, intent=system_intent("back"))
    till.settle()
    assert till.product(one.product_id)["sold_out"] is False

    change(till, one.product_id, category_id="tea")
    till.settle()
    assert till.listed("category-dresses") == [other.product_id]
    assert till.listed("category-clothing") == [other.product_id]
    assert till.listed("category-tea") == [one.product_id]

    catalog.move(till.shop.merchant_id, one.product_id, Cause.UNLIST, intent=system_intent("unlist"))
    till.settle()
    assert till.product(one.product_id) is None
    assert till.listed("category-tea") == till.listed("all")[1:] == []


def test_one_sku_of_two_that_sells_out_is_told(till: Till) -> None:
    made = till.shop.product(skus=2, stock=1)
    till.settle()
    inventory.write_off_many({made.sku_ids[1]: 1}, intent=system_intent("gone"), reason="")
    till.settle()
    assert [sku["sold_out"] for sku in till.product(made.product_id)["skus"]] == [False, True]


def test_a_suspended_merchant_and_all_its_goods_are_taken_away_and_come_back(till: Till) -> None:
    made = [till.shop.product() for _ in range(3)]
    rival = shop()
    stays = rival.product()
    till.settle()
    merchants.change(till.shop.merchant_id, {"status": "suspended"})
    till.settle()
    assert [till.product(one.product_id) for one in made] == [None, None, None]
    assert till.listed("all") == [stays.product_id]
    assert till.listed(domain.merchant_shard(till.shop.merchant_id)) == []
    merchants.change(till.shop.merchant_id, {"status": "active"})
    till.settle()
    assert {one.product_id for one in made} < set(till.listed("all"))
    assert all(till.product(one.product_id) for one in made)


def test_a_merchants_words_and_the_tree_follow(till: Till) -> None:
    till.settle()
    merchants.change(till.shop.merchant_id, {"description": "Tea, and nothing else."})
    tree = catalog.categories()
    catalog.set_categories(
        [*tree.categories, catalog.Category("toys", {"zh": "玩具", "en": "Toys"})], version=tree.version
    )
    till.settle()
    shard = domain.merchant_shard(till.shop.merchant_id)
    page = json.loads(published.content(shard, till.names(shard, "merchant")[0]) or b"")
    assert page["description"] == "Tea, and nothing else."
    shown = json.loads(published.content("site", till.names("site", "categories")[0]) or b"")
    assert shown["categories"][-1]["category_id"] == "toys"
    assert published.read("category-toys")[0].version == 1


def test_files_live_for_a_year_and_manifests_for_seconds(till: Till) -> None:
    made = till.shop.product()
    till.settle()
    shard = domain.product_shard(made.product_id)
    kept = {}
    for key in (published.current_key(shard), published.file_key(shard, till.names(shard, made.product_id)[0])):
        head = aws.call("s3", "HeadObject", {"Bucket": config().published_bucket, "Key": key})
        kept[key.split("/")[1]] = (head["CacheControl"], head["ContentType"])
    assert kept == {
        "current": ("public, max-age=2", "application/json"),
        "files": ("public, max-age=31536000, immutable", "application/json"),
    }


# Races and repeats


def test_a_reading_that_another_publisher_overtook_is_not_published(till: Till) -> None:
    made = till.shop.product(price_minor=1000)
    till.settle()
    change(till, made.product_id, skus=(SkuDraft((), Money(2000)),))
    shard = domain.product_shard(made.product_id)
    rivals = [lambda: _overtake(till, made.product_id, shard)]

    def hook(service_: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "PutObject" and params["Key"] == published.current_key(shard) and rivals:
            rivals.pop()()
        return proceed()

    with aws.hooked(hook):
        service.products_changed([made.product_id])
    assert till.product(made.product_id)["price_from"]["minor"] == 3000
    assert published.read(shard)[0].version == 2


def _overtake(till: Till, product_id: str, shard: str) -> None:
    """Change the product again, and publish it as another function would."""
    change(till, product_id, skus=(SkuDraft((), Money(3000)),))
    service.products_changed([product_id])


def test_two_first_publishers_of_a_shard_lose_nothing(cloud: str) -> None:
    def late(_: published.Manifest) -> Contents:
        if not rival:
            rival.append(published.publish("all", lambda m: Contents({**m.files, "a": [b'"a"']})))
        return Contents({**published.read("all")[0].files, "b": [b'"b"']})

    rival: list[published.Outcome] = []
    published.publish("all", late)
    assert sorted(published.read("all")[0].files) == ["a", "b"]


def test_no_manifest_ever_names_a_file_that_is_not_there(till: Till) -> None:
    """Whatever step a pass ends at, and whoever looks in between."""
    made = till.shop.product()
    seen: list[str] = []

    def hook(service_: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        current = operation == "PutObject" and "/current/" in params["Key"]
        body = bytes(params["Body"]) if current else b""
        answer = proceed()
        if current:
            shard = params["Key"].split("/")[-1].removesuffix(".json")
            for name in json.loads(body)["files"].values():
                seen.extend(name)
                assert all(published.content(shard, one) is not None for one in name)
        return answer

    with aws.hooked(hook):
        till.settle()
    assert till.names(domain.product_shard(made.product_id), made.product_id)[0] in seen


def test_everything_twice_changes_nothing(till: Till) -> None:
    till.pump.duplicate = 2
    made = till.shop.product()
    till.settle()
    versions = {shard: published.read(shard)[0].version for shard in published.shards()}
    service.products_changed([made.product_id])
    till.settle()
    assert {shard: published.read(shard)[0].version for shard in published.shards()} == versions


# Bursts


def test_a_full_shard_takes_no_more_until_some_are_published(cloud: str) -> None:
    store.mark("products-00", [f"prd_{number}" for number in range(store.MARKS_CAP)])
    with pytest.raises(RetryLater):
        store.mark("products-00", ["prd_one_more"])
    store.mark("products-00", ["prd_7"])  # Is marked already.
    work = store.take("products-00", limit=100, rest_s=0)
    assert work is not None
    assert len(work.ids) == 100
    store.mark("products-00", ["prd_one_more"])


def test_a_shard_whose_message_gave_up_goes_on_by_itself(till: Till) -> None:
    """Its marks stand, so nobody told it again: a walk that takes goods away, and the sweep, stayed where they were."""
    till.settle()
    for shard in ("all", "sweep"):
        store.mark(shard, ["*" if shard == "all" else ""])
        aws.call("sqs", "PurgeQueue", {"QueueUrl": queues.url(names.queue_name("publishing"))})
        relayed = till.pump._stream("publishing")
        aws.call("sqs", "PurgeQueue", {"QueueUrl": queues.url(names.queue_name("publishing"))})
        assert relayed
    till.settle()
    assert (store.waiting("all"), store.waiting("sweep")) == (("*",), ("",))
    store.mark("all", ["*"])
    till.settle()
    assert store.waiting("all") == ("*",), "its message may be on its way"
    till.noon.advance(timedelta(hours=1))
    nightly.published_check(tick("published-check"), None)
    till.settle()
    assert (store.waiting("all"), store.waiting("sweep")) == ((), ())


def test_a_product_that_comes_changes_one_page_of_a_long_list(till: Till) -> None:
    cards = [(f"prd_{number:024d}", number) for number in range(1_000)]
    before = [tuple(page) for page in domain.pages(cards)]
    after = [tuple(page) for page in domain.pages([("prd_new", -1), *cards])]
    assert len(set(after) - set(before)) <= 3
    assert all(domain.PAGE_LEAST <= len(page) <= domain.PAGE_MOST for page in before[:-1])
    assert [one for page in before for one in page] == [number for _, number in cards]


# Going back, sweeping, healing


def test_going_back_is_a_change_of_manifest(till: Till) -> None:
    made = till.shop.product(price_minor=1000)
    till.settle()
    change(till, made.product_id, skus=(SkuDraft((), Money(2000)),))
    till.settle()
    till.noon.advance(timedelta(minutes=1))
    change(till, made.product_id, skus=(SkuDraft((), Money(3000)),))
    till.settle()
    shard = domain.product_shard(made.product_id)
    published.go_back(shard, 2)
    assert till.product(made.product_id)["price_from"]["minor"] == 2000
    assert published.read(shard)[0].version == 4
    published.go_back(shard, 3)  # What one went back from is kept, however young it was.
    assert till.product(made.product_id)["price_from"]["minor"] == 3000
    with pytest.raises(NotFound):
        published.go_back(shard, 99)


def holding(*texts: str) -> Callable[[published.Manifest], Contents]:
    """Return what publishes these under keys of their places."""
    return lambda _: Contents({str(at): [f'"{text}"'.encode()] for at, text in enumerate(texts)})


def test_the_sweep_spares_what_manifests_name_and_what_is_young(cloud: str, noon: Any) -> None:
    for number in range(published.VERSIONS_KEPT + 5):
        published.publish("all", holding(str(number), "s"))
        noon.advance(timedelta(minutes=1))
    assert published.sweep("all") == 4  # Manifests alone: all files are of today.
    noon.advance(timedelta(days=1))
    assert published.sweep("all") == 0
    noon.advance(timedelta(days=1))
    assert published.sweep("all") == 4
    now, _ = published.read("all")
    for version in range(now.version - published.VERSIONS_KEPT, now.version):
        past = published.past("all", version)
        assert past is not None
        assert all(published.content("all", name) is not None for name in past.names())
    assert published.content("all", now.files["1"][0]) == b'"s"'
    assert published.past("all", 4) is None


def test_a_sweep_that_finds_much_goes_on_in_steps(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "SWEPT_AT_ONCE", 3)
    for shard in ("all", "category-tea", "site"):
        for number in range(published.VERSIONS_KEPT + 9):
            till.noon.advance(timedelta(minutes=1))
            published.publish(shard, holding(str(number)))
    till.noon.advance(timedelta(days=2))
    steps: list[int] = []
    real = published.sweep

    def sweep(shard: str) -> int:
        steps.append(real(shard))
        return steps[-1]

    monkeypatch.setattr(published, "sweep", sweep)
    service.begin_sweep()
    while service.advance("sweep"):
        pass
    assert (sum(steps), max(steps)) == (3 * (8 + 8), 3)
    for shard in ("all", "category-tea", "site"):
        assert len(list(published.keys(f"published/history/{shard}/"))) == published.VERSIONS_KEPT
        assert len(list(published.keys(f"published/files/{shard}/"))) == published.VERSIONS_KEPT + 1


def test_a_content_that_comes_back_gets_a_name_that_no_sweep_deletes(cloud: str, noon: Any) -> None:
    """Between the sweep's look and its deletions somebody publishes what it is about to delete."""
    published.publish("all", holding("old"))
    for number in range(published.VERSIONS_KEPT + 2):
        noon.advance(timedelta(minutes=1))
        published.publish("all", holding(str(number)))
    noon.advance(timedelta(days=2))
    rivals = [lambda: published.publish("all", holding("old"))]

    def hook(service_: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "DeleteObject" and rivals:
            rivals.pop()()
        return proceed()

    with aws.hooked(hook):
        assert published.sweep("all") > 0
    (name,) = published.read("all")[0].files["0"]
    assert published.content("all", name) == b'"old"'


def test_the_nightly_check_heals_what_differs_and_sweeps(till: Till) -> None:
    made = [till.shop.product() for _ in range(5)]
    till.settle()
    assert service.check(product_shards=64) == 0
    gone, changed = made[0].product_id, made[1].product_id
    published.publish(domain.product_shard(gone), lambda m: Contents({k: n for k, n in m.files.items() if k != gone}))
    published.publish(
        domain.product_shard(changed),
        lambda m: Contents({**m.files, changed: [b'{"skus":[],"merchant_id":"m","category_id":"c"}']}),
    )
    published.publish("all", lambda m: Contents({**m.files, "newest": []}))
    assert service.check(product_shards=64) == 3
    till.settle()
    assert service.check(product_shards=64) == 0
    assert till.product(gone)["product_id"] == gone
    caches.forget_all()
    assert nightly.published_check(tick("published-check"), None) == {"stale": 0}
    till.settle()
    assert store.waiting("sweep") == ()


def test_republishing_makes_everything_from_the_tables_and_drops_the_rest(till: Till) -> None:
    made = [till.shop.product() for _ in range(5)]
    till.settle()
    told = {shard: published.read(shard)[0].files for shard in published.shards()}
    for key in list(published.keys("published/")):
        aws.call("s3", "DeleteObject", {"Bucket": config().published_bucket, "Key": key})
    ghost = f'{{"skus":[],"merchant_id":"{till.shop.merchant_id}","category_id":"tea"}}'.encode()
    shard = domain.product_shard("prd_" + "0" * 24)
    published.publish(shard, lambda _: Contents({"prd_" + "0" * 24: [ghost]}))
    service.republish()
    till.settle()
    again = {shard: published.read(shard)[0].files for shard in published.shards()}
    assert {one: files for one, files in again.items() if files} == {one: files for one, files in told.items() if files}
    assert {one.product_id for one in made} <= {key for files in again.values() for key in files}


def test_what_a_stale_page_shows_checkout_refuses_with_its_difference(till: Till) -> None:
    made = till.shop.product(price_minor=1000)
    till.settle()
    someone = buyer()
    someone.put(made.sku_id)
    quote = someone.quote().json
    assert quote["total"]["minor"] >= 1000
    change(till, made.product_id, skus=(SkuDraft((), Money(1500)),))
    assert till.product(made.product_id)["price_from"]["minor"] == 1000  # Nothing was published yet.
    refused = someone.place(quote["quote"])
    assert refused.status == 409
    assert refused.json["code"] == "price_changed"
    (line,) = refused.json["lines"]
    assert (line["quoted"]["minor"], line["current"]["minor"]) == (1000, 1500)
