from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.merchants import domain, service
from chalicelib.merchants.service import Terms
from chalicelib.runtime import aws, names, relay
from tests.support import people
from tests.support.http import call

TEA = {
    "name": "Tea House 茶庄",
    "contact": {"person": "王经理", "phone": "+86 755 1234567", "email": "wang@example.com"},
    "freight": {"minor": 800, "currency": "CNY"},
    "free_freight_from": {"minor": 9900, "currency": "CNY"},
    "commission_bps": 500,
    "description": "Tea since 1888",
}


def items() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.call("dynamodb", "Scan", {"TableName": names.table_name("merchants")})["Items"]
    return found


def events_now() -> list[str]:
    arn = f"arn:aws:dynamodb:r:1:table/{names.table_name('merchants')}/stream/1"
    records = [{"dynamodb": {"NewImage": item}, "eventSourceARN": arn} for item in items()]
    return [envelope.id for record in records for envelope in relay.envelopes_of(record)]


def test_an_operator_creates_a_merchant_that_everybody_sees(cloud: str, noon: clock.Fixed) -> None:
    boss = people.operator()
    created = call("POST", "/v1/operator/merchants", TEA, token=boss.token)
    assert created.status == 201
    merchant_id = created.json["merchant_id"]
    public = {
        "merchant_id": merchant_id,
        "name": "Tea House 茶庄",
        "status": "active",
        "description": "Tea since 1888",
        "currency": "CNY",
        "freight": {"minor": 800, "currency": "CNY"},
        "free_freight_from": {"minor": 9900, "currency": "CNY"},
    }
    private = {"contact": TEA["contact"], "commission_bps": 500, "created_at": "2026-11-22T04:00:00.000Z"}
    assert created.json == {**public, **private}
    seen = call("GET", f"/v1/merchants/{merchant_id}")
    assert (seen.json, seen.headers["cache-control"]) == (public, "public, max-age=60")
    again = call("GET", f"/v1/merchants/{merchant_id}", headers={"if-none-match": seen.headers["etag"]})
    assert again.status == 304
    assert call("GET", f"/v1/operator/merchants/{merchant_id}", token=boss.token).json == created.json
    assert call("GET", "/v1/merchant/profile", token=people.staff(merchant_id).token).json == created.json
    assert events_now() == [f"merchant.created#{merchant_id}"]
    assert call("GET", f"/v1/merchants/mer_{'0' * 24}").status == 404


def test_a_repeated_creation_makes_one_merchant(cloud: str) -> None:
    boss = people.operator()
    first = call("POST", "/v1/operator/merchants", TEA, token=boss.token, key="one-merchant")
    again = call("POST", "/v1/operator/merchants", TEA, token=boss.token, key="one-merchant")
    assert (again.status, again.json, again.headers["idempotency-replayed"]) == (201, first.json, "true")
    other = call("POST", "/v1/operator/merchants", {**TEA, "name": "X"}, token=boss.token, key="one-merchant")
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert len(items()) == 1


def test_staff_change_their_own_freight_and_nothing_else(cloud: str) -> None:
    shop, other = people.merchant(), people.merchant("Other 其他")
    staff = people.staff(shop.merchant_id)
    changed = call(
        "PATCH",
        "/v1/merchant/profile",
        {"freight": {"minor": 0, "currency": "CNY"}, "free_freight_from": None, "description": "新茶"},
        token=staff.token,
    )
    assert changed.status == 200
    assert (changed.json["freight"]["minor"], changed.json["description"]) == (0, "新茶")
    assert "free_freight_from" not in changed.json
    assert service.load(other.merchant_id) == other
    assert service.load(shop.merchant_id).name == "Tea House 茶庄"
    before = items()
    cny, usd = {"minor": -1, "currency": "CNY"}, {"minor": 1, "currency": "USD"}
    for bad, code in (
        ({"commission_bps": 0}, "invalid_request"),
        ({"status": "active"}, "invalid_request"),
        ({"merchant_id": other.merchant_id}, "invalid_request"),
        ({"freight": cny}, "bad_terms"),
        ({"free_freight_from": cny}, "bad_terms"),
        ({"freight": usd}, "currency_mismatch"),
        ({"freight": {"minor": 1.5}}, "invalid_request"),
        ({"logo": "javascript:alert(1)"}, "invalid_request"),
    ):
        refused = call("PATCH", "/v1/merchant/profile", bad, token=staff.token)
        assert (refused.status, refused.json["code"]) == (422, code)
    assert items() == before


