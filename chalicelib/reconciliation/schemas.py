"""Wire models of reconciliation."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.kernel import context
from chalicelib.kernel.money import Money
from chalicelib.kernel.texts import said
from chalicelib.reconciliation import advice
from chalicelib.reconciliation.domain import Case, Finding, Judged, Line, Ours, Run, RunStatus
from chalicelib.runtime.schema import Day, MoneyView, PageQuery, Schema, Timestamp

Provider = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{1,15}$")]
FindingWord = Literal[
    "match",
    "missing_here",
    "missing_there",
    "differs",
    "unknown_refund",
    "duplicate",
    "dispute",
    "discounted",
    "other",
    "unreadable",
]


class BeginReconciliation(Schema):
    """Which day of which provider. ``again`` repeats one that has ended: what fits by now is settled."""

    provider: Provider
    day: Day
    again: bool = False


class ClassView(Schema):
    """The lines of one class: what it means, how many there are, how much money somebody has to look after."""

    finding: str
    what: str
    next: str
    count: int
    at_stake: list[MoneyView]

    @classmethod
    def of(cls, run: Run, finding: str, count: int) -> ClassView:
        """Return the wire form in the caller's language."""
        language, words = context.current().language, advice.of(finding)
        stakes = {name.partition(" ")[2]: minor for name, minor in run.stakes.items() if name.split(" ")[0] == finding}
        return cls(
            finding=finding,
            what=said(words.what, language),
            next=said(words.todo, language),
            count=count,
            at_stake=[MoneyView.of(Money(minor, currency)) for currency, minor in sorted(stakes.items())],
        )


class RunView(Schema):
    """One provider's day: how far it is, and how many lines are of which class. ``healed`` ones need nobody."""

    run_id: str
    provider: str
    day: date
    status: str
    round: int
    started_at: Timestamp
    finished_at: Timestamp | None = None
    next_try_at: Timestamp | None = None
    lines: int
    pieces: int
    pieces_read: int
    counts: dict[str, int]
    classes: list[ClassView]
    """The same in words, with the money at stake."""
    healed: int
    cases: int
    fees: list[MoneyView]
    fee_rest_millionths: int
    """What rounding fees to whole minor units left, in millionths of one: providers bill fractions of a fen."""
    totals: dict[str, str]
    """The bill's own totals, as written."""
    why: str | None = None

    @classmethod
    def of(cls, run: Run) -> RunView:
        """Return the wire form."""
        return cls(
            run_id=run.run_id,
            provider=run.provider,
            day=date.fromisoformat(run.day),
            status=run.status.value,
            round=run.round,
            started_at=run.started_at,
            finished_at=run.finished_at,
            next_try_at=run.due_at if run.status is RunStatus.WANTED and run.asks else None,
            lines=run.lines,
            pieces=run.pieces,
            pieces_read=run.piece,
            counts=dict(run.counts),
            classes=[
                ClassView.of(run, finding.value, run.counts[finding]) for finding in Finding if finding in run.counts
            ],
            healed=run.healed,
            cases=run.cases,
            fees=[MoneyView.of(Money(minor, currency)) for currency, minor in sorted(run.fees.items())],
            fee_rest_millionths=run.fee_rest_millionths,
            totals=dict(run.totals),
            why=run.why or None,
        )


class RunsQuery(Schema):
    """Days of one provider, the latest first."""

    provider: Provider
    day: Day
    """The last day."""
    days: Annotated[int, Field(ge=1, le=62)] = 1


class RunsView(Schema):
    """Reconciled days."""

    items: list[RunView]


class LineView(Schema):
    """A line of the bill, as it says it."""

    number: int
    kind: str
    payment_id: str
    refund_id: str
    transaction_id: str
    provider_refund_id: str
    amount: MoneyView
    settled: MoneyView | None = None
    """What the provider settles of it, where the bill says so: less than the amount if the seller bears a coupon."""
    fee: str
    status: str

    @classmethod
    def of(cls, line: Line) -> LineView:
        """Return the wire form."""
        return cls(
            number=line.number,
            kind=line.kind.value,
            payment_id=line.payment_id,
            refund_id=line.refund_id,
            transaction_id=line.transaction_id,
            provider_refund_id=line.provider_refund_id,
            amount=MoneyView.of(line.money),
            settled=MoneyView(minor=line.settled, currency=line.currency) if line.settled is not None else None,
            fee=line.fee,
            status=line.status,
        )


