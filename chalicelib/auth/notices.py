"""Telling an account's person something, by the contact that reaches them and in their language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from chalicelib.auth import store
from chalicelib.auth.domain import Account, Identity, IdentityKind
from chalicelib.kernel import clock
from chalicelib.notifications import service as notifications
from chalicelib.runtime.db.work import UnitOfWork

KINDS = {IdentityKind.EMAIL: notifications.Kind.EMAIL, IdentityKind.PHONE: notifications.Kind.SMS}
NOTICE = timedelta(days=1)
"""So long a notice is worth sending, unless somebody says otherwise."""


def tell(work: UnitOfWork, account: Account, template: str, fact: str, values: Mapping[str, str] | None = None) -> None:
    """Tell an account's person, in the transaction of the fact; who has neither address nor number hears nothing."""
    contact = reached(account)
    if contact is not None:
        tell_at(work, contact, account.language, template, fact=fact, values=values)


def tell_person(
    work: UnitOfWork,
    account_id: str,
    template: str,
    *,
    fact: str,
    useless_at: datetime,
    values: Mapping[str, str] | None = None,
    purpose: str = "",
) -> bool:
    """Tell the person of an account that is read here, for other rooms; says whether they can be reached.

    Raises:
        NotAgreed: if it needs their consent to a ``purpose``, and they gave none.
    """
    account = store.load_account(account_id, consistent=True)
    contact = reached(account) if account is not None else None
    if account is None or contact is None:
        return False
    consent = (account_id, purpose) if purpose else None
    tell_at(work, contact, account.language, template, fact=fact, values=values, useless_at=useless_at, consent=consent)
    return True


def tell_at(
    work: UnitOfWork,
    contact: Identity,
    language: str,
    template: str,
    *,
    fact: str,
    values: Mapping[str, str] | None = None,
    useless_at: datetime | None = None,
    consent: tuple[str, str] | None = None,
) -> None:
    """Tell whoever reads a contact; refused as ``AlreadyExists`` if they were told of this fact before."""
    notifications.ask(
        work,
        notifications.Asked(
            kind=KINDS[contact.kind],
            to=contact.value,
            template=template,
            language=language,
            fact=fact,
            useless_at=useless_at or clock.now() + NOTICE,
            values=dict(values or {}),
            consent=consent,
        ),
    )


def reached(account: Account) -> Identity | None:
    """Return where the person is written to: the e-mail address, else the phone number, else nowhere."""
    if account.email:
        return Identity(IdentityKind.EMAIL, account.email)
    return Identity(IdentityKind.PHONE, account.phone) if account.phone else None
