"""Buyers: they fill carts, order, start to pay, call off, confirm and look; twice, late, or what is not theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.kernel import ids
from chalicelib.runtime.intents import Intent

if TYPE_CHECKING:
    from tools.sim.actors import Cast
    from tools.sim.people import Person


class Buying:
    """What buyers do in the shop."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def shop(self, buyer: Person | None = None, *, quantity: int = 0) -> str | None:
        """Fill the cart, ask for a quote, order; returns the purchase."""
        buyer = buyer or self.rng.choice(self.cast.buyers)
        sku_ids = self.rng.sample(self.cast.sku_ids, min(len(self.cast.sku_ids), self.rng.choice((1, 1, 2, 3))))
        lines = [{"sku_id": sku_id, "quantity": quantity or self.rng.choice((1, 1, 1, 2, 3))} for sku_id in sku_ids]
        body: dict[str, Any] = {"address_id": buyer.address_id}
        match self.rng.choice(("line by line", "together", "with the quote")):
            case "line by line":
                for line in lines:
                    path = {"sku_id": str(line["sku_id"])}
                    self.cast.ask(buyer, "PUT", "/v1/cart/lines/{sku_id}", path, {"quantity": line["quantity"]})
            case "together":
                self.cast.ask(buyer, "PATCH", "/v1/cart", None, {"lines": lines})
            case _:
                body["lines"] = lines
        answer = self.cast.ask(buyer, "POST", "/v1/quotes", None, body)
        if answer is None or not answer.ok:
            return None
        buyer.quotes = [*buyer.quotes, answer.json["quote"]][-3:]
        return self.place(buyer, answer.json["quote"])

    def place(self, buyer: Person, quote: str) -> str | None:
        """Order what was quoted; clicked twice, or the quote used again, now and then."""
        key = self.cast.key()
        body: dict[str, Any] = {"quote": quote}
        made = Intent(scope=buyer.account_id, key=key, fingerprint="").record_id("pur")
        self.world.oracle.intents[made] = quote
        if self.rng.random() < 0.4:
            self.cast.providing.steer(f"{made.replace('pur_', 'pay_')}_01")
            body["payment"] = self._way_to_pay()
        oracle = self.world.oracle
        free = oracle.holding.free(buyer.account_id, oracle.sales.values(), self.world.clock.moment)
        answer = self.cast.ask(buyer, "POST", "/v1/purchases", None, body, key=key)
        for purchase_id in free & set(answer.json.get("purchase_ids", ()) if answer is not None else ()):
            oracle.broken("what is held unpaid", "somebody is refused for a purchase that holds nothing", purchase_id)
        if not self.cast.faithful and self.rng.random() < 0.1:
            self.world.faults.count("client_duplicate")
            self.cast.ask(buyer, "POST", "/v1/purchases", None, body, key=key)
        return str(answer.json["purchase_id"]) if answer is not None and answer.status == 201 else None

    def place_old(self) -> None:
        """Order an old quote under a new key."""
        buyer = self.rng.choice(self.cast.buyers)
        if buyer.quotes:
            self.place(buyer, self.rng.choice(buyer.quotes))

    def start_payment(self) -> None:
        """Start to pay, at a provider with a mood."""
        sale = self.cast.sale(lambda one: one.status == "awaiting_payment" and one.attempts < 6)
        if sale is None:
            return
        number = ids.child_id("pay", sale.purchase_id, min(99, sale.attempts + 1))
        if number not in self.world.sandbox._steering:  # noqa: SLF001
            self.cast.providing.steer(number)
        key = self.cast.key()
        path = {"purchase_id": sale.purchase_id}
        body = self._way_to_pay()
        buyer = self.cast.buyer_of(sale)
        self.cast.ask(buyer, "POST", "/v1/purchases/{purchase_id}/payments", path, body, key=key)
        if self.rng.random() < 0.1:
            self.world.faults.count("client_duplicate")
            self.cast.ask(buyer, "POST", "/v1/purchases/{purchase_id}/payments", path, body, key=key)

    def _way_to_pay(self) -> dict[str, Any]:
        bank = self.world.bank
        return {
            "provider": bank.name,
            "method": self.rng.choice(bank.methods),
            "return_url": "https://shop.example/back",
        }

    def cancel_purchase(self) -> None:
        """Call a purchase off."""
        sale = self.cast.sale(lambda one: one.status == "awaiting_payment")
        if sale is not None:
            path = {"purchase_id": sale.purchase_id}
            self.cast.ask(
                self.cast.buyer_of(sale), "POST", "/v1/purchases/{purchase_id}/cancel", path, {"reason": "changed"}
            )

    def cancel_order(self) -> None:
        """Cancel a paid order, as its buyer or its merchant, or one that turned back."""
        found = self.cast.order_in("paid", "turned_back")
        if found is None:
            return
        sale, order_id = found
        if self.rng.random() < 0.5:
            self.cast.ask(
                self.cast.buyer_of(sale),
                "POST",
                "/v1/orders/{order_id}/cancel",
                {"order_id": order_id},
                {"reason": "x"},
            )
        else:
            staff = self.cast.selling.staff_of(sale, order_id)
            path = {"order_id": order_id}
            self.cast.ask(staff, "POST", "/v1/merchant/orders/{order_id}/cancel", path, {"reason": "none left"})

    def confirm(self) -> None:
        """Confirm receipt."""
        found = self.cast.order_in("shipped", "delivered")
        if found is not None:
            path = {"order_id": found[1]}
            self.cast.ask(self.cast.buyer_of(found[0]), "POST", "/v1/orders/{order_id}/confirm", path, {})

    def look(self) -> None:
        """Read something; what is not theirs must not be there."""
        sale = self.cast.sale()
        if sale is None:
            return
        buyer = self.rng.choice(self.cast.buyers)
        template = self.rng.choice(("/v1/purchases/{purchase_id}", "/v1/purchases/{purchase_id}/payments"))
        answer = self.cast.ask(buyer, "GET", template, {"purchase_id": sale.purchase_id})
        if answer is not None and answer.ok and buyer.account_id != sale.buyer_id:
            self.world.oracle.broken("tenants", f"{buyer.account_id} saw it", sale.purchase_id)
