"""What somebody may at this moment, whatever their token says: read at each call of staff, remembered for seconds.

A token names roles of up to ten minutes ago. So the account is asked: it is read once in half a minute a process (half
a read unit), and once more, strongly, before anybody is refused by what is remembered.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib.auth import living, required_factors
from chalicelib.auth.domain import Account
from chalicelib.auth.staff import domain, staffing
from chalicelib.kernel.errors import Conflict, Forbidden, Unauthenticated
from chalicelib.kernel.policy import Rule
from chalicelib.kernel.roles import Role
from chalicelib.runtime.http.access import Caller


def present(caller: Caller, asked: str | None, rule: Rule) -> Caller:
    """Return the caller as staff of the merchant they act for, if the rule is for their post there.

    ``asked`` is the merchant that the request names; who works for one merchant need not name it.

    Raises:
        Unauthenticated: if the account is gone, or the token's session was ended.
        Forbidden: if they do not work there, or nowhere.
        SecondFactorRequired: if this installation wants one of staff, and the session was begun without.
        MerchantNotChosen: if they work for several and named none.
        PostNeeded: if it takes another post.
    """
    kept = living.remembered(caller.account_id)
    if kept is None:
        return _as_staff(caller, _read(caller.account_id, consistent=False), asked, rule)
    try:
        return _as_staff(caller, kept, asked, rule)
    except (Unauthenticated, Forbidden, Conflict):
        pass  # It may have changed since.
    return _as_staff(caller, _read(caller.account_id, consistent=True), asked, rule)


def _as_staff(caller: Caller, account: Account | None, asked: str | None, rule: Rule) -> Caller:
    if account is None or living.is_over(caller, account):
        raise Unauthenticated
    required_factors.check(caller, account, Role.MERCHANT_STAFF)
    merchant_id, post = domain.placed(account, asked, rule)
    return replace(caller, roles=caller.roles | {Role.MERCHANT_STAFF}, merchant_id=merchant_id, post=post)


def _read(account_id: str, *, consistent: bool) -> Account | None:
    account = living.read(account_id, consistent=consistent)
    if account is not None and account.employments and not account.posts:
        staffing.enter(account)  # Staff of before there were rosters, seen for the first time since.
    return account
