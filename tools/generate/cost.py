"""Works out what a stage costs: idle, a month, and per thousand orders. ``make generate`` puts it into the docs.

Counted are the stack itself (queues, alarms, schedules, functions' memory) and the measured life of an order
(``docs/budget.md``); prices and what is assumed about use stand in ``infra/prices.toml``, with their day and source.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib import topology
from chalicelib.runtime import deadlines, strength
from chalicelib.runtime.db.rows import DUE_SHARDS
from infra import stack
from infra.functions import API, AUDIT_SEAL, BALANCES, DEADLINES, FUNCTIONS
from tools.shared import tables

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
PRICES = ROOT / "infra" / "prices.toml"
BUDGET = ROOT / "docs" / "budget.md"
BEGIN, END = "<!-- begin: cost -->", "<!-- end: cost -->"
STAGES = ("prod", "dev")

HTTP_CALLS = {
    "browsing, published files": "none",
    "cart and quote": "one",
    "place and start to pay": "one",
    "paid (notice)": "one",
    "see that it is paid": "one",
    "ship": "merchant",
    "tracking push, delivered": "merchant",
    "confirm receipt": "merchant",
    "order page": "merchant",
}
"""The steps of an order's life that come over HTTP, and how often: once, for each merchant, or (from the CDN) never."""


class CostError(Exception):
    """The docs' measured tables cannot be read; the message says which step."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill."""

    what: str
    reckoned: str
    usd: float


@dataclass(frozen=True, slots=True)
class Life:
    """What one order asks for."""

    http_calls: int
    messages: float
    writes: float
    reads: float


def prices() -> Json:
    """Return prices and assumptions."""
    return tomllib.loads(PRICES.read_text(encoding="utf-8"))


def life(text: str, lines: int, merchants: int) -> Life:
    """Read the measured life of an order from the text of ``docs/budget.md``.

    Raises:
        CostError: if it is not there, or has a step of which nothing says whether it comes over HTTP.
    """
    _, found, rest = text.partition(f"### {lines} lines of {merchants} merchant(s), step by step\n")
    if not found:
        raise CostError(f"docs/budget.md has no order of {lines} lines of {merchants} merchant(s)")
    times = {"none": 0, "one": 1, "merchant": merchants}
    calls = 0
    for row in re.findall(r"^\| *([^|]+?) *\|([^\n]+)\|$", rest.partition("\n### ")[0], re.MULTILINE)[1:]:
        name, cells = row[0], [cell.strip() for cell in row[1].split("|")]
        if name == "sum":
            return Life(calls, float(cells[4]), float(cells[1]), float(cells[3]))
        if name in HTTP_CALLS:
            calls += times[HTTP_CALLS[name]]
        elif ":" not in name and not set(name) <= set("-: "):
            raise CostError(
                f"the step {name!r} of docs/budget.md is not in tools/generate/cost.py: does it come over HTTP?"
            )
    raise CostError("docs/budget.md has no sum")


def of_thousand(told: Json, found: Life) -> list[Line]:
    """Return what a thousand orders cost."""
    usd, use = told["usd"], told["assumed"]
    calls, messages = 1000 * found.http_calls, 1000 * found.messages
    api_gb, work_gb = FUNCTIONS[API].memory_mb / 1024, FUNCTIONS["orders"].memory_mb / 1024
    runs = 2 * messages
    requests = 3 * messages
    logged = ((calls + runs) * use["log_bytes_a_call"] + calls * use["access_log_bytes_a_call"]) / 1e9
    return [
        Line("API Gateway", f"{calls:,} calls", calls * usd["api_call"]),
        Line(
            "Lambda, HTTP",
            f"{calls:,} x {use['http_ms']} ms x {api_gb:g} GB",
            _lambda(usd, calls, use["http_ms"], api_gb),
        ),
        Line(
            "Lambda, relay and consumers",
            f"{runs:,.0f} x {use['worker_ms']} ms x {work_gb:g} GB: each message is relayed and handled",
            _lambda(usd, runs, use["worker_ms"], work_gb),
        ),
        Line(
            "DynamoDB",
            f"{found.writes:g} write and {found.reads:g} read units an order",
            1000 * (found.writes * usd["write_unit"] + found.reads * usd["read_unit"]),
        ),
        Line("SQS", f"{requests:,.0f} requests: send, receive, delete", requests * usd["sqs_request"]),
        Line(
            "CloudWatch Logs",
            f"{logged * 1000:.0f} MB, access log included",
            logged * usd["log_gb"],
        ),
    ]


