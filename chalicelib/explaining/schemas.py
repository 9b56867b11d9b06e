"""Wire models of explanations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.explaining.domain import Seal, Step
from chalicelib.explaining.service import AccountExplained, OrderExplained
from chalicelib.kernel import context
from chalicelib.kernel.texts import said
from chalicelib.runtime.schema import MoneyView, Schema, Timestamp


class Explain(Schema):
    """Why somebody has to know, and where to go on in what is long."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=200)]
    limit: Annotated[int, Field(ge=1, le=200, strict=True)] = 100
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None


class FactView(Schema):
    """An event that told others, and the queues that it went to."""

    event_id: str
    queues: list[str]


class SealView(Schema):
    """What proves an act (docs/audit.md): without ``batch`` it is too young to be sealed."""

    line: str
    link: str | None = None
    number: int | None = None
    batch: int | None = None
    as_sealed: bool

    @classmethod
    def of(cls, seal: Seal) -> SealView:
        """Return the wire form."""
        return cls(
            line=seal.line,
            link=seal.link or None,
            number=seal.number or None,
            batch=seal.batch or None,
            as_sealed=seal.as_sealed,
        )


class StepView(Schema):
    """One thing that happened."""

    at: Timestamp
    kind: str
    what: str
    text: str
    """What it is, for people, in the caller's language."""
    record_id: str
    status: str | None = None
    amount: MoneyView | None = None
    by: str | None = None
    note: str | None = None
    events: list[FactView] | None = None
    request_id: str | None = None
    seal: SealView | None = None

    @classmethod
    def of(cls, step: Step) -> StepView:
        """Return the wire form."""
        facts = [FactView(event_id=fact.event_id, queues=list(fact.queues)) for fact in step.facts]
        return cls(
            at=step.at,
            kind=step.kind.value,
            what=step.what,
            text=said(step.texts, context.current().language),
            record_id=step.record_id,
            status=step.status or None,
            amount=MoneyView.of(step.amount) if step.amount else None,
            by=step.by or None,
            note=step.note or None,
            events=facts or None,
            request_id=step.request_id or None,
            seal=SealView.of(step.seal) if step.seal else None,
        )


class OrderExplanationView(Schema):
    """All that happened to an order, to its purchase and payments, by time, but never an effect before its cause."""

    order_id: str
    purchase_id: str
    merchant_id: str
    buyer_id: str
    status: str
    count: int
    """How many steps there are in all."""
    digest: str
    """Of all steps but acts; the audit's line of this look says the same."""
    head: SealView | None = None
    """The last act that is sealed: it proves all acts before."""
    items: list[StepView]
    next_cursor: str | None = None

    @classmethod
    def of(cls, found: OrderExplained, next_cursor: str | None) -> OrderExplanationView:
        """Return the wire form."""
        return cls(
            order_id=found.order.order_id,
            purchase_id=found.order.purchase_id,
            merchant_id=found.order.merchant_id,
            buyer_id=found.order.buyer_id,
            status=found.order.status.value,
            count=found.count,
            digest=found.digest,
            head=SealView.of(found.head) if found.head else None,
            items=[StepView.of(step) for step in found.steps.items],
            next_cursor=next_cursor,
        )


class PostHeldView(Schema):
    """A post at a merchant."""

    merchant_id: str
    post: str


class ErasureStandingView(Schema):
    """What became of a person's wish to be forgotten."""

    status: str
    since: Timestamp
    due_at: Timestamp | None = None
    holds: list[str]


class AccountExplanationView(Schema):
    """How an account stands, and all that happened to it, by time. Nothing of what its person is called."""

    account_id: str
    forgotten: bool
    roles: list[str]
    desks: list[str]
    posts: list[PostHeldView]
    suspended_merchants: list[str]
    second_factor: bool
    email_verified: bool
    phone_verified: bool
    unpaid: int
    paid: int
    erasure: ErasureStandingView | None = None
    order_ids: list[str]
    cut: list[str]
    """Of what there is more than is told: ``orders``, ``sessions``."""
    count: int
    digest: str
    head: SealView | None = None
    items: list[StepView]
    next_cursor: str | None = None

    @classmethod
    def of(cls, found: AccountExplained, next_cursor: str | None) -> AccountExplanationView:
        """Return the wire form."""
        how, erasure = found.standing, found.standing.erasure
        return cls(
            account_id=how.account_id,
            forgotten=how.forgotten,
            roles=list(how.roles),
            desks=list(how.desks),
            posts=[PostHeldView(merchant_id=merchant_id, post=post) for merchant_id, post in how.posts],
            suspended_merchants=list(how.suspended),
            second_factor=how.second_factor,
            email_verified=how.email_verified,
            phone_verified=how.phone_verified,
            unpaid=how.unpaid,
            paid=how.paid,
            erasure=ErasureStandingView(
                status=erasure.status, since=erasure.since, due_at=erasure.due_at, holds=list(erasure.holds)
            )
            if erasure
            else None,
            order_ids=list(how.order_ids),
            cut=list(how.cut),
            count=found.count,
            digest=found.digest,
            head=SealView.of(found.head) if found.head else None,
            items=[StepView.of(step) for step in found.steps.items],
            next_cursor=next_cursor,
        )
