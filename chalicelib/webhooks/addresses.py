"""Which addresses may be told: absolute, over TLS, on the usual port, by a name and not by a number. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MOST_CHARS = 500
_HOST = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PRINTED = re.compile(r"[\x21-\x7e]+")
_INNER = ("localhost", "local", "internal", "localdomain", "home.arpa", "lan", "intranet", "corp", "onion", "test")
"""Names that mean something only where they are asked."""


def fault(url: str, *, on_a_laptop: bool) -> str:
    """Return what is wrong with an address, as a code; empty where nothing is.

    ``on_a_laptop`` lets a receiver on this machine be told: ``http://127.0.0.1:<port>/``.
    """
    if len(url) > MOST_CHARS or not _PRINTED.fullmatch(url) or "\\" in url:
        return "not_an_address"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return "not_an_address"
    if on_a_laptop and parts.scheme == "http" and host == "127.0.0.1" and "@" not in parts.netloc:
        return ""
    faults = {
        "holds_a_password": "@" in parts.netloc,
        "holds_a_fragment": "#" in url,
        "not_https": parts.scheme != "https",
        "not_the_usual_port": port not in (None, 443),
        "not_a_public_name": not _is_public_name(host),
    }
    return next((code for code, found in faults.items() if found), "")


def _is_public_name(host: str) -> bool:
    inner = any(host == name or host.endswith(f".{name}") for name in _INNER)
    return _HOST.fullmatch(host) is not None and not inner
