"""What a function looks at before its first work: its secrets, so that a bad one is told at once, not at its first use.

Outside the local stage only. A secret of our own that is missing or weak stops the function: it answers nothing. A
provider's or hub's stops that provider alone, as ever; here it is told, and counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime import caches, log, metrics, secrets, strength
from chalicelib.runtime.config import config, setting

AGAIN_S = 10
"""For so long a refusal is remembered: a stranger may not make us ask at will."""
Names = Callable[[], Iterable[str]]

_others: list[Names] = []
_ready = False
_refused: tuple[float, str] | None = None


def uses(names: Names) -> Names:
    """Register what names the secrets that a capability may use: asked once, when its function begins to work."""
    _others.append(names)
    return names


def check(own: Iterable[str] = ()) -> None:
    """Look at the secrets ``own``, and at those of whoever registered that this function may read, once in a process.

    ``BIANDAN_SECRETS`` names what a function may read, as its policy does (``infra/functions.py``).

    Raises:
        Misconfigured: if one of ours is missing or weak.
    """
    global _ready, _refused
    if _ready or config().is_local:
        return
    if _refused is not None and time.monotonic() < _refused[0]:
        raise Misconfigured(why=_refused[1])
    try:
        for name in own:
            secrets.secret(name)
    except Misconfigured as error:
        _refused = (time.monotonic() + AGAIN_S, str(error.params.get("why", "")))
        raise
    allowed = setting("BIANDAN_SECRETS").split(",")
    registered = dict.fromkeys(name for names in _others for name in names())
    for name in (one for one in registered if any(fnmatchcase(one, pattern) for pattern in allowed)):
        try:
            secrets.secret(name)
        except secrets.NotThere:
            continue  # Not every provider is set up everywhere.
        except Misconfigured as error:
            log.error("configuration is incomplete", why=str(error))
            metrics.count("weak_secrets")
    _ready = True


def check_api() -> None:
    """Look at what the HTTP function uses: all that is ours.

    Raises:
        Misconfigured: as :func:`check`.
    """
    check(strength.OURS)


@caches.register
def forget() -> None:
    """Look again: between tests."""
    global _ready, _refused
    _ready, _refused = False, None
