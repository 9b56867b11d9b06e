"""Abnormal refunds that operators send to another card of the buyer's, at the sandbox provider.

They do it twice, with another card, at once, or as two persons. The provider must never hear of a card that is not in
our books: it is written first, so that whoever looks meanwhile knows that the refund is on its way.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tools.sim.actors import Cast
    from tools.sim.oracle import RefundSeen

SHARE = 0.5
"""How often an operator who finds one that the payer's bank does not take sends it elsewhere."""
RECENT = 6
ROUTE = "/v1/operator/refunds/{refund_id}/to-card"


class Sent(NamedTuple):
    """One time that a refund was sent to a card, as its row tells."""

    intent: str
    payee: str
    alone: bool
    """Whether one person sent it there, without a second."""


def sent(before: RefundSeen | None, doc: Mapping[str, Any]) -> tuple[Sent, ...]:
    """Return each time that a refund was sent to a card, from what was seen before and what its row says now."""
    known = before.to_cards if before is not None else ()
    told = doc.get("redirect")
    if not told or any(one.intent == told["intent"] for one in known):
        return known
    return (*known, Sent(told["intent"], told["payee"], not told.get("approved_by")))


class ToCard:
    """The operators of a cast, and the buyers who name them a card."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.world = cast, cast.world
        self._rng = random.Random(f"{cast.world.seed}:to card")  # noqa: S311
        if self.world.bank.name == "sandbox":
            self._listen(self.world.bank.stand_in)

    def _listen(self, stand_in: Any) -> None:
        """Look into our books at the moment at which the provider hears of a card."""
        real = stand_in._to_card  # noqa: SLF001

        def heard(number: str, content: dict[str, Any]) -> Any:
            sale = self.world.oracle.sales.get("pur_" + number.split("_")[1])
            refund = sale.refunds.get(number) if sale is not None else None
            digits = f"**{content['bank_account'][-4:]}"
            if refund is None or not any(one.payee.endswith(digits) for one in refund.to_cards):
                self.world.oracle.broken("refunds to cards", "it hears of a card that is not in our books", number)
            return real(number, content)

        stand_in._to_card = heard  # noqa: SLF001

    def act(self) -> bool:
        """Send an abnormal refund to a card, or let one become so; say whether it was done."""
        stuck = [
            number
            for sale in self.world.oracle.sales.values()
            for number, refund in sale.refunds.items()
            if refund.status == "abnormal"
        ]
        if self.world.bank.name != "sandbox" or self._rng.random() >= SHARE:
            return False
        if not stuck:
            return self._refuse()
        self.world.faults.count("refund_sent_to_card")
        self._send(self._rng.choice(stuck))
        return True

    def _refuse(self) -> bool:
        """Let the payer's bank not take a refund that is under way, or those of what was paid lately."""
        pending = [number for number, refund in self.world.bank.refunds() if refund.state == "pending"]
        sales = list(self.world.oracle.sales.values())[-RECENT:]
        paid = [number for sale in sales for number, payment in sale.payments.items() if payment.captured]
        if not pending and not paid:
            return False
        self.world.totals.steps += 1
        if pending:
            number = self._rng.choice(pending)
            self.world.say(f"the payer's bank does not take the refund {number}")
            self.world.sandbox.settle(number, "abnormal")
        else:
            number = self._rng.choice(paid)
            self.world.say(f"the payer's card is dead: no refund of {number} goes through")
            self.world.sandbox.steer(number, refund="abnormal")
        return True

    def _send(self, number: str) -> None:
        path, card, key, draw = {"refund_id": number}, self._card(), self.cast.key(), self._rng.random()
        if draw < 0.3:
            card |= self._agreed(path, card)
        self.cast.ask(self.cast.operator, "POST", ROUTE, path, card, key=key)
        if 0.2 < draw < 0.5:
            self.world.faults.count("client_duplicate")
            self.cast.ask(self.cast.operator, "POST", ROUTE, path, card, key=key)
        elif draw < 0.7:  # Somebody else has another card for it.
            self.cast.ask(self.cast.second, "POST", ROUTE, path, self._card(), key=self.cast.key())

    def _card(self) -> dict[str, str]:
        account = f"62220202{self._rng.randrange(10**8):08d}"
        holder = f"持卡人丙{account[-6:]}"
        self.world.unspeakable += [account, holder]
        return {"bank_type": "ICBC_DEBIT", "bank_account": account, "real_name": holder}

    def _agreed(self, path: dict[str, str], card: dict[str, str]) -> dict[str, str]:
        """Let a second person agree to this card; return what the request says of it."""
        answer = self.cast.ask(self.cast.operator, "POST", ROUTE + "-approvals", path, card)
        if answer is None or not answer.ok or answer.json is None:
            return {}
        approval_id = str(answer.json["approval_id"])
        where = {"purchase_id": "pur_" + path["refund_id"].split("_")[1], "approval_id": approval_id}
        approve = "/v1/operator/purchases/{purchase_id}/refund-approvals/{approval_id}/approve"
        for who in (self.cast.operator, self.cast.second):  # Whoever asked may not confirm it.
            self.cast.ask(who, "POST", approve, where, {"note": "seen"})
        return {"approval_id": approval_id}
