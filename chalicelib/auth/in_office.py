"""Demanding, in the transaction of an act, that who acts still has the post for it: not as a process remembers it."""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.auth import store
from chalicelib.auth.employment import post_at
from chalicelib.kernel.errors import Forbidden
from chalicelib.kernel.roles import Post
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.work import UnitOfWork


def hold(work: UnitOfWork, merchant_id: str, account_id: str, posts: Collection[Post]) -> None:
    """Demand that an account has one of these posts at a merchant when the caller's work is written.

    Raises:
        Forbidden: if it has not. Where it changes meanwhile the work loses its race.
    """
    account = store.load_account(account_id, consistent=True)
    if account is None or post_at(account.employments, merchant_id) not in posts:
        raise Forbidden
    row = store.AccountRow(account_id=account_id, id=store.ACCOUNT)
    work.check(row, store.AccountRow.version == account.version, refuse=lost, label="actor")
