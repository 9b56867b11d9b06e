"""More known bugs: of refunds that fall short, of deadlines that are refused, and of tracking numbers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("a refund that fell short waits for a person at once")
def _never_try_again() -> AbstractContextManager[Any]:
    from chalicelib.payments.domain import refund as refund_rules

    return patch.object(refund_rules, "wait_for_balance", lambda refund, **_: refund)


@BUGS.called("a refund that falls short twice is given up")
def _try_again_once() -> AbstractContextManager[Any]:
    from chalicelib.payments.domain import refund as refund_rules

    return patch.object(refund_rules, "SHORT_WAITS", refund_rules.SHORT_WAITS[:1])


@BUGS.called("a refused deadline is a dead letter each minute")
def _bury_deadlines() -> AbstractContextManager[Any]:
    from chalicelib.runtime.consume import Consumer

    return patch.object(Consumer, "_park", lambda self, record, _envelope, reason: self._give_up(record, reason))


@BUGS.called("a refused deadline is told for ever")
def _never_park() -> AbstractContextManager[Any]:
    from chalicelib.runtime import parking

    return patch.object(parking, "park", lambda *_: True)


@BUGS.called("a parked deadline is nobody's case")
def _tell_nobody() -> AbstractContextManager[Any]:
    from chalicelib.reconciliation import service

    return patch.object(service, "deadline_parked", lambda *_: "")


@BUGS.called("a parked deadline is not tried again when it is mended")
def _never_release() -> AbstractContextManager[Any]:
    from chalicelib.runtime import parking

    return patch.object(parking, "release", lambda *_: False)


@BUGS.called("a tracking number is anybody's")
def _share_with_all() -> AbstractContextManager[Any]:
    from chalicelib.logistics import numbers

    def joined(claim: Any, shipment: Any, *_: Any) -> Any:
        return replace(claim, shipments=(*claim.shipments, shipment.shipment_id))

    return patch.object(numbers, "joined", joined)


@BUGS.called("what a carrier said before the payment counts")
def _count_old_scans() -> AbstractContextManager[Any]:
    from chalicelib.logistics import domain

    always = property(lambda _self: datetime(2000, 1, 1, tzinfo=UTC))
    return patch.object(domain.Shipment, "counts_from", always)


@BUGS.called("a corrected number stays held")
def _keep_corrected() -> AbstractContextManager[Any]:
    from chalicelib.logistics import claims

    return patch.object(claims, "give_up", lambda *_: None)


@BUGS.called("an order's days begin when the carrier says that it arrived")
def _count_from_the_scan() -> AbstractContextManager[Any]:
    from chalicelib.orders import domain

    real = domain.deliver
    return patch.object(domain, "deliver", lambda order, **facts: real(order, **{**facts, "heard_at": None}))
