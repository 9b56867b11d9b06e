"""One step of an explanation, and how steps from several rooms become one story. Pure."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import Texts


class Kind(StrEnum):
    """Where a step was taken."""

    PURCHASE = "purchase"
    ORDER = "order"
    PAYMENT = "payment"
    REFUND = "refund"
    DESK = "desk"
    """What operators and banks did about a payment: approvals, notices that were kept apart, disputes."""
    LEDGER = "ledger"
    STOCK = "stock"
    PARCEL = "parcel"
    COMPLAINT = "complaint"
    RETURN = "return"
    ACCOUNT = "account"
    ROLE = "role"
    SESSION = "session"
    ERASURE = "erasure"
    ACT = "act"
    """What somebody did for the platform, as the audit has it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """An event that told others, and the queues whose functions took it from there."""

    event_id: str
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seal:
    """What proves an act: its line's digest, and where that hangs on the order's chain. A ``batch`` of 0: not yet."""

    line: str
    link: str
    number: int
    batch: int
    as_sealed: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. What people wrote or are called is not in it."""

    at: datetime
    kind: Kind
    what: str
    record_id: str
    texts: Texts
    status: str = ""
    amount: Money | None = None
    by: str = ""
    note: str = ""
    """Out of lists of ours: a provider, a reason's code, accounts and amounts."""
    facts: tuple[Fact, ...] = ()
    """The events that told others of it."""
    request_id: str = ""
    seal: Seal | None = None


def woven(*stories: Iterable[Step]) -> list[Step]:
    """Return the steps of several stories as one: by time, each story in its own order.

    A story that knows what led to what may tell an effect with an earlier time behind its cause: it stays there.
    """
    return [
        step for _, _, step in heapq.merge(*map(_ranked, range(len(stories)), stories), key=lambda found: found[:2])
    ]


def _ranked(rank: int, story: Iterable[Step]) -> Iterator[tuple[datetime, int, Step]]:
    reached: datetime | None = None
    for step in story:
        reached = step.at if reached is None else max(reached, step.at)
        yield reached, rank, step


def by_time(steps: Iterable[Step]) -> list[Step]:
    """Return steps that know of no causes in the order of their times."""
    return sorted(steps, key=lambda step: step.at)


def digest(steps: Iterable[Step]) -> str:
    """Return the SHA-256 of what happened, acts aside: those have their seals. Equal steps have equal digests."""
    told = [
        [
            step.at.isoformat(timespec="milliseconds"),
            step.kind,
            step.what,
            step.record_id,
            step.status,
            [step.amount.minor, step.amount.currency] if step.amount else None,
            step.by,
            step.note,
        ]
        for step in steps
        if step.kind is not Kind.ACT
    ]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
