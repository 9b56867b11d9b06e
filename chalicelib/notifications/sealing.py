"""What a message says to whom, sealed while it waits: AES-256-GCM under a key that only we and its sender hold.

The queue carries an id; whoever reads the table, its stream, a backup or a log finds no address and no code
(docs/accounts.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec

from chalicelib.kernel.errors import Misconfigured
from chalicelib.notifications.domain import Content
from chalicelib.runtime import secrets
from chalicelib.runtime.seals import box

_decoder = msgspec.json.Decoder(Content)


def seal(message_id: str, content: Content) -> str:
    """Return the content sealed for one message: under another id it does not open."""
    sealed = box.seal(msgspec.json.encode(content), key=_key("seal_key"), bound=message_id.encode())
    return base64.b64encode(sealed).decode()


def unseal(message_id: str, sealed: str) -> Content:
    """Return what was sealed, under the key of now or the one before.

    Raises:
        Misconfigured: if neither opens it.
    """
    try:
        raw = base64.b64decode(sealed, validate=True)
    except binascii.Error as error:
        raise Misconfigured(why="a message's content is not what we sealed") from error
    for field in ("seal_key", "seal_key_before"):
        if field == "seal_key" or secrets.secret("messages").get(field):
            plain = box.unseal(raw, key=_key(field), bound=message_id.encode())
            if plain is not None:
                return _decoder.decode(plain)
    raise Misconfigured(why="secret messages: seal_key does not open a message that waits")


def mark(text: str) -> str:
    """Return a keyed digest: who finds it in a queue or a log cannot try addresses against it."""
    return hmac.new(secrets.text("messages", "id_key").encode(), text.encode(), hashlib.sha256).hexdigest()


def _key(field: str) -> bytes:
    return hmac.new(secrets.text("messages", field).encode(), b"messages", hashlib.sha256).digest()
