"""Use cases of children's accounts: saying the age, a guardian's consent by a code to their contact, and its end."""

from __future__ import annotations

import hmac

from chalicelib.auth import store
from chalicelib.auth.codes import service as codes
from chalicelib.auth.codes.domain import Code, Purpose
from chalicelib.auth.codes.proving import Proof
from chalicelib.auth.domain import Account
from chalicelib.auth.guardians import domain
from chalicelib.auth.guardians.domain import Age, NotTheirGuardian
from chalicelib.consents import service as consents
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Unauthenticated
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork


def declare(account_id: str, age: Age) -> Account:
    """Note of which age somebody says they are. A child's nickname, addresses and consents go at once.

    Raises:
        GuardianNeeded: if a child says that they are older.
    """
    if age is Age.UNDER_14:
        consents.bar(account_id)

    def attempt() -> Account:
        account = _account(account_id)
        return _write(account, domain.declared(account, age))

    return racing(attempt)


def agree(account_id: str, proof: Proof, *, version: int) -> Account:
    """Note that a guardian agrees, who read the code at a contact of their own.

    Raises:
        NotTheirGuardian: if the account is no child's.
        BadCode: if the code is not right, or was sent for something else.
        OwnGuardian, RulesChanged: as the domain says.
    """

    def attempt() -> Account:
        account = _account(account_id)
        if not domain.is_child(account):
            raise NotTheirGuardian
        after = domain.agreed(account, proof.contact, version=version, at=clock.now())
        return _write(account, after, proof.check(Purpose.GUARDIAN))

    found = racing(attempt)
    log.info("guardian agreed", account_id=account_id, version=version)
    return found


def take_back(account_id: str, proof: Proof) -> None:
    """Take a guardian's consent back, as before an erasure: nothing is bought, and the child's profile is gone.

    Raises:
        BadCode: if the code is not right.
        NotTheirGuardian: if somebody else agreed, or nobody.
    """

    def attempt() -> None:
        account, code = _of_guardian(account_id, proof)
        _write(account, domain.taken_back(account), code)

    racing(attempt)


def outgrow(account_id: str, proof: Proof, age: Age) -> Account:
    """Note, by the guardian's code, that a child is a child no more.

    Raises:
        BadCode, NotTheirGuardian: as :func:`take_back`.
    """

    def attempt() -> Account:
        account, code = _of_guardian(account_id, proof)
        return _write(account, domain.grown(account, age), code)

    found = racing(attempt)
    if age is not Age.UNDER_14:
        consents.unbar(account_id)
    return found


def _of_guardian(account_id: str, proof: Proof) -> tuple[Account, Code]:
    """Return a child's account and the guardian's code; the code first, so that guesses are counted."""
    code = proof.check(Purpose.GUARDIAN)
    account = store.load_account(account_id, consistent=True)
    theirs = account.guardian if account is not None and domain.is_child(account) else ""
    if account is None or not theirs or not hmac.compare_digest(theirs.encode(), proof.contact.value.encode()):
        raise NotTheirGuardian
    return account, code


def _account(account_id: str) -> Account:
    account = store.load_account(account_id, consistent=True)
    if account is None:
        raise Unauthenticated
    return account


def _write(before: Account, after: Account, code: Code | None = None) -> Account:
    """Write the account, its address book as its age lets it be, and the code's use, all or none."""
    book = store.load_book(before.account_id)
    changed = domain.book_of(book, after)
    with UnitOfWork() as work:
        if after != before:
            work.save(store.account_row(after), label="account")
        if changed != book:
            work.save(store.book_row(changed), label="addresses")
        if code is not None:
            codes.use(work, code)
    return after
