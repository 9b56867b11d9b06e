"""Writes down, from the code, what other releases of ours read: every event's fields, every row's attributes."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import msgspec
from pynamodb.attributes import Attribute

import chalicelib
from chalicelib import topology
from chalicelib.kernel.events import Envelope, Event
from chalicelib.runtime.db.rows import Row
from tools.checks.compat.shapes import Comparison, Way

Json = dict[str, Any]
Compare = Callable[[Any, Any, Way, str], list[str]]
REF = "#/schemas/{name}"


def facts() -> Json:
    """Return events, rows and the schemas of what is nested in them; no bases of events, which have no tag."""
    for found in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        import_module(found.name)
    events = {tag: kind for kind in _below(Event) if (tag := str(kind.__struct_config__.tag)) != kind.__name__}
    rows = sorted(set(_rows()), key=lambda row: (row.Meta.table_name, row.__name__))
    documents = {row: _documents(row) for row in rows}
    kinds = [Envelope, *events.values(), *(kind for found in documents.values() for kind in found.values())]
    shapes, schemas = msgspec.json.schema_components(kinds, ref_template=REF)
    _name_positions(kinds, schemas)
    by_kind = {id(kind): _bare(shape) for kind, shape in zip(kinds, shapes, strict=True)}
    return {
        "events": {"(envelope)": by_kind[id(Envelope)], **{name: by_kind[id(events[name])] for name in sorted(events)}},
        "rows": {
            f"{table_of(row)}/{row.__name__}": _row(
                row, {name: by_kind[id(kind)] for name, kind in documents[row].items()}
            )
            for row in rows
        },
        "schemas": {name: _bare(schema) for name, schema in sorted(schemas.items())},
    }


def table_of(row: type[Row]) -> str:
    """Return the table's name without the stage."""
    names = [name for name in topology.TABLES if str(row.Meta.table_name).endswith(name)]
    return max(names, key=len)


def _rows() -> Iterator[type[Row]]:
    for row in _below(Row):
        if hasattr(row, "Meta") and getattr(row.Meta, "table_name", None):
            yield row


def _below(base: type[Any]) -> Iterator[type[Any]]:
    for child in base.__subclasses__():
        if child.__module__.startswith("chalicelib."):
            yield child
        yield from _below(child)


def _documents(row: type[Row]) -> dict[str, Any]:
    """Return the types of the attributes that hold a whole document."""
    return {
        attribute.attr_name: attribute._decoder.type  # noqa: SLF001  nobody else asks for it
        for attribute in row.get_attributes().values()
        if hasattr(attribute, "_decoder")
    }


def _row(row: type[Row], documents: Json) -> Json:
    key, sort = row.key_names()
    attributes = row.get_attributes()
    return {
        "key": [attributes[name].attr_name for name in (key, sort) if name is not None],
        "indexes": _indexes(row),
        "attributes": {
            attribute.attr_name: _attribute(attribute, documents.get(attribute.attr_name))
            for attribute in sorted(attributes.values(), key=lambda attribute: attribute.attr_name)
        },
    }


def _indexes(row: type[Row]) -> dict[str, list[str]]:
    """Return the key of each index by its name."""
    described = row._get_schema().get("global_secondary_indexes", [])  # noqa: SLF001  it has no other door
    return {index["index_name"]: [part["AttributeName"] for part in index["key_schema"]] for index in described}


def _attribute(attribute: Attribute[Any], document: Json | None) -> Json:
    found: Json = {"type": type(attribute).__name__.removesuffix("Attribute").lower()}
    if attribute.null or attribute.default is not None:
        found["may_lack"] = True
    if document is not None:
        found["document"] = document
    return found


def _name_positions(kinds: list[Any], schemas: Json) -> None:
    """Say what stands where in a struct that is written as an array: JSON schema knows positions only."""
    seen: set[Any] = set()
    frontier = list(msgspec.inspect.multi_type_info(kinds))
    while frontier:
        kind = frontier.pop()
        if isinstance(kind, msgspec.inspect.StructType):
            if kind.cls in seen:
                continue
            seen.add(kind.cls)
            if kind.array_like:
                schemas[_name(kind.cls, schemas)]["x-fields"] = [field.encode_name for field in kind.fields]
        frontier += _inside(kind)


def _inside(kind: Any) -> Iterator[Any]:
    for field in getattr(kind, "fields", ()):
        yield field.type
    for name in ("item_type", "key_type", "value_type"):
        if isinstance(getattr(kind, name, None), msgspec.inspect.Type):
            yield getattr(kind, name)
    for name in ("item_types", "types"):
        yield from getattr(kind, name, ())


def _name(kind: type[Any], schemas: Json) -> str:
    return kind.__name__ if kind.__name__ in schemas else f"{kind.__module__}.{kind.__qualname__}"


def fact_breaks(old: Json, new: Json) -> list[str]:
    """Return what of the new facts breaks old rows, events on their way, or the release before, one sentence each."""
    compare = Comparison(old, new).breaks
    found = []
    for name, event in old["events"].items():
        if name in new["events"]:
            found += compare(event, new["events"][name], Way.KEPT, f"event {name}")
        else:
            found.append(f"event {name} is gone")
    for name, row in old["rows"].items():
        now = new["rows"].get(name) or _renamed(name, row, old, new)
        found += [f"row {name} is gone"] if now is None else _row_breaks(name, row, now, compare)
    return found


def _renamed(name: str, row: Json, old: Json, new: Json) -> Json | None:
    """Return the row of the same table that has these attributes under another class's name: names are ours."""
    table = name.partition("/")[0]
    for other, candidate in new["rows"].items():
        same_table = other.partition("/")[0] == table
        if same_table and other not in old["rows"] and candidate["attributes"].keys() >= row["attributes"].keys():
            return dict(candidate)
    return None


def _row_breaks(name: str, old: Json, new: Json, compare: Compare) -> Iterator[str]:
    if old["key"] != new["key"]:
        yield f"row {name}: its key was {old['key']}, is {new['key']}"
    for index, key in old["indexes"].items():
        if new["indexes"].get(index) != key:
            yield f"row {name}: index {index} was over {key}, is {new['indexes'].get(index, 'gone')}"
    had, has = old["attributes"], new["attributes"]
    for attribute in had:
        if attribute in has:
            yield from _attribute_breaks(f"row {name}.{attribute}", had[attribute], has[attribute], compare)
        else:
            yield f"row {name}.{attribute} is gone"
    for attribute in has:
        if attribute not in had and not has[attribute].get("may_lack"):
            yield f"row {name}: new {attribute} has no default, and old rows lack it"


def _attribute_breaks(where: str, before: Json, after: Json, compare: Compare) -> Iterator[str]:
    if before["type"] != after["type"]:
        yield f"{where}: was {before['type']}, is {after['type']}"
        return
    if before.get("may_lack") and not after.get("may_lack"):
        yield f"{where} must be there now, and old rows lack it"
    if "document" in before:
        yield from compare(before["document"], after["document"], Way.KEPT, where)


def _bare(schema: Any) -> Any:
    """Leave out what only people read."""
    if isinstance(schema, dict):
        return {
            key: _bare(value)
            for key, value in schema.items()
            if not (key in {"title", "description"} and isinstance(value, str))
        }
    return [_bare(part) for part in schema] if isinstance(schema, list) else schema