def idle(told: Json, template: Json) -> list[Line]:
    """Return what a month costs in which nothing happens."""
    usd, use, free = told["usd"], told["assumed"], told["free"]
    month = use["month_s"]
    polls = len(topology.QUEUES) * use["polls_at_once"] * month / use["poll_s"]
    alarms = sum(part.get("Type") == "AWS::CloudWatch::Alarm" for part in template["Resources"].values())
    dashboards = sum(part.get("Type") == "AWS::CloudWatch::Dashboard" for part in template["Resources"].values())
    secrets = len(strength.OURS) + use["providers"] + use["hubs"]
    runs = {name: month / every_s for name, every_s in schedules().items()}
    gb_s = sum(times * use["scheduled_ms"] / 1000 * FUNCTIONS[name].memory_mb / 1024 for name, times in runs.items())
    far = len(topology.DUE_FAR)
    each = (len(topology.DUE_TABLES) - far) + far * deadlines.LOOK_AHEAD / deadlines.FAR_EVERY
    queries = DUE_SHARDS * each
    due = runs[DEADLINES] * queries * 0.5 * usd["read_unit"]
    looks = runs[BALANCES] * (usd["write_unit"] + 1.5 * usd["read_unit"])
    seals = runs[AUDIT_SEAL] * 2 * usd["read_unit"]
    return [
        Line(
            "SQS, polled by Lambda",
            f"{len(topology.QUEUES)} queues x {use['polls_at_once']} long polls of {use['poll_s']} s: "
            f"{polls / 1e6:.1f} million requests, the first {free['sqs_requests'] / 1e6:g} million free",
            max(0.0, polls - free["sqs_requests"]) * usd["sqs_request"],
        ),
        Line(
            "alarms",
            f"{alarms}, the first {free['alarms']} of an account free",
            max(0, alarms - free["alarms"]) * usd["alarm_month"],
        ),
        Line(
            "dashboard",
            f"{dashboards} of more than 50 metrics" if dashboards else "none",
            dashboards * usd["dashboard_month"],
        ),
        Line("secrets", f"{secrets} (each provider adds one)", secrets * usd["secret_month"]),
        Line("key of KMS", "one; asked once by each new process, never by a request", usd["kms_key_month"]),
        Line(
            "schedules",
            f"{sum(runs.values()):,.0f} runs of {len(runs)} jobs",
            sum(runs.values()) * usd["lambda_call"] + gb_s * usd["lambda_gb_second"],
        ),
        Line("due indexes", f"{queries:.1f} queries a run of the deadline job", due),
        Line("balances", "a run that finds nothing new notes up to when they are exact (docs/budget.md)", looks),
        Line("audit", "a run that finds nothing new reads how far it is, and that there is nothing", seals),
        Line("tables, streams, buckets, log groups, API", "nothing while nothing happens", 0.0),
    ]


def _lambda(usd: Json, calls: float, ms: float, gb: float) -> float:
    return float(calls * (usd["lambda_call"] + ms / 1000 * gb * usd["lambda_gb_second"]))


_UNITS_S = {"minute": 60, "hour": 3600, "day": 86400}


def schedules() -> dict[str, float]:
    """Return the seconds between two runs of each scheduled function."""
    from app import app

    found: dict[str, float] = {}
    for source in app.event_sources:
        expression = str(getattr(source, "schedule_expression", ""))
        told = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
        if told:
            found[source.name] = int(told[1]) * _UNITS_S[told[2]]
    return found


def block() -> str:
    """Return both tables as Markdown."""
    told = prices()
    use = told["assumed"]
    order = life(BUDGET.read_text(encoding="utf-8"), use["lines"], use["merchants"])
    firewall = told["usd"]["firewall_month"] + use["firewall_rules"] * told["usd"]["firewall_rule_month"]
    begun = (
        f"List prices of `{told['region']}` in US dollars as of {told['looked_up']}, without free tiers unless named\n"
        "(`infra/prices.toml`). Look at today's price pages before you decide something by them."
    )
    ordered = (
        f"**Per thousand orders** of {use['lines']} lines from {use['merchants']} merchant, measured "
        f"([budget.md](budget.md)), {order.http_calls} HTTP\n"
        "calls each from cart to confirmed receipt; list and product pages come from published files:"
    )
    a_million = told["usd"]["firewall_call"] * 1e6
    parts = [
        begun,
        *_idle_of(told),
        f"The firewall, where it is on: {firewall:.2f}, and {a_million:.2f} a million calls.",
        ordered,
        _table(of_thousand(told, order)),
    ]
    return "\n\n".join(parts)


def _idle_of(told: Json) -> list[str]:
    found = []
    for stage in STAGES:
        found += [f"**Idle, a month**, counted from the stack of `{stage}`:", _table(idle(told, stack.template(stage)))]
    return found


def _table(lines: list[Line]) -> str:
    rows: list[list[object]] = [[line.what, line.reckoned, f"{line.usd:.3f}"] for line in lines]
    rows.append(["**sum**", "", f"**{sum(line.usd for line in lines):.3f}**"])
    return tables.table(("what", "how much", "dollars"), rows)


def written(path: Path) -> str:
    """Return a document with the costs put between its markers.

    Raises:
        CostError: if it has no markers.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise CostError(f"{path.name} has no place for the costs")
    return f"{before}{BEGIN}\n\n{block()}\n\n{END}{after}"
