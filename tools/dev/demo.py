"""``make demo``: plays the main job over HTTP against the running dev server; fails if anything is off."""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.publishing import domain
from tests.e2e import elsewhere, explained, parcels, returned, scenario, served, system, talked, told, vouchers
from tools.shared.client import Failed


def main() -> int:
    """Play; the exit code says whether everything was as expected."""
    parser = argparse.ArgumentParser(prog="make demo ARGS=...", description=__doc__)
    parser.add_argument("--url", default="", help="the API's address (default: what the running `make dev` wrote down)")
    base_url = parser.parse_args().url or _remembered()
    try:
        info = json.loads(_fetch(f"{base_url}/_dev/"))
    except (OSError, ValueError):
        print(f"No dev server answers at {base_url}: start it with `make dev` in another terminal.", file=sys.stderr)
        return 1
    started = time.monotonic()
    try:
        _browse(base_url)
        elsewhere.play(base_url, info["sign_in"], say=lambda text: print(text, flush=True))
        played = scenario.play(
            base_url,
            info["sandbox"],
            info["carrier"],
            accounts=info["accounts"],
            advance=lambda by: _advance(base_url, by),
            say=lambda text: print(text, flush=True),
            explain=lambda record_id: _fetch(f"{base_url}/_dev/explain/{record_id}?format=text"),
        )
        explained.play(base_url, info["accounts"], played.orders[0], say=lambda text: print(text, flush=True))
        parcels.play(base_url, info["accounts"], played.orders[0], say=lambda text: print(text, flush=True))
        told.play(
            base_url,
            info["accounts"],
            advance=lambda by: _advance(base_url, by),
            say=lambda text: print(text, flush=True),
        )
        vouchers.play(base_url, info["sandbox"], info["accounts"], say=lambda text: print(text, flush=True))
        returned.play(
            base_url,
            info["sandbox"],
            info["carrier"],
            info["accounts"],
            say=lambda text: print(text, flush=True),
        )
        talked.play(base_url, info["accounts"], say=lambda text: print(text, flush=True))
        system.play(base_url, info["accounts"], say=lambda text: print(text, flush=True))
        served.play(base_url, info["sandbox"], info["accounts"], say=lambda text: print(text, flush=True))
    except (scenario.Unexpected, Failed, OSError) as error:
        print(f"\nNot as expected: {error}", file=sys.stderr)
        return 1
    print(f"\nEverything was as expected, in {time.monotonic() - started:.1f} s.")
    return 0


def _browse(base_url: str) -> None:
    """Look around as a storefront does: in published files, which no function answers."""
    read = 0
    before = json.loads(_fetch(f"{base_url}/_dev/"))["function_calls"]

    def get(path: str) -> Any:
        nonlocal read
        read += 1
        return json.loads(_fetch(f"{base_url}/published/{path}.json"))

    (tree,) = get("current/site")["files"]["categories"]
    categories = get(f"files/site/{tree}")["categories"]
    pages = get("current/all")["files"]["newest"]
    cards = [card for page in pages[:2] for card in get(f"files/all/{page}")["items"]]
    shard = domain.product_shard(cards[0]["product_id"])
    (name,) = get(f"current/{shard}")["files"][cards[0]["product_id"]]
    title = get(f"files/{shard}/{name}")["titles"]["en"]
    calls = json.loads(_fetch(f"{base_url}/_dev/"))["function_calls"] - before
    if calls:
        raise Failed(f"browsing published files called the API's function {calls} times")
    print("A storefront looks around in published files")
    print(f"  {len(categories)} categories, {len(cards)} products on two of {len(pages)} pages, then {title!r}")
    print(f"  {read} files were read, and no function was called\n")


def _remembered() -> str:
    kept = Path(".biandan/url")
    return kept.read_text().strip() if kept.exists() else "http://127.0.0.1:8000"


def _fetch(url: str, body: Any = None) -> str:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


def _advance(base_url: str, by: timedelta) -> None:
    _fetch(f"{base_url}/_dev/clock", {"advance_s": by.total_seconds()})


if __name__ == "__main__":
    sys.exit(main())
