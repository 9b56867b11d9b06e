"""Titles as merchants write them: every word of both languages is found, or the title is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.catalog import domain, search_words, service
from chalicelib.catalog.domain import BadProduct, Draft, SkuDraft
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from tests.support import dump, goods
from tests.support import shop as shops
from tests.support.http import call
from tests.support.pump import UNPUBLISHED, Pump

ZH = "2026新款秋冬季韩版宽松显瘦中长款加厚羊毛呢子大衣女装双排扣西装领纯手工零羊绒外套高级感气质通勤百搭学院风小个子"
EN = "Handmade wool coat with lapel collar"


def found(text: str) -> list[str]:
    return [one["product_id"] for one in call("GET", f"/v1/search?q={text}").json["items"]]


def test_every_word_of_a_long_title_is_found_in_both_languages(cloud: str) -> None:
    shop = shops.shop()
    made = shop.product(title=ZH, title_en=EN)
    Pump(leaves=UNPUBLISHED).drain()

    asked = ["2026", *EN.split(), "wool%20coat", *(ZH[at : at + 2] for at in range(4, len(ZH) - 1)), *ZH[4:], "小个子"]
    assert {text for text in asked if found(text) != [made.product_id]} == set()


def test_a_title_of_the_longest_kind_is_found_to_its_last_character(cloud: str) -> None:
    shop = shops.shop()
    title = "".join(chr(0x4E00 + number) for number in range(180)) + "尾"
    made = shop.product(title=title, title_en="one two three last")
    Pump(leaves=UNPUBLISHED).drain()

    assert found(title[-2:]) == found("last") == found("尾") == [made.product_id]


def distinct(count: int) -> str:
    return "".join(chr(0x5000 + number) for number in range(count))


def test_a_title_of_too_many_words_is_refused_by_name(cloud: str) -> None:
    shop = shops.shop()
    goods.categories()
    body: dict[str, Any] = {
        "titles": {"zh": distinct(201)},
        "category_id": "tea",
        "skus": [{"price": {"minor": 990, "currency": "CNY"}}],
    }
    before = dump.tables()

    refused = shop.post("/v1/merchant/products", body)

    assert (refused.status, refused.json["rule"], refused.json["field"]) == (422, "too_many_words", "titles")
    assert dump.differences(before, dump.tables()) == []
    assert shop.post("/v1/merchant/products", {**body, "titles": {"zh": distinct(200)}}).status == 201


def product(**changes: Any) -> domain.Product:
    draft = Draft(
        titles={"zh": "茶杯", "en": "Cup"},
        category_id="tea",
        options=("Size",),
        skus=(SkuDraft(("S",), Money(990), picture="https://x.example/1.png"), SkuDraft(("M",), Money(1090))),
        description={"en": "<p>A cup</p>"},
        pictures=("https://x.example/0.png",),
        tags=("tea",),
    )
    return domain.create(draft, product_id="prd_" + "0" * 24, merchant_id="mer_1", handle="", at=clock.now(), **changes)


def test_a_product_of_earlier_days_with_a_longer_title_can_still_change_its_price() -> None:
    old = replace(product(), titles={"zh": distinct(240)})

    changed = domain.change(old, Draft(skus=(SkuDraft(("S",), Money(880)), SkuDraft(("M",), Money(1090)))))

    assert changed.revision == old.revision + 1
    assert len(search_words.tokens(changed.titles.values())) > search_words.TOKENS_OF_A_PRODUCT
    with pytest.raises(BadProduct):
        domain.change(old, Draft(titles={"zh": distinct(241)}))


@pytest.mark.parametrize(
    "draft",
    [
        Draft(),
        Draft(titles={"en": "Cup ", "zh": "茶杯"}),
        Draft(description={"en": "<p onclick=x>A cup</p>"}),
        Draft(options=("Size",), tags=("tea",), category_id="tea"),
        Draft(pictures=("https://x.example/0.png", "https://x.example/1.png")),
        Draft(skus=(SkuDraft(("S",), Money(990), picture="https://x.example/1.png"), SkuDraft(("M",), Money(1090)))),
    ],
)
def test_a_change_that_changes_nothing_is_none(draft: Draft) -> None:
    before = product()

    assert domain.change(before, draft) is before


def test_an_empty_product_is_still_refused() -> None:
    with pytest.raises(BadProduct):
        domain.create(Draft(), product_id="prd_1", merchant_id="mer_1", handle="", at=clock.now())


def test_a_patch_that_changes_nothing_writes_nothing_and_tells_nobody(cloud: str) -> None:
    shop = shops.shop()
    made = shop.product(title="茶杯", title_en="Cup")
    path = f"/v1/merchant/products/{made.product_id}"
    seen = shop.get(path)
    before = dump.tables()

    done = call(
        "PATCH", path, {"titles": seen.json["titles"]}, token=shop.token, headers={"if-match": seen.headers["etag"]}
    )

    assert (done.status, done.headers["etag"], done.json) == (200, seen.headers["etag"], seen.json)
    assert dump.differences(before, dump.tables()) == []
    changed = call(
        "PATCH", path, {"titles": {"en": "Mug"}}, token=shop.token, headers={"if-match": seen.headers["etag"]}
    )
    assert (changed.status, changed.headers["etag"] != seen.headers["etag"]) == (200, True)


def test_the_same_tree_again_is_the_same_version(cloud: str) -> None:
    goods.categories()
    tree = service.categories()

    assert service.set_categories(tree.categories, version=tree.version).version == tree.version
