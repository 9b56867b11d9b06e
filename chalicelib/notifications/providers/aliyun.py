"""Aliyun SMS: ``SendSms`` of 2017-05-25, everything in the query, signed with ACS3-HMAC-SHA256.

Its nonce is the attempt's own, so that one which was not answered may be told again: the carrier knows it then.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import quote

from chalicelib.kernel import clock
from chalicelib.notifications.domain import Kind, Outcome
from chalicelib.notifications.ports import Delivery, Outgoing
from chalicelib.notifications.providers import approved
from chalicelib.runtime import outbound, secrets
from chalicelib.runtime.config import setting
from chalicelib.runtime.outbound import OutboundFailed, OutboundTimeout

SECRET = "messages-aliyun"  # noqa: S105
DEFAULT_URL = "https://dysmsapi.aliyuncs.com"
HOST = "dysmsapi.aliyuncs.com"
ACTION, VERSION = "SendSms", "2017-05-25"
EMPTY = hashlib.sha256(b"").hexdigest()

_LIMITS = ("isv.BUSINESS_LIMIT_CONTROL", "isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL")
_RETRY = ("isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR", "Throttling", "ServiceUnavailable", "InternalError")
_ALERT = (
    "isp.RAM_PERMISSION_DENY",
    "isv.AMOUNT_NOT_ENOUGH",
    "isv.OUT_OF_SERVICE",
    "isv.SMS_TEMPLATE_ILLEGAL",
    "isv.SMS_SIGNATURE_ILLEGAL",
    "isv.TEMPLATE_MISSING_PARAMETERS",
    "isv.INVALID_PARAMETERS",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "InvalidTimeStamp",
    "Forbidden",
)


def outcome_of(code: str) -> Outcome:
    """Return what a code means for the message; one that nobody wrote down is final."""
    if code in ("OK", "SignatureNonceUsed"):  # The attempt's nonce was seen before: the first telling arrived.
        return Outcome.SENT
    for prefixes, outcome in ((_LIMITS, Outcome.LIMIT), (_RETRY, Outcome.RETRY), (_ALERT, Outcome.ALERT)):
        if any(code.startswith(prefix) for prefix in prefixes):
            return outcome
    return Outcome.FINAL


def query_of(pairs: Mapping[str, str]) -> str:
    """Return a query as it is signed and sent: sorted, each byte that is not plain in percent."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(pairs.items()))


def authorization(
    *,
    access_key_id: str,
    access_key_secret: str,
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
) -> str:
    """Return the header of a call. ``headers`` are those of it; what is signed of them the protocol says."""
    named = sorted(
        (name.lower(), value.strip())
        for name, value in headers.items()
        if name.lower() in ("host", "content-type") or name.lower().startswith("x-acs-")
    )
    signed = ";".join(name for name, _ in named)
    lines = "".join(f"{name}:{value}\n" for name, value in named)
    content = dict(named)["x-acs-content-sha256"]
    canonical = f"{method}\n{path}\n{query_of(query)}\n{lines}\n{signed}\n{content}"
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(access_key_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"ACS3-HMAC-SHA256 Credential={access_key_id},SignedHeaders={signed},Signature={signature}"


def nonce_of(message: Outgoing) -> str:
    """Return the nonce of an attempt: the same for a repeat of it, another for the next."""
    return hashlib.sha256(f"{message.message_id}\n{message.attempt}".encode()).hexdigest()[:32]


class Aliyun:
    """The adapter."""

    name = "aliyun"
    kind = Kind.SMS
    knows_repeats = True

    def send(self, message: Outgoing) -> Delivery:
        """See ``ports.Channel``."""
        template = approved.number_of(message.approved, message.language)
        if not template:
            return Delivery(Outcome.ALERT, "template_without_number")
        query = {
            "PhoneNumbers": message.to.removeprefix("+86").removeprefix("+"),
            "SignName": approved.sign_name(),
            "TemplateCode": template,
            "TemplateParam": json.dumps(dict(message.values), ensure_ascii=False, separators=(",", ":")),
            "OutId": message.message_id,
        }
        url = setting("BIANDAN_ALIYUN_SMS_URL", DEFAULT_URL).rstrip("/")
        try:
            answer = outbound.request("POST", f"{url}/?{query_of(query)}", headers=self._headers(message, query))
        except OutboundTimeout as error:
            return Delivery(Outcome.UNKNOWN, error.code)
        except OutboundFailed as error:
            return Delivery(Outcome.RETRY, error.code)
        return read(answer.status, answer.body)

    @staticmethod
    def _headers(message: Outgoing, query: Mapping[str, str]) -> dict[str, str]:
        token = secrets.secret(SECRET).get("token")
        headers = {
            "host": HOST,
            "x-acs-action": ACTION,
            "x-acs-version": VERSION,
            "x-acs-date": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": nonce_of(message),
            "x-acs-content-sha256": EMPTY,
            **({"x-acs-security-token": str(token)} if token else {}),
        }
        headers["Authorization"] = authorization(
            access_key_id=secrets.text(SECRET, "access_key_id"),
            access_key_secret=secrets.text(SECRET, "access_key_secret"),
            method="POST",
            path="/",
            query=query,
            headers=headers,
        )
        return headers


def read(status: int, body: bytes) -> Delivery:
    """Return what an answer says. One we cannot read says nothing."""
    try:
        told = json.loads(body)
        code = str(told["Code"])
        reason = "" if code == "OK" else code[:100]
        return Delivery(outcome_of(code), reason, str(told.get("BizId", ""))[:100])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Delivery(Outcome.UNKNOWN, f"unreadable_{status}")


def build() -> Aliyun:
    """Return the adapter."""
    return Aliyun()
