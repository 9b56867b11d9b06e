"""Adding, listing, naming and removing passkeys, and signing in and proving with one.

Each begins with an open step: its token's random part is what the authenticator signs, so that an answer counts for one
beginning, of one purpose and person, once and for minutes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from chalicelib.auth import devices, notices, open_steps, passwords, relying_party, sealing, throttles, ways
from chalicelib.auth import store as accounts
from chalicelib.auth.domain import Account
from chalicelib.auth.external.domain import LastWay
from chalicelib.auth.open_step import LIFE, Challenge, ChallengeOver
from chalicelib.auth.passkeys import ceremony, domain, store
from chalicelib.auth.passkeys.domain import (
    MOST_PASSKEYS,
    Made,
    Passkey,
    PasskeyKnown,
    PasskeyRefused,
    PasskeyUnusable,
    Signed,
    TooManyPasskeys,
)
from chalicelib.auth.relying_party import PasskeysNotOffered
from chalicelib.auth.sessions import service as sessions
from chalicelib.auth.sessions import step_up
from chalicelib.auth.sessions.domain import Device, Method, WrongProof
from chalicelib.kernel import base64url, clock
from chalicelib.kernel.errors import NotFound, Unauthenticated
from chalicelib.runtime import log, metrics
from chalicelib.runtime.db.races import lost, racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller

__all__ = [
    "LIFE",
    "LastWay",
    "Made",
    "Passkey",
    "PasskeyKnown",
    "PasskeyRefused",
    "PasskeyUnusable",
    "PasskeysNotOffered",
    "Signed",
    "TooManyPasskeys",
]

ADDING: Final = "passkey-adding"
SIGNING_IN: Final = "passkey-sign-in"
PROVING: Final = "passkey-proving"
_NAME: Final = "passkey-name"
_SECONDS: Final = int(LIFE.total_seconds())


@dataclass(frozen=True, slots=True)
class Begun:
    """What a browser takes, and the challenge that its answer comes with."""

    challenge: str = field(repr=False)
    public_key: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """A passkey that signed what it was asked for, with what using it changes."""

    used: Passkey
    account: Account
    methods: tuple[Method, ...]
    """What it proved: that it was there, and perhaps who held it."""


# --- an account's passkeys --------------------------------------------------------------------------------------


def begin_adding(caller: Caller) -> Begun:
    """Begin to add a passkey.

    Raises:
        TooManyPasskeys: if the account has as many as it can.
        PasskeysNotOffered: if this installation has none.
        Unauthenticated: if the account is gone.
    """
    party, account = relying_party.party(), _loaded(caller.account_id)
    if len(account.passkeys) >= MOST_PASSKEYS:
        raise TooManyPasskeys(cap=MOST_PASSKEYS)
    known = store.load_all(account.passkeys)
    token = open_steps.begin(ADDING, account_id=caller.account_id, said=_said(caller))
    name = account.email or account.phone or account.nickname or account.account_id
    return Begun(
        token,
        {
            "rp": {"id": party.domain, "name": relying_party.NAME},
            "user": {"id": user_of(account.account_id), "name": name, "displayName": account.nickname or name},
            "challenge": relying_party.challenge_of(token),
            "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in ceremony.ALGORITHMS],
            "timeout": _SECONDS * 1000,
            "attestation": "none",
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": True,
                "userVerification": "required",
            },
            "excludeCredentials": [
                {"type": "public-key", "id": one.credential, "transports": list(one.transports)} for one in known
            ],
        },
    )


def add(caller: Caller, token: str, made: Made, *, name: str) -> Passkey:
    """Add what an authenticator made to the caller's account, and tell its person.

    Raises:
        ChallengeOver: if it was not begun by the caller, in this session, minutes ago; or was added before.
        PasskeyUnusable: if it is not what was asked for.
        PasskeyKnown: if it was added before, to this account or another.
        TooManyPasskeys, PasskeysNotOffered, Unauthenticated: as :func:`begin_adding`.
    """
    party = relying_party.party()
    challenge = _begun_by(caller, token, ADDING)
    key = ceremony.made(made, token=token, party=party)
    passkey = Passkey(
        passkey_id=id_of(made.credential),
        account_id=caller.account_id,
        credential=made.credential,
        public_key=key.public_key,
        signs=key.signs,
        is_eligible=key.is_eligible,
        is_backed_up=key.is_backed_up,
        sealed=_sealed(name, id_of(made.credential)),
        made_at=clock.now(),
        transports=made.transports,
    )

    def attempt() -> Passkey:
        account = _loaded(caller.account_id)
        if passkey.passkey_id in account.passkeys:
            raise PasskeyKnown
        if len(account.passkeys) >= MOST_PASSKEYS:
            raise TooManyPasskeys(cap=MOST_PASSKEYS)
        with UnitOfWork() as work:
            work.save(store.row(passkey), refuse=lambda _: PasskeyKnown(), label="passkey")
            more = replace(account, passkeys=(*account.passkeys, passkey.passkey_id))
            work.save(accounts.account_row(more), label="account")
            open_steps.spend(work, challenge)
            notices.tell(work, account, "passkey_added", f"passkey#{passkey.passkey_id}#{challenge.challenge_id}")
        return replace(passkey, version=1)

    added = racing(attempt)
    log.info("passkey added", account_id=caller.account_id)
    metrics.count("passkeys_added")
    return added


def listed(account_id: str) -> list[Passkey]:
    """Return an account's passkeys, as they were added.

    Raises:
        Unauthenticated: if the account is gone.
    """
    return store.load_all(_loaded(account_id).passkeys)


def rename(account_id: str, passkey_id: str, name: str) -> Passkey:
    """Give a passkey another name.

    Raises:
        NotFound: if the account has no such passkey.
    """

    def attempt() -> Passkey:
        found = store.load(passkey_id)
        if found is None or found.account_id != account_id or passkey_id not in _loaded(account_id).passkeys:
            raise NotFound(what="passkey")
        named = replace(found, sealed=_sealed(name, passkey_id))
        with UnitOfWork() as work:
            work.save(store.row(named), refuse=lost, label="passkey")
        return named

    return racing(attempt)


def name_of(passkey: Passkey) -> str:
    """Return what its owner calls a passkey."""
    return sealing.unseal(passkey.sealed, purpose=_NAME, belongs_to=passkey.passkey_id) or ""


def remove(account_id: str, passkey_id: str) -> None:
    """Take a passkey from an account: it opens nothing any more.

    The account's version guards it: two that take the last two at one moment do not both succeed.

    Raises:
        NotFound: if the account has no such passkey.
        LastWay: if nobody could sign in to the account any more.
    """

    def attempt() -> None:
        account = _loaded(account_id)
        if passkey_id not in account.passkeys:
            raise NotFound(what="passkey")
        left = replace(account, passkeys=tuple(one for one in account.passkeys if one != passkey_id))
        if not ways.of(left):
            raise LastWay
        with UnitOfWork() as work:
            work.save(accounts.account_row(left), label="account")
            store.release(work, [passkey_id], account_id)

    racing(attempt)
    log.info("passkey removed", account_id=account_id)
    metrics.count("passkeys_removed")


# --- signing in and proving -------------------------------------------------------------------------------------


def begin_sign_in() -> Begun:
    """Begin a sign-in: the same for everybody, and whoever it is says the passkey.

    Raises:
        PasskeysNotOffered: if this installation has none.
    """
    relying_party.party()
    token = open_steps.begin(SIGNING_IN)
    return Begun(token, relying_party.asking(token, verifies=True, seconds=_SECONDS))


def sign_in(token: str, signed: Signed, *, device: Device, source_ip: str) -> sessions.Tokens:
    """Start a session for whoever's passkey signed. Its authenticator knew the person again: that is two factors.

    Raises:
        ChallengeOver: if it was not begun here minutes ago, or was answered.
        PasskeyRefused: if the passkey opens no account, or did not sign exactly this.
        Throttled: after too many refusals for this network or device.
    """
    with _refusals(device, source_ip):
        challenge = open_steps.attempt(token, SIGNING_IN)

        def attempt() -> sessions.Tokens:
            shown = _shown(token, signed, verifies=True)
            with UnitOfWork() as work:
                # Both factors are there: the second step, that `sessions.start` would ask for, is done.
                answer = sessions.complete(
                    shown.account, device=device, source_ip=source_ip, methods=shown.methods, work=work
                )
                use(work, shown)
                open_steps.spend(work, challenge)
            return answer

        return racing(attempt)


def begin_proving(caller: Caller) -> Begun:
    """Begin to prove once more who the caller is.

    Raises:
        PasskeysNotOffered: if this installation has none.
    """
    relying_party.party()
    token = open_steps.begin(PROVING, account_id=caller.account_id, said=_said(caller))
    return Begun(token, relying_party.asking(token, verifies=False, seconds=_SECONDS))


def prove(caller: Caller, token: str, signed: Signed) -> str:
    """Note that the caller has just shown a passkey of theirs; returns the new access token.

    Raises:
        ChallengeOver: if it was not begun in this session minutes ago, or was answered.
        WrongProof: if it is none of theirs, or did not sign exactly this.
        Throttled: after too many of them.
        Unauthenticated: if the session is over.
    """
    challenge = _begun_by(caller, token, PROVING)
    with throttles.proving(caller.session_id, caller.account_id) as attempt:
        methods = racing(lambda: _proved(caller, token, signed, challenge))
        attempt.succeeded()
    return step_up.proved(caller, *methods)


def _proved(caller: Caller, token: str, signed: Signed, challenge: Challenge) -> tuple[Method, ...]:
    shown = of_account(caller.account_id, token, signed)
    with UnitOfWork() as work:
        use(work, shown)
        open_steps.spend(work, challenge)
    return shown.methods


def of_account(account_id: str, token: str, signed: Signed) -> Shown:
    """Return a passkey of this account that signed for this step; that its person was known again is not demanded.

    Raises:
        WrongProof: if it is another's, or did not sign exactly this.
    """
    try:
        shown = _shown(token, signed, verifies=False)
    except PasskeyRefused as refusal:
        raise WrongProof from refusal
    if shown.account.account_id != account_id:
        raise WrongProof
    return shown


def use(work: UnitOfWork, shown: Shown) -> None:
    """Note its use, in the work of what it opens; one that was removed meanwhile opens nothing (a lost race)."""
    work.save(store.row(shown.used), refuse=lost, label="passkey")


def release(work: UnitOfWork, account: Account) -> None:
    """Delete all passkeys of an account that has them no more, in the work of what took them."""
    store.release(work, account.passkeys, account.account_id)


def without_younger(work: UnitOfWork, account: Account, *, since: datetime) -> Account:
    """Return the account without the passkeys that were added since then; their rows go in ``work``."""
    young = [one.passkey_id for one in store.load_all(account.passkeys) if one.made_at >= since]
    store.release(work, young, account.account_id)
    return replace(account, passkeys=tuple(one for one in account.passkeys if one not in young))


def user_of(account_id: str) -> str:
    """Return what authenticators call the account: nothing that anybody else could tell it by."""
    return base64url.encode(hmac.new(passwords.keyed("passkey-user"), account_id.encode(), hashlib.sha256).digest())


def id_of(credential: str) -> str:
    """Return the id of a passkey from what its authenticator calls it."""
    return f"pky_{throttles.keyed(credential, 'passkey')[:24]}"


def _shown(token: str, signed: Signed, *, verifies: bool) -> Shown:
    party, passkey = relying_party.party(), store.load(id_of(signed.credential))
    if passkey is None:
        raise PasskeyRefused
    account = accounts.load_account(passkey.account_id, consistent=True)
    if account is None or passkey.passkey_id not in account.passkeys:
        raise PasskeyRefused
    if not hmac.compare_digest(signed.user or "-", user_of(account.account_id)) and (verifies or signed.user):
        raise PasskeyRefused
    answer = ceremony.signed(signed, passkey, token=token, party=party, verifies=verifies)
    if passkey.went_back(answer.signs):
        _note_copy(passkey)
        raise PasskeyRefused
    methods = (Method.PASSKEY, Method.USER) if answer.verified else (Method.PASSKEY,)
    return Shown(passkey.used(signs=answer.signs, is_backed_up=answer.is_backed_up, now=clock.now()), account, methods)


def _note_copy(passkey: Passkey) -> None:
    """Count a counter that went back, and let the owner see it in the list: there may be a copy of the passkey."""
    log.warning("a passkey's counter went back", account_id=passkey.account_id)
    metrics.count("passkeys_copied")
    with UnitOfWork() as work:
        work.save(store.row(replace(passkey, copied_at=clock.now())), refuse=lost, label="passkey")


def _begun_by(caller: Caller, token: str, purpose: str) -> Challenge:
    challenge = open_steps.attempt(token, purpose)
    if challenge.account_id != caller.account_id or challenge.said != _said(caller):
        raise ChallengeOver
    return challenge


def _sealed(name: str, passkey_id: str) -> str:
    return sealing.seal(name, purpose=_NAME, belongs_to=passkey_id)


def _said(caller: Caller) -> dict[str, str]:
    return {"session": caller.session_id}


@contextmanager
def _refusals(device: Device, source_ip: str) -> Iterator[None]:
    """Count refused sign-ins, and look at no more of them once they are very many."""
    known = devices.known(device.token)
    subject = known.device_id if known is not None else throttles.network_of(source_ip)
    throttles.refuse_full(domain.REFUSED, subject)
    try:
        yield
    except (ChallengeOver, PasskeyRefused):
        throttles.note(domain.REFUSED, subject)
        metrics.count("sign_ins_refused")
        raise


def _loaded(account_id: str) -> Account:
    account = accounts.load_account(account_id, consistent=True)
    if account is None:
        raise Unauthenticated
    return account
