"""How orders and purchases stand, for people: every state and every note of the shop's own, in both languages."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest

import chalicelib
from chalicelib.kernel import clock
from chalicelib.orders import texts
from chalicelib.orders.domain import Change, OrderStatus, PurchaseStatus
from tests.support import sources

ROOT = Path(chalicelib.__file__).parent
CODE = re.compile(r"[a-z]+_[a-z_]+|[{}]|\bnone\b|\bnull\b", re.IGNORECASE)
TABLED = (*texts.PURCHASES.values(), *texts.ORDERS.values(), *texts.BY_ITSELF.values())
SINGLE = (texts.CONFIRMED_ITSELF, texts.CALLED_OFF_UNPAID, texts.CALLED_OFF_PAID)


def change(status: OrderStatus, note: str = "", intent: str = "") -> Change:
    return Change(status.value, clock.now() + timedelta(seconds=1), "system", note, intent, "")


def test_every_state_has_words_in_both_languages_and_none_for_machines() -> None:
    assert set(texts.PURCHASES) == set(PurchaseStatus)
    assert set(texts.ORDERS) == set(OrderStatus)
    for en, zh in (*TABLED, *SINGLE):
        assert en.isascii(), en
        assert re.search(r"[\u4e00-\u9fff]", zh), zh
        assert not CODE.search(en), en
        assert not CODE.search(zh), zh


def test_every_note_that_the_shop_writes_itself_comes_from_one_place() -> None:
    calls = (
        (path.name, node)
        for path in (*(ROOT / "orders").glob("*.py"), *(ROOT / "checkout").glob("*.py"))
        for node in sources.nodes(path)
        if isinstance(node, ast.Call)
    )
    found = [
        f"{name}:{given.value.lineno}: {given.value.value!r}"
        for name, node in calls
        for given in node.keywords
        if given.arg == "note" and isinstance(given.value, ast.Constant) and given.value.value
    ]
    assert found == []


@pytest.mark.parametrize(
    ("status", "note", "intent", "en"),
    [
        (OrderStatus.CANCELLED, texts.EXPIRED, "", "Not paid in time; cancelled"),
        (OrderStatus.CANCELLED, texts.EXPIRED, "i", "Called off; what was paid goes back"),
        (OrderStatus.CANCELLED, "wrong size", "i", "Called off; what was paid goes back"),
        (OrderStatus.CANCELLED, texts.NOT_SHIPPED, "", "Not shipped in time; cancelled, and the money goes back"),
        (OrderStatus.COMPLETED, texts.DEADLINE, "i", "Completed by itself, as nobody objected in time"),
        (OrderStatus.COMPLETED, "", "i", "Completed"),
        (OrderStatus.SHIPPED, "shp_1", "i", "Shipped"),
        (OrderStatus.SHIPPED, texts.REFUNDED, "", "The rest was paid back; the order goes on without it"),
    ],
)
def test_a_change_is_told_by_what_led_to_it(status: OrderStatus, note: str, intent: str, en: str) -> None:
    history = [change(OrderStatus.PAID, "pay_1"), change(status, note, intent)]
    assert [text[0] for text in texts.of_order_changes(history)] == [texts.ORDERS[OrderStatus.PAID][0], en]


def test_one_called_off_before_it_was_paid_has_nothing_to_pay_back() -> None:
    (told,) = texts.of_order_changes([change(OrderStatus.CANCELLED, texts.CALLED_OFF, "i")])
    assert told == texts.CALLED_OFF_UNPAID
