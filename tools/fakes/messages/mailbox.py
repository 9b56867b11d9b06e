"""What was sent to whom, for people and tests to read: kept in memory, the newest first, shown as plain text."""

from __future__ import annotations

import html
import threading
from collections import deque
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

ROOM = 500
"""How many stay."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as its carrier took it."""

    number: int
    at: datetime
    carrier: str
    to: str
    subject: str
    text: str
    message_id: str

    def view(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "at": self.at.isoformat()}


class Mailbox:
    """Everybody's letters."""

    def __init__(self) -> None:
        self._letters: deque[Letter] = deque(maxlen=ROOM)
        self._count = 0
        self._lock = threading.Lock()

    def put(self, *, at: datetime, carrier: str, to: str, subject: str, text: str, message_id: str) -> Letter:
        """Keep one."""
        with self._lock:
            self._count += 1
            letter = Letter(self._count, at, carrier, to, subject, text, message_id)
            self._letters.appendleft(letter)
        return letter

    def letters(self, to: str = "") -> list[Letter]:
        """Return what is there, the newest first; of one person, or of all."""
        with self._lock:
            return [letter for letter in self._letters if not to or letter.to == to]

    def shown(self, to: str = "") -> str:
        """Return the letters as a page without scripts; nothing that was sent is taken for markup."""
        found = "".join(map(_shown, self.letters(to))) or "<p>Nothing was sent yet. 尚无消息。</p>"
        return _PAGE.format(letters=found)


def _shown(letter: Letter) -> str:
    head = f"#{letter.number} · {letter.at:%H:%M:%S} UTC · {letter.carrier} → {letter.to}"
    subject = f"<h2>{html.escape(letter.subject)}</h2>" if letter.subject else ""
    return f"<article><p>{html.escape(head)}</p>{subject}<pre>{html.escape(letter.text)}</pre></article>\n"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mailbox 信箱</title>
<style>body{{font:16px/1.5 system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}}
article{{border-top:1px solid #bbb}}h2{{font-size:1rem}}pre{{white-space:pre-wrap}}</style></head>
<body><h1>Mailbox 信箱</h1><p>What the shop sent, the newest first. 商城发出的消息，最新在前。</p>
{letters}</body></html>
"""
