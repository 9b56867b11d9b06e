"""Writes to people about an offer: to those of a list who agreed to that, once each, and to nobody else.

    BIANDAN_STAGE=prod python -m tools.operate.offer --name autumn --title '...' --text '...' accounts.txt

``accounts.txt`` has an account's number a line. Run again under the same name, it goes on where it ended. Whoever
withdraws while their message waits does not get it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from chalicelib.auth import service as auth
from chalicelib.consents import service as consents
from chalicelib.kernel import clock
from chalicelib.kernel.errors import AlreadyExists
from chalicelib.notifications.service import NotAgreed
from chalicelib.runtime.db.work import UnitOfWork
from tools.shared import place

FRESH = timedelta(days=1)
"""An offer that could not be sent for a day is not sent."""


def offer(account_ids: Iterable[str], *, name: str, title: str, text: str) -> Counter[str]:
    """Write to them; returns how many were written to, told before, cannot be reached, did not agree."""
    found: Counter[str] = Counter()
    for account_id in account_ids:
        found[_one(account_id, f"offer#{name}#{account_id}", {"title": title, "text": text})] += 1
    return found


def _one(account_id: str, fact: str, values: dict[str, str]) -> str:
    try:
        with UnitOfWork() as work:
            reached = auth.tell_person(
                work,
                account_id,
                "offer",
                fact=fact,
                useless_at=clock.now() + FRESH,
                values=values,
                purpose=consents.MARKETING,
            )
    except NotAgreed:
        return "did not agree"
    except AlreadyExists:
        return "told before"
    return "written to" if reached else "not reached"


def main(arguments: list[str] | None = None) -> int:
    """Write from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("accounts", type=Path)
    parser.add_argument("--name", required=True, help="under which nobody is written to twice")
    parser.add_argument("--title", required=True)
    parser.add_argument("--text", required=True)
    options = parser.parse_args(arguments)
    try:
        print(place.settle(), file=sys.stderr)
    except place.Nowhere as error:
        print(f"offer: {error}", file=sys.stderr)
        return 2
    account_ids = [line.strip() for line in options.accounts.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = offer(account_ids, name=options.name, title=options.title, text=options.text)
    print(", ".join(f"{what}: {count}" for what, count in sorted(found.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
