"""The columns of a product file: Shopify's names of yesterday and today, and ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from chalicelib.catalog.csvreasons import Finding, finding
from chalicelib.kernel.text import UNSEEN

REQUIRED: Final = ("Handle", "Title", "Variant Price")
"""A new product needs them. A file that changes products may lack any but a handle (or title) to find them by."""
COLUMNS: Final = (
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Product Category",
    "Type",
    "Tags",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Option2 Name",
    "Option2 Value",
    "Option3 Name",
    "Option3 Value",
    "Variant SKU",
    "Variant Grams",
    "Variant Inventory Qty",
    "Variant Price",
    "Variant Compare At Price",
    "Variant Requires Shipping",
    "Image Src",
    "Image Position",
    "Variant Image",
    "Status",
    "Title (en)",
    "Body (en)",
    "Kind",
    "Specifications",
    "Currency",
    "Language",
)
"""What an export writes, in this order. An import takes any order, and says which columns it does not keep."""
READ_ONLY: Final = (
    "Variant Inventory Tracker",
    "Variant Inventory Policy",
    "Variant Weight",
    "Variant Weight Unit",
    "Gift Card",
)
"""What an import understands and an export does not write."""
KNOWN: Final = (*COLUMNS, *READ_ONLY)
ALIASES: Final[Mapping[str, str]] = {
    "URL handle": "Handle",
    "Description": "Body (HTML)",
    "Standard Product Type": "Product Category",
    "Standardized Product Type": "Product Category",
    "Custom Product Type": "Type",
    "Published on online store": "Published",
    "SKU": "Variant SKU",
    "Price": "Variant Price",
    "Compare-at price": "Variant Compare At Price",
    "Inventory tracker": "Variant Inventory Tracker",
    "Inventory quantity": "Variant Inventory Qty",
    "Variant Inventory Quantity": "Variant Inventory Qty",
    "Continue selling when out of stock": "Variant Inventory Policy",
    "Weight value (grams)": "Variant Grams",
    "Weight unit for display": "Variant Weight Unit",
    "Requires shipping": "Variant Requires Shipping",
    "Product image URL": "Image Src",
    "Variant image URL": "Variant Image",
}
"""Other names, of Shopify's templates since 2021, for the same. Case does not count."""
VARIANT_COLUMNS: Final = frozenset(
    {
        "Option1 Value",
        "Option2 Value",
        "Option3 Value",
        "Variant SKU",
        "Variant Grams",
        "Variant Weight",
        "Variant Inventory Qty",
        "Variant Price",
        "Variant Compare At Price",
        "Variant Image",
    }
)
MAX_COLUMNS: Final = 400

_BY_NAME: Final = {name.casefold(): name for name in KNOWN}
_BY_ALIAS: Final = {name.casefold(): meant for name, meant in ALIASES.items()}


_INVISIBLE: Final = re.compile(f"[{UNSEEN}]")


def _said(cell: str) -> str:
    """Return a name as people read it: whatever its case and spaces, without what nobody sees (a second mark)."""
    return " ".join(_INVISIBLE.sub("", cell).casefold().split())


def says_commas(cells: Sequence[str]) -> bool:
    """Say whether a line only tells spreadsheets (``sep=,``) what is so anyway."""
    return tuple(cells) == ("sep=", "")


def named(cells: Sequence[str], line: int) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return the columns of a header line, in order, by the names we use, and what is wrong with them.

    A column whose meaning another one of the file has already is one that we do not know. One without a name is called
    after its place. A file is refused if its products cannot be told apart, and then told all that it lacks.
    """
    if len(cells) > MAX_COLUMNS:
        return (), (finding(line, "", "too_many_columns", most=MAX_COLUMNS),)
    plain = [_BY_NAME.get(_said(cell), cell) for cell in cells]
    columns: list[str] = []
    for place, name in enumerate(plain, start=1):
        meant = _BY_ALIAS.get(_said(name), name)
        columns.append((name if meant != name and meant in (*plain, *columns) else meant) or f"#{place}")
    faults = [finding(line, name, "column_repeated", value=name) for name in KNOWN if columns.count(name) > 1]
    if faults or not {"Handle", "Title"} & set(columns):
        missing = [finding(line, name, "column_missing", value=name) for name in REQUIRED if name not in columns]
        faults = [*missing, *faults]
    return tuple(columns), tuple(faults)


def ignored(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are not kept, in order, each once."""
    return tuple(dict.fromkeys(name for name in columns if name not in KNOWN))
