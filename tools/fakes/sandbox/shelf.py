"""What a stand-in remembers, in bounded memory: the newest in hand, the rest on a shelf on the disk.

A :class:`Shelf` is a dict and a :class:`Scroll` a list that put their oldest entries into a temporary file once they
are long; who asks for one gets it back. Up to that length they are nothing but a dict and a list. A :class:`Recent`
forgets.
"""

from __future__ import annotations

import copy
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
IN_HAND = 500
"""How many entries stay in memory."""
AT_ONCE = 100
"""How many go to the disk together."""


def never(_: Any) -> bool:
    """Say of no entry that it must stay in hand."""
    return False


def nothing(_: Any) -> str:
    """Say of every entry that it is about nothing."""
    return ""


class _Disk:
    """A temporary file that the system removes with the process, however that ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=OFF")
        self._file.execute("PRAGMA cache_size=-256")
        self._file.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, key TEXT UNIQUE, about TEXT, body BLOB)")
        self._file.execute("CREATE INDEX by_about ON rows (about)")

    def ask(self, text: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._file.execute(text, values).fetchall()

    def put(self, rows: Iterable[tuple[str, str, bytes]]) -> None:
        with self._lock:
            self._file.execute("BEGIN")
            self._file.executemany("INSERT OR REPLACE INTO rows (key, about, body) VALUES (?, ?, ?)", rows)
            self._file.execute("COMMIT")

    def bodies(self, *, newest_first: bool = False) -> Iterator[tuple[str, bytes]]:
        """Return keys and bodies a part at a time."""
        way, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
        at = 2**62 if newest_first else 0
        text = f"SELECT seq, key, body FROM rows WHERE seq {beyond} ? ORDER BY seq {way} LIMIT 200"  # noqa: S608
        while found := self.ask(text, at):
            at = found[-1][0]
            for _, key, body in found:
                yield key, body

    def count(self) -> int:
        return int(self.ask("SELECT COUNT(*) FROM rows")[0][0])


class Shelf(dict[str, T]):
    """A dict of records of one ``kind``. What is found by walking over all of it is not to be changed: ask for it.

    ``about`` names what a record is looked up by besides its key; ``stays`` keeps what is unfinished in hand.
    """

    def __init__(
        self,
        kind: Any,
        entries: Mapping[str, T] | None = None,
        *,
        about: Callable[[T], str] = nothing,
        stays: Callable[[T], bool] = never,
        room: int | None = None,
    ) -> None:
        """``room`` is how many stay in memory where they are large."""
        super().__init__(entries or {})
        self.kind = kind
        self._room = room
        self._about = about
        self._stays = stays
        self._disk: _Disk | None = None
        self._decode = msgspec.json.Decoder(kind).decode

    def __setitem__(self, key: str, value: T) -> None:
        if self._disk is not None and not dict.__contains__(self, key):
            self._disk.ask("DELETE FROM rows WHERE key = ?", key)
        super().__setitem__(key, value)
        if dict.__len__(self) > (self._room or IN_HAND) + AT_ONCE:
            self._put_away(but=key)

    def _put_away(self, *, but: str) -> None:
        there = islice(dict.items(self), dict.__len__(self) - (self._room or IN_HAND))  # The newest are in use.
        moved = [(key, value) for key, value in there if key != but and not self._stays(value)]
        if not moved:
            return
        self._disk = self._disk or _Disk()
        self._disk.put((key, self._about(value), msgspec.json.encode(value)) for key, value in moved)
        for key, _ in moved:
            super().__delitem__(key)

    def __missing__(self, key: str) -> T:
        found = self._disk.ask("SELECT body FROM rows WHERE key = ?", key) if self._disk is not None else []
        if not found:
            raise KeyError(key)
        value: T = self._decode(found[0][0])
        self._disk.ask("DELETE FROM rows WHERE key = ?", key)  # type: ignore[union-attr]
        super().__setitem__(key, value)  # Puts nothing away: who asks for several changes them all.
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return a record, or ``default``."""
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a record; put ``default`` there where none is."""
        if key not in self:
            self[key] = default
        return self[key]

    def __contains__(self, key: object) -> bool:
        if dict.__contains__(self, key):
            return True
        return self._disk is not None and bool(self._disk.ask("SELECT 1 FROM rows WHERE key = ?", key))

    def __delitem__(self, key: str) -> None:
        self[key]
        super().__delitem__(key)

    def pop(self, key: str, *default: Any) -> Any:
        """Take a record away and return it."""
        found = self.get(key, *default) if default else self[key]
        if key in self:
            del self[key]
        return found

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._disk = None

    def __len__(self) -> int:
        return dict.__len__(self) + (self._disk.count() if self._disk is not None else 0)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.items())

    def __reversed__(self) -> Iterator[str]:
        return (key for key, _ in self._pairs(newest_first=True))

    def keys(self) -> Any:
        """Return the keys."""
        return dict.keys(self) if self._disk is None else _View(self, lambda pair: pair[0])

    def values(self) -> Any:
        """Return the records, oldest first."""
        return dict.values(self) if self._disk is None else _View(self, lambda pair: pair[1])

    def items(self) -> Any:
        """Return keys and records."""
        return dict.items(self) if self._disk is None else _View(self, lambda pair: pair)

    def _pairs(self, *, newest_first: bool = False) -> Iterator[tuple[str, T]]:
        in_hand = list(dict.items(self))
        away = self._disk.bodies(newest_first=newest_first) if self._disk is not None else iter(())
        thawed = ((key, self._decode(body)) for key, body in away)
        return chain(reversed(in_hand), thawed) if newest_first else chain(thawed, in_hand)

    def in_hand(self) -> list[T]:
        """Return the records in memory: all that ``stays`` names, and the newest."""
        return list(dict.values(self))

    def of(self, about: str) -> list[T]:
        """Return the records about something, oldest first, to be read or changed."""
        if self._disk is not None:
            for (key,) in self._disk.ask("SELECT key FROM rows WHERE about = ? ORDER BY seq", about):
                self[key]
        return [value for value in dict.values(self) if self._about(value) == about]

    def __deepcopy__(self, memo: dict[int, Any]) -> Shelf[T]:
        entries = {key: copy.deepcopy(value, memo) for key, value in self.items()}
        return Shelf(self.kind, entries, about=self._about, stays=self._stays, room=self._room)


class _View:
    """Keys, records or both of a shelf, in either direction."""

    def __init__(self, shelf: Shelf[Any], pick: Callable[[tuple[str, Any]], Any]) -> None:
        self._shelf = shelf
        self._pick = pick

    def __iter__(self) -> Iterator[Any]:
        return map(self._pick, self._shelf._pairs())  # noqa: SLF001

    def __reversed__(self) -> Iterator[Any]:
        return map(self._pick, self._shelf._pairs(newest_first=True))  # noqa: SLF001

    def __len__(self) -> int:
        return len(self._shelf)


class Scroll(list[T]):
    """A list that grows at its end. Its head goes to the disk, where it is only ever read again, in order."""

    def __init__(self, kind: Any, entries: Iterable[T] = ()) -> None:
        super().__init__(entries)
        self.kind = kind
        self._disk: _Disk | None = None
        self._decode = msgspec.json.Decoder(kind).decode

    def append(self, value: T) -> None:
        """Add an entry."""
        super().append(value)
        if list.__len__(self) > IN_HAND + AT_ONCE:
            self._disk = self._disk or _Disk()
            away = self._disk.count()
            oldest = enumerate(self[:AT_ONCE], start=away)
            self._disk.put((str(number), "", msgspec.json.encode(entry)) for number, entry in oldest)
            del self[:AT_ONCE]

    def __len__(self) -> int:
        return list.__len__(self) + (self._disk.count() if self._disk is not None else 0)

    def __iter__(self) -> Iterator[T]:
        away = self._disk.bodies() if self._disk is not None else iter(())
        return chain((self._decode(body) for _, body in away), list(self[:]))


class Recent(list[T]):
    """A list that forgets: of what it was given last, ``keep`` are there, and at times as many again."""

    def __init__(self, keep: int, entries: Iterable[T] = ()) -> None:
        super().__init__(entries)
        self._keep = keep

    def append(self, value: T) -> None:
        """Add an entry."""
        super().append(value)
        if len(self) > 2 * self._keep:
            del self[: -self._keep]


def of(records: Mapping[str, T], about: str, name: Callable[[T], str]) -> list[T]:
    """Return the records about something, of a shelf or of a plain dict (which tests put in its place)."""
    if isinstance(records, Shelf):
        return records.of(about)
    return [record for record in records.values() if name(record) == about]


def in_hand(records: Mapping[str, T]) -> list[T]:
    """Return the records that may be unfinished, of a shelf or of a plain dict."""
    return records.in_hand() if isinstance(records, Shelf) else list(records.values())


def newest(records: Mapping[str, T], count: int) -> list[T]:
    """Return the newest records, oldest of them first."""
    return list(islice(reversed(records.values()), count))[::-1]  # type: ignore[call-overload]


FILES = 20
"""How many bills wait for who asked for them."""


def keep_newest(records: dict[str, Any], count: int) -> None:
    """Drop the oldest entries of a plain dict until so many are left."""
    while len(records) > count:
        del records[next(iter(records))]
