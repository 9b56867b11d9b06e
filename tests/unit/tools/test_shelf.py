"""What stand-ins remember: nothing is lost, and neither memory nor an answer grows with what there ever was."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.fakes.sandbox import providers, shelf
from tools.fakes.sandbox.core import Order, Refund
from tools.fakes.sandbox.shelf import AT_ONCE, IN_HAND, Recent, Scroll, Shelf
from tools.fakes.sandbox.stand_in import SHOWN, Steering

MANY = 3 * IN_HAND
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC).timestamp()


@dataclass
class Box:
    name: str
    about: str = ""
    is_open: bool = False
    marks: list[int] = field(default_factory=list)


def boxes(count: int = MANY) -> Shelf[Box]:
    made: Shelf[Box] = Shelf(Box, about=lambda box: box.about, stays=lambda box: box.is_open)
    for number in range(count):
        made[f"b{number}"] = Box(f"b{number}", about=f"a{number % 7}")
    return made


def test_a_shelf_keeps_everything_and_holds_little_in_hand() -> None:
    made = boxes()

    assert len(made.in_hand()) <= IN_HAND + AT_ONCE
    assert len(made) == MANY
    assert list(made) == [f"b{number}" for number in range(MANY)]
    assert [box.name for box in reversed(made.values())] == [f"b{number}" for number in reversed(range(MANY))]
    assert "b0" in made
    assert "c0" not in made
    assert made.get("c0") is None
    assert dict(made) == dict(made.items())
    assert len(dict(made)) == MANY
    with pytest.raises(KeyError):
        made["c0"]


def test_what_was_put_away_can_be_changed_and_is_put_away_again() -> None:
    made = boxes()
    made["b3"].marks.append(1)
    for number in range(MANY, 2 * MANY):
        made[f"b{number}"] = Box(f"b{number}")

    assert made["b3"].marks == [1]
    assert len(made) == 2 * MANY
    made["b4"] = Box("other")
    assert (made["b4"].name, len(made)) == ("other", 2 * MANY)
    del made["b5"]
    assert ("b5" in made, len(made)) == (False, 2 * MANY - 1)
    assert made.setdefault("b6", Box("x")).name == "b6"
    assert made.pop("b7").name == "b7"
    assert made.pop("b7", None) is None


def test_records_are_found_by_what_they_are_about_wherever_they_are() -> None:
    made = boxes()
    found = made.of("a3")
    assert sorted(int(box.name[1:]) for box in found) == list(range(3, MANY, 7))
    found[0].marks.append(9)
    assert made[found[0].name].marks == [9]


def test_what_is_unfinished_stays_in_hand() -> None:
    made = boxes(0)
    for number in range(10):
        made[f"open{number}"] = Box("open", is_open=True)
    for number in range(MANY):
        made[f"b{number}"] = Box("done")
    assert sum(box.is_open for box in made.in_hand()) == 10


def test_a_copy_of_a_shelf_is_whole_and_its_own() -> None:
    made = boxes()
    other = copy.deepcopy(made)
    other["b1"].marks.append(1)
    assert (len(other), made["b1"].marks) == (MANY, [])


OPERATIONS = st.lists(st.tuples(st.sampled_from("snga"), st.integers(0, 60)), max_size=120)


@settings(deadline=None, max_examples=60)
@given(OPERATIONS)
def test_a_shelf_is_a_dict(operations: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "IN_HAND", 5)
        patch.setattr(shelf, "AT_ONCE", 3)
        made: Shelf[Any] = Shelf(dict[str, Any])
        plain: dict[str, Any] = {}
        for kind, number in operations:
            key = f"k{number}"
            for one in (made, plain):
                if kind == "s":
                    one[key] = {"n": number}
                elif kind == "n" and key in one:
                    one[key]["n"] += 1
                elif kind == "g":
                    one.setdefault(key, {"n": 0})
                elif kind == "a":
                    one.pop(key, None)
            assert len(made) == len(plain)
        assert dict(made.items()) == plain


def test_a_scroll_reads_like_the_list_it_is() -> None:
    made: Scroll[int] = Scroll(int)
    for number in range(MANY):
        made.append(number)
    assert list(made) == list(range(MANY))
    assert (len(made), made[-1]) == (MANY, MANY - 1)


def test_a_recent_forgets_the_oldest() -> None:
    made: Recent[int] = Recent(10)
    for number in range(1000):
        made.append(number)
        assert len(made) <= 20
        assert made[-1] == number
    assert made[-10:] == list(range(990, 1000))


def filled(name: str, count: int) -> Any:
    """Return a stand-in with so many paid orders, one refund each, all at noon."""
    made = providers.create(lambda: NOW)[name]
    made.base_url = "http://127.0.0.1:9"
    for number in range(count):
        order = f"pay_{number:024d}_01"
        if name == "stripe":
            session = {"id": f"cs_{number}", "object": "checkout.session", "status": "open", "expires_at": NOW + 60}
            more = {"amount_total": 500, "currency": "cny", "payment_intent": None, "payment_status": "unpaid"}
            made.sessions[f"cs_{number}"] = {
                **session, **more, "metadata": {"payment_id": order}, "created": NOW, "url": "x"
            }  # fmt: skip
        else:
            made.orders[order] = Order(order, 500, "CNY", "http://127.0.0.1:9/n", "", int(NOW) + 60)
        made.pay(order)
        made.console_refund(order, 100)
        made.outbox.clear()
    return made


@pytest.mark.parametrize("name", providers.PORTS)
def test_a_click_is_answered_as_briefly_after_many_orders(name: str) -> None:
    few, many = filled(name, 2 * SHOWN), filled(name, MANY)
    for path in ("/control", f"/control/pay_{3:024d}_01", f"/console-refund/pay_{3:024d}_01"):
        body = b'{"amount": 1}' if "refund" in path else b"{}"
        brief, long = (made.handle("POST", path, {}, body) for made in (few, many))
        assert (brief[0], long[0]) == (200, 200)
        assert len(long[2]) < len(brief[2]) + 500
    state = json.loads(many.handle("GET", "/state", {}, b"")[2])
    assert (len(state["orders"]), len(state["refunds"])) == (SHOWN, SHOWN)
    assert len(many.handle("GET", "/", {}, b"")[2]) < len(few.handle("GET", "/", {}, b"")[2]) + 500


@pytest.mark.parametrize("name", providers.PORTS)
def test_the_oldest_order_can_still_be_shown_refunded_and_billed(name: str) -> None:
    made = filled(name, MANY)
    oldest = f"pay_{0:024d}_01"

    state = json.loads(made.handle("GET", f"/state?order={oldest}", {}, b"")[2])
    row = next(row for row in state["orders"] if row["number"] == oldest)
    assert (row["state"], row["money"]) == ("paid", [500, 100])
    assert sum(refund["order"] == oldest for refund in state["refunds"]) == 1
    assert made.handle("POST", f"/console-refund/{oldest}", {}, b'{"amount": 400}')[0] == 200
    assert made.money(oldest) == (500, 500)
    assert made.handle("POST", f"/console-refund/{oldest}", {}, b'{"amount": 1}')[0] == 409
    assert (len(made.listing()), len(made.refund_listing())) == (MANY, MANY + 1)
    if name == "stripe":
        assert sum(row["type"] == "charge" for row in made._bill()) == MANY
    elif name == "qqwallet":
        assert len(made._bill_rows("20261122")) == 2 * MANY + 1
    elif name != "sandbox":
        assert len(made.movements(date(2026, 11, 22))) == 2 * MANY + 1


@pytest.mark.parametrize("name", providers.PORTS)
def test_a_stand_in_holds_as_much_in_hand_after_many_orders(name: str) -> None:
    made = filled(name, MANY)
    books = ["sessions", "intents", "charges", "refunds"] if name == "stripe" else ["orders", "refunds"]
    for book in books:
        assert len(getattr(made, book).in_hand()) <= IN_HAND + AT_ONCE, book
    for number in range(MANY):
        made.steer(f"pay_{number:024d}_01", duplicates=2)
    assert len(made._steering.in_hand()) <= IN_HAND + AT_ONCE
    assert made.steering(f"pay_{0:024d}_01") == Steering(duplicates=2)


def test_pending_refunds_come_to_their_end_however_many_came_after() -> None:
    made = filled("sandbox", 1)
    early = f"pay_{0:024d}_01"
    made.steer(early, refund_then="succeeded", refund_after_s=60)
    made.refunds["early"] = Refund("early", early, 1, "CNY", "sbr", "http://127.0.0.1:9/n", "pending")
    for number in range(MANY):
        made.refunds[f"r{number}"] = Refund(f"r{number}", early, 0, "CNY", "sbr", "", "succeeded")
    made.tick(lambda *_: 200)
    made.now = lambda: NOW + 61
    made.tick(lambda *_: 200)
    assert made.refunds["early"].state == "succeeded"
