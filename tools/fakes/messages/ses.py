"""Amazon SES from its side: checks Signature Version 4 over what came, then the e-mail."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tools.fakes.messages.mailbox import Mailbox
from tools.fakes.messages.steering import Answer, Silence, Steering

PATH = "/v2/email/outbound-emails"
SKEW_S = 300
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/ses/aws4_request, ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<mac>[0-9a-f]{64})"
)
_MAILBOX = re.compile(r"[^\s@\x00-\x1f]{1,64}@[^\s@\x00-\x1f]{1,190}")
_STATUS = {"TooManyRequestsException": 429, "InternalFailure": 500, "AccessDeniedException": 403}


class Ses:
    """One account there. ``secret_key`` is that of the functions' role."""

    def __init__(self, secret_key: Callable[[], str], mailbox: Mailbox, now: Callable[[], datetime]) -> None:
        self._secret_key = secret_key
        self._mailbox = mailbox
        self._now = now
        self.steering = Steering()
        self.calls = 0

    def handle(self, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call."""
        self.calls += 1
        steered = self.steering.take()
        if steered == "silent":
            raise Silence
        wrong = self._unsigned(target, headers, body)
        if wrong:
            return _error("InvalidSignatureException", wrong, 403)
        if steered and steered != "taken_silent":
            return _error(steered, "steered", _STATUS.get(steered, 400))
        try:
            asked: Any = json.loads(body)
            content = asked["Content"]["Simple"]
            (to,) = asked["Destination"]["ToAddresses"]
            subject, text = content["Subject"]["Data"], content["Body"]["Text"]["Data"]
            sender = asked["FromEmailAddress"]
            tags = {tag["Name"]: tag["Value"] for tag in asked.get("EmailTags", [])}
        except (ValueError, KeyError, TypeError):
            return _error("BadRequestException", "not what SendEmail takes", 400)
        if not all(_MAILBOX.fullmatch(one) for one in (to, sender)) or re.search(r"[\r\n]", subject):
            return _error("BadRequestException", "an address or the subject", 400)
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", one) for pair in tags.items() for one in pair):
            return _error("BadRequestException", "tags", 400)
        self._mailbox.put(
            at=self._now(), carrier="ses", to=to, subject=subject, text=text, message_id=tags.get("message", "")
        )
        if steered == "taken_silent":
            raise Silence
        return 200, {"Content-Type": "application/json"}, json.dumps({"MessageId": f"stand-in-{self.calls}"}).encode()

    def _unsigned(self, target: str, headers: Mapping[str, str], body: bytes) -> str:
        if target != PATH:
            return "another operation"
        found = _HEADER.fullmatch(headers.get("authorization", ""))
        stamp = headers.get("x-amz-date", "")
        if found is None or not stamp.startswith(found["date"]):
            return "no signature that can be read"
        # AWS goes by its own clock, not by the shop's.
        made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - made).total_seconds()) > SKEW_S:
            return "the date is not of now"
        signed = found["signed"].split(";")
        if "host" not in signed or "x-amz-date" not in signed:
            return "host and date are signed"
        lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed]
        canonical = "\n".join(["POST", PATH, "", *lines, "", ";".join(signed), hashlib.sha256(body).hexdigest()])
        scope = f"{found['date']}/{found['region']}/ses/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self._secret_key()}".encode()
        for part in (found["date"], found["region"], "ses", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return "" if hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), found["mac"]) else "the mac"


def _error(code: str, message: str, status: int) -> Answer:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return status, headers, json.dumps({"message": message}).encode()
