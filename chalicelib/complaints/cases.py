"""How every use case of a complaint works: load, check whose it is, decide, commit in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from chalicelib.complaints import bearing, domain, events, evidence, grounds, replacing, store
from chalicelib.complaints.domain import Complaint, Entry
from chalicelib.complaints.refusals import OpenComplaint
from chalicelib.complaints.states import Turn
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Busy, NotFound, ShopError
from chalicelib.kernel.events import Event
from chalicelib.kernel.money import Money
from chalicelib.orders import service as orders
from chalicelib.orders.service import Line, Order
from chalicelib.payments import service as payments
from chalicelib.payments.service import RefundContext, RefundRefused, RefundRequest, Requester, UnknownPayment
from chalicelib.runtime import log
from chalicelib.runtime.db.races import racing
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import Intent


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody says, and the files to it."""

    text: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Party:
    """Who acts: the side, the account, and the id by which records are theirs (an account's or a merchant's)."""

    side: Turn
    account_id: str
    owner_id: str = ""

    def owns(self, complaint: Complaint) -> bool:
        """Say whether the complaint is theirs to see."""
        if self.side is Turn.OPERATOR:
            return True
        return self.owner_id == (complaint.buyer_id if self.side is Turn.BUYER else complaint.merchant_id)


def load(party: Party, complaint_id: str, *, consistent: bool = False) -> Complaint:
    """Return a complaint of this party.

    Raises:
        NotFound: if there is none of theirs.
    """
    complaint = store.load(complaint_id, consistent=consistent)
    if not party.owns(complaint):
        raise NotFound(what="complaint")
    return complaint


def line_of(order: Order, line_id: str) -> Line:
    """Return a line of an order.

    Raises:
        NotFound: if it has none of that number.
    """
    for line in order.lines:
        if line.line_id == line_id:
            return line
    raise NotFound(what="order line")


@dataclass(frozen=True, slots=True)
class Change:
    """What a use case wants to commit: the complaint as it will stand, its events, and what is carried out with it.

    ``otherwise`` is committed instead where that is refused; without one, the refusal is the caller's.
    """

    after: Complaint
    events: Sequence[Event] = ()
    refund: Money | None = None
    granted_by: str = ""
    """The operator who gives the refund alone, up to what one person may."""
    replaces: bool = False
    """Whether an order is placed that replaces the goods."""
    settles: bool = False
    """Whether who bears what was given back may have changed, or its end has."""
    otherwise: Change | None = None


@dataclass(frozen=True)
class Case:
    """What a use case decides by, each read at most once: the complaint; its order and its money where they matter."""

    complaint: Complaint

    @cached_property
    def order(self) -> Order:
        """Return the order it is about."""
        return orders.load_order(self.complaint.order_id)

    @cached_property
    def money(self) -> RefundContext:
        """Return what a refund on it is judged by."""
        return payments.refund_context(self.order)


Decide = Callable[[Case, Entry], Change]


def act(party: Party, complaint_id: str, said: Statement, intent: Intent, change: Decide) -> tuple[Complaint, bool]:
    """Load, check whose it is and whether this request did it before, decide, commit; again after a lost race."""

    def attempt() -> tuple[Complaint, bool]:
        before = load(party, complaint_id, consistent=True)
        if domain.remembered(before, intent.token, intent.fingerprint):
            return before, True
        entry = Entry(
            at=clock.now(), by=party.side, what="", text=said.text, intent=intent.token, fingerprint=intent.fingerprint
        )
        case = Case(before)
        decided = change(case, entry)  # First without files: a refusal reads and copies none.
        if said.evidence:
            files = evidence.attach(complaint_id, party.account_id, said.evidence)
            decided = change(case, replace(entry, evidence=files))
        return commit(case, decided), False

    return racing(attempt, otherwise=Busy)


def commit(case: Case, change: Change) -> Complaint:
    """Write a change; where what goes with it is refused, what it says to do otherwise.

    Raises:
        ShopError: the refusal, where nothing is said.
    """
    try:
        return write(case, change)
    except ShopError as refusal:
        if change.otherwise is None or not isinstance(refusal, (RefundRefused, UnknownPayment, *replacing.REFUSALS)):
            raise
        log.warning("what was agreed was refused", complaint_id=case.complaint.complaint_id, code=refusal.code)
        return commit(case, change.otherwise)


