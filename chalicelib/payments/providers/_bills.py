"""Daily bills that come as CSV in yuan, read into ``payments.bills``.

WeChat Pay: UTF-8 with a byte order mark, every field behind a back-tick, a totals header and a totals line at the end.
Alipay: a ZIP of GBK CSV files, ``#`` comment lines around the header, tabs behind fields. Days are China days.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping

from chalicelib.kernel.money import Money
from chalicelib.payments.bills import Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.providers import _wire

UNPACKED_CAP_BYTES = 64 * 1024 * 1024
"""A bill that unpacks to more is refused: it would not fit a Lambda function anyway."""


def gunzip(data: bytes) -> bytes:
    """Return the unpacked file, or the data itself if it is not packed.

    Raises:
        BillUnavailable: if it cannot be unpacked, or to too much.
    """
    import zlib

    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        unpacker = zlib.decompressobj(wbits=31)
        unpacked = unpacker.decompress(data, UNPACKED_CAP_BYTES)
    except zlib.error as error:
        raise BillUnavailable(why="it cannot be unpacked") from error
    if not unpacker.eof:
        raise BillUnavailable(why="it is cut off or too large")
    return unpacked


def read_wechatpay(data: bytes) -> Bill:
    """Read a trade bill (``bill_type`` ALL, SUCCESS or REFUND).

    Raises:
        BillUnavailable: if it is no such file at all.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeError as error:
        raise BillUnavailable(why="it is not UTF-8") from error
    rows = [(number, _ticked(line)) for number, line in enumerate(_lines(text), 1) if line.strip()]
    if not rows or "交易时间" not in rows[0][1]:
        raise BillUnavailable(why="its header is unknown")
    header = rows[0][1]
    lines: list[BillLine] = []
    defects: list[str] = []
    totals: dict[str, str] = {}
    totals_header: list[str] | None = None
    for number, row in rows[1:]:
        if row[0].startswith("总交易单数"):
            totals_header = row
        elif totals_header is not None:
            totals = dict(zip(totals_header, row, strict=False))
        else:
            _collect((lines, defects), number, row, header, _wechatpay_line)
    if totals_header is None or not totals:
        defects.append("the totals are missing: the file may be cut off")
    else:
        defects += _check_wechatpay_totals(lines, totals)
    return Bill(tuple(lines), totals, tuple(defects))


def _wechatpay_line(number: int, cells: Mapping[str, str]) -> BillLine:
    state = cells["交易状态"]
    currency = cells.get("货币种类", "CNY")
    is_refund = state in ("REFUND", "REVOKED")
    # Full bills name both the order's amount and what was asked back; older layouts have only the settled amounts.
    amount = (
        cells.get("申请退款金额") or cells.get("退款金额")
        if is_refund
        else cells.get("订单金额") or cells.get("应结订单金额") or cells.get("总金额")
    )
    return BillLine(
        kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
        payment_id=cells["商户订单号"],
        transaction_id=cells["微信订单号"],
        amount=Money(_wire.fen(amount), currency),
        fee_text=cells.get("手续费", ""),
        at=_wire.china_time(cells["交易时间"]),
        status=cells.get("退款状态", "") if is_refund else state,
        refund_id=cells.get("商户退款单号", "") if is_refund else "",
        provider_refund_id=cells.get("微信退款单号", "") if is_refund else "",
        line=number,
    )


def _lines(text: str) -> list[str]:
    """Split at line feeds alone: ``splitlines`` also splits at marks that the name of a product may hold."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def _ticked(line: str) -> list[str]:
    """Split a line: data by comma and back-tick, since a product's name may hold commas; headers by commas."""
    cells = line.removeprefix("`").split(",`") if line.startswith("`") else line.split(",")
    return [cell.strip() for cell in cells]


def _check_wechatpay_totals(lines: list[BillLine], totals: Mapping[str, str]) -> list[str]:
    defects: list[str] = []
    try:
        count = int(float(totals["总交易单数"]))
    except (KeyError, ValueError, OverflowError):
        return ["the totals cannot be read"]
    if count != len(lines):
        defects.append(f"the totals speak of {count} lines, there are {len(lines)}")
    for kind, name in ((BillKind.PAYMENT, "订单总金额"), (BillKind.REFUND, "申请退款总金额")):
        if name not in totals:
            continue
        said = totals[name]
        booked = sum(line.amount.minor for line in lines if line.kind is kind)
        try:
            fits = _wire.fen(said) == booked
        except ValueError:
            fits = False
        if not fits:
            defects.append(f"{name} is {said}, the lines sum to {_wire.yuan(booked)}")
    return defects


