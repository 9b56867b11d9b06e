"""A shop window for payment tests: placed purchases, the sandbox provider in process, and the pump between them.

``till = Till.open(noon)``; ``till.sale(...)`` places a purchase, ``till.start(...)`` starts an attempt over HTTP,
``till.sandbox`` is the provider to steer, ``till.settle()`` posts its notices and pumps until quiet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from chalicelib.kernel import clock, ids
from chalicelib.kernel.money import Money
from chalicelib.kernel.roles import Role
from chalicelib.ledger import service as ledger
from chalicelib.orders import service as orders
from chalicelib.orders.service import NOWHERE, Line, Order, OrderStatus, Purchase, PurchaseStatus, Sale, Stock
from chalicelib.payments import service
from chalicelib.payments.domain.payment import Payment
from chalicelib.payments.domain.payment_records import PaymentRecords
from chalicelib.payments.domain.refund_request import RefundRequest, Requester
from chalicelib.payments.store import records as store
from chalicelib.runtime import outbound
from chalicelib.runtime.db.work import UnitOfWork
from tests.support import http, people
from tests.support.pump import UNPUBLISHED, Pump
from tools.fakes.sandbox.core import Sandbox
from tools.fakes.sandbox.mount import transport

WEBHOOK = "/v1/webhooks/payments/sandbox"


@dataclass
class Till:
    """The parts of one test."""

    clock: Any
    sandbox: Sandbox
    buyer: people.Person
    operator: people.Person
    pump: Pump = field(default_factory=lambda: Pump(leaves=UNPUBLISHED))

    @classmethod
    def open(cls, fixed: Any) -> Till:
        """Mount the sandbox on the shop's own clock."""
        sandbox = Sandbox(now=lambda: clock.now().timestamp())
        outbound.install(transport(sandbox))
        return cls(fixed, sandbox, people.buyer(), people.operator())

    def sale(self, totals: Sequence[int] = (1999,), *, commission_bps: int = 500) -> Sale:
        """Place a purchase of one order for each total."""
        body = ids.new_id("pur")
        purchase_id = "pur_" + ids.digest(body)
        now = clock.now()
        order_ids = tuple(ids.child_id("ord", purchase_id, n) for n in range(1, len(totals) + 1))
        placed = tuple(
            Order(
                order_id=order_id,
                purchase_id=purchase_id,
                buyer_id=self.buyer.account_id,
                merchant_id="mer_" + ids.digest(order_id),
                merchant_name="Tea",
                status=OrderStatus.PLACED,
                stock=Stock.HELD,
                lines=(_line(total),),
                freight=Money(0),
                discount=Money(0),
                total=Money(total),
                commission_bps=commission_bps,
                number=order_id[-8:],
                placed_at=now,
                since=now,
            )
            for order_id, total in zip(order_ids, totals, strict=True)
        )
        purchase = Purchase(
            purchase_id=purchase_id,
            buyer_id=self.buyer.account_id,
            status=PurchaseStatus.AWAITING_PAYMENT,
            total=Money(sum(totals)),
            order_ids=order_ids,
            number=purchase_id[-8:],
            delivery=NOWHERE,
            placed_at=now,
            since=now,
            fingerprint="f",
        )
        with UnitOfWork() as work:
            orders.place(work, purchase, placed)
        return orders.load_sale(purchase_id)

    def start(self, sale: Sale, *, key: str | None = None, **body: Any) -> http.Answer:
        """Start an attempt as the buyer."""
        return http.call(
            "POST",
            f"/v1/purchases/{sale.purchase.purchase_id}/payments",
            {"provider": "sandbox", **body},
            token=people.token(self.buyer.account_id),
            key=key,
        )

    def started(self, sale: Sale) -> str:
        """Start an attempt that the provider accepts; returns its id."""
        answer = self.start(sale)
        assert (answer.status, answer.json["status"]) == (201, "pending"), answer
        return str(answer.json["payment_id"])

    def paid(self, totals: Sequence[int] = (1999,), **options: Any) -> tuple[Sale, str]:
        """Return a purchase that was paid, and its payment."""
        sale = self.sale(totals, **options)
        payment_id = self.started(sale)
        self.sandbox.pay(payment_id)
        self.settle()
        assert orders.load_purchase(sale.purchase.purchase_id).status is PurchaseStatus.PAID
        return orders.load_sale(sale.purchase.purchase_id), payment_id

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Deliver a notice to the real route."""
        return http.call("POST", urlsplit(url).path, raw=body, headers=headers).status

    def settle(self) -> None:
        """Post what the provider has to say and pump, until neither moves."""
        while self.sandbox.tick(self.post) + self.pump.drain():
            pass

    def wait(self, by: timedelta, *, step: timedelta = timedelta(seconds=30)) -> None:
        """Let time pass, with the deadline job and the provider's notices at each step."""
        until = clock.now() + by
        while clock.now() < until:
            self.clock.advance(min(step, until - clock.now()))
            self.pump.due()
            while self.sandbox.tick(self.post):
                self.pump.drain()

    def operate(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> http.Answer:
        """Call as the operator."""
        token = people.token(self.operator.account_id, Role.BUYER, Role.OPERATOR)
        return http.call(method, path, body, token=token, key=key)

    def expire(self, sale: Sale) -> None:
        """Expire the purchase as checkout does, without asking the provider: the worst case."""
        with UnitOfWork() as work:
            orders.release(work, orders.load_sale(sale.purchase.purchase_id), expired=True)


def _line(total: int) -> Line:
    body = ids.digest("product")
    return Line(
        line_id="1",
        sku_id=f"sku_{body}_01",
        product_id=f"prd_{body}",
        title="Tea",
        options=(),
        quantity=1,
        unit=Money(total),
        total=Money(total),
    )


def payment(payment_id: str) -> Payment:
    """Read one attempt."""
    return store.load_payment(payment_id)


def story(sale: Sale) -> PaymentRecords:
    """Read everything of a sale's payments."""
    return service.payment_records(sale.purchase.purchase_id)


def give_back(work: UnitOfWork, order: Order, payment_id: str, amount: Money, *, reason: str, cause: str) -> str:
    """Reserve a refund of an amount in the caller's work, as other capabilities do; returns its number."""
    context = service.refund_context(orders.load_order(order.order_id), payment_id=payment_id)
    wanted = RefundRequest(order.order_id, reason, amount=amount)
    return service.request_refund(work, context, wanted, Requester(cause)).refund_id


def accounts(sale: Sale) -> dict[str, int]:
    """Return the balances of a sale's ledger that are not zero; refuses one that does not balance."""
    proof = ledger.proof(sale.purchase.purchase_id)
    assert proof.balanced
    return {account: amount.minor for account, amount in proof.balances if amount}
