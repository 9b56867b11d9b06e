"""Operators: they refund, ask the provider, try again, and take refunds of the console into the books."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.sim.oracle import STUCK, Sale

if TYPE_CHECKING:
    from tools.sim.actors import Cast


class Operating:
    """What operators do about money."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def adopt(self) -> None:
        """Take a refund of the console into the books; twice, on any order, while nobody answers."""

        def of(sale: Sale) -> list[str]:
            return [
                note_id
                for note_id, note in sale.notes.items()
                if note.why == "unknown_refund" and (not note.resolved or self.rng.random() < 0.05)
            ]

        sale = self.cast.sale(lambda one: bool(one.notes) and bool(of(one)))
        found = of(sale) if sale is not None else []
        if sale is None or not found or not sale.orders:
            return
        note_id = self.rng.choice(found)
        if self.world.faults.armed and self.rng.random() < 0.2:
            self.world.faults.count("provider_timeout")
            number = sale.notes[note_id].payment_id
            self.world.sandbox.steer(number, silent_before=("query_refund",) * self.rng.randint(1, 2))
        template = "/v1/operator/purchases/{purchase_id}/quarantined/{quarantine_id}/resolve"
        path = {"purchase_id": sale.purchase_id, "quarantine_id": note_id}
        body = {"how": "adopt", "order_id": self.rng.choice(list(sale.orders)), "note": "done by phone"}
        key = self.cast.key()
        answer = self.cast.ask(self.cast.operator, "POST", template, path, body, key=key)
        if answer is not None and answer.ok:
            self.world.faults.count("console_refund_adopted")
        if self.rng.random() < 0.15:
            self.world.faults.count("client_duplicate")
            self.cast.ask(self.cast.operator, "POST", template, path, body, key=self.rng.choice((key, self.cast.key())))

    def operate(self) -> None:
        """Refund a part, ask about a payment, try a stuck refund again."""
        draw = self.rng.random()
        if draw < 0.45:
            self._refund()
        elif draw < 0.6:
            sale = self.cast.sale(lambda one: bool(one.payments))
            if sale is not None and sale.payments:
                path = {"payment_id": self.rng.choice(list(sale.payments))}
                self.cast.ask(self.cast.operator, "POST", "/v1/operator/payments/{payment_id}/query", path)
        elif draw < 0.63:
            sale = self.cast.sale(lambda one: bool(one.refunds))
            if sale is not None and sale.refunds:
                path = {"refund_id": self.rng.choice(list(sale.refunds))}
                self.cast.ask(self.cast.operator, "POST", "/v1/operator/refunds/{refund_id}/query", path)
        else:
            self.retry_refund()

    def _refund(self) -> None:
        sale = self.cast.sale(lambda one: one.status == "paid")
        if sale is None or not sale.orders:
            return
        order_id = self.rng.choice(list(sale.orders))
        order = sale.orders[order_id]
        taken = sum(
            one.amount for one in sale.refunds.values() if one.order_id == order_id and one.status != "replaced"
        )
        left = max(1, order.total - taken)
        amount = self.rng.choice((1, max(1, order.total // 3), max(1, left // 2), left, left, order.total + 1))
        money = {"minor": amount, "currency": sale.currency}
        body: dict[str, Any] = {"order_id": order_id, "amount": money, "reason": "goodwill"}
        if self.rng.random() < 0.4:
            body = self.cast.complaining.refund_lines(order_id)
        if self.rng.random() < 0.3:
            body = {**body, "offline": True}
        path, key = {"purchase_id": sale.purchase_id}, self.cast.key()
        template = "/v1/operator/purchases/{purchase_id}/refunds"
        self.cast.ask(self.cast.operator, "POST", template, path, body, key=key)
        if self.rng.random() < 0.15:
            self.world.faults.count("client_duplicate")
            self.cast.ask(self.cast.operator, "POST", template, path, body, key=key)

    def retry_refund(self) -> None:
        """Try a stuck refund again, after what kept it was mended (mostly)."""
        sale = self.cast.sale(lambda one: any(refund.status in STUCK for refund in one.refunds.values()))
        stuck = [number for number, refund in (sale.refunds if sale else {}).items() if refund.status in STUCK]
        if sale is not None and stuck:
            number = self.rng.choice(stuck)
            if self.rng.random() < 0.7:
                self.world.sandbox.steer(sale.refunds[number].payment_id, refund="succeeded", refuse=())
            path = {"refund_id": number}
            self.cast.ask(self.cast.operator, "POST", "/v1/operator/refunds/{refund_id}/retry", path)

    def read_the_bill(self) -> None:
        """In the quiet end: an operator asks about refunds that came back, and nobody told us."""
        oracle = self.world.oracle
        for sale in oracle.sales.values():
            for number, refund in sale.refunds.items():
                if refund.status == "succeeded" and (refund.there or number) in oracle.untold:
                    self.cast.ask(
                        self.cast.operator, "POST", "/v1/operator/refunds/{refund_id}/query", {"refund_id": number}
                    )
