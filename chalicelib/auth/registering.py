"""Making an account: the one way for every way of proving the contact that it begins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chalicelib.auth import events, passwords, store
from chalicelib.auth.domain import Account, Identity, IdentityKind
from chalicelib.auth.identities import identity_id_of
from chalicelib.kernel import clock, context, ids
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.runtime import metrics
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


def intent_of(identity: Identity, intent: Intent, *, nickname: str | None, language: str) -> Intent:
    """Return the intent as registering scopes it: by the identity, for anonymous callers share no account.

    The body's digest is not kept (it would be a fast hash of the password): a repeat is known by everything but the
    password, and by the password through its Argon2 hash.
    """
    identity_id = identity_id_of(identity)
    fingerprint = ids.digest(identity_id, nickname or "", language)
    return Intent(scope=f"register#{identity_id}", key=intent.key, fingerprint=fingerprint)


def new_account(
    identity: Identity,
    intent: Intent,
    *,
    nickname: str | None,
    language: str | None,
    password: str = "",
    verified: bool = False,
) -> Account:
    """Return the account that an intent makes, not written yet. Without a password it has none."""
    now = clock.now()
    language = language or context.current().language
    mine = intent_of(identity, intent, nickname=nickname, language=language)
    is_email = identity.kind is IdentityKind.EMAIL
    return Account(
        account_id=mine.record_id("acc"),
        created_at=now,
        email=identity.value if is_email else None,
        phone=None if is_email else identity.value,
        email_verified_at=now if is_email and verified else None,
        phone_verified_at=now if verified and not is_email else None,
        nickname=nickname,
        language=language,
        password_hash=passwords.hashed(password) if password else "",
        fingerprint=mine.fingerprint,
    )


def write(
    account: Account,
    identity: Identity,
    *,
    proof: Callable[[UnitOfWork], None] | None = None,
    network: str = "",
) -> Account:
    """Write a new account and its identity, with the proof's use in the same transaction.

    ``network`` is a keyed digest of where it came from, for who counts.

    Raises:
        AlreadyExists: if this intent made it before.
        IdentityTaken, ContactHeld: if the identity has an account, or had one a short while ago.
    """
    with UnitOfWork(f"register#{account.account_id}") as work:
        if proof is not None:
            proof(work)
        store.add_account(
            work,
            account,
            identity_id_of(identity),
            events=[events.AccountRegistered(account_id=account.account_id, network=network)],
        )
    metrics.count("accounts_registered")
    return replace(account, version=1)


def replayed(refusal: AlreadyExists, account: Account, password: str) -> Account:
    """Return the account that a repeat made at its first try.

    Raises:
        IdempotencyKeyReused: if the key registered this identity with other content.
    """
    return same(store.existing_account(refusal), account, password)


def same(before: Account, account: Account, password: str) -> Account:
    """Return the account that is there, if it is what this request would make.

    Raises:
        IdempotencyKeyReused: if not.
    """
    wanted = Intent(scope="", key="", fingerprint=account.fingerprint)
    wanted.check(before.fingerprint if passwords.matches(before.password_hash, password) else "")
    return before
