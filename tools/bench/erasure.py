"""``python -m tools.bench.erasure``: a shop of a thousand persons in memory, all of them forgotten, and then searched.

Each registers, keeps an address, buys; a third never pays, a third is delivered, a third has its parcel under way when
it asks to be forgotten. The scan must find every one of them before (or it would prove nothing), and none afterwards.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chalicelib.auth import service as auth
from chalicelib.auth import store as accounts
from chalicelib.auth.domain import Account, identity
from chalicelib.kernel import clock, ids
from chalicelib.privacy import service as privacy
from chalicelib.privacy import store as erasures
from chalicelib.privacy.service import Status
from chalicelib.runtime import aws
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import people, pump
from tools.bench.crowd import CrowdedLab, opened_in_memory
from tools.bench.lab import ADDRESS
from tools.dev.server import log_to
from tools.operate import erasure_scan
from tools.operate.erasure_scan import Report, Values
from tools.sim.__main__ import environment

NAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻"
MOST_DAYS = 60
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """What came out."""

    persons: int
    before: Report
    after: Report
    held_after_the_grace: int
    days: int
    calls: int
    seconds: float


@contextmanager
def world() -> Iterator[CrowdedLab]:
    """Open a shop in memory that can also be scanned."""
    with opened_in_memory() as lab, aws.hooked(_scanning(lab)):
        yield lab


def _scanning(lab: CrowdedLab) -> Callable[..., Json]:
    """Return what answers a scan's questions, which the shop itself never asks."""

    def hook(_service: str, operation: str, params: Json, proceed: Callable[[], Json]) -> Json:
        if operation == "Scan":
            table = lab.storage.tables[params["TableName"]]
            index = table.indexes.get(params.get("IndexName", ""))
            rows = [item for item in table.items.values() if index is None or index.hash_name in item]
            return {"Items": rows}
        if operation == "DescribeTable":
            table = lab.storage.tables[params["TableName"]]
            keys = [{"AttributeName": name} for name in (table.hash_name, table.range_name) if name]
            indexes = [{"IndexName": name} for name in table.indexes]
            described = proceed()["Table"]
            return {"Table": {**described, "KeySchema": keys, "GlobalSecondaryIndexes": indexes}}
        if operation == "ListObjectVersions":
            wanted = {"Bucket": params["Bucket"], "Prefix": params.get("Prefix", ""), "MaxKeys": 10**6}
            listed = aws.call("s3", "ListObjectsV2", wanted)["Contents"]
            return {"Versions": [{"Key": one["Key"], "VersionId": "null"} for one in listed]}
        return proceed()

    return hook


def settle(lab: CrowdedLab, count: int) -> list[str]:
    """Let so many persons live in the shop; returns their accounts."""
    merchant_id, staff = lab.merchant()
    product = lab.product(merchant_id, stock=count * 2)
    lab.rest()
    return [_life(lab, number, product.sku_id, staff) for number in range(count)]


