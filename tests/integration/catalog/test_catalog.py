from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.catalog import domain, search, search_store, service, store
from chalicelib.catalog.domain import Cause, Draft
from chalicelib.inventory import service as inventory
from chalicelib.inventory.service import Level
from chalicelib.kernel.errors import AlreadyExists, IdempotencyKeyReused
from chalicelib.kernel.pages import Window
from chalicelib.runtime import aws, caches, cursors
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from tests.support import goods, people
from tests.support.http import call
from tests.support.pump import UNPUBLISHED, Pump

MER, RIVAL = "mer_" + "a" * 24, "mer_" + "b" * 24
NOTHING_ORDERED = {"ordered": 0, "held": 0, "sold": 0}
DRESS = {
    "titles": {"zh": "红色连衣裙", "en": "Red dress"},
    "category_id": "dresses",
    "options": ["Size", "Color"],
    "skus": [
        {"options": ["S", "Red"], "price": {"minor": 1990}, "compare_at": {"minor": 2990}, "weight_g": 200},
        {"options": ["M", "Red"], "price": {"minor": 2190}, "picture": "https://p.example/m.jpg", "code": "D-M"},
    ],
    "description": {"zh": "<p onclick='x()'>好看<script>x</script></p>"},
    "specifications": [{"name": "材质", "value": "棉"}],
    "pictures": ["https://p.example/1.jpg"],
    "vendor": "Acme",
    "tags": ["summer"],
}


