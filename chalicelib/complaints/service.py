"""What others may ask of complaints: every use case, by the room's one door, and what is read of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.complaints import evidence, store
from chalicelib.complaints import files as files  # noqa: PLC0414 - whoever keeps files beside a record asks here
from chalicelib.complaints.answering import (
    Answer,
    accept,
    appeal,
    ask_person,
    escalate,
    reopen,
    reply,
    state,
    withdraw,
)
from chalicelib.complaints.bundles import Bundle, bundle
from chalicelib.complaints.cases import Party, Statement, load
from chalicelib.complaints.deciding import Verdict, ask, decide
from chalicelib.complaints.domain import Complaint
from chalicelib.complaints.evidence import copy_upload, erase_copy, link_copy, place_of_copy
from chalicelib.complaints.filing import Filing, file, upload
from chalicelib.complaints.forgetting import complaints_of, files_of, forget, is_over
from chalicelib.complaints.histories import of_order, texts_of
from chalicelib.complaints.refusals import EvidenceMissing, EvidenceRefused
from chalicelib.complaints.states import Turn
from chalicelib.complaints.timing import end_refund, end_replacement, time_out, undo_refund
from chalicelib.kernel.errors import NotFound
from chalicelib.kernel.pages import Page, Window

__all__ = [
    "Answer",
    "Bundle",
    "EvidenceMissing",
    "EvidenceRefused",
    "Filing",
    "Parties",
    "Party",
    "Statement",
    "Verdict",
    "accept",
    "appeal",
    "ask",
    "ask_person",
    "bundle",
    "complaints_of",
    "copy_upload",
    "decide",
    "end_refund",
    "end_replacement",
    "erase_copy",
    "escalate",
    "file",
    "files_of",
    "forget",
    "is_over",
    "link_copy",
    "list_for",
    "load",
    "of_order",
    "parties",
    "place_of_copy",
    "reopen",
    "reply",
    "show_evidence",
    "state",
    "texts_of",
    "time_out",
    "undo_refund",
    "upload",
    "withdraw",
]


@dataclass(frozen=True, slots=True)
class Parties:
    """Whose affair a complaint is."""

    buyer_id: str
    merchant_id: str
    order_id: str
    reason: str = ""


def parties(complaint_id: str) -> Parties:
    """Return who must not judge a complaint.

    Raises:
        NotFound: if there is none.
    """
    found = store.load(complaint_id, consistent=False)
    return Parties(found.buyer_id, found.merchant_id, found.order_id, found.reason.value)


def show_evidence(party: Party, complaint_id: str, evidence_id: str) -> tuple[str, datetime]:
    """Return an address that shows one file of a complaint for some minutes.

    Raises:
        NotFound: if the complaint is not theirs, or has no such file.
    """
    for found in load(party, complaint_id).evidence:
        if found.evidence_id == evidence_id:
            return evidence.link(complaint_id, found)
    raise NotFound(what="evidence")


def list_for(party: Party, window: Window, *, waiting: bool) -> Page[Complaint]:
    """Return one page of a party's complaints: those that wait for it, most urgent first, or all, newest first.

    Operators see what waits for them.
    """
    if party.side is Turn.OPERATOR:
        return store.list_for("by_desk", store.OPERATORS, window)
    index = "by_desk" if waiting else party.side.value
    return store.list_for(index, party.owner_id, window)
