"""What no installation may keep as a secret: blanks, words, runs, repetitions, and whatever stands in this repository.

Pure, and the same for a function that starts, for the doctor and before a deployment.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from chalicelib.runtime.known_values import KNOWN

OURS = ("http", "auth", "checkout", "messages")
"""Secrets that nobody but us has to know: drawn at random (``tools.release.keys``), so they must look like it."""

REQUIRED = {
    "http": ("cursor_key",),
    "auth": ("signing_keys", "pepper"),
    "checkout": ("quote_key",),
    "messages": ("seal_key", "id_key"),
}

_WORDS = {
    "", "default", "secret", "changeme", "change-me", "change_me", "password", "passwd", "test", "testing", "todo",
    "tbd", "xxx", "none", "null", "example", "sample", "dummy", "placeholder", "key", "pepper", "seed", "salt", "token",
    "admin", "foobar", "letmein", "undefined", "your-key-here", "your_key_here", "insert-key-here",
}  # fmt: skip
_KEYLIKE = re.compile(r"key|secret|pepper|seed|salt|password|token", re.IGNORECASE)
_NOT_SECRET = re.compile(r"public|publishable|certificate|serial|(^|_)(kid|id)$", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(.*?)-----END", re.DOTALL)
OURS_SHORTEST, OURS_DISTINCT = 32, 12
THEIRS_SHORTEST, THEIRS_DISTINCT = 8, 5
SEED_BYTES, SEED_DISTINCT = 32, 16


def weaknesses(secret: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the way to each text of a secret that is no good (``signing_keys[0].seed``), and why; never the text."""
    for name in REQUIRED.get(secret, ()):
        if not value.get(name):
            yield name, "is missing"
    if "signing_keys" in REQUIRED.get(secret, ()):
        yield from _shapeless(value.get("signing_keys"))
    for path, field, text in _texts(value):
        why = _weakness(text, field, ours=secret in OURS)
        if why:
            yield path, why


def _shapeless(entries: Any) -> Iterator[tuple[str, str]]:
    if entries and not isinstance(entries, list):
        yield "signing_keys", "is no list"
        return
    for number, entry in enumerate(entries or ()):
        if not isinstance(entry, Mapping) or not entry.get("kid") or not entry.get("seed"):
            yield f"signing_keys[{number}]", "is no {kid, seed}"


def _texts(value: Any, path: str = "", field: str = "") -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _texts(part, f"{path}.{name}" if path else str(name), str(name))
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(value):
            yield from _texts(part, f"{path}[{number}]", field)
    else:
        yield path, field, value


def _weakness(value: Any, field: str, *, ours: bool) -> str | None:
    secret = bool(_KEYLIKE.search(field)) and not _NOT_SECRET.search(field)
    if not isinstance(value, str):
        return "is no text" if secret or value is None else None
    text = value.strip()
    if text.lower() in _WORDS or not text.strip("-_*.#? "):
        return "is empty or a default"
    if text.startswith("local-") or _is_known(text):
        return "stands in the repository"
    if not secret or "-----BEGIN" in text:
        return None
    return _weak_seed(text) if field == "seed" else _weak_key(text, ours=ours)


def _weak_key(text: str, *, ours: bool) -> str | None:
    shortest, distinct = (OURS_SHORTEST, OURS_DISTINCT) if ours else (THEIRS_SHORTEST, THEIRS_DISTINCT)
    if len(text) < shortest:
        return f"is shorter than {shortest} characters"
    if len(set(text)) < distinct or _is_regular(text):
        return "is easy to guess"
    return "is no random key" if ours and not _looks_drawn(text) else None


def _looks_drawn(text: str) -> bool:
    """Say whether a text looks like 20 random bytes or more, in base64 or hex: what people type has no such mix."""
    if re.fullmatch(r"[0-9a-fA-F]{40,}", text):
        return True
    return len(text) >= OURS_SHORTEST and bool(re.search("[a-z]", text) and re.search("[A-Z]", text))


def _weak_seed(text: str) -> str | None:
    seed = _decoded(text)
    if seed is None or len(seed) != SEED_BYTES:
        return f"is not {SEED_BYTES} bytes in base64"
    if len(set(seed)) < SEED_DISTINCT or _is_regular(seed) or all(32 <= byte < 127 for byte in seed):
        return "is easy to guess"
    return None


def _is_regular(text: str | bytes) -> bool:
    """Say whether it is a run (each step the same) or one part over and over."""
    codes = [ord(char) for char in text] if isinstance(text, str) else list(text)
    if len({after - before for before, after in pairwise(codes)}) <= 1:
        return True
    return any(codes[size:] == codes[:-size] for size in range(1, len(codes) // 2 + 1))


def _is_known(text: str) -> bool:
    found = _PEM.search(text)
    if found is not None:
        return digest_of(found[1]) in KNOWN
    decoded = _decoded(text)
    return digest_of(text) in KNOWN or (decoded is not None and digest_of(decoded) in KNOWN)


def digest_of(value: str | bytes) -> str:
    """Return what is kept of a known value: it cannot be read back, and white space makes no difference."""
    raw = value if isinstance(value, bytes) else "".join(value.split()).encode()
    return hashlib.sha256(raw).hexdigest()[:16]


def _decoded(text: str) -> bytes | None:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
