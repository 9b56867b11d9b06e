"""Known bugs of webhooks: a fact told twice under two ids, and one that is lost with the first bad answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("a repeated fact is told to merchants' systems under another id")
@contextmanager
def _another_id() -> Iterator[None]:
    """The id holds the time at which the fact was heard, not the one at which it happened."""
    from chalicelib.kernel import clock
    from chalicelib.webhooks import domain

    real = domain.delivery_id_of

    def heard(webhook_id: str, event_id: str, _: Any) -> str:
        return real(webhook_id, event_id, clock.now())

    with patch.object(domain, "delivery_id_of", heard):
        yield


@BUGS.called("a webhook that is answered badly is not tried again")
@contextmanager
def _tried_once() -> Iterator[None]:
    """A bad answer ends a delivery as a good one does."""
    from chalicelib.webhooks.domain import Delivery

    real = Delivery.tried

    def tried(self: Delivery, attempt: Any, *, taken: bool, wait: timedelta) -> Delivery:
        del taken
        return real(self, attempt, taken=True, wait=wait)

    with patch.object(Delivery, "tried", tried):
        yield
