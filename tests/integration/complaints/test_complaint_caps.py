"""Filing and withdrawing again and again is capped: for each line, and for each account by the day and the month."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from chalicelib.complaints import limits, store
from chalicelib.complaints.states import Status
from tests.support import people
from tests.support.dump import tables
from tests.support.http import Answer, call
from tests.support.paying import Till


@pytest.fixture
def till(cloud: str, noon: Any) -> Till:
    return Till.open(noon)


def bought(till: Till, orders: int) -> list[str]:
    sale, _ = till.paid((100,) * orders)
    return [order.order_id for order in sale.orders]


def file(till: Till, order_id: str, *, key: str | None = None, line_id: str = "1") -> Answer:
    body = {"order_id": order_id, "line_id": line_id, "reason": "other", "text": "It is not right."}
    return call("POST", "/v1/complaints", body, token=people.token(till.buyer.account_id), key=key)


def withdraw(till: Till, answer: Answer) -> None:
    path = f"/v1/complaints/{answer.json['complaint_id']}/withdraw"
    assert call("POST", path, {}, token=people.token(till.buyer.account_id)).status == 200


def test_a_line_takes_only_so_many_complaints_however_they_end(till: Till) -> None:
    [order_id] = bought(till, 1)
    for number in range(3):
        answer = file(till, order_id, key=f"complaint-{number}")
        assert answer.status == 201
        withdraw(till, answer)
        till.clock.advance(timedelta(days=2))
    before = tables()

    refused = file(till, order_id)

    assert (refused.status, refused.json["code"], refused.json["about"], refused.json["most"]) == (
        *(409, "too_many_complaints"),
        *("line", 3),
    )
    assert tables() == before
    again = file(till, order_id, key="complaint-1")
    assert (again.status, again.json["status"]) == (201, "withdrawn")


def test_an_account_files_only_so_many_in_a_day_and_in_a_month(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_COMPLAINTS", "day:2, month:3")
    first, second, third, fourth = bought(till, 4)
    assert file(till, first).status == 201
    assert file(till, second).status == 201
    refused = file(till, third)
    assert (refused.json["code"], refused.json["about"], refused.json["most"]) == ("too_many_complaints", "day", 2)
    till.clock.advance(timedelta(days=1))
    assert file(till, third).status == 201
    till.clock.advance(timedelta(days=1))
    assert file(till, fourth).json["about"] == "month"
    till.clock.advance(timedelta(days=29))
    assert file(till, fourth).status == 201  # The first two were filed more than a month ago.


def test_other_accounts_are_not_counted(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_COMPLAINTS", "day:1")
    first, second = bought(till, 2)
    assert file(till, first).status == 201
    assert file(till, second).status == 409
    till.buyer = people.buyer()
    [other] = bought(till, 1)
    assert file(till, other).status == 201


def test_at_one_moment_no_more_are_filed_than_may_be(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_COMPLAINTS", "day:2")
    order_ids = bought(till, 5)
    together = Barrier(len(order_ids))
    answers: list[int] = []

    def complain(order_id: str) -> None:
        together.wait()
        answers.append(file(till, order_id).status)

    threads = [Thread(target=complain, args=(order_id,)) for order_id in order_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201, 201, 409, 409, 409]


def test_what_the_setting_leaves_out_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIANDAN_COMPLAINTS", "day:5,nonsense:9,month:x")
    assert limits.limits() == limits.Limits(line=3, day=5, month=120)


def test_an_order_whose_row_does_not_count_yet_is_read(till: Till) -> None:
    [order_id] = bought(till, 1)
    answer = file(till, order_id)
    assert store.open_lines(order_id).filed == {"1": 1}
    withdraw(till, answer)
    assert (store.open_lines(order_id).lines, store.open_lines(order_id).filed) == ({}, {"1": 1})
    assert store.load(answer.json["complaint_id"]).status is Status.WITHDRAWN
