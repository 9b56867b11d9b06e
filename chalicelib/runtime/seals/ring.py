"""The data keys of an installation: one row that lists them, wrapped; unwrapped once in a process, then remembered.

The newest seals, all open. A process looks for a newer one every five minutes, and at once when it meets a value that
is sealed under one that it does not know.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from chalicelib.kernel import clock
from chalicelib.kernel.clock import epoch_s, from_epoch_s
from chalicelib.kernel.errors import ConcurrentUpdate, Misconfigured
from chalicelib.runtime import aws, caches, log, names
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.seals import cipher
from chalicelib.runtime.seals.kms import kms

TABLE = "keys"
KEEP_S = 300
"""A new data key is used within this time by every warm process."""
RING = "rows"


class DataKey(msgspec.Struct, array_like=True, omit_defaults=True):
    """One data key as it is kept."""

    number: int
    wrapped: str
    made_s: int


@dataclass(frozen=True, slots=True)
class Ring:
    """The data keys as they were read; version 0 before there is any."""

    keys: tuple[DataKey, ...] = ()
    version: int = 0
    read_at: float = 0.0

    @property
    def newest(self) -> int:
        """Return the number of the key that seals; 0 if there is none."""
        return max((key.number for key in self.keys), default=0)

    def find(self, number: int) -> DataKey | None:
        """Return a key."""
        return next((key for key in self.keys if key.number == number), None)


_decode = msgspec.json.Decoder(tuple[DataKey, ...]).decode
_read: Ring | None = None
_plain: dict[tuple[int, str], bytes] = {}
"""Number and wrapped form -> the data key, for as long as the process lives."""


def seal(plain: bytes, place: str) -> bytes:
    """Seal a value under the newest data key; the first that is ever needed is made.

    Raises:
        Misconfigured: if there is no key of KMS, or it does not do what is asked of it.
    """
    ring = _ring()
    number = ring.newest or _begin()
    return cipher.seal(plain, place, key=_key(number), number=number)


def unseal(sealed: bytes, place: str) -> bytes:
    """Open a value.

    Raises:
        NotSealedHere: if it was changed or moved.
        Misconfigured: if its data key is not there, or KMS does not unwrap it.
    """
    return cipher.unseal(sealed, place, key=_key(cipher.number_of(sealed)))


def newest() -> int:
    """Return the number of the data key that seals now; 0 before there is any."""
    return _ring(anew=True).newest


def made_at() -> dict[int, datetime]:
    """Return the data keys by number, and when they were made."""
    return {key.number: from_epoch_s(key.made_s) for key in _ring(anew=True).keys}


def add() -> int:
    """Make one more data key, which seals from now on; returns its number.

    Raises:
        ConcurrentUpdate: if somebody else changes the ring at this moment.
        Misconfigured: as :func:`seal`.
    """
    ring = _ring(anew=True)
    number = ring.newest + 1
    wrapped = base64.b64encode(kms().make(number).wrapped).decode()
    save(ring, (*ring.keys, DataKey(number, wrapped, epoch_s(clock.now()))))
    log.info("data key created", number=number)
    return number


def drop(number: int) -> None:
    """Forget a data key for ever: what it sealed is never read again, in no backup either.

    Raises:
        Misconfigured: if it is the newest, or not there.
        ConcurrentUpdate: if somebody else changes the ring at this moment.
    """
    ring = _ring(anew=True)
    if ring.find(number) is None or number == ring.newest:
        raise Misconfigured(why=f"data key {number} is not to be dropped")
    save(ring, tuple(key for key in ring.keys if key.number != number))
    forget()


def rewrap(wrap: Callable[[bytes, int], bytes]) -> int:
    """Keep every data key in another wrapping; returns how many there are.

    Raises:
        ConcurrentUpdate: if somebody else changes the ring meanwhile.
    """
    ring = _ring(anew=True)
    keys = [
        DataKey(key.number, base64.b64encode(wrap(base64.b64decode(key.wrapped), key.number)).decode(), key.made_s)
        for key in ring.keys
    ]
    save(ring, tuple(keys))
    forget()
    return len(keys)


def load() -> Ring:
    """Read the ring as it is now."""
    params = {"TableName": names.table_name(TABLE), "Key": {"ring": {"S": RING}}, "ConsistentRead": True}
    item = dynamo.call("GetItem", params).get("Item")
    if item is None:
        return Ring(read_at=time.monotonic())
    return Ring(_decode(item["keys"]["S"]), int(item["version"]["N"]), time.monotonic())


def save(ring: Ring, keys: tuple[DataKey, ...]) -> None:
    """Write the ring if it still is as it was read.

    Raises:
        ConcurrentUpdate: if it is not.
    """
    params = {
        "TableName": names.table_name(TABLE),
        "Item": {
            "ring": {"S": RING},
            "keys": {"S": msgspec.json.encode(keys).decode()},
            "version": {"N": str(ring.version + 1)},
        },
        "ConditionExpression": "#version = :read" if ring.version else "attribute_not_exists(#version)",
        "ExpressionAttributeNames": {"#version": "version"},
        **({"ExpressionAttributeValues": {":read": {"N": str(ring.version)}}} if ring.version else {}),
    }
    try:
        dynamo.call("PutItem", params)
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        raise ConcurrentUpdate from error
    finally:
        forget_ring()


def _begin() -> int:
    """Make the first data key, unless another process does so at this moment."""
    try:
        return add()
    except ConcurrentUpdate:
        return _ring(anew=True).newest


def _key(number: int) -> bytes:
    found = _ring().find(number) or _ring(anew=True).find(number)
    if found is None:
        raise Misconfigured(why=f"data key {number} is not in the ring")
    held = _plain.get((number, found.wrapped))
    if held is None:
        held = kms().unwrap(base64.b64decode(found.wrapped), number)
        _plain[(number, found.wrapped)] = held
    return held


def _ring(*, anew: bool = False) -> Ring:
    global _read
    if anew or _read is None or time.monotonic() - _read.read_at >= KEEP_S:
        _read = load()
    return _read


def forget_ring() -> None:
    """Read the ring anew at the next need; unwrapped keys stay."""
    global _read
    _read = None


@caches.register
def forget() -> None:
    """Forget ring and keys: between tests, and when a data key is dropped."""
    forget_ring()
    _plain.clear()
