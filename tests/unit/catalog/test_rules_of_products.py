"""Every rule of a product at its limit and one beyond it, and what a change leaves as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.catalog import domain
from chalicelib.catalog.domain import BadProduct, Category, Draft, Product, SkuDraft, Tree
from chalicelib.catalog.search_words import TOKENS_OF_A_PRODUCT
from chalicelib.kernel.money import Money

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def sku(*options: str, minor: int = 100, **more: Any) -> SkuDraft:
    return SkuDraft(**{"options": options, "price": Money(minor), **more})


def draft(**wanted: Any) -> Draft:
    plain = {"titles": {"en": "Tea"}, "skus": (sku(),), "category_id": "cat_1", "options": ()}
    return Draft(**{**plain, **wanted})


def made(**wanted: Any) -> Product:
    return domain.create(draft(**wanted), product_id="prd_abc", merchant_id="mer_1", handle="tea", at=NOON)


def refusal(call: Any, *given: Any, **wanted: Any) -> str:
    with pytest.raises(BadProduct) as refused:
        call(*given, **wanted)
    return str(refused.value.params["rule"])


def test_a_new_product_is_in_its_first_revision_and_each_change_counts_one() -> None:
    product = made()
    assert product.revision == 1
    changed = domain.change(product, Draft(titles={"en": "Green tea"}))
    assert changed.revision == 2
    assert domain.change(changed, Draft(titles={"en": " Green tea "})) is changed


def test_what_a_change_does_not_name_stays() -> None:
    product = made(specifications=(("Origin", "Hangzhou"),), vendor="Tea House", type="Green", tags=("new",))
    changed = domain.change(product, Draft(titles={"en": "Green tea"}))
    assert (changed.specifications, changed.labels) == (product.specifications, product.labels)
    changed = domain.change(product, Draft(vendor="Other", type="Black", tags=(), specifications=()))
    assert (changed.labels.vendor, changed.labels.type, changed.labels.tags) == ("Other", "Black", ())
    assert (changed.specifications, changed.titles) == ((), product.titles)


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        ({"titles": {"en": " "}}, "title_missing"),
        ({"skus": ()}, "skus_missing"),
        ({"options": ("A", "B", "C", "D"), "skus": (sku("1", "2", "3", "4"),)}, "bad_options"),
        ({"options": ("A", "A"), "skus": (sku("1", "2"),)}, "bad_options"),
        ({"options": (" ",), "skus": (sku("1"),)}, "bad_options"),
        ({"options": ("A",), "skus": (sku(),)}, "option_values"),
        ({"options": ("A",), "skus": (sku(" "),)}, "option_values"),
        ({"options": ("A",), "skus": (sku("1"), sku("1 "))}, "sku_repeated"),
        ({"skus": (sku(minor=0),)}, "bad_price"),
        ({"skus": (sku(minor=domain.MAX_PRICE_MINOR + 1),)}, "bad_price"),
        ({"skus": (sku(compare_at=Money(-1)),)}, "bad_price"),
        ({"skus": (sku(compare_at=Money(domain.MAX_PRICE_MINOR + 1)),)}, "bad_price"),
        ({"skus": (sku(compare_at=Money(1, "USD")),)}, "currencies"),
        ({"pictures": tuple(f"p{n}" for n in range(domain.MAX_PICTURES + 1))}, "too_many_pictures"),
        ({"tags": ("x" * domain.TAGS_CAP, "y")}, "tags_too_long"),
        ({"tags": ("茶" * (domain.TAGS_CAP // 3), "yy")}, "tags_too_long"),
        ({"description": {"en": "x" * (domain.DESCRIPTION_CAP + 1)}}, "description_too_long"),
        ({"description": {"en": "<b></b>" * (domain.MARKUP_CAP // 7 + 1)}}, "description_too_long"),
        ({"skus": (sku(sku_id="sku_other_01"),)}, "unknown_sku"),
        ({"titles": {"en": " ".join(f"w{n}" for n in range(TOKENS_OF_A_PRODUCT + 1))}}, "too_many_words"),
        ({"options": ("A",), "skus": tuple(sku(str(n)) for n in range(domain.MAX_SKUS + 1))}, "too_many_skus"),
    ],
)
def test_each_rule_refuses_what_breaks_it(wanted: dict[str, Any], rule: str) -> None:
    assert refusal(made, **wanted) == rule


@pytest.mark.parametrize(
    "wanted",
    [
        {"options": ("A", "B", "C"), "skus": (sku("1", "2", "3"), sku("1", "2", "4"))},
        {"skus": (sku(minor=1, compare_at=Money(0)),)},
        {"skus": (sku(minor=domain.MAX_PRICE_MINOR, compare_at=Money(domain.MAX_PRICE_MINOR)),)},
        {"pictures": tuple(f"p{n}" for n in range(domain.MAX_PICTURES))},
        {"tags": ("x" * (domain.TAGS_CAP - 1), "y")},
        {"description": {"en": "x" * domain.DESCRIPTION_CAP}},
        {"titles": {"en": " ".join(f"w{n}" for n in range(TOKENS_OF_A_PRODUCT))}},
        {"options": ("A",), "skus": tuple(sku(str(n)) for n in range(domain.MAX_SKUS))},
    ],
)
def test_what_is_just_within_every_limit_is_taken(wanted: dict[str, Any]) -> None:
    assert made(**wanted).revision == 1


def test_one_product_has_each_of_its_skus_once() -> None:
    product = made(options=("A",), skus=(sku("1"), sku("2")))
    assert [one.sku_id for one in product.skus] == ["sku_abc_01", "sku_abc_02"]
    first = product.skus[0].sku_id
    twice = Draft(skus=(sku("1", sku_id=first), sku("3", sku_id=first)))
    assert refusal(domain.change, product, twice) == "sku_repeated"
    renamed = domain.change(product, Draft(skus=(sku("9", sku_id=first), sku("4"))))
    assert [(one.sku_id, one.options) for one in renamed.skus] == [(first, ("9",)), ("sku_abc_03", ("4",))]


def test_other_options_need_their_skus_unless_only_a_name_changes() -> None:
    product = made(options=("Size",), skus=(sku("S"),))
    assert domain.change(product, Draft(options=("Grösse",))).options == ("Grösse",)
    assert refusal(domain.change, product, Draft(options=("Size", "Colour"))) == "skus_missing"
    assert refusal(domain.change, product, Draft(options=())) == "skus_missing"
    assert domain.change(product, Draft(options=(" Size ",))) is product


def test_titles_that_stay_are_not_counted_again() -> None:
    long = {"en": " ".join(f"w{n}" for n in range(TOKENS_OF_A_PRODUCT + 1))}
    old = replace(made(), titles=long)
    assert domain.change(old, Draft(vendor="Other")).titles == long
    assert refusal(domain.change, made(), Draft(titles=long)) == "too_many_words"


def test_a_category_is_found_by_its_id_and_its_top_above_it() -> None:
    tree = Tree((Category("cat_1", {"en": "Tea"}), Category("cat_2", {"en": "Green"}, "cat_1")))
    assert [tree.get(one) for one in ("cat_1", "cat_2", "cat_3")] == [*tree.categories, None]
    assert [tree.top(one) for one in ("cat_1", "cat_2", "cat_3")] == ["cat_1", "cat_1", "cat_3"]
    named = [tree.named(text) for text in ("cat_2", "tea > GREEN", "Tea", "Black")]
    assert named == [tree.categories[1], tree.categories[1], tree.categories[0], None]