def test_an_operator_suspends_and_reinstates(cloud: str) -> None:
    boss, shop = people.operator(), people.merchant()
    path = f"/v1/operator/merchants/{shop.merchant_id}"
    assert call("PATCH", path, {"status": "suspended"}, token=boss.token).json["status"] == "suspended"
    assert events_now() == [f"merchant.suspended#{shop.merchant_id}.1"]
    before = items()
    assert call("PATCH", path, {"status": "suspended"}, token=boss.token).status == 200
    assert items() == before
    assert call("GET", f"/v1/merchants/{shop.merchant_id}").json["status"] == "suspended"
    both = call("PATCH", path, {"status": "active", "commission_bps": 300, "name": "茶"}, token=boss.token)
    assert (both.json["status"], both.json["commission_bps"], both.json["name"]) == ("active", 300, "茶")
    assert events_now() == [f"merchant.reinstated#{shop.merchant_id}.2"]
    assert call("PATCH", f"/v1/operator/merchants/mer_{'0' * 24}", {}, token=boss.token).status == 404


def test_only_operators_and_staff_get_in(cloud: str) -> None:
    shop = people.merchant()
    path = f"/v1/operator/merchants/{shop.merchant_id}"
    before = items()
    staff, buyer = people.staff(shop.merchant_id).token, people.buyer().token
    for token, status in ((None, 401), (buyer, 403), (staff, 403)):
        assert call("POST", "/v1/operator/merchants", TEA, token=token).status == status
        assert call("PATCH", path, {"status": "suspended"}, token=token).status == status
        assert call("GET", path, token=token).status == status
    for token, status in ((None, 401), (buyer, 403), (people.operator().token, 403)):
        assert call("GET", "/v1/merchant/profile", token=token).status == status
        assert call("PATCH", "/v1/merchant/profile", {}, token=token).status == status
    assert items() == before


def test_a_rival_change_between_read_and_write_is_not_lost(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = people.merchant()
    original = domain.checked
    rivals: list[Callable[[], object]] = [lambda: service.change(shop.merchant_id, {"status": "suspended"})]

    def checked(merchant: domain.Merchant) -> domain.Merchant:
        if rivals:
            rivals.pop()()
        return original(merchant)

    monkeypatch.setattr(domain, "checked", checked)
    changed = service.change(shop.merchant_id, {"freight": Money(1200)})
    assert (changed.status, changed.freight, changed.version) == (domain.Status.SUSPENDED, Money(1200), 3)


def test_terms_are_one_read_and_remembered_for_a_minute(cloud: str, noon: clock.Fixed) -> None:
    tea, book = people.merchant(), people.merchant("Books 书店", freight=500, free_from=None, commission_bps=300)
    seen: list[str] = []

    def watch(service_: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        seen.append(operation)
        return proceed()

    wanted = [tea.merchant_id, book.merchant_id, tea.merchant_id]
    with aws.hooked(watch):
        found = service.terms(wanted)
        assert service.terms(wanted) == found
        assert seen == ["BatchGetItem"]
        assert found == {
            tea.merchant_id: Terms(tea.merchant_id, "Tea House 茶庄", "active", Money(800), Money(9900), 500),
            book.merchant_id: Terms(book.merchant_id, "Books 书店", "active", Money(500), None, 300),
        }
        unknown = "mer_" + ids.digest("unknown")
        assert service.terms([unknown, tea.merchant_id]) == {tea.merchant_id: found[tea.merchant_id]}
        assert service.terms([]) == {}
        assert seen == ["BatchGetItem", "BatchGetItem"]

        service.change(tea.merchant_id, {"freight": Money(900)})
        assert service.terms([tea.merchant_id])[tea.merchant_id].freight == Money(
            900
        )  # Our own change is seen at once.
        held = service._terms[tea.merchant_id]
        aws.call(
            "dynamodb",
            "UpdateItem",
            {
                "TableName": names.table_name("merchants"),
                "Key": {"merchant_id": {"S": tea.merchant_id}},
                "UpdateExpression": "SET freight_minor = :n",
                "ExpressionAttributeValues": {":n": {"N": "1"}},
            },
        )
        noon.advance(timedelta(milliseconds=59_999))
        assert service.terms([tea.merchant_id])[tea.merchant_id] is held[1]
        noon.advance(timedelta(milliseconds=1))
        assert service.terms([tea.merchant_id])[tea.merchant_id].freight == Money(1)
