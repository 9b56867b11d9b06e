from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.catalog import csvfile, csvproduct, domain
from chalicelib.catalog.csvfile import Finding, Group
from chalicelib.catalog.domain import Draft, Kind, SkuDraft, Status
from chalicelib.kernel.money import Money

TREE = domain.Tree((domain.Category("dresses", {"zh": "连衣裙", "en": "Dresses"}),))
HEADER = "Handle,Title,Option1 Name,Option1 Value,Variant Price,Variant Inventory Qty,Type"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def parse(text: str | bytes, encoding: str = "utf-8") -> tuple[list[Group], tuple[str, ...]]:
    data = text.encode(encoding) if isinstance(text, str) else text
    first = next(csvfile.records(data, line=1, final=True, encoding=encoding))
    columns, faults = csvfile.header(first)
    assert faults == ()
    rest = csvfile.groups(
        data[first.end :], line=first.line + first.lines, final=True, encoding=encoding, columns=columns
    )
    return list(rest), columns


def faults(text: str) -> list[tuple[int, str, str]]:
    groups, columns = parse(text)
    found: list[Finding] = []
    for group in groups:
        found += csvproduct.read(group, columns=columns, currency="CNY", tree=TREE)[1]
    return [(one.line, one.column, one.code) for one in found]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_through_quoted_line_ends_of_any_kind(end: str) -> None:
    text = end.join([HEADER, 'a,"Two', 'lines, ""quoted""",,,1.00,,', 'b,"x",,,2,,', "", "c,Third,,,3,,"])
    groups, _ = parse(text)

    assert [(group.handle, group.lines[0].line, group.next_line) for group in groups] == [
        ("a", 2, 4),
        ("b", 4, 5),
        ("c", 6, 7),
    ]
    assert groups[0].lines[0].get("Title") == f'Two{end}lines, "quoted"'


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abc"), st.text(st.sampled_from('x,"\r\n 裙é='), max_size=6)), min_size=1, max_size=8
    ),
    cut=st.integers(min_value=1, max_value=200),
    encoding=st.sampled_from(["utf-8", "gb18030"]),
)
def test_a_file_read_in_pieces_is_the_file_read_whole(rows: list[tuple[str, str]], cut: int, encoding: str) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = buffer.getvalue().encode(encoding)
    columns = ("Handle", "Title")
    whole = list(csvfile.groups(data, line=1, final=True, encoding=encoding, columns=columns))

    pieces: list[Group] = []
    offset, line, size = 0, 1, cut
    while offset < len(data):
        piece = data[offset : offset + size]
        final = offset + len(piece) >= len(data)
        found = list(csvfile.groups(piece, line=line, final=final, encoding=encoding, columns=columns))[:2]
        if not found:
            assert not final
            size += cut
            continue
        pieces += found
        offset, line, size = offset + found[-1].end, found[-1].next_line, cut
    assert [(g.handle, [(one.line, dict(one.cells)) for one in g.lines]) for g in pieces] == [
        (g.handle, [(one.line, dict(one.cells)) for one in g.lines]) for g in whole
    ]


def test_a_good_product_of_several_lines() -> None:
    text = (
        "\ufeffHandle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,"
        "Option2 Value,Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,Variant Compare At Price,"
        "Variant Requires Shipping,Image Src,Image Position,Variant Image,Status\r\n"
        'dress,红裙,"<p>好看</p>",Acme,Dresses,"summer, red",TRUE,Size,S,Color,Red,D-S,200,5,19.90,29.9,TRUE,'
        "https://p/2.jpg,2,https://p/s.jpg,active\r\n"
        "dress,,,,,,,,M,,Red,D-M,210.0,0,20,,TRUE,https://p/1.jpg,1,,\r\n"
        "dress,,,,,,,,,,,,,,,,,https://p/3.jpg,3,,\r\n"
    )
    groups, columns = parse(text.encode()[3:])
    parsed, found = csvproduct.read(groups[0], columns=columns, currency="CNY", tree=TREE)

    assert found == []
    assert parsed is not None
    assert parsed.status is Status.LISTED
    assert parsed.stock == {("S", "Red"): 5, ("M", "Red"): 0}
    assert parsed.draft == Draft(
        titles={"zh": "红裙"},
        kind=Kind.PHYSICAL,
        category_id="dresses",
        options=("Size", "Color"),
        skus=(
            SkuDraft(("S", "Red"), Money(1990), Money(2990), 200, "https://p/s.jpg", "D-S"),
            SkuDraft(("M", "Red"), Money(2000), None, 210, None, "D-M"),
        ),
        description={"zh": "<p>好看</p>"},
        specifications=None,
        pictures=("https://p/1.jpg", "https://p/2.jpg", "https://p/3.jpg"),
        vendor="Acme",
        type="Dresses",
        tags=("summer", "red"),
    )


