"""Signing in by QQ and WeChat, adding and removing such identities, and reading what a mini program says of its person.

A state is used up before the platform is asked: whoever shows it again, for whatever reason, begins again. Then one
transaction writes whose the identity is, the mini program's session key and the session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.auth import devices, throttles
from chalicelib.auth import store as accounts
from chalicelib.auth.domain import REFUSED_ELSEWHERE, Account, Link
from chalicelib.auth.external import mini_data, people, providers, sealed, states, store
from chalicelib.auth.external.domain import (
    PROOF_LIFE,
    Cancelled,
    CodeRefused,
    DataRefused,
    MiniData,
    Proof,
    SignInOver,
    Told,
)
from chalicelib.auth.external.providers import offered
from chalicelib.auth.external.states import SIGN_IN, Begun
from chalicelib.auth.sessions import service as sessions
from chalicelib.auth.sessions import step_up
from chalicelib.auth.sessions.domain import Device, FreshProofNeeded, Method, WrongProof
from chalicelib.kernel import clock, context
from chalicelib.kernel.errors import NotFound
from chalicelib.runtime import metrics, networks
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Caller

__all__ = ["offered"]

Nickname = Callable[[], str]
_METHODS = {"qq": Method.QQ, "qq_mini": Method.QQ, "wechat_mini": Method.WECHAT}


@dataclass(frozen=True, slots=True)
class Returned:
    """What a browser brought back to the storefront's page, and what the storefront kept for it."""

    state: str
    verifier: str = field(repr=False)
    return_url: str
    code: str = field(default="", repr=False)
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """From where somebody signs in."""

    source_ip: str
    device: Device = field(default_factory=Device)
    language: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """What this sign-in uses up: the digest of a proof, and until when it would count."""

    used_id: str
    until: datetime


# --- beginning --------------------------------------------------------------------------------------------------


def begin(provider: str, *, challenge: str, return_url: str, small: bool, purpose: str = SIGN_IN) -> tuple[str, str]:
    """Return a fresh state and where the browser goes with it; the ``purpose`` is an account to add the identity to it.

    Nothing is written: what a stranger begins costs nothing.

    Raises:
        NotOffered, ReturnNotAllowed: if it cannot be begun like that.
    """
    there = providers.web(provider)
    state = states.begin(Begun(provider, there.appid, purpose, return_url, challenge))
    return state, there.authorize_url(state=state, return_url=return_url, small=small)


# --- signing in -------------------------------------------------------------------------------------------------


def sign_in_web(provider: str, returned: Returned, client: Client) -> sessions.Tokens:
    """Sign in with what the browser brought back; who is not known yet gets an account.

    Raises:
        NotOffered, SignInOver, Cancelled: if there is nothing to sign in with.
        Throttled: after too many refused codes from this network.
        CodeRefused, PersonBlocked: as the platform says of the person.
        ProviderBusy, ProviderLimited, WayBroken, Unreadable, OutboundTimeout, OutboundFailed: as the platform fares.
        PersonKnown: if the same person has an account by another app.
        SecondFactorNeeded: if the account has a second factor.
    """
    with _asking(_counted(client)):
        proof = _proved_web(provider, returned, purpose=SIGN_IN)
    return _signed_in(proof, client, mark=None, nickname=lambda: providers.web(provider).nickname(proof))


def sign_in_mini(provider: str, js_code: str, data: MiniData, client: Client) -> tuple[sessions.Tokens, str]:
    """Sign in with a mini program's code, and perhaps what it says of its person.

    With the tokens comes the person's name in this app (openid): a payment by the platform's own sheet must name its
    payer, a mini program cannot learn it by itself, and nothing here keeps it.

    Raises:
        as :func:`sign_in_web`, and DataRefused: if what it says is not signed by the platform.
    """
    with _asking(_counted(client)):
        proof, said = _proved_mini(provider, js_code, data)
    return _signed_in(proof, client, mark=None, nickname=lambda: said.nickname), proof.openid


def sign_in_apart(proof_token: str, client: Client) -> sessions.Tokens:
    """Make an account of its own for somebody whom another app knows already (see ``PersonKnown``).

    Raises:
        SignInOver: if the proof was used, is too old, or none of ours.
    """
    proof, mark = _proof_kept(proof_token)
    return _signed_in(proof, client, mark=mark, nickname=str, apart=True)


