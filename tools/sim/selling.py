"""Merchants: they ship, receive, write off, spread stock and change prices; also too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.catalog import service as catalog
from chalicelib.catalog.domain import Draft, SkuDraft
from chalicelib.kernel.errors import ShopError
from chalicelib.kernel.money import Money
from chalicelib.runtime.intents import system_intent
from tools.sim.people import Action

if TYPE_CHECKING:
    from tools.sim.actors import Cast
    from tools.sim.oracle import Sale
    from tools.sim.people import Person


class Selling:
    """What merchants do."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.world, self.rng = cast.world, cast.rng

    def staff_of(self, sale: Sale, order_id: str) -> Person:
        """Return somebody of the order's merchant; now and then of another."""
        if self.rng.random() < 0.02:
            return self.rng.choice(self.cast.staff)
        merchant_id = sale.orders[order_id].merchant_id
        return next(person for person in self.cast.staff if person.merchant_id == merchant_id)

    def ship(self) -> None:
        """Ship a part, everything, or too much."""
        found = self.cast.order_in("paid", "partly_shipped", "turned_back")
        if found is None:
            return
        sale, order_id = found
        lines = self._lines(order_id)
        chosen = self.rng.sample(lines, self.rng.randint(1, len(lines)))
        body: dict[str, Any] = {
            "lines": [
                {
                    "line_id": line_id,
                    "quantity": quantity if self.rng.random() < 0.6 else self.rng.randint(1, quantity + 1),
                }
                for line_id, quantity, _ in chosen
            ]
        }
        if chosen[0][2] == "physical" or self.rng.random() < 0.05:
            body |= self.cast.numbers.given()
        elif self.rng.random() < 0.5:
            serial = self.cast.next_serial()
            body["code"] = f"CODE-{self.rng.randrange(10**6):06d}-{serial}"
            self.world.unspeakable.append(body["code"])
        staff = self.staff_of(sale, order_id)
        template, path = "/v1/merchant/orders/{order_id}/shipments", {"order_id": order_id}
        answer = self.cast.ask(staff, "POST", template, path, body)
        if answer is not None and answer.status == 201 and "tracking_number" in body:
            self.cast.parcels.append(body["tracking_number"])

    def _lines(self, order_id: str) -> list[tuple[str, int, str]]:
        """Return line, quantity and kind, as the merchant's screen shows them."""
        quantities = self.world.oracle.lines_of(order_id)
        return [(str(number), quantity, kind) for number, (quantity, kind) in enumerate(quantities, start=1)]

    def restock(self) -> None:
        """Receive, write off, or spread stock."""
        sku_id = self.rng.choice(self.cast.sku_ids)
        staff = self.cast.owners[sku_id]
        product_id = catalog.product_of(sku_id)
        draw, intent = self.rng.random(), system_intent(f"stock#{self.cast.key()}")
        quantity = self.rng.randint(1, 4)

        def work() -> None:
            if draw < 0.5:
                catalog.receive(staff.merchant_id or "", product_id, {sku_id: quantity}, intent=intent, reason="more")
            elif draw < 0.75:
                catalog.write_off(staff.merchant_id or "", product_id, {sku_id: quantity}, intent=intent, reason="lost")
            else:
                catalog.set_buckets(staff.merchant_id or "", product_id, sku_id, quantity)

        self._serve("stock", work)

    def reprice(self) -> None:
        """Change a price."""
        sku_id = self.rng.choice(self.cast.sku_ids)
        staff, price = self.cast.owners[sku_id], Money(self.rng.choice((1, 334, 1999, 2001, 10001)))
        product_id = catalog.product_of(sku_id)

        def work() -> None:
            product = catalog.own(staff.merchant_id or "", product_id)
            draft = Draft(
                skus=tuple(
                    SkuDraft(options=sku.options, price=price, weight_g=sku.weight_g, sku_id=sku.sku_id)
                    for sku in product.skus
                )
            )
            catalog.change(staff.merchant_id or "", product_id, draft, revision=product.revision)

        self._serve("reprice", work)

    def _serve(self, name: str, work: Action) -> None:
        """Run a use case directly, where HTTP would only cost time. Refusals are answers; faults of AWS are retried."""

        def refused() -> None:
            try:
                work()
            except ShopError as error:
                self.world.say(f"      refused: {error.code}")
            except Exception as error:
                if not self.world.faults.armed:
                    raise
                self.world.say(f"      {type(error).__name__}")

        self.world.invoke(name, refused)