@pytest.mark.parametrize(
    "price", ["", "0", "-1", "1,299.00", "¥19.90", "19.999", "1e3", "NaN", "19.9.0", "١٩", "9999999999", " ", "+5"]
)
def test_bad_prices_are_named(price: str) -> None:
    code = "bad_price" if price.strip() else "price_missing"
    assert faults(f'{HEADER}\na,A,,,"{price}",,') == [(2, "Variant Price", code)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([",A,,,1,,"], [(2, "Handle", "handle_missing")]),
        (["A B,A,,,1,,"], [(2, "Handle", "bad_handle")]),
        (["a,,,,1,,"], [(2, "Title", "title_missing")]),
        (["a,A,,,1,1.5,"], [(2, "Variant Inventory Qty", "bad_quantity")]),
        (["a,A,,,1,-1.5,"], [(2, "Variant Inventory Qty", "bad_quantity")]),
        (["a,A,,,1,--1,"], [(2, "Variant Inventory Qty", "bad_quantity")]),
        (["a,A,,S,1,,"], [(2, "Option1 Name", "option_name_missing")]),
        (["a,A,Size,,1,,"], [(2, "Option1 Value", "option_value_missing")]),
        (["a,A,Size,S,1,,", "a,,,S,2,,"], [(2, "", "product_refused"), (3, "Option1 Value", "sku_repeated")]),
        (["a,A,,,1,,,extra"], [(2, "", "too_many_cells")]),
        (["a," + "x" * 251 + ",,,1,,"], [(2, "Title", "cell_too_long")]),
        (['a,"never closed,,,1,,', "b,B,,,1,,"], [(2, "", "unclosed_quote")]),
    ],
)
def test_every_refused_line_is_named_with_its_column(rows: Sequence[str], expected: list[tuple[int, str, str]]) -> None:
    assert faults("\n".join([HEADER, *rows])) == expected


def test_a_line_in_another_encoding_refuses_its_product_only() -> None:
    data = f"{HEADER}\na,A,,,1,,\na,".encode() + b"\xff\xfe" + b",,,2,,\nb,B,,,1,,\n"
    groups, columns = parse(data)
    results = [csvproduct.read(group, columns=columns, currency="CNY", tree=TREE) for group in groups]

    assert [(one.line, one.code) for one in results[0][1]] == [(2, "product_refused"), (3, "bad_encoding")]
    assert results[1][0] is not None


def test_the_hundredth_variant_is_refused() -> None:
    rows = [f"a,A,Size,S{number},1,," for number in range(101)]
    found = faults("\n".join([HEADER, *rows]))

    assert [one for one in found if one[2] == "too_many_skus"] == [
        (101, "Option1 Value", "too_many_skus"),
        (102, "Option1 Value", "too_many_skus"),
    ]
    assert len(found) == 101


def test_missing_and_repeated_columns() -> None:
    record = next(csvfile.records(b"Handle,Type,type,Variant Price\n", line=1, final=True, encoding="utf-8"))
    _, found = csvfile.header(record)

    assert [(one.column, one.code) for one in found] == [("Title", "column_missing"), ("Type", "column_repeated")]
    assert found[0].zh == "文件缺少 Title 列。"


def test_the_encoding_of_chinese_spreadsheets_is_recognised() -> None:
    assert csvfile.encoding_of("Handle,Title\na,连衣裙\nb,".encode() + b"\xe8") == "utf-8"
    assert csvfile.encoding_of("Handle,Title\na,连衣裙\n".encode("gb18030")) == "gb18030"


