"""Aliyun SMS from its side: checks ACS3-HMAC-SHA256, the clock and the nonce, then the query."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from tools.fakes.messages import texts
from tools.fakes.messages.mailbox import Mailbox
from tools.fakes.messages.steering import Answer, Refused, Silence, Steering, demand

HOST = "dysmsapi.aliyuncs.com"
SKEW_S = 900
_HEADER = re.compile(
    r"ACS3-HMAC-SHA256 Credential=(?P<id>[^,]+),SignedHeaders=(?P<signed>[a-z0-9;-]+),Signature=(?P<mac>[0-9a-f]{64})"
)
_NEEDED = {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
_FIELDS = {"PhoneNumbers", "SignName", "TemplateCode", "TemplateParam", "OutId"}
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def _escaped(text: str) -> str:
    return "".join(
        char if char in _PLAIN else "".join(f"%{byte:02X}" for byte in char.encode("utf-8")) for char in text
    )


class Aliyun:
    """One account there."""

    def __init__(self, secret: Mapping[str, str], mailbox: Mailbox, now: Callable[[], datetime]) -> None:
        self._secret = secret
        self._mailbox = mailbox
        self._now = now
        self._nonces: set[str] = set()
        self.steering = Steering()
        self.calls = 0

    def handle(self, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one call."""
        self.calls += 1
        steered = self.steering.take()
        if steered == "silent":
            raise Silence
        pairs = [part.partition("=") for part in urlsplit(target).query.split("&") if part]
        query = {unquote(name): unquote(value) for name, _, value in pairs}
        try:
            self._check_signed(target, query, headers, body)
            demand(headers["x-acs-signature-nonce"] not in self._nonces, "SignatureNonceUsed")
        except Refused as refused:
            return _answer(refused.code, 400)
        self._nonces.add(headers["x-acs-signature-nonce"])
        if steered and steered != "taken_silent":
            return _answer(steered, 200)
        try:
            self._take(query)
        except Refused as refused:
            return _answer(refused.code, 200)
        if steered == "taken_silent":
            raise Silence
        return _answer("OK", 200)

    def _check_signed(self, target: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> None:
        found = _HEADER.fullmatch(headers.get("authorization", ""))
        if found is None or found["id"] != self._secret["access_key_id"]:
            raise Refused("InvalidAccessKeyId.NotFound")
        signed = found["signed"].split(";")
        demand(signed == sorted(signed) and set(signed) >= _NEEDED, "SignatureDoesNotMatch")
        demand(headers.get("host") == HOST, "SignatureDoesNotMatch")
        demand(headers.get("x-acs-content-sha256") == hashlib.sha256(body).hexdigest(), "SignatureDoesNotMatch")
        action = headers.get("x-acs-action"), headers.get("x-acs-version")
        demand(action == ("SendSms", "2017-05-25"), "InvalidAction.NotFound")
        demand(self._is_of_now(headers["x-acs-date"]), "InvalidTimeStamp.Expired")
        in_order = "&".join(f"{_escaped(name)}={_escaped(query[name])}" for name in sorted(query))
        lines = [f"{name}:{headers.get(name, '').strip()}" for name in signed]
        canonical = "\n".join(
            ["POST", urlsplit(target).path, in_order, *lines, "", ";".join(signed), headers["x-acs-content-sha256"]]
        )
        text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        fits = hmac.digest(self._secret["access_key_secret"].encode(), text.encode(), "sha256").hex()
        demand(hmac.compare_digest(fits, found["mac"]), "SignatureDoesNotMatch")

    def _is_of_now(self, text: str) -> bool:
        try:
            stamp = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return False
        return abs((self._now() - stamp).total_seconds()) <= SKEW_S

    def _take(self, query: Mapping[str, str]) -> None:
        needed = {"PhoneNumbers", "SignName", "TemplateCode"}
        demand(set(query) <= _FIELDS and needed <= set(query), "isv.INVALID_PARAMETERS")
        short = query["PhoneNumbers"]
        demand(re.fullmatch(r"[1-9][0-9]{6,14}", short), "isv.MOBILE_NUMBER_ILLEGAL")
        demand(query["SignName"] == texts.SIGN, "isv.SMS_SIGNATURE_ILLEGAL")
        numbers = {texts.aliyun_number(number): number for number in texts.TENCENT}
        number = numbers.get(query["TemplateCode"], "")
        demand(number, "isv.SMS_TEMPLATE_ILLEGAL")
        try:
            given: Any = json.loads(query.get("TemplateParam") or "{}")
        except ValueError:
            raise Refused("isv.INVALID_JSON_PARAM") from None
        names = texts.PARAMETERS.get(texts.TENCENT[number][0].split(".")[0], ())
        named = isinstance(given, dict) and set(given) == set(names)
        demand(named and all(isinstance(one, str) for one in given.values()), "isv.TEMPLATE_MISSING_PARAMETERS")
        self._mailbox.put(
            at=self._now(),
            carrier="aliyun",
            to=f"+86{short}" if len(short) == 11 and short.startswith("1") else f"+{short}",
            subject="",
            text=str(texts.filled(number, [given[name] for name in names])),
            message_id=query.get("OutId", ""),
        )


def _answer(code: str, status: int) -> Answer:
    told = {"Code": code, "Message": code, "RequestId": "stand-in", **({"BizId": "9006^0"} if code == "OK" else {})}
    return status, {"Content-Type": "application/json"}, json.dumps(told).encode()
