"""How a page waits for its money: a small answer, told apart from the last one by its tag, at half a read unit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.runtime import outbound
from tests.support import http, people
from tests.support.paying import Till
from tools.bench import metering


@pytest.fixture
def till(cloud: str, noon: Any) -> Iterator[Till]:
    yield Till.open(noon)
    outbound.install(None)


def ask(till: Till, path: str, tag: str = "", *, language: str = "en") -> http.Answer:
    headers = {"accept-language": language, **({"if-none-match": tag} if tag else {})}
    return http.call("GET", path, token=people.token(till.buyer.account_id), headers=headers)


def test_a_page_that_waits_reads_little_and_is_told_when_it_changes(till: Till) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    path = f"/v1/purchases/{sale.purchase.purchase_id}/status"

    with metering.measured() as meter:
        first = ask(till, path)
        again = ask(till, path, first.headers["etag"])
    assert (first.status, first.json["status"], first.headers["retry-after"]) == (200, "awaiting_payment", "2")
    assert set(first.json) == {"purchase_id", "status", "status_text", "due_at"}
    assert (again.status, again.body, again.headers["retry-after"]) == (304, "", "2")
    assert (meter.operations(), meter.read_units) == (["GetItem orders"] * 2, 1)
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-store"

    till.sandbox.pay(payment_id)
    till.settle()

    paid = ask(till, path, first.headers["etag"])
    assert (paid.status, paid.json["status"], paid.json["settled_by"]) == (200, "paid", payment_id)
    assert "retry-after" not in paid.headers
    assert "due_at" not in paid.json
    assert ask(till, path, paid.headers["etag"]).status == 304
    chinese = ask(till, path, paid.headers["etag"], language="zh-CN")
    assert (chinese.status, chinese.json["status_text"] != paid.json["status_text"]) == (200, True)


def test_one_that_ran_out_says_so(till: Till) -> None:
    sale = till.sale()
    till.expire(sale)
    answer = ask(till, f"/v1/purchases/{sale.purchase.purchase_id}/status")
    assert (answer.json["status"], "retry-after" in answer.headers) == ("expired", False)


def test_nobody_elses_purchase_has_a_status(till: Till) -> None:
    sale = till.sale()
    other = people.buyer()
    path = f"/v1/purchases/{sale.purchase.purchase_id}/status"
    theirs = http.call("GET", path, token=other.token, headers={"if-none-match": "*"})
    ghost = http.call("GET", "/v1/purchases/pur_000000000000000000000000/status", token=other.token)
    assert (theirs.status, theirs.json["code"]) == (ghost.status, ghost.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("page", ["", "/payments/{payment_id}"])
def test_the_pages_themselves_are_not_sent_twice(till: Till, page: str) -> None:
    sale = till.sale()
    payment_id = till.started(sale)
    path = f"/v1/purchases/{sale.purchase.purchase_id}{page.format(payment_id=payment_id)}"
    first = ask(till, path)
    assert ask(till, path, first.headers["etag"]).status == 304
    till.sandbox.pay(payment_id)
    till.settle()
    till.clock.advance(timedelta(seconds=1))
    assert ask(till, path, first.headers["etag"]).status == 200
