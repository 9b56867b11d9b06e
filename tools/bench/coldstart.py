"""``make bench-coldstart``: what a cold start of each function costs, from the packaged zip.

Every run is a fresh interpreter that sees nothing but the standard library and the unpacked zip, as in Lambda. The
floor is what any Python function on DynamoDB pays: bare Python, botocore and one DynamoDB client, from the same zip.
Runs are interleaved, so that a busy machine disturbs all alike; figures are medians. The budget: the HTTP function at
most 1.5 times the floor, queue functions at most 1.3 times; and the HTTP function's first answer (import, secrets,
first read) within 0.30 seconds and 60 MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib import topology
from infra import functions
from tools.fakes import engine
from tools.release import package

RUNS = 11
HTTP_BUDGET = 1.5
QUEUE_BUDGET = 1.3
ANSWER_MS = 300.0
ANSWER_MB = 60.0
"""MiB."""
FLOOR = "floor"

FLOOR_CODE = """
import botocore.session
session = botocore.session.get_session()
client = session.create_client("dynamodb", region_name="us-east-1")
"""

PROBE = """
import sys, time, resource
sys.path = [sys.argv[1]] + [part for part in sys.path if "site-packages" not in part]
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
wall, busy = time.perf_counter(), cpu()
exec(sys.argv[2])
wall, busy = time.perf_counter() - wall, cpu() - busy
import json
def peak_mb():
    try:  # ru_maxrss would be that of the process that started us, if it was larger.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024)
peak = peak_mb()
found = {"ms": wall * 1000, "cpu_ms": busy * 1000, "mb": peak, "modules": len(sys.modules)}
if len(sys.argv) > 3:
    started, worked = time.perf_counter(), cpu()
    exec(sys.argv[3])
    found["answer_cpu_ms"] = found["cpu_ms"] + (cpu() - worked) * 1000
    found["first_ms"] = (time.perf_counter() - started) * 1000
    found["answer_ms"], found["answer_mb"] = found["ms"] + found["first_ms"], peak_mb()
print(json.dumps(found))
"""

PREPARE = """
import base64, secrets
from tools.fakes import resources
strong = {
    of: {name: secrets.token_hex(32) if isinstance(value, str) else value for name, value in fields.items()}
    for of, fields in resources.local_secrets().items()
}
strong["auth"]["signing_keys"] = [{"kid": "bench-1", "seed": base64.b64encode(secrets.token_bytes(32)).decode()}]
resources.create_all(strong)
from tests.support import people
print(people.buyer().token)
"""
"""On Lambda the secrets of a laptop are refused."""

FIRST_REQUEST = """
headers = {"accept": "application/json", "authorization": "Bearer " + sys.argv[4]}
event = {
    "resource": "/v1/me", "path": "/v1/me", "httpMethod": "GET",
    "headers": headers, "multiValueHeaders": {name: [value] for name, value in headers.items()},
    "queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": None,
    "stageVariables": None, "body": None, "isBase64Encoded": False,
    "requestContext": {"resourcePath": "/v1/me", "httpMethod": "GET", "requestId": "bench",
                       "identity": {"sourceIp": "127.0.0.1"}},
}
answer = app.app(event, None)
assert answer["statusCode"] == 200, answer
"""
"""A signed-in account's: it takes a secret to know the caller, and a read to answer."""


@dataclass(frozen=True)
class Figures:
    """Medians of one subject."""

    ms: float
    cpu_ms: float
    mb: float
    modules: int
    first_ms: float | None
    answer_ms: float | None
    answer_mb: float | None
    answer_cpu_ms: float | None


def subjects() -> Iterator[tuple[str, str]]:
    """Yield the functions by name, with the import that Lambda makes."""
    yield functions.lambda_name(functions.API), "import app"
    yield "relay, deadlines", "import chalicelib.runtime.functions"
    for queue, module in topology.QUEUES.items():
        yield queue, f"import {module}"


