"""A CSV file in Shopify's layout: bytes to the lines of each product, and what is wrong with which line. Pure.

A product is a run of lines with one ``Handle``: the first carries its texts, each line may carry a variant, a picture
or both. A product is taken whole or not at all: one bad line refuses its product, and every line of it is reported. A
line so broken that its handle cannot be read belongs to the product around it, or stands alone.

Everything here is linear in the bytes, and bounded before it is looked at: a record, the lines of a product, the
records of one call. What the columns mean is ``csvproduct``'s; their names are in ``csvcolumns``. Cells that a
spreadsheet would run as a formula are written behind an apostrophe, which is taken off again when read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chalicelib.catalog import csvcolumns, encodings
from chalicelib.catalog.csvcolumns import COLUMNS, REQUIRED
from chalicelib.catalog.csvreasons import REASONS, Finding, finding
from chalicelib.kernel.spreadsheets import guard, unguard
from chalicelib.kernel.text import CONTROLS

__all__ = ["COLUMNS", "REASONS", "REQUIRED", "Finding", "finding", "guard"]

RECORD_CAP: Final = 512 * 1024
"""A single record beyond this is a quote that was never closed."""
PRODUCT_LINES: Final = 2_000
"""Far more than a product can have variants and pictures: more lines of one handle are refused, not kept."""
RECORDS_A_CALL: Final = 20_000
"""How many records one scan reads at most, whatever they hold."""
_ORPHANS: Final = 200
"""Lines without a readable handle that are kept back to learn whose they are."""

# Bytes to records

_FIELD = rb'(?:"(?:[^"]++|"")*+"[^,\r\n]*+|(?!")[^,\r\n]*+)'
_CELL = re.compile(_FIELD)
_RECORD = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+(?:\r\n|\n|\r|\Z)")
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r|\Z)")
_EMPTY = rb'[ \t]*+(?:""(?!")[ \t]*+)?+'
_BLANK = re.compile(rb"(?:" + _EMPTY + rb"(?:," + _EMPTY + rb")*+(?:\r\n|\n|\r))++")
"""A run of lines with nothing in them: spreadsheets leave thousands behind."""
_LOST: Final = "\ufffd"
"""What a program puts for what it could not read: the text went through a wrong encoding before it came here."""
BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its first physical line, where it ends in the bytes, its cells or why there are none."""

    line: int
    lines: int
    end: int
    cells: tuple[str, ...] = ()
    problem: str = ""
    controls: tuple[int, ...] = ()
    """Which cells hold control characters."""
    raw: bytes = b""
    """What it was, where there is a problem."""


def encoding_of(head: bytes) -> str:
    """Return the codec of the beginning of a file that nobody named; see ``encodings``."""
    return encodings.recognised(head)


def records(data: bytes, *, line: int, final: bool, encoding: str) -> Iterator[Record]:
    """Yield the records of a piece of the file that begins at a record's start; blank ones are left out.

    A record that the piece cuts off is not yielded unless the piece is the ``final`` one. Line ends may be any.
    """
    for record in _walk(data, line=line, final=final, encoding=encoding):
        if record.problem or any(record.cells):
            yield record


def _walk(data: bytes, *, line: int, final: bool, encoding: str) -> Iterator[Record]:
    """Yield the records, and each run of blank ones as one without cells."""
    at, size = 0, len(data)
    while at < size:
        end = _blank_until(data, at, final=final)
        if end > at:
            lines = _ends(data, at, end)
            yield Record(line, lines, end)
            line, at = line + lines, end
            continue
        limit = min(size, at + RECORD_CAP)
        found = _RECORD.match(data, at, limit)
        end = found.end() if found is not None else limit
        if end == size and not final:
            return  # Cut off here (or just before the second half of a CRLF).
        if found is None or (end == limit and limit < size):
            broken = _broken(data, at, final=final)
            if broken == at:
                return
            problem = "unclosed_quote" if found is None else "record_too_long"
            yield Record(line, 1, broken, problem=problem, raw=data[at : min(broken, limit)])
            line, at = line + 1, broken
            continue
        lines = max(1, _ends(data, at, end))
        yield _record(data[at:end], line, lines, end, encoding)
        line, at = line + lines, end


