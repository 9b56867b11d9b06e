"""What a mini program's template takes, and how a yes is counted."""

from __future__ import annotations

import pytest

from chalicelib.kernel.errors import IdempotencyKeyReused
from chalicelib.notifications.domain import Kind, Outcome
from chalicelib.notifications.prices import parts_of
from chalicelib.notifications.providers import qq_mini, wechat_mini
from chalicelib.notifications.providers.mini import page_of
from chalicelib.notifications.subscribed import NoneLeft, Subscriptions, fitted


@pytest.mark.parametrize(
    ("key", "value", "takes"),
    [
        ("thing1", "很" * 21, "很" * 20),
        ("thing1", "two\r\nlines", "twolines"),
        ("thing1", "", "-"),
        ("character_string2", "B000001 茶", "B000001"),
        ("character_string2", "茶", "-"),
        ("amount3", "88.00 CNY", "¥88.00"),
        ("amount3", "12345678901.00 USD", "$1234567890"),
        ("amount3", "nothing", "0"),
        ("number4", "a1.5", "1.5"),
        ("number4", "", "0"),
        ("phrase5", "已发货了很久ok", "已发货了很"),
        ("letter6", "ab-12c", "abc"),
        ("name7", "王梅王梅王梅王梅王梅王", "王梅王梅王梅王梅王梅"),
        ("name7", "a" * 30, "a" * 20),
        ("phone_number8", "+86 138-0013-8000-999999", "+86138-0013-8000-"),
        ("car_number9", "粤A12345678", "粤A123456"),
        ("keyword1", "x" * 150, "x" * 100),
    ],
)
def test_a_value_fits_its_key(key: str, value: str, takes: str) -> None:
    assert fitted(key, value) == takes


def test_a_yes_is_counted_once_and_spent_once() -> None:
    none = Subscriptions("acc_1", Kind.WECHAT)
    one = none.answered("o1", {"shipped": True, "refunded": False}, "t1", "f1")
    assert one.left == {"shipped": 1}
    assert one.answered("o1", {"shipped": True}, "t1", "f1") is one
    with pytest.raises(IdempotencyKeyReused):
        one.answered("o1", {"shipped": True}, "t1", "f2")
    assert one.spent("shipped").left == {"shipped": 0}
    with pytest.raises(NoneLeft):
        one.spent("shipped").spent("shipped")
    with pytest.raises(NoneLeft):
        one.spent("refunded")
    assert one.answered("o2", {"paid": True}, "t2", "f").left == {"paid": 1}, "another person's yeses are no yeses"
    assert one.spent("shipped").given_back("shipped").left == one.left
    assert one.used_up("shipped").left == {"shipped": 0}


@pytest.mark.parametrize(
    ("adapter", "code", "outcome", "gone"),
    [
        (wechat_mini, 0, Outcome.SENT, False),
        (wechat_mini, -1, Outcome.RETRY, False),
        (wechat_mini, 43101, Outcome.FINAL, True),
        (wechat_mini, 40003, Outcome.FINAL, False),
        (wechat_mini, 45009, Outcome.LIMIT, False),
        (wechat_mini, 47003, Outcome.ALERT, False),
        (wechat_mini, 99999, Outcome.FINAL, False),
        (qq_mini, 0, Outcome.SENT, False),
        (qq_mini, 41030, Outcome.RETRY, False),
        (qq_mini, 46001, Outcome.FINAL, True),
        (qq_mini, 46002, Outcome.LIMIT, False),
        (qq_mini, 40037, Outcome.ALERT, False),
        (qq_mini, 46005, Outcome.FINAL, False),
    ],
)
def test_what_a_platforms_code_means(adapter: object, code: int, outcome: Outcome, gone: bool) -> None:
    delivery = adapter.build().read(code)  # type: ignore[attr-defined]
    assert (delivery.outcome, delivery.consent_gone) == (outcome, gone)


def test_where_a_message_leads() -> None:
    assert page_of("ord_1") == "pages/order/order?id=ord_1"
    assert page_of("rtn_1") == "pages/return/return?id=rtn_1"
    assert page_of("req_1") == "pages/request/request?id=req_1"
    assert page_of("pur_1") == page_of("") == "pages/orders/orders"


def test_in_how_many_parts_a_text_goes() -> None:
    assert [parts_of(Kind.SMS, "x" * length) for length in (1, 70, 71, 134, 135)] == [1, 1, 2, 2, 3]
    assert parts_of(Kind.SMS, "x" * 67, "便单") == 2
    assert parts_of(Kind.EMAIL, "x" * 1000) == 1
