"""No first order without a verified phone number, where the setting says so: whoever signed in, by whatever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from chalicelib.auth import first_order, store
from chalicelib.kernel import clock
from chalicelib.kernel.errors import Misconfigured
from chalicelib.runtime.config import config
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import dump, goods, joining
from tests.support import shop as shops
from tests.support.elsewhere import by_web, offered
from tests.support.http import Answer, call
from tools.bench import metering


@pytest.fixture
def wanted(cloud: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    goods.categories()
    monkeypatch.setenv("BIANDAN_VERIFIED_PHONE", "on")
    return monkeypatch


def quoted(token: str) -> str:
    """Fill a cart and return its quote."""
    made = shops.shop().product()
    assert call("PUT", f"/v1/cart/lines/{made.sku_id}", {"quantity": 1}, token=token).status == 200
    address = call("POST", "/v1/me/addresses", shops.ADDRESS, token=token)
    quote = call("POST", "/v1/quotes", {"address_id": address.json["address_id"]}, token=token)
    assert quote.status == 200, quote.body
    return str(quote.json["quote"])


def place(token: str, quote: str, key: str | None = None) -> Answer:
    return call("POST", "/v1/purchases", {"quote": quote}, token=token, key=key)


def verify(account_id: str, phone: str = "+8613800138000") -> None:
    account = store.load_account(account_id, consistent=True)
    assert account is not None
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, phone=phone, phone_verified_at=clock.now())))


def test_who_signed_in_by_qq_alone_is_refused_until_a_phone_is_verified(wanted: pytest.MonkeyPatch) -> None:
    with offered() as host:
        session = by_web(host, "mei").json
    token, quote = session["access_token"], quoted(session["access_token"])
    before = dump.tables()
    refused = place(token, quote, key="the-same-key")
    assert (refused.status, refused.json["code"]) == (409, "verified_phone_needed")
    assert refused.json["detail"] == (
        "Verify a phone number before your first order: ask for a code by text message, then order again."
    )
    assert dump.differences(before, dump.tables()) == []
    verify(session["account_id"])
    assert place(token, quote, key="the-same-key").status == 201, "the same quote, the same key: nothing was used up"


def test_an_e_mail_address_or_a_phone_that_nobody_verified_is_not_enough(wanted: pytest.MonkeyPatch) -> None:
    wanted.setenv("BIANDAN_REGISTRATION", "open")
    for identity in (f"{uuid4().hex[:10]}@example.com", "138 0013 8000"):
        body = {"identity": identity, "password": "correct horse battery"}
        assert call("POST", "/v1/auth/register", body).status == 201
        token = call("POST", "/v1/auth/sign-in", body).json["access_token"]
        assert place(token, quoted(token)).json["code"] == "verified_phone_needed", identity


def test_the_code_of_a_text_message_is_enough(wanted: pytest.MonkeyPatch) -> None:
    """Who came by QQ verifies a number as the problem says, then orders."""
    with offered() as host:
        token = by_web(host, "mei").json["access_token"]
    quote = quoted(token)
    assert place(token, quote).status == 409
    shown = {"contact": "+8613800138000", **joining.proof("+8613800138000", "verify")}
    assert call("POST", "/v1/me/contacts/verify", shown, token=token).status == 200
    assert place(token, quote).status == 201


def test_a_repeat_of_what_was_placed_is_answered_whatever_became_of_the_phone(wanted: pytest.MonkeyPatch) -> None:
    buyer = shops.buyer()
    verify(buyer.account_id)
    quote = quoted(buyer.token)
    placed = place(buyer.token, quote, key="once-and-again")
    account = store.load_account(buyer.account_id, consistent=True)
    assert account is not None
    with UnitOfWork() as work:
        work.save(store.account_row(replace(account, phone_verified_at=None)))
    again = place(buyer.token, quote, key="once-and-again")
    assert (again.status, again.json["purchase_id"]) == (201, placed.json["purchase_id"])


@pytest.mark.parametrize("setting", ["off", None])
def test_where_nothing_is_required_nothing_is_read(cloud: str, monkeypatch: pytest.MonkeyPatch, setting: Any) -> None:
    if setting is None:
        monkeypatch.delenv("BIANDAN_VERIFIED_PHONE", raising=False)
    else:
        monkeypatch.setenv("BIANDAN_VERIFIED_PHONE", setting)
    assert first_order.may_order("acc_x").wanted == ()
    buyer = shops.buyer()
    goods.categories()
    assert place(buyer.token, quoted(buyer.token)).status == 201


@pytest.mark.parametrize(("stage", "setting", "required"), [
    ("prod", None, True), ("prod", "off", False), ("dev", None, False), ("dev", "on", True), ("local", None, False),
])  # fmt: skip
def test_it_is_on_in_prod(monkeypatch: pytest.MonkeyPatch, stage: str, setting: str | None, required: bool) -> None:
    monkeypatch.delenv("BIANDAN_VERIFIED_PHONE", raising=False)
    if setting is not None:
        monkeypatch.setenv("BIANDAN_VERIFIED_PHONE", setting)
    monkeypatch.setenv("BIANDAN_STAGE", stage)
    config.cache_clear()
    try:
        assert first_order.is_required() is required
        monkeypatch.setenv("BIANDAN_VERIFIED_PHONE", "yes")
        with pytest.raises(Misconfigured):
            first_order.is_required()
    finally:
        monkeypatch.undo()
        config.cache_clear()


def test_it_costs_one_read_unit_and_no_call(wanted: pytest.MonkeyPatch) -> None:
    figures = []
    for setting in ("off", "on"):
        buyer = shops.buyer()
        verify(buyer.account_id)
        quote = quoted(buyer.token)
        wanted.setenv("BIANDAN_VERIFIED_PHONE", setting)
        with metering.measured() as meter:
            assert place(buyer.token, quote).status == 201
        figures.append(meter.figures)
    assert figures == [(2, 16, 1.5), (2, 16, 2.5)]
