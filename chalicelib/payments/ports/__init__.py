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

from chalicelib.payments.ports.attempts import (
    Action,
    Attempt,
    CloseOutcome,
    Instruction,
    MethodInfo,
    Outcome,
    PaymentOrder,
    Report,
)
from chalicelib.payments.ports.disputes import DisputePhase, DisputeReport
from chalicelib.payments.ports.notices import (
    Ack,
    BadSignature,
    Body,
    ForeignNotice,
    Headers,
    IgnoredNotice,
    Moment,
    Notice,
    NoticeRefused,
    Reply,
    StaleNotice,
    UnknownKey,
    UnreadableNotice,
    lower,
)
from chalicelib.payments.ports.provider import (
    NO_LIMIT,
    Adapter,
    Advice,
    Inquirer,
    KeyFetcher,
    Limits,
    Provider,
    Redirector,
    Tracer,
)
from chalicelib.payments.ports.refunds import ExternalRefund, RefundOrder, RefundOutcome, RefundReport

__all__ = [
    "NO_LIMIT",
    "Ack",
    "Action",
    "Adapter",
    "Advice",
    "Attempt",
    "BadSignature",
    "Body",
    "CloseOutcome",
    "DisputePhase",
    "DisputeReport",
    "ExternalRefund",
    "ForeignNotice",
    "Headers",
    "IgnoredNotice",
    "Inquirer",
    "Instruction",
    "KeyFetcher",
    "Limits",
    "MethodInfo",
    "Moment",
    "Notice",
    "NoticeRefused",
    "Outcome",
    "PaymentOrder",
    "Provider",
    "Redirector",
    "RefundOrder",
    "RefundOutcome",
    "RefundReport",
    "Reply",
    "Report",
    "StaleNotice",
    "Tracer",
    "UnknownKey",
    "UnreadableNotice",
    "lower",
]
