"""Stripe's events: which we act on, and the notices that they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from chalicelib.payments.ports import ForeignNotice, IgnoredNotice, Notice, Outcome, RefundOutcome, RefundReport, Report
from chalicelib.payments.providers.stripe import codes as stripe_codes


def notice(event: Mapping[str, Any], account: str) -> Notice:
    """Read an event.

    Raises:
        NoticeRefused: if it is not for us, or nothing to act on.
        ValueError: or its like, if a field is missing or wrong.
    """
    kind, thing = event["type"], event["data"]["object"]
    if not isinstance(kind, str) or not isinstance(thing, dict):
        raise ValueError("type or object")
    handler = KINDS.get(kind)
    if handler is None:
        told = {} if kind in _ECHOES else {"event": kind[:64], "notice_id": stripe_codes.text_of(event["id"])}
        raise IgnoredNotice(why="we do not act on this kind", payment_id=stripe_codes.our_payment(thing), **told)
    if (event.get("account") or "") != account:  # Whoever owns another could name our numbers and pay itself.
        raise ForeignNotice(
            why="it is another account's",
            payment_id=stripe_codes.our_payment(thing),
            notice_id=stripe_codes.text_of(event["id"]),
        )
    family = kind.rpartition(".")[0]
    if thing.get("object") != _OBJECTS.get(family, family):
        raise ValueError("the object is of another kind than the event")
    return handler(stripe_codes.text_of(event["id"]), kind, thing, stripe_codes.moment_of(event["created"]))


Handler = Callable[[str, str, Mapping[str, Any], "datetime | None"], Notice]


_OBJECTS = {"charge.dispute": "dispute", "charge.refund": "refund"}


def _payment_of(thing: Mapping[str, Any], notice_id: str = "", kind: str = "") -> str:
    """Return our number on a thing.

    Raises:
        IgnoredNotice: if it bears none: money is traced all the same where its notice and kind are given.
    """
    payment_id = stripe_codes.our_payment(thing)
    if not payment_id:
        intent = thing.get("payment_intent") if thing.get("object") == "checkout.session" else thing.get("id")
        traced = {"event": kind, "notice_id": notice_id, "trace": intent} if kind and isinstance(intent, str) else {}
        raise IgnoredNotice(why="it is of no payment of this shop", **traced)
    return payment_id


def _intent_ended(notice_id: str, kind: str, intent: Mapping[str, Any], at: datetime | None) -> Notice:
    payment_id = _payment_of(intent, *((notice_id, kind) if kind.endswith("succeeded") else ()))
    report = stripe_codes.intent_report(intent)
    expected = Outcome.CAPTURED if kind.endswith("succeeded") else Outcome.CLOSED
    if report.outcome is not expected:
        raise ValueError("the event and its object disagree")
    return Notice(
        notice_id, payment_id, Report(expected, report.amount, report.transaction_id, report.at or at, report.code)
    )


def _session_ended(notice_id: str, kind: str, session: Mapping[str, Any], at: datetime | None) -> Notice:
    paid = session.get("payment_status") == "paid" and not kind.endswith("expired")
    payment_id = _payment_of(session, *((notice_id, kind) if paid else ()))
    report = stripe_codes.session_report(session)
    if kind.endswith("expired"):
        if report.outcome is not Outcome.CLOSED:
            raise ValueError("the event and its object disagree")
        return Notice(notice_id, payment_id, report)
    if session.get("payment_status") != "paid":
        raise IgnoredNotice(why="completed, but nobody has paid yet")
    return Notice(notice_id, payment_id, Report(report.outcome, report.amount, report.transaction_id, report.at or at))


def _refund_moved(notice_id: str, _kind: str, thing: Mapping[str, Any], at: datetime | None) -> Notice:
    payment_id, refund_id = stripe_codes.our_payment(thing), stripe_codes.number_of(thing, "refund_id")
    report = stripe_codes.refund_fields(thing)
    if not payment_id or not refund_id:  # Made in the dashboard: the intent knows whose it is.
        payment_id, refund_id = "", stripe_codes.text_of(thing["id"])
    moment = at if report.outcome is RefundOutcome.SUCCEEDED else None
    told = RefundReport(report.outcome, report.amount, report.provider_refund_id, moment, report.code)
    return Notice(notice_id, payment_id, refund_id=refund_id, refund_report=told)


def _disputed(notice_id: str, _kind: str, thing: Mapping[str, Any], _at: datetime | None) -> Notice:
    stripe_codes.money_of(thing["amount"], thing["currency"])
    return Notice(notice_id, "", dispute=stripe_codes.text_of(thing["id"]))


KINDS: dict[str, Handler] = {
    "payment_intent.succeeded": _intent_ended,
    "payment_intent.canceled": _intent_ended,
    "checkout.session.completed": _session_ended,
    "checkout.session.async_payment_succeeded": _session_ended,
    "checkout.session.expired": _session_ended,
    "refund.created": _refund_moved,
    "refund.updated": _refund_moved,
    "refund.failed": _refund_moved,
    "charge.refund.updated": _refund_moved,
    "charge.dispute.created": _disputed,
    "charge.dispute.updated": _disputed,
    "charge.dispute.closed": _disputed,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.funds_reinstated": _disputed,
}
"""Events we act on. ``payment_failed`` and ``processing`` change nothing (a failed try precedes a success), and
``charge.refunded`` counts cumulatively what the ``refund.*`` events say one by one."""


_ECHOES = frozenset(
    {
        *("payment_intent.created", "payment_intent.processing", "payment_intent.requires_action"),
        *("payment_intent.payment_failed", "payment_intent.amount_capturable_updated"),
        *("checkout.session.async_payment_failed", "charge.pending", "charge.succeeded", "charge.captured"),
        *("charge.updated", "charge.failed", "charge.expired", "charge.refunded"),
    }
)
"""Known kinds that only repeat, or come before, what others tell: acknowledged, and not kept."""