def read_alipay(archive: bytes) -> Bill:
    """Read a trade bill: the detail file in the ZIP, GBK.

    Raises:
        BillUnavailable: if it is no such archive.
    """
    text = _unpack_alipay(archive)
    header: list[str] | None = None
    lines: list[BillLine] = []
    defects: list[str] = []
    totals: dict[str, str] = {}
    for number, row in enumerate(_rows(text), 1):
        if not row:
            continue
        if row[0].startswith("#"):
            if header is not None:
                name, _, value = ",".join(row).lstrip("#").partition("：")
                totals.setdefault(name.strip(), value.strip())
        elif header is None:
            header = row
        else:
            _collect((lines, defects), number, row, header, _alipay_line)
    if header is None or "支付宝交易号" not in header:
        raise BillUnavailable(why="its header is unknown")
    if not any("列表结束" in name for name in totals):
        defects.append("the end of the list is missing: the file may be cut off")
    for kind, name in ((BillKind.PAYMENT, "交易合计"), (BillKind.REFUND, "退款合计")):
        said = totals.get(name, "").partition("笔")[0]
        count = sum(line.kind is kind for line in lines)
        if name in totals and said != str(count):
            defects.append(f"{name} speaks of {said} lines, there are {count}")
    return Bill(tuple(lines), totals, tuple(defects))


def _alipay_line(number: int, cells: Mapping[str, str]) -> BillLine:
    kind = cells["业务类型"]
    if kind not in ("交易", "退款"):
        raise ValueError(f"unknown business type {kind}")
    is_refund = kind == "退款"
    amount = cells["订单金额（元）"]
    amount = amount.removeprefix("-") if is_refund else amount
    return BillLine(
        kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
        payment_id=cells["商户订单号"],
        transaction_id=cells["支付宝交易号"],
        amount=Money(_wire.fen(amount)),
        fee_text=cells.get("服务费（元）", ""),
        at=_wire.china_time(cells["完成时间"]),
        status="",
        refund_id=cells.get("退款批次号/请求号", "") if is_refund else "",
        line=number,
    )


def _unpack_alipay(archive: bytes) -> str:
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            details = [info for info in packed.infolist() if _is_details(info)]
            if len(details) != 1 or details[0].file_size > UNPACKED_CAP_BYTES:
                raise BillUnavailable(why="the archive does not hold exactly one detail file")
            return packed.read(details[0]).decode("gb18030")
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError, OSError, OverflowError) as error:
        raise BillUnavailable(why="the archive cannot be read") from error


def _is_details(info: object) -> bool:
    """Names are GBK without the UTF-8 flag, so ``zipfile`` reads them as CP437; summaries are ``...(汇总).csv``."""
    name = str(getattr(info, "filename", ""))
    if not int(getattr(info, "flag_bits", 0)) & 0x800:
        name = name.encode("cp437", "replace").decode("gb18030", "replace")
    return name.lower().endswith(".csv") and "汇总" not in name


def _rows(text: str) -> Iterable[list[str]]:
    """Yield the rows, each read on its own: a quote that a product's name opens must not swallow those behind it."""
    import csv

    for line in _lines(text):
        try:
            row = [cell.strip() for cell in next(csv.reader([line]), [])]
        except csv.Error:  # A field that is too long, say.
            row = [line[:80]]
        yield row if any(row) else []


def _collect(
    bill: tuple[list[BillLine], list[str]],
    number: int,
    row: list[str],
    header: list[str],
    read: Callable[[int, Mapping[str, str]], BillLine],
) -> None:
    """Add what ``read`` makes of a row to the lines, or the row's number and trouble to the defects."""
    lines, defects = bill
    try:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} fields under {len(header)} names")
        lines.append(read(number, dict(zip(header, row, strict=True))))
    except (ValueError, KeyError, OverflowError) as error:
        defects.append(f"line {number}: {error}")
