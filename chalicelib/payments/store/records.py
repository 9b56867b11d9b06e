"""Reads and writes of the ``payments`` table: all records of a purchase lie in its partition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms
from chalicelib.kernel.events import Event
from chalicelib.kernel.pages import Page, Place, Window
from chalicelib.payments.domain.approval import Approval
from chalicelib.payments.domain.bill import BOOKED_SHARDS
from chalicelib.payments.domain.dispute import Dispute
from chalicelib.payments.domain.payment import Payment, UnknownPayment
from chalicelib.payments.domain.payment_records import PaymentRecords, Quarantined
from chalicelib.payments.domain.refund import Refund
from chalicelib.payments.domain.stray import Stray
from chalicelib.payments.store.payment_rows import PaymentRow, payment_of, payment_row
from chalicelib.payments.store.refund_rows import RefundRow, refund_of, refund_row
from chalicelib.payments.store.review_rows import (
    ApprovalRow,
    DisputeRow,
    QuarantinedRow,
    approval_of,
    approval_row,
    dispute_of,
    dispute_row,
    quarantined_of,
    quarantined_row,
)
from chalicelib.payments.store.rows import RecordRow
from chalicelib.payments.store.stray_rows import StrayRow, stray_of, stray_row
from chalicelib.runtime.db import races, reads
from chalicelib.runtime.db.lookups import Found, Lookup
from chalicelib.runtime.db.rows import DUE_SHARDS
from chalicelib.runtime.db.work import UnitOfWork

_KINDS: dict[str, type[RecordRow]] = {
    "pay": PaymentRow,
    "ref": RefundRow,
    "qua": QuarantinedRow,
    "apr": ApprovalRow,
    "dsp": DisputeRow,
    "str": StrayRow,
}


def load_records(purchase_id: str, *, consistent: bool = True) -> PaymentRecords:
    """Read everything of a purchase's payments in one Query."""
    return _assemble(reads.query_items(RecordRow, purchase_id, consistent=consistent))


def waiting(purchase_id: str) -> list[str]:
    """Return the records of a purchase that wait: for a person, for their deadline, or laid by because it failed."""
    waits = ("attention", "due_shard", "parked")
    items = reads.query_items(RecordRow, purchase_id, consistent=True)
    return [item["id"]["S"] for item in items if any(name in item for name in waits)]


def load_payment(payment_id: str, *, consistent: bool = True) -> Payment:
    """Read one attempt.

    Raises:
        UnknownPayment: if there is none.
    """
    row = None
    if ids.is_id("pay", payment_id):
        row = reads.get(PaymentRow, ids.parent_id("pur", payment_id), payment_id, consistent=consistent)
    if row is None:
        raise UnknownPayment(what="payment", payment_id=payment_id)
    return payment_of(row)


def payment_lookup(payment_id: str) -> Lookup[Payment | None]:
    """Say how one attempt is read with something else, perhaps stale; None if there is none."""

    def found(rows: Found) -> Payment | None:
        row = rows.row(PaymentRow, purchase_id, payment_id)
        return payment_of(row) if row is not None else None

    purchase_id = ids.parent_id("pur", payment_id)
    return Lookup.of([(PaymentRow, purchase_id, payment_id)], found)


def load_quarantined(purchase_id: str, quarantine_id: str) -> Quarantined | None:
    """Read one quarantined notice, or None."""
    if not ids.is_id("qua", quarantine_id):  # Other kinds of records stand beside it.
        return None
    row = reads.get(QuarantinedRow, purchase_id, quarantine_id, consistent=True)
    return quarantined_of(row) if row is not None else None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """One page of a list of records, and where it goes on."""

    records: PaymentRecords
    after: Place | None


def list_attention(kind: str, window: Window, *, until: datetime) -> RecordPage:
    """Read one page of what has waited for an operator since a moment or longer, oldest first."""
    page = reads.windowed(
        RecordRow,
        kind,
        window,
        index=RecordRow.attentions,
        range_condition=RecordRow.attention_ms <= epoch_ms(until),
    )
    return RecordPage(_load(page.items), page.after)


def list_booked(day_key: str, window: Window, *, shard: int) -> Page[str]:
    """Read one page of the records of a provider's day, as ``payments`` know it; one of :data:`BOOKED_SHARDS`."""
    page = reads.windowed(RecordRow, f"{day_key}#{shard}", window, index=RecordRow.booked)
    return Page([item["id"]["S"] for item in page.items], page.after)


def list_day(day_key: str, window: Window) -> RecordPage:
    """Read one page of the captures and refunds of a provider's day, shard by shard."""
    start_key = window.after
    shard = int(start_key["booked_on"]["S"].rpartition("#")[2]) if start_key else 0
    items: list[reads.Raw] = []
    while True:
        page = reads.query(
            RecordRow,
            f"{day_key}#{shard}",
            index=RecordRow.booked,
            limit=window.limit - len(items),
            start_key=start_key if start_key and "id" in start_key else None,
        )
        items += page.items
        start_key = page.after
        shard += 1
        if start_key is not None or shard == BOOKED_SHARDS:
            return RecordPage(_load(items), start_key)
        if len(items) >= window.limit:  # The next page begins a shard.
            return RecordPage(_load(items), {"booked_on": {"S": f"{day_key}#{shard}"}})


