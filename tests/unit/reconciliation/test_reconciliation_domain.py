"""What a line of a bill is, given our record: the whole table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.reconciliation import domain
from chalicelib.reconciliation.domain import Finding, Kind, Line, Ours, Verdict

BODY = "0123456789abcdefghjkmnpq"
REFUND, PAYMENT = f"ref_{BODY}_01", f"pay_{BODY}_01"
LINE = Line(1, Kind.REFUND, PAYMENT, "pi_1", 700, "CNY", "", 0, "succeeded", REFUND, "re_1")
OURS = Ours(REFUND, f"pur_{BODY}", "stripe", "succeeded", done=True, open=False, minor=700, currency="CNY")
STATES: dict[str, dict[str, Any]] = {
    "succeeded": {"done": True, "open": False},
    "pending": {"done": False, "open": True},
    "closed": {"done": False, "open": False},
    "came back": {"done": False, "open": False, "came_back": True},
}
MATCH, ASK = ("match", "", False), ("match", "", True)
RETURNED, STATE = ("differs", "returned", True), ("differs", "state", True)


def missing(why: str) -> tuple[str, str, bool]:
    return ("missing_here", why, True)


@pytest.mark.parametrize(
    ("kind", "word", "state", "expected"),
    [
        (Kind.REFUND, "succeeded", "succeeded", MATCH),
        (Kind.REFUND, "succeeded", "pending", missing("pending")),
        (Kind.REFUND, "succeeded", "closed", missing("closed")),
        (Kind.REFUND, "succeeded", "came back", MATCH),
        (Kind.REFUND, "pending", "succeeded", MATCH),
        (Kind.REFUND, "pending", "pending", MATCH),
        (Kind.REFUND, "pending", "closed", missing("closed")),
        (Kind.REFUND, "pending", "came back", MATCH),
        (Kind.REFUND, "failed", "succeeded", STATE),
        (Kind.REFUND, "failed", "pending", ASK),
        (Kind.REFUND, "failed", "closed", MATCH),
        (Kind.REFUND, "failed", "came back", MATCH),
        (Kind.REFUND_RETURNED, "failed", "succeeded", RETURNED),
        (Kind.REFUND_RETURNED, "failed", "pending", RETURNED),
        (Kind.REFUND_RETURNED, "failed", "closed", MATCH),
        (Kind.REFUND_RETURNED, "failed", "came back", MATCH),
        (Kind.PAYMENT, "succeeded", "succeeded", MATCH),
        (Kind.PAYMENT, "pending", "pending", MATCH),
        (Kind.PAYMENT, "pending", "succeeded", MATCH),
        (Kind.PAYMENT, "pending", "closed", missing("closed")),
        (Kind.PAYMENT, "failed", "succeeded", ("differs", "state", False)),
        (Kind.PAYMENT, "failed", "pending", ASK),
        (Kind.PAYMENT, "failed", "closed", MATCH),
        (Kind.PAYMENT, "", "pending", missing("pending")),
    ],
)
def test_every_word_of_the_bill_against_every_state(
    kind: Kind, word: str, state: str, expected: tuple[str, str, bool]
) -> None:
    ours = replace(OURS, status=state, **STATES[state])
    verdict = domain.judge(replace(LINE, kind=kind, status=word), ours, provider="stripe")
    assert (verdict.finding.value, verdict.why, verdict.ask) == expected


@pytest.mark.parametrize("kind", [Kind.REFUND, Kind.REFUND_RETURNED])
@pytest.mark.parametrize("state", ["came back", "closed"])
def test_amounts_are_compared_of_what_came_back_too(kind: Kind, state: str) -> None:
    ours = replace(OURS, minor=699, **STATES[state])
    verdict = domain.judge(replace(LINE, kind=kind, status="succeeded"), ours, provider="stripe")
    expected = "differs" if kind is Kind.REFUND_RETURNED or state == "came back" else "missing_here"
    assert verdict.finding.value == expected


@pytest.mark.parametrize(
    ("kind", "finding", "why"),
    [
        (Kind.REFUND, Finding.UNKNOWN_REFUND, ""),
        (Kind.REFUND_RETURNED, Finding.DIFFERS, "returned"),
        (Kind.DISPUTE, Finding.DISPUTE, "dispute"),
        (Kind.PAYMENT, Finding.MISSING_HERE, "unknown_payment"),
        (Kind.OTHER, Finding.OTHER, ""),
    ],
)
def test_what_we_do_not_have_is_never_asked_about(kind: Kind, finding: Finding, why: str) -> None:
    assert domain.judge(replace(LINE, kind=kind), None, provider="stripe") == Verdict(finding, why)


def test_a_dispute_is_compared_with_ours() -> None:
    line = replace(LINE, kind=Kind.DISPUTE, dispute="dp_1", given_back=True)
    assert domain.judge(line, OURS, provider="stripe") == Verdict(Finding.MATCH)
    assert domain.judge(line, replace(OURS, minor=1), provider="stripe") == Verdict(Finding.DIFFERS, "amount")
    assert domain.judge(line, replace(OURS, currency="USD"), provider="stripe").why == "currency"


@pytest.mark.parametrize(
    ("before", "done", "healed"),
    [
        (Verdict(Finding.MISSING_HERE, "pending"), True, True),
        (Verdict(Finding.MISSING_HERE, "pending"), False, False),
        (Verdict(Finding.DIFFERS, "returned"), False, True),
        (Verdict(Finding.DIFFERS, "returned"), True, False),
        (Verdict(Finding.DIFFERS, "state"), False, True),
        (Verdict(Finding.DIFFERS, "amount"), False, False),
        (Verdict(Finding.MATCH), True, False),
    ],
)
def test_what_an_answer_healed(before: Verdict, done: bool, healed: bool) -> None:
    assert domain.healed(before, replace(OURS, done=done)) is healed


def test_keys_tell_movements_apart() -> None:
    dispute = replace(LINE, kind=Kind.DISPUTE, dispute="dp_1", refund_id="", provider_refund_id="")
    keys = [
        LINE.key,
        replace(LINE, kind=Kind.REFUND_RETURNED).key,
        replace(LINE, refund_id="", provider_refund_id="re_2").key,
        dispute.key,
        replace(dispute, given_back=True).key,
        replace(dispute, dispute="dp_2").key,
        replace(dispute, dispute="").key,
    ]
    assert len(set(keys)) == len(keys)
    adopted = replace(LINE, refund_id="", adopted=f"ref_{BODY}_02")
    assert (LINE.key, adopted.key, adopted.record_id) == (REFUND, f"ref_{BODY}_02", f"ref_{BODY}_02")
    assert (dispute.subject, adopted.subject) == ("", f"ref_{BODY}_02")
