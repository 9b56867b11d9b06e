"""Tencent Cloud SMS from its side: checks TC3-HMAC-SHA256 over the bytes that came, the clock, the body, the limits."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tools.fakes.messages import texts
from tools.fakes.messages.mailbox import Mailbox
from tools.fakes.messages.steering import Answer, Refused, Silence, Steering, demand

HOST = "sms.tencentcloudapi.com"
SKEW_S = 300
_HEADER = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<date>[0-9-]{10})/sms/tc3_request, "
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_FIELDS = {"PhoneNumberSet", "SmsSdkAppId", "TemplateId", "SignName", "TemplateParamSet", "SessionContext"}


class Tencent:
    """One account there."""

    def __init__(self, secret: Mapping[str, str], mailbox: Mailbox, now: Callable[[], datetime]) -> None:
        self._secret = secret
        self._mailbox = mailbox
        self._now = now
        self.steering = Steering()
        self.calls = 0
        self._sent: dict[str, list[datetime]] = defaultdict(list)
        self.limit_s = 0
        """One message to a number in so many seconds; 0 for no such limit."""

    def handle(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call."""
        self.calls += 1
        steered = self.steering.take()
        if steered == "silent":
            raise Silence
        try:
            self._check_signed(headers, body)
            demand(steered.split(".")[0] not in ("InternalError", "RequestLimitExceeded"), steered)
            asked = _read(body, self._secret["sdk_app_id"])
        except Refused as refused:
            return _answer({"Error": {"Code": refused.code, "Message": refused.code}})
        status = self._sent_to(asked, "" if steered == "taken_silent" else steered)
        if steered == "taken_silent":
            raise Silence
        return _answer({"SendStatusSet": [status]})

    def _check_signed(self, headers: Mapping[str, str], body: bytes) -> None:
        found = _HEADER.fullmatch(headers.get("authorization", ""))
        if found is None:
            raise Refused("AuthFailure.SignatureFailure")
        stamp = headers.get("x-tc-timestamp", "")
        is_now = stamp.isdigit() and abs(self._now().timestamp() - int(stamp)) <= SKEW_S
        demand(is_now, "AuthFailure.SignatureExpire")
        date = time.strftime("%Y-%m-%d", time.gmtime(int(stamp)))
        demand((found["date"], found["id"]) == (date, self._secret["secret_id"]), "AuthFailure.SecretIdNotFound")
        signed = found["signed"].split(";")
        demand(signed == sorted(signed) and {"content-type", "host"} <= set(signed), "AuthFailure.SignatureFailure")
        demand(headers.get("host") == HOST, "AuthFailure.SignatureFailure")
        action = headers.get("x-tc-action"), headers.get("x-tc-version")
        demand(action == ("SendSms", "2021-01-11"), "InvalidAction")
        demand(headers.get("x-tc-region"), "MissingParameter")
        fits = hmac.compare_digest(self._signature(headers, signed, body, stamp, date), found["signature"])
        demand(fits, "AuthFailure.SignatureFailure")

    def _signature(self, headers: Mapping[str, str], signed: list[str], body: bytes, stamp: str, date: str) -> str:
        pieces = ["POST", "/", ""]
        pieces += [f"{name}:{headers.get(name, '').strip().lower()}" for name in signed]
        pieces += ["", ";".join(signed), hashlib.sha256(body).hexdigest()]
        digest = hashlib.sha256("\n".join(pieces).encode()).hexdigest()
        text = "\n".join(["TC3-HMAC-SHA256", stamp, f"{date}/sms/tc3_request", digest])

        def mac(key: bytes, what: str) -> bytes:
            return hmac.digest(key, what.encode(), "sha256")

        key = mac(mac(mac(b"TC3" + self._secret["secret_key"].encode(), date), "sms"), "tc3_request")
        return mac(key, text).hex()

    def _sent_to(self, asked: dict[str, Any], steered: str) -> dict[str, Any]:
        (number,) = asked["PhoneNumberSet"]
        known = asked["TemplateId"] in texts.TENCENT
        text = texts.filled(asked["TemplateId"], asked["TemplateParamSet"]) if known else ""
        code = steered or self._refusal(asked, number, text)
        if not code:
            self._sent[number].append(self._now())
            self._mailbox.put(
                at=self._now(),
                carrier="tencent",
                to=number,
                subject="",
                text=str(text),
                message_id=asked.get("SessionContext", ""),
            )
        return {
            "SerialNo": "" if code else f"2640:{self.calls:08d}",
            "PhoneNumber": number,
            "Fee": 0 if code else 1,
            "SessionContext": asked.get("SessionContext", ""),
            "Code": code or "Ok",
            "Message": code or "send success",
            "IsoCode": "CN" if number.startswith("+86") else "",
        }

    def _refusal(self, asked: dict[str, Any], number: str, text: str | None) -> str:
        if text == "":
            return "FailedOperation.TemplateIncorrectOrUnapproved"
        if text is None:
            return "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"
        if number.startswith("+86") and asked.get("SignName") != texts.SIGN:
            return "FailedOperation.SignatureIncorrectOrUnapproved"
        last = self._sent[number][-1:] or [datetime.min.replace(tzinfo=UTC)]
        if self.limit_s and (self._now() - last[0]).total_seconds() < self.limit_s:
            return "LimitExceeded.PhoneNumberThirtySecondLimit"
        return ""


def _read(body: bytes, app_id: str) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refused("InvalidParameter") from None
    demand(isinstance(asked, dict) and set(asked) <= _FIELDS, "UnknownParameter")
    numbers = asked.get("PhoneNumberSet")
    one = isinstance(numbers, list) and len(numbers) == 1 and _PHONE.fullmatch(str(numbers[0]))
    demand(one, "InvalidParameterValue.IncorrectPhoneNumber")
    demand(asked.get("SmsSdkAppId") == app_id, "UnauthorizedOperation.SmsSdkAppIdVerifyFail")
    values = asked.get("TemplateParamSet")
    are_texts = isinstance(values, list) and all(isinstance(value, str) for value in values)
    demand(are_texts, "InvalidParameterValue.TemplateParameterFormatError")
    demand(len(str(asked.get("SessionContext", "")).encode()) < 512, "InvalidParameterValue.ContentLengthLimit")
    return dict(asked)


def _answer(response: dict[str, Any]) -> Answer:
    body = json.dumps({"Response": {**response, "RequestId": "stand-in"}}, ensure_ascii=False).encode()
    return 200, {"Content-Type": "application/json"}, body