def load_by_id(record_ids: Iterable[str]) -> dict[str, Payment | Refund]:
    """Read attempts and refunds by their ids, consistently, a hundred a call; missing ones are absent."""
    kinds: dict[str, type[RecordRow]] = {"pay": PaymentRow, "ref": RefundRow}
    wanted = [
        (kinds[record_id[:3]], ids.parent_id("pur", record_id), record_id)
        for record_id in record_ids
        if record_id[:3] in kinds and ids.is_id(record_id[:3], record_id)
    ]
    found: dict[str, Payment | Refund] = {}
    for row in reads.get_many(wanted, consistent=True).values():
        if isinstance(row, PaymentRow):
            found[row.id] = payment_of(row)
        elif isinstance(row, RefundRow):
            found[row.id] = refund_of(row)
    return found


def list_due(window: Window) -> RecordPage:
    """Read one page of what waits for a provider, shard by shard, the next to be asked first in each."""
    start_key = window.after
    shard = int(start_key["due_shard"]["S"].removeprefix("due")) if start_key else 0
    items: list[reads.Raw] = []
    while True:
        page = reads.query(
            RecordRow, f"due{shard}", index=RecordRow.due, limit=window.limit - len(items), start_key=start_key
        )
        items += page.items
        start_key = page.after
        if start_key is not None or shard == DUE_SHARDS - 1:
            return RecordPage(_load(items), start_key)
        if len(items) >= window.limit:
            return RecordPage(_load(items), {**_keys_of(items[-1]), "due_shard": {"S": f"due{shard}"}})
        shard += 1


def _keys_of(item: reads.Raw) -> reads.Raw:
    return {name: item[name] for name in ("purchase_id", "id", "due_shard", "due_at")}


def _load(items: Sequence[reads.Raw]) -> PaymentRecords:
    wanted = [(_KINDS[item["id"]["S"].split("_")[0]], item["purchase_id"]["S"], item["id"]["S"]) for item in items]
    found = reads.get_many(wanted)
    return _of_rows(found[(hash_key, range_key)] for _, hash_key, range_key in wanted if (hash_key, range_key) in found)


def save_payment(work: UnitOfWork, payment: Payment, events: Sequence[Event] = ()) -> None:
    """Add the attempt's row to the work; a rival's write first, or its creation by one, is a ``ConcurrentUpdate``."""
    work.save(payment_row(payment), events=events, label=payment.payment_id, refuse=races.lost)


def save_refund(work: UnitOfWork, refund: Refund, events: Sequence[Event] = ()) -> None:
    """Add the refund's row to the work; as :func:`save_payment`."""
    work.save(refund_row(refund), events=events, label=refund.refund_id, refuse=races.lost)


def save_quarantined(work: UnitOfWork, quarantined: Quarantined, events: Sequence[Event] = ()) -> None:
    """Add the quarantined notice to the work; refused with ``AlreadyExists`` if the same was said before."""
    work.save(quarantined_row(quarantined), events=events, label=quarantined.quarantine_id)


def load_approval(purchase_id: str, approval_id: str) -> Approval | None:
    """Read one approval, or None."""
    if not ids.is_id("apr", approval_id):
        return None
    row = reads.get(ApprovalRow, purchase_id, approval_id, consistent=True)
    return approval_of(row) if row is not None else None


def save_approval(work: UnitOfWork, approval: Approval) -> None:
    """Add the approval's row to the work; refused with ``AlreadyExists`` if the same request asked for it before."""
    work.save(approval_row(approval), label=approval.approval_id)


def load_dispute(purchase_id: str, dispute_id: str) -> Dispute | None:
    """Read one dispute, or None."""
    row = reads.get(DisputeRow, purchase_id, dispute_id, consistent=True)
    return dispute_of(row) if row is not None else None


def save_dispute(work: UnitOfWork, dispute: Dispute, events: Sequence[Event] = ()) -> None:
    """Add the dispute's row to the work; a rival's write first, or its creation by one, is a ``ConcurrentUpdate``."""
    work.save(dispute_row(dispute), events=events, label=dispute.dispute_id, refuse=races.lost)


def load_stray(stray_id: str) -> Stray | None:
    """Read one stray, or None."""
    row = reads.get(StrayRow, stray_id, stray_id, consistent=True) if ids.is_id("str", stray_id) else None
    return stray_of(row) if row is not None else None


def save_stray(work: UnitOfWork, stray: Stray, events: Sequence[Event] = ()) -> None:
    """Add the stray's row to the work; a rival's write first, or its creation by one, is a ``ConcurrentUpdate``."""
    work.save(stray_row(stray), events=events, label=stray.stray_id, refuse=races.lost)


def _assemble(items: Iterable[reads.Raw]) -> PaymentRecords:
    rows: list[RecordRow] = []
    for item in items:
        kind = item["id"]["S"].split("_")[0]
        model = _KINDS.get(kind, QuarantinedRow)
        rows.append(model.from_raw_data(item))
    return _of_rows(rows)


def _of_rows(rows: Iterable[object]) -> PaymentRecords:
    payments: list[Payment] = []
    refunds: list[Refund] = []
    quarantined: list[Quarantined] = []
    approvals: list[Approval] = []
    disputes: list[Dispute] = []
    strays: list[Stray] = []
    for row in rows:
        if isinstance(row, PaymentRow):
            payments.append(payment_of(row))
        elif isinstance(row, RefundRow):
            refunds.append(refund_of(row))
        elif isinstance(row, QuarantinedRow):
            quarantined.append(quarantined_of(row))
        elif isinstance(row, ApprovalRow):
            approvals.append(approval_of(row))
        elif isinstance(row, DisputeRow):
            disputes.append(dispute_of(row))
        elif isinstance(row, StrayRow):
            strays.append(stray_of(row))
    return PaymentRecords(
        tuple(payments), tuple(refunds), tuple(quarantined), tuple(approvals), tuple(disputes), tuple(strays)
    )
