"""Alipay's gateway on the wire: settings, signed parameters, replies over their exact substring, notices.

Notices are handled as bytes throughout: what is signed is the sender's own bytes, whatever their charset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode

from chalicelib.kernel import clock
from chalicelib.payments.ports import BadSignature, UnknownKey, UnreadableNotice
from chalicelib.payments.providers._shared import reading, rsa_keys
from chalicelib.runtime.config import setting

NAME = "alipay"
GATEWAY = "https://openapi.alipay.com/gateway.do"
SANDBOX_GATEWAY = "https://openapi-sandbox.dl.alipaydev.com/gateway.do"
SIGN_TYPE = "RSA2"
UNSIGNED = (b"sign", b"sign_type")
"""Not part of what a notice's signature covers (family "V1", that of payments)."""
CERT_SN = b"alipay_cert_sn"
"""The document's words put it among what is signed, two SDKs leave it out: it only picks the key, so both count."""
MAX_FIELDS = 200
_CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gb18030", "gb2312": "gb18030", "gb18030": "gb18030"}
_WHITE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Settings:
    """An app's configuration, read and checked."""

    app_id: str
    seller_id: str
    signing_pem: str = field(repr=False)
    alipay_keys: tuple[rsa_keys.VerifyKey, ...]
    """Plain public keys and certificates side by side; all count at once."""
    app_cert_sn: str = ""
    root_cert_sn: str = ""
    """Both set: certificate mode."""
    gateway: str = GATEWAY


def settings(configuration: Mapping[str, Any], *, to_call: bool = True) -> Settings:
    """Read a configuration; ``docs/providers/alipay.md`` explains it. Who only verifies needs no key of the app.

    Raises:
        Misconfigured: with everything that is missing or wrong, in words.
    """
    reader = reading.Reader(NAME, configuration)
    pem, app_cert_sn = _signing_key(reader) if to_call else ("", "")
    roots = reader.text("root_certificates", "") if to_call else ""
    if bool(roots) != bool(app_cert_sn):
        reader.problems.append("certificate mode needs both app_keys' certificate and root_certificates")
    root_cert_sn = reader.attempt("root_certificates", lambda: rsa_keys.root_sn(roots)) if roots else ""
    result = Settings(
        app_id=reader.text("app_id"),
        seller_id=reader.text("seller_id"),
        signing_pem=pem,
        alipay_keys=_alipay_keys(reader),
        app_cert_sn=app_cert_sn,
        root_cert_sn=root_cert_sn or "",
        gateway=reader.url(
            setting("BIANDAN_ALIPAY_URL") or reader.text("gateway", GATEWAY), official=(GATEWAY, SANDBOX_GATEWAY)
        ),
    )
    reader.refuse_problems()
    return result


def _signing_key(reader: reading.Reader) -> tuple[str, str]:
    """The first of ``app_keys`` signs; others may stay listed while the key is being changed."""
    first = ("", "")
    for number, entry in enumerate(reader.entries("app_keys"), 1):
        pem, certificate = str(entry.get("pem", "")), str(entry.get("certificate", ""))
        private = reader.attempt(f"app_keys {number}", lambda pem=pem: rsa_keys.private_key(pem))  # type: ignore[misc]
        sn = ""
        if certificate:
            public = reader.attempt(
                f"app_keys {number}",
                lambda certificate=certificate: rsa_keys.verify_key(certificate),  # type: ignore[misc]
            )
            sn = public.sn if public else ""
            if public and private and public.key.public_numbers() != private.public_key().public_numbers():
                reader.problems.append(f"app_keys {number}: the certificate is another key's")
        first = first if number > 1 else (pem, sn)
    return first


def _alipay_keys(reader: reading.Reader) -> tuple[rsa_keys.VerifyKey, ...]:
    found: list[rsa_keys.VerifyKey] = []
    for number, entry in enumerate(reader.entries("alipay_keys"), 1):
        pem = str(entry.get("pem", ""))
        key = reader.attempt(f"alipay_keys {number}", lambda pem=pem: rsa_keys.verify_key(pem))  # type: ignore[misc]
        if key is not None:
            found.append(key)
    return tuple(found)


held = reading.Held(NAME, settings)


def parameters(settings: Settings, method: str, content: Mapping[str, Any], **more: str) -> dict[str, str]:
    """Return the signed parameters of a request, timed by China's clock."""
    wanted = {
        "app_id": settings.app_id,
        "method": method,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": SIGN_TYPE,
        "timestamp": reading.in_china(clock.now()),
        "version": "1.0",
        "app_cert_sn": settings.app_cert_sn,
        "alipay_root_cert_sn": settings.root_cert_sn,
        **more,
        "biz_content": reading.compact_json(content),
    }
    wanted = {name: value for name, value in wanted.items() if value}
    return {**wanted, "sign": rsa_keys.sign(settings.signing_pem, signing_text(wanted).encode())}


def signing_text(wanted: Mapping[str, str]) -> str:
    """Return what a request's signature covers: all but ``sign``, none empty, sorted, neither quoted nor escaped."""
    return "&".join(f"{name}={value}" for name, value in sorted(wanted.items()) if name != "sign" and value)


def encoded(signed: Mapping[str, str]) -> str:
    """Return the parameters as a form or query string."""
    return urlencode(signed)


