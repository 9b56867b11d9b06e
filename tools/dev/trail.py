"""What led to what: HTTP -> transaction -> event -> queue -> job -> provider, as this process saw it happen.

Every entry carries the digest of the one before, so a trail that was cut or edited no longer adds up.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from chalicelib.kernel import clock, context, ids
from chalicelib.kernel import events as facts
from chalicelib.runtime import names

KEEP = 20_000
"""How many entries are remembered: those of the last thousand orders or so. The oldest are forgotten."""
_PEOPLE = {"account_id", "buyer_id", "merchant_id"}
"""Whose a row is does not make it part of another row's story."""
_WRITES = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. ``cause`` is the id of what led to it; ``id`` is what later ones name as their cause."""

    number: int
    at: datetime
    kind: str
    """``http``, ``write``, ``event``, ``queue`` or ``provider``."""
    id: str
    cause: str
    text: str
    about: tuple[str, ...]
    """Bodies of the ids it touches (the 24 characters a purchase shares with its orders, payments and refunds)."""
    seal: str

    def view(self, depth: int = 0) -> dict[str, Any]:
        """Return the wire form."""
        return {
            "at": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "kind": self.kind,
            "id": self.id,
            "cause": self.cause,
            "depth": depth,
            "text": self.text,
            "seal": self.seal,
        }


@dataclass
class Trail:
    """The entries of this process, oldest first."""

    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEEP))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ids: Counter[str] = field(default_factory=Counter)
    """How often each id that something may name as its cause is there: looked up for every message."""
    _count: int = 0
    _last: str = ""
    _written: threading.local = field(default_factory=threading.local)
    """The write that a thread recorded last, and what it is about: who is told of events after it knows their cause."""

    def add(self, kind: str, text: str, *, entry_id: str, cause: str, about: set[str]) -> None:
        """Append one entry."""
        at = clock.now()
        with self._lock:
            self._count += 1
            self._last = _seal(self._last, at, kind, entry_id, cause, text)
            if len(self.entries) == self.entries.maxlen:
                self._forget(self.entries[0].id)
            self.entries.append(Entry(self._count, at, kind, entry_id, cause, text, tuple(about), self._last))
            if entry_id:
                self._ids[entry_id] += 1

    def _forget(self, entry_id: str) -> None:
        self._ids[entry_id] -= 1
        if self._ids[entry_id] <= 0:
            del self._ids[entry_id]

    # Recorders -------------------------------------------------------------------------------------------------

    def http(self, event: dict[str, Any], answer: dict[str, Any], took_s: float) -> None:
        """Record a served request that may have changed something."""
        gateway = event["requestContext"]
        if gateway["httpMethod"] == "GET":
            return
        text = f"{gateway['httpMethod']} {event['path']} -> {answer['statusCode']} ({took_s * 1000:.0f} ms)"
        about = _bodies(event["path"])
        body = answer.get("body") or ""
        if body.startswith("{"):
            about |= _bodies(*(value for name, value in json.loads(body).items() if name.endswith("_id")))
        self.add("http", text, entry_id=f"http#{gateway['requestId']}", cause="", about=about)

    def hook(self, service: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """Record committed writes and the events riding in them: a hook of ``runtime.aws``."""
        answer = proceed()
        if service == "dynamodb" and (operation in _WRITES or operation == "TransactWriteItems"):
            self._write(operation, params)
        return answer

    def _write(self, operation: str, params: dict[str, Any]) -> None:
        if operation == "TransactWriteItems":
            parts = [next(iter(item.items())) for item in params["TransactItems"]]
        else:
            parts = [(_WRITES[operation], params)]
        cause = _cause(context.current().cause_id, context.current().request_id)
        about: set[str] = set()
        words: list[str] = []
        events: list[facts.Envelope] = []
        for verb, part in parts:
            item = part.get("Item") or part.get("Key", {})
            keys = {name: value["S"] for name, value in item.items() if name.endswith("id") and "S" in value}
            about |= _bodies(*(value for name, value in keys.items() if name not in _PEOPLE))
            words.append(f"{verb.lower()} {names.table_of(part['TableName'])} {_record(keys)}")
            if "events" in item and item.get("event_version") == item.get("version"):
                events += facts.decode_list(item["events"]["S"])
        kind = "transaction" if len(parts) > 1 else "write"
        number = ids.digest(cause, str(self._count))[:8]
        write_id = f"write#{number}"
        self.add("write", f"{kind}: {'; '.join(words)}", entry_id=write_id, cause=cause, about=about)
        self._written.last = write_id, about
        self.told(events)

    def told(self, events: list[facts.Envelope]) -> None:
        """Record events of the write just made: those that ride in its rows, and those that nobody waits for."""
        write_id, about = getattr(self._written, "last", ("", set()))
        for envelope in events:
            text = f"event {envelope.id}"
            self.add("event", text, entry_id=envelope.id, cause=write_id, about=about | _bodies(envelope.id))

    def delivered(self, queue: str, body: str) -> None:
        """Record that a message is handed to its function."""
        try:
            envelope = facts.decode(body)
        except Exception:
            self.add("queue", f"queue {queue}: unreadable", entry_id="", cause="", about=set())
            return
        about = _bodies(envelope.id, *(str(value) for name, value in envelope.data.items() if name.endswith("id")))
        if envelope.type == "due":  # The deadline job's messages have no row they ride in.
            self.add("job", f"job deadlines: {envelope.id}", entry_id=envelope.id, cause="", about=about)
        elif envelope.cause_id == "http" and not self._knows(envelope.id):
            # Sent straight from a request (a notice): no row either.
            cause = _cause(envelope.cause_id, envelope.request_id)
            self.add("event", f"event {envelope.id}", entry_id=envelope.id, cause=cause, about=about)
        self.add("queue", f"queue {queue} takes {envelope.type}", entry_id="", cause=envelope.id, about=about)

    def put_off(self, queue: str, body: str) -> None:
        """Record that a function has not acknowledged a message."""
        try:
            envelope = facts.decode(body)
        except Exception:
            return
        self.add("queue", f"queue {queue} puts it off", entry_id="", cause=envelope.id, about=_bodies(envelope.id))

    def _knows(self, entry_id: str) -> bool:
        with self._lock:
            return entry_id in self._ids

    def outbound(self, method: str, url: str, status: int | str) -> None:
        """Record a call to a provider or a hub."""
        parts = urlsplit(url)
        text = f"{method} {parts.netloc}{parts.path} -> {status}"
        cause = _cause(context.current().cause_id, context.current().request_id)
        self.add("provider", text, entry_id="", cause=cause, about=_bodies(parts.path))

    # Questions -------------------------------------------------------------------------------------------------

    def explain(self, record_id: str) -> list[tuple[int, Entry]]:
        """Return everything about a record and what led to it, in causal order, with the depth of each entry."""
        with self._lock:
            entries = list(self.entries)
        body = ids.body(record_id)
        by_id = {entry.id: entry for entry in entries if entry.id}
        wanted: dict[int, Entry] = {}
        for entry in entries:
            if body not in entry.about:
                continue
            step: Entry | None = entry
            while step is not None and step.number not in wanted:
                wanted[step.number] = step
                step = by_id.get(step.cause)
        ids_wanted = {entry.id for entry in wanted.values() if entry.id}
        for entry in entries:  # What was asked of others on the way: their addresses need not hold our ids.
            if entry.kind == "provider" and entry.cause in ids_wanted:
                wanted[entry.number] = entry
        return _tree(sorted(wanted.values(), key=lambda entry: entry.number))

    def intact(self) -> bool:
        """Say whether every kept entry still carries the digest it was sealed with."""
        with self._lock:
            entries = list(self.entries)
        return all(
            _seal(before.seal, entry.at, entry.kind, entry.id, entry.cause, entry.text) == entry.seal
            for before, entry in pairwise(entries)
        )


def text_of(lines: list[tuple[int, Entry]]) -> str:
    """Return the chain as indented text."""
    marks = {"http": "→", "write": "●", "event": "✦", "queue": "⇢", "job": "⏰", "provider": "⇄"}
    return "\n".join(
        f"{entry.at:%H:%M:%S.%f}"[:12] + f"  {'  ' * depth}{marks.get(entry.kind, '·')} {entry.text}"
        for depth, entry in lines
    )


def _tree(entries: list[Entry]) -> list[tuple[int, Entry]]:
    """Order entries by cause. A consumer's writes name the event as their cause: they stand beside its queue line."""
    known = {entry.id for entry in entries if entry.id}
    children: dict[str, list[Entry]] = {}
    roots: list[Entry] = []
    for entry in entries:
        if entry.cause in known and entry.cause != entry.id:
            children.setdefault(entry.cause, []).append(entry)
        else:
            roots.append(entry)
    lines: list[tuple[int, Entry]] = []
    done: set[int] = set()

    def walk(entry: Entry, depth: int) -> None:
        if entry.number in done:
            return
        done.add(entry.number)
        lines.append((depth, entry))
        if entry.id:
            for child in sorted(children.get(entry.id, ()), key=lambda found: found.number):
                walk(child, depth + 1)

    # A request is recorded when it is answered, after the writes it caused: order roots by their earliest descendant.
    for root in sorted(roots, key=lambda found: min([found.number, *(c.number for c in children.get(found.id, ()))])):
        walk(root, 0)
    return lines


def _cause(cause_id: str, request_id: str) -> str:
    """Return the id of the entry that a context's cause names: a request's own is its ``http`` entry."""
    return f"http#{request_id}" if cause_id == "http" else cause_id


def _seal(before: str, at: datetime, *parts: str) -> str:
    content = json.dumps([before, at.isoformat(), *parts])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _bodies(*texts: Any) -> set[str]:
    """Return the bodies of every id in the texts."""
    found: set[str] = set()
    for text in texts:
        for word in str(text).replace("#", "/").replace("?", "/").split("/"):
            parts = word.split("_")
            if len(parts) >= 2 and len(parts[0]) == 3 and len(parts[1]) in (24, 26):
                found.add(parts[1])
    return found


def _record(keys: dict[str, str]) -> str:
    """Return the id that names a row best: its own before those it hangs on."""
    for name in ("id", "entry_id", "shipment_id", "complaint_id", "product_id", "sku_id"):
        if name in keys:
            return keys[name]
    return next(iter(keys.values()), "")
