"""A price enters in a currency that somebody here can be paid in, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.kernel.money import Money
from chalicelib.merchants import service as merchants
from chalicelib.runtime.schema import MoneyView
from tests.support import dump, goods, people
from tests.support.http import call

NOBODY_TAKES = ("RMB", "ABC", "XAU", "XXX", "ISK", "BTC")


def faults(answer: Any) -> list[tuple[str, str]]:
    assert answer.status == 422, answer.body
    return [(one["pointer"], one["code"]) for one in answer.json["errors"]]


@pytest.mark.parametrize("code", NOBODY_TAKES)
def test_a_product_a_merchant_and_an_import_are_refused_in_it(cloud: str, code: str) -> None:
    goods.categories()
    shop = people.merchant()
    token = people.staff(shop.merchant_id).token
    operator = people.operator().token
    made = goods.product(shop.merchant_id)
    price = {"minor": 990, "currency": code}
    before = dump.tables()

    create = {"titles": {"en": "Tea"}, "category_id": "tea", "skus": [{"price": price}]}
    assert faults(call("POST", "/v1/merchant/products", create, token=token)) == [
        ("/skus/0/price/currency", "unknown_currency")
    ]
    changed = call(
        "PATCH",
        f"/v1/merchant/products/{made.product_id}",
        {"skus": [{"price": {"minor": 1}, "compare_at": price}]},
        token=token,
        headers={"if-match": "2"},
    )
    assert faults(changed) == [("/skus/0/compare_at/currency", "unknown_currency")]
    freight = call("PATCH", "/v1/merchant/profile", {"freight": price}, token=token)
    assert faults(freight) == [("/freight/currency", "unknown_currency")]
    new = {"name": "N", "contact": {"person": "P"}, "freight": {"minor": 0}, "currency": code}
    assert faults(call("POST", "/v1/operator/merchants", new, token=operator)) == [("/currency", "unknown_currency")]
    begun = call("POST", "/v1/merchant/imports", {"size_bytes": 5, "currency": code}, token=token)
    assert faults(begun) == [("/currency", "unknown_currency")]
    sent = call(
        "POST",
        f"/v1/merchant/imports/file?currency={code}",
        raw=b"Handle,Title,Variant Price\r\nrmb,Tea,9.90\r\n",
        token=token,
        headers={"content-type": "text/csv"},
    )
    assert faults(sent) == [("/currency", "unknown_currency")]
    assert dump.tables() == before
    assert merchants.load(shop.merchant_id) == shop


def test_what_was_booked_is_shown_whatever_its_currency() -> None:
    """A provider's bill may hold a line in any currency: it is shown, not hidden behind an error."""
    assert MoneyView.of(Money(5, "ISK")).model_dump() == {"minor": 5, "currency": "ISK"}