def measure(folder: Path, runs: int, url: str, token: str) -> dict[str, Figures]:
    """Run everything ``runs`` times, interleaved, after one round that warms the disk."""
    wanted = {FLOOR: FLOOR_CODE, **dict(subjects())}
    raw: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
    for number in range(runs + 1):
        for name, code in wanted.items():
            first = [FIRST_REQUEST, token] if name == functions.lambda_name(functions.API) else []
            found = run(folder, code, first, url)
            if number:
                raw[name].append(found)
        done = f"{number} of {runs} rounds" if number else "disk is warm"
        print(f"\r  {done}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: _medians(found) for name, found in raw.items()}


def run(folder: Path, code: str, first: list[str], url: str) -> dict[str, Any]:
    """Measure one fresh interpreter."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        **engine.environment(url),
        "AWS_LAMBDA_FUNCTION_NAME": "biandan-local-bench",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROBE, str(folder), code, *first],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{code}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _medians(found: list[dict[str, Any]]) -> Figures:
    def middle(key: str) -> float:
        return float(statistics.median(one[key] for one in found))

    return Figures(
        ms=middle("ms"),
        cpu_ms=middle("cpu_ms"),
        mb=middle("mb"),
        modules=int(middle("modules")),
        first_ms=middle("first_ms") if "first_ms" in found[0] else None,
        answer_ms=middle("answer_ms") if "answer_ms" in found[0] else None,
        answer_mb=middle("answer_mb") if "answer_mb" in found[0] else None,
        answer_cpu_ms=middle("answer_cpu_ms") if "answer_cpu_ms" in found[0] else None,
    )


def report(found: dict[str, Figures]) -> tuple[str, dict[str, Any], bool]:
    """Return the table, the figures for machines, and whether the budget is kept."""
    floor = found[FLOOR]
    api = functions.lambda_name(functions.API)
    heads = ("import ms", "x floor", "budget", "CPU ms", "peak MB", "x floor", "modules")
    lines = [f"{'function':<18}" + "".join(f"{head:>10}" for head in heads)]
    figures: dict[str, Any] = {
        "floor_ms": round(floor.ms, 1),
        "floor_mb": round(floor.mb, 1),
        "functions": {},
    }
    kept = True
    for name, one in found.items():
        budget = HTTP_BUDGET if name == api else QUEUE_BUDGET
        ratio = one.ms / floor.ms
        is_floor = name == FLOOR
        kept = kept and (is_floor or ratio <= budget)
        shown = "" if is_floor else f"{budget:.1f}"
        lines.append(
            f"{name:<18}{one.ms:>10.1f}{ratio:>10.2f}{shown:>10}{one.cpu_ms:>10.1f}"
            f"{one.mb:>10.1f}{one.mb / floor.mb:>10.2f}{one.modules:>10}"
        )
        if not is_floor:
            figures["functions"][name] = {
                "ms": round(one.ms, 1),
                "ratio": round(ratio, 3),
                "mb": round(one.mb, 1),
                "mb_ratio": round(one.mb / floor.mb, 3),
            }
    one = found[api]
    if one.first_ms is not None and one.answer_ms is not None and one.answer_mb is not None:
        lines += [
            "",
            f"First answer of the HTTP function (GET /v1/me): {one.answer_ms:.1f} ms, {one.answer_mb:.1f} MiB,",
            f"{one.answer_cpu_ms:.1f} ms of CPU: what it takes where nothing else runs.",
            f"The budget: {ANSWER_MS:.0f} ms, {ANSWER_MB:.0f} MiB. {one.first_ms:.1f} ms come after the import:",
            "its capability, pydantic, the secrets, the first read.",
        ]
        figures |= {
            "first_request_ms": round(one.first_ms, 1),
            "first_answer_ms": round(one.answer_ms, 1),
            "first_answer_mb": round(one.answer_mb, 1),
            "first_answer_cpu_ms": round(one.answer_cpu_ms or 0, 1),
        }
        kept = kept and one.answer_ms <= ANSWER_MS and one.answer_mb <= ANSWER_MB
    figures["within_budget"] = kept
    return "\n".join(lines), figures, kept


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; exits with 1 if the budget is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs of each function ({RUNS})")
    options = parser.parse_args(arguments)
    platform = package.LAMBDA if package.host_runs_lambda() else package.HOST
    with tempfile.TemporaryDirectory() as scratch, engine.Engine() as running:
        code, folder = Path(scratch) / "code.zip", Path(scratch) / "code"
        package.build_zip(code, platform, say=lambda text: print(f"  {text}", file=sys.stderr))
        with zipfile.ZipFile(code) as archive:
            archive.extractall(folder)
        token = _prepare(running.url)
        found = measure(folder, options.runs, running.url, token)
        size = code.stat().st_size
    table, figures, kept = report(found)
    print(f"Cold start from the packaged zip ({size / 1e6:.1f} MB), Python {package.this_interpreter().tag}, ", end="")
    print(f"medians of {options.runs} interleaved runs\n")
    print(table)
    print()
    print(json.dumps({"bench": "coldstart", "runs": options.runs, "zip_bytes": size, **figures}))
    if not kept:
        print("over the budget", file=sys.stderr)
    return 0 if kept else 1


def _prepare(url: str) -> str:
    """Create what the first request reads, from a process of its own: this one keeps its environment.

    Returns a token of an account.
    """
    done = subprocess.run(
        [sys.executable, "-c", PREPARE],
        cwd=package.ROOT,
        env={**os.environ, **engine.environment(url)},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout.split()[-1]


if __name__ == "__main__":
    sys.exit(main())
