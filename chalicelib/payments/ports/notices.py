"""What a provider tells of itself, how that is refused, and what it is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.errors import ShopError
from chalicelib.payments.ports.attempts import Report
from chalicelib.payments.ports.refunds import RefundReport

Headers = Mapping[str, object] | Iterable[tuple[str, object]]
"""Of a recorded notice: a mapping, or pairs as a server keeps them; values are texts, bytes, or lists of them."""
Body = bytes | str
"""The bytes as they were received; a text stands for its UTF-8."""
Moment = datetime | float
"""A time with its zone, or seconds since 1970."""
Reply = tuple[int, dict[str, str], str]
"""Status, headers and body, exactly as the provider wants them."""


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


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers keyed in lower case: gateways and tests differ in spelling, providers do not care.

    One that comes twice, in two spellings, is joined by a comma as HTTP does it: nobody may choose which one counts.
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found
