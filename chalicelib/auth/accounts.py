"""Changing an account: read as it is now, changed by a rule, written only if nobody changed it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chalicelib.auth import store
from chalicelib.auth.domain import Account
from chalicelib.kernel.errors import Unauthenticated
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def change(account_id: str, apply: Callable[[Account], Account]) -> Account:
    """Apply a rule to an account; a rule that returns an equal account writes nothing.

    Raises:
        Unauthenticated: if the account is gone though its token still lives.
    """

    def attempt() -> Account:
        account = store.load_account(account_id, consistent=True)
        if account is None:
            raise Unauthenticated
        changed = apply(account)
        if changed == account:
            return account
        with UnitOfWork() as work:
            work.save(store.account_row(changed))
        return replace(changed, version=account.version + 1)

    return racing(attempt)
