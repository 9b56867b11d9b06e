"""A CSV file in Shopify's layout: bytes to the lines of each product, and what is wrong with which line. Pure.

A product is a run of lines with one ``Handle``: the first carries its texts, each line may carry a variant, a picture
or both. A product is taken whole or not at all: one bad line refuses its product, and every line of it is reported.

What the columns mean is ``csvproduct``'s. Columns of our own, ignored elsewhere: ``Title (en)``, ``Body (en)``,
``Kind``, ``Specifications``. Cells that a spreadsheet would run as a formula are written behind an apostrophe, which is
taken off again when read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chalicelib.catalog.domain import MAX_PICTURES, MAX_SKUS

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


# Cells

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_GUARDED: Final = (*_FORMULA, "'")


def guard(text: str) -> str:
    """Keep a spreadsheet from running a text as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) or (text.startswith("'") and _unguard(text) != text) else text


def _unguard(text: str) -> str:
    """Take the guard off again."""
    bare = text[1:]
    return bare if text.startswith("'") and bare.startswith(_GUARDED) else text


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


# Records to the lines of one product


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


def with_the_rest(group: Group, faults: Sequence[Finding]) -> list[Finding]:
    """Return the faults and, for each other line of the product, that it was refused with it."""
    named = {fault.line for fault in faults}
    rest = [finding(line.line, "", "product_refused") for line in group.lines if line.line not in named]
    return sorted([*faults, *rest], key=lambda fault: fault.line)


def report(findings: Iterable[Finding], *, with_header: bool) -> bytes:
    """Return refused lines as CSV."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    if with_header:
        buffer.write("\ufeff")
        writer.writerow(("Line", "Column", "Code", "Reason", "原因"))
    for one in findings:
        writer.writerow((one.line, guard(one.column), one.code, guard(one.en), guard(one.zh)))
    return buffer.getvalue().encode()
