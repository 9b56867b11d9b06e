"""No log, queue or dead letter holds personal data, a code or a secret; no table holds a password or token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.runtime import aws, log
from tests.support import dump, goods, joining, people, sales
from tests.support.entries import PASSWORD, parcel
from tests.support.http import call
from tests.support.paying import Till
from tests.support.pump import Pump

RECIPIENT, PHONE, STREET, EMAIL = "欧阳若曦测试", "13957180001", "翠苑九区幢七单元", "ruoxi.test@example.com"
NICKNAME, NOTE, OPENID = "若曦小号", "门口的石狮子旁", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
CODE = "GIFT-7F3K-QQ21-SECRET"


def test_logs_queues_and_dead_letters_hold_nothing_of_a_person(
    cloud: str, noon: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person registers, buys, pays, is shipped to, complains and errs; then whatever left the tables is searched."""
    lines: list[str] = []
    bodies: list[str] = []
    handler = log._prepare().handlers[0]
    monkeypatch.setattr(handler, "emit", lambda record: lines.append(handler.format(record)))

    def listen(service: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        if service == "sqs" and operation.startswith("SendMessage"):
            bodies.append(json.dumps(params, ensure_ascii=False))
        if service == "dynamodb":
            bodies.extend(_events(params))
        return proceed()

    with aws.hooked(listen):
        secrets_ = _life_of_a_person(noon)
    assert len(lines) > 40
    assert len(bodies) > 20
    heard = "\n".join([*lines, *bodies, capsys.readouterr().out])
    secret = [RECIPIENT, PHONE, STREET, EMAIL, NICKNAME, NOTE, OPENID, CODE, PASSWORD, "203.0.113.77", *secrets_]
    assert [word for word in secret if word in heard] == []
    stored = json.dumps(dump.tables(), ensure_ascii=False)
    assert [word for word in (OPENID, PASSWORD, "203.0.113.77", *secrets_) if word in stored] == []


def _events(params: dict[str, Any]) -> Iterator[str]:
    """Yield what rides in written rows to the relay."""
    for item in params.get("TransactItems", [params]):
        for part in (item, *item.values()):
            if isinstance(part, dict) and isinstance(part.get("Item"), dict) and "events" in part["Item"]:
                yield json.dumps(part["Item"]["events"], ensure_ascii=False)


def _life_of_a_person(noon: Any) -> list[str]:
    """Play it over HTTP; returns the tokens and keys that nobody may find again."""
    till = Till.open(noon)
    goods.categories()
    merchant = people.merchant()
    staff = people.staff(merchant.merchant_id).token
    body = {"identity": EMAIL, "password": PASSWORD, "nickname": NICKNAME}
    assert call("POST", "/v1/auth/register", {**body, **joining.proof(EMAIL, "register")}).status == 201
    joining.ask(EMAIL, "register")  # Its owner is told that it has an account.
    for wrong in ({**body, "x": PHONE}, {"identity": PHONE + "9", "password": PASSWORD}, {"identity": EMAIL}):
        assert call("POST", "/v1/auth/register", wrong).status == 422
    credentials = {"identity": EMAIL, "password": PASSWORD}
    assert call("POST", "/v1/auth/sign-in", {**credentials, "password": "not " + PASSWORD}).status == 401
    session = call("POST", "/v1/auth/sign-in", credentials).json
    session = call("POST", "/v1/auth/refresh", {"refresh_token": session["refresh_token"]}).json
    token = session["access_token"]
    account_id = session["account_id"]
    address = {
        "recipient": RECIPIENT,
        "phone": PHONE,
        "province": "浙江省",
        "city": "杭州市",
        "district": "西湖区",
        "street": STREET,
    }
    address_id = call("POST", "/v1/me/addresses", address, token=token).json["address_id"]
    assert call("POST", "/v1/me/addresses", {**address, "phone": "1" + PHONE}, token=token).status == 422
    made = goods.product(merchant.merchant_id, price_minor=1999)
    guest = call("PUT", f"/v1/cart/lines/{made.sku_id}", {"quantity": 1}).json["cart_token"]
    assert call("POST", "/v1/cart/merge", {"cart_token": guest}, token=token).status == 200
    quote = call("POST", "/v1/quotes", {"address_id": address_id}, token=token).json["quote"]
    key = uuid4().hex
    placed = call("POST", "/v1/purchases", {"quote": quote, "note": NOTE}, token=token, key=key).json
    assert call("POST", "/v1/purchases", {"quote": quote[:-8]}, token=token).status == 422
    pay = {"provider": "sandbox", "payer": OPENID}
    path = f"/v1/purchases/{placed['purchase_id']}/payments"
    payment_id = call("POST", path, pay, token=token).json["payment_id"]
    till.sandbox.pay(payment_id)
    till.settle()
    order_id = placed["order_ids"][0]
    assert call("POST", f"/v1/merchant/orders/{order_id}/shipments", parcel(), token=staff).status == 201
    filing = {"order_id": order_id, "line_id": "1", "reason": "damaged", "text": f"{NOTE} {PHONE}"}
    complaint = call("POST", "/v1/complaints", filing, token=token).json["complaint_id"]
    reply = {"answer": "refund", "amount": {"minor": 100, "currency": "CNY"}, "text": f"Dear {RECIPIENT}"}
    assert call("POST", f"/v1/merchant/complaints/{complaint}/reply", reply, token=staff).status == 200
    assert call("POST", f"/v1/complaints/{complaint}/accept", {}, token=token).status == 200
    till.settle()
    voucher = sales.paid(account_id, (merchant.merchant_id, (sales.line("1", kind="virtual"),)))
    digital = {"lines": [{"line_id": "1", "quantity": 1}], "note": NOTE, "code": CODE}
    order_id = voucher.orders[0].order_id
    assert call("POST", f"/v1/merchant/orders/{order_id}/shipments", digital, token=staff).status == 201
    Pump().drain()
    return [token, session["refresh_token"], guest, key, quote[:60]]
