"""The payment provider of one seed: a stand-in of ``tools/sandbox``, its books, and how people reach it.

Most seeds are played with the sandbox provider; the others with a real adapter, against the stand-in that speaks its
protocol. Keys are fixed, ids and nonces come from the seed: a run replays to the byte.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.runtime import outbound
from tools.sandbox import providers
from tools.sandbox.alipay import Alipay
from tools.sandbox.core import Sandbox
from tools.sandbox.mount import transport
from tools.sandbox.qqwallet import QQWallet
from tools.sandbox.stand_in import Outgoing
from tools.sandbox.stripe import Stripe
from tools.sandbox.wechatpay import WechatPay

SHARES = {"sandbox": 60, "wechatpay": 10, "alipay": 10, "qqwallet": 10, "stripe": 10}
"""Of a hundred seeds. A signature of a real provider takes as long as five calls of ours."""
METHODS = {
    "sandbox": ("page", "qr"),
    "wechatpay": ("native", "native", "h5", "app"),
    "alipay": ("qr", "page", "wap", "app"),
    "qqwallet": ("native", "native", "jsapi", "miniapp"),
    "stripe": ("checkout", "payment_intent"),
}
_MAKERS: dict[str, Callable[..., Any]] = {
    "sandbox": Sandbox,
    "wechatpay": WechatPay,
    "alipay": Alipay,
    "qqwallet": QQWallet,
    "stripe": Stripe,
}
SETTINGS = {"qqwallet": {"BIANDAN_QQWALLET": "on"}}
"""What the shop must be told beside the secret."""
_STRIPE_SAYS = {"succeeded": "succeeded", "pending": "pending", "requires_action": "pending", "canceled": "closed"}
_STRIPE_TELLS = (
    *("payment_intent.succeeded", "payment_intent.canceled"),
    *("checkout.session.completed", "checkout.session.expired"),
    *("refund.created", "refund.updated", "refund.failed"),
)


def of_seed(seed: int | str) -> str:
    """Return which provider a seed is played with."""
    return random.Random(f"{seed}:provider").choices(list(SHARES), weights=list(SHARES.values()))[0]  # noqa: S311


class OrderThere(Protocol):
    """What the provider's books say of an attempt."""

    state: str
    """``pending``, ``paid`` or ``closed``."""
    amount: int
    paid_amount: int
    paid_currency: str
    refunded: int


class RefundThere(Protocol):
    """What the provider's books say of a refund."""

    out_trade_no: str
    amount: int
    state: str


@dataclass
class _Seen:
    state: str
    amount: int
    paid_amount: int = 0
    paid_currency: str = ""
    refunded: int = 0


@dataclass
class _RefundSeen:
    out_trade_no: str
    amount: int
    state: str


