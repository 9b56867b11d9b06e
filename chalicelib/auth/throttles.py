"""Counting attempts, so that guessing is slow and nobody is locked out by a stranger.

Only failures stay counted: an attempt is charged before the password is looked at (so a burst of parallel guesses gets
no more than one at a time would) and given back when it was right. What is counted is the same for names that exist
and for invented ones.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from chalicelib.auth import challenges, devices, domain, passwords, store
from chalicelib.auth.challenges import Solved
from chalicelib.auth.domain import Limit
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Throttled
from chalicelib.runtime import metrics
from chalicelib.runtime.config import setting


@contextmanager
def signing_in(
    identity_id: str, network: str, device_id: str | None, solved: Solved | None = None
) -> Iterator[Attempt]:
    """Charge one attempt to sign in; it is given back if the block calls :meth:`Attempt.succeeded`.

    A known device is charged alone: no stranger's failures stand in its owner's way, nor, from another network, those
    of who copied its token. Beyond its limits it is as good as any other. Elsewhere a small limit holds for the
    identity from this network, and a larger one for the identity from anywhere. A network from which much fails is not
    closed, since thousands may share it: each identity gets fewer attempts from there. Beyond these limits an attempt
    takes a solved challenge.

    Raises:
        ChallengeNeeded: if a limit is reached and no challenge was solved; nothing is charged then.
    """
    attempt = Attempt()
    with ExitStack() as charged:
        known = device_id is not None and _charged_to_device(charged, f"{identity_id}#{device_id}", network)
        worked = not known and _charge_stranger(charged, identity_id, network, solved)
        try:
            yield attempt
        finally:
            if not attempt.right:
                charged.pop_all()  # A failure stays counted.
                if not known:
                    _count_on(domain.FAILED_BY_NETWORK, network)
                if worked:
                    _count_on(domain.SOLVED_IN_VAIN, identity_id)


def _count_on(limit: Limit, subject: str) -> None:
    store.count_on(_id(limit, subject), limit, now=clock.now())


@contextmanager
def proving(session_id: str, account_id: str) -> Iterator[Attempt]:
    """Charge one attempt to prove again who one is; given back if the block calls :meth:`Attempt.succeeded`.

    It takes a session to try, and who took one over does not stand in the way of the account's others.

    Raises:
        Throttled: if a limit is reached; nothing is charged then.
    """
    with _charged([(domain.PROVE_BY_SESSION, session_id), (domain.PROVE_BY_ACCOUNT, account_id)]) as attempt:
        yield attempt


@contextmanager
def second_step(account_id: str, device_token: str | None) -> Iterator[Attempt]:
    """Charge one attempt at the second step of a sign-in; given back if it was right.

    Whoever gets so far knows the password. A known device of the account is charged alone, so they do not keep its
    owner out; from anywhere else an account has so few attempts a day that guessing six digits leads nowhere.

    Raises:
        Throttled: if a limit is reached; nothing is charged then.
    """
    device = devices.known(device_token)
    if device is not None and device.account_id == account_id:
        limits = [(domain.SECOND_STEP_BY_DEVICE, f"{account_id}#{device.device_id}")]
    else:
        limits = [(domain.SECOND_STEP, account_id), (domain.SECOND_STEP_A_DAY, account_id)]
    with _charged(limits) as attempt:
        yield attempt


@contextmanager
def _charged(limits: list[tuple[Limit, str]]) -> Iterator[Attempt]:
    attempt = Attempt()
    with ExitStack() as charged:
        _charge(charged, limits)
        try:
            yield attempt
        finally:
            if not attempt.right:
                charged.pop_all()


def _charged_to_device(charged: ExitStack, device: str, network: str) -> bool:
    """Charge a known device; says whether there was room, and charges nothing if not."""
    limits = [(domain.SIGN_IN_BY_DEVICE, f"{device}#{network}"), (domain.SIGN_IN_BY_DEVICE_ANYWHERE, device)]
    with ExitStack() as own:
        try:
            _charge(own, limits)
        except Throttled:
            return False
        charged.push(own.pop_all())
    return True


def _charge_stranger(charged: ExitStack, identity_id: str, network: str, solved: Solved | None) -> bool:
    """Charge a stranger; says whether it took a solved challenge.

    Raises:
        ChallengeNeeded: if a limit is reached and there is none, or it was used before.
    """
    crowded = store.counted(_id(domain.FAILED_BY_NETWORK, network)) >= _widened(domain.FAILED_BY_NETWORK).attempts
    pair = domain.SIGN_IN_BY_PAIR_IN_A_CROWD if crowded else domain.SIGN_IN_BY_PAIR
    try:
        _charge(charged, [(pair, f"{identity_id}#{network}"), (domain.SIGN_IN_BY_IDENTITY, identity_id)])
    except Throttled as full:
        subject = f"{identity_id}#{network}"
        if solved is not None and challenges.is_solved(solved, subject) and challenges.spend(solved):
            return True
        failed = store.counted(_id(domain.SOLVED_IN_VAIN, identity_id))
        metrics.count("challenges_asked")
        bits = domain.bits_after(failed)
        raise challenges.needed(subject, bits=bits, wait_s=int(full.params["wait_s"])) from None
    return False


def free_or_worked(
    free: list[tuple[Limit, str]],
    worked: list[tuple[Limit, str]],
    *,
    subject: str,
    solved: Solved | None,
    bits: Callable[[], int],
) -> bool:
    """Charge what is free while there is room; beyond it, with a solved challenge, what can be bought. Says which.

    Raises:
        ChallengeNeeded: if nothing is free any more, and no challenge was solved, or it was used before.
        Throttled: if there is nothing to be bought either. In both cases nothing stays charged.
    """
    try:
        with ExitStack() as charged:
            _charge(charged, free)
            charged.pop_all()
        return False
    except Throttled as full:
        wait_s = int(full.params["wait_s"])
    if solved is not None and challenges.is_solved(solved, subject):
        with ExitStack() as charged:
            _charge(charged, worked)
            if challenges.spend(solved):
                charged.pop_all()
                return True
    metrics.count("challenges_asked")
    raise challenges.needed(subject, bits=bits(), wait_s=wait_s)


def _charge(charged: ExitStack, limits: list[tuple[Limit, str]]) -> None:
    for limit, subject in limits:
        charged.callback(store.give_back, count(limit, subject))


class Attempt:
    """Whether an attempt was right."""

    def __init__(self) -> None:
        self.right = False

    def succeeded(self) -> None:
        """Say that it was."""
        self.right = True


def count(limit: Limit, subject: str) -> str:
    """Count one attempt; returns the counter, to give it back to.

    Raises:
        Throttled: if the window is full; the attempt is not counted.
    """
    counter_id = _id(limit, subject)
    store.count(_widened(limit), counter_id, now=clock.now())
    return counter_id


def counted(limit: Limit, subject: str) -> int:
    """Return how much is counted, about."""
    return store.counted(_id(limit, subject))


def refuse_full(limit: Limit, subject: str) -> None:
    """Refuse where so much is counted already, about; nothing is counted.

    Raises:
        Throttled: then.
    """
    widened, now = _widened(limit), clock.now()
    if store.counted(_id(limit, subject)) >= widened.attempts:
        raise Throttled(wait_s=max(1, clock.epoch_s(limit.window(now)[1]) - clock.epoch_s(now)))


def note(limit: Limit, subject: str) -> None:
    """Count one more, beyond the limit too: for what turned out to be refused."""
    store.count_on(_id(limit, subject), limit, now=clock.now())


def _widened(limit: Limit) -> Limit:
    """``BIANDAN_THROTTLE_FACTOR`` widens every limit (load tests from one address)."""
    return replace(limit, attempts=limit.attempts * int(setting("BIANDAN_THROTTLE_FACTOR", "1")))


def _id(limit: Limit, subject: str) -> str:
    window, _ = limit.window(clock.now())
    return f"thr_{keyed(f'{limit.scope}:{window}:{subject}', 'throttle')}"


def keyed(text: str, purpose: str) -> str:
    """Return a digest under a key of this purpose: the table alone says nothing of whom it is about."""
    return hmac.new(passwords.keyed(purpose), text.encode(), hashlib.sha256).hexdigest()[:40]


def network_of(source_ip: str) -> str:
    """Return what one subscriber has: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in source_ip:
        return source_ip
    import ipaddress

    address = ipaddress.IPv6Address(source_ip.partition("%")[0])
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