def _signed_in(
    proof: Proof, client: Client, *, mark: Mark | None, nickname: Nickname, apart: bool = False
) -> sessions.Tokens:
    def attempt() -> sessions.Tokens:
        with UnitOfWork() as work:
            if mark is not None:
                store.use(work, mark.used_id, until=mark.until)
            language = client.language or context.current().language
            account, made = people.found_or_made(
                work,
                proof,
                nickname=nickname,
                language=language,
                apart=apart,
                network=networks.counted(client.source_ip),
            )
            people.keep_key(work, proof)
            answer = sessions.start(
                account, device=client.device, source_ip=client.source_ip, method=_METHODS[proof.provider], work=work
            )
        if made:
            metrics.count("accounts_registered")
        return sessions.given(answer)

    return racing(attempt)


# --- an account's identities ------------------------------------------------------------------------------------


def identities(account_id: str) -> tuple[Link, ...]:
    """Return the identities elsewhere of an account."""
    return people.loaded(account_id).links


def is_opened_by(account_id: str, provider: str, openid: str) -> bool:
    """Say whether an account is signed in to by whom a platform calls so, in the app that the account knows."""
    return any(
        link.provider == provider and link.identity_id == people.identity_of(provider, link.appid, openid)
        for link in identities(account_id)
    )


def link_web(account_id: str, provider: str, returned: Returned) -> tuple[Link, bool]:
    """Add the identity that the browser brought back. Returns it, and whether this state had added it before.

    Raises:
        as :func:`sign_in_web` (nobody is asked for a device here) and :func:`people.add`.
    """

    def prove() -> tuple[Proof, Mark | None]:
        return _proved_web(provider, returned, purpose=account_id), None

    return _linked(account_id, _used_id("state", returned.state), prove)


def link_mini(account_id: str, provider: str, js_code: str) -> tuple[Link, bool]:
    """Add the person of a mini program's code; as :func:`link_web`."""

    def prove() -> tuple[Proof, Mark | None]:
        return _proved_mini(provider, js_code, MiniData())[0], None

    return _linked(account_id, _used_id(provider, js_code), prove)


def link_proof(account_id: str, proof_token: str) -> tuple[Link, bool]:
    """Add the person whom a refused sign-in proved (see ``PersonKnown``); as :func:`link_web`."""
    return _linked(account_id, _used_id("proof", proof_token), lambda: _proof_kept(proof_token))


def _linked(account_id: str, key: str, prove: Callable[[], tuple[Proof, Mark | None]]) -> tuple[Link, bool]:
    """Add what is proved. State, code and proof count once: each is the key by which a repeat is known."""
    before = _linked_by(people.loaded(account_id), key)
    if before is not None:
        return before, True
    with _asking(account_id):
        proof, mark = prove()
    link = people.link_of(proof, key=key)

    def attempt() -> Link:
        with UnitOfWork() as work:
            if mark is not None:
                store.use(work, mark.used_id, until=mark.until)
            changed = people.add(work, people.loaded(account_id), link)
            people.keep_key(work, proof)
        return next(one for one in changed.links if one.identity_id == link.identity_id)

    return racing(attempt), False


def _linked_by(account: Account, key: str) -> Link | None:
    return next((link for link in account.links if link.key == key), None)


# --- proving once more ------------------------------------------------------------------------------------------


def begin_proving(caller: Caller, provider: str, *, challenge: str, return_url: str, small: bool) -> tuple[str, str]:
    """Return a fresh state and where the browser goes, to prove once more who the caller is; as :func:`begin`."""
    return begin(provider, challenge=challenge, return_url=return_url, small=small, purpose=_proving(caller))


def prove_web(caller: Caller, provider: str, returned: Returned) -> str:
    """Prove who the caller is by what the browser brought back; returns the new access token.

    Raises:
        WrongProof: if that is nobody who opens the account.
        FreshProofNeeded: if the account has a second factor: it names that one.
        Unauthenticated: if the session is over.
        and as :func:`sign_in_web`.
    """
    account = _provable(caller)
    with _asking(caller.account_id):
        proof = _proved_web(provider, returned, purpose=_proving(caller))
    return _proved_again(caller, account, proof)


def prove_mini(caller: Caller, provider: str, js_code: str) -> str:
    """Prove who the caller is by a mini program's code; as :func:`prove_web`."""
    account = _provable(caller)
    with _asking(caller.account_id):
        proof, _ = _proved_mini(provider, js_code, MiniData())
    return _proved_again(caller, account, proof)


