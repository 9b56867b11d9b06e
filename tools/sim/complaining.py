"""Complaints: buyers file, withdraw, accept and escalate, merchants answer, operators decide; often nobody does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.sim.oracle import ComplaintSeen

if TYPE_CHECKING:
    from tools.sim.actors import Cast
    from tools.sim.people import Person

REASONS = (
    "not_received",
    "not_received",
    "missing_parts",
    "damaged",
    "quality",
    "wrong_item",
    "late",
    "service",
    "other",
)
COMPLAINABLE = ("paid", "partly_shipped", "shipped", "turned_back", "delivered", "completed")
ANSWERABLE = ("refund_offered", "remedy_offered", "rejected")
DECIDABLE = ("escalated", "overdue")
CLOSED = ("resolved", "dismissed")


class Complaining:
    """What the people of a cast do about complaints."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def act(self) -> None:
        """Do one thing about complaints."""
        self.rng.choice((self.file, self.file, self.answer, self.answer, self.respond, self.respond, self.decide))()

    def file(self) -> None:
        """Complain about a line of an order."""
        sale = self.cast.sale(lambda one: any(order.status in COMPLAINABLE for order in one.orders.values()))
        if sale is None or not sale.orders:
            return
        order_id = self.rng.choice(list(sale.orders))
        lines = self.world.oracle.lines_of(order_id)
        body = {
            "order_id": order_id,
            "line_id": str(self.rng.randint(1, len(lines))),
            "reason": self.rng.choice(REASONS),
            "text": "It is not right.",
        }
        key = self.cast.key()
        buyer = self.cast.buyer_of(sale)
        self.cast.ask(buyer, "POST", "/v1/complaints", None, body, key=key)
        if self.rng.random() < 0.15:
            self.world.faults.count("client_duplicate")
            self.cast.ask(buyer, "POST", "/v1/complaints", None, body, key=key)

    def _one(self, *statuses: str) -> tuple[str, ComplaintSeen] | None:
        """Pick a complaint: one that fits, unless somebody acts wrongly."""
        known = list(self.world.oracle.complaints.items())
        if self.cast.focus is not None:
            known = [one for one in known if one[1].order_id in self.cast.focus.orders]
        if self.rng.random() < 0.95:
            known = [one for one in known if one[1].status in statuses]
        return self.rng.choice(known[-8:]) if known else None

    def answer(self) -> None:
        """Offer money, offer something else, or reject, as the merchant."""
        found = self._one("awaiting_merchant")
        if found is None:
            return
        complaint_id, complaint = found
        word = self.rng.choice(("refund", "refund", "refund", "remedy", "reject", "reject"))
        body: dict[str, Any] = {"answer": word, "text": "We are sorry."}
        if word == "refund":
            body["amount"] = self._amount(complaint)
        staff = next(one for one in self.cast.staff if one.merchant_id == complaint.merchant_id)
        self._post(staff, "/v1/merchant/complaints/{complaint_id}/reply", complaint_id, body)

    def _amount(self, complaint: ComplaintSeen) -> dict[str, Any]:
        """Return what something about a line may be worth: its unsent units, some units, all of it, or anything."""
        order = self.world.oracle.units.orders[complaint.order_id]
        line = order.lines.get(complaint.line_id) or next(iter(order.lines.values()))
        unsent = order.open(complaint.line_id) if complaint.line_id in order.lines else 0
        units = self.rng.randint(1, line.quantity)
        worth = [line.charged * count // line.quantity for count in (unsent or units, unsent or units, units)]
        minor = self.rng.choice((*worth, line.charged, max(1, line.charged // 3), line.charged + 1))
        return {"minor": max(1, minor), "currency": "CNY"}

    def respond(self) -> None:
        """Accept, escalate, withdraw or reopen, as the buyer."""
        word = self.rng.choice(("accept", "accept", "escalate", "withdraw", "reopen"))
        fitting = {"accept": ANSWERABLE, "escalate": ANSWERABLE, "reopen": CLOSED}
        found = self._one(*fitting.get(word, ("awaiting_merchant", *ANSWERABLE, *DECIDABLE)))
        if found is None:
            return
        complaint_id, complaint = found
        buyer = next(one for one in self.cast.buyers if one.account_id == complaint.buyer_id)
        body = {"text": "Look again."} if word in ("escalate", "reopen") else {}
        self._post(buyer, f"/v1/complaints/{{complaint_id}}/{word}", complaint_id, body)

    def decide(self) -> None:
        """Decide, as an operator."""
        found = self._one(*DECIDABLE)
        if found is not None:
            word = self.rng.choice(("refund", "refund", "refund", "remedy", "dismiss"))
            self._decide(found[0], found[1], word)

    def _decide(self, complaint_id: str, complaint: ComplaintSeen, word: str) -> None:
        body: dict[str, Any] = {"decision": word, "text": "Decided.", "facts": "It is so.", "rule": "CN-CPL-24-1"}
        if word == "refund":
            body |= {"amount": self._amount(complaint), "payer": "platform"}
        self._post(self.cast.operator, "/v1/operator/complaints/{complaint_id}/decision", complaint_id, body)

    def _post(self, who: Person, template: str, complaint_id: str, body: dict[str, Any]) -> None:
        key = self.cast.key()
        self.cast.ask(who, "POST", template, {"complaint_id": complaint_id}, body, key=key)
        if self.rng.random() < 0.1:
            self.world.faults.count("client_duplicate")
            self.cast.ask(who, "POST", template, {"complaint_id": complaint_id}, body, key=key)

    def close(self) -> None:
        """In the quiet end: an operator decides what waits for one, else it would be overdue for ever."""
        for complaint_id, complaint in list(self.world.oracle.complaints.items()):
            if complaint.status in DECIDABLE:
                self._decide(complaint_id, complaint, "dismiss")

    def refund_lines(self, order_id: str) -> dict[str, Any]:
        """Return an operator's refund of units: those that have not left, some, or more than there are."""
        order = self.world.oracle.units.orders[order_id]
        line_id = self.rng.choice(list(order.lines))
        unsent, bought = order.open(line_id), order.lines[line_id].quantity
        quantity = self.rng.choice((unsent or 1, unsent or 1, self.rng.randint(1, bought), bought, bought + 1))
        return {
            "order_id": order_id,
            "lines": [{"line_id": line_id, "quantity": quantity}],
            "freight": self.rng.random() < 0.2,
            "reason": "units",
        }
