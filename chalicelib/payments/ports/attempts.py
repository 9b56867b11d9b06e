"""What is asked of a provider, and said by it, of one attempt to pay: started, asked after, closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.money import Money


class Outcome(StrEnum):
    """What a provider says of one attempt."""

    PENDING = "pending"
    """It knows the number; nobody has paid."""
    ABSENT = "absent"
    """It does not know the number (yet: some learn of it only when the buyer scans). Never a failure."""
    CAPTURED = "captured"
    CLOSED = "closed"
    """Nobody can pay it any more."""
    FAILED = "failed"
    """It refused the order itself; the number is dead."""
    UNKNOWN = "unknown"
    """No answer we can trust: ask again."""


class CloseOutcome(StrEnum):
    """What came of closing an attempt."""

    CLOSED = "closed"
    CAPTURED = "captured"
    """Too late, it is paid: query for the facts."""
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What the buyer's client must do with an instruction."""

    NONE = "none"
    REDIRECT = "redirect"
    """Go to ``url``."""
    QR = "qr"
    """Show ``url`` as a QR code."""
    PARAMS = "params"
    """Hand ``params`` to the provider's SDK or bridge in the client."""


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What a storefront shows of a way to pay, and what it must do and send."""

    en: str
    zh: str
    action: Action
    """What the client will have to do."""
    needs: tuple[str, ...] = ()
    """Fields that a request to pay this way must have beside provider and method."""


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What to create at the provider."""

    payment_id: str
    amount: Money
    description: str
    method: str
    """One of the adapter's ``methods``."""
    created_at: datetime
    expires_at: datetime
    """The last moment to pay; sent where the provider takes one."""
    notify_url: str
    return_url: str | None = None
    payer: str | None = None
    """The payer's id at the provider (openid), where the method needs it. Never stored by us."""
    client_ip: str | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """The answer to ``create``: ``PENDING`` with what the client must do, ``FAILED`` with the code, or ``UNKNOWN``."""

    outcome: Outcome
    action: Action = Action.NONE
    url: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    reference: str | None = None
    """The provider's own handle of the order (a session's id), if later calls need it."""
    code: str = ""
    """The provider's reason, as a word for logs and operators."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What query and close need to know of an attempt."""

    payment_id: str
    amount: Money
    created_at: datetime
    method: str = ""
    reference: str | None = None
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What the provider says of an attempt. A capture carries amount, the provider's number and its time."""

    outcome: Outcome
    amount: Money | None = None
    transaction_id: str | None = None
    at: datetime | None = None
    code: str = ""
