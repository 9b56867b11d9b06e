"""Taking keys away: one, or all whose secrets somebody saw who may not hold any more."""

from __future__ import annotations

from chalicelib.auth import keyring_store as store
from chalicelib.kernel import clock
from chalicelib.runtime import log
from chalicelib.runtime.db.work import UnitOfWork


def seen_by(work: UnitOfWork, merchant_id: str, account_id: str) -> None:
    """Revoke in the caller's work every secret of a merchant's keys that this account was shown.

    A key that somebody else rotated since goes on, without the secret from before.
    Where there is none, none can be made meanwhile either: the ring has to be as it was read.
    """
    ring, now = store.load_ring(merchant_id), clock.now()
    key_ids, before = ring.seen_by(account_id, now), ring.seen_before_by(account_id, now)
    for key_id in before:
        store.cut_former(work, key_id, now)
    if not key_ids:
        store.hold_ring(work, ring)
        return
    store.save_ring(work, ring.without(*key_ids))
    for key_id in key_ids:
        store.revoke(work, key_id, now)
    log.info("keys revoked", merchant_id=merchant_id, key_ids=list(key_ids), seen_by=account_id)
