from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.auth.sessions import domain
from chalicelib.auth.sessions.domain import Session, SessionStatus

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)


def session(**changes: object) -> Session:
    base = Session(
        account_id="acc_1", session_id="ses_1", status=SessionStatus.ACTIVE, epoch=1, current="c", previous="p",
        rotated_at=NOW, created_at=NOW, expires_at=NOW + domain.IDLE, proved_at=NOW,
        methods=("pwd",), version=2,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "presented", "after", "verdict"),
    [
        ({}, "c", timedelta(), domain.Verdict.ROTATE),
        ({}, "c", domain.IDLE - timedelta(milliseconds=1), domain.Verdict.ROTATE),
        ({}, "c", domain.IDLE, domain.Verdict.OVER),
        ({}, "p", timedelta(), domain.Verdict.ROTATE),
        ({}, "p", domain.GRACE - timedelta(milliseconds=1), domain.Verdict.ROTATE),
        ({}, "p", domain.GRACE, domain.Verdict.REUSED),
        ({}, "older", timedelta(), domain.Verdict.REUSED),
        ({"previous": None}, "older", timedelta(), domain.Verdict.REUSED),
        ({"epoch": 0}, "c", timedelta(), domain.Verdict.OVER),
        ({"epoch": 0}, "older", timedelta(), domain.Verdict.OVER),
        ({"status": SessionStatus.SIGNED_OUT}, "c", timedelta(), domain.Verdict.OVER),
        ({"status": SessionStatus.COMPROMISED}, "older", timedelta(), domain.Verdict.OVER),
    ],
)
def test_verdicts(changes: dict[str, object], presented: str, after: timedelta, verdict: domain.Verdict) -> None:
    assert domain.judge(session(**changes), presented=presented, epoch=1, now=NOW + after) is verdict


def test_a_retry_replaces_the_unused_successor_and_does_not_lengthen_its_grace() -> None:
    first = domain.rotate(session(current="a", previous=None), presented="a", successor="b", now=NOW)
    assert (first.current, first.previous, first.rotated_at) == ("b", "a", NOW)
    soon = NOW + timedelta(seconds=4)
    again = domain.rotate(first, presented="a", successor="c", now=soon)
    assert (again.current, again.previous, again.rotated_at) == ("c", "a", NOW)
    assert domain.judge(again, presented="b", epoch=1, now=soon) is domain.Verdict.REUSED
    assert domain.judge(again, presented="a", epoch=1, now=NOW + domain.GRACE) is domain.Verdict.REUSED


def test_a_session_slides_for_30_days_and_ends_after_180() -> None:
    late = NOW + timedelta(days=170)
    rotated = domain.rotate(session(), presented="c", successor="d", now=late)
    assert rotated.expires_at == NOW + timedelta(days=180)
    assert domain.rotate(session(), presented="c", successor="d", now=NOW).expires_at == NOW + timedelta(days=30)
