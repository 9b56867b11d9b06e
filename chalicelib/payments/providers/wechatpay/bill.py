"""WeChat Pay's bill: UTF-8 with a byte order mark, every field behind a back-tick, totals at the end. China days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.providers._shared import bills, reading
from chalicelib.payments.providers._shared.bills import Reader


def read_bill(file: BinaryIO) -> Iterator[Bill]:
    """Read a trade bill (``bill_type`` ALL, SUCCESS or REFUND).

    Raises:
        BillUnavailable: if it is no such file at all.
    """
    reader = Reader(_bill_line)
    totals: dict[str, str] = {}
    totals_header: list[str] | None = None
    for number, line in bills.rows(file, "utf-8"):
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
        defects = _check_totals(reader, totals)
    yield reader.rest(totals, defects)


def _bill_line(number: int, cells: Mapping[str, str]) -> BillLine:
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
        settled=bills.money_of(cells.get(settled, ""), currency),
        borne=None if is_refund else bills.money_of(cells.get("代金券金额", ""), currency),
        line=number,
    )


def _ticked(line: str) -> list[str]:
    """Split a line: data by comma and back-tick, since a product's name may hold commas; headers by commas."""
    cells = line.removeprefix("`").split(",`") if line.startswith("`") else line.split(",")
    return [cell.strip() for cell in cells]


def _check_totals(reader: Reader, totals: Mapping[str, str]) -> list[str]:
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
