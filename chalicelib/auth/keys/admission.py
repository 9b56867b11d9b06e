"""Who calls by a key: its merchant's own system, for what the key's scopes allow. One strong read a call.

A guess costs nobody a slow hash: what has not the form of a key is refused without a read, and what has it costs the
read and, up to a limit of its network, a count. Beyond that the network is told to wait; whose key is right never is.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress

from chalicelib.auth import keyring_store as store
from chalicelib.auth import throttles
from chalicelib.auth.keyrings import Key
from chalicelib.auth.keys import domain
from chalicelib.auth.keys.domain import BadKey, KeyFromElsewhere, PersonNeeded, ScopeNeeded
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, ConcurrentUpdate, Forbidden, Throttled
from chalicelib.kernel.policy import Rule
from chalicelib.kernel.roles import Role
from chalicelib.runtime import caches, log, metrics
from chalicelib.runtime.http.access import Caller

_FULL_KEPT = 512
_full: OrderedDict[str, float] = OrderedDict()
"""Networks that guessed up to the limit, and until when: no guess more of theirs is written."""


def admitted(shown: str, asked: str | None, rule: Rule, source_ip: str) -> Caller:
    """Return the merchant's system that shows a key, if the rule takes one with its scopes.

    ``asked`` is the merchant that the request names; a key has one and need not.

    Raises:
        PersonNeeded: if the rule takes no key. None is looked at then.
        BadKey: if it is none, or counts no more.
        Throttled: as that, after many from one network.
        KeyFromElsewhere: if it may not come from there.
        ScopeNeeded: if it is not allowed this.
        Forbidden: if the request names another merchant.
    """
    if not rule.scope:
        raise PersonNeeded
    key = _opened(shown, source_ip)
    if key.networks and not domain.is_within(source_ip, key.networks):
        metrics.count("keys_elsewhere")
        log.warning("key from elsewhere", key_id=key.key_id, merchant_id=key.merchant_id)
        raise KeyFromElsewhere
    if rule.scope not in key.scopes:
        raise ScopeNeeded(scope=rule.scope)
    if asked is not None and asked != key.merchant_id:
        raise Forbidden
    _note(key)
    return Caller(key.key_id, frozenset({Role.MERCHANT_STAFF.value}), merchant_id=key.merchant_id)


def _opened(shown: str, source_ip: str) -> Key:
    try:
        key_id, digest = domain.read(shown)
    except BadKey:
        metrics.count("keys_refused")
        raise
    key = store.load(key_id)
    if key is None or not key.opens(digest, clock.now()):
        metrics.count("keys_refused")
        _count_guess(throttles.network_of(source_ip))
        raise BadKey
    return key


def _count_guess(network: str) -> None:
    now_s = clock.now().timestamp()
    until_s = _full.get(network, 0.0)
    if now_s < until_s:
        raise Throttled(wait_s=max(1, int(until_s - now_s)))
    try:
        throttles.count(domain.GUESSES, network)
    except Throttled as full:
        _full[network] = now_s + float(full.params["wait_s"])
        if len(_full) > _FULL_KEPT:
            _full.popitem(last=False)
        raise


def _note(key: Key) -> None:
    """Write that it is used, once an hour. Where that fails nobody's call does."""
    hour = clock.epoch_s(clock.now()) // 3600
    if key.used_hour < hour:
        with suppress(ConcurrentUpdate, Busy):
            store.note_use(key.key_id, hour)


@caches.register
def forget() -> None:
    """Drop which networks guessed too much."""
    _full.clear()
