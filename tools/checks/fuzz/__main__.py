"""``make fuzz``: a dev server of its own, one played order, then a fixed budget of requests to every operation."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
START_S, STOP_S = 180, 60
ROLES = {"buyer": -1, "leaver": -2}
"""Which of the buyers that are seeded: the one who is tried with, and the one whose sessions end."""


def main() -> int:
    """Run; the exit code is schemathesis's own."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=...", description=__doc__)
    parser.add_argument("--examples", type=int, default=3, help="of each operation, for each way of making them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    parser.add_argument("--url", default="", help="of a dev server that runs already (default: one of its own)")
    options, more = parser.parse_known_args()
    if options.url:
        return _fuzz(options.url, options, more)
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as url:
        return _fuzz(url, options, more)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    written, log = folder / "url", folder / "dev.log"
    command = [
        sys.executable,
        "-m",
        "tools.dev",
        "--port",
        "0",
        "--throwaway",
        "--no-trail",
        "--url-file",
        str(written),
    ]
    print("Starting a dev server with its marketplace (half a minute) ...", flush=True)
    wide = os.environ | {"BIANDAN_REQUEST_FACTOR": "1000"}  # A moment of it is what people do in hours.
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env=wide) as server:
        try:
            until = time.monotonic() + START_S
            while not written.exists():
                if server.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"The dev server did not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.2)
            yield written.read_text().strip()
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(STOP_S)
            except subprocess.TimeoutExpired:
                server.kill()


def _fuzz(url: str, options: argparse.Namespace, more: list[str]) -> int:
    print("Playing one order, so that there is something to find ...", flush=True)
    subprocess.run([sys.executable, "-m", "tools.dev.demo", "--url", url], check=True, stdout=subprocess.DEVNULL)
    environment = os.environ | {
        "PYTHONPATH": str(HERE.parents[2]),
        "SCHEMATHESIS_HOOKS": "tools.checks.fuzz.hooks",
        "FUZZ_URL": url,
        "FUZZ_ACCOUNTS": json.dumps(_accounts(url)),
    }
    command = [
        str(Path(sys.executable).parent / "st"), "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{url}/openapi.json", "--url", url, "--seed", str(options.seed), "--phases", options.phases,
        "--max-examples", str(options.examples), "--continue-on-failure", "--no-color", "--request-timeout", "60",
        "--generation-database", "none", "--warnings", "off", *more,
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:  # It leaves what it remembers where it runs.
        return subprocess.run(command, check=False, env=environment, cwd=scratch).returncode


def _accounts(url: str) -> dict[str, list[str]]:
    with urllib.request.urlopen(f"{url}/_dev/", timeout=60) as answer:  # noqa: S310
        seeded: list[dict[str, Any]] = json.load(answer)["accounts"]

    def one(role: str, number: int) -> list[str]:
        found = [account for account in seeded if account["role"] == role]
        return [found[number]["email"], found[number]["password"]]

    merchants = [account for account in seeded if account["role"] not in ("buyer", "operator")]
    return {role: one("buyer", number) for role, number in ROLES.items()} | {
        "operator": one("operator", 0),
        "merchant_staff": [merchants[0]["email"], merchants[0]["password"]],
    }


if __name__ == "__main__":
    sys.exit(main())
