"""Daily bills that come as CSV in yuan, read into ``domain.bill``.

WeChat Pay: UTF-8 with a byte order mark, every field behind a back-tick, a totals header and a totals line at the end.
Alipay: a ZIP of GBK CSV files, ``#`` comment lines around the header, tabs behind fields. Days are China days.

A busy day has hundreds of thousands of lines. The file lies on the disk, is unpacked as it is read, and what comes out
are parts of a thousand lines: the memory it takes does not depend on its length.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.providers._shared import reading
from chalicelib.runtime import outbound

DOWNLOAD_CAP_BYTES = 128 * 1024 * 1024
"""A Lambda function's disk holds 512 MB."""
DOWNLOAD_S = 60.0
UNPACKED_CAP_BYTES = 256 * 1024 * 1024
"""A bill that unpacks to more is refused, as is one of more lines: it could not be read in one step's time."""
LINES_CAP = 500_000
LINE_CAP_BYTES = 1024 * 1024
DIRECTORY_CAP_BYTES = 64 * 1024
"""A ZIP's list of files, which is read as a whole: Alipay's has two or three."""
PART_LINES = 1000
IN_MEMORY_BYTES = 1024 * 1024
CHUNK_BYTES = 256 * 1024


@contextmanager
def spool() -> Iterator[BinaryIO]:
    """Lend a file for a bill; a small one never touches the disk."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
        yield cast("BinaryIO", file)


def download(
    method: str, url: str, *, headers: Mapping[str, str], into: BinaryIO, body: bytes = b""
) -> outbound.Response:
    """Fetch a bill into a file; an answer other than 200 is in the response.

    Raises:
        BillUnavailable: if it is larger than we take.
        OutboundTimeout: if it did not come in time.
        OutboundFailed: if the provider was not reached.
    """
    into.seek(0)
    into.truncate()
    try:
        return outbound.download(
            method, url, headers=headers, into=into, cap_bytes=DOWNLOAD_CAP_BYTES, timeout_s=DOWNLOAD_S, body=body
        )
    except outbound.OutboundTooLarge as error:
        raise BillUnavailable(why=f"it is larger than {DOWNLOAD_CAP_BYTES >> 20} MiB") from error


def unpacked(file: BinaryIO) -> IO[bytes]:
    """Return the file from its beginning, through gzip if it is packed."""
    import gzip

    file.seek(0)
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")) if packed else file


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the unpacked file.

    Raises:
        BillUnavailable: if it cannot be unpacked, or to too much.
    """
    size = 0
    with _unpacking():
        stream = unpacked(file)
        while chunk := stream.read(CHUNK_BYTES):
            size += len(chunk)
            _check_size(size)
            yield chunk


def sha1(file: BinaryIO) -> str:
    """Return the SHA-1 of the unpacked file.

    Raises:
        BillUnavailable: as :func:`chunks`.
    """
    made = hashlib.sha1(usedforsecurity=False)
    for chunk in chunks(file):
        made.update(chunk)
    return made.hexdigest()


def is_utf8(file: BinaryIO) -> bool:
    """Say whether the whole unpacked file is UTF-8.

    Raises:
        BillUnavailable: as :func:`chunks`.
    """
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in chunks(file):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


@contextmanager
def _unpacking() -> Iterator[None]:
    import zipfile
    import zlib

    try:
        yield
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError, OSError, OverflowError) as error:
        raise BillUnavailable(why="it cannot be unpacked, or is cut off") from error


def _check_size(size: int) -> None:
    if size > UNPACKED_CAP_BYTES:
        raise BillUnavailable(why=f"it unpacks to more than {UNPACKED_CAP_BYTES >> 20} MiB")


