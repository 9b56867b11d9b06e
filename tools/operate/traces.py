"""The forms in which a person's values may lie about, and how they are looked for in text. Pure, but for known keys."""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Bytes of UTF-8: two Chinese characters, or four digits. What is shorter is found everywhere and proves nothing."""
_HEAD = 6


@dataclass(frozen=True, slots=True)
class Needle:
    """One form of one value of one person."""

    person: str
    what: str
    form: str


def forms(value: str) -> dict[str, str]:
    """Return the texts that give a value away, by the name of the form."""
    plain = value.strip()
    kinds = {
        "plain": plain,
        "lower": plain.lower(),
        "upper": plain.upper(),
        "folded": unicodedata.normalize("NFKC", plain),
        "decomposed": unicodedata.normalize("NFD", plain),
        **_of_number(plain),
    }
    found: dict[str, str] = {}
    for name, text in kinds.items():
        found[name] = text
        found |= {f"{name}, {how}": written for how, written in _encoded(text)}
    unique: dict[str, str] = {}
    for name, text in found.items():
        if len(text.encode()) >= SHORTEST and text not in unique.values():
            unique[name] = text
    return unique


def _of_number(value: str) -> dict[str, str]:
    """Return how else a phone number is written."""
    digits = "".join(char for char in value if char.isdigit())
    if len(digits) < 8 or set(value) - set("+0123456789 -()"):
        return {}
    local = digits.removeprefix("86") if value.startswith("+86") else digits
    spaced = f"{local[:3]} {local[3:7]} {local[7:]}"
    return {"digits": digits, "local": local, "spaced": spaced, "dashed": spaced.replace(" ", "-")}


def _encoded(text: str) -> Iterator[tuple[str, str]]:
    raw = text.encode()
    yield "URL", quote(text, safe="")
    yield "URL, lower", quote(text, safe="").lower()
    yield "form", quote_plus(text)
    yield "JSON", json.dumps(text)[1:-1]
    yield "JSON, upper", json.dumps(text)[1:-1].upper().replace("\\U", "\\u")
    yield "HTML", escape(text)
    yield "hex", raw.hex()
    for shift in range(3):  # Wherever it begins within three bytes, so much of its base 64 is the same.
        coded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        certain = coded[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6]
        if len(certain) >= 6:
            yield f"base 64 at {shift}", certain
            yield f"base 64 at {shift}, for URLs", certain.replace("+", "-").replace("/", "_")
    for kind in ("md5", "sha1", "sha256"):
        digest = hashlib.new(kind, raw, usedforsecurity=False)
        yield kind, digest.hexdigest()
        yield f"{kind}, base 64", base64.b64encode(digest.digest()).decode().rstrip("=")


class Haystack:
    """Finds any of many needles in texts: by their first characters first."""

    def __init__(self) -> None:
        self._by_head: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._needles: dict[str, list[Needle]] = defaultdict(list)

    def add(self, text: str, needle: Needle) -> None:
        """Look for one more text."""
        if text not in self._needles:
            size = min(len(text), _HEAD)
            self._by_head[size][text[:size]].append(text)
        self._needles[text].append(needle)

    def __len__(self) -> int:
        """Return how many texts are looked for."""
        return len(self._needles)

    def find(self, text: str) -> list[Needle]:
        """Return whose values stand in a text."""
        found: dict[Needle, None] = {}
        for size, heads in self._by_head.items():
            for at in range(len(text) - size + 1):
                for candidate in heads.get(text[at : at + size], ()):
                    if text.startswith(candidate, at):
                        found.update(dict.fromkeys(self._needles[candidate]))
        return list(found)
