"""What a stage costs: worked out from the stack and the measured tables, from one place of prices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chalicelib import topology
from infra import stack
from tools.generate import cost

ROOT = Path(__file__).parents[2]


def test_the_docs_say_what_is_worked_out_now() -> None:
    path = ROOT / "docs" / "deploy.md"
    assert cost.written(path) == path.read_text(encoding="utf-8")


def test_an_order_costs_what_was_measured_of_it() -> None:
    text = cost.BUDGET.read_text(encoding="utf-8")
    found = cost.life(text, 2, 1)
    number = r" +([\d.]+) \|"
    row = re.search(rf"^\| +2 \| +1 \| +\d+ \| +\d+ \|{number} +\d+ \|{number} +\d+ \|{number}$", text, re.MULTILINE)
    assert row is not None
    assert (found.writes, found.reads) == (float(row[1]), float(row[2]))
    lines = {line.what: line.usd for line in cost.of_thousand(cost.prices(), found)}
    assert lines["DynamoDB"] == pytest.approx(float(row[3]), abs=1e-4)
    assert lines["API Gateway"] == pytest.approx(1000 * found.http_calls * 3.5e-6)
    assert found.http_calls == 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1


def test_larger_orders_cost_no_more_calls_but_a_merchant_does() -> None:
    text = cost.BUDGET.read_text(encoding="utf-8")
    assert cost.life(text, 5, 1).http_calls == cost.life(text, 2, 1).http_calls  # All lines go in one request.
    assert cost.life(text, 2, 2).http_calls == cost.life(text, 2, 1).http_calls + 4


def test_a_step_of_which_nothing_is_known_stops_the_reckoning() -> None:
    text = cost.BUDGET.read_text(encoding="utf-8")
    with pytest.raises(cost.CostError, match=r"the step 'shiny page' of docs/budget\.md"):
        cost.life(text.replace("| order page ", "| shiny page "), 2, 1)
    with pytest.raises(cost.CostError, match="no order of 3 lines"):
        cost.life(text, 3, 1)


def test_idle_is_counted_from_the_stack() -> None:
    told, template = cost.prices(), stack.template("prod")
    before = {line.what: line.usd for line in cost.idle(told, template)}
    template["Resources"]["OneMoreAlarm"] = {"Type": "AWS::CloudWatch::Alarm"}
    after = {line.what: line.usd for line in cost.idle(told, template)}
    assert after["alarms"] - before["alarms"] == pytest.approx(0.10)
    polls = len(topology.QUEUES) * 5 * 2_628_000 / 20 - 1_000_000
    assert before["SQS, polled by Lambda"] == pytest.approx(polls * 0.4e-6)
    assert cost.schedules()["deadlines"] == 60


def test_a_stage_for_trying_things_idles_for_secrets_a_key_and_the_polling_of_its_queues() -> None:
    dev = {line.what: line.usd for line in cost.idle(cost.prices(), stack.template("dev"))}
    prod = {line.what: line.usd for line in cost.idle(cost.prices(), stack.template("prod"))}
    assert (dev["alarms"], dev["dashboard"]) == (0, 0)
    assert prod["alarms"] > 0 < prod["dashboard"]
    rest = sum(usd for what, usd in dev.items() if what not in ("SQS, polled by Lambda", "secrets", "key of KMS"))
    assert rest < 0.25
    assert "counted from the stack of `dev`" in cost.block()


def test_prices_stand_in_one_place_alone() -> None:
    amounts = ("0.625e-6", "0.125e-6", "3.50 per million", "3.5e-6", "0.0000166667")
    for path in [*(ROOT / "tools").rglob("*.py"), *(ROOT / "docs").glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        assert not [amount for amount in amounts if amount in text], path


def test_a_document_without_a_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(cost.CostError, match=r"x\.md has no place"):
        cost.written(tmp_path / "x.md")


def test_what_the_decision_about_the_gateway_says_is_what_the_prices_say() -> None:
    """See docs/adr/0031-gateway.md: it is decided anew when either price or the calls of an order change."""
    told = cost.prices()
    found = cost.life(cost.BUDGET.read_text(encoding="utf-8"), told["assumed"]["lines"], told["assumed"]["merchants"])
    browsing = 1 + told["assumed"]["lines"]  # The list page, and each product's.
    rows = re.findall(r"\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", _adr(), re.MULTILINE)
    for calls, row in zip((found.http_calls + browsing, found.http_calls), rows, strict=True):
        rest, http = (1000 * calls * told["usd"][price] for price in ("api_call", "http_api_call"))
        assert tuple(map(float, row)) == pytest.approx((rest, http, rest - http))


def _adr() -> str:
    return (ROOT / "docs" / "adr" / "0031-gateway.md").read_text(encoding="utf-8")
