"""Every act on every operator route: refused to the dismissed and to a party, and written down with what it changes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.auth import store, tokens
from chalicelib.kernel import clock, ids
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Window
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.oversight import service as oversight
from chalicelib.payments import service as payments
from chalicelib.reconciliation import service as reconciliation
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.http.access import Access
from chalicelib.runtime.http.routes import Route
from tests.integration.routes.test_access import ROUTES
from tests.support import dump, people, sales, talks
from tests.support.entries import ENTRIES, World
from tests.support.http import Answer, call

OPERATORS = [route for route in ROUTES.values() if route.access is Access.OPERATOR]
ACTS = [route for route in OPERATORS if route.method != "GET"]
NOBODYS = ("quarantine_id", "approval_id", "shipment_id", "role", "run_id", "provider", "sku_id", "product_id", "rule")
"""Path parameters that stand behind a purchase's, or name nothing of a person's or a merchant's."""


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def token(person: people.Person) -> str:
    return people.token(person.account_id, Role.BUYER, Role.OPERATOR)


@pytest.fixture(scope="module")
def world(shared_cloud: str) -> World:
    return World.build()


@pytest.mark.parametrize("route", OPERATORS, ids=lambda route: route.operation_id)
def test_whoever_is_dismissed_is_out_on_the_next_call(world: World, route: Route) -> None:
    request = ENTRIES[route.operation_id](world)
    gone, closed, out = people.operator(), people.operator(), people.operator()
    auth.revoke(gone.account_id, Role.OPERATOR)
    aws.call("dynamodb", "DeleteItem", _row_of(closed.account_id))
    account = auth.me(out.account_id)
    fresh = tokens.access_token(auth.caller_as(account, people.session(out)))
    auth.sign_out_everywhere(out.account_id)
    both = people.person(Role.OPERATOR, Role.MERCHANT_STAFF, merchant_id=world.shop.merchant_id)
    before = dump.tables()
    assert told(request.send(route, gone.token)) == (403, "forbidden")
    assert told(request.send(route, closed.token)) == (401, "unauthenticated")
    assert told(request.send(route, fresh)) == (401, "unauthenticated")
    assert told(request.send(route, both.token)) == (403, "forbidden")
    assert dump.differences(before, dump.tables()) == []


def _row_of(account_id: str) -> dict[str, Any]:
    row = store.account_row(auth.me(account_id))
    return {"TableName": row.Meta.table_name, "Key": row.key()}


def test_every_act_says_whose_affair_it_is() -> None:
    """A new route's parameter is one whose people are known, or one that is said to name none."""
    unknown = [
        (route.operation_id, name)
        for route in ACTS
        for name in re.findall(r"\{(\w+)\}", route.path)
        if name not in {*oversight.AFFAIRS, *NOBODYS, *(one for pair in oversight.BY_TWO for one in pair)}
    ]
    assert unknown == []


@pytest.mark.parametrize("route", [route for route in ACTS if "{" in route.path], ids=lambda route: route.operation_id)
def test_a_party_acts_on_nothing_of_their_own(world: World, route: Route) -> None:
    """The buyer, and the merchant's staff of the day before yesterday, both operators by now."""
    if route.operation_id in (
        "grant_role",
        "revoke_role",
        "ask_role",
        "approve_role",
        "reject_role",
        "explain_account",
    ):
        return  # Accounts' own: see above and below.
    request = ENTRIES[route.operation_id](world)
    if route.operation_id in ("resolve_case", "settle_stray") or route.tag == "risk":
        return  # Most are about nobody: see below; of reviews tests/integration/risk/test_reviews.py.
    if route.tag == "feedback":
        return  # No merchant's affair: its writer's alone, see below.
    buyer = people.token(world.buyer.account_id, Role.BUYER, Role.OPERATOR)
    _make(world.buyer.account_id, Role.BUYER, Role.OPERATOR)
    former = people.staff(world.shop.merchant_id)
    auth.revoke(former.account_id, Role.MERCHANT_STAFF)
    auth.grant(former.account_id, Role.OPERATOR)
    strangers = [former]
    before = dump.tables()
    if "merchant_id" not in request.ids:
        assert told(request.send(route, buyer)) == (403, "own_affair")
    for person in strangers:
        assert told(request.send(route, token(person))) == (403, "own_affair")
    assert dump.differences(before, dump.tables()) == []
    _make(world.buyer.account_id, Role.BUYER)
    assert request.send(route, world.operator.token).status == route.status


def _make(account_id: str, *held: Role) -> None:
    with UnitOfWork() as work:
        work.save(store.account_row(replace(auth.me(account_id), roles=held)))


