"""QQ Wallet on the wire: configuration, signature, and the little of XML that it speaks."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.kernel import ids
from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments.ports import (
    BadSignature,
    NoticeRefused,
    UnreadableNotice,
)
from chalicelib.runtime import outbound
from chalicelib.runtime.config import config, setting

SECRET = "payments-qqwallet"  # noqa: S105  (a name)
OFFICIAL_URL = "https://qpay.qq.com"
OFFICIAL_REFUND_URL = "https://api.qpay.qq.com"
STAND_IN_STAGES = ("local", "dev")
CAP_BYTES = 64 * 1024
MD5, HMAC_SHA256 = "MD5", "HMAC-SHA256"
HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml", "User-Agent": "biandan"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the adapter is told. The first key signs, all verify, so that a key can be rolled."""

    mch_id: str
    keys: tuple[str, ...] = field(repr=False)
    appid: str = ""
    sign_type: str = MD5
    op_user_id: str = ""
    op_user_password: str = field(default="", repr=False)
    client_certificate: outbound.ClientCertificate | None = None
    """Refunds need it."""
    base_url: str = OFFICIAL_URL
    refund_url: str = OFFICIAL_REFUND_URL


def configuration_from(secret: Mapping[str, Any]) -> Configuration:
    """Return the configuration a secret describes.

    Raises:
        Misconfigured: if something indispensable is missing or of the wrong kind.
    """
    keys = secret.get("keys")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
        raise Misconfigured(why=f"secret {SECRET} has no keys")
    texts: dict[str, str] = {}
    for name in ("mch_id", "appid", "sign_type", "op_user_id", "op_user_password", "certificate", "private_key"):
        value = secret.get(name, "")
        if not isinstance(value, str):
            raise Misconfigured(why=f"secret {SECRET}: {name} is not a text")
        texts[name] = value
    if not texts["mch_id"]:
        raise Misconfigured(why=f"secret {SECRET} has no mch_id")
    if texts["sign_type"] not in ("", MD5, HMAC_SHA256):
        raise Misconfigured(why=f"secret {SECRET}: sign_type is neither {MD5} nor {HMAC_SHA256}")
    certificate = None
    if texts["certificate"] and texts["private_key"]:
        certificate = outbound.ClientCertificate(texts["certificate"], texts["private_key"])
    return Configuration(
        mch_id=texts["mch_id"],
        keys=tuple(keys),
        appid=texts["appid"],
        sign_type=texts["sign_type"] or MD5,
        op_user_id=texts["op_user_id"] or texts["mch_id"],
        op_user_password=texts["op_user_password"],
        client_certificate=certificate,
        base_url=_address("BIANDAN_QQWALLET_URL", OFFICIAL_URL),
        refund_url=_address("BIANDAN_QQWALLET_REFUND_URL", OFFICIAL_REFUND_URL),
    )


def _address(name: str, official: str) -> str:
    """Return the provider's address, or that of a stand-in.

    Raises:
        Misconfigured: for a stand-in outside the stages local and dev: it would be handed signed requests.
    """
    url = setting(name, official).rstrip("/")
    if url != official and config().stage not in STAND_IN_STAGES:
        raise Misconfigured(why=f"{name} is for the stages local and dev")
    return url


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how far it can be trusted."""

    fields: Mapping[str, str]
    trusted: bool
    """The signature verifies and the merchant is ours."""
    refused: bool
    """Trusted, and the result is a failure; ``code`` says why."""
    code: str = ""


def signed(fields: Mapping[str, str], told: Configuration) -> bytes:
    """Return a request's body: the fields with the merchant's own, signed."""
    sent = {**fields, "mch_id": told.mch_id, "nonce_str": ids.random_bytes(16).hex()}
    if told.appid:
        sent["appid"] = told.appid
    if told.sign_type != MD5:
        sent["sign_type"] = told.sign_type
    sent["sign"] = sign(sent, told.keys[0], told.sign_type)
    return render(sent)


def read_answer(answer: outbound.Response, told: Configuration) -> Answer:
    """Return what an answer says; only what is signed and ours is trusted."""
    untrusted = Answer({}, trusted=False, refused=False, code=f"HTTP_{answer.status}")
    if answer.status != 200:
        return untrusted
    try:
        fields = parse(answer.body)
        check_signature(fields, told)
    except NoticeRefused as error:  # An unsigned failure may be true, but nobody vouches for it: ask again.
        return Answer({}, trusted=False, refused=False, code=error.code.upper())
    if fields.get("mch_id", told.mch_id) != told.mch_id:
        return Answer({}, trusted=False, refused=False, code="OTHER_MERCHANT")
    if fields.get("return_code") != "SUCCESS":  # Why, it says in words of its own: they are kept nowhere.
        return Answer({}, trusted=False, refused=False, code="RETURN_CODE")
    code = (fields.get("err_code") or fields.get("retcode") or "").upper()[:64]
    return Answer(fields, trusted=True, refused=fields.get("result_code") != "SUCCESS", code=code)


def cut(text: str, octets: int) -> str:
    """Return the text without characters XML does not know, at most so many bytes of UTF-8."""
    clean = _FORBIDDEN.sub(" ", text).strip()
    return clean.encode("utf-8", "ignore")[:octets].decode("utf-8", "ignore")


def ip_of(text: str | None) -> str:
    """Return the payer's address where it fits the field (IPv4), else that of nobody."""
    return text if text and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", text) else "127.0.0.1"


