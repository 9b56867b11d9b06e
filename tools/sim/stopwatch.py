"""P4 and P7 by the clock: how long money and stock wait, in seconds of service. ``docs/simulator.md`` says what counts.

Time counts while the world is served (``World.serve``: schedules, streams and queues run as deployed, nothing of AWS
fails) and the provider concerned answers. Every other moment is an outage: it starts the count again and marks what
was waiting as *troubled*, which is judged by the ten minutes that any unknown has, back-off included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.sim.bank import Bank
from tools.sim.oracle import HOLDING, OPEN, Oracle, PaymentSeen, RefundSeen, Sale

PROMPT_S = 60.0
"""Surplus money is on its way back, stock of an expired purchase is free: P4 and P7."""
FOUND_S = 120.0
"""A payment is known, however many of its notices are lost and however old its attempt is."""
UNKNOWN_S = 600.0
"""Nothing stays unknown for longer, counted from when it could be asked."""
_PROMISES = {"late_refund": "P4 by the clock", "stock_back": "P7 by the clock", "unknown": "P4 by the clock"}
_PROMISES["found"] = "P4 by asking"
_WORDS = {
    "late_refund": "money we know of was not on its way back",
    "stock_back": "the stock of an expired purchase was not free",
    "unknown": "our record was behind the provider's",
    "found": "nobody had found a payment",
}

UNDER_WAY = ("requested", "pending")

Key = tuple[str, str]
"""What is measured, and the record it is about."""


@dataclass
class Watch:
    """One thing that waits."""

    served_s: float = 0.0
    troubled: bool = False


@dataclass
class Timings:
    """The longest of each kind in seconds, and how many were measured to their end."""

    longest_s: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, seconds: float) -> None:
        """Add one measurement."""
        self.longest_s[kind] = max(self.longest_s.get(kind, 0.0), seconds)
        self.counts[kind] = self.counts.get(kind, 0) + 1


class Stopwatches:
    """Everything that waits while the world is served."""

    def __init__(self, oracle: Oracle, bank: Bank, *, job_every_s: float) -> None:
        self.timings = Timings()
        self.running = False
        self._oracle = oracle
        self._bank = bank
        self._job_every_s = job_every_s
        self._opened_at = 0.0
        self._watches: dict[Key, Watch] = {}
        self._broken: set[Key] = set()
        self._known: dict[str, None] = {}
        """Attempts of whose capture we were told: by a notice that was acknowledged, or by a query's answer."""
        self._behind: dict[str, None] = {}
        """Refunds and attempts of which an acknowledged notice said that one came back, or is contested."""
        self._troubled: set[str] = set()
        """Purchases (the body of their ids) of which a call to the provider failed since service began."""

    def told(self, payment_id: str) -> None:
        """Note that the shop knows of a capture now."""
        self._known[payment_id] = None

    def told_more(self, record_id: str) -> None:
        """Note that the shop was told that a refund came back, or what a payer's bank does about an attempt."""
        self._behind[record_id] = None

    def moved_again(self, payment_id: str) -> None:
        """Note that a payer's bank did something more, of which no notice has been acknowledged yet."""
        self._behind.pop(payment_id, None)

    def trouble(self, record_id: str) -> None:
        """Note that a call to the provider about a purchase failed: what waits, waits from now for its back-off."""
        if not self.running:
            return
        body = _body(record_id)
        self._troubled.add(body)
        for (_, subject), watch in self._watches.items():
            if _body(subject) == body:
                watch.troubled, watch.served_s = True, 0.0

    def open(self, now_s: float) -> None:
        """Service begins: what waits already has waited through an outage."""
        self.running = True
        self._opened_at = now_s
        self._watches = {key: Watch(troubled=True) for key, _ in self._waiting(now_s, 0.0)}

    def close(self, now_s: float) -> None:
        """Service ends; what still waits is not measured."""
        self._ended({key for key, _ in self._waiting(now_s, 0.0)})
        self.running = False
        self._watches.clear()
        self._troubled.clear()

    def tick(self, seconds: float, now_s: float) -> None:
        """Let service time pass: whatever waits now, waits so much longer, for nothing happens in between."""
        waiting = dict(self._waiting(now_s, seconds))
        self._ended(set(waiting))
        for key, counted_s in waiting.items():
            watch = self._watches.setdefault(key, Watch(troubled=self._is_troubled(key)))
            if self._answers(key):
                watch.served_s += counted_s
                self._judge(key, watch)
            else:
                watch.troubled, watch.served_s = True, 0.0

    def _is_troubled(self, key: Key) -> bool:
        """Say whether what begins to wait now was in trouble before: the job may have missed its run for it."""
        kind, subject = key
        body = _body(subject)
        missed = self._oracle.sales["pur_" + body].due_at_s < self._opened_at + self._job_every_s
        return body in self._troubled or (kind == "stock_back" and missed)

    def _judge(self, key: Key, watch: Watch) -> None:
        kind, subject = key
        limit_s = UNKNOWN_S if watch.troubled or kind == "unknown" else FOUND_S if kind == "found" else PROMPT_S
        if watch.served_s > limit_s and key not in self._broken:
            self._broken.add(key)
            why = " after the trouble was over" if watch.troubled else ""
            self._oracle.broken(_PROMISES[kind], f"{_WORDS[kind]} for {watch.served_s:.0f} s of service{why}", subject)

    def _ended(self, waiting: set[Key]) -> None:
        """Measure what waits no longer."""
        for key in [key for key in self._watches if key not in waiting]:
            watch = self._watches.pop(key)
            kind = self._came_to(key)
            if kind:
                self.timings.add(
                    kind if not watch.troubled or kind == "unknown" else f"{kind}_after_trouble", watch.served_s
                )

    def _came_to(self, key: Key) -> str:
        """Return what was measured in the end."""
        kind, subject = key
        sale = self._oracle.sales["pur_" + _body(subject)]
        if kind == "stock_back":
            return kind if sale.status == "expired" else ""
        if kind == "late_refund":
            return kind if sale.payments[subject].status in ("surplus", "returned") else "capture_recorded"
        return kind

    # --- what waits ---------------------------------------------------------------------------------------------------

    def _waiting(self, now_s: float, seconds: float) -> Iterator[tuple[Key, float]]:
        """Yield what waits during the next seconds, and for how many of them."""
        for payment_id in list(self._known):
            if self._is_late(payment_id):
                yield ("late_refund", payment_id), seconds
        for sale in self._oracle.sales.values():
            if sale.status == "awaiting_payment" and 0 < sale.due_at_s <= now_s + seconds:
                yield ("stock_back", sale.purchase_id), now_s + seconds - max(now_s, sale.due_at_s)
            for kind, payment_id in self._open_ones(sale, now_s):
                yield (kind, payment_id), seconds
            for refund_id, refund in sale.refunds.items():
                if refund.status in UNDER_WAY and self._refund_is_behind(refund_id, refund):
                    yield ("unknown", refund_id), seconds

        for record_id in self._lagging():
            yield ("unknown", record_id), seconds

    def _open_ones(self, sale: Sale, now_s: float) -> Iterator[Key]:
        """Yield the open attempts that the provider knows more of, and those of them that somebody has paid."""
        for payment_id, payment in sale.payments.items():
            if payment.status in OPEN and self._is_behind(payment_id, payment):
                yield "unknown", payment_id
                if self._is_paid(payment_id) and now_s < sale.due_at_s:
                    yield "found", payment_id

    def _lagging(self) -> list[str]:
        """Return those of which we were told something that our record does not say yet; forget the others."""
        self._behind = {record_id: None for record_id in self._behind if self._lags(record_id)}
        return list(self._behind)

    def _lags(self, record_id: str) -> bool:
        """Say whether our record is not yet what we were told of what happened afterwards."""
        sale = self._oracle.sales.get("pur_" + _body(record_id))
        if sale is None:
            return False
        if record_id in sale.payments:
            return sale.payments[record_id].disputed != self._bank.held_back(record_id)
        refund, there = sale.refunds.get(record_id), self._bank.refund(record_id)
        return refund is not None and refund.status == "succeeded" and there is not None and there.state == "closed"

    def _is_late(self, payment_id: str) -> bool:
        """Say whether a capture we know of is neither recorded as the purchase's nor on its way back."""
        sale = self._oracle.sales.get("pur_" + _body(payment_id))
        payment = sale.payments.get(payment_id) if sale is not None else None
        if sale is None or payment is None or payment.status not in HOLDING:
            return sale is not None and payment is not None
        if payment.status == "surplus":
            for refund_id, refund in sale.refunds.items():
                if refund.payment_id == payment_id and refund.status == "requested":
                    return self._bank.refund(refund_id) is None
        del self._known[payment_id]
        return False

    def _is_behind(self, payment_id: str, payment: PaymentSeen) -> bool:
        there = self._bank.order(payment_id)
        return there is not None and (there.state != "pending" or payment.status == "started")

    def _is_paid(self, payment_id: str) -> bool:
        there = self._bank.order(payment_id)
        return there is not None and there.state == "paid"

    def _refund_is_behind(self, refund_id: str, refund: RefundSeen) -> bool:
        there = self._bank.refund(refund_id)
        return refund.status == "requested" or (there is not None and there.state != "pending")

    def _answers(self, key: Key) -> bool:
        """Say whether the provider answers about everything that this waits for."""
        kind, subject = key
        if self._oracle.parked.holds_up(_body(subject)):
            return False  # For a person, who has to mend what refuses its deadline.
        sale = self._oracle.sales["pur_" + _body(subject)]
        if kind == "stock_back":
            attempts = [number for number, payment in sale.payments.items() if payment.status in OPEN]
        else:
            attempts = [sale.refunds[subject].payment_id if subject in sale.refunds else subject]
        return not any(self._bank.stand_in.steering(number).down for number in attempts)


def _body(record_id: str) -> str:
    """Return what all ids of one purchase share."""
    return record_id[4:28]
