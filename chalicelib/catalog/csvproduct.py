"""A product and its lines in a CSV file: the meaning of every column, both ways. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chalicelib.catalog.csvfile import COLUMNS, Finding, Group, Line, finding, guard, with_the_rest
from chalicelib.catalog.domain import MAX_PICTURES, MAX_SKUS, Draft, Kind, Product, SkuDraft, Status, Tree
from chalicelib.kernel.money import MINOR_DIGITS, Money

# Lines to a product


@dataclass(frozen=True, slots=True)
class Parsed:
    """A product of the file. None in a draft: the file has no such column."""

    handle: str
    line: int
    draft: Draft
    status: Status
    stock: Mapping[tuple[str, ...], int]
    """Units by option values, where the file says them."""


class _Reader:
    """Reads one product's lines, collecting every fault."""

    def __init__(self, group: Group, columns: Iterable[str], currency: str) -> None:
        self.group = group
        self.first = group.lines[0]
        self.columns = frozenset(columns)
        self.currency = currency
        self.faults: list[Finding] = []

    def fault(self, line: Line, column: str, code: str, **params: object) -> None:
        self.faults.append(finding(line.line, column, code, **params))

    def text(self, line: Line, column: str, most: int) -> str:
        text = line.get(column)
        if len(text) > most:
            self.fault(line, column, "cell_too_long", most=most)
        return text

    def price(self, line: Line, column: str, *, least: int) -> Money | None:
        text = line.get(column)
        if not text:
            return None
        digits = MINOR_DIGITS.get(self.currency, 2)
        found = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,4}))?", text)
        rest = (found.group(2) or "").rstrip("0") if found else ""
        if found is None or len(rest) > digits:
            self.fault(line, column, "bad_price")
            return None
        minor = int(found.group(1) + rest.ljust(digits, "0"))
        if minor < least:
            self.fault(line, column, "bad_price")
            return None
        return Money(minor, self.currency)

    def whole(self, line: Line, column: str, code: str) -> int | None:
        text = line.get(column)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,8}(\.0+)?", text) or int(text.split(".")[0]) > 10_000_000:
            self.fault(line, column, code)
            return None
        return int(text.split(".")[0])

    def boolean(self, line: Line, column: str) -> bool | None:
        text = line.get(column).casefold()
        if text not in _BOOLEANS:
            self.fault(line, column, "bad_boolean")
        return _BOOLEANS.get(text)

    def picture(self, line: Line, column: str) -> str | None:
        text = line.get(column)
        if text and (not _PICTURE.fullmatch(text) or len(text) > 500):
            self.fault(line, column, "bad_picture")
            return None
        return text or None


