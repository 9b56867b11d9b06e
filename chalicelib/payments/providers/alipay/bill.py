"""Alipay's bill: a ZIP of GBK CSV files, ``#`` comment lines around the header, tabs behind fields. China days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.providers._shared import bills, reading
from chalicelib.payments.providers._shared.bills import Reader

DIRECTORY_CAP_BYTES = 64 * 1024
"""A ZIP's list of files, which is read as a whole: Alipay's has two or three."""


def read_bill(file: BinaryIO) -> Iterator[Bill]:
    """Read a trade bill: the detail file in the ZIP, GBK.

    Raises:
        BillUnavailable: if it is no such archive.
    """
    import zipfile

    with bills.unpacking():
        _check_directory(file)
        with zipfile.ZipFile(file) as packed:
            details = [info for info in packed.infolist() if _is_details(info)]
            if len(details) != 1:
                raise BillUnavailable(why="the archive does not hold exactly one detail file")
            bills.check_size(details[0].file_size)
            with packed.open(details[0]) as stream:
                yield from parts_of(bills.lines_of(stream, "gb18030"))


def parts_of(found: Iterator[tuple[int, str]]) -> Iterator[Bill]:
    """Read numbered lines of text."""
    reader = Reader(_bill_line)
    totals: dict[str, str] = {}
    for number, text in found:
        row = _cells(text)
        if not row:
            continue
        if row[0].startswith("#"):
            if reader.header:
                name, _, value = ",".join(row).lstrip("#").partition("：")
                totals.setdefault(name.strip(), value.strip())
        elif not reader.header:
            if "支付宝交易号" not in row:
                break
            reader.header = row
        else:
            yield from reader.take(number, row)
    if not reader.header:
        raise BillUnavailable(why="its header is unknown")
    yield reader.rest(totals, _check_totals(reader, totals))


def _check_totals(reader: Reader, totals: Mapping[str, str]) -> list[str]:
    defects = []
    if not any("列表结束" in name for name in totals):
        defects.append("the end of the list is missing: the file may be cut off")
    for kind, name in ((BillKind.PAYMENT, "交易合计"), (BillKind.REFUND, "退款合计")):
        said = totals.get(name, "").partition("笔")[0]
        if name in totals and said != str(reader.count[kind]):
            defects.append(f"{name} speaks of {said} lines, there are {reader.count[kind]}")
    return defects


def _bill_line(number: int, cells: Mapping[str, str]) -> BillLine:
    kind = cells["业务类型"]
    if kind not in ("交易", "退款"):
        raise ValueError(f"unknown business type {kind}")
    is_refund = kind == "退款"
    sign = "-" if is_refund else ""
    return BillLine(
        kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
        payment_id=cells["商户订单号"],
        transaction_id=cells["支付宝交易号"],
        amount=Money(reading.fen(cells["订单金额（元）"].removeprefix(sign))),
        fee_text=cells.get("服务费（元）", ""),
        at=reading.china_time(cells["完成时间"]),
        status="",
        refund_id=cells.get("退款批次号/请求号", "") if is_refund else "",
        settled=bills.money_of(cells.get("商家实收（元）", "").removeprefix(sign)),
        borne=_sum(cells.get(name, "").removeprefix(sign) for name in ("商家优惠（元）", "商家红包消费金额（元）")),
        line=number,
    )


def _sum(texts: Iterable[str]) -> Money | None:
    """Return the sum of the cells that are not empty; None where all are."""
    found = [money.minor for money in map(bills.money_of, texts) if money is not None]
    return Money(sum(found)) if found else None


def _check_directory(file: BinaryIO) -> None:
    """Refuse a ZIP with a list of files that is not worth reading: it stands at the end, behind its length."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - DIRECTORY_CAP_BYTES))
    end = file.read()
    mark = end.rfind(b"PK\x05\x06")
    if mark >= 0 and int.from_bytes(end[mark + 12 : mark + 16], "little") > DIRECTORY_CAP_BYTES:
        raise BillUnavailable(why="the archive holds too many files")
    file.seek(0)


def _is_details(info: object) -> bool:
    """Names are GBK without the UTF-8 flag, so ``zipfile`` reads them as CP437; summaries are ``...(汇总).csv``."""
    name = str(getattr(info, "filename", ""))
    if not int(getattr(info, "flag_bits", 0)) & 0x800:
        name = name.encode("cp437", "replace").decode("gb18030", "replace")
    return name.lower().endswith(".csv") and "汇总" not in name


def _cells(line: str) -> list[str]:
    """Read a row on its own: a quote that a product's name opens must not swallow those behind it."""
    import csv

    try:
        row = [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error:  # A field that is too long, say.
        row = [line[:80]]
    return row if any(row) else []
