"""Known bugs of what is counted against fraud."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from tools.sim.bugs import Bugs

BUGS = Bugs()


@BUGS.called("money that goes back at once counts as a sale")
def _count_surplus() -> AbstractContextManager[Any]:
    from chalicelib.payments.events import PaymentCaptured
    from chalicelib.risk import consumers, service

    def count(fact: PaymentCaptured, envelope: Any) -> None:
        service.note_paid(fact.payment_id, fact.payer, envelope.at)

    handlers = consumers.consumer._handlers  # noqa: SLF001
    return patch.dict(handlers, {"payment.captured": (PaymentCaptured, count)})
