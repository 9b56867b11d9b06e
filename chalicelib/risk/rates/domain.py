"""Request limits: the table of numbers, and how a process counts before it asks the others. Pure.

Reads cost nothing and are not counted: files behind a CDN bear them, and the gateway and the firewall bound a flood
(docs/deploy.md). What changes something is counted of the account that does it, and of the network only where nobody
is signed in: whoever has an account is never charged for a crowd behind the same address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

WINDOW_S = 60
ALL = "all"
"""Every operation together."""
SHARE = 4
"""A process counts by itself up to this part of a limit; what is more, it writes down for all processes."""
MOST_SUBJECTS = 20_000
"""So many accounts and networks a process remembers of a window; one more, and it forgets them all."""

ACCOUNT: Final = "account"
NETWORK: Final = "network"

LIMITS: Final[dict[str, dict[str, int]]] = {
    # Of whom -> operation -> so many a minute. An operation that is not named has the limit of all.
    ACCOUNT: {
        ALL: 240,
        # Each takes stock, or asks somebody else, or makes work for a person.
        "place_purchase": 40,
        "start_payment": 40,
        "check_payment": 60,
        "cancel_purchase": 60,
        "file_complaint": 20,
        "upload_evidence": 60,
        "request_erasure": 20,
        # Each makes a file of everything.
        "begin_export": 20,
        "begin_import": 20,
    },
    NETWORK: {
        # A campus registers from one address on the day of a sale; guessing has limits of its own (auth/throttles.py).
        ALL: 1200,
        "register": 240,
        "send_code": 240,
        "sign_in": 600,
    },
}


def limit_of(scope: str, operation: str, *, factor: int = 1) -> int:
    """Return how many of an operation a minute are allowed."""
    table = LIMITS[scope]
    return table.get(operation, table[ALL]) * factor


@dataclass(slots=True)
class Counted:
    """What one process counted of one subject in one window."""

    seen: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    """How much of it was written down for all."""

    def see(self, operation: str) -> None:
        """Count one call: of its operation, and of all."""
        for name in (operation, ALL):
            self.seen[name] = self.seen.get(name, 0) + 1

    def take_back(self, operation: str, counts: dict[str, int]) -> None:
        """Forget one call that was refused, and that so much was to be written down."""
        for name in (operation, ALL):
            self.seen[name] -= 1
        for name, count in counts.items():
            self.told[name] -= count

    def untold(self, operation: str) -> dict[str, int]:
        """Return what is not written down yet of an operation and of all."""
        return {name: self.seen.get(name, 0) - self.told.get(name, 0) for name in (operation, ALL)}

    def tell(self, counts: dict[str, int]) -> None:
        """Note that so much was written down."""
        for name, count in counts.items():
            self.told[name] = self.told.get(name, 0) + count


def must_tell(counted: Counted, scope: str, operation: str, *, factor: int = 1) -> bool:
    """Say whether a call is one that all processes must know of: their share of some limit is used up."""
    return any(counted.seen.get(name, 0) > limit_of(scope, name, factor=factor) // SHARE for name in (operation, ALL))
