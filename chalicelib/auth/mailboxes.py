"""E-mail addresses in one form: lower case, the domain as IDNA 2008 writes it. Never another person's mailbox.

What cannot be folded without guessing is refused: a sharp s is not ``ss`` (they are two domains), a ligature is no pair
of letters, and joiners, which nobody sees, would make two addresses look like one.
"""

from __future__ import annotations

import re
import unicodedata

_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""No top-level domain is a number: what ends in one is an address of a machine (``127.0.0.10``)."""
_DOTS = re.compile("[\u3002\uff61]")
_JOINERS = ("\u200c", "\u200d")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
"""What an input method writes for ASCII: the same characters, wider."""


def narrow(text: str) -> str:
    """Return the text with full-width ASCII as ASCII, and nothing else changed."""
    return text.translate(_WIDE)


def mailbox(text: str) -> str | None:
    """Return the normal form of an address, or None if it is none.

    Mail systems that tell ``A@`` from ``a@`` are extinct.
    """
    local, at, domain = narrow(text).strip().rpartition("@")
    if not at or not local.isascii() or not _LOCAL.fullmatch(local.lower()):
        return None
    host = _host(domain)
    if host is None or len(local) > 64 or len(local) + 1 + len(host) > 254:
        return None
    return f"{local.lower()}@{host}"


def _host(text: str) -> str | None:
    labels = [_label(part) for part in _DOTS.sub(".", text).split(".")]
    last = labels[-1] or ""
    if len(labels) < 2 or None in labels or len(last) < 2 or _NUMBER.fullmatch(last):
        return None
    return ".".join(label for label in labels if label)


def _label(text: str) -> str | None:
    if any(not char.isascii() and char.lower().isascii() for char in text):  # The sign of the kelvin is no k.
        return None
    # A letter at a time: at the end of a word Python makes another letter of a capital sigma.
    lowered = unicodedata.normalize("NFC", "".join(char.lower() for char in text))
    if not lowered.isascii() or lowered.startswith("xn--"):
        return _encoded(lowered)
    return lowered if _LABEL.fullmatch(lowered) else None


def _encoded(label: str) -> str | None:
    import idna

    try:
        shown = idna.ulabel(label)
        written = idna.alabel(shown).decode()
    except (idna.IDNAError, UnicodeError):
        return None
    return written if not any(joiner in shown for joiner in _JOINERS) and _LABEL.fullmatch(written) else None