nasty = st.text(st.sampled_from("=+-@'\t\"裙aA1,\n ;<>&"), min_size=1, max_size=12).map(str.strip).filter(bool)


@settings(max_examples=150, deadline=None)
@given(
    titles=st.fixed_dictionaries({"en": nasty}),
    values=st.lists(nasty, min_size=1, max_size=4, unique=True),
    vendor=nasty,
    code=nasty,
)
def test_what_is_exported_is_read_back_and_never_a_formula(
    titles: dict[str, str], values: list[str], vendor: str, code: str
) -> None:
    product = domain.create(
        Draft(
            titles={"zh": "裙", **titles},
            category_id="dresses",
            options=("Size",),
            skus=tuple(SkuDraft((value,), Money(1990), Money(0), 5, "/p.jpg", code) for value in values),
            specifications=(("材质", "棉"),),
            pictures=("/p.jpg", "/q.jpg"),
            vendor=vendor,
            type="T",
            tags=("x", "y"),
        ),
        product_id="prd_" + "0" * 24,
        merchant_id="mer_1",
        handle="",
        at=NOW,
    )
    writer = csvproduct.Writer()
    writer.header()
    writer.product(product, {sku.sku_id: 7 for sku in product.skus})
    raw = writer.bytes()

    for row in csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    groups, columns = parse(raw[3:])
    parsed, found = csvproduct.read(groups[0], columns=columns, currency="CNY", tree=TREE)
    assert found == []
    assert parsed is not None
    again = domain.change(product, csvproduct.merged(parsed.draft, product, columns))
    assert replace(again, revision=product.revision) == product
    assert set(parsed.stock.values()) == {7}


def test_a_product_that_does_not_end_is_refused_and_the_file_goes_on() -> None:
    rows = b"a,A,1\n" + b"a,,1\n" * 3 * csvfile.PRODUCT_LINES + b"b,B,2\n"
    columns = ("Handle", "Title", "Variant Price")
    found: list[tuple[str, int, str]] = []
    at, line, skipping, skipped = 0, 1, None, 0
    while at < len(rows):
        piece = rows[at : at + 5_000]
        final = at + len(piece) >= len(rows)
        scan = csvfile.scan(
            piece, line=line, final=final, encoding="utf-8", columns=columns, skipping=skipping, whole=True
        )
        assert scan.end
        found += [(group.handle, len(group.lines), group.problem) for group in scan.groups]
        at, line, skipping, skipped = at + scan.end, scan.next_line, scan.skipping, skipped + scan.skipped
    assert found == [("a", 1, "product_too_long"), ("b", 1, "")]
    assert (line, skipped) == (3 * csvfile.PRODUCT_LINES + 3, 3 * csvfile.PRODUCT_LINES)


def test_one_look_at_a_file_reads_so_many_records_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = csvfile._record

    def count(*args: Any) -> Any:
        read.append(1)
        return real(*args)

    monkeypatch.setattr(csvfile, "_record", count)
    data = "\u00a0\n".encode() * 50_000 + b"\r\n" * 100_000
    looks, at, line = 0, 0, 1
    while at < len(data):
        scan = csvfile.scan(data[at:], line=line, final=True, encoding="utf-8", columns=("Handle",))
        at, line, looks = at + scan.end, scan.next_line, looks + 1
    assert (looks, len(read), line) == (3, 50_000, 150_001)  # Plain blank lines are one match, not 100,000 records.


@pytest.mark.parametrize("most", [1, 3])
def test_a_look_ends_behind_the_products_it_gives(most: int) -> None:
    data = b"a,1\nb,2\n\n\nb,3\nc,4\nd,5\n"
    seen, at, line = [], 0, 1
    while at < len(data):
        scan = csvfile.scan(data[at:], line=line, final=True, encoding="utf-8", columns=("Handle", "T"), most=most)
        seen += [(group.handle, [one.line for one in group.lines]) for group in scan.groups]
        at, line = at + scan.end, scan.next_line
    assert seen == [("a", [1]), ("b", [2, 5]), ("c", [6]), ("d", [7])]
