"""Operators read words beside each code that waits for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import chalicelib
from chalicelib.complaints import texts as complaint_texts
from chalicelib.complaints.domain import FILED, PERSON, Entry
from chalicelib.complaints.schemas import EntryView
from chalicelib.complaints.states import Cause, Turn
from chalicelib.kernel.money import Money
from chalicelib.payments.domain import operator_texts
from chalicelib.payments.domain.approval import Approval, ApprovalStatus
from chalicelib.payments.domain.dispute import Dispute, DisputeStatus
from chalicelib.payments.domain.payment_records import Quarantined
from chalicelib.payments.domain.refund_request import RefundRequest
from chalicelib.payments.refunds import external
from chalicelib.payments.refunds.schemas import ApprovalView
from chalicelib.payments.reviews.schemas import DisputeView, QuarantinedView

ROOT = Path(chalicelib.__file__).parent / "payments"
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEEPING = {"put_aside": 1, "put_aside_with": 2, "doubt": 1}
"""What keeps something that was said, and which of its arguments says why."""


def _reasons() -> Iterator[str]:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                why = node.args[KEEPING[name]] if name in KEEPING and len(node.args) > KEEPING[name] else None
                if isinstance(why, ast.Constant):
                    yield str(why.value)


def test_every_code_has_both_texts_and_no_text_is_a_code() -> None:
    assert set(operator_texts.KEPT_NOTICES) == {*_reasons(), external.WHY}
    assert set(operator_texts.DISPUTES) == set(DisputeStatus)
    assert set(operator_texts.APPROVALS) == set(ApprovalStatus)
    assert set(complaint_texts.HAPPENED) == {FILED, PERSON, *Cause}
    tables = (
        operator_texts.KEPT_NOTICES,
        operator_texts.DISPUTES,
        operator_texts.DISPUTE_REASONS,
        operator_texts.APPROVALS,
        complaint_texts.HAPPENED,
    )
    for english, chinese in (pair for table in tables for pair in table.values()):
        assert english.isascii(), english
        assert not re.search(r"[a-z]_[a-z]", english), english
        assert re.search(r"[\u4e00-\u9fff]", chinese), chinese


def test_what_an_operator_is_shown_says_it_in_words() -> None:
    kept = QuarantinedView.of(Quarantined("qua_a", "pur_a", "pay_a", "second_capture", NOON))
    assert (kept.why, kept.why_text) == (
        "second_capture",
        "It was paid once more, under another transaction number",
    )
    unheard_of = QuarantinedView.of(Quarantined("qua_a", "pur_a", "pay_a", "from_tomorrow", NOON))
    assert unheard_of.why_text == "for another reason"

    dispute = Dispute(
        *("dsp_a", "pur_a", "pay_a", "stripe", "du_1", DisputeStatus.LOST, Money(100), NOON, NOON, "fraudulent")
    )
    shown = DisputeView.of(dispute)
    assert (shown.status_text, shown.reason_text) == (
        "Decided for the payer",
        "The payer says that somebody else used the card",
    )

    approval = Approval(
        *("apr_a", "pur_a", RefundRequest("ord_a", "late"), Money(100), ApprovalStatus.EXPIRED, "acc_a", NOON, NOON, "")
    )
    assert ApprovalView.of(approval).status_text == "No second person answered in time"

    entry = EntryView.of(Entry(NOON, Turn.PLATFORM, Cause.REFUND_BOUNCED))
    assert (entry.by_text, entry.what_text, entry.text) == ("the refund", "The refund came back from the bank", None)
