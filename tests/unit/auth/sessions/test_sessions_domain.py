from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.auth.sessions import agents, domain
from chalicelib.auth.sessions.domain import Client, Session, SessionStatus

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)


def session(**changes: object) -> Session:
    base = Session(
        account_id="acc_1", session_id="ses_1", status=SessionStatus.ACTIVE, epoch=1, current="c", previous="p",
        rotated_at=NOW, created_at=NOW, expires_at=NOW + domain.IDLE, proved_at=NOW,
        methods=("pwd",), version=2,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


ME = Client(device_id="dev_1", mark="here")
SAME_PROGRAM = Client(mark="here")
OTHER_DEVICE = Client(device_id="dev_2", mark="here")
ELSEWHERE = Client(mark="there")


@pytest.mark.parametrize(
    ("changes", "presented", "after", "verdict"),
    [
        ({}, "c", timedelta(), domain.Verdict.ROTATE),
        ({}, "c", domain.IDLE - timedelta(milliseconds=1), domain.Verdict.ROTATE),
        ({}, "c", domain.IDLE, domain.Verdict.OVER),
        ({}, "p", timedelta(), domain.Verdict.REPEAT),
        ({}, "p", domain.GRACE - timedelta(milliseconds=1), domain.Verdict.REPEAT),
        ({}, "p", domain.GRACE, domain.Verdict.REUSED),
        ({}, "older", timedelta(), domain.Verdict.REUSED),
        ({"previous": None}, "older", timedelta(), domain.Verdict.REUSED),
        ({"epoch": 0}, "c", timedelta(), domain.Verdict.OVER),
        ({"epoch": 0}, "older", timedelta(), domain.Verdict.OVER),
        ({"status": SessionStatus.SIGNED_OUT}, "c", timedelta(), domain.Verdict.OVER),
        ({"status": SessionStatus.REVOKED}, "c", timedelta(), domain.Verdict.OVER),
        ({"status": SessionStatus.COMPROMISED}, "older", timedelta(), domain.Verdict.OVER),
    ],
)
def test_verdicts(changes: dict[str, object], presented: str, after: timedelta, verdict: domain.Verdict) -> None:
    found = domain.judge(session(**changes), presented=presented, epoch=1, client=ME, now=NOW + after)
    assert found is verdict


@pytest.mark.parametrize(
    ("kept", "asks", "same"),
    [
        # By the device, if it says which it is; else by program and network; of before either was kept: anybody.
        ({"device_id": "dev_1", "client": ME}, ME, True),
        ({"device_id": "dev_1", "client": ME}, replace(ME, mark="there"), True),
        ({"device_id": "dev_1", "client": ME}, OTHER_DEVICE, False),
        ({"device_id": "dev_1", "client": ME}, SAME_PROGRAM, True),
        ({"device_id": "dev_1", "client": ME}, ELSEWHERE, False),
        ({"device_id": "", "client": SAME_PROGRAM}, ME, True),
        ({"device_id": "", "client": SAME_PROGRAM}, replace(ME, mark="there"), False),
        ({"device_id": "", "client": Client()}, ELSEWHERE, True),
    ],
)
def test_only_the_client_that_used_a_token_may_send_it_again(kept: dict[str, object], asks: Client, same: bool) -> None:
    expected = domain.Verdict.REPEAT if same else domain.Verdict.REUSED
    assert domain.judge(session(**kept), presented="p", epoch=1, client=asks, now=NOW) is expected
    assert domain.judge(session(**kept), presented="c", epoch=1, client=asks, now=NOW) is domain.Verdict.ROTATE


def test_a_session_slides_for_30_days_and_ends_after_180() -> None:
    def rotated(at: datetime) -> Session:
        return domain.rotate(session(), presented="c", successor="d", salt="s", client=ME, now=at)

    assert rotated(NOW + timedelta(days=170)).expires_at == NOW + timedelta(days=180)
    assert rotated(NOW).expires_at == NOW + timedelta(days=30)
    assert (rotated(NOW).current, rotated(NOW).previous, rotated(NOW).client) == ("d", "c", ME)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
         "Chrome, Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0",
         "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile Safari/604.1",
         "Safari, iOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.49",
         "WeChat, iOS"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/86 MMWEBSDK/1 MicroMessenger/8.0 miniProgram/wx1",
         "WeChat mini program, Android"),
        ("Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/98.0 Mobile Safari/537.36 V1_AND_SQ QQ/9.0.8",
         "QQ, Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14.5; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox, macOS"),
        ("curl/8.5.0", "curl"),
        ("Dalvik (Android)", "Android"),
        ("\x00<script>", ""),
        ("", ""),
        ("x" * 600 + "Chrome/1", ""),
    ],
)  # fmt: skip
def test_a_device_is_said_in_words(agent: str, words: str) -> None:
    assert agents.family(agent) == words
