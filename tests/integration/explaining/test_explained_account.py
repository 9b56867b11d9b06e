"""An account explains itself in one call: how it stands, what happened, who looked; and not who its person is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.kernel import clock
from chalicelib.kernel.roles import Role
from chalicelib.oversight.chain import sealing
from chalicelib.privacy import service as privacy
from chalicelib.runtime import outbound
from tests.support import dump, people
from tests.support.http import Answer, call
from tests.support.paying import Till
from tests.support.pump import Pump
from tools.bench import metering
from tools.operate import audit


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def explain(desk: people.Person, account_id: str, *, language: str = "en", **body: Any) -> Answer:
    token = people.token(desk.account_id, Role.BUYER, Role.OPERATOR)
    path = f"/v1/operator/accounts/{account_id}/explanation"
    return call(
        "POST", path, {"reason": "The person asks.", **body}, token=token, headers={"accept-language": language}
    )


def whats(answer: Answer) -> list[str]:
    return [f"{step['what']} {step.get('status', '')}".strip() for step in answer.json["items"]]


def test_how_it_stands_and_what_happened_is_told_and_who_looked(till: Till, noon: clock.Fixed) -> None:
    noon.advance(timedelta(minutes=1))
    sale, _ = till.paid((1000,))
    unpaid = till.sale((500,))
    noon.advance(timedelta(minutes=1))
    buyer, desk = till.buyer, till.operator
    auth.grant(buyer.account_id, Role.MERCHANT_STAFF, people.merchant().merchant_id, by=desk.account_id)
    noon.advance(timedelta(seconds=1))
    first = explain(desk, buyer.account_id)
    assert first.status == 200, first.body
    noon.advance(timedelta(minutes=2))
    sealing.run()
    answer = explain(desk, buyer.account_id)
    found = answer.json
    assert (found["roles"], found["forgotten"], found["desks"]) == (["buyer", "merchant_staff"], False, [])
    assert found["posts"][0]["post"] == "owner"
    assert set(found["order_ids"]) == {sale.orders[0].order_id, unpaid.orders[0].order_id}
    story = whats(answer)
    assert story[0] == "account.registered"
    assert story[-2:] == ["role.given merchant_staff", "explain_account"]
    assert {"order.placed paid", "order.placed placed"} <= set(story)
    look = answer.json["items"][-1]
    assert (look["by"], look["note"], look["seal"]["number"]) == (desk.account_id, "The person asks.", 1)
    assert found["head"] == look["seal"]
    texts = [step["text"] for step in explain(desk, buyer.account_id, language="zh-CN").json["items"]]
    assert texts[0] == "注册账号"


def test_it_does_not_say_who_the_person_is(till: Till) -> None:
    account = auth.me(till.buyer.account_id)
    body = explain(till.operator, till.buyer.account_id).body
    for value in filter(None, (account.email, account.phone, account.nickname, account.password_hash)):
        assert value not in body


def test_sign_ins_are_told_also_those_that_are_over(till: Till, noon: clock.Fixed) -> None:
    over = people.session(till.buyer)
    noon.advance(timedelta(minutes=1))
    alive = people.session(till.buyer._replace(token=people.token(till.buyer.account_id)))
    auth.revoke_session(till.buyer.account_id, over.session_id)
    items = explain(till.operator, till.buyer.account_id).json["items"]
    told = [(step["record_id"], step["status"]) for step in items if step["kind"] == "session"]
    assert told == [(over.session_id, "revoked"), (alive.session_id, "active")]


def test_a_forgotten_person_stays_a_number_that_leads_nowhere_and_the_audit_still_proves_itself(
    till: Till, noon: clock.Fixed
) -> None:
    buyer = till.buyer
    assert explain(till.operator, buyer.account_id).status == 200
    privacy.request_erasure(buyer.account_id)
    pump = Pump()
    for days in (8, 1, 1):
        noon.advance(timedelta(days=days))
        pump.due()
        pump.drain()
        sealing.run()
    answer = explain(till.operator, buyer.account_id)
    assert (answer.status, answer.json["forgotten"]) == (200, True), answer.body
    assert answer.json["erasure"]["status"] == "done"
    assert "explain_account" in whats(answer)
    assert list(audit.prove().broken) == []


def test_nobody_who_never_was_and_nothing_refused_leaves_a_trace(till: Till) -> None:
    before = dump.tables()
    assert explain(till.operator, f"acc_{'0' * 26}").status == 404
    assert explain(till.operator, till.buyer.account_id, reason="").status == 422
    assert explain(till.operator, till.operator.account_id).json["code"] == "own_affair"
    assert dump.differences(before, dump.tables()) == []


def test_what_a_look_costs(till: Till) -> None:
    explain(till.operator, till.buyer.account_id)
    with metering.measured() as meter:
        explain(till.operator, till.buyer.account_id)
    # Who acts; links and their lines, progress and two days of the audit; erasure, account, orders, sessions, what it
    # holds unpaid; the line of the look.
    assert (meter.calls, meter.write_units, meter.read_units) == (11, 1, 9)
