"""Rows of facts: one a subject, each kind of fact a set of records. Adding to a set twice, or in another order, is the
same set: no message that comes again changes a count.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pynamodb.attributes import TTLAttribute, UnicodeAttribute, UnicodeSetAttribute

from chalicelib.kernel.clock import epoch_s
from chalicelib.risk.domain import KEPT, MOST_KEPT, Fact, FactKind, Subject, SubjectKind, Tally
from chalicelib.runtime import aws, names
from chalicelib.runtime.db import dynamo, reads
from chalicelib.runtime.db.rows import Row, region


class FactRow(Row):
    """Key: a subject. Whom digests are about, nobody can tell from the table."""

    class Meta:
        table_name = names.table_name("risk")
        region = region()

    key_of = UnicodeAttribute(hash_key=True)
    signed_up = UnicodeSetAttribute(null=True)
    used_by = UnicodeSetAttribute(null=True)
    unpaid = UnicodeSetAttribute(null=True)
    paid = UnicodeSetAttribute(null=True)
    refunded = UnicodeSetAttribute(null=True)
    complained = UnicodeSetAttribute(null=True)
    not_received = UnicodeSetAttribute(null=True)
    opened = UnicodeSetAttribute(null=True)
    shares_device = UnicodeSetAttribute(null=True)
    ring_person = UnicodeSetAttribute(null=True)
    ring_device = UnicodeSetAttribute(null=True)
    ring_address = UnicodeSetAttribute(null=True)
    ring_phone = UnicodeSetAttribute(null=True)
    ring_payer = UnicodeSetAttribute(null=True)
    ttl = TTLAttribute(null=True)


def add(fact: Fact, now: datetime) -> Tally:
    """Add a fact and return all that is kept of its subject: one write. One that is too old, or beyond what is kept,
    changes nothing.
    """
    try:
        raw = _update(fact, now)
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        full = getattr(error, "response", {}).get("Item") or {}
        raw = _update(fact, now) if _drop_stale(full, fact.subject, now) else full
    return _tally(fact.subject, raw, now)


def load(subject: Subject, now: datetime) -> Tally:
    """Read what is kept of a subject."""
    return _tally(subject, reads.get_raw(FactRow, subject.key) or {}, now)


def tally_of(raw: dict[str, Any], now: datetime) -> Tally | None:
    """Return what a raw row of the table holds, if it is one of facts."""
    kind, found, name = raw["key_of"]["S"].partition("#")
    if not found or kind not in set(SubjectKind):
        return None
    return _tally(Subject(SubjectKind(kind), name), raw, now)


def forget(subject: Subject) -> None:
    """Drop all that is kept of a subject."""
    dynamo.call("DeleteItem", {"TableName": FactRow.Meta.table_name, "Key": FactRow(key_of=subject.key).key()})


def _update(fact: Fact, now: datetime) -> dict[str, Any]:
    answer = dynamo.call(
        "UpdateItem",
        {
            "TableName": FactRow.Meta.table_name,
            "Key": FactRow(key_of=fact.subject.key).key(),
            "UpdateExpression": "SET #ttl = :ttl ADD #kind :members",
            "ConditionExpression": "attribute_not_exists(#kind) OR size(#kind) < :most OR contains(#kind, :member)",
            "ExpressionAttributeNames": {"#ttl": "ttl", "#kind": fact.kind.value},
            "ExpressionAttributeValues": {
                ":ttl": {"N": str(epoch_s(now + KEPT))},
                ":members": {"SS": [fact.member]},
                ":member": {"S": fact.member},
                ":most": {"N": str(MOST_KEPT)},
            },
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )
    found: dict[str, Any] = answer["Attributes"]
    return found


def _drop_stale(raw: dict[str, Any], subject: Subject, now: datetime) -> bool:
    """Drop what counts no more; says whether there was any."""
    stale = {
        kind.value: old
        for kind in FactKind
        if (old := [one for one in raw.get(kind.value, {"SS": []})["SS"] if _is_stale(one, now)])
    }
    if not stale:
        return False
    dynamo.call(
        "UpdateItem",
        {
            "TableName": FactRow.Meta.table_name,
            "Key": FactRow(key_of=subject.key).key(),
            "UpdateExpression": "DELETE " + ", ".join(f"#{name} :{name}" for name in stale),
            "ExpressionAttributeNames": {f"#{name}": name for name in stale},
            "ExpressionAttributeValues": {f":{name}": {"SS": old} for name, old in stale.items()},
        },
    )
    return True


def _is_stale(member: str, now: datetime) -> bool:
    return int(member.rpartition("@")[2]) * 60 < epoch_s(now - KEPT)


def _tally(subject: Subject, raw: dict[str, Any], now: datetime) -> Tally:
    return Tally.read(
        subject,
        {
            kind: [one for one in raw[kind.value]["SS"] if not _is_stale(one, now)]
            for kind in FactKind
            if kind.value in raw
        },
    )