_BOOLEANS: Final = {"": None, "true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
_BOOLEANS.update({"是": True, "否": False})
_PICTURE: Final = re.compile(r"https?://[^\s\"'<>]+|/[^\s\"'<>/][^\s\"'<>]*")
_HANDLE: Final = re.compile(r"[a-z0-9\u0080-\uffff][a-z0-9_\-\u0080-\uffff]{0,199}")
_CJK: Final = re.compile("[\u3400-\u9fff]")
_STATUSES: Final = {"active": Status.LISTED, "draft": Status.DRAFT, "archived": Status.UNLISTED}


def read(group: Group, *, columns: Iterable[str], currency: str, tree: Tree) -> tuple[Parsed | None, list[Finding]]:
    """Return the product of these lines, or every reason why not (then each of its lines is named)."""
    reader = _Reader(group, columns, currency)
    for line in group.lines:
        if line.problem:
            reader.fault(line, "", line.problem, most=csv.field_size_limit())
    if not group.handle:
        for line in group.lines:
            if not line.problem:
                reader.fault(line, "Handle", "handle_missing")
        return None, reader.faults
    if not _HANDLE.fullmatch(group.handle):
        reader.fault(reader.first, "Handle", "bad_handle")
    options = _options(reader)
    skus, stock = _skus(reader, options)
    draft = Draft(
        titles=_titles(reader),
        kind=_kind(reader),
        category_id=_category(reader, tree),
        options=options,
        skus=skus,
        description=_description(reader),
        specifications=_specifications(reader),
        pictures=_pictures(reader),
        vendor=reader.text(reader.first, "Vendor", 120) if "Vendor" in reader.columns else None,
        type=reader.text(reader.first, "Type", 120) if "Type" in reader.columns else None,
        tags=_tags(reader),
    )
    parsed = Parsed(group.handle, reader.first.line, draft, _status(reader), stock)
    if not reader.faults:
        return parsed, []
    return None, with_the_rest(group, reader.faults)


def _titles(reader: _Reader) -> dict[str, str] | None:
    title = reader.text(reader.first, "Title", 250)
    english = reader.text(reader.first, "Title (en)", 250)
    if not title and not english:
        reader.fault(reader.first, "Title", "title_missing")
    return _by_language(title, english)


def _description(reader: _Reader) -> dict[str, str] | None:
    if not {"Body (HTML)", "Body (en)"} & reader.columns:
        return None
    return _by_language(
        reader.text(reader.first, "Body (HTML)", 50_000), reader.text(reader.first, "Body (en)", 50_000)
    )


def _by_language(text: str, english: str) -> dict[str, str]:
    result = {"en": english} if english else {}
    if text:
        result["zh" if english or _CJK.search(text) else "en"] = text
    return result


def _kind(reader: _Reader) -> Kind | None:
    kind = reader.first.get("Kind").casefold()
    if kind:
        if kind not in set(Kind):
            reader.fault(reader.first, "Kind", "bad_kind")
            return None
        return Kind(kind)
    if "Variant Requires Shipping" not in reader.columns:
        return None
    ships = [reader.boolean(line, "Variant Requires Shipping") for line in reader.group.lines]
    return Kind.VIRTUAL if ships[0] is False else Kind.PHYSICAL


def _category(reader: _Reader, tree: Tree) -> str | None:
    """Return the category that ``Product Category`` or ``Type`` names; None if neither names one."""
    for column in ("Product Category", "Type"):
        found = tree.named(reader.first.get(column)) if reader.first.get(column) else None
        if found is not None:
            return found.category_id
    return None


def _specifications(reader: _Reader) -> tuple[tuple[str, str], ...] | None:
    if "Specifications" not in reader.columns:
        return None
    text = reader.first.get("Specifications")
    if not text:
        return ()
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or len(found) > 60 or not all(isinstance(one, str) for one in found.values()):
        reader.fault(reader.first, "Specifications", "bad_specifications")
        return ()
    return tuple((name[:60], value[:500]) for name, value in found.items())


def _tags(reader: _Reader) -> tuple[str, ...] | None:
    if "Tags" not in reader.columns:
        return None
    tags = (tag.strip()[:60] for tag in reader.first.get("Tags").split(","))
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:50]


def _status(reader: _Reader) -> Status:
    text = reader.first.get("Status").casefold()
    published = reader.boolean(reader.first, "Published")
    if text and text not in _STATUSES:
        reader.fault(reader.first, "Status", "bad_status")
        return Status.DRAFT
    if text:
        status = _STATUSES[text]
        return Status.UNLISTED if status is Status.LISTED and published is False else status
    return Status.LISTED if published else Status.DRAFT


def _options(reader: _Reader) -> tuple[str, ...]:
    """Return the axes the first line names. Shopify writes ``Title`` / ``Default Title`` where there are none."""
    if reader.first.get("Option1 Name") == "Title" and reader.first.get("Option1 Value") in ("Default Title", ""):
        return ()
    names = []
    for number in (1, 2, 3):
        name = reader.text(reader.first, f"Option{number} Name", 60)
        if name:
            names.append(name)
        for line in reader.group.lines:
            if not name and line.get(f"Option{number} Value"):
                reader.fault(line, f"Option{number} Name", "option_name_missing")
    return tuple(names)


def _skus(reader: _Reader, options: tuple[str, ...]) -> tuple[tuple[SkuDraft, ...], dict[tuple[str, ...], int]]:
    skus: dict[tuple[str, ...], SkuDraft] = {}
    stock: dict[tuple[str, ...], int] = {}
    count = 0
    for line in reader.group.lines:
        if line.problem or (line is not reader.first and not _is_variant(line)):
            continue
        count += 1
        values = _values(reader, line, options)
        if count > MAX_SKUS:
            reader.fault(line, "Option1 Value", "too_many_skus")
        if values in skus:
            reader.fault(line, "Option1 Value", "sku_repeated")
        price = reader.price(line, "Variant Price", least=1)
        if not line.get("Variant Price"):
            reader.fault(line, "Variant Price", "price_missing")
        units = reader.whole(line, "Variant Inventory Qty", "bad_quantity")
        if units is not None:
            stock[values] = units
        skus[values] = SkuDraft(
            options=values,
            price=price or Money(1, reader.currency),
            compare_at=reader.price(line, "Variant Compare At Price", least=0),
            weight_g=reader.whole(line, "Variant Grams", "bad_weight") or 0,
            picture=reader.picture(line, "Variant Image"),
            code=reader.text(line, "Variant SKU", 64),
        )
    return tuple(skus.values()), stock


