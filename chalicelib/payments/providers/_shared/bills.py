"""Daily bills that come as CSV in yuan, read into ``domain.bill``.

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
    with unpacking():
        stream = unpacked(file)
        while chunk := stream.read(CHUNK_BYTES):
            size += len(chunk)
            check_size(size)
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
def unpacking() -> Iterator[None]:
    import zipfile
    import zlib

    try:
        yield
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError, OSError, OverflowError) as error:
        raise BillUnavailable(why="it cannot be unpacked, or is cut off") from error


def check_size(size: int) -> None:
    if size > UNPACKED_CAP_BYTES:
        raise BillUnavailable(why=f"it unpacks to more than {UNPACKED_CAP_BYTES >> 20} MiB")


def rows(file: BinaryIO, encoding: str, *, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that may be packed, with their numbers.

    They end at line feeds alone: ``splitlines`` also splits at marks that the name of a product may hold.

    Raises:
        BillUnavailable: if it cannot be read, or is too long.
    """
    with unpacking():
        yield from lines_of(unpacked(file), encoding, errors)


def lines_of(stream: IO[bytes], encoding: str, errors: str = "strict") -> Iterator[tuple[int, str]]:
    size = 0
    for number, line in enumerate(iter(lambda: stream.readline(LINE_CAP_BYTES + 1), b""), 1):
        size += len(line)
        check_size(size)
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


def money_of(text: str, currency: str = "CNY") -> Money | None:
    """Return an amount in yuan; None where the cell is empty."""
    return Money(reading.fen(text), currency) if text else None
