"""Lists are asked in one vocabulary; an old name is still taken, alone, and shown as such in the OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.paying import Till

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture
def till(cloud: str, noon: Any) -> Till:
    return Till.open(noon)


def test_payments_are_listed_by_status_and_still_by_its_old_name(till: Till) -> None:
    sale = till.sale((1000,))
    till.started(sale)
    for asked in ("", "?status=waiting", "?state=waiting"):
        assert len(till.operate("GET", f"/v1/operator/payments{asked}").json["payments"]) == 1, asked
    for asked in ("?status=surplus", "?state=surplus"):
        assert till.operate("GET", f"/v1/operator/payments{asked}").json["payments"] == [], asked
    first = till.operate("GET", "/v1/operator/payments?state=waiting&limit=1").json.get("next_cursor")
    if first:
        assert till.operate("GET", f"/v1/operator/payments?status=waiting&limit=1&cursor={first}").status == 200


@pytest.mark.parametrize("both", ["status=waiting&state=surplus", "status=waiting&state=waiting"])
def test_both_names_together_are_refused_in_words(till: Till, both: str) -> None:
    refused = till.operate("GET", f"/v1/operator/payments?{both}")
    assert (refused.status, refused.json["code"]) == (422, "invalid_request")
    (error,) = refused.json["errors"]
    assert (error["code"], error["detail"]) == ("sent_twice", "send status alone: state is its old name")


def test_a_word_that_is_no_status_is_refused_under_the_name_it_was_sent_by(till: Till) -> None:
    for name in ("status", "state"):
        refused = till.operate("GET", f"/v1/operator/payments?{name}=lost")
        assert [error["pointer"] for error in refused.json["errors"]] == [f"/{name}"]


def test_every_list_says_status_and_only_old_names_say_otherwise() -> None:
    paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    old = [
        (method, path, parameter.get("deprecated"))
        for path, methods in paths.items()
        for method, operation in methods.items()
        for parameter in operation.get("parameters", ())
        if parameter.get("name") == "state"
    ]
    assert old == [("get", "/v1/operator/payments", True)]
