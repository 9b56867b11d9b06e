"""A short way through the embedded engine for what nearly every call is: signed JSON to a table, queue or secret.

ministack asks of each call which of some forty kinds of address it goes to, and its door reads the headers before it:
four fifths of the CPU of a read. Here the headers are read once, and a call that is plainly one of ours goes to its
service directly. Whatever looks unusual in any way, a wrong signature too, takes the long way, which says what it says.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from email.utils import formatdate
from importlib import import_module
from typing import Any, NamedTuple
from uuid import uuid4

from ministack import app as engine
from ministack.core import responses, sigv4

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

SERVICES = {
    b"DynamoDB_20120810": ("ministack.services.dynamodb", "1.0"),
    b"DynamoDBStreams_20120810": ("ministack.services.dynamodb_streams", "1.0"),
    b"AmazonSQS": ("ministack.services.sqs", "1.0"),
    b"secretsmanager": ("ministack.services.secretsmanager", "1.1"),
}
"""What ``X-Amz-Target`` begins with -> the engine's module for it, and the version of its JSON protocol."""
UNUSUAL = {b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"x-amz-security-token"}
SIGNED = {b"host", b"x-amz-date", b"x-amz-target"}
"""What a signature must cover here; the body it covers always."""
_AUTHORIZATION = re.compile(
    rb"AWS4-HMAC-SHA256 Credential=([0-9]{12})/([0-9]{8})/([a-z0-9-]+)/([a-z]+)/aws4_request, ?"
    rb"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)
_logger = logging.getLogger("ministack")


class Call(NamedTuple):
    """A call that may take the short way, if its signature holds."""

    headers: dict[bytes, bytes]
    account: str
    date: bytes
    region: bytes
    service: bytes
    signed: bytes
    signature: bytes

    def is_signed(self, secret: str, body: bytes) -> bool:
        """Say whether it was made with this secret, lately, over all that counts."""
        digest = hashlib.sha256(body).hexdigest().encode()
        said = self.headers.get(b"x-amz-content-sha256", digest)
        if said != digest or self.headers.get(b"content-length") != b"%d" % len(body):
            return False
        moment = self.headers[b"x-amz-date"].decode("latin-1")
        if not moment.startswith(self.date.decode()) or not _is_now(moment, self.service.decode()):
            return False
        lines = [b"%s:%s\n" % (name, b" ".join(self.headers[name].split())) for name in self.signed.split(b";")]
        canonical = b"POST\n/\n\n%s\n%s\n%s" % (b"".join(lines), self.signed, digest)
        scope = b"%s/%s/%s/aws4_request" % (self.date, self.region, self.service)
        hashed = hashlib.sha256(canonical).hexdigest().encode()
        text = b"AWS4-HMAC-SHA256\n%s\n%s\n%s" % (moment.encode("latin-1"), scope, hashed)
        key = _key(secret, self.date.decode(), self.region.decode(), self.service.decode())
        return hmac.compare_digest(hmac.digest(key, text, "sha256").hex().encode(), self.signature)


_key = functools.lru_cache(maxsize=64)(sigv4.derive_signing_key)


@functools.lru_cache(maxsize=4096)
def _at(moment: str, service: str) -> tuple[float, float] | None:
    """Return between which times a signature of this moment counts."""
    signed_at = sigv4._amz_datetime(moment)  # noqa: SLF001 -- as the engine reads it
    if signed_at is None:
        return None
    window_s = 60 * (15 if service in sigv4._FIFTEEN_MINUTE_SERVICES else 5)  # noqa: SLF001
    return signed_at.timestamp() - window_s, signed_at.timestamp() + window_s


def _is_now(moment: str, service: str) -> bool:
    window = _at(moment, service)
    return window is not None and window[0] <= time.time() <= window[1]


def call_of(scope: Mapping[str, Any], hosts: frozenset[bytes]) -> Call | None:
    """Return what the headers say of a call that may take the short way; None for every other."""
    if scope["method"] != "POST" or scope["path"] != "/" or scope["query_string"] or scope.get("scheme") != "http":
        return None
    headers = {name.lower(): value for name, value in scope["headers"]}
    if len(headers) != len(scope["headers"]) or headers.keys() & UNUSUAL or headers.get(b"host") not in hosts:
        return None
    if headers.get(b"x-amz-target", b"").partition(b".")[0] not in SERVICES:
        return None
    parts = _AUTHORIZATION.fullmatch(headers.get(b"authorization", b""))
    if parts is None:
        return None
    names = set(parts[5].split(b";"))
    if not names >= SIGNED or not names <= headers.keys() or engine.AUTH or engine._get_reset_lock().locked():  # noqa: SLF001
        return None
    return Call(headers, parts[1].decode(), *(parts[number] for number in range(2, 7)))


async def answer(call: Call, body: bytes, send: Send) -> None:
    """Let the service answer, with the headers that the engine gives an answer of its protocol."""
    responses.set_request_client_ip("127.0.0.1")
    responses.set_request_account_id(call.account)
    responses.set_request_region(call.region.decode())
    told = {name.decode("latin-1"): sigv4.decode_header_value(value) for name, value in call.headers.items()}
    module, version = SERVICES[call.headers[b"x-amz-target"].partition(b".")[0]]
    try:
        status, headers, content = await import_module(module).handle_request("POST", "/", told, body, {})
    except Exception as error:
        _logger.exception("Error of %s", module)
        status, headers, content = 500, {}, json.dumps({"__type": "InternalError", "message": str(error)})
    whole = content if isinstance(content, bytes) else content.encode()
    headers.pop("Content-Type", None)
    own = [(name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()]
    common = [
        (b"content-type", f"application/x-amz-json-{version}".encode()),
        (b"x-amzn-requestid", str(uuid4()).encode()),
        (b"content-length", b"%d" % len(whole)),
        (b"x-content-type-options", b"nosniff"),
        (b"date", _date(int(time.time()))),
    ]
    await send({"type": "http.response.start", "status": status, "headers": own + common})
    await send({"type": "http.response.body", "body": whole})


@functools.lru_cache(maxsize=4)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
