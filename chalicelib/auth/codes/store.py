"""Rows of codes, in the table of identities: they come and go as its counters do."""

from __future__ import annotations

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.auth.codes.domain import Code, CodeStatus
from chalicelib.kernel import clock
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.races import lost
from chalicelib.runtime.db.rows import Row, region
from chalicelib.runtime.db.work import UnitOfWork


class CodeRow(Row):
    """Key: code_id. ``expires_ms`` is compared, TTL only collects."""

    class Meta:
        table_name = names.table_name("identities")
        region = region()

    identity_id = UnicodeAttribute(hash_key=True)
    code_subject = UnicodeAttribute()
    digest = UnicodeAttribute()
    code_status = UnicodeAttribute()
    tries = NumberAttribute(default=0)
    expires_ms = NumberAttribute()
    expires = TTLAttribute()


def add(work: UnitOfWork, code: Code) -> None:
    """Write a new code; one that this intent wrote before is refused as ``AlreadyExists``."""
    work.save(_row(code), label="code")


def save(work: UnitOfWork, code: Code) -> None:
    """Write a code that was read; a guess at the same moment is a lost race."""
    work.save(_row(code), refuse=lost, label="code")


def load(code_id: str) -> Code | None:
    """Read one code as it is now."""
    row = reads.get(CodeRow, code_id, consistent=True)
    if row is None:
        return None
    return Code(
        code_id=row.identity_id,
        subject=row.code_subject,
        digest=row.digest,
        status=CodeStatus(row.code_status),
        tries=int(row.tries or 0),
        expires_at=clock.from_epoch_ms(row.expires_ms),
        version=int(row.version),
    )


def _row(code: Code) -> CodeRow:
    return CodeRow(
        identity_id=code.code_id,
        code_subject=code.subject,
        digest=code.digest,
        code_status=code.status.value,
        tries=code.tries,
        expires_ms=clock.epoch_ms(code.expires_at),
        expires=code.expires_at,
        version=code.version,
    )