class OursView(Schema):
    """What our record said when the line was judged."""

    record_id: str
    purchase_id: str
    provider: str
    status: str
    amount: MoneyView
    transaction_id: str | None = None

    @classmethod
    def of(cls, ours: Ours) -> OursView:
        """Return the wire form."""
        return cls(
            record_id=ours.record_id,
            purchase_id=ours.purchase_id,
            provider=ours.provider,
            status=ours.status,
            amount=MoneyView.of(ours.money),
            transaction_id=ours.transaction_id or None,
        )


class JudgedView(Schema):
    """A line, or a record of ours without one, with its class. ``difference``: what the bill has more than we."""

    finding: str
    why: str | None = None
    what: str
    next: str
    difference: MoneyView | None = None
    healed: bool
    case_id: str | None = None
    fee: MoneyView | None = None
    line: LineView | None = None
    ours: OursView | None = None

    @classmethod
    def of(cls, found: Judged) -> JudgedView:
        """Return the wire form in the caller's language."""
        language, words = context.current().language, advice.of(found.finding, found.why, healed=found.healed)
        return cls(
            finding=found.finding.value,
            why=found.why or None,
            what=said(words.what, language),
            next=said(words.todo, language),
            difference=MoneyView.of(found.difference) if found.difference else None,
            healed=found.healed,
            case_id=found.case_id or None,
            fee=MoneyView.of(Money(found.fee, found.fee_currency)) if found.fee_currency else None,
            line=LineView.of(found.line) if found.line else None,
            ours=OursView.of(found.ours) if found.ours else None,
        )


class LinesQuery(PageQuery):
    """Lines of one class."""

    finding: FindingWord = "differs"


class LinesView(Schema):
    """One page of a run's findings."""

    items: list[JudgedView]
    next_cursor: str | None = None


class ReportView(Schema):
    """Where the report (CSV in both languages, UTF-8 with a byte order mark) can be fetched until ``expires_at``."""

    url: str
    expires_at: Timestamp


class TurnView(Schema):
    """One entry of a case's history."""

    status: str
    at: Timestamp
    by: str
    how: str | None = None
    note: str | None = None


class CaseView(Schema):
    """Money that does not fit. ``said`` is what the bill says and, under ``our_...``, what we have."""

    case_id: str
    kind: str
    status: str
    provider: str
    day: date
    subject: str
    purchase_id: str | None = None
    opened_at: Timestamp
    due_at: Timestamp | None = None
    what: str
    next: str
    """What it means, and what to do, in the caller's language."""
    said: dict[str, str]
    history: list[TurnView]

    @classmethod
    def of(cls, case: Case) -> CaseView:
        """Return the wire form in the caller's language."""
        language, words = context.current().language, advice.of(case.kind, case.said.get("why", ""))
        return cls(
            case_id=case.case_id,
            kind=case.kind,
            status=case.status.value,
            provider=case.provider,
            day=date.fromisoformat(case.day),
            subject=case.subject,
            purchase_id=case.purchase_id or None,
            opened_at=case.opened_at,
            due_at=case.due_at,
            what=said(words.what, language),
            next=said(words.todo, language),
            said=dict(case.said),
            history=[
                TurnView(status=turn.status, at=turn.at, by=turn.by, how=turn.how or None, note=turn.note or None)
                for turn in case.history
            ],
        )


class CasesQuery(PageQuery):
    """Cases in one state, oldest first."""

    status: Literal["open", "escalated", "settled", "resolved"] = "open"


class CasesView(Schema):
    """One page of cases."""

    items: list[CaseView]
    next_cursor: str | None = None


class ResolveCase(Schema):
    """What became of it."""

    how: Literal["corrected", "refunded", "accepted", "not_ours", "with_provider"]
    note: Annotated[str, Field(min_length=1, max_length=300)]
