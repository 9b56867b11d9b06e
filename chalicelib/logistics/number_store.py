"""Rows of held tracking numbers, in the ``shipments`` table: ``num_<digest of carrier and number>``, id ``claim``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.kernel import ids
from chalicelib.kernel.clock import epoch_ms, from_epoch_ms
from chalicelib.logistics.numbers import Claim, NumberHeld, Release
from chalicelib.runtime import names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.rows import DocumentAttribute, Row, region
from chalicelib.runtime.db.work import UnitOfWork

_ID = "claim"


class _ReleaseDoc(msgspec.Struct, array_like=True, omit_defaults=True):
    by: str
    at_ms: int
    reason: str
    shipments: tuple[str, ...]
    intent: str = ""
    fingerprint: str = ""


class _ClaimDoc(msgspec.Struct, omit_defaults=True):
    carrier: str
    number: str
    merchant_id: str = ""
    buyer_id: str = ""
    shipments: tuple[str, ...] = ()
    releases: tuple[_ReleaseDoc, ...] = ()


class ClaimRow(Row):
    """A number and whose it is. Key: ``num_<digest>``, ``claim``."""

    class Meta:
        table_name = names.table_name("shipments")
        region = region()

    order_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)
    doc = DocumentAttribute[_ClaimDoc](_ClaimDoc)


def find(carrier: str, number: str) -> Claim | None:
    """Read a claim, consistently. ``number`` as :func:`domain.tracked` says it."""
    row = reads.get(ClaimRow, _key(carrier, number), _ID, consistent=True)
    return _claim(row) if row is not None else None


def save(work: UnitOfWork, claim: Claim) -> None:
    """Add the claim to the work; a new one that meets another is refused as :class:`NumberHeld`."""
    row = _row(claim)
    work.save(row, refuse=None if claim.version else _held(claim), label="number")


def _held(wanted: Claim) -> Callable[[dict[str, Any] | None], Exception]:
    def refuse(item: dict[str, Any] | None) -> Exception:
        return NumberHeld(_claim(ClaimRow.from_raw_data(item)) if item else wanted)

    return refuse


def _key(carrier: str, number: str) -> str:
    return f"num_{ids.digest(carrier, number)}"


def _row(claim: Claim) -> ClaimRow:
    return ClaimRow(
        order_id=_key(claim.carrier, claim.number),
        id=_ID,
        doc=_ClaimDoc(
            carrier=claim.carrier,
            number=claim.number,
            merchant_id=claim.merchant_id,
            buyer_id=claim.buyer_id,
            shipments=claim.shipments,
            releases=tuple(
                _ReleaseDoc(one.by, epoch_ms(one.at), one.reason, one.shipments, one.intent, one.fingerprint)
                for one in claim.releases
            ),
        ),
        version=claim.version,
    )


def _claim(row: ClaimRow) -> Claim:
    doc = row.doc
    return Claim(
        carrier=doc.carrier,
        number=doc.number,
        merchant_id=doc.merchant_id,
        buyer_id=doc.buyer_id,
        shipments=doc.shipments,
        releases=tuple(
            Release(one.by, from_epoch_ms(one.at_ms), one.reason, one.shipments, one.intent, one.fingerprint)
            for one in doc.releases
        ),
        version=int(row.version),
    )
