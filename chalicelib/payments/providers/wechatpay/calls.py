"""How we call WeChat Pay: signed requests, signed answers, and the second host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

from chalicelib.payments import ports
from chalicelib.payments.ports import NoticeRefused
from chalicelib.payments.providers._shared import bills, reading
from chalicelib.payments.providers.wechatpay import wire as wechatpay_wire
from chalicelib.runtime import log, outbound

OK = (200, 204)


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that may be trusted; ``status`` 0 is none at all, with the reason as ``code``."""

    status: int
    data: Mapping[str, Any]
    code: str = ""
    refused: bool = False
    """WeChat Pay itself said no, in a word of its own: a 4xx with a code. A proxy's 403 or a redirect is none."""


class Calls(reading.Configured[wechatpay_wire.Settings]):
    """What the adapter calls with; without settings the secret is read at each use."""

    def __init__(self, settings: wechatpay_wire.Settings | None = None) -> None:
        super().__init__(wechatpay_wire.held, settings)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, sealed_for: str = "") -> Answer:
        """Call and return what may be trusted. Answers of success must be signed; so must refusals that claim to be."""
        data = b"" if body is None else reading.compact_json(body).encode()
        serial = sealed_for or self.settings.sealing_serial
        answered = self.send(method, path, data, {"Wechatpay-Serial": serial} if serial else {})
        if isinstance(answered, str):
            return Answer(0, {}, answered)
        if answered.status in OK or "wechatpay-signature" in answered.headers:
            try:
                wechatpay_wire.authenticate(self.settings, answered.headers, answered.body)
            except NoticeRefused as refusal:  # Also a probe: a failed call, to be repeated with the same number.
                return Answer(0, {}, refusal.code)
        try:
            content = reading.strict_json(answered.body.decode()) if answered.body else {}
        except ValueError:
            content = None
        if not isinstance(content, dict):
            return Answer(0, {}, "unreadable_answer")
        code = content.get("code")
        said = code if isinstance(code, str) and answered.status not in OK else ""
        if answered.status == 401:
            log.warning(
                "wechatpay rejects our signature: check the key, its serial number and the clock", code=said[:64]
            )
        refused = bool(said) and 400 <= answered.status < 500
        return Answer(answered.status, content, (said or f"status_{answered.status}")[:64], refused)

    def send(
        self, method: str, path: str, body: bytes, extra: Mapping[str, str], *, into: BinaryIO | None = None
    ) -> outbound.Response | str:
        """Send, signed anew for each host; the next host only if the one before certainly heard nothing."""
        for host in self.settings.hosts:
            headers = {
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": reading.USER_AGENT,
                "Authorization": wechatpay_wire.authorization(self.settings, method, path, body),
                **extra,
            }
            try:
                if into is not None:
                    return bills.download(method, host + path, headers=headers, into=into)
                answered = outbound.request(method, host + path, headers=headers, body=body)
                return outbound.Response(answered.status, ports.lower(answered.headers), answered.body)
            except outbound.OutboundTimeout as error:
                return error.code
            except outbound.OutboundFailed:
                continue
        return outbound.OutboundFailed.code


def segment(text: str) -> str:
    """Return a text as a segment of a path."""
    return quote(text, safe="")
