"""Genuine words of a provider that fit nothing of ours: money in suspense, unknown events, unknown keys, silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.auth import store as accounts
from chalicelib.auth.domain import RoleChange
from chalicelib.kernel import clock
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Role
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.orders.service import PurchaseStatus
from chalicelib.payments import service as payments
from chalicelib.payments.domain.payment import PaymentStatus
from chalicelib.payments.store import records as store
from chalicelib.runtime import aws, metrics, outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import http, people
from tests.support.paying import WEBHOOK, Till, payment

ALIEN = "THEIR_ORDER_77"


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(metrics, "count", lambda name, *_: found.append(name))
    return found


def stranger(till: Till, number: str, amount: int = 1999, **moods: Any) -> None:
    """Let somebody pay an order that the provider knows and we do not."""
    till.sandbox._create(
        {
            "out_trade_no": number,
            "amount": amount,
            "currency": "CNY",
            "notify_url": f"http://shop{WEBHOOK}",
            "expires_at": 0,
        }
    )
    till.sandbox.steer(number, **moods)
    till.sandbox.pay(number)


def unknown_of_ours(till: Till) -> str:
    return till.sale().purchase.purchase_id.replace("pur_", "pay_") + "_07"


def strays(till: Till, state: str = "suspense") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = till.operate("GET", f"/v1/operator/payments?status={state}").json["strays"]
    return found


def cases(till: Till, status: str = "open") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = till.operate("GET", f"/v1/operator/cases?status={status}").json["items"]
    return found


def settle(till: Till, stray_id: str, how: str, **options: Any) -> http.Answer:
    return till.operate("POST", f"/v1/operator/strays/{stray_id}/settle", {"how": how, "note": "seen to"}, **options)


def balances(stray: dict[str, Any]) -> dict[str, int]:
    proof = ledger.proof(stray["stray_id"])
    assert proof.balanced
    return {account: amount.minor for account, amount in proof.balances if amount}


# --- money of nobody's -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["ours", "alien"])
def test_money_under_a_number_of_nobodys_is_in_suspense_and_a_case(till: Till, counted: list[str], shape: str) -> None:
    number = unknown_of_ours(till) if shape == "ours" else ALIEN
    stranger(till, number, duplicates=3)
    till.settle()
    till.wait(timedelta(minutes=6))

    assert {status for status, _ in till.sandbox.delivered} == {200}
    assert till.pump.dead("payment-notices") == []
    (stray,) = strays(till)
    assert (stray["kind"], stray["number"], stray["amount"]["minor"]) == ("money", number, 1999)
    assert balances(stray) == {"clearing:sandbox": 1999, "suspense": -1999}
    (case,) = cases(till)
    assert (case["kind"], case["said"]["number"]) == ("missing_here", number)
    assert case["said"]["stray_id"] == stray["stray_id"]
    assert counted.count("money_in_suspense") == 1


def test_the_word_waits_while_the_provider_is_silent(till: Till) -> None:
    stranger(till, ALIEN, down=("query",))
    till.settle()
    till.wait(timedelta(minutes=30))
    assert strays(till) == []
    till.sandbox.steer(ALIEN, down=())
    till.wait(timedelta(minutes=3))
    assert [stray["kind"] for stray in strays(till)] == ["money"]


def test_a_claim_that_the_provider_does_not_confirm_is_kept_and_not_booked(till: Till) -> None:
    content = {
        "kind": "payment",
        "notice_id": "sbn00000009",
        "merchant_id": "local-merchant",
        "out_trade_no": ALIEN,
        "state": "paid",
        "amount": 5,
        "currency": "CNY",
        "transaction_id": "t1",
        "paid_at": clock.epoch_s(clock.now()),
    }
    headers, body = till.sandbox.signed_notice(content)
    for _ in range(2):
        assert till.post(WEBHOOK, headers, body) == 200
    till.pump.drain()

    (stray,) = strays(till)
    assert (stray["kind"], stray.get("amount"), balances(stray)) == ("claim", None, {})
    assert [case["kind"] for case in cases(till)] == ["claimed_payment"]
    stranger(till, ALIEN, amount=5, notify=False)  # It was true, and the provider only late to know.
    assert settle(till, stray["stray_id"], "query").json["kind"] == "money"
    till.pump.drain()
    assert balances(stray) == {"clearing:sandbox": 5, "suspense": -5}


def test_what_is_not_money_and_not_durable_is_not_acknowledged(till: Till) -> None:
    stranger(till, ALIEN)

    def full(svc: str, operation: str, params: Any, proceed: Any) -> Any:
        if svc == "sqs":
            raise ConnectionError
        return proceed()

    with aws.hooked(full):
        till.sandbox.tick(till.post)
    assert [status for status, _ in till.sandbox.delivered] == [503]


def test_an_operator_settles_it_once_and_the_money_leaves_the_books(till: Till) -> None:
    stranger(till, ALIEN)
    till.settle()
    (stray,) = strays(till)

    first = settle(till, stray["stray_id"], "returned", key="key-00000001")
    again = settle(till, stray["stray_id"], "returned", key="key-00000001")
    other = settle(till, stray["stray_id"], "seen", key="key-00000001")
    late = settle(till, stray["stray_id"], "returned")
    till.pump.drain()

    assert (first.status, first.json["status"]) == (200, "returned")
    assert (again.json, again.headers["idempotency-replayed"]) == (first.json, "true")
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert (late.status, late.json["code"]) == (409, "illegal_transition")
    assert balances(stray) == {}
    assert (cases(till), strays(till)) == ([], [])
    assert len(cases(till, "settled")) == 1


def test_seen_money_stays_in_suspense_and_can_still_be_returned(till: Till) -> None:
    stranger(till, ALIEN)
    till.settle()
    (stray,) = strays(till)
    assert settle(till, stray["stray_id"], "seen").json["status"] == "closed"
    assert balances(stray) == {"clearing:sandbox": 1999, "suspense": -1999}
    assert settle(till, stray["stray_id"], "returned").json["status"] == "returned"
    assert balances(stray) == {}


def test_much_money_leaves_suspense_by_two(till: Till, noon: clock.Fixed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_REFUND_ALONE", "CNY:1000")
    stranger(till, ALIEN)
    till.settle()
    (stray,) = strays(till)
    stray_id, booked = stray["stray_id"], balances(stray)
    path, body = f"/v1/operator/strays/{stray_id}/settle", {"how": "returned"}

    refused = [settle(till, stray_id, "returned")]
    assert settle(till, stray_id, "seen").status == 200
    refused.append(settle(till, stray_id, "returned"))  # Nobody is two persons.
    assert {(answer.status, answer.json["code"]) for answer in refused} == {(409, "return_needs_two")}
    puppet = people.operator()
    _let_in_by(puppet.account_id, till.operator.account_id)
    kin = http.call("POST", path, body, token=puppet.token)
    assert (kin.status, kin.json["code"]) == (403, "kin_approval")
    asked = http.call("POST", path, {"how": "query"}, token=people.operator().token)
    assert (asked.status, asked.json["status"]) == (200, "closed")
    assert settle(till, stray_id, "returned").json["code"] == "return_needs_two"  # A question is no second word.
    assert balances(stray) == booked

    assert http.call("POST", path, body, token=people.operator().token).json["status"] == "returned"
    assert balances(stray) == {}


def _let_in_by(account_id: str, sponsor: str) -> None:
    account = auth.me(account_id)
    change = RoleChange(1, clock.now(), sponsor, gives=True, role=Role.OPERATOR)
    with UnitOfWork() as work:
        work.save(accounts.account_row(replace(account, history=(change,))))


def test_money_out_of_suspense_counts_to_the_operators_day(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_REFUND_ALONE_A_DAY", "CNY:3000")
    for number in ("A", "B"):
        stranger(till, ALIEN + number)
    till.settle()
    one, other = strays(till)
    assert settle(till, one["stray_id"], "returned").status == 200
    late = settle(till, other["stray_id"], "returned")
    assert (late.status, late.json["code"]) == (409, "day_limit_reached")
    assert balances(other) == {"clearing:sandbox": 1999, "suspense": -1999}


@pytest.mark.parametrize("changed", [{"provider": "stripe"}, {"transaction_id": "another"}])
def test_other_money_under_a_number_of_ours_stays_in_suspense(till: Till, changed: dict[str, str]) -> None:
    """An attempt was paid by now under the number: at another provider, or by another transaction."""
    sale = till.sale()
    number = sale.purchase.purchase_id.replace("pur_", "pay_") + "_01"
    kept = payments.ReportedMoney("sandbox", number, Money(1999), "their_tx", clock.now(), {}, confirmed=True)
    stray_id = payments.note_billed_money(kept).stray_id
    payment_id = till.started(sale)
    till.sandbox.pay(payment_id)
    till.settle()
    assert payment_id == number
    with UnitOfWork() as work:
        store.save_payment(work, replace(payment(number), **changed))  # type: ignore[arg-type]

    till.sandbox.steer(number)
    answer = settle(till, stray_id, "query")
    assert (answer.status, answer.json["status"]) == (200, "open")
    assert balances({"stray_id": stray_id}) == {"clearing:sandbox": 1999, "suspense": -1999}


def test_a_silent_provider_leaves_a_stray_as_it_is(till: Till) -> None:
    stranger(till, ALIEN)
    till.settle()
    (stray,) = strays(till)
    till.sandbox.steer(ALIEN, down=("query",))
    answer = settle(till, stray["stray_id"], "query")
    assert (answer.status, answer.json["code"]) == (502, "provider_silent")
    assert till.operate("GET", f"/v1/operator/strays/{stray['stray_id']}").json == stray


def test_only_operators_may_and_what_is_not_there_is_not_found(till: Till) -> None:
    path = "/v1/operator/strays/str_0123456789abcdefghjkmnpq"
    assert http.call("GET", path).status == 401
    assert till.operate("GET", path).json["code"] == "stray_not_found"
    assert till.operate("POST", f"{path}/settle", {"how": "burn"}).json["code"] == "invalid_request"
    assert till.operate("POST", f"{path}/settle", {"how": "seen"}).status == 404


# --- the bill --------------------------------------------------------------------------------------------------------


def reconcile(till: Till, day: date) -> None:
    answer = till.operate("POST", "/v1/operator/reconciliations", {"provider": "sandbox", "day": day.isoformat()})
    assert answer.status == 202, answer
    till.pump.drain()


@pytest.mark.parametrize("told", [True, False])
def test_the_bill_confirms_what_a_notice_told_and_tells_what_none_did(till: Till, told: bool) -> None:
    stranger(till, ALIEN, notify=told)
    day = clock.now().astimezone(clock.CHINA).date()
    till.settle()
    till.clock.advance(timedelta(days=1, hours=10))
    reconcile(till, day)

    (stray,) = strays(till)
    assert (stray["kind"], stray["billed_on"]) == ("money", day.isoformat())
    assert balances(stray) == {"clearing:sandbox": 1999, "suspense": -1999}
    (case,) = cases(till)
    assert (case["kind"], case["said"]["stray_id"]) == ("missing_here", stray["stray_id"])


# --- events of unknown kinds -----------------------------------------------------------------------------------------


def test_an_event_of_an_unknown_kind_is_kept_once_and_seen(till: Till, counted: list[str]) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    content = {**till.sandbox._order_view(till.sandbox.orders[payment_id]), "merchant_id": "local-merchant"}
    headers, body = till.sandbox.signed_notice({**content, "kind": "mandate.revoked", "notice_id": "sbn7"})
    for _ in range(3):
        assert till.post(WEBHOOK, headers, body) == 200
    till.pump.drain()

    (stray,) = strays(till, "unknown_event")
    assert (stray["kind"], stray["number"], stray["said"]["event"]) == ("event", payment_id, "mandate.revoked")
    assert stray["said"]["bytes"] == str(len(body))
    assert strays(till) == []
    assert counted.count("notices_unknown_event") == 1
    assert [case["kind"] for case in cases(till)] == ["unknown_event"]
    assert settle(till, stray["stray_id"], "seen").json["status"] == "closed"
    assert strays(till, "unknown_event") == []


# --- a provider that is silent when time is over ----------------------------------------------------------------------


def test_a_provider_that_is_down_at_expiry_raises_an_alarm_and_a_case_until_it_answers(
    till: Till, counted: list[str]
) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.sandbox.steer(payment_id, down=("query", "close"))
    till.wait(timedelta(minutes=40), step=timedelta(minutes=1))

    assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.AWAITING_PAYMENT
    assert counted.count("providers_silent_at_expiry") == 1
    assert "payments_unclear_at_expiry" in counted
    (case,) = cases(till)
    assert (case["kind"], case["subject"], case["purchase_id"]) == (
        "provider_silent",
        payment_id,
        sale.purchase.purchase_id,
    )

    till.sandbox.steer(payment_id, down=())
    till.wait(timedelta(minutes=12), step=timedelta(minutes=1))

    assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.EXPIRED
    assert payment(payment_id).status is PaymentStatus.CLOSED
    assert cases(till) == []
    assert payments.records_by_id([payment_id])[payment_id].silent_since is None  # type: ignore[union-attr]


def test_a_short_silence_at_expiry_makes_no_case(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    till.wait(timedelta(minutes=29), step=timedelta(minutes=1))
    till.sandbox.steer(payment_id, silent_before=("query", "query"))
    till.wait(timedelta(minutes=10), step=timedelta(seconds=20))
    assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.EXPIRED
    assert (cases(till), cases(till, "settled")) == ([], [])
