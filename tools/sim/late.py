"""Late money: a purchase that expired comes back whole, in the call that takes its money, or its money goes back.

What its stock must be follows from its orders (``units.py``): one unit not taken, or taken twice, breaks the equation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

QUIET = 60
"""So many calls a SKU must not have moved before we say that it was there: who sends money back looked a moment ago."""


class Late:
    """Which purchases came back, which money did not bring its purchase back."""

    def __init__(self) -> None:
        self._calls = 0
        self._moved: dict[str, int] = {}
        self._purchases: set[str] = set()
        self._orders: dict[str, str] = {}
        self._refused: list[tuple[str, str]] = []

    def purchase_moved(self, purchase_id: str, before: str, after: str) -> None:
        """Take a purchase's new state."""
        if (before, after) == ("expired", "paid"):
            self._purchases.add(purchase_id)

    def order_moved(self, order_id: str, purchase_id: str, before: str, after: str) -> None:
        """Take an order's new state."""
        if before == "cancelled" and after != "cancelled":
            self._orders[order_id] = purchase_id

    def sent_back(self, payment_id: str, purchase_id: str) -> None:
        """Take a payment that is sent back because its purchase had expired."""
        self._refused.append((payment_id, purchase_id))

    def stock_moved(self, sku_id: str) -> None:
        """Take a change of what can be sold of a SKU."""
        self._moved[sku_id] = self._calls

    def check(
        self,
        orders: Callable[[str], list[str]],
        wanted: Callable[[str], Mapping[str, int]],
        available: Callable[[str], int],
    ) -> Iterator[tuple[str, str]]:
        """Say what is wrong since the last call: what, and with which record.

        ``orders``: the orders of a purchase; ``wanted``: what an order was of, by SKU; ``available``: what is left.
        """
        self._calls += 1
        for order_id, purchase_id in self._orders.items():
            if purchase_id not in self._purchases:
                yield "came back without its purchase", order_id
        for purchase_id in self._purchases:
            missing = [order_id for order_id in orders(purchase_id) if order_id not in self._orders]
            if missing:
                yield f"came back without {', '.join(missing)}", purchase_id
        for payment_id, purchase_id in self._refused:
            basket: dict[str, int] = {}
            for order_id in orders(purchase_id):
                for sku_id, units in wanted(order_id).items():
                    basket[sku_id] = basket.get(sku_id, 0) + units
            quiet = all(self._calls - self._moved.get(sku_id, 0) > QUIET for sku_id in basket)
            if basket and quiet and all(available(sku_id) >= units for sku_id, units in basket.items()):
                yield "late money is sent back although everything is free", payment_id
        self.forget()

    def forget(self) -> None:
        """Forget what was not checked yet."""
        self._purchases.clear()
        self._orders.clear()
        self._refused.clear()
