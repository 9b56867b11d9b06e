"""Everything about a complaint for an authority or a court, so that it can be checked: each part with its SHA-256.

A part is given as the very bytes that were hashed: JSON with sorted names. The entries of the history are chained, each
hash over the one before, so that none can be taken out. A file is hashed once, from its bytes, and its hash kept; few
large ones are hashed at a call, so the bundle of a complaint with many videos is whole after some calls.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from chalicelib.complaints import evidence
from chalicelib.complaints.cases import Party, load
from chalicelib.complaints.domain import Complaint, Entry
from chalicelib.complaints.states import Turn
from chalicelib.complaints.uploads import MB
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.ledger import service as ledger
from chalicelib.logistics import service as logistics
from chalicelib.merchants import service as merchants
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.payments import service as payments

HASHED_A_CALL: Final = 40 * MB
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its text, byte for byte, and the hash of that."""

    name: str
    content: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FileShown:
    """A file of the complaint: its hash, once it is known, and an address that gives it for some minutes."""

    evidence_id: str
    content_type: str
    size: int
    sha256: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Bundle:
    """All of it, and one hash over the hashes of parts and files; none while a file's is missing."""

    complaint_id: str
    made_at: datetime
    parts: tuple[Part, ...]
    files: tuple[FileShown, ...]
    sha256: str


def bundle(party: Party, complaint_id: str) -> Bundle:
    """Return the bundle of a complaint: for its buyer without what the platform books.

    Raises:
        NotFound: if the complaint is not theirs.
    """
    complaint = load(party, complaint_id, consistent=True)
    order = orders.load_order(complaint.order_id)
    parts = tuple(_part(name, said) for name, said in _parts(party, complaint, order))
    files = tuple(_files(complaint))
    hashes = [*((part.name, part.sha256) for part in parts), *((file.evidence_id, file.sha256) for file in files)]
    whole = "" if any(not found for _, found in hashes) else digest(canonical(hashes))
    return Bundle(complaint_id, clock.now(), parts, files, whole)


def canonical(said: Any) -> bytes:
    """Return the one text of something: JSON in UTF-8, names sorted, no spaces."""
    return msgspec.json.encode(said, order="sorted")


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _part(name: str, said: Any) -> Part:
    content = canonical(said)
    return Part(name, content.decode(), digest(content))


def _parts(party: Party, complaint: Complaint, order: Order) -> Iterator[tuple[str, Any]]:
    yield "complaint", _of_complaint(complaint)
    yield "history", list(_chained(complaint))
    yield "order", _of_order(order)
    yield "merchant", _of_merchant(order)
    yield "parcels", _of_parcels(order)
    refunds = [one for one in payments.payment_records(order.purchase_id).refunds if one.order_id == order.order_id]
    yield (
        "refunds",
        [
            {"refund_id": one.refund_id, "amount": _money(one.amount), "status": one.status.value, "about": one.about}
            for one in refunds
        ],
    )
    if party.side is Turn.OPERATOR:
        yield "ledger", [_of_entry(entry) for entry in ledger.entries(order.purchase_id)]


def _money(amount: Money | None) -> Json | None:
    return {"minor": amount.minor, "currency": amount.currency} if amount else None


def _of_complaint(complaint: Complaint) -> Json:
    return {
        "complaint_id": complaint.complaint_id,
        "order_id": complaint.order_id,
        "line_id": complaint.line_id,
        "buyer_id": complaint.buyer_id,
        "merchant_id": complaint.merchant_id,
        "reason": complaint.reason,
        "wishes": complaint.wishes,
        "wished": _money(complaint.wished),
        "status": complaint.status,
        "filed_at": complaint.filed_at,
        "due_at": complaint.due_at,
        "refund_id": complaint.refund_id,
        "replacement_order_id": complaint.replacement,
        "missed": {"merchant": complaint.misses, "platform": complaint.late},
        "decisions": [
            {
                "number": one.number,
                "at": one.at,
                "decision": one.cause,
                "facts": one.facts,
                "rule": one.rule,
                "payer": one.payer,
                "basis": one.basis,
                "proof": one.proof,
                "by_clock": not one.by,
            }
            for one in complaint.decisions
        ],
    }


def _chained(complaint: Complaint) -> Iterator[Json]:
    before = ""
    for number, entry in enumerate(complaint.history, start=1):
        said = _of_history(number, entry)
        before = digest(before.encode() + canonical(said))
        yield {**said, "sha256": before}


def _of_history(number: int, entry: Entry) -> Json:
    return {
        "number": number,
        "at": entry.at,
        "by": entry.by,
        "what": entry.what,
        "text": entry.text,
        "amount": _money(entry.amount),
        "kind": entry.kind,
        "evidence": [file.evidence_id for file in entry.evidence],
    }


def _of_order(order: Order) -> Json:
    return {
        "order_id": order.order_id,
        "number": order.number,
        "status": order.status,
        "placed_at": order.placed_at,
        "total": _money(order.total),
        "freight": _money(order.freight),
        "refunded": _money(order.refunded),
        "lines": [
            {
                "line_id": line.line_id,
                "sku_id": line.sku_id,
                "title": line.title,
                "options": line.options,
                "quantity": line.quantity,
                "total": _money(line.total),
            }
            for line in order.lines
        ],
        "history": [{"status": change.status, "at": change.at} for change in order.history],
    }


def _of_merchant(order: Order) -> Json:
    """Return who sold it, under the name of that day and of today (ECL 61)."""
    merchant = merchants.load_now(order.merchant_id)
    return {
        "merchant_id": order.merchant_id,
        "name_on_order": order.merchant_name,
        "name": merchant.name if merchant else None,
        "since": merchant.created_at if merchant else None,
    }


def _of_parcels(order: Order) -> list[Json]:
    return [
        {
            "shipment_id": parcel.shipment_id,
            "carrier": parcel.carrier,
            "number": parcel.number,
            "lines": parcel.lines,
            "shipped_at": parcel.shipped_at,
            "delivered_at": parcel.delivered_at,
            "status": parcel.status,
        }
        for parcel in logistics.of_order(order.order_id)
    ]


def _of_entry(entry: ledger.Entry) -> Json:
    return {
        "entry_id": entry.entry_id,
        "at": entry.at,
        "postings": [{"account": one.account, "amount": _money(one.amount)} for one in entry.postings],
    }


def _files(complaint: Complaint) -> Iterator[FileShown]:
    left = HASHED_A_CALL
    for file in complaint.evidence:
        known = evidence.known_hash(file)
        if not known and file.size <= left:
            left -= file.size
            known = evidence.hashed(complaint.complaint_id, file)
        url, expires_at = evidence.link(complaint.complaint_id, file)
        yield FileShown(file.evidence_id, file.content_type, file.size, known, url, expires_at)
