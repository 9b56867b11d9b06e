"""A product to the lines of a file: what an import reads back as exactly this product. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.catalog.csvcolumns import COLUMNS
from chalicelib.catalog.domain import Kind, Product, Status
from chalicelib.kernel.money import Money
from chalicelib.kernel.spreadsheets import guard

_STATUSES = {Status.LISTED: "active", Status.DRAFT: "draft", Status.UNLISTED: "archived"}


@dataclass(slots=True)
class Writer:
    """Writes products as lines of one file."""

    buffer: io.StringIO = field(default_factory=lambda: io.StringIO(newline=""))

    def header(self) -> None:
        """Write the header; a byte order mark tells spreadsheets that this is UTF-8."""
        self.buffer.write("\ufeff")
        self._row(COLUMNS)

    def product(self, product: Product, available: Mapping[str, int]) -> None:
        """Write one product: a line for each variant or picture, whichever are more."""
        for number in range(max(len(product.skus), len(product.pictures))):
            cells: dict[str, str] = {"Handle": product.handle}
            if number == 0:
                cells |= _first(product)
            if number < len(product.skus):
                cells |= _variant(product, number, available)
            if number < len(product.pictures):
                cells |= {"Image Src": product.pictures[number], "Image Position": str(number + 1)}
            self._row(tuple(guard(cells.get(column, "")) for column in COLUMNS))

    def bytes(self) -> bytes:
        """Return what was written."""
        return self.buffer.getvalue().encode()

    def _row(self, cells: tuple[str, ...]) -> None:
        csv.writer(self.buffer, lineterminator="\r\n").writerow(cells)


def _decimal(amount: Money | None) -> str:
    return amount.text().split(" ")[0] if amount is not None else ""


def _first(product: Product) -> dict[str, str]:
    """Return what the first line alone says. ``Language`` is that of ``Title`` and ``Body (HTML)``."""
    language = "zh" if "zh" in product.titles or "zh" in product.description else "en"
    apart = language != "en"
    return {
        "Title": product.titles.get(language, ""),
        "Title (en)": product.titles.get("en", "") if apart else "",
        "Body (HTML)": product.description.get(language, ""),
        "Body (en)": product.description.get("en", "") if apart else "",
        "Vendor": product.labels.vendor,
        "Product Category": product.category_id,
        "Type": product.labels.type,
        "Tags": _tags(product.labels.tags),
        "Published": "TRUE" if product.status is Status.LISTED else "FALSE",
        "Status": _STATUSES[product.status],
        "Kind": product.kind.value,
        "Specifications": _specifications(product.specifications),
        "Currency": product.skus[0].price.currency,
        "Language": language,
    }


def _tags(tags: tuple[str, ...]) -> str:
    """Return the tags between commas, or as a JSON list if one holds a comma itself."""
    if any("," in tag for tag in tags) or (tags and tags[0].startswith("[")):
        return json.dumps(tags, ensure_ascii=False)
    return ", ".join(tags)


def _specifications(facts: tuple[tuple[str, str], ...]) -> str:
    if not facts:
        return ""
    once = dict(facts)
    return json.dumps(once if len(once) == len(facts) else facts, ensure_ascii=False)


def _variant(product: Product, number: int, available: Mapping[str, int]) -> dict[str, str]:
    sku = product.skus[number]
    cells = {
        "Variant SKU": sku.code,
        "Variant Grams": str(sku.weight_g),
        "Variant Inventory Qty": str(available.get(sku.sku_id, 0)),
        "Variant Price": _decimal(sku.price),
        "Variant Compare At Price": _decimal(sku.compare_at),
        "Variant Requires Shipping": "TRUE" if product.kind is Kind.PHYSICAL else "FALSE",
        "Variant Image": sku.picture or "",
    }
    if not product.options:
        return cells | ({"Option1 Name": "Title", "Option1 Value": "Default Title"} if number == 0 else {})
    for at, (name, value) in enumerate(zip(product.options, sku.options, strict=True), start=1):
        cells[f"Option{at} Value"] = value
        if number == 0:
            cells[f"Option{at} Name"] = name
    return cells
