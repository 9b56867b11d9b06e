"""What became of purchases and orders, as their rows keep it."""

from __future__ import annotations

import msgspec

from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.orders.domain import (
    Change,
)


class ChangeDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    """How a change of a purchase or an order is kept."""

    status: str
    at_ms: int
    by: str
    note: str = ""
    intent: str = ""
    fingerprint: str = ""


def change_doc(change: Change) -> ChangeDoc:
    """Return what keeps a change."""
    return ChangeDoc(change.status, epoch_ms(change.at), change.by, change.note, change.intent, change.fingerprint)


def change_of(doc: ChangeDoc) -> Change:
    """Return the change that is kept."""
    return Change(doc.status, from_epoch_ms(doc.at_ms), doc.by, doc.note, doc.intent, doc.fingerprint)
