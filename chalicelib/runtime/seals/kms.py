"""Who wraps data keys: AWS KMS, or on a laptop a key that everybody may know and that no other stage takes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import NamedTuple, Protocol

from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime import aws
from chalicelib.runtime.config import config, setting

KEY = "BIANDAN_ROW_KEY"
"""The setting that names the key of KMS: the stack says it."""
BYTES = 32


class NewKey(NamedTuple):
    """A data key, and what may be kept of it."""

    plain: bytes
    wrapped: bytes


class Kms(Protocol):
    """Makes data keys and unwraps them. ``number`` is bound to a key: one cannot be passed off as another."""

    def make(self, number: int) -> NewKey:
        """Return a new data key."""
        ...

    def unwrap(self, wrapped: bytes, number: int) -> bytes:
        """Return the data key.

        Raises:
            Misconfigured: if it cannot be unwrapped.
        """
        ...


class AwsKms:
    """AWS KMS. One call for each data key and process; the key itself never leaves KMS."""

    def make(self, number: int) -> NewKey:
        """Return a new data key."""
        answer = aws.call(
            "kms",
            "GenerateDataKey",
            {"KeyId": key_id(), "KeySpec": "AES_256", "EncryptionContext": context(number)},
        )
        return NewKey(base64.b64decode(answer["Plaintext"]), base64.b64decode(answer["CiphertextBlob"]))

    def unwrap(self, wrapped: bytes, number: int, *, key: str = "") -> bytes:
        """Return the data key; ``key`` names the key of KMS, where it is not this installation's.

        Raises:
            Misconfigured: if KMS refuses: another installation's key, or a policy that does not name it.
        """
        params = {
            "CiphertextBlob": base64.b64encode(wrapped).decode(),
            "EncryptionContext": context(number),
            "KeyId": key or key_id(),
        }
        try:
            answer = aws.call("kms", "Decrypt", params)
        except Exception as error:
            code = aws.error_code(error)
            if code not in _REFUSED:
                raise
            raise Misconfigured(why=f"KMS does not unwrap data key {number}: {code}") from error
        return base64.b64decode(answer["Plaintext"])


_REFUSED = (
    "AccessDeniedException",
    "DisabledException",
    "IncorrectKeyException",
    "InvalidCiphertextException",
    "KMSInvalidStateException",
    "NotFoundException",
)


class LocalKms:
    """A laptop's. Its data keys follow from their numbers: they keep nobody out, and a run plays alike twice."""

    def make(self, number: int) -> NewKey:
        """Return the data key of this number."""
        return NewKey(self._plain(number), b"local")

    def unwrap(self, wrapped: bytes, number: int) -> bytes:
        """Return the data key.

        Raises:
            Misconfigured: if it was not made here.
        """
        if wrapped != b"local":
            raise Misconfigured(why=f"data key {number} is no laptop's")
        return self._plain(number)

    def _plain(self, number: int) -> bytes:
        if not config().is_local:
            raise Misconfigured(why="the laptop's key seals nothing elsewhere")
        return hmac.new(b"local-row-key", str(number).encode(), hashlib.sha256).digest()


def kms() -> Kms:
    """Return who wraps keys here: KMS where the stack names a key, the laptop's own on a laptop, else nobody.

    Raises:
        Misconfigured: outside a laptop without a key of KMS.
    """
    if setting(KEY):
        return AwsKms()
    if config().is_local:
        return LocalKms()
    raise Misconfigured(why=f"{KEY} names no key of KMS")


def context(number: int) -> dict[str, str]:
    """Return what KMS binds a data key to, and shows in its log."""
    return {"purpose": "rows", "number": str(number)}


def key_id() -> str:
    """Return the key of KMS that wraps data keys here."""
    return setting(KEY)
