"""Holds every value of every row and event to the inventory of personal data: declared there, or declared impersonal.

python -m tools.checks.personal
"""

from __future__ import annotations

import re
import sys
from fnmatch import fnmatchcase

from chalicelib import topology
from chalicelib.privacy import impersonal, inventory
from chalicelib.privacy.holdings import HOLDINGS
from tools.shared import leaves
from tools.shared.leaves import Leaf

_WORDS = re.compile(r"[A-Za-z][a-z]*")


def undeclared(found: list[Leaf]) -> list[str]:
    """Return the places that nobody thought about."""
    return [leaf.where for leaf in found if _must_be_declared(leaf) and not _is_declared(leaf.where)]


def _must_be_declared(leaf: Leaf) -> bool:
    name = leaf.where.rsplit(".", 1)[-1]
    return leaves.is_free(leaf.kind) or any(word in impersonal.TELLING for word in _WORDS.findall(name.lower()))


def _is_declared(where: str) -> bool:
    return bool(list(inventory.matching(where, HOLDINGS))) or _is_impersonal(where)


def _is_impersonal(where: str) -> bool:
    return any(fnmatchcase(where, place) for places in impersonal.IMPERSONAL.values() for place in places)


def stale(found: list[Leaf]) -> list[str]:
    """Return declared places that are not there any more: an inventory of what was misleads."""
    declared = [place for holding in HOLDINGS for place in holding.places]
    declared += [place for places in impersonal.IMPERSONAL.values() for place in places]
    wheres = [leaf.where for leaf in found]
    return [
        place
        for place in declared
        if not _is_elsewhere(place) and not any(fnmatchcase(where, place) for where in wheres)
    ]


def _is_elsewhere(place: str) -> bool:
    kind, _, name = place.partition(":")
    return kind in ("bucket", "log") or (kind == "queue" and name in topology.QUEUES)


def unclear(found: list[Leaf]) -> list[str]:
    """Return the places that two holdings claim: the page would say two things about one value."""
    return [leaf.where for leaf in found if len(list(inventory.matching(leaf.where, HOLDINGS))) > 1]


def complaints() -> list[str]:
    """Return everything that is wrong."""
    found = leaves.of_rows() + leaves.of_events()
    return [
        *(f"{where}: neither in privacy/holdings.py nor in privacy/impersonal.py" for where in undeclared(found)),
        *(f"{place}: declared, but nothing is there" for place in stale(found)),
        *(f"{where}: declared twice in privacy/holdings.py" for where in unclear(found)),
    ]


def main() -> int:
    """Say what is wrong."""
    found = complaints()
    for one in found:
        print(one, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
