"""Operators: two for a role, none on their own affairs, none after a dismissal, and every act written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.kernel import clock, ids
from chalicelib.kernel.roles import Role
from chalicelib.oversight import service as oversight
from chalicelib.runtime import aws, names, outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, people
from tests.support.http import Answer, call
from tests.support.paying import Till, story
from tools.bench import metering

WANTED = {"role": "operator", "reason": "She joins the desk."}


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def token(person: people.Person) -> str:
    return people.token(person.account_id, Role.BUYER, Role.OPERATOR)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("code", "")


def ask(asker: people.Person, account_id: str, key: str | None = None, **changes: str) -> Answer:
    path = f"/v1/operator/accounts/{account_id}/role-requests"
    return call("POST", path, {**WANTED, **changes}, token=token(asker), key=key)


def decide(person: people.Person, request_id: str, what: str = "approve", key: str | None = None) -> Answer:
    path = f"/v1/operator/role-requests/{request_id}/{what}"
    return call("POST", path, {"note": "I know her."}, token=token(person), key=key)


def roles(account_id: str) -> tuple[Role, ...]:
    return auth.me(account_id).roles


def let_in(asker: people.Person, approver: people.Person) -> people.Person:
    """Make a new operator by the book."""
    new = people.buyer()
    request_id = ask(asker, new.account_id).json["request_id"]
    assert decide(approver, request_id).status == 200
    return new


# --- a role takes two -------------------------------------------------------------------------------------------------


def test_an_operator_is_made_by_two(cloud: str, noon: clock.Fixed) -> None:
    ann, ben, new = people.operator(), people.operator(), people.buyer()
    alone = call("POST", f"/v1/operator/accounts/{new.account_id}/roles", {"role": "operator"}, token=ann.token)
    assert told(alone) == (409, "second_person_needed")
    assert roles(new.account_id) == (Role.BUYER,)

    asked = ask(ann, new.account_id, key="let-her-in-1")
    assert (asked.status, asked.json["status"], asked.json["asked_by"]) == (201, "pending", ann.account_id)
    again = ask(ann, new.account_id, key="let-her-in-1")
    assert (again.json, again.headers["idempotency-replayed"]) == (asked.json, "true")
    assert told(ask(ann, new.account_id, key="let-her-in-1", reason="Another one.")) == (422, "idempotency_key_reused")
    request_id = asked.json["request_id"]
    assert roles(new.account_id) == (Role.BUYER,)
    listed = call("GET", "/v1/operator/role-requests", token=ben.token).json["items"]
    assert [one["request_id"] for one in listed] == [request_id]
    assert call("GET", f"/v1/operator/role-requests/{request_id}", token=ben.token).json == asked.json

    assert told(decide(ann, request_id)) == (403, "own_approval")
    assert roles(new.account_id) == (Role.BUYER,)
    first = decide(ben, request_id, key="approve-her-1")
    repeat = decide(ben, request_id, key="approve-her-1")
    assert (first.status, first.json["status"], first.json["decided_by"]) == (200, "approved", ben.account_id)
    assert (repeat.json, repeat.headers["idempotency-replayed"]) == (first.json, "true")
    assert roles(new.account_id) == (Role.BUYER, Role.OPERATOR)
    assert told(decide(ben, request_id, "reject")) == (409, "illegal_transition")
    (change,) = auth.me(new.account_id).history
    assert (change.by, change.approved_by, change.sponsors) == (ann.account_id, ben.account_id, (ann.account_id,))


def test_a_request_is_rejected_or_taken_back_or_expires(cloud: str, noon: clock.Fixed) -> None:
    ann, ben, new = people.operator(), people.operator(), people.buyer()
    rejected, taken_back, late = (ask(ann, new.account_id).json["request_id"] for _ in range(3))
    assert decide(ben, rejected, "reject").json["status"] == "rejected"
    assert decide(ann, taken_back, "reject").json["status"] == "rejected"
    assert told(decide(ben, taken_back)) == (409, "illegal_transition")
    noon.advance(timedelta(days=1))
    assert told(decide(ben, late)) == (409, "illegal_transition")
    shown = call("GET", f"/v1/operator/role-requests/{late}", token=token(ben)).json
    assert shown["status"] == "expired"
    assert roles(new.account_id) == (Role.BUYER,)


def test_requests_that_cannot_be_made_leave_no_trace(cloud: str) -> None:
    ann, ben, staff = people.operator(), people.operator(), people.staff(people.merchant().merchant_id)
    before = dump.tables()
    assert told(ask(ann, staff.account_id)) == (409, "operator_not_staff")
    assert told(ask(ann, ids.new_id("acc"))) == (404, "not_found")
    assert told(ask(ann, ben.account_id)) == (422, "bad_grant")
    assert told(ask(ann, ann.account_id)) == (403, "own_affair")
    assert told(ask(ann, staff.account_id, role="merchant_staff")) == (422, "bad_grant")
    assert dump.differences(before, dump.tables()) == []


def test_two_decisions_at_the_same_moment_are_one(cloud: str) -> None:
    ann, others, new = people.operator(), [people.operator() for _ in range(4)], people.buyer()
    request_id = ask(ann, new.account_id).json["request_id"]
    ready = Barrier(4)

    def act(at: int) -> int:
        ready.wait()
        return decide(others[at], request_id, "reject" if at % 2 else "approve").status

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(act, range(4))) == [200, 409, 409, 409]
    status = call("GET", f"/v1/operator/role-requests/{request_id}", token=token(ann)).json["status"]
    assert (Role.OPERATOR in roles(new.account_id)) is (status == "approved")


def test_a_puppet_is_no_second_person(cloud: str, noon: clock.Fixed) -> None:
    """Whom somebody let in, and whom these let in, cannot decide what that one asks, nor the other way round."""
    ann, ben = people.operator(), people.operator()
    puppet = let_in(ann, ben)
    brother = let_in(ann, ben)
    grandchild = let_in(puppet, ben)
    victim = people.buyer().account_id
    for asker, decider in (
        (ann, puppet), (puppet, ann), (puppet, brother), (ann, grandchild), (grandchild, ann), (grandchild, brother),
    ):  # fmt: skip
        request_id = ask(asker, victim).json["request_id"]
        assert told(decide(decider, request_id)) == (403, "kin_approval")
        assert roles(victim) == (Role.BUYER,)
    request_id = ask(puppet, victim).json["request_id"]
    assert decide(ben, request_id).status == 200  # Whom Ann let in is nobody of Ben's.
    noon.advance(timedelta(days=90))
    assert decide(puppet, ask(ann, people.buyer().account_id).json["request_id"]).status == 200


def test_who_was_dismissed_meanwhile_has_asked_for_nothing(cloud: str) -> None:
    ann, ben, new = people.operator(), people.operator(), people.buyer()
    request_id = ask(ann, new.account_id).json["request_id"]
    auth.revoke(ann.account_id, Role.OPERATOR)
    assert told(decide(ben, request_id)) == (409, "asker_gone")
    assert roles(new.account_id) == (Role.BUYER,)


def test_nobody_approves_their_own_role(cloud: str) -> None:
    ann, new = people.operator(), people.buyer()
    request_id = ask(ann, new.account_id).json["request_id"]
    auth.grant(new.account_id, Role.OPERATOR)
    auth.revoke(new.account_id, Role.OPERATOR)
    auth.grant(new.account_id, Role.OPERATOR)
    assert told(decide(new, request_id)) == (403, "own_affair")


def test_an_operator_is_no_staff_and_staff_no_operator(cloud: str) -> None:
    ann, ben, shop = people.operator(), people.operator(), people.merchant()
    body = {"role": "merchant_staff", "merchant_id": shop.merchant_id}
    own, other = ask(ann, ann.account_id, **body), ask(ann, ben.account_id, **body)
    assert (told(own), told(other)) == ((403, "own_affair"), (409, "operator_not_staff"))
    new = people.buyer()
    request_id = ask(ann, new.account_id).json["request_id"]
    auth.grant(new.account_id, Role.MERCHANT_STAFF, shop.merchant_id)
    assert told(decide(ben, request_id)) == (409, "operator_not_staff")
    assert roles(new.account_id) == (Role.BUYER, Role.MERCHANT_STAFF)


# --- out on the next call ---------------------------------------------------------------------------------------------


def test_an_operators_call_costs_one_strong_read_more(cloud: str) -> None:
    ann = people.operator()
    shop = people.merchant()
    path = f"/v1/operator/merchants/{shop.merchant_id}"
    call("GET", path, token=ann.token)
    with metering.measured() as meter:
        assert call("GET", path, token=ann.token).status == 200
    assert (meter.calls, meter.write_units, meter.read_units) == (2, 0, 1 + 0.5)
    with metering.measured() as meter:
        assert call("PATCH", path, {"name": "New"}, token=ann.token).status == 200
    # Its own read (1) and write (2 in a transaction) with the audit's line (2); the operator's standing (1).
    assert (meter.calls, meter.write_units, meter.read_units) == (3, 4, 2)


# --- nobody on their own affairs --------------------------------------------------------------------------------------


def test_former_staff_is_a_party_for_half_a_year(cloud: str, noon: clock.Fixed) -> None:
    shop = people.merchant()
    person = people.staff(shop.merchant_id)
    auth.revoke(person.account_id, Role.MERCHANT_STAFF)
    auth.grant(person.account_id, Role.OPERATOR)
    path = f"/v1/operator/merchants/{shop.merchant_id}"
    assert told(call("PATCH", path, {"status": "suspended"}, token=token(person))) == (403, "own_affair")
    noon.advance(timedelta(days=180))
    assert call("PATCH", path, {"status": "suspended"}, token=token(person)).status == 200


def test_former_staff_stays_a_party_whatever_happened_to_the_account_since(cloud: str, noon: clock.Fixed) -> None:
    """A friend at the desk gives and takes another role, alone, until the history is full."""
    shop, other = people.merchant(), people.merchant()
    person = people.staff(shop.merchant_id)
    auth.revoke(person.account_id, Role.MERCHANT_STAFF)
    for _ in range(30):
        auth.grant(person.account_id, Role.MERCHANT_STAFF, other.merchant_id)
        auth.revoke(person.account_id, Role.MERCHANT_STAFF)
    assert len(auth.me(person.account_id).history) == 21
    auth.grant(person.account_id, Role.OPERATOR)
    path = f"/v1/operator/merchants/{shop.merchant_id}"
    assert told(call("PATCH", path, {"status": "suspended"}, token=token(person))) == (403, "own_affair")


def test_a_puppet_stays_a_puppet_whatever_happened_to_the_account_since(cloud: str, noon: clock.Fixed) -> None:
    ann, ben, eve, shop = people.operator(), people.operator(), people.operator(), people.merchant()
    puppet = let_in(ann, ben)
    auth.revoke(puppet.account_id, Role.OPERATOR)
    for _ in range(11):
        auth.grant(puppet.account_id, Role.MERCHANT_STAFF, shop.merchant_id)
        auth.revoke(puppet.account_id, Role.MERCHANT_STAFF)
    request_id = ask(eve, puppet.account_id).json["request_id"]
    assert decide(ben, request_id).status == 200
    asked = ask(ann, people.buyer().account_id).json["request_id"]
    assert told(decide(puppet, asked)) == (403, "kin_approval")


def test_an_operator_may_resign(cloud: str) -> None:
    ann = people.operator()
    path = f"/v1/operator/accounts/{ann.account_id}/roles/operator"
    assert call("DELETE", path, token=ann.token).status == 200
    assert told(call("GET", "/v1/operator/audit", token=ann.token)) == (403, "forbidden")


# --- limits -----------------------------------------------------------------------------------------------------------


def refund(till: Till, sale: Any, minor: int, key: str | None = None) -> Answer:
    body = {"order_id": sale.orders[0].order_id, "amount": {"minor": minor, "currency": "CNY"}, "reason": "broken"}
    path = f"/v1/operator/purchases/{sale.purchase.purchase_id}/refunds"
    return till.operate("POST", path, body, key=key)


def test_one_operator_alone_refunds_so_much_a_day_on_however_many_purchases(
    till: Till, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIANDAN_REFUND_ALONE_A_DAY", "CNY:250")
    bought = [till.paid((1000,))[0] for _ in range(4)]
    assert refund(till, bought[0], 100, key="refund-0001").status == 201
    assert refund(till, bought[0], 100, key="refund-0001").status == 201  # A repeat counts once.
    assert refund(till, bought[1], 100).status == 201
    over = refund(till, bought[2], 51)
    assert (*told(over), over.json["limit"]) == (409, "day_limit_reached", 250)
    assert story(bought[2]).refunds == ()
    assert refund(till, bought[2], 50).status == 201
    assert told(refund(till, bought[3], 1)) == (409, "day_limit_reached")
    other = people.operator()
    body = {"order_id": bought[3].orders[0].order_id, "amount": {"minor": 1, "currency": "CNY"}, "reason": "broken"}
    path = f"/v1/operator/purchases/{bought[3].purchase.purchase_id}/refunds"
    assert call("POST", path, body, token=token(other)).status == 201
    noon.advance(timedelta(days=1))
    assert refund(till, bought[3], 250).status == 201


def test_refunds_at_the_same_moment_do_not_pass_the_days_limit_together(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIANDAN_REFUND_ALONE_A_DAY", "CNY:250")
    bought = [till.paid((1000,))[0] for _ in range(6)]
    ready = Barrier(6)

    def act(at: int) -> tuple[int, str]:
        ready.wait()
        return told(refund(till, bought[at], 100))

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(act, range(6)))
    assert answers == [(201, "")] * 2 + [(409, "day_limit_reached")] * 4
    assert sum(len(story(sale).refunds) for sale in bought) == 2


# --- the audit --------------------------------------------------------------------------------------------------------


def audit(person: people.Person, **query: str) -> list[dict[str, Any]]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = call("GET", f"/v1/operator/audit?{text}", token=token(person))
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def test_a_refused_act_leaves_no_line_and_a_repeat_no_second_one(till: Till) -> None:
    sale, _ = till.paid((1000,))
    assert refund(till, sale, 2000).status == 409
    assert audit(till.operator) == []
    assert refund(till, sale, 500, key="refund-0001").status == 201
    assert refund(till, sale, 500, key="refund-0001").status == 201
    (line,) = audit(till.operator)
    assert line["said"] == {"order_id": sale.orders[0].order_id, "amount": "500 CNY", "reason": "broken"}
    assert line["records"] == {"purchase_id": sale.purchase.purchase_id}


def test_the_audit_is_paged_by_day_the_latest_first(cloud: str, noon: clock.Fixed) -> None:
    ann, shop = people.operator(), people.merchant()
    for number in range(3):
        noon.advance(timedelta(seconds=1))
        path = f"/v1/operator/merchants/{shop.merchant_id}"
        assert call("PATCH", path, {"name": f"N{number}"}, token=token(ann)).status == 200
    first = call("GET", "/v1/operator/audit?limit=2", token=token(ann)).json
    rest = call("GET", f"/v1/operator/audit?limit=2&cursor={first['next_cursor']}", token=token(ann)).json
    times = [line["at"] for line in first["items"] + rest["items"]]
    assert (len(times), times) == (3, sorted(times, reverse=True))
    noon.advance(timedelta(days=1))
    assert audit(ann) == []
    assert len(audit(ann, day="2026-11-22")) == 3


def test_a_line_is_never_written_over(cloud: str, noon: clock.Fixed) -> None:
    from chalicelib.kernel.errors import AlreadyExists
    from chalicelib.oversight import store as audit_store
    from infra import policies

    line = oversight.Line(clock.now(), "acc_1", "grant_role", "request-1")
    with UnitOfWork() as work:
        work.save(audit_store.row(line))
    with pytest.raises(AlreadyExists), UnitOfWork() as work:
        work.save(audit_store.row(line))
    allowed = {
        action
        for statement in policies.policy("api_handler")["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
        if resource == policies.att(policies.table_resource("audit"), "Arn")
    }
    assert allowed == {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem"}


def test_the_first_operators_come_from_outside_and_are_in_the_audit_too(cloud: str) -> None:
    from tools.operate import grant

    ann, ben = people.buyer(), people.buyer()
    assert [grant.main([person.account_id, "operator"]) for person in (ann, ben)] == [0, 0]
    assert [(line["by"], line["act"]) for line in audit(ann)] == [("tools/grant", "grant_role")] * 2
    assert let_in(ann, ben)


# --- addresses --------------------------------------------------------------------------------------------------------


def test_seeds_have_a_second_person() -> None:
    from tools.dev import seed

    assert sum(role == "operator" for role, _, _ in seed._wanted()) == 2


def test_a_refund_alone_carries_its_counter_and_its_line(till: Till) -> None:
    """Two write units each, in the transaction of the refund: none of the three is there without the others."""
    sale, _ = till.paid((1000,))
    sent: list[list[tuple[str, str]]] = []

    def watch(service: str, operation: str, params: Any, proceed: Callable[[], Any]) -> Any:
        if operation == "TransactWriteItems":
            parts = [next(iter(item.items())) for item in params["TransactItems"]]
            sent.append([(verb, names.table_of(part["TableName"])) for verb, part in parts])
        return proceed()

    with aws.hooked(watch):
        assert refund(till, sale, 1).status == 201
    (transaction,) = sent
    assert transaction.count(("Put", "audit")) == 1
    assert transaction.count(("Update", "payments")) == 1
    assert transaction.count(("Put", "payments")) == 2
