"""Rows of the ``complaints`` table: complaints, and for each order which of its lines have an open one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.complaints.domain import Complaint, Decision, Entry, Evidence
from chalicelib.complaints.grounds import Basis, Payer, Reason, Wish
from chalicelib.complaints.states import Cause, Status, Turn
from chalicelib.kernel import ids
from chalicelib.kernel.calendars import Due
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.events import Event
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page, Window
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, DueIndex, DueRow, Row, region
from chalicelib.runtime.db.work import UnitOfWork

OPERATORS = "operator"


class _EntryDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    at_ms: int
    by: str
    what: str
    text: str = ""
    amount_minor: int | None = None
    evidence: tuple[tuple[str, str, int], ...] = ()
    intent: str = ""
    fingerprint: str = ""
    kind: str = ""


class _DecisionDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    number: int
    at_ms: int
    cause: str
    facts: str
    rule: str
    payer: str = ""
    basis: str = ""
    proof: tuple[str, ...] = ()
    by: str = ""
    refund_id: str = ""


class _ComplaintDoc(msgspec.Struct, omit_defaults=True):
    order_id: str
    line_id: str
    reason: str
    turn_ms: int
    fingerprint: str
    currency: str = "CNY"
    history: tuple[_EntryDoc, ...] = ()
    offer_minor: int | None = None
    refund_id: str | None = None
    refund_minor: int | None = None
    refunds: int = 0
    reopened: bool = False
    unsent: int = 0
    given_up: int = 0
    # What rows of a release before terms do not say.
    wishes: tuple[str, ...] = ()
    wished_minor: int | None = None
    due_ms: int = 0
    estimated: bool = False
    misses: int = 0
    late: int = 0
    person: bool = False
    appealed_by: str = ""
    decisions: tuple[_DecisionDoc, ...] = ()
    remedy: str = ""
    units: int = 0
    replacement: str = ""
    replacements: int = 0


class BuyerIndex(GlobalSecondaryIndex["ComplaintRow"]):
    """A buyer's complaints, newest first."""

    class Meta:
        index_name = "buyer"
        projection = KeysOnlyProjection()

    buyer_id = UnicodeAttribute(hash_key=True)
    filed_ms = NumberAttribute(range_key=True)


class MerchantIndex(GlobalSecondaryIndex["ComplaintRow"]):
    """A merchant's complaints, newest first."""

    class Meta:
        index_name = "merchant"
        projection = KeysOnlyProjection()

    merchant_id = UnicodeAttribute(hash_key=True)
    filed_ms = NumberAttribute(range_key=True)


class DeskIndex(GlobalSecondaryIndex["ComplaintRow"]):
    """Sparse: what waits for somebody (a buyer, a merchant, the operators), most urgent first."""

    class Meta:
        index_name = "desk"
        projection = KeysOnlyProjection()

    desk = UnicodeAttribute(hash_key=True)
    turn_due_s = NumberAttribute(range_key=True)


class ComplaintRow(DueRow):
    """Key: complaint_id."""

    class Meta:
        table_name = names.table_name("complaints")
        region = region()

    complaint_id = UnicodeAttribute(hash_key=True)
    buyer_id = UnicodeAttribute()
    merchant_id = UnicodeAttribute()
    filed_ms = NumberAttribute()
    status = UnicodeAttribute()
    since_ms = NumberAttribute()
    desk = UnicodeAttribute(null=True)
    turn_due_s = NumberAttribute(null=True)
    doc = DocumentAttribute[_ComplaintDoc](_ComplaintDoc)
    due = DueIndex()
    buyer = BuyerIndex()
    merchant = MerchantIndex()
    by_desk = DeskIndex()


class OpenRow(Row):
    """Key: ``open_<order's body>_<number>``. The open complaints of an order: ``{line_id: complaint_id}``.

    Written in the transaction that opens or closes one, so that a line has one at a time.
    """

    class Meta:
        table_name = names.table_name("complaints")
        region = region()

    complaint_id = UnicodeAttribute(hash_key=True)
    lines = DocumentAttribute[dict[str, str]](dict[str, str])
    filed = DocumentAttribute[dict[str, int]](dict[str, int], null=True)
    """How many were ever filed about each line; rows of old do not say."""


class FiledRow(Row):
    """Key: ``filed_<account's body>``. When an account filed complaints lately."""

    class Meta:
        table_name = names.table_name("complaints")
        region = region()

    complaint_id = UnicodeAttribute(hash_key=True)
    moments_s = DocumentAttribute[tuple[int, ...]](tuple[int, ...])


