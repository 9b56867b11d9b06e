"""What a change of contact leaves behind, how long it can be taken back, and what goes with it then. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.auth.domain import Account, Former, Identity, IdentityKind
from chalicelib.kernel.errors import Conflict

TAKEN_BACK_FOR: Final = timedelta(days=3)
"""Who reads the contact of before only now and then has a weekend and a day; a number goes to nobody else so soon."""
BEFORE: Final = timedelta(days=1)
"""What was added to the account so shortly before its contact was changed goes with the change: who means to keep an
account that is not theirs adds their own ways in first."""


class ContactUnchanged(Conflict):
    """The account has no other contact of this kind that could be replaced."""

    code = "contact_unchanged"
    en = "There is nothing to change: this is the account's contact already, or it has none of this kind to replace."
    zh = "无需更换：该账号已绑定此联系方式，或尚无可替换的同类联系方式。"


class ContactJustChanged(Conflict):
    """The last change of this kind can still be taken back; until then there is no further one."""

    code = "contact_just_changed"
    en = "This contact was changed a short while ago; it can be changed again from {until} on."
    zh = "该联系方式刚更换过，{until} 之后才能再次更换。"
    shown = ("until",)


class NothingToTakeBack(Conflict):
    """The contact was proved, and no account was changed away from it within the last days; the code still counts."""

    code = "nothing_to_take_back"
    en, zh = "No account was changed away from this contact in the last days.", "近期没有账号更换掉此联系方式。"


def held(account: Account, kind: IdentityKind) -> tuple[str | None, datetime | None]:
    """Return the account's contact of a kind, and since when it is verified."""
    if kind is IdentityKind.EMAIL:
        return account.email, account.email_verified_at
    return account.phone, account.phone_verified_at


def having(account: Account, kind: IdentityKind, value: str | None, verified_at: datetime | None) -> Account:
    """Return the account with another contact of a kind, or none."""
    if kind is IdentityKind.EMAIL:
        return replace(account, email=value, email_verified_at=verified_at)
    return replace(account, phone=value, phone_verified_at=verified_at)


def changed(account: Account, new: Identity, former: Former | None, *, now: datetime) -> Account:
    """Return the account with another contact; every session of before is over."""
    young = tuple(one for one in account.former if now < one.until)
    return replace(
        having(account, new.kind, new.value, now),
        former=(*young, former) if former is not None else young,
        epoch=account.epoch + 1,
        ended={},
    )


def open_change(account: Account, kind: IdentityKind, now: datetime) -> Former | None:
    """Return the change of this kind that can still be taken back, if there is one."""
    return next((one for one in account.former if one.kind == kind and now < one.until), None)


def restored(account: Account, contact: Identity, former: Former) -> tuple[Account, Identity | None]:
    """Return the account with its contact of before, and the other one that was dropped with the change, if any.

    Password and sessions end, and whatever else opens the account and was added since, or shortly before. Passkeys
    and the second factor, whose times stand in rows of their own, are the caller's.
    """
    since = former.changed_at - BEFORE
    back = replace(
        having(account, contact.kind, contact.value, former.verified_at),
        former=tuple(one for one in account.former if one is not former),
        links=tuple(link for link in account.links if link.linked_at < since),
        password_hash="",
        epoch=account.epoch + 1,
        ended={},
    )
    other = IdentityKind.PHONE if contact.kind is IdentityKind.EMAIL else IdentityKind.EMAIL
    value, verified_at = held(account, other)
    if value is None or (verified_at is not None and verified_at < since):
        return back, None
    return having(back, other, None, None), Identity(other, value)
