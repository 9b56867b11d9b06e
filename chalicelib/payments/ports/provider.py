"""What an adapter is: its module, what all can do, and what some can do besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import Any, Protocol, runtime_checkable

from chalicelib.kernel.clock import CHINA
from chalicelib.payments.domain.bill import Bill
from chalicelib.payments.ports.attempts import Attempt, CloseOutcome, Instruction, MethodInfo, PaymentOrder, Report
from chalicelib.payments.ports.disputes import DisputeReport
from chalicelib.payments.ports.notices import Ack, Body, Headers, Moment, Notice, Reply
from chalicelib.payments.ports.refunds import ExternalRefund, RefundOrder, RefundReport

NO_LIMIT = timedelta(days=365 * 100)


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