def write(case: Case, change: Change) -> Complaint:
    """Write a change in one transaction: the complaint, its line and order, money, and an order that replaces goods."""
    before, after, told = case.complaint, change.after, list(change.events)
    with UnitOfWork() as work:
        if change.refund is not None:
            after = _with_refund(before, after, _request_refund(work, case, change))
        if change.replaces:
            after = replace(after, replacement=replacing.place(work, case.order, after))
        if before.is_open and not after.is_open:
            told.append(events.ComplaintClosed(**subject(after), status=after.status.value))
        if before.is_open is not after.is_open:
            _hold_line(work, case, after)
        if change.settles:
            bearing.settle(work, case.order, after)
        store.save(work, after, told)
    return replace(after, version=before.version + 1)


def _with_refund(before: Complaint, after: Complaint, refund_id: str) -> Complaint:
    """Note the refund, on the decision as well that it carries out."""
    decisions = after.decisions
    if len(decisions) > len(before.decisions):
        decisions = (*decisions[:-1], replace(decisions[-1], refund_id=refund_id))
    return replace(after, refund_id=refund_id, decisions=decisions)


def _hold_line(work: UnitOfWork, case: Case, after: Complaint) -> None:
    held = store.open_lines(after.order_id)
    lines = dict(held.lines)
    holder = lines.get(after.line_id)
    if after.is_open:
        if holder is not None:
            raise OpenComplaint(complaint_id=holder)
        lines[after.line_id] = after.complaint_id
    elif holder == after.complaint_id:
        del lines[after.line_id]
    store.save_open_lines(work, held, lines)
    (orders.hold if after.is_open else orders.let_go)(work, case.order, after.complaint_id)


def _request_refund(work: UnitOfWork, case: Case, change: Change) -> str:
    complaint, amount = change.after, change.refund
    most = most_for_missing(case, kind=complaint.remedy)
    if amount is None or (most is not None and amount.minor > most.minor):
        raise RefundRefused(why="paid_back_meanwhile", left=most.minor if most else 0)
    wanted = RefundRequest(
        order_id=complaint.order_id,
        reason=f"complaint {complaint.complaint_id}",
        amount=amount,
        line=complaint.line_id,
        compensation=_compensates(case, complaint.remedy),
        never_came=complaint.reason in grounds.NEVER_CAME and complaint.remedy != grounds.Wish.COMPENSATION,
    )
    requester = Requester(
        f"complaint#{complaint.complaint_id}#{complaint.refunds}", by=change.granted_by, about=complaint.complaint_id
    )
    return payments.request_refund(work, case.money, wanted, requester).refund_id


def _compensates(case: Case, kind: str) -> bool:
    complaint = case.complaint
    return grounds.is_compensation(complaint.reason, came=case.order.kept().get(complaint.line_id, 0), kind=kind)


def check_amount(case: Case, amount: Money, *, kind: str, done: bool) -> None:
    """Refuse more than is left for the line, not counting what is under way where only ``done`` refunds do.

    Raises:
        AmountTooLarge, CurrencyMismatch: as ``domain.check_amount``.
    """
    line = line_of(case.order, case.complaint.line_id)
    domain.check_amount(amount, line_total=line.total, order_left=most_left(case, kind=kind, done=done))


def most_left(case: Case, *, kind: str, done: bool = False) -> Money:
    """Return how much may go back for the line at most."""
    most = case.money.left_of(case.complaint.line_id, done=done)
    unsent = most_for_missing(case, kind=kind)
    return unsent if unsent is not None and unsent.minor < most.minor else most


def most_for_missing(case: Case, *, kind: str) -> Money | None:
    """Return what may go back at most because units that were missing were paid back otherwise meanwhile.

    Nobody is paid twice for the same units: what still has not left may be paid for. None where nothing was missing
    when it was filed, nothing of it was given up since, or it is not about that.
    """
    complaint, order = case.complaint, case.order
    line_id = complaint.line_id
    if _compensates(case, kind) or not complaint.unsent or order.given_up().get(line_id, 0) <= complaint.given_up:
        return None
    return case.money.charged_unsent(line_id)


def subject(complaint: Complaint) -> dict[str, Any]:
    """Return what every event of a complaint says."""
    return {
        "complaint_id": complaint.complaint_id,
        "order_id": complaint.order_id,
        "number": len(complaint.history),
    }
