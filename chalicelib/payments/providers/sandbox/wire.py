"""The sandbox on the wire: what it is told, signatures both ways."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.kernel import clock
from chalicelib.kernel.errors import Misconfigured
from chalicelib.payments.ports import BadSignature, UnreadableNotice
from chalicelib.runtime.config import setting

WINDOW = timedelta(seconds=300)
DEFAULT_URL = "http://127.0.0.1:9100"
SECRET = "payments-sandbox"  # noqa: S105  (a name)
_SECONDS = re.compile(r"[0-9]{1,12}")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the adapter is told. Several webhook keys count at once, so that one can be rolled."""

    base_url: str
    merchant_id: str
    api_key: str
    webhook_keys: tuple[str, ...]


def configuration_from(secret: Mapping[str, Any]) -> Configuration:
    """Return the configuration a secret describes.

    Raises:
        Misconfigured: if something is missing or no text.
    """
    for name in ("merchant_id", "api_key", "webhook_key"):
        if not isinstance(secret.get(name), str) or not secret[name]:
            raise Misconfigured(why=f"secret {SECRET} has no {name}")
    before = secret.get("webhook_key_before")
    return Configuration(
        base_url=setting("BIANDAN_SANDBOX_URL", DEFAULT_URL).rstrip("/"),
        merchant_id=secret["merchant_id"],
        api_key=secret["api_key"],
        webhook_keys=(secret["webhook_key"], *([before] if isinstance(before, str) and before else [])),
    )


def mac(key: str, message: bytes) -> str:
    """Return what signs a message."""
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def authentic(headers: Mapping[str, str], body: bytes, keys: tuple[str, ...]) -> datetime:
    """Return the signed time.

    Raises:
        BadSignature: if it is not signed with one of the keys.
    """
    stamp, nonce = headers.get("x-sandbox-timestamp", ""), headers.get("x-sandbox-nonce", "")
    signature = headers.get("x-sandbox-signature", "")
    if not _SECONDS.fullmatch(stamp) or not 8 <= len(nonce) <= 64 or not nonce.isascii():
        raise BadSignature(why="timestamp or nonce is missing or malformed")
    if not _HEX.fullmatch(signature):
        raise BadSignature(why="the signature is missing or malformed")
    message = b"\n".join([stamp.encode(), nonce.encode(), body])
    matches = [hmac.compare_digest(mac(key, message), signature) for key in keys]
    if not any(matches):
        raise BadSignature(why="the signature does not match the body")
    return clock.from_epoch_s(min(int(stamp), 253_402_300_799))


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UnreadableNotice: if it is none.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableNotice(why="it is not JSON") from error
    if not isinstance(content, dict):
        raise UnreadableNotice(why="it is not an object")
    return content
