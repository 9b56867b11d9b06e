"""Rows of challenges, in the identities table."""

from __future__ import annotations

from dataclasses import replace

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.auth.open_step import Challenge
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import Refusal, UnitOfWork


class ChallengeRow(Row):
    """Key: ``chl_`` and the digest of its token. ``expires`` is compared; DynamoDB's TTL only collects."""

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    purpose = UnicodeAttribute()
    account_id = UnicodeAttribute(null=True)
    said = DocumentAttribute[dict[str, str]](dict[str, str], null=True)
    attempts = NumberAttribute()
    expires = TTLAttribute()


def row(challenge: Challenge) -> ChallengeRow:
    """Return the row of a challenge."""
    return ChallengeRow(
        identity_id=challenge.challenge_id,
        purpose=challenge.purpose,
        account_id=challenge.account_id or None,
        said=challenge.said or None,
        attempts=challenge.attempts,
        expires=challenge.expires_at,
        version=challenge.version,
    )


def load(challenge_id: str) -> Challenge | None:
    """Read one challenge as it is now."""
    found = reads.get(ChallengeRow, challenge_id, consistent=True)
    if found is None:
        return None
    return Challenge(
        challenge_id=found.identity_id,
        purpose=found.purpose,
        account_id=found.account_id or "",
        expires_at=found.expires,
        said=found.said or {},
        attempts=int(found.attempts),
        version=int(found.version),
    )


def count(challenge: Challenge, *, refuse: Refusal) -> Challenge:
    """Count one attempt on exactly the challenge that was read; who comes at the same moment is refused."""
    counted = replace(challenge, attempts=challenge.attempts + 1)
    with UnitOfWork() as work:
        work.save(row(counted), refuse=refuse, label="challenge")
    return replace(counted, version=challenge.version + 1)
