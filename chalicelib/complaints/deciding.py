"""What operators do: ask a side, decide by facts and a rule at somebody's cost, and judge an appeal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.complaints import cases, domain, events, replacing
from chalicelib.complaints.cases import Case, Change, Party, Statement, act
from chalicelib.complaints.domain import Complaint, Decision, Entry
from chalicelib.complaints.grounds import BY_CLOCK, Basis, Payer, Wish
from chalicelib.complaints.refusals import NotAppealable
from chalicelib.complaints.states import COMPLAINT, Cause
from chalicelib.kernel.money import Money
from chalicelib.runtime.intents import Intent


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operator decides, and what it rests on."""

    cause: Cause
    facts: str
    rule: str
    said: Statement
    kind: str = ""
    amount: Money | None = None
    units: int = 0
    payer: Payer | None = None
    basis: Basis | None = None
    proof: tuple[str, ...] = ()


def ask(operator: Party, complaint_id: str, cause: Cause, said: Statement, intent: Intent) -> tuple[Complaint, bool]:
    """Ask one side for what is missing; its answer, or its silence, gives the complaint back.

    Raises:
        NotFound, IllegalTransition, OwnDecision: as named.
    """

    def change(case: Case, entry: Entry) -> Change:
        domain.check_judge(case.complaint, operator.account_id)
        after = domain.move(case.complaint, cause, entry)
        return Change(after, [events.ComplaintAsked(**cases.subject(after), side=after.turn.value)])

    return act(operator, complaint_id, said, intent, change)


def decide(operator: Party, complaint_id: str, verdict: Verdict, intent: Intent) -> tuple[Complaint, bool]:
    """Decide as the operator; money or goods that are granted are under way with this very transaction.

    Raises:
        NotFound, IllegalTransition, AmountTooLarge, NotReplaceable, OutOfStock: as named.
        OwnDecision: if it was appealed against and this operator decided before.
        NotTheMerchants: if the merchant is to pay without consent and without proven fault.
        NotAppealable: if it upholds what nobody appealed against.
        RefundRefused: if the money is not there; decide otherwise.
        ApprovalNeeded, DayLimitReached: if one operator alone may not give back so much: ask for approval of the
            refund, and decide ``remedy`` once it is made.
    """

    def change(case: Case, entry: Entry) -> Change:
        before = case.complaint
        cause = _cause(before, verdict)
        COMPLAINT.next(before.status, cause)
        domain.check_judge(before, operator.account_id)
        decision = _decision(before, cause, verdict, entry, operator.account_id)
        domain.check_payer(before, decision, verdict.amount)
        after = domain.move(before, cause, replace(entry, amount=verdict.amount, kind=verdict.kind))
        settles = verdict.cause is Cause.UPHOLD
        remedy = before.remedy if settles else verdict.kind
        after = replace(after, decisions=(*before.decisions, decision), remedy=remedy)
        told = [events.ComplaintDecided(**cases.subject(after), decision=cause.value)]
        return _carried_out(case, after, verdict, Change(after, told, granted_by=operator.account_id, settles=settles))

    return act(operator, complaint_id, verdict.said, intent, change)


def _carried_out(case: Case, after: Complaint, verdict: Verdict, change: Change) -> Change:
    before = case.complaint
    if verdict.amount is not None:
        cases.check_amount(case, verdict.amount, kind=verdict.kind, done=True)
        paid = replace(after, refund=verdict.amount, refunds=before.refunds + 1)
        return replace(change, after=paid, refund=verdict.amount)
    if verdict.kind == Wish.REPLACEMENT:
        units = verdict.units or case.order.kept().get(before.line_id, 0)
        replacing.check(case.order, before.line_id, units)
        return replace(
            change,
            after=replace(after, units=units, replacements=before.replacements + 1),
            replaces=True,
            settles=verdict.payer is Payer.PLATFORM,
        )
    return change


def _cause(before: Complaint, verdict: Verdict) -> Cause:
    """Return the cause: an appeal that changes nothing leaves a complaint as it was, resolved or dismissed."""
    if verdict.cause is not Cause.UPHOLD:
        return verdict.cause
    last = before.decision
    if before.appealed_by is None or last is None:
        raise NotAppealable(why="undecided")
    return Cause.DISMISS if last.cause is Cause.DISMISS else Cause.UPHOLD


def _decision(before: Complaint, cause: Cause, verdict: Verdict, entry: Entry, by: str) -> Decision:
    last = before.decision
    stands = verdict.cause is Cause.UPHOLD and last is not None
    return Decision(
        number=len(before.history) + 1,
        at=entry.at,
        cause=cause,
        facts=verdict.facts,
        rule=verdict.rule,
        payer=verdict.payer or (last.payer if stands and last else None),
        basis=verdict.basis or (last.basis if stands and last and not verdict.payer else None),
        proof=verdict.proof or (last.proof if stands and last and not verdict.payer else ()),
        by=by,
        refund_id=last.refund_id if stands and last else "",
    )


def forfeited(case: Case, entry: Entry) -> Change | None:
    """Return the decision for a buyer whose complaint was left unanswered again and again; None if nothing is left.

    It gives what the buyer wished for first, money where nothing was said, at the merchant's cost only where our own
    records prove the fault: units that never left.
    """
    before = case.complaint
    wish = before.wishes[0] if before.wishes else Wish.REFUND
    if wish is Wish.REPLACEMENT and case.order.kept().get(before.line_id, 0):
        units = case.order.kept()[before.line_id]
        after = replace(_decided(before, Cause.FORFEIT_REMEDY, entry, wish), units=units)
        return Change(replace(after, replacements=before.replacements + 1), _told(after), replaces=True, settles=True)
    if wish is Wish.APOLOGY:
        after = _decided(before, Cause.FORFEIT_REMEDY, entry, wish)
        return Change(after, _told(after))
    left = cases.most_left(case, kind=wish if wish is Wish.COMPENSATION else "")
    line = cases.line_of(case.order, before.line_id)
    minor = min(left.minor, line.total.minor, before.wished.minor if before.wished else line.total.minor)
    if minor <= 0:
        return None
    amount = Money(minor, line.total.currency)
    kind = Wish.COMPENSATION if wish is Wish.COMPENSATION else Wish.REFUND
    after = _decided(before, Cause.FORFEIT_REFUND, replace(entry, amount=amount), kind)
    paid = replace(after, refund=amount, refunds=before.refunds + 1)
    return Change(paid, _told(after), refund=amount)


def _told(after: Complaint) -> list[events.ComplaintEvent]:
    return [events.ComplaintDecided(**cases.subject(after), decision=after.history[-1].what)]


def _decided(before: Complaint, cause: Cause, entry: Entry, kind: Wish) -> Complaint:
    never_left = before.unsent > 0
    decision = Decision(
        number=len(before.history) + 1,
        at=entry.at,
        cause=cause,
        facts=f"merchant missed {before.misses}, platform {before.late}",
        rule=BY_CLOCK.value,
        payer=Payer.MERCHANT if never_left else Payer.PLATFORM,
        basis=Basis.FAULT if never_left else None,
    )
    after = domain.move(before, cause, replace(entry, kind=kind.value))
    return replace(after, decisions=(*before.decisions, decision), remedy=kind.value)