@contextmanager
def counted() -> Iterator[Counter[str]]:
    calls: Counter[str] = Counter()

    def hook(name: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        calls[f"{name}.{operation}"] += 1
        return proceed()

    with aws.hooked(hook):
        yield calls


@pytest.fixture
def token(cloud: str) -> str:
    goods.categories()
    return people.staff(MER).token


def create(token: str, body: dict[str, Any] | None = None, **options: Any) -> Any:
    return call("POST", "/v1/merchant/products", body or DRESS, token=token, **options)


def test_from_draft_to_product_page(token: str) -> None:
    made = create(token)
    assert made.status == 201
    product_id = made.json["product_id"]
    assert made.json["status"] == "draft"
    assert made.json["handle"] == product_id
    assert made.headers["etag"] == '"1"'
    assert made.json["description"] == {"zh": "<p>好看</p>"}
    assert made.json["pictures"] == ["https://p.example/1.jpg", "https://p.example/m.jpg"]
    assert call("GET", f"/v1/products/{product_id}").status == 404

    sku_id = made.json["skus"][0]["sku_id"]
    assert sku_id == f"sku_{product_id[4:]}_01"
    path = f"/v1/merchant/products/{product_id}"
    received = call("POST", f"{path}/stock/receipts", {"lines": [{"sku_id": sku_id, "quantity": 5}]}, token=token)
    assert received.json["items"] == [
        {"sku_id": sku_id, "available": 5, **NOTHING_ORDERED, "received": 5, "written_off": 0, "buckets": 1}
    ]
    listed = call("POST", f"{path}/list", token=token)
    assert (listed.status, listed.json["status"], listed.json["version"]) == (200, "listed", 2)
    Pump(leaves=UNPUBLISHED).drain()

    page = call("GET", f"/v1/products/{product_id}")
    assert page.status == 200
    assert page.headers["cache-control"] == "public, max-age=5, s-maxage=9, stale-while-revalidate=30"
    assert [sku["sold_out"] for sku in page.json["skus"]] == [False, True]
    assert page.json["price_from"] == {"minor": 1990, "currency": "CNY"}
    assert page.json["price_to"] == {"minor": 2190, "currency": "CNY"}
    assert page.json["sold_out"] is False
    assert "stock_buckets" not in page.body
    assert "D-M" not in page.body
    again = call("GET", f"/v1/products/{product_id}", headers={"if-none-match": page.headers["etag"]})
    assert (again.status, again.body) == (304, "")


@pytest.mark.parametrize("long", [False, True])
def test_a_product_page_is_one_query_and_its_merchants_standing_whatever_its_length(token: str, long: bool) -> None:
    description = {"zh": "很长的描述" * 1000} if long else {"zh": "短"}
    product_id = create(token, {**DRESS, "description": description}).json["product_id"]
    call("POST", f"/v1/merchant/products/{product_id}/list", token=token)

    with counted() as calls:
        page = call("GET", f"/v1/products/{product_id}")
    assert page.json["description"] == description
    assert calls == {"dynamodb.Query": 1, "dynamodb.BatchGetItem": 1}
    with counted() as calls:
        found = service.products([product_id])[product_id]
    assert calls == {"dynamodb.BatchGetItem": 1}
    assert found.has_body is not long


def test_a_text_may_grow_out_of_its_row_and_shrink_back(token: str) -> None:
    product_id = create(token).json["product_id"]
    for version, text in enumerate(["长" * 2000, "长" * 3000, "短", "长" * 4000], start=1):
        changed = call(
            "PATCH",
            f"/v1/merchant/products/{product_id}",
            {"description": {"zh": text}},
            token=token,
            headers={"if-match": f'"{version}"'},
        )
        assert changed.json["version"] == version + 1
        assert call("GET", f"/v1/merchant/products/{product_id}", token=token).json["description"] == {"zh": text}
    created_long = create(token, {**DRESS, "description": {"zh": "长" * 2000}}, key="long-key-1")
    assert create(token, {**DRESS, "description": {"zh": "长" * 2000}}, key="long-key-1").json == created_long.json


def test_a_repeated_create_answers_the_same_and_another_body_is_refused(token: str) -> None:
    first = create(token, key="create-key-1")
    again = create(token, key="create-key-1")
    assert again.json == first.json
    assert again.headers["idempotency-replayed"] == "true"
    other = create(token, {**DRESS, "vendor": "Other"}, key="create-key-1")
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


def test_a_handle_belongs_to_one_product(token: str) -> None:
    first = create(token, {**DRESS, "handle": "red-dress"}, key="create-key-1")
    assert create(token, {**DRESS, "handle": "red-dress"}, key="create-key-1").json == first.json
    taken = create(token, {**DRESS, "handle": "red-dress"})
    assert (taken.status, taken.json["code"]) == (409, "handle_taken")
    assert len(call("GET", "/v1/merchant/products", token=token).json["items"]) == 1
    assert create(people.staff(RIVAL).token, {**DRESS, "handle": "red-dress"}).status == 201


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"titles": {}}, "title_missing"),
        ({"category_id": "nowhere"}, "unknown_category"),
        ({"options": ["Size", "Size"]}, "bad_options"),
        ({"options": ["Size"]}, "option_values"),
        ({"skus": [DRESS["skus"][0], DRESS["skus"][0]]}, "sku_repeated"),  # type: ignore[index]
        ({"skus": [{"options": ["S", "Red"], "price": {"minor": 0}}]}, "bad_price"),
        (
            {"skus": [{"options": ["S", "Red"], "price": {"minor": 1}, "compare_at": {"minor": 2, "currency": "USD"}}]},
            "currencies",
        ),
        ({"description": {"zh": "长" * 25_000}}, "description_too_long"),
    ],
)
def test_a_product_that_breaks_a_rule_is_refused_and_leaves_no_trace(token: str, change: Any, rule: str) -> None:
    refused = create(token, {**DRESS, **change})

    assert (refused.status, refused.json["code"], refused.json["rule"]) == (422, "bad_product", rule)
    assert call("GET", "/v1/merchant/products", token=token).json == {"items": []}


