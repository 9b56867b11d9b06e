"""Files in the layouts of Shopify's sample shops, with goods of our own: each cell is kept, or the report names it.

What a cell should become is worked out here from the file, not by the importer's own code.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from chalicelib.catalog import markup
from tests.support import goods, people
from tests.support.files import exported, fetched, imported, notes, product, refusals
from tests.support.http import call

FOLDER = Path(__file__).parents[2] / "shopify"
SHOPS = sorted(path.name for path in FOLDER.glob("*.csv"))
TODAY = {
    "URL handle": "Handle",
    "Description": "Body (HTML)",
    "Published on online store": "Published",
    "SKU": "Variant SKU",
    "Price": "Variant Price",
    "Compare-at price": "Variant Compare At Price",
    "Inventory tracker": "Variant Inventory Tracker",
    "Inventory quantity": "Variant Inventory Qty",
    "Continue selling when out of stock": "Variant Inventory Policy",
    "Weight value (grams)": "Variant Grams",
    "Weight unit for display": "Variant Weight Unit",
    "Requires shipping": "Variant Requires Shipping",
    "Product image URL": "Image Src",
    "Image position": "Image Position",
    "Variant image URL": "Variant Image",
    "Gift card": "Gift Card",
    "Option1 name": "Option1 Name",
    "Option1 value": "Option1 Value",
    "Option2 name": "Option2 Name",
    "Option2 value": "Option2 Value",
    "Option3 name": "Option3 Name",
    "Option3 value": "Option3 Value",
    "Product category": "Product Category",
}
MEANT = {
    *TODAY.values(),
    "Title",
    "Vendor",
    "Type",
    "Tags",
    "Status",
}
Row = dict[str, str]


def rows_of(name: str) -> list[Row]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return [{TODAY.get(column, column): cell for column, cell in row.items()} for row in csv.DictReader(file)]


def by_handle(rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    handles = dict.fromkeys(row["Handle"] for row in rows)
    for handle in handles:
        yield handle, [row for row in rows if row["Handle"] == handle]


@pytest.fixture
def shop(cloud: str) -> tuple[str, str]:
    goods.categories()
    merchant_id = people.merchant(currency="USD").merchant_id
    return merchant_id, people.staff(merchant_id).token


def status_of(first: Row, variants: list[Row]) -> str:
    status = first["Status"].lower()
    if status in ("", "active"):
        counted = any(int(row["Variant Inventory Qty"] or 0) for row in variants)
        endless = any(not row["Variant Inventory Tracker"] for row in variants)
        return "draft" if endless and not counted else "listed"  # Not listed: the report says so.
    return {"draft": "draft", "archived": "unlisted"}[status]


@pytest.mark.parametrize("name", SHOPS)
def test_every_cell_is_kept_or_named(shop: tuple[str, str], name: str) -> None:
    merchant_id, token = shop
    rows = rows_of(name)
    job = imported(token, (FOLDER / name).read_bytes())
    assert refusals(token, job) == []
    assert job["products_created"] == len({row["Handle"] for row in rows})

    for handle, lines in by_handle(rows):
        found = call("GET", f"/v1/merchant/products/{product(handle, merchant_id).product_id}", token=token).json
        first, variants = lines[0], [line for line in lines if line["Variant Price"]]
        assert found["titles"] == {"en": first["Title"]}
        assert found["description"] == ({"en": markup.clean(first["Body (HTML)"])} if first["Body (HTML)"] else {})
        assert found["vendor"] == first["Vendor"]
        assert product(handle, merchant_id).labels.type == first["Type"]
        assert found["tags"] == [tag.strip() for tag in first["Tags"].split(",") if tag.strip()]
        assert found["status"] == status_of(first, variants)
        ships = any(line["Variant Requires Shipping"].lower() == "true" for line in variants)
        assert found["kind"] == ("physical" if ships else "virtual")
        names = [first[f"Option{axis} Name"] for axis in (1, 2, 3)]
        names = [] if names[0] in ("", "Title") else [axis for axis in names if axis]
        assert found["options"] == names
        _check_variants(token, found, variants, len(names))
        _check_pictures(found, lines)
    _check_what_is_not_kept(job, rows)


def _check_variants(token: str, found: Any, variants: list[Row], axes: int) -> None:
    stock = call("GET", f"/v1/merchant/products/{found['product_id']}/stock", token=token).json["items"]
    units = {one["sku_id"]: one["available"] for one in stock}
    assert len(found["skus"]) == len(variants)
    for sku, line in zip(found["skus"], variants, strict=True):
        was = line["Variant Compare At Price"]
        assert sku["price"] == {"minor": int(Decimal(line["Variant Price"]) * 100), "currency": "USD"}
        assert sku.get("compare_at") == ({"minor": int(Decimal(was) * 100), "currency": "USD"} if was else None)
        assert sku["code"] == line["Variant SKU"]
        assert sku["options"] == [line[f"Option{axis} Value"] for axis in range(1, axes + 1)]
        assert sku["weight_g"] == int(Decimal(line["Variant Grams"] or 0).quantize(Decimal(1), ROUND_HALF_UP))
        assert units[sku["sku_id"]] == int(line["Variant Inventory Qty"] or 0)
        assert sku.get("picture") == (line["Variant Image"] or None)


def _check_pictures(found: Any, lines: list[Row]) -> None:
    placed = sorted((int(line["Image Position"] or 1), line["Image Src"]) for line in lines if line["Image Src"])
    wanted = [url for _, url in placed] + [line["Variant Image"] for line in lines if line["Variant Image"]]
    assert found["pictures"] == list(dict.fromkeys(wanted))


def _check_what_is_not_kept(job: Any, rows: list[Row]) -> None:
    """Columns that are not kept are named once, with the number of lines that hold something."""
    said = {one["column"]: one["lines"] for one in job["notes"] if one["code"] == "column_ignored"}
    lost = {column: sum(bool(row[column]) for row in rows) for column in rows[0] if column not in MEANT}
    assert said == lost
    uncounted = 0
    for _, lines in by_handle(rows):
        for_sale = lines[0]["Status"].lower() in ("", "active")
        for line in lines:
            endless = not line["Variant Inventory Tracker"] or line["Variant Inventory Policy"].lower() == "continue"
            has_units = int(line["Variant Inventory Qty"] or 0) > 0
            uncounted += bool(line["Variant Price"]) and endless and (for_sale or has_units)
    report = fetched(job)[1:]
    assert len([row for row in report if row[2] in ("counted_here", "not_listed", "sold_out_here")]) == uncounted
    changed = [row for row in rows if markup.clean(row["Body (HTML)"]) != row["Body (HTML)"]]
    assert len([row for row in report if row[2] == "description_cleaned"]) == len(changed)


@pytest.mark.parametrize("name", SHOPS)
def test_what_came_from_there_goes_out_and_comes_back(shop: tuple[str, str], name: str) -> None:
    merchant_id, token = shop
    imported(token, (FOLDER / name).read_bytes())
    before = [product(handle, merchant_id) for handle, _ in by_handle(rows_of(name))]
    raw = exported(token)
    job = imported(token, raw)
    assert (job["products_updated"], job["products_refused"], notes(job)) == (len(before), 0, {})
    after = [product(one.handle, merchant_id) for one in before]
    assert [(one.revision, one.skus, one.labels, one.pictures) for one in after] == [
        (one.revision, one.skus, one.labels, one.pictures) for one in before
    ]
    assert len(list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))) >= len(before)


def test_the_gift_card_is_virtual_and_said_to_be(shop: tuple[str, str]) -> None:
    merchant_id, token = shop
    job = imported(token, (FOLDER / "jewelry.csv").read_bytes())
    assert product("gift-card", merchant_id).kind == "virtual"
    assert notes(job)["gift_card"] == ["Gift Card"]
    assert product("thread-bracelet", merchant_id).status == "unlisted"
