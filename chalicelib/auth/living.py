"""Whether a token of staff still counts, though it has not run out: its session was ended, or all of its account's.

The account's row keeps which of its sessions ended within the life of an access token, so one read of the account
answers it. Operators' routes read the account strongly at each call, and those of a merchant's staff for its post; on
every other route a token of either is held against an account that was read at most :data:`KEPT_S` ago in this process.
Tokens of buyers run out: ten minutes after their session ended at the latest.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime
from typing import Final

from chalicelib.auth import store, tokens
from chalicelib.auth.domain import Account
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Unauthenticated
from chalicelib.kernel.roles import Role
from chalicelib.runtime import caches
from chalicelib.runtime.http.access import Caller

KEPT_S: Final = 30
"""How long an account is remembered: with what a cheap read may be behind, well within the minute that is promised."""
REMEMBERED: Final = 2048
MOST_ENDED: Final = 50
"""Sessions of one account that end within ten minutes; one more ends them all."""
STAFF: Final = frozenset({Role.MERCHANT_STAFF.value, Role.OPERATOR.value})

_kept: OrderedDict[str, tuple[float, Account]] = OrderedDict()


def is_over(caller: Caller, account: Account) -> bool:
    """Say whether a token's session was ended: by itself, or with all others of the account."""
    return bool(caller.epoch and caller.epoch != account.epoch) or caller.session_id in account.ended


def check(caller: Caller) -> None:
    """Return if the token of an operator or of a merchant's staff still counts; others are not asked about.

    Costs half a read unit, once in :data:`KEPT_S` for each of them and each process.

    Raises:
        Unauthenticated: if its session was ended, or the account is gone.
    """
    if not caller.session_id or not caller.roles & STAFF:
        return
    account = remembered(caller.account_id) or read(caller.account_id)
    if account is None or is_over(caller, account):
        raise Unauthenticated


def remembered(account_id: str) -> Account | None:
    """Return an account that this process read less than :data:`KEPT_S` ago, or None."""
    now_s = clock.now().timestamp()
    kept = _kept.get(account_id)
    return kept[1] if kept is not None and kept[0] <= now_s < kept[0] + KEPT_S else None


def read(account_id: str, *, consistent: bool = False) -> Account | None:
    """Read an account and remember it; None if there is none."""
    found = store.load_account(account_id, consistent=consistent)
    _kept.pop(account_id, None)
    if found is not None:
        _kept[account_id] = (clock.now().timestamp(), found)
        if len(_kept) > REMEMBERED:
            _kept.popitem(last=False)  # The one that was read first: it is asked for again first.
    return found


def forget_one(account_id: str) -> None:
    """Drop what is remembered of an account: this process changed it."""
    _kept.pop(account_id, None)


def without_session(account: Account, session_id: str, *, now: datetime) -> Account:
    """Return the account that remembers that one of its sessions has ended; itself if nobody would ask."""
    if not STAFF & {role.value for role in account.roles}:
        return account
    now_s = clock.epoch_s(now)
    young = {one: at for one, at in account.ended.items() if now_s - at <= tokens.LIFE.total_seconds()}
    if len(young) >= MOST_ENDED:
        return replace(account, epoch=account.epoch + 1, ended={})
    return replace(account, ended={**young, session_id: now_s})


@caches.register
def forget() -> None:
    """Drop the accounts that were read."""
    _kept.clear()
