"""Changing a contact, with a time in which whoever reads the one of before can take the account back."""

from __future__ import annotations

from chalicelib.auth import notices, store
from chalicelib.auth.codes import proving
from chalicelib.auth.codes import service as codes
from chalicelib.auth.codes.domain import Purpose
from chalicelib.auth.contacts import domain
from chalicelib.auth.contacts.domain import (
    BEFORE,
    TAKEN_BACK_FOR,
    ContactJustChanged,
    ContactUnchanged,
    NothingToTakeBack,
)
from chalicelib.auth.domain import Account, Former, Identity, Link
from chalicelib.auth.factors import service as factors
from chalicelib.auth.identities import identity_id_of
from chalicelib.auth.passkeys import service as passkeys
from chalicelib.auth.sessions import service as sessions
from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate, Unauthenticated
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller

__all__ = ["ContactJustChanged", "ContactUnchanged", "NothingToTakeBack"]


def change(caller: Caller, proof: proving.Proof) -> sessions.Tokens:
    """Give the caller's account a contact that was proved, in place of the one of its kind.

    Every other session ends, this one gets new tokens. If the one of before was verified, whoever reads it is told and
    can take the account back for some days, and nobody else gets it meanwhile. One that never was is simply free: it
    may be a stranger's, written wrongly.

    Raises:
        BadCode: if the code is not right.
        ContactUnchanged: if there is none of this kind, or it is this one.
        ContactJustChanged: while the last change can be taken back.
        IdentityTaken, ContactHeld: if the contact has another account, or had one a short while ago.
        Unauthenticated: if the session is over.
    """

    def attempt() -> sessions.Tokens:
        found = proof.check(Purpose.VERIFY)
        account, now = _loaded(caller.account_id), clock.now()
        before, verified_at = domain.held(account, proof.contact.kind)
        if before is None or before == proof.contact.value:
            raise ContactUnchanged
        last = domain.open_change(account, proof.contact.kind, now)
        if last is not None:
            raise ContactJustChanged(until=last.until.isoformat(timespec="seconds"))
        old = Identity(proof.contact.kind, before)
        until, former = now, None
        if verified_at is not None:
            until = now + TAKEN_BACK_FOR
            former = Former(old.kind.value, identity_id_of(old), verified_at, changed_at=now, until=until)
        changed = domain.changed(account, proof.contact, former, now=now)
        with UnitOfWork() as work:
            codes.use(work, found)
            kept = sessions.keep(work, caller, changed, before=account.epoch)
            work.save(store.account_row(changed), label="account")
            store.add_identity(work, identity_id_of(proof.contact), account.account_id)
            store.hold_identity(work, identity_id_of(old), account.account_id, until=until)
            if former is not None:
                days = {"days": str(TAKEN_BACK_FOR.days)}
                fact = f"contact#{account.account_id}#{changed.epoch}"
                notices.tell_at(work, old, account.language, "contact_changed", fact=fact, values=days)
        return kept

    kept = racing(attempt, losing=(ConcurrentUpdate,))
    log.info("contact changed", account_id=caller.account_id)
    metrics.count("contacts_changed")
    return kept


def take_back(proof: proving.Proof) -> None:
    """Give an account its contact of before, for whoever reads that; it takes a code to it.

    Whoever changed it may have been somebody else, who had a session and a proof. So the password ends, every session,
    and whatever else opens the account and was added since the change or the day before; a second factor from before
    stays, and is asked for at the next sign-in. The newer contact is told, and free.

    Raises:
        BadCode: if the code is not right.
        NothingToTakeBack: if no account was changed away from this contact in the last days; the code still counts.
    """

    def attempt() -> str:
        found = proof.check(Purpose.TAKE_BACK)
        identity_id, now = identity_id_of(proof.contact), clock.now()
        account_id = store.held_for(identity_id)
        account = store.load_account(account_id, consistent=True) if account_id else None
        former = next((one for one in account.former if one.identity_id == identity_id), None) if account else None
        if account is None or former is None or now >= former.until:
            raise NothingToTakeBack
        newer, _ = domain.held(account, proof.contact.kind)
        restored, dropped = domain.restored(account, proof.contact, former)
        gone = [one for one in (Identity(proof.contact.kind, newer) if newer else None, dropped) if one is not None]
        links = [link for link in account.links if link not in restored.links]
        with UnitOfWork() as work:
            codes.use(work, found)
            restored = passkeys.without_younger(work, restored, since=former.changed_at - BEFORE)
            restored = factors.without_younger(work, restored, since=former.changed_at - BEFORE)
            work.save(store.account_row(restored), label="account")
            store.return_identity(work, identity_id, account.account_id)
            for row in store.identity_rows(account.account_id, _keys(gone, links)):
                work.delete(row, label="identity")
            _tell(work, account, gone, f"taken-back#{account.account_id}#{restored.epoch}")
        return account.account_id

    account_id = racing(attempt, losing=(ConcurrentUpdate,))
    log.warning("contact taken back", account_id=account_id)
    metrics.count("contacts_taken_back")


def _keys(gone: list[Identity], links: list[Link]) -> list[str]:
    """Return the keys of what opens the account no more."""
    found = [identity_id_of(one) for one in gone]
    for link in links:
        found += [one for one in (link.identity_id, link.union_id) if one]
    return found


def _tell(work: UnitOfWork, account: Account, gone: list[Identity], fact: str) -> None:
    for one in gone:
        notices.tell_at(work, one, account.language, "contact_taken_back", fact=fact)


def _loaded(account_id: str) -> Account:
    account = store.load_account(account_id, consistent=True)
    if account is None:
        raise Unauthenticated
    return account
