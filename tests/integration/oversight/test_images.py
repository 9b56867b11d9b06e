"""What an act changed stands in its line, before and after: and nothing that belongs to anybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.kernel import clock
from chalicelib.kernel.roles import Role
from chalicelib.oversight import images
from chalicelib.oversight.domain import Change
from chalicelib.runtime import names, outbound
from chalicelib.runtime.db import witness
from chalicelib.runtime.db.work import Draft
from tests.support import people, sales
from tests.support.http import call
from tests.support.paying import Till
from tools.bench import metering


def token(person: people.Person) -> str:
    return people.token(person.account_id, Role.BUYER, Role.OPERATOR)


def lines(person: people.Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call("GET", "/v1/operator/audit", token=token(person)).json["items"]
    return found


def changes(line: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {one["where"]: (one.get("before"), one.get("after")) for one in line["changes"]}


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def test_a_sanction_says_what_was_and_what_is(cloud: str, noon: clock.Fixed) -> None:
    ann, shop = people.operator(), people.merchant()
    path = f"/v1/operator/merchants/{shop.merchant_id}"
    with metering.measured() as meter:
        answer = call("PATCH", path, {"status": "suspended", "name": "Mei Hua's"}, token=token(ann))
    assert answer.status == 200, answer.body
    assert meter.calls == 3, "what the act read is the image before: nothing is read for it"
    (line,) = lines(ann)
    found = changes(line)
    row = f"merchants/{shop.merchant_id}"
    assert found[f"{row}.status"] == ("active", "suspended")
    assert found[f"{row}.name"] == ("*", "*"), "what people chose is named, not shown"
    assert "Mei" not in str(line)


def test_a_role_says_who_got_it_and_nothing_else_of_the_account(cloud: str, noon: clock.Fixed) -> None:
    ann, ben, new = people.operator(), people.operator(), people.buyer()
    asked = call(
        "POST",
        f"/v1/operator/accounts/{new.account_id}/role-requests",
        {"role": "operator", "reason": "She joins the desk."},
        token=token(ann),
    )
    path = f"/v1/operator/role-requests/{asked.json['request_id']}/approve"
    assert call("POST", path, {"note": "I know her."}, token=token(ben)).status == 200
    line = next(one for one in lines(ann) if one["act"] == "approve_role")
    found = changes(line)
    assert any(".roles" in where and after == "operator" for where, (_, after) in found.items())
    assert any(where.endswith(".status") and after == "approved" for where, (_, after) in found.items())
    for secret in ("$argon2", "I know her", "She joins"):
        assert secret not in str(line["changes"])


def test_money_is_shown_to_the_fen_and_new_rows_as_new(till: Till) -> None:
    sale, _ = till.paid((1000,))
    body = {
        "order_id": sale.orders[0].order_id,
        "amount": {"minor": 300, "currency": "CNY"},
        "reason": "Mei broke it",
    }
    answer = till.operate("POST", f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds", body, key="refund-01")
    assert answer.status == 201, answer.body
    (line,) = lines(till.operator)
    found = changes(line)
    refund = f"payments/{answer.json['refund_id']}"
    assert found[refund] == (None, "created")
    assert (None, "300") in found.values()
    assert any(where.startswith(f"orders/{body['order_id']}.") for where in found), "the order counts what goes back"
    assert "Mei" not in str(line["changes"])


def test_what_is_sealed_is_named_and_never_shown(cloud: str) -> None:
    """A row that holds an address, changed by an act: of the sealed part it is said that it changed."""

    before = {"account_id": {"S": f"acc_{'a' * 26}"}, "version": {"N": "1"}, "person": {"B": "c2VhbGVk"}}
    after = {**before, "version": {"N": "2"}, "person": {"B": "b3RoZXI="}, "second_factor": {"S": "totp"}}
    draft = Draft(names.table_name("accounts"), {"account_id": before["account_id"]}, after)
    with witness.remembering():
        witness.remember((draft.table, f"acc_{'a' * 26}", None), before)
        found = images.of([draft])
    assert [(one.where.partition(".")[2], one.before, one.after) for one in found] == [
        ("person", "*", "*"),
        ("second_factor", None, "totp"),
    ]


def test_an_act_that_changes_very_much_says_how_much_is_left_out() -> None:
    item = {"version": {"N": "1"}, "doc": {"S": str([{"status": "open"}] * 40).replace("'", '"')}}
    found = images.of([Draft("biandan-local-payments", {"id": {"S": "x"}}, item)])
    assert len(found) == images.MOST + 1
    assert found[-1] == Change("more", None, str(41 - images.MOST))
    assert sales.WANG.phone not in str(found)
