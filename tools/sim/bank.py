"""The payment provider of one seed: a stand-in of ``tools/fakes/sandbox``, its books, and how people reach it.

Most seeds are played with the sandbox provider; the others with a real adapter, against the stand-in that speaks its
protocol. Keys are fixed, ids and nonces come from the seed: a run replays to the byte.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from chalicelib.runtime import outbound
from tools.fakes.sandbox import providers
from tools.fakes.sandbox.alipay import Alipay
from tools.fakes.sandbox.core import Sandbox
from tools.fakes.sandbox.mount import transport
from tools.fakes.sandbox.qqwallet import QQWallet
from tools.fakes.sandbox.stand_in import Outgoing
from tools.fakes.sandbox.stripe import Stripe
from tools.fakes.sandbox.wechatpay import WechatPay

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
_BOOKS = ("orders", "refunds")
_STRIPE_BOOKS = ("sessions", "intents", "charges", "refunds", "disputes", "_remembered", "_ours")
BOUNCING = ("sandbox", "wechatpay", "stripe")
"""Providers whose stand-in tells of a refund that had gone through and came back."""
_MAY_FOLLOW = {
    "": ("open", "inquire"),
    "warning_needs_response": ("needs_response", "warning_closed"),
    "warning_closed": ("needs_response", "open"),
    "needs_response": ("won", "lost"),
    "won": ("lost", "needs_response", "open"),
    "lost": ("won",),
}
"""What a payer's bank does next, by what it did last."""


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
                # What comes back, and what a bank takes, stands on the bill under numbers of the provider's.
                name = {"charge": "payment_id", "refund": "refund_id"}.get(row["type"], "")
                console = f"console{row['source']['id']}" if row["type"] == "refund" else ""
                yield row["created"], str(row["source"]["metadata"].get(name) or console)
            return
        for order in self.stand_in.orders.values():
            if order.paid_at is not None:
                yield order.paid_at, order.out_trade_no
        for refund in self.stand_in.refunds.values():
            if refund.refunded_at is not None:
                yield refund.refunded_at, refund.out_refund_no

    # --- afterwards ---------------------------------------------------------------------------------------------------

    def name_there(self, foreign: str) -> str:
        """Return what :meth:`refunds` calls a refund of which our record keeps the provider's own number."""
        return f"console{foreign}" if self._stripe is not None else foreign

    def bounce(self, number: str) -> None:
        """Let a refund that had gone through come back."""
        if self._stripe is not None and number.startswith("console"):
            self._stripe._fail_refund(self._stripe.refunds[number.removeprefix("console")])  # noqa: SLF001
        else:
            self.stand_in.settle(number, "closed")

    def say_old(self, number: str) -> None:
        """Say once more what was true of a refund before it went through: that it had failed."""
        stand_in = self.stand_in
        if self._stripe is not None:
            refund = next(r for r in reversed(stand_in.refunds.values()) if r["metadata"].get("refund_id") == number)
            stand_in._emit("refund.failed", {**refund, "status": "failed"})  # noqa: SLF001
            return
        refund = stand_in.refunds[number]
        content = {"kind": "refund", **stand_in._refund_view(refund), "state": "closed", "refunded_at": None}  # noqa: SLF001
        stand_in._notify(refund.notify_url, refund.out_trade_no, content)  # noqa: SLF001

    def contested(self, number: str) -> str | None:
        """Return how the latest dispute of an attempt stands, "" if there was none; None if it cannot have one."""
        intent = self._stripe.intent_of(number) if self._stripe is not None else None
        if self._stripe is None or intent is None or intent["latest_charge"] is None:
            return None
        of = [d["status"] for d in self._stripe.disputes.values() if d["payment_intent"] == intent["id"]]
        return of[-1] if of else ""

    def contest(self, number: str, chance: random.Random) -> str:
        """Let the payer's bank do whatever it may do next; returns what that was."""
        stripe, before = self._stripe, self.contested(number)
        if stripe is None or before is None:
            return ""
        does = chance.choice(_MAY_FOLLOW[before])
        if does in ("open", "inquire"):
            captured = int(stripe.money(number)[0])
            amount = chance.choice((captured, captured, max(1, captured // 3)))
            stripe.dispute(number, amount=amount, inquiry=does == "inquire")
        else:
            stripe.end_dispute(number, does)
        return does

    def attempt_of(self, dispute: str) -> str:
        """Return the attempt that a dispute is about."""
        if self._stripe is None:
            return ""
        intent = self._stripe.intents[self._stripe.disputes[dispute]["payment_intent"]]
        return str(intent["metadata"].get("payment_id", ""))

    def held_back(self, number: str) -> int:
        """Return what is held back of an attempt because its payer's bank contests it."""
        if self._stripe is None:
            return 0
        charges = {c["id"] for c in self._stripe.charges.values() if c["metadata"].get("payment_id") == number}
        return -sum(
            int(move["amount"])
            for dispute in self._stripe.disputes.values()
            if dispute["charge"] in charges
            for move in dispute["balance_transactions"]
        )

    # --- snapshots ----------------------------------------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """Return a copy of its books."""
        names = _BOOKS if self._stripe is None else _STRIPE_BOOKS
        return {name: copy.deepcopy(getattr(self.stand_in, name)) for name in names}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go back to a copy."""
        for name, book in copy.deepcopy(saved).items():
            setattr(self.stand_in, name, book)

    def state(self) -> list[str]:
        """Return its books as texts: two that say the same are alike."""
        names = _BOOKS if self._stripe is None else _STRIPE_BOOKS
        return [str(entry) for name in names for entry in sorted(getattr(self.stand_in, name).items(), key=str)]

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
        """Return the attempt that a notice names; empty where it names only the provider's own number."""
        if self._stripe is None:
            return str(out.content["out_trade_no"])
        metadata = out.content["data"]["object"]["metadata"]
        if out.content["type"].startswith("refund.") and (out.steering.other_app or "refund_id" not in metadata):
            return ""
        return str(metadata.get("payment_id", ""))

    def must_last(self, out: Outgoing) -> bool:
        """Say whether the shop may acknowledge this notice only once it is durable: others it does not act on."""
        if self._stripe is None:
            return True
        kind = out.content["type"]
        if kind.startswith(("charge.dispute.", "refund.")):
            return True
        return kind in _STRIPE_TELLS and not out.steering.other_app and bool(self.about(out))


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


__all__ = ["BOUNCING", "Bank", "OrderThere", "RefundThere", "of_seed"]
