"""Goods that were bought, paid, sent and received, and what their buyer and merchant do about sending them back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from chalicelib.inventory import service as inventory
from chalicelib.kernel import clock
from chalicelib.kernel.roles import Role
from chalicelib.logistics import service as logistics
from chalicelib.logistics import tracking
from chalicelib.logistics.domain import Scan, Snapshot, Status
from chalicelib.orders import service as orders
from chalicelib.orders.service import Order
from chalicelib.payments import service as payments
from tests.support import goods, people
from tests.support import shop as shops
from tests.support.http import Answer, call
from tests.support.paying import Till

_numbers = count(10_000_000)
ADDRESS = {"recipient": "退货组", "phone": "+86 571 8800 0000", "city": "杭州市", "street": "仓前路 8 号"}


def parcel() -> dict[str, str]:
    """Return a parcel under a number that no other has."""
    return {"carrier": "yuantong", "tracking_number": f"YT{next(_numbers)}"}


@dataclass
class Desk:
    """One order that its buyer received, and the people around it."""

    till: Till
    buyer: shops.Buyer
    shop: shops.Shop
    staff: people.Person
    made: goods.Made
    order_id: str

    @classmethod
    def open(cls, noon: Any, *, quantity: int = 3, **wanted: Any) -> Desk:
        """Sell, ship and deliver so many units of a product of two variants; freight is 8 yuan."""
        till, buyer, shop = Till.open(noon), shops.buyer(), shops.shop()
        staff = people.staff(shop.merchant_id)
        made = shop.product(**{"skus": 2, "price_minor": 1000, **wanted})
        desk = cls(till, buyer, shop, staff, made, "")
        desk.order_id = desk.bought(quantity)
        desk.deliver(desk.ship(quantity))
        return desk

    def bought(self, quantity: int, **more: Any) -> str:
        """Buy and pay so many units of the first variant; returns the order."""
        self.buyer.put(self.made.sku_id, quantity)
        body = {"quote": self.buyer.quote().json["quote"], **more}
        purchase = self.buyer.post("/v1/purchases", body).json
        path = f"/v1/purchases/{purchase['purchase_id']}/payments"
        self.till.sandbox.pay(self.buyer.post(path, {"provider": "sandbox"}).json["payment_id"])
        self.till.settle()
        return str(purchase["order_ids"][0])

    def ship(self, quantity: int) -> str:
        """Ship units; returns the shipment."""
        body = {"lines": [{"line_id": "1", "quantity": quantity}], **parcel()}
        answer = self.shop.post(f"/v1/merchant/orders/{self.order_id}/shipments", body)
        assert answer.status == 201, answer.body
        return str(answer.json["shipment_id"])

    def deliver(self, shipment_id: str, status: Status = Status.DELIVERED) -> None:
        """Have the carrier tell where a parcel is."""
        now = clock.now().replace(microsecond=0) + timedelta(seconds=1)
        number = logistics.load(shipment_id).number or ""
        tracking.track(shipment_id, Snapshot(number, status=status, scans=(Scan(now, "签收", status),)))
        self.till.clock.advance(timedelta(minutes=1))
        self.till.settle()

    # What the buyer does

    def wanting(self, quantity: int = 1, **more: Any) -> dict[str, Any]:
        """Return what asks for a return of the first line."""
        line = {"line_id": "1", "quantity": quantity, **more.pop("line", {})}
        return {"order_id": self.order_id, "lines": [line], "wish": "refund", "reason": "no_reason", **more}

    def ask(self, quantity: int = 1, *, key: str | None = None, **more: Any) -> Answer:
        """Ask for a return."""
        self.renew()
        return self.buyer.post("/v1/returns", self.wanting(quantity, **more), key=key)

    def asked(self, quantity: int = 1, **more: Any) -> str:
        """Ask for a return that is taken; returns its id."""
        answer = self.ask(quantity, **more)
        assert answer.status == 201, answer.body
        return str(answer.json["return_id"])

    def approved(self, quantity: int = 1, **more: Any) -> str:
        """Ask for a return that the merchant agrees to."""
        return_id = self.asked(quantity, **more)
        assert self.say(return_id, "approve", {"address": ADDRESS}).status == 200
        return return_id

    def sent(self, quantity: int = 1, **more: Any) -> str:
        """Send back what the merchant agreed to."""
        return_id = self.approved(quantity, **more)
        answer = self.act(return_id, "parcel", parcel())
        assert answer.status == 200, answer.body
        return return_id

    def received(self, quantity: int = 1, **more: Any) -> str:
        """Have what was sent back arrive."""
        return_id = self.sent(quantity, **more)
        self.deliver(self.seen(return_id)["shipment_id"])
        return return_id

    def act(self, return_id: str, what: str, body: Any = None, *, key: str | None = None) -> Answer:
        """Do something as the buyer."""
        self.renew()
        return self.buyer.post(f"/v1/returns/{return_id}/{what}", body, key=key)

    def renew(self) -> None:
        """Sign both in again: a token lives for ten minutes."""
        self.buyer.token = people.token(self.buyer.account_id)
        self.shop.token = people.token(self.staff.account_id, Role.MERCHANT_STAFF, merchant_id=self.shop.merchant_id)

    def seen(self, return_id: str) -> Any:
        """Read it as the buyer."""
        self.renew()
        return self.buyer.get(f"/v1/returns/{return_id}").json

    # What others do

    def say(self, return_id: str, what: str, body: Any = None, *, key: str | None = None) -> Answer:
        """Do something as the merchant."""
        self.renew()
        return self.shop.post(f"/v1/merchant/returns/{return_id}/{what}", body, key=key)

    def inspect(self, return_id: str, *, key: str | None = None, withhold: bool = False, **grades: int) -> Answer:
        """Say as the merchant how it came."""
        lines = [{"line_id": "1", **grades}] if grades else []
        body = {"lines": lines, "withhold_damaged": withhold, "text": "Looked."}
        return self.say(return_id, "inspection", body, key=key)

    def decide(self, return_id: str, decision: str, **more: Any) -> Answer:
        """Decide as the operator."""
        path = f"/v1/operator/returns/{return_id}/decision"
        token = people.token(self.till.operator.account_id, Role.BUYER, Role.OPERATOR)
        return call("POST", path, {"decision": decision, "text": "Decided.", **more}, token=token)

    # What is so

    @property
    def order(self) -> Order:
        """Return the order."""
        return orders.load_order(self.order_id)

    def back(self) -> int:
        """Return what the provider gave back, in minor units."""
        self.till.settle()
        return sum(order.refunded for order in self.till.sandbox.orders.values())

    def refunds(self) -> list[tuple[int, tuple[tuple[str, int], ...]]]:
        """Return the refunds that were asked for: how much, for which units."""
        found = payments.payment_records(self.order.purchase_id).refunds
        return [(one.amount.minor, tuple(one.lines)) for one in found]

    def stock(self, variant: int = 0) -> tuple[int, int]:
        """Return what is available of a variant, and what is ordered of it."""
        level = inventory.level(self.made.sku_ids[variant])
        assert level.received - level.written_off == level.available + level.ordered
        return level.available, level.ordered
