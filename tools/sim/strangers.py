"""Money of nobody's: somebody pays the provider under a number that is none of ours, and its notice comes to us.

None of it may be lost: at the end each such payment of which we were told is in suspense, once, to the minor unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "STRANGER_"
"""What their numbers begin with."""


@dataclass(frozen=True)
class StraySeen:
    """What our record says of one."""

    number: str
    kind: str
    status: str
    amount: int


class Strangers:
    """What we know of money of nobody's, from our rows and our ledger."""

    def __init__(self) -> None:
        self.strays: dict[str, StraySeen] = {}
        self.ledger: dict[tuple[str, str], int] = {}

    def seen(self, row: Mapping[str, Any]) -> None:
        """Take a row of a stray."""
        self.strays[row["id"]["S"]] = StraySeen(
            row["number"]["S"], row["kind"]["S"], row["status"]["S"], int(row.get("amount_minor", {"N": "0"})["N"])
        )

    def posted(self, postings: Iterable[tuple[str, int, str]]) -> None:
        """Take an entry about a stray."""
        for account, minor, currency in postings:
            self.ledger[account, currency] = self.ledger.get((account, currency), 0) + minor

    def problems(self, told: Mapping[str, int]) -> Iterator[str]:
        """Yield what is lost, or not booked once: ``told`` is what was paid under each number that we heard of."""
        for number, amount in told.items():
            kept = [stray for stray in self.strays.values() if stray.number == number and stray.kind == "money"]
            if [stray.amount for stray in kept] != [amount]:
                yield f"{number} paid {amount}, and in suspense is {[stray.amount for stray in kept]}"
        there = sum(
            stray.amount
            for stray in self.strays.values()
            if stray.kind == "money" and stray.status in ("open", "closed")
        )
        booked = -sum(minor for (account, _), minor in self.ledger.items() if account == "suspense")
        if there != booked:
            yield f"strays hold {there}, and the account suspense {booked}"

    def save(self) -> Any:
        """Return what :meth:`restore` takes back."""
        return dict(self.strays), dict(self.ledger)

    def restore(self, saved: Any) -> None:
        """Go back to a saved state."""
        self.strays, self.ledger = dict(saved[0]), dict(saved[1])


def told_of(stand_in: Any) -> dict[str, int]:
    """Return what strangers paid, by number, whose notice was acknowledged."""
    heard = {content.get("out_trade_no") for status, content in stand_in.delivered if 200 <= status < 300}
    return {
        number: order.paid_amount
        for number, order in getattr(stand_in, "orders", {}).items()
        if number.startswith(PREFIX) and order.state == "paid" and number in heard
    }


def pay(stand_in: Any, number: int, amount: int) -> str:
    """Let somebody pay the sandbox provider under a number of theirs; returns it."""
    name = f"{PREFIX}{number:06d}"
    stand_in._create(  # noqa: SLF001
        {
            "out_trade_no": name,
            "amount": amount,
            "currency": "CNY",
            "notify_url": "http://127.0.0.1/v1/webhooks/payments/sandbox",
            "expires_at": 0,
        }
    )
    stand_in.pay(name)
    return name
