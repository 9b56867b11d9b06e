"""Products as CSV in Shopify's layout: bytes to products with the exact line of every fault, and back. Pure.

A product is a run of lines with one ``Handle``: the first carries its texts, each line may carry a variant, a picture
or both. A product is taken whole or not at all: one bad line refuses its product, and every line of it is reported.

Columns of our own, ignored elsewhere: ``Title (en)``, ``Body (en)``, ``Kind``, ``Specifications``. Cells that a
spreadsheet would run as a formula are written behind an apostrophe, which is taken off again when read.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from chalicelib.catalog.domain import MAX_PICTURES, MAX_SKUS, Draft, Kind, Product, SkuDraft, Status, Tree
from chalicelib.kernel.money import MINOR_DIGITS, Money

RECORD_CAP: Final = 512 * 1024
"""A single record beyond this is a quote that was never closed."""
REQUIRED: Final = ("Handle", "Title", "Variant Price")
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
)
"""What an export writes, in this order. An import takes any order, and ignores columns it does not know."""

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "column_missing": ("The file has no column {value}.", "文件缺少 {value} 列。"),
    "column_repeated": ("The column {value} stands there twice.", "列 {value} 重复。"),
    "empty_file": ("The file is empty.", "文件为空。"),
    "unclosed_quote": ("A quotation mark is not closed.", "引号没有闭合。"),
    "bad_encoding": ("The line is not valid text; save the file as UTF-8.", "该行编码有误，请将文件另存为 UTF-8。"),
    "too_many_cells": ("The line has more cells than the header.", "该行单元格数多于表头。"),
    "cell_too_long": ("The text is too long (at most {most} characters).", "内容过长（最多 {most} 个字符）。"),
    "handle_missing": ("The line has no handle.", "缺少 Handle。"),
    "bad_handle": (
        "A handle is made of lower-case letters, digits, - and _.",
        "Handle 只能包含小写字母、数字、- 和 _。",
    ),
    "handle_repeated": (
        "The lines of one product must stand together; this handle came before.",
        "同一商品的各行必须相邻，此 Handle 已在前文出现。",
    ),
    "title_missing": ("The first line of a product needs a title.", "商品首行必须有标题。"),
    "bad_price": (
        "A price is a number above zero like 19.90, without signs or spaces.",
        "价格须为大于零的数字，如 19.90。",
    ),
    "price_missing": ("The variant has no price.", "缺少价格。"),
    "bad_quantity": ("A quantity is a whole number from 0 to 10000000.", "库存须为 0 到 10000000 的整数。"),
    "bad_weight": ("A weight is a whole number of grams.", "重量须为整数（克）。"),
    "bad_boolean": ("Only TRUE or FALSE.", "只能填写 TRUE 或 FALSE。"),
    "bad_status": ("Only active, draft or archived.", "只能填写 active、draft 或 archived。"),
    "bad_kind": ("Only physical, virtual or service.", "只能填写 physical、virtual 或 service。"),
    "bad_picture": ("A picture is an http(s) address without spaces.", "图片须为不含空格的 http(s) 地址。"),
    "bad_position": ("A position is a whole number.", "图片位置须为整数。"),
    "too_many_pictures": (f"A product has at most {MAX_PICTURES} pictures.", f"每个商品最多 {MAX_PICTURES} 张图片。"),
    "bad_specifications": (
        "Specifications are a JSON object of texts.",
        "Specifications 须为由文本组成的 JSON 对象。",
    ),
    "option_name_missing": ("The option has values but no name.", "规格有值但没有名称。"),
    "option_value_missing": ("The variant has no value for this option.", "缺少规格值。"),
    "sku_repeated": ("Another variant has the same option values.", "存在规格值完全相同的款式。"),
    "too_many_skus": (f"A product has at most {MAX_SKUS} variants.", f"每个商品最多 {MAX_SKUS} 个款式。"),
    "product_too_long": ("The lines of this product are longer than 4 MB.", "该商品的内容超过 4 MB。"),
    "unknown_category": (
        "There is no category of this name; correct it or give a default category.",
        "没有该名称的分类，请修改或指定默认分类。",
    ),
    "product_refused": (
        "Nothing is wrong with this line, but its product is refused for another one.",
        "该行无误，但所属商品因其他行有误未导入。",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a line was refused."""

    line: int
    column: str
    code: str
    en: str
    zh: str


def finding(line: int, column: str, code: str, **params: object) -> Finding:
    """Return a finding with its reason in both languages."""
    en, zh = REASONS[code]
    return Finding(line, column, code, en.format(**params), zh.format(**params))


# Bytes to records

