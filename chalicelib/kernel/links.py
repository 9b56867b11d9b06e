"""Web addresses that others may follow: absolute over HTTP, or a path of the same host. Pure.

An address is put into pages, and read by browsers, which take a backslash for a slash and leave line breaks out, and by
people, who believe what stands before an ``@``. Nothing of that, no quotes and nothing invisible is in an address here.
"""

from __future__ import annotations

_NOWHERE = (
    "\\s\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e"
    "\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff0-\\ufffc\"'<>`\\\\"
)
_HOST = f"[^{_NOWHERE}/?#@.:\\-][^{_NOWHERE}/?#@]*"
_REST = f"[^{_NOWHERE}]*"
_ABSOLUTE = f"[hH][tT][tT][pP][sS]?://{_HOST}(?:[/?#]{_REST})?"
_PATH = f"/(?:[^{_NOWHERE}/]{_REST})?"
ADDRESS = f"^{_ABSOLUTE}$"
"""A pattern of absolute addresses, as Python, Rust and JavaScript read it."""
ADDRESS_OR_PATH = f"^(?:{_ABSOLUTE}|{_PATH})$"
"""A pattern of absolute addresses and paths."""


_ESCAPED = ((" ", "%20"), ('"', "%22"), ("'", "%27"), ("<", "%3C"), (">", "%3E"), ("`", "%60"))


def escaped(text: str) -> str:
    """Return the address with what people leave in addresses as browsers send it."""
    for char, code in _ESCAPED:
        text = text.replace(char, code)
    return text


def with_scheme(text: str) -> str:
    """Return the address; one that leaves the scheme to the page (``//host``) gets HTTPS."""
    return "https:" + text if text.startswith("//") else text
