"""The port to payment providers: what an adapter in ``providers/<name>/`` must do, in our words.

An adapter is a module with ``build(configuration=None) -> Provider``; without a configuration it reads its own from
settings and the secret ``payments-<name>``. It keeps no state, asks ``kernel.clock`` for the time and goes out through
``runtime.outbound`` only. Rules every adapter keeps, checked by ``tests/contract/test_providers.py``:

- our numbers (``payment_id``, ``refund_id``) are the provider's ``out_trade_no`` and ``out_refund_no``, never renewed
  by the adapter: calling again with the same number is the same attempt or refund;
- no answer in time, an answer that cannot be verified, or one that says "ask again" is ``UNKNOWN``, never a failure;
- amounts go in and come out as :class:`Money`; a provider that counts refunds cumulatively is translated here;
- ``verify`` is pure but for reading secrets: no write, no call out, and every bad input is a typed refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from chalicelib.kernel.clock import CHINA
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money
from chalicelib.payments.domain.bill import Bill

NO_LIMIT = timedelta(days=365 * 100)


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


class RefundOutcome(StrEnum):
    """What a provider says of one refund."""

    PENDING = "pending"
    """Accepted, the money has not moved."""
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    """Stuck at the receiving bank; a person must act. The number lives."""
    FAILED = "failed"
    """Refused; the same number may be tried again once the reason is gone (the balance filled up, say)."""
    CLOSED = "closed"
    """The number is dead and no money moved: only now may another number be used."""
    ABSENT = "absent"
    """It does not know the number: send it (again)."""
    UNKNOWN = "unknown"
    """No answer we can trust: the same number again."""


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


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What to refund. ``captured`` is the whole payment; ``refunded_before`` what went back on it already."""

    refund_id: str
    payment: Attempt
    amount: Money
    captured: Money
    refunded_before: Money
    reason: str
    notify_url: str


@dataclass(frozen=True, slots=True)
class RefundReport:
    """What the provider says of a refund; ``amount`` is this refund's alone, where it says it."""

    outcome: RefundOutcome
    amount: Money | None = None
    provider_refund_id: str | None = None
    at: datetime | None = None
    code: str = ""
    refused: bool = False
    """It said that it does not take what it was asked for: that does not happen later either."""

    @property
    def is_short(self) -> bool:
        """Say whether it failed because the provider holds too little of our money: the same number again, later."""
        return self.outcome is RefundOutcome.FAILED and _SHORT.search(self.code) is not None


_SHORT = re.compile(r"NOT_?ENOUGH|BALANCE_?INSUFFICIENT|INSUFFICIENT_?(?:BALANCE|FUNDS)", re.IGNORECASE)
"""Their words for it: ``NOT_ENOUGH`` (WeChat Pay), ``ACQ.SELLER_BALANCE_NOT_ENOUGH`` (Alipay), ``NOTENOUGH`` (QQ
Wallet, as client libraries list it), ``balance_insufficient`` and ``insufficient_funds`` (Stripe)."""