_FIELD = rb'(?:"(?:[^"]++|"")*+"[^,\r\n]*+|(?!")[^,\r\n]*+)'
_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+(?:\r\n|\n|\r|\Z)")
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r|\Z)")
_EOL = re.compile(rb"\r\n|\n|\r")
BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its first physical line, where it ends in the bytes, its cells or why there are none."""

    line: int
    lines: int
    end: int
    cells: tuple[str, ...] = ()
    problem: str = ""


def encoding_of(head: bytes) -> str:
    """Return ``utf-8``, or ``gb18030`` if the beginning of the file is only readable as that (Chinese spreadsheets)."""
    whole = head[: head.rfind(b"\n") + 1] or head
    for encoding in ("utf-8", "gb18030"):
        try:
            whole.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "utf-8"


def records(data: bytes, *, line: int, final: bool, encoding: str) -> Iterator[Record]:
    """Yield the records of a piece of the file that begins at a record's start.

    A record that the piece cuts off is not yielded unless the piece is the ``final`` one. Line ends may be any; quotes,
    commas and line ends are never part of another character in either encoding.
    """
    at = 0
    while at < len(data):
        found = _RECORD.match(data, at)
        end = found.end() if found is not None else 0
        if not final and (end == len(data) or (found is None and len(data) - at < RECORD_CAP)):
            return  # Cut off here (or just before the second half of a CRLF).
        if found is None:
            found = _LINE.match(data, at)
            assert found is not None
            end = found.end()
            yield Record(line, 1, end, problem="unclosed_quote")
            line, at = line + 1, end
            continue
        lines = max(1, len(_EOL.findall(found.group())))
        record = _record(found.group(), line, lines, end, encoding)
        if record.problem or any(record.cells):
            yield record
        line, at = line + lines, end


def _record(raw: bytes, line: int, lines: int, end: int, encoding: str) -> Record:
    try:
        text = raw.decode(encoding)
        cells = next(csv.reader(io.StringIO(text, newline="")), [])
    except UnicodeDecodeError:
        return Record(line, lines, end, problem="bad_encoding")
    except csv.Error:
        return Record(line, lines, end, problem="cell_too_long")
    return Record(line, lines, end, tuple(_unguard(cell.strip()) for cell in cells))


# Records to products


@dataclass(frozen=True, slots=True)
class Line:
    """One record with its cells by column."""

    line: int
    cells: Mapping[str, str]
    problem: str = ""

    def get(self, column: str) -> str:
        """Return a cell, empty if the column is not there."""
        return self.cells.get(column, "")


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one product. ``end`` and ``next_line`` say where the file goes on behind them."""

    handle: str
    lines: tuple[Line, ...]
    end: int
    next_line: int


def header(record: Record) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return the columns, in order, and what is wrong with them."""
    known = {column.casefold(): column for column in COLUMNS}
    columns = tuple(known.get(cell.casefold(), cell) for cell in record.cells)
    faults = [
        finding(record.line, column, "column_missing", value=column) for column in REQUIRED if column not in columns
    ]
    faults += [
        finding(record.line, column, "column_repeated", value=column) for column in COLUMNS if columns.count(column) > 1
    ]
    return columns, tuple(faults)


def groups(data: bytes, *, line: int, final: bool, encoding: str, columns: Sequence[str]) -> Iterator[Group]:
    """Yield the whole products of a piece of the file that begins at a product's first line."""
    held: list[Line] = []
    handle, end, next_line = "", 0, line
    for record in records(data, line=line, final=final, encoding=encoding):
        read = _line(record, columns)
        theirs = read.get("Handle")
        if held and not read.problem and theirs != handle:
            yield Group(handle, tuple(held), end, next_line)
            held = []
        if not held:
            handle = theirs
        held.append(read)
        end, next_line = record.end, record.line + record.lines
    if held and final:
        yield Group(handle, tuple(held), end, next_line)


def _line(record: Record, columns: Sequence[str]) -> Line:
    if record.problem:
        return Line(record.line, {}, record.problem)
    if any(record.cells[len(columns) :]):
        return Line(record.line, {}, "too_many_cells")
    return Line(record.line, dict(zip(columns, record.cells, strict=False)))


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


def with_the_rest(group: Group, faults: Sequence[Finding]) -> list[Finding]:
    """Return the faults and, for each other line of the product, that it was refused with it."""
    named = {fault.line for fault in faults}
    rest = [finding(line.line, "", "product_refused") for line in group.lines if line.line not in named]
    return sorted([*faults, *rest], key=lambda fault: fault.line)


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


# Products to lines

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_GUARDED: Final = (*_FORMULA, "'")


def _guard(text: str) -> str:
    """Keep a spreadsheet from running a text as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) or (text.startswith("'") and _unguard(text) != text) else text


def _unguard(text: str) -> str:
    """Take the guard off again."""
    bare = text[1:]
    return bare if text.startswith("'") and bare.startswith(_GUARDED) else text


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
        row = COLUMNS if titles else tuple(_guard(cells.get(column, "")) for column in COLUMNS)
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


def report(findings: Iterable[Finding], *, with_header: bool) -> bytes:
    """Return refused lines as CSV."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    if with_header:
        buffer.write("\ufeff")
        writer.writerow(("Line", "Column", "Code", "Reason", "原因"))
    for one in findings:
        writer.writerow((one.line, _guard(one.column), one.code, _guard(one.en), _guard(one.zh)))
    return buffer.getvalue().encode()