def _proving(caller: Caller) -> str:
    return f"prove {caller.account_id} {caller.session_id}"


def _provable(caller: Caller) -> Account:
    account = people.loaded(caller.account_id)
    if account.second_factor:
        raise FreshProofNeeded(methods=step_up.ways(account), within_s=step_up.FRESH_S)
    return account


def _proved_again(caller: Caller, account: Account, proof: Proof) -> str:
    shown = people.names_of(proof).identity_id
    if not any(link.identity_id == shown for link in account.links):
        raise WrongProof
    return step_up.proved(caller, _METHODS[proof.provider])


# --- removing and reading ---------------------------------------------------------------------------------------


def unlink(account_id: str, link_id: str) -> None:
    """Remove an identity.

    Raises:
        NotFound, LastWay: as :func:`people.take`.
    """

    def attempt() -> None:
        with UnitOfWork() as work:
            people.take(work, people.loaded(account_id), link_id)

    racing(attempt)


def tell(account_id: str, provider: str, data: MiniData) -> Account:
    """Take what a mini program says of its person after the sign-in: a nickname, where the account has none.

    Raises:
        NotFound: if the account has no identity of this mini program.
        DataRefused: if it is not signed by the platform with the key of the last sign-in, or that is no longer kept.
    """
    appid = providers.mini(provider).appid

    def attempt() -> Account:
        account = people.loaded(account_id)
        links = [one for one in account.links if (one.provider, one.appid) == (provider, appid)]
        if not links:
            raise NotFound(what="identity")
        said = _told_by_one_of(links, data)
        changed = replace(account, nickname=account.nickname or said.nickname or None)
        if changed != account:
            with UnitOfWork() as work:
                work.save(accounts.account_row(changed))
        return changed

    return racing(attempt)


# --- proofs -----------------------------------------------------------------------------------------------------


def _proved_web(provider: str, returned: Returned, *, purpose: str) -> Proof:
    there = providers.web(provider)
    challenge = states.challenge_of(returned.verifier)
    until = states.check(returned.state, Begun(provider, there.appid, purpose, returned.return_url, challenge))
    with UnitOfWork() as work:
        store.use(work, _used_id("state", returned.state), until=until)
    if returned.cancelled:
        raise Cancelled
    return there.prove(returned.code, return_url=returned.return_url)


def _proved_mini(provider: str, js_code: str, data: MiniData) -> tuple[Proof, Told]:
    proof = providers.mini(provider).prove(js_code)
    said = _told(data, provider, proof.appid, people.names_of(proof).identity_id, proof.session_key)
    if said.unionid and proof.unionid and said.unionid != proof.unionid:
        raise DataRefused
    return replace(proof, unionid=proof.unionid or said.unionid), said


def _told_by_one_of(links: list[Link], data: MiniData) -> Told:
    """Read the data with the key of whoever it is; hardly anybody has two persons of one mini program."""
    for link in links:
        key = people.session_key(link)
        try:
            if key is not None:
                return _told(data, link.provider, link.appid, link.identity_id, key)
        except DataRefused:
            continue
    raise DataRefused


def _told(data: MiniData, provider: str, appid: str, identity_id: str, key: str) -> Told:
    return mini_data.told(
        data,
        session_key=key,
        appid=appid,
        openid_fits=lambda openid: people.identity_of(provider, appid, openid) == identity_id,
        now=clock.now(),
    )


def _proof_kept(token: str) -> tuple[Proof, Mark]:
    proof = sealed.open_proof(token)
    return proof, Mark(_used_id("proof", token), clock.now() + PROOF_LIFE)


def _used_id(kind: str, text: str) -> str:
    return f"use_{throttles.keyed(f'{kind}:{text}', 'used')}"


def _counted(client: Client) -> str:
    """Return for whom refusals count: a device that signed in here before by itself, else its network.

    No crowd behind one address stands in the way of a device's owner.
    """
    device = devices.known(client.device.token)
    return device.device_id if device is not None else throttles.network_of(client.source_ip)


@contextmanager
def _asking(subject: str) -> Iterator[None]:
    """Count what is refused, and ask the platform no more once that is very much."""
    throttles.refuse_full(REFUSED_ELSEWHERE, subject)
    try:
        yield
    except (CodeRefused, DataRefused, SignInOver):
        throttles.note(REFUSED_ELSEWHERE, subject)
        raise
