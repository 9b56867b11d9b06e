"""Wire models of strays."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chalicelib.kernel import context
from chalicelib.payments.domain import buyer_texts
from chalicelib.payments.domain.stray import Stray
from chalicelib.payments.service import Settled
from chalicelib.runtime.schema import (
    MoneyView,
    Schema,
    Timestamp,
)


class StrayView(Schema):
    """A genuine word of a provider that fits nothing of ours. ``amount``: money in suspense; ``status_text`` says what
    it is and what to do, in the caller's language.
    """

    stray_id: str
    kind: str
    status: str
    status_text: str
    provider: str
    number: str
    amount: MoneyView | None = None
    transaction_id: str | None = None
    at: Timestamp | None = None
    heard_at: Timestamp
    said: dict[str, str]
    billed_on: str | None = None
    by: str | None = None
    note: str | None = None

    @classmethod
    def of(cls, stray: Stray) -> StrayView:
        """Return the wire form."""
        return cls(
            stray_id=stray.stray_id,
            kind=stray.kind.value,
            status=stray.status.value,
            status_text=buyer_texts.of_stray(stray, context.current().language),
            provider=stray.provider,
            number=stray.number,
            amount=MoneyView.of(stray.amount) if stray.amount else None,
            transaction_id=stray.transaction_id or None,
            at=stray.at,
            heard_at=stray.heard_at,
            said=dict(stray.said),
            billed_on=stray.billed_on or None,
            by=stray.by or None,
            note=stray.note or None,
        )


class SettleStray(Schema):
    """``query`` asks the provider again and books what it says; ``returned``: the money is no longer there; ``seen``
    only closes it, money stays in suspense.
    """

    how: Settled
    note: Annotated[str, Field(max_length=300)] = ""
