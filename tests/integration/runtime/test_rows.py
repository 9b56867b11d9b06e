"""What rows write and read is what PynamoDB writes and reads of them, attribute by attribute."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from pynamodb import attributes, models
from pynamodb.exceptions import AttributeNullError

import chalicelib
from chalicelib.runtime.db.numbers import NumberAttribute
from chalicelib.runtime.db.rows import Row
from tests.support.shop import buyer, shop

WHOLE = [0, 1, -1, 7, 10**12, -(10**18), 2**63]
OTHER = [1.5, -0.25, 1e21, True]


def kinds() -> list[type[Row]]:
    """Return every kind of row there is."""
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        if module.name.endswith(("store", "rows", "records", "limits")):
            importlib.import_module(module.name)

    def below(kind: type[Row]) -> Iterator[type[Row]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    return [kind for kind in below(Row) if kind.__module__.startswith("chalicelib.") and hasattr(kind, "Meta")]


def theirs(kind: type[Row], raw: dict[str, Any]) -> Any:
    """Return what PynamoDB makes of raw attributes."""
    return models.Model.from_raw_data.__func__(kind, raw)  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [*WHOLE, *OTHER])
def test_a_number_is_written_as_ever(value: float) -> None:
    assert NumberAttribute().serialize(value) == attributes.NumberAttribute().serialize(value)


@pytest.mark.parametrize("text", [*map(str, WHOLE), "1.5", "-0.25", "1E+21", "1e-7", "0.1"])
def test_a_number_is_read_as_ever(text: str) -> None:
    ours, before = NumberAttribute().deserialize(text), attributes.NumberAttribute().deserialize(text)
    assert (ours, type(ours)) == (before, type(before))


def test_no_row_has_another_kind_of_number() -> None:
    wrong = [
        (kind.__name__, name)
        for kind in kinds()
        for name, attribute in kind.get_attributes().items()
        if isinstance(attribute, attributes.NumberAttribute) and not isinstance(attribute, NumberAttribute)
    ]
    assert wrong == []
    assert len(kinds()) > 20


def test_no_row_holds_what_only_pynamodbs_way_can_write() -> None:
    nested = (attributes.MapAttribute, attributes.ListAttribute, attributes.DiscriminatorAttribute)
    held = [attribute for kind in kinds() for attribute in kind.get_attributes().values()]
    assert not [attribute for attribute in held if isinstance(attribute, nested)]


def test_a_row_begins_as_ever() -> None:
    for kind in kinds():
        second = "range" if kind.key_names()[1] else None
        ours, before = kind("hash", second), object.__new__(kind)
        models.Model.__init__(before, "hash", second)
        assert ours.attribute_values == before.attribute_values, kind
        assert not [one for one in kind.get_attributes().values() if callable(one.default) or one.default_for_new]
        with pytest.raises(ValueError, match="nonsense"):
            kind(nonsense=1)


def test_rows_of_a_sale_are_written_and_read_as_ever(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[type[Row], dict[str, Any]]] = []
    real = Row.__dict__["from_raw_data"].__func__

    def noted(kind: type[Row], raw: dict[str, Any]) -> Row:
        seen.append((kind, raw))
        row: Row = real(kind, raw)
        return row

    monkeypatch.setattr(Row, "from_raw_data", classmethod(noted))
    place, who = shop(), buyer()
    purchase = who.buy((place.product().sku_id, 2), (place.product().sku_id, 1))
    who.get(f"/v1/purchases/{purchase['purchase_id']}")
    assert len({kind for kind, _ in seen}) > 3

    for kind, raw in seen:
        raw = {name: value for name, value in raw.items() if "B" not in value}  # noqa: PLW2901 - sealed: ours alone
        ours, before = real(kind, raw), theirs(kind, raw)
        assert ours.attribute_values == before.attribute_values, kind
        assert ours.serialize(null_check=False) == models.Model.serialize(before, False), kind


def test_what_must_be_there_is_missed(cloud: str) -> None:
    kind = next(kind for kind in kinds() if kind.__name__ == "PurchaseRow")
    with pytest.raises(AttributeNullError):
        kind("pur_1", "pur_1").serialize()
    assert kind("pur_1", "pur_1").serialize(null_check=False) == models.Model.serialize(kind("pur_1", "pur_1"), False)
    assert "null_check" in inspect.signature(kind.serialize).parameters
