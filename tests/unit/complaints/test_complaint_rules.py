from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.complaints import domain, texts
from chalicelib.complaints.domain import FILED, Complaint, Entry, Evidence
from chalicelib.complaints.evidence import KINDS
from chalicelib.complaints.grounds import Reason
from chalicelib.complaints.refusals import AmountTooLarge, NotReopenable, TooMuchEvidence
from chalicelib.complaints.states import COMPLAINT, TURNS, Cause, Status, Turn, term_of
from chalicelib.kernel.errors import CurrencyMismatch, IdempotencyKeyReused, IllegalTransition
from chalicelib.kernel.money import Money

T0 = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


def complaint() -> Complaint:
    return Complaint(
        complaint_id="cmp_1",
        order_id="ord_1",
        line_id="1",
        buyer_id="acc_1",
        merchant_id="mer_1",
        reason=Reason.DAMAGED,
        status=COMPLAINT.initial,
        filed_at=T0,
        since=T0,
        turn_since=T0,
        history=(Entry(T0, Turn.BUYER, FILED, "broken"),),
    )


def entry(hours: float, by: Turn = Turn.BUYER) -> Entry:
    return Entry(T0 + timedelta(hours=hours), by, "")


def after(*causes: Cause) -> Complaint:
    found = complaint()
    for number, cause in enumerate(causes, start=1):
        found = domain.move(found, cause, entry(number))
    return found


def test_every_turn_has_a_deadline_and_nobodys_has_none() -> None:
    for status in Status:
        assert (TURNS[status] is Turn.NOBODY) is (COMPLAINT.timeout(status) is None)
    terms = {status.value: term.text("en") for status in Status if (term := term_of(status))}
    assert terms == {
        "awaiting_merchant": "48 hours",
        "refund_offered": "3 days, to the end of a working day",
        "remedy_offered": "3 days, to the end of a working day",
        "rejected": "3 days, to the end of a working day",
        "escalated": "3 working days",
        "merchant_asked": "16 business hours",
        "buyer_asked": "3 days, to the end of a working day",
        "appealed": "5 working days",
        "overdue": "24 hours",
        "refunding": "24 hours",
    }


def test_a_turn_begins_when_it_changes_hands_and_not_with_each_state() -> None:
    escalated = after(Cause.SILENCE)
    overdue = domain.move(escalated, Cause.SILENCE, entry(73))
    alarmed = domain.chased(overdue, Cause.SILENCE, T0 + timedelta(hours=97))

    assert (escalated.turn, escalated.turn_since) == (Turn.OPERATOR, T0 + timedelta(hours=1))
    assert (overdue.status, overdue.turn_since) == (Status.OVERDUE, escalated.turn_since)
    assert overdue.turn_due == alarmed.turn_due == escalated.due_at
    assert alarmed.due_at == T0 + timedelta(hours=121)
    assert alarmed.history == overdue.history


@pytest.mark.parametrize(
    ("minor", "line", "left", "most"),
    [(1000, 1000, 2000, None), (1001, 1000, 2000, 1000), (600, 1000, 500, 500), (0, 10, 10, 10), (-5, 10, 10, 10)],
)
def test_at_most_the_lines_price_and_what_is_left_goes_back(minor: int, line: int, left: int, most: int | None) -> None:
    if most is None:
        domain.check_amount(Money(minor), line_total=Money(line), order_left=Money(left))
        return
    with pytest.raises(AmountTooLarge) as refused:
        domain.check_amount(Money(minor), line_total=Money(line), order_left=Money(left))
    assert refused.value.members() == {"most_minor": most}


def test_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        domain.check_amount(Money(1, "USD"), line_total=Money(10), order_left=Money(10))


def test_a_complaint_is_reopened_once_and_not_long_after() -> None:
    dismissed = after(Cause.REJECT, Cause.ACCEPT)
    again = domain.reopen(dismissed, entry(3))

    assert (again.status, again.reopened) == (Status.ESCALATED, True)
    with pytest.raises(NotReopenable):
        domain.reopen(domain.move(again, Cause.DISMISS, entry(4)), entry(5))
    with pytest.raises(NotReopenable):
        domain.reopen(dismissed, entry(24 * 15 + 2.1))
    with pytest.raises(IllegalTransition):
        domain.reopen(after(Cause.WITHDRAW), entry(3))


def test_a_key_is_remembered_with_its_body() -> None:
    found = domain.move(complaint(), Cause.REJECT, Entry(T0, Turn.MERCHANT, "", intent="key", fingerprint="body"))

    assert domain.remembered(found, "key", "body")
    assert not domain.remembered(found, "other", "body")
    with pytest.raises(IdempotencyKeyReused):
        domain.remembered(found, "key", "other body")


def test_files_are_limited() -> None:
    files = tuple(Evidence(f"evd_{number}", "image/png", 1) for number in range(domain.MAX_EVIDENCE + 1))

    with pytest.raises(TooMuchEvidence):
        domain.move(complaint(), Cause.REJECT, Entry(T0, Turn.MERCHANT, "", evidence=files))


def test_every_word_is_there_in_both_languages() -> None:
    for status in Status:
        assert texts.status_text(status, "zh") != texts.status_text(status, "en")
    for turn in Turn:
        assert texts.turn_text(turn, "zh") != texts.turn_text(turn, "en")
    for reason in Reason:
        assert texts.reason_text(reason, "zh") != texts.reason_text(reason, "en")


@pytest.mark.parametrize(
    ("content_type", "good", "bad"),
    [
        ("image/jpeg", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"),
        ("image/png", b"\x89PNG\r\n\x1a\n", b"\x89PNX\r\n\x1a\n"),
        ("image/webp", b"RIFF\x00\x00\x00\x00WEBP", b"RIFF\x00\x00\x00\x00WAVE"),
        ("application/pdf", b"%PDF-1.7", b"<html>"),
        ("video/mp4", b"\x00\x00\x00\x18ftypmp42", b"\x00\x00\x00\x18moov"),
    ],
)
def test_a_file_is_known_by_its_first_bytes(content_type: str, good: bytes, bad: bytes) -> None:
    assert KINDS[content_type].begins(good)
    assert not KINDS[content_type].begins(bad)
    assert not KINDS[content_type].begins(b"")