@pytest.mark.parametrize("name", ["sort_feedback", "answer_feedback"])
def test_the_own_feedback_is_somebody_elses(world: World, name: str) -> None:
    own = people.operator()
    make = {"sort_feedback": talks.told, "answer_feedback": lambda by: talks.sorted_out(by, "acc_operator")}[name]
    asked = replace(ENTRIES[name](world), ids={"feedback_id": make(own.account_id)})
    before = dump.tables()
    assert told(asked.send(ROUTES[name], own.token)) == (403, "own_affair")
    assert dump.differences(before, dump.tables()) == []
    assert asked.send(ROUTES[name], world.operator.token).status == ROUTES[name].status


def test_a_stray_about_the_own_purchase_is_somebody_elses(world: World) -> None:
    sale = world.placed()
    number = ids.child_id("pay", sale.purchase.purchase_id, 7)
    heard = payments.ReportedMoney("sandbox", number, Money(100), "t1", clock.now(), {}, confirmed=True)
    path = f"/v1/operator/strays/{payments.note_billed_money(heard).stray_id}/settle"
    body = {"how": "seen", "note": "known"}
    _make(world.buyer.account_id, Role.BUYER, Role.OPERATOR)
    own = people.token(world.buyer.account_id, Role.BUYER, Role.OPERATOR)
    assert told(call("POST", path, body, token=own)) == (403, "own_affair")
    _make(world.buyer.account_id, Role.BUYER)
    assert call("POST", path, body, token=world.operator.token).status == 200


def test_a_case_about_the_own_purchase_is_somebody_elses(world: World) -> None:
    sale = world.paid()
    about = {"refund_stuck": sale.purchase.purchase_id, "bill_missing": ""}
    subject = sale.orders[0].order_id
    cases = [
        reconciliation.open_case(kind, "sandbox", "2026-11-20", subject, purchase_id=purchase_id, said={"why": "x"})
        for kind, purchase_id in about.items()
    ]
    body = {"how": "accepted", "note": "Bank says so."}
    _make(world.buyer.account_id, Role.BUYER, Role.OPERATOR)
    own = people.token(world.buyer.account_id, Role.BUYER, Role.OPERATOR)
    paths = [f"/v1/operator/cases/{case_id}/resolve" for case_id in cases]
    assert [told(call("POST", path, body, token=own)) for path in paths] == [(403, "own_affair")] * 2
    _make(world.buyer.account_id, Role.BUYER)
    assert [call("POST", path, body, token=world.operator.token).status for path in paths] == [200, 200]


@pytest.mark.parametrize("route", ACTS, ids=lambda route: route.operation_id)
def test_what_an_act_changes_is_written_down_with_it(world: World, route: Route) -> None:
    """In the same transaction: where the act's rows cannot be written, neither is the line, and the other way round."""
    request = ENTRIES[route.operation_id](world)
    before = len(_lines())
    writes = dump.Writes()
    with aws.hooked(writes):
        answer = request.send(route, world.operator.token)
    assert answer.status == route.status, answer
    lines = _lines()[before:]
    if not writes.seen:  # It asked somebody else, and heard nothing new.
        assert lines == []
        return
    (line,) = lines
    assert (line.by, line.act) == (world.operator.account_id, route.operation_id)
    assert line.records == request.ids


def _lines() -> list[oversight.Line]:
    page = oversight.list_day(clock.now().date(), Window(100))
    lines = [*page.items]
    while page.after is not None:
        page = oversight.list_day(clock.now().date(), Window(100, page.after))
        lines += page.items
    return sorted(lines, key=lambda line: line.at)


def test_an_operator_sees_an_address_only_for_a_reason_that_is_kept(world: World) -> None:
    purchase_id = world.sale.purchase.purchase_id
    path = f"/v1/operator/purchases/{purchase_id}"
    boss = world.operator
    seen = call("GET", path, token=boss.token)
    order = call("GET", f"/v1/operator/orders/{world.sale.orders[0].order_id}", token=boss.token)
    contact = sales.WANG
    for answer in (seen, order):
        assert answer.status == 200
        assert [word for word in (contact.phone, contact.recipient, contact.street) if word in answer.body] == []
    assert _own(world)["phone"] == contact.phone

    before = len(_lines())
    for bad in ({}, {"reason": ""}, {"reason": "x" * 201}):
        assert told(call("POST", f"{path}/contact", bad, token=boss.token)) == (422, "invalid_request")
    assert len(_lines()) == before
    shown = call("POST", f"{path}/contact", {"reason": "The parcel came back."}, token=boss.token)
    assert (shown.status, shown.json["phone"], shown.headers["cache-control"]) == (200, contact.phone, "no-store")
    line = _lines()[-1]
    assert (line.by, line.act, line.said) == (boss.account_id, "reveal_contact", {"reason": "The parcel came back."})
    assert line.records == {"purchase_id": purchase_id}


def test_a_look_that_cannot_be_written_down_does_not_happen(world: World) -> None:
    with pytest.raises(Misconfigured):
        orders.reveal_contact(world.sale.purchase.purchase_id)


def _own(world: World) -> Any:
    return call("GET", f"/v1/purchases/{world.sale.purchase.purchase_id}", token=world.buyer.token).json["contact"]
