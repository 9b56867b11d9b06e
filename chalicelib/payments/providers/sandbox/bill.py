"""The bill of the sandbox."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.kernel.money import MINOR_DIGITS, Money
from chalicelib.payments.domain.bill import Bill, BillKind, BillLine
from chalicelib.payments.providers.sandbox.codes import moment_of

_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,3})?")


def read_bill(rows: list[Any], totals: Any) -> Bill:
    """Read the lines of a bill; what cannot be read is a defect."""
    lines: list[BillLine] = []
    defects: list[str] = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(_bill_line(row, number))
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            defects.append(f"line {number}: {error}")
    said = totals.get("lines") if isinstance(totals, dict) else None
    if said != len(rows):
        defects.append(f"the totals speak of {said} lines, there are {len(rows)}")
    return Bill(tuple(lines), {"lines": str(said)}, tuple(defects))


def _bill_line(row: dict[str, Any], number: int) -> BillLine:
    moment = moment_of(row["at"])
    if moment is None:
        raise ValueError("no time")
    digits = MINOR_DIGITS.get(row["currency"], 2)
    settled = row.get("settled")
    return BillLine(
        kind=BillKind(row["kind"]),
        payment_id=str(row["out_trade_no"]),
        transaction_id=str(row["transaction_id"]),
        amount=Money(_minor(row["amount"], digits), row["currency"]),
        fee_text=str(row["fee"]),
        at=moment,
        status=str(row["state"]),
        refund_id=str(row["out_refund_no"]),
        provider_refund_id=str(row["refund_id"]),
        settled=None if settled is None else Money(_minor(settled, digits), row["currency"]),
        line=number,
    )


def _minor(text: str, digits: int) -> int:
    if not _AMOUNT.fullmatch(text):
        raise ValueError("not an amount")
    minor = Decimal(text).scaleb(digits)
    if minor != int(minor):
        raise ValueError("not in whole minor units")
    return int(minor)
