"""What an account's history says of the person: whom they owe their role to, and whose side they may be on. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.auth.domain import Account
from chalicelib.kernel import ids
from chalicelib.kernel.roles import Role
from chalicelib.kernel.second_person import KIN_FOR, Person

PARTY_FOR = timedelta(days=180)
"""How long somebody who worked for a merchant still counts as one of its people."""


def person(account: Account, *, now: datetime) -> Person:
    """Return the account as one of the two persons of a decision."""
    return Person(account.account_id, is_operator(account), frozenset(kin(account, now=now)))


def is_operator(account: Account) -> bool:
    """Say whether the account may act for the platform. A merchant's staff may not, whatever else it holds."""
    return Role.OPERATOR in account.roles and Role.MERCHANT_STAFF not in account.roles


def kin(account: Account, *, now: datetime) -> set[str]:
    """Return the account and those to whom it owes the operator's role not long ago."""
    found = {account.account_id}
    for change in account.history:
        if change.gives and change.role is Role.OPERATOR and now - change.at < KIN_FOR:
            found.update(change.sponsors)
            if ids.is_id("acc", change.by):
                found.add(change.by)
    return found


def merchants_of(account: Account, *, now: datetime) -> set[str]:
    """Return the merchants that the account works for, or did not long ago."""
    found = {one.merchant_id for one in account.employments}
    for change in account.history:
        left = change.role is Role.MERCHANT_STAFF and not change.gives
        if left and change.merchant_id and now - change.at < PARTY_FOR:
            found.add(change.merchant_id)
    return found