def _life(lab: CrowdedLab, number: int, sku_id: str, staff: Any) -> str:
    account_id = _register(number)
    client = lab.client(people.token(account_id))
    name = "".join(NAMES[number // len(NAMES) ** place % len(NAMES)] for place in range(3)) + "试"
    address = {
        **ADDRESS,
        "recipient": name,
        "phone": f"+86139{number:08d}",
        "street": f"长生路 {number} 弄 {number * 7 % 997} 号",
    }
    address_id = client.expect(201, "POST", "/v1/me/addresses", address)["address_id"]
    lines = [{"sku_id": sku_id, "quantity": 1}]
    quote = client.expect(200, "POST", "/v1/quotes", {"address_id": address_id, "lines": lines})["quote"]
    body = {"quote": quote, "note": f"放在{name}门口，第{number}次"}
    purchase = client.expect(201, "POST", "/v1/purchases", body)
    if number % 3:
        started = client.expect(
            201, "POST", f"/v1/purchases/{purchase['purchase_id']}/payments", {"provider": "sandbox"}
        )
        lab.sandbox.pay(started["payment_id"])
        lab.drain()
        order = client.get(f"/v1/purchases/{purchase['purchase_id']}")["orders"][0]
        parcel = lab.ship(staff, order)
        lab.drain()
        if number % 3 == 1:
            lab.hub.advance(parcel, "signed")
            lab.drain()
            client.expect(200, "POST", f"/v1/orders/{order['order_id']}/confirm", {})
            said = {"order_id": order["order_id"], "line_id": order["lines"][0]["line_id"], "reason": "damaged"}
            filed = client.expect(201, "POST", "/v1/complaints", {**said, "text": f"{name}收到的碎了，请打电话。"})
            client.expect(200, "POST", f"/v1/complaints/{filed['complaint_id']}/withdraw", {})
    lab.drain()
    return account_id


def _register(number: int) -> str:
    """Write an account with its identity: what registering writes, without half a second of Argon2 for each."""
    account_id = ids.new_id("acc")
    email = f"person.{number}.{account_id[-6:]}@example.com"
    account = Account(account_id, clock.now(), email=email, nickname=f"旅人{number}号")
    with UnitOfWork() as work:
        accounts.add_account(work, account, auth.identity_ids(account)[0])
    assert auth.account_with(identity(email).value).account_id == account_id
    return account_id


def forget_all(lab: CrowdedLab, account_ids: list[str]) -> tuple[int, int]:
    """Let all of them ask to be forgotten, and wait; returns how many were held at first, and the days it took."""
    for account_id in account_ids:
        privacy.request_erasure(account_id)
    lab.pass_time(timedelta(days=7, minutes=1))
    lab.pass_time(timedelta(minutes=20))
    held = sum(_status(account_id) is Status.HELD for account_id in account_ids)
    for day in range(MOST_DAYS):
        if all(_status(account_id) is Status.DONE for account_id in account_ids):
            return held, day
        lab.pass_time(timedelta(days=1, minutes=1))
    raise RuntimeError("some are not forgotten: " + ", ".join(str(erasures.load(one)) for one in account_ids[:5]))


def _status(account_id: str) -> Status:
    found = erasures.load(account_id)
    assert found is not None
    return found.status


def trial(lab: CrowdedLab, count: int) -> Figures:
    """Play it all."""
    begun = time.perf_counter()
    account_ids = settle(lab, count)
    values: Values = erasure_scan.collect(account_ids)
    before = erasure_scan.scan(values)
    calls = [0]

    def counted(service: str, _operation: str, _params: Json, proceed: Callable[[], Json]) -> Json:
        calls[0] += service == "dynamodb"
        return proceed()

    with aws.hooked(counted):
        held, days = forget_all(lab, account_ids)
    after = erasure_scan.scan(values)
    return Figures(count, before, after, held, days, calls[0], time.perf_counter() - begun)


def told(figures: Figures) -> str:
    """Return the figures in words."""
    seen = {needle.person for _, needle in figures.before.found}
    looked = ", ".join(f"{count} of {kind}s" for kind, count in figures.after.looked.items())
    left = "\n".join(f"  {needle.what} ({needle.form}) in {where}" for where, needle in figures.after.found[:20])
    return (
        f"{figures.persons} persons; found before they were forgotten: {len(seen)}, in {len(figures.before.found)} "
        f"places\nheld when the grace was over: {figures.held_after_the_grace}; "
        f"all forgotten {figures.days} days later\n"
        f"looked at afterwards: {looked}; {sum(figures.after.bytes.values()):,} characters\n"
        f"found afterwards: {len(figures.after.found)}\n{left}"
        f"{figures.calls / figures.persons:.1f} DynamoDB calls a person, the deadlines of their orders included; "
        f"{figures.seconds:.0f} s"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=1000)
    options = parser.parse_args(arguments)
    log_to(None)
    environment()
    os.environ["AWS_ACCESS_KEY_ID"] = "0"  # By which the pump tells accounts apart.
    pump.MAX_ROUNDS = 10 * options.persons + 200
    os.environ["BIANDAN_UNPAID_LIMITS"] = "network:999999/999999"  # All of them buy from one address.
    with world() as lab:
        figures = trial(lab, options.persons)
    print(told(figures))
    seen = {needle.person for _, needle in figures.before.found}
    return 1 if figures.after.found or len(seen) != figures.persons else 0


if __name__ == "__main__":
    sys.exit(main())
