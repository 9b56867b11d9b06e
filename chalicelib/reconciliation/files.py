"""Files of runs in the bucket: pieces of the bill between two steps, parts of the report, and the report itself."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from chalicelib.kernel import clock
from chalicelib.kernel.spreadsheets import guard
from chalicelib.reconciliation import advice
from chalicelib.reconciliation.domain import Judged, Line, Run
from chalicelib.runtime import objects

WITHIN: Final = timedelta(minutes=5)
"""How long a signed address counts."""
COLUMNS: Final = (
    *("line", "finding", "why", "healed", "kind", "payment_id", "refund_id", "transaction_id", "provider_refund_id"),
    *("amount", "currency", "fee", "status", "at", "settled"),
    *("our_record", "our_status", "our_amount", "our_currency", "our_at", "difference", "case_id"),
    *("what_en", "next_en", "what_zh", "next_zh"),
)
_CSV: Final = "text/csv; charset=utf-8"
_lines = msgspec.json.Decoder(tuple[Line, ...])


def put_piece(run: Run, number: int, lines: Sequence[Line]) -> None:
    """Keep a piece of the bill."""
    objects.put(_key(run, f"piece-{number:05d}.json"), msgspec.json.encode(lines), "application/json")


def piece(run: Run, number: int) -> tuple[Line, ...]:
    """Read a piece of the bill."""
    return _lines.decode(objects.get(_key(run, f"piece-{number:05d}.json")))


def put_part(run: Run, number: int, judged: Iterable[Judged]) -> None:
    """Keep a part of the report. Writing it again writes the same."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([_safe(cell) for cell in _cells(found)] for found in judged)
    objects.put(_key(run, f"part-{number:05d}.csv"), text.getvalue().encode(), _CSV)


def put_report(run: Run) -> None:
    """Put the parts together; the memory it takes is that of one part."""
    with tempfile.SpooledTemporaryFile(max_size=8 * 1024 * 1024) as whole:
        whole.write(b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n")
        for number in range(run.parts):
            whole.write(objects.get(_key(run, f"part-{number:05d}.csv")))
        size = whole.tell()
        whole.seek(0)
        objects.put_file(_report(run), whole, size, _CSV)


def download_url(run: Run) -> str:
    """Sign a URL from which the report can be fetched for five minutes. No call is made."""
    return objects.download_url(_report(run), f"{run.provider}-{run.day}.csv", within=WITHIN)


def _cells(found: Judged) -> list[Any]:
    line, ours = found.line, found.ours
    said: list[Any] = (
        [
            line.kind.value,
            line.payment_id,
            line.refund_id,
            line.transaction_id,
            line.provider_refund_id or line.dispute,
            line.money.text().split()[0],
            line.currency,
            line.fee,
            line.status,
            _moment(line.at_s),
            "" if line.settled is None else (line.money - line.discount).text().split()[0],
        ]
        if line
        else [""] * 11
    )
    have = [""] * 5
    if ours:
        have = [ours.record_id, ours.status, ours.money.text().split()[0], ours.currency, _moment(ours.at_s)]
    number = line.number if line else ""
    words = advice.of(found.finding, found.why, healed=found.healed)
    return [
        *(number, found.finding.value, found.why, "yes" if found.healed else ""),
        *said,
        *have,
        found.difference.text().split()[0] if found.difference else "",
        found.case_id,
        *(words.what[0], words.todo[0], words.what[1], words.todo[1]),
    ]


def _moment(at_s: int) -> str:
    return clock.from_epoch_s(at_s).isoformat().replace("+00:00", "Z") if at_s else ""


_NUMBER = re.compile(r"[+-]?[0-9]{1,11}(\.[0-9]+)?")
_ALSO = re.compile(r"\n|\s*\|")
_LONG = re.compile(r"[0-9]{12,}")


def _safe(cell: Any) -> str:
    """Keep a spreadsheet from running what a provider's file says, and from rounding its long numbers.

    A tab behind a long number makes it a text, as in the providers' own files; amounts stay numbers that can be summed.
    """
    text = str(cell)
    if _LONG.fullmatch(text):
        return text + "\t"
    if _NUMBER.fullmatch(text):
        return text
    return f"'{text}" if _ALSO.match(text) else guard(text)


def _report(run: Run) -> str:
    return _key(run, "report.csv")


def _key(run: Run, name: str) -> str:
    return f"reconciliation/{run.run_id}/{run.round}/{name}"
