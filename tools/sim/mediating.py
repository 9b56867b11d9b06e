"""Mediation in the simulator: the platform asks, sides answer or not, somebody appeals, another operator judges.

It is played beside the rest, by chance and faults of its own. The oracle's part: a complaint that waits for somebody
has a deadline, nobody judges an appeal against their own decision, and at the end the books bear for the merchants what
refunds at the platform's cost took from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tools.sim.apart import Apart
from tools.sim.faults import Crash

if TYPE_CHECKING:
    from tools.sim.actors import Cast
    from tools.sim.oracle import Oracle, Sale
    from tools.sim.people import Person

Json = dict[str, Any]

CHANCE = 0.3
CLOSED = ("resolved", "dismissed")
MEDIATED = ("escalated", "overdue")
GOODWILL = "goodwill"
DONE = ("succeeded", "paid_offline")
_CAUSE, _PAYER, _BY, _REFUND = 2, 5, 8, 9
"""Where a decision's document, a list without its empty end, keeps them."""


class Mediating:
    """Lets the people of a cast mediate, by a chance that shifts nobody's."""

    def __init__(self, cast: Cast) -> None:
        self._cast, self._world = cast, cast.world
        self._own = Apart(cast.world, "mediation")
        self._number = 0

    def step(self) -> None:
        """Do one thing about a complaint, or none; its answer may be lost, and it is sent again."""
        if self._own.chance.random() >= CHANCE:
            return
        self._own.faults.armed = self._own.faults.rate > 0
        with self._own.playing():
            known = list(self._world.oracle.complaints.items())[-6:]
            if known:
                complaint_id, seen = self._own.chance.choice(known)
                self._act(complaint_id, seen.status)

    def close(self) -> None:
        """In the quiet end: what was appealed against is judged, and whoever was asked is asked no longer."""
        self._own.faults.armed = False
        with self._own.playing():
            for complaint_id, seen in list(self._world.oracle.complaints.items()):
                if seen.status in ("appealed", *MEDIATED):
                    self._decide(complaint_id, "dismiss")

    def _act(self, complaint_id: str, status: str) -> None:
        chance = self._own.chance
        seen = self._world.oracle.complaints[complaint_id]
        buyer = next(one for one in self._cast.buyers if one.account_id == seen.buyer_id)
        staff = next(one for one in self._cast.staff if one.merchant_id == seen.merchant_id)
        merchant = "/v1/merchant/complaints/{complaint_id}"
        if status in MEDIATED:
            body = {"side": chance.choice(("merchant", "buyer")), "text": "Show it."}
            self._post(self._cast.operator, "/v1/operator/complaints/{complaint_id}/question", complaint_id, body)
        elif status == "buyer_asked":
            self._post(buyer, "/v1/complaints/{complaint_id}/statement", complaint_id, {"text": "Here."})
        elif status == "merchant_asked":
            self._post(staff, f"{merchant}/reply", complaint_id, {"answer": "reject", "text": "No."})
        elif status in CLOSED and chance.random() < 0.5:
            self._post(staff, f"{merchant}/appeal", complaint_id, {"text": "Why?"})
        elif status in CLOSED:
            self._post(buyer, "/v1/complaints/{complaint_id}/appeal", complaint_id, {"text": "Look again."})
        elif status == "appealed":
            self._decide(complaint_id, chance.choice(("uphold", "refund", "dismiss")))
        elif chance.random() < 0.2:
            self._post(buyer, "/v1/complaints/{complaint_id}/person", complaint_id, {})

    def _decide(self, complaint_id: str, word: str) -> None:
        body: Json = {"decision": word, "text": "Judged.", "facts": "It is so.", "rule": "CN-ECL-63-1"}
        if word == "refund":
            body |= {"amount": {"minor": 1, "currency": "CNY"}, "payer": "platform"}
        self._post(self._cast.second, "/v1/operator/complaints/{complaint_id}/decision", complaint_id, body)

    def _post(self, who: Person, template: str, complaint_id: str, body: Json) -> None:
        self._number += 1
        key, world = f"mediation-{self._number:06d}", self._world
        with world.calm():
            token = who.token(world.now_s())
        for _ in range(3):
            try:
                answer = world.call("POST", template, {"complaint_id": complaint_id}, body, token=token, key=key)
            except Crash:
                continue
            if answer is not None and answer.status != 503:
                return


# --- the oracle -------------------------------------------------------------------------------------------------------


def row_problems(new: Json, doc: Json) -> Iterator[str]:
    """Yield what is wrong with a complaint as it was just written."""
    status = new["status"]["S"]
    if (status in (*CLOSED, "withdrawn")) is bool(doc.get("due_ms")):
        yield f"{status} and its deadline do not go together"
    decided = [one[_BY] for one in doc.get("decisions", ()) if len(one) > _BY and one[_BY]]
    if doc.get("appealed_by") and len(decided) > 1 and decided[0] == decided[1]:
        yield "whoever decided judged the appeal"


def borne(doc: Json) -> frozenset[str]:
    """Return the first numbers of a complaint's refunds that are at the platform's cost."""
    payers = {one[_REFUND]: one[_PAYER] for one in doc.get("decisions", ()) if len(one) > _REFUND}
    return frozenset(number for number, payer in payers.items() if payer == "platform")


def sale_problems(oracle: Oracle, sale: Sale) -> Iterator[str]:
    """Yield where the books bear something else than what refunds at the platform's cost took from merchants."""
    numbers = {one for seen in oracle.complaints.values() if seen.order_id in sale.orders for one in seen.borne}
    expected, count = 0.0, 0
    for number, refund in sale.refunds.items():
        if refund.status in DONE and {number, refund.origin} & numbers and refund.order_id:
            expected += refund.amount * (10_000 - sale.orders[refund.order_id].commission_bps) / 10_000
            count += 1
    found = sale.ledger.get((GOODWILL, sale.currency), 0)
    if abs(found - expected) > count:
        yield f"goodwill bears {found}, refunds at the platform's cost took {expected:.1f} from merchants"