def _blank_until(data: bytes, at: int, *, final: bool) -> int:
    """Return where the blank lines that begin here end; ``at`` if there are none."""
    found = _BLANK.match(data, at)
    if found is None:
        return at
    end = found.end()
    halved = not final and end == len(data) and data[end - 1 : end] == b"\r"
    return end - 1 if halved else end  # The second half of its CRLF may come with the next piece.


def _broken(data: bytes, at: int, *, final: bool) -> int:
    """Return where the physical line of a broken record ends; ``at`` if the piece does not show it."""
    found = _LINE.match(data, at)
    end = found.end() if found is not None else at
    return end if final or end < len(data) else at


def _ends(data: bytes, at: int, end: int) -> int:
    """Count line ends."""
    return data.count(b"\n", at, end) + data.count(b"\r", at, end) - data.count(b"\r\n", at, end)


def _record(raw: bytes, line: int, lines: int, end: int, encoding: str) -> Record:
    try:
        text = raw.decode(encoding)
        cells = next(csv.reader([text]), [])
    except UnicodeDecodeError:
        return Record(line, lines, end, problem="bad_encoding", raw=raw)
    except csv.Error:
        return Record(line, lines, end, problem="cell_too_long", raw=raw)
    if _LOST in text:
        return Record(line, lines, end, problem="bad_encoding", raw=raw)
    controls: tuple[int, ...] = ()
    if CONTROLS.search(text):
        controls = tuple(place for place, cell in enumerate(cells) if CONTROLS.search(cell))
    return Record(line, lines, end, tuple(unguard(cell.strip()) for cell in cells), controls=controls)


# Records to the lines of one product


@dataclass(frozen=True, slots=True)
class Line:
    """One record with its cells by column. ``handle`` is None where it cannot be read."""

    line: int
    cells: Mapping[str, str]
    problem: str = ""
    controls: tuple[str, ...] = ()
    handle: str | None = None

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
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """What one look at a piece of the file found, and where to go on."""

    groups: tuple[Group, ...]
    end: int
    next_line: int
    skipping: str | None = None
    """The handle of a product that was refused for its length and whose lines go on."""
    skipped: int = 0
    """Lines that were read and belong to no product of these."""


def header(record: Record) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Return the columns, in order, and what is wrong with them."""
    return csvcolumns.named(record.cells, record.line)


def groups(data: bytes, *, line: int, final: bool, encoding: str, columns: Sequence[str]) -> Iterator[Group]:
    """Yield the whole products of a piece of the file that begins at a product's first line."""
    yield from scan(data, line=line, final=final, encoding=encoding, columns=columns).groups


@dataclass(slots=True)
class _Scanner:
    """Collects lines into products."""

    columns: Sequence[str]
    encoding: str
    end: int
    next_line: int
    skipping: str | None
    skipped: int = 0
    found: list[Group] = field(default_factory=list)
    held: list[Line] = field(default_factory=list)
    held_end: tuple[int, int] = (0, 0)
    orphans: list[Line] = field(default_factory=list)
    orphans_end: tuple[int, int] = (0, 0)

    def take(self, record: Record) -> None:
        place = (record.end, record.line + record.lines)
        if not record.problem and not any(record.cells):
            self.skipped += bool(record.cells)  # Runs of blank lines cost nothing; a line of odd spaces was read.
            if not self.held and not self.orphans:
                self.end, self.next_line = place
            return
        read = _line(record, self.columns, self.encoding, self.held[-1].handle if self.held else self.skipping)
        if self.skipping is not None and read.handle in (None, self.skipping):
            self.skipped += 1
            self.end, self.next_line = place
            return
        self.skipping = None
        if read.handle is None:
            self.orphans.append(read)
            self.orphans_end = place
            if len(self.orphans) >= _ORPHANS:
                self.emit()
            return
        if (self.held and read.handle != self.held[0].handle) or (not self.held and self.orphans):
            self.emit()
        self.held += [*self.orphans, read]
        self.orphans.clear()
        self.held_end = place
        if len(self.held) > PRODUCT_LINES:
            self.refuse()

    def emit(self) -> None:
        """Give out what is held: the product, and lines that are nobody's."""
        for lines, place in ((self.held, self.held_end), (self.orphans, self.orphans_end)):
            if lines:
                self.end, self.next_line = place
                self.found.append(Group(lines[0].handle or "", tuple(lines), *place))
        self.held, self.orphans = [], []

    def refuse(self) -> None:
        """Give up the product that is held, and leave out the rest of it."""
        first = self.held[0]
        self.end, self.next_line = self.held_end
        self.found.append(Group(first.handle or "", (first,), *self.held_end, problem="product_too_long"))
        self.skipped += len(self.held) - 1
        self.skipping = first.handle or ""
        self.held = []


