"""Every table as CreateTable takes it, from the models and the topology: for the stack, and for whoever plays AWS."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from chalicelib import topology
from chalicelib.runtime import names
from chalicelib.runtime.db.rows import Row

Spec = dict[str, Any]


def table_specs() -> dict[str, Spec]:
    """Return CreateTable parameters by short table name, merged over all models that share a table."""
    specs: dict[str, Spec] = {}
    for table, module_name in topology.TABLES.items():
        if find_spec(module_name.rsplit(".", 1)[0]) is None or find_spec(module_name) is None:
            continue
        import_module(module_name)
        for model in _models(Row):
            meta = getattr(model, "Meta", None)
            if meta is not None and meta.table_name == names.table_name(table):
                specs[table] = _merge(specs.get(table), _spec(model))
    return specs


def _models(base: type[Row]) -> list[type[Row]]:
    found: list[type[Row]] = []
    for model in base.__subclasses__():
        found.append(model)
        found.extend(_models(model))
    return found


def _spec(model: type[Row]) -> Spec:
    schema = model._get_schema()  # noqa: SLF001
    spec: Spec = {
        "TableName": model.Meta.table_name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": sorted(
            ({"AttributeName": k["AttributeName"], "KeyType": k["KeyType"]} for k in schema["key_schema"]),
            key=lambda k: k["KeyType"],
        ),
        "AttributeDefinitions": [
            {"AttributeName": a["AttributeName"], "AttributeType": a["AttributeType"]}
            for a in schema["attribute_definitions"]
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index["index_name"],
                "KeySchema": sorted(
                    ({"AttributeName": k["AttributeName"], "KeyType": k["KeyType"]} for k in index["key_schema"]),
                    key=lambda k: k["KeyType"],
                ),
                "Projection": index["projection"],
            }
            for index in schema["global_secondary_indexes"]
        ],
        "ttl": next((a.attr_name for a in model.get_attributes().values() if type(a).__name__ == "TTLAttribute"), None),
    }
    return spec


def _merge(one: Spec | None, other: Spec) -> Spec:
    if one is None:
        return other
    if one["KeySchema"] != other["KeySchema"]:
        raise ValueError(f"models of {one['TableName']} disagree about its key")
    for part, key in (("AttributeDefinitions", "AttributeName"), ("GlobalSecondaryIndexes", "IndexName")):
        have = {entry[key] for entry in one[part]}
        one[part] += [entry for entry in other[part] if entry[key] not in have]
    one["ttl"] = one["ttl"] or other["ttl"]
    return one
