"""No value is kept that nobody thought about, and the notice says what is true of those that are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pynamodb.attributes import UnicodeAttribute

from chalicelib.privacy import inventory, notice
from chalicelib.privacy.holdings import HOLDINGS
from chalicelib.privacy.inventory import RECEIVERS
from chalicelib.runtime.db.rows import DocumentAttribute, Row
from infra import stack
from tests.support.http import call
from tools.checks import personal
from tools.shared import leaves
from tools.shared.leaves import Leaf


def test_every_value_of_every_row_and_event_is_declared() -> None:
    assert personal.complaints() == []


def test_all_tables_and_events_are_walked() -> None:
    rows = {leaf.where for leaf in leaves.of_rows()}
    assert {"accounts/AccountRow.person.email", "orders/PurchaseRow.doc.contact.street"} <= rows
    assert "shipments/ShipmentRow.scans.text" in rows
    assert {leaf.where for leaf in leaves.of_events()} >= {"event:tracking.pushed.payload", "event:due.record_id"}


@dataclass(frozen=True)
class Inner:
    size: int
    birth_year: int
    words: dict[str, str]
    parts: tuple[tuple[str, int], ...] = ()


class Doc(msgspec.Struct):
    inner: tuple[Inner, ...]
    maybe: str | None = None
    flag: bool = False


@pytest.mark.parametrize(
    "attribute", [DocumentAttribute[Doc](Doc), DocumentAttribute[tuple[Doc, ...]](tuple[Doc, ...])]
)
def test_documents_are_walked_to_their_leaves_and_a_new_one_is_noticed(attribute: Any) -> None:
    found = leaves._of_attribute("orders/NewRow.doc", attribute)
    assert personal.undeclared(found) == [
        "orders/NewRow.doc.inner.birth_year",  # A number may be personal: its name says so.
        "orders/NewRow.doc.inner.words",
        "orders/NewRow.doc.inner.parts",
        "orders/NewRow.doc.maybe",
    ]


def test_a_plain_attribute_is_noticed_and_an_inventory_of_what_is_gone_too() -> None:
    found = leaves._of_attribute("orders/NewRow.wechat", UnicodeAttribute())
    assert personal.undeclared(found) == ["orders/NewRow.wechat"]
    assert "accounts/AccountRow.person.email" in personal.stale([Leaf("orders/OrderRow.status", str)])


def test_no_model_escapes() -> None:
    walked = {model for _, model in leaves.models()}
    assert all(issubclass(model, Row) for model in walked)
    assert len({model.Meta.table_name for model in walked}) == len({table for table, _ in leaves.models()})


def test_every_receiver_is_explained_and_given_something() -> None:
    named = {name for holding in HOLDINGS for name in holding.seen_by}
    assert named == {receiver.name for receiver in RECEIVERS}


def test_uploads_are_kept_as_long_as_the_notice_says() -> None:
    """The bucket's own rule ends what no complaint uses."""
    template = json.loads(stack.artifacts()["infra/prod.json"])
    rules = template["Resources"]["UploadsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    ends = {
        rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule and "Prefix" in rule
    }
    assert ends["evidence/incoming/"] == inventory.UPLOAD.days
    assert ends["evidence/kept/"] >= 3 * 365
    assert inventory.TRADE.days is not None
    assert ends["evidence/kept/"] <= inventory.TRADE.days


@pytest.mark.parametrize(("language", "title"), [("zh", "隐私政策"), ("en", "Privacy notice")])
def test_the_notice_is_served_in_the_callers_language(language: str, title: str) -> None:
    answer = call("GET", "/v1/privacy", headers={"accept-language": language})
    page = call("GET", "/privacy", headers={"accept-language": language})

    assert answer.status == 200
    assert answer.json["title"] == title
    assert len(answer.json["holdings"]) == len(HOLDINGS)
    assert all(one["purpose"] and one["ground"] and one["kept"] for one in answer.json["holdings"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert title in page.body
    assert page.body.count("<tr>") == len(HOLDINGS) + 1


def test_both_languages_say_the_same_things() -> None:
    assert len(list(notice.rows("en"))) == len(list(notice.rows("zh"))) == len(HOLDINGS)
    assert all(cell for language in ("en", "zh") for row in notice.rows(language) for cell in row)
