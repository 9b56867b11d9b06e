"""Charges a call that changes something: in this process alone at first, then by one write that all processes share.

A person's calls cost nothing: a process writes only once it saw a quarter of a limit in a minute. From there on each
call is one write, and the limit is exact but for what other processes counted by themselves: with n of them an account
gets through less than a quarter of n limits more. That bounds a flood; what must be exact (attempts at passwords, what
is held unpaid, complaints) has counters of its own in the transactions that it guards.
"""

from __future__ import annotations

import threading

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, Throttled
from chalicelib.risk.rates import store
from chalicelib.risk.rates.domain import (
    ACCOUNT,
    MOST_SUBJECTS,
    NETWORK,
    WINDOW_S,
    Counted,
    limit_of,
    must_tell,
)
from chalicelib.runtime import caches, log, marks, metrics, networks
from chalicelib.runtime.config import setting

SETTING = "BIANDAN_REQUEST_FACTOR"
"""Widens request limits alone: tests do in a moment what people do in hours."""

_lock = threading.Lock()
_window: list[int] = [0]
_counted: dict[tuple[str, str], Counted] = {}


def _forget() -> None:
    with _lock:
        _counted.clear()


caches.register(_forget)


def charge(operation: str, account_id: str, source_ip: str) -> None:
    """Charge one call to its account, or to the network of somebody who has none.

    Raises:
        Throttled: if the limit of the operation, or of all together, is reached; nothing of the call was done.
    """
    scope, subject = (ACCOUNT, account_id) if account_id else (NETWORK, networks.network_of(source_ip))
    factor = int(setting("BIANDAN_THROTTLE_FACTOR", "1")) * int(setting(SETTING, "1"))
    now_s = clock.epoch_s(clock.now())
    with _lock:
        counted = _of(now_s // WINDOW_S, scope, subject)
        counted.see(operation)
        counts = counted.untold(operation) if must_tell(counted, scope, operation, factor=factor) else {}
        counted.tell(counts)
    if not counts:
        return
    most = {name: limit_of(scope, name, factor=factor) for name in counts}
    if not _shared(f"{scope}:{subject}:{now_s // WINDOW_S}", counts, most, now_s):
        with _lock:
            counted.take_back(operation, counts)
        metrics.count("requests_limited")
        log.warning("too many requests", scope=scope, operation=operation)
        raise Throttled(wait_s=WINDOW_S - now_s % WINDOW_S)


def _shared(subject: str, counts: dict[str, int], most: dict[str, int], now_s: int) -> bool:
    """Count for all processes; where the table is out of reach nobody is refused for it."""
    try:
        return store.count(f"rate#{marks.mark(subject, 'rate')}", counts, most, now_s=now_s)
    except Busy:
        log.warning("requests could not be counted")
        return True


def _of(window: int, scope: str, subject: str) -> Counted:
    if window != _window[0] or len(_counted) >= MOST_SUBJECTS:
        _window[0] = window
        _counted.clear()
    return _counted.setdefault((scope, subject), Counted())
