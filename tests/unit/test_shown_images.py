"""What the audit shows of a changed row is, by the inventory of personal data, nobody's, or staff's own act."""

from __future__ import annotations

from chalicelib.oversight import images
from chalicelib.privacy import inventory
from chalicelib.privacy.holdings import HOLDINGS
from tools.checks import personal
from tools.shared import leaves

STAFF = [holding for holding in HOLDINGS if "audit/AuditRow.by" in holding.places]
STATES = {
    "bookings/BookingRow.doc.history.what",
    "complaints/ComplaintRow.doc.history.kind",
    "complaints/ComplaintRow.doc.history.what",
    "feedback/DayRow.day",
    "orders/OrderRow.doc.history.status",
    "orders/PurchaseRow.doc.history.status",
    "reconciliations/CaseRow.doc.history.how",
    "requests/RequestRow.doc.history.offer.currency",
    "requests/RequestRow.doc.history.what",
    "reconciliations/CaseRow.doc.history.status",
    "reconciliations/LineRow.doc.line.currency",
    "reconciliations/LineRow.doc.line.status",
    "returns/ReturnRow.doc.history.what",
    "risk/ReviewRow.status",
    "shipments/ShipmentRow.doc.word.status",
}
"""States, kinds and days inside histories, words, lines and reviews that are declared as a whole."""


def _held(where: str) -> list[str]:
    return [str(one.places) for one in inventory.matching(where, HOLDINGS) if one not in STAFF]


def test_words_are_shown_only_where_the_inventory_calls_them_nobodys_or_staffs() -> None:
    """Under these names stand, in every table, words out of lists of ours."""
    free = [leaf for leaf in leaves.of_rows() if leaves.is_free(leaf.kind)]
    shown = [leaf.where for leaf in free if images.may_show(leaf.where.split("Row.", 1)[-1], "a_word")]
    assert {where for where in shown if _held(where) or not personal._is_declared(where)} == STATES
    assert len(shown) > 40


def test_no_word_of_what_is_sealed_is_shown() -> None:
    sealed = [holding for holding in HOLDINGS if holding.sealed]
    inside = [
        leaf for leaf in leaves.of_rows() if any(one in sealed for one in inventory.matching(leaf.where, HOLDINGS))
    ]
    assert inside
    assert [leaf.where for leaf in inside if images.may_show(leaf.where.split("Row.", 1)[-1], "a_word")] == []
