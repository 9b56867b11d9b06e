"""The lines of a file to a product's variants and their stock. Pure."""

from __future__ import annotations

from typing import Final

from chalicelib.catalog.csvcells import Reader
from chalicelib.catalog.csvcolumns import VARIANT_COLUMNS
from chalicelib.catalog.csvfile import Line
from chalicelib.catalog.domain import LABEL_CHARS, MAX_AXES, MAX_SKUS, Sku, SkuDraft, Status
from chalicelib.kernel.money import Money

Stock = dict[tuple[str, ...], int]
Variants = tuple[tuple[str, ...] | None, tuple[SkuDraft, ...] | None, Stock]

_OPTION_CHARS: Final = 60
_NAMING: Final = ("Option1 Value", "Option2 Value", "Option3 Value", "Variant Price", "Variant SKU")
"""A line with one of these is a variant; where a file has none of the columns, one with any column of a variant."""


def read(reader: Reader) -> Variants:
    """Return the names of the options, the variants (None: as they are) and their units, where the file says them."""
    if reader.known is not None and not reader.has(*VARIANT_COLUMNS):
        return None, None, {}
    axes = _axes(reader)
    skus: dict[tuple[str, ...], SkuDraft] = {}
    stock: Stock = {}
    lines = [line for line in reader.group.lines if line is reader.first or _is_variant(reader, line)]
    for count, line in enumerate(lines, start=1):
        values = _values(reader, line, axes)
        old = _known(reader, line, values)
        if old is not None:
            values = old.options
        if count > MAX_SKUS:
            reader.fault(line, "Option1 Value", "too_many_skus")
        if values in skus:
            reader.fault(line, "Option1 Value", "sku_repeated")
        skus[values] = _sku(reader, line, values, old)
        units = reader.units(line, "Variant Inventory Qty")
        if units is not None:
            stock[values] = units
    kept = reader.known is not None and axes == reader.known.options
    return (None if kept else axes), tuple(skus.values()), stock


def _is_variant(reader: Reader, line: Line) -> bool:
    columns = _NAMING if reader.has(*_NAMING) else VARIANT_COLUMNS
    return any(line.get(column) for column in columns)


def _axes(reader: Reader) -> tuple[str, ...]:
    """Return the names of the options. Shopify writes ``Title`` / ``Default Title`` where there are none."""
    known = reader.known.options if reader.known is not None else ()
    first = reader.first
    if first.get("Option1 Name") == "Title" and first.get("Option1 Value") in ("Default Title", ""):
        return known if known == ("Title",) else ()
    names = []
    for number in range(1, MAX_AXES + 1):
        column = f"Option{number} Name"
        name = reader.text(first, column, _OPTION_CHARS)
        if not reader.has(column) and number <= len(known):
            name = known[number - 1]
        if name:
            names.append(name)
        for line in reader.group.lines:
            if not name and line.get(f"Option{number} Value"):
                reader.fault(line, column, "option_name_missing")
    return tuple(names)


def _values(reader: Reader, line: Line, axes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the variant's option values; empty where the file has no such column."""
    values = []
    for number in range(1, len(axes) + 1):
        column = f"Option{number} Value"
        value = reader.text(line, column, _OPTION_CHARS)
        if not value and (reader.known is None or reader.has(column)):
            reader.fault(line, column, "option_value_missing")
        values.append(value)
    return tuple(values)


def _known(reader: Reader, line: Line, values: tuple[str, ...]) -> Sku | None:
    """Return which variant of the product the line means; None if it is a new one.

    Where the file does not show all options, the ones it shows must leave one variant, or its SKU code must say it.
    """
    if reader.known is None:
        return None
    found = [
        sku
        for sku in reader.known.skus
        if len(sku.options) == len(values)
        and all(value in ("", old) for value, old in zip(values, sku.options, strict=True))
    ]
    if len(found) > 1 and line.get("Variant SKU"):
        found = [sku for sku in found if sku.code == line.get("Variant SKU")]
    if len(found) == 1:
        return found[0]
    if found or (values and not all(values) and not reader.faults):
        reader.fault(line, "Option1 Value", "variant_unknown")
    return None


def _sku(reader: Reader, line: Line, values: tuple[str, ...], old: Sku | None) -> SkuDraft:
    """Return the variant; what the file has no columns for is filled in by ``merged``."""
    price = reader.price(line, "Variant Price", least=1)
    priced = reader.has("Variant Price") or old is None
    if priced and not reader.has("Variant Price"):
        reader.fault(line, "Variant Price", "column_missing", value="Variant Price")
    elif priced and not line.get("Variant Price"):
        reader.fault(line, "Variant Price", "price_missing")
    return SkuDraft(
        options=values,
        price=price or Money(1, reader.currency),
        compare_at=reader.price(line, "Variant Compare At Price", least=0),
        weight_g=reader.grams(line) or 0,
        picture=reader.picture(line, "Variant Image"),
        code=reader.text(line, "Variant SKU", LABEL_CHARS),
    )


# Goods that are not counted elsewhere


def shown(reader: Reader, wanted: Status | None, stock: Stock) -> Status | None:
    """Return the status a product comes to, and say what becomes of variants that are sold without a count elsewhere.

    Units are always counted here. A product that would be sold out from its first day is not listed; where some
    variant can be bought it is, and the others are named. One that is for sale already stays so.
    """
    listing = wanted is Status.LISTED and (reader.known is None or reader.known.status is not Status.LISTED)
    endless = _endless(reader)
    buyable = any(stock.values()) or _has_units(reader, stock)
    if listing and not buyable:
        if endless:
            for line, column in endless:
                reader.note(line, column, "not_listed")
            return Status.DRAFT if reader.known is None else None
        reader.note(reader.first, "Variant Inventory Qty", "no_units")
    is_shown = wanted is Status.LISTED or (
        wanted is None and reader.known is not None and reader.known.status is Status.LISTED
    )
    for line, column in endless:
        units = line.get("Variant Inventory Qty").strip("0.")
        if units:
            reader.note(line, column, "counted_here")
        elif is_shown and not buyable:
            reader.note(line, column, "sold_out_here")
        elif is_shown:
            reader.note(line, column, "sold_out_here" if reader.known is None else "counted_here")
    return wanted


def _endless(reader: Reader) -> list[tuple[Line, str]]:
    """Return the variants that Shopify sells without looking at a count, with the column that says so."""
    found = []
    for line in reader.group.lines:
        if line is not reader.first and not _is_variant(reader, line):
            continue
        if reader.oversells(line):
            found.append((line, "Variant Inventory Policy"))
        elif reader.has("Variant Inventory Tracker") and not line.get("Variant Inventory Tracker"):
            found.append((line, "Variant Inventory Tracker"))
    return found


def _has_units(reader: Reader, stock: Stock) -> bool:
    """Say whether a variant has units already that the file does not set."""
    if reader.known is None:
        return False
    return any(not sku.sold_out for sku in reader.known.skus if sku.options not in stock)