@pytest.mark.parametrize(
    "change",
    [
        {"price": 1},
        {"skus": [{"options": [], "price": {"minor": 19.9}}]},
        {"skus": []},
        {"skus": [{"options": ["S"] * 4, "price": {"minor": 1}}]},
        {"pictures": ["javascript:alert(1)"]},
        {"pictures": ["//evil.example/x.jpg"]},
        {"kind": "weapon"},
        {"titles": {"fr": "Robe"}},
    ],
)
def test_bad_input_is_a_clear_problem(token: str, change: Any) -> None:
    refused = create(token, {**DRESS, **change})
    assert (refused.status, refused.json["code"]) == (422, "invalid_request")
    assert refused.json["errors"]


def test_a_change_needs_the_version_that_was_read(token: str) -> None:
    product_id = create(token).json["product_id"]
    path = f"/v1/merchant/products/{product_id}"
    change = {"titles": {"zh": "蓝色连衣裙"}}

    assert call("PATCH", path, change, token=token).json["code"] == "if_match_missing"
    first = call("PATCH", path, change, token=token, headers={"if-match": '"1"'})
    assert (first.json["titles"], first.headers["etag"]) == ({"zh": "蓝色连衣裙"}, '"2"')
    late = call("PATCH", path, {"vendor": "Late"}, token=token, headers={"if-match": '"1"'})
    assert (late.status, late.json["code"], late.json["version"]) == (412, "product_changed", 2)
    assert call("GET", path, token=token).json["vendor"] == "Acme"
    renamed = call("PATCH", path, {"vendor": "New"}, token=token, headers={"if-match": "2"}).json
    assert (renamed["vendor"], renamed["tags"]) == ("New", ["summer"])


