"""Finds the secrets that stand in this repository, so that no installation takes them for its own.

A laptop's secrets, the keys of the stand-ins, every private key in tests, tools and documents, and the keys of the
recorded vectors. Only digests are written (``chalicelib/runtime/known_values.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_SECRET = re.compile(r"(^|_)(key|keys|secret|secrets|api_v3_key|apiv3_key|password|salt)$")
_SUFFIXES = (".py", ".json", ".md", ".pem", ".txt")


def text() -> str:
    """Return ``chalicelib/runtime/known_values.py``."""
    lines = "".join(f'        "{digest}",\n' for digest in sorted(_digests()))
    head = '"""Digests of the secrets that stand in this repository. Written by ``make generate``; do not edit."""\n\n'
    return f"{head}KNOWN = frozenset(\n    {{\n{lines}    }}\n)\n"


def _digests() -> set[str]:
    from chalicelib.runtime.strength import digest_of

    return {digest_of(value) for value in {*_kept(), *_private_keys(), *_recorded()}}


def _kept() -> Iterator[str | bytes]:
    """Yield what a laptop's installation and the stand-ins hold."""
    import base64

    from tools.fakes import resources
    from tools.fakes.sandbox import providers

    local = resources.local_secrets()
    for entry in local["auth"]["signing_keys"]:
        yield base64.b64decode(entry["seed"])
    for value in (local, providers.secrets(providers.create(lambda: 0.0))):
        for field, found in _texts(value):
            if "PRIVATE KEY" in found:
                yield from _bodies(found)
            elif "-----BEGIN" not in found and (_SECRET.search(field) or found.startswith("local-")):
                yield found


def _private_keys() -> Iterator[str]:
    for folder in ("tests", "tools", "docs", "chalicelib"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in _SUFFIXES and path.is_file():
                yield from _bodies(path.read_text(encoding="utf-8", errors="replace"))


def _bodies(text: str) -> Iterator[str]:
    for found in _PEM.findall(text):
        body = "".join(found.replace("\\n", "").split())
        if re.fullmatch(r"[A-Za-z0-9+/=]{40,}", body):
            yield body


def _recorded() -> Iterator[str]:
    """Yield the keys of recorded vectors."""
    for path in sorted((ROOT / "tests/contract/vectors").rglob("*.json")):
        for field, found in _texts(json.loads(path.read_text(encoding="utf-8"))):
            if _SECRET.search(field) and re.fullmatch(r"[!-~]{16,200}", found):
                yield found


def _texts(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _texts(part, str(name))
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, field)
    elif isinstance(value, str):
        yield field, value