@dataclass(frozen=True, slots=True)
class OpenLines:
    """The open complaints of one order, by line."""

    order_id: str
    lines: dict[str, str] = field(default_factory=dict)
    filed: dict[str, int] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Filed:
    """When an account filed complaints lately."""

    account_id: str
    moments: tuple[datetime, ...] = ()
    version: int = 0


def load(complaint_id: str, *, consistent: bool = True) -> Complaint:
    """Read one complaint.

    Raises:
        NotFound: if there is none.
    """
    found = find(complaint_id, consistent=consistent)
    if found is None:
        raise NotFound(what="complaint")
    return found


def find(complaint_id: str, *, consistent: bool = True) -> Complaint | None:
    """Read one complaint, or None."""
    if not ids.is_id("cmp", complaint_id):
        return None
    row = reads.get(ComplaintRow, complaint_id, consistent=consistent)
    return _complaint(row) if row is not None else None


def open_lines(order_id: str) -> OpenLines:
    """Read which lines of an order have an open complaint, consistently."""
    row = reads.get(OpenRow, _open_key(order_id), consistent=True)
    if row is None:
        return OpenLines(order_id)
    return OpenLines(order_id, row.lines, row.filed or {}, int(row.version))


def filed(account_id: str) -> Filed:
    """Read when an account filed complaints lately, consistently."""
    row = reads.get(FiledRow, _filed_key(account_id), consistent=True)
    if row is None:
        return Filed(account_id)
    return Filed(account_id, tuple(datetime.fromtimestamp(s, UTC) for s in row.moments_s), int(row.version))


def save_filed(work: UnitOfWork, before: Filed, moments: Sequence[datetime]) -> None:
    """Add the account's row of filings to the work."""
    seconds = tuple(int(moment.timestamp()) for moment in moments)
    work.save(
        FiledRow(complaint_id=_filed_key(before.account_id), moments_s=seconds, version=before.version), label="filed"
    )


def _filed_key(account_id: str) -> str:
    return f"filed_{account_id.removeprefix('acc_')}"


def save(work: UnitOfWork, complaint: Complaint, events: Sequence[Event] = ()) -> None:
    """Add the complaint's row to the work."""
    work.save(_row(complaint), events=events, label="complaint")


def save_open_lines(
    work: UnitOfWork, held: OpenLines, lines: dict[str, str], *, filed: dict[str, int] | None = None
) -> None:
    """Add the order's row of open lines to the work; ``filed`` where one more was filed."""
    counts = held.filed if filed is None else filed
    row = OpenRow(complaint_id=_open_key(held.order_id), lines=lines, filed=counts or None, version=held.version)
    work.save(row, label="open lines")


def list_for(index: str, hash_key: str, window: Window) -> Page[Complaint]:
    """Read one page of ``buyer``, ``merchant`` (newest first) or ``by_desk`` (most urgent first)."""
    page = reads.windowed(
        ComplaintRow, hash_key, window, index=getattr(ComplaintRow, index), descending=index != "by_desk"
    )
    wanted = [item["complaint_id"]["S"] for item in page.items]
    found = reads.get_many((ComplaintRow, complaint_id, None) for complaint_id in wanted) if wanted else {}
    rows = [found.get((complaint_id, None)) for complaint_id in wanted]
    return Page([_complaint(row) for row in rows if isinstance(row, ComplaintRow)], page.after)


def _open_key(order_id: str) -> str:
    return f"open_{order_id.removeprefix('ord_')}"


def _desk(complaint: Complaint) -> str | None:
    return {
        Turn.BUYER: complaint.buyer_id,
        Turn.MERCHANT: complaint.merchant_id,
        Turn.OPERATOR: OPERATORS,
    }.get(complaint.turn)


def _entry_doc(entry: Entry) -> _EntryDoc:
    return _EntryDoc(
        at_ms=epoch_ms(entry.at),
        by=entry.by.value,
        what=entry.what,
        text=entry.text,
        amount_minor=entry.amount.minor if entry.amount else None,
        evidence=tuple((file.evidence_id, file.content_type, file.size) for file in entry.evidence),
        intent=entry.intent,
        fingerprint=entry.fingerprint,
        kind=entry.kind,
    )


def _decision_doc(decision: Decision) -> _DecisionDoc:
    return _DecisionDoc(
        number=decision.number,
        at_ms=epoch_ms(decision.at),
        cause=decision.cause.value,
        facts=decision.facts,
        rule=decision.rule,
        payer=decision.payer.value if decision.payer else "",
        basis=decision.basis.value if decision.basis else "",
        proof=decision.proof,
        by=decision.by,
        refund_id=decision.refund_id,
    )


