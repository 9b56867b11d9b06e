"""What is left of an account whose person has gone: a number that leads nowhere."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.auth import store
from chalicelib.auth.domain import Account, AddressBook, Identity, IdentityKind
from chalicelib.auth.identities import identity_id_of
from chalicelib.kernel.roles import Role
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def holds_office(account_id: str) -> bool:
    """Say whether the account acts for the platform or a merchant: its acts have an author as long as it does."""
    account = store.load_account(account_id, consistent=True)
    return account is not None and account.roles != (Role.BUYER,)


def blank(account_id: str) -> bool:
    """Blank the account, free its identities, drop its address book; returns whether anything was there.

    All in one transaction: as long as the account says who it was, its identities are found by it.
    """
    return racing(lambda: _blank(account_id))


def _blank(account_id: str) -> bool:
    account = store.load_account(account_id, consistent=True)
    if account is None:
        return False
    book = store.load_book(account_id)
    nobody = replace(
        Account(account_id=account.account_id, created_at=account.created_at),
        epoch=account.epoch,
        fingerprint=account.fingerprint,
        version=account.version,
    )
    rows = store.identity_rows(account_id, identity_ids(account))
    if nobody == account and not book.version and not rows:
        return False
    with UnitOfWork() as work:
        work.save(store.account_row(replace(nobody, epoch=account.epoch + 1)), label="account")
        if book.version:
            work.delete(store.book_row(AddressBook(account_id, version=book.version)), label="addresses")
        for row in rows:
            work.delete(row, label="identity")
    return True


def identity_ids(account: Account) -> list[str]:
    """Return the keys of everything that leads to the account: keyed digests, by which alone it is found."""
    known = [(IdentityKind.EMAIL, account.email), (IdentityKind.PHONE, account.phone)]
    found = [identity_id_of(Identity(kind, value)) for kind, value in known if value]
    for link in account.links:
        found += [one for one in (link.identity_id, link.union_id) if one]
        found.append(f"msk_{link.identity_id.partition('_')[2]}")
    return [*found, *account.passkeys, *(one.identity_id for one in account.former)]
