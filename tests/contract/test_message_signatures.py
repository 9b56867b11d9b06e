"""Carriers of messages against recorded vectors, byte for byte, and what each of their codes means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.notifications.domain import Outcome
from chalicelib.notifications.ports import Outgoing
from chalicelib.notifications.providers import aliyun, ses, tencent
from chalicelib.runtime import outbound, secrets
from tests.contract.recorded import at, names, vectors

TENCENT = vectors("tencent_tc3_public.json", "tc3")
ALIYUN = vectors("aliyun_acs3_public.json", "acs3")


@pytest.mark.parametrize("vector", TENCENT, ids=names(TENCENT))
def test_tencents_signatures(vector: Any) -> None:
    action = vector["action"].lower() if "x-tc-action" in vector["signed_headers"] else None
    made = tencent.authorization(
        secret_id=vector["secret_id"],
        secret_key=vector["secret_key"],
        service=vector["service"],
        host=vector["host"],
        content_type=vector["content_type"],
        body=vector["body"].encode(),
        timestamp=vector["timestamp"],
        action=action,
    )
    assert made.endswith(f"SignedHeaders={vector['signed_headers']}, Signature={vector['signature']}")
    assert "authorization" not in vector or made == vector["authorization"]


@pytest.mark.parametrize("vector", ALIYUN, ids=names(ALIYUN))
def test_aliyuns_signatures(vector: Any) -> None:
    made = aliyun.authorization(
        access_key_id=vector["access_key_id"],
        access_key_secret=vector["access_key_secret"],
        method=vector["method"],
        path=vector["path"],
        query=vector["query"],
        headers=vector["headers"],
    )
    assert made == vector["authorization"]


def message(to: str = "+8613800138000", *values: tuple[str, str]) -> Outgoing:
    return Outgoing(
        message_id="msg_01",
        attempt=1,
        to=to,
        language="zh",
        subject="",
        body="",
        short="",
        approved="code",
        values=values,
    )


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[outbound.Request]:
    """What goes out, with the keys of the vectors."""
    found: list[outbound.Request] = []

    def take(request: outbound.Request) -> outbound.Response:
        found.append(request)
        return outbound.Response(200, {}, b'{"Code": "OK", "Response": {"SendStatusSet": [{"Code": "Ok"}]}}')

    held = {
        "messages-tencent": {
            "secret_id": "AKIDbiandanTest000000000000000000000",
            "secret_key": "biandanTestSecretKey0000000000000",
            "sdk_app_id": "1400006666",
        },
        "messages-aliyun": {
            "access_key_id": "LTAI5tBiandanTest0000000",
            "access_key_secret": "biandanTestSecret0000000000000",
        },
    }
    monkeypatch.setattr(secrets, "secret", lambda name: held[name])
    monkeypatch.setenv("BIANDAN_SMS_SIGN", "便单")
    monkeypatch.setenv("BIANDAN_SMS_TEMPLATES", "code.zh:1110,code.en:1111")
    outbound.install(take)
    return found


def test_what_tencent_is_sent_is_what_its_own_sdk_sends(sent: list[outbound.Request]) -> None:
    (vector,) = [one for one in TENCENT if one["id"] == "tc3-sms-chinese"]
    with at(vector["timestamp"]):
        answer = tencent.Tencent().send(message("+8613800138000", ("order", "ORD20260102"), ("state", "已发货")))
    (request,) = sent
    assert answer.outcome is Outcome.SENT
    assert request.body.decode() == vector["body"]
    assert request.headers["Authorization"] == vector["authorization"]
    for name, value in vector["headers"].items():
        assert name == "X-TC-Language" or request.headers[name] == value


def test_a_number_abroad_gets_no_sign_name(sent: list[outbound.Request]) -> None:
    tencent.Tencent().send(message("+85212345678", ("code", "123456"), ("minutes", "10")))
    assert "SignName" not in json.loads(sent[0].body)
    aliyun.Aliyun().send(message("+85212345678", ("code", "123456"), ("minutes", "10")))
    assert "PhoneNumbers=85212345678&" in sent[1].url


def test_an_attempt_keeps_its_nonce_and_the_next_has_another() -> None:
    from dataclasses import replace

    one = message()
    assert aliyun.nonce_of(one) == aliyun.nonce_of(replace(one, to="+8613800138001"))
    assert aliyun.nonce_of(one) != aliyun.nonce_of(replace(one, attempt=2))
    assert aliyun.nonce_of(one) != aliyun.nonce_of(replace(one, message_id="msg_02"))


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("Ok", Outcome.SENT),
        ("InternalError.Timeout", Outcome.RETRY),
        ("InternalError.OtherError", Outcome.RETRY),
        ("RequestLimitExceeded", Outcome.RETRY),
        ("RequestLimitExceeded.UinLimitExceeded", Outcome.RETRY),
        ("LimitExceeded.PhoneNumberDailyLimit", Outcome.LIMIT),
        ("LimitExceeded.PhoneNumberOneHourLimit", Outcome.LIMIT),
        ("LimitExceeded.PhoneNumberThirtySecondLimit", Outcome.LIMIT),
        ("LimitExceeded.PhoneNumberSameContentDailyLimit", Outcome.LIMIT),
        ("LimitExceeded.DeliveryFrequencyLimit", Outcome.LIMIT),
        ("LimitExceeded.AppDailyLimit", Outcome.ALERT),
        ("FailedOperation.PhoneNumberInBlacklist", Outcome.FINAL),
        ("FailedOperation.ContainSensitiveWord", Outcome.ALERT),
        ("FailedOperation.SignatureIncorrectOrUnapproved", Outcome.ALERT),
        ("FailedOperation.TemplateIncorrectOrUnapproved", Outcome.ALERT),
        ("FailedOperation.TemplateParamSetNotMatchApprovedTemplate", Outcome.ALERT),
        ("FailedOperation.InsufficientBalanceInSmsPackage", Outcome.ALERT),
        ("InvalidParameterValue.IncorrectPhoneNumber", Outcome.FINAL),
        ("UnauthorizedOperation.SmsSdkAppIdVerifyFail", Outcome.ALERT),
        ("UnsupportedOperation.", Outcome.ALERT),
        ("AuthFailure.SignatureExpire", Outcome.ALERT),
        ("SomethingNew", Outcome.FINAL),
    ],
)
def test_tencents_codes(code: str, outcome: Outcome) -> None:
    assert tencent.outcome_of(code) is outcome
    of_call = json.dumps({"Response": {"Error": {"Code": code, "Message": ""}, "RequestId": ""}}).encode()
    of_number = json.dumps({"Response": {"SendStatusSet": [{"Code": code, "SerialNo": "1"}]}}).encode()
    assert tencent.read(200, of_number).outcome is outcome
    assert code == "Ok" or tencent.read(200, of_call).outcome is outcome


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("OK", Outcome.SENT),
        ("SignatureNonceUsed", Outcome.SENT),
        ("isp.SYSTEM_ERROR", Outcome.RETRY),
        ("isp.RAM_PERMISSION_DENY", Outcome.ALERT),
        ("Throttling.User", Outcome.RETRY),
        ("ServiceUnavailable", Outcome.RETRY),
        ("isv.BUSINESS_LIMIT_CONTROL", Outcome.LIMIT),
        ("isv.MOBILE_NUMBER_ILLEGAL", Outcome.FINAL),
        ("isv.BLACK_KEY_CONTROL_LIMIT", Outcome.FINAL),
        ("isv.PARAM_LENGTH_LIMIT", Outcome.FINAL),
        ("isv.SMS_TEMPLATE_ILLEGAL", Outcome.ALERT),
        ("isv.SMS_SIGNATURE_ILLEGAL", Outcome.ALERT),
        ("isv.TEMPLATE_MISSING_PARAMETERS", Outcome.ALERT),
        ("isv.INVALID_PARAMETERS", Outcome.ALERT),
        ("isv.AMOUNT_NOT_ENOUGH", Outcome.ALERT),
        ("isv.OUT_OF_SERVICE", Outcome.ALERT),
        ("SignatureDoesNotMatch", Outcome.ALERT),
        ("isv.SOMETHING_NEW", Outcome.FINAL),
    ],
)
def test_aliyuns_codes(code: str, outcome: Outcome) -> None:
    assert aliyun.read(200, json.dumps({"Code": code}).encode()).outcome is outcome


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("MessageRejected", Outcome.FINAL),
        ("BadRequestException", Outcome.FINAL),
        ("MailFromDomainNotVerifiedException", Outcome.ALERT),
        ("AccountSuspendedException", Outcome.ALERT),
        ("SendingPausedException", Outcome.ALERT),
        ("AccessDeniedException", Outcome.ALERT),
        ("TooManyRequestsException", Outcome.RETRY),
        ("LimitExceededException", Outcome.RETRY),
    ],
)
def test_sess_codes(code: str, outcome: Outcome) -> None:
    assert ses.outcome_of(code) is outcome


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"Response": null}', b'{"Response": {"Error": []}}'])
def test_an_answer_that_cannot_be_read_says_nothing(body: bytes) -> None:
    for read in (tencent.read, aliyun.read):
        assert read(502, body).outcome is Outcome.UNKNOWN