# --- signature --------------------------------------------------------------------------------------------------------


def sign(fields: Mapping[str, str], key: str, sign_type: str = MD5) -> str:
    """Return the signature: non-empty fields but ``sign``, sorted, joined, the key behind; hex in upper case.

    Source: mp.qpay.tenpay.cn/buss/wiki/206/1213 (MD5). HMAC-SHA256 is known from client libraries only.
    """
    pairs = sorted((name, value) for name, value in fields.items() if name != "sign" and value != "")
    message = ("&".join(f"{name}={value}" for name, value in pairs) + f"&key={key}").encode()
    if sign_type == HMAC_SHA256:
        return hmac.new(key.encode(), message, hashlib.sha256).hexdigest().upper()
    return hashlib.md5(message, usedforsecurity=False).hexdigest().upper()


def check_signature(fields: Mapping[str, str], told: Configuration) -> None:
    """Refuse what is not signed with one of our keys, in the configured way and no other.

    Raises:
        BadSignature: then.
    """
    if fields.get("sign_type", told.sign_type) != told.sign_type:
        raise BadSignature(why="it is signed in another way than configured")
    given = fields.get("sign", "").encode()
    matches = [hmac.compare_digest(sign(fields, key, told.sign_type).encode(), given) for key in told.keys]
    if not any(matches):
        raise BadSignature(why="the signature is missing or does not match")


# --- XML: one root, one level of fields, nothing else of the language ------------------------------------------------

_CDATA = r"<!\[CDATA\[(?:[^\]]|\](?!\]>))*+\]\]>"
_ENTITY = r"&(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});"
_DECLARATION = (
    r"""<\?xml version=["']1\.0["'](?: encoding=["'](?:utf|UTF)-8["'])?(?: standalone=["']yes["'])?\s*\?>\s*"""
)
_HEAD = re.compile(rf"\ufeff?\s*(?:{_DECLARATION})?<xml\s*>", re.ASCII)
_FIELD = re.compile(
    rf"\s*<([A-Za-z_][A-Za-z0-9_]{{0,63}})\s*(?:/>|>((?:[^<&]++|{_ENTITY}|{_CDATA})*+)</\1\s*>)", re.ASCII
)
_TAIL = re.compile(r"\s*</xml\s*>\s*", re.ASCII)
_PIECE = re.compile(rf"({_CDATA})|({_ENTITY})", re.ASCII)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}


def parse(body: bytes) -> dict[str, str]:
    """Read ``<xml>`` with one level of unique fields: text, the five named entities, numbers, CDATA; at most 64 KiB.

    No DOCTYPE, entity declarations, comments, attributes, processing instructions or deeper elements: they are refused
    before anything is expanded. Other encodings than UTF-8 are refused.

    Raises:
        UnreadableNotice: for everything else.
    """
    if len(body) > CAP_BYTES:
        raise UnreadableNotice(why="it is too large")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableNotice(why="it is not UTF-8") from error
    head = _HEAD.match(text)
    if head is None or _FORBIDDEN.search(text):
        raise UnreadableNotice(why="it is not the XML we speak")
    fields: dict[str, str] = {}
    at = head.end()
    while found := _FIELD.match(text, at):
        name, value = found.group(1), found.group(2) or ""
        if name in fields:
            raise UnreadableNotice(why="a field comes twice")
        fields[name] = _PIECE.sub(_piece, value)
        at = found.end()
    if not _TAIL.fullmatch(text, at):
        raise UnreadableNotice(why="it is not the XML we speak")
    return fields


def _piece(found: re.Match[str]) -> str:
    cdata, entity = found.groups()
    if cdata:
        return str(cdata[9:-3])
    name = entity[1:-1]
    if not name.startswith("#"):
        return _NAMED[name]
    number = int(f"0{name[1:]}", 16) if name[1] == "x" else int(name[1:])
    character = chr(number) if number <= 0x10FFFF else "\x00"
    if _FORBIDDEN.search(character):
        raise UnreadableNotice(why="it names a character that XML does not know")
    return character


def render(fields: Mapping[str, str]) -> bytes:
    """Return the fields as XML."""
    inner = "".join(f"<{name}>{_escape(value)}</{name}>" for name, value in fields.items())
    return f"<xml>{inner}</xml>".encode()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def why_of(body: bytes) -> str:
    """Return why something was refused, in the provider's words."""
    try:
        fields = parse(body)
    except UnreadableNotice:
        return "no readable answer"
    return (fields.get("err_code") or fields.get("return_msg") or fields.get("retmsg") or "refused")[:64]
