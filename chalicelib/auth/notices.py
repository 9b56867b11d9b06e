"""Telling an account's person what happened to the account, by the contact that reaches them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from chalicelib.auth.domain import Account, Identity, IdentityKind
from chalicelib.kernel import clock
from chalicelib.notifications import service as notifications
from chalicelib.runtime.db.work import UnitOfWork

KINDS = {IdentityKind.EMAIL: notifications.Kind.EMAIL, IdentityKind.PHONE: notifications.Kind.SMS}
NOTICE = timedelta(days=1)
"""So long a notice is worth sending."""


def tell(work: UnitOfWork, account: Account, template: str, fact: str, values: Mapping[str, str] | None = None) -> None:
    """Tell an account's person, in the transaction of the fact; who has neither address nor number hears nothing."""
    contact = _reached(account)
    if contact is not None:
        tell_at(work, contact, account.language, template, fact=fact, values=values)


def tell_at(
    work: UnitOfWork,
    contact: Identity,
    language: str,
    template: str,
    *,
    fact: str,
    values: Mapping[str, str] | None = None,
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
            useless_at=clock.now() + NOTICE,
            values=dict(values or {}),
        ),
    )


def _reached(account: Account) -> Identity | None:
    if account.email:
        return Identity(IdentityKind.EMAIL, account.email)
    return Identity(IdentityKind.PHONE, account.phone) if account.phone else None
