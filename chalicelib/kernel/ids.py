"""Identifiers: ``<prefix>_<body>`` of ``[0-9a-z_]``, at most 32 characters, fit for a provider's ``out_trade_no``.

Fresh ids are sortable (ULID layout: 48 bits of milliseconds, 80 random bits). Ids of records that a repeated
request must find again are derived from the intent instead; they do not sort, they collide on purpose.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from chalicelib.kernel import clock

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32 in lower case: no i, l, o, u.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_LONGEST = 32
_DERIVED_BITS = 120  # 24 characters: leaves room in 32 for the prefix and a number (``pay_<24>_01``).
MAX_CHILDREN = 999
"""Numbered children of a parent. Two digits where they do, three (``ref_<24>_100``) is all that 32 characters hold."""

Entropy = Callable[[int], bytes]
_entropy: Entropy = os.urandom


def install_entropy(source: Entropy | None) -> None:
    """Replace the random source; ``None`` puts the system's back. The simulator needs one seed to decide everything."""
    global _entropy
    _entropy = source or os.urandom


def random_bytes(count: int) -> bytes:
    """Return bytes of the installed random source (cryptographic unless a simulator replaced it)."""
    return _entropy(count)


def _encode(number: int, bits: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(bits - 10, -1, -10)])


def spelled(number: int, bits: int) -> str:
    """Return a number of so many bits (a multiple of ten) in the alphabet of ids, five bits a character."""
    return _encode(number, bits)


def new_id(prefix: str) -> str:
    """Return a fresh sortable id: ``prefix_`` and 26 characters."""
    milliseconds = int(clock.now().timestamp() * 1000)
    return f"{prefix}_{_encode((milliseconds << 80) | int.from_bytes(random_bytes(10)), 130)}"


def derived_id(prefix: str, *intent: str) -> str:
    """Return the id that this intent always gets: ``prefix_`` and 24 characters of its SHA-256."""
    return f"{prefix}_{digest(*intent)}"


def digest(*parts: str) -> str:
    """Return 24 characters (120 bits) of the SHA-256 of the parts, unambiguous in their lengths."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    number = int.from_bytes(hashlib.sha256(joined.encode()).digest())
    return _encode(number >> (256 - _DERIVED_BITS), _DERIVED_BITS)


def shard(of_id: str, count: int) -> int:
    """Return which of ``count`` partitions an id belongs to, always the same."""
    return int.from_bytes(digest(of_id).encode()[-2:]) % count


def child_id(prefix: str, parent_id: str, number: int) -> str:
    """Return the id of the parent's ``number``-th child: same body, other prefix, two digits, or three from 100 on.

    ``child_id("pay", "pur_abc…", 1)`` is ``pay_abc…_01``: whoever holds the child's id can compute the parent's.
    """
    made = f"{prefix}_{body(parent_id)}_{number:02d}"
    if not 0 <= number <= MAX_CHILDREN or (number > 99 and len(made) > _LONGEST):
        raise ValueError(f"a parent has at most 99 numbered children, {MAX_CHILDREN} if derived, not {number}")
    return made


def child_number(of_child: str) -> int:
    """Return which child of its parent an id names (``pay_abc…_01`` -> 1)."""
    return int(of_child.rsplit("_", 1)[1])


def parent_id(prefix: str, of_child: str) -> str:
    """Return the parent's id from a child's (``ord_abc…_01`` -> ``pur_abc…``)."""
    return f"{prefix}_{body(of_child)}"


def body(of_id: str) -> str:
    """Return the part between the prefix and a child's number."""
    parts = of_id.split("_")
    return parts[1] if len(parts) > 1 else of_id


def is_id(prefix: str, text: str) -> bool:
    """Say whether the text has the shape of an id with this prefix. Says nothing about existence."""
    if not text.startswith(prefix + "_") or len(text) > _LONGEST:
        return False
    parts = text.split("_")
    return (
        2 <= len(parts) <= 3
        and len(parts[1]) in (24, 26)
        and not parts[1].strip(_ALPHABET)
        and (len(parts) == 2 or _is_number(parts[2]))
    )


def _is_number(text: str) -> bool:
    """Say whether it is a child's number as :func:`child_id` writes it: ``07``, ``99``, ``100``; not ``007``."""
    return text.isascii() and text.isdigit() and text == f"{int(text[:3]):02d}"


def is_child_id(prefix: str, text: str) -> bool:
    """Say whether the text has the shape of a numbered child's id: an order's, a SKU's, a payment's."""
    return is_id(prefix, text) and text.count("_") == 2
