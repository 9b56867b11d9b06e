"""What all stand-ins have in common: the words they know, the cashier's page, notices repeated and retried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tools.fakes.sandbox import cashier, providers
from tools.fakes.sandbox.core import Order, Sandbox
from tools.fakes.sandbox.stand_in import Steering

DOC = Path(__file__).parents[3] / "docs" / "sandbox.md"
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


def test_every_button_says_in_two_languages_what_it_does() -> None:
    page = cashier.page({})
    lines = re.search(r"const HELP = \{\n(.*?)\n\};", page, re.DOTALL)
    assert lines is not None
    told = {}
    for line in lines[1].split("\n"):
        word, _, texts = line.strip().removesuffix(",").partition(": ")
        told[word] = json.loads(texts)
    for word, (english, chinese) in told.items():
        assert english.isascii(), word
        assert re.search(r"[\u4e00-\u9fff]", chinese), word
        assert english.endswith("."), word
        assert chinese.endswith("。"), word
    buttons = set(re.findall(r"\b(?:button|flag|way)\(\"(\w+)\"", page))
    shared = set(re.findall(r"\[((?:\"\w+\", )+\"\w+\")\](?:\.map\((?:lists|name|how))", page))
    buttons |= {word for group in shared for word in re.findall(r"\w+", group)}
    outcomes = {"succeeded", "pending", "failed", "abnormal", "closed", "refund_then"}
    assert buttons | outcomes == set(told)
    assert len(buttons) == 48


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


def test_a_closed_order_alone_is_paid_twice_as_well() -> None:
    made = sandbox()
    del made.orders[NUMBERS[1]]
    made._close(NUMBERS[0])
    made.pay_twice(NUMBERS[0])
    assert (made.money(NUMBERS[0]), len(made.outbox)) == ((5, 0), 2)


@pytest.mark.parametrize("name", ["sandbox", "wechatpay", "alipay", "qqwallet"])
def test_what_is_impossible_is_refused_in_words(name: str) -> None:
    made = providers.create(lambda: 1_800_000_000.0)[name]
    order = Order(NUMBERS[0], 500, "CNY", "x", "", 1_800_000_900)
    made.orders[NUMBERS[0]] = order

    def press(path: str, body: dict[str, Any]) -> tuple[int, str]:
        status, _, answer = made.handle("POST", path, {}, json.dumps(body).encode())
        return status, json.loads(answer).get("error", "")

    whole = "an amount is a whole number of the smallest unit, 1 or more"
    for wrong in ("5", 0, -1, 1.5, True, None):
        assert press(f"/pay/{NUMBERS[0]}", {"amount": wrong}) == (409, whole)
        assert press(f"/console-refund/{NUMBERS[0]}", {"amount": wrong}) == (409, whole)
    assert press(f"/console-refund/{NUMBERS[0]}", {"amount": 1}) == (409, "0 is left to refund")
    assert press(f"/pay/{NUMBERS[0]}", {}) == (200, "")
    assert press(f"/console-refund/{NUMBERS[0]}", {"amount": 501}) == (409, "500 is left to refund")
    assert press(f"/console-refund/{NUMBERS[0]}", {"amount": 499}) == (200, "")
    assert press(f"/console-refund/{NUMBERS[0]}", {"amount": 2}) == (409, "1 is left to refund")
    assert press("/console-refund/pay_nobody_01", {"amount": 2}) == (404, "there is no order pay_nobody_01")
    (refund,) = made.refunds
    assert press(f"/settle/{refund}", {"state": "succeeded"}) == (409, "the refund is succeeded")
    assert press("/settle/ref_nobody", {"state": "failed"}) == (404, "there is no refund ref_nobody")
    made.refunds[refund].state = "pending"
    assert press(f"/settle/{refund}", {"state": "pending"}) == (409, "a refund cannot come to pending")
    assert press(f"/settle/{refund}", {"state": "lost"}) == (409, "a refund cannot come to lost")
    assert press(f"/settle/{refund}", {"state": "succeeded"}) == (200, "")
    assert made.money(NUMBERS[0]) == (500, 499)


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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/pay/{}", b'{"times": 1000000000}'),
        ("/pay/{}", b'{"times": 0}'),
        ("/pay/{}", b'{"times": "2"}'),
        ("/pay/{}", b'{"amount": true}'),
        ("/pay/{}", b'{"amount": 1e300}'),
        ("/pay/{}", b'{"amount": ' + b"9" * 40 + b"}"),
        ("/pay/{}", b'{"currency": 5}'),
        ("/pay/{}", b'{"at": 5}'),
        ("/control/{}", b'{"duplicates": 1000000000}'),
        ("/control/{}", b'{"duplicates": "x"}'),
        ("/control/{}", b'{"duplicates": null}'),
        ("/control", b'{"delay_s": NaN}'),
        ("/control", b'{"delay_s": Infinity}'),
        ("/control", b'{"delay_s": -1}'),
        ("/control", b'{"slow_s": 100000}'),
        ("/control", b'{"silent_after": "query"}'),
        ("/control", b'{"silent_after": [1]}'),
        ("/control", b'{"notify": "no"}'),
        ("/control", b'{"chaos": "often"}'),
        ("/control", b'{"seed": ' + b"9" * 5000 + b"}"),
        ("/control", b"[" * 100_000),
        ("/control", b'{"down":' + b"[" * 100_000),
        ("/control", b"[]"),
        ("/control", b"\xff"),
        ("/console-refund/{}", b'{"amount": "1"}'),
        ("/dispute/{}", b'{"amount": "x"}'),
        ("/dispute/{}", b'{"inquiry": 1}'),
        ("/dispute-ends/{}", b'{"how": "somehow"}'),
        ("/settle/none", b'{"state": ["succeeded"]}'),
    ],
)
def test_a_typing_mistake_is_refused_and_breaks_nothing(path: str, body: bytes) -> None:
    for made in providers.create(lambda: 1_800_000_000.0).values():
        if hasattr(made, "orders"):
            made.orders[NUMBERS[0]] = Order(NUMBERS[0], 5, "CNY", "http://x/n", "", 1_800_000_060)
        before = made.handle("GET", "/state", {}, b"")

        status, _, answer = made.handle("POST", path.format(NUMBERS[0]), {}, body)
        assert status in (404, 409), answer
        assert json.loads(answer)["error"]
        assert made.handle("GET", "/state", {}, b"") == before


def test_bytes_that_are_no_text_are_refused_by_every_cashier(stand_ins: dict[str, Any]) -> None:
    paths = (
        "/gateway.do",
        "/v1/checkout/sessions",
        "/v1/orders",
        "/cgi-bin/pay/qpay_unified_order.cgi",
        "/pay/x",
        "/x",
    )
    for name, stand_in in stand_ins.items():
        for path in paths:
            for body in (b"\xff\xfe", "{}".encode("utf-16"), b'{"a": "\xed\xa0\x80"}'):
                assert stand_in.handle("POST", path, {}, body)[0] < 500, (name, path)
