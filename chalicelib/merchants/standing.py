"""What a suspended merchant's staff may still do: read, and bring to an end what buyers wait for. Nothing that sells.

Which operations these are is said by the policy table; it is asked once a request, where every route of the staff
passes. Background work that goes on after the request (an import) asks :func:`is_suspended` at each step.
"""

from __future__ import annotations

from chalicelib.kernel.policy import Rule
from chalicelib.merchants import domain, store
from chalicelib.merchants.domain import Status


def check(merchant_id: str, rule: Rule, *, reads: bool) -> None:
    """Refuse what a suspended merchant's staff may not do now: the row is read at each change, never remembered.

    Raises:
        MerchantSuspended: then.
    """
    if not reads and not rule.while_suspended and is_suspended(merchant_id):
        raise domain.MerchantSuspended


def is_suspended(merchant_id: str) -> bool:
    """Say whether a merchant is suspended at this moment."""
    found = store.load(merchant_id)
    return found is not None and found.status is Status.SUSPENDED