class DisputePhase(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    ENDED = "ended"
    """An inquiry that came to nothing."""


@dataclass(frozen=True, slots=True)
class DisputeReport:
    """What the provider says of a dispute now. ``taken``: it holds the amount back from us."""

    number: str
    payment_id: str
    """Our number of the attempt; empty if it is none of this shop's."""
    phase: DisputePhase
    amount: Money
    taken: bool
    reason: str = ""
    answer_by: datetime | None = None
    opened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExternalRefund:
    """A refund that was made elsewhere, in the provider's console: no number of ours is on it."""

    payment_id: str
    """Our number of the attempt; empty if it is none of this shop's."""
    report: RefundReport


@dataclass(frozen=True, slots=True)
class Notice:
    """A verified notice: about an attempt (``report``), a refund (``refund_id`` and ``refund_report``) or a dispute.

    Where ``payment_id`` is empty the notice names only the provider's own number of a refund or dispute: whose it is,
    and how it stands, is asked (:class:`Inquirer`).
    """

    notice_id: str
    """Stable over the provider's retries where it has such an id."""
    payment_id: str
    report: Report | None = None
    refund_id: str | None = None
    refund_report: RefundReport | None = None
    dispute: str | None = None
    """The provider's number of the dispute it is about."""


class Ack(StrEnum):
    """What to tell the provider about its notice."""

    ACCEPTED = "accepted"
    """It is durable with us; do not send it again."""
    REFUSED = "refused"
    """We do not believe it."""
    RETRY = "retry"
    """Not now; send it again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider allows; checked before the call."""

    refund_window: timedelta = NO_LIMIT
    """Counted from the capture."""
    max_refunds: int = 50
    """Per payment."""
    refund_interval: timedelta = timedelta()
    """Between two refunds of one payment."""
    notices_prove: bool = True
    """False where the signature is weak: a notice then only causes a query."""
    bill_zone: tzinfo = CHINA
    """By whose clock the days of its bills begin."""


class NoticeRefused(ShopError):
    """Base of all refusals of a notice. It leaves no trace but a log line with the code."""

    code, status = "notice_refused", 401
    en, zh = "The notice is refused.", "通知被拒绝。"
    shown = ("why",)

    def __str__(self) -> str:
        """Say why in our own words, which no table puts into others: to logs and whoever connects the other side."""
        return f"{self.code}: {self.params.get('why', self.detail())}"


class BadSignature(NoticeRefused):
    """Missing, malformed or wrong signature: a forgery, a changed body, or a provider's probe (WeChat's SIGNTEST)."""

    code = "bad_signature"


class UnknownKey(BadSignature):
    """Signed with a key we do not hold, in a way that only the provider would: not a forgery as far as we can tell.

    Never fetched in a webhook: the provider is told to send it again (5xx), and the keys are refreshed by a job.
    """

    code = "unknown_key"


class StaleNotice(NoticeRefused):
    """Genuine, but its time is outside the window, past or future: a replay or a wrong clock."""

    code = "stale_notice"


class ForeignNotice(NoticeRefused):
    """Genuine, but of another merchant, app, stage or number series. ``payment_id`` and
    ``notice_id`` where it names an attempt's number; ``ours`` where the money, if it speaks of any, is on our account.

    One that names a number of ours, or speaks of our account, is kept and the provider is asked; see
    ``webhooks.apply`` and ``strays.record``.
    """

    code, status = "foreign_notice", 403


class UnreadableNotice(NoticeRefused):
    """The envelope or the content cannot be read."""

    code, status = "unreadable_notice", 400


class IgnoredNotice(NoticeRefused):
    """Genuine, of a kind that we do not act on. With its kind as ``event`` it is kept for an operator (``notice_id``,
    ``payment_id``: the number that it names); without, it only repeats what others tell: acknowledged, nothing more.

    ``trace`` is the provider's own number of what it is about, where that is money and bears no number of ours.
    """

    code, status = "ignored_notice", 200


Reply = tuple[int, dict[str, str], str]
"""Status, headers and body, exactly as the provider wants them."""


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What a storefront shows of a way to pay, and what it must do and send."""

    en: str
    zh: str
    action: Action
    """What the client will have to do."""
    needs: tuple[str, ...] = ()
    """Fields that a request to pay this way must have beside provider and method."""


Headers = Mapping[str, object] | Iterable[tuple[str, object]]
"""Of a recorded notice: a mapping, or pairs as a server keeps them; values are texts, bytes, or lists of them."""
Body = bytes | str
"""The bytes as they were received; a text stands for its UTF-8."""
Moment = datetime | float
"""A time with its zone, or seconds since 1970."""


class Advice(str):
    """A sentence of ``diagnose`` about something that works, but should be looked at."""

    __slots__ = ()


class Adapter(Protocol):
    """What the module ``providers/<name>/adapter.py`` has: a contract test holds each to it, mypy checks it there."""

    def build(self, configuration: Mapping[str, Any] | None = None) -> Provider:
        """Return the provider; without a configuration it reads settings and secret at each use.

        Raises:
            Misconfigured: if a configuration is given and it is incomplete.
        """

    def verify(
        self,
        headers: Headers,
        body: Body,
        *,
        configuration: Mapping[str, Any] | None = None,
        now: Moment | None = None,
    ) -> Notice:
        """Authenticate and read a recorded notice with any configuration, as of ``now``.

        Raises:
            NoticeRefused: one of its subclasses.
            Misconfigured: if the configuration lacks something that verifying needs.
        """

    def diagnose(self, configuration: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Say in words what the configuration lacks; nothing if it is complete. Calls nobody."""


class Provider(Protocol):
    """One payment provider."""

    @property
    def name(self) -> str:
        """The folder's name, also in addresses and account names."""

    @property
    def enabled(self) -> bool:
        """Whether this installation's settings leave it on; one that is off is there for nobody."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Ways to pay (``native``, ``page``, ...); the first is the default."""

    @property
    def title(self) -> tuple[str, str]:
        """What people call it: English, Chinese."""

    @property
    def shown(self) -> Mapping[str, MethodInfo]:
        """What a storefront shows of each of its methods."""

    @property
    def currencies(self) -> frozenset[str]:
        """Currencies it takes."""

    @property
    def content_types(self) -> tuple[str, ...]:
        """Media types of its notices, without parameters."""

    @property
    def limits(self) -> Limits:
        """What it allows."""

    @property
    def for_tests_only(self) -> bool:
        """Whether only the stages ``local`` and ``dev`` may use it."""

    def create(self, payment: PaymentOrder) -> Instruction:
        """Create the order; the same order again is the same order again."""

    def query(self, attempt: Attempt) -> Report:
        """Ask what became of it."""

    def close(self, attempt: Attempt) -> CloseOutcome:
        """Make it unpayable. An order that is closed already is ``CLOSED``."""

    def refund(self, refund: RefundOrder) -> RefundReport:
        """Send the money back; the same number again is the same refund."""

    def query_refund(self, refund: RefundOrder) -> RefundReport:
        """Ask what became of it."""

    def bill_parts(self, day: date, place: str = "") -> Iterator[Bill]:
        """Fetch what it booked on one of its days, a part at a time; one empty part if nothing moved.

        ``place`` is that of an earlier part, and what is yielded then begins behind it.

        Raises:
            BillUnavailable: while it is iterated, if there is none yet, or what came cannot be trusted.
        """

    def bill(self, day: date) -> Bill:
        """Fetch it as a whole.

        Raises:
            BillUnavailable: as :meth:`bill_parts`.
        """

    def verify(self, *, headers: Mapping[str, str], body: bytes) -> Notice:
        """Authenticate the raw bytes of a notice and read it. Header names in any case.

        Raises:
            NoticeRefused: one of its subclasses, for everything that is not a genuine, timely notice to us.
        """

    def acknowledge(self, ack: Ack) -> Reply:
        """Return the exact reply the provider wants to its notice."""


@runtime_checkable
class Inquirer(Protocol):
    """What an adapter can do besides, whose notices may name only the provider's own numbers."""

    def dispute(self, number: str) -> DisputeReport | None:
        """Ask how a dispute stands; None if there is no answer that can be trusted."""

    def external_refund(self, number: str) -> ExternalRefund | None:
        """Ask about a refund by the provider's number; None if there is no answer that can be trusted."""


@runtime_checkable
class Redirector(Protocol):
    """What an adapter can do besides, whose provider sends a refund to another card if the payer's own is dead."""

    def refund_abnormal(
        self,
        refund: RefundOrder,
        provider_refund_id: str,
        *,
        bank_type: str = "",
        bank_account: str = "",
        real_name: str = "",
    ) -> RefundReport:
        """Send an abnormal refund to the card; unknown where it was not accepted: a question tells how it stands."""


@runtime_checkable
class Tracer(Protocol):
    """What an adapter can do besides, where money may come that bears no number of ours."""

    def trace(self, number: str) -> tuple[str, Report] | None:
        """Ask about a thing by the provider's own number: our number on it, empty if none, and how it stands.

        None if there is no answer that can be trusted.
        """


@runtime_checkable
class KeyFetcher(Protocol):
    """What an adapter can do besides, whose provider publishes the keys that it signs with."""

    def fetch_keys(self) -> list[dict[str, str]]:
        """Fetch the keys that count now, as the secret lists them (``serial``, ``pem``); never in a request's path.

        Raises:
            NoticeRefused: if they cannot be fetched or trusted.
        """


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers keyed in lower case: gateways and tests differ in spelling, providers do not care.

    One that comes twice, in two spellings, is joined by a comma as HTTP does it: nobody may choose which one counts.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found
