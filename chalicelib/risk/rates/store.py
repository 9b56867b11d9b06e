"""Rows of request limits: one a subject and minute, with a number for each operation. TTL collects them."""

from __future__ import annotations

from pynamodb.attributes import TTLAttribute, UnicodeAttribute

from chalicelib.runtime import aws, names
from chalicelib.runtime.db import dynamo
from chalicelib.runtime.db.rows import Row, region

_KEPT_S = 3600


class RateRow(Row):
    """Key: a keyed digest of whom, and of the minute."""

    class Meta:
        table_name = names.table_name("risk")
        region = region()

    key_of = UnicodeAttribute(hash_key=True)
    ttl = TTLAttribute(null=True)


def count(key: str, counts: dict[str, int], most: dict[str, int], *, now_s: int) -> bool:
    """Count calls for all processes, if no limit is passed: one write. Says whether they were counted."""
    numbered = {name: f"n{number}" for number, name in enumerate(counts)}
    try:
        dynamo.call(
            "UpdateItem",
            {
                "TableName": RateRow.Meta.table_name,
                "Key": RateRow(key_of=key).key(),
                "UpdateExpression": "SET #ttl = :ttl ADD " + ", ".join(f"#{one} :{one}" for one in numbered.values()),
                "ConditionExpression": " AND ".join(
                    f"(attribute_not_exists(#{one}) OR #{one} <= :most_{one})" for one in numbered.values()
                ),
                "ExpressionAttributeNames": {
                    "#ttl": "ttl",
                    **{f"#{one}": f"op_{name}" for name, one in numbered.items()},
                },
                "ExpressionAttributeValues": {
                    ":ttl": {"N": str(now_s + _KEPT_S)},
                    **{f":{one}": {"N": str(counts[name])} for name, one in numbered.items()},
                    **{f":most_{one}": {"N": str(most[name] - counts[name])} for name, one in numbered.items()},
                },
            },
        )
    except Exception as error:
        if aws.error_code(error) != "ConditionalCheckFailedException":
            raise
        return False
    return True
