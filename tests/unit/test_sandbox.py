"""What all stand-ins have in common: the words they know, the cashier's page, notices repeated and retried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tools.sandbox import cashier, providers
from tools.sandbox.core import Sandbox
from tools.sandbox.stand_in import Steering

DOC = Path(__file__).parents[2] / "docs" / "sandbox.md"
NUMBERS = ("pay_0123456789abcdefghjkmnpq_01", "pay_0123456789abcdefghjkmnpq_02")


@pytest.fixture(scope="module")
def stand_ins() -> dict[str, Any]:
    return providers.create(lambda: 1_800_000_000.0)


def rows() -> Iterator[list[str]]:
    for line in DOC.read_text("utf-8").splitlines():
        if re.match(r"\| `\w+` \|", line):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_documents_table_is_what_the_code_knows(stand_ins: dict[str, Any]) -> None:
    told = {row[0].strip("`"): row[2:] for row in rows()}
    assert set(told) == {entry.name for entry in fields(Steering)}
    for at, (name, stand_in) in enumerate(stand_ins.items()):
        assert {word for word, cells in told.items() if cells[at] != "-"} == stand_in.knows, name
        assert tuple(re.findall(r"\w+", told["refund"][at])) == tuple(stand_in.outcomes), name


def test_every_word_has_a_usual_meaning_on_the_page() -> None:
    page = cashier.page({})
    for entry in fields(Steering):
        assert re.search(rf"\b{entry.name}: ", page), entry.name


def test_a_word_it_does_not_know_is_refused(stand_ins: dict[str, Any]) -> None:
    for stand_in in stand_ins.values():
        for word in {entry.name for entry in fields(Steering)} - stand_in.knows:
            with pytest.raises(ValueError, match=word):
                stand_in.steer(**{word: ()})
        assert stand_in.default == Steering()


def sandbox() -> Sandbox:
    made = Sandbox(now=lambda: 1_800_000_000.0)
    for number in NUMBERS:
        order = {"amount": 5, "currency": "CNY", "notify_url": "x", "expires_at": 1_800_000_900}
        made._create({"out_trade_no": number, **order})
    return made


def test_paid_twice_is_every_attempt_closed_ones_too() -> None:
    made = sandbox()
    made._close(NUMBERS[0])

    made.pay_twice(NUMBERS[1])

    assert [made.money(number) for number in NUMBERS] == [(5, 0), (5, 0)]
    assert len(made.outbox) == 2


def test_times_repeats_what_is_on_its_way() -> None:
    made = sandbox()
    status, _, body = made.handle("POST", f"/pay/{NUMBERS[0]}", {}, b'{"times": 10}')
    assert status == 200
    assert json.loads(body)["waiting_notices"] == 10
    assert len({out.content["notice_id"] for out in made.outbox}) == 1
    assert made.handle("POST", f"/pay/{NUMBERS[0]}", {}, b"{}")[0] == 409


def test_the_page_holds_what_strangers_wrote_as_text() -> None:
    made = sandbox()
    made.orders[NUMBERS[0]].return_url = "</script><script>alert(1)</script>"
    status, headers, page = made.handle("GET", f"/?order={NUMBERS[0]}", {}, b"")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.count(b"</script>") == 1
    assert NUMBERS[0].encode() in page


def test_a_rotation_is_told_unless_it_is_kept_secret(stand_ins: dict[str, Any]) -> None:
    for name, stand_in in stand_ins.items():
        heard: list[str] = []
        stand_in.when_rotated = lambda heard=heard, name=name: heard.append(name)
        before = providers.secret_of(name, stand_in)
        assert stand_in.handle("POST", "/rotate", {}, b'{"overlap": true}')[0] == 200
        during = providers.secret_of(name, stand_in)
        assert stand_in.handle("POST", "/rotate", {}, b'{"overlap": false, "tell": false}')[0] == 200
        after = providers.secret_of(name, stand_in)
        assert heard == [name]
        assert before != during != after != before
        stand_in.when_rotated = None
