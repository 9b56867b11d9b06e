"""One message to one person and fact, whatever is repeated, refused, cut off or crashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.notifications import asking, sealing, service, store
from chalicelib.notifications.domain import LEASE, Kind, Message, Status
from chalicelib.runtime import aws, log, metrics, names
from chalicelib.runtime.config import config
from chalicelib.runtime.db.work import UnitOfWork
from tests.support.letters import post_office
from tests.support.pump import Pump
from tools.fakes.messages.carriers import Carriers

PHONE, MAIL = "+8613800138000", "ada@example.com"


@pytest.fixture(params=["tencent", "aliyun"])
def sms(cloud: str, noon: clock.Fixed, request: pytest.FixtureRequest) -> Iterator[Carriers]:
    with post_office(request.param) as office:
        yield office


@pytest.fixture
def office(cloud: str, noon: clock.Fixed) -> Iterator[Carriers]:
    with post_office() as found:
        yield found


def ask(to: str = PHONE, fact: str = "code#1", **changes: Any) -> str:
    asked = service.Asked(
        kind=Kind.EMAIL if "@" in to else Kind.SMS,
        to=to,
        template="code_sign_in",
        language="zh",
        fact=fact,
        useless_at=clock.now() + timedelta(minutes=10),
        values={"code": "123456", "minutes": "10"},
    )
    with UnitOfWork() as work:
        return service.ask(work, service.Asked(**{**{f: getattr(asked, f) for f in asked.__slots__}, **changes}))


def carrier(office: Carriers) -> Any:
    import os

    return office.tencent if os.environ["BIANDAN_SMS"] == "tencent" else office.aliyun


def loaded(message_id: str) -> Message:
    found = store.load(message_id)
    assert found is not None
    return found


@pytest.mark.parametrize("to", [PHONE, "+85212345678", MAIL])
def test_a_message_arrives_once_and_is_forgotten(sms: Carriers, to: str) -> None:
    pump = Pump(duplicate=10)
    message_id = ask(to)
    assert "123456" not in json.dumps(aws.call("dynamodb", "Scan", {"TableName": names.table_name("messages")}))
    pump.drain()
    (letter,) = sms.mailbox.letters(to)
    assert "123456" in letter.text
    assert letter.message_id == message_id
    kept = loaded(message_id)
    assert (kept.status, kept.sealed) == (Status.SENT, "")
    assert kept.reference
    with pytest.raises(AlreadyExists):
        ask(to)
    pump.drain()
    assert len(sms.mailbox.letters()) == 1
    ask(to, fact="code#2")
    pump.drain()
    assert len(sms.mailbox.letters()) == 2


def test_nothing_on_its_way_names_the_person_or_the_code(
    sms: Carriers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    for level in ("info", "warning", "error"):
        monkeypatch.setattr(log, level, lambda text, **fields: lines.append(f"{text} {fields}"))
    seen: list[str] = []

    def watch(asked: str, operation: str, params: dict[str, Any], proceed: Any) -> Any:
        if asked in ("sqs", "dynamodb"):
            seen.append(json.dumps(params, default=str))
        return proceed()

    with aws.hooked(watch):
        ask(PHONE)
        ask(MAIL)
        carrier(sms).steering.then("isp.SYSTEM_ERROR", "InternalError.Timeout")
        Pump().drain()
    told = "".join([*seen, *lines])
    assert "msg_" in told
    for secret in (PHONE, PHONE[3:], MAIL, "123456"):
        assert secret not in told


def test_what_the_carrier_certainly_did_not_take_is_sent_later(sms: Carriers, noon: clock.Fixed) -> None:
    code = "InternalError.Timeout" if carrier(sms) is sms.tencent else "isp.SYSTEM_ERROR"
    carrier(sms).steering.then(code, code)
    pump, message_id = Pump(), ask()
    pump.drain()
    assert loaded(message_id).status is Status.WAITING
    for _ in range(4):
        noon.advance(timedelta(seconds=60))
        pump.drain()
    assert loaded(message_id).status is Status.SENT
    assert loaded(message_id).attempt == 3
    assert len(sms.mailbox.letters()) == 1


@pytest.mark.parametrize("fate", ["silent", "taken_silent"])
def test_no_answer_never_makes_two_messages(sms: Carriers, noon: clock.Fixed, fate: str) -> None:
    carrier(sms).steering.then(fate)
    pump, message_id = Pump(duplicate=3), ask()
    for _ in range(5):
        pump.drain()
        noon.advance(LEASE + timedelta(seconds=10))
    kept = loaded(message_id)
    if carrier(sms) is sms.aliyun:  # It knows a repeat by its nonce, so it was told again.
        assert kept.status is Status.SENT
        assert len(sms.mailbox.letters()) == 1
    else:
        assert kept.status is Status.UNCLEAR
        assert len(sms.mailbox.letters()) == (1 if fate == "taken_silent" else 0)
    assert kept.sealed == ""


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("to", [PHONE, MAIL])
@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_call_makes_no_second_message(
    sms: Carriers, noon: clock.Fixed, to: str, at: int, after: bool
) -> None:
    message_id = ask(to)
    calls = 0

    def crash(asked: str, operation: str, params: dict[str, Any], proceed: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            raise Crash
        answer = proceed()
        if calls == at:
            raise Crash
        return answer

    try:
        with aws.hooked(crash):
            service.send(message_id)
    except Crash:
        pass
    pump = Pump(duplicate=10)
    for _ in range(4):
        pump.drain()
        noon.advance(LEASE + timedelta(seconds=10))
    assert loaded(message_id).status in (Status.SENT, Status.UNCLEAR)
    assert len(sms.mailbox.letters()) <= 1
    if loaded(message_id).status is Status.SENT:
        assert len(sms.mailbox.letters()) == 1
    assert pump.dead("notifications") == []


@pytest.mark.parametrize(
    ("codes", "metric"),
    [
        (("LimitExceeded.PhoneNumberDailyLimit", "isv.BUSINESS_LIMIT_CONTROL"), "messages_limited"),
        (("FailedOperation.PhoneNumberInBlacklist", "isv.BLACK_KEY_CONTROL_LIMIT"), "messages_refused"),
        (("FailedOperation.InsufficientBalanceInSmsPackage", "isv.AMOUNT_NOT_ENOUGH"), "messages_failed"),
    ],
)
def test_a_refusal_for_good_ends_it(
    sms: Carriers, monkeypatch: pytest.MonkeyPatch, codes: tuple[str, str], metric: str
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(metrics, "count", lambda name, *_: counted.append(name))
    code = codes[carrier(sms) is sms.aliyun]
    carrier(sms).steering.then(code)
    pump, message_id = Pump(duplicate=3), ask()
    pump.drain()
    kept = loaded(message_id)
    assert (kept.status, kept.reason, kept.sealed) == (Status.FAILED, code, "")
    assert carrier(sms).calls == 1
    assert metric in counted


def test_what_comes_too_late_is_not_sent(office: Carriers, noon: clock.Fixed) -> None:
    message_id = ask()
    noon.advance(timedelta(minutes=10))
    Pump().drain()
    assert loaded(message_id).status is Status.EXPIRED
    assert office.mailbox.letters() == []


def test_without_a_channel_it_fails_and_somebody_is_woken(
    cloud: str, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(metrics, "count", lambda name, *_: counted.append(name))
    message_id = ask()
    Pump().drain()
    assert (loaded(message_id).status, loaded(message_id).reason) == (Status.FAILED, "no_channel")
    assert "messages_failed" in counted
    service.check_reaches(Kind.SMS)  # A laptop may.
    monkeypatch.setattr(asking, "config", type("Cloud", (), {"is_local": False}))
    with pytest.raises(service.ChannelMissing) as refused:
        service.check_reaches(Kind.SMS)
    assert refused.value.detail("zh") == "此处暂时无法向手机号发送消息。"


def test_a_line_end_never_reaches_a_header(office: Carriers) -> None:
    message_id = ask("ada@example.com\r\nBcc: all@example.com")
    Pump().drain()
    assert loaded(message_id).reason == "line_end_in_a_header"
    assert office.ses.calls == 0


def test_what_waits_still_opens_when_the_key_changes(office: Carriers, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.runtime import secrets

    message_id = ask()
    before = secrets.secret("messages")
    changed = {**before, "seal_key": "local-another", "seal_key_before": before["seal_key"]}
    held = secrets.secret
    monkeypatch.setattr(secrets, "secret", lambda name: changed if name == "messages" else held(name))
    assert sealing.unseal(message_id, loaded(message_id).sealed).to == PHONE
    del changed["seal_key_before"]
    with pytest.raises(Exception, match="does not open"):
        sealing.unseal(message_id, loaded(message_id).sealed)


def test_a_sealed_content_opens_for_its_own_message_only(office: Carriers) -> None:
    message_id = ask()
    with pytest.raises(Exception, match="does not open"):
        sealing.unseal("msg_other", loaded(message_id).sealed)


def test_the_mailbox_shows_markup_as_it_was_typed(office: Carriers) -> None:
    office.mailbox.put(
        at=clock.now(), carrier="ses", to="<b>@example.com", subject="<script>", text="</pre><img>", message_id=""
    )
    page = office.mailbox.shown()
    assert "<script>" not in page
    assert "<img>" not in page
    assert "&lt;img&gt;" in page


@pytest.mark.parametrize("sms_name", ["tencent", "aliyun"])
def test_the_carriers_refuse_a_wrong_signature(cloud: str, noon: clock.Fixed, sms_name: str) -> None:
    with post_office(sms_name) as found:
        held = found.tencent if sms_name == "tencent" else found.aliyun
        held._secret = {**held._secret, "secret_key": "another", "access_key_secret": "another"}
        found.ses._secret_key = lambda: "another"
        ids = ask(PHONE), ask(MAIL)
        Pump().drain()
        assert [loaded(one).status for one in ids] == [Status.FAILED, Status.FAILED]
        assert found.mailbox.letters() == []
    assert config().is_local
