"""What breaks those who were built against the last release is found, whatever kind of break it is; nothing else is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.checks.compat import __main__ as check
from tools.checks.compat.api import api_breaks
from tools.checks.compat.facts import fact_breaks, facts

Json = dict[str, Any]

API: Json = {
    "paths": {
        "/v1/things/{thing_id}": {
            "post": {
                "operationId": "change_thing",
                "x-access": "buyer",
                "parameters": [
                    {"name": "thing_id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 32}},
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 50, "default": 20}},
                    {"$ref": "#/components/parameters/Key"},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Wish"}},
                        "text/csv": {"schema": {"type": "string"}},
                    }
                },
                "responses": {
                    "200": {
                        "headers": {"ETag": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "202": {"description": "Later."},
                    "409": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
                },
            }
        }
    },
    "components": {
        "parameters": {"Key": {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}},
        "examples": {"sold_out": {}},
        "schemas": {
            "Wish": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 80},
                    "note": {"type": "string"},
                    "count": {"type": "integer", "minimum": 1},
                    "kind": {"enum": ["a", "b"], "type": "string"},
                    "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "many": {"type": "array", "items": {"type": "string"}, "maxItems": 9},
                    "inner": {"$ref": "#/components/schemas/Wish"},
                    "free": {"type": "object", "additionalProperties": {"type": "integer"}},
                },
            },
            "Thing": {
                "type": "object",
                "required": ["id", "state"],
                "properties": {
                    "id": {"type": "string"},
                    "state": {"type": "string", "enum": ["new", "done"]},
                    "total": {"type": "integer"},
                    "at": {"type": "string", "format": "date-time"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                },
            },
        },
    },
}


def _operation(document: Json) -> Json:
    found: Json = document["paths"]["/v1/things/{thing_id}"]["post"]
    return found


def _wish(document: Json) -> Json:
    found: Json = document["components"]["schemas"]["Wish"]
    return found


def _thing(document: Json) -> Json:
    found: Json = document["components"]["schemas"]["Thing"]
    return found


def _asked(name: str, **change: Any) -> Callable[[Json], None]:
    return lambda document: _wish(document)["properties"].__setitem__(name, change)


def _answered(name: str, **change: Any) -> Callable[[Json], None]:
    return lambda document: _thing(document)["properties"].__setitem__(name, change)


BREAKS: list[tuple[Callable[[Json], Any], str]] = [
    (lambda d: d["paths"].clear(), "POST /v1/things/{thing_id}: the route is gone"),
    (
        lambda d: d["paths"]["/v1/things/{thing_id}"].update(put={}) or d["paths"]["/v1/things/{thing_id}"].pop("post"),
        "gone",
    ),
    (lambda d: _operation(d).update({"x-access": "operator"}), "was for buyer, is for operator"),
    (lambda d: _operation(d).update(operationId="alter"), "was called change_thing, is alter"),
    (lambda d: _operation(d)["parameters"].pop(1), "query parameter `limit` is gone"),
    (
        lambda d: d["components"]["parameters"]["Key"].update(required=True),
        "header parameter `Idempotency-Key` must be",
    ),
    (lambda d: _operation(d)["parameters"][1]["schema"].update(maximum=10), "`limit`: maximum was 50, is 10"),
    (lambda d: _operation(d)["parameters"][1]["schema"].update(default=10), "`limit`: default was 20, is 10"),
    (lambda d: _operation(d)["parameters"][0]["schema"].update(pattern="^t"), "path parameter `1`: pattern was None"),
    (
        lambda d: _operation(d)["parameters"].append({"name": "x", "in": "query", "required": True, "schema": {}}),
        "new query parameter `x` must be there",
    ),
    (lambda d: _operation(d)["requestBody"].update(required=True), "a body must be there now"),
    (lambda d: _operation(d)["requestBody"]["content"].pop("text/csv"), "takes no text/csv any more"),
    (lambda d: _operation(d).pop("requestBody"), "takes no application/json any more"),
    (lambda d: _wish(d)["properties"].pop("note"), "body: `note` is gone"),
    (lambda d: _wish(d)["required"].append("note"), "body: `note` must be there now"),
    (lambda d: _wish(d)["properties"].update(new={}) or _wish(d)["required"].append("new"), "new `new` must be there"),
    (_asked("note", type="integer"), "body.note: was string, is integer"),
    (_asked("name", type="string", minLength=1, maxLength=40), "body.name: maxLength was 80, is 40"),
    (_asked("name", type="string", minLength=2, maxLength=80), "body.name: minLength was 1, is 2"),
    (_asked("note", type="string", maxLength=9), "body.note: maxLength was not bounded, is 9"),
    (_asked("note", type="string", minLength=1), "body.note: minLength was not bounded, is 1"),
    (_asked("note", type="string", format="email"), "body.note: format was None, is email"),
    (_asked("note", type="string", enum=["x"]), "body.note: takes only 'x' now"),
    (_asked("note", const="x", type="string"), "body.note: takes only 'x' now"),
    (_asked("count", type="integer", minimum=2), "body.count: minimum was 1, is 2"),
    (_asked("count", type="integer", minimum=0, maximum=9), "body.count: maximum was not bounded, is 9"),
    (_asked("kind", type="string", enum=["a"]), "body.kind: 'b' is gone"),
    (_asked("either", type="string"), "body.either: takes no null any more"),
    (_asked("either", type=["integer", "null"]), "body.either: takes no string any more"),
    (_asked("many", type="array", items={"type": "integer"}, maxItems=9), "body.many[]: was string, is integer"),
    (_asked("many", type="array", items={"type": "string"}, maxItems=8), "body.many: maxItems was 9, is 8"),
    (_asked("free", type="object", additionalProperties={"type": "string"}), "body.free.*: was integer, is string"),
    (_asked("free", type="object", additionalProperties=False), "body.free: takes no other fields any more"),
    (lambda d: _operation(d)["responses"].pop("202"), "202 is never answered any more"),
    (lambda d: _operation(d)["responses"]["200"].pop("headers"), "200: header ETag is gone"),
    (
        lambda d: _operation(d)["responses"]["200"].update(content={"text/html": {"schema": {}}}),
        "200: no application/json any more",
    ),
    (lambda d: _thing(d)["properties"].pop("total"), "200: `total` is gone"),
    (lambda d: _thing(d)["required"].remove("state"), "200: `state` may be missing now"),
    (_answered("state", type="string", enum=["new", "ended"]), "200.state: 'done' is gone"),
    (_answered("total", type="number"), "200.total: was integer, is number"),
    (_answered("total", anyOf=[{"type": "integer"}, {"type": "null"}]), "200.total: may be null now"),
    (_answered("at", type="string", format="date"), "200.at: format was date-time, is date"),
    (_answered("parts", type="array", items={"type": "string"}), "200.parts[]: was object, is string"),
    (lambda d: d["components"]["examples"].clear(), "the error code `sold_out` is gone"),
]


@pytest.mark.parametrize(("plant", "says"), BREAKS, ids=[says for _, says in BREAKS])
def test_each_kind_of_break_is_found(plant: Callable[[Json], Any], says: str) -> None:
    now = copy.deepcopy(API)
    plant(now)
    assert [found for found in api_breaks(API, now) if says in found], api_breaks(API, now)


FINE: list[Callable[[Json], Any]] = [
    lambda d: None,
    lambda d: d["paths"].update({"/v1/more": {"get": {}}}),
    lambda d: (
        d["paths"].update({"/v1/things/{id}": d["paths"].pop("/v1/things/{thing_id}")})
        or d["paths"]["/v1/things/{id}"]["post"]["parameters"][0].update(name="id")
    ),
    lambda d: _operation(d).update({"x-access": "public"}),
    lambda d: _operation(d)["parameters"].append({"name": "x", "in": "query", "schema": {}}),
    lambda d: _operation(d)["parameters"][1]["schema"].update(maximum=100),
    lambda d: _wish(d)["properties"].update(extra={"type": "string"}),
    lambda d: _wish(d)["required"].clear(),
    _asked("count", type="number", minimum=0),
    _asked("kind", type="string", enum=["a", "b", "c"]),
    _asked("kind", type="string"),
    _asked("either", anyOf=[{"type": "null"}, {"type": "integer"}, {"type": "string"}]),
    _asked("note", type=["string", "null"]),
    _asked("name", type="string", maxLength=100),
    lambda d: _operation(d)["responses"].update({"404": {}, "201": {}}),
    lambda d: _operation(d)["responses"].pop("409"),
    lambda d: _thing(d)["properties"].update(extra={"type": "string"}),
    lambda d: _thing(d)["required"].append("total"),
    _answered("state", type="string", enum=["new", "done", "lost"]),
    lambda d: d["components"]["examples"].update(another={}),
]


@pytest.mark.parametrize("number", range(len(FINE)))
def test_what_nobody_notices_is_no_break(number: int) -> None:
    now = copy.deepcopy(API)
    FINE[number](now)
    assert api_breaks(API, now) == []


KEPT: Json = {
    "events": {"thing.done": {"$ref": "#/schemas/ThingDone"}},
    "rows": {
        "things/ThingRow": {
            "key": ["thing_id", "id"],
            "indexes": {"due": ["due_shard", "due_at"]},
            "attributes": {
                "thing_id": {"type": "unicode"},
                "due_at": {"type": "number", "may_lack": True},
                "doc": {"type": "document", "document": {"$ref": "#/schemas/_Doc"}},
            },
        }
    },
    "schemas": {
        "ThingDone": {
            "type": "object",
            "required": ["type", "thing_id"],
            "properties": {
                "type": {"enum": ["thing.done"]},
                "thing_id": {"type": "string"},
                "count": {"type": "integer", "default": 0},
            },
        },
        "_Doc": {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "string"}, {"type": "integer", "default": 0}],
            "minItems": 2,
            "x-fields": ["name", "note", "count"],
        },
    },
}


def _row(document: Json) -> Json:
    found: Json = document["rows"]["things/ThingRow"]
    return found


def _event(document: Json) -> Json:
    found: Json = document["schemas"]["ThingDone"]
    return found


def _doc(document: Json) -> Json:
    found: Json = document["schemas"]["_Doc"]
    return found


KEPT_BREAKS: list[tuple[Callable[[Json], Any], str]] = [
    (lambda d: d["events"].clear(), "event thing.done is gone"),
    (lambda d: _event(d)["properties"].pop("count"), "event thing.done: `count` is gone"),
    (lambda d: _event(d)["properties"].update(count={"type": "string"}), "event thing.done.count: was integer"),
    (lambda d: _event(d)["properties"].update(thing_id={"type": ["string", "null"]}), "thing_id: may be null now"),
    (
        lambda d: _event(d)["properties"].update(new={}) or _event(d)["required"].append("new"),
        "new `new` must be there",
    ),
    (lambda d: _event(d)["required"].append("count"), "`count` must be there now"),
    (lambda d: _event(d)["required"].remove("thing_id"), "`thing_id` may be missing now"),
    (lambda d: d["rows"].clear(), "row things/ThingRow is gone"),
    (lambda d: _row(d).update(key=["thing_id"]), "its key was"),
    (lambda d: _row(d)["indexes"].clear(), "index due was over ['due_shard', 'due_at'], is gone"),
    (lambda d: _row(d)["indexes"].update(due=["due_at"]), "index due was over"),
    (lambda d: _row(d)["attributes"].pop("due_at"), "row things/ThingRow.due_at is gone"),
    (lambda d: _row(d)["attributes"].update(thing_id={"type": "number"}), "thing_id: was unicode, is number"),
    (lambda d: _row(d)["attributes"]["due_at"].pop("may_lack"), "due_at must be there now"),
    (lambda d: _row(d)["attributes"].update(new={"type": "number"}), "new new has no default"),
    (lambda d: _doc(d)["x-fields"].reverse(), "positions were name, note, count, are count, note, name"),
    (lambda d: _doc(d)["prefixItems"].pop() and _doc(d)["x-fields"].pop(), "positions were name, note, count"),
    (lambda d: _doc(d)["prefixItems"].__setitem__(1, {"type": "integer"}), "doc[note]: was string, is integer"),
    (
        lambda d: _doc(d).update(minItems=4) or _doc(d)["prefixItems"].append({}) or _doc(d)["x-fields"].append("new"),
        "minItems was 2, is 4",
    ),
]


@pytest.mark.parametrize(("plant", "says"), KEPT_BREAKS, ids=[says for _, says in KEPT_BREAKS])
def test_each_break_of_events_and_rows_is_found(plant: Callable[[Json], Any], says: str) -> None:
    now = copy.deepcopy(KEPT)
    plant(now)
    assert [found for found in fact_breaks(KEPT, now) if says in found], fact_breaks(KEPT, now)


@pytest.mark.parametrize(
    "grow",
    [
        lambda d: None,
        lambda d: d["events"].update({"thing.lost": {}}),
        lambda d: _event(d)["properties"].update(new={"type": "string", "default": ""}),
        lambda d: _row(d)["attributes"].update(new={"type": "number", "may_lack": True}),
        lambda d: _row(d)["indexes"].update(owner=["owner_id"]),
        lambda d: _doc(d)["prefixItems"].append({"type": "string", "default": ""}) or _doc(d)["x-fields"].append("new"),
        lambda d: d["rows"].update({"things/RenamedRow": d["rows"].pop("things/ThingRow")}),
    ],
)
def test_growing_with_defaults_breaks_neither_rows_nor_events(grow: Callable[[Json], Any]) -> None:
    now = copy.deepcopy(KEPT)
    grow(now)
    assert fact_breaks(KEPT, now) == []


@pytest.mark.process
def test_nothing_breaks_since_the_last_release_but_what_is_accepted() -> None:
    assert check.findings(check.breaks_since(check.last_release()), check.accepted()) == []


@pytest.mark.process
def test_a_break_planted_in_what_stands_now_is_found() -> None:
    api, kept = check.api_now(), json.loads(json.dumps(facts()))
    api_then, kept_then = copy.deepcopy(api), copy.deepcopy(kept)
    del api["components"]["schemas"]["OrderView"]["properties"]["status"]
    del kept["schemas"]["OrderPaid"]["properties"]["order_id"]
    del kept["rows"]["orders/OrderRow"]["attributes"]["placed_ms"]
    kept["rows"]["orders/OrderRow"]["indexes"]["buyer"] = ["buyer_id"]

    assert any(
        found.startswith("GET /v1/orders/{order_id}: 200: `status` is gone") for found in api_breaks(api_then, api)
    )
    assert fact_breaks(kept_then, kept) == [
        "event order.paid: `order_id` is gone",
        "row orders/OrderRow: index buyer was over ['buyer_id', 'placed_ms'], is ['buyer_id']",
        "row orders/OrderRow.placed_ms is gone",
    ]


def test_what_is_accepted_needs_a_reason_and_must_break(tmp_path: Path) -> None:
    (tmp_path / check.ACCEPTED).write_text('[[accepted]]\nwhat = "a is gone"\nwhy = "It told too much."\n')
    assert check.accepted(tmp_path) == {"a is gone": "It told too much."}
    assert check.findings(["a is gone"], check.accepted(tmp_path)) == []
    assert check.findings(["b is gone", "b is gone"], {}) == ["b is gone"]
    assert check.findings([], check.accepted(tmp_path)) == ["accepted.toml: breaks nothing, take it out: a is gone"]
    (tmp_path / check.ACCEPTED).write_text('[[accepted]]\nwhat = "a is gone"\nwhy = " "\n')
    with pytest.raises(ValueError, match="say why of a is gone"):
        check.accepted(tmp_path)


def test_the_newest_release_is_the_one_with_the_highest_number(tmp_path: Path) -> None:
    for name in ("0.9.0", "0.10.0", "0.2.11"):
        (tmp_path / name).mkdir()
        (tmp_path / name / check.API).write_text("{}")
    assert check.last_release(tmp_path).name == "0.10.0"
