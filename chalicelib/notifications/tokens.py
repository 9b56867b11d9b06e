"""The token by which a mini program's server calls its platform: one for all processes, kept sealed until it ends.

Fetched by whoever finds it missing, ending or refused; of two at once the row keeps one, which both then use: where a
platform ends the older token with the new one, nobody holds an ended one for longer than a call.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from chalicelib.kernel import clock
from chalicelib.kernel.errors import ConcurrentUpdate
from chalicelib.notifications import sealing, store
from chalicelib.notifications.domain import Content
from chalicelib.runtime.db.work import UnitOfWork

EARLY = timedelta(minutes=5)
"""So long before its end a token is not used any more."""
Fetch = Callable[[], tuple[str, timedelta]]


def token(provider: str, fetch: Fetch, *, refused: str = "") -> str:
    """Return the token in force, fetched if need be; one that the platform has just ``refused`` is not.

    Raises:
        whatever ``fetch`` raises.
    """
    kept = store.load_token(provider)
    if kept is not None and kept.ends_at > clock.now():
        held = sealing.unseal(kept.token_id, kept.sealed).to
        if held != refused:
            return held
    fetched, lives = fetch()
    token_id = store.token_id(provider)
    made = store.Token(
        token_id,
        sealing.seal(token_id, Content(fetched)),
        clock.now() + max(lives - EARLY, timedelta()),
        kept.version if kept else 0,
    )
    try:
        with UnitOfWork() as work:
            store.save_token(work, made)
    except ConcurrentUpdate:  # Somebody else fetched one meanwhile: whichever the row holds is the one.
        winner = store.load_token(provider)
        return sealing.unseal(winner.token_id, winner.sealed).to if winner is not None else fetched
    return fetched