def _decision(doc: _DecisionDoc) -> Decision:
    return Decision(
        number=doc.number,
        at=from_epoch_ms(doc.at_ms),
        cause=Cause(doc.cause),
        facts=doc.facts,
        rule=doc.rule,
        payer=Payer(doc.payer) if doc.payer else None,
        basis=Basis(doc.basis) if doc.basis else None,
        proof=doc.proof,
        by=doc.by,
        refund_id=doc.refund_id,
    )


def _entry(doc: _EntryDoc, currency: str) -> Entry:
    return Entry(
        at=from_epoch_ms(doc.at_ms),
        by=Turn(doc.by),
        what=doc.what,
        text=doc.text,
        amount=_money(doc.amount_minor, currency),
        evidence=tuple(Evidence(*file) for file in doc.evidence),
        intent=doc.intent,
        fingerprint=doc.fingerprint,
        kind=doc.kind,
    )


def _money(minor: int | None, currency: str) -> Money | None:
    return Money(minor, currency) if minor is not None else None


def _row(complaint: Complaint) -> ComplaintRow:
    amounts = [amount for amount in (complaint.wished, *(entry.amount for entry in complaint.history)) if amount]
    desk = _desk(complaint)
    turn_due = complaint.turn_due
    row = ComplaintRow(
        complaint_id=complaint.complaint_id,
        buyer_id=complaint.buyer_id,
        merchant_id=complaint.merchant_id,
        filed_ms=epoch_ms(complaint.filed_at),
        status=complaint.status.value,
        since_ms=epoch_ms(complaint.since),
        desk=desk,
        turn_due_s=int(turn_due.timestamp()) if desk and turn_due else None,
        doc=_ComplaintDoc(
            order_id=complaint.order_id,
            line_id=complaint.line_id,
            reason=complaint.reason.value,
            turn_ms=epoch_ms(complaint.turn_since),
            fingerprint=complaint.fingerprint,
            currency=amounts[0].currency if amounts else "CNY",
            history=tuple(_entry_doc(entry) for entry in complaint.history),
            offer_minor=complaint.offer.minor if complaint.offer else None,
            refund_id=complaint.refund_id,
            refund_minor=complaint.refund.minor if complaint.refund else None,
            refunds=complaint.refunds,
            reopened=complaint.reopened,
            unsent=complaint.unsent,
            given_up=complaint.given_up,
            wishes=tuple(wish.value for wish in complaint.wishes),
            wished_minor=complaint.wished.minor if complaint.wished else None,
            due_ms=epoch_ms(complaint.due.at) if complaint.due else 0,
            estimated=complaint.due.estimated if complaint.due else False,
            misses=complaint.misses,
            late=complaint.late,
            person=complaint.person,
            appealed_by=complaint.appealed_by.value if complaint.appealed_by else "",
            decisions=tuple(_decision_doc(one) for one in complaint.decisions),
            remedy=complaint.remedy,
            units=complaint.units,
            replacement=complaint.replacement,
            replacements=complaint.replacements,
        ),
        version=complaint.version,
    )
    row.set_due(complaint.due_at, complaint.complaint_id)
    return row


def _complaint(row: ComplaintRow) -> Complaint:
    doc = row.doc
    return Complaint(
        complaint_id=row.complaint_id,
        order_id=doc.order_id,
        line_id=doc.line_id,
        buyer_id=row.buyer_id,
        merchant_id=row.merchant_id,
        reason=Reason(doc.reason),
        status=Status(row.status),
        filed_at=from_epoch_ms(row.filed_ms),
        since=from_epoch_ms(row.since_ms),
        turn_since=from_epoch_ms(doc.turn_ms),
        history=tuple(_entry(entry, doc.currency) for entry in doc.history),
        offer=_money(doc.offer_minor, doc.currency),
        refund_id=doc.refund_id,
        refund=_money(doc.refund_minor, doc.currency),
        refunds=doc.refunds,
        reopened=doc.reopened,
        unsent=doc.unsent,
        given_up=doc.given_up,
        fingerprint=doc.fingerprint,
        version=int(row.version),
        wishes=tuple(Wish(wish) for wish in doc.wishes),
        wished=_money(doc.wished_minor, doc.currency),
        remedy=doc.remedy,
        due=Due(from_epoch_ms(doc.due_ms), doc.estimated) if doc.due_ms else None,
        misses=doc.misses,
        late=doc.late,
        person=doc.person,
        appealed_by=Turn(doc.appealed_by) if doc.appealed_by else None,
        decisions=tuple(_decision(one) for one in doc.decisions),
        units=doc.units,
        replacement=doc.replacement,
        replacements=doc.replacements,
    )
