"""Every value that rows and events can hold, down to the leaves of their documents."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import msgspec
from pynamodb.attributes import Attribute

import chalicelib
from chalicelib import topology
from chalicelib.kernel.events import Event
from chalicelib.runtime import names
from chalicelib.runtime.db.rows import Row


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: where it stands, and the Python type that it has there."""

    where: str
    kind: Any


def of_rows() -> list[Leaf]:
    """Return the leaves of every model: ``accounts/AccountRow.person.email``."""
    found: list[Leaf] = []
    for table, model in models():
        for name, attribute in sorted(model.get_attributes().items()):
            found += _of_attribute(f"{table}/{model.__name__}.{name}", attribute)
    return found


def of_events() -> list[Leaf]:
    """Return the leaves of every event type: ``event:order.paid.order_id``."""
    found: list[Leaf] = []
    for kind in event_types():
        hints = typing.get_type_hints(kind)
        for name in kind.__struct_fields__:
            found += _of_type(f"event:{kind.__struct_config__.tag}.{name}", hints[name])
    return found


def models() -> list[tuple[str, type[Row]]]:
    """Return every model of every table, with the table's short name."""
    load_all()
    tables = {names.table_name(table): table for table in topology.TABLES}
    found = [
        (tables[model.Meta.table_name], model)
        for model in _below(Row)
        if hasattr(model, "Meta") and getattr(model.Meta, "table_name", None) in tables
    ]
    return sorted(found, key=lambda pair: (pair[0], pair[1].__name__))


def event_types() -> list[type[Event]]:
    """Return every type of event that the topology lists, and the deadline's."""
    load_all()
    listed = {*topology.EVENTS, "due"}
    kinds = [kind for kind in _below(Event) if str(kind.__struct_config__.tag) in listed and _is_ours(kind)]
    return sorted(kinds, key=lambda kind: str(kind.__struct_config__.tag))


def load_all() -> None:
    """Import every module of the shop, so that all its classes are there."""
    for found in walk_packages(chalicelib.__path__, "chalicelib."):
        import_module(found.name)


def _is_ours(kind: type[Any]) -> bool:
    return kind.__module__.startswith("chalicelib.")


def _below(base: type[Any]) -> Iterator[type[Any]]:
    for child in base.__subclasses__():
        if _is_ours(child):
            yield child
            yield from _below(child)


def _of_attribute(where: str, attribute: Attribute[Any]) -> list[Leaf]:
    kind = getattr(attribute, "kind", None)
    if kind is not None:
        return _of_type(where, kind)
    return [Leaf(where, {"S": str, "N": int, "B": bytes}.get(attribute.attr_type, attribute.attr_type))]


def _of_type(where: str, kind: Any) -> list[Leaf]:
    """Return the leaves below a type; a list's and a mapping's stand under the list's own name."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(kind) if part is not type(None)]
        return _unique(leaf for part in inner for leaf in _of_type(where, part))
    if origin is typing.Annotated:
        return _of_type(where, typing.get_args(kind)[0])
    if origin in (tuple, list, set, frozenset, dict) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        inner = [part for part in typing.get_args(kind) if part is not Ellipsis]
        return _unique(leaf for part in inner for leaf in _of_type(where, part))
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct)):
        hints = typing.get_type_hints(kind)
        fields = [one.name for one in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else hints
        return _unique(leaf for name in fields for leaf in _of_type(f"{where}.{name}", hints[name]))
    return [Leaf(where, kind)]


def _unique(leaves: Iterator[Leaf]) -> list[Leaf]:
    return list(dict.fromkeys(leaves))


def is_free(kind: Any) -> bool:
    """Say whether a type can hold whatever a person typed: no enumeration, no time, no flag, no whole number."""
    return not (isinstance(kind, type) and (issubclass(kind, (Enum, bool, int)) or kind.__module__ == "datetime"))
