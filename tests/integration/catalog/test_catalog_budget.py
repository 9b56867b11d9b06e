"""What the catalog and the stock cost, by AWS's rules: (calls, write units, read units) of each use case, exactly."""

from __future__ import annotations

from chalicelib.catalog import search, service
from chalicelib.catalog.domain import Cause, Draft, SkuDraft
from chalicelib.inventory import service as inventory
from chalicelib.kernel.money import Money
from chalicelib.merchants import service as merchants
from chalicelib.publishing import service as publishing
from chalicelib.publishing import store as publishing_store
from chalicelib.runtime import caches
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import goods, people
from tests.support.http import call
from tools.bench.metering import measured

MER = "mer_" + "a" * 24


def draft() -> Draft:
    return Draft(
        titles={"zh": "红色连衣裙 夏季新款", "en": "Red summer dress"},
        category_id="dresses",
        options=("Size",),
        skus=(SkuDraft(("S",), Money(1990), weight_g=200), SkuDraft(("M",), Money(2190), weight_g=210)),
        description={"zh": "一件好看的红色连衣裙。"},
        pictures=("https://pictures.example/1.jpg", "https://pictures.example/2.jpg"),
    )


def test_what_a_merchant_writes(cloud: str) -> None:
    goods.categories()
    service.categories()
    with measured() as create:
        made, _ = service.create(MER, draft(), intent=system_intent("create"))
    assert create.figures == (1, 1 + 1, 0)  # The row, and the merchant's own list.
    with measured() as listing:
        service.move(MER, made.product_id, Cause.LIST, intent=system_intent("list"))
    assert listing.figures == (2, 2 + 9, 1)  # Eight sparse lists more; the product is read first, consistently.
    assert listing.index_units == 9
    with measured() as price:
        service.change(MER, made.product_id, Draft(skus=(SkuDraft(("S",), Money(1890)),)), revision=2)
    assert price.index_units == 1 + 4 + 4 * 2  # The card everywhere; four lists by price change their key.
    with measured() as text:
        service.change(MER, made.product_id, Draft(description={"zh": "更好看。"}), revision=3)
    assert text.figures == (2, 2, 1)


def test_what_stock_writes(cloud: str) -> None:
    one = goods.product(MER, skus=2, stock=0)
    sku_id = one.sku_id
    with measured() as receipt:
        inventory.receive(sku_id, 10, intent=system_intent("r"))
    assert receipt.figures == (2, 4, 1)
    with measured() as take, UnitOfWork() as work:
        inventory.take(work, {sku_id: 1}, buckets={})
    assert take.figures == (1, 1, 0)
    with measured() as two, UnitOfWork() as work:
        inventory.take(work, {sku_id: 1}, buckets={})
        inventory.put_back(work, {one.sku_ids[1]: 1}, buckets={})
    assert two.figures == (1, 4, 0)
    inventory.set_buckets(sku_id, 20)
    caches.forget_all()
    with measured() as hot, UnitOfWork() as work:
        inventory.take(work, {sku_id: 1}, buckets={sku_id: 20})
    assert hot.figures == (2, 1, 1)
    service.categories()
    with measured() as flag:
        service.refresh_sold_out(sku_id)
    assert flag.figures[0] == 4  # Row, level, write, and the level again.
    assert flag.index_units == 9  # The first SKU to come in stock turns the whole product's badge.
    with measured() as same:
        service.refresh_sold_out(sku_id)
    assert same.figures == (2, 0, 2)


def test_what_buyers_read(cloud: str) -> None:
    mer = people.merchant().merchant_id
    made = [goods.product(mer, skus=2, title=f"红色连衣裙 {number}") for number in range(20)]
    for one in made:
        search.reindex(one.product_id)
    caches.forget_all()
    call("GET", "/v1/products?limit=1")  # The cursor's key is read once a process.
    with measured() as listing:  # Whether the merchant is suspended was looked up a moment ago.
        assert len(call("GET", "/v1/products").json["items"]) == 20
    assert listing.figures == (1, 0, 1)
    with measured() as page:
        call("GET", f"/v1/products/{made[0].product_id}")
    assert page.figures == (1, 0, 0.5)
    merchants.forget()
    with measured() as first:  # Once in five seconds a process looks whether the merchant is suspended.
        call("GET", f"/v1/products/{made[0].product_id}")
    assert first.figures == (2, 0, 1)
    with measured() as found:
        assert len(call("GET", "/v1/search?q=连衣").json["items"]) == 20
    assert found.figures == (2, 0, 0.5 + 20 * 0.5)
    with measured() as quote:
        service.products([one.product_id for one in made[:10]])
    assert quote.figures == (1, 0, 5)


def test_what_publishing_a_changed_price_costs(cloud: str, noon: object) -> None:
    """What is owed, products and their merchants and the tree twice, owing and settling, whatever the lists are."""
    mer = people.merchant().merchant_id
    one = goods.product(mer)
    publishing.products_changed([one.product_id])
    service.change(mer, one.product_id, Draft(skus=(SkuDraft((), Money(1790)),)), revision=2)
    with measured() as price:
        publishing.products_changed([one.product_id])
    assert price.figures == (1 + 3 + 1 + 3 + 1, 1 + 1, 1 + 3 + 3)
    assert price.s3["PutObject"] == 1 + 1 + 4 * (1 + 1 + 1)  # Files and manifests; a page, places, manifest a list.
    with measured() as again:  # It is published already.
        publishing.products_changed([one.product_id])
    assert (*again.figures, *sorted(again.s3)) == (3, 0, 1 + 1 + 1, "GetObject")
    service.change(mer, one.product_id, Draft(description={"zh": "更好看。"}), revision=3)
    with measured() as text:  # No list shows it.
        publishing.products_changed([one.product_id])
    assert text.figures == (1 + 3 + 2, 0, 1 + 3 + 2)
    assert text.s3["PutObject"] == 1 + 1


def test_what_publishing_a_list_whole_costs(cloud: str) -> None:
    """Its row: marked, taken, ended; and one Query for all orders, whose units grow with its cards."""
    mer = people.merchant().merchant_id
    goods.product(mer)
    with measured() as marking:
        publishing_store.mark("all", ["*"])
    assert marking.figures == (2, 1, 1)
    with measured() as again:  # Is marked already.
        publishing_store.mark("all", ["*"])
    assert again.figures == (1, 0, 1)
    with measured() as first:
        publishing.advance("all", rest_s=0)
    assert first.figures == (2 + 1 + 1 + 2, 2, 1 + 0.5 + 1 + 1)
    with measured() as second:  # Once more, since an index may have been behind its table.
        publishing.advance("all", rest_s=0)
    assert second.figures == first.figures
