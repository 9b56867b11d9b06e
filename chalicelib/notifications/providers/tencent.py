"""Tencent Cloud SMS: ``SendSms`` of 2021-01-11, signed with TC3-HMAC-SHA256 over the bytes that are sent."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from chalicelib.kernel import clock
from chalicelib.notifications.domain import Kind, Outcome
from chalicelib.notifications.ports import Delivery, Outgoing
from chalicelib.notifications.providers import approved
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.config import setting
from chalicelib.runtime.outbound import OutboundFailed, OutboundTimeout

SECRET = "messages-tencent"  # noqa: S105
DEFAULT_URL = "https://sms.tencentcloudapi.com"
HOST = "sms.tencentcloudapi.com"
"""Signed as the host, also where a stand-in listens elsewhere."""
ACTION, VERSION, REGION = "SendSms", "2021-01-11", "ap-guangzhou"
CONTENT_TYPE = "application/json"

_LIMITS = (
    "LimitExceeded.PhoneNumber",
    "LimitExceeded.DeliveryFrequencyLimit",
)
_RETRY = ("InternalError", "RequestLimitExceeded")
_ALERT = (
    "FailedOperation.InsufficientBalanceInSmsPackage",
    "FailedOperation.SignatureIncorrectOrUnapproved",
    "FailedOperation.TemplateIncorrectOrUnapproved",
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate",
    "FailedOperation.ContainSensitiveWord",
    "AuthFailure",
    "UnauthorizedOperation",
    "UnsupportedOperation",
    "LimitExceeded",
)
"""What only we can mend; a limit of the account (not of a number) among it."""


def outcome_of(code: str) -> Outcome:
    """Return what a code means for the message; one that nobody wrote down is final."""
    if code == "Ok":
        return Outcome.SENT
    for prefixes, outcome in ((_LIMITS, Outcome.LIMIT), (_RETRY, Outcome.RETRY), (_ALERT, Outcome.ALERT)):
        if any(code.startswith(prefix) for prefix in prefixes):
            return outcome
    return Outcome.FINAL


def authorization(
    *,
    secret_id: str,
    secret_key: str,
    service: str,
    host: str,
    content_type: str,
    body: bytes,
    timestamp: int,
    action: str | None = None,
) -> str:
    """Return the header of a call; ``action`` is signed too where it is given."""
    headers = [("content-type", content_type), ("host", host)]
    if action is not None:
        headers.append(("x-tc-action", action))
    signed = ";".join(name for name, _ in headers)
    lines = "".join(f"{name}:{value.strip().lower()}\n" for name, value in headers)
    canonical = f"POST\n/\n\n{lines}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    # The date is the timestamp's own: after midnight in UTC another one would not fit.
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{secret_key}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={signed}, Signature={signature}"


class Tencent:
    """The adapter."""

    name = "tencent"
    kind = Kind.SMS
    knows_repeats = False

    def send(self, message: Outgoing) -> Delivery:
        """See ``ports.Channel``."""
        template = approved.number_of(message.approved, message.language)
        if not template:
            return Delivery(Outcome.ALERT, "template_without_number")
        body = self._body(message, template)
        try:
            answer = outbound.request(
                "POST",
                setting("BIANDAN_TENCENT_SMS_URL", DEFAULT_URL).rstrip("/") + "/",
                headers=self._headers(body),
                body=body,
            )
        except OutboundTimeout as error:
            return Delivery(Outcome.UNKNOWN, error.code)
        except OutboundFailed as error:
            return Delivery(Outcome.RETRY, error.code)
        return read(answer.status, answer.body)

    @staticmethod
    def _body(message: Outgoing, template: str) -> bytes:
        asked: dict[str, Any] = {
            "PhoneNumberSet": [message.to],
            "SmsSdkAppId": secrets.text(SECRET, "sdk_app_id"),
            "TemplateId": template,
            **({"SignName": approved.sign_name()} if message.to.startswith("+86") else {}),
            "TemplateParamSet": [value for _, value in message.values],
            "SessionContext": message.message_id,
        }
        return json.dumps(asked).encode()

    @staticmethod
    def _headers(body: bytes) -> dict[str, str]:
        timestamp = clock.epoch_s(clock.now())
        token = secrets.secret(SECRET).get("token")
        return {
            "Content-Type": CONTENT_TYPE,
            "Host": HOST,
            "X-TC-Action": ACTION,
            "X-TC-Version": VERSION,
            "X-TC-Region": REGION,
            "X-TC-Timestamp": str(timestamp),
            **({"X-TC-Token": str(token)} if token else {}),
            "Authorization": authorization(
                secret_id=secrets.text(SECRET, "secret_id"),
                secret_key=secrets.text(SECRET, "secret_key"),
                service="sms",
                host=urlsplit(DEFAULT_URL).netloc,
                content_type=CONTENT_TYPE,
                body=body,
                timestamp=timestamp,
            ),
        }


def read(status: int, body: bytes) -> Delivery:
    """Return what an answer says: of the call, else of the one number in it. One we cannot read says nothing."""
    try:
        told = json.loads(body)["Response"]
        error = told.get("Error")
        if error is not None:
            code = str(error["Code"])
            return Delivery(outcome_of(code), code[:100])
        (one,) = told["SendStatusSet"]
        code = str(one["Code"])
        reason, reference = "" if code == "Ok" else code[:100], str(one.get("SerialNo", ""))[:100]
        fee = one.get("Fee", 0)
        return Delivery(outcome_of(code), reason, reference, parts=fee if type(fee) is int and 0 < fee < 100 else 0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Delivery(Outcome.UNKNOWN, f"unreadable_{status}")


def build() -> Tencent:
    """Return the adapter."""
    return Tencent()