def _is_variant(line: Line) -> bool:
    return bool(line.get("Option1 Value") or line.get("Variant Price") or line.get("Variant SKU"))


def _values(reader: _Reader, line: Line, options: tuple[str, ...]) -> tuple[str, ...]:
    values = []
    for number in range(1, len(options) + 1):
        value = reader.text(line, f"Option{number} Value", 60)
        if not value:
            reader.fault(line, f"Option{number} Value", "option_value_missing")
        values.append(value)
    return tuple(values)


def _pictures(reader: _Reader) -> tuple[str, ...] | None:
    if "Image Src" not in reader.columns:
        return None
    placed: list[tuple[int, str]] = []
    for line in reader.group.lines:
        url = reader.picture(line, "Image Src")
        position = reader.whole(line, "Image Position", "bad_position")
        if url is None:
            continue
        placed.append((position or 10_000, url))
        if len(placed) > MAX_PICTURES:
            reader.fault(line, "Image Src", "too_many_pictures")
    return tuple(dict.fromkeys(url for _, url in sorted(placed, key=lambda one: one[0])))


def merged(draft: Draft, product: Product, columns: Iterable[str]) -> Draft:
    """Return the draft with what the file has no columns for filled in from the product as it is."""
    have = frozenset(columns)
    known = {sku.options: sku for sku in product.skus}
    skus = []
    for sku in draft.skus or ():
        old = known.get(sku.options)
        if old is None:
            skus.append(sku)
            continue
        keep: dict[str, Any] = {
            name: value
            for name, column, value in (
                ("compare_at", "Variant Compare At Price", old.compare_at),
                ("weight_g", "Variant Grams", old.weight_g),
                ("picture", "Variant Image", old.picture),
                ("code", "Variant SKU", old.code),
            )
            if column not in have
        }
        skus.append(replace(sku, **keep))
    titles, description = draft.titles, draft.description
    if "Title (en)" not in have:
        titles = {**product.titles, **(draft.titles or {})}
    if description is not None and "Body (en)" not in have:
        description = {**product.description, **description}
    return replace(draft, skus=tuple(skus), titles=titles, description=description)


# A product to lines


def _decimal(amount: Money | None) -> str:
    return amount.text().split(" ")[0] if amount is not None else ""


@dataclass(slots=True)
class Writer:
    """Writes products as lines of one file."""

    buffer: io.StringIO = field(default_factory=lambda: io.StringIO(newline=""))

    def header(self) -> None:
        """Write the header; a byte order mark tells spreadsheets that this is UTF-8."""
        self.buffer.write("\ufeff")
        self._row(dict.fromkeys(COLUMNS, ""), titles=True)

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
            self._row(cells)

    def bytes(self) -> bytes:
        """Return what was written."""
        return self.buffer.getvalue().encode()

    def _row(self, cells: Mapping[str, str], *, titles: bool = False) -> None:
        row = COLUMNS if titles else tuple(guard(cells.get(column, "")) for column in COLUMNS)
        csv.writer(self.buffer, lineterminator="\r\n").writerow(row)


def _first(product: Product) -> dict[str, str]:
    both = "zh" in product.titles
    status = {Status.LISTED: "active", Status.DRAFT: "draft", Status.UNLISTED: "archived"}[product.status]
    return {
        "Title": product.titles["zh"] if both else product.titles["en"],
        "Title (en)": product.titles.get("en", "") if both else "",
        "Body (HTML)": product.description.get("zh") or product.description.get("en", ""),
        "Body (en)": product.description.get("en", "") if "zh" in product.description else "",
        "Vendor": product.labels.vendor,
        "Product Category": product.category_id,
        "Type": product.labels.type,
        "Tags": ", ".join(product.labels.tags),
        "Published": "TRUE" if product.status is Status.LISTED else "FALSE",
        "Status": status,
        "Kind": product.kind.value,
        "Specifications": json.dumps(dict(product.specifications), ensure_ascii=False)
        if product.specifications
        else "",
    }


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
