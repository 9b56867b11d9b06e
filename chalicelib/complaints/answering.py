"""What the two sides do: the merchant answers, the buyer agrees or not, either states what the platform asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chalicelib.complaints import cases, domain, events, replacing
from chalicelib.complaints.cases import Case, Change, Party, Statement, act
from chalicelib.complaints.domain import PERSON, Complaint, Entry
from chalicelib.complaints.grounds import Wish
from chalicelib.complaints.states import COMPLAINT, Cause, Status, Turn
from chalicelib.kernel.errors import IllegalTransition
from chalicelib.kernel.money import Money
from chalicelib.runtime.intents import Intent


@dataclass(frozen=True, slots=True)
class Answer:
    """What a merchant answers: ``kind`` says which wish it meets, ``units`` how many units are replaced (0: all)."""

    cause: Cause
    said: Statement
    kind: str = ""
    amount: Money | None = None
    units: int = 0


def reply(merchant: Party, complaint_id: str, answer: Answer, intent: Intent) -> tuple[Complaint, bool]:
    """Answer as the merchant: offer money, goods or another remedy, reject, or state what the platform asked.

    Raises:
        NotFound, IllegalTransition, AmountTooLarge, NotReplaceable, EvidenceMissing, EvidenceRefused: as named.
    """

    def change(case: Case, entry: Entry) -> Change:
        before = case.complaint
        cause = answer.cause
        if cause is Cause.REJECT and before.status is Status.MERCHANT_ASKED:
            cause = Cause.STATE
        COMPLAINT.next(before.status, cause)
        if answer.amount is not None:
            cases.check_amount(case, answer.amount, kind=answer.kind, done=False)
        units = _units(case, answer)
        after = domain.move(before, cause, replace(entry, amount=answer.amount, kind=answer.kind))
        told = events.ComplaintReplied(**cases.subject(after), status=after.status.value)
        if cause is Cause.STATE:
            return Change(after, [told])
        return Change(replace(after, offer=answer.amount, remedy=answer.kind, units=units), [told])

    return act(merchant, complaint_id, answer.said, intent, change)


def _units(case: Case, answer: Answer) -> int:
    if answer.kind != Wish.REPLACEMENT:
        return 0
    line_id = case.complaint.line_id
    units = answer.units or case.order.kept().get(line_id, 0)
    replacing.check(case.order, line_id, units)
    return units


def accept(buyer: Party, complaint_id: str, intent: Intent) -> tuple[Complaint, bool]:
    """Accept the merchant's answer as the buyer; what was offered is carried out in the same transaction.

    Raises:
        NotFound, IllegalTransition: as named.
    """

    def change(case: Case, entry: Entry) -> Change:
        return agree(case.complaint, Cause.ACCEPT, entry)

    return act(buyer, complaint_id, Statement(""), intent, change)


def agree(before: Complaint, cause: Cause, entry: Entry) -> Change:
    """Carry out what the merchant offered. Money or goods that are not there any more are an outcome: an operator's."""
    after = domain.move(before, cause, entry)
    if after.status is Status.REFUNDING and before.offer is not None:
        paid = replace(after, refund=before.offer, refunds=before.refunds + 1)
        return Change(paid, refund=before.offer, otherwise=_refused(before, Cause.REFUND_REFUSED, entry))
    if before.status is Status.REMEDY_OFFERED and before.remedy == Wish.REPLACEMENT:
        sent = replace(after, replacements=before.replacements + 1)
        return Change(sent, replaces=True, otherwise=_refused(before, Cause.REPLACEMENT_FAILED, entry))
    return Change(after)


def _refused(before: Complaint, cause: Cause, entry: Entry) -> Change:
    refused = domain.move(before, cause, entry)
    return Change(refused, [events.ComplaintEscalated(**cases.subject(refused), why=cause.value)])


def escalate(buyer: Party, complaint_id: str, said: Statement, intent: Intent) -> tuple[Complaint, bool]:
    """Ask for the operator's decision as the buyer."""

    def change(case: Case, entry: Entry) -> Change:
        after = domain.move(case.complaint, Cause.ESCALATE, entry)
        return Change(after, [events.ComplaintEscalated(**cases.subject(after), why=Cause.ESCALATE.value)])

    return act(buyer, complaint_id, said, intent, change)


def state(buyer: Party, complaint_id: str, said: Statement, intent: Intent) -> tuple[Complaint, bool]:
    """Say, as the buyer, what the platform asked.

    Raises:
        NotFound, IllegalTransition, EvidenceMissing, EvidenceRefused: as named.
    """

    def change(case: Case, entry: Entry) -> Change:
        if case.complaint.status is not Status.BUYER_ASKED:
            raise IllegalTransition(machine=COMPLAINT.name, state=case.complaint.status.value, cause=Cause.STATE.value)
        after = domain.move(case.complaint, Cause.STATE, entry)
        return Change(after, [events.ComplaintEscalated(**cases.subject(after), why=Cause.STATE.value)])

    return act(buyer, complaint_id, said, intent, change)


def withdraw(buyer: Party, complaint_id: str, intent: Intent) -> tuple[Complaint, bool]:
    """Call the complaint off as the buyer."""
    return act(
        buyer,
        complaint_id,
        Statement(""),
        intent,
        lambda case, entry: Change(domain.move(case.complaint, Cause.WITHDRAW, entry)),
    )


def reopen(buyer: Party, complaint_id: str, said: Statement, intent: Intent) -> tuple[Complaint, bool]:
    """Reopen a closed complaint as the buyer, once; it goes to the operator.

    Raises:
        NotFound, IllegalTransition, NotReopenable, NotAppealable: as named.
        OpenComplaint: if the line has another one by now.
    """

    def change(case: Case, entry: Entry) -> Change:
        after = domain.reopen(case.complaint, entry)
        return Change(after, [events.ComplaintReopened(**cases.subject(after))])

    return act(buyer, complaint_id, said, intent, change)


def appeal(party: Party, complaint_id: str, said: Statement, intent: Intent) -> tuple[Complaint, bool]:
    """Appeal against the platform's decision, as the buyer or the merchant; another operator decides.

    Raises:
        NotFound, IllegalTransition, NotAppealable: as named.
        OpenComplaint: if the line has another one by now.
    """

    def change(case: Case, entry: Entry) -> Change:
        after = domain.appeal(case.complaint, party.side, entry)
        return Change(after, [events.ComplaintReopened(**cases.subject(after))])

    return act(party, complaint_id, said, intent, change)


def ask_person(party: Party, complaint_id: str, intent: Intent) -> tuple[Complaint, bool]:
    """Ask that a person decides, as the buyer or the merchant: from now on no clock ends the complaint.

    Raises:
        NotFound: as named.
        IllegalTransition: if it is closed; what a clock decided is appealed against.
    """

    def change(case: Case, entry: Entry) -> Change:
        before = case.complaint
        if before.turn in (Turn.NOBODY, Turn.PLATFORM):
            raise IllegalTransition(machine=COMPLAINT.name, state=before.status.value, cause=Cause.ESCALATE.value)
        if before.person:
            return Change(before)
        return Change(replace(domain.noted(before, replace(entry, what=PERSON)), person=True))

    return act(party, complaint_id, Statement(""), intent, change)
