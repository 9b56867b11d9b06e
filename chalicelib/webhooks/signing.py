"""Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and the very bytes of the body. Pure.

Source: the Standard Webhooks specification, "Symmetric" and "Signature scheme"; vectors in the contract tests.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
SECRET_BYTES = 32
WITHIN_S = 300
"""How far a time may be from the receiver's own, either way."""
_TIME = re.compile(r"[0-9]{1,12}")


def written(secret: bytes) -> str:
    """Return a secret as its receiver keeps it."""
    return PREFIX + base64.b64encode(secret).decode()


def headers(message_id: str, body: bytes, *, at_s: int, secrets: Iterable[bytes]) -> dict[str, str]:
    """Return the headers of one attempt. Of two secrets (one just replaced) each signs, the newer first.

    Raises:
        ValueError: if the id holds a dot: id and body could be cut elsewhere under the same signature.
    """
    if "." in message_id:
        raise ValueError("a message's id holds no dot")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{_signature(secret, message_id, str(at_s), body)}" for secret in secrets),
    }


def verifies(sent: Mapping[str, str], body: bytes, *, secret: str, now_s: int) -> bool:
    """Say whether a message is one that was signed with this secret just now: what a receiver checks.

    ``sent`` names its headers in lower case. Unknown versions are passed over, whatever they look like.
    """
    message_id, at, signatures = (sent.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    key = _key(secret)
    if key is None or not message_id or "." in message_id or not _TIME.fullmatch(at):
        return False
    if abs(int(at) - now_s) > WITHIN_S:
        return False
    wanted = f"v1,{_signature(key, message_id, at, body)}".encode()
    found = [hmac.compare_digest(one.encode(), wanted) for one in signatures.split(" ")]
    return any(found)


def _signature(secret: bytes, message_id: str, at: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret, f"{message_id}.{at}.".encode() + body, "sha256")).decode()


def _key(secret: str) -> bytes | None:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
