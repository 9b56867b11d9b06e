"""What a buyer reads of an order: how it stands and what happened to it, in the language of the call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.checkout import service as checkout
from tests.support import people
from tests.support.http import call
from tests.support.shop import Buyer, buyer, shop


def read(who: Buyer, path: str, accept: str) -> Any:
    answer = call("GET", path, token=people.token(who.account_id), headers={"accept-language": accept})
    assert answer.status == 200, answer.body
    return answer.json


def test_an_expired_purchase_says_why_in_the_language_asked_for(cloud: str, noon: Any) -> None:
    who = buyer()
    purchase = who.buy((shop().product(stock=4).sku_id, 3))
    assert (purchase["status"], purchase["status_text"]) == ("awaiting_payment", "Placed; waiting for payment")
    noon.advance(timedelta(minutes=31))
    checkout.expire(purchase["purchase_id"])

    path = f"/v1/purchases/{purchase['purchase_id']}"
    english, chinese = read(who, path, "en-GB"), read(who, path, "zh-CN,zh;q=0.9")
    assert (english["status_text"], chinese["status_text"]) == ("Not paid in time; closed", "超时未付款，已关闭")
    assert [entry["text"] for entry in chinese["history"]] == ["已下单，等待付款", "超时未付款，已关闭"]
    (order,), (same,) = english["orders"], chinese["orders"]
    assert (order["status_text"], same["status_text"]) == ("Cancelled", "已取消")
    assert [entry["text"] for entry in order["history"]] == [
        "Placed; waiting for payment",
        "Not paid in time; cancelled",
    ]
    assert [entry["status"] for entry in order["history"]] == ["placed", "cancelled"]


def test_one_that_its_buyer_called_off_says_so_whatever_the_reason(cloud: str) -> None:
    who = buyer()
    purchase = who.buy((shop().product(stock=4).sku_id, 1))
    answer = who.post(f"/v1/purchases/{purchase['purchase_id']}/cancel")
    assert answer.status == 200, answer.body
    (order,) = read(who, f"/v1/purchases/{purchase['purchase_id']}", "en")["orders"]
    assert order["history"][-1]["text"] == "Called off before it was paid"