def check(settings: Settings, message: bytes, signature: object, cert_sn: object) -> None:
    """Check that Alipay signed the message; the key is chosen by its certificate's number where one is named.

    Raises:
        BadSignature: for a missing, malformed or wrong signature.
        UnknownKey: for a certificate that is not configured or not valid now. Nothing is fetched.
    """
    raw = rsa_keys.unbase64(signature) if isinstance(signature, str) and len(signature) <= 2048 else None
    if not raw:
        raise BadSignature(why="missing or malformed signature")
    now = clock.now()
    keys = [key for key in settings.alipay_keys if key.is_valid(now) and (not cert_sn or key.sn == cert_sn)]
    if not keys:
        raise UnknownKey(why="signed with a certificate that is not configured or not valid now")
    if not any(key.verify(message, raw) for key in keys):
        raise BadSignature(why="wrong signature")


# Replies.


def cut_reply(text: str) -> dict[str, tuple[Any, str]]:
    """Return the members of a JSON object, each with its exact characters: what Alipay signs is what it sent.

    Raises:
        ValueError: if it is no such object, or a name is repeated.
    """
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("not an object")
    found: dict[str, tuple[Any, str]] = {}
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        if found:
            at = _skip(text, _expect(text, at, ","))
        name, at = reading.raw_value(text, at)
        start = _skip(text, _expect(text, _skip(text, at), ":"))
        value, at = reading.raw_value(text, start)
        if not isinstance(name, str) or name in found:
            raise ValueError("a name is repeated or no text")
        found[name] = (value, text[start:at])
        at = _skip(text, at)
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows the object")
    return found


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


def _expect(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise ValueError(f"no {mark} at {at}")
    return at + 1


def read_reply(settings: Settings, method: str, body: bytes, content_type: str = "") -> dict[str, Any]:
    """Return the signed node of a reply.

    Raises:
        BadSignature: if it is not signed, or not by Alipay: whatever it says is not known.
        UnreadableNotice: if it is no reply to this method.
    """
    charset = "gb18030" if re.search(r"charset=\"?(gbk|gb2312|gb18030)", content_type, re.IGNORECASE) else "utf-8"
    try:
        members = cut_reply(body.decode(charset))
    except ValueError as error:
        raise UnreadableNotice(why="malformed reply") from error
    node = members.get(method.replace(".", "_") + "_response") or members.get("error_response")
    if node is None or not isinstance(node[0], dict):
        raise UnreadableNotice(why="no node of this method")
    signature, cert_sn = members.get("sign", (None, ""))[0], members.get("alipay_cert_sn", (None, ""))[0]
    check(settings, node[1].encode(charset), signature, cert_sn)
    return node[0]


# Notices.


def read_form(body: bytes) -> dict[bytes, bytes]:
    """Decode a form once, into bytes.

    Raises:
        UnreadableNotice: if it is none, or a name is repeated: two readers could read two things.
    """
    if body.count(b"&") >= MAX_FIELDS:
        raise UnreadableNotice(why="too many fields")
    found: dict[bytes, bytes] = {}
    for pair in body.split(b"&"):
        name, mark, value = pair.partition(b"=")
        name = unquote_to_bytes(name.replace(b"+", b" "))
        if not mark or not name or name in found:
            raise UnreadableNotice(why="malformed form")
        found[name] = unquote_to_bytes(value.replace(b"+", b" "))
    return found


def notice_message(form: Mapping[bytes, bytes], *, with_cert_sn: bool = False) -> bytes:
    """Return what a notice's signature covers: the decoded values, empty ones too, sorted by name."""
    left_out = UNSIGNED if with_cert_sn else (*UNSIGNED, CERT_SN)
    return b"&".join(name + b"=" + value for name, value in sorted(form.items()) if name not in left_out)


def may_be_genuine(settings: Settings, body: bytes) -> bool:
    """Say whether a notice under a certificate that we do not hold may be Alipay's: for our app and our account, and
    signed as long as a signature is. Nothing more can be told without the certificate.
    """
    form = read_form(body)
    raw = rsa_keys.unbase64(form.get(b"sign", b"").decode("ascii", "replace")) or b""
    named = {name: form.get(name.encode(), b"").decode("ascii", "replace") for name in ("app_id", "seller_id")}
    return named == {"app_id": settings.app_id, "seller_id": settings.seller_id} and len(raw) in (256, 384, 512)


def read_notice(settings: Settings, body: bytes) -> dict[str, str]:
    """Authenticate a notice and return its fields as text.

    Raises:
        BadSignature, UnknownKey or UnreadableNotice: for everything that Alipay did not sign.
    """
    form = read_form(body)
    charset = _CHARSETS.get(form.get(b"charset", b"utf-8").decode("ascii", "replace").strip().lower())
    if charset is None:
        raise UnreadableNotice(why="unknown charset")
    if form.get(b"sign_type") != SIGN_TYPE.encode():
        raise BadSignature(why="unsupported signature type")
    signature = form.get(b"sign", b"").decode("ascii", "replace")
    cert_sn = form.get(CERT_SN, b"").decode("ascii", "replace")
    try:
        check(settings, notice_message(form), signature, cert_sn)
    except BadSignature:
        if not cert_sn:
            raise
        check(settings, notice_message(form, with_cert_sn=True), signature, cert_sn)
    try:
        return {name.decode(charset): value.decode(charset) for name, value in form.items()}
    except UnicodeError as error:
        raise UnreadableNotice(why="not in its charset") from error
