"""QQ Wallet's bill: Chinese column names, back-ticks, amounts in yuan, two totals lines at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine, BillUnavailable
from chalicelib.payments.providers._shared import bills
from chalicelib.payments.providers.qqwallet import codes as qqwallet_codes

# --- bill -------------------------------------------------------------------------------------------------------------

NO_BILL = ("NO_BILL_EXIST", "No Bill Exist")
"""What a day without movements answers."""
_YUAN = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,2}))?")


def read_bill(file: BinaryIO) -> Iterator[Bill]:
    """Read a downloaded bill: Chinese column names, back-ticks, amounts in yuan, two totals lines at the end.

    Column names as several client libraries list them; the file itself was not seen. A row that cannot be read becomes
    a defect of the bill, never a silent gap.

    Raises:
        BillUnavailable: if it is no such file at all.
    """
    encoding = "utf-8" if bills.is_utf8(file) else "gb18030"
    reader = bills.Reader(_bill_line)
    held: tuple[int, str] | None = None
    tail = ""
    for number, row in bills.rows(file, encoding, errors="replace"):
        if not row.strip():
            continue
        if not reader.header:
            if "商户订单号" not in row:
                break
            reader.header = [name.strip("` ") for name in row.split(",")]
            continue
        if held is not None:  # The totals' values have back-ticks too: of what has them, the last may be those.
            yield from reader.take(held[0], _values(held[1]))
        held = (number, row) if row.startswith("`") else None
        tail = tail if held else row
    if not reader.header:
        raise BillUnavailable(why="its header is unknown")
    totals: dict[str, str] = {}
    if held is not None and tail:
        totals = dict(zip(tail.split(","), _values(held[1], strip=False), strict=False))
    elif held is not None:
        yield from reader.take(held[0], _values(held[1]))
    yield reader.rest(totals, _check_totals(reader.taken, totals.get("总交易单数", "")))


def _check_totals(rows: int, said: str) -> list[str]:
    if not re.fullmatch(r"[0-9]{1,9}(\.0{1,2})?", said):
        return ["the totals are missing: the file may be cut off"]
    return [] if int(float(said)) == rows else [f"the totals speak of {int(float(said))} lines, there are {rows}"]


def _values(row: str, *, strip: bool = True) -> list[str]:
    values = row.removeprefix("`").split(",`")
    return [value.strip() for value in values] if strip else values


def _bill_line(number: int, row: Mapping[str, str]) -> BillLine:
    currency = row.get("货币种类") or "CNY"
    refund = bool(row.get("商户退款订单号") or row.get("QQ钱包退款订单号"))
    when = (row.get("退款成功时间") or row.get("退款提交时间") or "") if refund else row["交易时间"]
    return BillLine(
        kind=BillKind.REFUND if refund else BillKind.PAYMENT,
        payment_id=row["商户订单号"],
        transaction_id=row["QQ钱包订单号"],
        amount=Money(_minor(row["退款金额"] if refund else row["订单金额"]), currency),
        fee_text=row.get("手续费金额", ""),
        at=qqwallet_codes.moment_of(re.sub(r"[-: /T]", "", when)),
        status=row["退款状态"] if refund else row["交易状态"],
        refund_id=row["商户退款订单号"] if refund else "",
        provider_refund_id=row["QQ钱包退款订单号"] if refund else "",
        settled=_share(row, "商户应收金额", currency, refund=refund),
        borne=_share(row, "商户优惠金额", currency, refund=refund),
        line=number,
    )


def _share(row: Mapping[str, str], name: str, currency: str, *, refund: bool) -> Money | None:
    """Return what the seller gets, or bears; a refund's line only repeats that of its payment."""
    text = row.get(name, "")
    return Money(_minor(text), currency) if text and not refund else None


def _minor(text: str) -> int:
    found = _YUAN.fullmatch(text)
    if found is None:
        raise ValueError("not an amount in yuan")
    return int(found.group(1)) * 100 + int((found.group(2) or "0").ljust(2, "0"))