def scan(
    data: bytes,
    *,
    line: int,
    final: bool,
    encoding: str,
    columns: Sequence[str],
    skipping: str | None = None,
    most: int | None = None,
    whole: bool = False,
) -> Scan:
    """Return the whole products of a piece of the file, at most ``most``, and where to go on.

    Lines of the product ``skipping`` at its beginning are left out. ``whole`` says that the piece is as long as pieces
    get: a product that fills it is refused, and the file goes on behind what of it was seen.
    """
    scanner = _Scanner(columns, encoding, end=0, next_line=line, skipping=skipping)
    exhausted = True
    for count, record in enumerate(_walk(data, line=line, final=final, encoding=encoding), start=1):
        scanner.take(record)
        if count >= RECORDS_A_CALL or (most is not None and len(scanner.found) >= most):
            exhausted = False
            break
    if exhausted and final:
        scanner.emit()
    if whole and not scanner.end:
        if scanner.held:
            scanner.refuse()
        else:
            scanner.emit()
    return Scan(tuple(scanner.found), scanner.end, scanner.next_line, scanner.skipping, scanner.skipped)


def _line(record: Record, columns: Sequence[str], encoding: str, before: str | None) -> Line:
    if record.problem:
        return Line(record.line, {}, record.problem, handle=_handle_of(record.raw, columns, encoding))
    cells = dict(zip(columns, record.cells, strict=False))
    problem = "too_many_cells" if any(record.cells[len(columns) :]) else ""
    controls = tuple(columns[place] for place in record.controls if place < len(columns))
    handle = cells.get("Handle", "") if "Handle" in columns else _slug(cells, before)
    return Line(record.line, cells, problem, controls, handle)


def _slug(cells: Mapping[str, str], before: str | None) -> str:
    """Return what Shopify makes of the title where a file has no handles; a line without a title goes on as before."""
    title = cells.get("Title", "")
    if not title:
        return before or ""
    return re.sub(r"[^a-z0-9\u00c0-\uffff]+", "-", title.lower()).strip("-")[:200]


def _handle_of(raw: bytes, columns: Sequence[str], encoding: str) -> str | None:
    """Return the handle of a line that is broken elsewhere; None if it cannot be told."""
    if "Handle" not in columns:
        return None
    at = 0
    for name in columns:
        found = _CELL.match(raw, at)
        if found is None:
            return None
        if name == "Handle":
            try:
                cell = found.group().decode(encoding).strip()
            except UnicodeDecodeError:
                return None
            quoted = cell.startswith('"') and cell.endswith('"') and len(cell) > 1
            return unguard(cell[1:-1].replace('""', '"').strip() if quoted else cell)
        if raw[found.end() : found.end() + 1] != b",":
            return None
        at = found.end() + 1
    return None


def with_the_rest(group: Group, faults: Sequence[Finding]) -> list[Finding]:
    """Return the faults and, for each other line of the product, that it was refused with it."""
    named = {fault.line for fault in faults}
    rest = [finding(line.line, "", "product_refused") for line in group.lines if line.line not in named]
    return sorted([*faults, *rest], key=lambda fault: fault.line)


def report(findings: Iterable[Finding], *, with_header: bool) -> bytes:
    """Return refused lines, or notes, as CSV."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    if with_header:
        buffer.write("\ufeff")
        writer.writerow(("Line", "Column", "Code", "Reason", "原因"))
    for one in findings:
        writer.writerow((one.line, guard(one.column), one.code, guard(one.en), guard(one.zh)))
    return buffer.getvalue().encode()
