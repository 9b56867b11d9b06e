"""What a suspended merchant's staff may still do: read, and bring to an end what buyers wait for. Nothing that sells.

One table, asked once a request, where every route of the staff passes. Background work that goes on after the request
(an import) asks :func:`is_suspended` at each step.
"""

from __future__ import annotations

from typing import Final

from chalicelib.merchants import domain, store
from chalicelib.merchants.domain import Status

WHILE_SUSPENDED: Final = frozenset(
    {
        "ship_order",  # Buyers paid for these.
        "correct_number",  # Part of shipping.
        "cancel_merchant_order",  # What cannot be shipped is paid back.
        "reply_to_complaint",  # The buyer's complaint does not wait for the sanction's end.
        "begin_export",  # Reads its own goods into a file.
    }
)
"""Operations that change something and are open to a suspended merchant's staff. Reading is open altogether."""


def check(merchant_id: str, operation: str, *, reads: bool) -> None:
    """Refuse what a suspended merchant's staff may not do now: the row is read at each change, never remembered.

    Raises:
        MerchantSuspended: then.
    """
    if not reads and operation not in WHILE_SUSPENDED and is_suspended(merchant_id):
        raise domain.MerchantSuspended


def is_suspended(merchant_id: str) -> bool:
    """Say whether a merchant is suspended at this moment."""
    found = store.load(merchant_id)
    return found is not None and found.status is Status.SUSPENDED
