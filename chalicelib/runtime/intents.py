"""Idempotent POSTs without an extra row: the record's id derives from (account, key), its row keeps the fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from chalicelib.kernel import ids
from chalicelib.kernel.errors import IdempotencyKeyReused


@dataclass(frozen=True, slots=True)
class Intent:
    """What one caller wanted with one ``Idempotency-Key``.

    ``scope`` is the caller alone (an account, ``anonymous``, the system), not the route. What tells one request from
    another under the same key is ``fingerprint``, the digest of method, path, query and body: where a repeat would
    find the record of another request, it is refused.
    """

    scope: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, *, account_id: str, operation: str, key: str, body: bytes) -> Intent:
        """Build from the caller, the route's name with its path parameters, the key and the raw body."""
        return cls(
            scope=account_id,
            key=key,
            fingerprint=hashlib.sha256(operation.encode() + b"\n" + body).hexdigest()[:32],
        )

    @property
    def token(self) -> str:
        """Return the short name of this intent, for a history entry or a refund's cause. Reveals no key."""
        return ids.digest(self.scope, self.key)

    def record_id(self, prefix: str) -> str:
        """Return the id of the record that this intent creates, the same for every repeat."""
        return ids.derived_id(prefix, self.scope, self.key)

    def check(self, fingerprint: str) -> None:
        """Compare with the fingerprint remembered for the same key.

        Raises:
            IdempotencyKeyReused: if the key was used with another body.
        """
        if fingerprint != self.fingerprint:
            raise IdempotencyKeyReused


def system_intent(cause: str) -> Intent:
    """Return the intent of the system itself (a consumer, a job): the cause is key and fingerprint."""
    return Intent(scope="system", key=cause, fingerprint=ids.digest(cause))