def test_a_rival_change_between_read_and_write_is_not_overwritten(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    product_id = create(token).json["product_id"]
    change, rivals = domain.change, [1]

    def raced(product: Any, draft: Any) -> Any:
        if rivals:
            rivals.pop()
            service.change(MER, product_id, Draft(titles={"zh": "对手"}), revision=1)
        return change(product, draft)

    monkeypatch.setattr(domain, "change", raced)
    with pytest.raises(domain.ProductChanged):
        service.change(MER, product_id, Draft(titles={"zh": "我"}), revision=1)
    assert service.own(MER, product_id).titles == {"zh": "对手"}


def test_a_sold_out_flag_between_read_and_write_is_no_conflict_for_the_merchant(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = goods.product(MER, stock=0)
    inventory.receive(made.sku_id, 3, intent=system_intent("later"))
    change, rivals = domain.change, [1]

    def raced(product: Any, draft: Any) -> Any:
        if rivals:
            rivals.pop()
            service.refresh_sold_out(made.sku_id)
        return change(product, draft)

    monkeypatch.setattr(domain, "change", raced)
    changed = service.change(MER, made.product_id, Draft(titles={"zh": "新名"}), revision=2)
    assert changed.titles == {"zh": "新名"}
    found = service.own(MER, made.product_id)
    assert (found.titles, found.skus[0].sold_out) == ({"zh": "新名"}, False)


def test_skus_keep_their_ids_and_numbers_are_never_reused(token: str) -> None:
    made = create(token).json
    first, second = made["skus"][0]["sku_id"], made["skus"][1]["sku_id"]
    path = f"/v1/merchant/products/{made['product_id']}"
    skus = [
        {"options": ["L", "Red"], "price": {"minor": 2390}},
        {"options": ["S", "Scarlet"], "price": {"minor": 1990}, "sku_id": first},
    ]
    changed = call("PATCH", path, {"skus": skus}, token=token, headers={"if-match": "1"}).json
    assert [sku["sku_id"] for sku in changed["skus"]] == [second[:-2] + "03", first]
    again = call("PATCH", path, {"skus": DRESS["skus"]}, token=token, headers={"if-match": "2"}).json
    assert [sku["sku_id"][-2:] for sku in again["skus"]] == ["04", "05"]
    foreign = {"options": ["S", "Red"], "price": {"minor": 1}, "sku_id": second}
    refused = call("PATCH", path, {"skus": [foreign]}, token=token, headers={"if-match": "3"})
    assert refused.json["rule"] == "unknown_sku"


def test_listing_and_unlisting_by_the_table_once_for_each_key(token: str) -> None:
    product_id = create(token).json["product_id"]
    path = f"/v1/merchant/products/{product_id}"
    assert call("POST", f"{path}/unlist", token=token).json["code"] == "illegal_transition"
    assert call("POST", f"{path}/list", token=token, key="list-key-1").json["status"] == "listed"
    assert call("POST", f"{path}/list", token=token).json["code"] == "illegal_transition"
    assert call("POST", f"{path}/unlist", token=token).json["status"] == "unlisted"
    assert call("POST", f"{path}/list", token=token, key="list-key-1").json["status"] == "unlisted"
    with pytest.raises(IdempotencyKeyReused):
        intent = system_intent("x")
        service.move(MER, product_id, Cause.LIST, intent=intent)
        from dataclasses import replace

        service.move(MER, product_id, Cause.UNLIST, intent=replace(intent, fingerprint="other"))


def test_nobody_reaches_a_foreign_product(token: str) -> None:
    product_id = create(token).json["product_id"]
    sku_id = f"sku_{product_id[4:]}_01"
    rival = people.staff(RIVAL).token
    path = f"/v1/merchant/products/{product_id}"
    lines = {"lines": [{"sku_id": sku_id, "quantity": 5}]}
    for method, address, body in (
        ("GET", path, None),
        ("PATCH", path, {"vendor": "x"}),
        ("POST", f"{path}/list", None),
        ("POST", f"{path}/unlist", None),
        ("GET", f"{path}/stock", None),
        ("POST", f"{path}/stock/receipts", lines),
        ("POST", f"{path}/stock/write-offs", lines),
        ("GET", f"{path}/stock/{sku_id}/movements", None),
        ("PUT", f"{path}/stock/{sku_id}/buckets", {"buckets": 2}),
    ):
        foreign = call(method, address, body, token=rival, headers={"if-match": "1"})
        missing = call(
            method, address.replace(product_id, "prd_" + "0" * 24), body, token=rival, headers={"if-match": "1"}
        )
        assert foreign.status == missing.status == 404, address
        assert {**foreign.json, "request_id": ""} == {**missing.json, "request_id": ""}
        assert call(method, address, body, headers={"if-match": "1"}).status == 401
        assert call(method, address, body, token=people.buyer().token, headers={"if-match": "1"}).status == 403
    assert inventory.level(sku_id) == Level()
    other = create(token, {**DRESS, "handle": "other"}).json["product_id"]
    wrong = call("POST", f"/v1/merchant/products/{other}/stock/receipts", lines, token=token)
    assert wrong.status == 404


def test_stock_by_the_merchants_hand(token: str) -> None:
    made = create(token).json
    path = f"/v1/merchant/products/{made['product_id']}/stock"
    first, second = (sku["sku_id"] for sku in made["skus"])
    both = {"lines": [{"sku_id": first, "quantity": 5}, {"sku_id": second, "quantity": 7}], "reason": "delivery"}
    for _ in range(2):
        assert call("POST", f"{path}/receipts", both, token=token, key="receipt-1").status == 200
    too_many = {"lines": [{"sku_id": first, "quantity": 1}, {"sku_id": second, "quantity": 8}]}
    refused = call("POST", f"{path}/write-offs", too_many, token=token)
    assert (refused.status, refused.json["code"], refused.json["available"]) == (409, "not_enough_to_write_off", 7)
    call("POST", f"{path}/write-offs", {"lines": [{"sku_id": first, "quantity": 2}]}, token=token)
    hot = call("PUT", f"{path}/{first}/buckets", {"buckets": 3}, token=token)
    assert hot.json == {
        "sku_id": first,
        "available": 3,
        **NOTHING_ORDERED,
        "received": 5,
        "written_off": 2,
        "buckets": 3,
    }
    assert call("GET", path, token=token).json["items"] == [
        {"sku_id": first, "available": 3, **NOTHING_ORDERED, "received": 5, "written_off": 2, "buckets": 3},
        {"sku_id": second, "available": 7, **NOTHING_ORDERED, "received": 7, "written_off": 0, "buckets": 1},
    ]
    assert service.products([made["product_id"]])[made["product_id"]].sku(first).stock_buckets == 3  # type: ignore[union-attr]
    moved = call("GET", f"{path}/{first}/movements?limit=1", token=token).json
    more = call("GET", f"{path}/{first}/movements?limit=5&cursor={moved['next_cursor']}", token=token).json
    assert sorted((one["kind"], one["quantity"]) for one in moved["items"] + more["items"]) == [
        ("receive", 5),
        ("write_off", 2),
    ]
    bound = f"movements {MER} {first}"
    of_before = cursors.seal(cursors.unseal(moved["next_cursor"], query=bound)["at"], query=bound)
    assert call("GET", f"{path}/{first}/movements?limit=5&cursor={of_before}", token=token).json == more
    twice = {"lines": [{"sku_id": first, "quantity": 5}, {"sku_id": first, "quantity": 7}]}
    assert call("POST", f"{path}/receipts", twice, token=token).status == 422
    assert call("PUT", f"{path}/{first}/buckets", {"buckets": 21}, token=token).status == 422


def ids(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return [item["product_id"] for item in answer.json["items"]]


def test_lists_by_category_merchant_and_order_are_one_query(cloud: str, noon: Any) -> None:
    from datetime import timedelta

    mine, rivals = people.merchant().merchant_id, people.merchant().merchant_id
    made = []
    for number, (merchant, category, price) in enumerate(
        [(mine, "dresses", 300), (mine, "shirts", 100), (rivals, "dresses", 200), (rivals, "tea", 300)]
    ):
        made.append(goods.product(merchant, category_id=category, price_minor=price, title=f"商品{number}").product_id)
        noon.advance(timedelta(seconds=1))
    goods.product(mine, listed=False)
    a, b, c, d = made
    service.categories()
    call("GET", "/v1/products?limit=50")  # Which merchants are suspended is remembered for some seconds.
    for query, expected in {
        "": [d, c, b, a],
        "?sort=price_asc": [b, c, d, a],
        "?sort=price_desc": [a, d, c, b],
        "?category=clothing": [c, b, a],
        "?category=clothing&sort=price_asc": [b, c, a],
        "?category=dresses": [c, a],
        "?category=tea&sort=price_desc": [d],
        "?category=nowhere": [],
        f"?merchant={mine}": [b, a],
        f"?merchant={rivals}&sort=price_asc": [c, d],
        f"?merchant={mine}&category=clothing&sort=price_asc": [b, a],
        f"?merchant={mine}&category=dresses": [a],
    }.items():
        with counted() as calls:
            answer = call("GET", f"/v1/products{query}")
        assert ids(answer) == expected, query
        assert calls["dynamodb.Query"] == 1
        assert calls.total() - calls["secretsmanager.GetSecretValue"] == 1

    first = call("GET", "/v1/products?sort=price_asc&limit=2")
    card = first.json["items"][0]
    assert card == {
        "product_id": b,
        "merchant_id": mine,
        "category_id": "shirts",
        "kind": "physical",
        "titles": {"zh": "商品1", "en": card["titles"]["en"]},
        "price_from": {"minor": 100, "currency": "CNY"},
        "price_to": {"minor": 100, "currency": "CNY"},
        "picture": card["picture"],
        "sold_out": False,
    }
    cursor = first.json["next_cursor"]
    goods.product(mine, price_minor=1)  # Something new before the cursor does not shift the rest.
    assert ids(call("GET", f"/v1/products?sort=price_asc&limit=2&cursor={cursor}")) == [d, a]
    wrong = call("GET", f"/v1/products?sort=price_desc&limit=2&cursor={cursor}")
    assert (wrong.status, wrong.json["code"]) == (422, "bad_cursor")
    assert call("GET", "/v1/products?sort=name").status == 422
    assert call("GET", "/v1/products?page=2").status == 422
    assert call("GET", "/v1/products/" + "x" * 3000).status == 404


def test_a_merchant_and_category_page_may_be_short_but_goes_on(cloud: str) -> None:
    for _ in range(3):
        goods.product(MER, category_id="shirts")
    wanted = goods.product(MER, category_id="tea").product_id
    for _ in range(3):
        goods.product(MER, category_id="shirts")
    found: list[str] = []
    cursor = ""
    for _ in range(10):
        page = call("GET", f"/v1/products?merchant={MER}&category=tea&limit=1{cursor}")
        found += ids(page)
        if "next_cursor" not in page.json:
            break
        cursor = f"&cursor={page.json['next_cursor']}"
    assert found == [wanted]


def test_an_unlisted_product_disappears_everywhere_but_carts_can_still_tell(cloud: str) -> None:
    made = goods.product(MER, title="红色连衣裙")
    pump = Pump(leaves=UNPUBLISHED)
    pump.drain()
    assert ids(call("GET", "/v1/search?q=连衣裙")) == [made.product_id]
    service.move(MER, made.product_id, Cause.UNLIST, intent=system_intent("unlist"))

    assert call("GET", f"/v1/products/{made.product_id}").status == 404
    assert ids(call("GET", "/v1/products")) == []
    assert ids(call("GET", "/v1/search?q=连衣裙")) == []  # At once, before the index hears of it.
    pump.drain()
    assert ids(call("GET", "/v1/search?q=连衣裙")) == []
    assert search_store.places("连衣", upto=None, including=False, limit=10) == ([], False)
    assert service.products([made.product_id])[made.product_id].status is domain.Status.UNLISTED
    assert service.product_of(made.sku_id) == made.product_id


def test_list_pages_are_remembered_for_a_second(cloud: str, noon: Any) -> None:
    from datetime import timedelta

    made = goods.product(MER)
    assert ids(call("GET", "/v1/products")) == [made.product_id]
    with counted() as calls:
        assert ids(call("GET", "/v1/products")) == [made.product_id]
    assert calls == {}
    other = service._pages.copy()
    service.move(MER, made.product_id, Cause.UNLIST, intent=system_intent("u"))
    assert ids(call("GET", "/v1/products")) == []  # A change of this process is seen at once,
    service._pages.clear()
    service._pages.update(other)
    assert ids(call("GET", "/v1/products")) == [made.product_id]
    noon.advance(timedelta(seconds=1))
    assert ids(call("GET", "/v1/products")) == []  # that of another one a second later.


def test_own_list_shows_every_status(token: str) -> None:
    draft = create(token).json["product_id"]
    listed = goods.product(MER).product_id
    goods.product(RIVAL)
    items = call("GET", "/v1/merchant/products", token=token).json["items"]
    assert [(item["product_id"], item["status"]) for item in items] == [(listed, "listed"), (draft, "draft")]


def test_categories_are_a_tree_of_two_levels_with_ids_for_good(cloud: str) -> None:
    operator = people.operator().token
    path = "/v1/operator/categories"

    def put(version: int, *nodes: tuple[str, str | None]) -> Any:
        categories = [
            {"category_id": node, "names": {"en": node}, **({"parent_id": parent} if parent else {})}
            for node, parent in nodes
        ]
        return call("PUT", path, {"version": version, "categories": categories}, token=operator)

    assert put(0, ("clothing", None), ("dresses", "clothing")).json["version"] == 1
    assert put(0, ("tea", None)).json["code"] == "product_changed"
    assert call("GET", "/v1/categories").json["categories"][1] == {
        "category_id": "dresses",
        "parent_id": "clothing",
        "names": {"en": "dresses"},
    }
    for nodes, rule in (
        ([("a1", "missing")], "unknown_parent"),
        ([("clothing", None), ("dresses", "clothing"), ("mini", "dresses")], "two_levels"),
        ([("clothing", None), ("dresses", None)], "moved"),
        ([("tea", None), ("tea", None)], "repeated"),
    ):
        refused = put(1, *nodes)
        assert (refused.status, refused.json["rule"]) == (422, rule)
    goods.product(MER, category_id="dresses")
    in_use = put(1, ("clothing", None))
    assert (in_use.status, in_use.json["category_id"]) == (409, "dresses")
    assert call("PUT", path, {"version": 1, "categories": []}, token=people.staff(MER).token).status == 403
    assert len(call("GET", "/v1/categories").json["categories"]) == 2


def test_search_finds_every_word_in_either_language(cloud: str) -> None:
    red = goods.product(MER, title="红色连衣裙", title_en="Red Dress 2026").product_id
    blue = goods.product(MER, title="蓝色连衣裙", title_en="Blue Dress").product_id
    tea = goods.product(RIVAL, title="红茶", title_en="Black tea", category_id="tea").product_id
    Pump(duplicate=2, leaves=UNPUBLISHED).drain()

    for query, expected in {
        "连衣裙": [blue, red],
        "裙": [blue, red],
        "红": [tea, red],
        "dress": [blue, red],
        "DRESS 红色": [red],
        "2026": [red],
        "red tea": [],
        "衣连": [],
        "没有": [],
    }.items():
        assert ids(call("GET", f"/v1/search?q={query}")) == expected, query
    with counted() as calls:
        call("GET", "/v1/search?q=dress")
    assert calls == {"dynamodb.Query": 1, "dynamodb.BatchGetItem": 2}, "products, and whether merchants are suspended"
    assert call("GET", "/v1/search?q=!!").json["code"] == "nothing_to_search"
    assert call("GET", "/v1/search").status == 422
    service.change(MER, red, Draft(titles={"zh": "绿色长裤"}), revision=2)
    Pump(leaves=UNPUBLISHED).drain()
    assert ids(call("GET", "/v1/search?q=绿色")) == [red]
    assert ids(call("GET", "/v1/search?q=连衣裙")) == [blue]


def test_search_pages_through_a_rare_intersection_with_bounded_queries(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = [f"{number:013d}#prd_{number:024d}" for number in range(100, 160)]
    for at, place in enumerate(common):
        words = ["aa"] * (at % 2 == 0 or at in (7, 33)) + ["bb"] * (at % 2 == 1)
        search_store.change_postings(place, put=words, delete=[])
    monkeypatch.setattr(search, "QUERIES", 4)
    monkeypatch.setattr(search, "_PAGE", 3)
    found: list[str] = []
    after: str | None = None
    for _ in range(60):
        with counted() as calls:
            places, after = search._intersect(("aa", "bb"), after, 5)
        assert calls.total() <= 4
        found += places
        if after is None:
            break
    assert found == [common[33], common[7]]


def test_the_index_converges_when_two_consumers_cross(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = goods.product(MER, title="红色", title_en="x")
    search.reindex(made.product_id)
    change, rivals = search_store.change_postings, [1]

    def raced(place: str, **options: Any) -> None:
        if rivals:
            rivals.pop()
            service.change(MER, made.product_id, Draft(titles={"zh": "红色绿色"}), revision=2)
            search.reindex(made.product_id)
        change(place, **options)

    monkeypatch.setattr(search_store, "change_postings", raced)
    search.reindex(made.product_id)
    assert search_store.places("绿色", upto=None, including=False, limit=5)[0]
    assert search_store.places("红色", upto=None, including=False, limit=5)[0]
    assert not search_store.places("x", upto=None, including=False, limit=5)[0]


def test_sold_out_flags_follow_the_stock_whatever_the_order(cloud: str) -> None:
    made = goods.product(MER, stock=1, skus=2)
    pump = Pump(duplicate=2, leaves=UNPUBLISHED)
    pump.drain()

    def flags() -> list[bool]:
        return [sku["sold_out"] for sku in call("GET", f"/v1/products/{made.product_id}").json["skus"]]

    assert flags() == [False, False]
    with UnitOfWork() as work:
        inventory.take(work, {made.sku_id: 1}, buckets={})
    pump.drain()
    assert flags() == [True, False]
    assert call("GET", "/v1/products").json["items"][0]["sold_out"] is False
    with UnitOfWork() as work:
        inventory.take(work, {made.sku_ids[1]: 1}, buckets={})
    pump.drain()
    assert call("GET", "/v1/products").json["items"][0]["sold_out"] is True
    with UnitOfWork() as work:
        inventory.put_back(work, {made.sku_id: 1}, buckets={})
    pump.drain()
    assert flags() == [False, True]
    assert pump.dead("catalog") == []


def test_one_empty_bucket_is_not_a_sold_out_sku(cloud: str) -> None:
    made = goods.product(MER, stock=4, buckets=2)
    pump = Pump(leaves=UNPUBLISHED)
    pump.drain()
    with UnitOfWork() as work:
        inventory.take(work, {made.sku_id: 2}, buckets={made.sku_id: 2})
    pump.drain()
    assert any("stock.depleted" in line for line in pump.log)
    assert service.read(made.product_id).skus[0].sold_out is False


def test_an_older_look_at_the_stock_does_not_leave_its_flag(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = goods.product(MER, stock=1)
    with UnitOfWork() as work:
        inventory.take(work, {made.sku_id: 1}, buckets={})
    flag, rivals = domain.with_sold_out, [1]

    def raced(product: Any, sku_id: str, *, sold_out: bool) -> Any:
        if rivals:
            rivals.pop()
            with UnitOfWork() as work:  # The stock comes back, and its consumer finds nothing to change.
                inventory.put_back(work, {made.sku_id: 1}, buckets={})
            service.refresh_sold_out(made.sku_id)
        return flag(product, sku_id, sold_out=sold_out)

    monkeypatch.setattr(domain, "with_sold_out", raced)
    service.refresh_sold_out(made.sku_id)
    assert service.read(made.product_id).skus[0].sold_out is False


def test_concurrent_creates_with_one_handle_leave_one(token: str) -> None:
    answers: list[int] = []

    def run(number: int) -> None:
        answers.append(create(token, {**DRESS, "handle": "same"}, key=f"same-key-{number}").status)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 409, 409, 409]


def test_a_stale_tree_does_not_file_a_product_under_the_wrong_top(cloud: str) -> None:
    goods.categories()
    service.categories()
    tree = store.tree(consistent=True)
    service_tree = (*tree.categories, domain.Category("socks", {"en": "Socks"}, parent_id="clothing"))
    store.save_tree(domain.Tree(service_tree, tree.version))  # By another process.
    made = goods.product(MER, category_id="socks")
    caches.forget_all()
    found = service.browse(Window(5), category_id="clothing", merchant_id=None, sort="newest")
    assert [entry.product_id for entry in found.items] == [made.product_id]


def test_creating_a_product_costs_one_write(token: str) -> None:
    with counted() as calls:
        service.create(MER, Draft(titles={"en": "x"}, category_id="tea", skus=goods_skus()), intent=system_intent("1"))
    assert {name: count for name, count in calls.items() if "Get" not in name} == {"dynamodb.PutItem": 1}
    with pytest.raises(AlreadyExists):
        service.insert(service.own(MER, system_intent("1").record_id("prd")).__class__(**_fresh(MER)))


def goods_skus() -> Any:
    from chalicelib.catalog.domain import SkuDraft
    from chalicelib.kernel.money import Money

    return (SkuDraft((), Money(100)),)


def _fresh(merchant_id: str) -> dict[str, Any]:
    from dataclasses import fields

    found = service.own(merchant_id, system_intent("1").record_id("prd"))
    return {one.name: getattr(found, one.name) for one in fields(found)} | {"version": 0}
