"""A notice to the person of an account: where they are reached, in their language."""

from __future__ import annotations

from datetime import datetime

from chalicelib.auth import store
from chalicelib.auth.domain import Account, Identity, IdentityKind
from chalicelib.notifications import service as notifications
from chalicelib.runtime.db.work import UnitOfWork

_KINDS = {IdentityKind.EMAIL: notifications.Kind.EMAIL, IdentityKind.PHONE: notifications.Kind.SMS}


def reached(account: Account) -> Identity | None:
    """Return where the person is written to: the e-mail address, else the phone number, else nowhere."""
    if account.email:
        return Identity(IdentityKind.EMAIL, account.email)
    return Identity(IdentityKind.PHONE, account.phone) if account.phone else None


def tell(
    work: UnitOfWork,
    account_id: str,
    template: str,
    *,
    fact: str,
    useless_at: datetime,
    values: dict[str, str] | None = None,
    purpose: str = "",
) -> bool:
    """Write a notice to the person in the caller's transaction; says whether they can be reached.

    Refused as ``AlreadyExists`` where this person was told of this fact before.

    Raises:
        NotAgreed: if it needs their consent to a ``purpose``, and they gave none.
    """
    account = store.load_account(account_id, consistent=True)
    contact = reached(account) if account is not None else None
    if account is None or contact is None:
        return False
    notifications.ask(
        work,
        notifications.Asked(
            kind=_KINDS[contact.kind],
            to=contact.value,
            template=template,
            language=account.language,
            fact=fact,
            useless_at=useless_at,
            values=values or {},
            consent=(account_id, purpose) if purpose else None,
        ),
    )
    return True