def rows(file: BinaryIO, encoding: str, *, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that may be packed, with their numbers.

    They end at line feeds alone: ``splitlines`` also splits at marks that the name of a product may hold.

    Raises:
        BillUnavailable: if it cannot be read, or is too long.
    """
    with _unpacking():
        yield from _rows(unpacked(file), encoding, errors)


def _rows(stream: IO[bytes], encoding: str, errors: str = "strict") -> Iterator[tuple[int, str]]:
    size = 0
    for number, line in enumerate(iter(lambda: stream.readline(LINE_CAP_BYTES + 1), b""), 1):
        size += len(line)
        _check_size(size)
        if len(line) > LINE_CAP_BYTES:
            raise BillUnavailable(why=f"line {number} is longer than {LINE_CAP_BYTES >> 20} MiB")
        if number > LINES_CAP:
            raise BillUnavailable(why=f"it has more than {LINES_CAP} lines")
        data = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        try:
            text = data.decode(encoding, errors)
        except UnicodeError as error:
            raise BillUnavailable(why=f"line {number} is not {encoding}") from error
        yield number, text.removesuffix("\n").removesuffix("\r")


class Reader:
    """Reads the rows under a header into lines, and hands them out a part at a time."""

    def __init__(self, read: Callable[[int, Mapping[str, str]], BillLine]) -> None:
        self.header: list[str] = []
        self.taken = 0
        """Rows, sound or not."""
        self.count: dict[BillKind, int] = dict.fromkeys(BillKind, 0)
        self.sums: dict[BillKind, int] = dict.fromkeys(BillKind, 0)
        self.settled: dict[BillKind, int] = dict.fromkeys(BillKind, 0)
        self._read = read
        self._lines: list[BillLine] = []
        self._defects: list[str] = []

    @property
    def sound(self) -> int:
        """Return how many rows were lines."""
        return sum(self.count.values())

    def take(self, number: int, row: list[str]) -> Iterator[Bill]:
        """Read a row: a line, or a defect with its number and trouble. Yields a part when it is full."""
        self.taken += 1
        try:
            if len(row) != len(self.header):
                raise ValueError(f"{len(row)} fields under {len(self.header)} names")
            line = self._read(number, dict(zip(self.header, row, strict=True)))
        except (ValueError, KeyError, OverflowError) as error:
            self._defects.append(f"line {number}: {error}")
        else:
            self.count[line.kind] += 1
            self.sums[line.kind] += line.amount.minor
            self.settled[line.kind] += (line.settled or line.amount).minor
            self._lines.append(line)
        if len(self._lines) + len(self._defects) >= PART_LINES:
            yield self.rest({}, ())

    def rest(self, totals: Mapping[str, str], defects: Iterable[str]) -> Bill:
        """Return what was taken since the last part, and what the end of the file says."""
        part = Bill(tuple(self._lines), totals, (*self._defects, *defects))
        self._lines, self._defects = [], []
        return part


def wechatpay_parts(file: BinaryIO) -> Iterator[Bill]:
    """Read a trade bill (``bill_type`` ALL, SUCCESS or REFUND).

    Raises:
        BillUnavailable: if it is no such file at all.
    """
    reader = Reader(_wechatpay_line)
    totals: dict[str, str] = {}
    totals_header: list[str] | None = None
    for number, line in rows(file, "utf-8"):
        if not line.strip():
            continue
        row = _ticked(line)
        if not reader.header:
            if "交易时间" not in row:
                break
            reader.header = row
        elif row[0].startswith("总交易单数"):
            totals_header = row
        elif totals_header is not None:
            totals = dict(zip(totals_header, row, strict=False))
        else:
            yield from reader.take(number, row)
    if not reader.header:
        raise BillUnavailable(why="its header is unknown")
    if totals_header is None or not totals:
        defects = ["the totals are missing: the file may be cut off"]
    else:
        defects = _check_wechatpay_totals(reader, totals)
    yield reader.rest(totals, defects)


def _wechatpay_line(number: int, cells: Mapping[str, str]) -> BillLine:
    state = cells["交易状态"]
    currency = cells.get("货币种类", "CNY")
    is_refund = state in ("REFUND", "REVOKED")
    # Full bills name both the order's amount and what was asked back, and what of it is settled: less, where the seller
    # bears a coupon. Older layouts have only the settled amounts.
    whole, settled = ("申请退款金额", "退款金额") if is_refund else ("订单金额", "应结订单金额")
    amount = cells.get(whole) or cells.get(settled) or cells.get("总金额")
    return BillLine(
        kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
        payment_id=cells["商户订单号"],
        transaction_id=cells["微信订单号"],
        amount=Money(reading.fen(amount), currency),
        fee_text=cells.get("手续费", ""),
        at=reading.china_time(cells["交易时间"]),
        status=cells.get("退款状态", "") if is_refund else state,
        refund_id=cells.get("商户退款单号", "") if is_refund else "",
        provider_refund_id=cells.get("微信退款单号", "") if is_refund else "",
        settled=_money(cells.get(settled, ""), currency),
        borne=None if is_refund else _money(cells.get("代金券金额", ""), currency),
        line=number,
    )


def _ticked(line: str) -> list[str]:
    """Split a line: data by comma and back-tick, since a product's name may hold commas; headers by commas."""
    cells = line.removeprefix("`").split(",`") if line.startswith("`") else line.split(",")
    return [cell.strip() for cell in cells]


def _check_wechatpay_totals(reader: Reader, totals: Mapping[str, str]) -> list[str]:
    defects: list[str] = []
    try:
        count = int(float(totals["总交易单数"]))
    except (KeyError, ValueError, OverflowError):
        return ["the totals cannot be read"]
    if count != reader.sound:
        defects.append(f"the totals speak of {count} lines, there are {reader.sound}")
    for name, booked in (
        ("订单总金额", reader.sums[BillKind.PAYMENT]),
        ("申请退款总金额", reader.sums[BillKind.REFUND]),
        ("应结订单总金额", reader.settled[BillKind.PAYMENT]),
        ("退款总金额", reader.settled[BillKind.REFUND]),
    ):
        if name not in totals:
            continue
        said = totals[name]
        try:
            fits = reading.fen(said) == booked
        except ValueError:
            fits = False
        if not fits:
            defects.append(f"{name} is {said}, the lines sum to {reading.yuan(booked)}")
    return defects


def alipay_parts(file: BinaryIO) -> Iterator[Bill]:
    """Read a trade bill: the detail file in the ZIP, GBK.

    Raises:
        BillUnavailable: if it is no such archive.
    """
    import zipfile

    with _unpacking():
        _check_directory(file)
        with zipfile.ZipFile(file) as packed:
            details = [info for info in packed.infolist() if _is_details(info)]
            if len(details) != 1:
                raise BillUnavailable(why="the archive does not hold exactly one detail file")
            _check_size(details[0].file_size)
            with packed.open(details[0]) as stream:
                yield from _alipay_parts(_rows(stream, "gb18030"))


def _alipay_parts(found: Iterator[tuple[int, str]]) -> Iterator[Bill]:
    reader = Reader(_alipay_line)
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
    yield reader.rest(totals, _check_alipay_totals(reader, totals))


def _check_alipay_totals(reader: Reader, totals: Mapping[str, str]) -> list[str]:
    defects = []
    if not any("列表结束" in name for name in totals):
        defects.append("the end of the list is missing: the file may be cut off")
    for kind, name in ((BillKind.PAYMENT, "交易合计"), (BillKind.REFUND, "退款合计")):
        said = totals.get(name, "").partition("笔")[0]
        if name in totals and said != str(reader.count[kind]):
            defects.append(f"{name} speaks of {said} lines, there are {reader.count[kind]}")
    return defects


def _alipay_line(number: int, cells: Mapping[str, str]) -> BillLine:
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
        settled=_money(cells.get("商家实收（元）", "").removeprefix(sign)),
        borne=_sum(cells.get(name, "").removeprefix(sign) for name in ("商家优惠（元）", "商家红包消费金额（元）")),
        line=number,
    )


def _money(text: str, currency: str = "CNY") -> Money | None:
    """Return an amount in yuan; None where the cell is empty."""
    return Money(reading.fen(text), currency) if text else None


def _sum(texts: Iterable[str]) -> Money | None:
    """Return the sum of the cells that are not empty; None where all are."""
    found = [money.minor for money in map(_money, texts) if money is not None]
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
