"""What is written from the code: the same as committed, valid, and complete."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from chalicelib import topology
from chalicelib.kernel.errors import ShopError
from tools.generate import openapi, routing
from tools.generate import pages as generate

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def test_nothing_generated_has_drifted() -> None:
    assert generate.drift() == [], "run `make generate` and commit what it writes"


def test_drift_is_noticed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(generate, "outputs", lambda: {"docs/errors.md": "something else\n"})
    monkeypatch.setattr("sys.argv", ["generate", "--check"])

    assert generate.main() == 1
    assert "docs/errors.md" in capsys.readouterr().out


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_route_is_in_the_document_once(document: dict[str, Any]) -> None:
    declared = {(method.lower(), route.path) for _, route in routing.declared() for method in routing.methods(route)}
    written = {(method, path) for path, methods in document["paths"].items() for method in methods}
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]

    assert written == declared
    assert len(names) == len(set(names))


def test_every_operation_says_who_may_call_and_how_it_fails(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            statuses = set(operation["responses"])
            assert operation["summary"], where
            assert {"500", "503"} <= statuses, where
            assert any(status.startswith("2") for status in statuses), where
            if operation["security"] == [{"access_token": []}]:
                assert "401" in statuses, where
            if operation["x-access"] in ("buyer", "merchant_staff", "operator"):
                assert "403" in statuses, where
            names_a_record = re.search(r"\{\w+_id\}", path) and not path.endswith("/ledger")  # An empty list there.
            if names_a_record and operation["x-access"] != "provider":
                assert "404" in statuses, where


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    for reference in references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_error_codes_are_not_used_twice_for_different_things() -> None:
    by_code: dict[str, set[tuple[int, str]]] = {}
    for error in generate._tree(ShopError):
        if "code" in vars(error):
            by_code.setdefault(error.code, set()).add((error.status, error.__name__))

    assert {code: found for code, found in by_code.items() if len({status for status, _ in found}) > 1} == {}


def test_every_event_has_a_teller_and_its_consumers_know_it() -> None:
    text = generate.outputs()["docs/events.md"]

    assert [name for name in topology.EVENTS if f"### `{name}`" not in text] == []
    assert "no handler yet" not in text


def test_the_served_copy_is_the_committed_document() -> None:
    found = generate.outputs()

    assert json.loads(found["chalicelib/site/openapi.json"]) == json.loads(found["docs/openapi.json"])


def test_a_query_whose_type_has_anothers_name_says_its_own(document: dict[str, Any]) -> None:
    class Status(StrEnum):
        FRESH = "fresh"
        STALE = "stale"

    class Query(BaseModel):
        status: Status | None = None

    schemas = document["components"]["schemas"]
    assert "Status" in schemas
    (found,) = openapi._query_parameters(Query, schemas)
    assert found["schema"]["enum"] == ["fresh", "stale"]
