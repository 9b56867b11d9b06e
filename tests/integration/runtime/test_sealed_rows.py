"""Rows keep personal data sealed, old ones are read, keys rotate, and nobody asks KMS for a request."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.auth import store as accounts
from chalicelib.auth.domain import Address
from chalicelib.kernel.errors import Misconfigured
from chalicelib.kernel.money import Money
from chalicelib.merchants import service as merchants
from chalicelib.orders import rows as orders
from chalicelib.orders import service as sales
from chalicelib.runtime import aws, caches, names
from chalicelib.runtime.db import reads
from chalicelib.runtime.db.work import UnitOfWork
from chalicelib.runtime.intents import system_intent
from chalicelib.runtime.seals import kms, ring
from chalicelib.runtime.seals.cipher import NotSealedHere
from tests.support import dump, people
from tests.support import sales as sold
from tools.operate import seal

RECIPIENT, PHONE, STREET, EMAIL = "欧阳若曦测试", "+8613957180001", "翠苑九区幢七单元", "ruoxi.sealed@example.com"
CONTACT = sales.Contact(RECIPIENT, PHONE, "CN", "浙江省", "杭州市", "西湖区", STREET, "310012")


def plain_values(stored: str) -> list[str]:
    return [value for value in (RECIPIENT, PHONE, STREET, EMAIL, "王经理") if value in stored]


def stored() -> str:
    return json.dumps(dump.tables(), ensure_ascii=False)


def a_person() -> str:
    account, _ = auth.register(EMAIL, "correct horse battery", intent=system_intent("sealed"))
    address_id = system_intent("sealed").record_id("adr")
    address = Address(address_id, RECIPIENT, PHONE, "CN", "浙江省", "杭州市", "西湖区", STREET, None)
    auth.add_address(account.account_id, address, as_default=True, intent=system_intent("sealed-address"))
    return account.account_id


def a_purchase(buyer_id: str) -> str:
    sale = sold.placed(buyer_id, (people.merchant().merchant_id, (sold.line("1"),)), contact=CONTACT)
    return sale.purchase.purchase_id


@contextmanager
def counted() -> Iterator[Counter[str]]:
    found: Counter[str] = Counter()

    def hook(service: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        found[f"{service}:{operation}"] += 1
        found["ring"] += json.dumps(params, default=str).count(names.table_name("keys"))
        return proceed()

    with aws.hooked(hook):
        yield found


def test_no_table_holds_a_plain_value_and_rooms_see_them_all(cloud: str) -> None:
    account_id = a_person()
    purchase_id = a_purchase(account_id)
    made, _ = merchants.create(
        merchants.NewMerchant("Tea", merchants.Contact("王经理", PHONE, EMAIL), Money(0)), intent=system_intent("mer")
    )
    assert plain_values(stored()) == []
    assert auth.me(account_id).email == EMAIL
    assert auth.addresses(account_id).addresses[0].street == STREET
    assert sales.load_purchase(purchase_id).contact == CONTACT
    assert merchants.load(made.merchant_id).contact == merchants.Contact("王经理", PHONE, EMAIL)
    assert auth.account_with(EMAIL).account_id == account_id  # Found by its keyed digest.


def test_a_value_moved_to_another_row_does_not_open(cloud: str) -> None:
    mine, theirs = a_purchase(people.buyer().account_id), a_purchase(people.buyer().account_id)
    raw = reads.get_raw(orders.PurchaseRow, mine, mine)
    assert raw is not None
    aws.call(
        "dynamodb",
        "UpdateItem",
        {
            "TableName": names.table_name("orders"),
            "Key": {"purchase_id": {"S": theirs}, "id": {"S": theirs}},
            "UpdateExpression": "SET delivery = :stolen",
            "ExpressionAttributeValues": {":stolen": raw["delivery"]},
        },
    )
    purchase = sales.load_purchase(theirs)  # Nobody looked yet.
    with pytest.raises(NotSealedHere):
        _ = purchase.contact


def test_who_moves_a_purchase_on_needs_no_key_and_leaves_it_as_it_is(cloud: str) -> None:
    purchase_id = a_purchase(people.buyer().account_id)
    before = reads.get_raw(orders.PurchaseRow, purchase_id, purchase_id) or {}
    caches.forget_all()
    with counted() as calls, UnitOfWork() as work:
        work.save(orders.purchase_row(sales.load_purchase(purchase_id)))
    after = reads.get_raw(orders.PurchaseRow, purchase_id, purchase_id) or {}
    assert (after["version"], after["delivery"]) == ({"N": "2"}, before["delivery"])
    assert calls["ring"] == 0


def test_a_warm_process_asks_for_no_key(cloud: str) -> None:
    account_id = a_person()
    caches.forget_all()
    auth.me(account_id)
    with counted() as calls:
        for _ in range(5):
            auth.me(account_id)
            auth.addresses(account_id)
    assert {name: number for name, number in calls.items() if number} == {
        "dynamodb:GetItem": 5,
        "dynamodb:BatchGetItem": 5,
    }


def old_purchase(buyer_id: str) -> str:
    """Write a purchase as a release before this one did."""
    purchase_id = a_purchase(buyer_id)
    raw = reads.get_raw(orders.PurchaseRow, purchase_id, purchase_id) or {}
    doc = json.loads(raw["doc"]["S"])
    doc |= {"contact": {name: getattr(CONTACT, name) for name in CONTACT.__slots__}, "note": "门口"}
    del raw["delivery"]
    raw["doc"] = {"S": json.dumps(doc, ensure_ascii=False)}
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("orders"), "Item": raw})
    return purchase_id


def old_account() -> str:
    account_id = a_person()
    for row_id, attribute in (("account", "person"), ("addresses", "book")):
        row = accounts.AccountRow if row_id == "account" else accounts.AddressBookRow
        raw = reads.get_raw(row, account_id, row_id) or {}
        value = getattr(row.from_raw_data(raw), attribute)
        raw[attribute] = {"S": getattr(row, attribute).plain(value).decode()}
        aws.call("dynamodb", "PutItem", {"TableName": names.table_name("accounts"), "Item": raw})
    return account_id


def test_rows_of_before_are_read_moved_on_and_sealed_by_the_command(cloud: str) -> None:
    account_id = old_account()
    purchase_id = old_purchase(account_id)
    assert plain_values(stored()) == [RECIPIENT, PHONE, STREET, EMAIL]
    assert auth.me(account_id).email == EMAIL
    purchase = sales.load_purchase(purchase_id)
    assert (purchase.contact, purchase.note) == (CONTACT, "门口")
    with UnitOfWork() as work:
        work.save(orders.purchase_row(purchase))  # A function without the key moves it on.
    assert sales.load_purchase(purchase_id).contact == CONTACT

    said: list[str] = []
    assert seal.count(said.append)[seal.PLAIN] == 3
    assert seal.reseal(said.append, rows_per_second=1000) == 3
    assert plain_values(stored()) == []
    assert seal.count(said.append)[seal.PLAIN] == 0
    assert seal.reseal(said.append, rows_per_second=1000) == 0  # Again changes nothing.
    again = sales.load_purchase(purchase_id)
    assert (again.contact, again.note, again.version) == (CONTACT, "门口", purchase.version + 1)
    assert auth.addresses(account_id).addresses[0].recipient == RECIPIENT


def test_nothing_is_sealed_while_the_release_before_still_reads(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_SEALING", "off")
    account_id = a_person()
    purchase_id = a_purchase(account_id)
    raw = reads.get_raw(orders.PurchaseRow, purchase_id, purchase_id) or {}
    assert json.loads(raw["doc"]["S"])["contact"]["street"] == STREET  # Where that release looks for it.
    assert (
        json.loads((reads.get_raw(accounts.AccountRow, account_id, "account") or {})["person"]["S"])["email"] == EMAIL
    )
    monkeypatch.delenv("BIANDAN_SEALING")
    assert sales.load_purchase(purchase_id).contact == CONTACT
    auth.update_me(account_id, {"nickname": "小若"})
    assert "B" in (reads.get_raw(accounts.AccountRow, account_id, "account") or {})["person"]


def test_a_new_key_seals_and_the_old_one_goes_when_nothing_needs_it(cloud: str) -> None:
    account_id = a_person()
    purchase_id = a_purchase(account_id)
    assert ring.newest() == 1
    assert ring.add() == 2
    assert auth.me(account_id).email == EMAIL  # Under the old one.
    auth.update_me(account_id, {"nickname": "小若"})
    found = seal.count(lambda _: None)
    assert found[2] == 1
    assert found[1] > 0
    seal.reseal(lambda _: None, rows_per_second=1000)
    assert set(seal.count(lambda _: None)) == {2}
    with pytest.raises(Misconfigured):
        ring.drop(2)
    ring.drop(1)
    caches.forget_all()
    assert auth.me(account_id).email == EMAIL
    assert sales.load_purchase(purchase_id).contact == CONTACT
    assert ring.add() == 3


def test_what_a_dropped_key_sealed_is_gone(cloud: str) -> None:
    account_id = a_person()
    ring.add()
    ring.drop(1)
    with pytest.raises(Misconfigured):
        auth.me(account_id)


def test_two_processes_that_begin_together_end_with_one_key(cloud: str) -> None:
    """The second looks, finds none, and is overtaken before it writes."""
    overtaken: list[int] = []

    def hook(service: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        if operation == "PutItem" and params["TableName"] == names.table_name("keys") and not overtaken:
            overtaken.append(1)
            ring.save(ring.Ring(), (ring.DataKey(1, "bG9jYWw=", 0),))
        return proceed()

    with aws.hooked(hook):
        account_id = a_person()
    assert overtaken
    caches.forget_all()
    assert auth.me(account_id).email == EMAIL
    assert list(ring.made_at()) == [1]


def test_the_command_races_with_the_shop_without_harm(cloud: str) -> None:
    account_id = old_account()
    changed: list[int] = []

    def hook(service: str, operation: str, params: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        if operation == "UpdateItem" and "SET #a0" in params["UpdateExpression"] and not changed:
            changed.append(1)
            auth.update_me(account_id, {"nickname": "小若"})
        return proceed()

    with aws.hooked(hook):
        seal.reseal(lambda _: None, rows_per_second=1000)
    assert auth.me(account_id).nickname == "小若"
    assert plain_values(stored()) == []


# --- AWS KMS, as the engine plays it ---------------------------------------------------------------------------------


@pytest.fixture
def aws_kms(cloud: str, monkeypatch: pytest.MonkeyPatch) -> str:
    arn = str(aws.call("kms", "CreateKey", {})["KeyMetadata"]["Arn"])
    monkeypatch.setenv(kms.KEY, arn)
    caches.forget_all()
    return arn


def test_data_keys_are_wrapped_by_kms_and_unwrapped_once_a_process(aws_kms: str) -> None:
    account_id = a_person()
    caches.forget_all()
    with counted() as calls:
        for _ in range(3):
            assert auth.me(account_id).email == EMAIL
    assert (calls["kms:Decrypt"], calls["kms:GenerateDataKey"]) == (1, 0)
    assert len(base64.b64decode(ring.load().keys[0].wrapped)) > 32


def test_a_data_key_passed_off_as_another_is_refused(aws_kms: str) -> None:
    made = kms.AwsKms().make(1)
    assert kms.AwsKms().unwrap(made.wrapped, 1) == made.plain
    with pytest.raises(Misconfigured):
        kms.AwsKms().unwrap(made.wrapped, 2)
    with pytest.raises(Misconfigured):
        kms.LocalKms().unwrap(made.wrapped, 1)


def test_a_shop_brought_back_beside_another_wraps_the_keys_with_its_own(
    aws_kms: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = a_person()
    own = str(aws.call("kms", "CreateKey", {})["KeyMetadata"]["Arn"])
    monkeypatch.setenv(kms.KEY, own)
    caches.forget_all()
    with pytest.raises((Misconfigured, NotSealedHere)):  # AWS refuses the other key; the engine unwraps nonsense.
        auth.me(account_id)
    assert seal.rewrap(aws_kms) == 1
    assert auth.me(account_id).email == EMAIL