class Bank:
    """One provider and what the simulator does with it."""

    def __init__(self, name: str, *, now_s: Callable[[], float], chance: random.Random) -> None:
        self.name = name
        self.methods = METHODS[name]
        stand_in: Any = _MAKERS[name](now=now_s, chance=chance)
        self.stand_in: Any = stand_in
        self.links: dict[str, str] = {}
        """What reached a client of an attempt: an address to go to, a text for an app."""
        self._send = transport(stand_in)
        self._stripe = stand_in if isinstance(stand_in, Stripe) else None

    def secrets(self) -> dict[str, dict[str, Any]]:
        """Return what the shop knows of it, by the secret's name."""
        if self.name == "sandbox":
            return {}
        return {f"payments-{self.name}": self.stand_in.configuration()}

    def serves(self, host: str) -> bool:
        """Say whether a host is this provider's."""
        if self.name == "sandbox":
            return bool(host == self.stand_in.base_url.removeprefix("http://"))
        return providers.HOSTS.get(host) == self.name

    def send(self, request: outbound.Request) -> outbound.Response:
        """Answer a call of the shop's."""
        return self._send(request)

    # --- its books ----------------------------------------------------------------------------------------------------

    def order(self, number: str) -> OrderThere | None:
        """Return an attempt; None where the provider never heard of it."""
        if self._stripe is None:
            found: OrderThere | None = self.stand_in.orders.get(number)
            return found
        return _stripe_order(self._stripe, number)

    def numbers(self) -> Iterator[str]:
        """Return every attempt the provider knows."""
        if self._stripe is None:
            yield from list(self.stand_in.orders)
            return
        things = (*self._stripe.sessions.values(), *self._stripe.intents.values())
        yield from dict.fromkeys(str(thing["metadata"].get("payment_id", "")) for thing in things)

    def refund_count(self) -> int:
        """Return how many refunds it ever took."""
        return len(self.stand_in.refunds)

    def refund(self, number: str) -> RefundThere | None:
        """Return a refund by our number."""
        if self._stripe is None:
            found: RefundThere | None = self.stand_in.refunds.get(number)
            return found
        return next((seen for known, seen in self.refunds() if known == number), None)

    def refunds(self) -> Iterator[tuple[str, RefundThere]]:
        """Return refunds with their numbers; those made in its console are called ``console...``."""
        if self._stripe is None:
            yield from list(self.stand_in.refunds.items())
            return
        for refund in reversed(list(self._stripe.refunds.values())):  # The latest of a number first.
            number = self._stripe.intents[refund["payment_intent"]]["metadata"].get("payment_id", "")
            state = _STRIPE_SAYS.get(refund["status"], "closed")
            known = refund["metadata"].get("refund_id") or f"console{refund['id']}"
            yield known, _RefundSeen(number, refund["amount"], state)

    def money(self, number: str) -> tuple[int, int]:
        """Return what was captured on an attempt, and what has gone back."""
        captured, back = self.stand_in.money(number)
        return int(captured), int(back)

    def movements(self) -> Iterator[tuple[int, str]]:
        """Return when money moved, and the number it moved under."""
        if self._stripe is not None:
            for row in self._stripe.transactions:
                metadata = row["source"]["metadata"]
                yield row["created"], str(metadata.get("payment_id" if row["type"] == "charge" else "refund_id", ""))
            return
        for order in self.stand_in.orders.values():
            if order.paid_at is not None:
                yield order.paid_at, order.out_trade_no
        for refund in self.stand_in.refunds.values():
            if refund.refunded_at is not None:
                yield refund.refunded_at, refund.out_refund_no

    # --- people -------------------------------------------------------------------------------------------------------

    def payable(self, number: str) -> bool:
        """Say whether a buyer who holds what reached the client could pay now, or open the cashier."""
        there = self.order(number)
        return there.state == "pending" if there is not None else self.name == "alipay" and number in self.links

    def pay(self, number: str, *, amount: int | None = None, currency: str | None = None) -> bool:
        """Let the buyer pay; says whether the cashier let them."""
        try:
            if self.name == "alipay" and number not in self.stand_in.orders:
                self.stand_in.open(self.links[number])
            self.stand_in.pay(number, amount=amount, currency=currency)
        except ValueError:  # Its time is over.
            return False
        return True

    def knows(self, word: str) -> bool:
        """Say whether its stand-in can be steered so."""
        return word in self.stand_in.knows

    # --- notices ------------------------------------------------------------------------------------------------------

    def about(self, out: Outgoing) -> str:
        """Return the attempt that a notice is about."""
        if self._stripe is None:
            return str(out.content["out_trade_no"])
        return str(out.content["data"]["object"]["metadata"].get("payment_id", ""))

    def must_last(self, out: Outgoing) -> bool:
        """Say whether the shop may acknowledge this notice only once it is durable: others it does not act on."""
        if self._stripe is None:
            return True
        content = out.content
        if content["type"] not in _STRIPE_TELLS or out.steering.other_app:
            return False
        metadata = content["data"]["object"]["metadata"]
        return "payment_id" in metadata and ("refund_id" in metadata or not content["type"].startswith("refund."))


def _stripe_order(stripe: Stripe, number: str) -> _Seen | None:
    session, intent = stripe.session_of(number), stripe.intent_of(number)
    thing = session if session is not None else intent
    if thing is None:
        return None
    charge = stripe.charges.get((intent or {}).get("latest_charge") or "")
    if charge is not None:
        return _Seen("paid", charge["amount"], charge["amount"], charge["currency"].upper(), charge["amount_refunded"])
    amount = thing["amount_total" if session is not None else "amount"]
    if session is not None:
        return _Seen({"open": "pending", "expired": "closed"}.get(session["status"], "pending"), amount)
    return _Seen("closed" if thing["status"] == "canceled" else "pending", amount)


__all__ = ["Bank", "OrderThere", "RefundThere", "of_seed"]
