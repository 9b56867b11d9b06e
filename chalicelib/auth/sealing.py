"""What accounts keep unreadable: sealed under keys of their own, derived from the pepper.

What a text belongs to is authenticated with it: sealed for one account it does not open for another.
"""

from __future__ import annotations

from chalicelib.auth import passwords
from chalicelib.kernel import base64url
from chalicelib.runtime.seals import box


def seal(text: str, *, purpose: str, belongs_to: str) -> str:
    """Return a text that only :func:`unseal` of the same purpose and owner reads."""
    return base64url.encode(box.seal(text.encode(), key=passwords.keyed(purpose), bound=belongs_to.encode()))


def unseal(sealed: str, *, purpose: str, belongs_to: str) -> str | None:
    """Return the text, or None if it was not sealed so."""
    try:
        raw = base64url.decode(sealed)
    except ValueError:
        return None
    opened = box.unseal(raw, key=passwords.keyed(purpose), bound=belongs_to.encode())
    return opened.decode() if opened is not None else None
