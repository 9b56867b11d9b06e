"""Who asks to be forgotten is, once nothing holds it; a scan proves it, and finds what was left on purpose."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.auth import service as auth
from chalicelib.auth import store as accounts
from chalicelib.kernel import clock
from chalicelib.kernel.errors import IllegalTransition, NotFound
from chalicelib.kernel.roles import Role
from chalicelib.orders import service as orders
from chalicelib.payments import service as payments
from chalicelib.privacy import service as privacy
from chalicelib.privacy import store as erasures
from chalicelib.privacy.domain import HoldKind, OfficeHeld, Status
from chalicelib.runtime import aws, names, objects
from tests.support import people
from tools.bench import erasure as trial
from tools.bench.crowd import CrowdedLab
from tools.bench.lab import ADDRESS
from tools.operate import erasure_scan

WEEK, SOON, DAY = timedelta(days=7, minutes=1), timedelta(minutes=20), timedelta(days=1, minutes=1)


@pytest.fixture
def lab() -> Iterator[CrowdedLab]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "BIANDAN_"))}
    with trial.world() as opened:
        yield opened
    os.environ.update(kept)


def status(account_id: str) -> Status:
    found = erasures.load(account_id)
    assert found is not None
    return found.status


def holds(account_id: str) -> set[HoldKind]:
    found = erasures.load(account_id)
    assert found is not None
    return {kind for kind, _ in found.holds}


@pytest.mark.many_calls("everybody of a small shop is forgotten, room by room")
def test_all_of_a_small_shop_are_forgotten_and_the_scan_proves_it(lab: CrowdedLab) -> None:
    figures = trial.trial(lab, 6)
    assert len({needle.person for _, needle in figures.before.found}) == 6
    assert figures.after.found == []
    assert figures.held_after_the_grace >= 2
    assert figures.after.looked["table"] > 20


def test_the_scan_finds_what_was_left_on_purpose(lab: CrowdedLab) -> None:
    account_ids = trial.settle(lab, 1)
    values = erasure_scan.collect(account_ids)
    trial.forget_all(lab, account_ids)
    phone, street = values[account_ids[0]]["phone"][0], values[account_ids[0]]["street"][0]
    digest = values[account_ids[0]]["digest"][0]
    assert erasure_scan.scan(values).found == []

    leak = {"identity_id": {"S": "leak"}, "account_id": {"S": base64.b64encode(f"to {phone}".encode()).decode()}}
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("identities"), "Item": leak})
    objects.put("evidence/kept/leak", street.encode(), "text/plain")
    [table, *_], [thing, *_] = (
        [where for where, _ in erasure_scan.scan(values).found if where.startswith(kind)]
        for kind in ("table", "object")
    )
    assert (table, thing.split("/", 1)[1]) == ("table identities leak", "evidence/kept/leak")
    aws.call(
        "dynamodb", "PutItem", {"TableName": names.table_name("identities"), "Item": {"identity_id": {"S": digest}}}
    )
    assert any(needle.what == "digest" for _, needle in erasure_scan.scan(values).found)


@pytest.mark.many_calls("weeks of deadlines pass")
def test_open_money_and_goods_hold_it_and_it_goes_on_by_itself(lab: CrowdedLab) -> None:
    account_ids = trial.settle(lab, 3)  # The third one's parcel is under way.
    held = account_ids[2]
    privacy.request_erasure(held)
    lab.pass_time(WEEK)
    assert status(held) is Status.CLOSING
    lab.pass_time(SOON)
    assert status(held) is Status.HELD
    assert holds(held) == {HoldKind.OPEN_ORDER}
    purchase_id = erasures.load(held).holds[0][1]  # type: ignore[union-attr]
    assert orders.load_purchase(purchase_id).contact is not None  # The parcel has to arrive.
    for _ in range(40):
        lab.pass_time(DAY)
    assert status(held) is Status.DONE
    purchase = orders.load_purchase(purchase_id)
    assert (purchase.contact, purchase.note, purchase.total.minor > 0) == (None, "", True)


def test_a_running_complaint_holds_it_alone(lab: CrowdedLab) -> None:
    account_id = trial.settle(lab, 2)[1]
    client = lab.client(people.token(account_id))
    [order] = client.get("/v1/orders")["items"]
    said = {"order_id": order["order_id"], "line_id": "1", "reason": "quality", "text": "又坏了"}
    filed = client.expect(201, "POST", "/v1/complaints", said)["complaint_id"]
    privacy.request_erasure(account_id)
    for wait in (WEEK, SOON):
        lab.pass_time(wait)
    assert HoldKind.RUNNING_COMPLAINT in holds(account_id)
    assert auth.me(account_id).email is None  # The account is gone all the same; what was written waits.
    late = lab.client(people.token(account_id))
    late.expect(200, "POST", f"/v1/complaints/{filed}/withdraw", {})
    for _ in range(9):
        lab.pass_time(DAY)
    assert status(account_id) is Status.DONE


def test_a_refund_that_waits_holds_it(lab: CrowdedLab, monkeypatch: pytest.MonkeyPatch) -> None:
    account_id = trial.settle(lab, 2)[1]
    monkeypatch.setattr(payments, "is_settled", lambda _: False)
    privacy.request_erasure(account_id)
    for wait in (WEEK, SOON):
        lab.pass_time(wait)
    assert holds(account_id) >= {HoldKind.OPEN_MONEY}
    monkeypatch.undo()
    for _ in range(20):
        if status(account_id) is Status.DONE:
            break  # What passes then is nobody's: a day asks for hundreds of reads.
        lab.pass_time(DAY)
    assert status(account_id) is Status.DONE


def test_sessions_end_at_once_and_the_identity_is_free_after_the_grace(lab: CrowdedLab) -> None:
    [account_id] = trial.settle(lab, 1)
    email = auth.me(account_id).email
    assert email is not None
    epoch = auth.me(account_id).epoch
    beside = {"account_id": {"S": account_id}, "id": {"S": "totp"}, "version": {"N": "2"}}
    aws.call("dynamodb", "PutItem", {"TableName": names.table_name("accounts"), "Item": beside})
    privacy.request_erasure(account_id)
    assert auth.me(account_id).epoch == epoch + 1
    assert auth.account_with(email).account_id == account_id  # Until then it can be withdrawn.
    lab.pass_time(WEEK)
    with pytest.raises(NotFound):
        auth.account_with(email)
    key = {"account_id": {"S": account_id}, "id": {"S": "totp"}}
    left = aws.call("dynamodb", "GetItem", {"TableName": names.table_name("accounts"), "Key": key})
    assert "Item" not in left  # A second factor goes with its account.
    blank = auth.me(account_id)
    assert (blank.email, blank.nickname, blank.password_hash, auth.addresses(account_id).addresses) == (
        None,
        None,
        "",
        (),
    )


def test_who_thinks_better_of_it_keeps_everything_until_it_has_begun(lab: CrowdedLab) -> None:
    [account_id] = trial.settle(lab, 1)
    with pytest.raises(NotFound):
        privacy.withdraw_erasure(account_id)
    first = privacy.request_erasure(account_id)
    assert privacy.request_erasure(account_id).requested_at == first.requested_at
    assert privacy.withdraw_erasure(account_id).status is Status.WITHDRAWN
    lab.pass_time(WEEK)
    assert auth.me(account_id).email is not None
    assert privacy.request_erasure(account_id).status is Status.REQUESTED
    lab.pass_time(WEEK)
    with pytest.raises(IllegalTransition):
        privacy.withdraw_erasure(account_id)


def test_an_order_placed_by_a_token_that_still_lived_is_forgotten_too(lab: CrowdedLab) -> None:
    """Sessions are over, but an access token lives for minutes: it adds an address, and buys with it."""
    account_ids = trial.settle(lab, 1)
    account_id = account_ids[0]
    merchant_id, _ = lab.merchant()
    sku_id = lab.product(merchant_id, stock=3).sku_id
    privacy.request_erasure(account_id)
    lab.pass_time(WEEK)
    client = lab.client(people.token(account_id))
    address = {**ADDRESS, "street": "迟来路 77 弄 8 号", "recipient": "迟来者"}
    address_id = client.expect(201, "POST", "/v1/me/addresses", address)["address_id"]
    quote = client.expect(
        200, "POST", "/v1/quotes", {"address_id": address_id, "lines": [{"sku_id": sku_id, "quantity": 1}]}
    )["quote"]
    client.expect(201, "POST", "/v1/purchases", {"quote": quote})
    client.expect(200, "PATCH", "/v1/me", {"nickname": "迟来者"})
    values = {account_id: {"street": [address["street"]], "name": ["迟来者"]}}
    assert erasure_scan.scan(values).found
    lab.pass_time(SOON)
    assert status(account_id) is Status.CLOSING  # Something was there again: the wait begins anew.
    for _ in range(4):
        lab.pass_time(DAY)
    assert status(account_id) is Status.DONE
    assert erasure_scan.scan(values).found == []


def test_every_step_may_be_cut_off_and_done_again(lab: CrowdedLab) -> None:
    """Each call of the erasure fails once, in turn; the message comes again, and it ends all the same."""
    account_id = trial.settle(lab, 2)[1]
    values = erasure_scan.collect([account_id])
    privacy.request_erasure(account_id)
    clock.install(lab.time)
    lab.time.advance(WEEK)
    for failing in range(1, 200):
        if status(account_id) is Status.DONE:
            break
        left = [failing % 37 + 1]

        def hook(service: str, operation: str, params: Any, proceed: Any, left: list[int] = left) -> Any:
            if service == "dynamodb" and operation != "Scan":
                left[0] -= 1
                if left[0] == 0:
                    raise ConnectionAbortedError
            return proceed()

        found = erasures.load(account_id)
        assert found is not None
        try:
            with aws.hooked(hook):
                privacy.time_out(f"ers_{account_id[4:]}")
                privacy.advance(f"ers_{account_id[4:]}", found.step)
        except ConnectionAbortedError:
            continue
        lab.time.advance(timedelta(hours=13))
    assert status(account_id) is Status.DONE
    assert erasure_scan.scan(values).found == []


def test_who_holds_an_office_gives_it_up_first(lab: CrowdedLab) -> None:
    operator = people.operator()
    with pytest.raises(OfficeHeld):
        privacy.request_erasure(operator.account_id)
    account = accounts.load_account(operator.account_id)
    assert account is not None
    assert Role.OPERATOR in account.roles


def test_it_is_asked_for_over_http_with_fresh_proof_alone(lab: CrowdedLab) -> None:
    [account_id] = trial.settle(lab, 1)
    stale = lab.client(people.token(account_id, proved_ago=timedelta(hours=1)))
    assert stale.call("PUT", "/v1/me/erasure", {}).status == 401
    with pytest.raises(NotFound):
        privacy.erasure(account_id)
    client = lab.client(people.token(account_id))
    asked = client.expect(200, "PUT", "/v1/me/erasure", {})
    assert (asked["status"], asked["holds"], len(asked["kept"])) == ("requested", [], 4)
    assert client.expect(200, "GET", "/v1/me/erasure")["status"] == "requested"
    assert client.expect(200, "DELETE", "/v1/me/erasure")["status"] == "withdrawn"
