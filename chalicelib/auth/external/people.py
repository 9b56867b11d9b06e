"""Whose an identity is: finding the account, making one, adding an identity to it and taking one away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.auth import events, throttles, ways
from chalicelib.auth import store as accounts
from chalicelib.auth.domain import Account, Link
from chalicelib.auth.external import sealed, store
from chalicelib.auth.external.domain import (
    KEY_LIFE,
    MOST_IDENTITIES,
    CodeRefused,
    IdentityElsewhere,
    LastWay,
    PersonKnown,
    Proof,
    TooManyIdentities,
)
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import NotFound, Unauthenticated
from chalicelib.runtime import log
from chalicelib.runtime.db.work import UnitOfWork

KEY_PURPOSE = "mini-session-key"


@dataclass(frozen=True, slots=True)
class Names:
    """Under which keys a proved person stands in the identities table: digests, no names."""

    identity_id: str
    union_id: str
    """Empty where the platform tells no unionid."""

    @property
    def key_id(self) -> str:
        """Return the key of the identity's session key."""
        return f"msk_{self.identity_id.partition('_')[2]}"


def names_of(proof: Proof) -> Names:
    """Return a proof's names. One in an app and one of a person are never the same key."""
    return Names(
        identity_of(proof.provider, proof.appid, proof.openid),
        _digest(f"union:{proof.platform}:{proof.unionid}") if proof.unionid else "",
    )


def identity_of(provider: str, appid: str, openid: str) -> str:
    """Return the key of one person's name in one app."""
    return _digest(f"{provider}:{appid}:{openid}")


def _digest(text: str) -> str:
    return f"idn_{throttles.keyed(text, 'identity')}"


def link_of(proof: Proof, *, key: str = "") -> Link:
    """Return what an account keeps of an identity; ``key`` is by what it was added, so that a repeat is known."""
    found = names_of(proof)
    return Link(
        link_id=ids.derived_id("lnk", found.identity_id),
        provider=proof.provider,
        appid=proof.appid,
        identity_id=found.identity_id,
        union_id=found.union_id,
        linked_at=clock.now(),
        key=key,
    )


def found_or_made(
    work: UnitOfWork, proof: Proof, *, nickname: Callable[[], str], language: str, apart: bool, network: str = ""
) -> tuple[Account, bool]:
    """Return the account of a proved person, and whether ``work`` makes it; only then the nickname is asked for.

    A person whom only the unionid tells gets no account opened by it: it takes both proofs (see ``PersonKnown``).
    ``apart`` makes one all the same.

    Raises:
        PersonKnown: if the same person has an account by another app, and did not ask for one of its own.
        CodeRefused: if the identity's account is gone.
    """
    found = names_of(proof)
    holders = store.holders([found.identity_id, found.union_id])
    holder = holders.get(found.identity_id)
    if holder is not None:
        account = accounts.load_account(holder, consistent=True)
        if account is None or not any(link.identity_id == found.identity_id for link in account.links):
            # The account is gone, or its owner threw out whoever had added this: it opens nothing any more.
            log.warning("an identity that its account does not have", account_id=holder)
            raise CodeRefused
        return _with_union(work, account, found, free=found.union_id not in holders), False
    if found.union_id in holders and not apart:
        raise PersonKnown(proof=sealed.proof_token(proof))
    free = found.union_id not in holders
    return _made(work, proof, nickname=nickname(), language=language, free=free, network=network), True


def _made(work: UnitOfWork, proof: Proof, *, nickname: str, language: str, free: bool, network: str) -> Account:
    link = link_of(proof)
    account = Account(
        account_id=ids.new_id("acc"),
        created_at=clock.now(),
        nickname=nickname or None,
        language=language,
        links=(link if free else replace(link, union_id=""),),
    )
    told = events.AccountRegistered(account_id=account.account_id, network=network)
    work.save(accounts.account_row(account), events=[told], label="account")
    store.bind(work, link.identity_id, account.account_id)
    if link.union_id and free:
        store.bind(work, link.union_id, account.account_id)
    return account


def _with_union(work: UnitOfWork, account: Account, found: Names, *, free: bool) -> Account:
    """Remember a unionid that the platform tells only now, where nobody has it."""
    if not found.union_id or not free:
        return account
    links = tuple(
        replace(link, union_id=found.union_id) if link.identity_id == found.identity_id else link
        for link in account.links
    )
    changed = replace(account, links=links)
    work.save(accounts.account_row(changed), label="account")
    store.bind(work, found.union_id, account.account_id)
    return changed


def add(work: UnitOfWork, account: Account, link: Link) -> Account:
    """Add an identity to an account; one that it has already changes nothing.

    Raises:
        IdentityElsewhere: if the identity, or the person by another app, belongs to another account.
        TooManyIdentities: if the account has as many as it can.
    """
    if any(known.identity_id == link.identity_id for known in account.links):
        return account
    if len(account.links) >= MOST_IDENTITIES:
        raise TooManyIdentities(cap=MOST_IDENTITIES)
    holders = store.holders([link.identity_id, link.union_id])
    if any(holder != account.account_id for holder in holders.values()):
        raise IdentityElsewhere
    changed = replace(account, links=(*account.links, link))
    work.save(accounts.account_row(changed), label="account")
    for identity_id in (link.identity_id, link.union_id):
        if identity_id and identity_id not in holders:
            store.bind(work, identity_id, account.account_id)
    return changed


def take(work: UnitOfWork, account: Account, link_id: str) -> Account:
    """Take an identity from an account: it opens nothing any more, and may be added anywhere.

    The account's version guards it: two that take the last two at one moment do not both succeed.

    Raises:
        NotFound: if the account has no such identity.
        LastWay: if nobody could sign in to the account any more.
    """
    gone = next((link for link in account.links if link.link_id == link_id), None)
    if gone is None:
        raise NotFound(what="identity")
    left = tuple(link for link in account.links if link is not gone)
    changed = replace(account, links=left)
    if not ways.of(changed):
        raise LastWay
    shared = any(link.union_id == gone.union_id for link in left)
    work.save(accounts.account_row(changed), label="account")
    store.release(work, [gone.identity_id, "" if shared else gone.union_id], account.account_id)
    return changed


def loaded(account_id: str) -> Account:
    """Return an account as it is now.

    Raises:
        Unauthenticated: if it is gone though its token still lives.
    """
    account = accounts.load_account(account_id, consistent=True)
    if account is None:
        raise Unauthenticated
    return account


def keep_key(work: UnitOfWork, proof: Proof) -> None:
    """Keep a mini program's session key, sealed; a proof without one leaves what is there."""
    if proof.session_key:
        key_id = names_of(proof).key_id
        kept = sealed.seal(proof.session_key, purpose=KEY_PURPOSE, belongs_to=key_id)
        store.keep_session_key(work, key_id, kept, until=clock.now() + KEY_LIFE)


def session_key(link: Link) -> str | None:
    """Return the last session key of a linked identity, if it is still kept."""
    key_id = Names(link.identity_id, "").key_id
    kept = store.session_key(key_id, now=clock.now())
    return sealed.unseal(kept, purpose=KEY_PURPOSE, belongs_to=key_id) if kept is not None else None
