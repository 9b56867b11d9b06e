"""Deadlines that are refused for ever: taken off the due index once, and told, instead of failing each minute anew.

A parked record keeps its state. Any change of it writes its deadline again, so that it is tried again; so does
:func:`release`, once somebody has mended what refused it.
"""

from __future__ import annotations

from typing import Any

from chalicelib import topology
from chalicelib.kernel import clock
from chalicelib.kernel import events as facts
from chalicelib.runtime import aws, log, metrics, names
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.db.rows import due_shard
from chalicelib.runtime.deadlines import Due
from chalicelib.runtime.events import DeadlineParked

REASON_CHARACTERS = 100


def park(due: Due, reason: str) -> bool:
    """Take a record off the due index, with the fact that tells it; False if its deadline is another by now, or gone.

    Raises:
        LookupError: if the record is of no table with deadlines.
    """
    told = DeadlineParked(
        kind=due.kind,
        record_id=due.record_id,
        parent_id=due.parent_id,
        due_at_s=due.due_at_s,
        reason=reason[:REASON_CHARACTERS],
    )
    parked = _update(
        due.record_id,
        due.parent_id,
        "SET parked = :reason, version = version + :one, event_version = version + :one, #events = :events "
        "REMOVE due_shard, due_at",
        condition="due_at = :due_at",
        ExpressionAttributeNames={"#events": "events"},
        values={
            ":reason": {"S": told.reason or "unknown"},
            ":one": {"N": "1"},
            ":events": {"S": facts.encode_list([facts.seal(told)])},
            ":due_at": {"N": str(due.due_at_s)},
        },
    )
    if parked:
        metrics.count("deadlines_parked")
        log.error(
            "deadline parked for an operator after repeated failures",
            kind=due.kind,
            record_id=due.record_id,
            reason=told.reason,
        )
    return parked


def release(record_id: str, parent_id: str) -> bool:
    """Put a parked record on the due index again, due now; False if it is not parked (any more).

    Raises:
        LookupError: if the record is of no table with deadlines.
    """
    return _update(
        record_id,
        parent_id,
        "SET due_shard = :shard, due_at = :now, version = version + :one REMOVE parked",
        condition="attribute_exists(parked)",
        values={
            ":shard": {"S": due_shard(record_id)},
            ":now": {"N": str(clock.epoch_s(clock.now()))},
            ":one": {"N": "1"},
        },
    )


def _update(
    record_id: str, parent_id: str, expression: str, *, condition: str, values: dict[str, Any], **more: Any
) -> bool:
    params: dict[str, Any] = {
        **_row(record_id, parent_id),
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": values,
        **more,
    }
    try:
        dynamo.call("UpdateItem", params)
    except Exception as error:
        if aws.error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def _row(record_id: str, parent_id: str) -> dict[str, Any]:
    table, hash_name, range_name = topology.due_table(record_id)
    key = {hash_name: {"S": parent_id}}
    if range_name is not None:
        key[range_name] = {"S": record_id}
    return {"TableName": names.table_name(table), "Key": key}
